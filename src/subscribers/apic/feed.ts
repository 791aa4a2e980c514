/**
 * One subscription's life: made, refreshed by its own deadline, made anew when lost, its hole closed each time. The
 * rest of the session goes on meanwhile.
 */
import type { SubscriptionConfig } from '../../config/query.ts'
import { codeOf, describe, Fatal, Retryable } from '../../errors.ts'
import type { ManagedObject } from '../../record.ts'
import type { FeedState } from '../../report.ts'
import { aborted } from '../../scheduler/clock.ts'
import { type Attempt, supervise } from '../../scheduler/supervise.ts'
import { holdMs } from '../waits.ts'
import { applyChange, isStale } from './apply.ts'
import { watchMuteness } from './canary.ts'
import { CatchUp } from './catch-up.ts'
import { isSessionError, Refused } from './client.ts'
import type { Core, Watched } from './core.ts'
import type { Change } from './decode.ts'
import { Filler } from './fill.ts'
import { Hearing } from './hearing.ts'
import { HeldBack, type HeldPush } from './held-back.ts'
import { LogPosition } from './log-position.ts'
import type { Missed } from './pauses.ts'
import type { Query } from './query.ts'
import { isAccepted } from './selection.ts'
import { subscribe } from './subscribe.ts'
import { keepSubscription } from './subscription-lease.ts'

/** Ids of this session's subscriptions, and what arrives for ids that nobody knows yet. */
export interface Dispatch {
  register(id: string, feed: Feed): void
  forget(id: string, feed: Feed): void
  /** Somebody listens to what is pushed for this id, without having anything of it told; until `unobserve`. */
  observe(id: string, hear: (changes: readonly Change[]) => void): void
  unobserve(id: string): void
  /** Holds back frames with unknown ids until the returned function is called: their subscribe answer is on its way. */
  expectIds(): () => void
}

export const REMAKE_BACKOFF = { firstMs: 1000, capMs: 60_000 }
/** A question that the controller refuses is asked again this seldom: somebody may have granted the right. */
export const REFUSED_HOLD_MS = 5 * 60_000

export class Feed implements Watched {
  readonly query: Query
  readonly subscription: SubscriptionConfig
  /** Subscribed for the canary's or the gauges' sake only: nothing of it is published. */
  readonly hidden: boolean
  /** How often the canary found this subscription mute since its last push. */
  mutes = 0
  readonly position: LogPosition
  readonly hearing: Hearing
  readonly #core: Core
  readonly #dispatch: Dispatch
  readonly filler: Filler
  readonly #settled = Promise.withResolvers<void>()
  readonly #catchUp: CatchUp
  #held: HeldBack | undefined
  #attempt: Attempt | undefined
  /** This controller does not know `refresh-timeout`. */
  #plainLife = false
  #live = false
  #said: FeedState | undefined
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
    this.hearing = new Hearing(core, this, () => this.#catchUp)
    this.#catchUp = new CatchUp(core, this, cursor !== undefined)
    const apply = (push: HeldPush, anyway: boolean): void => this.#apply(push, anyway)
    const note = (change: Change): void => this.#note(change)
    this.filler = new Filler({ core, feed: this.name, apply, note })
  }

  get name(): string {
    return this.query.name
  }

  get contacted(): boolean {
    return this.#catchUp.contacted
  }

  get refused(): boolean {
    return this.#said === 'disabled'
  }

  get isAttending(): boolean {
    return this.#attempt !== undefined
  }

  /** True while a snapshot is being read: what is pushed meanwhile waits. */
  get holding(): boolean {
    return this.#held !== undefined
  }

  /** Resolves when the feed was live once, or failed once. */
  get settled(): Promise<void> {
    return this.#settled.promise
  }

