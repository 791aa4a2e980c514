/**
 * What faults did in a hole: faultRecord logs each transition, so a fault that came and went meanwhile is told though no
 * snapshot shows it (reference b2). The rows are laid into the chain of the fault, before the snapshot is compared.
 */
import type { Cancel } from '../../scheduler/clock.ts'
import { applyChange } from './apply.ts'
import type { Asked, Core, Watched } from './core.ts'
import { type ApicObject, type Change, changesOf } from './decode.ts'
import { newestFirst, tellIfPurged, tellPurged } from './history.ts'
import { type LogRow, readLog } from './log-pages.ts'
import { faultOfRecord } from './normalise-fault.ts'
import { askPatiently } from './patient.ts'
import { queryUrl } from './query.ts'

const FAULT_LOG = 'faultRecord'
const LOG = { path: `/api/class/${FAULT_LOG}`, options: [] } as const
/** What a transition is about: two versions that agree in these are one state. */
const STATE = ['severity', 'lc', 'occur'] as const
/** The log's clock may be off the fault's own, and our idea of the fabric's clock a little off as well. */
const SKEW_MS = 2000
/** Rows kept for the other subscriptions of the session that close the same hole. */
const KEPT_MS = 60_000

/** A part of the fault log, and what of it was purged while it was read. */
export interface Stretch {
  readonly rows: readonly LogRow[]
  readonly purged: readonly { readonly fromMs: number; readonly toMs: number }[]
}

/** One transition of one fault. */
interface Transition {
  readonly atMs: number
  readonly change: Change
}

/** The fault log of one session: however many subscriptions close a hole at once, a stretch of it is read once. */
export class FaultLog {
  readonly #rows = new Map<string, LogRow>()
  readonly #purged: { readonly fromMs: number; readonly toMs: number }[] = []
  #fromMs = Number.POSITIVE_INFINITY
  #toMs = Number.NEGATIVE_INFINITY
  #reading: Promise<unknown> = Promise.resolve()
  #cancelForget: Cancel | undefined

  /** Rows created from `fromMs` on, oldest first, as they were at `untilMs` or later (fabric's clock). */
  rows(core: Core, fromMs: number, untilMs: number): Promise<Stretch> {
    const read = this.#reading.then(() => this.#read(core, fromMs, untilMs))
    this.#reading = read.catch(() => undefined)
    return read
  }

  /** Forgets what it read and stops to wait for the moment to do so. */
  close(): void {
    this.#cancelForget?.()
    this.#forget()
  }

