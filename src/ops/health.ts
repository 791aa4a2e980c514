/** Liveness and readiness: does the process work, and does it do its work. */

import { sentence } from '../feed-health.ts'
import type { Cancel, Clock } from '../scheduler/clock.ts'
import type { Model } from './model.ts'
import type { StoreView } from './pull.ts'
import type { SourceModel } from './source-model.ts'

const TICK_MS = 1000
/** How many ticks the lag gauge looks back: longer than the usual time between two scrapes. */
const WINDOW = 30
/** A timer overdue by more is no load peak: timers have stopped. */
const STUCK_MS = 30_000
/** A promised attempt may take long (a slow login, a large snapshot), but not in silence for this long. */
const SILENT_ATTEMPT_MS = 15 * 60_000

/** How late the event loop runs its timers. Holds one timer of the clock until `close`. */
export class LoopLag {
  readonly #clock: Clock
  readonly #lags: number[] = []
  #dueAt: number
  #cancel: Cancel

  constructor(clock: Clock) {
    this.#clock = clock
    this.#dueAt = clock.now() + TICK_MS
    this.#cancel = clock.after(TICK_MS, this.#tick)
  }

  /** The longest lag of the last 30 s, in ms, the tick that is overdue right now included. */
  get ms(): number {
    return Math.max(0, this.overdueMs, ...this.#lags)
  }

  get overdueMs(): number {
    return Math.max(0, this.#clock.now() - this.#dueAt)
  }

  close(): void {
    this.#cancel()
  }

  readonly #tick = (): void => {
    this.#lags.push(this.overdueMs)
    if (this.#lags.length > WINDOW) this.#lags.shift()
    this.#dueAt = this.#clock.now() + TICK_MS
    this.#cancel = this.#clock.after(TICK_MS, this.#tick)
  }
}

export interface Health {
  readonly alive: boolean
  /** Why not; empty when alive. */
  readonly why: string
  readonly lagSeconds: number
}

/**
 * Liveness: timers fire, and every source that has no session is still being tried. A source that is down, a full
 * store or a broker that is away is no reason to be restarted. Stays green while the daemon stops.
 */
export function health(model: Model, lag: LoopLag, clock: Clock): Health {
  const why: string[] = []
  if (lag.overdueMs > STUCK_MS) why.push(`the event loop's timer is ${Math.round(lag.overdueMs / 1000)} s overdue`)
  const stopping = model.daemon === 'stopping' || model.daemon === 'stopped' || model.daemon === 'forced'
  if (!stopping) {
    for (const source of model.sources.values()) {
      if (isForgotten(source, clock.now())) why.push(`nobody tries to open ${source.name} any more`)
    }
  }
  return { alive: why.length === 0, why: why.join('; '), lagSeconds: lag.ms / 1000 }
}

function isForgotten(source: SourceModel, now: number): boolean {
  if (source.retryAt === undefined) return false
  return now - Math.max(source.retryAt, source.heardNow) > SILENT_ATTEMPT_MS
}

export interface Check {
  readonly name: string
  readonly ok: boolean
  /** False for a source that does not count (`required: false`). */
  readonly required: boolean
  /** What is wrong, in words; empty when it is ok. */
  readonly why: string
}

export interface Readiness {
  readonly ready: boolean
  /** One for the daemon, the store, the sink and each source. */
  readonly checks: readonly Check[]
}

/**
 * Readiness: each required source has an open session, has every feed live (or lost for a moment only) and proved alive
 * within its bound, the store is under its limit and works, the sink is up, and the daemon is not stopping.
 */
export function readiness(model: Model, store: StoreView | undefined, clock: Clock): Readiness {
  const checks: Check[] = [daemonCheck(model), storeCheck(model, store), sinkCheck(model)]
  for (const source of model.sources.values()) {
    const doubts = source.doubts(clock.now())
    const why = sentence(doubts)
    checks.push({ name: `source ${source.name}`, ok: doubts.length === 0, required: source.required, why })
  }
  return { ready: checks.every(check => check.ok || !check.required), checks }
}

/** The names of what keeps it from being ready. */
export function culprits({ checks }: Readiness): string[] {
  return checks.flatMap(({ name, ok, required }) => (ok || !required ? [] : [name]))
}

function required(name: string, why: string): Check {
  return { name, ok: why === '', required: true, why }
}

function daemonCheck(model: Model): Check {
  const { daemon } = model
  if (daemon === 'stopping' || daemon === 'stopped' || daemon === 'forced') return required('daemon', `it is ${daemon}`)
  return required('daemon', model.sources.size === 0 ? 'no source has been started yet' : '')
}

/** Not ok while the disk refuses writes and while the store is at its limit. */
export function storeCheck(model: Model, view: StoreView | undefined): Check {
  if (view === undefined) return required('store', 'it is not open')
  const { store } = model
  if (store?.state === 'failing' || store?.state === 'full') {
    return required('store', `it is ${store.state}${store.detail === '' ? '' : `: ${store.detail}`}`)
  }
  if (view.bytes >= view.maxBytes) {
    return required('store', `it holds ${view.bytes} bytes, its limit is ${view.maxBytes}: ${view.unacked} events wait`)
  }
  return required('store', '')
}

function sinkCheck(model: Model): Check {
  const { sink } = model
  if (sink === undefined) return required('sink', 'it has not been opened yet')
  return required('sink', sink.up ? '' : `${sink.name} is down${sink.detail === '' ? '' : `: ${sink.detail}`}`)
}
