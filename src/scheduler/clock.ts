/** Time, as everything in opswire sees it. The only file that touches timers, wall time and randomness. */

/** Stops what was scheduled; calling it again does nothing. */
export type Cancel = () => void

export interface Clock {
  /** Wall time in ms since the epoch. May jump. For stamps that people read, never for measuring. */
  wall(): number
  /** Monotonic ms. Only differences mean something. */
  now(): number
  /** Calls `fn` once after `ms` (clamped to ≥ 0). */
  after(ms: number, fn: () => void): Cancel
  /** Uniform in [0, 1): jitter. */
  random(): number
}

/** Longest delay that Node's timers take; longer ones would fire at once. */
const LONGEST_MS = 2 ** 31 - 1

export const systemClock: Clock = {
  wall: () => Date.now(),
  now: () => performance.now(),
  after(ms, fn) {
    const timer = setTimeout(fn, Math.min(Math.max(ms, 0), LONGEST_MS))
    return () => clearTimeout(timer)
  },
  random: () => Math.random(),
}

/** Microseconds of the system's monotonic clock (CLOCK_MONOTONIC), which other processes read, too. */
export function systemMonotonicUsec(): bigint {
  return process.hrtime.bigint() / 1000n
}

/** Calls `fn` once this turn of the event loop has handled what has already arrived: no waiting, so no clock. */
export function endOfTurn(fn: () => void): Cancel {
  const immediate = setImmediate(fn)
  return () => clearImmediate(immediate)
}

/** Resolves after `ms`; rejects with the signal's reason when it aborts first. Leaves no timer and no listener behind. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason)
      return
    }
    const cancel = clock.after(ms, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    const onAbort = (): void => {
      cancel()
      reject(signal?.reason)
    }
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

/** Resolves after pending I/O had its turn: long work calls it between slices, so that nothing else waits for its end. */
export function nextTurn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

/** Resolves when the signal has aborted. Never rejects. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
