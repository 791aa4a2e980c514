/**
 * A source's life: open, read, append, report; open again. Knows no protocol. The one place that tries again.
 */
import { codeOf, describe, type ErrorCode, Fatal, Retryable } from '../errors.ts'
import { makeFact, type Severity, type SourceRef } from '../event.ts'
import type { LeaseKind, Report, SourceState } from '../report.ts'
import { type Clock, sleep } from '../scheduler/clock.ts'
import { type Attempt, supervise } from '../scheduler/supervise.ts'
import type { Store } from '../store/contract.ts'
import type { OpenContext, Session, Subscriber } from './contract.ts'
import { Intake } from './intake.ts'

/** Refused credentials are not tried more often than this: restarts and retries lock accounts. */
const FATAL_HOLD_MS = 5 * 60_000
/** First and longest bound of the wait between attempts. */
const BACKOFF = { firstMs: 1000, capMs: 60_000 }
/** While a session nears its end, how often its successor is tried. */
const SUCCESSOR_RETRY_MS = 30_000

export interface RunnerOptions {
  readonly subscriber: Subscriber
  readonly store: Store
  readonly clock: Clock
  readonly report: Report
  readonly stateDir: string | undefined
  /** Registers a callback that ends a wait early (the secret's file changed); returns how to forget it. */
  readonly wake?: (callback: () => void) => () => void
}

export interface Runner {
  readonly ref: SourceRef
  /** Seconds left of the tightest lease of each kind. */
  margins(): Partial<Record<LeaseKind, number>>
  /**
   * Ends reading, commits what was read, says goodbye to the source. Idempotent. Past `deadline`'s abort everything
   * is cut instead.
   */
  stop(deadline: AbortSignal): Promise<void>
}

