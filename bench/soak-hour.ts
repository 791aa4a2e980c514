/**
 * The long life in real time: the real daemon as a process of its own, over TLS, into a real nats-server, while its
 * socket is cut again and again. Counted from the simulator's own record.
 */
import { writeFileSync } from 'node:fs'
import { sleep, systemClock } from '../src/scheduler/clock.ts'
import { type ApicSimulator, startApicSimulator } from '../src/simulators/apic/controller.ts'
import { makeCertificate } from '../src/simulators/server.ts'
import { tap } from '../src/sinks/nats-tap.ts'
import { Broker } from './broker.ts'
import { Daemon, FROM_SOURCE } from './daemon.ts'
import { load, machine, machineLine, today } from './machine.ts'
import { sumOf, valuesOf } from './scrape.ts'
import type { Scratch } from './scratch.ts'
import { FAMILIES, Ledger } from './soak-ledger.ts'
import { Life } from './soak-life.ts'
import type { Blow, BlowKind } from './soak-recovery.ts'
import { type HourResult, hourReport, mebi } from './soak-report.ts'
import { peakBytes, residentBytes } from './usage.ts'

export interface HourOptions {
  readonly forMs: number
  readonly cutEveryMs: number
  readonly perSecond: number
  readonly natsVersion: string | undefined
  /** Ends the run early, with the count so far. */
  readonly stop: AbortSignal
  readonly say: (text: string) => void
}

const STREAM = 'SOAK'
const SCRAPE_MS = 2000
const REPORT_MS = 60_000
/** How long what is missing at the end may still take; less when somebody wants to go home. */
const GRACE_MS = 180_000
const SHORT_GRACE_MS = 60_000
/** After the last one has arrived: whatever comes twice comes soon. */
const SETTLE_MS = 3000

/** Prints the table on standard output; true when nothing was lost, doubled, told in another order, or lapsed. */
export async function soakHour(scratch: Scratch, options: HourOptions): Promise<boolean> {
  const loadBefore = load()
  const certificate = await makeCertificate()
  const certificateFile = scratch.path('certificate')
  writeFileSync(certificateFile, certificate.cert)
  const broker = await Broker.start(scratch, options.natsVersion)
  const simulator = await startApicSimulator({
    time: systemClock,
    certificate,
    users: [{ name: 'bench', password: 'bench' }],
    refreshTimeoutSeconds: 300,
  })
  try {
    simulator.fabric.knobs.auditCopies = 3
    const daemon = await Daemon.start({
      scratch,
      entry: FROM_SOURCE,
      fabric: simulator.url,
      certificateFile,
      nats: broker.url,
      stream: STREAM,
      classes: FAMILIES,
    })
    const soak = new Soak(options, simulator, daemon, broker)
    const trouble = await soak.run()
    const { text, isSound } = hourReport(soak.result(trouble))
    process.stdout.write(`\n${machineLine(today(), machine(broker.version, loadBefore))}\n\n${text}\n`)
    return isSound
  } finally {
    await simulator.close()
    await broker.close()
  }
}

class Soak {
  readonly #options: HourOptions
  readonly #simulator: ApicSimulator
  readonly #daemon: Daemon
  readonly #broker: Broker
  readonly #ledger = new Ledger()
  readonly #blows: Blow[] = []
  /** Subscriptions of one session: those of the config and those that the daemon adds for itself. */
  readonly #subscriptions: number
  readonly #startedAt = systemClock.wall()
  readonly #requestsBefore: number
  readonly #rssStart: number
  #rssEnd = Number.NaN
  #rssPeak = Number.NaN
  #entered = 0
  #page = ''
  #ranMs = 0
  readonly #margins = { session: Number.POSITIVE_INFINITY, subscription: Number.POSITIVE_INFINITY }

  constructor(options: HourOptions, simulator: ApicSimulator, daemon: Daemon, broker: Broker) {
    this.#options = options
    this.#simulator = simulator
    this.#daemon = daemon
    this.#broker = broker
    this.#subscriptions = simulator.record.subscriptions.length
    this.#requestsBefore = simulator.record.requestCount()
    this.#rssStart = residentBytes(daemon.pid)
  }

