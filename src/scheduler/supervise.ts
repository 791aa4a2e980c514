/** The one loop that tries again. It never gives up, never spins, and ends only when told to. */
import { Backoff, type BackoffOptions } from './backoff.ts'
import { type Clock, sleep } from './clock.ts'

export interface Attempt {
  /** 0 for the first; counts on until life was proved. */
  readonly number: number
  /**
   * Say that this attempt is alive (data came, a renewal was answered). The backoff is reset once life was proved, from
   * the first such word on, for longer than the wait it would otherwise have and for `stableMs`: a login that answers,
   * however slowly, and dies at once must not reset it.
   */
  alive(): void
}

export interface SuperviseOptions {
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly backoff: BackoffOptions
  /** Asked after a failed attempt: how long to wait at least (ms), e.g. 5 minutes after refused credentials. */
  readonly holdMs?: (error: unknown) => number
  /** Told after each failed attempt, before the wait. */
  readonly onFailure: (error: unknown, waitMs: number) => void
  /** Ends the wait early: what stood in the way may have changed (a new secret, a reload). */
  readonly wake?: (callback: () => void) => () => void
}

/**
 * Runs `attempt` again and again until the signal aborts. An attempt that returns is a clean end and is followed by the
 * next at once, unless it ended faster than the backoff's bound: then it counts as a failure, so that nothing spins.
 */
export async function supervise(
  options: SuperviseOptions,
  attempt: (attempt: Attempt) => Promise<void>,
): Promise<void> {
  const { clock, signal } = options
  const backoff = new Backoff(clock, options.backoff)
  while (!signal.aborted) {
    const start = clock.now()
    let bornAt: number | undefined
    const livedSince = (at: number): boolean =>
      clock.now() - at > Math.max(backoff.boundMs, options.backoff.stableMs ?? 0)
    let failure: unknown
    try {
      await attempt({
        number: backoff.tries,
        alive: () => {
          bornAt ??= clock.now()
          if (livedSince(bornAt)) backoff.reset()
        },
      })
      if (livedSince(start)) {
        backoff.reset()
        continue
      }
    } catch (error) {
      failure = error
    }
    if (signal.aborted) return
    // With proven life there is no storm to fear: the first try again is at once, the backoff is for what follows.
    const atOnce = bornAt !== undefined && backoff.tries === 0
    const drawn = backoff.next()
    const wait = atOnce ? 0 : drawn
    const held = Math.max(wait, failure === undefined ? 0 : (options.holdMs?.(failure) ?? 0))
    options.onFailure(failure, held)
    await pause(options, held)
  }
}

/** Waits, but not past the signal or a wake-up. */
async function pause(options: SuperviseOptions, ms: number): Promise<void> {
  const early = new AbortController()
  const forget = options.wake?.(() => early.abort())
  try {
    await sleep(options.clock, ms, AbortSignal.any([options.signal, early.signal]))
  } catch {
    // Woken or told to stop: the loop looks which.
  } finally {
    forget?.()
  }
}
