/** The daemon put together: opens the rooms in order, closes them in reverse under one deadline. */
import type { Config } from './config/schema.ts'
import { onFileChange, secretFiles } from './config/secret-watch.ts'
import type { SourceConfig } from './config/sources.ts'
import { describe } from './errors.ts'
import { gapFact, type System } from './event.ts'
import { type RunningHttp, startHttp } from './ops/http.ts'
import { createOps, type Ops } from './ops/ops.ts'
import type { Pull } from './ops/pull.ts'
import { createNotifier } from './ops/systemd.ts'
import type { Happening } from './report.ts'
import type { Clock } from './scheduler/clock.ts'
import { natsSink } from './sinks/nats.ts'
import { startPump } from './sinks/pump.ts'
import { stdoutSink } from './sinks/stdout.ts'
import type { LostState } from './store/database.ts'
import { openStore } from './store/open.ts'
import type { SqliteStore } from './store/store.ts'
import { Paces } from './subscribers/apic/pace.ts'
import { type ApicSubscriber, apicSubscriber } from './subscribers/apic/subscriber.ts'
import type { Subscriber } from './subscribers/contract.ts'
import { Intake } from './subscribers/intake.ts'
import { raasSubscriber } from './subscribers/raas/subscriber.ts'
import { type Runner, startRunner } from './subscribers/runner.ts'
import { vcdSubscriber } from './subscribers/vcd/subscriber.ts'

export interface AppOptions {
  readonly config: Config
  /** Path and SHA-256 of the config file, for the status page. */
  readonly origin: { readonly path: string; readonly hash: string }
  readonly version: string
  readonly clock: Clock
  /** Aborted to force the stop. */
  readonly force: AbortSignal
}

export interface App {
  /** Where `/status` and `/metrics` answer. */
  readonly url: string
  readonly ops: Ops
  /** Resolves when standard output is closed for good: nothing can be delivered any more. */
  readonly gone: Promise<Error>
  /** Graceful, within `shutdown_timeout`: what is undelivered by then lies in the store. Idempotent, never rejects. */
  stop(): Promise<void>
}

/** Part of the time left that the sources may take to stop; the rest is for what they still gave to be delivered. */
const SOURCES_SHARE = 0.5

interface Step {
  readonly name: string
  /** Must end within `leftMs`. */
  run(leftMs: number): Promise<void>
}

/**
 * Starts everything. Ready when HTTP and store stand: no source and no sink is waited for. Throws `StoreLocked`, and
 * `Fatal` for a store or an address that can't be used; whatever was opened by then is closed again.
 */
