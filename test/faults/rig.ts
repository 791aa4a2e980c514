/**
 * One source on the whole way: the real subscriber and runner, the store on disk, the pump, a real nats-server; in front
 * of it one fabric with its controllers, time-outs scaled to a tenth; behind it a reader of the stream.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { apicSchema } from '../../src/config/sources.ts'
import type { OpsEvent } from '../../src/event.ts'
import { eventSchema } from '../../src/event-schema.ts'
import type { Happening } from '../../src/report.ts'
import { type Cancel, systemClock } from '../../src/scheduler/clock.ts'
import {
  type ApicSimulator,
  type ApicSimulatorOptions,
  startApicSimulator,
} from '../../src/simulators/apic/controller.ts'
import type { Fabric } from '../../src/simulators/apic/fabric.ts'
import type { Knobs } from '../../src/simulators/apic/knobs.ts'
import { natsSink } from '../../src/sinks/nats.ts'
import { type Tapped, tap } from '../../src/sinks/nats-tap.ts'
import { startPump } from '../../src/sinks/pump.ts'
import type { Pump } from '../../src/sinks/pump-contract.ts'
import { openStore } from '../../src/store/open.ts'
import type { SqliteStore } from '../../src/store/store.ts'
import type { Tuning } from '../../src/subscribers/apic/core.ts'
import { apicSubscriber } from '../../src/subscribers/apic/subscriber.ts'
import { type Runner, startRunner } from '../../src/subscribers/runner.ts'
import { certificate } from '../support/apic-source.ts'
import { until } from '../support/manual-clock.ts'
import { natsConfig } from '../support/nats.ts'
import { CLASSES } from './oracle.ts'

const FEEDS = CLASSES.map(cls => `class/${cls}`)

/** A tenth of what an APIC and opswire have by default. */
const CONTROLLER = { refreshTimeoutSeconds: 30, subscriptionSeconds: 6, loginsPerSecond: Number.POSITIVE_INFINITY }
const CONFIG = { request_timeout: '3s', canary_interval: '6s', reconcile_interval: '90s', health_scopes: [] }
const TUNING: Partial<Tuning> = {
  subscriptionLifeMs: 6000,
  overlapMs: 12_000,
  canaryGraceMs: 500,
  pingMs: 1500,
  spacingMs: 2,
  loginSpacingMs: 50,
}

export interface RigOptions {
  readonly natsUrl: string
  /** Closed with the rig. */
  readonly fabric: Fabric
  /** Tells the streams of one nats-server apart: letters, digits and hyphens. */
  readonly name: string
  readonly controllers?: number
  readonly controller?: Partial<ApicSimulatorOptions>
  readonly knobs?: Partial<Knobs>
  readonly config?: Record<string, unknown>
}

export interface Stamped {
  /** Wall time, ms. */
  readonly at: number
  readonly happening: Happening
}

export class FaultRig {
  /** In the order of the config; each may be replaced by one that starts anew on its port. */
  readonly controllers: ApicSimulator[]
  readonly happenings: Stamped[] = []
  /** The stream as it is read, in its order. */
  readonly stream: (Tapped & { readonly event: OpsEvent })[] = []
  readonly notices: string[] = []
  readonly #options: RigOptions
  readonly #directory: string
  readonly #reading = new AbortController()
  readonly #cancels: Cancel[] = []
  readonly #healing: Promise<void>[] = []
  #store: SqliteStore | undefined
  #runner: Runner | undefined
  #pump: Pump | undefined
  #read: Promise<void> | undefined
  #readError: unknown

  private constructor(options: RigOptions, controllers: ApicSimulator[], directory: string) {
    this.#options = options
    this.controllers = controllers
    this.#directory = directory
  }

  /** Resolves when all three feeds are live for the first time. */
  static async start(options: RigOptions): Promise<FaultRig> {
    const controllers: ApicSimulator[] = []
    for (let node = 1; node <= (options.controllers ?? 1); node++) {
      controllers.push(await startApicSimulator(simulated(options, node)))
    }
    const directory = mkdtempSync(join(tmpdir(), 'opswire-faults-'))
    const rig = new FaultRig(options, controllers, directory)
    try {
      await rig.startDaemon()
      await rig.liveSince(0)
      return rig
    } catch (error) {
      await rig.close()
      throw error
    }
  }

