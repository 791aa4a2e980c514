/** Follows the stream from outside, as any consumer would: what is in it, in its order. */
import { DeliverPolicy, jetstream, type OrderedConsumerOptions } from '@nats-io/jetstream'
import type { NatsConfig } from '../config/schema.ts'
import { describe, Retryable } from '../errors.ts'
import { type Clock, systemClock } from '../scheduler/clock.ts'
import { connectNats } from './nats-connect.ts'

export interface TapOptions {
  /** Ends the iteration. */
  readonly signal: AbortSignal
  /** Where to begin: what comes from now on (the default), everything, a stream sequence, or a server time (ms). */
  readonly from?: 'now' | 'start' | { readonly seq: number } | { readonly sinceMs: number }
  /** Subjects without the configured prefix, with wildcards. Default `>`. Several need a server from 2.10 on. */
  readonly subjects?: readonly string[]
  readonly clock?: Clock
}

export interface Tapped {
  readonly subject: string
  /** Sequence in the stream. */
  readonly seq: number
  /** Messages behind this one in the stream now, for this reader. */
  readonly left: number
  /** When the stream took it, ms by the server's clock. */
  readonly storedMs: number
  /** The message's `Nats-Msg-Id`: the event's id. */
  readonly id: string
  /** The parsed body: an event, or a dead letter's notice. */
  readonly event: unknown
}

/** Short enough that a consumer that a server restart took away is noticed and made anew within seconds. */
const EXPIRES_MS = 5000

/**
 * Yields the stream's messages in order until the signal aborts. Throws `Retryable('sink')` when NATS can't be reached,
 * the stream does not exist, or the connection is lost: go on from the last `seq` plus one.
 */
export async function* tap(config: NatsConfig, options: TapOptions): AsyncGenerator<Tapped> {
  const { signal, clock = systemClock } = options
  if (signal.aborted) return
  const connection = await connectNats(config, { clock, signal, name: 'opswire tap' })
  let stop = (): void => undefined
  const onAbort = (): void => stop()
  try {
    const consumer = await jetstream(connection).consumers.get(config.stream.name, start(config, options))
    const messages = await consumer.consume({ max_messages: 500, expires: EXPIRES_MS })
    stop = () => messages.stop()
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) stop()
    for await (const message of messages) {
      yield {
        subject: message.subject,
        seq: message.seq,
        left: message.info.pending,
        storedMs: Math.floor(message.info.timestampNanos / 1e6),
        id: message.headers?.get('Nats-Msg-Id') ?? '',
        event: message.json(),
      }
      if (signal.aborted) return
    }
    if (!signal.aborted) throw new Retryable('sink', 'the connection to NATS is gone')
  } catch (error) {
    if (signal.aborted) return
    if (error instanceof Retryable) throw error
    throw new Retryable('sink', `can't follow stream ${config.stream.name}: ${describe(error)}`, { cause: error })
  } finally {
    signal.removeEventListener('abort', onAbort)
    stop()
    await connection.close()
  }
}

function start(config: NatsConfig, { from = 'now', subjects = ['>'] }: TapOptions): Partial<OrderedConsumerOptions> {
  const filters = subjects.map(subject => `${config.prefix}.${subject}`)
  const [only] = filters
  const filter = { filter_subjects: filters.length === 1 && only !== undefined ? only : filters }
  if (from === 'now') return { ...filter, deliver_policy: DeliverPolicy.New }
  if (from === 'start') return { ...filter, deliver_policy: DeliverPolicy.All }
  if ('seq' in from) return { ...filter, deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: from.seq }
  const opt_start_time = new Date(from.sinceMs).toISOString()
  return { ...filter, deliver_policy: DeliverPolicy.StartTime, opt_start_time }
}
