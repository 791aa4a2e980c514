/**
 * When a sweep is due and how deep it goes: an hour below where the newest row was when the last one began, whether that
 * was 15 minutes ago or before an outage. So whatever becomes visible less than an hour late is met by one of them.
 */
import type { Cursor } from '../../record.ts'
import { parseUs } from './rows.ts'

/** How far back a sweep looks at least, µs. */
const DEEP_US = 3_600_000_000

export class Sweeps {
  /** Monotonic ms of the last one: sessions that live shorter than the interval must not put it off for ever. */
  #at: number | undefined
  /** Down to where the next one has to go. */
  #nextUs: number | undefined
  /** Down to where the last one went. */
  lastUs: number | undefined

  /** False until this process has swept, or begun with a first contact. */
  get isBegun(): boolean {
    return this.#at !== undefined
  }

  /** Goes on from what the process before left in the cursor: nobody knows what came after its last sweep. */
  resume(cursor: Cursor): void {
    this.#nextUs ??= parseUs(cursor['swept'])
    this.lastUs ??= this.#nextUs
  }

  isDue(now: number, everyMs: number): boolean {
    return this.#at === undefined || now - this.#at >= everyMs
  }

  /** How far below the newest row the next one goes, µs. */
  depthUs(newestUs: number | null, overlapMs: number, everyMs: number): number {
    const least = sweepUs(overlapMs)
    if (this.#nextUs !== undefined) return Math.max(least, (newestUs ?? 0) - this.#nextUs)
    return least + (this.#at === undefined ? everyMs * 1000 : 0)
  }

  /** One has been; `newestUs` is what was the newest row when it began. */
  done(now: number, newestUs: number | null, overlapMs: number): void {
    this.#at = now
    this.#nextUs = newestUs === null ? undefined : newestUs - sweepUs(overlapMs)
  }
}

export function sweepUs(overlapMs: number): number {
  return Math.max(DEEP_US, overlapMs * 2000)
}
