/**
 * Which transitions of faults were heard lately, by whatever told them. A controller may push nothing for a while and then
 * go on: what happened meanwhile stands in the fault log, but a later push has overtaken it, and telling it now would turn
 * a fault's history round. So it is announced.
 */
import { SKEW_MS, STATE, type Transition } from './fault-news.ts'
import { msOf } from './times.ts'

interface Heard {
  readonly dn: string
  /** The fault's own time; of an end, when it was heard of. Ms by the fabric's clock. */
  readonly atMs: number
  /** Undefined: it is gone. */
  readonly state: State | undefined
}

/** No more of a fault than is compared: all that it was would keep thousands of old versions in memory. */
type State = Readonly<Record<(typeof STATE)[number], string | undefined>>

/** Remembered of all faults together; what is older than the oldest of them is not judged. */
const MOST = 20_000

export class FaultsHeard {
  readonly #byFault = new Map<string, Heard[]>()
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
    for (const row of rows) this.#take(row)
  }

  /** A fault is in this state, or gone (undefined): `nowMs` where the state doesn't say since when. */
  note(dn: string, state: Readonly<Record<string, string>> | undefined, nowMs: number): void {
    const ownMs = msOf(state?.['lastTransition'])
    const heard: Heard = {
      dn,
      atMs: Number.isNaN(ownMs) ? nowMs : ownMs,
      state: state && { severity: state['severity'], lc: state['lc'], occur: state['occur'] },
    }
    const sofar = this.#byFault.get(dn)
    if (sofar === undefined) this.#byFault.set(dn, [heard])
    else sofar.push(heard)
    this.#order.push(heard)
    if (this.#order.length - this.#head > MOST) this.#forget()
  }

  /** Of these transitions of one fault, all of which should have been heard: those that nobody told. Each is said once. */
  unheard(feed: string, dn: string, transitions: readonly Transition[]): Transition[] {
    const feedMs = this.#since.get(feed) ?? Number.POSITIVE_INFINITY
    const sinceMs = Math.max(feedMs, this.#known?.get(dn) ?? feedMs, this.#forgottenMs)
    const heard = this.#byFault.get(dn) ?? []
    const missing = transitions.filter(one => one.atMs > sinceMs && !heard.some(other => isSame(one, other)))
    for (const one of missing) this.#take(one)
    return missing
  }

  #take({ atMs, change }: Transition): void {
    this.note(change.dn, change.status === 'deleted' ? undefined : change.attributes, atMs)
  }

  #forget(): void {
    const oldest = this.#order[this.#head++]
    if (oldest === undefined) return
    this.#forgottenMs = Math.max(this.#forgottenMs, oldest.atMs)
    const heard = this.#byFault.get(oldest.dn)
    heard?.shift()
    if (heard?.length === 0) this.#byFault.delete(oldest.dn)
    if (this.#head < MOST) return
    this.#order = this.#order.slice(this.#head)
    this.#head = 0
  }
}

function isSame({ atMs, change }: Transition, { atMs: heardMs, state }: Heard): boolean {
  // An end has no time of its own: it is heard of when it is, or a little later.
  if (change.status === 'deleted') return state === undefined && heardMs >= atMs - SKEW_MS
  if (state === undefined || Math.abs(atMs - heardMs) > SKEW_MS) return false
  return STATE.every(name => (change.attributes[name] || state[name]) === (state[name] || change.attributes[name]))
}
