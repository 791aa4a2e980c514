/** The ops room, put together: one `report` goes in, log, metrics, status and health come out. */
import { describe } from '../errors.ts'
import type { Report } from '../report.ts'
import type { Clock } from '../scheduler/clock.ts'
import { culprits, type Health, health, LoopLag, type Readiness, readiness } from './health.ts'
import { createLog, type Log, type LogLevel } from './log.ts'
import { createMetrics } from './metrics.ts'
import { Model } from './model.ts'
import { Narrator } from './narrate.ts'
import type { Pull } from './pull.ts'
import { createReporter } from './reporter.ts'
import { type StatusDocument, statusDocument } from './status.ts'
import { Tallies } from './tallies.ts'

export interface OpsOptions {
  readonly clock: Clock
  /** Version of opswire. */
  readonly version: string
  /** Version of Node; this process's when left out. */
  readonly node?: string
  readonly logLevel: LogLevel
  /** Takes the log's lines instead of stderr. */
  readonly logSink?: (line: string) => void
  /** The config file that is in force, and the SHA-256 of its text. */
  readonly config?: { readonly path: string; readonly hash: string }
  readonly pull: Pull
}

export interface Ops {
  readonly log: Log
  readonly report: Report
  /** The metrics page, in Prometheus text format. */
  metrics(): Promise<string>
  status(): StatusDocument
  health(): Health
  ready(): Readiness
  /** One line for `systemctl status`. */
  summary(): string
  /** Stops the one timer; everything can still be asked. */
  close(): void
}

/** Starts one timer of the clock (the event loop's lag), nothing else. */
export function createOps(options: OpsOptions): Ops {
  const { clock, version } = options
  const node = options.node ?? process.version
  const log = createLog({ level: options.logLevel, clock, sink: options.logSink })
  const model = new Model(clock, options.config)
  const tallies = new Tallies(() => clock.wall())
  const lag = new LoopLag(clock)
  const pull = guarded(options.pull, log)
  const metrics = createMetrics({ clock, version, node, model, tallies, lag, pull })
  const startedNow = clock.now()
  const ready = (): Readiness => readiness(model, pull.store(), clock)
  return {
    log,
    report: createReporter({ log, narrator: new Narrator(log, clock), model, tallies }),
    metrics: () => metrics.page(),
    status: () =>
      statusDocument(
        model,
        {
          version,
          node,
          startedMs: model.startedMs,
          startedNow,
          store: pull.store(),
          leases: pull.leases(),
          sessions: pull.sessions(),
        },
        clock,
      ),
    health: () => health(model, lag, clock),
    ready,
    summary() {
      const sources = [...model.sources.values()]
      const up = sources.filter(source => source.isUp(clock.now())).length
      const against = culprits(ready())
      const waiting = pull.store()?.unacked ?? 0
      const trouble = against.length === 0 ? 'ready' : `not ready: ${against.join(', ')}`
      return `${up} of ${sources.length} sources up, ${waiting} events waiting, ${trouble}`
    },
    close: () => lag.close(),
  }
}

/** What can't be asked right now (a store that just closed) counts as nothing; the rest of the page still stands. */
function guarded(pull: Pull, log: Log): Pull {
  const failed = new Set<string>()
  const attempt = <T>(what: string, ask: () => T, otherwise: T): T => {
    try {
      const answer = ask()
      failed.delete(what)
      return answer
    } catch (error) {
      if (!failed.has(what)) log.write('warn', `no ${what} for metrics and status: ${describe(error)}`)
      failed.add(what)
      return otherwise
    }
  }
  return {
    store: () => attempt('store numbers', () => pull.store(), undefined),
    leases: () => attempt('lease margins', () => pull.leases(), []),
    sessions: () => attempt('sessions', () => pull.sessions(), []),
    gauges: () => attempt('mirror gauges', () => pull.gauges(), { faults: [], health: [], nodes: [] }),
  }
}
