/** One seed: a world, work in it, its schedule of faults, and the judge when all is over and has settled. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { sleep, systemClock } from '../../../src/scheduler/clock.ts'
import type { Tapped } from '../../../src/sinks/nats-tap.ts'
import { owedOf } from './books.ts'
import { Dice } from './dice.ts'
import { type Evidence, type Gap, type Judgement, judgeWhole } from './judge.ts'
import { Labour } from './labour.ts'
import { lineOf, play, type Strike, scheduleOf } from './schedule.ts'
import type { Setting } from './setting.ts'
import { World, type WorldOptions } from './world.ts'

export interface SeedOptions {
  readonly seed: number
  /** Faults begin and end within this time. */
  readonly spanMs: number
  /** Only these of the schedule. */
  readonly only?: ReadonlySet<number>
  /** What of the world differs from what the seed draws. */
  readonly world?: Partial<WorldOptions>
  /** Gaps that may be told besides those of objects without a history. */
  readonly mayBe?: (gap: Gap) => boolean
  /** Instead of the seed's own. */
  readonly strikes?: readonly Strike[]
  /** How long what is missing may still take when all faults are over. */
  readonly patienceMs?: number
  /** How long is waited for what comes twice, when all is there. */
  readonly quietMs?: number
  readonly say?: (text: string) => void
}

export interface SeedResult {
  readonly seed: number
  readonly nats: string
  readonly faults: readonly string[]
  readonly owed: number
  readonly found: number
  readonly excused: number
  /** The gap events, as they say it. */
  readonly gaps: readonly Gap[]
  readonly messages: number
  readonly starts: number
  readonly seconds: number
  /** From the end of the last fault until all was there, s; null when it never came so far. */
  readonly settledS: number | null
  /** Empty: all is well. */
  readonly wrongs: readonly string[]
  /** The daemon's log, for when something is wrong. */
  readonly log: readonly string[]
}

/** Work before the first fault and after the last. */
const MARGIN_MS = 1000
const PATIENCE_MS = 90_000
/** After all is there: whatever comes twice comes soon. */
const QUIET_MS = 2000
const LOOK_MS = 300
const FRESH_MS = 60_000
/** Connections and files come and go by a few; what leaks in every fault is more. */
const FILES_SLACK = 12

const validate = new Ajv2020({ strict: false }).compile(
  JSON.parse(readFileSync(resolve(import.meta.dirname, '../../../config/event.schema.json'), 'utf8')) as object,
)

/** The result, and what it was judged by. */
export interface Played {
  readonly result: SeedResult
  readonly evidence: Evidence | undefined
}

