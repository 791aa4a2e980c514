/** One push of each class that the reference names, in the size and shape an APIC gives it, numbered so that no two are the same. */
import { eventRecord, fault, faultChange, frameOf } from './frames.ts'

type Attributes = Record<string, string>

export interface ClassFrames {
  readonly name: string
  readonly cls: string
  /** What is there before the measured pushes come: of object `object` of so many. */
  readonly before?: (object: number) => Attributes
  /** Push number `n`, about one of `objects` objects. */
  readonly push: (n: number, objects: number) => Attributes
}

const AT = Date.UTC(2026, 1, 3, 4, 5, 6, 789)
const stamp = (n: number): string => new Date(AT + n).toISOString().replace('Z', '+00:00')
const node = (object: number): string => `topology/pod-1/node-${101 + Math.floor(object / 48)}`
const port = (object: number): string => `${node(object)}/sys/phys-[eth1/${(object % 48) + 1}]`
const epg = (object: number): string => `uni/tn-prod/ap-shop-${object % 10}/epg-web-${object}`
const round = (n: number, objects: number): number => Math.floor(n / objects)
const modified = (dn: string, n: number): Attributes => ({
  childAction: '',
  dn,
  modTs: stamp(n),
  rn: '',
  status: 'modified',
})
const made = (dn: string): Attributes => ({
  childAction: '',
  dn,
  lcOwn: 'local',
  modTs: stamp(0),
  rn: '',
  status: 'created',
})

/** An object with a few settings of its own, and a push that changes one of them. */
function policy(cls: string, dnOf: (object: number) => string, settings: Attributes, changed: string): ClassFrames {
  return {
    name: `${cls} modified`,
    cls,
    before: object => ({ ...made(dnOf(object)), ...settings }),
    push: (n, objects) => ({ ...modified(dnOf(n % objects), n), [changed]: `value ${round(n, objects) + 1}` }),
  }
}

function record(n: number, affected: string, kind: string): Attributes {
  const id = String(8_589_934_592 + n)
  return {
    affected,
    childAction: '',
    created: stamp(n),
    dn: `subj-[${affected}]/${kind}-${id}`,
    id,
    modTs: 'never',
    status: 'created',
  }
}

const AFFECTED = 'uni/epp/fv-[uni/tn-prod/ap-shop/epg-web]/node-101/stpathatt-[eth1/7]/nwissues'
const delegate = (object: number): string => `${epg(object)}/fd-[${AFFECTED}]-fault-F0467`

