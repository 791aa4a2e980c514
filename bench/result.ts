/** What a run finds out, part by part: as JSON it is what docs/benchmarks.json holds and the tables are made of. */
import type { CatchUp } from './catch-up.ts'
import type { ContestRow } from './contest.ts'
import type { Latency } from './latency.ts'
import type { Machine } from './machine.ts'
import type { Memory } from './memory.ts'
import type { ClassRate } from './normalise.ts'
import type { LapProfile } from './profile.ts'
import type { RaasPolls } from './raas.ts'
import type { StartUp } from './start-up.ts'
import type { Quiet } from './subscriptions.ts'
import type { VcdPolls } from './vcd.ts'
import type { Row } from './whole-way.ts'

export interface Figures {
  readonly start: readonly StartUp[]
  readonly latency: readonly Latency[]
  readonly way: readonly Row[]
  readonly parts: readonly ContestRow[]
  readonly memory: Memory
  readonly subscriptions: readonly Quiet[]
  readonly raas: RaasPolls
  readonly vcd: VcdPolls
  readonly normalise: readonly ClassRate[]
  readonly profile: readonly LapProfile[]
  readonly catchup: CatchUp
}

export type Part = keyof Figures

/** In the order in which they are measured. */
export const PARTS = [
  'normalise',
  'start',
  'latency',
  'way',
  'parts',
  'profile',
  'memory',
  'subscriptions',
  'raas',
  'vcd',
  'catchup',
] as const satisfies readonly Part[]

export interface Recorded<P extends Part> {
  readonly date: string
  /** Short hash; with a `+` when the work tree was not clean. */
  readonly commit: string
  readonly machine: Machine
  readonly figures: Figures[P]
}

/** A part that was never measured is not there. */
export type Result = { readonly [P in Part]?: Recorded<P> }

/** Six digits are more than any of it is worth. What could not be measured (NaN) is null. */
export function toJson(result: Result): string {
  const round = (_key: string, value: unknown): unknown =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value
  return `${JSON.stringify(result, round, 2)}\n`
}

/** What `toJson` made: tables are always made of this, so that they are the same from a run and from the file. */
export function fromJson(text: string): Result {
  return JSON.parse(text, (_key, value: unknown) => (value === null ? Number.NaN : value)) as Result
}
