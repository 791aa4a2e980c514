/**
 * Moves events from the store to a sink: in order per key, each once, whatever happens to the sink meanwhile.
 *
 * A row is on its way, answered, or doubtful. After a loss, and at the start, the doubtful ones are looked up in the
 * sink before anything is sent; only what the sink lacks goes again. The floor in the store follows what was taken.
 */
import { codeOf, describe, Fatal, Retryable } from '../errors.ts'
import type { EventRecord } from '../record.ts'
import { Backoff } from '../scheduler/backoff.ts'
import { type Cancel, sleep } from '../scheduler/clock.ts'
import { type Attempt, supervise } from '../scheduler/supervise.ts'
import { Burials } from './burials.ts'
import { type Outcome, type Receipt, SinkGone } from './contract.ts'
import { type Entry, Lanes } from './lanes.ts'
import { type SentAt, sentFrom } from './look-back.ts'
import { Lookahead } from './lookahead.ts'
import type { Pump, PumpOptions, PumpState } from './pump-contract.ts'
import { Rewind } from './rewind.ts'
import { withoutRaw } from './shrink.ts'

/** First and longest bound of the wait between attempts to open the sink. */
const BACKOFF = { firstMs: 500, capMs: 30_000 }
const FATAL_HOLD_MS = 5 * 60_000
/** A sink that is open and refuses (a full stream) is asked again this slowly. */
const PARK_LEAST_MS = 500
const PARK = { firstMs: 1000, capMs: 30_000 }
/** How many rows beyond the durable floor may be sent, in windows: what a start has to look up at most. */
const AHEAD_WINDOWS = 8
const MAX_FLYING_BYTES = 8 * 1024 * 1024

/** Starts at once; the sink is opened, and opened again, for as long as the pump runs. */
export function startPump(options: PumpOptions): Pump {
  return new StorePump(options)
}

class StorePump implements Pump {
  readonly #options: PumpOptions
  #lanes: Lanes
  #ahead: Lookahead
  readonly #burials: Burials
  readonly #rewind: Rewind
  /** Rows up to here may have been delivered by an earlier process. */
  readonly #lastSeqAtStart: number
  readonly #stopping = new AbortController()
  readonly #forgetCommits: () => void
  readonly #park: Backoff
  readonly #done: Promise<void>
  readonly #flying = new Map<number, Entry>()
  readonly #doubtful = new Set<Entry>()
  readonly #gone = Promise.withResolvers<Error>()
  #flyingBytes = 0
  #started = false
  #open = false
  #draining = false
  /** Set while the sink refuses; after the wait one row is sent to see. */
  #parked: Cancel | undefined
  #probing = false
  #alive: (() => void) | undefined
  #fail: ((reason: Error) => void) | undefined
  /** Why the store could not be read. */
  #unreadable: Error | undefined
  #idle: (() => void) | undefined
  #up: boolean | undefined
  #detail = 'not opened yet'
  #stopped: Promise<void> | undefined

