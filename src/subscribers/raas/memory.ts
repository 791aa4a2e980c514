/** What a feed remembers beyond a session. Written only when a batch is durable: a session lost before that forgets nothing. */
import { hash } from 'node:crypto'
import type { DeadLetter } from '../../record.ts'
import { BoundedMap } from './bounded.ts'
import { canonical } from './normalise-return.ts'
import { Oversize } from './oversize.ts'
import { Sweeps } from './sweeps.ts'
import { Tally } from './tally.ts'
import { Pace } from './walk.ts'

const MOST_BAD = 10_000
const MOST_TIES = 1000
/** Row versions and facts known by name, each. */
export const MOST_REMEMBERED = 50_000

/** Rows that are dead letters already, by digest: the overlap shows the same bad row at every poll. */
export class BadRows {
  readonly #known = new BoundedMap<true>(MOST_BAD)

  /** Adds the row to `dead`, by its digest, unless it is known. */
  note(dead: Map<string, DeadLetter>, row: unknown, reason: string): void {
    const digest = hash('sha256', canonical(row) ?? 'undefined', 'hex')
    if (!this.#known.has(digest)) dead.set(digest, { reason, content: JSON.stringify(row) ?? 'undefined' })
  }

  /** The dead letters are committed. */
  kept(dead: ReadonlyMap<string, DeadLetter>): void {
    for (const digest of dead.keys()) this.#known.set(digest, true)
  }
}

export class FeedMemory {
  readonly pace = new Pace()
  readonly bad = new BadRows()
}

/** The memory of a feed that is walked newest first. */
export class TailMemory extends FeedMemory {
  readonly sweeps = new Sweeps()
  /** Where the first walk began: a row above it that only a sweep finds was really missed. */
  watchedFromUs: number | undefined
  /** Down to where the first contact marked what was there already. */
  marksFromUs: number | undefined
  /** What was there at the first contact, with its time. */
  readonly marked = new Map<string, number | undefined>()
  /** Row versions dealt with, by name, and facts committed, by id; with the row's time. */
  readonly names = new BoundedMap<number>(MOST_REMEMBERED, us => this.#forgot(us))
  readonly ids = new BoundedMap<number>(MOST_REMEMBERED, us => this.#forgot(us))
  /** Ties larger than a page that were told as gaps, by their time. */
  readonly ties = new BoundedMap<true>(MOST_TIES)
  readonly oversize = new Oversize()
  readonly tally = new Tally()
  /** Monotonic ms of the last search for rows that the tally proves. */
  searchedAt: number | undefined
  /** Rows of this time and before, down to where that walk was to go, were told as a gap. */
  gapUntilUs = Number.NEGATIVE_INFINITY
  #forgottenUs = Number.NEGATIVE_INFINITY

  /** Of rows at or below this time nobody knows any more whether they are new. */
  get forgottenUs(): number {
    return this.#forgottenUs
  }

  #forgot(us: number): void {
    this.#forgottenUs = Math.max(this.#forgottenUs, us)
  }

  /** True for a row that was dealt with; the longer it is met, the longer it is remembered. */
  knows(name: string): boolean {
    const us = this.names.get(name)
    if (us === undefined) return false
    this.names.set(name, us)
    return true
  }

  /** Begins a first contact: what an earlier one, never committed, had marked does not count. */
  restart(fromUs: number): void {
    this.marked.clear()
    this.marksFromUs = undefined
    this.watchedFromUs = fromUs
  }

  /** Marks at or below the floor are no longer in sight; those of rows without a time or ahead of the floor stay. */
  forgetMarks(floorUs: number): void {
    for (const [name, us] of this.marked) if (us !== undefined && us <= floorUs) this.marked.delete(name)
    this.marksFromUs = undefined
  }
}
