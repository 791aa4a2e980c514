/**
 * What faults did in a hole: faultRecord logs each transition, so a fault that came and went meanwhile is told though no
 * snapshot shows it (reference b2). The rows are laid into the chain of the fault, before the snapshot is compared.
 */
import type { Cancel } from '../../scheduler/clock.ts'
import { applyChange } from './apply.ts'
import type { Asked, Core, Watched } from './core.ts'
import { type ApicObject, type Change, changesOf } from './decode.ts'
import { readWhenLogged } from './fault-lag.ts'
import {
  type Border,
  given,
  isOver,
  type Known,
  newsOf,
  overtakenBy,
  SKEW_MS,
  type Transition,
  upToSnapshot,
  withoutRepeats,
} from './fault-news.ts'
import type { Inherited } from './faults-heard.ts'
import { newestFirst, tellIfPurged, tellPurged } from './history.ts'
import { showsFaults, tellOvertaken } from './hole.ts'
import { type LogAsker, type LogRow, readLog } from './log-pages.ts'
import { faultOfRecord } from './normalise-fault.ts'
import { askPatiently } from './patient.ts'
import { queryUrl } from './query.ts'

const FAULT_LOG = 'faultRecord'
const LOG = { path: `/api/class/${FAULT_LOG}`, options: [] } as const
const DAY_MS = 86_400_000
/** Rows kept for the other subscriptions of the session that close the same hole. */
const KEPT_MS = 60_000

/** A part of the fault log, and what of it was purged while it was read. */
export interface Stretch {
  readonly rows: readonly LogRow[]
  readonly purged: readonly { readonly fromMs: number; readonly toMs: number }[]
}

/** Who reads it. */
type Reader = LogAsker & Pick<Core, 'signal'>

/** The fault log of one session: however many subscriptions close a hole at once, a stretch of it is read once. */
export class FaultLog {
  readonly #rows = new Map<string, LogRow>()
  readonly #purged: { readonly fromMs: number; readonly toMs: number }[] = []
  #fromMs = Number.POSITIVE_INFINITY
  #toMs = Number.NEGATIVE_INFINITY
  /** Monotonic: the fabric's clock may be set back. */
  #readAt = Number.NEGATIVE_INFINITY
  /** A part that is asked for often would grow for ever. */
  #keptUntil = Number.POSITIVE_INFINITY
  #reading: Promise<unknown> = Promise.resolve()
  #cancelForget: Cancel | undefined

  /** Rows created from `fromMs` on, oldest first, as they are now or later. */
  rows(core: Reader, fromMs: number): Promise<Stretch> {
    const now = core.clock.now()
    const read = this.#reading.then(() => this.#read(core, fromMs, now))
    this.#reading = read.catch(() => undefined)
    return read
  }

  /** Forgets what it read and stops to wait for the moment to do so. */
  close(): void {
    this.#cancelForget?.()
    this.#forget()
  }

