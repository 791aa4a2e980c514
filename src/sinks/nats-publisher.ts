/**
 * Publishes to JetStream with many messages unanswered at once: one inbox, one map, one timer for all. The client's own
 * `publish` makes a timer, an error and several promises for each message (reference: P15, about a quarter of the speed).
 */
import { createInbox, type Msg, MsgHdrsImpl, type NatsConnection, type Subscription } from '@nats-io/transport-node'
import { Retryable } from '../errors.ts'
import type { EventRecord } from '../record.ts'
import type { Cancel, Clock } from '../scheduler/clock.ts'
import type { Outcome, Receipt } from './contract.ts'
import type { Position } from './position.ts'

/** No answer for this long and the connection counts as lost: what is unanswered is doubtful, not refused. */
const ACK_TIMEOUT_MS = 10_000
const SWEEP_MS = 1000

/** Server errors that say: this message, at this size, never. (10054 message, 10097 headers.) */
const TOO_LARGE = new Set([10054, 10097])
/** Server errors that say: this is not the stream that was verified. (10059 gone, 10060 another one.) */
const WRONG_STREAM = new Set([10059, 10060])

export interface PublisherOptions {
  readonly connection: NatsConnection
  readonly clock: Clock
  readonly prefix: string
  readonly stream: string
  /** Follows what is acknowledged. */
  readonly position: Position
  readonly onReceipts: (receipts: readonly Receipt[]) => void
  /** The stream or the connection can't be trusted any more: look again from the start. Told once. */
  readonly onTrouble: (reason: Error) => void
}

interface Flight {
  readonly seq: number
  readonly id: string
  readonly sentAt: number
}

export class Publisher {
  readonly #options: PublisherOptions
  readonly #inbox = `${createInbox()}.`
  readonly #subscription: Subscription
  readonly #headers: PreparedHeaders
  readonly #flights = new Map<string, Flight>()
  #next = 0
  #receipts: Receipt[] = []
  #sweep: Cancel | undefined
  #stopped = false