type Health = 'up' | 'degraded' | 'down'

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
  readonly #sessions = new Set<Session>()
  readonly #done: Promise<void>
  #state: SourceState = 'connecting'
  /** What was last published about the source's health, and the worst since it was well. */
  #told: Health | undefined
  #worst: Severity = 'info'
  #telling: Promise<void> = Promise.resolve()

  constructor(options: RunnerOptions) {
    this.#options = options
    this.ref = options.subscriber.ref
    const { store, clock, report, subscriber } = options
    this.#intake = new Intake({ ref: this.ref, store, clock, report, overdraft: subscriber.pushes })
    this.#done = supervise(
      {
        clock,
        signal: this.#stopping.signal,
        backoff: BACKOFF,
        holdMs: error =>
          error instanceof Fatal ? FATAL_HOLD_MS : error instanceof Retryable ? (error.afterMs ?? 0) : 0,
        onFailure: (error, waitMs) => this.#failed(error, waitMs),
        ...(options.wake === undefined ? {} : { wake: options.wake }),
      },
      attempt => this.#attempt(attempt),
    )
  }

  margins(): Partial<Record<LeaseKind, number>> {
    const result: Partial<Record<LeaseKind, number>> = {}
    for (const session of this.#sessions) {
      for (const [kind, seconds] of Object.entries(session.margins()) as [LeaseKind, number][]) {
        result[kind] = Math.min(result[kind] ?? Number.POSITIVE_INFINITY, seconds)
      }
    }
    return result
  }

  async stop(deadline: AbortSignal): Promise<void> {
    const cut = (): void => this.#cut.abort(new Retryable('session_lost', 'the daemon stops'))
    if (!this.#stopping.signal.aborted) {
      this.#stopping.abort(new Retryable('session_lost', 'the daemon stops'))
    }
    if (deadline.aborted) cut()
    else deadline.addEventListener('abort', cut, { once: true })
    try {
      // Closing ends the iteration after what was read: the loop commits that and is done.
      await Promise.all([...this.#sessions].map(session => session.close()))
      await this.#done
      await this.#telling
    } finally {
      deadline.removeEventListener('abort', cut)
    }
    if (this.#state !== 'stopped') {
      this.#state = 'stopped'
      this.#options.report({ type: 'source_state', source: this.ref.name, state: 'stopped' })
    }
  }

  async #attempt(attempt: Attempt): Promise<void> {
    const { report } = this.#options
    this.#state = 'connecting'
    let session = await this.#open(attempt)
    let reading = this.#read(session, attempt)
    await this.#settled(session, reading)
    try {
      for (;;) {
        const successor = await this.#successorOf(session, reading, attempt)
        if (successor === undefined) return await reading
        // Make before break: both are alive for a moment; what both deliver has the same ids.
        report({ type: 'lease_renewed', source: this.ref.name, lease: 'lifetime', result: 'ok' })
        const oldReading = reading
        const old = session
        session = successor
        reading = this.#read(session, attempt)
        // The successor must watch everything before the old one goes, unless one of the two ends first.
        await Promise.race([this.#settled(session, reading), ended(oldReading)])
        await old.close()
        // How the predecessor ended does not matter any more: the successor reads.
        await oldReading.catch(() => undefined)
      }
    } finally {
      await session.close()
    }
  }

  /** Waits until the session watches all it shall, then calls the source up; returns without a word when it ends first. */
  async #settled(session: Session, reading: Promise<void>): Promise<void> {
    let over = false
    const end = ended(reading).then(() => {
      over = true
    })
    await Promise.race([session.ready, end])
    if (!over && !this.#stopping.signal.aborted) this.#tell('up')
  }

  async #open(attempt: Attempt): Promise<Session> {
    const { subscriber, store, clock, report, stateDir } = this.#options
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
        report(happening)
      },
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
    this.#sessions.add(session)
    return session
  }

  #read(session: Session, attempt: Attempt): Promise<void> {
    const reading = this.#readAll(session, attempt)
    // Whoever waits for it comes later, perhaps after a goodbye of seconds: until then its failure is nobody's fault.
    reading.catch(() => undefined)
    return reading
  }

  async #readAll(session: Session, attempt: Attempt): Promise<void> {
    try {
      for await (const batch of session) {
        await this.#intake.take(batch, this.#cut.signal)
        attempt.alive()
      }
    } finally {
      this.#sessions.delete(session)
      await session.close()
    }
  }

  /** Opens the session that takes over, when this one is to retire. Undefined when this one ended by itself first. */
  async #successorOf(session: Session, reading: Promise<void>, attempt: Attempt): Promise<Session | undefined> {
    if (session.retireBy === undefined) {
      await reading
      return undefined
    }
    const { clock, report } = this.#options
    const over = new AbortController()
    const onEnd = (): void => over.abort()
    reading.then(onEnd, onEnd)
    let waitMs = session.retireBy - clock.now()
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
        const text = `no successor session yet: ${describe(error)}`
        report({ type: 'source_state', source: this.ref.name, state: 'degraded', reason: text, code: codeOf(error) })
        const held = error instanceof Retryable ? (error.afterMs ?? 0) : error instanceof Fatal ? FATAL_HOLD_MS : 0
        waitMs = Math.max(SUCCESSOR_RETRY_MS, held)
      }
    }
  }

  #failed(error: unknown, retryInMs: number): void {
    const { report } = this.#options
    const reason = error === undefined ? 'the session ended' : describe(error)
    const code = error === undefined ? 'session_lost' : codeOf(error)
    report({ type: 'reconnect', source: this.ref.name, reason: code })
    // A session that was lost and is made anew at once is degraded; one that can't be made is down.
    const state = this.#state === 'up' ? 'degraded' : 'down'
    this.#tell(state, reason, retryInMs, code)
  }

  /** Reports a state, and publishes it as a `source` event when it is another than the last one. */
  #tell(state: Health, reason?: string, retryInMs?: number, code?: ErrorCode): void {
    const { report, clock } = this.#options
    this.#state = state
    report({
      type: 'source_state',
      source: this.ref.name,
      state,
      ...(reason === undefined ? {} : { reason }),
      ...(retryInMs === undefined ? {} : { retryInMs }),
      ...(code === undefined ? {} : { code }),
    })
    if (this.#told === state) return
    this.#told = state
    const severity = state === 'down' ? 'major' : state === 'degraded' ? 'warning' : this.#worst
    // The event that closes an alert travels on the subject of the worst one that opened it.
    this.#worst = state === 'up' ? 'info' : this.#worst === 'major' ? 'major' : severity
    const fact = sourceFact(this.ref, state, severity, reason, new Date(clock.wall()).toISOString())
    this.#telling = this.#telling
      .then(() => this.#intake.take({ feed: 'source', facts: [fact] }, this.#cut.signal))
      // Only the cut ends an append: the daemon is going down and its own state is no news.
      .catch(() => undefined)
  }
}

function ended(reading: Promise<void>): Promise<void> {
  return reading.catch(() => undefined)
}

async function drop(session: Session): Promise<void> {
  try {
    for await (const _ of session);
  } catch {
    // It ends as it likes: nobody reads it.
  }
}

/** A source's own health as an event. The one kind whose id may use local time. */
function sourceFact(ref: SourceRef, state: Health, severity: Severity, reason: string | undefined, time: string) {
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
