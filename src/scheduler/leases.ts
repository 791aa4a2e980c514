/**
 * Leases: what lapses unless renewed (an APIC subscription, a session). Each counts from its own creation, never from
 * when all were made; when it is due it asks the server's pace for a turn. One timer for all of them.
 */
import { Backoff } from './backoff.ts'
import type { Cancel, Clock } from './clock.ts'
import { Heap } from './heap.ts'
import type { Pace, Turn } from './pace.ts'

export interface LeaseTerms {
  /** How long it lives from its creation or last renewal, ms. */
  readonly lifeMs: number
  /** Renew this long after that: early, so that one refusal by an overloaded server costs nothing. */
  readonly renewMs: number
}

export interface LeaseOptions extends LeaseTerms {
  readonly name: string
  /** A session goes ahead of everything; a renewal first shares its turns with other requests, until it is pressing. */
  readonly rank: 'session' | 'renewal'
  /**
   * Renews, in its turn; may return new terms. Rejects when that failed. The signal aborts when the lease is dropped
   * or over.
   */
  renew(signal: AbortSignal): Promise<LeaseTerms | undefined>
  /** The renewal failed in a way that no second try mends (the server says that it is gone). */
  isFinal(error: unknown): boolean
  /** How long the server wants to be left alone, ms: heeded as far as the life that is left permits. */
  afterMs?(error: unknown): number | undefined
  /** Called once, when the lease is lost: refused for good, or its life ran out unrenewed. */
  onLost(error: unknown): void
  /** Told after each renewal. */
  onRenewed(result: 'ok' | 'retried' | 'refused' | 'failed'): void
}

export interface Lease {
  /** Ms of life left, by the start of the last renewal that succeeded. Negative when it is over. */
  marginMs(): number
  /** Stop renewing it; nothing is called any more. */
  drop(): void
}

/** Parts of a life: from the first a renewal is pressing, from the second late, by the third it shall be answered. */
const PRESSING = 0.5
const LATE = 0.57
const LATEST = 0.6
/** First wait after a failed renewal, as part of the life: a second or two of a minute. */
const FIRST_RETRY = 1 / 40
/** No wait is longer than this part of what is left, so that there is always another try. */
const RETRY_SHARE = 1 / 3
/** Two tries are never closer than this, ms. */
const SHORTEST_RETRY_MS = 50

interface Held extends Lease {
  readonly options: LeaseOptions
  readonly abort: AbortController
  terms: LeaseTerms
  /** Monotonic ms. */
  bornAt: number
  /** When it will be renewed; while a renewal waits or is under way, when its life ends. */
  wakeAt: number
  retry: Backoff | undefined
  busy: boolean
  gone: boolean
}

interface Wake {
  readonly at: number
  readonly held: Held
}

