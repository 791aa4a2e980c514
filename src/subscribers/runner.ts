/** A source's life: open, read, append, report; open again. Knows no protocol. The one place that tries again. */
import { codeOf, describe, Retryable } from '../errors.ts'
import type { Fact, Severity, SourceRef } from '../event.ts'
import type { LeaseKind, Report } from '../report.ts'
import type { Clock } from '../scheduler/clock.ts'
import { type Attempt, supervise } from '../scheduler/supervise.ts'
import type { Store } from '../store/contract.ts'
import type { OpenContext, Past, Session, Subscriber } from './contract.ts'
import { drop, ended, errorOf } from './endings.ts'
import { Intake } from './intake.ts'
import { type Opened, OpenSessions, type SessionAge } from './open-sessions.ts'
import { SourceHealth } from './source-health.ts'
import { holdMs, SuccessorWaits, waitFor } from './waits.ts'

/** First and longest bound of the wait between attempts, and how long a session must have lived to start afresh. */
const BACKOFF = { firstMs: 1000, capMs: 60_000, stableMs: 30_000 }

export interface RunnerOptions {
  readonly subscriber: Subscriber
  readonly store: Store
  readonly clock: Clock
  readonly report: Report
  readonly stateDir: string | undefined
  readonly wake?: Wake
}

/** Registers a callback that ends a wait early (the secret's file changed); returns how to forget it. */
export type Wake = (callback: () => void) => () => void

export interface Runner {
  readonly ref: SourceRef
  /** Seconds left of the tightest lease of each kind. */
  margins(): Partial<Record<LeaseKind, number>>
  /** Seconds left of each feed's own lease, for feeds that have one. Of two sessions that overlap, the longer. */
  feedMargins(): ReadonlyMap<string, number>
  /** Undefined while there is no session; so is `past`, what can be asked of the source's past through it. */
  session(): SessionAge | undefined
  readonly past: Past | undefined
  /**
   * The source is to be read by `next`, of the same name, from now on: what waits is tried with it at once, and a session
   * is followed by one of its own, make before break. Until that stands the session goes on as it is.
   */
  replace(next: Subscriber, wake?: Wake): void
  /**
   * Ends reading, commits what was read, says goodbye to the source. Idempotent. Past `deadline`'s abort everything
   * is cut instead.
   */
  stop(deadline: AbortSignal): Promise<void>
}

export function startRunner(options: RunnerOptions): Runner {
  return new SourceRunner(options)
}

class SourceRunner implements Runner {
  readonly ref: SourceRef
  readonly #options: RunnerOptions
  #subscriber: Subscriber
  /** Who opened a session last, or tried to. */
  #tried: Subscriber | undefined
  #wake: Wake | undefined
  /** Aborted, and made anew, when another subscriber takes over. */
  #replaced = new AbortController()
  readonly #intake: Intake
  /** Ends the loop: no attempt is started any more. `#cut` ends what is under way. */
  readonly #stopping = new AbortController()
  readonly #cut = new AbortController()
  readonly #sessions: OpenSessions
  readonly #health: SourceHealth
  readonly #done: Promise<void>
  #stopped = false
  #telling: Promise<void> = Promise.resolve()

