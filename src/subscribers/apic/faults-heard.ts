/**
 * Which transitions of faults were heard lately, by whatever told them. A controller may push nothing for a while and then
 * go on: what happened meanwhile stands in the fault log, but a later push has overtaken it, and telling it now would turn
 * a fault's history round. So it is announced.
 */
import { unaccounted } from './fault-accounts.ts'
import { isOver, SKEW_MS, STATE, type Transition } from './fault-news.ts'
import { msOf } from './times.ts'

interface Heard {
  readonly dn: string
  /** The fault's own time; of an end, when it was heard of. Ms by the fabric's clock. */
  readonly atMs: number
  /** Undefined: it is gone. */
  readonly state: State | undefined
  /** It was over already: its end told nothing. */
  readonly isSilent: boolean
}

/** No more of a fault than is compared: all that it was would keep thousands of old versions in memory. */
type State = Readonly<Record<(typeof STATE)[number], string | undefined>>

interface HeardOfOne {
  readonly all: Heard[]
  /** What was told of it last; not what was only read in its log. */
  told: Heard | undefined
}

/** Remembered of all faults together; what is older than the oldest of them is not judged. */
const MOST = 20_000

export class FaultsHeard {
  readonly #byFault = new Map<string, HeardOfOne>()
  #order: Heard[] = []
  #head = 0
  /** From when on each feed of faults has been listened to by this process. */
  readonly #since = new Map<string, number>()
  /** Of the faults that changed shortly before this process began. */
  #known: Map<string, number> | undefined
  #forgottenMs = Number.NEGATIVE_INFINITY

  isBegun(feed: string): boolean {
    return this.#since.has(feed)
  }

