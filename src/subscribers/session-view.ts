/**
 * What one session says of its feeds. While two sessions overlap, only the current one's word counts: what a successor
 * still has to catch up with is no trouble of a feed that its predecessor watches.
 */
import { FeedHealth } from '../feed-health.ts'
import type { Happening, Report } from '../report.ts'
import type { Clock } from '../scheduler/clock.ts'

type Of<T extends Happening['type']> = Extract<Happening, { type: T }>

export interface SessionViewOptions {
  readonly clock: Clock
  readonly report: Report
  /** A feed of the current session changed for better or worse. */
  readonly onChange: (feed: FeedHealth) => void
  /** What speaks against the current session as a whole changed; `worse`: by a new doubt. */
  readonly onDoubt: (worse: boolean) => void
}

export class SessionView {
  readonly feeds = new Map<string, FeedHealth>()
  /** What speaks against the session as a whole, by what it is about. */
  readonly doubts = new Map<string, string>()
  /** The session whose words count until this one takes over. */
  #before: SessionView | undefined
  #over = false
  readonly #options: SessionViewOptions
  /** The last word on each feed, told in full once this session takes over. */
  readonly #states = new Map<string, Of<'feed_state'>>()
  readonly #modes = new Map<string, Of<'feed_mode'>>()

  constructor(options: SessionViewOptions, before: SessionView | undefined) {
    this.#options = options
    this.#before = before
  }

  /** Takes in what the session reports and passes on what is news. */
  hear(happening: Happening): void {
    switch (happening.type) {
      case 'feed_declared':
        this.#declared(happening)
        return
      case 'feed_state':
        this.#state(happening)
        return
      case 'feed_mode':
        if (this.#over) return
        this.#modes.set(happening.feed, happening)
        if (this.#before === undefined) this.#options.report(happening)
        return
      case 'feed_gone':
        if (this.#over) return
        this.feeds.delete(happening.feed)
        this.#states.delete(happening.feed)
        this.#modes.delete(happening.feed)
        if (this.#before === undefined) this.#options.report(happening)
        return
      case 'feed_proof':
        this.#proof(happening)
        return
      default:
        this.#options.report(happening)
    }
  }

  /** As `OpenContext.doubt`. Before it takes over nobody else hears of it. */
  doubt(about: string, text: string | undefined): void {
    const before = this.doubts.get(about)
    if (before === text) return
    if (text === undefined) this.doubts.delete(about)
    else this.doubts.set(about, text)
    if (this.#before === undefined && !this.#over) this.#options.onDoubt(text !== undefined && before === undefined)
  }

  /** From now on this session's words count; what they differ in from the predecessor's is told. */
  takeOver(): void {
    const before = this.#before
    if (before === undefined) return
    this.#before = undefined
    before.#over = true
    const { report } = this.#options
    for (const [feed, said] of this.#states) if (before.#states.get(feed)?.state !== said.state) report(said)
    for (const [feed, said] of this.#modes) if (before.#modes.get(feed)?.mode !== said.mode) report(said)
  }

  #declared(happening: Of<'feed_declared'>): void {
    if (this.#over) return
    const { clock, report } = this.#options
    const { feed, proofBoundMs } = happening
    const known = this.feeds.get(feed)
    if (known === undefined) this.feeds.set(feed, new FeedHealth(feed, proofBoundMs, clock.now()))
    else known.boundMs = proofBoundMs
    if (this.#before === undefined || this.#before.feeds.get(feed)?.boundMs !== proofBoundMs) report(happening)
    this.#changed(feed)
  }

  #state(happening: Of<'feed_state'>): void {
    if (this.#over) return
    const { clock, report } = this.#options
    this.#states.set(happening.feed, happening)
    this.feeds.get(happening.feed)?.say(happening.state, happening.reason, clock.now())
    if (this.#before === undefined) report(happening)
    this.#changed(happening.feed)
  }

  /** Whoever of two sessions proves a feed alive has proved it. */
  #proof(happening: Of<'feed_proof'>): void {
    const now = this.#options.clock.now()
    this.feeds.get(happening.feed)?.prove(now)
    this.#before?.feeds.get(happening.feed)?.prove(now)
    this.#options.report(happening)
    this.#changed(happening.feed)
  }

  #changed(name: string): void {
    const feed = (this.#before ?? this).feeds.get(name)
    if (feed !== undefined && !this.#over) this.#options.onChange(feed)
  }
}
