/** Log classes: a hole is closed from the log itself, by the fabric's clock, with an overlap. The store drops doubles. */
import { codeOf } from '../../errors.ts'
import { type GapData, gapFact, type Origin } from '../../event.ts'
import { applyChange } from './apply.ts'
import type { Core, Watched } from './core.ts'
import { filterText } from './filter.ts'
import { tellUnknown } from './hole.ts'
import { readLog, stampOf } from './log-pages.ts'
import { askPatiently } from './patient.ts'
import { queryUrl } from './query.ts'

/** A log and where it is asked for. */
export interface Log {
  readonly cls: string
  /** `/api/class/eventRecord` */
  readonly path: string
  /** Everything up to here is known, ms. */
  readonly knownToMs: number
  /** It is looked at now and then, and not after a hole. */
  readonly isRoutine: boolean
}

/** Options that ask for the one newest record of a log class. */
export function newestFirst(cls: string): readonly (readonly [string, string])[] {
  return [
    ['order-by', `${cls}.created|desc`],
    ['page', '0'],
    ['page-size', '1'],
  ]
}

/**
 * Reads what the log holds since the feed's position, or, at first contact, as much as `backfill` asks for. The position
 * moves when the read is complete, never before. `lateMs`: a push may still be so much behind a later one.
 */
export async function readHistory(
  core: Core,
  feed: Watched,
  cls: string,
  signal: AbortSignal,
  lateMs = 0,
): Promise<void> {
  const { position } = feed
  // A canary only compares from now on: nobody waits for what it would read.
  if (position.readToMs === undefined || feed.hidden || !feed.contacted) return firstContact(core, feed, cls, signal)
  const firstMs = position.sawRecord ? undefined : core.continuity.firstRecord(feed.name)
  if (position.sawRecord || firstMs !== undefined) {
    const { readToMs } = position
    const knownToMs = Math.max(readToMs, core.continuity.logKnownTo(feed.name) ?? readToMs, firstMs ?? readToMs)
    await tellIfPurged(core, feed, { cls, path: feed.query.path, knownToMs, isRoutine: lateMs > 0 }, signal)
  }
  await readFrom(core, feed, cls, position.fromMs(core.tuning.overlapMs), 'resync', signal, lateMs)
  tellDeaf(core, feed)
}

/** Records were overtaken by others that were pushed: announced for what has no log to be read again. */
function tellDeaf(core: Core, log: Watched): void {
  const spell = core.continuity.logs.spell(log.name)
  if (spell === undefined) return
  for (const feed of core.watchers()) {
    if (feed.query.logClass === undefined && feed.contacted) feed.hearing.deaf(spell)
  }
}

async function firstContact(core: Core, feed: Watched, cls: string, signal: AbortSignal): Promise<void> {
  const now = core.fabricNow()
  const { backfill, snapshot } = feed.subscription
  const sinceMs = backfill !== undefined ? now - backfill : snapshot === 'publish' ? 0 : now
  feed.position.begin(sinceMs, sinceMs)
  if (sinceMs !== now) {
    await readFrom(core, feed, cls, sinceMs, backfill !== undefined ? 'backfill' : 'snapshot', signal)
  }
  feed.position.begin(sinceMs, Math.max(now, feed.position.readToMs ?? now))
  tellUnknown(core, feed, now - sinceMs)
  core.outbox.add(feed.name, undefined, feed.position.cursor())
}

/**
 * Logs are rings: when nothing is left from before what is known, what came after it may be gone as well, for good. Asked
 * so that it works on logs above the controller's ceiling: too much left is left.
 */
export async function tellIfPurged(core: Core, feed: Watched, log: Log, signal: AbortSignal): Promise<void> {
  const { config } = core
  const { position } = feed
  const knownToMs = Math.min(log.knownToMs, position.doubtMs ?? log.knownToMs)
  // Of the whole log: an old record that a filter lets through leaves the ring like any other, and proves nothing.
  const ask = async (bound: 'le' | 'ge', order: 'asc' | 'desc'): Promise<number | undefined> => {
    const options = [
      ['query-target-filter', filterText({ [bound]: [`${log.cls}.created`, stampOf(knownToMs)] })],
      ['order-by', `${log.cls}.created|${order}`],
      ['page', '0'],
      ['page-size', '1'],
    ] as const
    const url = queryUrl({ path: log.path, options: [] }, config.format, options)
    const answer = await askPatiently(core, url, 'history', signal)
    return answer.objects.length === 0 ? undefined : Date.parse(answer.objects[0]?.attributes['created'] ?? '')
  }
  try {
    if ((await ask('le', 'desc')) !== undefined) return position.found('records')
  } catch (error) {
    if (codeOf(error) === 'too_large') return
    throw error
  }
  let oldestMs: number | undefined
  try {
    oldestMs = await ask('ge', 'asc')
  } catch (error) {
    if (codeOf(error) !== 'too_large') throw error
  }
  const nowMs = core.fabricNow()
  if (oldestMs === undefined) {
    // What was announced once is not again, while nothing is written.
    if (position.isEmpty && log.isRoutine) return
    // Records become visible late: a log in which nobody saw one yet proves nothing of what is so young.
    const isYoung = knownToMs > nowMs - core.tuning.overlapMs
    if (isYoung && !position.sawRecord) return position.found({ doubtMs: knownToMs })
  }
  position.found(oldestMs === undefined ? 'nothing' : 'records')
  tellPurged(core, feed, log.cls, knownToMs, oldestMs ?? nowMs)
}

/** Announces what was purged before it could be read. */
export function tellPurged(core: Core, feed: Watched, cls: string, fromMs: number, toMs: number): void {
  if (feed.hidden) return
  const gap: GapData = {
    feed: feed.name,
    classes: [cls],
    from: new Date(fromMs).toISOString(),
    to: new Date(toMs).toISOString(),
    reason: 'history_purged',
    recovered: 0,
  }
  core.outbox.add(feed.name, { fact: gapFact(core.source, gap) })
}

async function readFrom(
  core: Core,
  feed: Watched,
  cls: string,
  fromMs: number,
  origin: Origin,
  signal: AbortSignal,
  lateMs = 0,
): Promise<void> {
  const nowMs = core.fabricNow()
  let newest: number | undefined
  await readLog(core, feed.query, cls, fromMs, signal, {
    async take(rows) {
      for (const { dn, createdMs, attributes } of rows) {
        applyChange(core, feed, { cls, dn, attributes, status: 'created' }, { origin, publish: true, lateMs })
        if (createdMs <= nowMs && createdMs > (newest ?? Number.NEGATIVE_INFINITY)) newest = createdMs
      }
      await core.outbox.room()
    },
    purged: (from, to) => tellPurged(core, feed, cls, from, to),
  })
  signal.throwIfAborted()
  feed.position.finishRead(newest, nowMs)
  core.outbox.add(feed.name, undefined, feed.position.cursor())
}