export interface LeaseKeeperOptions {
  readonly clock: Clock
  /** That of the server that gave the leases. */
  readonly pace: Pace
}

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions
  readonly #held = new Set<Held>()
  /** What has changed its mind since lies here as well and is passed over. */
  readonly #wakes = new Heap<Wake>((a, b) => a.at < b.at)
  #cancelTimer: Cancel | undefined
  #timerAt = Number.POSITIVE_INFINITY
  #closed = false

  constructor(options: LeaseKeeperOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#held.size
  }

  /** Starts to keep a lease whose life began at `bornAt` (monotonic ms; the start of the request that made it). */
  add(options: LeaseOptions, bornAt = this.#options.clock.now()): Lease {
    const { clock } = this.#options
    const held: Held = {
      options,
      abort: new AbortController(),
      terms: options,
      bornAt,
      wakeAt: 0,
      retry: undefined,
      busy: false,
      gone: false,
      marginMs: () => held.bornAt + held.terms.lifeMs - clock.now(),
      drop: () => this.#remove(held),
    }
    this.#held.add(held)
    this.#wakeAt(held, bornAt + this.#jittered(options.renewMs))
    this.#arm()
    return held
  }

  /** Ms of life left of the tightest lease, or undefined without any. */
  smallestMarginMs(): number | undefined {
    let smallest: number | undefined
    for (const held of this.#held) {
      const margin = held.marginMs()
      if (smallest === undefined || margin < smallest) smallest = margin
    }
    return smallest
  }

  /** Ms of life left of each lease, by name. */
  *margins(): Generator<readonly [name: string, ms: number]> {
    for (const held of this.#held) yield [held.options.name, held.marginMs()]
  }

  /** Drops all leases; renewals under way are aborted. */
  close(): void {
    this.#closed = true
    for (const held of [...this.#held]) this.#remove(held)
    this.#disarm()
  }

  /** Up to a tenth earlier, so that leases made together don't come due together for ever. */
  #jittered(ms: number): number {
    return ms * (1 - 0.1 * this.#options.clock.random())
  }

  #remove(held: Held): void {
    if (held.gone) return
    held.gone = true
    held.abort.abort()
    this.#held.delete(held)
    this.#arm()
  }

  #lose(held: Held, error: unknown): void {
    if (held.gone) return
    this.#remove(held)
    held.options.onLost(error)
  }

  /** Never past the end of its life: it may run out while a renewal waits, and is lost at that moment, not later. */
  #wakeAt(held: Held, at: number): void {
    held.wakeAt = Math.min(at, held.bornAt + held.terms.lifeMs)
    this.#wakes.push({ at: held.wakeAt, held })
  }

  #nextWake(): Wake | undefined {
    for (;;) {
      const wake = this.#wakes.peek()
      if (wake === undefined || (!wake.held.gone && wake.held.wakeAt === wake.at)) return wake
      this.#wakes.pop()
    }
  }

  #disarm(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    this.#timerAt = Number.POSITIVE_INFINITY
  }

  #arm(): void {
    const wake = this.#closed ? undefined : this.#nextWake()
    if (wake !== undefined && wake.at === this.#timerAt) return
    this.#disarm()
    if (wake === undefined) return
    this.#timerAt = wake.at
    const { clock } = this.#options
    this.#cancelTimer = clock.after(wake.at - clock.now(), () => {
      this.#disarm()
      this.#tick()
    })
  }

  #tick(): void {
    const now = this.#options.clock.now()
    for (;;) {
      const wake = this.#nextWake()
      if (wake === undefined || wake.at > now) break
      const { held } = wake
      this.#wakes.pop()
      if (held.marginMs() <= 0) {
        this.#lose(held, new Error(`${held.options.name}: not renewed within ${held.terms.lifeMs / 1000} s`))
      } else {
        this.#wakeAt(held, Number.POSITIVE_INFINITY)
        void this.#renew(held)
      }
    }
    this.#arm()
  }

  async #renew(held: Held): Promise<void> {
    const { clock, pace } = this.#options
    const { options, abort } = held
    // Counted from the start of the request: the server may have set its own clock at any moment since.
    let start = clock.now()
    try {
      const terms = await pace.run(turnOf(held), abort.signal, () => {
        start = clock.now()
        return options.renew(abort.signal)
      })
      if (held.gone) return
      options.onRenewed(held.retry === undefined ? 'ok' : 'retried')
      if (terms !== undefined) held.terms = terms
      held.retry = undefined
      held.bornAt = start
      this.#wakeAt(held, start + this.#jittered(held.terms.renewMs))
    } catch (error) {
      if (held.gone) return
      const final = options.isFinal(error)
      options.onRenewed(final ? 'refused' : 'failed')
      if (final) this.#lose(held, error)
      else this.#wakeAt(held, clock.now() + this.#retryMs(held, options.afterMs?.(error) ?? 0))
    }
    this.#arm()
  }

  /** Growing waits, so that a server in trouble is left alone; short ones, so that several tries fit before the end. */
  #retryMs(held: Held, afterMs: number): number {
    const { clock } = this.#options
    const { lifeMs } = held.terms
    held.retry ??= new Backoff(clock, { firstMs: lifeMs * FIRST_RETRY, capMs: lifeMs })
    const bound = held.retry.boundMs
    // Half jitter: at once would ask a server that has just refused.
    const wait = bound / 2 + held.retry.next() / 2
    return Math.max(SHORTEST_RETRY_MS, Math.min(Math.max(wait, afterMs), held.marginMs() * RETRY_SHARE))
  }
}

function turnOf({ options, bornAt, terms }: Held): Turn {
  if (options.rank === 'session') return { rank: 'session', living: true }
  const at = (part: number): number => bornAt + part * terms.lifeMs
  return { rank: 'renewal', pressingAt: at(PRESSING), lateAt: at(LATE), latestAt: at(LATEST) }
}
