/** The store on SQLite: who waits, when it is written, what is said when it can't be. The writing itself: ledger.ts. */
import type { DatabaseSync } from 'node:sqlite'
import { describe, Retryable } from '../errors.ts'
import type { Cursor, EventRecord, MirrorView } from '../record.ts'
import type { Report } from '../report.ts'
import type { Clock } from '../scheduler/clock.ts'
import { Alarm } from './alarm.ts'
import type { Append, Appended, Store, StoredDeadLetter, StoreStats } from './contract.ts'
import type { LostState } from './database.ts'
import { reading } from './faults.ts'
import { type Done, Ledger } from './ledger.ts'
import type { Lock } from './lock.ts'
import { mirrorOf } from './mirror.ts'
import { Retention } from './retention.ts'
import { rowBytes } from './rows.ts'
import { type Group, type Waiting, WaitingLine } from './waiting.ts'

export interface StoreLimits {
  /** Bytes of unacked and retained rows. */
  readonly maxBytes: number
  /** How long acked rows stay. */
  readonly retainAckedMs: number
  /** Dead letters kept at most; together they take no more than a quarter of `maxBytes`, too. */
  readonly maxDeadLetters: number
  readonly clock: Clock
  readonly report: Report
}

/** The longest that a commit is put off for others to join it. */
const GROUP_MS = 5
/** A floor that no append carries along is written after this long. */
const SETTLE_MS = 50
/** A failed commit is tried again after this long, then twice as long, … */
const RETRY_FIRST_MS = 100
const RETRY_LAST_MS = 10_000
/** Pages are given back in small steps, this far apart. */
const SHRINK_MS = 20
/** A store that was full is said to be well again below this part of its limit: else it would say so at every trim. */
const ROOM_AGAIN = 0.9

const ID_BYTES = 16

interface Failing {
  readonly since: number
  readonly delayMs: number
  readonly retryAt: number
}

export class SqliteStore implements Store {
  /** Set when a damaged file was found at the start: everything that was in it is gone, and nobody else will say so. */
  readonly lostState: LostState | undefined
  readonly #limits: StoreLimits
  readonly #clock: Clock
  readonly #ledger: Ledger
  readonly #lock: Lock | undefined
  readonly #line = new WaitingLine()
  readonly #retention: Retention
  readonly #callbacks = new Set<() => void>()
  readonly #alarm: Alarm
  /** The store's running time when it was opened, and when that was. */
  readonly #ageAtStart: number
  readonly #startedAt: number
  #settled: number
  #failing: Failing | undefined
  #full = false
  /** Rows have gone since the file was last looked at for pages to give back. */
  #slack = false
  #commitMs = 0
  #commitEnd = Number.NEGATIVE_INFINITY
  #closed = false
  #closing: Promise<void> | undefined

  constructor(
    database: DatabaseSync,
    limits: StoreLimits,
    opened: { readonly lock?: Lock; readonly lostState?: LostState | undefined; readonly idRunSize?: number } = {},
  ) {
    this.#limits = limits
    this.#clock = limits.clock
    this.#alarm = new Alarm(limits.clock, () => this.#turn())
    this.#lock = opened.lock
    this.lostState = opened.lostState
    this.#ledger = new Ledger(database, { count: limits.maxDeadLetters, bytes: limits.maxBytes / 4 }, opened.idRunSize)
    this.#retention = new Retention(limits.retainAckedMs)
    this.#startedAt = this.#clock.now()
    this.#ageAtStart = this.#ledger.rows.meta().ageMs
    this.#settled = this.floor
    // Nobody knows when these were acked: they are kept for the whole time again.
    if (this.floor > 0) this.#retention.acked(this.floor, this.#startedAt)
    this.#watchLimit(false)
    this.#plan(false)
  }

  get floor(): number {
    return this.#ledger.totals.floor
  }