export async function startApp(options: AppOptions): Promise<App> {
  const { config, clock, version, origin, force } = options
  const steps: Step[] = []
  const runners: Runner[] = []
  const apics: { name: string; subscriber: ApicSubscriber }[] = []
  let store: SqliteStore | undefined
  const pull: Pull = {
    store: () => (store === undefined ? undefined : { ...store.stats(), maxBytes: config.store.max_bytes }),
    leases: () =>
      runners.flatMap(runner =>
        Object.entries(runner.margins()).map(([lease, seconds]) => ({
          source: runner.ref.name,
          lease: lease as 'session' | 'subscription' | 'lifetime',
          seconds,
        })),
      ),
    sessions: () =>
      runners.flatMap(runner => {
        const session = runner.session()
        return session === undefined ? [] : [{ source: runner.ref.name, ...session, feedSeconds: runner.feedMargins() }]
      }),
    gauges: () => {
      const all = apics.map(({ name, subscriber }) => ({ name, gauges: subscriber.gauges() }))
      return {
        faults: all.flatMap(({ name, gauges }) => gauges.faults.map(row => ({ source: name, ...row }))),
        health: all.flatMap(({ name, gauges }) => gauges.health.map(row => ({ source: name, ...row }))),
        nodes: all.flatMap(({ name, gauges }) => gauges.nodes.map(row => ({ source: name, ...row }))),
      }
    },
  }
  const ops = createOps({ clock, version, logLevel: config.log.level, config: origin, pull })
  const { report } = ops
  steps.push({ name: 'ops', run: async () => ops.close() })
  const stop = stopper(steps, options, ops)
  try {
    const losses: LostState[] = []
    let tellLoss = (lost: LostState): void => {
      losses.push(lost)
    }
    store = await openStore({
      onLostState: lost => tellLoss(lost),
      stateDir: config.state_dir,
      maxBytes: config.store.max_bytes,
      retainAckedMs: config.nats?.retain_acked ?? 0,
      maxDeadLetters: config.dead_letters.max,
      clock,
      report,
    })
    const opened = store
    if (opened.lostState !== undefined) losses.push(opened.lostState)
    steps.push({ name: 'store', run: () => opened.close() })

    const http: RunningHttp = await startHttp(config.http, ops, { clock })
    steps.push({ name: 'http', run: () => http.close() })

    const notifier = createNotifier({
      clock,
      healthy: () => ops.health().alive,
      summary: () => ops.summary(),
      onProblem: text => ops.log.write('warn', text),
    })
    steps.push({ name: 'systemd', run: () => notifier.close() })

    const sink = config.nats === undefined ? stdoutSink() : natsSink(config.nats, { clock, report })
    const pump = startPump({ store, sink, clock, report, signal: force })
    steps.push({ name: 'delivery', run: leftMs => pump.stop(leftMs) })

    const paces = new Paces()
    const made = config.sources.map(source => {
      const subscriber = subscriberOf(source, paces)
      if (source.kind === 'apic') apics.push({ name: source.name, subscriber: subscriber as ApicSubscriber })
      return { source, subscriber }
    })
    for (const { source, subscriber } of made) {
      report(declarationOf(source, subscriber.ref.system))
    }
    tellLoss = lost => {
      const subscribers = made.map(entry => entry.subscriber)
      void tellLostState(opened, lost, subscribers, options, ops)
    }
    for (const lost of losses.splice(0)) tellLoss(lost)
    for (const { source, subscriber } of made) {
      const files = secretFiles(source)
      runners.push(
        startRunner({
          subscriber,
          store,
          clock,
          report,
          stateDir: config.state_dir,
          wake: callback => onFileChange(files, callback),
        }),
      )
    }
    steps.push({ name: 'sources', run: leftMs => stopSources(runners, leftMs * SOURCES_SHARE, options) })
    steps.push({ name: 'notify', run: async () => notifier.stopping() })
    report({ type: 'daemon', state: 'ready', detail: http.url })
    notifier.ready()
    return { url: http.url, ops, gone: pump.gone, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** What is said of a source before anything is asked of it. One address in clear text makes the whole source unverified. */
export function declarationOf(source: SourceConfig, system: System): Happening {
  const addresses = source.kind === 'apic' ? source.controllers : [source.url]
  const clear = addresses.find(address => new URL(address).protocol === 'http:')
  return {
    type: 'source_declared',
    source: source.name,
    system,
    required: source.required,
    address: clear ?? addresses[0] ?? '',
    tlsVerified: clear === undefined && (source.tls.verify || source.tls.fingerprint_sha256 !== null),
  }
}

function subscriberOf(source: SourceConfig, paces: Paces): Subscriber {
  switch (source.kind) {
    case 'apic':
      return apicSubscriber(source, {}, paces)
    case 'raas':
      return raasSubscriber(source)
    case 'vcd':
      return vcdSubscriber(source)
  }
}

/** Runs the steps in reverse, each to its end, a failing one too; one deadline over all. */
function stopper(steps: readonly Step[], { clock, config }: AppOptions, ops: Ops): () => Promise<void> {
  const run = async (): Promise<void> => {
    const end = clock.now() + config.shutdown_timeout
    ops.report({ type: 'daemon', state: 'stopping' })
    for (const step of [...steps].reverse()) {
      try {
        await step.run(Math.max(0, end - clock.now()))
      } catch (error) {
        ops.log.write('error', `stopping ${step.name}: ${describe(error)}`)
      }
    }
    ops.report({ type: 'daemon', state: 'stopped' })
  }
  let stopped: Promise<void> | undefined
  return () => {
    stopped ??= run()
    return stopped
  }
}

/** All sources at once, each with the same time; a forced stop cuts them short. */
async function stopSources(runners: readonly Runner[], withinMs: number, { clock, force }: AppOptions): Promise<void> {
  const deadline = new AbortController()
  const cancel = clock.after(withinMs, () => deadline.abort())
  try {
    const signal = AbortSignal.any([deadline.signal, force])
    await Promise.all(runners.map(runner => runner.stop(signal)))
  } finally {
    cancel()
  }
}

/** A damaged store file was moved aside: what it held is lost, and each source says so once. Never rejects. */
async function tellLostState(
  store: SqliteStore,
  lost: LostState,
  subscribers: readonly Subscriber[],
  { clock, force }: AppOptions,
  { report, log }: Ops,
): Promise<void> {
  log.write('error', `the store was damaged (${lost.reason}); it was moved to ${lost.movedTo}, a new one is in use`)
  const to = new Date(clock.wall()).toISOString()
  try {
    for (const { ref, pushes } of subscribers) {
      const gap = { feed: 'store', classes: [], from: null, to, reason: 'state_lost', recovered: 0 } as const
      const intake = new Intake({ ref, store, clock, report, overdraft: pushes })
      await intake.take({ feed: 'store', facts: [gapFact(ref, { ...gap, classes: [] })] }, force)
    }
  } catch (error) {
    log.write('error', `the loss of the store's state could not be told: ${describe(error)}`)
  }
}
