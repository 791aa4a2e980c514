/** Start-up: from spawn to "ready", to the first subscription live, and to a source of each kind proved alive. */
import { writeFileSync } from 'node:fs'
import { systemClock } from '../src/scheduler/clock.ts'
import { startRaasSimulator } from '../src/simulators/raas/server.ts'
import { makeCertificate } from '../src/simulators/server.ts'
import { startVcdSimulator } from '../src/simulators/vcd/simulator.ts'
import { Daemon } from './daemon.ts'
import { type Spread, spread } from './figures.ts'
import type { Rig } from './rig.ts'
import type { Scratch } from './scratch.ts'

export interface StartUp {
  readonly from: string
  readonly times: number
  /** HTTP and store stand: `READY=1`. */
  readonly readyMs: Spread
  readonly liveMs: Spread
  /** `/-/ready` says yes: a log class of an APIC, a RaaS and a VCD have each proved themselves alive, and the sink is up. */
  readonly threeMs: Spread
}

const SERVICE = 'svc-opswire'

/** Over `times` starts with an empty state_dir each; the streams of the first of them are there already. */
export async function startUp(rig: Rig, from: string, entry: string, times: number): Promise<StartUp> {
  const ready: number[] = []
  const live: number[] = []
  const three: number[] = []
  const others = await startOthers(rig.scratch)
  try {
    for (let turn = 0; turn < times; turn++) {
      const stream = rig.stream('START')
      // At debug the log tells of each feed that goes live.
      const daemon = await rig.daemon(stream, ['eventRecord'], { entry, logLevel: 'debug' })
      ready.push(daemon.readyMs)
      live.push(daemon.liveMs)
      await daemon.stop()
      three.push(await untilReady(rig, stream, entry, others.blocks))
      await rig.broker.remove(stream)
    }
  } finally {
    await others.close()
  }
  return { from, times, readyMs: spread(ready), liveMs: spread(live), threeMs: spread(three) }
}

async function untilReady(rig: Rig, stream: string, entry: string, sources: string): Promise<number> {
  const started = systemClock.now()
  const { scratch, fabric, certificateFile, broker } = rig
  const options = { scratch, fabric, certificateFile, nats: broker.url, stream, classes: ['eventRecord'] }
  const daemon = Daemon.spawn({ ...options, entry, sources })
  await daemon.untilReady()
  const ms = systemClock.now() - started
  await daemon.stop()
  return ms
}

/** A quiet RaaS and a quiet VCD, with what the daemon needs to ask them. */
async function startOthers(scratch: Scratch): Promise<{ blocks: string; close: () => Promise<void> }> {
  const certificate = await makeCertificate()
  const [caFile, passwordFile, tokenFile] = [scratch.path('ca'), scratch.path('password'), scratch.path('token')]
  writeFileSync(caFile, certificate.cert)
  writeFileSync(passwordFile, 'bench', { mode: 0o600 })
  writeFileSync(tokenFile, 'bench-token', { mode: 0o600 })
  const time = systemClock
  const raas = await startRaasSimulator({ time, certificate, users: [{ username: SERVICE, password: 'bench' }] })
  const vcd = await startVcdSimulator({
    time,
    certificate,
    orgs: [{ name: 'System' }],
    users: [{ name: SERVICE, password: 'bench', org: 'System' }],
    tokens: [
      {
        secret: 'bench-token',
        id: '6a0c0c52-0000-4000-8000-0000000000f0',
        user: SERVICE,
        org: 'System',
        name: 'opswire',
      },
    ],
  })
  const blocks = `  - name: salt
    kind: raas
    url: ${raas.url}
    username: ${SERVICE}
    password_file: ${passwordFile}
    tls: { ca_file: ${caFile} }
  - name: cloud
    kind: vcd
    url: ${vcd.url}
    org: System
    api_token_file: ${tokenFile}
    tls: { ca_file: ${caFile} }
`
  return {
    blocks,
    close: async () => {
      await Promise.all([raas.close(), vcd.close()])
    },
  }
}
