/**
 * The check behind the sweep: what the cell counts in each hour is held against what was dealt with. So a row that became visible
 * later than the overlap reaches is found, told and counted, not lost in silence.
 */
import { codeOf } from '../../errors.ts'
import type { Fact, GapReason } from '../../event.ts'
import type { DeadLetter } from '../../record.ts'
import { sleep } from '../../scheduler/clock.ts'
import { HOUR_MS } from './hours.ts'
import type { NewsDesk } from './news.ts'
import type { Millisecond, Span } from './pages.ts'
import { FEED, type Position } from './position.ts'
import type { Commit, TrailOptions } from './trail.ts'

/** Kind to the cell, and to the polls that wait meanwhile. */
const HOURS_A_TURN = 2
const PAGES_A_TURN = 16
const SPACING_MS = 500
/** The ids of older hours may be forgotten: what is told and what isn't can't be told apart any more. */
const READABLE_MS = 25 * HOUR_MS

export interface HourCheckParts {
  readonly desk: NewsDesk
  readonly position: Position
  readonly commit: (commit: Commit) => Promise<void>
  readonly gap: (reason: GapReason, from: number, to: number) => Fact
}

/** An hour that is being read again, over several turns if it is a full one. */
interface Rereading {
  readonly hour: number
  /** What the cell counted in it before. */
  readonly counted: number
  readonly pages: AsyncGenerator<Millisecond, void>
  /** The cell's time when it began. */
  readonly cap: number
  /** What is in it, by id or content. */
  readonly met: Set<string>
  /** Rows of one millisecond that the cell counts and did not show. */
  missing: number
  /** How late those were that nobody had been told of, ms: of this turn; and how many of the turns before. */
  readonly late: number[]
  told: number
}

export class HourCheck {
  readonly #options: TrailOptions
  readonly #parts: HourCheckParts
  #rereading: Rereading | undefined
  #toldMiscount = false

  constructor(options: TrailOptions, parts: HourCheckParts) {
    this.#options = options
    this.#parts = parts
  }

  /**
   * Compares the hours that are due, a few at a time, and reads on in one that differs. Throws what a page throws; a count that
   * does not come in time is no reason to end a session whose polls are well.
   */
  async turn(): Promise<void> {
    const { hours, config, serverNow } = this.#options
    const { position } = this.#parts
    const now = serverNow()
    const due = hours.due(position.asked, position.sweep - config.overlap, now)
    for (const hour of due.slice(0, HOURS_A_TURN)) {
      if (this.#rereading !== undefined) break
      try {
        await this.#compare(hour, now)
      } catch (error) {
        if (codeOf(error) !== 'timeout') throw error
        this.#adviseMiscount('the cell does not count its rows in time')
        // Each one more would keep the polls waiting as long.
        for (const other of due) hours.checked(other, now)
        break
      }
      hours.checked(hour, now)
    }
    const rereading = this.#rereading
    if (rereading === undefined) return
    try {
      await this.#readOn(rereading)
    } finally {
      // With each turn, since the session may end before the next: what is published now no later reading takes for news.
      this.#tell(rereading)
    }
  }

  async #compare(hour: number, now: number): Promise<void> {
    const { pages, hours } = this.#options
    const counted = await pages.count(this.#spanOf(hour))
    if (counted === undefined) {
      this.#adviseMiscount('the cell does not count its rows')
      return
    }
    const known = hours.rows(hour)
    if (counted === known) return
    if (known === undefined || now - hour <= READABLE_MS) {
      this.#readAgain(hour, counted)
      return
    }
    const { gap, commit } = this.#parts
    // Fewer than before is retention at work, or a role that sees less, which other checks are for; it may see all again.
    if (counted < known) return
    const draft = hours.draft()
    draft.set(hour, counted)
    const facts = [gap('state_lost', this.#spanOf(hour).fromMs, hour + HOUR_MS)]
    await commit({ facts, mirror: draft.changes(), durable: () => draft.adopt() })
  }

  /** What came before the first contact was not dealt with. */
  #spanOf(hour: number): Span & { readonly untilMs: number } {
    return { fromMs: Math.max(hour, this.#parts.position.asked), untilMs: hour + HOUR_MS }
  }

  #readAgain(hour: number, counted: number): void {
    const { pages, clock, signal, serverNow } = this.#options
    const pause = (): Promise<void> => sleep(clock, SPACING_MS, signal)
    const all = pages.through(this.#spanOf(hour), pause)
    this.#rereading = { hour, counted, pages: all, cap: serverNow(), met: new Set(), missing: 0, late: [], told: 0 }
  }

  async #readOn(rereading: Rereading): Promise<void> {
    const { report, config } = this.#options
    for (let read = 0; read < PAGES_A_TURN; read++) {
      const { value: page, done } = await rereading.pages.next()
      report({ type: 'feed_proof', source: config.name, feed: FEED })
      if (done === true || page === undefined) {
        this.#rereading = undefined
        return this.#finish(rereading)
      }
      rereading.missing += page.missing
      await this.#take(page, rereading)
    }
  }

  async #take({ rows, dead }: Millisecond, { cap, met, late }: Rereading): Promise<void> {
    const { seen } = this.#options
    const { desk, commit } = this.#parts
    for (const row of rows) met.add(row.id)
    for (const letter of dead) met.add(letter.content)
    const letters: DeadLetter[] = dead.filter(letter => !seen.hasDead(letter.content))
    const reading = { sweep: true, catchUp: true, reach: 0, cap, audit: true }
    const { facts, fresh, mirror, adopt } = desk.sort(rows, reading)
    if (facts.length + letters.length + mirror.length === 0) return
    const durable = (places: readonly number[]): void => {
      adopt()
      for (const place of places) late.push(cap - (fresh[place]?.timeMs ?? cap))
    }
    await commit({ facts, dead: letters, mirror, durable })
  }

  async #finish(rereading: Rereading): Promise<void> {
    const { hour, counted, met, missing, late, told } = rereading
    const draft = this.#options.hours.draft()
    // By the cell's own count, whatever that is worth: one that is wrong would have the hour read again for ever. What came
    // meanwhile, or was not shown, makes it differ the next time.
    draft.set(hour, counted - missing)
    if (met.size - late.length - told > counted) {
      const from = new Date(hour).toISOString()
      this.#adviseMiscount(`the cell counts ${counted} rows of the hour from ${from} and shows ${met.size}`)
    }
    await this.#parts.commit({ mirror: draft.changes(), durable: () => draft.adopt() })
  }

  #tell(rereading: Rereading): void {
    const { hour } = rereading
    const late = rereading.late.splice(0)
    if (late.length === 0) return
    rereading.told += late.length
    const { report, config } = this.#options
    const { name } = config
    report({ type: 'feed_recovered', source: name, feed: FEED, count: late.length })
    for (const ms of late) report({ type: 'feed_late', source: name, feed: FEED, seconds: ms / 1000 })
    const text =
      `${late.length} audit rows of the hour from ${new Date(hour).toISOString()} became visible after the sweeps had passed: ` +
      'found by their number and published now. Make overlap longer, so that they come in time'
    report({ type: 'advice', source: name, text })
  }

  #adviseMiscount(what: string): void {
    if (this.#toldMiscount) return
    this.#toldMiscount = true
    const text = `${what}: one that becomes visible later than overlap would not be noticed`
    this.#options.report({ type: 'advice', source: this.#options.config.name, text })
  }
}
