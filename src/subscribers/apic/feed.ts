/**
 * One subscription's life: made, refreshed by its own deadline, made anew when lost, its hole closed each time. The
 * rest of the session goes on meanwhile.
 */
import type { SubscriptionConfig } from '../../config/query.ts'
import { codeOf, describe, Fatal, Retryable } from '../../errors.ts'
import type { ManagedObject } from '../../record.ts'
import type { FeedState } from '../../report.ts'
import { type Attempt, supervise } from '../../scheduler/supervise.ts'
import { applyChange, isStale } from './apply.ts'
import { watchMuteness } from './canary.ts'
import { CatchUp } from './catch-up.ts'
import { isSessionError, Refused } from './client.ts'
import type { Core, Watched } from './core.ts'
import type { ApicAnswer, Change } from './decode.ts'
import { Filler } from './fill.ts'
import { Hearing } from './hearing.ts'
import { newestFirst } from './history.ts'
import { createdBetween } from './log-pages.ts'
import { LogPosition } from './log-position.ts'
import { type Query, queryUrl } from './query.ts'

/** Ids of this session's subscriptions, and what arrives for ids that nobody knows yet. */
export interface Dispatch {
  register(id: string, feed: Feed): void
  forget(id: string, feed: Feed): void
  /** Holds back frames with unknown ids until the returned function is called: their subscribe answer is on its way. */
  expectIds(): () => void
}

/** Pushes held back while a snapshot is read, before the socket is. */
const MOST_HELD = 20_000
const REMAKE_BACKOFF = { firstMs: 1000, capMs: 60_000 }
/** A question that the controller refuses is asked again this seldom: somebody may have granted the right. */
const REFUSED_HOLD_MS = 5 * 60_000

export class Feed implements Watched {
  readonly query: Query
  readonly subscription: SubscriptionConfig
  /** Subscribed for the canary's or the gauges' sake only: nothing of it is published. */
  readonly hidden: boolean
  /** How often the canary found this subscription mute since its last push. */
  mutes = 0
  /** Used by log classes only. */
  readonly position: LogPosition
  readonly hearing: Hearing
  readonly #core: Core
  readonly #dispatch: Dispatch
  readonly #filler: Filler
  readonly #settled = Promise.withResolvers<void>()
  readonly #catchUp: CatchUp
  #held: { readonly change: Change; readonly named: readonly Watched[] }[] | undefined
  #attempt: Attempt | undefined
  /** This controller does not know `refresh-timeout`. */
  #plainLife = false
  #lose: ((error: Error) => void) | undefined
  #provedAt = Number.NEGATIVE_INFINITY

