/** Asking over and over, one question at a time. */
import { until } from './manual-clock.ts'

/** Asks until the answer is as wanted, and gives it. A question that fails is asked again. */
export function untilAnswered<T>(
  ask: () => Promise<T>,
  probe: (answer: T) => boolean,
  what: string,
  timeoutMs = 60_000,
): Promise<T> {
  let good: { readonly answer: T } | undefined
  let asking = false
  return until(
    () => {
      if (!asking) {
        asking = true
        ask()
          .then(answer => {
            if (probe(answer)) good ??= { answer }
          })
          .catch(() => undefined)
          .finally(() => {
            asking = false
          })
      }
      return good
    },
    what,
    timeoutMs,
  ).then(({ answer }) => answer)
}
