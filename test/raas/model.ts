/**
 * The model run: the real subscriber, runner and store against the stand-in over HTTPS, on a clock turned by hand, with
 * everything that goes wrong at once. Counted at the end against what the stand-in's own record says that it showed.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RaasConfig, raasSchema } from '../../src/config/sources.ts'
import type { OpsEvent } from '../../src/event.ts'
import type { Happening } from '../../src/report.ts'
import { type RaasSimulator, startRaasSimulator } from '../../src/simulators/raas/server.ts'
import { makeCertificate } from '../../src/simulators/server.ts'
import { openStore } from '../../src/store/open.ts'
import type { SqliteStore } from '../../src/store/store.ts'
import { raasSubscriber } from '../../src/subscribers/raas/subscriber.ts'
import { type Runner, startRunner } from '../../src/subscribers/runner.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { ROOT } from './bus.ts'
import { generator } from './generator.ts'
import { World, type WorldOptions } from './model-world.ts'

export interface ModelOptions {
  readonly seed: number
  /** So many returns are pushed at least. */
  readonly returns: number
  /** With the job loop, or the tail alone. */
  readonly jobs: boolean
  readonly world?: Partial<WorldOptions>
  /** Nothing fails and nothing ends before its time. */
  readonly calm?: boolean
  /** Keys of the source's config that differ. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Called before each poll, with what stands beside the source. */
  readonly before?: (model: Model, step: number) => Promise<void>
  readonly say?: (text: string) => void
}

export interface ModelReport {
  readonly seed: number
  readonly jobs: boolean
  readonly hours: number
  readonly returns: number
  /** Returns with different contents, each of which is owed once. */
  readonly owed: number
  readonly delivered: number
  readonly lost: number
  readonly twice: number
  readonly runs: number
  readonly runsLost: number
  readonly runsTwice: number
  readonly recovered: number
  readonly gaps: number
  readonly dead: number
  readonly did: World['did']
  readonly deaths: number
  readonly sessions: number
  readonly logins: number
  readonly expired: number
  readonly xsrfRefusals: number
  readonly failures: number
  readonly requests: number
}

const POLL_MS = 15_000
/** Chance of a call to be the one at which token and XSRF token end. */
const EXPIRY = 0.02
const FAILURE = 0.01
const DEATH_EVERY = 97

export class Model {
  readonly clock: ManualClock
  readonly sim: RaasSimulator
  readonly world: World
  readonly store: SqliteStore
  readonly happenings: Happening[] = []
  readonly directory: string
  readonly config: RaasConfig
  #runner: Runner
  #seen = 0
  failures = 0
  deaths = 0

  private constructor(
    clock: ManualClock,
    sim: RaasSimulator,
    store: SqliteStore,
    directory: string,
    { seed, jobs, world, config, calm = false }: ModelOptions,
  ) {
    this.clock = clock
    this.sim = sim
    this.store = store
    this.directory = directory
    this.world = new World(sim, { ...world, seed })
    this.config = raasSchema.parse({
      ...{ name: 'salt', kind: 'raas', url: sim.url, jobs },
      ...{ username: ROOT.username, password: ROOT.password, tls: { ca_file: join(directory, 'ca.pem') } },
      ...config,
    })
    if (!calm) this.#disturb(seed)
    this.#runner = this.#start()
  }

