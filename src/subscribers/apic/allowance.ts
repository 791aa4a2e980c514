/**
 * How long catching up may wait for what is on its way: for all feeds of a session together, as they are caught up with one after
 * the other. Where it has been in vain, the next ones go on without.
 */
import { type Clock, sleep } from '../../scheduler/clock.ts'

/** So much of each minute may be spent. */
const MOST_MS = 10_000
const MINUTE_MS = 60_000

export class Allowance {
  readonly #clock: Clock
  #leftMs = MOST_MS
  #at: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#at = clock.now()
  }

  /** Waits so long; false, at once, when too much was spent already. Rejects with the signal's reason when that aborts first. */
  async wait(ms: number, signal: AbortSignal): Promise<boolean> {
    const now = this.#clock.now()
    this.#leftMs = Math.min(MOST_MS, this.#leftMs + ((now - this.#at) / MINUTE_MS) * MOST_MS)
    this.#at = now
    if (this.#leftMs < ms) return false
    this.#leftMs -= ms
    await sleep(this.#clock, ms, signal)
    return true
  }
}
