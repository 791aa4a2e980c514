/** A store in plain memory, for tests of the pump: the contract without a database. */
import { hash } from 'node:crypto'
import type { Cursor, EventRecord } from '../../src/record.ts'
import type { Append, Appended, EventKey, Marks, NoticeOf, Store, StoredDeadLetter } from '../../src/store/contract.ts'

export class MemoryStore implements Store {
  readonly rows: EventRecord[] = []
  readonly buried: StoredDeadLetter[] = []
  /** What was settled; `floor` follows it at `commitFloor()`, or at once when that is not held back. */
  settled = 0
  holdFloor = false
  /** Burials fail while this is set. */
  failing = false
  /** Reads throw this while it is set. */
  unreadable: Error | undefined
  /** As `settle` was last given one. */
  mark: Cursor | undefined
  trimmedMark: Cursor | undefined
  held = false
  full = false
  #floor = 0
  #lastSeq = 0
  readonly #callbacks = new Set<() => void>()

  /** Adds a row and tells nobody: `announce` does. */
  put(row: Omit<EventRecord, 'seq'>): EventRecord {
    this.#lastSeq++
    const record = { ...row, seq: this.#lastSeq }
    this.rows.push(record)
    return record
  }

  /** As after a commit. */
  announce(): void {
    for (const callback of this.#callbacks) callback()
  }

  commitFloor(): void {
    this.#floor = Math.max(this.#floor, this.settled)
  }

  get floor(): number {
    return this.#floor
  }

  settle(seq: number, mark?: Cursor): void {
    this.settled = Math.max(this.settled, seq)
    this.mark = mark ?? this.mark
    if (!this.holdFloor) this.commitFloor()
  }

  marks(): Marks {
    return { acked: this.mark, trimmed: this.trimmedMark }
  }

  holdAcked(hold: boolean): void {
    this.held = hold
  }

  /** Acked rows up to `seq` are gone, as after their time. */
  trim(seq: number): void {
    this.rows.splice(0, firstAbove(this.rows, seq))
    this.trimmedMark = this.mark
  }

  read(after: number, limit: number): EventRecord[] {
    if (this.unreadable !== undefined) throw this.unreadable
    const start = firstAbove(this.rows, after)
    return this.rows.slice(start, start + limit)
  }

  ids(after: number, limit: number): EventKey[] {
    return this.read(after, limit)
  }

  async bury(event: EventRecord, reason: string, notice?: NoticeOf): Promise<string> {
    if (this.failing) throw new Error('the store is failing')
    const at = this.rows.findIndex(row => row.seq === event.seq)
    if (at !== -1) this.rows.splice(at, 1)
    const content = Buffer.from(event.body).toString('utf8')
    const key = `dead-${this.buried.length + 1}`
    const letter = {
      key,
      source: event.subject.split('.')[1] ?? '',
      feed: '',
      reason,
      atMs: event.recordedMs,
      bytes: event.body.length,
      digest: hash('sha256', event.body, 'hex'),
      content,
    }
    this.buried.push(letter)
    if (notice !== undefined) {
      this.put(notice(letter))
      this.announce()
    }
    return key
  }

  onCommit(callback: () => void): () => void {
    this.#callbacks.add(callback)
    return () => this.#callbacks.delete(callback)
  }

  stats() {
    const unacked = this.rows.filter(row => row.seq > this.#floor)
    return {
      unacked: unacked.length,
      bytes: 0,
      oldestMs: unacked[0]?.recordedMs,
      deadLetters: this.buried.length,
      lastSeq: this.#lastSeq,
      floor: this.#floor,
    }
  }

  deadLetters(limit: number): StoredDeadLetter[] {
    return this.buried.slice(0, limit)
  }

  async append({ events }: Append): Promise<Appended> {
    for (const event of events) this.put(event)
    this.announce()
    return { fresh: events.map((_, index) => index), deadKeys: [] }
  }

  cursor(): undefined {
    return undefined
  }

  mirror() {
    return { get: () => undefined, values: () => [] }
  }

  async close(): Promise<void> {
    this.#callbacks.clear()
  }
}

function firstAbove(rows: readonly EventRecord[], seq: number): number {
  let low = 0
  let high = rows.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((rows[middle]?.seq ?? 0) <= seq) low = middle + 1
    else high = middle
  }
  return low
}
