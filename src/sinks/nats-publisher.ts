/**
 * Publishes to JetStream with many messages unanswered at once: one inbox, one ring of flights, one timer for all. The
 * client's own `publish` of JetStream makes a timer, an error and several promises for each message (reference: P15, about a
 * quarter of the speed).
 */
import { createInbox, type Msg, type NatsConnection, type Subscription } from '@nats-io/transport-node'
import { Retryable } from '../errors.ts'
import type { EventRecord } from '../record.ts'
import type { Cancel, Clock } from '../scheduler/clock.ts'
import type { Outcome, Receipt } from './contract.ts'
import { AckReader, type Stored } from './nats-acks.ts'
import { Flights } from './nats-flights.ts'
import { Frames, sendBytes } from './nats-frames.ts'
import type { Position } from './position.ts'

/** No answer for this long and the connection counts as lost: what is unanswered is doubtful, not refused. */
const ACK_TIMEOUT_MS = 10_000
const SWEEP_MS = 1000
/** What goes to the connection in one piece: fewer, larger writes cost less, here and in the server. */
const BLOCK_BYTES = 128 * 1024

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

export class Publisher {
  readonly #options: PublisherOptions
  readonly #inbox = `${createInbox()}.`
  readonly #subscription: Subscription
  readonly #frames: Frames
  readonly #acks: AckReader
  readonly #flights = new Flights()
  /** Given and not yet written, from `#unsentFrom` on. */
  #unsent: EventRecord[] = []
  #unsentFrom = 0
  #writing = false
  #receipts: Receipt[] = []
  #sweep: Cancel | undefined
  #stopped = false

  constructor(options: PublisherOptions) {
    this.#options = options
    const { prefix, stream } = options
    this.#frames = new Frames({ prefix, stream, inbox: this.#inbox })
    this.#acks = new AckReader(stream)
    this.#subscription = options.connection.subscribe(`${this.#inbox}*`, {
      callback: (error, message) => {
        if (error !== null) this.#trouble(new Retryable('sink', 'NATS ended the inbox', { cause: error }))
        else this.#answered(message)
      },
    })
  }

  /** Each record is answered by one receipt, or by `onTrouble`. Never throws. */
  send(records: readonly EventRecord[]): void {
    if (this.#stopped) return
    // Reckoned here: the server would close the connection for it.
    const most = this.#options.connection.info?.max_payload ?? Number.POSITIVE_INFINITY
    for (const record of records) {
      if (this.#frames.payloadBytes(record) <= most) this.#unsent.push(record)
      else this.#receipt(record.seq, 'too_large', `larger than the server's max_payload of ${most} bytes`)
    }
    if (!this.#writing) this.#write()
  }

  /** One block now, the next one when the connection has passed it on: two at once it would copy together. */
  #write(): void {
    this.#writing = false
    if (this.#stopped || this.#unsentFrom === this.#unsent.length) return
    const { connection, clock } = this.#options
    try {
      sendBytes(connection, this.#block(clock.now()))
    } catch (error) {
      this.#trouble(new Retryable('sink', 'NATS takes no publish', { cause: error }))
      return
    }
    this.#sweep ??= clock.after(SWEEP_MS, () => this.#sweepNow())
    if (this.#unsentFrom < this.#unsent.length) {
      this.#writing = true
      queueMicrotask(() => this.#write())
      return
    }
    this.#unsent = []
    this.#unsentFrom = 0
  }

  /** The next unsent records, as many as fit. */
  #block(now: number): Uint8Array {
    const batch: EventRecord[] = []
    let room = 0
    while (room < BLOCK_BYTES) {
      const record = this.#unsent[this.#unsentFrom]
      if (record === undefined) break
      batch.push(record)
      room += this.#frames.mostBytes(record)
      this.#unsentFrom++
    }
    return this.#frames.block(batch, room, record => this.#flights.add(record, now))
  }

  /** Gives out the receipts there are, forgets what is unanswered and leaves no timer. Idempotent. */
  stop(): void {
    if (this.#stopped) return
    this.#stopped = true
    this.#sweep?.()
    this.#sweep = undefined
    this.#flights.clear()
    this.#unsent = []
    this.#unsentFrom = 0
    // What was answered is certain: it must not become doubtful.
    this.#flush()
    if (!this.#options.connection.isClosed()) this.#subscription.unsubscribe()
  }

  #answered(message: Msg): void {
    const number = numberIn(message.subject, this.#inbox.length)
    const record = this.#flights.get(number)
    if (record === undefined) return
    // No body and status 503: nothing listens on this subject, so no stream takes it any more (reference: P3).
    if (message.data.length === 0 && message.headers?.code === 503) {
      this.#flights.remove(number)
      this.#receipt(record.seq, 'retry', 'no stream takes the subject')
      this.#trouble(new Retryable('sink', `no stream takes ${this.#options.prefix}.> any more`))
      return
    }
    const ack = this.#acks.read(message.data)
    // Something else that answers on these subjects is no acknowledgement: the stream's own is still to come.
    if (ack === undefined || (ack.outcome !== 'error' && ack.stream !== this.#options.stream)) return
    this.#flights.remove(number)
    if (ack.outcome !== 'error') {
      this.#receipt(record.seq, ack.outcome)
      this.#follow(ack, record.id)
      return
    }
    const reason = `stream ${this.#options.stream} refuses: ${ack.description} (${ack.code})`
    this.#receipt(record.seq, TOO_LARGE.has(ack.code) ? 'too_large' : 'retry', reason)
    if (WRONG_STREAM.has(ack.code)) this.#trouble(new Retryable('sink', reason))
  }

  /** What is stored below what was acknowledged before stands in a stream that has lost something since. */
  #follow({ outcome, seq }: Stored, id: string): void {
    const { position, stream } = this.#options
    const before = position.seq
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
    const oldest = this.#flights.oldestSentAt
    if (oldest === undefined) return
    if (clock.now() - oldest >= ACK_TIMEOUT_MS) {
      this.#trouble(new Retryable('sink', `no acknowledgement from the stream for ${ACK_TIMEOUT_MS} ms`))
      return
    }
    this.#sweep = clock.after(SWEEP_MS, () => this.#sweepNow())
  }
}

/** The digits from `at` to the end; NaN for anything else. */
function numberIn(subject: string, at: number): number {
  let number = 0
  for (let index = at; index < subject.length; index++) {
    const digit = subject.charCodeAt(index) - 0x30
    if (digit < 0 || digit > 9) return Number.NaN
    number = number * 10 + digit
  }
  return number
}