  async #read(core: Reader, fromMs: number, asOf: number): Promise<Stretch> {
    const { clock, tuning, signal } = core
    if (fromMs < this.#fromMs || asOf > this.#keptUntil) {
      this.#forget()
      this.#fromMs = fromMs
    }
    if (asOf > this.#readAt) {
      // A reading may take longer than that: not what it has read so far.
      this.#cancelForget?.()
      const [now, nowMs] = [clock.now(), core.fabricNow()]
      // What was read just now is read again as far back as rows become visible late.
      const since = Math.max(this.#fromMs, this.#toMs - tuning.overlapMs)
      await readLog(core, LOG, FAULT_LOG, since, signal, {
        take: async rows => {
          for (const row of rows) this.#rows.set(row.dn, row)
        },
        purged: (from, to) => this.#purged.push({ fromMs: from, toMs: to }),
      })
      this.#toMs = nowMs
      this.#readAt = now
      this.#keptUntil = Math.min(this.#keptUntil, clock.now() + KEPT_MS)
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
    this.#readAt = Number.NEGATIVE_INFINITY
    this.#keptUntil = Number.POSITIVE_INFINITY
  }
}

/** What shows the faults, and what is to be told of before it. */
export interface MissedFaults {
  readonly snapshot: readonly ApicObject[]
  readonly asked: Asked
  readonly hole: { readonly fromMs: number | undefined } | undefined
  /** Of the subscription. */
  readonly signal: AbortSignal
}

/**
 * Tells the transitions between the feed's position and the snapshot that nobody has told: all of them but, for a fault that
 * the snapshot shows, the one that led to the state shown: that one is told whole by the comparison that follows.
 * Returns how many events that made; undefined where nobody knew from when on to read: it reads from now on.
 */
export async function tellMissedFaults(
  core: Core,
  feed: Watched,
  { snapshot, asked, hole, signal }: MissedFaults,
): Promise<number | undefined> {
  const { position } = feed
  const untilMs = asked.fabricMs
  const { faults } = core.continuity
  if (!faults.hasInherited) inherit(core, untilMs)
  if (position.readToMs === undefined) {
    await firstContact(core, feed, untilMs)
    faults.begin(feed.name, untilMs, [])
    position.judge(untilMs, 0)
    return undefined
  }
  if (position.judgedMs !== undefined) faults.resume(feed.name, position.judgedMs)
  const firstMs = position.sawRecord ? undefined : core.continuity.firstRecord(feed.name)
  const isDoubtful = hole !== undefined || position.doubtMs !== undefined
  if (isDoubtful && (position.sawRecord || firstMs !== undefined)) {
    const { readToMs } = position
    // The record of a transition may be dated a little after it.
    const knownToMs = Math.max(readToMs, hole?.fromMs ?? readToMs, firstMs === undefined ? readToMs : firstMs + SKEW_MS)
    await tellIfPurged(
      core,
      feed,
      { cls: FAULT_LOG, path: LOG.path, knownToMs, isRoutine: hole === undefined },
      core.signal,
    )
  }
  // Of so long ago nobody remembers the ends: on a quiet log the last rows were looked at many times.
  const overlapMs = untilMs - position.readToMs > DAY_MS ? 0 : core.tuning.overlapMs
  const sinceMs = position.fromMs(overlapMs)
  const shown = new Map(changesOf(snapshot).map(change => [change.dn, change]))
  const borderOf = (dn: string): Border => ({
    shown: shown.get(dn)?.attributes,
    pushed: feed.holdsBack(dn),
    askedMs: untilMs,
  })
  // What happened while the snapshot was on its way is in the log by now, or is pushed.
  const { stretch, byFault, isBehind } = await readWhenLogged(core, feed, {
    ...{ sinceMs, shown, asked, signal },
    read: () => core.faultLog.rows(core, sinceMs),
    group: read => byFaultOf(feed, read),
    knownOf: dn => knownOf(core, dn),
    borderOf,
  })
  const { rows, purged } = stretch
  for (const { fromMs, toMs } of purged) tellPurged(core, feed, FAULT_LOG, fromMs, toMs)
  let told = 0
  const late: Transition[] = []
  for (const transition of missed(core, feed, byFault, borderOf)) {
    const { dn } = transition.change
    // A push was faster than the reading, or was told with what lost steps had left, and so taken for an older one: it is the later news.
    if (Date.parse(core.mirror.get(dn)?.attributes['lastTransition'] ?? '') > transition.atMs) late.push(transition)
    else if (tell(core, feed, transition, shown.get(dn), asked)) told++
    await core.outbox.room()
  }
  core.signal.throwIfAborted()
  const lost = [...Map.groupBy(late, ({ change }) => change.dn)].flatMap(([dn, steps]) =>
    faults.unheard(feed.name, dn, steps, byFault.get(dn)),
  )
  tellOvertaken(core, feed, lost)
  faults.begin(
    feed.name,
    // A row that becomes visible later than this first read is judged as well.
    untilMs - overlapMs,
    // What came after the snapshot is still to be pushed.
    [...byFault].flatMap(([dn, transitions]) => upToSnapshot(transitions, borderOf(dn))),
    asked.answeredMs,
  )
  if (!isBehind) {
    // The cursor may be committed a little later than what happens meanwhile.
    if (position.judgedMs !== undefined) faults.settle(feed.name, position.judgedMs)
    position.judge(untilMs, core.tuning.overlapMs)
  }
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

/** What earlier processes heard, for all feeds at once: they may have judged the log until different times. */
function inherit(core: Core, untilMs: number): void {
  const judged = new Map<string, number>()
  for (const feed of core.watchers()) {
    const { judgedMs } = feed.position
    if (judgedMs !== undefined && showsFaults(feed)) judged.set(feed.name, judgedMs)
  }
  const sinceMs = Math.min(untilMs - core.tuning.overlapMs, ...judged.values()) - SKEW_MS
  core.continuity.faults.inherit(lastKnown(core, sinceMs), untilMs, judged)
}

/** Faults whose last step was after `sinceMs`, and when it was. */
function* lastKnown({ mirror }: Core, sinceMs: number): Iterable<Inherited> {
  for (const { family, key, attributes, trace } of mirror.values()) {
    if (family !== 'faultInst') continue
    const atMs = Date.parse(attributes['lastTransition'] ?? '')
    if (atMs > sinceMs || (Number.isNaN(atMs) && trace !== undefined)) yield { dn: key, atMs, state: attributes, trace }
  }
  for (const [dn, { endedMs, last, trace }] of mirror.ends()) {
    if (endedMs > sinceMs) yield { dn, atMs: endedMs, wasOver: isOver(last ?? {}), trace }
  }
}

function byFaultOf(feed: Watched, { rows }: Stretch): Map<string, Transition[]> {
  // What `ind` says in this log was never captured: a creation is believed to be one where it has another word for other steps.
  const isTelling = rows.some(
    ({ attributes: { ind } }) => ind !== undefined && ind !== 'creation' && ind !== 'deletion',
  )
  const byFault = new Map<string, Transition[]>()
  for (const row of rows) {
    const transition = transitionOf(row)
    if (transition === undefined) continue
    const { cls, dn } = transition.change
    const isBirth = isTelling && row.attributes['ind'] === 'creation'
    if (!feed.query.yields(cls, dn)) continue
    const sofar = byFault.get(dn)
    const placed = { ...transition, isBirth }
    if (sofar === undefined) byFault.set(dn, [placed])
    else sofar.push(placed)
  }
  for (const [dn, transitions] of byFault) byFault.set(dn, withoutRepeats(transitions))
  return byFault
}

/** What of the log is news, oldest first. */
function missed(
  core: Core,
  feed: Watched,
  byFault: ReadonlyMap<string, readonly Transition[]>,
  borderOf: (dn: string) => Border,
): Transition[] {
  const { faults } = core.continuity
  const overtaken = [...byFault].flatMap(([dn, transitions]) => {
    const { steps, rows, mistold } = overtakenBy(knownOf(core, dn), transitions)
    const lost = faults.unheard(feed.name, dn, steps, rows)
    // What they left it to be told as is put right by the comparison; until then the gap speaks of it as well.
    return lost.length === 0 || mistold === undefined ? lost : [...lost, mistold]
  })
  tellOvertaken(core, feed, overtaken)
  const news = [...byFault].flatMap(([dn, transitions]) => {
    let latestMs = Number.NEGATIVE_INFINITY
    return newsOf(knownOf(core, dn), transitions, borderOf(dn)).map(transition => {
      // Of an end there is the time of its record alone, which may be later than the next beginning: a fault keeps the order of its log.
      latestMs = Math.max(latestMs, transition.atMs)
      return { transition, latestMs }
    })
  })
  return news.sort((a, b) => a.latestMs - b.latestMs).map(({ transition }) => transition)
}

/** Releases may log the fault's own time, or only the record's; of a deletion only the record tells. */
export function transitionOf({ createdMs, attributes }: LogRow): Transition | undefined {
  const change = faultOfRecord({ cls: FAULT_LOG, attributes, children: [] })
  if (change === undefined) return undefined
  const { created } = attributes
  if (change.status !== 'deleted' || created === undefined) {
    const ownMs = Date.parse(change.attributes['lastTransition'] ?? '')
    const isOwn = attributes['lastTransition'] !== undefined && !Number.isNaN(ownMs)
    return { atMs: Number.isNaN(ownMs) ? createdMs : ownMs, change, isOwn, createdMs }
  }
  return { atMs: createdMs, change: { ...change, attributes: { ...change.attributes, lastTransition: created } } }
}

function knownOf(core: Core, dn: string): Known {
  const now = core.mirror.get(dn)?.attributes
  const end = core.mirror.end(dn)
  return {
    there: now !== undefined,
    state: now ?? end?.last,
    endedMs: end?.told === true ? end.endedMs : undefined,
    missingMs: end?.told === false ? end.endedMs : undefined,
  }
}

function tell(core: Core, feed: Watched, step: Transition, shown: Change | undefined, asked: Asked): boolean {
  const { atMs, change, isBirth } = step
  const { cls, dn } = change
  const watchers = core.watchers().filter(one => one === feed || one.query.covers(cls, dn))
  const options = { origin: 'resync', publish: true, watchers, atMs, asOf: asked.at - 1 } as const
  // Its end is not in the log, or not yet.
  if (isBirth === true && core.mirror.get(dn) !== undefined) {
    applyChange(core, feed, { cls, dn, attributes: { dn }, status: 'deleted' }, { ...options, missing: true })
  }
  const isKnown = core.mirror.get(dn) !== undefined
  // A row lacks some properties of the fault: what is there lends them, so that the comparison finds nothing to learn.
  const lent = isKnown || change.status === 'deleted' ? {} : (shown?.attributes ?? {})
  const whole: Change = {
    cls,
    dn,
    attributes: { ...lent, ...given(change) },
    status: change.status === 'deleted' ? 'deleted' : isKnown ? 'modified' : 'created',
  }
  return applyChange(core, feed, whole, options) === 'published'
}
