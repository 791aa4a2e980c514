/** Which properties of an APIC object a person looks at first, by class. Pure. */
import type { Row } from './rows.ts'

const FAULT = ['severity', 'lastTransition', 'code', 'lc', 'cause', 'dn', 'descr']
const RECORD = ['created', 'severity', 'code', 'cause', 'affected', 'descr']
const NAMED = ['name', 'dn', 'descr']

const BY_CLASS: Readonly<Record<string, readonly string[]>> = {
  faultInst: FAULT,
  faultDelegate: ['severity', 'lastTransition', 'code', 'lc', 'cause', 'affected', 'descr'],
  faultRecord: RECORD,
  eventRecord: ['created', 'severity', 'code', 'cause', 'affected', 'user', 'descr'],
  aaaModLR: ['created', 'user', 'ind', 'affected', 'descr', 'changeSet'],
  aaaSessionLR: ['created', 'user', 'descr'],
  healthInst: ['cur', 'prev', 'maxSev', 'updTs', 'dn'],
  healthRecord: ['created', 'cur', 'prev', 'affected'],
  fabricNode: ['id', 'name', 'role', 'fabricSt', 'model', 'serial', 'version', 'dn'],
  topSystem: ['id', 'name', 'role', 'state', 'version', 'oobMgmtAddr', 'lastRebootTime', 'dn'],
  ethpmPhysIf: ['operSt', 'operStQual', 'operSpeed', 'lastLinkStChg', 'dn'],
  fvCEp: ['mac', 'ip', 'encap', 'lcC', 'dn'],
  fvTenant: NAMED,
  fvAEPg: ['name', 'pcTag', 'dn', 'descr'],
  fvBD: ['name', 'mac', 'dn', 'descr'],
  aaaUser: ['name', 'lastName', 'firstName', 'email', 'accountStatus', 'dn'],
  aaaDomain: NAMED,
  tagInst: ['name', 'dn'],
  domain: ['name', 'guiBanner'],
  firmwareRunning: ['version', 'type', 'dn'],
  moCount: ['count'],
}

/** Classes that people ask for, for those who mistype one. */
export const USUAL_CLASSES: readonly string[] = [...Object.keys(BY_CLASS), 'fvAp', 'fvCtx', 'vzBrCP', 'l1PhysIf']

/** What says most of an object that we know nothing of, in this order; shown if any of the rows has it. */
const TELLING = [
  'name',
  'severity',
  'code',
  'lc',
  'cur',
  'operSt',
  'state',
  'adminSt',
  'version',
  'count',
  'created',
  'dn',
  'descr',
]
/** Wide tables tell less. */
const MOST = 8

/** Columns for these rows; `class` comes first where there are several, or may be (`mixed`). */
export function columnsFor(rows: readonly Row[], mixed: boolean): readonly string[] {
  const classes = [...new Set(rows.map(row => row.cells['class'] ?? ''))]
  const filled = new Set(rows.flatMap(({ cells }) => Object.keys(cells).filter(name => (cells[name] ?? '') !== '')))
  const several = mixed || classes.length > 1
  const known = several ? undefined : BY_CLASS[classes[0] ?? '']
  const usual = (known ?? TELLING).filter(name => filled.has(name))
  if (usual.length === 0) return [...filled].filter(name => name !== 'class').slice(0, MOST)
  return several ? ['class', ...usual.slice(0, MOST)] : usual
}
