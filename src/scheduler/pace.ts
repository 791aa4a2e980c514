/**
 * One pace for one server: everything that it is asked goes through here, whoever asks. Bounded concurrency, one token
 * bucket, and an order: what lapses unless renewed goes ahead of what can wait, and nothing waits for ever.
 */
import type { Cancel, Clock } from './clock.ts'
import { Heap } from './heap.ts'

/** What a request is for, which decides when it gets its turn. */
export type Turn =
  /** A login or, with `living`, the renewal of a session: one at a time, ahead of everything, renewals first. */
  | { readonly rank: 'session'; readonly living?: true }
  /** The end of a session: counted, never kept waiting. Whoever says it is on the way out. */
  | { readonly rank: 'goodbye' }
  | Renewal
  /** Makes something that will have to be renewed. */
  | { readonly rank: 'make' }
  /** Everything else. */
  | { readonly rank: 'question' }

/** Keeps something alive. Times are monotonic ms. */
export interface Renewal {
  readonly rank: 'renewal'
  /** Until then it shares with other requests turn by turn; from then on it goes ahead of nearly all of them. */
  readonly pressingAt: number
  /** From then on nothing is made that would have to be renewed as well. */
  readonly lateAt: number
  /** When it should have been answered: the earliest goes first. */
  readonly latestAt: number
}

export interface PaceOptions {
  readonly clock: Clock
  /**
   * Requests under way at once. Those that can wait get half of it, so that a renewal never waits behind slow answers;
   * at 1 that takes a second connection.
   */
  readonly maxConcurrency: number
  /** Starts per second in the long run, and how many may come at once after a rest. */
  readonly ratePerSecond: number
  readonly burst: number
  /** Least time between the starts of two requests that can wait, ms. */
  readonly spacingMs: number
  /**
   * Least time between the end of a request of rank `session` and the start of the next, ms: so much lies between them
   * at the server too, however long either was on its way.
   */
  readonly sessionSpacingMs: number
}

/** Renewals that go ahead of a request that can wait, once they are pressing: it gets every sixteenth turn. */
const PRESSING_RUN = 15
/** Of requests that can wait: those that make something, for one that does not. */
const MAKE_RUN = 3
/** The rate of what can wait never falls below this, per second. */
const SLOWEST_PER_SECOND = 1
/** A volley of refusals counts once: answers that come within this belong to one, ms. */
const VOLLEY_MS = 1000
/** In this time without a refusal the rate of what can wait doubles, ms. */
const DOUBLING_MS = 10_000
/** No server's wish to be left alone is honoured longer than this, ms. */
const LONGEST_HOLD_MS = 5 * 60_000

interface Waiting {
  readonly turn: Turn
  readonly start: () => void
  /** Aborted: what lies in the heap is passed over. */
  gone: boolean
}

/** A request that could start at `at`, if something else does not go first. */
interface Candidate {
  readonly waiting: Waiting
  readonly at: number
}

export class Pace {
  readonly #options: PaceOptions
  #most = 0
  #mostOrdinary = 0
  readonly #sessions = new Set<Waiting>()
  readonly #renewals = new Heap<Waiting>((a, b) => latestOf(a) < latestOf(b))
  readonly #makes = new Set<Waiting>()
  readonly #questions = new Set<Waiting>()
  #busy = 0
  #busySessions = 0
  #busyOrdinary = 0
  /** The bucket as one number: when it would be full again. */
  #fullAt = Number.NEGATIVE_INFINITY
  #nextSession = Number.NEGATIVE_INFINITY
  #lastOrdinary = Number.NEGATIVE_INFINITY
  #heldUntil = Number.NEGATIVE_INFINITY
  /** The rate of what can wait, as it was set when the server last refused. */
  #slowedTo: number
  #slowedAt = Number.NEGATIVE_INFINITY
  #renewalsInARow = 0
  #makesInARow = 0
  #cancelTimer: Cancel | undefined

  constructor(options: PaceOptions) {
    this.#options = options
    this.allow(options.maxConcurrency)
    this.#slowedTo = options.ratePerSecond
  }

  /** So many at once from now on, unless it was more already. */
  allow(maxConcurrency: number): void {
    this.#most = Math.max(this.#most, maxConcurrency, 2)
    this.#mostOrdinary = Math.max(this.#mostOrdinary, Math.ceil(maxConcurrency / 2))
  }

  /** Runs `task` when its turn has come. Rejects with the signal's reason while it waits, or with the task's error. */
  async run<T>(turn: Turn, signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    await this.#turn(turn, signal)
    try {
      return await task()
    } finally {
      this.#count(turn, -1)
      if (turn.rank === 'session') this.#nextSession = this.#options.clock.now() + this.#options.sessionSpacingMs
      this.#pump()
    }
  }

  /**
   * The server refused for being asked too much: what can wait gets half its rate, and nothing of it starts for
   * `afterMs`. The rate comes back by itself, gently. Renewals go on: a lapse costs more requests than it saves.
   */
  throttled(afterMs = 0): void {
    const now = this.#options.clock.now()
    this.#heldUntil = Math.max(this.#heldUntil, now + Math.min(afterMs, LONGEST_HOLD_MS))
    if (now - this.#slowedAt >= VOLLEY_MS) {
      this.#slowedTo = Math.max(SLOWEST_PER_SECOND, this.ordinaryRate / 2)
      this.#slowedAt = now
    }
    this.#pump()
  }

