/** One fault on purpose, in the middle of the work of all three systems, and the judge of the schedules at the end. */
import type { FaultKind } from '../whole/kinds.ts'
import { runSeed, type SeedOptions, type SeedResult } from '../whole/run-seed.ts'
import type { Strike } from '../whole/schedule.ts'

const SPAN_MS = 6000

/** Strikes at 1.5 s and heals, where there is something to heal, after `forMs`. */
export function once(name: string, forMs: number, strike: FaultKind['strike'], more: Partial<FaultKind> = {}): Strike {
  return { index: 0, atMs: 1500, forMs, detail: {}, kind: { name, group: name, strike, ...more } }
}

/** Each has a seed of its own, for its settings; `wrongs` is what a test expects to be empty. */
export async function played(options: Omit<SeedOptions, 'spanMs'>): Promise<SeedResult> {
  const { result } = await runSeed({ spanMs: SPAN_MS, ...options })
  return result
}
