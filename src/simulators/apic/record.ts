/** What really happened on a controller, by its own account: the truth that a test compares a client with. */

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
  endedAt?: number
  endedBy?: SessionEnd
}

export type SessionEnd = 'timeout' | 'lifetime' | 'logout' | 'ended'

export interface SocketRecord {
  readonly sessionId: string
  readonly openedAt: number
  closedAt?: number
  frames: number
  /** Frames that were due while the socket was silent or forgotten. */
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

export class ApicRecord {
  readonly logins: LoginRecord[] = []
  readonly sessions: SessionRecord[] = []
  readonly sockets: SocketRecord[] = []
  /** Socket handshakes that were turned away. */
  readonly refusedSockets: { readonly at: number; readonly status: number; readonly path: string }[] = []
  readonly subscriptions: SubscriptionRecord[] = []
  /** Refreshes that were refused, by id as it was sent. */
  readonly refusedRefreshes: { readonly at: number; readonly id: string }[] = []
  readonly requests: RequestRecord[] = []

  /** Subscriptions that nobody refreshed in time. */
  get lapses(): SubscriptionRecord[] {
    return this.subscriptions.filter(subscription => subscription.endedBy === 'lapsed')
  }

  /** Sessions that ended because nobody refreshed them, or at their hard end. */
  get lapsedSessions(): SessionRecord[] {
    return this.sessions.filter(session => session.endedBy === 'timeout' || session.endedBy === 'lifetime')
  }

  get framesSent(): number {
    return this.sockets.reduce((sum, socket) => sum + socket.frames, 0)
  }

  requestsOf(operation: Operation): RequestRecord[] {
    return this.requests.filter(request => request.operation === operation)
  }
}