  async #read(core: Core, fromMs: number, untilMs: number): Promise<Stretch> {
    const { clock, tuning, signal } = core
    if (fromMs < this.#fromMs) {
      this.#forget()
      this.#fromMs = fromMs
    }
    if (untilMs > this.#toMs) {
      const nowMs = core.fabricNow()
      // What was read just now is read again as far back as rows become visible late.
      const since = Math.max(this.#fromMs, this.#toMs - tuning.overlapMs)
      await readLog(core, LOG, FAULT_LOG, since, signal, {
        take: async rows => {
          for (const row of rows) this.#rows.set(row.dn, row)
        },
        purged: (from, to) => this.#purged.push({ fromMs: from, toMs: to }),
      })
      this.#toMs = nowMs
    }
    // Too much to keep for the life of the session, and too much to read again for each of a thousand subscriptions.
    this.#cancelForget?.()
    this.#cancelForget = clock.after(KEPT_MS, () => this.#forget())
    const rows = [...this.#rows.values()].filter(row => row.createdMs >= fromMs)
    return { rows: rows.sort((a, b) => a.createdMs - b.createdMs), purged: [...this.#purged] }
  }

  #forget(): void {
    this.#rows.clear()
    this.#purged.length = 0
    this.#fromMs = Number.POSITIVE_INFINITY
    this.#toMs = Number.NEGATIVE_INFINITY
  }
}

/**
 * Tells the transitions between the feed's position and the snapshot that nobody has told: all of them but, for a fault that
 * the snapshot shows, the one that led to the state shown: that one is told whole by the comparison that follows.
 * Returns how many events that made.
 */
export async function tellMissedFaults(
  core: Core,
  feed: Watched,
  snapshot: readonly ApicObject[],
  asked: Asked,
  hole: { readonly fromMs: number | undefined } | undefined,
): Promise<number> {
  const { position } = feed
  const untilMs = asked.fabricMs
  if (position.readToMs === undefined) {
    await firstContact(core, feed, untilMs)
    return 0
  }
  if (hole !== undefined && position.sawRecord) {
    const knownToMs = Math.max(position.readToMs, hole.fromMs ?? position.readToMs)
    await tellIfPurged(core, feed, { cls: FAULT_LOG, path: LOG.path, knownToMs }, core.signal)
  }
  const { rows, purged } = await core.faultLog.rows(core, position.fromMs(core.tuning.overlapMs), untilMs)
  for (const { fromMs, toMs } of purged) tellPurged(core, feed, FAULT_LOG, fromMs, toMs)
  const shown = new Map(changesOf(snapshot).map(change => [change.dn, change]))
  let told = 0
  for (const transition of missed(core, feed, rows, untilMs, shown)) {
    if (tell(core, feed, transition, shown.get(transition.change.dn), asked)) told++
    await core.outbox.room()
  }
  core.signal.throwIfAborted()
  position.finishRead(rows.findLast(row => row.createdMs <= untilMs)?.createdMs, untilMs)
  return told
}

/** From now on; whether there is a record at all decides if its purge can be noticed later. */
async function firstContact(core: Core, feed: Watched, untilMs: number): Promise<void> {
  const url = queryUrl(LOG, core.config.format, newestFirst(FAULT_LOG))
  const answer = await askPatiently(core, url, 'history', core.signal)
  if (answer.objects.length > 0) feed.position.see()
  feed.position.begin(untilMs, untilMs)
}

/** What of the log is news, oldest first. */
function missed(
  core: Core,
  feed: Watched,
  rows: readonly LogRow[],
  untilMs: number,
  shown: ReadonlyMap<string, Change>,
): Transition[] {
  const byFault = new Map<string, Transition[]>()
  for (const row of rows) {
    const transition = transitionOf(row)
    if (transition === undefined || transition.atMs > untilMs) continue
    const { cls, dn } = transition.change
    if (!feed.query.yields(cls, dn)) continue
    const sofar = byFault.get(dn)
    if (sofar === undefined) byFault.set(dn, [transition])
    else sofar.push(transition)
  }
  return [...byFault]
    .flatMap(([dn, transitions]) => {
      const news = newsOf(knownOf(core, dn), transitions)
      const now = shown.get(dn)
      const last = news.at(-1)
      const isLast = now !== undefined && last !== undefined && last.change.status !== 'deleted'
      return isLast && isSameState(given(last.change), now.attributes) ? news.slice(0, -1) : news
    })
    .sort((a, b) => a.atMs - b.atMs)
}

/** Releases may log the fault's own time, or only the record's; of a deletion only the record tells. */
function transitionOf({ createdMs, attributes }: LogRow): Transition | undefined {
  const change = faultOfRecord({ cls: FAULT_LOG, attributes, children: [] })
  if (change === undefined) return undefined
  const { created } = attributes
  if (change.status !== 'deleted' || created === undefined) {
    const ownMs = Date.parse(change.attributes['lastTransition'] ?? '')
    return { atMs: Number.isNaN(ownMs) ? createdMs : ownMs, change }
  }
  return { atMs: createdMs, change: { ...change, attributes: { ...change.attributes, lastTransition: created } } }
}

/** What has been told of a fault. */
interface Known {
  readonly there: boolean
  /** Its last state; undefined when it was never seen. */
  readonly state: Readonly<Record<string, string>> | undefined
  /** When it came into that state, ms; -Infinity when it doesn't say. */
  readonly seenMs: number
  /** When the fabric told that it is gone, ms. */
  readonly endedMs: number | undefined
}

function knownOf(core: Core, dn: string): Known {
  const now = core.mirror.get(dn)?.attributes
  const end = core.mirror.end(dn)
  const state = now ?? end?.last
  const seenMs = Date.parse(state?.['lastTransition'] ?? '')
  return {
    there: now !== undefined,
    state,
    seenMs: Number.isNaN(seenMs) ? Number.NEGATIVE_INFINITY : seenMs,
    endedMs: end?.told === true ? end.endedMs : undefined,
  }
}

/** What follows the transition that was told last, in the order of the log; what changes nothing is none. */
function newsOf(known: Known, transitions: readonly Transition[]): Transition[] {
  let { there, state } = known
  return transitions.slice(lastTold(known, transitions) + 1).filter(({ change }) => {
    if (change.status === 'deleted') {
      const news = there
      there = false
      return news
    }
    if (state !== undefined && (there ? isSameState(given(change), state) : isResolved(change))) return false
    there = true
    state = { ...state, ...given(change) }
    return true
  })
}

/**
 * Where the last told transition stands in the log. Its row is looked for by what it says, near its time: the log's clock
 * may be behind the fault's own. Where it isn't found, time alone must do.
 */
function lastTold({ state, seenMs, endedMs }: Known, transitions: readonly Transition[]): number {
  const near = (atMs: number, fits: (change: Change) => boolean): number => {
    let found = -1
    for (const [index, { atMs: at, change }] of transitions.entries()) {
      const off = Math.abs(at - atMs)
      const best = Math.abs((transitions[found]?.atMs ?? Number.POSITIVE_INFINITY) - atMs)
      if (off <= SKEW_MS && off < best && fits(change)) found = index
    }
    return found
  }
  const end = endedMs === undefined ? -1 : near(endedMs, change => change.status === 'deleted')
  const same =
    state === undefined ? -1 : near(seenMs, change => change.status !== 'deleted' && isSameState(given(change), state))
  if (end >= 0 || (endedMs === undefined && same >= 0)) return Math.max(end, same)
  return Math.max(
    same,
    transitions.findLastIndex(({ atMs }) => atMs <= Math.max(seenMs, endedMs ?? seenMs)),
  )
}

/** The end of a fault that is known to be gone is no news: it was found missing before the log showed it. */
function isResolved({ attributes }: Change): boolean {
  return attributes['severity'] === 'cleared' || attributes['lc'] === 'retaining'
}

function isSameState(row: Readonly<Record<string, string>>, state: Readonly<Record<string, string>>): boolean {
  return STATE.every(name => (row[name] ?? state[name]) === (state[name] ?? row[name]))
}

function tell(core: Core, feed: Watched, { atMs, change }: Transition, shown: Change | undefined, asked: Asked) {
  const { cls, dn } = change
  const known = core.mirror.get(dn)?.attributes
  const isKnown = known !== undefined
  // A push was faster than the reading: it is the later news.
  if (Date.parse(known?.['lastTransition'] ?? '') > atMs) return false
  // A row lacks some properties of the fault: what is there lends them, so that the comparison finds nothing to learn.
  const lent = isKnown || change.status === 'deleted' ? {} : (shown?.attributes ?? {})
  const whole: Change = {
    cls,
    dn,
    attributes: { ...lent, ...given(change) },
    status: change.status === 'deleted' ? 'deleted' : isKnown ? 'modified' : 'created',
  }
  const watchers = core.watchers().filter(one => one === feed || one.query.covers(cls, dn))
  return (
    applyChange(core, feed, whole, { origin: 'resync', publish: true, watchers, atMs, asOf: asked.at - 1 }) ===
    'published'
  )
}

/** Without what the row leaves empty: the fault may have it, and its log does not carry it. */
function given({ attributes }: Change): Record<string, string> {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== ''))
}