  /** Store, pump and source, as the daemon puts them together; and, the first time, the reader of the stream. */
  async startDaemon(): Promise<void> {
    const { name, natsUrl, config } = this.#options
    const clock = systemClock
    const report = (happening: Happening): void => {
      this.happenings.push({ at: clock.wall(), happening })
    }
    const since = clock.wall()
    const limits = { maxBytes: 1024 ** 3, retainAckedMs: 180_000, maxDeadLetters: 100 }
    const store = await openStore({ stateDir: join(this.#directory, 'state'), ...limits, clock, report })
    this.#store = store
    const nats = natsConfig(natsUrl, { prefix: name, stream: { name: name.toUpperCase(), max_bytes: '64MiB' } })
    this.#pump = startPump({ store, sink: natsSink(nats, { clock, report }), clock, report })
    await until(() => this.when(one => one.type === 'sink_state' && one.up, since), 'the stream')
    this.#read ??= this.#follow(tap(nats, { signal: this.#reading.signal, from: 'start' }))
    const ca_file = join(this.#directory, 'ca.pem')
    writeFileSync(ca_file, certificate.cert)
    const source = apicSchema.parse({
      name: 'fabric-a',
      kind: 'apic',
      controllers: this.controllers.map(controller => controller.url),
      username: 'admin',
      password: 'ins3965!',
      tls: { ca_file },
      subscriptions: CLASSES.map(cls => ({ class: cls })),
      ...CONFIG,
      ...config,
    })
    const subscriber = apicSubscriber(source, TUNING)
    this.#runner = startRunner({ subscriber, store, clock, report, stateDir: undefined })
  }

  /** Ends it without ceremony: what is under way is dropped. */
  async cutDaemon(): Promise<void> {
    await this.#runner?.stop(AbortSignal.abort())
    await this.#pump?.stop(0)
    await this.#store?.close()
    this.#runner = undefined
    this.#pump = undefined
    this.#store = undefined
  }

  /** The controller that the source began with. */
  get controller(): ApicSimulator {
    const [first] = this.controllers
    if (first === undefined) throw new Error('a rig has a controller')
    return first
  }

  /** Runs something after `ms`, unless the rig is closed before. */
  later(ms: number, heal: () => void | Promise<void>): void {
    const run = (): void => {
      this.#healing.push(Promise.resolve(heal()))
    }
    this.#cancels.push(systemClock.after(ms, run))
  }

  /** The first controller starts anew: same address, and it knows of nothing that was before. */
  async restartController(): Promise<void> {
    const { port } = this.controller
    await this.controller.close()
    const made = await startApicSimulator({ ...simulated(this.#options, 1), port })
    this.controllers[0] = made
  }

  /** Resolves when every feed went live at or after `since` (wall ms), with the times at which they first did. */
  async liveSince(since: number): Promise<number[]> {
    const liveAt = (feed: string): number | undefined =>
      this.when(one => one.type === 'feed_state' && one.feed === feed && one.state === 'live', since)
    await until(() => FEEDS.every(feed => liveAt(feed) !== undefined), `live again; ${this.#lately()}`, 120_000)
    return FEEDS.map(feed => liveAt(feed) ?? 0)
  }

  /** Resolves when all that was stored is in the stream and was read from it. */
  async delivered(): Promise<void> {
    await until(
      () => {
        if (this.#readError !== undefined) throw this.#readError
        return this.#store?.stats().unacked === 0 && this.stream.length + this.notices.length >= this.#published()
      },
      `delivered; ${this.#lately()}`,
      60_000,
    )
  }

  /** Events in the order of the stream. */
  events(): OpsEvent[] {
    return this.stream.map(message => message.event)
  }

  async close(): Promise<void> {
    for (const cancel of this.#cancels) cancel()
    await Promise.allSettled(this.#healing)
    await this.cutDaemon()
    this.#reading.abort()
    await this.#read
    for (const controller of this.controllers) await controller.close()
    this.#options.fabric.close()
    rmSync(this.#directory, { recursive: true, force: true })
  }

  async #follow(messages: AsyncIterable<Tapped>): Promise<void> {
    try {
      for await (const message of messages) {
        if (message.subject.includes('._dead.')) this.notices.push(JSON.stringify(message.event))
        else this.stream.push({ ...message, event: eventSchema.parse(message.event) })
      }
    } catch (error) {
      this.#readError = error
    }
  }

  /** When the first such thing happened at or after `since` (wall ms). */
  when(probe: (happening: Happening) => boolean, since = 0): number | undefined {
    return this.happenings.find(({ at, happening }) => at >= since && probe(happening))?.at
  }

  /** Messages that the server took: each of them is one in the stream. */
  #published(): number {
    let sum = 0
    for (const { happening } of this.happenings) {
      if (happening.type === 'published' && happening.result === 'ok') sum += happening.count
    }
    return sum
  }

  /** The last things that were said of the source, for whoever waits in vain. */
  #lately(): string {
    const told = this.happenings.filter(({ happening }) =>
      ['source_state', 'feed_state', 'lease_lost', 'reconnect'].includes(happening.type),
    )
    return JSON.stringify(told.slice(-6))
  }
}

function simulated(options: RigOptions, nodeId: number): ApicSimulatorOptions {
  const { knobs, controller, fabric } = options
  return {
    time: systemClock,
    certificate,
    fabric,
    nodeId,
    ...CONTROLLER,
    ...controller,
    ...(knobs === undefined ? {} : { knobs }),
  }
}
