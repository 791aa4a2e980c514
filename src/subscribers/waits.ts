/** How long a source waits before it is tried again, after a failure and at a hand-over. */
import { Fatal, Retryable } from '../errors.ts'
import { Backoff } from '../scheduler/backoff.ts'
import { aborted, type Clock, sleep } from '../scheduler/clock.ts'

/** Refused credentials are not tried more often than this: restarts and retries lock accounts. */
const FATAL_HOLD_MS = 5 * 60_000
/** Bounds of the wait between two successors: each try is a login, and the predecessor is well. */
const SUCCESSOR = { firstMs: 30_000, capMs: 10 * 60_000 }
/** No wait takes more than this part of what was left when the first one failed: three more fit before the end. */
const SUCCESSOR_SHARE = 1 / 4

/** How long to wait at least after an attempt that failed so, ms. */
export function holdMs(error: unknown): number {
  if (error instanceof Fatal) return FATAL_HOLD_MS
  return error instanceof Retryable ? (error.afterMs ?? 0) : 0
}

/** Waits for `ms` (undefined: for ever), or until the signal aborts. Never rejects. */
export async function waitFor(clock: Clock, ms: number | undefined, signal: AbortSignal): Promise<void> {
  if (ms === undefined) return aborted(signal)
  if (ms <= 0) return
  try {
    await sleep(clock, ms, signal)
  } catch {
    // Sooner than planned: the caller looks why.
  }
}

/** The waits between the successors that are tried for one session. */
export class SuccessorWaits {
  readonly #clock: Clock
  readonly #endsBy: number | undefined
  readonly #backoff: Backoff
  #longestMs: number | undefined

  /** `endsBy`: as `Session.endsBy` of the one that is to be followed. */
  constructor(clock: Clock, endsBy: number | undefined) {
    this.#clock = clock
    this.#endsBy = endsBy
    this.#backoff = new Backoff(clock, SUCCESSOR)
  }

  /**
   * How long to wait before another is tried, after one that failed with `error`, ms: half a minute at least, growing to
   * ten, and so that three more fit before the end. Only refused credentials wait longer.
   */
  next(error: unknown): number {
    const wait = Math.max(SUCCESSOR.firstMs, this.#backoff.next(), error instanceof Fatal ? 0 : holdMs(error))
    const leftMs = this.#endsBy === undefined ? 0 : this.#endsBy - this.#clock.now()
    if (leftMs <= 0) return Math.max(wait, holdMs(error))
    this.#longestMs ??= leftMs * SUCCESSOR_SHARE
    return error instanceof Fatal ? holdMs(error) : Math.min(wait, this.#longestMs)
  }
}
