/**
 * Rows that became visible below everything that walks reach are known by one sign only: the listing's `count`. From
 * sweep to sweep the number of rows below the sweep's mark must grow by those that were read above it before, and by
 * those that other ways found; what it grew by beside that was never read by anybody. Rows that vanish meanwhile (trims)
 * can hide that, nothing can feign it: where it can't be sure, it counts less. The number is left in the cursor, so that
 * a restart goes on with it.
 */
import { BoundedMap } from './bounded.ts'

const MOST_KEYS = 100_000
const MOST_MET = 200_000

export interface Swept {
  /** The mark that the sweep went down to. */
  readonly lowUs: number
  /** The smallest and the largest count that its pages told. */
  readonly least: number
  readonly most: number
  /** The rows above the mark, each version once. */
  readonly rows: readonly { readonly key: string; readonly us: number }[]
}

interface Base {
  readonly lowUs: number
  /** How many rows there were at or below the mark. */
  readonly below: number
  readonly rows: Swept['rows']
}

export class Tally {
  /** By row, whatever its version: when it was written last. */
  readonly #keys = new BoundedMap<number>(MOST_KEYS)
  readonly #versions = new BoundedMap<true>(MOST_KEYS)
  #base: Base | undefined
  /** The base is another process's: which rows below its mark are new to it is not known. */
  #isBlank = false
  /** Times of the versions first met since the last sweep. */
  #met: number[] = []
  /** Rows that were written again since the last sweep, and when they had been written before. */
  #moved: { readonly key: string; readonly beforeUs: number }[] = []
  /** What a second return of a minion does to the first, as far as it was seen. */
  #overwrites = false
  #adds = false
  /** Rows that the last sweep did not account for: one written again under its hands is met by the next, others are not. */
  #doubt = 0
  /** Rows that are there and that nobody read. */
  unread = 0

  /** This version of the row was read, by whichever way. */
  met(key: string, us: number): void {
    const version = `${us}|${key}`
    if (this.#versions.has(version)) return
    this.#versions.set(version, true)
    const beforeUs = this.#keys.get(key)
    if (beforeUs === undefined || us > beforeUs) this.#keys.set(key, us)
    if (beforeUs !== undefined && us > beforeUs) this.#moved.push({ key, beforeUs })
    this.#met.push(us)
    if (this.#met.length > MOST_MET) this.forget()
  }

  /** Goes on with what another process counted at or below its mark. */
  resume(lowUs: number, below: number): void {
    this.#base = { lowUs, below, rows: [] }
    this.#isBlank = true
  }

  /** How many of the rows at or below this mark have been accounted for; undefined when that can't be said. */
  accounted(lowUs: number | undefined): number | undefined {
    const base = this.#base
    if (base === undefined || base.lowUs !== lowUs) return undefined
    return base.below + this.#metBelow(base.lowUs) - this.unread
  }

  #metBelow(lowUs: number): number {
    return this.#isBlank ? 0 : this.#met.filter(us => us <= lowUs).length
  }

  /** What was counted so far says nothing any more: a sweep that ended early, rows that can't be read. */
  forget(): void {
    this.#base = undefined
    this.#doubt = 0
    this.#met = []
    this.#moved = []
    this.#keys.drain()
  }

  swept(now: Swept): void {
    this.#learn(now)
    const base = this.#base
    let below = now.most - now.rows.length
    if (base !== undefined && base.lowUs <= now.lowUs) {
      const isBelow = (us: number): boolean => us <= now.lowUs
      const sunk = base.rows.filter(({ us }) => isBelow(us)).length
      const rose = this.#overwrites && !this.#adds ? this.#moved.filter(({ beforeUs }) => isBelow(beforeUs)).length : 0
      const expected = base.below + sunk + this.#metBelow(now.lowUs) - rose
      const beyond = now.least - now.rows.length - expected
      const sure = Math.min(Math.max(0, beyond), this.#doubt)
      this.#doubt = Math.max(0, beyond) - sure
      this.unread += sure
      // What is in doubt has still to be accounted for.
      below -= this.#doubt
      // Rows have vanished, nobody knows which: one that is written again may not have left its old place.
      if (beyond < 0) this.#keys.drain()
    }
    for (const { key, us } of now.rows) if ((this.#keys.get(key) ?? 0) < us) this.#keys.set(key, us)
    this.#base = { lowUs: now.lowUs, below, rows: now.rows }
    this.#isBlank = false
    this.#met = []
    this.#moved = []
  }

  #learn({ lowUs, rows }: Swept): void {
    const versions = new Set(rows.map(({ key, us }) => `${us}|${key}`))
    for (const { key, beforeUs } of this.#moved) {
      if (beforeUs <= lowUs) continue
      if (versions.has(`${beforeUs}|${key}`)) this.#adds = true
      else this.#overwrites = true
    }
  }
}
