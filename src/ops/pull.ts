/** What `ops/` asks for when somebody looks: numbers that stand in other rooms and need no event to be true. */
import type { LeaseKind } from '../report.ts'

/** The store's numbers and its limit (bytes). */
export interface StoreView {
  readonly unacked: number
  readonly bytes: number
  readonly maxBytes: number
  /** Wall ms when the oldest unacked event was taken down; undefined when none waits. */
  readonly oldestMs: number | undefined
  readonly deadLetters: number
  /** False without `state_dir`: it lies in memory, and is gone when the process ends. */
  readonly durable: boolean
}

export interface LeaseMargin {
  readonly source: string
  readonly lease: LeaseKind
  /** Seconds left; negative once it lapsed. */
  readonly seconds: number
}

/** The session that a source reads by now. */
export interface SessionNumbers {
  readonly source: string
  readonly ageSeconds: number
  /** Until its successor is opened; undefined for a session that needs none. */
  readonly handOverSeconds: number | undefined
  /** Seconds left of the lease of each feed that has one of its own. */
  readonly feedSeconds: ReadonlyMap<string, number>
}

/** Counts of what the mirrored systems are in. `scope` and `role` are words from the config or the system's own few. */
export interface Gauges {
  readonly faults: readonly { source: string; severity: string; state: string; count: number }[]
  /** 0 to 100. */
  readonly health: readonly { source: string; scope: string; score: number }[]
  readonly nodes: readonly { source: string; role: string; state: string; count: number }[]
}

/** Called at each scrape and each look at the status page: cheap, without side effects. One that throws counts as empty. */
export interface Pull {
  /** Undefined while the store isn't open. */
  store(): StoreView | undefined
  leases(): readonly LeaseMargin[]
  /** For the status page only: thousands of feeds may be in it. A source without a session is left out. */
  sessions(): readonly SessionNumbers[]
  gauges(): Gauges
}
