/** A source's health as events: which changes are published, when, and in what words. */
import { type Fact, makeFact, SEVERITY_NUMBER, type Severity, type SourceRef } from '../event.ts'
import type { Cancel, Clock } from '../scheduler/clock.ts'

export type Health = 'up' | 'degraded' | 'down'

export interface SourceNewsOptions {
  readonly ref: SourceRef
  readonly clock: Clock
  /** `worst`: how bad it has been since it was well, to be kept with the fact: the event that closes an alert may be the next run's. */
  readonly publish: (fact: Fact, worst: Severity) => void
  /** As it was kept last. */
  readonly worst?: unknown
}

const SEVERITIES = Object.keys(SEVERITY_NUMBER) as Severity[]
const RANK: Record<Health, number> = { up: 0, degraded: 1, down: 2 }
/** Falls count together while no two of them are further apart than this. */
const CALM_MS = 10 * 60_000
/** How long it must have been better before that is told, from the second fall on; doubled with each further one. */
const FIRST_HOLD_MS = 30_000
const LONGEST_HOLD_MS = CALM_MS

/**
 * Bad news at once. Good news too, unless the source falls again and again: then it must have lasted. So a source that
 * flaps for hours is a few events, and the last one is true.
 */
export class SourceNews {
  readonly #options: SourceNewsOptions
  #told: Health | undefined
  #now: Health | undefined
  #falls = 0
  #fellAt = Number.NEGATIVE_INFINITY
  /** The worst that was published since it was well. */
  #worst: Severity
  /** Says what has come to light while the health stayed as bad as it was told; undefined when that is over by then. */
  #more: (() => string | undefined) | undefined
  #cancelMore: Cancel | undefined
  /** Monotonic ms of the last event that only said more. */
  #saidMoreAt = Number.NEGATIVE_INFINITY
  /** Wall ms of the last event. */
  #publishedMs = 0
  #cancel: Cancel | undefined

  constructor(options: SourceNewsOptions) {
    this.#options = options
    this.#worst = SEVERITIES.find(one => one === options.worst) ?? 'info'
  }

  /**
   * Takes in the health as it is now; what was told already, or waits to be, is no news. True when it is no better and no
   * worse than what was told last: then `tellMore` may say what is new about it.
   */
  tell(state: Health, reason: string | undefined): boolean {
    const before = this.#now
    if (state !== 'up' && this.#now === 'up') this.#fell()
    if (state === this.#now && this.#cancel !== undefined) return false
    this.#now = state
    this.#drop()
    if (state === this.#told) return before === state
    const { clock } = this.#options
    const at = clock.wall()
    const isBetter = this.#told !== undefined && RANK[state] < RANK[this.#told]
    const holdMs = isBetter ? this.#holdMs : 0
    const tellHeld = (): void => this.#publish(state, reason, at)
    if (holdMs === 0) tellHeld()
    else this.#cancel = clock.after(holdMs, tellHeld)
    return false
  }

  /**
   * Still degraded, and worse: `reason` tells it, asked when the event is made. At once, then at most once in ten minutes, so
   * that thousands of feeds that fall one by one are a few events.
   */
  tellMore(reason: () => string | undefined): void {
    const { clock } = this.#options
    this.#more = reason
    if (this.#cancelMore !== undefined) return
    const waitMs = this.#saidMoreAt + CALM_MS - clock.now()
    const say = (): void => this.#sayMore()
    if (waitMs <= 0) say()
    else this.#cancelMore = clock.after(waitMs, say)
  }

  /** Drops what waits to be told. */
  close(): void {
    this.#drop()
    this.#dropMore()
  }

  #sayMore(): void {
    const reason = this.#more?.()
    this.#dropMore()
    // Otherwise the next event tells all of it, or says that it is well.
    if (reason === undefined || this.#now !== 'degraded' || this.#told !== 'degraded') return
    this.#saidMoreAt = this.#options.clock.now()
    this.#publish('degraded', reason, this.#options.clock.wall())
  }

  #dropMore(): void {
    this.#cancelMore?.()
    this.#cancelMore = undefined
    this.#more = undefined
  }

  #drop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #fell(): void {
    const now = this.#options.clock.now()
    if (now - this.#fellAt > CALM_MS) this.#falls = 0
    this.#fellAt = now
    // Of a fall whose rise before was not told, nobody hears either.
    if (this.#told === 'up') this.#falls++
  }

  get #holdMs(): number {
    if (this.#falls < 2 || this.#options.clock.now() - this.#fellAt > CALM_MS) return 0
    return Math.min(FIRST_HOLD_MS * 2 ** (this.#falls - 2), LONGEST_HOLD_MS)
  }

  #publish(state: Health, reason: string | undefined, wallMs: number): void {
    this.#cancel = undefined
    this.#told = state
    // Up, degraded, up within one millisecond are three events: an id must not come twice. A clock set back is believed.
    const isRepeated = wallMs <= this.#publishedMs && wallMs > this.#publishedMs - 1000
    this.#publishedMs = isRepeated ? this.#publishedMs + 1 : wallMs
    const severity = state === 'down' ? 'major' : state === 'degraded' ? 'warning' : this.#worst
    // The event that closes an alert travels on the subject of the worst one that opened it.
    this.#worst = state === 'up' ? 'info' : this.#worst === 'major' ? 'major' : severity
    const time = new Date(this.#publishedMs).toISOString()
    this.#options.publish(sourceFact(this.#options.ref, state, severity, reason, time), this.#worst)
  }
}

/** The one kind whose id may use local time. */
function sourceFact(ref: SourceRef, state: Health, severity: Severity, reason: string | undefined, time: string): Fact {
  return makeFact(ref, {
    family: 'source',
    key: [state, time],
    type: `opswire.source.${state}`,
    subject: ref.name,
    time,
    partitionkey: `${ref.name}/source`,
    severity,
    origin: 'live',
    data: {
      kind: 'source',
      summary: state === 'up' ? `${ref.name} is connected` : `${ref.name} is ${state}: ${reason ?? 'unknown'}`,
      state: state === 'up' ? 'resolved' : 'firing',
      outcome: null,
      alertKey: `${ref.name}/source`,
      resource: { kind: 'source', id: ref.name },
      ...(reason === undefined ? {} : { cause: reason }),
    },
  })
}
