/**
 * Reading the audit trail without loss: a fast poll for latency, a sweep with full overlap as the guarantee (vcd.md c).
 * Rows may become visible late, out of order, and many in one millisecond; old ones are purged while we read.
 */
import type { VcdConfig } from '../../config/sources.ts'
import { Retryable } from '../../errors.ts'
import { type Fact, type GapReason, gapFact, type SourceRef } from '../../event.ts'
import type { Cursor, DeadLetter, MirrorChange } from '../../record.ts'
import type { Report } from '../../report.ts'
import { type Clock, sleep } from '../../scheduler/clock.ts'
import type { Batch } from '../contract.ts'
import { gapBefore } from '../first-contact.ts'
import { HourCheck } from './hour-check.ts'
import { NewsDesk, type NewsOptions, type Reading } from './news.ts'
import type { Pages } from './pages.ts'
import { FEED, firstPosition, fromCursor, type Position, toCursor } from './position.ts'
import type { AuditRow } from './row.ts'

/** The fast poll's overlap. */
const SHORT_OVERLAP_MS = 30_000
const ANCHOR_CHECK_MS = 3_600_000
/** After an anchor was missed, this much is read again: well inside what the store remembers of ids. */
const REWIND_MS = 12 * 3_600_000
const DAY_MS = 86_400_000
/** Rows are kept for days: one that is gone sooner was not purged, it is hidden or its database is another one. */
const YOUNG_MS = 3_600_000
/** Hours younger than a day are read again when the cell counts more rows in them: what was told must still be known. */
const REMEMBER_MS = DAY_MS + 3 * 3_600_000
/** A walk asks this many pages at once, and further ones spaced: a catch-up must not load the cell. */
const BURST_PAGES = 8
const SPACING_MS = 500

export interface TrailOptions extends NewsOptions {
  readonly config: VcdConfig
  readonly ref: SourceRef
  readonly clock: Clock
  readonly report: Report
  readonly signal: AbortSignal
  /** As `OpenContext.lostAtMs`. */
  readonly lostAtMs: () => number | undefined
  readonly pages: Pages
  /** The cell's wall clock, ms. */
  readonly serverNow: () => number
  /** Resolves when the batch is durable (its `committed` was called) or dropped. */
  readonly push: (batch: Batch) => Promise<void>
  /** Sees every row that is read, before it is normalised. */
  readonly onRow: (row: AuditRow) => void
}

interface Walk extends Omit<Reading, 'cap'> {
  /** How far the sweep before this one came, and the ids met below that: what was there then must still be there. */
  readonly sweptTo: number
  readonly met: Set<string>
  /** The cell's time at the start of the walk: no cursor passes it, since rows behind it may still become visible. */
  cap: number | undefined
}

/** What is committed together, beside the cursor. */
export interface Commit {
  readonly facts?: readonly Fact[]
  readonly dead?: readonly DeadLetter[]
  readonly mirror?: readonly MirrorChange[]
  /** Called once it is durable, with the places in `facts` of those that the store did not know. */
  readonly durable?: (fresh: readonly number[]) => void
}

export class Trail {
  readonly #options: TrailOptions
  readonly #position: Position
  readonly #desk: NewsDesk
  readonly #hourCheck: HourCheck
  readonly #firstContact: boolean
  /** A hole is to be closed: restart, reconnect, rewind. */
  #catchUp: boolean
  #sweptAt: number | undefined
  #anchorCheckedAt: number | undefined
  #rewoundAt: number | undefined
  #warnedLate = false

