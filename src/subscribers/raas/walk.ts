/** Reading a listing newest first, down to a low-water mark, without losing rows at page edges (raas.md §4.1). */
import { codeOf } from '../../errors.ts'
import type { Page } from './rows.ts'

export type ReadPage = (limit: number, page: number) => Promise<Page>

const USUAL_LIMIT = 200
const LARGEST_LIMIT = 2000
const SMALLEST_LIMIT = 10
/** After so many calm walks the page size goes back one step to the usual one. */
const CALM_WALKS = 10
/** A server whose pages are short by another number each time is taken at its word after so many looks in a walk. */
const MOST_PROBES = 3

/** How large pages are now. Outlives a session: what made them small or large is still true after a reconnect. */
export class Pace {
  #wanted = USUAL_LIMIT
  /** The server seems to give no larger pages. */
  #cap = LARGEST_LIMIT
  /** Walks since the cap was found: it has to prove itself again, a server may be set up anew. */
  #cappedWalks = 0
  #calm = 0
  #timeouts = 0
  /** Rows in the smallest part that a page of this walk had to be read in. */
  #heavy: number | undefined

  get limit(): number {
    return Math.min(this.#wanted, this.#cap)
  }

  /** A tie was cut by a page edge: larger pages. False when they can't grow. */
  grow(): boolean {
    this.#calm = 0
    const { limit } = this
    if (limit >= this.#cap) return false
    this.#wanted = Math.min(limit * 2, LARGEST_LIMIT)
    return true
  }

  /** Holds for some walks and then has to be found again. */
  capAt(rows: number): void {
    this.#cap = Math.max(1, rows)
    this.#cappedWalks = 0
  }

  /** Two timeouts in a row halve the pages: heavy returns, or a slow database. */
  timedOut(): void {
    if (++this.#timeouts < 2) return
    this.#timeouts = 0
    this.#calm = 0
    this.#wanted = Math.max(SMALLEST_LIMIT, Math.floor(this.limit / 2))
  }

  /** A page was too large and was read in parts of so many rows: the next walk asks for no larger ones. */
  tooLarge(rows: number): void {
    this.#heavy = Math.max(SMALLEST_LIMIT, Math.min(rows, this.#heavy ?? rows))
  }

  walked(): void {
    this.#timeouts = 0
    if (this.#heavy !== undefined) {
      this.#wanted = Math.min(this.#wanted, this.#heavy)
      this.#calm = 0
      this.#heavy = undefined
    }
    if (this.#cap < LARGEST_LIMIT && ++this.#cappedWalks >= CALM_WALKS) this.#cap = LARGEST_LIMIT
    const wanted = this.#wanted
    if (wanted === USUAL_LIMIT || ++this.#calm < CALM_WALKS) return
    this.#calm = 0
    this.#wanted =
      wanted < USUAL_LIMIT ? Math.min(USUAL_LIMIT, wanted * 2) : Math.max(USUAL_LIMIT, Math.floor(wanted / 2))
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
  /** Called whenever the walk begins, at first and again from the top. */
  readonly begin?: () => void
}

export interface WalkResult {
  readonly newestUs: number | undefined
  readonly lowUs: number
  /** Time of the oldest row read. */
  readonly oldestUs: number | undefined
  /** False: `maxRows` came first, so rows between `lowUs` and `oldestUs` were not read. */
  readonly complete: boolean
  /** Times of groups larger than the largest page: some rows of these times may be missing. */
  readonly tornUs: readonly number[]
  /** The smallest and the largest number of all rows that the pages told since it last began; undefined when one told none. */
  readonly counts: { readonly least: number; readonly most: number } | undefined
}

/**
 * Walks once. A page that begins with the time the page before ended with may have been cut inside a group of equal
 * times, whose order is another one in each answer: then the walk begins again with larger pages, so that one answer
 * holds the group. Throws what `read` throws.
 */
export async function walkDown<R>(options: WalkOptions<R>): Promise<WalkResult> {
  const { read, pace, atUs, parse, low, maxRows, take, begin } = options
  const torn = new Set<number>()
  const timeOf = (raw: unknown): number | undefined => {
    const row = raw === undefined ? undefined : parse(raw)
    return row === undefined ? undefined : atUs(row)
  }
  const isOf =
    (us: number | undefined) =>
    (raw: unknown): boolean =>
      timeOf(raw) === us
  /** Rows on a first page that was shorter than asked and seemed to have another behind it. */
  let capSeen: number | undefined
  let probes = 0
  let newestUs: number | undefined
  let lowUs = Number.NEGATIVE_INFINITY
  let oldestUs: number | undefined
  let lastTail: number | undefined
  let [least, most] = [Number.POSITIVE_INFINITY, 0]
  for (let page = 0; ; ) {
    const { limit } = pace
    if (page === 0) {
      begin?.()
      ;[least, most] = [Number.POSITIVE_INFINITY, 0]
    }
    const answer = await timed(() => read(limit, page), pace)
    least = Math.min(least, answer.count ?? Number.NaN)
    most = Math.max(most, answer.count ?? Number.NaN)
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
      const whole = await timed(() => across(read, limit, page * limit, isOf(lastTail)), pace)
      if (whole === undefined) torn.add(lastTail)
      for (const row of (whole ?? []).map(parse)) if (row !== undefined) take(row)
    }
    // Read in parts, each answer of its own: a group of equal times across such a seam may have lost some.
    for (const seam of answer.seams ?? []) {
      const above = seam > 0 ? timeOf(answer.rows[seam - 1]) : undefined
      if (above !== undefined && above > lowUs && above === timeOf(answer.rows[seam])) torn.add(above)
    }
    for (const row of rows) take(row)
    const tail = times.at(-1)
    if (tail !== undefined && (oldestUs === undefined || tail < oldestUs)) oldestUs = tail
    const done = (complete: boolean): WalkResult => {
      pace.walked()
      const counts = Number.isNaN(least) ? undefined : { least, most }
      return { newestUs, lowUs, oldestUs, complete, tornUs: [...torn], counts }
    }
    if (times.some(us => us <= lowUs) || (answer.rows.length === 0 && answer.partial !== true)) return done(true)
    if (answer.rows.length < limit && answer.partial !== true) {
      // Fewer than asked, yet more are there by the count: the server caps its pages, or the count is not exact
      // (a commit between counting and reading, rows that the account may not see). A cap shows on the first page only.
      const { length } = answer.rows
      if (page > 0 || answer.count === undefined || answer.count <= length) return done(true)
      if (length === capSeen || probes >= MOST_PROBES) pace.capAt(length)
      else {
        const next = await timed(() => read(length, 1), pace)
        const met = new Set(answer.rows.map(row => JSON.stringify(row)))
        // A row that came meanwhile pushes one of these onto the next page: only others prove that there is one.
        if (!next.rows.some(row => !met.has(JSON.stringify(row)))) return done(true)
        capSeen = length
        probes++
      }
      // Once more from the top: with this cap, or to see whether the same page is as short again.
      continue
    }
    if ((page + 1) * limit >= maxRows) return done(false)
    lastTail = tail
    page++
  }
}

/**
 * A page of another size, cut elsewhere, that holds the whole group in whose midst position `edge` lies: pages can't
 * grow for ever, but a group of a few hundred rows fits into one as long as no edge falls into it. Undefined when this
 * page holds it neither.
 */
async function across(
  read: ReadPage,
  largest: number,
  edge: number,
  isOfGroup: (row: unknown) => boolean,
): Promise<readonly unknown[] | undefined> {
  let size = largest
  const offCentre = (rows: number): number => Math.abs((edge % rows) / rows - 0.5)
  for (let other = largest; other >= largest / 2; other -= Math.ceil(largest / 32)) {
    if (offCentre(other) < offCentre(size)) size = other
  }
  const page = Math.floor(edge / size)
  const { rows, partial } = await read(size, page)
  const [first, last] = [rows.findIndex(isOfGroup), rows.findLastIndex(isOfGroup)]
  const isWhole = first >= (page === 0 ? 0 : 1) && last < size - 1
  return isWhole && partial !== true ? rows : undefined
}

async function timed<T>(work: () => Promise<T>, pace: Pace): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (codeOf(error) === 'timeout') pace.timedOut()
    throw error
  }
}

/** The smallest number of equal parts that so many rows can be read in. */
export function smallestFactor(number: number): number {
  for (let factor = 2; factor * factor <= number; factor++) if (number % factor === 0) return factor
  return number
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
