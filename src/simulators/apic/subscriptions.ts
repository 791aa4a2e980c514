/** Subscriptions: each has a deadline of its own, and lapses without a word when nobody refreshes it. */
import type { Time } from '../server.ts'
import type { Format } from './body.ts'
import type { Change } from './change.ts'
import { type Expiring, Expiry } from './expiry.ts'
import type { Knobs } from './knobs.ts'
import type { Query } from './query.ts'
import type { ApicRecord, SubscriptionEnd, SubscriptionRecord } from './record.ts'
import { ApicError } from './refusal.ts'
import type { Session } from './sessions.ts'
import type { SimSocket } from './sockets.ts'
import { SubscriptionIndex } from './subscription-index.ts'

export interface Subscription extends Expiring {
  readonly id: string
  /** Counts up: who came first. */
  readonly order: number
  readonly session: Session
  readonly socket: SimSocket
  readonly query: Query
  readonly format: Format
  readonly log: SubscriptionRecord
  readonly lifeMs: number
  /** Told nothing from below its own DN before this, monotonic ms: its object is too young. */
  readonly settledAt: number
  /** Refreshable, and never told anything. */
  muted: boolean
  /** Refreshes are refused though it is alive. */
  refuseRefresh: boolean
}

export interface SubscriptionOptions {
  readonly time: Time
  readonly knobs: Knobs
  readonly record: ApicRecord
  /** Ids of this controller come after it. Real ones are above 2^56, out of reach of a double. */
  readonly base: bigint
}

export class Subscriptions {
  readonly #options: SubscriptionOptions
  readonly #alive = new Map<string, Subscription>()
  readonly #index = new SubscriptionIndex()
  readonly #expiry: Expiry<Subscription>
  /** Nodes that subscriptions up to an `order` hear nothing more of. */
  readonly #deaf = new Map<string, number>()
  #made = 0

  constructor(options: SubscriptionOptions) {
    this.#options = options
    this.#expiry = new Expiry<Subscription>(options.time, subscription => this.end(subscription, 'lapsed'))
  }

  get alive(): Iterable<Subscription> {
    return this.#alive.values()
  }

  get size(): number {
    return this.#alive.size
  }

  get(id: string): Subscription | undefined {
    return this.#alive.get(id)
  }

  /** Those that a change may concern, oldest first. */
  candidates(change: Change): Iterable<Subscription> {
    return this.#index.candidates(change)
  }

  create(
    made: Pick<Subscription, 'session' | 'socket' | 'query' | 'format' | 'lifeMs' | 'muted' | 'settledAt'>,
    path: string,
  ): Subscription {
    const { time, record, base } = this.#options
    const order = ++this.#made
    const id = String(base + BigInt(order))
    const { session, lifeMs } = made
    const log = { id, sessionId: session.id, path, createdAt: time.wall(), lifeMs, refreshedAt: [] }
    record.subscriptions.push(log)
    const subscription: Subscription = {
      ...made,
      id,
      order,
      log,
      refuseRefresh: false,
      deadline: 0,
      watchedAt: Number.POSITIVE_INFINITY,
    }
    this.#alive.set(id, subscription)
    this.#index.add(subscription)
    this.#putOff(subscription)
    return subscription
  }

  /**
   * Puts the end off. The id is read up to the first character that is no digit, as a real one does.
   * Throws `ApicError` for an id that is unknown, over, or of another session, as the knob says.
   */
  refresh(session: Session, given: string): void {
    const { time, record, knobs } = this.#options
    const id = /^\d+/.exec(given)?.[0] ?? ''
    const subscription = this.#alive.get(id)
    if (
      subscription === undefined ||
      subscription.session !== session ||
      subscription.refuseRefresh ||
      time.now() >= subscription.deadline
    ) {
      record.refusedRefreshes.push({ at: time.wall(), id: given })
      if (knobs.deadRefresh === 'well') return
      const status = knobs.deadRefresh === 'body' ? 200 : 400
      throw new ApicError(status, '400', `Subscription refresh failed, unknown subscription ${given}`)
    }
    subscription.log.refreshedAt.push(time.wall())
    this.#putOff(subscription)
  }

  end(subscription: Subscription, why: SubscriptionEnd): void {
    if (!this.#alive.delete(subscription.id)) return
    this.#index.delete(subscription)
    subscription.log.endedAt = this.#options.time.wall()
    subscription.log.endedBy = why
  }

  endAll(which: (subscription: Subscription) => boolean, why: SubscriptionEnd): void {
    for (const subscription of [...this.#alive.values()]) if (which(subscription)) this.end(subscription, why)
  }

  /** Those that exist now hear nothing more of a node. */
  deafen(node: string): void {
    this.#deaf.set(node, this.#made)
  }

  hears(subscription: Subscription, node: string): boolean {
    return subscription.order > (this.#deaf.get(node) ?? 0)
  }

  close(): void {
    this.#expiry.close()
    this.#alive.clear()
  }

  #putOff(subscription: Subscription): void {
    const { time, knobs } = this.#options
    subscription.deadline = time.now() + subscription.lifeMs * (1 - knobs.earlyExpiryShare)
    this.#expiry.watch(subscription)
  }
}