  /** Until when an earlier process has heard of each of these faults: what becomes visible of that time is no news. */
  inherit(known: Iterable<readonly [dn: string, atMs: number]>): void {
    if (this.#known !== undefined) return
    this.#known = new Map()
    for (const [dn, atMs] of known) this.#known.set(dn, Math.max(this.#known.get(dn) ?? atMs, atMs))
  }

  /** The fault log was read for this feed, with these rows in it: the first time, all others of after `fabricMs` should be heard. */
  begin(feed: string, fabricMs: number, rows: readonly Transition[]): void {
    if (this.#since.has(feed)) return
    this.#since.set(feed, fabricMs)
    for (const [dn, ofOne] of Map.groupBy(rows, row => row.change.dn)) {
      // What is told of them was heard already.
      for (const row of unaccounted(ofOne, this.#heardOf(dn), exactMs)) this.#take(row)
    }
  }

  /** A fault is in this state, or gone (undefined): `nowMs` where the state doesn't say since when. `wasOver`: before its end. */
  note(dn: string, state: Readonly<Record<string, string>> | undefined, nowMs: number, wasOver = false): void {
    const heard = heardOf(dn, state, nowMs, wasOver)
    const last = this.#byFault.get(dn)?.told
    // No other step: something else of the fault changed, or its own time was learned, which is before that of its record.
    if (last?.state !== undefined && isSameState(heard.state, last.state) && heard.atMs <= last.atMs) return
    this.#add(heard).told = heard
  }

  /**
   * Of these transitions of one fault, all of which should have been heard: those that nobody told. Each is said once. `among`: all
   * rows that what was heard may stand for.
   */
  unheard(
    feed: string,
    dn: string,
    transitions: readonly Transition[],
    among: readonly Transition[] = transitions,
  ): Transition[] {
    if (transitions.length === 0) return []
    const feedMs = this.#since.get(feed) ?? Number.POSITIVE_INFINITY
    const sinceMs = Math.max(feedMs, this.#known?.get(dn) ?? feedMs, this.#forgottenMs)
    const fromMs = among.reduce((least, { atMs }) => Math.min(least, atMs), Number.POSITIVE_INFINITY) - SKEW_MS
    const heard = this.#heardOf(dn).filter(({ atMs }) => atMs >= fromMs)
    // An earlier row takes away only what is surely its own: who heard of it is not known.
    const apart = ({ row, ...around }: Placed, other: Heard): number | undefined => {
      const off = around.end === undefined ? offMs(row, other, around.isAfterOpen) : closedMs(row, around.end, other)
      return row.atMs > sinceMs || off === 0 ? off : undefined
    }
    const left = new Set(unaccounted(placed(among), heard, apart).map(({ row }) => row))
    const missing = transitions.filter(one => one.atMs > sinceMs && left.has(one))
    for (const one of missing) this.#take(one)
    return missing
  }

  #heardOf(dn: string): readonly Heard[] {
    return this.#byFault.get(dn)?.all ?? []
  }

  #take({ atMs, change }: Transition): void {
    this.#add(heardOf(change.dn, change.status === 'deleted' ? undefined : change.attributes, atMs))
  }

  #add(heard: Heard): HeardOfOne {
    const sofar = this.#byFault.get(heard.dn) ?? { all: [], told: undefined }
    this.#byFault.set(heard.dn, sofar)
    sofar.all.push(heard)
    this.#order.push(heard)
    if (this.#order.length - this.#head > MOST) this.#forget()
    return sofar
  }

  #forget(): void {
    const oldest = this.#order[this.#head++]
    if (oldest === undefined) return
    this.#forgottenMs = Math.max(this.#forgottenMs, oldest.atMs)
    const heard = this.#byFault.get(oldest.dn)
    heard?.all.shift()
    if (heard?.all.length === 0) this.#byFault.delete(oldest.dn)
    if (this.#head < MOST) return
    this.#order = this.#order.slice(this.#head)
    this.#head = 0
  }
}

function heardOf(
  dn: string,
  state: Readonly<Record<string, string>> | undefined,
  nowMs: number,
  wasOver = false,
): Heard {
  const ownMs = msOf(state?.['lastTransition'])
  return {
    dn,
    atMs: Number.isNaN(ownMs) ? nowMs : ownMs,
    state: state && { severity: state['severity'], lc: state['lc'], occur: state['occur'] },
    isSilent: state === undefined && wasOver,
  }
}

/** A row of the log with what matters of those around it. */
interface Placed {
  readonly row: Transition
  /** It follows a step of a fault that was not over. */
  readonly isAfterOpen: boolean
  /** The end that follows a fault being over: whichever of the two is heard of closes it. */
  readonly end: Transition | undefined
}

/** Without the ends of what was over. */
function placed(rows: readonly Transition[]): Placed[] {
  return rows.flatMap((row, index) => {
    const [before, after] = [rows[index - 1], rows[index + 1]]
    if (isEnd(row) && before !== undefined && !isOpen(before)) return []
    const isClosing = !isEnd(row) && !isOpen(row) && after !== undefined && isEnd(after)
    return [{ row, isAfterOpen: before !== undefined, end: isClosing ? after : undefined }]
  })
}

/** How far the row is from what was heard; undefined where they are not one step. */
function offMs(row: Transition, heard: Heard, isAfterOpen = false): number | undefined {
  const off = Math.abs(row.atMs - heard.atMs)
  if (!isEnd(row)) return off <= SKEW_MS && isSameState(heard.state, row.change.attributes) ? off : undefined
  // An end that told nothing does not stand for one that came after steps which nobody heard of.
  if (heard.state !== undefined || (heard.isSilent && isAfterOpen)) return undefined
  // An end has no time of its own: it is heard of when it is, or a little later.
  return heard.atMs >= row.atMs - SKEW_MS ? off : undefined
}

function closedMs(row: Transition, end: Transition, heard: Heard): number | undefined {
  if (heard.state !== undefined) return offMs(row, heard)
  const off = offMs(end, heard, true)
  // Rather by itself: the end may be needed by another life.
  return off === undefined ? undefined : off + 1
}

function isEnd({ change }: Transition): boolean {
  return change.status === 'deleted'
}

function isOpen(row: Transition): boolean {
  return !isEnd(row) && !isOver(row.change.attributes)
}

function exactMs(row: Transition, heard: Heard): number | undefined {
  return offMs(row, heard) === 0 ? 0 : undefined
}

function isSameState(heard: State | undefined, other: Readonly<Record<string, string | undefined>>): boolean {
  return heard !== undefined && STATE.every(name => (other[name] || heard[name]) === (heard[name] || other[name]))
}