export const CLASS_FRAMES: readonly ClassFrames[] = [
  {
    name: 'faultInst created',
    cls: 'faultInst',
    push: n => ({ ...fault(n, AT + n), dn: `${port(n)}/phys/fault-F1394`, status: 'created' }),
  },
  {
    name: 'faultInst modified',
    cls: 'faultInst',
    before: object => fault(object, AT),
    push: (n, objects) => faultChange(n, objects, AT + n),
  },
  {
    name: 'faultDelegate modified',
    cls: 'faultDelegate',
    before: object => ({ ...fault(object, AT), affected: AFFECTED, code: 'F0467', dn: delegate(object) }),
    push: (n, objects) => ({
      ...modified(delegate(n % objects), n),
      lastTransition: stamp(n),
      lc: round(n, objects) % 2 === 0 ? 'raised-clearing' : 'raised',
      occur: String(round(n, objects) + 2),
    }),
  },
  {
    name: 'faultRecord',
    cls: 'faultRecord',
    push: (n, objects) => ({
      ...fault(n % objects, AT),
      ...record(n, `${port(n % objects)}/phys`, 'fr'),
      ind: 'creation',
    }),
  },
  { name: 'eventRecord', cls: 'eventRecord', push: (n, objects) => eventRecord(n, objects, AT + n) },
  {
    name: 'aaaModLR',
    cls: 'aaaModLR',
    push: (n, objects) => ({
      ...record(n, epg(n % objects), 'mod'),
      cause: 'transition',
      changeSet: `descr (Old: , New: number ${n}), prio (Old: unspecified, New: level1)`,
      clientTag: '',
      code: 'E4206326',
      descr: `AEPg web-${n % objects} modified`,
      ind: 'modification',
      sessionId: 'aZb3kQ==',
      severity: 'info',
      trig: 'config',
      txId: String(576_460_752_303_423_488n + BigInt(n)),
      user: 'alice',
    }),
  },
  {
    name: 'aaaSessionLR',
    cls: 'aaaSessionLR',
    push: n => ({
      ...record(n, 'uni/userext/user-alice', 'sess'),
      cause: 'unknown',
      changeSet: '',
      clientTag: '',
      code: 'generic',
      descr: `[user alice] From-198.51.100.${n % 250}-client-type-REST-Success`,
      ind: 'special',
      severity: 'info',
      trig: 'login,session',
      txId: '0',
      user: 'alice',
    }),
  },
  {
    name: 'healthInst modified',
    cls: 'healthInst',
    before: object => ({ ...made(`${epg(object)}/health`), cur: '95', maxSev: 'cleared', prev: '95', updTs: stamp(0) }),
    push: (n, objects) => ({
      ...modified(`${epg(n % objects)}/health`, n),
      chng: '-1',
      cur: String(round(n, objects) % 2 === 0 ? 62 : 95),
      prev: String(round(n, objects) % 2 === 0 ? 95 : 62),
      twScore: String(n % 100),
      updTs: stamp(n),
    }),
  },
  {
    name: 'healthRecord',
    cls: 'healthRecord',
    push: (n, objects) => ({
      ...record(n, epg(n % objects), 'hr'),
      code: 'E4201',
      cur: String(n % 101),
      ind: 'modification',
      maxSev: 'minor',
      prev: '95',
      twScore: '90',
      updTs: stamp(n),
    }),
  },
  {
    name: 'fabricNode modified',
    cls: 'fabricNode',
    before: object => ({
      ...made(`topology/pod-1/node-${object + 101}`),
      adSt: 'on',
      address: '10.0.72.64',
      fabricSt: 'active',
      id: String(object + 101),
      lastStateModTs: stamp(0),
      model: 'N9K-C93180YC-FX',
      name: `leaf-${object + 101}`,
      nodeType: 'unspecified',
      role: 'leaf',
      serial: 'FDO00000000',
      version: 'n9000-16.0(9c)',
    }),
    push: (n, objects) => ({
      ...modified(`topology/pod-1/node-${(n % objects) + 101}`, n),
      fabricSt: round(n, objects) % 2 === 0 ? 'inactive' : 'active',
      lastStateModTs: stamp(n),
    }),
  },
  policy(
    'topSystem',
    object => `topology/pod-1/node-${object + 101}/sys`,
    {
      address: '10.0.72.64',
      currentTime: stamp(0),
      lastRebootTime: stamp(-9),
      name: 'leaf',
      oobMgmtAddr: '192.0.2.101',
      podId: '1',
      role: 'leaf',
      serial: 'FDO00000000',
      state: 'in-service',
      systemUpTime: '33:04:00:06.000',
      version: 'n9000-16.0(9c)',
    },
    'version',
  ),
  policy(
    'fvCEp',
    object => `${epg(object)}/cep-00:50:56:AA:BB:CC`,
    { encap: 'vlan-100', ip: '10.1.2.3', lcC: 'learned', mac: '00:50:56:AA:BB:CC', name: '00:50:56:AA:BB:CC' },
    'encap',
  ),
  {
    name: 'ethpmPhysIf modified',
    cls: 'ethpmPhysIf',
    before: object => ({
      ...made(`${port(object)}/phys`),
      lastLinkStChg: stamp(0),
      operSpeed: '25G',
      operSt: 'up',
      operStQual: 'none',
      operVlans: '101,112-119',
      usage: 'epg',
    }),
    push: (n, objects) => ({
      ...modified(`${port(n % objects)}/phys`, n),
      lastLinkStChg: stamp(n),
      operSt: round(n, objects) % 2 === 0 ? 'down' : 'up',
      operStQual: round(n, objects) % 2 === 0 ? 'link-failure' : 'none',
    }),
  },
  policy('l1PhysIf', port, { adminSt: 'up', autoNeg: 'on', id: 'eth1/7', mtu: '9000', speed: 'inherit' }, 'descr'),
  policy('fvTenant', object => `uni/tn-t${object}`, { name: 't', nameAlias: '', ownerKey: '' }, 'descr'),
  policy('fvAEPg', epg, { fwdCtrl: '', matchT: 'AtleastOne', name: 'web', pcEnfPref: 'unenforced', prio: 'x' }, 'prio'),
  policy(
    'fvBD',
    object => `uni/tn-prod/BD-b${object}`,
    { arpFlood: 'no', ipLearning: 'yes', mac: '00:22:BD:F8:19:FF', name: 'b', type: 'regular', unicastRoute: 'yes' },
    'arpFlood',
  ),
  policy('fvCtx', object => `uni/tn-prod/ctx-v${object}`, { name: 'v', pcEnfDir: 'ingress', pcEnfPref: 'x' }, 'descr'),
  policy(
    'aaaUser',
    object => `uni/userext/user-u${object}`,
    { accountStatus: 'active', encPwd: 'TUxISkhH$VHyidGgBX0r7N', name: 'u', pwd: '', pwdSet: 'yes' },
    'email',
  ),
  policy('aUnknownClass', object => `uni/thing-[a/${object}]/part`, { one: '1', two: '2', three: '3' }, 'one'),
]

/** The frame of one push, as an APIC spells it. */
export function spelt(cls: string, attributes: Attributes): string {
  return frameOf(cls, attributes)
}
