/** Every other class: created, modified, deleted; nodes and interfaces that go down also fire and resolve. */
import type { EventData, Resource } from '../../event.ts'
import type { ManagedObject } from '../../record.ts'
import { advance, type Step, timeOf } from './chain.ts'
import type { Change } from './decode.ts'
import { placeOf, resourceOf } from './dn.ts'
import { type NormaliseContext, type Outcome, oneLine, outcomeOf, sentence } from './outcome.ts'

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

/** Words that are in neither set (discovering, maintenance, in-service-upgrading, …) neither fire nor resolve. */
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
    time: watched === undefined ? timeOf(step, 'modTs') : timeOf(step, watched.time, 'modTs'),
    data,
  })
}

/** What a step means for the alert: a way down fires, the way back up (or the object's end) resolves. */
function turnOf(watched: Watched, step: Step): 'firing' | 'resolved' | undefined {
  const before = step.previous === undefined ? undefined : conditionOf(watched, step.previous.attributes)
  const wasDown = before !== undefined && watched.down.has(before)
  if (step.verdict === 'deleted') return wasDown ? 'resolved' : undefined
  const now = conditionOf(watched, step.attributes)
  if (now === undefined || now === before) return undefined
  if (watched.down.has(now))
    return wasDown || (before === undefined && !watched.atFirstSight && !step.partial) ? undefined : 'firing'
  return watched.up.has(now) && wasDown ? 'resolved' : undefined
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
  const name = step.attributes['name']
  const place =
    name === undefined || name === '' || subject === 'Interface' ? placeOf(resource) : `${name} (${placeOf(resource)})`
  if (step.verdict === 'deleted') return `${subject} ${place} was removed while down`
  const value = conditionOf(watched, step.attributes)
  const reason = step.attributes[watched.reason ?? '']
  const why = turn === 'resolved' || reason === undefined || reason === '' || reason === 'none' ? '' : `: ${reason}`
  return turn === 'firing' ? `${subject} ${place} went ${value}${why}` : `${subject} ${place} is ${value} again`
}

function lineOf(change: Change, verb: string, step: Step, resource: Resource): string {
  const place = placeOf(resource)
  const first = step.changes[0]
  const detail =
    first === undefined || verb !== 'modified'
      ? ''
      : `: ${first.property} ${first.old === null || first.old === '' ? '' : `${first.old} `}→ ${first.new === '' ? '(empty)' : first.new}` +
        (step.changes.length > 1 ? ` (${step.changes.length - 1} more)` : '')
  const title = sentence(step.attributes['descr'])
  return `${change.cls} ${verb}: ${place}${detail}${title === undefined || detail !== '' ? '' : ` (${title})`}`
}

/** Class names come from the wire, event types have an alphabet. */
function typeName(cls: string): string {
  return /^[A-Za-z0-9_-]+$/.test(cls) ? cls : cls.replace(/[^A-Za-z0-9_-]/g, '_') || '_'
}
