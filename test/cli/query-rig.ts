/** The three simulated systems over TLS, a config file for them, and `opswire query` as it is typed. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CliIo } from '../../src/cli/io.ts'
import { main } from '../../src/main.ts'
import { type Clock, systemClock } from '../../src/scheduler/clock.ts'
import {
  type ApicSimulator,
  type ApicSimulatorOptions,
  startApicSimulator,
} from '../../src/simulators/apic/controller.ts'
import type { Operation } from '../../src/simulators/apic/record.ts'
import { type RaasSimulator, type RaasSimulatorOptions, startRaasSimulator } from '../../src/simulators/raas/server.ts'
import { makeCertificate } from '../../src/simulators/server.ts'
import { startVcdSimulator, type VcdOptions, type VcdSimulator } from '../../src/simulators/vcd/simulator.ts'
import { captured } from './captured-io.ts'

const certificate = await makeCertificate()

/** Nothing that is printed may hold one of these. */
export const SECRETS = {
  apic: 'marker-apic-password',
  raas: 'marker-raas-password',
  vcd: 'marker-vcd-api-token',
  person: 'marker-person-password',
}

export interface Answer {
  readonly code: number
  readonly out: string
  readonly err: string
}

export interface QueryRigOptions {
  readonly apic?: Partial<ApicSimulatorOptions>
  readonly raas?: Partial<RaasSimulatorOptions>
  readonly vcd?: Partial<VcdOptions>
  readonly clock?: Clock
}

/** `apic`, `raas`, `vcd`: further lines of that block; the others take the place of what is usual. */
interface ConfigParts {
  readonly apic?: string
  readonly raas?: string
  readonly vcd?: string
  /** The login of the RaaS source. */
  readonly login?: string
  readonly tls?: string
  readonly controllers?: string
}

export class QueryRig {
  readonly directory = mkdtempSync(join(tmpdir(), 'opswire-query-'))
  readonly configFile = join(this.directory, 'opswire.yaml')
  readonly stateDir = join(this.directory, 'state')
  #apic: ApicSimulator | undefined
  #raas: RaasSimulator | undefined
  #vcd: VcdSimulator | undefined
  readonly #clock: Clock

