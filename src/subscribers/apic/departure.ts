/** Objects that nobody follows any more: told as leaving, or forgotten. */
import type { Origin } from '../../event.ts'
import type { ManagedObject } from '../../record.ts'
import { nextTurn } from '../../scheduler/clock.ts'
import type { Core, Watched } from './core.ts'
import type { Change } from './decode.ts'
import { parentOf } from './dn.ts'
import { normalise } from './normalise.ts'
import type { NormaliseContext, Outcome } from './outcome.ts'
import { askPatiently } from './patient.ts'
import { type Query, queryUrl } from './query.ts'
import { departing, isOutside, unmarked } from './selection.ts'
import { isUntold } from './twins.ts'

/**
 * The object of this dn carries the tag no more, and `query` was asked of it. What no other subscription wants told is told
 * as gone: as deleted if it is, else as no longer selected. `isBack` says at the last moment that it is followed again.
 */
export async function depart(
  core: Core,
  tag: string,
  { query, dn, origin, isBack }: { query: Query; dn: string; origin: Origin; isBack: () => boolean },
): Promise<void> {
  const url = queryUrl({ path: `/api/mo/${dn}`, options: [] }, core.config.format)
  const isThere = (await askPatiently(core, url, 'query', core.signal)).objects.length > 0
  if (isBack()) return
  for (const object of query.options.length === 0 ? one(core, dn) : [...core.mirror.values()]) {
    if (!query.yields(object.family, object.key)) continue
    const others = core.watchers().filter(watcher => watcher.query.covers(object.family, object.key))
    const change = endOf(object)
    if (others.some(other => !other.hidden && other.accepts(change, undefined, object))) continue
    const context = { source: core.source, raw: core.config.raw, origin }
    say(core, tag, isThere ? departing(context, object, others.length > 0) : ended(context, object), !isThere)
  }
}

/** Into the mirror and the outbox. `told`: the fabric itself told of the end. */
function say(core: Core, feed: string, { fact, mirror: change }: Outcome, told: boolean): void {
  if (core.signal.aborted || change === undefined) return
  const at = { fabricMs: core.fabricNow(), event: fact?.id, told }
  const [first, ...more] = core.mirror.apply(change, core.clock.now(), at)
  core.outbox.add(feed, { fact, mirror: first })
  for (const forgotten of more) core.outbox.add(feed, { mirror: forgotten })
}

function one({ mirror }: Core, dn: string): ManagedObject[] {
  const object = mirror.get(dn)
  return object === undefined ? [] : [object]
}

function endOf({ family, key }: ManagedObject): Change {
  return { cls: family, dn: key, attributes: { dn: key }, status: 'deleted' }
}

/** Its end, as if it had been pushed. */
function ended(context: NormaliseContext, stored: ManagedObject): Outcome {
  const outcome = normalise(context, endOf(stored), unmarked(stored))
  return isOutside(stored) || isUntold(stored) ? { ...outcome, fact: undefined } : outcome
}

/** Objects looked at before the event loop gets a turn. */
const SLICE = 512

/**
 * Forgets what no subscription shows any more: the config was changed. Alerts that stand open are closed; of the rest,
 * nobody wants to be told.
 */
export async function forgetOrphans(core: Core): Promise<void> {
  const shows = showerOf(core.watchers())
  const [first] = core.watchers()
  if (first === undefined) return
  let looked = 0
  for (const object of [...core.mirror.values()]) {
    if (core.signal.aborted) return
    if (!shows(object.family, object.key)) {
      const outcome = departing({ source: core.source, raw: core.config.raw, origin: 'resync' }, object, false)
      const closesAlert = outcome.fact?.data.state === 'resolved'
      say(core, first.name, closesAlert ? outcome : { ...outcome, fact: undefined }, false)
    }
    if (++looked % SLICE !== 0) continue
    await core.outbox.room()
    await nextTurn()
  }
}

/** Whether any of these can show an object, found by its name: thousands of subscriptions cost no more than a few. */
function showerOf(watchers: readonly Watched[]): (cls: string, dn: string) => boolean {
  const byDn = new Map<string, Query[]>()
  const others: Query[] = []
  for (const { query } of watchers) {
    const dn = /^\/api\/(?:node\/)?mo\/(.+)$/.exec(query.path)?.[1]
    if (dn === undefined) others.push(query)
    else byDn.set(dn, [...(byDn.get(dn) ?? []), query])
  }
  return (cls, dn) => {
    for (let at = dn; at !== ''; at = parentOf(at)) if (byDn.get(at)?.some(query => query.yields(cls, dn))) return true
    return others.some(query => query.yields(cls, dn))
  }
}
