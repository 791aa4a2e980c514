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

/** Throws unless each number below `count` was read, and read once. */
export function eachOnce(numbers: Iterable<number>, count: number, where: string): void {
  const times = new Uint8Array(count)
  for (const number of numbers) {
    if (number >= count) throw new Error(`${where}: number ${number} is there, which nobody pushed`)
    times[number] = (times[number] ?? 0) + 1
  }
  const wrong = times.findIndex(one => one !== 1)
  if (wrong >= 0) throw new Error(`${where}: number ${wrong} is there ${times[wrong]} times, not once`)
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
    scratch.onEnd(() => {
      if (server.pid !== undefined) process.kill(server.pid, 'SIGKILL')
    })
    const connection = await connect({ servers: server.url, maxReconnectAttempts: -1, reconnectTimeWait: 100 })
    return new Broker(tool, server, connection, await jetstreamManager(connection))
  }

  get url(): string {
    return this.#server.url
  }

  get pid(): number {
    return this.#server.pid ?? 0
  }

  /** Away for everybody, until `back`. */
  async away(): Promise<void> {
    await this.#server.stop()
  }

  /** Resolves when the server is there again, with all that it had. */
  async back(): Promise<void> {
    await this.#server.restart()
    // The client connects again by itself, and refuses everything until then.
    while (!(await this.#answers())) await sleep(systemClock, POLL_MS)
  }

  async #answers(): Promise<boolean> {
    try {
      await this.#connection.flush()
      return true
    } catch {
      return false
    }
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
    const over = new AbortController()
    for await (const message of tap(this.config(stream), { signal: over.signal, from: 'start' })) {
      const arrived = read(message.event, message.storedMs)
      if (arrived !== undefined) found.push(arrived)
      if (message.left === 0) break
    }
    eachOnce(
      found.map(one => one.number),
      count,
      stream,
    )
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
    createdMs: Date.parse(object?.attributes?.['lastTransition'] ?? object?.attributes?.['created'] ?? ''),
    bytes: Buffer.byteLength(JSON.stringify(event)),
  }
}
