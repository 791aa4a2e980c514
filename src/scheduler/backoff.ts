/** How long to wait before trying again: exponential, full jitter, capped. */
import type { Clock } from './clock.ts'

export interface BackoffOptions {
  /** Upper bound of the first wait, ms. */
  readonly firstMs: number
  /** Upper bound of every wait, ms. */
  readonly capMs: number
  /** `supervise` resets after no shorter life than this, ms: what dies every few seconds is a storm too. Default 0. */
  readonly stableMs?: number
}

/**
 * Full jitter: each wait is uniform between nothing and the bound, and the bound doubles. Spreads a fleet's reconnects
 * evenly instead of in waves. `reset` belongs after proven life, not after a login that answered.
 */
export class Backoff {
  readonly #clock: Clock
  readonly #options: BackoffOptions
  #tries = 0

  constructor(clock: Clock, options: BackoffOptions) {
    this.#clock = clock
    this.#options = options
  }

  /** Tries since the last reset. */
  get tries(): number {
    return this.#tries
  }

  /** The bound of the next wait, ms. */
  get boundMs(): number {
    return Math.min(this.#options.capMs, this.#options.firstMs * 2 ** Math.min(this.#tries, 30))
  }

  /** The next wait, ms. */
  next(): number {
    const wait = this.boundMs * this.#clock.random()
    this.#tries++
    return wait
  }

  reset(): void {
    this.#tries = 0
  }
}