  /** The whole run, to the daemon's orderly stop. Gives what broke it off, if anything did. */
  async run(): Promise<unknown> {
    const { forMs, perSecond, stop } = this.#options
    const broken = new AbortController()
    const end = new AbortController()
    const cancel = systemClock.after(forMs, () => end.abort())
    const over = AbortSignal.any([stop, end.signal, broken.signal])
    const followed = new AbortController()
    const following = this.#follow(followed.signal)
    const life = new Life(this.#simulator)
    let trouble: unknown
    const heed = async (work: Promise<void>): Promise<void> => {
      try {
        await work
      } catch (error) {
        trouble ??= error
        broken.abort()
      }
    }
    const watching = new AbortController()
    const watch = heed(this.#watch(watching.signal))
    await Promise.all([heed(life.run(perSecond, over)), heed(this.#strike(life, over)), heed(this.#progress(over))])
    cancel()
    this.#ranMs = systemClock.wall() - this.#startedAt
    await heed(this.#grace(broken.signal.aborted))
    watching.abort()
    await watch
    this.#rssEnd = residentBytes(this.#daemon.pid)
    this.#rssPeak = peakBytes(this.#daemon.pid)
    await heed(this.#daemon.stop())
    await heed(this.#readRest())
    followed.abort()
    await heed(following)
    return trouble
  }

  /** What came of it; `trouble` is what broke the run off, if anything did. */
  result(trouble: unknown): HourResult {
    this.#enter()
    const { record } = this.#simulator
    return {
      ranMs: this.#ranMs,
      isCutShort: this.#ranMs < this.#options.forMs - 1000,
      ledger: this.#ledger,
      record,
      requests: record.requestCount() - this.#requestsBefore,
      blows: this.#blows,
      subscriptions: this.#subscriptions,
      recovered: sumOf(this.#page, 'opswire_recovered_events_total'),
      margins: this.#margins,
      rss: { start: this.#rssStart, end: this.#rssEnd, peak: this.#rssPeak },
      trouble,
    }
  }

  /** Takes what the fabric has recorded since. */
  #enter(): void {
    const { changes } = this.#simulator.fabric
    for (; this.#entered < changes.length; this.#entered++) {
      const entry = changes[this.#entered]
      if (entry !== undefined) this.#ledger.owe(entry.change, entry.at)
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    for await (const message of tap(this.#broker.config(STREAM), { signal, from: 'start' })) this.#ledger.take(message)
  }

  /** Cuts by the clock; half way after every third cut the socket falls silent instead. Each time a fault flashes by. */
  async #strike(life: Life, signal: AbortSignal): Promise<void> {
    const { cutEveryMs, forMs } = this.#options
    const plan: { kind: BlowKind; afterMs: number }[] = []
    for (let n = 1; n * cutEveryMs < forMs; n++) {
      plan.push({ kind: 'cut', afterMs: n * cutEveryMs })
      if (n % 3 === 0 && (n + 0.5) * cutEveryMs < forMs) plan.push({ kind: 'silence', afterMs: (n + 0.5) * cutEveryMs })
    }
    const start = systemClock.now()
    for (const { kind, afterMs } of plan) {
      await sleep(systemClock, start + afterMs - systemClock.now(), signal).catch(() => undefined)
      if (signal.aborted) return
      this.#blows.push({ kind, at: systemClock.wall() })
      if (kind === 'cut') this.#simulator.cutSockets()
      else this.#simulator.silenceSockets()
      await life.flash()
    }
  }

  /** Keeps the smallest margins; throws when the daemon is gone. */
  async #watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.#daemon.isReady) {
        this.#page = await this.#daemon.get('/metrics')
        for (const lease of ['session', 'subscription'] as const) {
          const margins = valuesOf(this.#page, 'opswire_lease_margin_seconds', `lease="${lease}"`)
          this.#margins[lease] = Math.min(this.#margins[lease], ...margins)
        }
      }
      await sleep(systemClock, SCRAPE_MS, signal).catch(() => undefined)
    }
  }

  async #progress(signal: AbortSignal): Promise<void> {
    for (let minute = 1; ; minute++) {
      const wait = this.#startedAt + minute * REPORT_MS - systemClock.wall()
      await sleep(systemClock, wait, signal).catch(() => undefined)
      if (signal.aborted) return
      this.#enter()
      const { lost, surplus, arrived } = this.#ledger.judge()
      const { record } = this.#simulator
      const words = [
        `${arrived} in the stream`,
        `${lost.length} missing`,
        `${surplus.length} too many`,
        `${this.#blows.length} blows`,
        `${record.sessions.length} sessions`,
        `${record.lapses.length + record.lapsedSessions.length} lapses`,
        `${this.#ledger.gaps.length} gaps`,
        `margin ${this.#margins.subscription.toFixed(1)} s`,
        `RSS ${mebi(residentBytes(this.#daemon.pid))} MiB`,
      ]
      this.#options.say(`${minute} min: ${words.join(', ')}`)
    }
  }

  /** Waits until everything owed is there, and a little longer for what comes twice. */
  async #grace(isShort: boolean): Promise<void> {
    const { say, stop } = this.#options
    say('the fabric is quiet; waiting for what is missing …')
    this.#enter()
    const start = systemClock.now()
    const left = (): number => start + (isShort || stop.aborted ? SHORT_GRACE_MS : GRACE_MS) - systemClock.now()
    while (this.#ledger.judge().lost.length > 0 && left() > 0 && this.#daemon.isReady) await sleep(systemClock, 250)
    await sleep(systemClock, SETTLE_MS)
  }

  /** The stop delivers too: reads on until the stream's last message was taken. */
  async #readRest(): Promise<void> {
    const taken = (): number => {
      const { arrived, gaps, health, strange } = this.#ledger
      return arrived + gaps.length + health.length + strange.length
    }
    const held = await this.#broker.count(STREAM)
    const end = systemClock.now() + SHORT_GRACE_MS
    while (taken() < held && systemClock.now() < end) await sleep(systemClock, 50)
    if (taken() < held) throw new Error(`${held} messages in the stream, but only ${taken()} could be read`)
  }
}
