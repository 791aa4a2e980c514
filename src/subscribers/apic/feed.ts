/**
 * One subscription's life: made, refreshed by its own deadline, made anew when lost, its hole closed each time. The
 * rest of the session goes on meanwhile.
 */
import type { SubscriptionConfig } from '../../config/query.ts'
import { codeOf, describe, Fatal, Retryable } from '../../errors.ts'
import type { Cursor, ManagedObject } from '../../record.ts'
import type { FeedState } from '../../report.ts'
import { type Attempt, supervise } from '../../scheduler/supervise.ts'
import { applyChange, isStale } from './apply.ts'
import { watchMuteness } from './canary.ts'
import { Refused } from './client.ts'
import type { Core, Position, Watched } from './core.ts'
import type { ApicAnswer, Change } from './decode.ts'
import { newestFirst, readHistory } from './history.ts'
import { type Query, queryUrl } from './query.ts'
import { compare, isWhole, readPages, readWhole } from './snapshot.ts'

/** Ids of this session's subscriptions, and what arrives for ids that nobody knows yet. */
export interface Dispatch {
  register(id: string, feed: Feed): void
  forget(id: string, feed: Feed): void
  /** Holds back frames with unknown ids until the returned function is called: their subscribe answer is on its way. */
  expectIds(): () => void
}

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
  readonly #core: Core
  readonly #dispatch: Dispatch
  #position: Position | undefined
  #contacted: boolean
  #held: Change[] | undefined
  #filling = new Set<string>()
  #provedAt = Number.NEGATIVE_INFINITY

  constructor(core: Core, dispatch: Dispatch, query: Query, subscription: SubscriptionConfig, hidden = false) {
    this.#core = core
    this.#dispatch = dispatch
    this.query = query
    this.subscription = subscription
    this.hidden = hidden
    const cursor = core.cursor(this.name)
    this.#contacted = cursor !== undefined
    if (cursor !== undefined && typeof cursor['createdMs'] === 'number') {
      this.#position = {
        createdMs: cursor['createdMs'],
        sinceMs: Number(cursor['sinceMs'] ?? cursor['createdMs']),
        sawRecord: cursor['sawRecord'] === true,
      }
    }
  }

  get name(): string {
    return this.query.name
  }

  get position(): Position | undefined {
    return this.#position
  }

  setPosition(position: Position): void {
    this.#position = position
  }

  /** A record of the log was seen: the position moves on, never back. */
  noteRecord(created: string | undefined): void {
    const at = Date.parse(created ?? '')
    const known = this.#position
    if (Number.isNaN(at) || known === undefined || (known.sawRecord && at <= known.createdMs)) return
    this.#position = { ...known, createdMs: Math.max(at, known.createdMs), sawRecord: true }
  }

  cursorNow(): Cursor {
    return { contacted: true, ...this.#position }
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

  /** Takes what a frame says, or holds it back while a snapshot is being read. */
  take(change: Change): void {
    if (this.#held !== undefined) {
      this.#held.push(change)
      return
    }
    // Two sockets of a hand-over deliver at their own pace: what the mirror knows to be older news is none.
    if (isStale(this.#core, change)) return
    if (applyChange(this.#core, this, change, { origin: 'live', publish: true }) === 'partial') void this.#fill(change)
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
  }

  /** Compares with a whole read (or re-reads the log's overlap), without a new subscription. */
  async reconcile(): Promise<void> {
    const { clock, signal } = this.#core
    if (this.#held !== undefined) return
    const askedAt = clock.now()
    let told: number
    if (this.query.logClass !== undefined) {
      await readHistory(this.#core, this, this.query.logClass, signal)
      told = 0
    } else {
      const objects = await readWhole(this.#core, this.query, signal)
      told = await compare(this.#core, this, objects, { origin: 'resync', publish: true, askedAt })
    }
    this.#recovered(told)
    this.prove()
  }

  async #live(attempt: Attempt): Promise<void> {
    const { signal, keeper, config, tuning, client } = this.#core
    this.#state(this.#contacted ? 'resyncing' : 'starting')
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
      const lifeMs = (this.subscription.refresh_timeout ?? 0) * 1000 || tuning.subscriptionLifeMs
      const path = `/api/subscriptionRefresh.json?id=${id}`
      const lease = keeper.add(
        {
          name: this.name,
          rank: 1,
          lifeMs,
          renewMs: lifeMs / 3,
          renew: async renewing => {
            await client.get(path, 'refresh_subscription', renewing)
            return undefined
          },
          isFinal: error => error instanceof Refused || isSessionError(error),
          onRenewed: result =>
            this.#core.report({ type: 'lease_renewed', source: config.name, lease: 'subscription', result }),
          onLost: error => {
            const reason = describe(error)
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
      const canary = this.#canary(ended, lost.reject)
      await Promise.race([lost.promise, canary, aborted(ended)])
    } finally {
      over.abort()
      if (id !== undefined) this.#dispatch.forget(id, this)
      this.#held = undefined
    }
  }

  async #subscribe(signal: AbortSignal): Promise<{ answer: ApicAnswer; askedAt: number }> {
    const { gate, client, clock, config } = this.#core
    const { query } = this
    const ask = (extra: readonly (readonly [string, string])[]) =>
      gate.run(signal, async () => {
        const askedAt = clock.now()
        const refresh = this.subscription.refresh_timeout
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
    const objects = isWhole(answer) ? answer.objects : await readPages(core, this.query, signal)
    const origin = this.#contacted ? 'resync' : 'snapshot'
    const publish = this.#contacted || this.subscription.snapshot === 'publish'
    const told = await compare(core, this, objects, { origin, publish, askedAt })
    if (this.#contacted) this.#recovered(told)
    this.#contacted = true
    core.outbox.add(this.name, undefined, this.cursorNow())
  }

  /** What was pushed while the snapshot was read is the later news, unless its own time says otherwise. */
  #release(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const change of held) this.take(change)
  }

  async #canary(signal: AbortSignal, onMute: (error: Error) => void): Promise<void> {
    if (this.query.logClass === undefined) return aborted(signal)
    await watchMuteness(this.#core, this, this.query.logClass, signal, onMute)
  }

  /** A `modified` push of an object never seen whole: the whole object is asked for, once for all pushes that wait. */
  async #fill(change: Change): Promise<void> {
    if (this.#filling.has(change.dn)) return
    this.#filling.add(change.dn)
    const { client, gate, signal, config } = this.#core
    const options = { origin: 'live', publish: true } as const
    try {
      const path = queryUrl({ ...this.query, path: `/api/mo/${change.dn}`, options: [] }, config.format)
      const answer = await gate.run(signal, () => client.get(path, 'fill', signal))
      const whole = answer.objects.find(object => object.cls === change.cls)
      if (whole === undefined) applyChange(this.#core, this, change, options, true)
      else applyChange(this.#core, this, { ...change, attributes: whole.attributes, whole: true }, options)
    } catch (error) {
      if (signal.aborted) return
      if (isSessionError(error)) this.#core.fail(error)
      else applyChange(this.#core, this, change, options, true)
    } finally {
      this.#filling.delete(change.dn)
    }
  }

  #recovered(count: number): void {
    if (count === 0) return
    this.#core.report({ type: 'feed_recovered', source: this.#core.source.name, feed: this.name, count })
  }

  #failed(error: unknown): void {
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

/** Token over, socket forgotten: not this subscription's trouble alone. */
export function isSessionError(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'session_lost' || code === 'socket_lost'
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
