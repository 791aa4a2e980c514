/** Every other class: created, modified, deleted; nodes and interfaces that go down also fire and resolve. */
import type { EventData, Resource } from '../../event.ts'
import type { ManagedObject } from '../../record.ts'
import { advance, type Step, timeOf } from './chain.ts'
import type { Change } from './decode.ts'
import { isPlace, parentOf, placeOf, resourceOf } from './dn.ts'
import { type NormaliseContext, type Outcome, outcomeOf } from './outcome.ts'
import { sourceTime } from './severity.ts'
import { changesLine, oneLine, sentence } from './words.ts'

type Attributes = Readonly<Record<string, string>>

/** A class whose objects can be up or down. */
interface Watched {
  /** The first of these that the object has. */
  readonly properties: readonly string[]
  readonly up: ReadonlySet<string>
  readonly down: ReadonlySet<string>
  /** Down at first sight is bad, too. Not so for ports: most ports of a fabric have nothing plugged in. */
  readonly atFirstSight: boolean
  /** Says why, where the class has such a property. */
  readonly reason?: string
  readonly time: string
}

const PORT: Watched = {
  properties: ['operSt', 'adminSt'],
  up: new Set(['up']),
  down: new Set(['down']),
  atFirstSight: false,
  reason: 'operStQual',
  time: 'lastLinkStChg',
}

/** Words that are in neither set (discovering, maintenance, in-service-upgrading, …) don't fire; what was down is so no longer. */
const WATCHED: ReadonlyMap<string, Watched> = new Map([
  [
    'fabricNode',
    {
      properties: ['fabricSt'],
      up: new Set(['active']),
      down: new Set(['inactive', 'disabled']),
      atFirstSight: true,
      time: 'lastStateModTs',
    },
  ],
  [
    'topSystem',
    {
      properties: ['state'],
      up: new Set(['in-service']),
      down: new Set(['out-of-service']),
      atFirstSight: true,
      time: 'lastStateModTs',
    },
  ],
  ['ethpmPhysIf', PORT],
  ['l1PhysIf', PORT],
])

export function normaliseState(context: NormaliseContext, change: Change, known: ManagedObject | undefined): Outcome {
  const step = advance(change, known)
  if (step.verdict === 'same' || step.verdict === 'unknown') return outcomeOf(context, change, step, undefined)
  const watched = WATCHED.get(change.cls)
  const turn = watched === undefined ? undefined : turnOf(watched, step)
  const resource = resourceOf(change.dn)
  const verb =
    step.verdict === 'deleted'
      ? 'deleted'
      : change.status === 'created' && step.verdict === 'first'
        ? 'created'
        : 'modified'
  const data: EventData = {
    kind: 'state',
    summary: oneLine(
      turn === undefined || watched === undefined
        ? lineOf(change, verb, step, resource)
        : turnLine(watched, turn, step, resource),
    ),
    state: turn ?? null,
    outcome: null,
    alertKey: turn === undefined ? null : `${context.source.name}/${change.dn}`,
    resource,
  }
  const { descr, cause, code } = step.attributes
  if (code !== undefined && code !== '') data.code = code
  if (cause !== undefined && cause !== '') data.cause = cause
  if (descr !== undefined && descr !== '') data.description = descr
  data.action = verb
  return outcomeOf(context, change, step, {
    type: `apic.${typeName(change.cls)}.${verb}`,
    // Going down is major, and so is coming back: it closes what the first opened.
    severity: turn === undefined ? 'info' : 'major',
    time: timeOf(step, ...timesOf(change.cls, watched, step)),
    data,
  })
}

function timesOf(cls: string, watched: Watched | undefined, step: Step): readonly string[] {
  if (watched === undefined) return ['modTs']
  return cls === 'topSystem' && rebooted(step) ? ['lastRebootTime'] : [watched.time, 'modTs']
}

/**
 * What a step means for the alert: a way down fires; a way out of there, also to a word in between, resolves, and so does the
 * object's end. Nothing but the version before is asked: an alert that waits for `up` would miss it behind a third word.
 */
