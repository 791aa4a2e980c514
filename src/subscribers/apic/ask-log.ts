/** A log of which too much matches for any page of it: read in spans of time, the newest first. */
import { codeOf } from '../../errors.ts'
import { createdBetween } from './log-pages.ts'
import type { Options } from './url.ts'

/** The first span, ms; it grows and shrinks with what it meets. */
const FIRST_MS = 3_600_000
/** So much does not happen in a second. */
const SHORTEST_MS = 1000

/**
 * What `read` gives of the log of class `cls`: of all of it at once where the controller lets us, else (reference b2: it
 * refuses what more than its ceiling matches, whichever page is asked for) of spans from the newest backwards, until what
 * is left comes at once. Some may come twice. Rejects like `read`, also when a second is still too much.
 */
export async function* inSpans<T>(
  cls: string,
  nowMs: number,
  read: (narrowing: Options) => AsyncGenerator<T, void>,
): AsyncGenerator<T, void> {
  let until = Number.POSITIVE_INFINITY
  let widthMs = FIRST_MS
  for (;;) {
    try {
      return yield* read(Number.isFinite(until) ? [createdBetween(cls, 0, until)] : [])
    } catch (error) {
      if (codeOf(error) !== 'too_large') throw error
    }
    for (;;) {
      const from = Math.max(0, Math.min(until, nowMs) - widthMs)
      try {
        yield* read([createdBetween(cls, from, until)])
        until = from
        widthMs *= 2
        break
      } catch (error) {
        if (codeOf(error) !== 'too_large' || widthMs <= SHORTEST_MS) throw error
        widthMs = Math.max(SHORTEST_MS, Math.ceil(widthMs / 2))
      }
    }
  }
}
