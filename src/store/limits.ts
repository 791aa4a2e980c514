/** What a store is given: its bounds, and whom it tells. */
import type { Report } from '../report.ts'
import type { Clock } from '../scheduler/clock.ts'
import type { LostState } from './database.ts'

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
}
