/** What the pump is given, and what it answers. */
import type { Report } from '../report.ts'
import type { Clock } from '../scheduler/clock.ts'
import type { Store } from '../store/contract.ts'
import type { Sink } from './contract.ts'

/** Acknowledged events that neither sink nor store have any more, by when the sink took them in, ms. */
export interface Forgotten {
  /** Undefined: nobody knows. */
  readonly fromMs: number | undefined
  readonly toMs: number
}

export interface PumpOptions {
  readonly store: Store
  readonly sink: Sink
  readonly clock: Clock
  readonly report: Report
  /** Aborting it ends the sending at once: what is unanswered stays doubtful for the next start. `stop` is still to be called. */
  readonly signal?: AbortSignal
  /**
   * Announces what a sink that went back in time has lost for good. Until it resolves nothing is written down of where
   * the sink is now, so that a process which dies before that finds it out again. Undefined where nobody is to be told.
   */
  readonly onForgotten?: (forgotten: Forgotten) => Promise<void>
}

export interface PumpState {
  readonly up: boolean
  /** Where it delivers to, or why it doesn't. */
  readonly detail: string
  readonly unanswered: number
  readonly doubtful: number
}

export interface Pump {
  /** Sends nothing more, waits up to `deadlineMs` for answers, closes the sink. Idempotent, never rejects. */
  stop(deadlineMs: number): Promise<void>
  state(): PumpState
  /**
   * Resolves, if ever, when the sink is gone for good (`SinkGone`: the reader of standard output went away). Nothing
   * will be delivered by this process then: it should end, before it fills its store for nobody.
   */
  readonly gone: Promise<Error>
}
