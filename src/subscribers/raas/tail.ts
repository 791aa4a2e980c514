/**
 * A feed read newest first with an overlap: returns and audit. The cursor is the newest server time seen; each walk
 * goes back `overlap` before it, because rows become visible later than the time they carry (raas.md §4).
 *
 * First contact with `backfill: 0s` only marks: the cursor and a *floor* are set to the newest row, and nothing at or
 * below the floor is published. Rows that the first walk saw (the overlap below the floor) are remembered by the
 * process, so a row that turns up among them later is known to be late and is published; after a restart that memory
 * is gone and rows at or below the floor are left alone: they are from before opswire came, and never come twice.
 *
 * Cursor and floor never run ahead of the server's own clock: a row of a writer whose clock does must not hide those
 * that the others write meanwhile.
 */
import { Poison } from '../../errors.ts'
import type { Fact, Origin } from '../../event.ts'
import type { Cursor, DeadLetter } from '../../record.ts'
import type { Batch } from '../contract.ts'
import { countRows } from './counting.ts'
import { lostBy } from './lost.ts'
import { isoOfUs, parseUs } from './rows.ts'
import { type Found, type News, Sieve } from './sieve.ts'
import { sweepUs } from './sweeps.ts'
import { TailAdvice } from './tail-advice.ts'
import type { TailOptions } from './tail-options.ts'
import { type DeepWalk, searchUnread } from './unread.ts'
import { type WalkResult, walkDown } from './walk.ts'

/** Facts in one commit. */
const CHUNK = 500
/** The `Date` header counts whole seconds. */
const DATE_GRAIN_US = 1_000_000

export class TailFeed<R> {
  readonly #options: TailOptions<R>
  /** Newest time seen; null while the table was empty. Undefined before the first contact. */
  #alterUs: number | null | undefined
  readonly #sieve: Sieve<R>
  #walks = 0
  #isMarking = false
  readonly #advice: TailAdvice

  constructor(options: TailOptions<R>) {
    this.#options = options
    const { cursor, report, ref, feed, hasJobLoop, memory } = options
    this.#sieve = new Sieve(options)
    this.#advice = new TailAdvice({ report, source: ref.name, feed, hasJobLoop })
    // The name may have been another system's: what that kept under the same feed says nothing of this one.
    if (cursor?.['at'] === undefined) return
    this.#alterUs = parseUs(cursor['at']) ?? null
    this.#sieve.floorUs = parseUs(cursor['floor']) ?? null
    if (memory.sweeps.isBegun) return
    memory.sweeps.resume(cursor)
    const { below } = cursor
    const { lastUs } = memory.sweeps
    if (lastUs !== undefined && typeof below === 'number') memory.tally.resume(lastUs, below)
  }

  /** The regular read. */
  async poll(): Promise<void> {
    await this.#walk(this.#options.overlapMs * 1000)
  }

