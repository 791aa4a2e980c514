/** How much happened in each minute of the last hour: sixty numbers, whatever is counted. */
import type { Clock } from '../scheduler/clock.ts'

const MINUTE_MS = 60_000
export const MINUTES = 60

/** How many seconds of the minute that is under way have passed: the same for all that count by one clock. */
export function secondsOfMinute(clock: Clock): number {
  return (clock.now() % MINUTE_MS) / 1000
}

export class MinuteCounts {
  readonly #clock: Clock
  /** Oldest first; the last one is the minute under way. */
  readonly #counts: number[] = [0]
  #minute: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#minute = this.#now()
  }

  add(count: number): void {
    this.#roll()
    this.#counts[this.#counts.length - 1] = (this.#counts.at(-1) ?? 0) + count
  }

  /** At most `MINUTES` numbers, oldest first, the minute under way last; fewer while it counts for less than an hour. */
  lastHour(): readonly number[] {
    this.#roll()
    return [...this.#counts]
  }

  #now(): number {
    return Math.floor(this.#clock.now() / MINUTE_MS)
  }

  #roll(): void {
    const now = this.#now()
    // A machine that slept for a week is worth sixty zeros, not ten thousand.
    for (let left = Math.min(now - this.#minute, MINUTES); left > 0; left--) this.#counts.push(0)
    this.#minute = now
    if (this.#counts.length > MINUTES) this.#counts.splice(0, this.#counts.length - MINUTES)
  }
}