  private constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Starts those that are named. */
  static async make(options: QueryRigOptions): Promise<QueryRig> {
    const time = options.clock ?? systemClock
    const rig = new QueryRig(time)
    rig.file('ca.pem', certificate.cert)
    if (options.apic !== undefined) {
      rig.#apic = await startApicSimulator({
        time,
        certificate,
        loginsPerSecond: Number.POSITIVE_INFINITY,
        users: [{ name: 'svc-opswire', password: SECRETS.apic, firstName: 'Ops', lastName: 'Wire' }],
        ...options.apic,
      })
    }
    if (options.raas !== undefined) {
      const users = [{ username: 'svc-opswire', password: SECRETS.raas }]
      rig.#raas = await startRaasSimulator({ time, certificate, users, ...options.raas })
    }
    if (options.vcd !== undefined) {
      rig.#vcd = await startVcdSimulator({ time, certificate, ...CLOUD, ...options.vcd })
    }
    rig.configure()
    return rig
  }

  get apic(): ApicSimulator {
    return started(this.#apic)
  }

  get raas(): RaasSimulator {
    return started(this.#raas)
  }

  get vcd(): VcdSimulator {
    return started(this.#vcd)
  }

  /** Writes the config anew, and the secrets. Lines are indented by four. */
  configure(more: ConfigParts = {}): void {
    const ca = `tls: ${more.tls ?? `{ ca_file: ${join(this.directory, 'ca.pem')} }`}`
    const nowhere = 'https://127.0.0.1:1'
    const login = more.login ?? `username: svc-opswire\n    password_file: ${this.file('raas', SECRETS.raas)}`
    const apic = `  - name: fabric-a
    kind: apic
    controllers: [${more.controllers ?? `"${this.#apic?.url ?? nowhere}"`}]
    username: svc-opswire
    password_file: ${this.file('apic', SECRETS.apic)}
    ${ca}
    subscriptions: [{ class: faultInst }]
${more.apic ?? ''}`
    const raas = `  - name: salt
    kind: raas
    url: ${this.#raas?.url ?? nowhere}
    ${login}
    ${ca}
${more.raas ?? ''}`
    const vcd = `  - name: cloud
    kind: vcd
    url: ${this.#vcd?.url ?? nowhere}
    org: System
    api_token_file: ${this.file('vcd', SECRETS.vcd)}
    ${ca}
${more.vcd ?? ''}`
    const text = `state_dir: ${this.stateDir}\nsources:\n${apic}${raas}${vcd}`
    this.file('opswire.yaml', text)
  }

  forget(name: string): void {
    rmSync(join(this.directory, name))
  }

  file(name: string, text: string): string {
    const path = join(this.directory, name)
    writeFileSync(path, text)
    return path
  }

  /** One command line, in a process of its own kind: nothing of it may hold a secret. */
  async ask(...argv: string[]): Promise<Answer> {
    return this.askWith({}, ...argv)
  }

  async askWith(io: Partial<CliIo>, ...argv: string[]): Promise<Answer> {
    const { io: whole, out, err } = captured({ clock: this.#clock, signal: new AbortController().signal, ...io })
    const code = await main(['query', '-c', this.configFile, ...argv], whole)
    const answer = { code, out: out(), err: err() }
    for (const secret of Object.values(SECRETS)) {
      if (`${answer.out}${answer.err}`.includes(secret)) throw new Error(`a secret was printed: ${secret}`)
    }
    return answer
  }

  /** The objects of `--json`, one a line. */
  async json(...argv: string[]): Promise<unknown[]> {
    const { code, out, err } = await this.ask(...argv, '--json')
    if (code !== 0) throw new Error(`exit ${code}: ${err}`)
    return out.split('\n').flatMap(line => (line === '' ? [] : [JSON.parse(line) as unknown]))
  }

  /** Tenants `t0`, `t1`, … on the APIC. */
  tenants(count: number, from = 0): void {
    for (let n = from; n < from + count; n++) this.apic.post('uni', { fvTenant: { attributes: { name: `t${n}` } } })
  }

  /** Paths of what the APIC was asked, in order. */
  requests(...operations: Operation[]): string[] {
    return this.apic.record.requests.filter(({ operation }) => operations.includes(operation)).map(({ path }) => path)
  }

  async close(): Promise<void> {
    await Promise.all([this.#apic?.close(), this.#raas?.close(), this.#vcd?.close()])
    rmSync(this.directory, { recursive: true, force: true })
  }
}

export const BOT_TOKEN = '6a0c0c52-0000-4000-8000-0000000000f1'
export const OWN_TOKEN = '6a0c0c52-0000-4000-8000-0000000000f3'

export const CLOUD = {
  orgs: [{ name: 'System' }, { name: 'acme' }],
  users: [
    { name: 'root', org: 'System', password: SECRETS.person },
    { name: 'ci-bot', org: 'acme', password: SECRETS.person },
  ],
  tokens: [
    {
      secret: SECRETS.vcd,
      id: OWN_TOKEN,
      name: 'opswire',
      user: 'root',
      org: 'System',
    },
    { secret: 'secret-bot', id: BOT_TOKEN, name: 'ci', user: 'ci-bot', org: 'acme' },
  ],
}

export const NAMES = ['--columns', 'name']

export const linesOf = (text: string): string[] => text.split('\n').filter(line => line !== '')

/** The dn of each object of `--json`. */
export const dnsOf = (objects: unknown[]): string[] =>
  objects.map(object => (Object.values(object as object)[0] as { attributes: { dn: string } }).attributes.dn)

function started<T>(simulator: T | undefined): T {
  if (simulator === undefined) throw new Error('not started')
  return simulator
}
