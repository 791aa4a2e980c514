/** Classes with a state: a whole read is compared with the mirror; what differs is told. */
import { codeOf } from '../../errors.ts'
import type { Origin } from '../../event.ts'
import type { ManagedObject } from '../../record.ts'
import { nextTurn } from '../../scheduler/clock.ts'
import { applyChange } from './apply.ts'
import type { Core, Watched } from './core.ts'
import { type ApicAnswer, type ApicObject, type Change, changesOf } from './decode.ts'
import { askPatiently } from './patient.ts'
import { aimedAt, type Query, queryUrl } from './query.ts'
import type { Options } from './url.ts'
import { commas } from './yields.ts'

export interface CompareOptions {
  readonly origin: Origin
  readonly publish: boolean
  /** Monotonic ms when the read was asked for: whatever changed since is newer than it. */
  readonly askedAt: number
  /** Waits for what may be on its way: a push tells best what happened. Undefined where pushes are held back. */
  readonly settle?: () => Promise<unknown>
  /** Aborts when a newer snapshot has taken over: the rest of this one is old news. */
  readonly signal: AbortSignal
}

/** What was read, and whether in one answer: pages shift, so what they lack must be asked for before it counts as gone. */
export interface Whole {
  readonly objects: readonly ApicObject[]
  readonly paged: boolean
}

/** Objects compared before the event loop gets a turn. */
const SLICE = 256

/**
 * Tells created, changed and vanished objects of a whole read. Returns how many events that made.
 * Objects that a push changed since `askedAt` are left alone: the push is the later news.
 */
export async function compare(
  core: Core,
  feed: Watched,
  { objects, paged }: Whole,
  options: CompareOptions,
): Promise<number> {
  const { mirror, outbox } = core
  const seen = new Set<string>()
  const later: Change[] = []
  let told = 0
  let done = 0
  const { origin, publish, askedAt, settle, signal } = options
  const apply = async (change: Change, unlessNews = false): Promise<void> => {
    signal.throwIfAborted()
    // Others may cover the same object: what this read finds is their news as well.
    const watchers = core.watchers().filter(one => one === feed || one.query.covers(change.cls, change.dn))
    const missing = change.status === 'deleted'
    const applied = applyChange(core, feed, change, { origin, publish, watchers, missing, unlessNews })
    if (applied === 'published') told++
    if (applied === 'news') later.push(change)
    if (++done % SLICE !== 0) return
    await outbox.room()
    await nextTurn()
  }
  const isMissing = ({ key, family }: ManagedObject): boolean =>
    !seen.has(key) && feed.query.covers(family, key) && !mirror.changedSince(key, askedAt) && isEndUnsaid(feed, key)
  for (const { cls } of objects) feed.query.meet(cls)
  for (const change of changesOf(objects)) {
    if (!feed.query.yields(change.cls, change.dn)) continue
    seen.add(change.dn)
    if (!mirror.changedSince(change.dn, askedAt)) await apply(change, settle !== undefined && isPatient(change.cls))
  }
  // A deletion says nothing by which it could be told from a later one: told first, what is pushed of it would be told again.
  const missing = [...mirror.values()].filter(isMissing)
  if (settle !== undefined && (later.length > 0 || missing.some(({ family }) => isPatient(family)))) await settle()
  for (const change of later) if (!mirror.changedSince(change.dn, askedAt)) await apply(change)
  for (const object of missing) {
    if (!isMissing(object)) continue
    if (paged && ((await isThere(core, object.key)) || mirror.changedSince(object.key, askedAt))) continue
    await apply({ cls: object.family, dn: object.key, attributes: { dn: object.key }, status: 'deleted' })
  }
  signal.throwIfAborted()
  return told
}

/** What waits of an object may be its end, or come after it. One that was made again has ended before: no push will say so. */
function isEndUnsaid(feed: Watched, dn: string): boolean {
  const first = feed.holdsBack(dn)
  return first === undefined || first.status === 'created'
}

/** Steps of faults were told from their log until here: a push meanwhile could only overtake the last one. */
function isPatient(cls: string): boolean {
  return cls !== 'faultInst'
}

async function isThere(core: Core, dn: string): Promise<boolean> {
  const url = queryUrl({ path: `/api/mo/${dn}`, options: [] }, core.config.format)
  const answer = await askPatiently(core, url, 'query', core.signal)
  return answer.objects.length > 0
}

/** The whole of a query, for reconciling. Pages through it when it is over the controller's ceiling. */
export async function readWhole(core: Core, query: Query, signal: AbortSignal): Promise<Whole> {
  try {
    const answer = await askPatiently(core, queryUrl(query, core.config.format), 'query', signal)
    if (isWhole(answer)) return { objects: answer.objects, paged: false }
  } catch (error) {
    if (codeOf(error) !== 'too_large') throw error
  }
  return readPages(core, query, signal)
}

/** True when the answer holds all that matched (reference a10: totalCount counts the matches, not the rows sent). */
export function isWhole(answer: ApicAnswer): boolean {
  return answer.totalCount === undefined || answer.totalCount <= answer.objects.length
}

/**
 * Ordered pages. Each is a fresh query, so rows may shift between them: read by dn, class by class where there are several,
 * and doubles don't matter.
 */
export async function readPages(core: Core, query: Query, signal: AbortSignal): Promise<Whole> {
  const { pageSize } = core.tuning
  const found = new Map<string, ApicObject>()
  for (const sorted of sortedParts(query)) {
    for (let page = 0; ; page++) {
      const extra = [...sorted, ['page', String(page)], ['page-size', String(pageSize)]] as const
      const answer = await askPatiently(core, queryUrl(query, core.config.format, extra), 'query', signal)
      for (const object of answer.objects) found.set(object.attributes['dn'] ?? String(found.size), object)
      if (answer.objects.length < pageSize) break
    }
  }
  return { objects: [...found.values()], paged: true }
}

/** What to add to a question to have its pages sorted by the class that stands on the top level, whatever is shown below. */
function sortedParts(query: Query): readonly Options[] {
  const isFlat = commas(new Map(query.options).get('rsp-subtree-include') ?? '').includes('no-scoped')
  const aimed = isFlat ? [] : aimedAt(query)
  if (aimed.length > 1) {
    return aimed.map(cls => [['target-subtree-class', cls] as const, ['order-by', `${cls}.dn|asc`] as const])
  }
  const [cls, other] = aimed.length === 1 ? aimed : (query.classes ?? [])
  return [cls === undefined || other !== undefined ? [] : [['order-by', `${cls}.dn|asc`]]]
}
