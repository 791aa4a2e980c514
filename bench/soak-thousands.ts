/**
 * Thousands of subscriptions on one slow controller: does each get its refresh in time? Controller and daemon are two
 * processes; the judge is the controller's own record.
 */
import { writeFileSync } from 'node:fs'
import { describe } from '../src/errors.ts'
import { sleep, systemClock } from '../src/scheduler/clock.ts'
import { makeCertificate } from '../src/simulators/server.ts'
import { Broker } from './broker.ts'
import { Daemon, FROM_SOURCE } from './daemon.ts'
import { load, machine, machineLine, today } from './machine.ts'
import type { ControllerHears, ControllerReport, ControllerSays } from './messages.ts'
import { valuesOf } from './scrape.ts'
import { Partner, type Scratch } from './scratch.ts'
import { mebi, seconds } from './soak-report.ts'
import { type Cells, table } from './table.ts'
import { peakBytes, residentBytes } from './usage.ts'

export interface ThousandsOptions {
  readonly subscriptions: number
  readonly lives: number
  readonly latencyMs: number
  readonly concurrency: number
  readonly natsVersion: string | undefined
  /** Ends the run early, with the figures so far. */
  readonly stop: AbortSignal
  readonly say: (text: string) => void
}

/** What a subscription lives without `refresh-timeout`. */
const LIFE_MS = 60_000
const REPORT_MS = 60_000
const SCRAPE_MS = 2000
/** All of them must exist within this. */
const CREATE_MS = 20 * 60_000

/** Prints the table on standard output; true when every subscription was made and none lapsed. */
export async function soakThousands(scratch: Scratch, options: ThousandsOptions): Promise<boolean> {
  const { subscriptions, concurrency, latencyMs } = options
  const loadBefore = load()
  const { key, cert } = await makeCertificate()
  const [keyFile, certificateFile] = [scratch.path('key'), scratch.path('certificate')]
  writeFileSync(keyFile, key, { mode: 0o600 })
  writeFileSync(certificateFile, cert)
  const broker = await Broker.start(scratch, options.natsVersion)
  const args = [keyFile, certificateFile, String(latencyMs), String(subscriptions)]
  const controller = new Partner<ControllerSays, ControllerHears>(scratch, 'soak-controller.ts', args, {
    detached: true,
  })
  try {
    const { url } = await controller.next('listening')
    const daemon = Daemon.spawn({
      scratch,
      entry: FROM_SOURCE,
      fabric: url,
      certificateFile,
      nats: broker.url,
      stream: 'THOUSANDS',
      classes: [],
      source: [`    max_concurrency: ${concurrency}`, '    health_scopes: []'],
      subscriptions: Array.from({ length: subscriptions }, (_, index) => `{ mo: uni/tn-${index + 1} }`),
    })
    const run = new Thousands(options, controller, daemon)
    const { text, isSound } = await run.run()
    process.stdout.write(`\n${machineLine(today(), machine(broker.version, loadBefore))}\n\n${text}\n`)
    return isSound
  } finally {
    await controller.end()
    await broker.close()
  }
}

class Thousands {
  readonly #options: ThousandsOptions
  readonly #controller: Partner<ControllerSays, ControllerHears>
  readonly #daemon: Daemon
  #smallestMargin = Number.POSITIVE_INFINITY
  #longestLag = 0
  /** Wall ms when all existed. */
  #completeAt = Number.NaN
  #requestsComplete = Number.NaN
  #rssComplete = Number.NaN

  constructor(options: ThousandsOptions, controller: Partner<ControllerSays, ControllerHears>, daemon: Daemon) {
    this.#options = options
    this.#controller = controller
    this.#daemon = daemon
  }

