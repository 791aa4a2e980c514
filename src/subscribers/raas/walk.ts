/** Reading a listing newest first, down to a low-water mark, without losing rows at page edges (raas.md §4.1). */
import { codeOf, Retryable } from '../../errors.ts'
import type { Page } from './rows.ts'

export type ReadPage = (limit: number, page: number) => Promise<Page>

const USUAL_LIMIT = 200
const LARGEST_LIMIT = 2000
const SMALLEST_LIMIT = 10
/** After so many calm walks the page size goes back one step to the usual one. */
const CALM_WALKS = 10

/** How large pages are now. Outlives a session: what made them small or large is still true after a reconnect. */
export class Pace {
  #limit = USUAL_LIMIT
  /** The server gives no larger pages. */
  #cap = LARGEST_LIMIT
  #calm = 0
  #timeouts = 0

  get limit(): number {
    return this.#limit
  }

  /** A tie was cut by a page edge: larger pages. False when they can't grow. */
  grow(): boolean {
    this.#calm = 0
    if (this.#limit >= this.#cap) return false
    this.#limit = Math.min(this.#limit * 2, this.#cap)
    return true
  }

  capAt(rows: number): void {
    this.#cap = Math.max(1, rows)
    this.#limit = Math.min(this.#limit, this.#cap)
  }

  /** Two timeouts in a row halve the pages: heavy returns, or a slow database. */
  timedOut(): void {
    if (++this.#timeouts < 2) return
    this.#timeouts = 0
    this.#calm = 0
    this.#limit = Math.max(Math.min(SMALLEST_LIMIT, this.#cap), Math.floor(this.#limit / 2))
  }

  walked(): void {
    this.#timeouts = 0
    const usual = Math.min(USUAL_LIMIT, this.#cap)
    if (this.#limit === usual || ++this.#calm < CALM_WALKS) return
    this.#calm = 0
    this.#limit = this.#limit < usual ? Math.min(usual, this.#limit * 2) : Math.max(usual, Math.floor(this.#limit / 2))
  }
}

export interface WalkOptions<R> {
  readonly read: ReadPage
  readonly pace: Pace
  /** Undefined for a row that can't be read or has no time; `take` sees to it. */
  readonly atUs: (row: R) => number | undefined
  readonly parse: (row: unknown) => R | undefined
  /** Where to stop, told the newest row's time (undefined without one). */
  readonly low: (newestUs: number | undefined) => number
  readonly maxRows: number
  /** Sees every row of the walk, some of them more than once. */
  readonly take: (row: R) => void
}

export interface WalkResult {
  readonly newestUs: number | undefined
  readonly lowUs: number
  /** Time of the oldest row read. */
  readonly oldestUs: number | undefined
  /** False: `maxRows` came first, so rows between `lowUs` and `oldestUs` were not read. */
  readonly complete: boolean
  /** A group of equal times was larger than the largest page: some of it may be missing. */
  readonly unsure: boolean
}

/**
 * Walks once. A page that begins with the time the page before ended with may have been cut inside a group of equal
 * times, whose order is another one in each answer: then the walk begins again with larger pages, so that one answer
 * holds the group. Throws what `read` throws.
 */
export async function walkDown<R>(options: WalkOptions<R>): Promise<WalkResult> {
  const { read, pace, atUs, parse, low, maxRows, take } = options
  let unsure = false
  let newestUs: number | undefined
  let lowUs = Number.NEGATIVE_INFINITY
  let oldestUs: number | undefined
  let lastTail: number | undefined
  for (let page = 0; ; ) {
    const { limit } = pace
    const answer = await timed(() => read(limit, page), pace)
    const rows: R[] = answer.rows.map(parse).filter(row => row !== undefined)
    const times = rows.map(atUs).filter(us => us !== undefined)
    if (page === 0) {
      newestUs = times.reduce<number | undefined>(
        (most, us) => (most === undefined || us > most ? us : most),
        undefined,
      )
      lowUs = low(newestUs)
    } else if (lastTail !== undefined && times[0] === lastTail) {
      if (pace.grow()) {
        page = 0
        lastTail = undefined
        continue
      }
      unsure = true
    }
    for (const row of rows) take(row)
    const tail = times.at(-1)
    if (tail !== undefined && (oldestUs === undefined || tail < oldestUs)) oldestUs = tail
    const done = (complete: boolean): WalkResult => {
      pace.walked()
      return { newestUs, lowUs, oldestUs, complete, unsure }
    }
    if (times.some(us => us <= lowUs) || (answer.rows.length === 0 && answer.partial !== true)) return done(true)
    if (answer.rows.length < limit && answer.partial !== true) {
      // Fewer than asked, yet more are there: the server caps its pages. Only the first page can show it: at the end
      // of the listing a count that is a little off would look the same.
      if (page > 0 || answer.count === undefined || answer.count <= answer.rows.length) return done(true)
      pace.capAt(answer.rows.length)
      continue
    }
    if ((page + 1) * limit >= maxRows) return done(false)
    lastTail = tail
    page++
  }
}

async function timed<T>(work: () => Promise<T>, pace: Pace): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (codeOf(error) === 'timeout') pace.timedOut()
    throw error
  }
}

function smallestFactor(number: number): number {
  for (let factor = 2; factor * factor <= number; factor++) if (number % factor === 0) return factor
  return number
}

/**
 * A reader that survives answers above the byte limit: the page is read again in parts, down to single rows; a row
 * that is too large by itself is left out and `skipped` is told.
 */
export function splitting(read: ReadPage, skipped: () => void): ReadPage {
  const attempt: ReadPage = async (limit, page) => {
    try {
      return await read(limit, page)
    } catch (error) {
      if (!(error instanceof Retryable) || error.code !== 'too_large') throw error
      if (limit <= 1) {
        skipped()
        return { rows: [], count: undefined, partial: true }
      }
      const parts = smallestFactor(limit)
      const rows: unknown[] = []
      for (let part = 0; part < parts; part++) {
        const answer = await attempt(limit / parts, page * parts + part)
        rows.push(...answer.rows)
        // Past the end there is nothing to look for.
        if (answer.partial !== true && answer.rows.length < limit / parts) break
      }
      return { rows, count: undefined, partial: true }
    }
  }
  return attempt
}

/** Every row of a listing, page by page: for listings whose order does not matter. */
export async function readAll(read: ReadPage, limit: number, maxRows = 100_000): Promise<unknown[]> {
  const rows: unknown[] = []
  let size = limit
  for (let page = 0; rows.length < maxRows; page++) {
    const answer = await read(size, page)
    rows.push(...answer.rows)
    const ended = answer.rows.length < size && answer.partial !== true
    if (answer.rows.length === 0 && answer.partial !== true) break
    if (!ended) continue
    if (answer.count === undefined || rows.length >= answer.count) break
    if (page > 0) break
    // A server that caps its pages: go on with its size.
    size = answer.rows.length
  }
  return rows
}