  constructor(options: PumpOptions) {
    this.#options = options
    const { store, sink, clock, report, signal } = options
    this.#lanes = new Lanes(store.floor)
    this.#ahead = this.#lookahead()
    this.#burials = new Burials({
      store,
      clock,
      report,
      signal: this.#stopping.signal,
      onBuried: entry => {
        this.#lanes.done(entry)
        this.#settle()
        this.#fill()
      },
    })
    this.#lastSeqAtStart = store.stats().lastSeq
    this.#rewind = new Rewind(options, () => this.#settle())
    this.#park = new Backoff(clock, PARK)
    sink.onSettled(receipts => this.#settled(receipts))
    sink.onLost(reason => this.#fail?.(reason))
    this.#forgetCommits = store.onCommit(() => {
      this.#ahead.more()
      this.#fill()
    })
    const ending = signal === undefined ? this.#stopping.signal : AbortSignal.any([this.#stopping.signal, signal])
    this.#done = supervise(
      {
        clock,
        signal: ending,
        backoff: BACKOFF,
        holdMs: error =>
          error instanceof Fatal ? FATAL_HOLD_MS : error instanceof Retryable ? (error.afterMs ?? 0) : 0,
        onFailure: error => {
          this.#tell(false, codeOf(error) === 'bug' ? `bug: ${describe(error)}` : describe(error))
          if (error instanceof SinkGone) this.#gone.resolve(error)
        },
      },
      attempt => this.#session(attempt, ending),
    )
  }

  get gone(): Promise<Error> {
    return this.#gone.promise
  }

  state(): PumpState {
    return { up: this.#up === true, detail: this.#detail, unanswered: this.#flying.size, doubtful: this.#doubtful.size }
  }

  stop(deadlineMs: number): Promise<void> {
    this.#stopped ??= this.#stop(deadlineMs)
    return this.#stopped
  }

  async #stop(deadlineMs: number): Promise<void> {
    const { clock, sink } = this.#options
    this.#draining = true
    this.#forgetCommits()
    this.#rest()
    const answered = new Promise<void>(resolve => {
      this.#idle = resolve
      if (this.#flying.size === 0) resolve()
    }).then(() => this.#burials.finished())
    if (deadlineMs > 0) {
      const early = new AbortController()
      const late = sleep(clock, deadlineMs, early.signal).catch(() => undefined)
      await Promise.race([answered, late])
      early.abort()
    }
    this.#stopping.abort(new Retryable('sink', 'the pump stops'))
    await this.#done
    await sink.close().catch(() => undefined)
  }

  /** From opening the sink until it is lost. */
  async #session(attempt: Attempt, ending: AbortSignal): Promise<void> {
    const { sink } = this.#options
    const { promise: lost, reject } = Promise.withResolvers<never>()
    const onEnd = (): void => reject(ending.reason)
    this.#fail = reject
    lost.catch(() => undefined)
    ending.addEventListener('abort', onEnd, { once: true })
    try {
      await Promise.race([sink.open(ending), lost])
      await this.#compare(lost)
      if (!this.#started) await Promise.race([this.#lookUpEarlier(), lost])
      await Promise.race([this.#lookUp(), lost])
      this.#alive = () => attempt.alive()
      this.#open = true
      this.#probing = false
      this.#tell(true, sink.detail ?? 'open')
      this.#rewind.opened()
      this.#fill()
      await lost
    } finally {
      this.#rewind.lost()
      ending.removeEventListener('abort', onEnd)
      this.#fail = undefined
      this.#alive = undefined
      this.#unreadable = undefined
      this.#open = false
      this.#rest()
      this.#doubt()
    }
  }

  #lookahead(): Lookahead {
    const { store, sink, clock } = this.#options
    return new Lookahead(store, this.#lanes, clock, AHEAD_WINDOWS * sink.window, () => this.#fill())
  }

  /** A sink that went back in time gets again what it lacks, in the old order, before all else. */
  async #compare(lost: Promise<never>): Promise<void> {
    const sent = (): number => this.#ahead.sentThrough(this.#lastSeqAtStart)
    const found = await Promise.race([this.#rewind.find(this.#lanes.floor, sent), lost])
    if (found === undefined) return
    // Burials under way hold entries of the lanes that go.
    await Promise.race([this.#burials.finished(), lost])
    this.#rewind.begin(found)
    this.#started = true
    this.#doubtful.clear()
    this.#lanes = new Lanes(found.floor)
    this.#ahead = this.#lookahead()
    this.#ahead.skip(found.held)
  }

  /** Everything unanswered is doubtful now. */
  #doubt(): void {
    for (const entry of this.#flying.values()) this.#doubtful.add(entry)
    this.#flying.clear()
    this.#flyingBytes = 0
    this.#idle?.()
  }

  /** Settles the doubtful rows that the sink has; the others are sent again, in order, before all else. */
  async #lookUp(): Promise<void> {
    const { sink, clock } = this.#options
    if (this.#doubtful.size === 0) return
    const doubtful = [...this.#doubtful].sort((a, b) => a.seq - b.seq)
    const sent = doubtful.map(entry => entry.firstSent)
    const sinceMs = sentFrom(sent, { wallMs: clock.wall(), nowMs: clock.now() })
    const ids = doubtful.map(entry => entry.record.id)
    const session = this.#fail
    const found = await sink.stored(ids, sinceMs)
    // An answer that comes after the loss belongs to no session: the next one asks again.
    if (this.#fail !== session) return
    const there = doubtful.filter(entry => found.has(entry.record.id))
    const recordedMs = there.map(entry => entry.record.recordedMs)
    for (const entry of there) this.#lanes.done(entry)
    this.#doubtful.clear()
    this.#lanes.putBack(doubtful)
    this.#count('duplicate', recordedMs)
    this.#settle()
  }

  /** At the start: what an earlier process delivered is not sent again. */
  async #lookUpEarlier(): Promise<void> {
    const session = this.#fail
    const delivered = await this.#ahead.findDelivered(this.#options.sink, this.#lastSeqAtStart)
    if (this.#fail !== session) return
    this.#ahead.skip(delivered)
    this.#count(
      'duplicate',
      delivered.map(key => key.recordedMs),
    )
    this.#started = true
  }

  #count(result: Outcome, recordedMs: readonly number[]): void {
    if (recordedMs.length > 0) this.#options.report({ type: 'published', result, count: recordedMs.length, recordedMs })
  }

  /** Sends what may be sent. Cheap when there is nothing to do. */
  #fill(): void {
    const { sink, clock } = this.#options
    if (!this.#open || this.#draining || this.#parked !== undefined) return
    const window = this.#probing ? 1 : sink.window
    const batch: EventRecord[] = []
    let sentAt: SentAt | undefined
    try {
      while (this.#flying.size < window && this.#flyingBytes < MAX_FLYING_BYTES) {
        const entry = this.#ahead.next()
        if (entry === undefined) break
        this.#lanes.take(entry)
        if (entry.firstSent === undefined) {
          sentAt ??= { wallMs: clock.wall(), nowMs: clock.now() }
          entry.firstSent = sentAt
        }
        this.#flying.set(entry.seq, entry)
        this.#flyingBytes += entry.record.body.length
        batch.push(entry.record)
      }
    } catch (error) {
      // The store could not be read. Whoever called has no part in it: the session ends, and the next one tries again.
      this.#open = false
      this.#unreadable = error instanceof Error ? error : new Error(String(error))
    }
    // Rows that were taken up and found delivered may have moved it.
    this.#settle()
    if (batch.length > 0) sink.send(batch)
    this.#endUnreadable()
  }

  /** The sink is well: what it has is answered before the session ends, so that nothing of it is doubtful. */
  #endUnreadable(): void {
    if (this.#unreadable !== undefined && this.#flying.size === 0) this.#fail?.(this.#unreadable)
  }

  #settled(receipts: readonly Receipt[]): void {
    const recorded: Record<Outcome, number[]> = { ok: [], duplicate: [], retry: [], too_large: [] }
    const back: Entry[] = []
    let refusal: string | undefined
    for (const { seq, outcome, reason } of receipts) {
      const one = this.#flying.get(seq)
      if (one === undefined) continue
      this.#flying.delete(seq)
      if (outcome === 'retry') refusal ??= reason ?? 'refused'
      this.#flyingBytes -= one.record.body.length
      recorded[outcome].push(one.record.recordedMs)
      if (outcome === 'retry' || (outcome === 'too_large' && this.#shrunk(one))) back.push(one)
      else if (outcome === 'too_large') this.#burials.begin(one)
      else this.#lanes.done(one)
    }
    if (back.length > 0) this.#lanes.putBack(back)
    for (const result of ['ok', 'duplicate', 'retry', 'too_large'] as const) this.#count(result, recorded[result])
    this.#settle()
    if (refusal !== undefined) this.#refused(refusal)
    else if (recorded.ok.length + recorded.duplicate.length > 0) this.#accepted()
    if (this.#flying.size === 0) this.#idle?.()
    this.#endUnreadable()
    this.#fill()
  }

  /** Makes the row smaller, once. False when it can't be. */
  #shrunk(entry: Entry): boolean {
    const smaller = entry.shrunk ? undefined : withoutRaw(entry.record)
    if (smaller === undefined) return false
    entry.shrunk = true
    this.#lanes.replace(entry, smaller)
    return true
  }

  #settle(): void {
    this.#rewind.settle(this.#lanes.floor)
  }

  #accepted(): void {
    this.#alive?.()
    // A late answer from before the refusal is no sign that the sink takes again.
    if (this.#parked !== undefined) return
    this.#park.reset()
    this.#probing = false
    this.#tell(true, this.#options.sink.detail ?? 'open')
  }

  /** The sink is there and takes nothing: wait, then send one row to see. */
  #refused(reason: string): void {
    if (this.#parked !== undefined || !this.#open || this.#draining) return
    this.#tell(false, reason)
    this.#probing = true
    this.#parked = this.#options.clock.after(PARK_LEAST_MS + this.#park.next(), () => {
      this.#parked = undefined
      this.#fill()
    })
  }

  /** Ends every wait of the pump's own. */
  #rest(): void {
    this.#parked?.()
    this.#parked = undefined
    this.#ahead.rest()
  }

  /** Once for each change. */
  #tell(up: boolean, detail: string): void {
    if (this.#up === up && this.#detail === detail) return
    this.#up = up
    this.#detail = detail
    this.#options.report({ type: 'sink_state', sink: this.#options.sink.name, up, detail })
  }
}
