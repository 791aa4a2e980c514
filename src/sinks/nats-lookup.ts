/** Looks in the stream which events it holds: for rows whose acknowledgement was lost with the connection. */
import {
  AckPolicy,
  type ConsumerInfo,
  DeliverPolicy,
  type JetStreamClient,
  type JetStreamManager,
} from '@nats-io/jetstream'
import { nanos } from '@nats-io/transport-node'
import { Retryable } from '../errors.ts'
import type { Clock } from '../scheduler/clock.ts'

export interface LookupDeps {
  readonly jetstream: JetStreamClient
  readonly manager: JetStreamManager
  readonly clock: Clock
  readonly stream: string
  /** Only messages on these subjects; undefined: on all. */
  readonly filter: string | undefined
  /** False once the connection is gone: a read that ends early then proves nothing. */
  readonly connected: () => boolean
}

const PAGE = 1000
const IDLE_MS = 30_000
/** Differences between our clock and the server's below this are within the caller's margin. */
const SKEW_MS = 5000

/**
 * Which of `ids` are the `Nats-Msg-Id` of a message that the stream took in since `sinceMs` (our wall time; corrected
 * when the server's clock differs). Reads headers only, up to the last message at the time of the call. Rejects with
 * `Retryable('sink')` unless it has read all of that.
 */
export async function lookUp(deps: LookupDeps, ids: readonly string[], sinceMs: number): Promise<Set<string>> {
  const wanted = new Set(ids)
  const found = new Set<string>()
  if (wanted.size === 0) return found
  try {
    const consumer = await readerFrom(deps, sinceMs)
    try {
      await collect(deps, consumer, wanted, found)
    } finally {
      // It would lapse by itself; a connection that is gone takes no farewell.
      if (deps.connected()) await deps.manager.consumers.delete(deps.stream, consumer.name).catch(() => undefined)
    }
    return found
  } catch (error) {
    if (error instanceof Retryable) throw error
    throw new Retryable('sink', `can't read stream ${deps.stream} to find what it holds`, { cause: error })
  }
}

/**
 * The message id at this place of the stream, on whatever subject: a place of ours may be another's now. Empty for a message
 * without an id; undefined when nothing stands there any more.
 */
export async function idAt(deps: LookupDeps, seq: number): Promise<string | undefined> {
  const { jetstream, manager, stream, connected } = deps
  try {
    const reader = await manager.consumers.add(stream, {
      ...READING,
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: seq,
    })
    try {
      if (reader.num_pending === 0) return undefined
      const messages = await jetstream.consumers.getConsumerFromInfo(reader).fetch({ max_messages: 1, expires: 5000 })
      for await (const message of messages) {
        return message.seq === seq ? (message.headers?.get('Nats-Msg-Id') ?? '') : undefined
      }
      if (connected()) return undefined
    } finally {
      if (connected()) await manager.consumers.delete(stream, reader.name).catch(() => undefined)
    }
  } catch (error) {
    throw new Retryable('sink', `can't read stream ${stream} to find how far it is`, { cause: error })
  }
  throw new Retryable('sink', `the connection broke while stream ${stream} was read`)
}

const READING = {
  ack_policy: AckPolicy.None,
  headers_only: true,
  inactive_threshold: nanos(IDLE_MS),
  mem_storage: true,
  num_replicas: 1,
}

async function readerFrom(deps: LookupDeps, sinceMs: number): Promise<ConsumerInfo> {
  const add = (fromMs: number): Promise<ConsumerInfo> =>
    deps.manager.consumers.add(deps.stream, {
      ...READING,
      ...(deps.filter !== undefined && { filter_subject: deps.filter }),
      deliver_policy: DeliverPolicy.StartTime,
      opt_start_time: new Date(Math.max(0, fromMs)).toISOString(),
    })
  const reader = await add(sinceMs)
  // When it was created is the one thing that servers of every version say by their own clock.
  const skewMs = Date.parse(reader.created) - deps.clock.wall()
  if (Number.isNaN(skewMs) || Math.abs(skewMs) < SKEW_MS) return reader
  await deps.manager.consumers.delete(deps.stream, reader.name)
  return add(sinceMs + skewMs)
}

async function collect(deps: LookupDeps, reader: ConsumerInfo, wanted: Set<string>, found: Set<string>): Promise<void> {
  const consumer = deps.jetstream.consumers.getConsumerFromInfo(reader)
  let left = reader.num_pending
  while (left > 0 && found.size < wanted.size) {
    const page = Math.min(left, PAGE)
    let got = 0
    for await (const message of await consumer.fetch({ max_messages: page, expires: 5000 })) {
      got++
      const id = message.headers?.get('Nats-Msg-Id')
      if (id !== undefined && wanted.has(id)) found.add(id)
      if (got === page || message.info.pending === 0) break
    }
    if (!deps.connected()) throw new Retryable('sink', `the connection broke while stream ${deps.stream} was read`)
    left -= got
    if (got > 0) continue
    // Messages may have left the stream meanwhile (limits, a purge): then there is nothing more to come.
    const { num_pending } = await deps.manager.consumers.info(deps.stream, reader.name)
    if (num_pending === 0) return
  }
}
