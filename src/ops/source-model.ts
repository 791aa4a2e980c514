/** One source and its feeds, as the daemon knows them: states, proofs of life, errors, and what speaks against them. */
import type { ErrorCode } from '../errors.ts'
import type { System } from '../event.ts'
import { FeedHealth } from '../feed-health.ts'
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
  /** The name, fit to be shown and to be a label: cleaned once, there may be thousands. */
  readonly label: string
  readonly #health: FeedHealth
  /** Wall ms when it was first declared. */
  readonly #bornMs: number
  mode: string | undefined
  /** Every mode it was ever in: the gauge shows the others as 0. */
  readonly modes = new Set<string>()
  /** Wall ms, to be read by people; the bound is held against monotonic time. */
  provedAtMs: number | undefined
  lastEventMs: number | undefined
  /** Kept when it is live again. */
  lastError: LastError | undefined
  events = 0
  recovered = 0
  /** How often it fell by itself, not with its session; and how often it went live again after that. */
  lost = 0
  remade = 0
  /** Its session is over and no new one has spoken of it. */
  #away = false

  /** `now`: monotonic ms. */
  constructor(name: string, boundMs: number, now: number, wallMs: number) {
    this.#bornMs = wallMs
    this.name = name
    this.label = printable(name, 120)
    this.#health = new FeedHealth(this.label, boundMs, now)
  }

  /** Without a session it is lost, unless it was switched off. */
  get state(): FeedState {
    return this.#away && this.#health.state !== 'disabled' ? 'lost' : this.#health.state
  }

  get boundMs(): number {
    return this.#health.boundMs
  }

  /** True from its loss until it is live again. */
  get failing(): boolean {
    return this.#health.failing
  }

  /** A session says that it reads this feed. */
  declared(boundMs: number): void {
    this.#return()
    this.#health.boundMs = boundMs
  }

  say(state: FeedState, why: string | undefined, now: number): void {
    this.#return()
    const failed = this.failing
    this.#health.say(state, why, now)
    if (this.failing && !failed) this.lost++
    if (failed && !this.failing) this.remade++
  }

  prove(now: number, wallMs: number): void {
    this.#health.prove(now)
    this.provedAtMs = wallMs
  }

  /** Wall ms since when nothing was heard of it: its last proof, or, without one, its declaration. */
  get silentSinceMs(): number {
    return this.provedAtMs ?? this.#bornMs
  }

  /** Its session is over. */
  leave(): void {
    this.#away = true
  }

  #return(): void {
    if (!this.#away) return
    this.#away = false
    this.#health.begin()
  }

  /** True when its last proof of life is older than its bound, or it has none. */
  deaf(now: number): boolean {
    return !this.#health.proved || this.#health.deaf(now)
  }

  /** Why this feed can't be trusted at `now` (monotonic ms); undefined while it can. */
  complaint(now: number): string | undefined {
    const complaint = this.#health.complaint(now)
    if (complaint !== undefined || this.#health.proved) return complaint
    const why = this.failing && this.#health.why !== undefined ? `: it is ${this.state} (${this.#health.why})` : ''
    return `feed ${this.label} has not proved itself alive yet${why}`
  }

  /** As `complaint`, without words. */
  isWell(now: number): boolean {
    return this.#health.proved && now <= this.#health.unwellAfter
  }
}

export class SourceModel {
  readonly name: string
  system: System
  required: boolean
  address: string
  /** As the config has it; `address` is the one in use. */
  declaredAddress: string
  tlsVerified: boolean
  state: SourceState = 'connecting'
  /** Wall ms of the last change of `state`. */
  sinceMs: number
  why: string | undefined
  /** What speaks against its session as a whole. */
  sessionDoubts: readonly string[] = []
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
    this.declaredAddress = declared.address
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
    return [...this.sessionDoubts, ...[...this.feeds.values()].flatMap(feed => feed.complaint(now) ?? [])]
  }

  /** True when it has a session and nothing speaks against any feed: doubts about the session come on top. */
  isUp(now: number): boolean {
    return this.open && this.feeds.size > 0 && this.feeds.values().every(feed => feed.isWell(now))
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

  /** As `provedAtMs`, but a feed without a proof counts from its declaration; undefined without feeds. What alerts need. */
  get silentSinceMs(): number | undefined {
    let oldest: number | undefined
    for (const { silentSinceMs } of this.feeds.values()) oldest = Math.min(oldest ?? silentSinceMs, silentSinceMs)
    return oldest
  }
}
