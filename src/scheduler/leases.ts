/**
 * Leases: what lapses unless renewed (an APIC subscription, a session). One queue, earliest deadline first, one timer,
 * bounded concurrency, spaced requests. Each lease counts from its own creation, never from when all were made.
 */
import type { Cancel, Clock } from './clock.ts'

export interface LeaseTerms {
  /** How long it lives from its creation or last renewal, ms. */
  readonly lifeMs: number
  /** Renew this long after that: early, so that one refusal by an overloaded server costs nothing. */
  readonly renewMs: number
}

export interface LeaseOptions extends LeaseTerms {
  readonly name: string
  /** Leases of a lower number go first when several are due. */
  readonly rank: number
  /**
   * Renews; may return new terms. Rejects when that failed. The signal aborts when the lease is dropped or over.
   */
  renew(signal: AbortSignal): Promise<LeaseTerms | undefined>
  /** The renewal failed in a way that no second try mends (the server says that it is gone). */
  isFinal(error: unknown): boolean
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

interface Held extends Lease {
  readonly options: LeaseOptions
  readonly abort: AbortController
  terms: LeaseTerms
  /** Monotonic ms. */
  bornAt: number
  dueAt: number
  failures: number
  busy: boolean
  gone: boolean
  cancelEnd: Cancel | undefined
}

export interface LeaseKeeperOptions {
  readonly clock: Clock
  /** Renewals under way at once. */
  readonly maxConcurrency: number
  /** Least time between the starts of two renewals, ms: bursts are what an APIC's web server chokes on. */
  readonly spacingMs: number
}

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions
  readonly #held = new Set<Held>()
  #busy = 0
  #lastStart = Number.NEGATIVE_INFINITY
  #cancelTimer: Cancel | undefined
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
      dueAt: bornAt + this.#jittered(options.renewMs),
      failures: 0,
      busy: false,
      gone: false,
      cancelEnd: undefined,
      marginMs: () => held.bornAt + held.terms.lifeMs - clock.now(),
      drop: () => this.#remove(held),
    }
    this.#held.add(held)
    this.#watchEnd(held)
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

  /** Drops all leases; renewals under way are aborted. */
  close(): void {
    this.#closed = true
    this.#cancelTimer?.()
    for (const held of [...this.#held]) this.#remove(held)
  }

  /** Up to a tenth earlier, so that leases made together don't come due together for ever. */
  #jittered(ms: number): number {
    return ms * (1 - 0.1 * this.#options.clock.random())
  }

  #remove(held: Held): void {
    if (held.gone) return
    held.gone = true
    held.cancelEnd?.()
    held.abort.abort()
    this.#held.delete(held)
    this.#arm()
  }

  #lose(held: Held, error: unknown): void {
    if (held.gone) return
    this.#remove(held)
    held.options.onLost(error)
  }

  /** The life may run out while a renewal hangs: then it is lost at that moment, not when the request times out. */
  #watchEnd(held: Held): void {
    held.cancelEnd?.()
    held.cancelEnd = this.#options.clock.after(held.marginMs(), () => {
      this.#lose(held, new Error(`${held.options.name}: not renewed within ${held.terms.lifeMs / 1000} s`))
    })
  }

  #arm(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    if (this.#closed || this.#busy >= this.#options.maxConcurrency) return
    let dueAt: number | undefined
    for (const held of this.#held) {
      if (!held.busy && (dueAt === undefined || held.dueAt < dueAt)) dueAt = held.dueAt
    }
    if (dueAt === undefined) return
    const { clock, spacingMs } = this.#options
    const at = Math.max(dueAt, this.#lastStart + spacingMs)
    this.#cancelTimer = clock.after(at - clock.now(), () => this.#tick())
  }

  #tick(): void {
    const now = this.#options.clock.now()
    let next: Held | undefined
    for (const held of this.#held) {
      if (held.busy || held.dueAt > now) continue
      if (next === undefined || moreUrgent(held, next)) next = held
    }
    if (next !== undefined && this.#busy < this.#options.maxConcurrency) {
      this.#lastStart = now
      void this.#renew(next)
    }
    this.#arm()
  }

  async #renew(held: Held): Promise<void> {
    const { clock } = this.#options
    held.busy = true
    this.#busy++
    // Counted from the start of the request: the server may have set its own clock at any moment since.
    const start = clock.now()
    try {
      const terms = await held.options.renew(held.abort.signal)
      if (held.gone) return
      held.options.onRenewed(held.failures === 0 ? 'ok' : 'retried')
      if (terms !== undefined) held.terms = terms
      held.failures = 0
      held.bornAt = start
      held.dueAt = start + this.#jittered(held.terms.renewMs)
      this.#watchEnd(held)
    } catch (error) {
      if (held.gone) return
      const final = held.options.isFinal(error)
      held.options.onRenewed(final ? 'refused' : 'failed')
      if (final) this.#lose(held, error)
      // Again within what is left: each wait is a quarter of the margin, so several tries fit before the end.
      else held.dueAt = clock.now() + Math.max(held.marginMs() / 4, 50)
      held.failures++
    } finally {
      held.busy = false
      this.#busy--
      this.#arm()
    }
  }
}

/** Of those that are due: the one whose life ends first. */
function moreUrgent(a: Held, b: Held): boolean {
  if (a.options.rank !== b.options.rank) return a.options.rank < b.options.rank
  return a.bornAt + a.terms.lifeMs < b.bornAt + b.terms.lifeMs
}
