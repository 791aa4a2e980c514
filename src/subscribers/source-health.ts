/**
 * What a source says of its own health: states for `ops/`, `source` events for the stream. Derived from its sessions and
 * from what they say of their feeds; knows no protocol.
 */
import type { ErrorCode } from '../errors.ts'
import type { Fact, SourceRef } from '../event.ts'
import { type FeedHealth, sentence } from '../feed-health.ts'
import type { Happening, Report } from '../report.ts'
import type { Cancel, Clock } from '../scheduler/clock.ts'
import { SessionView } from './session-view.ts'
import { type Health, SourceNews } from './source-news.ts'

export interface SourceHealthOptions {
  readonly ref: SourceRef
  readonly clock: Clock
  readonly report: Report
  /** Takes the `source` event of a change of health. */
  readonly publish: (fact: Fact) => void
}

/** Feeds are not looked over more often than this: many that fall silent together are one look, not many. */
const LEAST_LOOK_MS = 1000
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
    const made = new SessionView({ clock, report: heard, onChange }, this.#view)
    this.#view ??= made
    return made
  }

  /** The session of this view is the one that reads; its predecessor says goodbye. */
  takeOver(view: SessionView): void {
    view.takeOver()
    this.#view = view
  }

  /** The session watches all it shall, or has failed to once: the source is up, unless feeds can't be trusted. */
  settled(view: SessionView): void {
    this.takeOver(view)
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
    this.#tell('degraded', reason, { code })
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
    this.#cancelLook?.()
    this.#lookAt = Number.POSITIVE_INFINITY
  }

  /** Cheap: called for every proof of every feed. */
  #changed(feed: FeedHealth): void {
    if (!this.#settled) return
    const isUnwell = this.#options.clock.now() > feed.unwellAfter
    if (!isUnwell) this.#lookBy(feed.unwellAfter)
    if (isUnwell === this.#unwell.has(feed)) return
    if (isUnwell) this.#unwell.add(feed)
    else this.#unwell.delete(feed)
    this.#judge()
  }

  /** Looks over all feeds: silence is nothing that anybody reports. */
  #look(told = false): void {
    const now = this.#options.clock.now()
    let next = Number.POSITIVE_INFINITY
    this.#unwell.clear()
    for (const feed of this.#view?.feeds.values() ?? []) {
      if (now > feed.unwellAfter) this.#unwell.add(feed)
      else next = Math.min(next, feed.unwellAfter)
    }
    this.#judge(told)
    this.#lookAt = Number.POSITIVE_INFINITY
    this.#lookBy(next)
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
    const now = this.#options.clock.now()
    const state = this.#handOver === undefined && this.#unwell.size === 0 ? 'up' : 'degraded'
    if (state === this.#state && !again) return
    if (state === 'up') {
      this.#tell('up', undefined)
      return
    }
    const feeds = [...this.#unwell].slice(0, NAMED).flatMap(feed => feed.complaint(now) ?? [])
    const said = [this.#handOver, feeds.length === 0 ? undefined : sentence(feeds, this.#unwell.size, NAMED)]
    this.#tell('degraded', said.filter(part => part !== undefined).join('; '))
  }

  #tell(state: Health, reason: string | undefined, more: { code?: ErrorCode; retryInMs?: number } = {}): void {
    const { report, ref } = this.#options
    this.#state = state
    report({ type: 'source_state', source: ref.name, state, ...(reason === undefined ? {} : { reason }), ...more })
    this.#news.tell(state, reason)
  }
}
