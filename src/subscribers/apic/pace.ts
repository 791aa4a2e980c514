/** What all sources of a process share of a controller: its pace, and which logins it refused. */
import type { Clock } from '../../scheduler/clock.ts'
import { Pace } from '../../scheduler/pace.ts'
import type { Tuning } from './core.ts'
import { Refusals } from './refusals.ts'

export interface PaceTerms {
  readonly clock: Clock
  /** Requests under way at once; where sources differ, the largest counts. */
  readonly maxConcurrency: number
  readonly tuning: Tuning
}

export class Paces {
  readonly refusals = new Refusals()
  readonly #paces = new Map<string, Pace>()

  /** That of the controller at `address`, made when it is first asked for. */
  of(address: string, { clock, maxConcurrency, tuning }: PaceTerms): Pace {
    const { origin } = new URL(address)
    let pace = this.#paces.get(origin)
    if (pace === undefined) {
      pace = new Pace({
        clock,
        maxConcurrency,
        ratePerSecond: tuning.requestsPerSecond,
        burst: tuning.burst,
        spacingMs: tuning.spacingMs,
        sessionSpacingMs: tuning.loginSpacingMs,
      })
      this.#paces.set(origin, pace)
    }
    pace.allow(maxConcurrency)
    return pace
  }
}
