/** What a store is given: its bounds, and whom it tells. */
import type { Report } from '../report.ts'
import type { Clock } from '../scheduler/clock.ts'
import type { LostState, Reopen } from './database.ts'
import type { Integrity } from './integrity.ts'
import type { Lock, StoreLocked } from './lock.ts'
import type { Place } from './place.ts'

export interface StoreLimits {
  /** Bytes of unacked and retained rows. */
  readonly maxBytes: number
  /** How long acked rows stay. */
  readonly retainAckedMs: number
  /** Dead letters kept at most; together they take no more than a quarter of `maxBytes`, too. */
  readonly maxDeadLetters: number
  readonly clock: Clock
  readonly report: Report
  /**
   * The file was found damaged while the store ran, and a new one was begun: what it held is gone, and the caller
   * announces the gap. Cursors and mirror are empty then; what sources append goes on.
   */
  readonly onLostState?: ((lost: LostState) => void) | undefined
  /**
   * The `state_dir` was taken away while the store ran, and another process has it now. Nothing is written any more, and what
   * is not delivered is lost with this process: the caller ends it.
   */
  readonly onTaken?: ((error: StoreLocked) => void) | undefined
}

/** What belongs to a store on disk. */
export interface OnDisk {
  readonly lock?: Lock
  readonly lostState?: LostState | undefined
  readonly idRunSize?: number
  readonly reopen?: Reopen
  readonly place?: Place
  readonly integrity?: Integrity
  /** The file, for a thread that writes it: without it this thread does. */
  readonly threadFor?: string | undefined
}
