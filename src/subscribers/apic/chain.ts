/** Versions of an object that has a state: what is new, laid over what is known, and the id that chains them. */
import type { ManagedObject, MirrorChange } from '../../record.ts'
import { canonical } from './canonical.ts'
import type { PropertyChange } from './change-set.ts'
import { isHousekeeping, isMessageProperty, withoutMessage } from './classes.ts'
import type { Change } from './decode.ts'
import { redact } from './redact.ts'
import { sourceTime } from './severity.ts'

type Attributes = Readonly<Record<string, string>>

/** What a change means for the object. */
export interface Step {
  /** `same`: nothing but housekeeping, or nothing at all. `unknown`: the end of an object that nobody was told of. */
  readonly verdict: 'first' | 'changed' | 'same' | 'deleted' | 'unknown'
  /** The version before, of the same class. */
  readonly previous: ManagedObject | undefined
  /** The object as it is now (the last known, for a deleted one), without secrets and without words of the message. */
  readonly attributes: Attributes
  /** What the message said, without secrets. */
  readonly told: Attributes
  /** Meaningful properties that changed; empty for a first version. */
  readonly changes: readonly PropertyChange[]
  /** The attributes differ from the mirror's, if only in housekeeping. */
  readonly stale: boolean
  /** Only a part of the object is known: it was `modified` before anybody saw it whole. */
  readonly partial: boolean
}

/**
 * Lays a change over the previous version. A whole object (pushed as created, or read in a snapshot) is compared:
 * properties that it shows and the previous version didn't know are learned, not changed. Whether an object is shown
 * whole or in part, properties never vanish (the schema of a class is fixed), so unmentioned ones stay.
 */
export function advance(change: Change, known: ManagedObject | undefined): Step {
  const previous = known?.family === change.cls ? known : undefined
  const told = redact(change.cls, change.attributes)
  if (change.status === 'deleted') {
    const attributes = previous?.attributes ?? {}
    const verdict = previous === undefined ? 'unknown' : 'deleted'
    return { verdict, previous, attributes, told, changes: [], stale: true, partial: false }
  }
  const whole = change.status === 'created' || change.whole === true
  const before = previous?.attributes
  const attributes: Record<string, string> = before === undefined ? withoutMessage(told) : { ...before }
  const changes: PropertyChange[] = []
  let stale = false
  let learned = false
  for (const property in told) {
    if (isMessageProperty(property)) continue
    const value = told[property] ?? ''
    const known: unknown = before?.[property]
    // A property may be called `constructor`: what every object has by birth is nobody's old value.
    const old = typeof known === 'string' ? known : undefined
    if (old === value) continue
    stale = true
    if (before !== undefined && old === undefined) learned = true
    else attributes[property] = value
    if (before === undefined ? whole : old === undefined && (whole || value === '')) continue
    if (property !== 'dn' && !isHousekeeping(change.cls, property)) {
      changes.push({ property, old: old ?? null, new: value })
    }
  }
  const verdict = previous === undefined ? 'first' : changes.length > 0 ? 'changed' : 'same'
  return {
    verdict,
    previous,
    // At once, not name by name: see `withoutMessage`.
    attributes: learned ? { ...before, ...withoutMessage(told) } : attributes,
    told,
    changes,
    stale,
    partial: previous === undefined && !whole,
  }
}

/**
 * What makes this version this version: dn, the version before, the whole object without housekeeping; for a deletion
 * dn, the version before, `deleted`. An object that comes back goes on where its end was told (`after`). A chain without a beginning also counts the object's own `modTs`, where it has
 * one: an object that was deleted and made again just as it was is a new fact.
 */
export function chainKey(change: Change, step: Step, after: string | undefined): string {
  const known = step.previous?.version ?? after ?? ''
  const before = known === '' ? null : known
  const chain = `${JSON.stringify(change.dn)},${JSON.stringify(before)}`
  if (change.status === 'deleted') return `${chain},"deleted"`
  const born = before === null ? sourceTime(step.attributes['modTs']) : undefined
  return `${chain},${canonical(change.cls, step.attributes)}${born === undefined ? '' : `,${JSON.stringify(born)}`}`
}

/** What the mirror must learn; `version` is the id of the event that tells of it, or the one before if none does. */
export function remember(change: Change, step: Step, version: string | undefined): MirrorChange | undefined {
  if (step.verdict === 'unknown' || !step.stale) return undefined
  if (step.verdict === 'deleted') return { key: change.dn, object: null }
  return {
    key: change.dn,
    object: {
      key: change.dn,
      family: change.cls,
      version: version ?? step.previous?.version ?? '',
      attributes: step.attributes,
    },
  }
}

/** The whole object with the words of the message, as it stands in `data.raw`. */
export function rawOf(change: Change, step: Step): unknown {
  // Of a first version nothing is known but what was told.
  const attributes = step.verdict === 'first' ? step.told : { ...step.attributes, ...step.told }
  return { [change.cls]: { attributes } }
}

/**
 * The first of these properties that is a time and belongs to this change: one that the previous version had already
 * is the time of an earlier change.
 */
export function timeOf(step: Step, ...properties: readonly string[]): string | undefined {
  const source = step.verdict === 'deleted' ? step.told : step.attributes
  for (const property of properties) {
    const value = source[property]
    if (value === undefined || value === step.previous?.attributes[property]) continue
    const time = sourceTime(value)
    if (time !== undefined) return time
  }
  return undefined
}
