/** The one function for everything that happens: it logs, remembers and counts together. */
import { describe } from '../errors.ts'
import type { Report } from '../report.ts'
import type { Log } from './log.ts'
import type { Model } from './model.ts'
import type { Narrator } from './narrate.ts'
import type { Tallies } from './tallies.ts'

export interface ReporterOptions {
  readonly log: Log
  readonly narrator: Narrator
  readonly model: Model
  readonly tallies: Tallies
}

/** The returned function never throws: what watches the work must not stop it. A fault of ours here is logged, once a kind. */
export function createReporter(options: ReporterOptions): Report {
  const { log, narrator, model, tallies } = options
  const failed = new Set<string>()
  return happening => {
    try {
      // Counted first: a line can be missed, a number can't be made up for.
      tallies.count(happening)
      model.note(happening)
      narrator.tell(happening)
    } catch (error) {
      if (failed.has(happening.type)) return
      failed.add(happening.type)
      log.write('error', `bug: could not report ${happening.type}: ${describe(error)}`)
    }
  }
}
