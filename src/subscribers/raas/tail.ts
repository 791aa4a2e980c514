/**
 * A feed read newest first with an overlap: returns and audit. The cursor is the newest server time seen; each walk
 * goes back `overlap` before it, because rows become visible later than the time they carry (raas.md §4).
 *
 * First contact with `backfill: 0s` only marks: the cursor and a *floor* are set to the newest row, and nothing at or
 * below the floor is published. Rows that the first walk saw (the overlap below the floor) are remembered by the
 * session, so a row that turns up among them later is known to be late and is published; after a restart that memory
 * is gone and rows at or below the floor are left alone: they are from before opswire came, and never come twice.
 */
import { Poison } from '../../errors.ts'
import type { Fact, Origin } from '../../event.ts'
import type { Cursor, DeadLetter } from '../../record.ts'
import type { Report } from '../../report.ts'
import type { Clock } from '../../scheduler/clock.ts'
import type { Batch } from '../contract.ts'
import { BoundedMap } from './bounded.ts'
import { isoOfUs, parseUs } from './rows.ts'
import { type Pace, type ReadPage, type WalkResult, walkDown } from './walk.ts'

/** How far back a sweep looks at least. */
const SWEEP_US = 3_600_000_000
/** Facts in one commit. */
const CHUNK = 500
const MOST_REMEMBERED = 50_000

export interface TailOptions<R> {
  readonly source: string
  readonly feed: string
  readonly clock: Clock
  readonly report: Report
  readonly pace: Pace
  readonly read: ReadPage
  /** Throws `Poison`. */
  readonly parse: (row: unknown) => R
  readonly atUs: (row: R) => number | undefined
  /** Names this version of the row cheaply: what it is and when it was written. */
  readonly nameOf: (row: R) => string
  /** Undefined: not to be published. */
  readonly fact: (row: R, origin: Origin) => Fact | undefined
  /** Told of every row that a walk meets. */
  readonly saw?: (row: R) => void
  readonly serverUs: () => number
  readonly overlapMs: number
  readonly backfillMs: number
  readonly rememberMs: number
  readonly maxRows: number
  readonly cursor: Cursor | undefined
  readonly push: (batch: Batch) => Promise<void>
  /** A walk that ended early: fills what it can and tells what can't be filled. Facts and the gap come back. */
  readonly fill: (fromUs: number, toUs: number) => Promise<readonly Fact[]>
}

interface Found<R> {
  readonly row: R
  readonly us: number | undefined
}

export class TailFeed<R> {
  readonly #options: TailOptions<R>
  /** Newest time seen; null while the table was empty. Undefined before the first contact. */
  #alterUs: number | null | undefined
  /** Nothing at or below is published, unless the session knows it for late. */
  #floorUs: number | null = null
  /** Down to where the first walk of a first contact marked what was there already. */
  #marksFromUs: number | undefined
  readonly #marked = new Set<string>()
  /** Row versions dealt with, by name; and facts committed, by id. */
  readonly #names = new BoundedMap<true>(MOST_REMEMBERED)
  readonly #ids = new BoundedMap<true>(MOST_REMEMBERED)
  /** Where the first walk of this session began: a row above it that only a sweep finds was really missed. */
  #watchedFromUs: number | undefined
  #walks = 0
  #isMarking = false
  #isUnsure = false

  constructor(options: TailOptions<R>) {
    this.#options = options
    const { cursor } = options
    if (cursor === undefined) return
    this.#alterUs = parseUs(cursor['at']) ?? null
    this.#floorUs = parseUs(cursor['floor']) ?? null
  }

  /** The regular read. */
  async poll(): Promise<void> {
    await this.#walk(this.#options.overlapMs * 1000)
  }

