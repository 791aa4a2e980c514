/** A replay without a daemon: with the lock, the store, the sink and, where the past is asked for, logins of its own. */
import type { Config } from '../config/schema.ts'
import { Fatal, Retryable } from '../errors.ts'
import type { Report } from '../report.ts'
import { type Clock, sleep } from '../scheduler/clock.ts'
import type { Sink } from '../sinks/contract.ts'
import { startPump } from '../sinks/pump.ts'
import type { Pump, PumpOptions } from '../sinks/pump-contract.ts'
import { restingSources } from '../source-set.ts'
import { openStore } from '../store/open.ts'
import { type Loss, tellForgotten, tellLostState, wordsOfLoss } from '../subscribers/lost-state.ts'
import { Replayer, type Tell } from './replayer.ts'
import type { Summary, Wish } from './wish.ts'

export interface OfflineOptions {
  readonly config: Config
  readonly sink: Sink
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly tell: Tell
}

/** How long a sink that does not open is waited for, ms. */
const PATIENCE_MS = 15_000
const LOOK_MS = 50
const LAST_ANSWERS_MS = 2000

/**
 * Throws `StoreLocked` when a daemon has the `state_dir`, `Fatal('config')` without one, `Retryable('sink')` when the sink does
 * not open, `Retryable('store')` when the store's file was damaged: that is told as the daemon would have told it. What was found and not delivered when it ends lies in the store, for the daemon to deliver.
 */
export async function replayOffline(
  wish: Wish,
  { config, sink, clock, signal, tell }: OfflineOptions,
): Promise<Summary> {
  const stateDir = config.state_dir
  if (stateDir === undefined) {
    throw new Fatal(
      'config',
      'no daemon answers, and without state_dir nothing outlives one: there are no dead letters, and nothing to keep what is found',
    )
  }
  const report: Report = () => undefined
  const losses: Loss[] = []
  const store = await openStore({
    stateDir,
    maxBytes: config.store.max_bytes,
    retainAckedMs: config.nats?.retain_acked ?? 0,
    maxDeadLetters: config.dead_letters.max,
    clock,
    report,
    onLostState: lost => void losses.push(lost),
  })
  if (store.lostState !== undefined) losses.push(store.lostState)
  let pump: Pump | undefined
  try {
    const sources = restingSources(config.sources, { clock, report, store, stateDir })
    const work = async (): Promise<Summary> => {
      // To show them needs nobody to deliver to.
      if (wish.what !== 'list') {
        const subscribers = sources.map(({ subscriber }) => subscriber)
        const onForgotten: PumpOptions['onForgotten'] = lost =>
          tellForgotten({ store, clock, report, subscribers }, lost, signal)
        pump = startPump({ store, sink, clock, report, onForgotten })
        await opened(pump, clock, signal)
      }
      const running = pump
      const replayer = new Replayer({
        ...{ store, sink, clock, report },
        log: () => undefined,
        sources: () => sources,
        sinkTrouble: () => (running === undefined || running.state().up ? undefined : running.state().detail),
      })
      const problem = replayer.refusal(wish)
      if (problem !== undefined) throw new Fatal('config', problem)
      return replayer.run(wish, signal, tell)
    }
    const summary = losses.length > 0 ? undefined : await work()
    if (summary !== undefined && losses.length === 0) return summary
    throw new Retryable('store', `${losses.map(wordsOfLoss).join('; ')}: what was in it can not be sent once more`)
  } finally {
    if (losses.length > 0) await tellLoss(config, { store, clock, report, stateDir })
    await pump?.stop(LAST_ANSWERS_MS)
    await store.close()
  }
}

/** The daemon that starts later finds a sound file: nobody else tells it. */
async function tellLoss(config: Config, options: Parameters<typeof restingSources>[1]): Promise<void> {
  const cut = new AbortController()
  const cancel = options.clock.after(LAST_ANSWERS_MS, () => cut.abort())
  const subscribers = restingSources(config.sources, options).map(({ subscriber }) => subscriber)
  await tellLostState({ ...options, subscribers }, cut.signal).catch(() => undefined)
  cancel()
}

async function opened(pump: Pump, clock: Clock, signal: AbortSignal): Promise<void> {
  const until = clock.now() + PATIENCE_MS
  while (!pump.state().up) {
    if (clock.now() >= until) throw new Retryable('sink', pump.state().detail)
    await sleep(clock, LOOK_MS, signal)
  }
}
