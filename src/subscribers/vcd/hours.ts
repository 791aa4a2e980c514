/**
 * How many rows of each hour were dealt with: held against what the cell counts, it shows rows that became visible later than any
 * sweep looks. Kept in the mirror and committed with the rows.
 */
import type { MirrorChange, MirrorView } from '../../record.ts'

export const HOUR_MS = 3_600_000
const FAMILY = 'vcd.hour'
/** Where counting began, for a trail that was read before its rows were counted. */
const BEGIN = `${FAMILY}/begin`
/** After this an hour is not compared any more. */
const KEPT_MS = 7 * 24 * HOUR_MS

/** Undefined: the rows of that hour may have been counted twice, so the number says nothing. */
type Count = number | undefined

const hourOf = (ms: number): number => Math.floor(ms / HOUR_MS) * HOUR_MS

export class Hours {
  readonly #counts = new Map<number, Count>()
  readonly #checkedAt = new Map<number, number>()
  /** Rows below were dealt with and not counted. */
  readonly #begin: number
  #beginStored: boolean
  /** Hours below are past their time, by the cell's clock: the stamp of a row may be anything. */
  #forgetBelow = Number.NEGATIVE_INFINITY

  /** `sureBelow`: rows from there on will be read, and counted, again; undefined when none was ever read. */
  constructor(mirror: MirrorView, sureBelow: number | undefined) {
    for (const { key, family, attributes } of mirror.values()) {
      if (family !== FAMILY) continue
      const hour = Number(key.slice(FAMILY.length + 1))
      const rows = attributes['rows'] ?? ''
      if (Number.isSafeInteger(hour)) this.#counts.set(hour, /^\d+$/.test(rows) ? Number(rows) : undefined)
    }
    const stored = mirror.get(BEGIN)?.attributes['ms']
    this.#beginStored = stored !== undefined
    this.#begin = stored === undefined ? Math.min(sureBelow ?? 0, ...this.#counts.keys()) : Number(stored)
    if (sureBelow !== undefined) this.unsureFrom(sureBelow)
  }

  /** Rows from this time on will be counted again. */
  unsureFrom(ms: number): void {
    for (const hour of this.#counts.keys()) if (hour + HOUR_MS > ms) this.#counts.set(hour, undefined)
  }

  /** Rows of that hour; undefined when that is not known for sure. */
  rows(hour: number): Count {
    return this.#counts.has(hour) ? this.#counts.get(hour) : 0
  }

  /**
   * Hours that are to be compared now, those first that have waited longest: each one hourly while it is younger than a day, then
   * daily. Of the first one the part from `from` on, and only what ends by `until`.
   */
  due(from: number, until: number, now: number): number[] {
    const due: number[] = []
    this.#forgetBelow = hourOf(now - KEPT_MS) - HOUR_MS
    const first = Math.max(hourOf(from), hourOf(now - KEPT_MS), this.#begin)
    for (let hour = hourOf(until) - HOUR_MS; hour >= first; hour -= HOUR_MS) {
      const waitMs = now - hour > 25 * HOUR_MS ? 24 * HOUR_MS : HOUR_MS
      if (now - (this.#checkedAt.get(hour) ?? Number.NEGATIVE_INFINITY) >= waitMs) due.push(hour)
    }
    const at = (hour: number): number => this.#checkedAt.get(hour) ?? Number.NEGATIVE_INFINITY
    return due.sort((a, b) => (at(a) === at(b) ? b - a : at(a) - at(b)))
  }

  checked(hour: number, now: number): void {
    this.#checkedAt.set(hour, now)
  }

  /** What counting rows at these times, or setting an hour, will have changed; of effect with `adopt`. */
  draft(): HoursDraft {
    return new HoursDraft(this)
  }

  /** The changes that these counts make, hours past their time (as of the last `due`) forgotten. */
  changes(drafts: ReadonlyMap<number, Count>): MirrorChange[] {
    const changes: MirrorChange[] = []
    if (!this.#beginStored) {
      const attributes = { ms: String(this.#begin) }
      changes.push({ key: BEGIN, object: { key: BEGIN, family: FAMILY, version: '', attributes } })
    }
    for (const [hour, rows] of drafts) {
      const key = `${FAMILY}/${hour}`
      const attributes = { rows: rows === undefined ? '?' : String(rows) }
      changes.push({ key, object: { key, family: FAMILY, version: '', attributes } })
    }
    for (const hour of this.#counts.keys()) {
      if (hour < this.#forgetBelow && !drafts.has(hour)) changes.push({ key: `${FAMILY}/${hour}`, object: null })
    }
    return changes
  }

  /** Where counting began is known to the store. */
  get begun(): boolean {
    return this.#beginStored
  }

  adopt(drafts: ReadonlyMap<number, Count>): void {
    this.#beginStored = true
    for (const [hour, rows] of drafts) this.#counts.set(hour, rows)
    for (const hour of this.#counts.keys()) {
      if (hour >= this.#forgetBelow || drafts.has(hour)) continue
      this.#counts.delete(hour)
      this.#checkedAt.delete(hour)
    }
  }
}

export class HoursDraft {
  readonly #hours: Hours
  readonly #counts = new Map<number, Count>()

  constructor(hours: Hours) {
    this.#hours = hours
  }

  /** One more row at that time. */
  add(timeMs: number): void {
    const hour = hourOf(timeMs)
    const before = this.#counts.has(hour) ? this.#counts.get(hour) : this.#hours.rows(hour)
    this.#counts.set(hour, before === undefined ? undefined : before + 1)
  }

  set(hour: number, rows: number): void {
    this.#counts.set(hour, rows)
  }

  changes(): MirrorChange[] {
    return this.#isNothing() ? [] : this.#hours.changes(this.#counts)
  }

  adopt(): void {
    if (!this.#isNothing()) this.#hours.adopt(this.#counts)
  }

  #isNothing(): boolean {
    return this.#counts.size === 0 && this.#hours.begun
  }
}
