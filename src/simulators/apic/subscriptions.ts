/** Subscriptions: each has a deadline of its own, and lapses without a word when nobody refreshes it. */
import type { Time } from '../server.ts'
import type { Format } from './body.ts'
import type { Query } from './query.ts'
import type { ApicRecord, SubscriptionEnd, SubscriptionRecord } from './record.ts'
import { ApicError } from './refusal.ts'
import type { Session } from './sessions.ts'
import type { SimSocket } from './sockets.ts'

export interface Subscription {
  readonly id: string
  readonly session: Session
  readonly socket: SimSocket
  readonly query: Query
  readonly format: Format
  readonly log: SubscriptionRecord
  readonly lifeMs: number
  /** Refreshable, and never told anything. */
  muted: boolean
  /** Refreshes are refused though it is alive. */
  refuseRefresh: boolean
  /** Switches that rebooted since: nothing of theirs comes any more. */
  readonly deaf: Set<string>
  deadline: number
  cancel: () => void
}

export class Subscriptions {
  readonly #time: Time
  readonly #record: ApicRecord
  readonly #alive = new Map<string, Subscription>()
  #lastId: bigint

  /** `base`: ids of this controller come after it. Real ones are above 2^56, out of reach of a double. */
  constructor(time: Time, record: ApicRecord, base: bigint) {
    this.#time = time
    this.#record = record
    this.#lastId = base
  }

  get alive(): Iterable<Subscription> {
    return this.#alive.values()
  }

  get(id: string): Subscription | undefined {
    return this.#alive.get(id)
  }

  create(
    made: Pick<Subscription, 'session' | 'socket' | 'query' | 'format' | 'lifeMs' | 'muted'>,
    path: string,
  ): Subscription {
    this.#lastId += 1n
    const id = String(this.#lastId)
    const { session, lifeMs } = made
    const log = { id, sessionId: session.id, path, createdAt: this.#time.wall(), lifeMs, refreshedAt: [] }
    this.#record.subscriptions.push(log)
    const subscription: Subscription = {
      ...made,
      id,
      log,
      refuseRefresh: false,
      deaf: new Set(),
      deadline: 0,
      cancel: () => undefined,
    }
    this.#alive.set(id, subscription)
    this.#arm(subscription)
    return subscription
  }

  /**
   * Puts the end off. The id is read up to the first character that is no digit, as a real one does.
   * Throws `ApicError` 400 for an id that is unknown, over, or of another session.
   */
  refresh(session: Session, given: string): void {
    const id = /^\d+/.exec(given)?.[0] ?? ''
    const subscription = this.#alive.get(id)
    if (
      subscription === undefined ||
      subscription.session !== session ||
      subscription.refuseRefresh ||
      this.#time.now() >= subscription.deadline
    ) {
      this.#record.refusedRefreshes.push({ at: this.#time.wall(), id: given })
      throw new ApicError(400, '400', `Subscription refresh failed, unknown subscription ${given}`)
    }
    subscription.log.refreshedAt.push(this.#time.wall())
    this.#arm(subscription)
  }

  end(subscription: Subscription, why: SubscriptionEnd): void {
    if (!this.#alive.delete(subscription.id)) return
    subscription.cancel()
    subscription.log.endedAt = this.#time.wall()
    subscription.log.endedBy = why
  }

  endAll(which: (subscription: Subscription) => boolean, why: SubscriptionEnd): void {
    for (const subscription of [...this.#alive.values()]) if (which(subscription)) this.end(subscription, why)
  }

  close(): void {
    for (const subscription of this.#alive.values()) subscription.cancel()
    this.#alive.clear()
  }

  #arm(subscription: Subscription): void {
    subscription.cancel()
    subscription.deadline = this.#time.now() + subscription.lifeMs
    subscription.cancel = this.#time.after(subscription.lifeMs, () => this.end(subscription, 'lapsed'))
  }
}
