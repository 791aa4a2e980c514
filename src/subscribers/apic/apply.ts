/** One change of one object: through the normaliser and the mirror into the outbox. */
import type { Origin } from '../../event.ts'
import { isLogClass } from './classes.ts'
import type { Core, Watched } from './core.ts'
import type { Change } from './decode.ts'
import { isBelow } from './dn.ts'
import { isOver } from './fault-news.ts'
import { TIME_PROPERTIES } from './mirror.ts'
import { normalise } from './normalise.ts'
import type { Outcome } from './outcome.ts'
import { type Selected, select, unmarked } from './selection.ts'
import { msOf } from './times.ts'

export interface ApplyOptions {
  readonly origin: Origin
  /** False: remember it, tell nobody (first contact with `snapshot: mirror`). */
  readonly publish: boolean
  /** The subscriptions that a push named, or whose result a read touches: any of them may want to tell. */
  readonly watchers?: readonly Watched[]
  /** When it happened, by the fabric's clock, ms. Default: now. */
  readonly atMs?: number
  /** Monotonic ms from when on it is known; default now. Earlier than a snapshot, which is then the later news. */
  readonly asOf?: number
  /** The end of an object was not told by the fabric: it is missing from a whole read. */
  readonly missing?: boolean
  /** Of a log record that is read: its push may still be so much behind a later one. */
  readonly lateMs?: number
  /** What would be told is left for later, and nothing is done. */
  readonly unlessNews?: boolean
  /** A faultDelegate that waited for its twin in vain: told as it stands in the mirror, for the first time. */
  readonly alone?: boolean
}

/** What became of it: `partial` asks the caller to fetch the whole object first; `news`: see `unlessNews`. */
export type Applied = 'published' | 'silent' | 'partial' | 'news'

/**
 * Applies one change. A `modified` push of an object that nobody has seen whole gives 'partial' and does nothing, unless
 * `anyway` says that fetching was no use.
 */
export function applyChange(core: Core, feed: Watched, change: Change, options: ApplyOptions, anyway = false): Applied {
  const { source, config, mirror, outbox, clock, delegates } = core
  // The outbox takes nothing any more: a mirror that went on would hide from the next session what was never told.
  if (core.signal.aborted) return 'silent'
  const log = isLogClass(change.cls)
  if (isReborn(change, mirror)) {
    const end: Change = { cls: change.cls, dn: change.dn, attributes: { dn: change.dn }, status: 'deleted' }
    applyChange(core, feed, end, { ...options, missing: true })
  }
  const stored = log ? undefined : mirror.get(change.dn)
  const known = stored === undefined ? undefined : unmarked(stored)
  const previous = options.alone === true ? undefined : known
  const after = log ? undefined : options.alone === true ? known?.version : mirror.endOf(change.dn)
  const context = { source, raw: config.raw, origin: options.origin, after }
  const normalised = normalise(context, change, previous)
  if (normalised.partial && !anyway) return 'partial'
  if (options.unlessNews === true && normalised.fact !== undefined) return 'news'
  const watchers = options.watchers ?? [feed]
  const selected: Selected =
    log || options.alone === true
      ? { outcome: normalised, verdict: 'inside' }
      : select({ context, change, stored, outcome: normalised, watchers })
  const { verdict } = selected
  const isTellable = verdict === 'inside' || verdict === 'entered'
  const outcome = isTellable
    ? delegates.judge(core, feed, change, options, {
        previous: verdict === 'inside' ? previous : undefined,
        outcome: selected.outcome,
      })
    : selected.outcome
  const fabricMs = core.fabricNow()
  const learned =
    outcome.mirror === undefined
      ? []
      : mirror.apply(outcome.mirror, options.asOf ?? clock.now(), {
          fabricMs: options.atMs ?? fabricMs,
          event: verdict === 'outside' ? normalised.fact?.id : outcome.fact?.id,
          told: options.missing !== true,
          isDated: options.atMs !== undefined,
        })
  if (change.cls === 'faultInst' && outcome.mirror !== undefined) {
    const { object } = outcome.mirror
    const wasOver = known !== undefined && isOver(known.attributes)
    core.continuity.faults.note(change.dn, object?.attributes, options.atMs ?? fabricMs, wasOver)
    if (learned[0] !== undefined) learned[0] = core.continuity.faults.traced(learned[0])
  }
  if (log) {
    const createdMs = msOf(change.attributes['created'])
    for (const watcher of watchers) watcher.position.note(change.dn, createdMs, fabricMs)
    const id = normalised.fact?.id
    if (options.origin === 'live') {
      core.late.note(feed.name, createdMs, fabricMs)
      if (id !== undefined) for (const { name } of watchers) core.continuity.logs.pushed(name, id, createdMs)
    } else if (id !== undefined) core.continuity.logs.read(feed.name, id, createdMs, options.lateMs ?? 0)
  }
  // What is pushed shows that its log can't be empty.
  const recordedAt = log ? change.attributes['created'] : change.attributes['lastTransition']
  if (options.origin === 'live' && recordedAt !== undefined && (log || change.cls === 'faultInst')) {
    for (const watcher of watchers) core.continuity.sawRecord(watcher.name, msOf(recordedAt))
  }
  const isFound = normalised.fact !== undefined && options.alone !== true
  if (isFound && options.origin === 'resync') feed.hearing.found(change.dn)
  const now = outcome.mirror?.object ?? undefined
  const wanted = (watcher: Watched): boolean =>
    !watcher.hidden &&
    (watcher === feed ? options.publish : watcher.contacted || watcher.subscription.snapshot === 'publish') &&
    watcher.accepts(change, previous, now)
  // What left, or ends, is told whoever looks: also at the first contact of a subscription whose filter was changed, and by one
  // whose filter would not have told of the object, while the one that did is gone.
  const isEnd = change.status === 'deleted' && verdict === 'inside' && watchers.some(one => !one.hidden)
  const isWanted = verdict === 'left' || isEnd || watchers.some(wanted)
  const publish = outcome.fact !== undefined && !isOwnSession(config, change) && isWanted
  if (publish || learned.length > 0) {
    outbox.add(feed.name, { fact: publish ? outcome.fact : undefined, mirror: learned[0] })
    for (const forgotten of learned.slice(1)) outbox.add(feed.name, { mirror: forgotten })
  }
  if (options.origin === 'live' && change.attributes['childAction'] === 'deleteNonPresent' && !log) {
    core.nonPresent.note(core, feed, change.dn)
  }
  if (!log) delegates.settle(core, feed, change, options, isTellable && isUnsaid(selected.outcome, outcome))
  if (verdict === 'entered' || verdict === 'left') follow(core, feed, change, options)
  return publish ? 'published' : 'silent'
}

