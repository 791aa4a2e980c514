/** One feed of a source, as the daemon knows it: its state, proofs of life, errors, where it stands. */
import type { ErrorCode } from '../errors.ts'
import { FeedHealth } from '../feed-health.ts'
import type { FeedState } from '../report.ts'
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
  /** Wall ms of the last change of `state`. */
  sinceMs: number
  /** Wall ms, to be read by people; the bound is held against monotonic time. */
  provedAtMs: number | undefined
  lastEventMs: number | undefined
  /** Kept when it is live again. */
  lastError: LastError | undefined
  /** How long after it happened the last fact of which that is known was seen, in seconds. */
  lateSeconds: number | undefined
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
    this.sinceMs = wallMs
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
  declared(boundMs: number, wallMs: number): void {
    const before = this.state
    this.#return()
    this.#health.boundMs = boundMs
    if (this.state !== before) this.sinceMs = wallMs
  }

  say(state: FeedState, why: string | undefined, now: number, wallMs: number): void {
    if (this.state !== state) this.sinceMs = wallMs
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
  leave(wallMs: number): void {
    const before = this.state
    this.#away = true
    if (this.state !== before) this.sinceMs = wallMs
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
