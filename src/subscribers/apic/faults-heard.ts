/**
 * Which transitions of faults were heard lately, by whatever told them. A controller may push nothing for a while and then
 * go on: what happened meanwhile stands in the fault log, but a later push has overtaken it, and telling it now would turn
 * a fault's history round. So it is announced.
 */
import { unaccounted } from './fault-accounts.ts'
import { SKEW_MS, type Transition } from './fault-news.ts'
import { closedMs, type Heard, heardNear, heardOf, isSameState, offMs, type Placed, placed } from './heard-steps.ts'

/** A fault as an earlier process knew it: its last step, or its end. */
export interface Inherited {
  readonly dn: string
  readonly atMs: number
  /** Undefined: it is gone. */
  readonly state?: Readonly<Record<string, string>>
  readonly wasOver?: boolean
}

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
  /** What is told of a time up to then may be what was read when a feed began. */
  #readToMs = Number.NEGATIVE_INFINITY

  isBegun(feed: string): boolean {
    return this.#since.has(feed)
  }

  /** What an earlier process has heard of each of these faults last: what becomes visible of the time before it is no news. */
  inherit(known: Iterable<Inherited>): void {
    if (this.#known !== undefined) return
    this.#known = new Map()
    for (const { dn, atMs, state, wasOver } of known) {
      this.#known.set(dn, Math.max(this.#known.get(dn) ?? atMs, atMs))
      // Its row may be dated a little later than it, and become visible only now.
      const heard = heardOf(dn, state, atMs, wasOver)
      this.#add(heard).told = heard
    }
  }

  /**
   * The fault log was read for this feed, with these rows in it, up to what a snapshot answered at `shownMs` shows, which is not
   * compared yet. The first time, all others of after `fabricMs` should be heard.
   */
  begin(feed: string, fabricMs: number, rows: readonly Transition[], shownMs = fabricMs): void {
    if (this.#since.has(feed)) return
    this.#since.set(feed, fabricMs)
    this.#readToMs = Math.max(this.#readToMs, shownMs)
    for (const [dn, ofOne] of Map.groupBy(rows, row => row.change.dn)) {
      // What is told of them was heard already.
      const near = heardNear(this.#heardBy(feed, dn))
      for (const row of unaccounted(ofOne, (row, which) => near(row, which), offMs)) this.#take(row, feed)
    }
  }

  /** A fault is in this state, or gone (undefined): `nowMs` where the state doesn't say since when. `wasOver`: before its end. */
  note(dn: string, state: Readonly<Record<string, string>> | undefined, nowMs: number, wasOver = false): void {
    const heard = heardOf(dn, state, nowMs, wasOver)
    const last = this.#byFault.get(dn)?.told
    // No other step: something else of the fault changed, or its own time was learned, which is before that of its record.
    if (last?.state !== undefined && isSameState(heard.state, last.state) && heard.atMs <= last.atMs) return
    if (heard.atMs <= this.#readToMs) this.#replaceRead(heard)
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
    const near = heardNear(this.#heardBy(feed, dn).filter(({ atMs }) => atMs >= fromMs))
    // An earlier row takes away only what is surely its own: who heard of it is not known.
    const apart = ({ row, ...around }: Placed, other: Heard): number | undefined => {
      const off = around.end === undefined ? offMs(row, other, around.isAfterOpen) : closedMs(row, around.end, other)
      return row.atMs > sinceMs || off === 0 ? off : undefined
    }
    const left = new Set(
      unaccounted(placed(among), (one, which) => near(one.row, which, one.end), apart).map(({ row }) => row),
    )
    const missing = transitions.filter(one => one.atMs > sinceMs && left.has(one))
    for (const one of missing) this.#take(one)
    return missing
  }

  #heardBy(feed: string, dn: string): readonly Heard[] {
    const all = this.#byFault.get(dn)?.all ?? []
    return all.filter(({ readBy, isReplaced }) => readBy === undefined || (readBy === feed && !isReplaced))
  }

  /** Counted twice, it would stand for a step that is lost later. */
  #replaceRead({ dn, atMs, state }: Heard): void {
    const nearest = new Map<string, Heard>()
    for (const one of this.#byFault.get(dn)?.all ?? []) {
      if (one.readBy === undefined || one.isReplaced || one.state === undefined) continue
      const offMs = Math.abs(one.atMs - atMs)
      const best = Math.abs((nearest.get(one.readBy)?.atMs ?? Number.POSITIVE_INFINITY) - atMs)
      if (offMs <= SKEW_MS && offMs < best && isSameState(state, one.state)) nearest.set(one.readBy, one)
    }
    for (const one of nearest.values()) one.isReplaced = true
  }

  #take({ atMs, change }: Transition, readBy?: string): void {
    const state = change.status === 'deleted' ? undefined : change.attributes
    this.#add({ ...heardOf(change.dn, state, atMs), readBy })
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
