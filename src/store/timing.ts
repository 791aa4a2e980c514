/** How long commits take, and how old the store is: by the monotonic clock. */
import type { Clock } from '../scheduler/clock.ts'

/** The longest that a commit is put off for others to join it. */
const GROUP_MS = 5
/** The longest that trimming and forgetting leave the loop to others. */
const REST_MS = 50

export class Timing {
  readonly #clock: Clock
  /** The store's running time when it was opened, and when that was. */
  readonly #ageAtStart: number
  readonly #startedAt: number
  #tookMs = 0
  #end = Number.NEGATIVE_INFINITY

  constructor(clock: Clock, ageAtStart: number) {
    this.#clock = clock
    this.#ageAtStart = ageAtStart
    this.#startedAt = clock.now()
  }

  /** The store's running time, ms that it was open, all told. */
  ageMs(): number {
    return this.#ageAtStart + (this.#clock.now() - this.#startedAt)
  }

  /** A commit that began then is durable now. Gives the time. */
  committed(began: number): number {
    this.#end = this.#clock.now()
    this.#tookMs = this.#end - began
    return this.#end
  }

  /**
   * How long the next commit waits for others to join it. On a slow disk as long as the last one took, up to 5 ms, so that
   * the disk is not asked for each event by itself; else only for the other work of this turn of the loop.
   */
  pause(): number {
    return Math.min(GROUP_MS, this.#tookMs - (this.#clock.now() - this.#end))
  }

  /** Trimming and forgetting leave the loop to others for as long as they took it. */
  rest(): number {
    return Math.max(1, Math.min(this.#tookMs, REST_MS))
  }
}
