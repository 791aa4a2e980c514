/** What really happened on a controller, by its own account: the truth that a test compares a client with. */

import { Tally } from './tally.ts'

/** All times are `Time.wall()` in ms. */
export interface LoginRecord {
  readonly at: number
  readonly user: string
  readonly ok: boolean
  readonly sessionId: string | undefined
}

export interface SessionRecord {
  readonly id: string
  readonly user: string
  readonly startedAt: number
  readonly refreshedAt: number[]
  /** A logout was answered well; where logouts linger the session lives on. */
  loggedOutAt?: number
  endedAt?: number
  endedBy?: SessionEnd
}

/** `ended`: by the test, `died`: the controller did. */
export type SessionEnd = 'timeout' | 'lifetime' | 'logout' | 'ended' | 'died'

export interface SocketRecord {
  readonly sessionId: string
  readonly openedAt: number
  closedAt?: number
  frames: number
  /** Frames that were due while the socket was silent, forgotten or gone. */
  swallowed: number
  /** Messages of the client, which has nothing to say here. */
  fromClient: number
  pings: number
}

export interface SubscriptionRecord {
  readonly id: string
  readonly sessionId: string
  /** Path and query as they were sent. */
  readonly path: string
  readonly createdAt: number
  readonly lifeMs: number
  readonly refreshedAt: number[]
  /** The answer that held its id never reached the client: an orphan that goes on pushing until it lapses. */
  answerLost?: boolean
  endedAt?: number
  endedBy?: SubscriptionEnd
}

/** `lapsed`: nobody refreshed it in time. */
export type SubscriptionEnd = 'lapsed' | 'socket' | 'session' | 'expired'

export type Operation =
  | 'login'
  | 'refresh'
  | 'logout'
  | 'domains'
  | 'subscriptionRefresh'
  | 'subscribe'
  | 'query'
  | 'post'
  | 'delete'
  | 'tag'
  | 'unknown'

export interface RequestRecord {
  readonly at: number
  readonly operation: Operation
  readonly method: string
  readonly path: string
  /** HTTP status of the answer; 0 when there was none. */
  status: number
}

/** The widest time, ms, that a session or subscription went without a renewal; up to `until` while it is alive. */
export function widestGap(one: SessionRecord | SubscriptionRecord, until?: number): number {
  let last = 'createdAt' in one ? one.createdAt : one.startedAt
  const end = one.endedAt ?? until
  let widest = 0
  for (const at of end === undefined ? one.refreshedAt : [...one.refreshedAt, end]) {
    widest = Math.max(widest, at - last)
    last = at
  }
  return widest
}

export class ApicRecord {
  readonly logins: LoginRecord[] = []
  readonly sessions: SessionRecord[] = []
  readonly sockets: SocketRecord[] = []
  /** Socket handshakes that were turned away. */
  readonly refusedSockets: { readonly at: number; readonly status: number; readonly path: string }[] = []
  readonly subscriptions: SubscriptionRecord[] = []
  /** Refreshes of dead ids, as they were sent, however they were answered. */
  readonly refusedRefreshes: { readonly at: number; readonly id: string }[] = []
  readonly requests: RequestRecord[] = []
  /** So many of the newest requests are kept, at least; the counts below are of all. For runs of hours. */
  keepRequests = Number.POSITIVE_INFINITY
  /** Requests in service now, and the most that ever were, refused ones too. */
  inService = 0
  mostInService = 0
  readonly #all = new Tally()
  readonly #tallies = new Map<Operation, Tally>()
  readonly #answers = new Map<number, number>()

  /** A request came in. `now`: monotonic ms. */
  began(request: RequestRecord, now: number): void {
    this.requests.push(request)
    if (this.requests.length > 2 * this.keepRequests) this.requests.splice(0, this.requests.length - this.keepRequests)
    this.inService++
    this.mostInService = Math.max(this.mostInService, this.inService)
    this.#all.add(now)
    let tally = this.#tallies.get(request.operation)
    if (tally === undefined) {
      tally = new Tally()
      this.#tallies.set(request.operation, tally)
    }
    tally.add(now)
  }

  /** It was given this status. */
  answered(request: RequestRecord, status: number): void {
    request.status = status
    this.#answers.set(status, (this.#answers.get(status) ?? 0) + 1)
  }

  /** Its connection is free again, answered or not. */
  finished(): void {
    this.inService--
  }

  /** How many requests there were, of one kind or of all. */
  requestCount(operation?: Operation): number {
    return this.#of(operation)?.count ?? 0
  }

  /** The most requests within any second, of one kind or of all. `busiestSecond('login')`: logins per second. */
  busiestSecond(operation?: Operation): number {
    return this.#of(operation)?.mostInASecond ?? 0
  }

  /** How many requests got this HTTP status. */
  answerCount(status: number): number {
    return this.#answers.get(status) ?? 0
  }

  /** Subscriptions that nobody refreshed in time; orphans, whose id nobody was told, are not among them. */
  get lapses(): SubscriptionRecord[] {
    return this.subscriptions.filter(one => one.endedBy === 'lapsed' && one.answerLost !== true)
  }

  /** Subscriptions whose id never reached the client. */
  get orphans(): SubscriptionRecord[] {
    return this.subscriptions.filter(one => one.answerLost === true)
  }

  /** Sessions that ended because nobody refreshed them, or at their hard end. */
  get lapsedSessions(): SessionRecord[] {
    return this.sessions.filter(session => session.endedBy === 'timeout' || session.endedBy === 'lifetime')
  }

  /** Sessions that are alive now, of one user or of all. */
  activeSessions(user?: string): SessionRecord[] {
    return this.sessions.filter(one => one.endedAt === undefined && (user === undefined || one.user === user))
  }

  /** The most sessions that were alive at once, of one user or of all. One that ends as another begins counts as gone. */
  mostSessions(user?: string): number {
    const steps = this.sessions
      .filter(one => user === undefined || one.user === user)
      .flatMap(({ startedAt, endedAt }) => [
        { at: startedAt, by: 1 },
        ...(endedAt === undefined ? [] : [{ at: endedAt, by: -1 }]),
      ])
      .sort((a, b) => a.at - b.at || a.by - b.by)
    let now = 0
    let most = 0
    for (const { by } of steps) {
      now += by
      most = Math.max(most, now)
    }
    return most
  }

  /** The widest time, ms, that any subscription went without a refresh; orphans not counted. `until`: now, wall ms. */
  widestRefreshGap(until?: number): number {
    return this.subscriptions
      .filter(one => one.answerLost !== true)
      .reduce((widest, one) => Math.max(widest, widestGap(one, until)), 0)
  }

  requestsOf(operation: Operation): RequestRecord[] {
    return this.requests.filter(request => request.operation === operation)
  }

  #of(operation: Operation | undefined): Tally | undefined {
    return operation === undefined ? this.#all : this.#tallies.get(operation)
  }
}
