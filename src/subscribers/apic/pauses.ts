/** Holds the socket back while more waits than shall be kept, and knows what a pause may have cost. */
import type { Clock } from '../../scheduler/clock.ts'
import type { Core } from './core.ts'
import type { Hole } from './hole.ts'

/** A pause longer than this may have cost pushes: everything is compared anew. */
const LONG_PAUSE_MS = 10_000

/** Where a hole begins, by the fabric's clock, and why it is one. */
export type Missed = Pick<Hole, 'fromMs' | 'reason'>

export interface PausesOptions {
  readonly core: () => Pick<Core, 'clock' | 'report' | 'source' | 'tuning' | 'fabricNow'>
  readonly clock: Clock
  readonly socket: () => { pause(): void; resume(): void } | undefined
  /** What was pushed waits still to be stored. */
  readonly isBehind: () => boolean
  /** The store stands at its limit. */
  readonly isFull: () => boolean
  /** A long pause is over. It outlasted a subscription: what waited at the controller may never come. */
  readonly onLong: (missed: Missed | undefined) => void
}

export class Pauses {
  readonly #options: PausesOptions
  #since: number | undefined
  #resumedAt = Number.NEGATIVE_INFINITY
  /** The store was full at its begin. */
  #full = false

  constructor(options: PausesOptions) {
    this.#options = options
  }

  /** True during a pause, and for so long after the last one. */
  within(ms: number): boolean {
    return this.#since !== undefined || this.#options.clock.now() - this.#resumedAt < ms
  }

  pause(): void {
    const { socket, clock, isFull } = this.#options
    const open = socket()
    if (this.#since !== undefined || open === undefined) return
    this.#since = clock.now()
    this.#full = isFull()
    open.pause()
    this.#tell(true)
  }

  /** Whoever else has too much waiting says so by a pause of his own; the store's word counts for all. */
  resume(): void {
    const { socket, core, isFull, isBehind, onLong } = this.#options
    if (this.#since === undefined || isBehind()) return
    // The store may have filled up since: it is well again only some way below its limit.
    const full = this.#full || isFull()
    const ms = this.#end(this.#since)
    socket()?.resume()
    const { tuning, fabricNow } = core()
    if (ms <= LONG_PAUSE_MS) return
    const isHole = ms > tuning.subscriptionLifeMs
    onLong(isHole ? { fromMs: fabricNow() - ms, reason: full ? 'backlog_limit' : 'paused' } : undefined)
  }

  /** The socket is gone, and nothing is held back any more. */
  over(): void {
    if (this.#since !== undefined) this.#end(this.#since)
  }

  #end(since: number): number {
    this.#since = undefined
    this.#resumedAt = this.#options.clock.now()
    const ms = this.#resumedAt - since
    this.#tell(false, ms)
    return ms
  }

  #tell(paused: boolean, ms = 0): void {
    const { core, isFull } = this.#options
    const { report, source } = core()
    report({ type: 'source_paused', source: source.name, paused, full: paused ? this.#full : isFull(), ms })
  }
}
