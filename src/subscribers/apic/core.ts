/** What the parts of one APIC session share. */
import type { SubscriptionConfig } from '../../config/query.ts'
import type { ApicConfig } from '../../config/sources.ts'
import type { SourceRef } from '../../event.ts'
import type { Cursor, ManagedObject } from '../../record.ts'
import type { Report } from '../../report.ts'
import type { Clock } from '../../scheduler/clock.ts'
import type { Gate } from '../../scheduler/gate.ts'
import type { LeaseKeeper } from '../../scheduler/leases.ts'
import type { ApicClient } from './client.ts'
import type { Change } from './decode.ts'
import type { LogPosition } from './log-position.ts'
import type { ApicMirror } from './mirror.ts'
import type { Outbox } from './outbox.ts'
import type { Query } from './query.ts'

/** Protocol constants that only tests change. */
export interface Tuning {
  /** How long a subscription lives without `refresh-timeout`, ms (guide: one minute). */
  readonly subscriptionLifeMs: number
  /** Overlap of every re-read of a log class: records become visible late (reference b2: 30–120 s). */
  readonly overlapMs: number
  /** Wait between asking the newest record and calling its missing push a silence. */
  readonly canaryGraceMs: number
  /** Least time between two questions, ms. */
  readonly spacingMs: number
  /** Records asked for at once. */
  readonly pageSize: number
}

export const TUNING: Tuning = {
  subscriptionLifeMs: 60_000,
  overlapMs: 120_000,
  canaryGraceMs: 5000,
  spacingMs: 20,
  pageSize: 1000,
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
  readonly outbox: Outbox
  readonly gate: Gate
  readonly keeper: LeaseKeeper
  /** What is committed for a feed. */
  cursor(feed: string): Cursor | undefined
  /** The fabric's clock, ms since the epoch. */
  fabricNow(): number
  /** All subscriptions of the session: what one read finds may be news for another. */
  watchers(): readonly Watched[]
  /** True while the socket is held back, and for this long after: pushes are late then, not missing. */
  pausedWithin(ms: number): boolean
  /** Holds the socket back, until `resume`: more is waiting than shall be kept. */
  pause(): void
  resume(): void
  /** The session can't go on: the one door out. */
  fail(error: unknown): void
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
  /** How often in a row the canary found it mute. */
  mutes: number
  /** Of a log class. */
  readonly position: LogPosition
  accepts(change: Change, before: ManagedObject | undefined, after: ManagedObject | undefined): boolean
  prove(): void
}
