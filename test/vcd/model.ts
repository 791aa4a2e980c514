/**
 * The model run: the real source, runner and store against the simulated cloud, over HTTPS, on a clock turned by hand; daemons that
 * die inside a page; and at the end every row is held against the simulator's own record.
 */
import { join } from 'node:path'
import { eventId, type OpsEvent } from '../../src/event.ts'
import type { RowRecord } from '../../src/simulators/vcd/trail.ts'
import { openStore } from '../../src/store/open.ts'
import { type Runner, startRunner } from '../../src/subscribers/runner.ts'
import { vcdSubscriber } from '../../src/subscribers/vcd/subscriber.ts'
import { settle } from '../support/manual-clock.ts'
import { MINUTE, ModelCloud, SECOND } from './model-cloud.ts'
import { MortalStore } from './mortal-store.ts'

export interface ModelOptions {
  /** At least so many audit rows are written. */
  readonly events: number
  readonly seed: number
  /** The latest that a row becomes visible after its stamp. */
  readonly lateMs: number
  readonly overlapMs: number
  readonly say?: (text: string) => void
}

export interface ModelResult {
  readonly written: number
  readonly told: number
  /** Rows that the simulator showed and nobody was told of. */
  readonly lost: number
  readonly twice: number
  /** Told of, but never shown. */
  readonly invented: number
  /** Rows told with another token, token name or way of login than the simulator's record has. */
  readonly wrongToken: number
  /** Tokens, and their addresses, that were flagged as new more than once. */
  readonly flaggedTwice: number
  /** Rows later than the overlap, by the simulator's record. */
  readonly laterThanOverlap: number
  readonly gaps: number
  /** What the store dropped because it knew it. */
  readonly repeats: number
  readonly recovered: number
  readonly announced: number
  readonly deaths: number
  readonly outages: number
  readonly ties: number
  readonly requests: number
  readonly failed: number
  readonly logins: number
  readonly purged: number
  readonly hours: number
}

/** Longer than any wait of the source: so a timer that is farther away is that of a request under way. */
const REQUEST_TIMEOUT = 290 * SECOND
const OURS_BELOW = 280 * SECOND

class ModelRun {
  readonly #options: ModelOptions
  readonly #cloud: ModelCloud
  readonly #store: MortalStore
  #runner: Runner
  #began = 0
  #written = 0
  deaths = 0

  constructor(options: ModelOptions, cloud: ModelCloud, store: MortalStore) {
    this.#options = options
    this.#cloud = cloud
    this.#store = store
    this.#runner = this.#start()
  }

