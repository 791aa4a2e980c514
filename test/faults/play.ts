/** One run: a rig, work at a steady pace, a fault in the middle of it, and the judge at the end. */
import { sleep, systemClock } from '../../src/scheduler/clock.ts'
import { Fabric } from '../../src/simulators/apic/fabric.ts'
import type { Knobs } from '../../src/simulators/apic/knobs.ts'
import { until } from '../support/manual-clock.ts'
import { type Breakage, sessionEnd } from './breakages.ts'
import {
  CLASSES,
  covers,
  gapsOf,
  judge,
  lineOf,
  type Missing,
  type Obligation,
  obligationsOf,
  type Strictness,
  type Verdict,
  type Watched,
} from './oracle.ts'
import { FaultRig } from './rig.ts'
import { Workload } from './workload.ts'

/** The two readings of the real system: what becomes of subscriptions whose socket is gone (reference a6). */
export const READINGS = [
  { name: 'die with the socket', slug: 'die', subscriptionsOutliveSocket: false },
  { name: 'outlive the socket', slug: 'live', subscriptionsOutliveSocket: true },
] as const
export type Reading = (typeof READINGS)[number]

/** Times that something is done in each class at least: some steps of a fault are no news, 200 shall be. */
const LEAST = 260
/** Done before the source is there, and again before the fault. */
const BEFORE = 30
/** And after the recovery, so that it is seen to go on. */
const AFTER = 20
/** Longer than a reconcile takes to come: whatever is told at all is told by then. */
const PATIENCE_MS = 110_000

export interface Row {
  readonly fault: string
  readonly reading: string
  readonly made: Readonly<Record<Watched, number>>
  readonly found: Readonly<Record<Watched, number>>
  /** Of what was made, this many while nobody listened: between the fault and the last feed live again. */
  readonly unheard: number
  /** Events that a question found, not a push. */
  readonly asked: number
  readonly missing: number
  readonly doubled: number
  readonly invented: number
  readonly gaps: number
  /** Seconds from the start of the fault; undefined when nothing was to be noticed, or missed. */
  readonly noticedS: number | undefined
  readonly liveS: number
  readonly lastS: number | undefined
}

export interface Played {
  readonly row: Row
  readonly verdict: Verdict
  /** What is missing and was thrown out of its log before it could be read. */
  readonly gone: readonly Missing[]
  /** What is missing and stands in no gap event. */
  readonly untold: readonly Missing[]
  /** Dead letters of the run. */
  readonly notices: readonly string[]
}

export interface PlayOptions {
  readonly natsUrl: string
  readonly breakage: Breakage
  readonly reading: Reading
  /** Throw away the history of all three classes in the middle of the hole. */
  readonly purge?: boolean
  /** Least time between two things done, ms. Default 10. */
  readonly paceMs?: number
  /** Other readings of what the real system does. */
  readonly fabricKnobs?: Partial<Fabric['knobs']>
  readonly knobs?: Partial<Knobs>
  readonly config?: Record<string, unknown>
}

let runs = 0

