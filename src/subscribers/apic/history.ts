/** Log classes: a hole is closed from the log itself, by the fabric's clock, with an overlap. The store drops doubles. */
import { type GapData, gapFact, type Origin } from '../../event.ts'
import { applyChange } from './apply.ts'
import type { Core, Watched } from './core.ts'
import type { ApicObject } from './decode.ts'
import { filterText } from './filter.ts'
import { queryUrl } from './query.ts'

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
 * moves when the read is complete, never before.
 */
export async function readHistory(core: Core, feed: Watched, cls: string, signal: AbortSignal): Promise<void> {
  const { position } = feed
  // A canary only compares from now on: nobody waits for what it would read.
  if (position.readToMs === undefined || feed.hidden) return firstContact(core, feed, cls, signal)
  if (position.sawRecord) await tellIfPurged(core, feed, cls, position.readToMs, signal)
  await readFrom(core, feed, cls, position.fromMs(core.tuning.overlapMs), 'resync', signal)
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
  core.outbox.add(feed.name, undefined, feed.position.cursor())
}

/** Logs are rings: when the oldest record is newer than our position, what lay between is gone for good. */
async function tellIfPurged(
  core: Core,
  feed: Watched,
  cls: string,
  readToMs: number,
  signal: AbortSignal,
): Promise<void> {
  const oldestFirst = [
    ['order-by', `${cls}.created|asc`],
    ['page', '0'],
    ['page-size', '1'],
  ] as const
  // Of the whole log: an old record that a filter lets through leaves the ring like any other, and proves nothing.
  const url = queryUrl({ path: feed.query.path, options: [] }, core.config.format, oldestFirst)
  const answer = await core.gate.run(signal, () => core.client.get(url, 'history', signal))
  const oldest = Date.parse(answer.objects[0]?.attributes['created'] ?? '')
  if (Number.isNaN(oldest) || oldest <= readToMs) return
  const gap: GapData = {
    feed: feed.name,
    classes: [cls],
    from: new Date(readToMs).toISOString(),
    to: new Date(oldest).toISOString(),
    reason: 'history_purged',
    recovered: 0,
  }
  core.outbox.add(feed.name, { fact: gapFact(core.source, gap) })
}

/**
 * Ascending from `fromMs`, each page starting at the last record of the one before (keyset): nothing shifts, whatever
 * is added or purged meanwhile. A page that is one single millisecond is followed by the next page of the same question.
 */
async function readFrom(
  core: Core,
  feed: Watched,
  cls: string,
  fromMs: number,
  origin: Origin,
  signal: AbortSignal,
): Promise<void> {
  const { pageSize } = core.tuning
  const nowMs = core.fabricNow()
  let from = fromMs
  let page = 0
  let newest: number | undefined
  for (;;) {
    const objects = await readPage(core, feed, cls, from, page, signal)
    for (const { cls: found, attributes } of objects) {
      const dn = attributes['dn']
      if (found !== cls || dn === undefined) continue
      applyChange(core, feed, { cls, dn, attributes, status: 'created' }, { origin, publish: true })
      const created = Date.parse(attributes['created'] ?? '')
      if (created <= nowMs && created > (newest ?? Number.NEGATIVE_INFINITY)) newest = created
    }
    if (objects.length < pageSize) break
    await core.outbox.room()
    const last = Date.parse(objects.at(-1)?.attributes['created'] ?? '')
    if (Number.isNaN(last) || last <= from) page++
    else {
      from = last
      page = 0
    }
  }
  signal.throwIfAborted()
  feed.position.finishRead(newest, nowMs)
  core.outbox.add(feed.name, undefined, feed.position.cursor())
}

async function readPage(
  core: Core,
  feed: Watched,
  cls: string,
  fromMs: number,
  page: number,
  signal: AbortSignal,
): Promise<readonly ApicObject[]> {
  const since = { ge: [`${cls}.created`, new Date(fromMs).toISOString().replace('Z', '+00:00')] }
  const { filter } = feed.subscription
  const extra = [
    ['query-target-filter', filterText(filter === undefined ? since : { and: [filter, since] })],
    ['order-by', `${cls}.created|asc`],
    ['page', String(page)],
    ['page-size', String(core.tuning.pageSize)],
  ] as const
  const url = queryUrl(feed.query, core.config.format, extra)
  return (await core.gate.run(signal, () => core.client.get(url, 'history', signal))).objects
}
