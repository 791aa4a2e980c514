/** The whole of it: three systems, a nats-server, a disk, and the real daemon in a process of its own that knows them only by its config. */
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Certificate } from '../../../src/simulators/server.ts'
import { untilAnswered } from '../../support/asked.ts'
import type { Launch } from '../../support/daemon.ts'
import { CLOUD, FABRIC, SALT } from './books.ts'
import { Broker, NATS_PASSWORD, NATS_USER, STREAM } from './broker.ts'
import { Disk } from './disk.ts'
import { type Setting, settingOf } from './setting.ts'
import { APIC_PASSWORD, RAAS_PASSWORD, type Systems, startSystems, VCD_TOKEN } from './systems.ts'
import { Unit } from './unit.ts'

/** `nobody`: the daemon runs as that user where it could be root. */
const UNPRIVILEGED = 65_534
const READY_MS = 60_000

export interface WorldOptions {
  readonly seed: number
  readonly say?: (text: string) => void
  /** Keys of the `nats` and `store` blocks that differ, as flow YAML. */
  readonly top?: string
  readonly nats?: string
  readonly setting?: Partial<Setting>
  /** More lines of the nats-server's config. */
  readonly server?: string
  /** With it nats-server speaks TLS. */
  readonly natsCertificate?: Certificate
  /** What its config says of the account of all its users. */
  readonly natsAccount?: string
  /** The environment that the daemon gets, besides that of the tests. */
  readonly env?: (world: World) => Readonly<Record<string, string>>
}

export class World {
  readonly setting: Setting
  readonly systems: Systems
  readonly broker: Broker
  readonly unit: Unit
  readonly directory: string
  /** Undefined where nothing can be mounted. */
  readonly disk: Disk | undefined
  readonly #options: WorldOptions
  readonly #configFile: string
  readonly #isRoot = process.getuid?.() === 0
  /** Which of the configs that a reload takes up is in the file. */
  #variant = 0

  private constructor(options: WorldOptions, setting: Setting, systems: Systems, broker: Broker) {
    const { say = () => undefined } = options
    this.#options = options
    this.setting = setting
    this.systems = systems
    this.broker = broker
    this.directory = mkdtempSync(join(tmpdir(), 'opswire-whole-'))
    chmodSync(this.directory, 0o755)
    this.disk = this.#isRoot ? Disk.mount(this.stateDir, UNPRIVILEGED, say) : undefined
    if (!this.#isRoot) say('NOT RUN: a full disk, an unprivileged daemon: only root can make them')
    mkdirSync(this.stateDir, { recursive: true })
    if (this.#isRoot) chownSync(this.stateDir, UNPRIVILEGED, UNPRIVILEGED)
    for (const name of ['apic', 'raas', 'vcd']) this.file(`ca-${name}.pem`, systems.keys.certificate.cert)
    if (options.natsCertificate !== undefined) this.file('ca-nats.pem', options.natsCertificate.cert)
    this.file('apic-password', APIC_PASSWORD)
    this.file('raas-password', RAAS_PASSWORD)
    this.file('vcd-token', VCD_TOKEN)
    this.file('nats-password', NATS_PASSWORD)
    this.#configFile = this.file('opswire.yaml', this.#config())
    const asWeAre: Launch = ([command = '', ...args]) => ({ command, args })
    this.unit = new Unit(this.#configFile, this.#isRoot ? unprivileged : asWeAre, options.env?.(this))
  }

  /** Resolves when the daemon is up and every source has proved itself alive. */
  static async start(options: WorldOptions): Promise<World> {
    const setting = { ...settingOf(options.seed), ...options.setting }
    const { server: more, natsCertificate: certificate, natsAccount: account } = options
    const broker = await Broker.start(setting.nats, { more, certificate, account })
    const world = new World(options, setting, await startSystems(setting), broker)
    try {
      await world.unit.up()
      await world.ready()
      return world
    } catch (error) {
      await world.close()
      throw error
    }
  }

  get stateDir(): string {
    return join(this.directory, 'state')
  }

  /** Writes a file that the daemon may read, and gives its path. */
  file(name: string, text: string): string {
    const path = join(this.directory, name)
    writeFileSync(path, text)
    return path
  }

  /** Resolves when `/-/ready` says yes. Throws with its last words when it does not for so long. */
  async ready(withinMs = READY_MS): Promise<void> {
    let last = 'no answer'
    const isReady = ({ status, body }: { status: number; body: string }): boolean => {
      last = body
      return status === 200
    }
    try {
      await untilAnswered(() => this.unit.get('/-/ready'), isReady, 'ready', withinMs)
    } catch {
      throw new Error(`not ready: ${last}`)
    }
  }

  /** Writes the next of the configs and has the daemon take it up. */
  reload(): void {
    this.#variant++
    this.file('opswire.yaml', this.#config())
    this.unit.reload()
  }

  async close(): Promise<void> {
    await this.unit.remove()
    await this.systems.close()
    await this.broker.remove()
    this.disk?.unmount()
    rmSync(this.directory, { recursive: true, force: true })
  }

  #config(): string {
    const { setting, systems, broker, directory } = this
    const { wires } = systems
    const { top = '', nats = '', natsCertificate } = this.#options
    const tls = natsCertificate === undefined ? '' : `\n  tls: { ca_file: ${directory}/ca-nats.pem }`
    const url = (port: number): string => `https://127.0.0.1:${port}`
    const odd = this.#variant % 2 === 1
    const source = (ca: string): string => `
    tls: { ca_file: ${directory}/${ca}.pem }
    request_timeout: ${odd ? 4 : 3}s`
    return `
state_dir: ${this.stateDir}
http: { listen: "127.0.0.1:0" }
${top}
nats:
  servers: ["${natsCertificate === undefined ? 'nats' : 'tls'}://127.0.0.1:${broker.wire.port}"]
  user: ${NATS_USER}
  password_file: ${directory}/nats-password
  stream: { name: ${STREAM}, max_bytes: 64MiB, duplicate_window: ${setting.duplicateWindow} }${tls}
${nats}
sources:
  - name: ${FABRIC}
    kind: apic
    controllers: [${wires.apic.map(wire => `"${url(wire.port)}"`).join(', ')}]
    username: admin
    password_file: ${directory}/apic-password
    format: ${setting.format}
    health_scopes: []
    canary_interval: 2s
    reconcile_interval: ${odd ? 4 : 5}s${source('ca-apic')}
    subscriptions: [${['eventRecord', 'aaaModLR', 'faultInst', 'fvTenant', ...(odd ? ['fvCtx'] : [])].map(cls => `{ class: ${cls} }`).join(', ')}]
  - name: ${SALT}
    kind: raas
    url: ${url(wires.raas.port)}
    username: svc-opswire
    password_file: ${directory}/raas-password
    poll_interval: ${odd ? 2 : 1}s
    sweep_interval: 3s${source('ca-raas')}
  - name: ${CLOUD}
    kind: vcd
    url: ${url(wires.vcd.port)}
    org: System
    api_token_file: ${directory}/vcd-token
    poll_interval: ${odd ? 2 : 1}s
    sweep_interval: 3s${source('ca-vcd')}
`
  }
}

const unprivileged: Launch = words => {
  const id = String(UNPRIVILEGED)
  const user = ['--reuid', id, '--regid', id, '--clear-groups', '--inh-caps=-all']
  return { command: 'setpriv', args: [...user, ...words] }
}
