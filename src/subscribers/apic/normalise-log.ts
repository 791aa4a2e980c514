/** Records of the log classes: one event each, without a state of their own. */
import { type EventData, type Fact, makeFact, type Severity } from '../../event.ts'
import { type PropertyChange, parseChangeSet } from './change-set.ts'
import type { Change } from './decode.ts'
import { ownerOf, placeOf, resourceOf } from './dn.ts'
import { healthLine, scoreOf } from './normalise-health.ts'
import { type NormaliseContext, oneLine, sentence } from './outcome.ts'
import { redact } from './redact.ts'
import { lastSeverity, severityOf, severityOfScore, sourceTime } from './severity.ts'

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
    resource: resourceOf(ownerOf(subject)),
  }
  if (user !== undefined && user !== '') data.actor = { user }
  if (code !== undefined && code !== '') data.code = code
  if (cause !== undefined && cause !== '') data.cause = cause
  if (ind !== undefined && ind !== '') data.action = ind
  if (descr !== undefined && descr !== '') data.description = descr
  if (changeSet !== undefined && changeSet !== '') {
    const changes = parseChangeSet(changeSet)
    if (changes.length > 0) data.changes = changes
  }
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
  const { user, ind, sessionId } = attributes
  if (sessionId !== undefined && sessionId !== '') data.actor = { ...data.actor, session: sessionId }
  const who = user === undefined || user === '' ? 'Somebody' : user
  const verb = DONE[ind ?? ''] ?? 'touched'
  const detail = ind === 'modification' ? detailOf(data.changes ?? []) : ''
  data.summary = oneLine(`${who} ${verb} ${placeOf(data.resource)}${detail}`)
  return { type: 'apic.audit.recorded', severity: severityOf(attributes['severity']), data }
}

/** The first changes in words: `: prio unspecified → level1, descr → "x" (2 more)`. */
function detailOf(changes: readonly PropertyChange[]): string {
  const words = changes.slice(0, 3).map(({ property, old, new: now }) => {
    const from = old === null || old === '' ? '' : `${old} `
    return `${property} ${from}→ ${now === null || now === '' ? '(empty)' : now}`
  })
  if (words.length === 0) return ''
  return `: ${words.join(', ')}${changes.length > 3 ? ` (${changes.length - 3} more)` : ''}`
}

/** Only `descr` says how it went (reference d1), in words that differ between releases and login domains. */
function session(attributes: Attributes, subject: string): Telling {
  const data = dataOf('session', attributes, subject)
  const { descr = '', trig = '', user = '' } = attributes
  const address = /\bfrom[- ]\[?([0-9a-f:.]*[0-9a-f])\]?/i.exec(descr)?.[1]
  data.outcome = /fail|refus|denied|reject|incorrect|invalid|locked/i.test(descr)
    ? 'failure'
    : /succe/i.test(descr)
      ? 'success'
      : 'unknown'
  const action = /logout|logged out/i.test(`${trig} ${descr}`)
    ? 'logout'
    : /refresh/i.test(`${trig} ${descr}`)
      ? 'refresh'
      : /login|logged in|client-type|authenticat/i.test(`${trig} ${descr}`)
        ? 'login'
        : undefined
  if (action !== undefined) data.action = action
  if (address !== undefined && address.length >= 3) data.actor = { ...data.actor, address }
  const what = action === 'logout' ? 'Logout' : action === 'refresh' ? 'Session refresh' : 'Login'
  const whom = user === '' ? 'an unknown user' : user
  const where = data.actor?.address === undefined ? '' : ` from ${data.actor.address}`
  const ended = data.outcome === 'success' ? 'succeeded' : 'failed'
  data.summary = oneLine(
    action === undefined || data.outcome === 'unknown'
      ? `Session of ${whom}: ${sentence(descr) ?? 'no description'}`
      : `${what} of ${whom}${where} ${ended}`,
  )
  return { type: 'apic.session.recorded', severity: severityOf(attributes['severity']), data }
}

function headline(attributes: Attributes, otherwise: string): string {
  const { descr, title, cause, code } = attributes
  return (
    sentence(descr) ?? sentence(title) ?? sentence(cause) ?? (code === undefined ? otherwise : `${otherwise} ${code}`)
  )
}
