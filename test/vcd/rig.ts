/** A simulated cloud, a source that reads it, and a reader that keeps books like runner and store do. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type VcdConfig, vcdSchema } from '../../src/config/sources.ts'
import { Fatal, Retryable } from '../../src/errors.ts'
import type { Fact } from '../../src/event.ts'
import { eventSchema } from '../../src/event-schema.ts'
import type { Cursor, DeadLetter, ManagedObject } from '../../src/record.ts'
import type { Happening } from '../../src/report.ts'
import type { Clock } from '../../src/scheduler/clock.ts'
import { makeCertificate } from '../../src/simulators/server.ts'
import { startVcdSimulator, type VcdOptions, type VcdSimulator } from '../../src/simulators/vcd/simulator.ts'
import type { Batch, Session, Subscriber } from '../../src/subscribers/contract.ts'
import { vcdSubscriber } from '../../src/subscribers/vcd/subscriber.ts'
import { ManualClock } from '../support/manual-clock.ts'

const certificate = makeCertificate()

export const CI_TOKEN = '6a0c0c52-0000-4000-8000-0000000000f1'
export const OPS_TOKEN = '6a0c0c52-0000-4000-8000-0000000000f2'
export const SYSTEM_TOKEN = '6a0c0c52-0000-4000-8000-0000000000f3'

const CLOUD = {
  orgs: [{ name: 'acme' }, { name: 'Müller & Söhne' }],
  users: [
    { name: 'alice', org: 'acme', password: 'pw-alice' },
    { name: 'ci-bot', org: 'acme', password: 'pw-bot', roles: 'vApp Author' },
    { name: 'heidi', org: 'Müller & Söhne', password: 'pw-heidi' },
    { name: 'root', org: 'System', password: 'pw-root' },
  ],
  tokens: [
    { secret: 'secret-ci', id: CI_TOKEN, name: 'ci', user: 'ci-bot', org: 'acme' },
    { secret: 'secret-ops', id: OPS_TOKEN, name: 'ops', user: 'heidi', org: 'Müller & Söhne' },
    { secret: 'secret-system', id: SYSTEM_TOKEN, name: 'opswire', user: 'root', org: 'System' },
  ],
} as const

/** So often, a millisecond apart at least, an answer is waited for before the clock is turned all the same. */
const LOOKS = 3000

export class Rig {
  readonly clock: ManualClock
  readonly simulator: VcdSimulator
  readonly directory: string
  readonly caFile: string
  readonly happenings: Happening[] = []
  /** What a store would hold: by id, first one wins. */
  readonly facts = new Map<string, Fact>()
  readonly dead: DeadLetter[] = []
  readonly mirror = new Map<string, ManagedObject>()
  /** What speaks against a session, by what it is about. */
  readonly doubts = new Map<string, string>()
  /** While it holds, a batch is taken and never committed, and the reader is gone: a daemon killed in the middle of a page. */
  dies: ((batch: Batch) => boolean) | undefined
  /** How often an id came again. */
  repeats = 0
  cursor: Cursor | undefined
  failures: (Fatal | Retryable)[] = []
  /** What the source sees; the hand-turned one unless the test gave another. */
  readonly #time: Clock
  readonly #over: AbortController[] = []
  readonly #reading: Promise<void>[] = []

  constructor(clock: ManualClock, simulator: VcdSimulator, directory: string, time: Clock) {
    this.clock = clock
    this.#time = time
    this.simulator = simulator
    this.directory = directory
    this.caFile = join(directory, 'ca.pem')
  }

  config(more: Record<string, unknown> = {}): VcdConfig {
    return vcdSchema.parse({
      kind: 'vcd',
      name: 'cloud',
      url: this.simulator.url,
      org: 'System',
      api_token: 'secret-system',
      tls: { ca_file: this.caFile },
      ...more,
    })
  }

  /** Writes a file beside the state and gives its path. */
  file(name: string, text: string): string {
    const path = join(this.directory, name)
    writeFileSync(path, text)
    return path
  }

  /** The authority that the source trusts from now on. */
  trust(pem: string): void {
    writeFileSync(this.caFile, pem)
  }

  /** Logs in; the caller closes it. */
  open(subscriber: Subscriber, signal = new AbortController().signal, stateDir = true): Promise<Session> {
    this.doubts.clear()
    return subscriber.open({
      clock: this.#time,
      signal,
      cursor: () => this.cursor,
      mirror: { get: key => this.mirror.get(key), values: () => [...this.mirror.values()] },
      report: happening => this.happenings.push(happening),
      doubt: (about, text) => void (text === undefined ? this.doubts.delete(about) : this.doubts.set(about, text)),
      backlogged: () => false,
      lostAtMs: () => undefined,
      stateDir: stateDir ? this.directory : undefined,
    })
  }

  /** Reads like the runner: commits batch by batch, opens again after a Retryable, ends at a Fatal or `stop`. */
  read(subscriber?: Subscriber, more: Record<string, unknown> = {}): void {
    const over = new AbortController()
    this.#over.push(over)
    this.#reading.push(this.#life(subscriber ?? vcdSubscriber(this.config(more)), over.signal))
  }

