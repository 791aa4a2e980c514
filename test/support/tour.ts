/** A walk through all that can happen: the demo's world and a real daemon into a real JetStream, until every type of event was told. */
import { writeFileSync } from 'node:fs'
import { type DemoWorld, makeWorld, PERSON } from '../../src/cli/demo-world.ts'
import { parseConfig } from '../../src/config/load.ts'
import type { NatsConfig } from '../../src/config/schema.ts'
import type { OpsEvent } from '../../src/event.ts'
import { systemClock } from '../../src/scheduler/clock.ts'
import { RaasApi } from '../../src/simulators/raas/api.ts'
import { type Tapped, tap } from '../../src/sinks/nats-tap.ts'
import { type RunningNats, startNatsServer } from '../../src/tools/nats-server.ts'
import { untilAnswered } from './asked.ts'
import { Daemon } from './daemon.ts'
import { until } from './manual-clock.ts'

const NODE = 'topology/pod-1/node-102'
const PORT = `${NODE}/sys/phys-[eth1/1]/phys`
const MORE = `      - { class: fabricNode }
      - { class: aaaSessionLR }
      - { class: faultRecord }
      - { class: healthInst }
      - { class: ethpmPhysIf }
`

/** Subjects on which something was told by the end of a walk. */
const SUBJECTS = [/\.fault\.critical$/, /\.return\.minor$/, /^opswire\.vcd\..*\.session\.warning$/]

/** What a walk does not end without: the types that opswire itself gives, and some of those that the systems name. */
export const TYPES = [
  ...['raised', 'changed', 'clearing', 'cleared'].map(verb => `apic.fault.${verb}`),
  'apic.event.recorded',
  'apic.faultrecord.recorded',
  'apic.audit.recorded',
  'apic.session.recorded',
  'apic.health.changed',
  'apic.fvTenant.created',
  'apic.fvTenant.modified',
  'apic.fvTenant.deleted',
  'apic.fabricNode.modified',
  'apic.ethpmPhysIf.modified',
  ...['defined', 'redefined', 'removed'].map(verb => `raas.job.${verb}`),
  ...['started', 'updated', 'completed', 'missing'].map(verb => `raas.run.${verb}`),
  'raas.return',
  'raas.audit',
  'vcd.vm.change_state',
  'vcd.user.create',
  'vcd.session.login',
  'vcd.session.authorize',
  'vcd.external.com.acme.backup.done',
  'opswire.gap',
  ...['up', 'degraded', 'down'].map(verb => `opswire.source.${verb}`),
  'opswire.dead_letter',
] as const

export class Tour {
  readonly nats: RunningNats
  readonly world: DemoWorld
  readonly daemon: Daemon
  readonly config: NatsConfig
  /** All that the stream holds, in its order. */
  readonly told: Tapped[] = []
  url = ''
  readonly #stop = new AbortController()
  readonly #watching = new AbortController()
  #life: Promise<void> = Promise.resolve()
  #followed: Promise<void> = Promise.resolve()

  private constructor(nats: RunningNats, world: DemoWorld, config: NatsConfig) {
    this.nats = nats
    this.world = world
    this.config = config
    this.daemon = new Daemon(world.configFile)
  }

  /** Everything runs, and the systems live. */
  static async start(natsBinary: string): Promise<Tour> {
    const nats = await startNatsServer({ binary: natsBinary })
    const world = await makeWorld(systemClock, nats.url)
    const text = world.configText
      .replace('      - { class: fabricNode }\n', MORE)
      .replace('    backfill: 1h\n', '    backfill: 1h\n    audit: true\n')
    writeFileSync(world.configFile, text)
    const { config } = await parseConfig(text, world.configFile)
    if (config.nats === undefined) throw new Error('the world has no nats block')
    const tour = new Tour(nats, world, config.nats)
    try {
      tour.url = await tour.daemon.start()
      await until(() => tour.daemon.log.some(line => line.includes('sink nats is up')), 'the stream')
    } catch (error) {
      await tour.close()
      throw error
    }
    tour.#followed = tour.#follow()
    tour.#life = world.live(tour.#stop.signal)
    return tour
  }