  #start(): Runner {
    const { rig } = this.#cloud
    const config = rig.config({
      overlap: `${this.#options.overlapMs / SECOND}s`,
      request_timeout: `${REQUEST_TIMEOUT / SECOND}s`,
      token_inventory_file: join(rig.directory, 'tokens.yaml'),
      raw: false,
    })
    return startRunner({
      subscriber: vcdSubscriber(config),
      store: this.#store,
      clock: rig.clock,
      report: happening => rig.happenings.push(happening),
      stateDir: rig.directory,
    })
  }

  /** Lets this much time pass, from timer to timer, real answers coming in between. */
  async pass(ms: number): Promise<void> {
    const { clock } = this.#cloud.rig
    const end = clock.wall() + ms
    while (clock.wall() < end) await this.#step(end - clock.wall())
  }

  async #step(mostMs: number): Promise<void> {
    const { rig } = this.#cloud
    const next = rig.clock.next ?? mostMs
    if (!rig.resting) return settle()
    if (next < OURS_BELOW) return rig.clock.advance(Math.min(next, mostMs))
    // The one request that is never answered runs into its time-out.
    if (this.#cloud.hanging) {
      this.#cloud.hanging = false
      return rig.clock.advance(next)
    }
    await new Promise<void>(resolve => setImmediate(resolve))
  }

  /** Drives until `done` holds. */
  async until(done: () => boolean): Promise<void> {
    while (!done()) await this.#step(SECOND)
  }

  /** The daemon dies inside the next page that has news; another one is started on the same store. */
  async kill(): Promise<void> {
    const { chance, rig } = this.#cloud
    let dead = false
    this.#store.dieAtNextPage(chance.of(0.5) ? 'before commit' : 'after commit', () => {
      dead = true
    })
    await this.until(() => dead)
    await this.#cut()
    this.deaths++
    this.#cloud.hanging = false
    await rig.clock.advance(chance.upTo(3) === 0 ? chance.upTo(5 * MINUTE) : SECOND)
    this.#runner = this.#start()
  }

  async #cut(): Promise<void> {
    const { clock } = this.#cloud.rig
    let over = false
    const stopping = this.#runner.stop(AbortSignal.abort()).then(() => {
      over = true
    })
    // What a dead process could not wait for ends here by its time-outs.
    while (!over) {
      await settle()
      if (!over) await clock.advance(Math.min(clock.next ?? 0, SECOND))
    }
    await stopping
  }

  async live(): Promise<void> {
    const { events, say = () => undefined } = this.#options
    const { chance, rig } = this.#cloud
    await this.until(() => rig.reported('feed_mode').some(one => one.mode === 'polling'))
    await this.pass(20 * SECOND)
    this.#began = rig.clock.wall() + 10 * SECOND
    await this.pass(20 * SECOND)
    let tell = events / 10
    while (this.#written < events) {
      const spanMs = 1000 + chance.upTo(20_000)
      this.#written += this.#cloud.burst(1 + chance.upTo(120), spanMs)
      await this.pass(spanMs)
      if (chance.of(0.05)) await this.kill()
      if (chance.of(0.01)) this.#cloud.outage(MINUTE + chance.upTo(30 * MINUTE))
      if (this.#written >= tell) {
        say(`${this.#written} rows written, ${this.deaths} deaths, ${this.#cloud.outages} outages`)
        tell += events / 10
      }
    }
    await this.kill()
    this.#cloud.calm()
    const { lateMs, overlapMs } = this.#options
    await this.pass(lateMs + 2 * overlapMs)
    // What is later than the overlap is found by the hourly comparison.
    if (lateMs > overlapMs) await this.pass(150 * MINUTE)
    await this.#cut()
  }

  judge(): ModelResult {
    const { rig } = this.#cloud
    const { overlapMs } = this.#options
    const { rows, requests, logins } = rig.simulator.record
    const shown = new Map(rows.map(row => [eventId('cloud', 'audit', [row.id]), row]))
    const owed = new Set([...shown].filter(([, row]) => row.timestampMs >= this.#began).map(([id]) => id))
    const began = new Map(rows.filter(row => isLogin(row)).map(row => [row.sessionId, row]))
    const told = new Set<string>()
    const news = new Map<string, number>()
    let [twice, invented, wrongToken, gaps] = [0, 0, 0, 0]
    for (let after = 0; ; ) {
      const records = this.#store.read(after, 1000)
      for (const record of records) {
        after = record.seq
        const event = JSON.parse(new TextDecoder().decode(record.body)) as OpsEvent
        if (event.data.kind === 'gap') gaps++
        if (event.data.kind !== 'audit' && event.data.kind !== 'session') continue
        if (told.has(event.id)) twice++
        told.add(event.id)
        const row = shown.get(event.id)
        if (row === undefined) {
          invented++
          continue
        }
        const { actor, flags = [] } = event.data
        const id = row.tokenId ?? undefined
        const name = id === undefined ? undefined : this.#cloud.nameOf(id)
        const right = actor?.tokenId === id && actor?.tokenName === name
        if (!right || !waysIn(row, began.get(row.sessionId)).includes(actor?.via ?? '')) wrongToken++
        for (const flag of flags.filter(flag => flag === 'first-use' || flag === 'new-address')) {
          const what = flag === 'first-use' ? id : `${id} from ${actor?.address}`
          news.set(`${what}`, (news.get(`${what}`) ?? 0) + 1)
        }
      }
      if (records.length === 0) break
    }
    const count = (values: Iterable<unknown>): number => [...values].length
    const sum = (type: 'feed_recovered'): number => rig.reported(type).reduce((all, one) => all + one.count, 0)
    const oldest = rig.clock.wall() - rig.simulator.knobs.retentionMs
    return {
      written: owed.size,
      told: told.size,
      lost: count([...owed].filter(id => !told.has(id))),
      twice,
      invented,
      wrongToken,
      flaggedTwice: count([...news.values()].filter(times => times > 1)),
      laterThanOverlap: count(rows.filter(row => row.visibleAtMs - row.timestampMs > overlapMs)),
      gaps,
      repeats: rig.reported('appended').reduce((all, one) => all + one.duplicates, 0),
      recovered: sum('feed_recovered'),
      announced: count(rig.reported('advice').filter(({ text }) => text.includes('after the sweeps had passed'))),
      deaths: this.deaths,
      outages: this.#cloud.outages,
      ties: this.#cloud.ties,
      requests: requests.length,
      failed: this.#cloud.failed,
      logins: logins.length,
      purged: count(rows.filter(row => row.timestampMs < oldest)),
      hours: Math.round(rig.clock.now() / 360_000) / 10,
    }
  }
}

const isLogin = ({ type, tokenId }: RowRecord): boolean => type === 'session/login' && tokenId === null

/** How whoever did it may be said to have been logged in: `login` is the row that began the session. */
function waysIn(row: RowRecord, login: RowRecord | undefined): readonly string[] {
  if (row.tokenId !== null) return ['token']
  if (login === undefined) return ['unknown']
  // By another cell's clock the login may come after what was done: then it may not have been read yet.
  const isBefore = login.timestampMs <= row.timestampMs && login.visibleAtMs <= row.visibleAtMs
  return isBefore ? ['interactive'] : ['interactive', 'unknown']
}

/** Runs it whole. Everything is from the seed but how answers and the clock interleave. */
export async function runModel(options: ModelOptions): Promise<ModelResult> {
  // So short that it takes rows away while outages are caught up with; what the hourly comparison finds must still be there.
  const retentionMs = options.lateMs > options.overlapMs ? 4 * 60 * MINUTE : 75 * MINUTE
  const cloud = await ModelCloud.start({ seed: options.seed, lateMs: options.lateMs, retentionMs })
  const { rig } = cloud
  const limits = { maxBytes: 2 ** 33, retainAckedMs: 0, maxDeadLetters: 10 }
  const report = (happening: (typeof rig.happenings)[number]): void => void rig.happenings.push(happening)
  const store = await openStore({ stateDir: join(rig.directory, 'state'), ...limits, clock: rig.clock, report })
  try {
    const run = new ModelRun(options, cloud, new MortalStore(store))
    await run.live()
    return run.judge()
  } finally {
    const closing = store.close()
    await rig.clock.advance(SECOND)
    await closing
    await rig.end()
  }
}
