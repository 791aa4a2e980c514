/**
 * Which transitions of faults were heard lately, by whatever told them. A controller may push nothing for a while and then
 * go on: what happened meanwhile stands in the fault log, but a later push has overtaken it, and telling it now would turn
 * a fault's history round. So it is announced.
 */
import type { ManagedObject, MirrorChange } from '../../record.ts'
import { unaccounted } from './fault-accounts.ts'
import { SKEW_MS, type Transition } from './fault-news.ts'
import { leftOut, readTrace, traceOf, traceWith } from './fault-trace.ts'
import { endsNear } from './heard-ends.ts'
import { type Heard, heardOf, heardOfRow, isDatedAs, isSameState, nearby, type Placed, placed } from './heard-steps.ts'
import { msOf } from './times.ts'

/** A fault as an earlier process knew it: its last step, or its end. */
export interface Inherited {
  readonly dn: string
  readonly atMs: number
  /** Undefined: it is gone. */
  readonly state?: Readonly<Record<string, string>>
  readonly wasOver?: boolean
  /** What that process kept with it. */
  readonly trace?: string | undefined
}

interface HeardOfOne {
  readonly all: Heard[]
  /** What was told of it last; not what was only read in its log. */
  told: Heard | undefined
  /** What is kept with it, and how many steps that names. */
  trace: string
  traced: number
}

/** Remembered of all faults together; what is older than the oldest of them is not judged. */
const MOST = 20_000
/** Steps named in what is kept with a fault: of one that flaps, half of them are left out when there are more. */
const MOST_TRACED = 24

export class FaultsHeard {
  readonly #byFault = new Map<string, HeardOfOne>()
  #order: Heard[] = []
  #head = 0
  /** From when on each row of the log that a feed of faults reads should have been heard. */
  readonly #since = new Map<string, number>()
  readonly #begun = new Set<string>()
  /** What the next process will not ask for any more, for each feed. */
  readonly #settled = new Map<string, number>()
  #settledMs = Number.NEGATIVE_INFINITY
  /** Of the faults that changed shortly before this process began: up to when not all that was heard is known. */
  #known: Map<string, number> | undefined
  /** From when on all that earlier processes heard is known. */
  #inheritedMs = Number.POSITIVE_INFINITY
  #forgottenMs = Number.NEGATIVE_INFINITY
  /** What is told of a time up to then may be what was read when a feed began. */
  #readToMs = Number.NEGATIVE_INFINITY

  /** What earlier processes have heard is known. */
  get hasInherited(): boolean {
    return this.#known !== undefined
  }

  /**
   * What earlier processes have heard of each of these faults: what becomes visible of the time before it is no news. `judged`: until
   * when they judged the log, for each feed, by `nowMs` of the fabric. What they kept with the faults names all that they heard since.
   */
  inherit(known: Iterable<Inherited>, nowMs: number, judged: ReadonlyMap<string, number> = new Map()): void {
    if (this.hasInherited) return
    this.#known = new Map()
    // Never beyond it: the fabric's clock may have been set back.
    const judgedMs = Math.min(nowMs, ...judged.values())
    this.#inheritedMs = judgedMs
    const all: { readonly heard: Heard; readonly latestMs: number; readonly isLast: boolean }[] = []
    for (const one of [...known].sort((a, b) => (b.atMs || 0) - (a.atMs || 0))) {
      // After a storm there may be a hundred thousand: what would be forgotten at once is not even read.
      if (all.length >= MOST) {
        this.#forgottenMs = one.atMs || 0
        break
      }
      const { dn, atMs, state, wasOver, trace = '' } = one
      const { fromMs, steps } = readTrace(dn, trace)
      const isWhole = steps.length > 0 && judged.size > 0
      if (!isWhole && Number.isNaN(atMs)) continue
      // What can't be read may be anything of before, and nothing of later.
      const wholeMs = fromMs === Number.POSITIVE_INFINITY ? nowMs : fromMs
      const untilMs = isWhole ? Math.max(wholeMs, judgedMs) : atMs
      this.#known.set(dn, Math.max(this.#known.get(dn) ?? untilMs, untilMs))
      // Its row may be dated a little later than it, and become visible only now.
      const heard = isWhole ? steps : [heardOf(dn, state, atMs, wasOver)]
      // What was announced is heard of later than what was told.
      const last = heard.findLast(({ timeOf }) => timeOf !== 'row')
      let latestMs = Number.NEGATIVE_INFINITY
      for (const step of heard) {
        latestMs = Math.max(latestMs, step.atMs)
        all.push({ heard: step, latestMs, isLast: step === last })
      }
    }
    // So that the oldest are forgotten first. Those of one fault stay in the order in which they were heard.
    for (const { heard, isLast } of all.sort((a, b) => a.latestMs - b.latestMs)) {
      const ofOne = this.#add(heard)
      if (isLast) ofOne.told = heard
    }
    // All of them at once: which of them asks first is of no matter.
    for (const [feed, ms] of judged) this.resume(feed, Math.min(ms, nowMs))
  }

