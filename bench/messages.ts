/** What the processes of the benchmark tell each other. Times are wall ms: all run on one machine. */
import type { ContestRow } from './contest.ts'
import type { Pushed } from './frames.ts'

export interface Load {
  readonly cls: Pushed
  readonly count: number
  /** Different objects that the pushes are about. */
  readonly objects: number
  /** Number of the first push (0). */
  readonly first?: number
}

export type SourceHears =
  | ({ readonly ask: 'prepare' } & Load)
  /** Push what was prepared, as fast as the subscriber takes it. */
  | { readonly ask: 'push' }
  /** Push records stamped with the moment of sending, at this rate. */
  | ({ readonly ask: 'pace'; readonly perSecond: number } & Load)
  /** End the pacing early. */
  | { readonly ask: 'halt' }

export type SourceSays =
  | { readonly say: 'listening'; readonly url: string }
  | { readonly say: 'prepared'; readonly frameBytes: number }
  | { readonly say: 'started'; readonly atMs: number }
  | { readonly say: 'pushed'; readonly atMs: number; readonly count: number }

/** `subscribed`: push now. */
export type PartSays = { readonly say: 'subscribed' } | { readonly say: 'parts'; readonly rows: readonly ContestRow[] }

export type BareSays = { readonly say: 'subscribed' } | { readonly say: 'done'; readonly atMs: number }

/** To the simulated controller. */
export interface ControllerHears {
  readonly ask: 'report'
}

export type ControllerSays =
  | { readonly say: 'listening'; readonly url: string }
  | ({ readonly say: 'report' } & ControllerReport)

/** From the simulated controller's own record. Times are wall ms. */
export interface ControllerReport {
  /** Subscriptions that live now, and all that ever were. */
  readonly alive: number
  readonly made: number
  readonly lapses: number
  readonly lapsedSessions: number
  readonly refusedRefreshes: number
  readonly sessions: number
  readonly logins: number
  readonly firstLoginAt: number
  readonly lastMadeAt: number
  readonly requests: number
  /** The most within any second. */
  readonly busiestSecond: number
  /** Answers other than 200. */
  readonly refused: number
  /** Longest that a subscription lived without a refresh. */
  readonly widestGapMs: number
}

/** To the process that started this one. */
export function tell(message: SourceSays | BareSays | PartSays): void {
  process.send?.(message)
}
