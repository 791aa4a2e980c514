/**
 * Rows larger than an answer may be. They can't be read, so each is known by the times of its neighbours: that is what
 * the gap says, and how later walks find where it stands now, by single rows, to read around it.
 */
import { codeOf } from '../../errors.ts'
import { isRow, type Page, parseUs } from './rows.ts'
import { type ReadPage, smallestFactor } from './walk.ts'

const MOST_HOLES = 20
/** Neighbours looked at on each side, at most. */
const FAR = 10
/** Above the largest page: a hole below it is only met by walks that go down to its time. */
const DEEP = 2000
/** So many places are looked at one by one, which never meets the large row, before guessing, which may. */
const NEAR = 16
/** With a job loop, it has so many walks to tell the return's outcome before the gap is told. */
const PATIENCE = 4

interface Hole {
  /** Time of the readable row below; -Infinity when there is none. */
  fromUs: number
  /** Time of the readable row above, or the server's when there was none. */
  toUs: number
  /** One of a group of equal times: it stands elsewhere in each answer, so the group as a whole is read around. */
  tied: boolean
  /** How many unreadable rows stand there. */
  count: number
  /** First position of what is read around, and how many there are, as of the last look. */
  at: number
  size: number
  walks: number
  told: boolean
}

export class Oversize {
  #holes: Hole[] = []

  /** Some row can't be read now. */
  get isAny(): boolean {
    return this.#holes.length > 0
  }

  /** The position of every known hole, now. `fromUs`: how deep the walk will go. */
  async locate(read: ReadPage, fromUs: number, nowUs: number): Promise<Hole[]> {
    const located: Hole[] = []
    for (const hole of this.#holes) {
      hole.walks++
      if (hole.toUs < fromUs && hole.at > DEEP) continue
      const { at, size } = await find(read, hole)
      Object.assign(hole, { at, size })
      if (!hole.tied && size > hole.count) {
        // Another one came beside it, or it is one of a group of equal times that was not seen as one before.
        const tieUs = await readableAmong(read, at, size)
        if (tieUs === undefined) Object.assign(hole, { count: size, toUs: nowUs, walks: 0, told: false })
        // Time of the group: -Infinity when rows went away meanwhile, and there is none.
        else Object.assign(hole, { tied: true, toUs: Math.max(tieUs, hole.fromUs) })
      }
      if (!hole.tied && size > 0 && at > 0) hole.toUs = Math.min(hole.toUs, (await look(read, at - 1)) ?? hole.toUs)
      if (size > 0) located.push(hole)
    }
    this.#holes = this.#holes.filter(hole => hole.size > 0)
    return located
  }

  /** The row at this position can't be read. True when that is news. */
  async met(read: ReadPage, position: number, nowUs: number): Promise<boolean> {
    const below = await neighbour(read, position, 1)
    const above = await neighbour(read, position, -1)
    const fromUs = below.us ?? Number.NEGATIVE_INFINITY
    const toUs = Math.max(above.us ?? nowUs, fromUs)
    const tied = above.us !== undefined && above.us === below.us
    const count = below.passed + above.passed + 1
    const known = this.#holes.find(
      hole =>
        hole.count >= count &&
        (tied || hole.tied ? hole.toUs === toUs || hole.fromUs === fromUs : hole.fromUs <= toUs && hole.toUs >= fromUs),
    )
    const at = position - above.passed
    if (known !== undefined) {
      if (!known.tied) Object.assign(known, { at, size: count, fromUs, toUs: Math.min(known.toUs, toUs) })
      return false
    }
    this.#holes.push({ fromUs, toUs, tied, count, at, size: count, walks: 0, told: false })
    if (this.#holes.length > MOST_HOLES) this.#holes.shift()
    return true
  }

