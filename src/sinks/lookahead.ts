/** How far the pump reads ahead of what is settled: bounded in rows beyond the durable floor, and in bytes. */
import type { Cancel, Clock } from '../scheduler/clock.ts'
import type { Store } from '../store/contract.ts'
import type { Entry, Lanes } from './lanes.ts'

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
    this.#read = store.floor
  }

  /** There are new rows. */
  more(): void {
    this.#caughtUp = false
  }

  /** Takes up one page. Empty when there is nothing to read, or no room for it yet. */
  page(): Entry[] {
    this.#lanes.prune(this.#store.floor)
    if (this.#caughtUp || this.#lanes.bytes >= MAX_HELD_BYTES) return []
    const room = this.#rows - this.#lanes.size
    if (room <= 0) {
      this.#awaitFloor()
      return []
    }
    const limit = Math.min(room, PAGE)
    const rows = this.#store.read(this.#read, limit)
    if (rows.length < limit) this.#caughtUp = true
    return rows.map(row => {
      this.#read = row.seq
      return this.#lanes.add(row)
    })
  }

  /** Takes up pages until a row may be sent; undefined when none can be had. */
  next(): Entry | undefined {
    for (;;) {
      const entry = this.#lanes.peek()
      if (entry !== undefined) return entry
      if (this.page().length === 0) return undefined
    }
  }

  /** Takes up all that there is room for. */
  all(): Entry[] {
    const entries: Entry[] = []
    for (;;) {
      const page = this.page()
      if (page.length === 0) return entries
      entries.push(...page)
    }
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