  constructor(core: Core, dispatch: Dispatch, query: Query, subscription: SubscriptionConfig, hidden = false) {
    this.#core = core
    this.#dispatch = dispatch
    this.query = query
    this.subscription = subscription
    this.hidden = hidden
    const cursor = core.cursor(this.name)
    this.position = new LogPosition(cursor)
    this.hearing = new Hearing(core, this.name, reason => this.remake(reason))
    this.#catchUp = new CatchUp(core, this, cursor !== undefined)
    this.#filler = new Filler({
      core,
      apply: (change, anyway) => {
        this.#apply(change, [this], anyway)
      },
    })
  }

  get name(): string {
    return this.query.name
  }

  get contacted(): boolean {
    return this.#catchUp.contacted
  }

  /** True while a snapshot is being read: what is pushed meanwhile waits. */
  get holding(): boolean {
    return this.#held !== undefined
  }

  /** Resolves when the feed was live once, or failed once. */
  get settled(): Promise<void> {
    return this.#settled.promise
  }

  /** How old the last proof of life may be, ms: three canaries for a log class, two reconciles for the others. */
  get proofBoundMs(): number {
    const { canary_interval, reconcile_interval, request_timeout } = this.#core.config
    return this.query.logClass === undefined
      ? 2 * reconcile_interval + request_timeout
      : 3 * canary_interval + request_timeout
  }

  /** Told at most once a second: a loud feed proves itself with every frame. */
  prove(): void {
    this.#attempt?.alive()
    const now = this.#core.clock.now()
    if (now - this.#provedAt < 1000) return
    this.#provedAt = now
    this.#core.continuity.prove(this.name, this.#core.fabricNow())
    this.#core.report({ type: 'feed_proof', source: this.#core.source.name, feed: this.name })
  }

  /** Property filters on classes with a state are applied here: on the controller they would eat the deletions (b13). */
  accepts(change: Change, before: ManagedObject | undefined, after: ManagedObject | undefined): boolean {
    const accepts = this.query.accepts
    if (accepts === undefined) return true
    return [before, after].some(object => object !== undefined && accepts(change.cls, { ...object.attributes }))
  }

  /** Takes what a frame says, or holds it back while a snapshot is being read. `named`: all that the frame named. */
  take(change: Change, named: readonly Watched[]): void {
    if (this.#held !== undefined) {
      this.#held.push({ change, named })
      if (this.#held.length % MOST_HELD === 0) this.#core.pause()
      return
    }
    if (this.#filler.holds(change)) return
    this.#apply(change, named, false)
  }

  #apply(change: Change, named: readonly Watched[], anyway: boolean): void {
    // Two sockets of a hand-over deliver at their own pace: what the mirror knows to be older news is none.
    if (isStale(this.#core, change)) return
    const applied = applyChange(this.#core, this, change, { origin: 'live', publish: true, watchers: named }, anyway)
    if (applied === 'partial') void this.#filler.fill(change)
  }

  /** Runs until the session is over. Never rejects. */
  async run(): Promise<void> {
    const { clock, signal } = this.#core
    await supervise(
      {
        clock,
        signal,
        backoff: REMAKE_BACKOFF,
        holdMs: error =>
          error instanceof Refused || error instanceof Fatal
            ? REFUSED_HOLD_MS
            : error instanceof Retryable
              ? (error.afterMs ?? 0)
              : 0,
        onFailure: error => this.#failed(error),
      },
      attempt => this.#live(attempt),
    )
    this.#settled.resolve()
  }

  /** Gives the subscription up and makes it anew: it is suspected to be deaf. The rest of the session stays as it is. */
  remake(reason: string): void {
    this.#lose?.(new Retryable('subscription_lost', `${this.name}: ${reason}`))
  }

  /** As `CatchUp.reconcile`; not while a new subscription does the same. */
  async reconcile(pausedSinceMs?: number): Promise<void> {
    if (this.#held !== undefined) return
    const reconcile = (): Promise<void> => this.#catchUp.reconcile(pausedSinceMs)
    // A log's overlap is read again each time, whatever was pushed of it: there the canary judges.
    await (this.query.logClass === undefined ? this.hearing.during(reconcile) : reconcile())
  }

  async #live(attempt: Attempt): Promise<void> {
    const { signal, keeper, config, tuning, client } = this.#core
    this.#state(this.contacted ? 'resyncing' : 'starting')
    this.#attempt = attempt
    const over = new AbortController()
    const ended = AbortSignal.any([signal, over.signal])
    const lost = Promise.withResolvers<never>()
    lost.promise.catch(() => undefined)
    this.#lose = lost.reject
    const hole = this.#catchUp.hole()
    this.hearing.forget()
    let id: string | undefined
    let endLive: (() => void) | undefined
    this.#held = []
    try {
      const { answer, askedAt } = await this.#subscribe(ended)
      id = answer.subscriptionId
      if (id === undefined) throw new Retryable('protocol', `${this.name}: the answer holds no subscriptionId`)
      const subscriptionId = id
      const lifeMs = (this.#refreshTimeout ?? 0) * 1000 || tuning.subscriptionLifeMs
      const lease = keeper.add(
        {
          name: this.name,
          rank: 'renewal',
          lifeMs,
          renewMs: lifeMs / 3,
          renew: async renewing => {
            await client.refreshSubscription(subscriptionId, renewing)
            return undefined
          },
          isFinal: error => error instanceof Refused || isSessionError(error),
          afterMs: error => (error instanceof Retryable ? error.afterMs : undefined),
          onRenewed: result => {
            if (result === 'ok' || result === 'retried') {
              attempt.alive()
              this.#core.continuity.refreshed(this.name, this.#core.fabricNow())
            }
            this.#core.report({ type: 'lease_renewed', source: config.name, lease: 'subscription', result })
          },
          onLost: error => {
            const reason = describe(error)
            // A release that ignores refresh-timeout lets the subscription die after its minute (reference b28).
            if (error instanceof Refused) this.#plainLife = true
            this.#core.report({
              type: 'lease_lost',
              source: config.name,
              lease: 'subscription',
              name: this.name,
              reason,
            })
            lost.reject(isSessionError(error) ? error : new Retryable('subscription_lost', `${this.name}: ${reason}`))
          },
        },
        askedAt,
      )
      ended.addEventListener('abort', () => lease.drop(), { once: true })
      const fabricMs = this.#core.fabricNow() - (this.#core.clock.now() - askedAt)
      await this.#catchUp.afterSubscribing(answer, { at: askedAt, fabricMs }, hole, ended)
      endLive = this.#core.continuity.begin(this.name)
      this.#release()
      this.#state('live')
      this.prove()
      attempt.alive()
      this.#settled.resolve()
      const canary = this.#canary(ended, lost.reject)
      await Promise.race([lost.promise, canary, aborted(ended)])
    } catch (error) {
      if (error instanceof Refused && this.#refreshTimeout !== undefined && id === undefined) {
        // An older release that refuses the option: without it the subscription lives a minute (reference b28).
        this.#plainLife = true
        throw new Retryable('subscription_lost', `${this.name}: refused with refresh-timeout: ${describe(error)}`)
      }
      throw error
    } finally {
      over.abort()
      endLive?.()
      this.#attempt = undefined
      this.#lose = undefined
      if (id !== undefined) this.#dispatch.forget(id, this)
      this.#held = undefined
      this.#core.resume()
    }
  }

  async #subscribe(signal: AbortSignal): Promise<{ answer: ApicAnswer; askedAt: number }> {
    const core = this.#core
    const { client, clock, config, tuning } = core
    const { query } = this
    const ask = async (extra: readonly (readonly [string, string])[]) => {
      const refresh = this.#refreshTimeout
      const options = [
        ['subscription', 'yes'],
        ...(refresh === undefined ? [] : [['refresh-timeout', String(refresh)]]),
        ...extra,
      ] as (readonly [string, string])[]
      let askedAt = clock.now()
      let arrived: (() => void) | undefined
      try {
        const answer = await client.get(queryUrl(query, config.format, options), 'subscribe', signal, () => {
          askedAt = clock.now()
          arrived = this.#dispatch.expectIds()
        })
        if (answer.subscriptionId !== undefined) this.#dispatch.register(answer.subscriptionId, this)
        return { answer, askedAt }
      } finally {
        arrived?.()
      }
    }
    const log = query.logClass
    // Paging cuts only the first answer, not the pushes (reference a7): of a log, one record is enough.
    const first = log === undefined ? [] : newestFirst(log)
    let lookbackMs = 2 * tuning.overlapMs
    for (let narrowed = first; ; ) {
      try {
        return await ask(narrowed)
      } catch (error) {
        lookbackMs /= 2
        if (codeOf(error) !== 'too_large' || lookbackMs < 1000) throw error
        if (log === undefined) break
        // Where the ceiling counts all that match, only what is yet to come can be subscribed to, and little before it.
        narrowed = [...first, createdBetween(log, core.fabricNow() - lookbackMs, Number.POSITIVE_INFINITY)]
      }
    }
    const { answer, askedAt } = await ask([
      ['page', '0'],
      ['page-size', '1'],
    ])
    return { answer: { ...answer, totalCount: Number.POSITIVE_INFINITY }, askedAt }
  }

  /** What was pushed while the snapshot was read is the later news, unless its own time says otherwise. */
  #release(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const { change, named } of held) this.take(change, named)
    this.#core.resume()
  }

  async #canary(signal: AbortSignal, onMute: (error: Error) => void): Promise<void> {
    if (this.query.logClass === undefined) return aborted(signal)
    await watchMuteness(this.#core, this, this.query.logClass, signal, onMute)
  }

  get #refreshTimeout(): number | undefined {
    return this.#plainLife ? undefined : this.subscription.refresh_timeout
  }

  #failed(error: unknown): void {
    this.#settled.resolve()
    if (isSessionError(error)) this.#core.fail(error)
    const state = error instanceof Refused || error instanceof Fatal ? 'disabled' : 'lost'
    this.#state(state, error)
  }

  #state(state: FeedState, error?: unknown): void {
    const source = this.#core.source.name
    if (error === undefined) {
      const mode = state === 'live' ? 'push' : 'catching_up'
      this.#core.report({ type: 'feed_mode', source, feed: this.name, mode })
    }
    this.#core.report({
      type: 'feed_state',
      source,
      feed: this.name,
      state,
      ...(error === undefined ? {} : { reason: describe(error), code: codeOf(error) }),
    })
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
