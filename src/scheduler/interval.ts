/** Repeating work that never overlaps itself. */
import { type Clock, sleep } from './clock.ts'

export interface EveryOptions {
  readonly signal: AbortSignal
  /** Spread of the pause, as a part of it: 0.1 makes 10 s into 9.5 to 10.5 s. Default 0. */
  readonly jitter?: number
  /** Start with the task instead of the pause. Default true. */
  readonly immediately?: boolean
}

/**
 * Runs `task`, then pauses `ms`, and so on: the pause starts when the task has ended, so a slow task delays the next
 * one instead of meeting it. Resolves when the signal aborts; rejects with what the task throws.
 */
export async function every(clock: Clock, ms: number, task: () => Promise<void>, options: EveryOptions): Promise<void> {
  const { signal, jitter = 0, immediately = true } = options
  const pause = (): number => ms * (1 + jitter * (clock.random() - 0.5))
  try {
    if (!immediately) await sleep(clock, pause(), signal)
    while (!signal.aborted) {
      await task()
      await sleep(clock, pause(), signal)
    }
  } catch (error) {
    // The abort is how an interval ends; whatever else comes out is the task's.
    if (!signal.aborted) throw error
  }
}
