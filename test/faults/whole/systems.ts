/** The three simulated systems with accounts in them, each behind a wire of its own. */
import { systemClock } from '../../../src/scheduler/clock.ts'
import { type ApicSimulator, startApicSimulator } from '../../../src/simulators/apic/controller.ts'
import { Fabric } from '../../../src/simulators/apic/fabric.ts'
import { type RaasSimulator, startRaasSimulator } from '../../../src/simulators/raas/server.ts'
import { type Certificate, makeCertificate } from '../../../src/simulators/server.ts'
import { startVcdSimulator, type VcdSimulator } from '../../../src/simulators/vcd/simulator.ts'
import { Wire } from '../../support/wire.ts'
import type { Setting } from './setting.ts'

export const APIC_PASSWORD = 'ins3965!'
export const RAAS_PASSWORD = 'pa55-word'
export const VCD_TOKEN = 'secret-system'
export const OWN_TOKEN = '6a0c0c52-0000-4000-8000-0000000000f0'

/** What the systems take for right now: whoever changes it has rotated it. */
export interface Keys {
  /** Of the fabric, from its next start on. */
  certificate: Certificate
  apic: string
  raas: string
}

export interface Systems {
  readonly keys: Keys
  readonly fabric: Fabric
  /** What this controller says of its cluster, of which the config may name fewer. */
  seenBy(nodeId: number, available: readonly number[]): void
  /** In the order of the config. */
  readonly controllers: readonly ApicSimulator[]
  readonly raas: RaasSimulator
  readonly vcd: VcdSimulator
  readonly wires: { readonly apic: readonly Wire[]; readonly raas: Wire; readonly vcd: Wire }
  close(): Promise<void>
}

export async function startSystems(setting: Setting): Promise<Systems> {
  const time = systemClock
  const certificate = await makeCertificate()
  const keys: Keys = { certificate, apic: APIC_PASSWORD, raas: RAAS_PASSWORD }
  const fabric = new Fabric({ time })
  Object.assign(fabric.knobs, {
    auditCopies: setting.auditCopies,
    recordsVisibleAfterMs: setting.recordsLateMs,
    recordsPushedAfterMs: setting.recordsLateMs,
  })
  const { refreshTimeoutSeconds, maximumLifetimeSeconds, subscriptionsOutliveSocket, socketAtSessionEnd } = setting
  const controllers: ApicSimulator[] = []
  for (let nodeId = 1; nodeId <= setting.controllers; nodeId++) {
    controllers.push(
      await startApicSimulator({
        ...{ time, fabric, nodeId, refreshTimeoutSeconds, maximumLifetimeSeconds },
        get certificate() {
          return keys.certificate
        },
        users: [account('admin', () => keys.apic)],
        loginsPerSecond: Number.POSITIVE_INFINITY,
        knobs: { subscriptionsOutliveSocket, socketAtSessionEnd },
      }),
    )
  }
  const seenBy = (nodeId: number, available: readonly number[]): void => {
    for (const id of [1, 2, 3]) {
      const attributes = { id: String(id), operSt: available.includes(id) ? 'available' : 'unavailable' }
      controllers[0]?.post(`topology/pod-1/node-${nodeId}/av/node-${id}`, { infraWiNode: { attributes } })
    }
  }
  for (const id of [1, 2, 3]) seenBy(id, [1, 2, 3])
  const { jwtLifetimeMs, xsrfRotateEvery, expired } = setting
  const raas = await startRaasSimulator({
    ...{ time, certificate, jwtLifetimeMs, xsrfRotateEvery, expired },
    users: [
      {
        username: 'svc-opswire',
        get password() {
          return keys.raas
        },
      },
    ],
    retrieveAfterMs: 500,
    missingAfterMs: 3_600_000,
  })
  const vcd = await startVcdSimulator({
    ...{ time, certificate, seed: setting.seed, idleTimeoutMs: setting.vcdIdleMs },
    orgs: [{ name: 'System' }, { name: 'acme' }],
    users: [
      { name: 'svc-opswire', password: 'unused', org: 'System' },
      { name: 'ci-bot', password: 'unused', org: 'acme' },
      { name: 'alice', password: 'unused', org: 'acme' },
    ],
    tokens: [
      {
        ...{ secret: VCD_TOKEN, id: OWN_TOKEN, user: 'svc-opswire', org: 'System', name: 'opswire' },
        rotation: setting.vcdRotation,
      },
    ],
  })
  const wires = {
    apic: await Promise.all(controllers.map(one => Wire.to(one.port))),
    raas: await Wire.to(raas.port),
    vcd: await Wire.to(vcd.port),
  }
  return {
    ...{ keys, fabric, seenBy, controllers, raas, vcd, wires },
    close: async () => {
      await Promise.all([...wires.apic, wires.raas, wires.vcd].map(wire => wire.close()))
      await Promise.all([...controllers, raas, vcd].map(one => one.close()))
      fabric.close()
    },
  }
}

function account(name: string, password: () => string) {
  return {
    name,
    get password() {
      return password()
    },
  }
}
