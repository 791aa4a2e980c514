/** The store on SQLite: who waits, when it is written, what is said when it can't be. The writing itself: ledger.ts. */
import type { DatabaseSync } from 'node:sqlite'
import { describe, Retryable } from '../errors.ts'
import type { Cursor, EventRecord, MirrorView } from '../record.ts'
import type { Clock } from '../scheduler/clock.ts'
import { Alarm } from './alarm.ts'
import { Condition } from './condition.ts'
import type { Append, Appended, EventKey, Marks, NoticeOf, Store, StoredDeadLetter, StoreStats } from './contract.ts'
import type { LostState } from './database.ts'
import { idsOf } from './ids.ts'
import type { Done, Ledger } from './ledger.ts'
import type { StoreLimits } from './limits.ts'
import type { Lock } from './lock.ts'
import { mirrorOf } from './mirror.ts'
import { rowBytes } from './rows.ts'
import { Settled } from './settled.ts'
import { Vault, type VaultOptions } from './vault.ts'
import { type Group, type Waiting, WaitingLine } from './waiting.ts'

/** The longest that a commit is put off for others to join it. */
const GROUP_MS = 5
/** A floor that no append carries along is written after this long. */
const SETTLE_MS = 50
/** Pages are given back in small steps, this far apart. */
const SHRINK_MS = 20

/** What a notice of a dead letter is taken to cost before it is made. */
const NOTICE_BYTES = 1024

export class SqliteStore implements Store {
  /** Set when a damaged file was found at the start (later: `onLostState`): everything that was in it is gone, and nobody else will say so. */
  readonly lostState: LostState | undefined
  readonly #limits: StoreLimits
  readonly #clock: Clock
  readonly #vault: Vault
  readonly #lock: Lock | undefined
  readonly #line = new WaitingLine()
  readonly #settled: Settled
  readonly #callbacks = new Set<() => void>()
  readonly #alarm: Alarm
  readonly #condition: Condition
  /** The store's running time when it was opened, and when that was. */
  readonly #ageAtStart: number
  readonly #startedAt: number
  /** Rows have gone since the file was last looked at for pages to give back. */
  #slack = false
  #commitMs = 0
  #commitEnd = Number.NEGATIVE_INFINITY
  #closed = false
  #closing: Promise<void> | undefined

