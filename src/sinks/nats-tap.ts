/** Follows the stream from outside, as any consumer would: what is in it, in its order. */
import {
  type ConsumerNotification,
  DeliverPolicy,
  jetstream,
  jetstreamManager,
  type OrderedConsumerOptions,
} from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import type { NatsConfig } from '../config/schema.ts'
import { describe, Retryable } from '../errors.ts'
import { type Clock, systemClock } from '../scheduler/clock.ts'
import { connectNats } from './nats-connect.ts'

export interface TapOptions {
  /** Ends the iteration. */
  readonly signal: AbortSignal
  /** Where to begin: what comes from now on (the default), everything, a stream sequence, or a server time (ms). */
  readonly from?: 'now' | 'start' | { readonly seq: number } | { readonly sinceMs: number }
  /**
   * Subjects without the configured prefix, with wildcards. Default `>`. A server before 2.10 takes one filter only: it
   * gives more than was asked for then.
   */
  readonly subjects?: readonly string[]
  /** `StreamNow.created` of the stream whose sequence `from` names: another one of that name is read from its beginning. */
  readonly created?: string | undefined
  /** Told when following begins. */
  readonly onStart?: (stream: StreamNow) => void
  readonly clock?: Clock
}

export interface StreamNow {
  /** The sequence after the last one that is in it: with `from: 'now'`, the first one to come. */
  readonly next: number
  /** When it was made: tells it from one of the same name that was there before. */
  readonly created: string
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
  /** The parsed body: an event, or a dead letter's notice; undefined for something else's message that is not JSON. */
  readonly event: unknown
}

/** Short enough that a consumer that a server restart took away is noticed and made anew within seconds. */
const EXPIRES_MS = 5000

/**
 * Yields the stream's messages in order until the signal aborts. Throws `Retryable('sink')` when NATS can't be reached,
 * the stream does not exist, is deleted or made anew, or the connection is lost: go on from the last `seq` plus one.
 */
export async function* tap(config: NatsConfig, options: TapOptions): AsyncGenerator<Tapped> {
  const { signal, clock = systemClock } = options
  if (signal.aborted) return
  const connection = await connectNats(config, { clock, signal, name: 'opswire tap' })
  let stop = (): void => undefined
  const onAbort = (): void => stop()
  /** What the server said last against this connection: most often why it ends it. */
  let said: Error | undefined
  // It can't fail but by the end of the connection, which ends the messages too.
  errorsOf(connection, error => {
    said = error
  }).catch(() => undefined)
  try {
    const stream = await streamNow(connection, config)
    const consumer = await jetstream(connection).consumers.get(
      config.stream.name,
      start(config, options, stream, takesSeveral(connection)),
    )
    const messages = await consumer.consume({ max_messages: 500, expires: EXPIRES_MS })
    let isGone = false
    /** While it is asked whether this is still that stream nothing is shown: in another one the next number is another's. */
    let asked: Promise<boolean> | undefined
    stop = () => messages.stop()
    const isAnother = (): Promise<boolean> => {
      asked = streamNow(connection, config).then(
        ({ created }) => created !== stream.created,
        () => false,
      )
      return asked
    }
    // Otherwise the consumer waits in a stream made anew for the next number of the old one.
    void ofAnother(messages.status(), isAnother).then(another => {
      isGone ||= another
      if (another) stop()
    })
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) stop()
    options.onStart?.(stream)
    for await (const message of messages) {
      if (asked !== undefined && (await asked)) {
        isGone = true
        break
      }
      yield {
        subject: message.subject,
        seq: message.seq,
        left: message.info.pending,
        storedMs: Math.floor(message.info.timestampNanos / 1e6),
        id: message.headers?.get('Nats-Msg-Id') ?? '',
        event: parsed(message.string()),
      }
      if (signal.aborted) return
    }
    if (signal.aborted) return
    if (isGone) throw new Retryable('sink', `stream ${config.stream.name} was deleted`)
    const cause = (connection.isClosed() ? await connection.closed() : undefined) ?? said
    throw new Retryable('sink', 'the connection to NATS is gone', cause === undefined ? {} : { cause })
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

async function streamNow(connection: NatsConnection, config: NatsConfig): Promise<StreamNow> {
  const manager = await jetstreamManager(connection, { checkAPI: false })
  const { state, created } = await manager.streams.info(config.stream.name)
  return { next: state.last_seq + 1, created }
}

/** Tells of each error that the server speaks of, until the connection has gone. */
async function errorsOf(connection: NatsConnection, hear: (error: Error) => void): Promise<void> {
  for await (const change of connection.status()) if (change.type === 'error') hear(change.error)
}

/** Resolves with true when the stream has gone, or is another; with false when the consumer ended for other reasons. */
async function ofAnother(
  told: AsyncIterable<ConsumerNotification>,
  isAnother: () => Promise<boolean>,
): Promise<boolean> {
  try {
    for await (const { type } of told) {
      if (type === 'stream_not_found') return true
      if (type === 'ordered_consumer_recreated' && (await isAnother())) return true
    }
  } catch {
    // The connection has gone, which ends the messages too.
  }
  return false
}

/** Several filters of one consumer: from 2.10 on. An older server ignores the list and sends everything. */
function takesSeveral(connection: NatsConnection): boolean {
  const [major = 0, minor = 0] = (connection.info?.version ?? '').split('.').map(Number)
  return major > 2 || (major === 2 && minor >= 10)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function start(
  config: NatsConfig,
  { from = 'now', subjects = ['>'], created }: TapOptions,
  stream: StreamNow,
  several: boolean,
): Partial<OrderedConsumerOptions> {
  const filters = (several ? subjects : [common(subjects)]).map(subject => `${config.prefix}.${subject}`)
  const [only] = filters
  const filter = { filter_subjects: filters.length === 1 && only !== undefined ? only : filters }
  // By number, not "new": what comes while the consumer is made anew, after a restart of the server, must not be passed over.
  if (from === 'now') return { ...filter, deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: stream.next }
  const isAnother = created !== undefined && created !== stream.created
  if (from === 'start' || isAnother) return { ...filter, deliver_policy: DeliverPolicy.All }
  if ('seq' in from) return { ...filter, deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: from.seq }
  const opt_start_time = new Date(from.sinceMs).toISOString()
  return { ...filter, deliver_policy: DeliverPolicy.StartTime, opt_start_time }
}

/** One subject with wildcards that stands for all of them. */
function common(subjects: readonly string[]): string {
  const [first, ...rest] = subjects.map(subject => subject.split('.'))
  if (first === undefined || rest.some(tokens => tokens.length !== first.length)) return '>'
  return first.map((token, at) => (rest.every(tokens => tokens[at] === token) ? token : '*')).join('.')
}