  constructor(options: PublisherOptions) {
    this.#options = options
    this.#headers = new PreparedHeaders(options.stream)
    this.#subscription = options.connection.subscribe(`${this.#inbox}*`, {
      callback: (error, message) => {
        if (error !== null) this.#trouble(new Retryable('sink', 'NATS ended the inbox', { cause: error }))
        else this.#answered(message)
      },
    })
  }

  /** Each record is answered by one receipt, or by `onTrouble`. Never throws. */
  send(records: readonly EventRecord[]): void {
    const { connection, clock, prefix } = this.#options
    const now = clock.now()
    // Reckoned here because the client throws in the middle of a batch (reference: P12).
    const most = connection.info?.max_payload ?? Number.POSITIVE_INFINITY
    for (const record of records) {
      if (this.#stopped) return
      const headerBytes = this.#headers.prepare(record.id)
      if (headerBytes + record.body.length > most) {
        this.#receipt(record.seq, 'too_large', `larger than the server's max_payload of ${most} bytes`)
        continue
      }
      this.#next++
      const token = this.#next.toString(36)
      this.#flights.set(token, { seq: record.seq, id: record.id, sentAt: now })
      try {
        connection.publish(`${prefix}.${record.subject}`, record.body, {
          reply: this.#inbox + token,
          headers: this.#headers,
        })
      } catch (error) {
        this.#trouble(new Retryable('sink', 'NATS takes no publish', { cause: error }))
      }
    }
    if (this.#flights.size > 0) this.#sweep ??= clock.after(SWEEP_MS, () => this.#sweepNow())
  }

  /** Gives out the receipts there are, forgets what is unanswered and leaves no timer. Idempotent. */
  stop(): void {
    if (this.#stopped) return
    this.#stopped = true
    this.#sweep?.()
    this.#sweep = undefined
    this.#flights.clear()
    // What was answered is certain: it must not become doubtful.
    this.#flush()
    if (!this.#options.connection.isClosed()) this.#subscription.unsubscribe()
  }

  #answered(message: Msg): void {
    const token = message.subject.slice(this.#inbox.length)
    const flight = this.#flights.get(token)
    if (flight === undefined) return
    // No body and status 503: nothing listens on this subject, so no stream takes it any more (reference: P3).
    if (message.data.length === 0 && message.headers?.code === 503) {
      this.#flights.delete(token)
      this.#receipt(flight.seq, 'retry', 'no stream takes the subject')
      this.#trouble(new Retryable('sink', `no stream takes ${this.#options.prefix}.> any more`))
      return
    }
    const ack = parseAck(message.data)
    // Something else that answers on these subjects is no acknowledgement: the stream's own is still to come.
    if (ack === undefined || (ack.outcome !== 'error' && ack.stream !== this.#options.stream)) return
    this.#flights.delete(token)
    if (ack.outcome !== 'error') {
      this.#receipt(flight.seq, ack.outcome)
      this.#follow(ack, flight.id)
      return
    }
    const reason = `stream ${this.#options.stream} refuses: ${ack.description} (${ack.code})`
    this.#receipt(flight.seq, TOO_LARGE.has(ack.code) ? 'too_large' : 'retry', reason)
    if (WRONG_STREAM.has(ack.code)) this.#trouble(new Retryable('sink', reason))
  }

  /** What is stored below what was acknowledged before stands in a stream that has lost something since. */
  #follow({ outcome, seq }: Stored, id: string): void {
    const { position, stream } = this.#options
    const before = position.mark.seq
    if (position.acknowledged(seq, id) || outcome === 'duplicate') return
    this.#trouble(new Retryable('sink', `stream ${stream} went back from message ${before} to ${seq}`))
  }

  /** Receipts of one turn go together. */
  #receipt(seq: number, outcome: Outcome, reason?: string): void {
    this.#receipts.push(reason === undefined ? { seq, outcome } : { seq, outcome, reason })
    if (this.#receipts.length === 1) queueMicrotask(() => this.#flush())
  }

  #flush(): void {
    const receipts = this.#receipts
    if (receipts.length === 0) return
    this.#receipts = []
    this.#options.onReceipts(receipts)
  }

  #trouble(reason: Error): void {
    if (this.#stopped) return
    this.stop()
    this.#options.onTrouble(reason)
  }

  #sweepNow(): void {
    this.#sweep = undefined
    const { clock } = this.#options
    const [oldest] = this.#flights.values()
    if (oldest === undefined) return
    if (clock.now() - oldest.sentAt >= ACK_TIMEOUT_MS) {
      this.#trouble(new Retryable('sink', `no acknowledgement from the stream for ${ACK_TIMEOUT_MS} ms`))
      return
    }
    this.#sweep = clock.after(SWEEP_MS, () => this.#sweepNow())
  }
}

interface Stored {
  readonly outcome: 'ok' | 'duplicate'
  readonly stream: string
  /** Of the message in the stream. */
  readonly seq: number
}

type Ack = Stored | { readonly outcome: 'error'; readonly code: number; readonly description: string }

/** A JetStream publish acknowledgement: `{"stream","seq","duplicate"?}` or `{"error":{"code","err_code","description"}}`. */
export function parseAck(data: Uint8Array): Ack | undefined {
  let body: unknown
  try {
    body = JSON.parse(Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('utf8'))
  } catch {
    return undefined
  }
  if (typeof body !== 'object' || body === null) return undefined
  const ack = body as { stream?: unknown; seq?: unknown; duplicate?: unknown; error?: unknown }
  if (typeof ack.error === 'object' && ack.error !== null) {
    const { err_code, code, description } = ack.error as { err_code?: unknown; code?: unknown; description?: unknown }
    return {
      outcome: 'error',
      code: Number(err_code ?? code ?? 0),
      description: String(description ?? 'no reason given'),
    }
  }
  if (typeof ack.stream !== 'string' || typeof ack.seq !== 'number') return undefined
  return { outcome: ack.duplicate === true ? 'duplicate' : 'ok', stream: ack.stream, seq: ack.seq }
}

/**
 * The header block of every event, encoded by hand: the client's own object costs ten times as much. `publish` calls
 * nothing but `encode`, in the same turn, so one object serves all.
 */
export class PreparedHeaders extends MsgHdrsImpl {
  readonly #fixed: string
  #block: Uint8Array = new Uint8Array()

  constructor(stream: string) {
    super()
    // The message must reach the stream that was verified, or none.
    this.#fixed = `NATS/1.0\r\nContent-Type: application/cloudevents+json\r\nNats-Expected-Stream: ${stream}\r\nNats-Msg-Id: `
  }

  /** Makes the block for one message id (no line ends in it) and returns its length. */
  prepare(id: string): number {
    this.#block = Buffer.from(`${this.#fixed}${id}\r\n\r\n`, 'latin1')
    return this.#block.length
  }

  override encode(): Uint8Array {
    return this.#block
  }
}
