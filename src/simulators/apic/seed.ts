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

/** Fills an empty tree. `stamp` is the fabric's time, `version` its release. */
export function seed(tree: Tree, stamp: string, version: string): void {
  const add = (className: string, dn: string, attributes: Attributes): void => {
    const { config, oper } = CLASSES[className] ?? {}
    const policy: Attributes =
      config === undefined ? {} : { annotation: '', descr: '', lcOwn: 'local', monPolDn: '', uid: '0' }
    const whole = { childAction: '', ...policy, ...config, ...oper, ...attributes, dn, modTs: stamp, status: '' }
    tree.add(className, dn, whole)
  }
  add('polUni', 'uni', {})
  add('fabricTopology', 'topology', {})
  add('fabricPod', 'topology/pod-1', { id: '1' })
  add('topInfo', 'info', { currentTime: stamp, id: '1', role: 'controller', version, state: 'in-service' })
  for (const [index, { id, name, role, model }] of NODES.entries()) {
    const dn = `topology/pod-1/node-${id}`
    const address = `10.0.${role === 'controller' ? 0 : 64}.${index + 1}`
    const serial = `FDO2126${String(index).padStart(3, '0')}A`
    // A controller is not a member that the fabric discovers: its fabricSt stays unknown.
    const fabricSt = role === 'controller' ? 'unknown' : 'active'
    add('fabricNode', dn, { address, fabricSt, id, lastStateModTs: stamp, model, name, role, serial, version })
    add('topSystem', `${dn}/sys`, {
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
    })
    if (role !== 'leaf') continue
    for (const port of ['eth1/1', 'eth1/7']) {
      add('l1PhysIf', `${dn}/sys/phys-[${port}]`, { adminSt: 'up', descr: '', id: port })
      add('ethpmPhysIf', `${dn}/sys/phys-[${port}]/phys`, { lastLinkStChg: stamp })
    }
  }
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
