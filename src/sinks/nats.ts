/** NATS JetStream as a sink. */
import { jetstream, jetstreamManager, type StreamInfo } from '@nats-io/jetstream'
import { type NatsConnection, PermissionViolationError } from '@nats-io/transport-node'
import type { NatsConfig } from '../config/schema.ts'
import { Retryable } from '../errors.ts'
import type { EventRecord } from '../record.ts'
import type { Report } from '../report.ts'
import type { Clock } from '../scheduler/clock.ts'
import type { Marks } from '../store/contract.ts'
import type { Receipt, Setback, Sink } from './contract.ts'
import { connectNats } from './nats-connect.ts'
import { type LookupDeps, lookUp } from './nats-lookup.ts'
import { Publisher } from './nats-publisher.ts'
import { findSetback, markNow } from './nats-setback.ts'
import { ensureStream } from './nats-stream.ts'
import { type Mark, markOf, Position } from './position.ts'

/** Unanswered messages at once: above 1024 only latency grows (reference: §3c). */
const WINDOW = 512
const API_TIMEOUT_MS = 5000

export interface NatsSinkDeps {
  readonly clock: Clock
  readonly report: Report
}

/** Works the same on every server from 2.9 on. One connection at a time; `open` makes a new one. */
export function natsSink(config: NatsConfig, deps: NatsSinkDeps): Sink {
  return new NatsSink(config, deps)
}

/** All that belongs to one connection. */
interface Line {
  readonly connection: NatsConnection
  readonly publisher: Publisher
  readonly keeps: boolean
  readonly info: StreamInfo
  readonly position: Position
  readonly lookup: LookupDeps
}

/** In the server's words, which end no connection. */
const TOO_MANY_SUBSCRIPTIONS = /maximum subscriptions exceeded/i

class NatsSink implements Sink {
  readonly name = 'nats'
  readonly window = WINDOW
  readonly #config: NatsConfig
  readonly #deps: NatsSinkDeps
  #line: Line | undefined
  /** Of the last line that was compared. */
  #position: Position | undefined
  #detail = 'not connected'
  #onSettled: (receipts: readonly Receipt[]) => void = () => undefined
  #onLost: (reason: Error) => void = () => undefined

  constructor(config: NatsConfig, deps: NatsSinkDeps) {
    this.#config = config
    this.#deps = deps
  }

  get detail(): string {
    return this.#detail
  }

  get remembers(): boolean {
    return this.#line?.keeps ?? true
  }

  get mark(): Mark | undefined {
    return this.#position?.mark
  }

  onSettled(callback: (receipts: readonly Receipt[]) => void): void {
    this.#onSettled = callback
  }

  onLost(callback: (reason: Error) => void): void {
    this.#onLost = callback
  }

  async open(signal: AbortSignal): Promise<void> {
    await this.close()
    const { clock, report } = this.#deps
    const { stream, prefix } = this.#config
    const connection = await connectNats(this.#config, { clock, signal, name: 'opswire' })
    try {
      const manager = await jetstreamManager(connection, { checkAPI: false, timeout: API_TIMEOUT_MS })
      const { keeps, apiLevel, warnings, info } = await ensureStream(manager, this.#config)
      if (signal.aborted) throw signal.reason
      if (connection.isClosed()) throw new Retryable('sink', 'NATS closed the connection')
      for (const text of warnings) report({ type: 'advice', source: this.name, text })
      const lost = (reason: Error): void => this.#lost(connection, reason)
      const position = new Position(markNow(info))
      const publisher = new Publisher({
        connection,
        position,
        clock,
        prefix,
        stream: stream.name,
        onReceipts: receipts => this.#onSettled(receipts),
        onTrouble: lost,
      })
      const lookup: LookupDeps = {
        jetstream: jetstream(connection),
        manager,
        clock,
        stream: stream.name,
        // A stream that puts messages under other subjects has ours under those.
        filter: info.config.subject_transform === undefined ? `${prefix}.>` : undefined,
        connected: () => this.#line?.connection === connection,
      }
      this.#line = { connection, publisher, lookup, keeps, info, position }
      const [address, version] = [connection.getServer(), connection.info?.version ?? 'unknown']
      this.#detail = `${address} (nats-server ${version}), stream ${stream.name}`
      report({ type: 'sink_server', address, version, apiLevel, stream: stream.name })
      this.#watch(connection, lost)
    } catch (error) {
      await connection.close()
      throw error
    }
  }

  send(records: readonly EventRecord[]): void {
    // Without a line `onLost` was called: the records are doubtful, and nobody waits for an answer.
    this.#line?.publisher.send(records)
  }

  async compare(kept: Marks): Promise<Setback | undefined> {
    const line = this.#open()
    const known = this.mark ?? markOf(kept.acked)
    const setback =
      known === undefined ? undefined : await findSetback(line.lookup, line.info, known, markOf(kept.trimmed))
    if (setback === undefined && known?.stream === line.position.mark.stream) line.position.adopt(known)
    this.#position = line.position
    return setback
  }

  #open(): Line {
    if (this.#line === undefined) throw new Retryable('sink', 'not connected to NATS')
    return this.#line
  }

  async stored(ids: readonly string[], sinceMs: number): Promise<Set<string>> {
    const line = this.#open()
    // What a consumer has taken away is not missing: only the server's duplicate window can tell.
    if (!line.keeps) return new Set()
    return lookUp(line.lookup, ids, sinceMs)
  }

  async close(): Promise<void> {
    const line = this.#line
    if (line === undefined) return
    this.#line = undefined
    line.publisher.stop()
    await line.connection.close()
  }

  /** A connection that ended, however it ended, is lost once. */
  #lost(connection: NatsConnection, reason: Error): void {
    const line = this.#line
    if (line === undefined || line.connection !== connection) return
    this.#line = undefined
    line.publisher.stop()
    connection.close().catch(() => undefined)
    this.#onLost(reason)
  }

  #watch(connection: NatsConnection, lost: (reason: Error) => void): void {
    /** What the server said last against this connection: most often why it ends it. */
    let said: Error | undefined
    const gone = (cause: Error | undefined): void =>
      lost(new Retryable('sink', 'the connection to NATS is gone', cause === undefined ? {} : { cause }))
    const closed = async (): Promise<void> => {
      const cause = await connection.closed()
      gone(cause ?? said)
    }
    const status = async (): Promise<void> => {
      for await (const change of connection.status()) {
        if (change.type === 'error') said = change.error
        // The client tells of the break before it has closed: what is unanswered is doubtful from now (reference: P5).
        if (change.type === 'disconnect') gone(said)
        // So it calls a login that the server takes back, too.
        if (change.type === 'staleConnection' && said !== undefined) gone(said)
        else if (change.type === 'staleConnection') lost(new Retryable('sink', 'NATS does not answer pings'))
        // A refused publish is never answered.
        if (change.type === 'error' && change.error instanceof PermissionViolationError) {
          lost(new Retryable('sink', `NATS refuses: ${change.error.message}`))
        }
        // Nor is anything that would come by a subscription that was not made.
        if (change.type === 'error' && TOO_MANY_SUBSCRIPTIONS.test(change.error.message)) {
          lost(new Retryable('sink', `NATS refuses: ${change.error.message}: max_subscriptions must be 3 at least`))
        }
      }
    }
    closed().catch(lost)
    status().catch(lost)
  }
}
