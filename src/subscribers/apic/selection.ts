/**
 * What is told of an object that a filter judges here (reference b13). The mirror keeps every object whole, whether it
 * matches or not, and marks the version of one that nobody selects. So entering and leaving the selection are seen, also
 * across restarts, holes and a filter that was changed meanwhile: entering is told as creation, leaving as deletion.
 */
import type { Fact } from '../../event.ts'
import type { ManagedObject, MirrorChange } from '../../record.ts'
import type { Watched } from './core.ts'
import type { Change } from './decode.ts'
import { parentOf, placeOf } from './dn.ts'
import { normalise } from './normalise.ts'
import type { NormaliseContext, Outcome } from './outcome.ts'
import type { Query } from './query.ts'
import { isUntold } from './twins.ts'
import { oneLine } from './words.ts'

/** Before the id in the version of an object that nobody selects. */
const OUTSIDE = 'outside:'

/** One change, and what is known and made of it without regard to any filter. */
export interface Judged {
  readonly context: NormaliseContext
  readonly change: Change
  /** The mirror's version, marked or not. */
  readonly stored: ManagedObject | undefined
  readonly outcome: Outcome
  /** All that cover the object, unless one of them tells everything. */
  readonly watchers: readonly Watched[]
}

export interface Selected {
  readonly outcome: Outcome
  /** What the change means for the selection; `outside`: it was no part of it, and is none. */
  readonly verdict: 'inside' | 'entered' | 'left' | 'outside'
}

/** True for an object that is mirrored, and that no filter lets through. */
export function isOutside(object: Pick<ManagedObject, 'version'>): boolean {
  return object.version.startsWith(OUTSIDE)
}

/** The object with its version as ids count it. */
export function unmarked(object: ManagedObject): ManagedObject {
  return isOutside(object) ? { ...object, version: object.version.slice(OUTSIDE.length) } : object
}

function marked(object: ManagedObject): ManagedObject {
  return isOutside(object) ? object : { ...object, version: `${OUTSIDE}${object.version}` }
}

/** Whether a filter lets an object through: by what it is itself, or by the object that it comes nested in. */
export function isAccepted(
  { accepts, isNested }: Pick<Query, 'accepts' | 'isNested'>,
  mirror: { get(dn: string): ManagedObject | undefined },
  cls: string,
  { key, attributes }: Pick<ManagedObject, 'key' | 'attributes'>,
): boolean {
  if (accepts === undefined) return true
  if (isNested?.(cls) !== true) return accepts(cls, attributes)
  for (let dn = parentOf(key); dn !== ''; dn = parentOf(dn)) {
    const above = mirror.get(dn)
    if (above !== undefined && !isNested(above.family)) return accepts(above.family, above.attributes)
  }
  return false
}

export function select(judged: Judged): Selected {
  const { change, outcome } = judged
  const stored = judged.stored?.family === change.cls ? judged.stored : undefined
  const wasOutside = stored !== undefined && isOutside(stored)
  if (change.status === 'deleted') {
    return wasOutside ? { outcome: untold(outcome), verdict: 'outside' } : { outcome, verdict: 'inside' }
  }
  const isInside = matches(judged, wasOutside)
  if (isInside) return wasOutside ? entering(judged, stored) : { outcome, verdict: 'inside' }
  return stored === undefined || wasOutside ? staying(outcome) : leaving(judged, stored)
}

/** Somebody who tells what he is given wants to be told of the object as it is now. */
function matches({ change, outcome, watchers, stored }: Judged, wasOutside: boolean): boolean {
  if (watchers.some(one => !one.hidden && one.query.accepts === undefined)) return true
  const telling = watchers.filter(one => !one.hidden)
  // Kept for the gauges only: no filter has a say.
  if (telling.length === 0) return !wasOutside
  // A part of an object can't be judged: rather told than lost.
  if (outcome.partial) return true
  const now = outcome.mirror?.object ?? stored
  return telling.some(one => one.accepts(change, undefined, now))
}

function untold({ mirror, partial }: Outcome): Outcome {
  return { fact: undefined, mirror, partial }
}

function staying(outcome: Outcome): Selected {
  return { outcome: { ...untold(outcome), mirror: outsideIn(outcome.mirror) }, verdict: 'outside' }
}