/**
 * A fault was made again (a flap makes no new one), and nothing of its new life was told: that the one before has ended was not said.
 * One that is over already closes what is open by itself.
 */
function isReborn({ cls, dn, status, attributes }: Change, mirror: Core['mirror']): boolean {
  const known = mirror.get(dn)?.attributes
  if (cls !== 'faultInst' || status === 'deleted' || known === undefined || isOver(attributes)) return false
  const bornMs = msOf(attributes['created'])
  return msOf(known['created']) < bornMs && msOf(known['lastTransition']) < bornMs
}

/** What comes nested in an object enters and leaves with it. */
function follow(core: Core, feed: Watched, { dn }: Change, options: ApplyOptions): void {
  const nesting = (options.watchers ?? [feed]).filter(one => one.query.isNested !== undefined)
  if (nesting.length === 0) return
  for (const { key, family, attributes } of [...core.mirror.values()]) {
    if (!isBelow(key, dn) || !nesting.some(one => one.query.isNested?.(family) && one.query.yields(family, key)))
      continue
    const watchers = core.watchers().filter(one => nesting.includes(one) || one.query.covers(family, key))
    const change: Change = { cls: family, dn: key, attributes: { ...attributes }, status: 'created' }
    applyChange(core, feed, change, { ...options, watchers })
  }
}

function isUnsaid(before: Outcome, after: Outcome): boolean {
  return before.fact !== undefined && after.fact === undefined
}

/** The daemon's own logins and refreshes would fill the session log it reads (reference b22). */
export function isOwnSession(config: Core['config'], change: Change): boolean {
  return config.ignore_own_session && change.cls === 'aaaSessionLR' && change.attributes['user'] === config.username
}

/**
 * True when the mirror already holds something newer than this push: it waited while a snapshot was read that knew it,
 * or it comes by the slower of two sockets. Compared by the object's own times (reference b2: later lastTransition or modTs wins).
 */
export function isStale(core: Pick<Core, 'mirror'>, change: Change): boolean {
  if (change.status === 'deleted' || isLogClass(change.cls)) return false
  const known = core.mirror.get(change.dn)?.attributes
  // Of an object that is gone: what is no newer than its last word came before its end, by the slower socket.
  const end = core.mirror.end(change.dn)
  const held = known ?? end?.last
  if (held === undefined) return false
  // A step shortly before an end that its log told, and that the log did not show yet.
  const endedMs = end?.isDated === true && change.status === 'modified' ? end.endedMs : Number.NEGATIVE_INFINITY
  for (const property of TIME_PROPERTIES) {
    const last = msOf(held[property])
    const pushed = msOf(change.attributes[property])
    if (Number.isNaN(pushed) || Number.isNaN(last)) continue
    return known === undefined ? pushed <= Math.max(last, endedMs) : pushed < last
  }
  return false
}
