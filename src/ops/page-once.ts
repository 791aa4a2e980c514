/** One page for all who look at about the same time: how many they are costs the daemon nothing. */
import type { Clock } from '../scheduler/clock.ts'

/** How old a page may be that is handed out, ms. Its ages are told by the time that stands on it. */
const FRESH_MS = 1000

/** Calls `make` once a second at most, however often it is asked. Keeps the last page. */
export function atMostOnceASecond(clock: Clock, make: () => string): () => string {
  let page = ''
  let madeAt: number | undefined
  return () => {
    const now = clock.now()
    if (madeAt === undefined || now - madeAt >= FRESH_MS) {
      page = make()
      madeAt = now
    }
    return page
  }
}
