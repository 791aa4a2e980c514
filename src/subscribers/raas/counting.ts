/** What a walk read, handed to the tally. */
import type { Found } from './sieve.ts'
import type { TailOptions } from './tail-options.ts'
import type { WalkResult } from './walk.ts'

export interface Counted {
  /** The walk was a sweep: what it read is compared with what the server counts. */
  readonly isSweep: boolean
  /** Some row could not be read. */
  readonly hasBad: boolean
  /** What was read since the walk last began at the top: before that, a row may have been read that was written again. */
  readonly pass: ReadonlySet<string>
}

export function countRows<R>(
  { keyOf, memory }: Pick<TailOptions<R>, 'keyOf' | 'memory'>,
  found: ReadonlyMap<string, Found<R>>,
  { complete, counts, lowUs }: WalkResult,
  { isSweep, hasBad, pass }: Counted,
): void {
  const { tally, oversize } = memory
  const rows: { key: string; us: number }[] = []
  let isUntimed = false
  for (const [name, { row, us }] of found) {
    isUntimed ||= us === undefined
    if (us === undefined) continue
    const key = keyOf(row)
    tally.met(key, us)
    if (us > lowUs && pass.has(name)) rows.push({ key, us })
  }
  if (!complete || counts === undefined || hasBad || isUntimed || oversize.isAny) tally.forget()
  else if (isSweep) tally.swept({ lowUs, ...counts, rows })
}