  constructor(
    database: DatabaseSync,
    limits: StoreLimits,
    opened: {
      readonly lock?: Lock
      readonly lostState?: LostState | undefined
      readonly idRunSize?: number
      readonly reopen?: VaultOptions['reopen']
    } = {},
  ) {
    this.#limits = limits
    this.#clock = limits.clock
    this.#alarm = new Alarm(limits.clock, () => this.#turn())
    this.#condition = new Condition(limits)
    this.#lock = opened.lock
    this.lostState = opened.lostState
    this.#vault = new Vault(database, {
      limits: { count: limits.maxDeadLetters, bytes: limits.maxBytes / 4 },
      idRunSize: opened.idRunSize,
      reopen: opened.reopen,
      onDamage: error => this.#failed(error),
    })
    this.#startedAt = this.#clock.now()
    this.#ageAtStart = this.#ledger.rows.meta().ageMs
    const { acked } = this.#ledger.rows.marks()
    this.#settled = new Settled(limits.retainAckedMs, this.floor, this.#startedAt, acked)
    this.#condition.holds(this.#ledger.totals.bytes, this.#group())
    this.#plan(false)
  }

  get #ledger(): Ledger {
    return this.#vault.ledger
  }

  get floor(): number {
    return this.#ledger.totals.floor
  }

  async append(append: Append, signal?: AbortSignal): Promise<Appended> {
    const { events, mirror = [], dead = [] } = append
    const ids = idsOf(events)
    return this.#enqueue<Appended>(
      {
        source: append.againAfter === undefined ? append.source : `${append.source} once more`,
        rows: events.length + mirror.length + dead.length + 1,
        bytes: events.reduce((sum, event) => sum + rowBytes(event), append.notice ? dead.length * NOTICE_BYTES : 0),
        overdraft: append.overdraft,
      },
      transaction => transaction.append(append, ids),
      signal,
    )
  }

  bury(event: EventRecord, reason: string, notice?: NoticeOf): Promise<string> {
    return this.#enqueue({ source: '', rows: 1, bytes: 0, overdraft: true }, transaction =>
      transaction.bury(event, reason, notice),
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

  settle(seq: number, mark?: Cursor): void {
    if (this.#closed) return
    this.#settled.settle(Math.min(seq, this.#ledger.totals.lastSeq), mark, this.floor)
    if (this.#settled.isDue(this.floor)) this.#wake(SETTLE_MS)
  }

  marks(): Marks {
    return this.#vault.read('how far the sink was', rows => rows.marks())
  }

  holdAcked(hold: boolean): void {
    this.#settled.hold(hold, this.#clock.now())
    if (!hold) this.#plan(false)
  }

  cursor(source: string, feed: string): Cursor | undefined {
    return this.#vault.read(`the cursor of ${source}/${feed}`, rows => rows.cursor(source, feed))
  }

  mirror(source: string): MirrorView {
    return mirrorOf(this.#vault.read, source)
  }

  read(after: number, limit: number): EventRecord[] {
    return this.#vault.read('events', (_, ledger) => ledger.read(after, limit))
  }

  ids(after: number, limit: number): EventKey[] {
    return this.#vault.read('ids', rows => rows.readKeys(after, limit))
  }

  deadLetters(...which: Parameters<Store['deadLetters']>): StoredDeadLetter[] {
    return this.#vault.read('dead letters', rows => rows.deadLetters(...which))
  }

  stats(): StoreStats {
    const { lastSeq, floor, bytes, deadLetters } = this.#ledger.totals
    const oldestMs = this.#vault.read('the oldest event', rows => rows.oldestMs(floor))
    return { unacked: this.#ledger.unacked, bytes, oldestMs, deadLetters, lastSeq, floor }
  }

  get full(): boolean {
    return this.#condition.full
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
      this.#vault.close()
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
    this.#alarm.within(Math.max(inMs, this.#condition.retryMs))
  }

  #group(): Group {
    return this.#line.next(this.#ledger.totals.bytes, this.#limits.maxBytes)
  }

  #turn(): void {
    if (this.#vault.damaged && !this.#mend()) return
    // Room first: on a full disk the rows that may go are what lets the others in.
    if (this.#condition.failing && !this.#write([], true)) return
    const group = this.#group()
    this.#condition.holds(this.#ledger.totals.bytes, group)
    if (!this.#write(group.jobs)) return
    this.#condition.recovered()
    if (this.#slack && group.jobs.length === 0) this.#slack = this.#ledger.shrink()
    this.#plan(group.more)
  }

  /** A damaged file is replaced; what waits goes into the next one. False when it has to be tried again. */
  #mend(): boolean {
    let lost: LostState | undefined
    try {
      lost = this.#vault.mend(this.#ageMs())
    } catch (error) {
      this.#failed(error)
      return false
    }
    if (lost === undefined) return true
    this.#settled.lost(this.floor)
    const { onLostState } = this.#limits
    if (onLostState !== undefined) this.#call(() => onLostState(lost))
    return true
  }

  /** Wakes for whatever comes next. */
  #plan(more: boolean): void {
    const now = this.#clock.now()
    if (more) this.#wake(this.#pause())
    if (this.#settled.isDue(this.floor)) this.#wake(SETTLE_MS)
    if (this.#slack) this.#wake(SHRINK_MS)
    const nextAt = this.#settled.nextAt(this.#condition.need)
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
    if (this.#vault.damaged) return false
    const now = this.#clock.now()
    const ageMs = this.#ageMs()
    const floorBefore = this.floor
    const settled = this.#settled.upkeep(floorBefore, now, this.#condition.need)
    const expiry = this.#ledger.nextExpiryMs()
    const isDue = this.#settled.isDue(floorBefore) || settled.trim.seq > 0
    const due = isDue || (expiry !== undefined && expiry <= ageMs)
    if (jobs.length === 0 && !due && !probe) return true
    let done: Done<Waiting>
    try {
      done = this.#vault.commit(jobs, { ...settled, ageMs, wallMs: this.#clock.wall(), probe })
    } catch (error) {
      this.#failed(error)
      return false
    }
    this.#commitEnd = this.#clock.now()
    this.#commitMs = this.#commitEnd - now
    this.#settled.committed(floorBefore, this.floor, this.#commitEnd, done.trimmedThrough)
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
      this.#condition.holds(this.#ledger.totals.bytes, this.#group())
      if (this.#line.length > 0) this.#wake(this.#pause())
    }
    if (done.added > 0 || done.freed) for (const callback of this.#callbacks) this.#call(callback)
    return true
  }

  /** What a listener throws is its own: the commit stands, and the other listeners hear of it. */
  #call(callback: () => void): void {
    try {
      callback()
    } catch (error) {
      const text = `bug: one who listens to the store failed: ${describe(error)}`
      this.#limits.report({ type: 'advice', source: 'store', text })
    }
  }

  #failed(error: unknown): void {
    this.#condition.failed(error)
    this.#wake(0)
  }
}
