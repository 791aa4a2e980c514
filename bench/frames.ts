/** What the fabric of the benchmark pushes: numbered notifications of about 1 KB, as an APIC spells them. */

/** A record of a log class, or changes of objects that the daemon mirrors. */
export type Pushed = 'eventRecord' | 'faultInst'

/** Subscription ids: 64-bit decimals above 2^53, as a controller gives them. Fixed, so that frames can be made ahead. */
export const SUBSCRIPTION_IDS: Readonly<Record<string, string>> = {
  eventRecord: '72058418689310721',
  faultInst: '72058418689310722',
  aaaModLR: '72058418689310723',
}

type Attributes = Record<string, string>

const CHANGE_SET = [
  'lastLinkStChg (Old: 2026-02-03T04:01:17.001+00:00, New: 2026-02-03T04:05:06.789+00:00)',
  'operSt (Old: down, New: up)',
  'operStQual (Old: link-failure, New: none)',
  'operSpeed (Old: unknown, New: 25G)',
  'operFecMode (Old: disable-fec, New: cl74-fc-fec)',
  'operVlans (Old: , New: 101,112-119,2048)',
  'operErrDisQual (Old: none, New: none-recovered)',
  'lastErrors (Old: 0, New: 17)',
  'resetCtr (Old: 4, New: 5)',
  'usage (Old: discovery, New: epg)',
].join(', ')
const PROSE = 'the port came up at 25G after the transceiver was seated again'

const interfaceOf = (object: number): string =>
  `topology/pod-1/node-${101 + Math.floor(object / 48)}/sys/phys-[eth1/${(object % 48) + 1}]/phys`
const stampOf = (atMs: number): string => new Date(atMs).toISOString().replace('Z', '+00:00')

/** Record number `n`, of object `n` modulo `objects`. */
export function eventRecord(n: number, objects: number, atMs: number): Attributes {
  const affected = interfaceOf(n % objects)
  return {
    affected,
    cause: 'port-up',
    changeSet: CHANGE_SET,
    childAction: '',
    code: 'E4205126',
    created: stampOf(atMs),
    descr: `burst ${n}: ${PROSE}`,
    dn: `subj-[${affected}]/rec-${8_589_934_592 + n}`,
    id: String(8_589_934_592 + n),
    ind: 'state-transition',
    modTs: 'never',
    severity: 'info',
    status: 'created',
    trig: 'oper',
    txId: '0',
    user: 'internal',
  }
}

/** A fault as a query shows it. */
export function fault(object: number, atMs: number): Attributes {
  return {
    ack: 'no',
    alert: 'no',
    cause: 'interface-physical-down',
    changeSet: CHANGE_SET,
    childAction: '',
    code: 'F1394',
    created: stampOf(atMs),
    delegated: 'no',
    descr: 'Port is down, reason: notConnected',
    dn: `${interfaceOf(object)}/fault-F1394`,
    domain: 'access',
    extMngdBy: 'undefined',
    highestSeverity: 'major',
    lastTransition: stampOf(atMs),
    lc: 'raised',
    modTs: 'never',
    occur: '1',
    origSeverity: 'major',
    prevSeverity: 'major',
    rn: '',
    rule: 'ethpm-if-port-down-no-infra',
    severity: 'major',
    status: '',
    subject: 'port-down',
    title: '',
    type: 'communications',
    userdom: ':all:common:',
  }
}

/** Change number `n` of the faults: only what changed and the identity, as an APIC tells it. */
export function faultChange(n: number, objects: number, atMs: number): Attributes {
  return {
    childAction: '',
    descr: `burst ${n}: ${PROSE}`,
    dn: `${interfaceOf(n % objects)}/fault-F1394`,
    lastTransition: stampOf(atMs),
    lc: Math.floor(n / objects) % 2 === 0 ? 'raised-clearing' : 'raised',
    modTs: stampOf(atMs),
    occur: String(2 + Math.floor(n / objects)),
    rn: '',
    status: 'modified',
  }
}

export function frameOf(cls: string, attributes: Attributes): string {
  return `{"subscriptionId":["${SUBSCRIPTION_IDS[cls]}"],"imdata":[${JSON.stringify({ [cls]: { attributes } })}]}`
}

/** One push, one object to a frame of about 1 KB. The change of a fault names its text of changes, which is as it was. */
export function frame(cls: Pushed, n: number, objects: number, atMs: number): string {
  if (cls === 'eventRecord') return frameOf(cls, eventRecord(n, objects, atMs))
  return frameOf(cls, { ...faultChange(n, objects, atMs), changeSet: CHANGE_SET })
}
