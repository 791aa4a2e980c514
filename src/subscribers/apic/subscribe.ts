/** Making one subscription: the question, with what an answer of any size and any release needs. */
import { codeOf, Retryable } from '../../errors.ts'
import type { Core } from './core.ts'
import type { ApicAnswer } from './decode.ts'
import { newestFirst } from './history.ts'
import { createdBetween } from './log-pages.ts'
import { type Query, queryUrl } from './query.ts'

export interface Subscribed {
  readonly id: string
  /** The snapshot that came with it; not whole where its `totalCount` says so. */
  readonly answer: ApicAnswer
  /** Monotonic ms when it was asked for: its life counts from here. */
  readonly askedAt: number
}

export interface SubscribeOptions {
  /** Seconds, for `refresh-timeout`; undefined leaves the option out. */
  readonly refreshTimeout: number | undefined
  /** Called when the request starts: what is pushed from now on may be for an id that nobody knows yet. */
  readonly expectId: () => () => void
  /** Called with the id before anything else is dispatched. */
  readonly register: (id: string) => void
}

/** Shorter than this a log is not cut. */
const SHORTEST_MS = 1000

/** Throws what `ApicClient.get` throws, and `Retryable('protocol')` for an answer without an id. */
export async function subscribe(
  core: Core,
  query: Query,
  options: SubscribeOptions,
  signal: AbortSignal,
): Promise<Subscribed> {
  const { client, clock, config, tuning } = core
  const ask = async (extra: readonly (readonly [string, string])[]): Promise<Subscribed> => {
    const { refreshTimeout } = options
    const asked = [
      ['subscription', 'yes'],
      ...(refreshTimeout === undefined ? [] : [['refresh-timeout', String(refreshTimeout)]]),
      ...extra,
    ] as (readonly [string, string])[]
    let askedAt = clock.now()
    let arrived: (() => void) | undefined
    try {
      const answer = await client.get(queryUrl(query, config.format, asked), 'subscribe', signal, () => {
        askedAt = clock.now()
        arrived = options.expectId()
      })
      const id = answer.subscriptionId
      if (id === undefined) throw new Retryable('protocol', `${query.name}: the answer holds no subscriptionId`)
      options.register(id)
      return { id, answer, askedAt }
    } finally {
      arrived?.()
    }
  }
  const log = query.logClass
  // Paging cuts only the first answer, not the pushes (reference a7): of a log, one record is enough.
  const first = log === undefined ? [] : newestFirst(log)
  let narrowed = first
  let lookbackMs = 2 * tuning.overlapMs
  for (;;) {
    try {
      return await ask(narrowed)
    } catch (error) {
      lookbackMs /= 2
      if (codeOf(error) !== 'too_large' || lookbackMs < SHORTEST_MS) throw error
      if (log === undefined) break
      // Where the ceiling counts all that match, only what is yet to come can be subscribed to, and little before it.
      narrowed = [...first, createdBetween(log, core.fabricNow() - lookbackMs, Number.POSITIVE_INFINITY)]
    }
  }
  const made = await ask([
    ['page', '0'],
    ['page-size', '1'],
  ])
  return { ...made, answer: { ...made.answer, totalCount: Number.POSITIVE_INFINITY } }
}
