/**
 * Publishes as the bytes that go to the server: `HPUB <subject> <reply> <bytes of the headers> <bytes of all>`, the header
 * block, the body; many messages in one buffer. The client's own `publish` checks, encodes and copies each part of each
 * message by itself, which costs twice as much.
 */
import { type NatsConnection, NatsConnectionImpl } from '@nats-io/transport-node'
import type { EventRecord } from '../record.ts'

/** Bytes of the words, numbers and line ends around a message, at most. */
const LINE_BYTES = 72
const [CR, LF] = [13, 10]

export interface FrameOptions {
  readonly prefix: string
  readonly stream: string
  /** What every reply subject begins with; the message's number follows. */
  readonly inbox: string
}

export class Frames {
  readonly #options: FrameOptions
  /** The header block up to the message's id: the message must reach the stream that was verified, or none. */
  readonly #fixed: string
  /** The first line up to the message's number, for each subject. There are few: names of the config and words of ours. */
  readonly #leads = new Map<string, string>()

  constructor(options: FrameOptions) {
    this.#options = options
    this.#fixed = `NATS/1.0\r\nContent-Type: application/cloudevents+json\r\nNats-Expected-Stream: ${options.stream}\r\nNats-Msg-Id: `
  }

  /** Bytes of header block and body: what the server's `max_payload` bounds. */
  payloadBytes({ id, body }: EventRecord): number {
    return this.#fixed.length + id.length + 4 + body.length
  }

  /** The most that the whole message takes. */
  mostBytes(record: EventRecord): number {
    const { prefix, inbox } = this.#options
    return LINE_BYTES + prefix.length + record.subject.length + inbox.length + this.payloadBytes(record)
  }

  /**
   * The messages in `room` bytes, the sum of their `mostBytes`; each is to be answered on the inbox under the number that
   * `take` gives it. Throws when a record's subject is none.
   */
  block(records: readonly EventRecord[], room: number, take: (record: EventRecord) => number): Uint8Array {
    const block = Buffer.allocUnsafe(room)
    let at = 0
    for (const record of records) at = this.#write(block, at, record, take(record))
    return block.subarray(0, at)
  }

  /** Gives where the next one begins. */
  #write(block: Buffer, at: number, { id, subject, body }: EventRecord, number: number): number {
    const headerBytes = this.#fixed.length + id.length + 4
    const head = `${this.#lead(subject)}${number} ${headerBytes} ${headerBytes + body.length}\r\n${this.#fixed}${id}\r\n\r\n`
    // ASCII, all of it: names of the config, hex, and words of ours.
    const bodyAt = at + block.write(head, at, 'latin1')
    block.set(body, bodyAt)
    const end = bodyAt + body.length
    block[end] = CR
    block[end + 1] = LF
    return end + 2
  }

  #lead(subject: string): string {
    const known = this.#leads.get(subject)
    if (known !== undefined) return known
    const whole = `${this.#options.prefix}.${subject}`
    // Anything else would be read as another command.
    if (!/^[\x21-\x7e]+$/.test(whole)) throw new Error(`not a subject: ${JSON.stringify(whole)}`)
    const lead = `HPUB ${whole} ${this.#options.inbox}`
    this.#leads.set(subject, lead)
    return lead
  }
}

/**
 * Hands bytes of whole commands to the connection, in order with its own; they go out at the end of the microtask. By
 * what the client's own `publish` calls: typed, but not in its manual (docs/decisions/0001-nats-client.md). Throws when
 * the connection is closed.
 */
export function sendBytes(connection: NatsConnection, bytes: Uint8Array): void {
  if (!(connection instanceof NatsConnectionImpl)) throw new Error('another kind of NATS connection')
  if (connection.isClosed()) throw new Error('the connection is closed')
  connection.protocol.sendCommand(bytes)
}
