/** The publisher of the bare loop: acknowledged publishes with many under way. What is refused, or lost, ends the process. */
import { createInbox, MsgHdrsImpl, type NatsConnection } from '@nats-io/transport-node'

/** Unacknowledged messages at once: where throughput is best on one machine. */
export const WINDOW = 1024

/** Encoded by hand: the client's own object costs ten times as much. `publish` calls nothing but `encode`, at once. */
class PreparedHeaders extends MsgHdrsImpl {
  readonly #fixed: string
  #block: Uint8Array = new Uint8Array()

  constructor(stream: string) {
    super()
    this.#fixed = `NATS/1.0\r\nContent-Type: application/cloudevents+json\r\nNats-Expected-Stream: ${stream}\r\nNats-Msg-Id: `
  }

  prepare(id: string): void {
    this.#block = Buffer.from(`${this.#fixed}${id}\r\n\r\n`, 'latin1')
  }

  override encode(): Uint8Array {
    return this.#block
  }
}

export interface Outgoing {
  readonly id: string
  readonly subject: string
  readonly body: Uint8Array
}

export class BarePublisher {
  readonly #connection: NatsConnection
  readonly #inbox = `${createInbox()}.`
  readonly #headers: PreparedHeaders
  #waiting: Outgoing[] = []
  #next = 0
  readonly #onRoom: () => void
  #sent = 0
  acked = 0

  /** `onRoom`: after acknowledgements, when all that was given is sent. */
  constructor(connection: NatsConnection, stream: string, onRoom: () => void) {
    this.#connection = connection
    this.#headers = new PreparedHeaders(stream)
    this.#onRoom = onRoom
    connection.subscribe(`${this.#inbox}*`, {
      callback: (error, message) => {
        const text = error === null ? Buffer.from(message.data).toString('latin1') : error.message
        if (!text.includes('"seq"')) throw new Error(`not acknowledged: ${text}`)
        this.acked++
        this.#drain()
        if (this.waiting === 0) this.#onRoom()
      },
    })
  }

  /** What waits for others to be acknowledged. */
  get waiting(): number {
    return this.#waiting.length - this.#next
  }

  publish(message: Outgoing): void {
    this.#waiting.push(message)
    this.#drain()
  }

  #drain(): void {
    while (this.#sent - this.acked < WINDOW) {
      const next = this.#waiting[this.#next]
      if (next === undefined) break
      this.#next++
      this.#headers.prepare(next.id)
      const reply = this.#inbox + (++this.#sent).toString(36)
      this.#connection.publish(next.subject, next.body, { reply, headers: this.#headers })
    }
    if (this.waiting > 0) return
    this.#waiting = []
    this.#next = 0
  }
}
