/** The pump's memory: rows read from the store and not yet settled, one lane a key, at most one row of a lane on its way. */
import type { EventRecord } from '../record.ts'
import type { SentAt } from './look-back.ts'

export interface Entry {
  record: EventRecord
  readonly seq: number
  /** The last entry of each lane of its source, by `partitionkey`. */
  readonly lanes: Map<string, Entry>
  /** The one behind it in its lane. */
  next: Entry | undefined
  /** `queued`: waits for its lane. `ready`: may be sent. `sent`: unanswered. `done`: settled. */
  state: 'queued' | 'ready' | 'sent' | 'done'
  /** The first sending by this process: nothing older in the sink can be this row. */
  firstSent: SentAt | undefined
  /** Already sent without `data.raw`. */
  shrunk: boolean
}

/** Stands for what is done: an entry stays until the durable floor has passed it, and nobody needs its event any more. */
const GONE: EventRecord = { seq: 0, id: '', subject: '', partitionkey: '', recordedMs: 0, body: new Uint8Array() }

/** The subject begins `<system>.<source>.`. */
function sourceOf(subject: string): string {
  const first = subject.indexOf('.')
  const second = subject.indexOf('.', first + 1)
  return subject.slice(0, second === -1 ? undefined : second)
}

/**
 * Rows of one source and one `partitionkey` keep their order. They come in by `add` in the order of `seq`, go out by `next`, and end by `done` or come back by `putBack`. `floor`
 * follows the lowest row that is not done. Rows above `prune`'s floor stay counted, so that `size` bounds how many rows
 * a killed process may have delivered beyond the durable floor.
 */
export class Lanes {
  /** All rows above the pruned floor, by seq; the first `#head` ones are gone. */
  #order: Entry[] = []
  #head = 0
  /** Index into `#order` of the lowest row that is not done. */
  #open = 0
  #floor: number
  #ready: Entry[] = []
  #readyHead = 0
  /** The lanes of each source, by source and by each of its subjects; of both there are few. */
  readonly #bySource = new Map<string, Map<string, Entry>>()
  readonly #bySubject = new Map<string, Map<string, Entry>>()
  #bytes = 0

  constructor(floor: number) {
    this.#floor = floor
  }

  /** Rows held, done ones above the durable floor included. */
  get size(): number {
    return this.#order.length - this.#head
  }

  /** Bytes of the rows not yet done. */
  get bytes(): number {
    return this.#bytes
  }

  /** Everything up to here is done. */
  get floor(): number {
    return this.#floor
  }

  add(record: EventRecord): Entry {
    const lanes = this.#lanesOf(record.subject)
    const last = lanes.get(record.partitionkey)
    const entry: Entry = {
      record,
      seq: record.seq,
      lanes,
      next: undefined,
      state: last === undefined ? 'ready' : 'queued',
      firstSent: undefined,
      shrunk: false,
    }
    if (last === undefined) this.#ready.push(entry)
    else last.next = entry
    lanes.set(record.partitionkey, entry)
    this.#order.push(entry)
    this.#bytes += record.body.length
    return entry
  }

  #lanesOf(subject: string): Map<string, Entry> {
    let lanes = this.#bySubject.get(subject)
    if (lanes !== undefined) return lanes
    const source = sourceOf(subject)
    lanes = this.#bySource.get(source) ?? new Map<string, Entry>()
    this.#bySource.set(source, lanes)
    this.#bySubject.set(subject, lanes)
    return lanes
  }

  /** The next row that may be sent, without taking it. */
  peek(): Entry | undefined {
    for (;;) {
      const entry = this.#ready[this.#readyHead]
      if (entry === undefined || entry.state === 'ready') return entry
      this.#readyHead++
    }
  }

  /** Takes what `peek` gave: it is on its way now. */
  take(entry: Entry): void {
    entry.state = 'sent'
    this.#readyHead++
    if (this.#readyHead > 1024 && this.#readyHead * 2 > this.#ready.length) {
      this.#ready = this.#ready.slice(this.#readyHead)
      this.#readyHead = 0
    }
  }

  /** Rows that were sent and not taken: ready again, the oldest first, before all others. */
  putBack(entries: readonly Entry[]): void {
    const back = entries.filter(entry => entry.state === 'sent').sort((a, b) => a.seq - b.seq)
    for (const entry of back) entry.state = 'ready'
    this.#ready = [...back, ...this.#ready.slice(this.#readyHead)]
    this.#readyHead = 0
  }

  /** Gives the row another body: the same event, made smaller. */
  replace(entry: Entry, record: EventRecord): void {
    this.#bytes += record.body.length - entry.record.body.length
    entry.record = record
  }

  /** The row needs nothing more, its `record` is gone; the next of its lane is ready. */
  done(entry: Entry): void {
    const { state } = entry
    if (state === 'done') return
    entry.state = 'done'
    this.#bytes -= entry.record.body.length
    // One that still waited is passed over when its turn comes.
    if (state !== 'queued') this.#advance(entry)
    entry.record = GONE
    for (;;) {
      const lowest = this.#order[this.#open]
      if (lowest === undefined || lowest.state !== 'done') break
      this.#floor = lowest.seq
      this.#open++
    }
  }

  /** The first of its lane is done. */
  #advance(first: Entry): void {
    const { partitionkey } = first.record
    let next: Entry | undefined = first
    while (next?.state === 'done') {
      const behind: Entry | undefined = next.next
      // What is kept must not keep all that came after it.
      next.next = undefined
      next = behind
    }
    if (next === undefined) {
      first.lanes.delete(partitionkey)
      return
    }
    next.state = 'ready'
    this.#ready.push(next)
  }

  /** Forgets done rows up to the floor that is durable. */
  prune(durableFloor: number): void {
    while (this.#head < this.#open && (this.#order[this.#head]?.seq ?? Number.POSITIVE_INFINITY) <= durableFloor) {
      this.#head++
    }
    if (this.#head > 1024 && this.#head * 2 > this.#order.length) {
      this.#order = this.#order.slice(this.#head)
      this.#open -= this.#head
      this.#head = 0
    }
  }
}