function outsideIn(mirror: MirrorChange | undefined): MirrorChange | undefined {
  return mirror === undefined || mirror.object === null ? mirror : { ...mirror, object: marked(mirror.object) }
}

/** The object as it is now, told as if nobody had known it; its chain goes on. */
function entering({ context, change, outcome }: Judged, stored: ManagedObject): Selected {
  const before = unmarked(stored)
  const { attributes } = outcome.mirror?.object ?? before
  const whole: Change = { cls: change.cls, dn: change.dn, attributes: { ...attributes }, status: 'created' }
  const first = normalise({ ...context, after: before.version }, whole, undefined)
  return {
    outcome: { ...first, fact: first.fact && entered(change.cls, first.fact, outcome.fact) },
    verdict: 'entered',
  }
}

/** The object as it was, told as gone: an alert that was opened is closed. It stays in the mirror as it is now. */
function leaving({ context, change, outcome }: Judged, stored: ManagedObject): Selected {
  const now = outcome.mirror?.object ?? stored
  const gone = normalise(
    context,
    { cls: change.cls, dn: change.dn, attributes: { dn: change.dn }, status: 'deleted' },
    stored,
  )
  // The fabric itself closes it: nothing that we could say of a filter would be better.
  const isOver = outcome.fact?.data.state === 'resolved' && outcome.fact.data.kind !== 'state'
  const told = isOver ? outcome.fact : gone.fact && left(change.cls, gone.fact, outcome.fact)
  const fact = isUntold(stored) ? undefined : told
  const version = told?.id ?? outcome.fact?.id ?? unmarked(now).version
  const object = marked({ ...now, version })
  return { outcome: { fact, mirror: { key: change.dn, object }, partial: outcome.partial }, verdict: 'left' }
}

/**
 * Nobody selects an object any more, though it is there. `isKept`: somebody goes on to mirror it; else it is forgotten.
 * Without a fact if nobody was told of it, or its end was told already.
 */
export function departing(context: NormaliseContext, stored: ManagedObject, isKept: boolean): Outcome {
  const { key, family } = stored
  const gone = normalise(
    context,
    { cls: family, dn: key, attributes: { dn: key }, status: 'deleted' },
    unmarked(stored),
  )
  const fact = isOutside(stored) || isUntold(stored) ? undefined : gone.fact && left(family, gone.fact, undefined)
  const object = isKept ? marked({ ...unmarked(stored), version: fact?.id ?? unmarked(stored).version }) : null
  return { fact, mirror: { key, object }, partial: false }
}

/** `real`: what the change would have been without a filter. */
function entered(cls: string, first: Fact, real: Fact | undefined): Fact {
  // A port that goes down says so, though ports that are seen down for the first time do not.
  const base = first.data.kind === 'state' && real?.data.state === 'firing' ? real : first
  const isState = base.data.kind === 'state'
  const summary = isState && base !== real ? nowLine('Now selected', cls, base, real) : base.data.summary
  return {
    ...base,
    ...(isState ? { type: verbed(base.type, 'created') } : {}),
    ...(real?.time === undefined ? {} : { time: real.time }),
    data: {
      ...base.data,
      ...changesOf(real),
      summary,
      ...(isState ? { action: 'created' } : {}),
      flags: [...(base.data.flags ?? []), 'entered-selection'],
    },
  }
}

function left(cls: string, gone: Fact, real: Fact | undefined): Fact {
  const isOver = real?.data.state === 'resolved'
  return {
    ...gone,
    ...(real?.time === undefined ? {} : { time: real.time }),
    data: {
      ...gone.data,
      ...changesOf(real),
      summary: isOver ? real.data.summary : nowLine('No longer selected', cls, gone, real),
      ...(real?.data.raw === undefined ? {} : { raw: real.data.raw }),
      flags: [...(gone.data.flags ?? []), 'left-selection'],
    },
  }
}

function nowLine(what: string, cls: string, base: Fact, real: Fact | undefined): string {
  return oneLine(`${what}: ${real?.data.summary ?? `${cls} ${placeOf(base.data.resource)}`}`)
}

function changesOf(real: Fact | undefined): Pick<Fact['data'], 'changes'> {
  return real?.data.changes === undefined ? {} : { changes: real.data.changes }
}

function verbed(type: string, verb: string): string {
  return `${type.slice(0, type.lastIndexOf('.'))}.${verb}`
}
