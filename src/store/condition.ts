/** How the store is: said once for each change. And when a failed commit is to be tried again. */
import { troubleOf } from './faults.ts'
import type { StoreLimits } from './limits.ts'
import type { Need } from './retention.ts'
import type { Group } from './waiting.ts'

/** A failed commit is tried again after this long, then twice as long, … */
const RETRY_FIRST_MS = 100
const RETRY_LAST_MS = 10_000
/** A store that was full is said to be well again below this part of its limit: else it would say so at every trim. */
const ROOM_AGAIN = 0.9

interface Failing {
  readonly since: number
  readonly delayMs: number
  readonly retryAt: number
}

export class Condition {
  readonly #limits: StoreLimits
  readonly #path: string | undefined
  #failing: Failing | undefined
  #full = false
  #pressed = false

  /** `path`: of the file, for what is said of it. */
  constructor(limits: StoreLimits, path: string | undefined) {
    this.#limits = limits
    this.#path = path
  }

  /** As it was last said. */
  get full(): boolean {
    return this.#full
  }

  get need(): Need {
    return this.#pressed ? 'all' : this.#full ? 'due' : 'none'
  }

  get failing(): boolean {
    return this.#failing !== undefined
  }

  /** How long a commit has to wait after a failed one; 0 or less when it may be tried. */
  get retryMs(): number {
    return this.#failing === undefined ? 0 : this.#failing.retryAt - this.#limits.clock.now()
  }

  failed(error: unknown): void {
    const now = this.#limits.clock.now()
    const delayMs = Math.min(RETRY_LAST_MS, (this.#failing?.delayMs ?? RETRY_FIRST_MS / 2) * 2)
    if (this.#failing === undefined) {
      this.#limits.report({ type: 'store_state', state: 'failing', detail: troubleOf(error, this.#path) })
    }
    this.#failing = { since: this.#failing?.since ?? now, delayMs, retryAt: now + delayMs }
  }

  recovered(): void {
    if (this.#failing === undefined) return
    const seconds = Math.round((this.#limits.clock.now() - this.#failing.since) / 1000)
    this.#failing = undefined
    this.#limits.report({ type: 'store_state', state: 'recovered', detail: `writes again after ${seconds} s` })
  }

  /** The store holds so many bytes. */
  holds(bytes: number, { held, pressed }: Pick<Group, 'held' | 'pressed'>): void {
    const { maxBytes, report } = this.#limits
    this.#pressed = pressed
    const full = held || bytes >= maxBytes * (this.#full ? ROOM_AGAIN : 1)
    if (full === this.#full) return
    this.#full = full
    report({ type: 'store_state', state: full ? 'full' : 'ok', detail: `${bytes} of ${maxBytes} bytes` })
  }
}