  /** Starts per second that what can wait gets at most, now. */
  get ordinaryRate(): number {
    const { clock, ratePerSecond } = this.#options
    if (this.#slowedTo >= ratePerSecond) return ratePerSecond
    return Math.min(ratePerSecond, this.#slowedTo * 2 ** ((clock.now() - this.#slowedAt) / DOUBLING_MS))
  }

  #turn(turn: Turn, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted && turn.rank !== 'goodbye') {
        reject(signal.reason)
        return
      }
      const onAbort = (): void => {
        waiting.gone = true
        this.#leave(waiting)
        reject(signal.reason)
        this.#pump()
      }
      const waiting: Waiting = {
        turn,
        gone: false,
        start: () => {
          signal.removeEventListener('abort', onAbort)
          resolve()
        },
      }
      if (turn.rank === 'goodbye') return this.#start(waiting, this.#options.clock.now())
      signal.addEventListener('abort', onAbort, { once: true })
      if (turn.rank === 'session') this.#sessions.add(waiting)
      else if (turn.rank === 'renewal') this.#renewals.push(waiting)
      else if (turn.rank === 'make') this.#makes.add(waiting)
      else this.#questions.add(waiting)
      this.#pump()
    })
  }

  /** Starts what may start now, and sets the timer for what may start next. */
  #pump(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    const { clock } = this.#options
    for (;;) {
      const now = clock.now()
      const found = this.#next(now)
      if (found === undefined) return
      if (found.at > now) {
        this.#cancelTimer = clock.after(found.at - now, () => this.#pump())
        return
      }
      this.#start(found.waiting, now)
    }
  }

  /** Whose turn it is: one that may start now, or else the one that may start first. */
  #next(now: number): Candidate | undefined {
    if (this.#busy >= this.#most) return undefined
    const { ratePerSecond, burst } = this.#options
    const token = this.#fullAt - ((burst - 1) * 1000) / ratePerSecond
    const session = this.#busySessions > 0 ? undefined : candidate(this.#session(), token, this.#nextSession)
    if (session !== undefined && session.at <= now) return session
    const renewal = candidate(this.#renewal(), token)
    const ordinary = this.#ordinary(now, token, renewal?.waiting.turn)
    if (renewal === undefined || ordinary === undefined) return soonest(session, renewal ?? ordinary)
    if (renewal.at > now || ordinary.at > now) return soonest(session, soonest(renewal, ordinary))
    const run = isPast(renewal.waiting.turn, 'pressingAt', now) ? PRESSING_RUN : 1
    return this.#renewalsInARow >= run ? ordinary : renewal
  }

  /** What can wait: its next one, when a connection and its own pace allow it. */
  #ordinary(now: number, token: number, renewal: Turn | undefined): Candidate | undefined {
    if (this.#busyOrdinary >= this.#mostOrdinary) return undefined
    // More leases are the last thing that one who can hardly keep those that there are should take on.
    const make = renewal !== undefined && isPast(renewal, 'lateAt', now) ? undefined : first(this.#makes)
    const question = first(this.#questions)
    const waiting = question !== undefined && (make === undefined || this.#makesInARow >= MAKE_RUN) ? question : make
    const spacing = Math.max(this.#options.spacingMs, this.#slowed ? 1000 / this.ordinaryRate : 0)
    return candidate(waiting, token, this.#heldUntil, this.#lastOrdinary + spacing)
  }

  get #slowed(): boolean {
    return this.ordinaryRate < this.#options.ratePerSecond
  }

  /** A session that lives is kept before another is begun: logins may be many, and can wait. */
  #session(): Waiting | undefined {
    for (const waiting of this.#sessions) if (waiting.turn.rank === 'session' && waiting.turn.living) return waiting
    return first(this.#sessions)
  }

  #renewal(): Waiting | undefined {
    for (;;) {
      const next = this.#renewals.peek()
      if (next === undefined || !next.gone) return next
      this.#renewals.pop()
    }
  }

  #start(waiting: Waiting, now: number): void {
    const { turn } = waiting
    const { ratePerSecond } = this.#options
    if (turn.rank === 'renewal') this.#renewals.pop()
    else this.#leave(waiting)
    this.#count(turn, 1)
    this.#fullAt = Math.max(this.#fullAt, now) + 1000 / ratePerSecond
    if (turn.rank === 'renewal') this.#renewalsInARow++
    else if (turn.rank === 'make' || turn.rank === 'question') {
      this.#lastOrdinary = now
      this.#renewalsInARow = 0
      this.#makesInARow = turn.rank === 'make' ? this.#makesInARow + 1 : 0
    }
    waiting.start()
  }

  #leave(waiting: Waiting): void {
    this.#sessions.delete(waiting)
    this.#makes.delete(waiting)
    this.#questions.delete(waiting)
  }

  #count(turn: Turn, by: 1 | -1): void {
    this.#busy += by
    if (turn.rank === 'session') this.#busySessions += by
    else if (turn.rank === 'make' || turn.rank === 'question') this.#busyOrdinary += by
  }
}

function first(queue: Set<Waiting>): Waiting | undefined {
  return queue.values().next().value
}

function candidate(waiting: Waiting | undefined, ...notBefore: readonly number[]): Candidate | undefined {
  return waiting === undefined ? undefined : { waiting, at: Math.max(...notBefore) }
}

/** Of two that can't both start now: the one that may start first. */
function soonest(a: Candidate | undefined, b: Candidate | undefined): Candidate | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return b.at < a.at ? b : a
}

function isPast(turn: Turn, which: 'pressingAt' | 'lateAt', now: number): boolean {
  return turn.rank === 'renewal' && turn[which] <= now
}

function latestOf(waiting: Waiting): number {
  return waiting.turn.rank === 'renewal' ? waiting.turn.latestAt : 0
}
