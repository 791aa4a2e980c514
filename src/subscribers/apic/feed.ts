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
import { isSessionError, Refused } from './client.ts'
import type { Core, Watched } from './core.ts'
import type { ApicAnswer, Change } from './decode.ts'
import { Filler } from './fill.ts'
import { newestFirst, readHistory } from './history.ts'
import { LogPosition } from './log-position.ts'
import { type Query, queryUrl } from './query.ts'
import { compare, isWhole, readPages, readWhole } from './snapshot.ts'

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
  /** How often in a row the canary found this subscription mute. */
  mutes = 0
  /** Used by log classes only. */
  readonly position: LogPosition
  readonly #core: Core
  readonly #dispatch: Dispatch
  readonly #filler: Filler
  readonly #settled = Promise.withResolvers<void>()
  #contacted: boolean
  #held: { readonly change: Change; readonly named: readonly Watched[] }[] | undefined
  #attempt: Attempt | undefined
  /** This controller does not know `refresh-timeout`. */
  #plainLife = false
  #provedAt = Number.NEGATIVE_INFINITY

  constructor(core: Core, dispatch: Dispatch, query: Query, subscription: SubscriptionConfig, hidden = false) {
    this.#core = core
    this.#dispatch = dispatch
    this.query = query
    this.subscription = subscription
    this.hidden = hidden
    const cursor = core.cursor(this.name)
    this.#contacted = cursor !== undefined
    this.position = new LogPosition(cursor)
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
    return this.#contacted
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

  /** Compares with a whole read (or re-reads the log's overlap), without a new subscription. */
  async reconcile(): Promise<void> {
    const { clock, signal } = this.#core
    if (this.#held !== undefined || !this.#contacted) return
    const askedAt = clock.now()
    if (this.query.logClass !== undefined) {
      if (!this.hidden) await readHistory(this.#core, this, this.query.logClass, signal)
      return
    }
    const whole = await readWhole(this.#core, this.query, signal)
    this.#recovered(await compare(this.#core, this, whole, { origin: 'resync', publish: true, askedAt }))
    this.prove()
  }

  async #live(attempt: Attempt): Promise<void> {
    const { signal, keeper, config, tuning, client } = this.#core
    this.#state(this.#contacted ? 'resyncing' : 'starting')
    this.#attempt = attempt
    const over = new AbortController()
    const ended = AbortSignal.any([signal, over.signal])
    const lost = Promise.withResolvers<never>()
    lost.promise.catch(() => undefined)
    let id: string | undefined
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
          rank: 1,
          lifeMs,
          renewMs: lifeMs / 3,
          renew: async renewing => {
            await client.refreshSubscription(subscriptionId, renewing)
            return undefined
          },
          isFinal: error => error instanceof Refused || isSessionError(error),
          onRenewed: result => {
            if (result === 'ok' || result === 'retried') attempt.alive()
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
      await this.#catchUp(answer, askedAt, ended)
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
      this.#attempt = undefined
      if (id !== undefined) this.#dispatch.forget(id, this)
      this.#held = undefined
      this.#core.resume()
    }
  }

  async #subscribe(signal: AbortSignal): Promise<{ answer: ApicAnswer; askedAt: number }> {
    const { gate, client, clock, config } = this.#core
    const { query } = this
    const ask = (extra: readonly (readonly [string, string])[]) =>
      gate.run(signal, async () => {
        const askedAt = clock.now()
        const refresh = this.#refreshTimeout
        const options = [
          ['subscription', 'yes'],
          ...(refresh === undefined ? [] : [['refresh-timeout', String(refresh)]]),
          ...extra,
        ] as (readonly [string, string])[]
        const arrived = this.#dispatch.expectIds()
        try {
          const answer = await client.get(queryUrl(query, config.format, options), 'subscribe', signal)
          if (answer.subscriptionId !== undefined) this.#dispatch.register(answer.subscriptionId, this)
          return { answer, askedAt }
        } finally {
          arrived()
        }
      })
    // Paging cuts only the first answer, not the pushes (reference a7): of a log, one record is enough.
    if (query.logClass !== undefined) return ask(newestFirst(query.logClass))
    try {
      return await ask([])
    } catch (error) {
      if (codeOf(error) !== 'too_large') throw error
      const { answer, askedAt } = await ask([
        ['page', '0'],
        ['page-size', '1'],
      ])
      return { answer: { ...answer, totalCount: Number.POSITIVE_INFINITY }, askedAt }
    }
  }

  /** Closes the hole between what is known and what is: from the log, or by comparing the snapshot with the mirror. */
  async #catchUp(answer: ApicAnswer, askedAt: number, signal: AbortSignal): Promise<void> {
    const core = this.#core
    if (this.query.logClass !== undefined) {
      await readHistory(core, this, this.query.logClass, signal)
      this.#contacted = true
      return
    }
    const whole = isWhole(answer)
      ? { objects: answer.objects, paged: false }
      : await readPages(core, this.query, signal)
    const origin = this.#contacted ? 'resync' : 'snapshot'
    const publish = this.#contacted || this.subscription.snapshot === 'publish'
    const told = await compare(core, this, whole, { origin, publish, askedAt })
    if (this.#contacted) this.#recovered(told)
    this.#contacted = true
    core.outbox.add(this.name, undefined, { contacted: true })
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

  #recovered(count: number): void {
    if (count === 0) return
    this.#core.report({ type: 'feed_recovered', source: this.#core.source.name, feed: this.name, count })
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
    this.#core.report({
      type: 'feed_state',
      source: this.#core.source.name,
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
