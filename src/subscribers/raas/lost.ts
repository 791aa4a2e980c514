/** What a walk could not read and nobody else will: gaps, each told once. */
import { type Fact, gapFact } from '../../event.ts'
import { isoOfUs } from './rows.ts'
import type { TailOptions } from './tail-options.ts'
import type { WalkResult } from './walk.ts'

export interface Lost {
  readonly facts: readonly Fact[]
  /** To be called when these gaps are durable. */
  readonly told: () => void
}

/**
 * Ties larger than a page, where no job loop reads the rest, and rows larger than an answer, where no job loop has told
 * their outcome.
 */
export function lostBy<R>({ tornUs }: WalkResult, options: TailOptions<R>): Lost {
  const { memory, hasJobLoop, ref, feed } = options
  const torn = hasJobLoop ? [] : tornUs.filter(us => !memory.ties.has(String(us)))
  const large = memory.oversize.due(hasJobLoop)
  const gaps = [...torn.map(us => ({ fromUs: us, toUs: us })), ...large]
  const facts = gaps.map(({ fromUs, toUs }) =>
    gapFact(ref, {
      ...{ feed, classes: [], reason: 'row_limit', recovered: 0 },
      from: Number.isFinite(fromUs) ? isoOfUs(fromUs) : null,
      to: isoOfUs(toUs),
    }),
  )
  return {
    facts,
    told: () => {
      for (const us of torn) memory.ties.set(String(us), true)
      memory.oversize.settle(large)
    },
  }
}
