/** How far the pump reads ahead of what is settled: bounded in rows beyond the durable floor, and in bytes. */
import type { Cancel, Clock } from '../scheduler/clock.ts'
import type { EventKey, Store } from '../store/contract.ts'
import type { Sink } from './contract.ts'
import type { Entry, Lanes } from './lanes.ts'
import { lookBackFrom } from './look-back.ts'

const PAGE = 512
const MAX_HELD_BYTES = 32 * 1024 * 1024
/** The store makes the floor durable by itself; nothing tells when. */
const FLOOR_WAIT_MS = 10

export class Lookahead {
  readonly #store: Store
  readonly #lanes: Lanes
  readonly #clock: Clock
  readonly #rows: number
  readonly #onRoom: () => void
  #read: number
  readonly #delivered = new Set<number>()
  #caughtUp = false
  #wait: Cancel | undefined

  /**
   * `rows`: how many rows beyond the durable floor may be taken up. A killed process has sent none beyond them, so this
   * is what a start has to look up. `onRoom` is called when the floor may have made room.
   */
  constructor(store: Store, lanes: Lanes, clock: Clock, rows: number, onRoom: () => void) {
    this.#store = store
    this.#lanes = lanes
    this.#clock = clock
    this.#rows = rows
    this.#onRoom = onRoom
    this.#read = lanes.floor
  }

  /** There are new rows. */
  more(): void {
    this.#caughtUp = false
  }

  /** No row beyond this was ever sent, by this process or by an earlier one that left rows up to `last`. */
  sentThrough(last: number): number {
    const earlier = this.#store.ids(this.#store.floor, this.#rows).filter(key => key.seq <= last)
    return Math.max(this.#read, earlier.at(-1)?.seq ?? 0)
  }

  /** Takes up pages until a row may be sent; undefined when none can be had. */
  next(): Entry | undefined {
    for (;;) {
      const entry = this.#lanes.peek()
      if (entry !== undefined) return entry
      if (!this.#page()) return undefined
    }
  }

  /** Takes up one page. False when there is nothing to read, or no room for it yet. */
  #page(): boolean {
    this.#lanes.prune(this.#store.floor)
    if (this.#caughtUp || this.#lanes.bytes >= MAX_HELD_BYTES) return false
    const room = this.#rows - this.#lanes.size
    if (room <= 0) {
      this.#awaitFloor()
      return false
    }
    const limit = Math.min(room, PAGE)
    const rows = this.#store.read(this.#read, limit)
    if (rows.length < limit) this.#caughtUp = true
    for (const row of rows) {
      this.#read = row.seq
      const entry = this.#lanes.add(row)
      if (this.#delivered.size > 0 && this.#delivered.delete(row.seq)) this.#lanes.done(entry)
    }
    return rows.length > 0
  }

  /**
   * What the sink has of the rows up to `last` that an earlier process may have sent: of all that the bound allows,
   * however large they are. By id; no body is read for it. Rejects when store or sink can't be read.
   */
  async findDelivered(sink: Sink, last: number): Promise<EventKey[]> {
    const earlier = this.#store.ids(this.#store.floor, this.#rows).filter(key => key.seq <= last)
    if (earlier.length === 0) return []
    // The newest row of all may be far beyond those: it tells more of where the clock went.
    const newest = this.#store.ids(last - 1, 1)
    const recordedMs = [...earlier, ...newest].map(key => key.recordedMs)
    const ids = earlier.map(key => key.id)
    const found = await sink.stored(ids, lookBackFrom(recordedMs, this.#clock.wall()))
    return earlier.filter(key => found.has(key.id))
  }

  /** The sink has these rows: they are settled when their turn comes to be taken up. */
  skip(delivered: readonly EventKey[]): void {
    for (const { seq } of delivered) this.#delivered.add(seq)
  }

  /** Ends the wait for the floor. */
  rest(): void {
    this.#wait?.()
    this.#wait = undefined
  }

  #awaitFloor(): void {
    this.#wait ??= this.#clock.after(FLOOR_WAIT_MS, () => {
      this.#wait = undefined
      this.#onRoom()
    })
  }
}
