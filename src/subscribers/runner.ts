/**
 * A source's life: open, read, append, report; open again. Knows no protocol. The one place that tries again.
 */
import { codeOf, describe, Retryable } from '../errors.ts'
import type { Fact, SourceRef } from '../event.ts'
import type { LeaseKind, Report } from '../report.ts'
import { type Clock, sleep } from '../scheduler/clock.ts'
import { type Attempt, supervise } from '../scheduler/supervise.ts'
import type { Store } from '../store/contract.ts'
import type { OpenContext, Session, Subscriber } from './contract.ts'
import { Intake } from './intake.ts'
import type { SessionView } from './session-view.ts'
import { SourceHealth } from './source-health.ts'
import { holdMs, SuccessorWaits } from './waits.ts'

/** First and longest bound of the wait between attempts, and how long a session must have lived to start afresh. */
const BACKOFF = { firstMs: 1000, capMs: 60_000, stableMs: 30_000 }

export interface RunnerOptions {
  readonly subscriber: Subscriber
  readonly store: Store
  readonly clock: Clock
  readonly report: Report
  readonly stateDir: string | undefined
  /** Registers a callback that ends a wait early (the secret's file changed); returns how to forget it. */
  readonly wake?: (callback: () => void) => () => void
}

/** The session that reads now. */
export interface SessionAge {
  /** Since it was opened. */
  readonly ageSeconds: number
  /** Until its successor is opened; undefined for one that needs none. */
  readonly handOverSeconds: number | undefined
}

export interface Runner {
  readonly ref: SourceRef
  /** Seconds left of the tightest lease of each kind. */
  margins(): Partial<Record<LeaseKind, number>>
  /** Seconds left of each feed's own lease, for feeds that have one. Of two sessions that overlap, the longer. */
  feedMargins(): ReadonlyMap<string, number>
  /** Undefined while there is no session. */
  session(): SessionAge | undefined
  /**
   * Ends reading, commits what was read, says goodbye to the source. Idempotent. Past `deadline`'s abort everything
   * is cut instead.
   */
  stop(deadline: AbortSignal): Promise<void>
}

interface Opened {
  readonly session: Session
  /** What it says of its feeds. */
  readonly view: SessionView
  /** Monotonic ms. */
  readonly at: number
}

export function startRunner(options: RunnerOptions): Runner {
  return new SourceRunner(options)
}

class SourceRunner implements Runner {
  readonly ref: SourceRef
  readonly #options: RunnerOptions
  readonly #intake: Intake
  /** Ends the loop: no attempt is started any more. */
  readonly #stopping = new AbortController()
  /** Cuts what is under way. */
  readonly #cut = new AbortController()
  /** In the order of their opening: the last one takes over. */
  readonly #sessions = new Set<Opened>()
  readonly #health: SourceHealth
  readonly #done: Promise<void>
  #stopped = false
  #telling: Promise<void> = Promise.resolve()

