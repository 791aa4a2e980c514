/** Reads along on the wire between a client and a nats-server: what is published, and what is answered. */
import type { Socket } from 'node:net'
import { eventSchema } from '../../src/event-schema.ts'
import type { Wire } from './wire.ts'

type Side = 'client' | 'server'

/** Counts for each `partitionkey` how many messages are on their way, unanswered, on one connection. */
export class Published {
  /** The most that were ever unanswered of one key. */
  most = 0
  /** Messages that were published. */
  count = 0
  /** By connection: what each direction has not completed, and the keys by the reply subjects that wait. */
  readonly #lines = new Map<Socket, { rest: Record<Side, Buffer>; waiting: Map<string, string> }>()

  constructor(wire: Wire) {
    wire.onBytes = (chunk, from, client) => this.#take(chunk, from, client)
  }

  #take(chunk: Buffer, from: Side, client: Socket): void {
    let line = this.#lines.get(client)
    if (line === undefined) {
      line = { rest: { client: Buffer.alloc(0), server: Buffer.alloc(0) }, waiting: new Map() }
      this.#lines.set(client, line)
    }
    let rest = Buffer.concat([line.rest[from], chunk])
    for (;;) {
      const end = rest.indexOf('\r\n')
      if (end === -1) break
      const words = rest.subarray(0, end).toString('latin1').split(' ')
      const [verb = ''] = words
      // These have a payload, as long as their last word says; the rest of the protocol is lines.
      const size = /^(PUB|HPUB|MSG|HMSG)$/.test(verb) ? Number(words.at(-1)) + 2 : 0
      if (rest.length < end + 2 + size) break
      if (verb === 'HPUB') this.#publish(words, rest.subarray(end + 2, end + 2 + size), line.waiting)
      if (verb.endsWith('MSG')) line.waiting.delete(words[1] ?? '')
      rest = rest.subarray(end + 2 + size)
    }
    line.rest[from] = rest
  }

  /** `HPUB subject reply headers total`. */
  #publish([, , reply = '', headers = '']: readonly string[], payload: Buffer, waiting: Map<string, string>): void {
    const { partitionkey } = eventSchema.parse(JSON.parse(payload.subarray(Number(headers)).toString('utf8')))
    waiting.set(reply, partitionkey)
    this.count++
    let same = 0
    for (const key of waiting.values()) if (key === partitionkey) same++
    this.most = Math.max(this.most, same)
  }
}
