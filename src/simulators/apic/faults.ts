/** A fault's life: what an APIC fills in by itself when one is raised, changed or cleared (reference/apic.md d1, d2). */
import type { Attributes } from './model.ts'

const SEVERITIES = ['cleared', 'info', 'warning', 'minor', 'major', 'critical']

function rank(severity: string | undefined): number {
  return SEVERITIES.indexOf(severity ?? '')
}

/** A whole faultInst or faultDelegate from the few properties that were given. `stamp` is the fabric's time. */
export function raisedFault(className: string, given: Readonly<Attributes>, rn: string, stamp: string): Attributes {
  const severity = given['severity'] ?? 'minor'
  const own: Attributes =
    className === 'faultDelegate' ? { affected: given['affected'] ?? '' } : { alert: 'no', delegated: 'no' }
  return {
    ack: 'no',
    ...own,
    cause: 'unknown',
    changeSet: '',
    childAction: '',
    code: '',
    created: stamp,
    descr: '',
    domain: 'infra',
    extMngdBy: 'undefined',
    highestSeverity: severity,
    lastTransition: stamp,
    lc: 'soaking',
    modTs: 'never',
    occur: '1',
    origSeverity: severity,
    prevSeverity: severity,
    rn,
    rule: 'sim-rule',
    severity,
    status: '',
    subject: 'sim',
    title: 'null',
    type: 'operational',
    userdom: 'all',
    ...given,
  }
}

const CLEARING: ReadonlySet<string> = new Set(['retaining', 'soaking-clearing', 'raised-clearing'])

/**
 * What really changes when `given` is posted onto a fault: severity moves `prevSeverity` and `highestSeverity`, a
 * change of life cycle or severity moves `lastTransition`, coming back counts `occur` up (a flap makes no new object).
 */
export function changedFault(before: Readonly<Attributes>, given: Readonly<Attributes>, stamp: string): Attributes {
  const changed: Attributes = {}
  for (const [property, value] of Object.entries(given)) if (before[property] !== value) changed[property] = value
  const { severity, lc } = changed
  if (severity !== undefined) {
    changed['prevSeverity'] ??= before['severity'] ?? ''
    if (rank(severity) > rank(before['highestSeverity'])) changed['highestSeverity'] ??= severity
  }
  if (severity !== undefined || lc !== undefined) changed['lastTransition'] ??= stamp
  if (lc !== undefined && !CLEARING.has(lc) && CLEARING.has(before['lc'] ?? '')) {
    changed['occur'] ??= String(Number(before['occur'] ?? '1') + 1)
  }
  return changed
}

/** What only the fault itself has, in the reading in which a record is lean. */
const OWN = ['alert', 'extMngdBy', 'lastTransition', 'title', 'userdom']

/**
 * The faultRecord of one transition: the fault as it is now (as it was, when it is gone), and what happened to it.
 * `affected` is the object that has the fault, or the fault itself, as the fabric's knob says.
 */
export function faultRecordOf(
  fault: Readonly<Attributes>,
  told: { readonly affected: string; readonly ind: string; readonly stamp: string; readonly fields: 'whole' | 'lean' },
): Attributes {
  const { dn: _dn, rn: _rn, ...rest } = fault
  const record: Attributes = { ...rest }
  if (told.fields === 'lean') for (const property of OWN) delete record[property]
  const { affected, ind, stamp } = told
  return { ...record, affected, childAction: '', created: stamp, ind, modTs: 'never', status: '' }
}

/** An eventRecord with everything that was not given filled in. */
export function eventDefaults(affected: string, stamp: string): Attributes {
  return {
    affected,
    cause: 'transition',
    changeSet: '',
    childAction: '',
    code: 'E4205126',
    created: stamp,
    descr: '',
    ind: 'state-transition',
    modTs: 'never',
    severity: 'info',
    status: '',
    trig: 'oper',
    txId: '0',
    user: 'internal',
  }
}