  /** All rows that this feed reads of after `judgedMs` should have been heard, by earlier processes or by this one. */
  resume(feed: string, judgedMs: number): void {
    if (!this.#since.has(feed)) this.#since.set(feed, Math.max(judgedMs, this.#inheritedMs, this.#settledMs))
  }

  /** This feed, and the same feed in the next process, asks for no row of before `judgedMs` any more. */
  settle(feed: string, judgedMs: number): void {
    this.#settled.set(feed, judgedMs)
    const each = [...this.#since].map(([name, sinceMs]) => this.#settled.get(name) ?? sinceMs)
    this.#settledMs = Math.max(this.#settledMs, Math.min(...each))
  }

  /** What the store shall keep of a fault, with what was heard of it. */
  traced(change: MirrorChange): MirrorChange {
    const { key, object } = change
    const trace = this.#byFault.get(key)?.trace
    return object === null || trace === undefined ? change : { key, object: { ...object, trace } }
  }

  /** A step that was told beside all feeds, perhaps before this process has heard of any. `before`: the fault as it was. */
  aside(change: MirrorChange, before: ManagedObject, nowMs: number): MirrorChange {
    const { key, object } = change
    if (object === null) return change
    if (this.hasInherited) {
      this.note(key, object.attributes, nowMs)
      return this.traced(change)
    }
    const beforeMs = msOf(before.attributes['lastTransition'])
    const trace = traceWith(before.trace, beforeMs, heardOf(key, object.attributes, nowMs))
    return { key, object: { ...object, trace } }
  }

  /**
   * The fault log was read for this feed, with these rows in it, up to what a snapshot answered at `shownMs` shows, which is not
   * compared yet. The first time, all others of after `fabricMs` should be heard.
   */
  begin(feed: string, fabricMs: number, rows: readonly Transition[], shownMs = fabricMs): void {
    if (this.#begun.has(feed)) return
    this.#begun.add(feed)
    if (!this.#since.has(feed)) this.#since.set(feed, fabricMs)
    this.#readToMs = Math.max(this.#readToMs, shownMs)
    for (const [dn, ofOne] of Map.groupBy(rows, row => row.change.dn)) {
      // What is told of them was heard already.
      const rows = ofOne.map(row => ({ row, isAfterOpen: false, end: undefined }))
      for (const row of this.#unaccounted(feed, dn, rows)) this.#add(heardOfRow(row, feed))
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
    const left = new Set(this.#unaccounted(feed, dn, placed(among), sinceMs))
    const missing = transitions.filter(one => one.atMs > sinceMs && left.has(one))
    for (const one of missing) this.#add(heardOfRow(one, undefined))
    return missing
  }

  /**
   * Those of these rows for which nothing stands that was heard. Of earlier ones than `sinceMs` it is not known who heard of them:
   * they take away only what is surely their own.
   */
  #unaccounted(feed: string, dn: string, rows: readonly Placed[], sinceMs = Number.NEGATIVE_INFINITY): Transition[] {
    const fromMs = rows.reduce((least, { row }) => Math.min(least, row.atMs), Number.POSITIVE_INFINITY) - SKEW_MS
    const heard = this.#heardBy(feed, dn)
    const { exact, near } = nearby(
      heard.filter(({ atMs }) => atMs >= fromMs),
      rows,
    )
    const left = unaccounted(rows, ({ row }) => exact(row), [
      stepOf => {
        // What was known before has its row before, where the clock of the log is seen to be right.
        const isRight = rows.some(({ row }, index) => isDatedAs(row, stepOf(index)))
        const after = isRight ? sinceMs : Number.NEGATIVE_INFINITY
        return ({ row }) => (row.atMs > sinceMs ? near(row).filter(({ heard: { atMs } }) => atMs > after) : [])
      },
      stepOf => {
        const ends = endsNear(heard, rows, stepOf)
        return (one, index) => ends(one, index).filter(({ offMs }) => one.row.atMs > sinceMs || offMs === 0)
      },
    ])
    return left.map(({ row }) => row)
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

  #add(heard: Heard): HeardOfOne {
    let sofar = this.#byFault.get(heard.dn)
    if (sofar === undefined) {
      sofar = { all: [], told: undefined, trace: this.#forgotten(heard.dn), traced: 0 }
      this.#byFault.set(heard.dn, sofar)
    }
    sofar.all.push(heard)
    this.#order.push(heard)
    if (heard.readBy === undefined) this.#trace(sofar, heard)
    if (this.#order.length - this.#head > MOST) this.#forget()
    return sofar
  }

  #trace(one: HeardOfOne, heard: Heard): void {
    one.trace += traceOf(heard)
    if (++one.traced <= MOST_TRACED) return
    const recent = one.all.filter(({ readBy, atMs }) => readBy === undefined && atMs > this.#settledMs)
    const left = recent.splice(0, recent.length - MOST_TRACED / 2)
    const leftMs = left.reduce((latest, { atMs }) => Math.max(latest, atMs), Number.NEGATIVE_INFINITY)
    one.trace = this.#forgotten(heard.dn, leftMs) + recent.map(traceOf).join('')
    one.traced = recent.length
  }

  /** The words for what is not in a trace, if the next process might ask for it. */
  #forgotten(dn: string, leftMs = Number.NEGATIVE_INFINITY): string {
    const untilMs = Math.max(leftMs, this.#forgottenMs, this.#known?.get(dn) ?? leftMs)
    return untilMs > this.#settledMs ? leftOut(untilMs) : ''
  }

  #forget(): void {
    const dn = this.#order[this.#head++]?.dn
    const heard = dn === undefined ? undefined : this.#byFault.get(dn)
    const oldest = heard?.all.shift()
    if (oldest === undefined) return
    this.#forgottenMs = Math.max(this.#forgottenMs, oldest.atMs)
    if (heard?.all.length === 0) this.#byFault.delete(oldest.dn)
    if (this.#head < MOST) return
    this.#order = this.#order.slice(this.#head)
    this.#head = 0
  }
}