  append(append: Append, signal?: AbortSignal): Promise<Appended> {
    const { events, mirror = [], dead = [] } = append
    const ids = events.map(event => Buffer.from(event.id, 'hex'))
    const wrong = ids.findIndex((id, index) => id.length !== ID_BYTES || events[index]?.id.length !== 2 * ID_BYTES)
    if (wrong >= 0) {
      return Promise.reject(new TypeError(`not an event id, which is 32 hex digits: ${events[wrong]?.id}`))
    }
    return this.#enqueue<Appended>(
      {
        source: append.source,
        rows: events.length + mirror.length + dead.length + 1,
        bytes: events.reduce((sum, event) => sum + rowBytes(event), 0),
        overdraft: append.overdraft,
      },
      transaction => transaction.append(append, ids),
      signal,
    )
  }

  bury(event: EventRecord, reason: string): Promise<string> {
    return this.#enqueue({ source: '', rows: 1, bytes: 0, overdraft: true }, transaction =>
      transaction.bury(event, reason),
    )
  }

  #enqueue<T>(
    size: Pick<Waiting, 'source' | 'rows' | 'bytes' | 'overdraft'>,
    write: (transaction: Parameters<Waiting['write']>[0]) => T,
    signal?: AbortSignal,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason)
        return
      }
      if (this.#closed) {
        reject(new Retryable('store', 'the store is closed'))
        return
      }
      let result: { value: T } | undefined
      const onAbort = (): void => {
        this.#line.remove(new Set([job]))
        reject(signal?.reason)
        // Others may have waited behind it.
        this.#wake(0)
      }
      const job: Waiting = {
        ...size,
        write: transaction => {
          result = { value: write(transaction) }
        },
        resolve: () => {
          signal?.removeEventListener('abort', onAbort)
          if (result !== undefined) resolve(result.value)
        },
        reject: error => {
          signal?.removeEventListener('abort', onAbort)
          reject(error)
        },
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#line.add(job)
      this.#wake(this.#pause())
    })
  }

  settle(seq: number): void {
    const settled = Math.min(seq, this.#ledger.totals.lastSeq)
    if (settled <= this.#settled || this.#closed) return
    this.#settled = settled
    this.#wake(SETTLE_MS)
  }

  cursor(source: string, feed: string): Cursor | undefined {
    return reading(`the cursor of ${source}/${feed}`, () => this.#ledger.rows.cursor(source, feed))
  }

  mirror(source: string): MirrorView {
    return mirrorOf(this.#ledger.rows, source)
  }

  read(after: number, limit: number): EventRecord[] {
    return reading('events', () => this.#ledger.rows.readEvents(after, limit))
  }

  deadLetters(limit: number): StoredDeadLetter[] {
    return reading('dead letters', () => this.#ledger.rows.deadLetters(limit))
  }

  stats(): StoreStats {
    const { lastSeq, floor, bytes, deadLetters } = this.#ledger.totals
    const oldestMs = reading('the oldest event', () => this.#ledger.rows.oldestMs(floor))
    return { unacked: this.#ledger.unacked, bytes, oldestMs, deadLetters, lastSeq, floor }
  }

  onCommit(callback: () => void): () => void {
    this.#callbacks.add(callback)
    return () => this.#callbacks.delete(callback)
  }

  /** Writes what waits and has room, then gives the file and the lock free. What could not be written is rejected. */
  close(): Promise<void> {
    this.#closing ??= this.#shut()
    return this.#closing
  }

  async #shut(): Promise<void> {
    this.#closed = true
    this.#alarm.cancel()
    try {
      let group = this.#group()
      while (group.jobs.length > 0 && this.#write(group.jobs)) group = this.#group()
      this.#write([], true)
      for (const job of this.#line.drain()) {
        job.reject(new Retryable('store', 'the store was closed before this could be written'))
      }
      this.#ledger.close()
    } finally {
      this.#lock?.release()
    }
  }

  /**
   * How long the next commit waits for others to join it. A commit blocks the event loop, so on a slow disk it waits
   * as long as the last one took, up to 5 ms; else only for the other work of this turn of the loop.
   */
  #pause(): number {
    if (this.#line.full) return 0
    return Math.min(GROUP_MS, this.#commitMs - (this.#clock.now() - this.#commitEnd))
  }

  /** Makes sure that a turn comes within `inMs`, or when a failed commit is to be tried again. */
  #wake(inMs: number): void {
    if (this.#closed) return
    const retryMs = this.#failing === undefined ? 0 : this.#failing.retryAt - this.#clock.now()
    this.#alarm.within(Math.max(inMs, retryMs))
  }

  #group(): Group {
    return this.#line.next(this.#ledger.totals.bytes, this.#limits.maxBytes)
  }

  #turn(): void {
    const failing = this.#failing
    // Room first: on a full disk the rows that may go are what lets the others in.
    if (failing !== undefined && !this.#write([], true)) return
    const group = this.#group()
    this.#watchLimit(group.held)
    if (!this.#write(group.jobs)) return
    if (failing !== undefined) {
      this.#failing = undefined
      const seconds = Math.round((this.#clock.now() - failing.since) / 1000)
      this.#limits.report({ type: 'store_state', state: 'recovered', detail: `writes again after ${seconds} s` })
    }
    if (this.#slack && group.jobs.length === 0) this.#slack = this.#shrink()
    this.#plan(group.more)
  }

  #shrink(): boolean {
    try {
      return this.#ledger.shrink()
    } catch {
      // Only the file stays larger than it need be; if the disk is at fault the next commit says so.
      return false
    }
  }

  /** Wakes for whatever comes next. */
  #plan(more: boolean): void {
    const now = this.#clock.now()
    if (more) this.#wake(this.#pause())
    if (this.#settled > this.floor) this.#wake(SETTLE_MS)
    if (this.#slack) this.#wake(SHRINK_MS)
    const { nextAt } = this.#retention
    if (nextAt !== undefined) this.#wake(Math.max(nextAt - now, this.#rest()))
    const expiryMs = this.#ledger.nextExpiryMs()
    if (expiryMs !== undefined) this.#wake(Math.max(expiryMs - this.#ageMs(), this.#rest()))
  }

  /** Trimming and forgetting leave the loop to others for as long as they took it. */
  #rest(): number {
    return Math.max(1, Math.min(this.#commitMs, 50))
  }

  #ageMs(): number {
    return this.#ageAtStart + (this.#clock.now() - this.#startedAt)
  }

  /** One transaction; true when it is durable, or when there was nothing to write. */
  #write(jobs: readonly Waiting[], probe = false): boolean {
    const now = this.#clock.now()
    const ageMs = this.#ageMs()
    const trimThrough = this.#retention.through(now)
    const floorBefore = this.floor
    const expiry = this.#ledger.nextExpiryMs()
    const due = trimThrough > 0 || this.#settled > floorBefore || (expiry !== undefined && expiry <= ageMs)
    if (jobs.length === 0 && !due && !probe) return true
    let done: Done<Waiting>
    try {
      done = this.#ledger.commit(jobs, { floor: this.#settled, trimThrough, ageMs, wallMs: this.#clock.wall(), probe })
    } catch (error) {
      this.#failed(error, now)
      return false
    }
    this.#commitEnd = this.#clock.now()
    this.#commitMs = this.#commitEnd - now
    if (this.floor > floorBefore) this.#retention.acked(this.floor, this.#commitEnd)
    this.#retention.trimmed(done.trimmedThrough)
    this.#line.remove(new Set(jobs))
    for (const job of jobs) {
      if (done.refused.has(job)) job.reject(done.refused.get(job))
      else job.resolve()
    }
    for (const [source, count] of done.deadDropped) {
      this.#limits.report({ type: 'dead_letters_dropped', source, count })
    }
    if (done.freed) {
      this.#slack = true
      this.#watchLimit(this.#group().held)
      if (this.#line.length > 0) this.#wake(this.#pause())
    }
    if (done.added > 0 || done.freed) for (const callback of this.#callbacks) callback()
    return true
  }

  #failed(error: unknown, now: number): void {
    const delayMs = Math.min(RETRY_LAST_MS, (this.#failing?.delayMs ?? RETRY_FIRST_MS / 2) * 2)
    if (this.#failing === undefined) {
      this.#limits.report({ type: 'store_state', state: 'failing', detail: describe(error) })
    }
    this.#failing = { since: this.#failing?.since ?? now, delayMs, retryAt: now + delayMs }
    this.#wake(delayMs)
  }

  /** Says when the store fills up and when there is room again. */
  #watchLimit(held: boolean): void {
    const { bytes } = this.#ledger.totals
    const { maxBytes, report } = this.#limits
    const full = held || bytes >= maxBytes * (this.#full ? ROOM_AGAIN : 1)
    if (full === this.#full) return
    this.#full = full
    const detail = `${bytes} of ${maxBytes} bytes`
    report({ type: 'store_state', state: full ? 'full' : 'ok', detail })
  }
}
