/** The daemon put together: opens the rooms in order, closes them in reverse under one deadline. */
import type { Loaded } from './config/load.ts'
import type { Config } from './config/schema.ts'
import { describe, Retryable } from './errors.ts'
import { type RunningHttp, startHttp } from './ops/http.ts'
import { createOps, type Ops } from './ops/ops.ts'
import type { Pull } from './ops/pull.ts'
import { createNotifier } from './ops/systemd.ts'
import { asHttp, type ReloadAnswer, Reloader } from './reload.ts'
import { answerReplay } from './replay/answer.ts'
import { Replayer } from './replay/replayer.ts'
import type { Cancel, Clock } from './scheduler/clock.ts'
import { every } from './scheduler/interval.ts'
import { natsSink } from './sinks/nats.ts'
import { startPump } from './sinks/pump.ts'
import type { PumpOptions } from './sinks/pump-contract.ts'
import { stdoutSink } from './sinks/stdout.ts'
import { SourceSet } from './source-set.ts'
import type { LostState } from './store/database.ts'
import { openStore } from './store/open.ts'
import type { SqliteStore } from './store/store.ts'
import type { Subscriber } from './subscribers/contract.ts'
import { tellForgotten, tellLostState, wordsOfLoss } from './subscribers/lost-state.ts'

export interface AppOptions {
  readonly config: Config
  /** Path and SHA-256 of the config file, for the status page. */
  readonly origin: { readonly path: string; readonly hash: string }
  /** Reads the config anew, for a reload. Throws `ConfigInvalid`. */
  readonly load: () => Promise<Loaded>
  readonly version: string
  readonly clock: Clock
  /** Aborted to force the stop. */
  readonly force: AbortSignal
}

export interface App {
  /** Where `/status` and `/metrics` answer. */
  readonly url: string
  readonly ops: Ops
  /** Resolves when standard output is closed for good, or another process has the `state_dir`: nothing can be delivered, or kept, any more. */
  readonly gone: Promise<Error>
  /** Takes up what differs in the config file. Never rejects: what stands in the way is logged, and in the answer. */
  reload(): Promise<ReloadAnswer>
  /** Graceful, within `shutdown_timeout`: what is undelivered by then lies in the store. Idempotent, never rejects. */
  stop(): Promise<void>
}

/** Part of the time left that the sources may take to stop; the rest is for what they still gave to be delivered. */
const SOURCES_SHARE = 0.5

/** Asked for before everything stands. */
const STARTING: ReloadAnswer = { outcome: 'stopping', changed: [], problems: ['the daemon is still starting'] }

/** How often the store looks whether its files are still there, ms. */
const LOOK_MS = 5000