  /** What the lives of the systems leave out; then a controller that goes and comes back. Resolves when every type was told. */
  async walk(): Promise<void> {
    const { apic, vcd } = this.world
    // What changes before its first snapshot is no news.
    await this.live()
    await this.#defineAndRemove()
    vcd.write({ type: 'com/acme/backup/done', user: PERSON.user, org: 'acme', external: true })
    apic.inject('<html>a page of a proxy</html>')
    const tenant = { fvTenant: { attributes: { name: 'tour', descr: 'made for a walk' } } }
    apic.post('uni', tenant)
    await until(() => this.types().has('apic.fvTenant.created'), 'a tenant')
    apic.post('uni/tn-tour', { fvTenant: { attributes: { descr: 'about to go' } } })
    const critical = { code: 'F0467', cause: 'port-failed', severity: 'critical', lc: 'raised', descr: 'Port failed' }
    apic.post(`${PORT}/fault-F0467`, { faultInst: { attributes: critical } })
    apic.post('topology/health', { healthInst: { attributes: { cur: '79', twScore: '79', chng: '-1' } } })
    apic.post(NODE, { fabricNode: { attributes: { fabricSt: 'inactive' } } })
    apic.post(PORT, { ethpmPhysIf: { attributes: { operSt: 'down', operStQual: 'link-failure' } } })
    for (const type of ['apic.ethpmPhysIf.modified', 'apic.fabricNode.modified']) {
      await until(() => this.facts(type).length > 0, type)
    }
    apic.remove('uni/tn-tour')
    apic.post(NODE, { fabricNode: { attributes: { fabricSt: 'active' } } })
    apic.post(PORT, { ethpmPhysIf: { attributes: { operSt: 'up', operStQual: 'none' } } })
    await until(() => this.types().has('apic.fault.cleared'), 'the end of a fault')
    await apic.goDown()
    await until(() => this.types().has('opswire.source.down'), 'the fabric down')
    await apic.comeUp()
    try {
      await until(() => this.missing().length === 0, 'every type', 40_000)
    } catch (error) {
      throw new Error(`not told: ${this.missing().join(', ')}`, { cause: error })
    }
  }

  /** Every feed is heard. */
  async live(): Promise<void> {
    await untilAnswered(
      () => this.daemon.status(this.url),
      ({ sources }) => sources.length > 0 && sources.every(({ feeds }) => feeds.every(({ state }) => state === 'live')),
      'every feed live',
    )
  }

  /** What nobody told yet. */
  missing(): string[] {
    const subjects = SUBJECTS.filter(wanted => !this.told.some(({ subject }) => wanted.test(subject)))
    // A login that is not remarkable, as the example in docs/EVENTS.md: the first of all may be a token's, with flags.
    const isPlain = this.facts('vcd.session.authorize').some(({ data }) => data.flags === undefined)
    const plain = isPlain ? [] : ['a plain login']
    return [...TYPES.filter(type => !this.types().has(type)), ...subjects.map(String), ...plain]
  }

  types(): Set<string> {
    return new Set(this.told.map(({ event }) => (event as OpsEvent).type))
  }

  facts(type: string): OpsEvent[] {
    return this.told.map(({ event }) => event as OpsEvent).filter(event => event.type === type)
  }

  /** The systems fall silent: what they told by then is delivered, and nothing more comes. */
  async quiet(): Promise<void> {
    this.#stop.abort()
    await this.#life
  }

  async close(): Promise<void> {
    await this.quiet()
    this.#watching.abort()
    await this.#followed
    await this.daemon.kill()
    await this.world.close()
    await this.nats.remove()
  }

  async #follow(): Promise<void> {
    for await (const one of tap(this.config, { signal: this.#watching.signal, from: 'start' })) this.told.push(one)
  }

  /** A person defines a job, defines it anew and takes it away. */
  async #defineAndRemove(): Promise<void> {
    const { raas, certificate } = this.world
    const { user: username, password } = PERSON
    const api = new RaasApi(raas.url, certificate.cert, { username, password }, this.#stop.signal)
    await api.login()
    const job = { name: 'Rotate logs', cmd: 'local', fun: 'cmd.run', arg: { arg: ['logrotate'], kwarg: {} } }
    const job_uuid = await api.call('job', 'save_job', { ...job, desc: 'Rotates logs' })
    await until(() => this.types().has('raas.job.defined'), 'the job')
    await api.call('job', 'save_job', { ...job, job_uuid, desc: 'Rotates logs, hourly' })
    await until(() => this.types().has('raas.job.redefined'), 'the job anew')
    await api.call('job', 'delete_job', { job_uuid })
  }
}
