/** The newest events of the log, in memory: the pump takes up what was just committed without reading it back. */
import type { EventRecord } from '../record.ts'

/** What is kept at most, beside the newest event: beyond it the pump is behind, and reads the file. */
const TAIL_BYTES = 4 * 1024 * 1024

export class Tail {
  readonly #most: number
  /** Dense in seq; the first `#head` ones are gone. */
  #records: EventRecord[] = []
  #head = 0
  #bytes = 0

  constructor(most = TAIL_BYTES) {
    this.#most = most
  }

  /** Events held. */
  get size(): number {
    return this.#records.length - this.#head
  }

  /** Events that were committed, behind all those pushed before. */
  push(records: readonly EventRecord[]): void {
    for (const record of records) {
      this.#records.push(record)
      this.#bytes += record.body.length
    }
    while (this.#bytes > this.#most && this.size > 1) this.#shift()
    this.#pack()
  }

  /** As `Store.read`; undefined when not all from `after` on are here. */
  read(after: number, limit: number): EventRecord[] | undefined {
    const first = this.#records[this.#head]
    if (first === undefined || after < first.seq - 1) return undefined
    const from = this.#head + (after - first.seq + 1)
    return this.#records.slice(from, from + limit)
  }

  /** Events up to `seq` will not be asked for again. */
  drop(seq: number): void {
    while ((this.#records[this.#head]?.seq ?? Number.POSITIVE_INFINITY) <= seq) this.#shift()
    this.#pack()
  }

  /** Something about an event changed: the file knows. */
  clear(): void {
    this.#records = []
    this.#head = 0
    this.#bytes = 0
  }

  #shift(): void {
    this.#bytes -= this.#records[this.#head]?.body.length ?? 0
    this.#head++
  }

  #pack(): void {
    if (this.size === 0) this.clear()
    else if (this.#head > 1024 && this.#head * 2 > this.#records.length) {
      this.#records = this.#records.slice(this.#head)
      this.#head = 0
    }
  }
}
