/**
 * What a source says of its own health: states for `ops/`, `source` events for the stream. Derived from its sessions and
 * from what they say of their feeds; knows no protocol.
 */
import type { ErrorCode } from '../errors.ts'
import type { Fact, Severity, SourceRef } from '../event.ts'
import { type FeedHealth, sentence } from '../feed-health.ts'
import type { Happening, Report } from '../report.ts'
import type { Cancel, Clock } from '../scheduler/clock.ts'
import { SessionView } from './session-view.ts'
import { type Health, SourceNews } from './source-news.ts'

type SourceState = Extract<Happening, { type: 'source_state' }>

export interface SourceHealthOptions {
  readonly ref: SourceRef
  readonly clock: Clock
  readonly report: Report
  /** Takes the `source` event of a change of health. */
  readonly publish: (fact: Fact, worst: Severity) => void
  /** As it was given with the last one. */
  readonly worst?: unknown
}

/** Feeds are not looked over more often than this: many that fall silent together are one look, not many. */
const LEAST_LOOK_MS = 1000
/** What comes to light while the source is degraded already is told at most so often. */
const MORE_MS = 60_000
/** A session that does not watch all it shall after this long is told of, and again each minute, ms. */
const UNSETTLED_MS = 120_000
/** Feeds named in one sentence. */
const NAMED = 3

export class SourceHealth {
  readonly #options: SourceHealthOptions
  readonly #news: SourceNews
  /** The session whose words count. */
  #view: SessionView | undefined
  /** It watches all it shall. */
  #settled = false
  #state: Health | 'connecting' = 'connecting'
  /** Why no successor could be opened, while that is so. */
  #handOver: string | undefined
  /** Feeds of the current session that can't be trusted. */
  readonly #unwell = new Set<FeedHealth>()
  /** Those of them of which nobody was told yet, and the names of those told: a new session of the same is no news. */
  readonly #fresh = new Set<FeedHealth>()
  readonly #named = new Set<string>()
  /** How much is not watched yet, while that takes too long. */
  #unsettled: string | undefined
  #cancelUnsettled: Cancel | undefined
  #toldAt = Number.NEGATIVE_INFINITY
  #cancelMore: Cancel | undefined
  /** Feeds that were declared to `ops/`. */
  #declared = new Set<string>()
  #cancelLook: Cancel | undefined
  #lookAt = Number.POSITIVE_INFINITY

  constructor(options: SourceHealthOptions) {
    this.#options = options
    this.#news = new SourceNews(options)
  }

  /** An attempt begins: a failure before a session stands means that the source is down. */
  connecting(): void {
    this.#state = 'connecting'
  }