export async function runSeed(options: SeedOptions): Promise<Played> {
  const { seed, spanMs, only, say = () => undefined, patienceMs = PATIENCE_MS, quietMs = QUIET_MS } = options
  const startedAt = systemClock.now()
  const world = await World.start({ ...options.world, seed, say })
  const strikes = (options.strikes ?? scheduleOf(seed, spanMs)).filter(one => only === undefined || only.has(one.index))
  for (const strike of strikes) say(lineOf(strike))
  const possible = strikes.filter(({ kind }) => kind.isPossible?.(world) ?? true)
  const wrongs: string[] = []
  const run = new Run(world, possible, options.mayBe)
  let settledS: number | null = null
  try {
    run.labour.start()
    await sleep(systemClock, MARGIN_MS)
    await play(world, possible)
    await sleep(systemClock, MARGIN_MS)
    run.labour.stop()
    const healedAt = systemClock.now()
    await run.settled(patienceMs)
    settledS = (systemClock.now() - healedAt) / 1000
    await world.ready().catch(error => wrongs.push(String(error)))
    run.labour.fresh()
    await run.settled(FRESH_MS)
    await sleep(systemClock, quietMs)
    const files = world.unit.openFiles()
    if (files !== undefined && files > run.files + FILES_SLACK) {
      wrongs.push(`leaked: ${run.files} open files before the faults, ${files} after them`)
    }
    await world.unit.stop()
    await run.look()
    wrongs.push(...(await run.leftOpen()))
  } catch (error) {
    wrongs.push(`broken off: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  } finally {
    run.labour.stop()
    await world.close()
  }
  const { owed = 0, found = 0, excused = 0, gaps = [] } = run.judgement ?? {}
  const result: SeedResult = {
    ...{ seed, nats: world.setting.nats, faults: possible.map(lineOf), owed, found, excused, gaps },
    messages: run.stream.length,
    starts: world.unit.starts,
    seconds: (systemClock.now() - startedAt) / 1000,
    settledS,
    wrongs: [
      ...wrongs,
      ...(run.judgement?.wrongs ?? []),
      ...world.unit.troubles.map(one => `daemon: ${one}`),
      ...world.unit.log.filter(line => /"code":"bug"|UnhandledPromise|uncaught/.test(line)).map(line => `bug: ${line}`),
    ],
    log: world.unit.log,
  }
  return { result, evidence: run.evidence }
}

/** What is watched of one world. */
class Run {
  readonly #world: World
  readonly #strikes: readonly Strike[]
  readonly #also: (gap: Gap) => boolean
  readonly #beganAt = systemClock.wall()
  readonly labour: Labour
  readonly files: number
  stream: readonly Tapped[] = []
  judgement: Judgement | undefined
  evidence: Evidence | undefined
  /** Audit rows that nobody could see yet at the last look: they are owed from when they show. */
  #toCome = 0

  constructor(world: World, strikes: readonly Strike[], also: (gap: Gap) => boolean = () => false) {
    this.#world = world
    this.#strikes = strikes
    this.#also = also
    const { fabric, raas, vcd } = world.systems
    const { seed, intervalMs } = world.setting
    this.labour = new Labour({ fabric, raas, vcd, clock: systemClock, dice: new Dice(seed + 7), intervalMs })
    this.files = world.unit.openFiles() ?? 0
  }

  /** Reads the stream and judges it. */
  async look(): Promise<Judgement> {
    const { systems, broker } = this.#world
    this.stream = await broker.contents()
    // Before the books: what shows in between is in them.
    this.#toCome = systems.vcd.record.toCome
    const rows = systems.vcd.record.rows
    this.evidence = {
      owed: owedOf(systems, this.#beganAt),
      stream: this.stream,
      flawOf: event => (validate(event) ? undefined : JSON.stringify(validate.errors?.[0])),
      mayBe: gap => mayBe(gap, this.#strikes, this.#world.setting) || this.#also(gap),
      late: new Set(rows.filter(row => row.visibleAtMs > row.timestampMs).map(row => row.id)),
    }
    this.judgement = judgeWhole(this.evidence)
    return this.judgement
  }

  /**
   * Resolves when nothing is missing or still to show, or after so long. Says nothing of what is wrong: the last look does. What
   * showed while the daemon ends could not be told any more.
   */
  async settled(withinMs: number): Promise<void> {
    const end = systemClock.now() + withinMs
    do {
      const { lost } = await this.look()
      if (lost + this.#toCome === 0 && (await this.#isDelivered())) return
      await sleep(systemClock, LOOK_MS)
    } while (systemClock.now() < end)
  }

  /** Connections that a daemon which has ended still holds. */
  async leftOpen(): Promise<string[]> {
    const { systems, broker } = this.#world
    const { wires, controllers } = systems
    const open = (): number => [...wires.apic, wires.raas, wires.vcd, broker.wire].reduce((n, one) => n + one.open, 0)
    const sockets = (): number => controllers.reduce((sum, one) => sum + one.openSockets, 0)
    const end = systemClock.now() + 5000
    while (open() > 0 && systemClock.now() < end) await sleep(systemClock, 50)
    return open() === 0 ? [] : [`left open: ${open()} connections, ${sockets()} sockets of the fabric`]
  }

  async #isDelivered(): Promise<boolean> {
    try {
      const { body } = await this.#world.unit.get('/status')
      return (JSON.parse(body) as { store: { events: number } | null }).store?.events === 0
    } catch {
      return false
    }
  }
}

/** What came and went unseen, of objects that no history tells of, is announced. Nothing else may be: all else can be asked for. */
function mayBe(gap: Gap, strikes: readonly Strike[], setting: Setting): boolean {
  // A log that is behind the objects is overtaken by them, too.
  const deafens = setting.recordsLateMs > 0 || strikes.some(({ kind }) => kind.deafens === true)
  const isObject = ['class/fvTenant', 'class/fvCtx'].includes(gap.feed) || (gap.feed === 'class/faultInst' && deafens)
  return isObject && (gap.reason === 'outage_no_history' || gap.reason === 'paused')
}
