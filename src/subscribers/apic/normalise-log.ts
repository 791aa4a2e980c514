/** Records of the log classes: one event each, without a state of their own. */
import { type EventData, type Fact, makeFact, type Severity } from '../../event.ts'
import { actorOf, nameOf } from './actor.ts'
import { parseChangeSet } from './change-set.ts'
import type { Change } from './decode.ts'
import { isPlace, placeOf, resourceOfOwner } from './dn.ts'
import { healthLine, scoreOf } from './normalise-health.ts'
import { tellSession } from './normalise-session.ts'
import type { NormaliseContext } from './outcome.ts'
import { redact } from './redact.ts'
import { lastSeverity, severityOf, severityOfScore, sourceTime } from './severity.ts'
import { changesLine, oneLine, sentence } from './words.ts'

type Attributes = Readonly<Record<string, string>>

export function normaliseLog(context: NormaliseContext, change: Change): Fact {
  const attributes = redact(change.cls, change.attributes)
  const affected =
    attributes['affected'] === undefined || attributes['affected'] === '' ? undefined : attributes['affected']
  const told = tellingOf(change.cls, attributes, affected ?? change.dn)
  if (context.raw) told.data.raw = { [change.cls]: { attributes } }
  return makeFact(context.source, {
    family: change.cls,
    key: keyOf(change, attributes),
    type: told.type,
    subject: change.dn,
    time: sourceTime(attributes['created']),
    partitionkey: affected ?? change.dn,
    severity: told.severity,
    origin: context.origin,
    data: told.data,
  })
}

/**
 * Ids of records are local to a controller's replica: aaaModLR shows up once for each controller, under different dns
 * (reference b23). So its transaction is the key, and `created` and all else where there is none.
 */
function keyOf(change: Change, attributes: Attributes): readonly unknown[] {
  const { txId, affected, ind, user, created, changeSet, descr } = attributes
  switch (change.cls) {
    case 'aaaModLR':
      return txId === undefined || txId === '' || txId === '0'
        ? [created ?? '', affected ?? '', ind ?? '', user ?? '', changeSet ?? '']
        : [txId, affected ?? '', ind ?? '', changeSet ?? '']
    case 'aaaSessionLR':
      return [created ?? '', user ?? '', descr ?? '']
    default:
      return [change.dn]
  }
}

interface Telling {
  readonly type: string
  readonly severity: Severity
  readonly data: EventData
}

function tellingOf(cls: string, attributes: Attributes, subject: string): Telling {
  switch (cls) {
    case 'aaaModLR':
      return audit(attributes, subject)
    case 'aaaSessionLR':
      return session(attributes, subject)
    case 'faultRecord':
      return faultRecord(attributes, subject)
    case 'healthRecord':
      return healthRecord(attributes, subject)
    default:
      return event(attributes, subject)
  }
}

function dataOf(kind: EventData['kind'], attributes: Attributes, subject: string): EventData {
  const { user, code, cause, ind, descr, changeSet } = attributes
  const data: EventData = {
    kind,
    summary: '',
    state: null,
    outcome: null,
    alertKey: null,
    resource: resourceOfOwner(subject),
  }
  const actor = actorOf(user)
  if (actor !== undefined) data.actor = actor
  if (code !== undefined && code !== '') data.code = code
  if (cause !== undefined && cause !== '') data.cause = cause
  if (ind !== undefined && ind !== '') data.action = ind
  if (descr !== undefined && descr !== '') data.description = descr
  if (changeSet !== undefined && changeSet !== '') {
    const changes = parseChangeSet(changeSet)
    if (changes.length > 0) data.changes = changes
  }
  if (attributes['severity'] === 'squelched') data.flags = ['suppressed']
  return data
}

function event(attributes: Attributes, subject: string): Telling {
  const data = dataOf('event', attributes, subject)
  data.summary = oneLine(`${headline(attributes, 'Event')}: ${placeOf(data.resource)}`)
  return { type: 'apic.event.recorded', severity: severityOf(attributes['severity']), data }
}

function faultRecord(attributes: Attributes, subject: string): Telling {
  const data = dataOf('event', attributes, subject)
  const { lc, severity, prevSeverity, highestSeverity, origSeverity } = attributes
  const phase = lc === undefined || lc === '' ? '' : ` (${lc})`
  data.summary = oneLine(`${headline(attributes, 'Fault')}${phase}: ${placeOf(data.resource)}`)
  return {
    type: 'apic.faultrecord.recorded',
    severity: lastSeverity(severity, ...(severity === 'cleared' ? [prevSeverity, highestSeverity, origSeverity] : [])),
    data,
  }
}

function healthRecord(attributes: Attributes, subject: string): Telling {
  const data = dataOf('health', attributes, subject)
  const score = scoreOf(attributes['cur'])
  const previous = scoreOf(attributes['prev'])
  if (score !== undefined) data.health = { score, previous: previous ?? null }
  data.summary = healthLine(placeOf(data.resource), score, previous)
  return { type: 'apic.health.changed', severity: severityOfScore(score ?? 100), data }
}

const DONE: Readonly<Record<string, string>> = { creation: 'created', modification: 'changed', deletion: 'deleted' }

function audit(attributes: Attributes, subject: string): Telling {
  const data = dataOf('audit', attributes, subject)
  const { ind, sessionId, descr } = attributes
  if (sessionId !== undefined && sessionId !== '') data.actor = { ...data.actor, session: sessionId }
  const verb = DONE[ind ?? '']
  const place = placeOf(data.resource)
  const who = nameOf(data.actor)
  // What stands below a place (a relation, a tag) is named by the record alone: `RsDomAtt uni/phys-x created`.
  const what = isPlace(subject) ? undefined : sentence(descr)?.replace(/ (?:created|modified|deleted)$/, '')
  // A text that can't be read as changes is still what the fabric says of them.
  const changes =
    ind === 'modification' ? changesLine(data.changes ?? []) || (sentence(attributes['changeSet']) ?? '') : ''
  data.summary = oneLine(
    verb === undefined
      ? `${who}: ${sentence(descr) ?? 'touched'}: ${place}`
      : `${who} ${verb} ${what === undefined ? place : `${what} of ${place}`}${changes === '' ? '' : `: ${changes}`}`,
  )
  return { type: 'apic.audit.recorded', severity: severityOf(attributes['severity']), data }
}

function session(attributes: Attributes, subject: string): Telling {
  const data = dataOf('session', attributes, subject)
  tellSession(data, attributes)
  return { type: 'apic.session.recorded', severity: severityOf(attributes['severity']), data }
}

function headline(attributes: Attributes, otherwise: string): string {
  const { descr, title, cause, code } = attributes
  return (
    sentence(descr) ?? sentence(title) ?? sentence(cause) ?? (code === undefined ? otherwise : `${otherwise} ${code}`)
  )
}