  /** By chances of its own: how many requests there are depends on the machine, what goes on in the world must not. */
  #disturb(seed: number): void {
    const { sim } = this
    const chance = generator(seed + 1_000_000)
    sim.knobs.fault = () => {
      if (chance() >= FAILURE) return undefined
      this.failures++
      return chance() < 0.5 ? { kind: 'status', status: 503, html: true } : { kind: 'reset' }
    }
    // In the middle of whatever is being read.
    sim.knobs.between = () => {
      if (chance() < EXPIRY) sim.revokeTokens()
      if (chance() < EXPIRY) sim.forgetXsrf()
    }
  }

  static async start(options: ModelOptions): Promise<Model> {
    const clock = new ManualClock()
    const directory = mkdtempSync(join(tmpdir(), 'opswire-model-'))
    const certificate = await makeCertificate()
    writeFileSync(join(directory, 'ca.pem'), certificate.cert)
    const sim = await startRaasSimulator({
      ...{ time: clock, certificate, users: [ROOT] },
      ...(options.calm === true ? {} : { jwtLifetimeMs: 240_000, xsrfRotateEvery: 7 }),
    })
    const limits = { maxBytes: 2 ** 33, retainAckedMs: 0, maxDeadLetters: 10, clock, report: () => undefined }
    const store = await openStore({ stateDir: join(directory, 'state'), ...limits })
    return new Model(clock, sim, store, directory, options)
  }

  #start(): Runner {
    const { clock, store, config, directory } = this
    const report = (happening: Happening): void => {
      if (happening.type !== 'appended' && happening.type !== 'request' && happening.type !== 'feed_proof') {
        this.happenings.push(happening)
      }
    }
    return startRunner({ subscriber: raasSubscriber(config), store, clock, report, stateDir: directory })
  }

  /** Waits until nobody is at work any more: no request under way, no commit due. */
  async idle(): Promise<void> {
    for (let quiet = 0; quiet < 3; ) {
      await new Promise<void>(resolve => setTimeout(resolve, 1))
      const { next } = this.clock
      const asked = this.#requests()
      if (next !== undefined && next <= 10) await this.clock.advance(next)
      else if (this.sim.inFlight === 0 && asked === this.#seen) quiet++
      else quiet = 0
      this.#seen = asked
    }
  }

  #requests(): number {
    let sum = 0
    for (const count of this.sim.record.requests.values()) sum += count
    return sum
  }

  /** Turns the clock, from timer to timer, each time until everybody has come to rest. */
  async pass(ms: number): Promise<void> {
    const end = this.clock.now() + ms
    while (this.clock.now() < end) {
      await this.idle()
      const left = end - this.clock.now()
      if (left > 0) await this.clock.advance(Math.min(left, this.clock.next ?? left))
    }
    await this.idle()
  }

  /** Cut off in the middle of its work, and started again with nothing but what was committed. */
  async die(): Promise<void> {
    this.deaths++
    await this.leave()
    this.arrive()
  }

  arrive(): void {
    this.#runner = this.#start()
  }

  async leave(): Promise<void> {
    const stopping = this.#runner.stop(AbortSignal.abort())
    let isOver = false
    void stopping.finally(() => {
      isOver = true
    })
    while (!isOver) {
      await new Promise<void>(resolve => setTimeout(resolve, 1))
      if ((this.clock.next ?? 100) <= 10) await this.clock.advance(this.clock.next ?? 0)
    }
    await stopping
  }

  events(): OpsEvent[] {
    const all: OpsEvent[] = []
    for (let after = 0; ; ) {
      const records = this.store.read(after, 5000)
      for (const { body } of records) all.push(JSON.parse(new TextDecoder().decode(body)) as OpsEvent)
      const last = records.at(-1)
      if (last === undefined) return all
      after = last.seq
    }
  }

  async close(): Promise<void> {
    await this.leave()
    await this.store.close()
    await this.sim.close()
    rmSync(this.directory, { recursive: true, force: true })
  }

  /** Lives through it. Resolves with what came of it; the model stays open. */
  async run({ returns, jobs, before, seed, say = () => undefined }: ModelOptions): Promise<ModelReport> {
    const { sim, world } = this
    await this.pass(POLL_MS)
    let told = 0
    for (let step = 1; sim.record.returns.length < returns || world.pending > 0; step++) {
      await before?.(this, step)
      const start = this.clock.now()
      await world.step(ms => this.clock.advance(ms), sim.record.returns.length >= returns)
      await this.pass(Math.max(0, start + POLL_MS - this.clock.now()))
      // Not between two polls but during one. A death forgets what was counted, so none where that is looked for.
      if (step % DEATH_EVERY === 0 && world.did.strays === 0) {
        await this.clock.advance(this.clock.next ?? 0)
        await this.die()
      }
      if (sim.record.returns.length - told >= 10_000) {
        told = sim.record.returns.length
        say(`${told} returns, ${(this.clock.now() / 3_600_000).toFixed(1)} h`)
      }
    }
    sim.knobs.fault = undefined
    const last = Math.max(...sim.record.returns.map(({ visibleAt }) => visibleAt))
    // Until everything is visible, and then so long that a sweep and a search after it have been.
    await this.pass(Math.max(0, last - this.clock.now()) + (world.did.strays > 0 ? 80 : 20) * 60_000)
    return this.#report(seed, jobs)
  }

  #report(seed: number, jobs: boolean): ModelReport {
    const { sim, world, happenings, store } = this
    const events = this.events()
    const owed = contentsOf(sim)
    const told = countOf(events, 'raas.return')
    const started = countOf(events, 'raas.run.started')
    const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0)
    const runs = jobs ? sim.record.runs : []
    return {
      ...{ seed, jobs, hours: this.clock.now() / 3_600_000 },
      returns: sim.record.returns.length,
      owed: sum(owed.values()),
      delivered: sum(told.values()),
      lost: sum([...owed].map(([key, count]) => Math.max(0, count - (told.get(key) ?? 0)))),
      twice: sum([...told].map(([key, count]) => Math.max(0, count - (owed.get(key) ?? 0)))),
      runs: runs.length,
      runsLost: runs.filter(jid => !started.has(jid)).length,
      runsTwice: sum([...started.values()].map(count => count - 1)),
      recovered: sum(happenings.map(one => (one.type === 'feed_recovered' ? one.count : 0))),
      gaps: events.filter(event => event.type === 'opswire.gap').length,
      dead: store.stats().deadLetters,
      did: world.did,
      deaths: this.deaths,
      sessions: happenings.filter(one => one.type === 'source_state' && one.state === 'up').length,
      logins: sim.record.logins,
      expired: sim.record.unauthorized,
      xsrfRefusals: sim.record.xsrfRefusals,
      failures: this.failures,
      requests: this.#requests(),
    }
  }
}

/** By jid and minion, how many different contents the server ever showed. */
export function contentsOf(sim: RaasSimulator): Map<string, number> {
  const contents = new Map<string, Set<string>>()
  for (const { jid, minion, content } of sim.record.returns) {
    const key = `${jid}/${minion}`
    contents.set(key, (contents.get(key) ?? new Set()).add(content))
  }
  return new Map([...contents].map(([key, set]) => [key, set.size]))
}

export function countOf(events: readonly OpsEvent[], type: string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const event of events) {
    if (event.type === type) counts.set(event.subject, (counts.get(event.subject) ?? 0) + 1)
  }
  return counts
}
