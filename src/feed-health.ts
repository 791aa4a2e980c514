/**
 * When a feed counts as unwell, and in which words. One rule for all who say something of it: the runner for the
 * source's state and its events, `ops/` for readiness, status and metrics. Pure: times are handed in.
 */
import type { FeedState } from './report.ts'

/**
 * A feed that was lost and is not live again for longer than this makes its source degraded, ms. A subscription that is
 * remade within seconds (a refused refresh) is everyday life.
 */
const FEED_GRACE_MS = 30_000

export class FeedHealth {
  readonly name: string
  /** How old the last proof of life may be, ms. */
  boundMs: number
  state: FeedState = 'starting'
  /** Why it is in this state, or why it was lost while it is being made anew. */
  why: string | undefined
  /** Monotonic ms since when it is lost, or was lost and is not live again. */
  #failingSince: number | undefined
  #provedAt: number | undefined
  readonly #bornAt: number

  /** `now`: monotonic ms, as everywhere here; without a proof the bound counts from then. */
  constructor(name: string, boundMs: number, now: number) {
    this.name = name
    this.boundMs = boundMs
    this.#bornAt = now
  }

  get proved(): boolean {
    return this.#provedAt !== undefined
  }

  /** True from the loss until it is live again. */
  get failing(): boolean {
    return this.#failingSince !== undefined
  }

  /** Takes in a state that was told. A feed that is being made anew keeps the reason of its loss. */
  say(state: FeedState, why: string | undefined, now: number): void {
    this.state = state
    if (state === 'live') this.#failingSince = undefined
    else if (state === 'lost' || state === 'disabled') this.#failingSince ??= now
    if (why !== undefined || !this.failing) this.why = why
  }

  prove(now: number): void {
    this.#provedAt = now
  }

  /** A new session begins: what the last one lost is no fault of this one. Proofs count on. */
  begin(): void {
    this.state = 'starting'
    this.#failingSince = undefined
    this.why = undefined
  }

  /**
   * Past this monotonic time it is unwell, unless it is told better by then. A disabled one is so at once: nobody tries
   * again for minutes.
   */
  get unwellAfter(): number {
    if (this.state === 'disabled') return Number.NEGATIVE_INFINITY
    const deafAfter = (this.#provedAt ?? this.#bornAt) + this.boundMs
    return this.#failingSince === undefined ? deafAfter : Math.min(deafAfter, this.#failingSince + FEED_GRACE_MS)
  }

  /** True when its last proof of life is older than its bound. */
  deaf(now: number): boolean {
    return now > (this.#provedAt ?? this.#bornAt) + this.boundMs
  }

  /** What is wrong with it, in words; undefined while it can be trusted. */
  complaint(now: number): string | undefined {
    if (now <= this.unwellAfter) return undefined
    if (this.failing) {
      return `feed ${this.name} is ${this.state}${this.why === undefined ? '' : ` (${this.why})`}`
    }
    const bound = `its bound is ${seconds(this.boundMs)} s`
    if (this.#provedAt === undefined) {
      return `feed ${this.name} has not proved itself alive for ${seconds(now - this.#bornAt)} s, ${bound}`
    }
    return `feed ${this.name} last proved itself alive ${seconds(now - this.#provedAt)} s ago, ${bound}`
  }
}

/** The first few of many complaints as one sentence; empty without any. */
export function sentence(complaints: readonly string[], count = complaints.length, named = 5): string {
  const more = count > named ? `; and ${count - named} more` : ''
  return `${complaints.slice(0, named).join('; ')}${more}`
}

function seconds(ms: number): number {
  return Math.round(ms / 1000)
}
