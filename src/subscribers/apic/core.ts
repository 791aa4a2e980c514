/** What the parts of one APIC session share. */
import type { SubscriptionConfig } from '../../config/query.ts'
import type { ApicConfig } from '../../config/sources.ts'
import type { SourceRef } from '../../event.ts'
import type { Cursor, ManagedObject } from '../../record.ts'
import type { Report } from '../../report.ts'
import type { Clock } from '../../scheduler/clock.ts'
import type { LeaseKeeper } from '../../scheduler/leases.ts'
import type { Allowance } from './allowance.ts'
import type { ApicClient } from './client.ts'
import type { Continuity } from './continuity.ts'
import type { Change } from './decode.ts'
import type { Delegates } from './delegates.ts'
import type { FaultLog } from './fault-history.ts'
import type { Hearing } from './hearing.ts'
import type { Lateness } from './lateness.ts'
import type { LogPosition } from './log-position.ts'
import type { ApicMirror } from './mirror.ts'
import type { NonPresent } from './non-present.ts'
import type { Outbox } from './outbox.ts'
import type { Query } from './query.ts'

/** Protocol constants that only tests change. */
export interface Tuning {
  /** How long a subscription lives without `refresh-timeout`, ms (guide: one minute). */
  readonly subscriptionLifeMs: number
  /** Overlap of every re-read of a log class: records become visible late (reference b2: 30–120 s). */
  readonly overlapMs: number
  /** So long at most catching up waits for a fault log that does not show yet what the faults show. */
  readonly logLagMs: number
  /** So long at most an object of which only a part was pushed is asked for, and its log after that. */
  readonly fillMs: number
  /** Wait between asking the newest record and calling its missing push a silence. */
  readonly canaryGraceMs: number
  /** Least time between two questions, ms: bursts are what an APIC's web server chokes on (reference b11). */
  readonly spacingMs: number
  /**
   * Requests per second to one controller in the long run, of all kinds, and how many may come at once after a rest.
   * No limit of an APIC's is documented but that of logins (reference a10): so many keep 5,000 subscriptions of 60 s.
   */
  readonly requestsPerSecond: number
  readonly burst: number
  /** Least time between two logins or session refreshes, ms: nginx lets two a second through (reference a10). */
  readonly loginSpacingMs: number
  /** Records asked for at once. */
  readonly pageSize: number
  /**
   * So many subscriptions are kept by both sessions of a hand-over until the old one ends as a whole; of more, each goes
   * when its successor is there: no pace could refresh them twice.
   */
  readonly keptTwice: number
  /** So many objects of one tag are followed: each costs a subscription, and a refresh every 20 s. */
  readonly mostTagged: number
  /** How often the socket is pinged, ms: a pong that did not come by the next ping is a dead socket. */
  readonly pingMs: number
}

export const TUNING: Tuning = {
  subscriptionLifeMs: 60_000,
  overlapMs: 120_000,
  logLagMs: 3000,
  fillMs: 10_000,
  canaryGraceMs: 5000,
  spacingMs: 20,
  requestsPerSecond: 200,
  burst: 50,
  loginSpacingMs: 500,
  pageSize: 1000,
  keptTwice: 1000,
  mostTagged: 500,
  pingMs: 15_000,
}

export interface Core {
  readonly source: SourceRef
  readonly config: ApicConfig
  readonly tuning: Tuning
  readonly client: ApicClient
  readonly clock: Clock
  readonly report: Report
  /** Aborts when the session is over. */
  readonly signal: AbortSignal
  readonly mirror: ApicMirror
  readonly late: Lateness
  readonly continuity: Continuity
  readonly faultLog: FaultLog
  readonly allowance: Allowance
  readonly delegates: Delegates
  readonly nonPresent: NonPresent
  readonly outbox: Pick<Outbox, 'add' | 'room' | 'flushed' | 'end'>
  readonly keeper: LeaseKeeper
  /** What is committed for a feed. */
  cursor(feed: string): Cursor | undefined
  /** As `OpenContext.lostAtMs`. */
  lostAtMs(): number | undefined
  /** The fabric's clock, ms since the epoch. */
  fabricNow(): number
  /** All subscriptions of the session: what one read finds may be news for another. */
  watchers(): readonly Watched[]
  /** True while the socket is held back, and for this long after: pushes are late then, not missing. */
  pausedWithin(ms: number): boolean
  /** Holds the socket back, until `resume`: more is waiting than shall be kept. */
  pause(): void
  resume(): void
  /** True while the controller is cut off from its cluster: what it answers may be old, and proves nothing. */
  cutOff(): boolean
  /** What speaks against the session as a whole; undefined when that is over. */
  doubt(about: string, text: string | undefined): void
  /** The session can't go on: the one door out. */
  fail(error: unknown): void
}

/** When a whole read was asked for: monotonic, and by the fabric's clock, ms. */
export interface Asked {
  readonly at: number
  readonly fabricMs: number
  /** When the answer, or the last page of it, had come, by the fabric's clock: what it shows is of some time before. */
  readonly answeredMs: number
}

/** One subscription, as reads and pushes see it. */
export interface Watched {
  readonly name: string
  readonly query: Query
  readonly subscription: SubscriptionConfig
  /** Nothing of it is published. */
  readonly hidden: boolean
  /** True once a first whole read is in the mirror, or a log was first looked at. */
  readonly contacted: boolean
  /** How often the canary found it mute since its last push. */
  mutes: number
  /** Of a log class, or, for faults, of the log of their transitions. */
  readonly position: LogPosition
  readonly hearing: Hearing
  /** Subscribed, or about to be: what it is given is told, or held back until it can be. */
  readonly isAttending: boolean
  take(change: Change, named: readonly Watched[]): void
  /** The first push of this object that waits while a snapshot is being read. */
  holdsBack(dn: string): Change | undefined
  accepts(change: Change, before: ManagedObject | undefined, after: ManagedObject | undefined): boolean
  /** It is alive. `toldTo`: nothing that happened before that, by the fabric's clock, is missing; undefined: nobody knows. */
  prove(toldTo?: () => number | undefined): void
  /** The controller refuses the question: another one would, too. */
  readonly refused: boolean
  /**
   * Gives the subscription up and makes it anew: it is suspected to be deaf, since `sinceMs` by the fabric's clock. The
   * rest of the session stays as it is.
   */
  remake(reason: string, sinceMs?: number): void
}
