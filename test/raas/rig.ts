/** A RaaS stand-in, a subscriber and what stands in for runner and store, on a clock turned by hand. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { type RaasConfig, raasSchema } from '../../src/config/sources.ts'
import type { Fact } from '../../src/event.ts'
import { eventSchema } from '../../src/event-schema.ts'
import type { Cursor, DeadLetter, ManagedObject } from '../../src/record.ts'
import type { Happening } from '../../src/report.ts'
import { type RaasSimulator, type RaasSimulatorOptions, startRaasSimulator } from '../../src/simulators/raas/server.ts'
import { type Certificate, makeCertificate } from '../../src/simulators/server.ts'
import type { OpenContext, Session, Subscriber } from '../../src/subscribers/contract.ts'
import { type RaasLimits, raasSubscriber } from '../../src/subscribers/raas/subscriber.ts'
import { ManualClock, until } from '../support/manual-clock.ts'
import { ROOT, routeIn } from './bus.ts'

let certificate: Promise<Certificate> | undefined

/** Commits like the store: facts once by id, cursors, mirror, dead letters. */
export class Keeper {
  readonly facts: Fact[] = []
  readonly dead: DeadLetter[] = []
  readonly cursors = new Map<string, Cursor>()
  readonly mirror = new Map<string, ManagedObject>()
  readonly happenings: Happening[] = []
  readonly #ids = new Set<string>()
  duplicates = 0
  batches = 0
  /** While set, no batch is taken. */
  hold: Promise<void> | undefined

  async read(session: Session): Promise<void> {
    for await (const batch of session) {
      await this.hold
      this.batches++
      for (const fact of batch.facts) {
        expect(eventSchema.safeParse({ ...fact, recordedtime: '2026-02-03T04:05:06.789Z' }).error).toBeUndefined()
        if (this.#ids.has(fact.id)) this.duplicates++
        else this.facts.push(fact)
        this.#ids.add(fact.id)
      }
      if (batch.cursor !== undefined) this.cursors.set(batch.feed, batch.cursor)
      for (const { key, object } of batch.mirror ?? []) {
        if (object === null) this.mirror.delete(key)
        else this.mirror.set(key, object)
      }
      this.dead.push(...(batch.dead ?? []))
    }
  }

  of(type: string): Fact[] {
    return this.facts.filter(fact => fact.type === type)
  }

  reported<T extends Happening['type']>(type: T): Extract<Happening, { type: T }>[] {
    return this.happenings.filter(one => one.type === type) as Extract<Happening, { type: T }>[]
  }

  proofs(feed: string): number {
    return this.reported('feed_proof').filter(one => one.feed === feed).length
  }
}

export interface RigOptions {
  readonly simulator?: Partial<RaasSimulatorOptions>
  readonly config?: Readonly<Record<string, unknown>>
  readonly limits?: RaasLimits
  /** Base path in the configured URL. */
  readonly path?: string
}

export class Rig {
  readonly clock: ManualClock
  readonly sim: RaasSimulator
  readonly keeper = new Keeper()
  readonly config: RaasConfig
  readonly directory: string
  subscriber: Subscriber
  #session: Session | undefined
  #abort = new AbortController()
  #reading: Promise<void> = Promise.resolve()
  readonly #limits: RaasLimits
  /** What the iteration threw. */
  error: unknown

  constructor(clock: ManualClock, sim: RaasSimulator, config: RaasConfig, directory: string, limits: RaasLimits) {
    this.clock = clock
    this.sim = sim
    this.config = config
    this.directory = directory
    this.#limits = limits
    this.subscriber = raasSubscriber(config, limits)
  }

  /** The feeds that this configuration always has. */
  get feeds(): string[] {
    return this.config.jobs ? ['returns', 'jobs'] : ['returns']
  }

  get session(): Session | undefined {
    return this.#session
  }

  context(): OpenContext {
    const { keeper } = this
    return {
      clock: this.clock,
      signal: this.#abort.signal,
      cursor: feed => keeper.cursors.get(feed),
      mirror: { get: key => keeper.mirror.get(key), values: () => keeper.mirror.values() },
      report: happening => keeper.happenings.push(happening),
      doubt: () => undefined,
      backlogged: () => false,
      lostAtMs: () => undefined,
      stateDir: undefined,
    }
  }

  async open(): Promise<void> {
    this.#abort = new AbortController()
    this.error = undefined
    const session = await this.subscriber.open(this.context())
    this.#session = session
    this.#reading = this.keeper.read(session).catch((error: unknown) => {
      this.error = error
    })
  }

  /** Opens and waits for the first read of these feeds. */
  async start(...feeds: string[]): Promise<void> {
    const waited = feeds.length > 0 ? feeds : this.feeds
    const before = waited.map(feed => this.keeper.proofs(feed))
    await this.open()
    for (const [index, feed] of waited.entries()) {
      await until(() => this.failed() || this.keeper.proofs(feed) > (before[index] ?? 0), `first read of ${feed}`)
    }
  }

  failed(): false {
    if (this.error !== undefined) throw this.error
    return false
  }

  /** Turns the clock by one poll interval, so many times, and waits each time for these feeds to have been read. */
  async rounds(count: number, feeds: readonly string[] = this.feeds): Promise<void> {
    for (let round = 0; round < count; round++) {
      const before = feeds.map(feed => this.keeper.proofs(feed))
      await this.clock.advance(this.config.poll_interval)
      for (const [index, feed] of feeds.entries()) {
        const wanted = (before[index] ?? 0) + 1
        await until(() => this.failed() || this.keeper.proofs(feed) >= wanted, `a read of ${feed}`)
      }
    }
  }

  async stop(): Promise<void> {
    await this.#session?.close()
    await this.#reading
    this.#session = undefined
  }

  /** Another process with the same store: nothing but what was committed is known. */
  async restart(...feeds: string[]): Promise<void> {
    await this.stop()
    this.subscriber = raasSubscriber(this.config, this.#limits)
    await this.start(...feeds)
  }

  async close(): Promise<void> {
    await this.stop()
    await this.sim.close()
    rmSync(this.directory, { recursive: true, force: true })
  }
}

export async function makeRig(options: RigOptions = {}): Promise<Rig> {
  certificate ??= makeCertificate()
  const pair = await certificate
  const clock = new ManualClock()
  const directory = mkdtempSync(join(tmpdir(), 'opswire-raas-'))
  writeFileSync(join(directory, 'ca.pem'), pair.cert)
  const sim = await startRaasSimulator({ time: clock, certificate: pair, users: [ROOT], ...options.simulator })
  const login = {
    username: ROOT.username,
    password: ROOT.password,
  }
  const own = options.config ?? {}
  const isOther = 'csp_api_token' in own || 'bearer_token_file' in own
  const config = raasSchema.parse({
    ...{ name: 'salt', kind: 'raas', url: `${sim.url}${options.path ?? ''}` },
    tls: { ca_file: join(directory, 'ca.pem') },
    ...(isOther ? {} : login),
    ...('csp_api_token' in own ? { csp_url: sim.url } : {}),
    ...own,
  })
  return new Rig(clock, sim, config, directory, options.limits ?? {})
}

/** A new run, told to these minions. */
export function route(rig: Rig, minions: readonly string[], fun?: string): string {
  return routeIn(rig.sim, minions, fun)
}