  /** For a session that is about to be opened: all that it reports goes through the view. */
  view(): SessionView {
    const { clock, report } = this.#options
    const onChange = (feed: FeedHealth): void => this.#changed(feed)
    const heard = (happening: Happening): void => {
      if (happening.type === 'feed_declared') this.#declared.add(happening.feed)
      if (happening.type === 'feed_gone') this.#declared.delete(happening.feed)
      report(happening)
    }
    const onDoubt = (worse: boolean): void => this.#doubted(worse)
    const made = new SessionView({ clock, report: heard, onChange, onDoubt }, this.#view)
    this.#view ??= made
    return made
  }

  /** The session of this view is open and begins to watch: how long that takes is looked at. */
  opened(view: SessionView): void {
    this.#endWait()
    const { clock } = this.#options
    const openedAt = clock.now()
    const look = (): void => {
      this.#cancelUnsettled = clock.after(MORE_MS, look)
      // Until it takes over its predecessor watches.
      if (view !== this.#view) return
      const waiting = view.feeds.values().reduce((sum, feed) => sum + (feed.state === 'live' ? 0 : 1), 0)
      const seconds = Math.round((clock.now() - openedAt) / 1000)
      this.#unsettled = `${seconds} s after its session began ${waiting} of ${view.feeds.size} feeds are not live yet`
      this.#judge(true)
    }
    this.#cancelUnsettled = clock.after(UNSETTLED_MS, look)
  }

  /** The session of this view is the one that reads; its predecessor says goodbye. */
  takeOver(view: SessionView): void {
    view.takeOver()
    this.#view = view
  }

  /** The session watches all it shall, or has failed to once: the source is up, unless feeds can't be trusted. */
  settled(view: SessionView): void {
    this.takeOver(view)
    this.#endWait()
    this.#settled = true
    this.#handOver = undefined
    const { report, ref } = this.#options
    for (const feed of this.#declared) if (!view.feeds.has(feed)) report({ type: 'feed_gone', source: ref.name, feed })
    this.#declared = new Set(view.feeds.keys())
    this.#look(true)
  }

  /** No successor could be opened yet; the session goes on. */
  handOverFailed(reason: string, code: ErrorCode): void {
    this.#handOver = reason
    this.#tell('degraded', reason, { code, doubts: this.#doubts })
  }

  /** There is no session any more, or none could be opened. */
  lost(reason: string, code: ErrorCode, retryInMs: number): void {
    // A session that was lost and is made anew at once is degraded; one that can't be made is down.
    const state = this.#settled ? 'degraded' : 'down'
    this.#leave()
    this.#tell(state, reason, { code, retryInMs })
  }

  /** Nothing is told any more. */
  close(): void {
    this.#leave()
    this.#news.close()
  }

  #leave(): void {
    this.#view = undefined
    this.#settled = false
    this.#handOver = undefined
    this.#unwell.clear()
    this.#fresh.clear()
    this.#endWait()
    this.#cancelMore?.()
    this.#cancelMore = undefined
    this.#cancelLook?.()
    this.#lookAt = Number.POSITIVE_INFINITY
  }

  #endWait(): void {
    this.#cancelUnsettled?.()
    this.#cancelUnsettled = undefined
    this.#unsettled = undefined
  }

  /** What speaks against the current session as a whole. */
  get #doubts(): string[] {
    const doubts = [...(this.#view?.doubts.values() ?? [])]
    return this.#unsettled === undefined ? doubts : [...doubts, this.#unsettled]
  }

  #doubted(worse: boolean): void {
    if (!this.#settled) return
    const was = this.#state
    this.#judge(true)
    if (worse && was === 'degraded') this.#news.tellMore(() => (this.#doubts.length === 0 ? undefined : this.#reason()))
  }

  /** Cheap: called for every proof of every feed. */
  #changed(feed: FeedHealth): void {
    if (!this.#settled) return
    const isUnwell = this.#options.clock.now() > feed.unwellAfter
    if (!isUnwell) this.#lookBy(feed.unwellAfter)
    if (isUnwell === this.#unwell.has(feed)) return
    if (isUnwell) this.#fell(feed)
    else this.#rose(feed)
    this.#judge()
  }

  /** Looks over all feeds: silence is nothing that anybody reports. */
  #look(told = false): void {
    const now = this.#options.clock.now()
    let next = Number.POSITIVE_INFINITY
    this.#unwell.clear()
    this.#fresh.clear()
    for (const feed of this.#view?.feeds.values() ?? []) {
      if (now > feed.unwellAfter) this.#fell(feed)
      else {
        this.#rose(feed)
        next = Math.min(next, feed.unwellAfter)
      }
    }
    this.#judge(told)
    this.#lookAt = Number.POSITIVE_INFINITY
    this.#lookBy(next)
  }

  #fell(feed: FeedHealth): void {
    this.#unwell.add(feed)
    if (!this.#named.has(feed.name)) this.#fresh.add(feed)
  }

  #rose(feed: FeedHealth): void {
    this.#unwell.delete(feed)
    this.#fresh.delete(feed)
    this.#named.delete(feed.name)
  }

  #lookBy(unwellAfter: number): void {
    if (unwellAfter >= this.#lookAt) return
    const { clock } = this.#options
    this.#cancelLook?.()
    this.#lookAt = unwellAfter
    const lookOver = (): void => this.#look()
    this.#cancelLook = clock.after(Math.max(LEAST_LOOK_MS, unwellAfter + 1 - clock.now()), lookOver)
  }

  /** Says whether the source is up or degraded. `again`: also when it is what it was. */
  #judge(again = false): void {
    const doubts = this.#doubts
    const state = this.#handOver === undefined && this.#unwell.size === 0 && doubts.length === 0 ? 'up' : 'degraded'
    if (state === this.#state && !again) {
      if (this.#fresh.size > 0) this.#moreSoon()
      return
    }
    if (state === 'up') {
      this.#named.clear()
      this.#tell('up', undefined)
      return
    }
    this.#tellUnwell()
  }

  /** Degraded, and more is: told together with what else falls within the minute. */
  #moreSoon(): void {
    const { clock } = this.#options
    const look = (): void => {
      this.#cancelMore = undefined
      if (this.#state === 'degraded' && this.#fresh.size > 0) this.#tellUnwell()
    }
    this.#cancelMore ??= clock.after(Math.max(0, this.#toldAt + MORE_MS - clock.now()), look)
  }

  #tellUnwell(): void {
    const fresh = [...this.#fresh]
    this.#fresh.clear()
    for (const { name } of fresh) this.#named.add(name)
    const doubts = this.#doubts
    this.#toldAt = this.#options.clock.now()
    const isKnown = this.#tell('degraded', this.#reason(fresh), doubts.length === 0 ? {} : { doubts })
    if (fresh.length === 0 || !isKnown) return
    this.#news.tellMore(() => {
      const still = fresh.filter(feed => this.#unwell.has(feed))
      return still.length === 0 ? undefined : this.#reason(still)
    })
  }

  /** All that is wrong, in words; of the feeds some are named, `first` before others. */
  #reason(first: readonly FeedHealth[] = []): string {
    const now = this.#options.clock.now()
    const named = [...new Set([...first.slice(0, NAMED), ...[...this.#unwell].slice(0, 2 * NAMED)])].slice(0, NAMED)
    const feeds = named.flatMap(feed => feed.complaint(now) ?? [])
    const said = [
      this.#handOver,
      ...this.#doubts,
      feeds.length === 0 ? undefined : sentence(feeds, this.#unwell.size, NAMED),
    ]
    return said.filter(part => part !== undefined).join('; ')
  }

  #tell(
    state: Health,
    reason: string | undefined,
    more: Pick<SourceState, 'code' | 'retryInMs' | 'doubts'> = {},
  ): boolean {
    const { report, ref } = this.#options
    this.#state = state
    report({ type: 'source_state', source: ref.name, state, ...(reason === undefined ? {} : { reason }), ...more })
    return this.#news.tell(state, reason)
  }
}
