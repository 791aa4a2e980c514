/** What a feed tells the walk about itself. */
import type { Fact, Origin, SourceRef } from '../../event.ts'
import type { Cursor } from '../../record.ts'
import type { Report } from '../../report.ts'
import type { Clock } from '../../scheduler/clock.ts'
import type { Batch } from '../contract.ts'
import type { TailMemory } from './memory.ts'
import type { ReadPage } from './walk.ts'

export interface TailOptions<R> {
  readonly ref: SourceRef
  readonly feed: string
  readonly clock: Clock
  readonly report: Report
  readonly memory: TailMemory
  readonly read: ReadPage
  /** Throws `Poison`. */
  readonly parse: (row: unknown) => R
  readonly atUs: (row: R) => number | undefined
  /** Names this version of the row cheaply: what it is and when it was written. */
  readonly nameOf: (row: R) => string
  /** Names the row whatever its version. */
  readonly keyOf: (row: R) => string
  /** Undefined: not to be published. */
  readonly fact: (row: R, origin: Origin) => Fact | undefined
  /** Told of every row that a walk meets. */
  readonly saw?: (row: R) => void
  readonly serverUs: () => number
  /** The server's time, if it has told it. */
  readonly toldUs: () => number | undefined
  /** A job loop runs beside the walks and reads what they can't. */
  readonly hasJobLoop: boolean
  /** Called before each walk, told how deep it will go. */
  readonly prepare?: (fromUs: number) => Promise<void>
  readonly overlapMs: number
  readonly backfillMs: number
  readonly rememberMs: number
  readonly maxRows: number
  readonly cursor: Cursor | undefined
  /** At the first contact: what tells of the time after the store's file was lost, and before it. */
  readonly unknown: () => readonly Fact[]
  readonly push: (batch: Batch) => Promise<void>
  /** A walk that ended early: fills what it can and tells what can't be filled. Facts and the gap come back. */
  readonly fill: (fromUs: number, toUs: number) => Promise<readonly Fact[]>
}