export async function play(options: PlayOptions): Promise<Played> {
  const { natsUrl, breakage, reading, purge = false, paceMs = 10, config = {} } = options
  const { controllers = 1, controller = {}, knobs = {} } = breakage
  const fabric = new Fabric({ time: systemClock })
  Object.assign(fabric.knobs, options.fabricKnobs)
  const intervalMs = Math.max(paceMs, (breakage.seconds * 1000) / (LEAST - BEFORE))
  const workload = new Workload({ fabric, clock: systemClock, intervalMs })
  // No fabric is without a past.
  while (workload.ticks < BEFORE) workload.tick()
  const rig = await FaultRig.start({
    natsUrl,
    fabric,
    name: `faults-${++runs}`,
    controllers,
    controller,
    knobs: { ...options.knobs, ...knobs, subscriptionsOutliveSocket: reading.subscriptionsOutliveSocket },
    config,
  })
  try {
    await breakage.approach?.(rig)
    const from = fabric.changes.length
    workload.start()
    await until(() => workload.ticks >= 2 * BEFORE, 'some work')
    // Nobody may come back before the history is gone.
    const held = purge
      ? rig.controllers.map(one => one.fail({ operation: ['login', 'subscribe'], failure: { kind: 'html' } }))
      : []
    const struckAt = systemClock.wall()
    await breakage.strike?.(rig)
    const beganAt = (await breakage.comes?.(rig)) ?? struckAt
    let purgedTo = Number.NEGATIVE_INFINITY
    if (purge) {
      const enough = workload.ticks + BEFORE
      await until(() => workload.ticks >= enough, 'some work unheard')
      purgedTo = systemClock.wall()
      for (const cls of ['eventRecord', 'aaaModLR', 'faultRecord']) fabric.logs.purge(cls, Number.POSITIVE_INFINITY)
      for (const well of held) well()
    }
    const liveAt = breakage.seamless ? await sessionEnd(rig) : Math.max(...(await rig.liveSince(beganAt)))
    const enough = Math.max(LEAST + BEFORE, workload.ticks + AFTER)
    await until(() => workload.ticks >= enough, 'the rest of the work', 60_000)
    workload.stop()

    const obligations = obligationsOf(fabric.changes, from)
    const strictness: Strictness = purge ? 'state' : 'step'
    const verdict = await patiently(rig, obligations, strictness, purgedTo)
    const events = rig.events()
    const gaps = gapsOf(events)
    const missing = CLASSES.flatMap(cls => verdict[cls].missing)
    const gone = missing.filter(one => isGone(one, purgedTo))
    const count = (of: 'made' | 'found') =>
      Object.fromEntries(CLASSES.map(cls => [cls, verdict[cls][of]])) as Record<Watched, number>
    const sum = (of: 'doubled' | 'invented'): number => CLASSES.reduce((all, cls) => all + verdict[cls][of].length, 0)
    const seconds = (at: number | undefined): number | undefined =>
      at === undefined ? undefined : Math.max(0, at - beganAt) / 1000
    const asked = rig.stream.filter(({ event }) => event.origin === 'resync')
    const row: Row = {
      fault: breakage.name,
      reading: reading.name,
      made: count('made'),
      found: count('found'),
      unheard: breakage.seamless ? 0 : obligations.filter(one => one.at >= beganAt && one.at <= liveAt).length,
      asked: asked.length,
      missing: missing.length,
      doubled: sum('doubled'),
      invented: sum('invented'),
      gaps: gaps.length,
      noticedS: seconds(noticedAt(rig, Math.min(struckAt, beganAt))),
      liveS: seconds(liveAt) ?? 0,
      lastS: seconds(asked.at(-1)?.storedMs),
    }
    return {
      row,
      verdict,
      gone,
      untold: gone
        .filter(one => one.at <= purgedTo)
        .filter(one => !gaps.some(gap => gap.reason === 'history_purged' && covers(gap, one))),
      notices: rig.notices,
    }
  } finally {
    workload.stop()
    await rig.close()
  }
}

/** What is wrong with a run in which nothing may be lost, in lines that say where to look. */
export function wrongs({ verdict, row, notices }: Played): string[] {
  return [
    ...CLASSES.flatMap(cls => [
      ...verdict[cls].missing.map(one => `missing ${lineOf(one)}`),
      ...verdict[cls].doubled.map(line => `doubled ${cls} ${line}`),
      ...verdict[cls].invented.map(line => `invented ${cls} ${line}`),
    ]),
    ...(row.gaps === 0 ? [] : [`${row.gaps} gap events, and nothing to tell of`]),
    ...notices.map(notice => `dead letter ${notice}`),
  ]
}

/** When somebody could first have seen that something is wrong. */
function noticedAt(rig: FaultRig, since: number): number | undefined {
  return rig.when(
    one =>
      (one.type === 'source_state' && (one.state === 'degraded' || one.state === 'down')) ||
      (one.type === 'feed_state' && one.state === 'lost') ||
      one.type === 'lease_lost' ||
      one.type === 'reconnect',
    since,
  )
}

/**
 * True for what was thrown out of its log before it could be read; and for the end of a fault of which nothing else is
 * known, since that was thrown out: nobody was told that it was there.
 */
function isGone({ at, state, before }: Missing, purgedTo: number): boolean {
  return at <= purgedTo || (state === 'resolved' && before !== undefined && before.at <= purgedTo)
}

/** Judges when all is there, or when nothing more can be hoped for. What was purged (up to `purgedTo`) is not waited for. */
async function patiently(
  rig: FaultRig,
  obligations: readonly Obligation[],
  strictness: Strictness,
  purgedTo: number,
): Promise<Verdict> {
  const end = systemClock.now() + PATIENCE_MS
  for (;;) {
    await rig.delivered()
    const verdict = judge(obligations, rig.events(), strictness)
    const missing = CLASSES.flatMap(cls => verdict[cls].missing)
    if (missing.every(one => isGone(one, purgedTo)) || systemClock.now() > end) return verdict
    await sleep(systemClock, 500)
  }
}
