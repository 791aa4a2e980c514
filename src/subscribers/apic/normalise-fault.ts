/** faultInst and faultDelegate: the life of a fault. One object exists for each (object, code): a flap makes no new dn. */
import type { EventData, Resource } from '../../event.ts'
import type { ManagedObject } from '../../record.ts'
import { advance, type Step, timeOf } from './chain.ts'
import type { PropertyChange } from './change-set.ts'
import type { ApicObject, Change } from './decode.ts'
import { delegatedIn, faultCodeOf, placeOf, resourceOfOwner } from './dn.ts'
import { type NormaliseContext, type Outcome, outcomeOf } from './outcome.ts'
import { lastSeverity, severityOf } from './severity.ts'
import { oneLine, sentence } from './words.ts'

type Attributes = Readonly<Record<string, string>>
export type FaultState = 'pending' | 'firing' | 'clearing' | 'resolved'

/** Times say when, not what: they make no line in `changes`. */
const TIMES: ReadonlySet<string> = new Set(['created', 'lastTransition'])

export function normaliseFault(context: NormaliseContext, change: Change, known: ManagedObject | undefined): Outcome {
  const step = advance(change, known)
  const before = step.previous === undefined ? undefined : stateOf(step.previous.attributes)
  const gone = step.verdict === 'deleted'
  // Retaining is the end already; the deletion that follows is bookkeeping.
  if (step.verdict === 'same' || step.verdict === 'unknown' || (gone && before === 'resolved')) {
    return outcomeOf(context, change, step, undefined)
  }
  const state = gone ? 'resolved' : stateOf(step.attributes)
  const severity =
    state === 'resolved' || step.attributes['severity'] === 'cleared'
      ? severityWhileOpen(step)
      : severityOf(step.attributes['severity'])
  const changes = step.changes.filter(({ property }) => !TIMES.has(property))
  const verb = verbOf(before, state)
  return outcomeOf(context, change, step, {
    type: `apic.fault.${verb}`,
    severity,
    time: timeOf(step, 'lastTransition', 'created', 'modTs'),
    data: dataOf(context, change, step.attributes, state, verb === 'changed' ? changes : []),
    changes,
  })
}

/**
 * A row of faultRecord as a change of the fault it tells of, so that what a fault did in a hole can be told in its
 * chain. Undefined for a row that doesn't say which fault.
 */
export function faultOfRecord(record: ApicObject): Change | undefined {
  const { affected = '', code, ind, created, id, dn: recordDn, ...rest } = record.attributes
  const inName = /^subj-\[(.*)\]\/[^/]*$/.exec(recordDn ?? '')?.[1] ?? ''
  const named = [affected, inName].find(dn => faultCodeOf(dn) !== undefined)
  const dn = named ?? (affected === '' || code === undefined ? undefined : `${affected}/fault-${code}`)
  if (dn === undefined) return undefined
  const lastTransition = rest['lastTransition'] ?? created
  return {
    cls: 'faultInst',
    dn,
    attributes: {
      ...rest,
      dn,
      ...(code === undefined ? {} : { code }),
      ...(lastTransition === undefined ? {} : { lastTransition }),
    },
    status: ind === 'deletion' ? 'deleted' : 'created',
  }
}

/** True until a fault is resolved: its alert, once told, is open. */
export function isOpen({ attributes }: Pick<ManagedObject, 'attributes'>): boolean {
  return stateOf(attributes) !== 'resolved'
}

/** Reference d3; the end wins over everything. A life cycle that nobody knows is a fault that is there. */
export function stateOf(attributes: Attributes): FaultState {
  const { lc, severity } = attributes
  if (severity === 'cleared' || lc === 'retaining') return 'resolved'
  if (lc === 'soaking') return 'pending'
  return lc === 'soaking-clearing' || lc === 'raised-clearing' ? 'clearing' : 'firing'
}

function verbOf(before: FaultState | undefined, now: FaultState): 'raised' | 'changed' | 'clearing' | 'cleared' {
  if (before === now) return 'changed'
  if (now === 'resolved') return 'cleared'
  if (now === 'clearing') return 'clearing'
  return before === 'firing' ? 'changed' : 'raised'
}

/**
 * A closing event keeps the last severity that was not `cleared`: it goes where the opening one went. What the mirror
 * knows comes first, as `prevSeverity` of a partial push may be older.
 */
function severityWhileOpen(step: Step) {
  const { attributes, previous, told } = step
  return lastSeverity(
    attributes['severity'],
    previous?.attributes['severity'],
    told['prevSeverity'],
    attributes['prevSeverity'],
    attributes['highestSeverity'],
    attributes['origSeverity'],
  )
}

function dataOf(
  context: NormaliseContext,
  change: Change,
  attributes: Attributes,
  state: FaultState,
  changes: readonly PropertyChange[],
): EventData {
  const { cause, descr } = attributes
  const about = change.cls === 'faultDelegate' ? attributes['affected'] || delegatedIn(change.dn) : undefined
  const resource = resourceOfOwner(about ?? change.dn)
  const code = attributes['code'] ?? faultCodeOf(change.dn)
  const data: EventData = {
    kind: 'fault',
    summary: oneLine(`${summaryOf(attributes, state, resource, code)}${detailOf(attributes, state, changes)}`),
    state,
    outcome: null,
    alertKey: `${context.source.name}/${change.dn}`,
    resource,
  }
  if (code !== undefined) data.code = code
  if (cause !== undefined && cause !== '') data.cause = cause
  if (descr !== undefined && descr !== '') data.description = descr
  const flags = flagsOf(attributes)
  if (flags.length > 0) data.flags = flags
  return data
}

const PREFIX: Record<FaultState, string> = {
  pending: 'Soaking: ',
  firing: '',
  clearing: 'Clearing: ',
  resolved: 'Cleared: ',
}

function summaryOf(attributes: Attributes, state: FaultState, resource: Resource, code: string | undefined): string {
  const what = sentence(attributes['descr']) ?? sentence(attributes['title']) ?? sentence(attributes['cause'])
  return `${PREFIX[state]}${what ?? `Fault ${code ?? 'without a code'}`}: ${placeOf(resource)}`
}

/** What a change is about, when it is no step of the life cycle; and how often the problem has come back. */
function detailOf(attributes: Attributes, state: FaultState, changes: readonly PropertyChange[]): string {
  const words: string[] = []
  for (const { property, old, new: now } of changes) {
    if (property === 'severity' && old !== null && now !== null) words.push(`${old} → ${now}`)
    else if (property === 'ack') words.push(now === 'yes' ? 'acknowledged' : 'no longer acknowledged')
  }
  const times = Number(attributes['occur'] ?? '1')
  if (state !== 'resolved' && Number.isSafeInteger(times) && times > 1) words.push(`occurred ${times} times`)
  return words.length === 0 ? '' : ` (${words.join(', ')})`
}

function flagsOf(attributes: Attributes): string[] {
  const flags: string[] = []
  if (attributes['severity'] === 'squelched') flags.push('suppressed')
  if (attributes['ack'] === 'yes') flags.push('acked')
  if (attributes['delegated'] === 'yes') flags.push('delegated')
  return flags
}
