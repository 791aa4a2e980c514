/** What a hole may have swallowed: classes with a state have no history to ask for what came and went meanwhile. */
import { type GapData, type GapReason, gapFact } from '../../event.ts'
import type { MirrorChange } from '../../record.ts'
import { gapBefore } from '../first-contact.ts'
import { isLogClass } from './classes.ts'
import type { Core, Watched } from './core.ts'
import type { Transition } from './fault-news.ts'

export interface Hole {
  /** By the fabric's clock, ms; undefined when nobody knows how long nobody looked. */
  readonly fromMs: number | undefined
  readonly toMs: number
  readonly reason: GapReason
  /** Facts of the hole that were found all the same. */
  readonly recovered: number
  /** What the faults did meanwhile was read from their log. */
  readonly faultsRead: boolean
}

/** True when this subscription can show faults, whose transitions are logged. */
export function showsFaults(feed: Watched): boolean {
  const { classes, logClass, path, options } = feed.query
  // One object of any class, and nothing below it: a fault only if it is one.
  const isOne = classes === undefined && !options.some(([name]) => name === 'query-target' || name.startsWith('rsp-'))
  if (isOne && !/\/fault-[^/]*$/.test(path)) return false
  return !feed.hidden && logClass === undefined && (classes === undefined || classes.includes('faultInst'))
}

/** At first contact: announces what came after the store's file was lost. `backMs`: what is read of the time before. */
export function tellUnknown(core: Core, { hidden, name, query }: Watched, backMs = 0): void {
  if (hidden) return
  const { source, clock, outbox } = core
  const contact = { ref: source, feed: name, classes: query.classes, lostMs: core.lostAtMs() }
  for (const fact of gapBefore({ ...contact, toMs: clock.wall() - backMs })) outbox.add(name, { fact })
}

/** Announces steps of faults that were never pushed, and that a later push has overtaken. */
export function tellOvertaken(
  core: Pick<Core, 'source' | 'mirror' | 'continuity' | 'outbox'>,
  feed: Pick<Watched, 'hidden' | 'name'>,
  steps: readonly Transition[],
): void {
  if (feed.hidden || steps.length === 0) return
  // They may be too many for the arguments of one call.
  const fromMs = steps.reduce((least, { atMs }) => Math.min(least, atMs), Number.POSITIVE_INFINITY)
  const toMs = steps.reduce((most, { atMs }) => Math.max(most, atMs), Number.NEGATIVE_INFINITY)
  const gap: GapData = {
    feed: feed.name,
    classes: ['faultInst'],
    from: new Date(fromMs).toISOString(),
    to: new Date(toMs).toISOString(),
    reason: 'outage_no_history',
    recovered: 0,
  }
  const traced = (dn: string): MirrorChange | undefined => {
    const kept = core.mirror.kept(dn, 'faultInst')
    return kept && core.continuity.faults.traced(kept)
  }
  const [first = '', ...others] = new Set(steps.map(({ change }) => change.dn))
  core.outbox.add(feed.name, { fact: gapFact(core.source, gap), mirror: traced(first) })
  // That they were announced is kept with the faults, and not before the gap is: else a kill between the two would hide it.
  void core.outbox.flushed(feed.name).then(() => {
    for (const dn of others) core.outbox.add(feed.name, { mirror: traced(dn) })
  })
}

/** Announces a hole that a comparison closes only for what is still there. Says nothing where a log has closed it whole. */
export function tellHole(core: Core, feed: Watched, hole: Hole): void {
  const { classes } = feed.query
  const unseen = classes?.filter(cls => !isLogClass(cls) && !(hole.faultsRead && cls === 'faultInst'))
  if (feed.hidden || unseen?.length === 0) return
  const gap: GapData = {
    feed: feed.name,
    classes: [...(unseen ?? [])],
    from: hole.fromMs === undefined ? null : new Date(hole.fromMs).toISOString(),
    to: new Date(hole.toMs).toISOString(),
    reason: hole.reason,
    recovered: hole.recovered,
  }
  core.continuity.announced(feed.name, hole.fromMs ?? Number.NEGATIVE_INFINITY, hole.toMs)
  core.outbox.add(feed.name, { fact: gapFact(core.source, gap) })
}