  constructor(options: TrailOptions, cursor: Cursor | undefined) {
    this.#options = options
    const known = fromCursor(cursor)
    this.#firstContact = known === undefined
    this.#catchUp = known !== undefined
    this.#position = known ?? firstPosition(options.serverNow(), options.config.backfill, options.config.overlap)
    this.#desk = new NewsDesk(options, this.#position)
    this.#hourCheck = new HourCheck(options, {
      desk: this.#desk,
      position: this.#position,
      commit: commit => this.#commit(commit),
      gap: (reason, from, to) => this.#gap(reason, from, to),
    })
    // Rows above all cursors were never committed; below them, only what `seen` still knows for sure.
    const { seen } = options
    const { fast, newest } = this.#position
    seen.completeFrom = Math.min(seen.completeFrom, Math.max(fast, newest + 1))
  }

  /** One turn: anchor check and sweep where they are due, else a fast poll. */
  async turn(): Promise<void> {
    const { clock, config, report } = this.#options
    const { name } = config
    // The first position is worth a commit of its own: a crash before the first event must not move the start.
    if (this.#firstContact && this.#sweptAt === undefined) await this.#commit({ facts: this.#unknown() })
    const start = clock.now()
    if (this.#anchorCheckedAt === undefined || start - this.#anchorCheckedAt >= ANCHOR_CHECK_MS) {
      await this.#checkAnchor()
      this.#anchorCheckedAt = start
    }
    const due = this.#sweptAt === undefined || start - this.#sweptAt >= config.sweep_interval
    if (this.#catchUp || this.#sweptAt === undefined) {
      report({ type: 'feed_mode', source: name, feed: FEED, mode: 'catching_up' })
      report({ type: 'feed_state', source: name, feed: FEED, state: this.#catchUp ? 'resyncing' : 'starting' })
    }
    const opening = this.#catchUp || this.#sweptAt === undefined
    await this.#walk(due || opening)
    if (due || opening) this.#sweptAt = start
    if (opening) {
      report({ type: 'feed_mode', source: name, feed: FEED, mode: 'polling' })
      report({ type: 'feed_state', source: name, feed: FEED, state: 'live' })
    }
    await this.#hourCheck.turn()
  }

  /** What came after the store's file was lost, and before the first contact. */
  #unknown(): Fact[] {
    const { ref, clock, config, lostAtMs } = this.#options
    return gapBefore({ ref, feed: FEED, lostMs: lostAtMs(), toMs: clock.wall() - config.backfill })
  }

  async #walk(sweep: boolean): Promise<void> {
    const { pages, config, clock, signal, seen } = this.#options
    const position = this.#position
    const begin = sweep ? position.sweep - config.overlap : position.fast - SHORT_OVERLAP_MS
    const start = Math.max(position.from, begin)
    const reach = position.fast - SHORT_OVERLAP_MS
    const walk: Walk = {
      sweep,
      catchUp: this.#catchUp,
      reach,
      audit: false,
      sweptTo: position.sweep,
      met: new Set(),
      cap: undefined,
    }
    let at = start
    let number = 1
    // Set when `at` is the time of a row that was just read: unless purged, it must come again.
    let expected: number | undefined
    for (let asked = 0; ; asked++) {
      if (asked >= BURST_PAGES) await sleep(clock, SPACING_MS, signal)
      const page = await pages.page({ fromMs: at }, number)
      walk.cap ??= page.askedAtMs
      const times = page.rows.map(row => row.timeMs)
      const newest = times.length === 0 ? undefined : Math.max(...times)
      const lost = expected !== undefined && !times.includes(expected)
      const hole = lost ? this.#hole('retention', at, times.length === 0 ? walk.cap : Math.min(...times)) : []
      await this.#take(walk, page.rows, page.dead, hole, newest)
      if (!page.more) break
      expected = undefined
      if (newest === undefined) {
        number++
      } else if (newest > at) {
        // The keyset step: from the newest stamp on, ties again. No offset is carried from page to page.
        at = newest
        expected = newest
        number = 1
      } else {
        await this.#takeMillisecond(walk, at)
        at++
        number = 1
      }
    }
    const cap = walk.cap
    position.fast = Math.max(position.fast, cap)
    if (!sweep) return
    position.sweep = Math.max(position.sweep, cap)
    position.read = cap
    this.#catchUp = false
    seen.completeFrom = Math.min(seen.completeFrom, start)
    seen.metFrom = Math.min(seen.metFrom, start)
    await this.#commit({})
    // Fast polls look back too, farther than a short overlap.
    seen.prune(position.sweep - 2 * Math.max(config.overlap, SHORT_OVERLAP_MS))
    await this.#checkVanished(seen.missing(start, walk.sweptTo, walk.met))
  }

  /**
   * Rows that an earlier sweep read and this one did not: a role that sees less answers 200 with fewer rows, and new
   * rows of its own soon hide that from a check of the newest row.
   */
  async #checkVanished(rows: readonly { readonly id: string; readonly timeMs: number }[]): Promise<void> {
    const [first] = rows
    if (first === undefined) return
    for (const { id } of rows) this.#options.seen.forget(id)
    const { clock } = this.#options
    if (this.#rewoundAt !== undefined && clock.now() - this.#rewoundAt < ANCHOR_CHECK_MS) return
    this.#position.anchorId = first.id
    this.#position.anchorAt = first.timeMs
    await this.#checkAnchor()
  }

  /** A whole page of one millisecond: it is read out by itself, and what can't be had of it is a gap. */
  async #takeMillisecond(walk: Walk, ms: number): Promise<void> {
    const { rows, dead, missing } = await this.#options.pages.millisecond(ms)
    const hole = missing === 0 ? [] : this.#hole('row_limit', ms, ms + 1, rows.length)
    await this.#take(walk, rows, dead, hole, ms)
  }

  /** Normalises what is new in a page and commits it with the cursors that it allows. */
  async #take(
    walk: Walk,
    rows: readonly AuditRow[],
    dead: readonly DeadLetter[],
    holes: readonly Fact[],
    newest: number | undefined,
  ): Promise<void> {
    const { seen, report, config, onRow } = this.#options
    const position = this.#position
    const cap = walk.cap ?? 0
    for (const row of rows) {
      onRow(row)
      if (walk.sweep && row.timeMs < walk.sweptTo) walk.met.add(row.id)
    }
    const { facts, fresh, mirror, adopt, recovered } = this.#desk.sort(rows, { ...walk, cap })
    const letters = dead.filter(letter => !seen.hasDead(letter.content))
    if (newest !== undefined) {
      position.newest = Math.max(position.newest, newest)
      const height = Math.min(newest, cap)
      position.fast = Math.max(position.fast, height)
      // A fast poll must not move the sweep: its overlap is too short to promise anything.
      if (walk.sweep) {
        position.sweep = Math.max(position.sweep, height)
        this.#anchor(rows, cap)
      }
    }
    if (facts.length + letters.length + holes.length + mirror.length > 0) {
      await this.#commit({ facts: [...holes, ...facts], dead: letters, mirror, durable: adopt })
    } else adopt()
    if (recovered > 0) report({ type: 'feed_recovered', source: config.name, feed: FEED, count: recovered })
    for (const row of fresh) this.#noteLateness(row, walk)
    report({ type: 'feed_proof', source: config.name, feed: FEED })
  }

  #anchor(rows: readonly AuditRow[], cap: number): void {
    const position = this.#position
    for (const row of rows) {
      if (row.timeMs > cap || row.timeMs < (position.anchorAt ?? Number.NEGATIVE_INFINITY)) continue
      position.anchorAt = row.timeMs
      position.anchorId = row.id
    }
  }

  #noteLateness(row: AuditRow, walk: Walk): void {
    const { report, config } = this.#options
    // What happened while we were away is not late; what we ask for from the past isn't either.
    if (walk.catchUp || row.timeMs < this.#position.began) return
    const lateMs = Math.max(0, (walk.cap ?? 0) - row.timeMs)
    report({ type: 'feed_late', source: config.name, feed: FEED, seconds: lateMs / 1000 })
    if (this.#warnedLate || lateMs - config.sweep_interval < config.overlap / 2) return
    this.#warnedLate = true
    const text = `audit rows became visible ${Math.round(lateMs / 1000)} s after their stamp: make overlap longer`
    report({ type: 'advice', source: config.name, text })
  }

  /** Is the newest row that we swept still there? If not, history is not the one we read, or was purged up to us. */
  async #checkAnchor(): Promise<void> {
    const { pages, serverNow } = this.#options
    const position = this.#position
    if (position.anchorId === null || position.anchorAt === null) return
    const { rows } = await pages.millisecond(position.anchorAt)
    if (rows.some(row => row.id === position.anchorId)) return
    const oldest = await pages.oldestMs()
    const now = serverNow()
    const anchorAt = position.anchorAt
    position.anchorId = null
    position.anchorAt = null
    // Purging what we had read is no loss: only what came after our last whole sweep may have gone unread.
    const [purged, unread] =
      oldest === undefined
        ? [now - anchorAt > DAY_MS, now - position.read > DAY_MS]
        : [oldest > anchorAt && now - anchorAt > YOUNG_MS, oldest > position.read]
    if (purged) {
      await this.#commit(unread ? { facts: [this.#gap('retention', position.read, oldest ?? now)] } : {})
      return
    }
    this.#rewoundAt = this.#options.clock.now()
    const gap = this.#gap('anchor_missing', Math.max(anchorAt, position.asked), now)
    position.sweep = Math.max(position.from, Math.min(position.sweep, now - REWIND_MS))
    position.fast = Math.min(position.fast, Math.max(position.sweep, anchorAt))
    this.#catchUp = true
    this.#options.hours.unsureFrom(position.sweep - this.#options.config.overlap)
    await this.#commit({ facts: [gap] })
  }

  /** A hole in what is to be published; below that it is nobody's loss. */
  #hole(reason: GapReason, from: number, to: number, recovered = 0): Fact[] {
    const { asked } = this.#position
    return to <= asked ? [] : [this.#gap(reason, Math.max(from, asked), to, recovered)]
  }

  #gap(reason: GapReason, from: number, to: number, recovered = 0): Fact {
    const iso = (ms: number): string => new Date(ms).toISOString()
    const end = Math.max(from, to)
    return gapFact(this.#options.ref, { feed: FEED, classes: [], from: iso(from), to: iso(end), reason, recovered })
  }

  async #commit({ facts = [], dead = [], mirror = [], durable }: Commit): Promise<void> {
    const { push, config, seen } = this.#options
    let done = false
    let fresh: readonly number[] = []
    await push({
      feed: FEED,
      facts,
      cursor: toCursor(this.#position),
      ...(dead.length === 0 ? {} : { dead }),
      ...(mirror.length === 0 ? {} : { mirror }),
      rememberMs: Math.max(REMEMBER_MS, 2 * config.overlap),
      appended: places => {
        fresh = places
      },
      committed: () => {
        done = true
        durable?.(fresh)
        for (const letter of dead) seen.addDead(letter.content)
      },
    })
    if (!done) throw new Retryable('session_lost', 'the reader of this session went away')
  }
}
