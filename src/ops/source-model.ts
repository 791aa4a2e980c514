/** One source and its feeds, as the daemon knows them: states, proofs of life, and what speaks against them. */
import type { ErrorCode } from '../errors.ts'
import type { System } from '../event.ts'
import type { FeedState, Happening, SourceState } from '../report.ts'
import type { Clock } from '../scheduler/clock.ts'
import { printable } from './text.ts'

export interface LastError {
  readonly atMs: number
  readonly code: ErrorCode
  readonly text: string
}

export class FeedModel {
  readonly name: string
  boundMs: number
  state: FeedState = 'starting'
  /** Why it is in this state, where someone said. */
  why: string | undefined
  mode: string | undefined
  /** Every mode it was ever in: the gauge shows the others as 0. */
  readonly modes = new Set<string>()
  /** Wall ms, to be read by people; `provedNow` (monotonic) is what the bound is held against. */
  provedAtMs: number | undefined
  provedNow: number | undefined
  lastEventMs: number | undefined
  events = 0
  recovered = 0

  constructor(name: string, boundMs: number) {
    this.name = name
    this.boundMs = boundMs
  }

  /** Why this feed can't be trusted at `now` (monotonic ms); undefined while it can. */
  deafness(now: number): string | undefined {
    if (this.state === 'lost' || this.state === 'disabled') {
      return `feed ${this.name} is ${this.state}${this.why === undefined ? '' : ` (${this.why})`}`
    }
    if (this.provedNow === undefined) return `feed ${this.name} has not proved itself alive yet`
    const ageMs = now - this.provedNow
    if (ageMs <= this.boundMs) return undefined
    return `feed ${this.name} last proved itself alive ${seconds(ageMs)} s ago, its bound is ${seconds(this.boundMs)} s`
  }
}

export class SourceModel {
  readonly name: string
  system: System
  required: boolean
  address: string
  tlsVerified: boolean
  state: SourceState = 'connecting'
  /** Wall ms of the last change of `state`. */
  sinceMs: number
  why: string | undefined
  /** Monotonic ms when the next attempt was promised: there is no session until then. */
  retryAt: number | undefined
  /** Monotonic ms of the last thing heard about this source. */
  heardNow: number
  lastEventMs: number | undefined
  lastError: LastError | undefined
  reconnects = 0
  gaps = 0
  deadLetters = 0
  /** Dead letters that had to go, unread, because there were too many. */
  deadLettersDropped = 0
  certificateExpiryMs: number | undefined
  credentialExpiryMs: number | undefined
  readonly feeds = new Map<string, FeedModel>()

  constructor(declared: Happening & { type: 'source_declared' }, clock: Clock) {
    this.name = declared.source
    this.system = declared.system
    this.required = declared.required
    this.address = printable(declared.address)
    this.tlsVerified = declared.tlsVerified
    this.sinceMs = clock.wall()
    this.heardNow = clock.now()
  }

  /** A source whose next attempt was promised for later has no session, whatever it calls its state. */
  get open(): boolean {
    return (this.state === 'up' || this.state === 'degraded') && this.retryAt === undefined
  }

  /** Everything that speaks against this source at `now` (monotonic ms): empty when it is up. */
  doubts(now: number): string[] {
    if (!this.open) return [`${this.state}${this.why === undefined ? '' : `: ${this.why}`}`]
    if (this.feeds.size === 0) return ['no feed has been declared yet']
    return [...this.feeds.values()].flatMap(feed => feed.deafness(now) ?? [])
  }

  /** Wall ms of the proof of the feed that was silent longest; undefined while any feed has none. */
  get provedAtMs(): number | undefined {
    let oldest: number | undefined
    for (const feed of this.feeds.values()) {
      if (feed.provedAtMs === undefined) return undefined
      oldest = Math.min(oldest ?? feed.provedAtMs, feed.provedAtMs)
    }
    return oldest
  }
}

function seconds(ms: number): number {
  return Math.round(ms / 1000)
}