  /** Told at most once a second: a loud feed proves itself with every frame. */
  prove(toldTo: () => number | undefined = () => undefined): void {
    this.#attempt?.alive()
    const now = this.#core.clock.now()
    if (now - this.#provedAt < 1000) return
    this.#provedAt = now
    // What is held back may be dropped with its subscription; a controller that was cut off never pushes what it missed.
    const told = this.#isHearing && !this.#core.cutOff() ? toldTo() : undefined
    if (told !== undefined) this.#core.continuity.prove(this.name, told)
    this.#core.report({ type: 'feed_proof', source: this.#core.source.name, feed: this.name })
  }

  /** Property filters on classes with a state are applied here: on the controller they would eat the deletions (b13). */
  accepts(change: Change, before: ManagedObject | undefined, after: ManagedObject | undefined): boolean {
    if (this.query.accepts === undefined) return true
    const { mirror } = this.#core
    return [before, after].some(object => object !== undefined && isAccepted(this.query, mirror, change.cls, object))
  }

  holdsBack(dn: string): Change | undefined {
    return this.#held?.first(dn)
  }

  /** Takes what a frame says, or holds it back while a snapshot is being read. `named`: all that the frame named. */
  take(change: Change, named: readonly Watched[]): void {
    const push: HeldPush = { change, named }
    if (this.#held !== undefined) {
      this.#held.add(push)
      if (this.#held.isFull) this.#core.pause()
      return
    }
    if (!this.filler.holds(push)) this.#apply(push, false)
  }

  #apply(push: HeldPush, anyway: boolean): void {
    const { change, named, pushed = change } = push
    // What waited while a snapshot was read that knew it already is no news.
    if (isStale(this.#core, change)) return void this.#note(pushed)
    // What all that the frame names filter out may be news for one that is deaf, or being made anew.
    const covers = (one: Watched): boolean => named.includes(one) || one.query.covers(change.cls, change.dn)
    const isHeard = named.some(one => one.query.accepts === undefined && !one.hidden)
    const watchers = isHeard ? named : this.#core.watchers().filter(covers)
    const applied = applyChange(this.#core, this, change, { origin: 'live', publish: true, watchers }, anyway)
    if (applied === 'partial') this.filler.fill(push)
    else this.#note(pushed)
  }

  #note(change: Change): void {
    if (this.query.logClass === undefined) this.#core.continuity.handOver.note(change, this.#core.clock.now())
  }

  /** Runs until the session is over. Never rejects. */
  async run(): Promise<void> {
    const { clock, signal } = this.#core
    await supervise(
      {
        clock,
        signal,
        backoff: REMAKE_BACKOFF,
        holdMs: error => (error instanceof Refused ? REFUSED_HOLD_MS : holdMs(error)),
        onFailure: error => this.#failed(error),
      },
      attempt => this.#attend(attempt),
    )
    this.#settled.resolve()
  }

  remake(reason: string, sinceMs?: number): void {
    if (sinceMs !== undefined) this.#core.continuity.suspect(this.name, sinceMs)
    this.#lose?.(new Retryable('subscription_lost', `${this.name}: ${reason}`))
  }

  /** As `CatchUp.reconcile`; not while a new subscription does the same. */
  async reconcile(missed?: Missed): Promise<void> {
    if (!this.#isHearing || this.#core.signal.aborted) return
    const reconcile = (signal: AbortSignal): Promise<void> => this.#catchUp.reconcile(signal, missed)
    // A log's overlap is read again each time, whatever was pushed of it: there the canary judges.
    await (this.query.logClass === undefined ? this.hearing.during(reconcile, missed) : reconcile(this.#core.signal))
  }

  async #attend(attempt: Attempt): Promise<void> {
    const { signal, tuning, continuity, clock } = this.#core
    // A predecessor watches: what it tells until its end is not told here again. Of logs the ids see to that.
    const isSuccessor = this.contacted && this.query.logClass === undefined && continuity.isLive(this.name)
    if (!isSuccessor) this.#state(this.contacted ? 'resyncing' : 'starting')
    this.#attempt = attempt
    const over = new AbortController()
    const ended = AbortSignal.any([signal, over.signal])
    const lost = Promise.withResolvers<never>()
    lost.promise.catch(() => undefined)
    this.#lose = lost.reject
    let hole = this.#catchUp.hole()
    this.hearing.forget()
    let id: string | undefined
    let endLive: (() => void) | undefined
    const ends: (() => void)[] = []
    const endListening = isSuccessor ? continuity.handOver.listen() : undefined
    const listeningSince = clock.now()
    this.#held = new HeldBack()
    try {
      const made = await subscribe(
        this.#core,
        this.query,
        {
          refreshTimeout: this.#refreshTimeout,
          expectId: () => this.#dispatch.expectIds(),
          register: known => this.#dispatch.register(known, this),
        },
        ended,
      )
      id = made.id
      // The predecessor may be gone before the turn of this one came.
      if (isSuccessor && !continuity.isWatched(this.name)) {
        hole = { fromMs: continuity.leftAt(this.name), reason: 'outage_no_history' }
        this.#state('resyncing')
      }
      ends.push(continuity.watch(this.name))
      const { answer, askedAt } = made
      const lifeMs = (this.#refreshTimeout ?? 0) * 1000 || tuning.subscriptionLifeMs
      const lease = keepSubscription(this.#core, {
        name: this.name,
        id: made.id,
        lifeMs,
        bornAt: askedAt,
        onAlive: () => {
          attempt.alive()
          if (this.#isHearing) continuity.refreshed(this.name, this.#core.fabricNow())
        },
        onLost: (error, refused) => {
          // A release that ignores refresh-timeout lets it die after its first minute (reference b28).
          if (refused && clock.now() - askedAt < lifeMs) this.#plainLife = true
          lost.reject(error)
        },
      })
      ended.addEventListener('abort', () => lease.drop(), { once: true })
      const answeredMs = this.#core.fabricNow()
      const asked = { at: askedAt, fabricMs: answeredMs - (clock.now() - askedAt), answeredMs }
      if (isSuccessor) {
        ends.push(continuity.claim(this.name))
        // One that was lost is heard by the other session now, for as long as that may be.
        if (this.#said !== undefined && this.#said !== 'live') this.#state('live')
        this.#live = true
        this.#settled.resolve()
        await Promise.race([continuity.ended(this.name), lost.promise, aborted(ended)])
        const news = continuity.handOver.news(this.#held.pushes, listeningSince)
        this.#held = new HeldBack()
        for (const push of news) this.#held.add(push)
        endListening?.()
      }
      await Promise.race([this.#catchUp.afterSubscribing(answer, asked, hole, ended), lost.promise])
      if (!isSuccessor && this.query.logClass === undefined && continuity.isLive(this.name)) {
        // What waits here is old news: this one follows the other.
        throw new Retryable('subscription_lost', `${this.name}: another session came to hear of it meanwhile`)
      }
      const relieved = Promise.withResolvers<'relieved'>()
      endLive = continuity.begin(this.name, () => relieved.resolve('relieved'))
      this.#release()
      this.#state('live')
      if (!this.#core.cutOff()) this.prove()
      attempt.alive()
      this.#settled.resolve()
      const { logClass } = this.query
      const tasks = [lost.promise, aborted(ended)]
      if (logClass !== undefined) tasks.push(watchMuteness(this.#core, this, logClass, ended, lost.reject))
      const many = this.#core.watchers().length > tuning.keptTwice
      if ((await Promise.race(many ? [...tasks, relieved.promise] : tasks)) !== 'relieved') return
      // So many can't be kept twice: this one goes when its successor is there, and comes back if that should end first.
      lease.drop()
      this.#live = false
      this.hearing.end()
      this.#dispatch.forget(made.id, this)
      this.filler.end()
      await this.#core.outbox.flushed(this.name)
      endLive()
      await Promise.race([continuity.unclaimed(this.name), aborted(ended)])
      signal.throwIfAborted()
      throw new Retryable('subscription_lost', `${this.name}: the successor of its session ended`)
    } catch (error) {
      if (error instanceof Refused && this.#refreshTimeout !== undefined && id === undefined) {
        // An older release that refuses the option: without it the subscription lives a minute (reference b28).
        this.#plainLife = true
        throw new Retryable('subscription_lost', `${this.name}: refused with refresh-timeout: ${describe(error)}`)
      }
      throw error
    } finally {
      over.abort()
      endListening?.()
      this.filler.end()
      this.hearing.end()
      for (const end of ends) end()
      // The successor goes on where this one's last word is committed.
      if (signal.aborted) void this.#core.outbox.end().then(endLive)
      else endLive?.()
      this.#attempt = undefined
      this.#lose = undefined
      if (id !== undefined) this.#dispatch.forget(id, this)
      this.#held?.passOn(this)
      this.#held = undefined
      this.#core.resume()
    }
  }

  /** What was pushed while the snapshot was read is the later news, unless its own time says otherwise. */
  #release(): void {
    const held = this.#held?.pushes ?? []
    this.#held = undefined
    for (const { change, named } of held) this.take(change, named)
    this.#core.resume()
  }

  /** Live, and what is pushed is told at once. */
  get #isHearing(): boolean {
    return this.#live && this.#held === undefined
  }

  get #refreshTimeout(): number | undefined {
    return this.#plainLife ? undefined : this.subscription.refresh_timeout
  }

  #failed(error: unknown): void {
    this.#settled.resolve()
    if (isSessionError(error)) this.#core.fail(error)
    this.#state(error instanceof Refused || error instanceof Fatal ? 'disabled' : 'lost', error)
  }

  #state(state: FeedState, error?: unknown): void {
    this.#live = state === 'live'
    this.#said = state
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
