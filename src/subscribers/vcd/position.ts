/** How far the audit trail has been read: the cursor of the feed, and what is remembered beside it. Pure. */
import type { Cursor } from '../../record.ts'

export const FEED = 'audit'

/** All times are ms by the cell's clock. */
export interface Position {
  /** Nothing older is read: the first contact, less the overlap or the configured backfill, whichever is longer. */
  readonly from: number
  /**
   * The first contact less the backfill: what happened before and could be read at first contact is not published. What
   * shows only later is: a late row, or one of a cell whose clock is behind.
   */
  readonly asked: number
  /** The first contact: older rows are backfill. */
  readonly began: number
  /** Everything up to here has been swept. */
  sweep: number
  /** Everything up to here has been polled once. */
  fast: number
  /** The cell's time at the start of the last sweep that was completed. */
  read: number
  /** Stamp of the newest row that was committed; cells' clocks differ, so it may be ahead of the cursors. */
  newest: number
  /** The newest row at or below `sweep`: the witness that history is still the one we read. */
  anchorId: string | null
  anchorAt: number | null
}

/** Where a source starts that was never read before. */
export function firstPosition(serverNow: number, backfillMs: number, overlapMs: number): Position {
  const asked = serverNow - backfillMs
  const from = serverNow - Math.max(backfillMs, overlapMs)
  const none = { anchorId: null, anchorAt: null }
  return { from, asked, began: serverNow, sweep: asked, fast: asked, read: asked, newest: asked, ...none }
}

/** Plain JSON for the store. */
export function toCursor(position: Position): Cursor {
  return { ...position }
}

/** The position of a stored cursor; undefined when it isn't one of ours. */
export function fromCursor(cursor: Cursor | undefined): Position | undefined {
  if (cursor === undefined) return undefined
  const { from, asked, began, sweep, fast, read, newest, anchorId, anchorAt } = cursor
  const times = [from, began, sweep, fast, read, newest]
  if (!times.every((time): time is number => typeof time === 'number' && Number.isFinite(time))) return undefined
  const [f = 0, b = 0, s = 0, q = 0, r = 0, n = 0] = times
  const anchored = typeof anchorId === 'string' && typeof anchorAt === 'number'
  return {
    from: f,
    // A cursor of an earlier version has none: it read nothing below.
    asked: typeof asked === 'number' && Number.isFinite(asked) ? asked : f,
    began: b,
    sweep: s,
    fast: q,
    read: r,
    newest: n,
    anchorId: anchored ? anchorId : null,
    anchorAt: anchored ? anchorAt : null,
  }
}

const MAX_SEEN = 500_000
const MAX_DEAD = 10_000

/**
 * What is known of rows already dealt with. It makes re-reads cheap and tells a sweep's find from a repeat; the store
 * would drop a repeat in any case.
 */
export class Seen {
  /** Rows by id, with their time: committed, or met at first contact and not to be published. */
  readonly #rows = new Map<string, number>()
  readonly #dead = new Set<string>()
  /** Of rows at or above this time, every committed one is known here: an unknown one is news. */
  completeFrom = Number.POSITIVE_INFINITY
  /**
   * Of rows at or above this time, every one that could be read when the last whole sweep ran is known here: an unknown
   * one became visible since.
   */
  metFrom = Number.POSITIVE_INFINITY

  has(id: string): boolean {
    return this.#rows.has(id)
  }

  add(id: string, timeMs: number): void {
    this.#rows.set(id, timeMs)
    if (this.#rows.size <= MAX_SEEN) return
    for (const [oldest, at] of this.#rows) {
      this.#rows.delete(oldest)
      this.#unsureBelow(at + 1)
      break
    }
  }

  /** Known rows of that time that are not among `met`. */
  missing(fromMs: number, untilMs: number, met: ReadonlySet<string>): { id: string; timeMs: number }[] {
    const result: { id: string; timeMs: number }[] = []
    for (const [id, timeMs] of this.#rows) {
      if (timeMs >= fromMs && timeMs < untilMs && !met.has(id)) result.push({ id, timeMs })
    }
    return result
  }

  forget(id: string): void {
    this.#rows.delete(id)
  }

  /** Forgets rows below `timeMs`: no read will start there again. */
  prune(timeMs: number): void {
    for (const [id, at] of this.#rows) if (at < timeMs) this.#rows.delete(id)
    this.#unsureBelow(timeMs)
  }

  /** True the first time this content is met. */
  hasDead(content: string): boolean {
    return this.#dead.has(content)
  }

  addDead(content: string): void {
    if (this.#dead.size >= MAX_DEAD) this.#dead.clear()
    this.#dead.add(content)
  }

  /** Forgets what was committed: the store is another one. */
  reset(): void {
    this.#rows.clear()
    this.#dead.clear()
    this.completeFrom = Number.POSITIVE_INFINITY
    this.metFrom = Number.POSITIVE_INFINITY
  }

  #unsureBelow(timeMs: number): void {
    this.completeFrom = Math.max(this.completeFrom, timeMs)
    this.metFrom = Math.max(this.metFrom, timeMs)
  }
}