/** How much later than its time a step may end before it is left behind, ms. */
const LATE_MS = 1000

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
  let store: SqliteStore | undefined
  let sources: SourceSet | undefined
  const pull: Pull = {
    store: () =>
      store === undefined
        ? undefined
        : { ...store.stats(), maxBytes: config.store.max_bytes, durable: config.state_dir !== undefined },
    leases: () => sources?.leases() ?? [],
    sessions: () => sources?.sessions() ?? [],
    gauges: () => sources?.gauges() ?? { faults: [], health: [], nodes: [] },
  }
  const ops = createOps({ clock, version, logLevel: config.log.level, config: origin, pull })
  const { report } = ops
  steps.push({ name: 'ops', run: async () => ops.close() })
  let reloader: Reloader | undefined
  let replayer: Replayer | undefined
  const reload = (): Promise<ReloadAnswer> => reloader?.reload() ?? Promise.resolve(STARTING)
  const stop = stopper(steps, clock, () => (reloader?.config ?? config).shutdown_timeout, ops)
  try {
    const losses: LostState[] = []
    let tellLoss = (lost: LostState): void => {
      losses.push(lost)
    }
    const taken = Promise.withResolvers<Error>()
    store = await openStore({
      onLostState: lost => tellLoss(lost),
      onTaken: error => taken.resolve(error),
      stateDir: config.state_dir,
      thread: true,
      maxBytes: config.store.max_bytes,
      retainAckedMs: config.nats?.retain_acked ?? 0,
      maxDeadLetters: config.dead_letters.max,
      clock,
      report,
    })
    const opened = store
    if (opened.lostState !== undefined) losses.push(opened.lostState)
    const looking = new AbortController()
    void every(clock, LOOK_MS, async () => opened.look(), { signal: looking.signal, immediately: false })
    steps.push({ name: 'store', run: () => opened.close().finally(() => looking.abort()) })

    const http: RunningHttp = await startHttp(config.http, ops, {
      clock,
      reload: async () => asHttp(await reload()),
      replay: (body, signal) => answerReplay(replayer, body, signal, clock),
    })
    steps.push({ name: 'http', run: () => http.close() })

    const notifier = createNotifier({
      clock,
      healthy: () => ops.health().alive,
      summary: () => ops.summary(),
      onProblem: text => ops.log.write('warn', text),
    })
    steps.push({ name: 'systemd', run: () => notifier.close() })

    const sink = config.nats === undefined ? stdoutSink() : natsSink(config.nats, { clock, report })
    const running = new SourceSet({ clock, report, store, stateDir: config.state_dir })
    sources = running
    const onForgotten: PumpOptions['onForgotten'] = lost =>
      tellForgotten({ subscribers: running.subscribers, store: opened, clock, report }, lost, force)
    const pump = startPump({ store, sink, clock, report, signal: force, onForgotten })
    steps.push({ name: 'delivery', run: leftMs => pump.stop(leftMs) })

    steps.push({ name: 'sources', run: leftMs => stopSources(running, leftMs * SOURCES_SHARE, options) })
    running.start(config.sources)
    const replaying = new Replayer({
      ...{ store, sink, clock, report },
      log: (level, text) => ops.log.write(level, text),
      sources: () => running.replaySources(),
      sinkTrouble: () => (pump.state().up ? undefined : pump.state().detail),
    })
    replayer = replaying
    steps.push({ name: 'replay', run: () => replaying.close() })
    tellLoss = lost => void tellLost(opened, lost, running.subscribers, options, ops)
    for (const lost of losses.splice(0)) tellLoss(lost)

    const taking = new Reloader({ config, load: options.load, clock, ops, notifier, http, sources })
    reloader = taking
    steps.push({ name: 'reload', run: async () => taking.close() })
    steps.push({ name: 'notify', run: async () => notifier.stopping() })
    report({ type: 'daemon', state: 'ready', detail: http.url })
    notifier.ready()
    return { url: http.url, ops, gone: Promise.race([pump.gone, taken.promise]), reload, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Runs the steps in reverse, each to its end, a failing one too; one deadline over all. */
function stopper(steps: readonly Step[], clock: Clock, timeoutMs: () => number, ops: Ops): () => Promise<void> {
  const run = async (): Promise<void> => {
    const end = clock.now() + timeoutMs()
    ops.report({ type: 'daemon', state: 'stopping' })
    for (const step of [...steps].reverse()) {
      try {
        await within(step, Math.max(0, end - clock.now()), clock)
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

/** A step that goes on past its time is left behind: the process ends with it, and what was committed is in the store. */
async function within(step: Step, leftMs: number, clock: Clock): Promise<void> {
  let cancel: Cancel = () => undefined
  const late = new Promise<never>((_, reject) => {
    cancel = clock.after(leftMs + LATE_MS, () => reject(new Retryable('timeout', 'it did not end in time')))
  })
  try {
    await Promise.race([step.run(leftMs), late])
  } finally {
    cancel()
  }
}

/** All sources at once, each with the same time; a forced stop cuts them short. */
async function stopSources(sources: SourceSet, withinMs: number, { clock, force }: AppOptions): Promise<void> {
  const deadline = new AbortController()
  const cancel = clock.after(withinMs, () => deadline.abort())
  try {
    const signal = AbortSignal.any([deadline.signal, force])
    await sources.stop(signal)
  } finally {
    cancel()
  }
}

/** A damaged store file was moved aside: what it held is lost, and each source says so once. Never rejects. */
async function tellLost(
  store: SqliteStore,
  lost: LostState,
  subscribers: readonly Subscriber[],
  { clock, force }: AppOptions,
  { report, log }: Ops,
): Promise<void> {
  log.write('error', wordsOfLoss(lost))
  try {
    await tellLostState({ subscribers, store, clock, report }, force)
  } catch (error) {
    log.write('error', `the loss of the store's state could not be told: ${describe(error)}`)
  }
}
