/** A question that is worth asking until it is answered, while the session and its subscriptions go on. */
import { codeOf } from '../../errors.ts'
import type { Clock } from '../../scheduler/clock.ts'
import { supervise } from '../../scheduler/supervise.ts'
import { holdMs } from '../waits.ts'
import type { ApicClient } from './client.ts'
import type { ApicAnswer } from './decode.ts'

/** An overloaded controller is asked again after seconds, later after a minute (reference a10: CNO waits 20 s and up). */
const BACKOFF = { firstMs: 1000, capMs: 60_000 }
/**
 * A read that closes a hole is worth this much patience, ms: pushes are held back meanwhile, so it must end, and what
 * waits this long should be told as a failure.
 */
const READ_MS = 5 * 60_000

/** True for what passes by itself: throttled, no answer in time, no connection. */
export function passes(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'throttled' || code === 'timeout' || code === 'unreachable'
}

/**
 * What `ask` answers, asked again with growing waits while the controller is overloaded or away. Rejects with any other
 * error of `ask`, with the signal's reason when that aborts first, and with the last error once `forMs` have passed.
 */
export async function patient<T>(
  clock: Clock,
  signal: AbortSignal,
  ask: () => Promise<T>,
  forMs = Number.POSITIVE_INFINITY,
): Promise<T> {
  signal.throwIfAborted()
  const until = clock.now() + forMs
  const done = new AbortController()
  const outcome = Promise.withResolvers<T>()
  // Looked at below; until then a rejection is nobody's fault.
  outcome.promise.catch(() => undefined)
  await supervise(
    {
      clock,
      signal: AbortSignal.any([signal, done.signal]),
      backoff: BACKOFF,
      holdMs,
      onFailure: () => undefined,
    },
    async () => {
      try {
        outcome.resolve(await ask())
      } catch (error) {
        if (passes(error) && clock.now() < until) throw error
        outcome.reject(error)
      }
      done.abort()
    },
  )
  // Nothing, when the answer came first.
  outcome.reject(signal.reason)
  return outcome.promise
}

/** One GET of a read that must be had: an answer of nginx's costs nobody a subscription. */
export function askPatiently(
  { clock, client }: { readonly clock: Clock; readonly client: Pick<ApicClient, 'get'> },
  url: string,
  operation: string,
  signal: AbortSignal,
): Promise<ApicAnswer> {
  return patient(clock, signal, () => client.get(url, operation, signal), READ_MS)
}

/** Somebody waits at a terminal: an overloaded controller is asked again for this long, ms. */
const TERMINAL_MS = 20_000

/** Asks again while the answer is "too much at once", for 20 s; for people who wait. Whatever else goes wrong is thrown at once. */
export async function whileThrottled<T>(clock: Clock, signal: AbortSignal, task: () => Promise<T>): Promise<T> {
  const ask = async (): Promise<{ readonly value: T } | { readonly error: unknown }> => {
    try {
      return { value: await task() }
    } catch (error) {
      if (codeOf(error) === 'throttled') throw error
      return { error }
    }
  }
  const outcome = await patient(clock, signal, ask, TERMINAL_MS)
  if ('error' in outcome) throw outcome.error
  return outcome.value
}
