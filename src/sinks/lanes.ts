/** The pump's memory: rows read from the store and not yet settled, one lane a key, at most one row of a lane on its way. */
import type { EventRecord } from '../record.ts'
import type { SentAt } from './look-back.ts'

export interface Entry {
  record: EventRecord
  readonly seq: number
  readonly lane: string
  /** `queued`: waits for its lane. `ready`: may be sent. `sent`: unanswered. `done`: settled. */
  state: 'queued' | 'ready' | 'sent' | 'done'
  /** The first sending by this process: nothing older in the sink can be this row. */
  firstSent: SentAt | undefined
  /** Already sent without `data.raw`. */
  shrunk: boolean
}

const NOTHING = new Uint8Array()

/** Rows of one source and one `partitionkey` keep their order; the subject begins `<system>.<source>.`. */
function laneOf(record: EventRecord): string {
  const first = record.subject.indexOf('.')
  const second = record.subject.indexOf('.', first + 1)
  return `${record.subject.slice(0, second === -1 ? undefined : second)} ${record.partitionkey}`
}

/**
 * Rows come in by `add` in the order of `seq`, go out by `next`, and end by `done` or come back by `putBack`. `floor`
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
  readonly #lanes = new Map<string, Entry[]>()
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
    const lane = laneOf(record)
    const entry: Entry = { record, seq: record.seq, lane, state: 'ready', firstSent: undefined, shrunk: false }
    const waiting = this.#lanes.get(lane)
    if (waiting === undefined) {
      this.#lanes.set(lane, [entry])
      this.#ready.push(entry)
    } else {
      entry.state = 'queued'
      waiting.push(entry)
    }
    this.#order.push(entry)
    this.#bytes += record.body.length
    return entry
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

  /** The row needs nothing more; the next of its lane is ready. */
  done(entry: Entry): void {
    if (entry.state === 'done') return
    entry.state = 'done'
    this.#bytes -= entry.record.body.length
    // The entry stays until the durable floor has passed it; nobody needs its body any more.
    entry.record = { ...entry.record, body: NOTHING }
    this.#leaveLane(entry)
    for (;;) {
      const lowest = this.#order[this.#open]
      if (lowest === undefined || lowest.state !== 'done') break
      this.#floor = lowest.seq
      this.#open++
    }
  }

  #leaveLane(entry: Entry): void {
    const lane = this.#lanes.get(entry.lane)
    if (lane === undefined) return
    const at = lane.indexOf(entry)
    lane.splice(at, 1)
    const first = lane[0]
    if (first === undefined) this.#lanes.delete(entry.lane)
    else if (at === 0) {
      first.state = 'ready'
      this.#ready.push(first)
    }
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