  constructor(options: RunnerOptions) {
    this.#options = options
    const { store, clock, report, subscriber } = options
    this.ref = subscriber.ref
    this.#subscriber = subscriber
    this.#wake = options.wake
    this.#sessions = new OpenSessions(clock)
    this.#intake = new Intake({ ref: this.ref, store, clock, report, overdraft: subscriber.pushes })
    this.#health = new SourceHealth({
      ref: this.ref,
      clock,
      report,
      worst: store.cursor(this.ref.name, 'source')?.['worst'],
      publish: (fact, worst) => this.#publish(fact, worst),
    })
    this.#done = supervise(
      {
        clock,
        signal: this.#stopping.signal,
        backoff: BACKOFF,
        holdMs,
        onFailure: (error, waitMs) => this.#failed(error, waitMs),
        wake: callback => this.#onWake(callback),
      },
      attempt => this.#attempt(attempt),
    )
  }

  margins(): Partial<Record<LeaseKind, number>> {
    return this.#sessions.margins()
  }

  feedMargins(): ReadonlyMap<string, number> {
    return this.#sessions.feedMargins()
  }

  session(): SessionAge | undefined {
    return this.#sessions.age()
  }

  get past(): Past | undefined {
    return this.#sessions.past
  }

  replace(next: Subscriber, wake?: Wake): void {
    this.#subscriber = next
    this.#wake = wake
    const before = this.#replaced
    this.#replaced = new AbortController()
    before.abort(new Retryable('session_lost', 'the config changed'))
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
      await this.#sessions.close()
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
    let opened = await this.#openFirst(attempt)
    let reading = this.#read(opened, attempt)
    await this.#settled(opened, reading)
    let { retireBy } = opened.session
    let waits = new SuccessorWaits(clock, opened.session.endsBy)
    try {
      for (;;) {
        const successor = await this.#successorOf(opened, retireBy, waits, reading, attempt)
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
        const isRenewal = successor.by === opened.by
        if (isRenewal) report({ type: 'lease_renewed', source: this.ref.name, lease: 'lifetime', result: 'ok' })
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

  /** What the old config could not open need not wait: the new one may be why there is a new one. */
  async #openFirst(attempt: Attempt): Promise<Opened> {
    for (;;) {
      const by = this.#subscriber
      try {
        return await this.#open(attempt)
      } catch (error) {
        if (by === this.#subscriber || this.#stopping.signal.aborted) throw error
      }
    }
  }

  async #open(attempt: Attempt): Promise<Opened> {
    const { store, clock, stateDir } = this.#options
    const subscriber = this.#subscriber
    this.#tried = subscriber
    const view = this.#health.view()
    // Until it is open there is nothing to say goodbye to: a stop simply ends the attempt.
    const opening = new AbortController()
    const ends = AbortSignal.any([this.#stopping.signal, this.#replaced.signal])
    const onEnd = (): void => opening.abort(ends.reason)
    ends.addEventListener('abort', onEnd, { once: true })
    const context: OpenContext = {
      clock,
      signal: AbortSignal.any([this.#cut.signal, opening.signal]),
      cursor: feed => this.#intake.cursor(feed),
      mirror: store.mirror(this.ref.name),
      report: happening => {
        // A quiet source has no batches for hours: what it proves by answers counts as life too.
        if (happening.type === 'feed_proof') attempt.alive()
        view.hear(happening)
      },
      doubt: (about, text) => view.doubt(about, text),
      ...{ stateDir, spell: this.#intake.spell, backlogged: () => store.full, lostAtMs: () => this.#intake.lostAtMs() },
    }
    let session: Session
    try {
      session = await subscriber.open(context)
    } finally {
      ends.removeEventListener('abort', onEnd)
    }
    if (this.#stopping.signal.aborted) {
      // What it read meanwhile is read again after the restart.
      const dropped = drop(session)
      await session.close()
      await dropped
      throw this.#stopping.signal.reason
    }
    const opened = { session, by: subscriber, view, at: clock.now() }
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

  /**
   * Opens the session that takes over, when this one is to retire or was opened by another subscriber than the present
   * one. Undefined when this one ended by itself first.
   */
  async #successorOf(
    current: Opened,
    retireBy: number | undefined,
    waits: SuccessorWaits,
    reading: Promise<void>,
    attempt: Attempt,
  ): Promise<Opened | undefined> {
    const { clock } = this.#options
    let over = false
    const end = ended(reading).then(() => {
      over = true
    })
    const retireMs = retireBy === undefined ? undefined : retireBy - clock.now()
    let waitMs = current.by === this.#subscriber ? retireMs : 0
    let failed = false
    for (;;) {
      await this.#waitFor(waitMs, end, failed)
      if (over || this.#stopping.signal.aborted) return undefined
      const by = this.#subscriber
      try {
        return await this.#open(attempt)
      } catch (error) {
        if (this.#stopping.signal.aborted) return undefined
        failed = by === this.#subscriber
        waitMs = failed ? this.#noSuccessor(error, waits) : 0
      }
    }
  }

  /** Waits for `ms` (undefined: for ever), but not past `end` or a replacement, and when `wakeable` not past a wake-up. */
  async #waitFor(ms: number | undefined, end: Promise<void>, wakeable: boolean): Promise<void> {
    const early = new AbortController()
    const wake = (): void => early.abort()
    void end.then(wake)
    const forget = wakeable ? this.#wake?.(wake) : undefined
    await waitFor(this.#options.clock, ms, AbortSignal.any([this.#replaced.signal, early.signal]))
    forget?.()
  }

  /** As `Wake`, and what waits is tried at once by another subscriber. */
  #onWake(callback: () => void): () => void {
    const forget = this.#wake?.(callback)
    const { signal } = this.#replaced
    signal.addEventListener('abort', callback, { once: true })
    if (this.#tried !== this.#subscriber) callback()
    return () => {
      forget?.()
      signal.removeEventListener('abort', callback)
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
  #publish(fact: Fact, worst: Severity): void {
    this.#telling = this.#telling
      .then(() => this.#intake.take({ feed: 'source', facts: [fact], cursor: { worst } }, this.#cut.signal))
      // Only the cut ends an append: the daemon is going down and its own state is no news.
      .catch(() => undefined)
  }
}
