/** The three simulated systems and the real daemon in a process of its own, which takes them from a config that a test can change. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { OpsEvent } from '../../src/event.ts'
import { eventSchema } from '../../src/event-schema.ts'
import type { StatusDocument } from '../../src/ops/status.ts'
import { systemClock } from '../../src/scheduler/clock.ts'
import { type ApicSimulator, startApicSimulator } from '../../src/simulators/apic/controller.ts'
import { type RaasSimulator, startRaasSimulator } from '../../src/simulators/raas/server.ts'
import { startVcdSimulator, type VcdSimulator } from '../../src/simulators/vcd/simulator.ts'
import { certificate } from './apic-source.ts'
import { untilAnswered } from './asked.ts'
import { Daemon } from './daemon.ts'

export interface Blocks {
  /** Everything but the sources. */
  top: string
  fabric: string
  salt: string
  cloud: string
}

export class ThreeSystems {
  readonly apic: ApicSimulator
  readonly raas: RaasSimulator
  readonly vcd: VcdSimulator
  readonly directory: string
  readonly configFile: string
  readonly daemon: Daemon
  /** As they stand in the file; a block that is empty is left out. */
  readonly blocks: Blocks
  url = ''

  private constructor(apic: ApicSimulator, raas: RaasSimulator, vcd: VcdSimulator, env: Record<string, string>) {
    this.apic = apic
    this.raas = raas
    this.vcd = vcd
    this.directory = mkdtempSync(join(tmpdir(), 'opswire-three-'))
    this.configFile = join(this.directory, 'opswire.yaml')
    this.daemon = new Daemon(this.configFile, env)
    const ca = this.file('ca.pem', certificate.cert)
    this.blocks = {
      top: `state_dir: ${this.directory}/state\nhttp: { listen: "127.0.0.1:0" }\n`,
      fabric: `
  - name: fabric-a
    kind: apic
    controllers: ["${apic.url}"]
    username: admin
    password_file: ${this.file('apic-password', 'ins3965!')}
    tls: { ca_file: ${ca} }
    health_scopes: []
    subscriptions: [{ class: faultInst }, { class: fvTenant }, { class: aaaModLR }]
`,
      salt: `
  - name: salt
    kind: raas
    url: ${raas.url}
    username: root
    password_file: ${this.file('raas-password', 'secret')}
    tls: { ca_file: ${ca} }
    poll_interval: 1s
`,
      cloud: `
  - name: cloud
    kind: vcd
    url: ${vcd.url}
    org: System
    api_token_file: ${this.file('vcd-token', 'secret-system')}
    tls: { ca_file: ${ca} }
    poll_interval: 1s
`,
    }
    this.write()
  }

  static async make(env: Record<string, string> = {}): Promise<ThreeSystems> {
    const time = systemClock
    const apic = await startApicSimulator({ time, certificate })
    const raas = await startRaasSimulator({ time, certificate, users: [{ username: 'root', password: 'secret' }] })
    const vcd = await startVcdSimulator({
      time,
      certificate,
      orgs: [{ name: 'System' }],
      users: [{ name: 'svc-opswire', password: 'unused', org: 'System' }],
      tokens: [{ secret: 'secret-system', id: OWN_TOKEN, user: 'svc-opswire', org: 'System', name: 'opswire' }],
    })
    return new ThreeSystems(apic, raas, vcd, env)
  }

  /** Writes a file beside the config and gives its path. */
  file(name: string, text: string): string {
    const path = join(this.directory, name)
    writeFileSync(path, text)
    return path
  }

  /** Writes the config as the blocks are now. */
  write(): void {
    const { top, fabric, salt, cloud } = this.blocks
    writeFileSync(this.configFile, `${top}sources:${fabric}${salt}${cloud}`)
  }

  /** Starts the daemon and waits until it is ready. */
  async start(): Promise<void> {
    this.url = await this.daemon.start()
    await this.untilReady()
  }

  async untilReady(): Promise<void> {
    await this.untilAnswer('/-/ready', answer => answer.status === 200, 'ready')
  }

  async get(path: string, init: RequestInit = {}): Promise<{ status: number; body: string }> {
    const answer = await fetch(`${this.url}${path}`, init)
    return { status: answer.status, body: await answer.text() }
  }

  /** Asks until the answer is as wanted, and gives its body. */
  async untilAnswer(
    path: string,
    probe: (answer: { status: number; body: string }) => boolean,
    what: string,
  ): Promise<string> {
    return (await untilAnswered(() => this.get(path), probe, what)).body
  }

  status(): Promise<StatusDocument> {
    return this.daemon.status(this.url)
  }

  /** `POST /-/reload`. */
  async reload(): Promise<{ status: number; changed: string[]; problems: string[] }> {
    const { status, body } = await this.get('/-/reload', { method: 'POST' })
    const { changed, problems } = JSON.parse(body) as { changed: string[]; problems: string[] }
    return { status, changed, problems }
  }

  /** The value of a series, written as on the page; undefined when there is none. */
  async metric(series: string): Promise<number | undefined> {
    const line = (await this.get('/metrics')).body.split('\n').find(one => one.startsWith(`${series} `))
    return line === undefined ? undefined : Number(line.slice(series.length))
  }

  /** What went to standard output so far, each checked against the schema. */
  events(): OpsEvent[] {
    return this.daemon.stdout.map(line => eventSchema.parse(JSON.parse(line)))
  }

  /** What the systems counted of our logging in. */
  logins(): { apic: number; raas: number; vcd: number } {
    return {
      apic: this.apic.record.logins.length,
      raas: this.raas.record.logins,
      vcd: this.vcd.record.logins.length,
    }
  }

  async close(): Promise<void> {
    await this.daemon.kill()
    await Promise.all([this.apic.close(), this.raas.close(), this.vcd.close()])
    rmSync(this.directory, { recursive: true, force: true })
  }
}

export const OWN_TOKEN = '6a0c0c52-0000-4000-8000-0000000000f0'
