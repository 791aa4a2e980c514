/** The NATS server of a run, and the judge of what arrived: counted in the stream, by number. */
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { type NatsConfig, natsSchema } from '../src/config/schema.ts'
import { sleep, systemClock } from '../src/scheduler/clock.ts'
import { ensureStream } from '../src/sinks/nats-stream.ts'
import { tap } from '../src/sinks/nats-tap.ts'
import { type RunningNats, startNatsServer } from '../src/tools/nats-server.ts'
import { type Found, resolveTool } from '../src/tools/resolve.ts'
import type { Scratch } from './scratch.ts'

const POLL_MS = 20
/** A stream that does not grow for so long has stopped. */
const STALL_MS = 60_000

/** What an event of the benchmark tells of itself. */
export interface Arrived {
  readonly number: number
  /** When the stream took it, and when the daemon took it down and the source stamped it; ms, NaN where not told. */
  readonly storedMs: number
  readonly recordedMs: number
  readonly createdMs: number
  readonly bytes: number
}

export class Broker {
  readonly version: string
  readonly #server: RunningNats
  readonly #connection: NatsConnection
  readonly #manager: JetStreamManager

  private constructor(tool: Found, server: RunningNats, connection: NatsConnection, manager: JetStreamManager) {
    this.version = tool.version
    this.#server = server
    this.#connection = connection
    this.#manager = manager
  }

  /** `version`: exactly this one. Throws when there is none, with the reason. */
  static async start(scratch: Scratch, version: string | undefined): Promise<Broker> {
    const tool = await resolveTool('nats-server', version === undefined ? { atLeast: '2.12' } : { exactly: version })
    if ('missing' in tool) throw new Error(tool.missing)
    const server = await startNatsServer({ binary: tool.path })
    const { pid } = server
    scratch.onEnd(() => {
      if (pid !== undefined && server.pid === pid) process.kill(pid, 'SIGKILL')
    })
    const connection = await connect({ servers: server.url })
    return new Broker(tool, server, connection, await jetstreamManager(connection))
  }

  get url(): string {
    return this.#server.url
  }

  get pid(): number {
    return this.#server.pid ?? 0
  }

  /** The `nats` block of a config file. Each run has a stream of its own. */
  config(stream: string): NatsConfig {
    return natsSchema.parse({ servers: [this.url], prefix: stream.toLowerCase(), stream: { name: stream } })
  }

  /** Makes a stream just as the daemon makes its own. */
  async create(stream: string): Promise<void> {
    await ensureStream(this.#manager, this.config(stream))
  }

  async remove(stream: string): Promise<void> {
    await this.#manager.streams.delete(stream)
  }

  /** Messages in the stream now. */
  async count(stream: string): Promise<number> {
    return (await this.#manager.streams.info(stream)).state.messages
  }

  /** Resolves when the stream holds so many messages, with the time it took the last one, wall ms. */
  async holds(stream: string, messages: number): Promise<number> {
    let before = -1
    let grewAt = systemClock.now()
    for (;;) {
      const { state } = await this.#manager.streams.info(stream)
      if (state.messages >= messages) return Date.parse(state.last_ts)
      const now = systemClock.now()
      if (state.messages > before) grewAt = now
      before = state.messages
      if (now - grewAt > STALL_MS) throw new Error(`${stream} stays at ${state.messages} messages of ${messages}`)
      await sleep(systemClock, POLL_MS)
    }
  }

  /** Reads the whole stream. Throws unless each number below `count` is there, and there once. */
  async judge(stream: string, count: number): Promise<Arrived[]> {
    const found: Arrived[] = []
    const times = new Uint8Array(count)
    const over = new AbortController()
    for await (const message of tap(this.config(stream), { signal: over.signal, from: 'start' })) {
      const arrived = read(message.event, message.storedMs)
      if (arrived !== undefined) {
        found.push(arrived)
        times[arrived.number] = (times[arrived.number] ?? 0) + 1
      }
      if (message.left === 0) break
    }
    const wrong = times.findIndex(one => one !== 1)
    if (wrong >= 0) throw new Error(`${stream}: number ${wrong} is there ${times[wrong]} times, not once`)
    return found
  }

  async close(): Promise<void> {
    await this.#connection.close()
    await this.#server.remove()
  }
}

function read(event: unknown, storedMs: number): Arrived | undefined {
  const { data, recordedtime } = event as { data?: { raw?: object }; recordedtime?: string }
  const [object] = Object.values(data?.raw ?? {}) as { attributes?: Record<string, string> }[]
  const number = /^burst (\d+)/.exec(object?.attributes?.['descr'] ?? '')?.[1]
  if (number === undefined) return undefined
  return {
    number: Number(number),
    storedMs,
    recordedMs: Date.parse(recordedtime ?? ''),
    createdMs: Date.parse(object?.attributes?.['created'] ?? ''),
    bytes: Buffer.byteLength(JSON.stringify(event)),
  }
}