  constructor(options: RunnerOptions) {
    this.#options = options
    this.ref = options.subscriber.ref
    const { store, clock, report, subscriber } = options
    this.#intake = new Intake({ ref: this.ref, store, clock, report, overdraft: subscriber.pushes })
    this.#health = new SourceHealth({
      ref: this.ref,
      clock,
      report,
      publish: fact => this.#publish(fact),
    })
    this.#done = supervise(
      {
        clock,
        signal: this.#stopping.signal,
        backoff: BACKOFF,
        holdMs,
        onFailure: (error, waitMs) => this.#failed(error, waitMs),
        ...(options.wake === undefined ? {} : { wake: options.wake }),
      },
      attempt => this.#attempt(attempt),
    )
  }

  margins(): Partial<Record<LeaseKind, number>> {
    const result: Partial<Record<LeaseKind, number>> = {}
    for (const { session } of this.#sessions) {
      for (const [kind, seconds] of Object.entries(session.margins()) as [LeaseKind, number][]) {
        result[kind] = Math.min(result[kind] ?? Number.POSITIVE_INFINITY, seconds)
      }
    }
    return result
  }

  feedMargins(): ReadonlyMap<string, number> {
    const result = new Map<string, number>()
    for (const { session } of this.#sessions) {
      for (const [feed, seconds] of session.feedMargins?.() ?? []) {
        result.set(feed, Math.max(result.get(feed) ?? Number.NEGATIVE_INFINITY, seconds))
      }
    }
    return result
  }

  session(): SessionAge | undefined {
    const now = this.#options.clock.now()
    // The first in the row: while two overlap it is the one that is about to be followed.
    const [opened] = this.#sessions
    if (opened === undefined) return undefined
    const { retireBy } = opened.session
    return {
      ageSeconds: (now - opened.at) / 1000,
      handOverSeconds: retireBy === undefined ? undefined : (retireBy - now) / 1000,
    }
  }

  async stop(deadline: AbortSignal): Promise<void> {
    const cut = (): void => this.#cut.abort(new Retryable('session_lost', 'the daemon stops'))
    if (!this.#stopping.signal.aborted) {
      this.#stopping.abort(new Retryable('session_lost', 'the daemon stops'))
      this.#health.close()
    }
    if (deadline.aborted) cut()
    else deadline.addEventListener('abort', cut, { once: true })
    try {
      // Closing ends the iteration after what was read: the loop commits that and is done.
      await Promise.all([...this.#sessions].map(({ session }) => session.close()))
      await this.#done
      await this.#telling
    } finally {
      deadline.removeEventListener('abort', cut)
    }
    if (this.#stopped) return
    this.#stopped = true
    this.#options.report({ type: 'source_state', source: this.ref.name, state: 'stopped' })
  }

  async #attempt(attempt: Attempt): Promise<void> {
    const { report, clock } = this.#options
    this.#health.connecting()
    let opened = await this.#open(attempt)
    let reading = this.#read(opened, attempt)
    await this.#settled(opened, reading)
    let { retireBy } = opened.session
    let waits = new SuccessorWaits(clock, opened.session.endsBy)
    try {
      for (;;) {
        const successor = await this.#successorOf(retireBy, waits, reading, attempt)
        if (successor === undefined) return await reading
        // Make before break: both are alive for a moment; what both deliver has the same ids.
        const nextReading = this.#read(successor, attempt)
        // The successor must watch everything before the old one goes, unless that one ends first.
        const takesOver = ended(reading).then(() => true)
        if (!(await Promise.race([this.#settled(successor, nextReading), takesOver]))) {
          // It ended before it did. Its predecessor is well: nothing is lost yet.
          retireBy = clock.now() + this.#noSuccessor(await errorOf(nextReading), waits)
          continue
        }
        report({ type: 'lease_renewed', source: this.ref.name, lease: 'lifetime', result: 'ok' })
        const oldReading = reading
        const old = opened.session
        opened = successor
        reading = nextReading
        retireBy = opened.session.retireBy
        waits = new SuccessorWaits(clock, opened.session.endsBy)
        this.#health.takeOver(opened.view)
        await old.close()
        // How the predecessor ended does not matter any more: the successor reads.
        await oldReading.catch(() => undefined)
      }
    } finally {
      await opened.session.close()
    }
  }

  /** Waits until the session watches all it shall, then calls the source up. False, without a word, when it ends first. */
  async #settled({ session, view }: Opened, reading: Promise<void>): Promise<boolean> {
    let over = false
    this.#health.opened(view)
    const end = ended(reading).then(() => {
      over = true
    })
    await Promise.race([session.ready, end])
    if (!over && !this.#stopping.signal.aborted) this.#health.settled(view)
    return !over
  }

  async #open(attempt: Attempt): Promise<Opened> {
    const { subscriber, store, clock, stateDir } = this.#options
    const view = this.#health.view()
    // Until it is open there is nothing to say goodbye to: a stop simply ends the attempt.
    const opening = new AbortController()
    const onStop = (): void => opening.abort(this.#stopping.signal.reason)
    this.#stopping.signal.addEventListener('abort', onStop, { once: true })
    const context: OpenContext = {
      clock,
      signal: AbortSignal.any([this.#cut.signal, opening.signal]),
      cursor: feed => store.cursor(this.ref.name, feed),
      mirror: store.mirror(this.ref.name),
      report: happening => {
        // A quiet source has no batches for hours: what it proves by answers counts as life too.
        if (happening.type === 'feed_proof') attempt.alive()
        view.hear(happening)
      },
      doubt: (about, text) => view.doubt(about, text),
      stateDir,
    }
    let session: Session
    try {
      session = await subscriber.open(context)
    } finally {
      this.#stopping.signal.removeEventListener('abort', onStop)
    }
    if (this.#stopping.signal.aborted) {
      // What it read meanwhile is read again after the restart.
      const dropped = drop(session)
      await session.close()
      await dropped
      throw this.#stopping.signal.reason
    }
    const opened = { session, view, at: clock.now() }
    this.#sessions.add(opened)
    return opened
  }

  #read(opened: Opened, attempt: Attempt): Promise<void> {
    const reading = this.#readAll(opened, attempt)
    // Whoever waits for it comes later, perhaps after a goodbye of seconds: until then its failure is nobody's fault.
    reading.catch(() => undefined)
    return reading
  }

  async #readAll(opened: Opened, attempt: Attempt): Promise<void> {
    const { session } = opened
    try {
      for await (const batch of session) {
        await this.#intake.take(batch, this.#cut.signal)
        attempt.alive()
      }
    } finally {
      this.#sessions.delete(opened)
      await session.close()
    }
  }

  /** Opens the session that takes over, when this one is to retire. Undefined when this one ended by itself first. */
  async #successorOf(
    retireBy: number | undefined,
    waits: SuccessorWaits,
    reading: Promise<void>,
    attempt: Attempt,
  ): Promise<Opened | undefined> {
    if (retireBy === undefined) {
      await reading
      return undefined
    }
    const { clock } = this.#options
    const over = new AbortController()
    const onEnd = (): void => over.abort()
    reading.then(onEnd, onEnd)
    let waitMs = retireBy - clock.now()
    for (;;) {
      try {
        await sleep(clock, Math.max(0, waitMs), over.signal)
      } catch {
        return undefined
      }
      if (this.#stopping.signal.aborted) return undefined
      try {
        return await this.#open(attempt)
      } catch (error) {
        if (this.#stopping.signal.aborted) return undefined
        waitMs = this.#noSuccessor(error, waits)
      }
    }
  }

  /** Tells that the session goes on without a successor. Gives the wait before the next is tried, ms. */
  #noSuccessor(error: unknown, waits: SuccessorWaits): number {
    const reason = `no successor session yet: ${error === undefined ? 'it ended' : describe(error)}`
    this.#options.report({ type: 'lease_renewed', source: this.ref.name, lease: 'lifetime', result: 'failed' })
    this.#health.handOverFailed(reason, error === undefined ? 'session_lost' : codeOf(error))
    return waits.next(error)
  }

  #failed(error: unknown, retryInMs: number): void {
    const { report } = this.#options
    const reason = error === undefined ? 'the session ended' : describe(error)
    const code = error === undefined ? 'session_lost' : codeOf(error)
    report({ type: 'reconnect', source: this.ref.name, reason: code })
    this.#health.lost(reason, code, retryInMs)
  }

  /** One after the other; the loop does not wait for it. */
  #publish(fact: Fact): void {
    this.#telling = this.#telling
      .then(() => this.#intake.take({ feed: 'source', facts: [fact] }, this.#cut.signal))
      // Only the cut ends an append: the daemon is going down and its own state is no news.
      .catch(() => undefined)
  }
}

function ended(reading: Promise<void>): Promise<void> {
  return reading.catch(() => undefined)
}

/** What a session ended with; undefined when it ended well. */
async function errorOf(reading: Promise<void>): Promise<unknown> {
  try {
    await reading
  } catch (error) {
    return error
  }
}

async function drop(session: Session): Promise<void> {
  try {
    for await (const _ of session);
  } catch {
    // It ends as it likes: nobody reads it.
  }
}
