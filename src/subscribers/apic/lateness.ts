/** How late pushed records are: of each feed the latest of each second is told, so that a burst costs one report. */
import type { Report } from '../../report.ts'
import type { Cancel, Clock } from '../../scheduler/clock.ts'

const TELL_MS = 1000

export interface LatenessOptions {
  readonly source: string
  readonly clock: Clock
  readonly report: Report
  /** Aborts when the session is over: what waits then is told at once. */
  readonly signal: AbortSignal
}

export class Lateness {
  readonly #options: LatenessOptions
  /** Per feed: ms between the making of the latest record of this second and its push, both by the fabric's clock. */
  readonly #latest = new Map<string, number>()
  #cancel: Cancel | undefined

  constructor(options: LatenessOptions) {
    this.#options = options
    options.signal.addEventListener('abort', () => this.#tellAll(), { once: true })
  }

  /** A record was pushed. One without a readable time says nothing. */
  note(feed: string, createdMs: number, fabricNowMs: number): void {
    const late = fabricNowMs - createdMs
    const known = this.#latest.get(feed)
    if (Number.isNaN(late) || (known !== undefined && known >= late)) return
    this.#latest.set(feed, late)
    if (!this.#options.signal.aborted) this.#cancel ??= this.#options.clock.after(TELL_MS, () => this.#tellAll())
  }

  #tellAll(): void {
    this.#cancel?.()
    this.#cancel = undefined
    const { report, source } = this.#options
    for (const [feed, late] of this.#latest) {
      report({ type: 'feed_late', source, feed, seconds: Math.max(0, late) / 1000 })
    }
    this.#latest.clear()
  }
}
