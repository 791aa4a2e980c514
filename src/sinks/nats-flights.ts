/** The messages of one connection that are not answered yet, by number. */
import type { EventRecord } from '../record.ts'

/** Rows in the ring at first; a power of two. */
const ROOM = 1024

/** Numbers go up by one and are never used twice, so a late second answer finds nothing. */
export class Flights {
  /** A ring: the message of number `n` stands at `n` modulo its length. */
  #records: (EventRecord | undefined)[] = new Array<EventRecord | undefined>(ROOM).fill(undefined)
  #sentAt = new Float64Array(ROOM)
  /** All numbers below are answered. */
  #first = 1
  #next = 1

  /** Whether one is unanswered. */
  get any(): boolean {
    return this.#first < this.#next
  }

  /** When the oldest unanswered one was sent; undefined when all are answered. */
  get oldestSentAt(): number | undefined {
    return this.any ? this.#sentAt[this.#first & (this.#records.length - 1)] : undefined
  }

  /** Gives its number. */
  add(record: EventRecord, sentAt: number): number {
    if (this.#next - this.#first === this.#records.length) this.#grow()
    const number = this.#next++
    const at = number & (this.#records.length - 1)
    this.#records[at] = record
    this.#sentAt[at] = sentAt
    return number
  }

  /** Undefined when there is none with this number, or it is answered. */
  get(number: number): EventRecord | undefined {
    // What is older has left its place to another one.
    if (number < this.#first || number >= this.#next) return undefined
    return this.#records[number & (this.#records.length - 1)]
  }

  /** It is answered. */
  remove(number: number): void {
    if (this.get(number) === undefined) return
    const mask = this.#records.length - 1
    this.#records[number & mask] = undefined
    while (this.#first < this.#next && this.#records[this.#first & mask] === undefined) this.#first++
  }

  clear(): void {
    this.#first = this.#next
    this.#records.fill(undefined)
  }

  /** One that is never answered must not stop the others: the pump counts them, here only numbers go on. */
  #grow(): void {
    const [records, sentAt] = [this.#records, this.#sentAt]
    const room = records.length * 2
    this.#records = new Array<EventRecord | undefined>(room).fill(undefined)
    this.#sentAt = new Float64Array(room)
    for (let number = this.#first; number < this.#next; number++) {
      const from = number & (records.length - 1)
      this.#records[number & (room - 1)] = records[from]
      this.#sentAt[number & (room - 1)] = sentAt[from] ?? 0
    }
  }
}