  /** Starts reading, and resolves when the first walk is over. */
  async caughtUp(more: Record<string, unknown> = {}): Promise<void> {
    const polling = (): number => this.reported('feed_mode').filter(one => one.mode === 'polling').length
    const before = polling()
    this.read(undefined, more)
    await this.drive(() => polling() > before, 'the first walk is over')
  }

  async #life(subscriber: Subscriber, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const session = await this.open(subscriber, signal)
        try {
          for await (const batch of session) {
            if (this.dies?.(batch) === true) return
            this.#commit(batch)
          }
        } finally {
          await session.close()
        }
      } catch (error) {
        if (signal.aborted) return
        if (!(error instanceof Fatal || error instanceof Retryable)) throw error
        this.failures.push(error)
        if (error instanceof Fatal) return
      }
    }
  }

  /** All of it or nothing, like the store. */
  #commit(batch: Batch): void {
    const fresh: number[] = []
    for (const [place, fact] of batch.facts.entries()) {
      eventSchema.parse({ ...fact, recordedtime: new Date(this.clock.wall()).toISOString() })
      if (this.facts.has(fact.id)) {
        this.repeats++
        continue
      }
      this.facts.set(fact.id, fact)
      fresh.push(place)
    }
    this.dead.push(...(batch.dead ?? []))
    for (const { key, object } of batch.mirror ?? []) {
      if (object === null) this.mirror.delete(key)
      else this.mirror.set(key, object)
    }
    if (batch.cursor !== undefined) this.cursor = JSON.parse(JSON.stringify(batch.cursor)) as Cursor
    batch.appended?.(fresh)
  }

  /**
   * Only one timer waits, and it is not the one by which a login keeps its lock alive: time must not fly while a login
   * waits for the disk.
   */
  get resting(): boolean {
    // The runner's own watch over the feeds waits beside.
    return this.clock.waitingBeside('lookOver', 'tellHeld') === 1 && !this.#loggingIn()
  }

  #loggingIn(): boolean {
    try {
      return /^[0-9a-f-]{36}$/.test(readFileSync(join(this.directory, 'cloud.token.lock'), 'utf8'))
    } catch {
      return false
    }
  }

  /** Turns the clock to each next timer, letting real answers come in between, until `probe` holds. */
  async drive<T>(probe: () => T | undefined | false, what: string, mostMs = 40_000): Promise<T> {
    const end = performance.now() + mostMs
    for (let looks = 0; ; ) {
      const value = probe()
      if (value !== undefined && value !== false) return value
      if (performance.now() > end) throw new Error(`never happened: ${what}`)
      // Requests under way have their time-out of 30 s among the timers: what is due sooner, or much later, is turned to at
      // once. What stays that long without an answer is a wait after a failure.
      const { next } = this.clock
      const isRequest = next !== undefined && next >= 20_000 && next <= 45_000 && ++looks < LOOKS
      if (next !== undefined && !isRequest && this.resting) {
        looks = 0
        await this.clock.advance(next)
      } else await new Promise<void>(resolve => setTimeout(resolve, 1))
    }
  }

  /** Drives until this many more walks of the trail have ended. */
  async turns(count: number): Promise<void> {
    const idle = (): boolean => {
      const next = this.clock.next ?? 0
      return ((next > 1000 && next < 20_000) || next > 45_000) && this.resting
    }
    for (let turn = 0; turn < count; turn++) {
      await this.drive(idle, 'idle before a turn')
      await this.clock.advance(this.clock.next ?? 0)
      await this.drive(idle, 'idle after a turn')
    }
  }

  /** Facts of audit rows, by the bare id in `raw`. */
  rows(): Map<string, Fact> {
    const result = new Map<string, Fact>()
    for (const fact of this.facts.values()) {
      const raw = fact.data.raw as { eventId?: string } | undefined
      if (raw?.eventId !== undefined) result.set(raw.eventId.split(':').at(-1) ?? '', fact)
    }
    return result
  }

  gaps(): Fact[] {
    return [...this.facts.values()].filter(fact => fact.data.kind === 'gap')
  }

  reported<T extends Happening['type']>(type: T): Extract<Happening, { type: T }>[] {
    return this.happenings.filter((one): one is Extract<Happening, { type: T }> => one.type === type)
  }

  /** Ends all reading; a crash or a stop, the books stay. */
  async stop(): Promise<void> {
    for (const over of this.#over.splice(0)) over.abort(new Error('stopped'))
    await Promise.all(this.#reading.splice(0))
  }

  async end(): Promise<void> {
    await this.stop()
    await this.simulator.close()
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** A fresh cloud and an empty state directory. */
export async function startRig(
  { managesAll = [], ...knobs }: Partial<VcdOptions> & { readonly managesAll?: readonly string[] } = {},
  time?: Clock,
): Promise<Rig> {
  const clock = new ManualClock()
  const pems = await certificate
  const directory = mkdtempSync(join(tmpdir(), 'opswire-vcd-'))
  writeFileSync(join(directory, 'ca.pem'), pems.cert)
  const simulator = await startVcdSimulator({
    ...CLOUD,
    users: CLOUD.users.map(user => ({ ...user, managesAllTokens: managesAll.includes(user.name) })),
    time: clock,
    certificate: pems,
    ...knobs,
  })
  return new Rig(clock, simulator, directory, time ?? clock)
}