  /** The job loop told the outcome of a return of this time. */
  told(us: number): void {
    for (const hole of this.#holes) if (us >= hole.fromUs && us <= hole.toUs) hole.told = true
  }

  /** What is there at the first contact is no loss. */
  forgive(): void {
    for (const hole of this.#holes) hole.told = true
  }

  /** Holes that must be told now. */
  due(hasJobLoop: boolean): readonly { readonly fromUs: number; readonly toUs: number }[] {
    return this.#holes.filter(hole => !hole.told && (!hasJobLoop || hole.walks >= PATIENCE))
  }

  /** These were told, and that is durable. */
  settle(holes: readonly { readonly fromUs: number; readonly toUs: number }[]): void {
    for (const hole of this.#holes) if (holes.includes(hole)) hole.told = true
  }
}

function timeOf(row: unknown): number {
  // The database puts rows without a time on top.
  return (isRow(row) ? parseUs(row['alter_time']) : undefined) ?? Number.POSITIVE_INFINITY
}

/** Time of the row at this position; undefined when it is too large, -Infinity past the end. */
async function look(read: ReadPage, position: number): Promise<number | undefined> {
  try {
    const { rows } = await read(1, position)
    return rows.length === 0 ? Number.NEGATIVE_INFINITY : timeOf(rows[0])
  } catch (error) {
    if (codeOf(error) !== 'too_large') throw error
    return undefined
  }
}

async function neighbour(read: ReadPage, position: number, step: 1 | -1) {
  let passed = 0
  for (let at = position + step; at >= 0 && passed < FAR; at += step, passed++) {
    // In a group of equal times the large row may have moved here meanwhile: a second look tells.
    const us = (await look(read, at)) ?? (await look(read, at))
    if (us !== undefined) return { us: Number.isFinite(us) ? us : undefined, passed }
  }
  return { us: undefined, passed }
}

/** Looks again and again: in a group of equal times a readable row shows itself, and its time, sooner or later. */
async function readableAmong(read: ReadPage, from: number, size: number): Promise<number | undefined> {
  for (let again = 0; again < 3; again++) {
    for (let at = from; at < from + size; at++) {
      const us = await look(read, at)
      if (us !== undefined) return us
    }
  }
  return undefined
}

async function find(read: ReadPage, hole: Hole): Promise<{ at: number; size: number }> {
  const { tied, fromUs, toUs, count } = hole
  const isAbove = (us: number): boolean => (tied ? us > toUs : us > fromUs)
  // What is past the end is below whatever is looked for: that ends every search.
  const isBelow = (us: number): boolean => us === Number.NEGATIVE_INFINITY || (tied ? us < toUs : us <= fromUs)
  let above = -1
  let below = hole.at + hole.size
  let inside: number | undefined
  // As long as its neighbour above was not met, the large row stands further down than the next place.
  for (let at = hole.at - 1; !tied && at >= 0 && at < hole.at + NEAR; at++) {
    const us = await look(read, at)
    if (us === undefined || isBelow(us)) break
    above = at
    below = Math.max(below, at + 1 + count)
    if (us === toUs) break
  }
  // Rows that came on top pushed it down: look for the first known one below it.
  for (let step = 1; ; step *= 2) {
    const us = await look(read, below)
    if (us !== undefined && isBelow(us)) break
    if (us !== undefined && isAbove(us)) above = below
    else inside = below
    below += step
  }
  let guess: number | undefined = hole.at - 1
  while (inside === undefined && below - above - 1 > (tied ? 0 : count)) {
    const middle: number = guess !== undefined && guess > above && guess < below ? guess : (above + below) >> 1
    guess = undefined
    const us = await look(read, middle)
    if (us !== undefined && isAbove(us)) above = middle
    else if (us !== undefined && isBelow(us)) below = middle
    else inside = middle
  }
  if (inside !== undefined) {
    for (let first = inside; first - above > 1; ) {
      const middle = (above + first) >> 1
      const us = await look(read, middle)
      if (us !== undefined && isAbove(us)) above = middle
      else first = middle
    }
    for (let last = inside; below - last > 1; ) {
      const middle = (last + below) >> 1
      const us = await look(read, middle)
      if (us !== undefined && isBelow(us)) below = middle
      else last = middle
    }
  }
  return { at: above + 1, size: below - above - 1 }
}

/**
 * A reader that leaves out what stands at these positions, and else reads pages above the byte limit in parts, down to
 * single rows: `skipped` is told of a row that is too large by itself, by its position, and the row is left out.
 */
export function readingAround(
  read: ReadPage,
  holes: () => readonly { readonly at: number; readonly size: number }[],
  skipped: (position: number) => Promise<void>,
  /** Told of the rows in each part of a page that was too large. */
  parted: (rows: number) => void = () => undefined,
): ReadPage {
  const attempt: ReadPage = async (limit, page) => {
    const from = limit * page
    const inTheWay = holes().filter(({ at, size }) => at < from + limit && at + size > from)
    if (inTheWay.some(({ at, size }) => at <= from && at + size >= from + limit)) return nothing()
    if (inTheWay.length === 0) {
      try {
        return await read(limit, page)
      } catch (error) {
        if (codeOf(error) !== 'too_large') throw error
        if (limit <= 1) {
          await skipped(from)
          return nothing()
        }
      }
    }
    const parts = smallestFactor(limit)
    if (inTheWay.length === 0) parted(limit / parts)
    const rows: unknown[] = []
    const seams: number[] = []
    for (let part = 0; part < parts; part++) {
      const answer = await attempt(limit / parts, page * parts + part)
      if (rows.length > 0) seams.push(rows.length)
      for (const seam of answer.seams ?? []) seams.push(rows.length + seam)
      rows.push(...answer.rows)
      // Past the end there is nothing to look for.
      if (answer.partial !== true && answer.rows.length < limit / parts) break
    }
    return { rows, count: undefined, partial: true, seams }
  }
  return attempt
}

function nothing(): Page {
  return { rows: [], count: undefined, partial: true }
}
