/** What is there on the first day: one pod, two leaves, a spine, three controllers, the tenants every fabric has. */

import type { Attributes } from './model.ts'
import { CLASSES } from './model-classes.ts'
import type { Tree } from './tree.ts'

const NODES = [
  { id: '1', name: 'apic1', role: 'controller', model: 'APIC-SERVER-M3' },
  { id: '2', name: 'apic2', role: 'controller', model: 'APIC-SERVER-M3' },
  { id: '3', name: 'apic3', role: 'controller', model: 'APIC-SERVER-M3' },
  { id: '101', name: 'leaf-101', role: 'leaf', model: 'N9K-C93180YC-FX' },
  { id: '102', name: 'leaf-102', role: 'leaf', model: 'N9K-C93180YC-FX' },
  { id: '201', name: 'spine-201', role: 'spine', model: 'N9K-C9332C' },
] as const

interface Seed {
  readonly className: string
  readonly dn: string
  readonly attributes: Attributes
}

function seedOf(className: string, dn: string, attributes: Attributes, stamp: string): Seed {
  const { config, oper } = CLASSES[className] ?? {}
  const policy: Attributes =
    config === undefined ? {} : { annotation: '', descr: '', lcOwn: 'local', monPolDn: '', uid: '0' }
  const whole = { childAction: '', ...policy, ...config, ...oper, ...attributes, dn, modTs: stamp, status: '' }
  return { className, dn, attributes: whole }
}

interface Node {
  readonly id: string
  readonly name: string
  readonly role: string
  readonly model: string
}

function nodeObjects({ id, name, role, model }: Node, index: number, stamp: string, version: string): Seed[] {
  const dn = `topology/pod-1/node-${id}`
  const address = `10.0.${role === 'controller' ? 0 : 64}.${index + 1}`
  const serial = `FDO2126${String(index).padStart(3, '0')}A`
  // A controller is not a member that the fabric discovers: its fabricSt stays unknown.
  const fabricSt = role === 'controller' ? 'unknown' : 'active'
  const member = { address, fabricSt, id, lastStateModTs: stamp, model, name, role, serial, version }
  const system = {
    address,
    clusterTimeDiff: '0',
    currentTime: stamp,
    id,
    lastRebootTime: stamp,
    name,
    oobMgmtAddr: `192.0.2.${index + 10}`,
    podId: '1',
    role,
    serial,
    state: 'in-service',
    version,
  }
  const made = [seedOf('fabricNode', dn, member, stamp), seedOf('topSystem', `${dn}/sys`, system, stamp)]
  if (role !== 'leaf') return made
  for (const port of ['eth1/1', 'eth1/7']) {
    const place = `${dn}/sys/phys-[${port}]`
    made.push(seedOf('l1PhysIf', place, { adminSt: 'up', descr: '', id: port }, stamp))
    made.push(seedOf('ethpmPhysIf', `${place}/phys`, { lastLinkStChg: stamp }, stamp))
  }
  return made
}

/** What a leaf with this id brings: itself, its system, two ports. Parents before children. */
export function leafObjects(id: string, name: string, stamp: string, version: string): Seed[] {
  return nodeObjects({ id, name, role: 'leaf', model: 'N9K-C93180YC-FX' }, Number(id) % 200, stamp, version)
}

/** Fills an empty tree. `stamp` is the fabric's time, `version` its release. */
export function seed(tree: Tree, stamp: string, version: string): void {
  const put = ({ className, dn, attributes }: Seed): void => void tree.add(className, dn, attributes)
  const add = (className: string, dn: string, attributes: Attributes): void =>
    put(seedOf(className, dn, attributes, stamp))
  add('polUni', 'uni', {})
  add('fabricTopology', 'topology', {})
  add('fabricPod', 'topology/pod-1', { id: '1' })
  add('topInfo', 'info', { currentTime: stamp, id: '1', role: 'controller', version, state: 'in-service' })
  for (const [index, node] of NODES.entries()) nodeObjects(node, index, stamp, version).forEach(put)
  add('eqptSensor', 'topology/pod-1/node-1/sys/ch/bslot/board/sensor-3', { id: '3', type: 'inlet', value: '24' })
  add('firmwareIfcFwStatusCont', 'ctrlrfwstatuscont', {})
  add('firmwareIfcRunning', 'ctrlrfwstatuscont/ifcrunning-1', { nodeId: '1', version })
  add('healthInst', 'topology/health', { cur: '98', prev: '98', updTs: stamp })
  for (const name of ['common', 'infra', 'mgmt']) {
    add('fvTenant', `uni/tn-${name}`, { name })
    add('healthInst', `uni/tn-${name}/health`, { updTs: stamp })
  }
  add('aaaUserEp', 'uni/userext', {})
  for (const name of ['all', 'common', 'infra', 'mgmt']) add('aaaDomain', `uni/userext/domain-${name}`, { name })
}
