/** An APIC source under test: the real subscriber and runner, a store in memory, a simulator over real TLS. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ApicConfig, apicSchema } from '../../src/config/sources.ts'
import type { OpsEvent } from '../../src/event.ts'
import { eventSchema } from '../../src/event-schema.ts'
import type { Happening, Report } from '../../src/report.ts'
import { type Clock, systemClock } from '../../src/scheduler/clock.ts'
import {
  type ApicSimulator,
  type ApicSimulatorOptions,
  startApicSimulator,
} from '../../src/simulators/apic/controller.ts'
import { makeCertificate } from '../../src/simulators/server.ts'
import { openStore } from '../../src/store/open.ts'
import type { SqliteStore } from '../../src/store/store.ts'
import type { Tuning } from '../../src/subscribers/apic/core.ts'
import type { ApicGauges } from '../../src/subscribers/apic/gauges.ts'
import { type ApicSubscriber, apicSubscriber } from '../../src/subscribers/apic/subscriber.ts'
import { type Runner, startRunner } from '../../src/subscribers/runner.ts'
import { until } from './manual-clock.ts'
import { Wire } from './wire.ts'

export const certificate = await makeCertificate()

export interface ApicRigOptions {
  readonly simulator?: Partial<ApicSimulatorOptions>
  /** Keys of the source's config that differ. */
  readonly config?: Record<string, unknown>
  readonly tuning?: Partial<Tuning>
  readonly clock?: Clock
  /** Limit of the store. */
  readonly maxBytes?: number
  /** Start the source at once. Default true. */
  readonly start?: boolean
  /** A wire stands before the simulator. Default false. */
  readonly wired?: boolean
  /** Told of what happens, besides `happenings`. */
  readonly report?: Report
}

export class ApicRig {
  readonly simulator: ApicSimulator
  readonly store: SqliteStore
  readonly happenings: Happening[]
  readonly directory: string
  readonly config: ApicConfig
  /** Before the simulator, where one was asked for. */
  readonly wire: Wire | undefined
  readonly #clock: Clock
  readonly #tuning: Partial<Tuning>
  readonly #report: Report
  /** What was read of the store: nothing is taken out of it, so each look reads on from there. */
  readonly #events: OpsEvent[] = []
  #read = 0
  #runner: Runner | undefined
  #subscriber: ApicSubscriber | undefined

  private constructor(
    simulator: ApicSimulator,
    store: SqliteStore,
    happenings: Happening[],
    directory: string,
    config: ApicConfig,
    clock: Clock,
    tuning: Partial<Tuning>,
    wire: Wire | undefined,
    report: Report,
  ) {
    this.wire = wire
    this.#report = report
    this.simulator = simulator
    this.store = store
    this.happenings = happenings
    this.directory = directory
    this.config = config
    this.#clock = clock
    this.#tuning = tuning
  }

  static async make(options: ApicRigOptions = {}): Promise<ApicRig> {
    const clock = options.clock ?? systemClock
    const simulator = await startApicSimulator({
      time: clock,
      certificate,
      loginsPerSecond: Number.POSITIVE_INFINITY,
      ...options.simulator,
    })
    const wire = options.wired === true ? await Wire.to(simulator.port) : undefined
    const directory = mkdtempSync(join(tmpdir(), 'opswire-test-'))
    const ca_file = join(directory, 'ca.pem')
    writeFileSync(ca_file, certificate.cert)
    const config = apicSchema.parse({
      name: 'fabric-a',
      kind: 'apic',
      controllers: [wire === undefined ? simulator.url : `https://127.0.0.1:${wire.port}`],
      username: 'admin',
      password: 'ins3965!',
      tls: { ca_file },
      // The rigs count subscriptions: only what a test names.
      health_scopes: [],
      subscriptions: [{ class: 'faultInst' }],
      ...options.config,
    })
    const happenings: Happening[] = []
    const report = (happening: Happening): void => {
      happenings.push(happening)
      options.report?.(happening)
    }
    const store = await openStore({
      stateDir: undefined,
      maxBytes: options.maxBytes ?? 1024 ** 3,
      retainAckedMs: 0,
      maxDeadLetters: 100,
      clock: systemClock,
      report,
    })
    const tuning = { spacingMs: 0, loginSpacingMs: 0, ...options.tuning }
    const rig = new ApicRig(simulator, store, happenings, directory, config, clock, tuning, wire, report)
    if (options.start !== false) rig.start()
    return rig
  }

  start(): void {
    this.#subscriber = apicSubscriber(this.config, this.#tuning)
    this.#runner = startRunner({
      subscriber: this.#subscriber,
      store: this.store,
      clock: this.#clock,
      report: this.#report,
      stateDir: undefined,
    })
  }

  /** The config is read again: a session of the same source takes over, make before break. */
  reload(): void {
    this.#subscriber = this.#subscriber?.successor(this.config)
    if (this.#subscriber !== undefined) this.runner.replace(this.#subscriber)
  }

  get gauges(): ApicGauges {
    if (this.#subscriber === undefined) throw new Error('not started')
    return this.#subscriber.gauges()
  }

  get runner(): Runner {
    if (this.#runner === undefined) throw new Error('not started')
    return this.#runner
  }

  /** The config is read again: the session is followed by another. */
  replace(): void {
    const next = this.#subscriber?.successor(this.config)
    if (next === undefined) throw new Error('not started')
    this.#subscriber = next
    this.runner.replace(next)
  }

  /** `deadline`: past its abort all that is under way is cut. */
  async stop(deadline: AbortSignal = new AbortController().signal): Promise<void> {
    await this.#runner?.stop(deadline)
    this.#runner = undefined
  }

  async close(): Promise<void> {
    await this.#runner?.stop(AbortSignal.abort())
    await this.wire?.close()
    await this.simulator.close()
    await this.store.close()
    rmSync(this.directory, { recursive: true, force: true })
  }

  /** Everything in the store, valid, in order. */
  events(): OpsEvent[] {
    const decoder = new TextDecoder()
    for (;;) {
      const page = this.store.read(this.#read, 1000)
      for (const { seq, subject, body } of page) {
        this.#read = seq
        if (!subject.startsWith('_dead.')) this.#events.push(eventSchema.parse(JSON.parse(decoder.decode(body))))
      }
      if (page.length === 0) return [...this.#events]
    }
  }

  /** Without the source's own health. */
  facts(): OpsEvent[] {
    return this.events().filter(event => event.data.kind !== 'source')
  }

  feedStates(feed: string): string[] {
    return this.happenings.flatMap(happening =>
      happening.type === 'feed_state' && happening.feed === feed ? [happening.state] : [],
    )
  }

  /** Resolves when each of these feeds went live `times` times. */
  async live(feeds: readonly string[], times = 1): Promise<void> {
    for (const feed of feeds) {
      await until(
        () => this.feedStates(feed).filter(state => state === 'live').length >= times,
        `${feed} live ${times}×`,
      )
    }
  }

  /** Resolves with the facts when there are as many (or more) as asked for. */
  async until(probe: (facts: OpsEvent[]) => boolean, what: string): Promise<OpsEvent[]> {
    await until(() => probe(this.facts()), what)
    return this.facts()
  }
}

export function fault(code: string, attributes: Record<string, string> = {}): object {
  return {
    faultInst: {
      attributes: {
        code,
        severity: 'major',
        lc: 'raised',
        cause: 'interface-physical-down',
        descr: 'Port is down, reason: notConnected',
        ...attributes,
      },
    },
  }
}