function turnOf(watched: Watched, step: Step): 'firing' | 'resolved' | undefined {
  const before = step.previous === undefined ? undefined : conditionOf(watched, step.previous.attributes)
  const wasDown = before !== undefined && watched.down.has(before)
  if (step.verdict === 'deleted') return wasDown ? 'resolved' : undefined
  const now = conditionOf(watched, step.attributes)
  if (now === undefined || now === before) return undefined
  if (watched.down.has(now))
    return wasDown || (before === undefined && !watched.atFirstSight && !step.partial) ? undefined : 'firing'
  return wasDown ? 'resolved' : undefined
}

function conditionOf(watched: Watched, attributes: Attributes): string | undefined {
  for (const property of watched.properties) {
    const value = attributes[property]
    if (value !== undefined && value !== '') return value
  }
  return undefined
}

function turnLine(watched: Watched, turn: 'firing' | 'resolved', step: Step, resource: Resource): string {
  const subject = resource.kind === 'interface' ? 'Interface' : 'Node'
  const place = subject === 'Interface' ? placeOf(resource) : named(step, placeOf(resource))
  if (step.verdict === 'deleted') return `${subject} ${place} was removed while down`
  const value = conditionOf(watched, step.attributes)
  if (turn === 'firing') {
    // Seen for the first time as it is, or seen on its way there.
    const verb = step.verdict === 'first' && !step.partial ? 'is' : 'went'
    return `${subject} ${place} ${verb} ${value}${whyOf(watched, step.attributes)}`
  }
  if (value !== undefined && watched.up.has(value)) return `${subject} ${place} is ${value} again`
  return `${subject} ${place} is ${value}, no longer ${conditionOf(watched, step.previous?.attributes ?? {})}`
}

function whyOf(watched: Watched, attributes: Attributes): string {
  const reason = attributes[watched.reason ?? '']
  if (reason !== undefined && reason !== '' && reason !== 'none') return `: ${reason}`
  return attributes['operSt'] === undefined && attributes['adminSt'] === 'down' ? ': shut down by configuration' : ''
}

function lineOf(change: Change, verb: string, step: Step, resource: Resource): string {
  const place = placeOf(resource)
  if (change.cls === 'topSystem' && rebooted(step)) return `Node ${named(step, place)} rebooted`
  const changes = verb === 'modified' ? changesLine(step.changes) : ''
  const own = ownNameOf(change.dn, step)
  const what = own === undefined || Object.values(resource).includes(own) ? change.cls : `${change.cls} ${own}`
  const title = changes === '' ? sentence(step.attributes['descr']) : undefined
  return `${what} ${verb}: ${place}${changes === '' ? '' : `: ${changes}`}${title === undefined ? '' : ` (${title})`}`
}

/** What tells an object from its neighbours where the place does not: of a tag its name, of an endpoint its address. */
function ownNameOf(dn: string, step: Step): string | undefined {
  const { name, ip, sysName } = step.attributes
  if (ip !== undefined && ip !== '' && ip !== '0.0.0.0') return ip
  for (const own of [name, sysName]) if (own !== undefined && own !== '') return own
  // A relation names what it leads to: tnFvBDName, tnVzBrCPName.
  for (const property in step.attributes) {
    const target = step.attributes[property]
    if (target !== undefined && target !== '' && /^tn[A-Z]\w*Name$/.test(property)) return target
  }
  if (isPlace(dn)) return undefined
  const own = dn.slice(parentOf(dn).length + 1)
  const value = own.slice(own.indexOf('-') + 1)
  // A name inside brackets is read by the place.
  return value.startsWith('[') ? undefined : value
}

function rebooted(step: Step): boolean {
  return step.changes.some(({ property, old }) => property === 'lastRebootTime' && sourceTime(old ?? '') !== undefined)
}

function named(step: Step, place: string): string {
  const name = step.attributes['name']
  return name === undefined || name === '' ? place : `${name} (${place})`
}

/** Class names come from the wire, event types have an alphabet. */
function typeName(cls: string): string {
  return /^[A-Za-z0-9_-]+$/.test(cls) ? cls : cls.replace(/[^A-Za-z0-9_-]/g, '_') || '_'
}