  /**
   * The regular read, and a sweep when none was for `everyMs`, in whichever session. After a restart the first read is a
   * sweep: in one walk, so that no death comes between the cursor and what became visible late while nobody looked.
   */
  async pollAndSweep(everyMs: number): Promise<void> {
    const { clock, memory, overlapMs } = this.#options
    const { sweeps } = memory
    if (this.#alterUs === undefined) {
      await this.poll()
      return sweeps.done(clock.now(), this.#alterUs ?? null, overlapMs)
    }
    if (sweeps.isBegun) await this.poll()
    if (!sweeps.isDue(clock.now(), everyMs)) return
    const beganUs = this.#alterUs ?? null
    await this.#walk(sweeps.depthUs(beganUs, overlapMs, everyMs), true)
    sweeps.done(clock.now(), beganUs, overlapMs)
    const search: DeepWalk = depthUs => this.#walk(depthUs)
    await searchUnread(this.#options, sweepUs(overlapMs), search, () => ({ ...this.#cursorNow(), below: null }))
  }

  /** Sets the cursor without a walk, for a server whose rows can't be walked: from now on rows come by `accept`. */
  async markNow(): Promise<void> {
    this.#isMarking = true
    if (this.#alterUs !== undefined) return
    const { serverUs, backfillMs, feed, push, unknown } = this.#options
    this.#alterUs = this.#sieve.floorUs = serverUs() - backfillMs * 1000
    await push({ feed, facts: unknown(), cursor: this.#cursorNow() })
  }

  /** False before the first contact: until then it is not known what is old and what is news. */
  get isStarted(): boolean {
    return this.#alterUs !== undefined
  }

  /**
   * Takes rows that another way found (a reconcile); those never seen are published with the origin `resync`. Returns
   * how many of them were really missed, as far as the memory goes back.
   */
  async accept(rows: readonly R[], origin: Origin): Promise<number> {
    const { atUs, keyOf, memory } = this.#options
    for (const row of rows) {
      const us = atUs(row)
      if (us !== undefined) memory.tally.met(keyOf(row), us)
    }
    const found = rows.map(row => ({ row, us: atUs(row) })).filter(one => this.#sieve.isNews(one))
    const news = this.#sieve.newsOf(found, () => origin)
    const newest = found.reduce((most, { us }) => Math.max(most, us ?? 0), 0)
    // Without walks nobody else moves the cursor.
    const moves = this.#isMarking && newest > (this.#alterUs ?? 0)
    if (moves) this.#alterUs = Math.max(this.#alterUs ?? 0, this.#capped(newest, found))
    const counts = ({ one, fact }: News<R>): boolean =>
      fact !== undefined && (one.us === undefined || one.us > memory.forgottenUs)
    const count = news.filter(counts).length
    await this.#pushAll(news, moves ? { cursor: this.#cursorNow() } : undefined)
    return count
  }

  /** Facts in commits of bounded size; `last` goes with the last of them, so a cursor never runs ahead. */
  async #pushAll(news: readonly News<R>[], last: Partial<Batch> | undefined): Promise<void> {
    const { feed, push, rememberMs } = this.#options
    for (let at = 0; at < news.length || (at === 0 && last !== undefined); at += CHUNK) {
      const part = news.slice(at, at + CHUNK)
      const { facts = [], committed, ...rest } = at + CHUNK >= news.length ? (last ?? {}) : {}
      const own = part.flatMap(({ fact }) => fact ?? [])
      if (own.length === 0 && last === undefined) {
        this.#sieve.remember(part)
        continue
      }
      await push({
        ...{ feed, rememberMs, facts: [...own, ...facts] },
        ...rest,
        // Not before: what was never committed has to be found again.
        committed: () => {
          this.#sieve.remember(part)
          committed?.()
        },
      })
    }
  }

  /** The newest of these times that is not ahead of the server's clock, or that clock when all are. */
  #capped(newestUs: number, rows: Iterable<Found<R>>): number {
    const now = this.#nowUs()
    if (newestUs <= now) return newestUs
    let most: number | undefined
    for (const { us } of rows) if (us !== undefined && us <= now && us > (most ?? us - 1)) most = us
    return most ?? now
  }

  /** How far down a regular walk goes from this cursor. */
  #reachUs(beforeUs: number | null): number {
    return Math.min(beforeUs ?? Number.NEGATIVE_INFINITY, this.#nowUs()) - this.#options.overlapMs * 1000
  }

  #nowUs(): number {
    return (this.#options.toldUs() ?? Number.POSITIVE_INFINITY) + DATE_GRAIN_US
  }

  #cursorNow(): Cursor {
    const { sweeps, tally } = this.#options.memory
    const text = (us: number | null | undefined): string | null =>
      us === null || us === undefined || !Number.isFinite(us) ? null : isoOfUs(us)
    const { lastUs } = sweeps
    const below = tally.accounted(lastUs) ?? null
    return { at: text(this.#alterUs), floor: text(this.#sieve.floorUs), swept: text(lastUs), below }
  }

  /** Returns how many rows it found that had been missed, and how far down it came. */
  async #walk(overlapUs: number, isDeep = false): Promise<{ recovered: number; downToUs: number }> {
    const { read, memory, atUs, maxRows, saw, nameOf, overlapMs, backfillMs, serverUs, prepare } = this.#options
    const isFirst = this.#alterUs === undefined
    const before = this.#alterUs ?? null
    const found = new Map<string, Found<R>>()
    const pass = new Set<string>()
    const dead = new Map<string, DeadLetter>()
    let restored = false
    let hasBad = false
    const low = (newestUs: number | undefined): number => {
      if (isFirst && backfillMs > 0) return serverUs() - backfillMs * 1000
      if (isFirst) return Math.min(newestUs ?? 0, this.#nowUs()) - overlapUs
      const from = before ?? this.#sieve.floorUs
      if (from === null) return Number.NEGATIVE_INFINITY
      restored = newestUs !== undefined && before !== null && newestUs < before - overlapMs * 1000
      return restored && newestUs !== undefined
        ? newestUs - sweepUs(overlapMs)
        : Math.min(from, this.#nowUs()) - overlapUs
    }
    await prepare?.(isFirst ? Number.NEGATIVE_INFINITY : low(undefined))
    const result = await walkDown<R>({
      ...{ read, pace: memory.pace, atUs, low, maxRows },
      parse: raw => {
        const row = this.#parse(raw, dead)
        hasBad ||= row === undefined
        return row
      },
      begin: () => pass.clear(),
      take: row => {
        const name = nameOf(row)
        found.set(name, { row, us: atUs(row) })
        pass.add(name)
      },
    })
    if (isFirst) memory.restart(result.lowUs)
    // A sweep that comes first goes below what is watched from now on.
    const watched = isFirst || restored ? result.lowUs : this.#reachUs(before)
    memory.watchedFromUs ??= Math.max(result.lowUs, watched)
    this.#advice.ties(result.tornUs.length > 0)
    // The last page goes on below the mark. What lies below the first mark was dealt with long ago, perhaps longer than
    // ids are kept; what lies above it, and was not met before, was missed.
    const fromUs = Math.min(result.lowUs, memory.watchedFromUs)
    const rows = [...found.values()]
      .filter(({ us }) => us === undefined || us > fromUs)
      .sort((a, b) => (a.us ?? 0) - (b.us ?? 0))
    for (const { row } of rows) saw?.(row)
    const isSweep = isDeep && !isFirst && !restored
    if (isSweep) {
      memory.sweeps.lastUs = result.lowUs
      this.#advice.shallow(!result.complete)
    }
    countRows(this.#options, found, result, { isSweep, hasBad, pass })
    let recovered = 0
    if (isFirst) await this.#firstContact(result, rows, dead)
    else recovered = await this.#publish(result, rows, dead, { restored, before })
    this.#walks++
    return { recovered, downToUs: result.complete ? result.lowUs : Math.max(result.lowUs, result.oldestUs ?? 0) }
  }

  #parse(raw: unknown, dead: Map<string, DeadLetter>): R | undefined {
    try {
      return this.#options.parse(raw)
    } catch (error) {
      if (!(error instanceof Poison)) throw error
      this.#options.memory.bad.note(dead, raw, error.message)
      return undefined
    }
  }

  async #firstContact(
    result: WalkResult,
    rows: readonly Found<R>[],
    dead: ReadonlyMap<string, DeadLetter>,
  ): Promise<void> {
    const { memory, backfillMs, nameOf, unknown } = this.#options
    const { newestUs } = result
    this.#alterUs = newestUs === undefined ? null : this.#capped(newestUs, rows)
    if (backfillMs === 0) {
      this.#sieve.floorUs = this.#alterUs
      memory.marksFromUs = result.lowUs
      for (const { row, us } of rows) memory.marked.set(nameOf(row), us)
      memory.oversize.forgive()
      for (const us of result.tornUs) memory.ties.set(String(us), true)
      await this.#pushAll([], this.#last(unknown(), dead))
      return
    }
    this.#sieve.floorUs = result.lowUs
    const facts = unknown()
    if (facts.length > 0) await this.#pushAll([], { facts })
    const news = this.#sieve.newsOf(rows, () => 'backfill')
    await this.#commit(news, result, dead)
  }

  async #publish(
    result: WalkResult,
    rows: readonly Found<R>[],
    dead: ReadonlyMap<string, DeadLetter>,
    how: { readonly restored: boolean; readonly before: number | null },
  ): Promise<number> {
    const { report, ref, feed, overlapMs, serverUs, memory } = this.#options
    const { newestUs } = result
    const newest = newestUs === undefined ? undefined : this.#capped(newestUs, rows)
    if (how.restored && newest !== undefined) {
      this.#advice.restored()
      memory.gapUntilUs = Number.NEGATIVE_INFINITY
      memory.tally.forget()
      this.#alterUs = newest
    } else if (newest !== undefined && newest > (how.before ?? Number.NEGATIVE_INFINITY)) this.#alterUs = newest
    const unknown = rows.filter(one => this.#sieve.isNews(one))
    this.#advice.untimed(unknown.filter(({ us }) => us === undefined).length)
    const reach = this.#reachUs(how.before)
    // Above the tail's reach it is simply new; below it, the tail had missed it.
    const isStray = ({ us }: Found<R>): boolean => us !== undefined && us <= reach
    const regular: Origin = this.#walks === 0 || how.restored ? 'resync' : 'live'
    const news = this.#sieve.newsOf(unknown, one => (isStray(one) ? 'resync' : regular))
    // Where the memory does not reach, the store may know the row: nobody can say that it was missed.
    const surelyAbove = Math.max(memory.watchedFromUs ?? 0, memory.forgottenUs)
    const recovered = news.filter(({ one, fact }) => fact !== undefined && isStray(one) && (one.us ?? 0) > surelyAbove)
    await this.#commit(news, result, dead, {
      quiet: this.#alterUs === how.before,
      ...(how.restored ? {} : { reach }),
    })
    if (recovered.length > 0) {
      report({ type: 'feed_recovered', source: ref.name, feed, count: recovered.length })
      this.#advice.recovered(recovered.length)
    }
    if (regular === 'live') {
      const now = serverUs()
      for (const { us } of unknown) {
        if (us === undefined) continue
        report({ type: 'feed_late', source: ref.name, feed, seconds: Math.max(0, (now - us) / 1e6) })
      }
    }
    this.#sieve.forgetMarks((this.#alterUs ?? 0) - sweepUs(overlapMs))
    return recovered.length
  }

  /** `quiet`: the cursor did not move. `reach`: down to where every walk has to come; deeper ones are for the strays. */
  async #commit(
    news: readonly News<R>[],
    result: WalkResult,
    dead: ReadonlyMap<string, DeadLetter>,
    { quiet = false, reach = result.lowUs }: { readonly quiet?: boolean; readonly reach?: number } = {},
  ): Promise<void> {
    const { fill, memory } = this.#options
    const lost = lostBy(result, this.#options)
    const { oldestUs } = result
    // A gap is told once, though the next walks don't reach below it either.
    const floor = Math.max(reach, memory.gapUntilUs)
    if (result.complete || oldestUs === undefined || oldestUs <= floor) {
      const isIdle = quiet && dead.size === 0 && lost.facts.length === 0
      await this.#pushAll(
        news,
        isIdle && !news.some(({ fact }) => fact !== undefined) ? undefined : this.#last(lost.facts, dead, lost.told),
      )
      return
    }
    // What the walk found goes out first: only what it did not find counts as recovered.
    await this.#pushAll(news, undefined)
    const filled = await fill(Math.max(result.lowUs, floor), oldestUs)
    const told = (): void => {
      lost.told()
      memory.gapUntilUs = oldestUs
    }
    await this.#pushAll([], this.#last([...filled, ...lost.facts], dead, told))
  }

  #last(facts: readonly Fact[], dead: ReadonlyMap<string, DeadLetter>, told?: () => void): Partial<Batch> {
    return {
      facts,
      cursor: this.#cursorNow(),
      ...(dead.size > 0 ? { dead: [...dead.values()] } : {}),
      committed: () => {
        this.#options.memory.bad.kept(dead)
        told?.()
      },
    }
  }
}