  /** Looks back further, for what became visible later than the overlap. */
  async sweep(): Promise<void> {
    if (this.#alterUs === undefined) return
    await this.#walk(Math.max(SWEEP_US, this.#options.overlapMs * 2000))
  }

  /** Sets the cursor without a walk, for a server whose rows can't be walked: from now on rows come by `accept`. */
  async markNow(): Promise<void> {
    this.#isMarking = true
    if (this.#alterUs !== undefined) return
    const { serverUs, backfillMs, feed, push } = this.#options
    this.#alterUs = this.#floorUs = serverUs() - backfillMs * 1000
    await push({ feed, facts: [], cursor: this.#cursorNow() })
  }

  /** False before the first contact: until then it is not known what is old and what is news. */
  get isStarted(): boolean {
    return this.#alterUs !== undefined
  }

  /** Takes rows that another way found (a reconcile); those never seen are published with the origin `resync`. */
  async accept(rows: readonly R[], origin: Origin): Promise<number> {
    const { atUs, push, feed, rememberMs } = this.#options
    const found = rows.map(row => ({ row, us: atUs(row) })).filter(one => this.#isNews(one))
    const facts = this.#factsOf(found, () => origin)
    const newest = found.reduce((most, { us }) => Math.max(most, us ?? 0), 0)
    // Without walks nobody else moves the cursor.
    const moves = this.#isMarking && newest > (this.#alterUs ?? 0)
    if (moves) this.#alterUs = newest
    for (let at = 0; at < facts.length; at += CHUNK) {
      const part = facts.slice(at, at + CHUNK)
      const isLast = at + CHUNK >= facts.length
      await push({ feed, facts: part, rememberMs, ...(moves && isLast ? { cursor: this.#cursorNow() } : {}) })
    }
    this.#remember(found, facts)
    return facts.length
  }

  #cursorNow(): Cursor {
    const text = (us: number | null | undefined): string | null =>
      us === null || us === undefined ? null : isoOfUs(us)
    return { at: text(this.#alterUs), floor: text(this.#floorUs) }
  }

  async #walk(overlapUs: number): Promise<void> {
    const { read, pace, atUs, maxRows, saw, nameOf, overlapMs, backfillMs, serverUs } = this.#options
    const isFirst = this.#alterUs === undefined
    const before = this.#alterUs ?? null
    const found = new Map<string, Found<R>>()
    const dead: DeadLetter[] = []
    let restored = false
    const low = (newestUs: number | undefined): number => {
      if (isFirst && backfillMs > 0) return serverUs() - backfillMs * 1000
      if (isFirst) return (newestUs ?? 0) - overlapUs
      const from = before ?? this.#floorUs
      if (from === null) return Number.NEGATIVE_INFINITY
      restored = newestUs !== undefined && before !== null && newestUs < before - overlapMs * 1000
      return restored && newestUs !== undefined ? newestUs - SWEEP_US : from - overlapUs
    }
    const result = await walkDown<R>({
      ...{ read, pace, atUs, low, maxRows },
      parse: raw => this.#parse(raw, dead),
      take: row => found.set(nameOf(row), { row, us: atUs(row) }),
    })
    this.#watchedFromUs ??= result.lowUs
    if (result.unsure && !this.#isUnsure) {
      const { report, source, feed } = this.#options
      const text = `${feed}: more rows share one time than a page can hold; the job loop looks after the rest`
      report({ type: 'advice', source, text })
    }
    this.#isUnsure = result.unsure
    // The last page goes on below the mark. What lies below this session's first mark was dealt with long ago, perhaps
    // longer than ids are kept; what lies above it, and was not met before, was missed.
    const fromUs = Math.min(result.lowUs, this.#watchedFromUs)
    const rows = [...found.values()]
      .filter(({ us }) => us === undefined || us > fromUs)
      .sort((a, b) => (a.us ?? 0) - (b.us ?? 0))
    for (const { row } of rows) saw?.(row)
    if (isFirst) await this.#firstContact(result, rows, dead)
    else await this.#publish(result, rows, dead, { restored, before })
    this.#walks++
  }

  #parse(raw: unknown, dead: DeadLetter[]): R | undefined {
    try {
      return this.#options.parse(raw)
    } catch (error) {
      if (!(error instanceof Poison)) throw error
      const content = JSON.stringify(raw) ?? 'undefined'
      // The overlap shows the same bad row at every poll: once is enough.
      if (!this.#names.has(content)) dead.push({ reason: error.message, content })
      this.#names.set(content, true)
      return undefined
    }
  }

  async #firstContact(result: WalkResult, rows: readonly Found<R>[], dead: readonly DeadLetter[]): Promise<void> {
    const { feed, push, rememberMs, backfillMs, nameOf } = this.#options
    this.#alterUs = result.newestUs ?? null
    if (backfillMs === 0) {
      this.#floorUs = result.newestUs ?? null
      this.#marksFromUs = result.lowUs
      for (const { row } of rows) this.#marked.add(nameOf(row))
      await push({ feed, facts: [], cursor: this.#cursorNow(), ...(dead.length > 0 ? { dead } : {}) })
      return
    }
    this.#floorUs = result.lowUs
    await this.#commit(
      this.#factsOf(rows, () => 'backfill'),
      rows,
      result,
      dead,
      rememberMs,
    )
  }

  async #publish(
    result: WalkResult,
    rows: readonly Found<R>[],
    dead: readonly DeadLetter[],
    how: { readonly restored: boolean; readonly before: number | null },
  ): Promise<void> {
    const { report, source, feed, overlapMs, serverUs, rememberMs } = this.#options
    const { newestUs } = result
    if (how.restored && newestUs !== undefined) {
      report({
        type: 'advice',
        source,
        text: `${feed}: the newest row is older than the cursor; was a database restored?`,
      })
      this.#alterUs = newestUs
    } else if (newestUs !== undefined && newestUs > (how.before ?? Number.NEGATIVE_INFINITY)) this.#alterUs = newestUs
    const news = rows.filter(one => this.#isNews(one))
    const reach = (how.before ?? Number.NEGATIVE_INFINITY) - overlapMs * 1000
    // Above the tail's reach it is simply new; below it, the tail had missed it.
    const missed = news.filter(({ us }) => us !== undefined && us <= reach)
    const strays = new Set(missed)
    const regular: Origin = this.#walks === 0 || how.restored ? 'resync' : 'live'
    const facts = this.#factsOf(news, one => (strays.has(one) ? 'resync' : regular))
    const recovered = missed.filter(({ us }) => us !== undefined && us > (this.#watchedFromUs ?? 0)).length
    const changed = this.#alterUs !== how.before
    if (changed || facts.length > 0 || dead.length > 0 || !result.complete) {
      await this.#commit(facts, news, result, dead, rememberMs)
    }
    if (recovered > 0) {
      report({ type: 'feed_recovered', source, feed, count: recovered })
      report({
        type: 'advice',
        source,
        text: `${feed}: a sweep found ${recovered} rows that came later than overlap; raise it`,
      })
    }
    if (regular === 'live') {
      const now = serverUs()
      for (const { us } of news) {
        if (us !== undefined) report({ type: 'feed_late', source, feed, seconds: Math.max(0, (now - us) / 1e6) })
      }
    }
    this.#forgetMarks()
  }

  /** Facts in commits of bounded size; the cursor goes with the last of them, so it never runs ahead. */
  async #commit(
    facts: readonly Fact[],
    rows: readonly Found<R>[],
    result: WalkResult,
    dead: readonly DeadLetter[],
    rememberMs: number,
  ): Promise<void> {
    const { feed, push, fill } = this.#options
    let at = 0
    for (; at + CHUNK < facts.length; at += CHUNK) await push({ feed, facts: facts.slice(at, at + CHUNK), rememberMs })
    let rest: readonly Fact[] = facts.slice(at)
    if (!result.complete && result.oldestUs !== undefined) {
      // What the walk found goes out first: only what it did not find counts as recovered.
      await push({ feed, facts: rest, rememberMs })
      this.#remember(rows, facts)
      rest = await fill(result.lowUs, result.oldestUs)
    }
    await push({ feed, facts: rest, cursor: this.#cursorNow(), rememberMs, ...(dead.length > 0 ? { dead } : {}) })
    this.#remember(rows, facts)
  }

  #isNews({ row, us }: Found<R>): boolean {
    const name = this.#options.nameOf(row)
    if (this.#names.has(name)) return false
    if (this.#floorUs === null || us === undefined || us > this.#floorUs) return true
    return this.#marksFromUs !== undefined && us > this.#marksFromUs && !this.#marked.has(name)
  }

  #factsOf(rows: readonly Found<R>[], originOf: (one: Found<R>) => Origin): Fact[] {
    const facts: Fact[] = []
    for (const one of rows) {
      const fact = this.#options.fact(one.row, originOf(one))
      if (fact !== undefined && !this.#ids.has(fact.id)) facts.push(fact)
    }
    return facts
  }

  /** Only after the commit: a walk cut short before it must find the rows again. */
  #remember(rows: readonly Found<R>[], facts: readonly Fact[]): void {
    for (const { row } of rows) this.#names.set(this.#options.nameOf(row), true)
    for (const fact of facts) this.#ids.set(fact.id, true)
  }

  /** When even a sweep no longer reaches below the floor, the marks have done their work. */
  #forgetMarks(): void {
    const { overlapMs } = this.#options
    const reach = (this.#alterUs ?? 0) - Math.max(SWEEP_US, overlapMs * 2000)
    if (this.#floorUs !== null && this.#marksFromUs !== undefined && reach > this.#floorUs) {
      this.#marked.clear()
      this.#marksFromUs = undefined
    }
  }
}