  async run(): Promise<{ text: string; isSound: boolean }> {
    const { stop, subscriptions } = this.#options
    const broken = new AbortController()
    let trouble: unknown
    const watching = new AbortController()
    const watch = this.#watch(watching.signal).catch((error: unknown) => {
      trouble = error
      broken.abort()
    })
    const over = AbortSignal.any([stop, broken.signal])
    await this.#create(over)
    if (!Number.isNaN(this.#completeAt)) await this.#live(over)
    else if (!over.aborted) trouble ??= new Error(`not all ${subscriptions} were made within ${CREATE_MS / 60_000} min`)
    watching.abort()
    await watch
    // Before the stop: it ends all subscriptions, and no refresh is owed any more.
    const report = await this.#ask()
    const endedAt = systemClock.wall()
    const [rss, peak] = [residentBytes(this.#daemon.pid), peakBytes(this.#daemon.pid)]
    await this.#daemon.stop().catch((error: unknown) => {
      trouble ??= error
    })
    return this.#tell(report, endedAt, rss, peak, trouble)
  }

  async #create(signal: AbortSignal): Promise<void> {
    const { subscriptions, say } = this.#options
    const end = systemClock.now() + CREATE_MS
    for (let turn = 1; !signal.aborted && systemClock.now() < end; turn++) {
      const { alive, made, lapses, lastMadeAt, requests } = await this.#ask()
      if (alive >= subscriptions) {
        this.#completeAt = lastMadeAt
        this.#requestsComplete = requests
        this.#rssComplete = residentBytes(this.#daemon.pid)
        say(`all ${alive} exist`)
        return
      }
      if (turn % 10 === 0) say(`${alive} of ${subscriptions} exist; ${made} made, ${lapses} lapsed`)
      await sleep(systemClock, 1000, signal).catch(() => undefined)
    }
  }

  async #live(signal: AbortSignal): Promise<void> {
    const { lives, say } = this.#options
    const end = this.#completeAt + lives * LIFE_MS
    for (;;) {
      const left = end - systemClock.wall()
      if (left <= 0 || signal.aborted) return
      await sleep(systemClock, Math.min(left, REPORT_MS), signal).catch(() => undefined)
      const { alive, made, lapses, requests, widestGapMs } = await this.#ask()
      const words = [
        `${alive} alive`,
        `${made} made`,
        `${lapses} lapsed`,
        `${this.#mean(requests, systemClock.wall())} requests a second`,
        `widest gap ${seconds(widestGapMs)} s`,
        `smallest margin ${this.#smallestMargin.toFixed(1)} s`,
        `RSS ${mebi(residentBytes(this.#daemon.pid))} MiB`,
      ]
      say(`${((systemClock.wall() - this.#completeAt) / LIFE_MS).toFixed(1)} lives: ${words.join(', ')}`)
    }
  }

  /** Keeps the smallest margin and the longest lag; throws when the daemon is gone. */
  async #watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.#daemon.isReady) {
        const page = await this.#daemon.get('/metrics')
        const margins = valuesOf(page, 'opswire_lease_margin_seconds', 'lease="subscription"')
        this.#smallestMargin = Math.min(this.#smallestMargin, ...margins)
        this.#longestLag = Math.max(this.#longestLag, ...valuesOf(page, 'opswire_event_loop_lag_seconds'))
      }
      await sleep(systemClock, SCRAPE_MS, signal).catch(() => undefined)
    }
  }

  /** Requests per second since all existed. */
  #mean(requests: number, now: number): string {
    return (((requests - this.#requestsComplete) * 1000) / (now - this.#completeAt)).toFixed(1)
  }

  #ask(): Promise<ControllerReport> {
    this.#controller.tell({ ask: 'report' })
    return this.#controller.next('report')
  }

  #tell(
    report: ControllerReport,
    endedAt: number,
    rss: number,
    peak: number,
    trouble: unknown,
  ): { text: string; isSound: boolean } {
    const { subscriptions, lives, latencyMs, concurrency } = this.#options
    const lapses = report.lapses + report.lapsedSessions
    const livedMs = endedAt - this.#completeAt
    const isWhole = livedMs >= lives * LIFE_MS
    const isSound = trouble === undefined && lapses === 0 && report.alive >= subscriptions
    const rows: Cells[] = [
      ['lives of 60 s', (livedMs / LIFE_MS).toFixed(1)],
      ['subscriptions alive at the end / ever made', `${report.alive} / ${report.made}`],
      ['leases lapsed (subscriptions and sessions)', lapses],
      ['refreshes refused / answers other than 200', `${report.refusedRefreshes} / ${report.refused}`],
      ['sessions opened / logins', `${report.sessions} / ${report.logins}`],
      ['from the login until all existed, s', seconds(this.#completeAt - report.firstLoginAt)],
      ['requests per second, mean once all existed', this.#mean(report.requests, endedAt)],
      ['requests in the busiest second', report.busiestSecond],
      ['longest that one waited for a refresh, s', seconds(report.widestGapMs)],
      ['smallest margin that the daemon told, s', this.#smallestMargin.toFixed(1)],
      ['longest event loop lag, s', this.#longestLag.toFixed(2)],
      ['daemon RSS when all existed / end / peak, MiB', [this.#rssComplete, rss, peak].map(mebi).join(' / ')],
    ]
    const name = `${subscriptions} subscriptions, ${latencyMs} ms, max_concurrency ${concurrency}`
    const parts = [table([isWhole ? name : `${name}, cut short`, ''], rows)]
    if (trouble !== undefined) parts.push(`broken off: ${describe(trouble)}`)
    parts.push(isSound ? 'Nothing lapsed.' : 'FAILED')
    return { text: parts.join('\n\n'), isSound }
  }
}
