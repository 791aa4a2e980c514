/** The store on SQLite: who waits, when it is written, what is said when it can't be. The writing itself: ledger.ts. */
import type { DatabaseSync } from 'node:sqlite'
import { Retryable } from '../errors.ts'
import type { Cursor, EventRecord, MirrorView } from '../record.ts'
import type { Clock } from '../scheduler/clock.ts'
import { Alarm } from './alarm.ts'
import { Condition } from './condition.ts'
import type { Append, Appended, EventKey, Marks, NoticeOf, Store, StoredDeadLetter, StoreStats } from './contract.ts'
import type { LostState } from './database.ts'
import { Desk } from './desk.ts'
import { idsOf } from './ids.ts'
import type { Done, Ledger } from './ledger.ts'
import type { OnDisk, StoreLimits } from './limits.ts'
import { Listeners } from './listeners.ts'
import type { Lock } from './lock.ts'
import { mirrorOf } from './mirror.ts'
import { Request, type Size, sizeOf } from './request.ts'
import { Settled } from './settled.ts'
import { Timing } from './timing.ts'
import type { Transaction, Upkeep } from './transaction.ts'
import { Vault } from './vault.ts'
import { type Group, type Waiting, WaitingLine } from './waiting.ts'

/** A floor that no append carries along is written after this long. */
const SETTLE_MS = 50
/** Pages are given back in small steps, this far apart. */
const SHRINK_MS = 20

/** A commit under way: what it holds, and how it was when it began. */
interface Begun {
  readonly jobs: readonly Waiting[]
  readonly upkeep: Upkeep
  readonly now: number
  readonly floor: number
}

export class SqliteStore implements Store {
  /** Set when a damaged file was found at the start (later: `onLostState`): everything that was in it is gone, and nobody else will say so. */
  readonly lostState: LostState | undefined
  /** As `Store`. */
  lostAtMs: number | undefined
  readonly #limits: StoreLimits
  readonly #clock: Clock
  readonly #vault: Vault
  readonly #lock: Lock | undefined
  readonly #line = new WaitingLine()
  readonly #settled: Settled
  readonly #listeners: Listeners
  readonly #alarm: Alarm
  readonly #condition: Condition
  readonly #timing: Timing
  /** Rows have gone since the file was last looked at for pages to give back. */
  #slack = false
  readonly #desk: Desk | undefined
  /** What the thread does now, until its answer was dealt with: nothing else writes meanwhile. */
  #busy: Promise<void> | undefined
  #flying: readonly Waiting[] = []
  #closed = false
  #closing: Promise<void> | undefined

  constructor(database: DatabaseSync, limits: StoreLimits, opened: OnDisk = {}) {
    this.#limits = limits
    this.#clock = limits.clock
    this.#alarm = new Alarm(limits.clock, () => this.#turn())
    this.#condition = new Condition(limits, opened.place?.path)
    this.#listeners = new Listeners(limits.report)
    this.#lock = opened.lock
    this.lostState = opened.lostState
    if (opened.lostState !== undefined) this.lostAtMs = limits.clock.wall()
    this.#vault = new Vault(database, {
      limits: { count: limits.maxDeadLetters, bytes: limits.maxBytes / 4 },
      idRunSize: opened.idRunSize,
      reopen: opened.reopen,
      place: opened.place,
      integrity: opened.integrity,
      onDamage: error => this.#failed(error),
    })
    this.#timing = new Timing(limits.clock, this.#ledger.rows.meta().ageMs)
    this.#settled = new Settled(limits.retainAckedMs, this.floor, this.#clock.now(), this.#ledger.rows.marks().acked)
    this.#condition.holds(this.#ledger.totals.bytes, this.#group())
    const { threadFor: path } = opened
    const orders = path && (() => ({ path, file: opened.place?.file, maxPages: this.#ledger.maxPages }))
    this.#desk = orders ? new Desk(orders, limits.clock, limits.report) : undefined
    this.#plan(false)
  }

  get #ledger(): Ledger {
    return this.#vault.ledger
  }

  /** What the thread that writes does now; undefined when there is none. */
  get thread(): 'idle' | 'writing' | undefined {
    if (this.#busy !== undefined) return 'writing'
    return this.#desk?.ready === true ? 'idle' : undefined
  }

  get floor(): number {
    return this.#ledger.totals.floor
  }

  async append(append: Append, signal?: AbortSignal): Promise<Appended> {
    const ids = idsOf(append.events)
    return this.#enqueue(sizeOf(append), transaction => transaction.append(append, ids), signal)
  }

  bury(event: EventRecord, reason: string, notice?: NoticeOf): Promise<string> {
    return this.#enqueue({ source: '', rows: 1, bytes: 0, overdraft: true, plain: false }, transaction =>
      transaction.bury(event, reason, notice),
    )
  }

  async #enqueue<T>(size: Size, write: (transaction: Transaction) => T, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted()
    if (this.#closed) throw new Retryable('store', 'the store is closed')
    const request = new Request(size, write, signal, gone => this.#giveUp(gone))
    this.#line.add(request)
    this.#wake(this.#pause())
    return request.promise
  }

  #giveUp(gone: Waiting): boolean {
    if (this.#flying.includes(gone)) return false
    this.#line.remove(new Set([gone]))
    // Others may have waited behind it.
    this.#wake(0)
    return true
  }

  settle(seq: number, mark?: Cursor): void {
    if (this.#closed) return
    this.#settled.settle(Math.min(seq, this.#ledger.totals.lastSeq), mark, this.floor)
    if (this.#settled.isDue(this.floor)) this.#wake(SETTLE_MS)
  }

  marks(): Marks {
    return this.#vault.read('how far the sink was', rows => rows.marks())
  }

  holdAcked(hold: boolean, firmly = false): void {
    this.#settled.hold(hold, firmly, this.#clock.now())
    if (!firmly) this.#plan(false)
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
    return this.#vault.read('ids', (rows, { totals }) => rows.readKeys(after, totals.lastSeq, limit))
  }

  deadLetters(...which: Parameters<Store['deadLetters']>): StoredDeadLetter[] {
    return this.#vault.read('dead letters', rows => rows.deadLetters(...which))
  }

  stats(): StoreStats {
    const { lastSeq, floor, bytes, deadLetters } = this.#ledger.totals
    const oldestMs = this.#vault.read('the oldest event', rows => rows.oldestMs(floor, lastSeq))
    return { unacked: this.#ledger.unacked, bytes, oldestMs, deadLetters, lastSeq, floor }
  }

  get full(): boolean {
    return this.#condition.full
  }

  onCommit(callback: () => void): () => void {
    return this.#listeners.add(callback)
  }

  /** Looks whether its files are still in their place, as each turn does. To be called every few seconds. */
  look(): void {
    this.#vault.look(this.#clock.now(), this.#busy === undefined)
    if (this.#vault.unfit) this.#wake(0)
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
      // Without a thread all of it happens at once.
      if (this.#busy !== undefined) await this.#busy
      if (this.#desk !== undefined) await this.#desk.clear()
      this.#vault.look(Number.POSITIVE_INFINITY)
      const copying = this.#vault.prepare()
      if (this.#vault.astray && (copying === undefined || (await copying.then(() => true, this.#failed)))) this.#mend()
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

  #pause(): number {
    return this.#line.full ? 0 : this.#timing.pause()
  }

  /** Makes sure that a turn comes within `inMs`, or when a failed commit is to be tried again. */
  #wake(inMs: number): void {
    if (this.#closed || this.#busy !== undefined) return
    this.#alarm.within(Math.max(inMs, this.#condition.retryMs))
  }

  #group(): Group {
    return this.#line.next(this.#ledger.totals.bytes, this.#limits.maxBytes)
  }

  #turn(): void {
    // Its end turns again.
    if (this.#busy !== undefined) return
    this.#vault.look(this.#clock.now())
    if (this.#vault.unfit && !this.#mend()) return
    // Room first: on a full disk the rows that may go are what lets the others in.
    if (this.#condition.failing && !this.#write([], true)) return
    const group = this.#group()
    this.#condition.holds(this.#ledger.totals.bytes, group)
    if (this.#dictate(group.jobs) || !this.#write(group.jobs)) return
    this.#condition.recovered()
    if (this.#slack && group.jobs.length === 0) this.#slack = this.#ledger.shrink()
    this.#plan(group.more)
  }

  /** A file that is damaged, or not in its place, is replaced; what waits goes into the next one. False when it has to be tried again. */
  #mend(): boolean {
    const before = this.#desk?.occupied === true ? this.#desk.clear() : this.#vault.prepare()
    if (before !== undefined) {
      this.#busy = before.catch(this.#failed).then(() => {
        this.#busy = undefined
        this.#wake(0)
      })
      return false
    }
    let lost: LostState | undefined
    try {
      lost = this.#vault.mend(this.#timing.ageMs())
    } catch (error) {
      this.#failed(error)
      return false
    }
    if (lost === undefined) return true
    this.lostAtMs = this.#clock.wall()
    this.#settled.lost(this.floor)
    const { onLostState } = this.#limits
    if (onLostState !== undefined) this.#listeners.call(() => onLostState(lost))
    return true
  }

  /** Wakes for whatever comes next. */
  #plan(more: boolean): void {
    const now = this.#clock.now()
    if (more) this.#wake(this.#pause())
    if (this.#settled.isDue(this.floor)) this.#wake(SETTLE_MS)
    if (this.#slack) this.#wake(SHRINK_MS)
    const nextAt = this.#settled.nextAt(this.#condition.need)
    if (nextAt !== undefined) this.#wake(Math.max(nextAt - now, this.#timing.rest()))
    const expiryMs = this.#ledger.nextExpiryMs()
    if (expiryMs !== undefined) this.#wake(Math.max(expiryMs - this.#timing.ageMs(), this.#timing.rest()))
  }

  /** What a commit does beside the jobs; undefined when there is nothing to write at all. */
  #upkeep(jobs: readonly Waiting[], probe: boolean): Upkeep | undefined {
    const ageMs = this.#timing.ageMs()
    const settled = this.#settled.upkeep(this.floor, this.#clock.now(), this.#condition.need)
    const expiry = this.#ledger.nextExpiryMs()
    const isDue = this.#settled.isDue(this.floor) || settled.trim.seq > 0
    const due = isDue || (expiry !== undefined && expiry <= ageMs)
    if (jobs.length === 0 && !due && !probe) return undefined
    return { ...settled, ageMs, wallMs: this.#clock.wall(), probe }
  }

  /** One transaction; true when it is durable, or when there was nothing to write. */
  #write(jobs: readonly Waiting[], probe = false): boolean {
    if (this.#vault.unfit) return false
    const upkeep = this.#upkeep(jobs, probe)
    if (upkeep === undefined) return true
    const begun = { jobs, upkeep, now: this.#clock.now(), floor: this.floor }
    let done: Done<Waiting>
    try {
      done = this.#vault.commit(jobs, upkeep)
    } catch (error) {
      this.#failed(error)
      return false
    }
    this.#desk?.relieved()
    this.#written(begun, done)
    return true
  }

  /** Gives it to the thread; false when it is to be written here. */
  #dictate(jobs: readonly Waiting[]): boolean {
    if (this.#desk?.ready !== true || this.#condition.failing || !jobs.every(job => job.plain)) return false
    const upkeep = this.#upkeep(jobs, false)
    if (upkeep === undefined) return false
    const begun = { jobs, upkeep, now: this.#clock.now(), floor: this.floor }
    const answer = this.#desk.write<Waiting>(this.#vault, jobs, upkeep)
    if (answer === undefined) return false
    this.#flying = jobs
    this.#busy = answer.then(done => {
      this.#busy = undefined
      this.#flying = []
      if (done === undefined) for (const job of jobs) job.again()
      else this.#written(begun, done)
      // A read may have found damage meanwhile.
      this.#plan(this.#line.length > 0 || this.#condition.failing)
    })
    return true
  }

  #written({ jobs, upkeep, now, floor }: Begun, done: Done<Waiting>): void {
    this.#settled.committed(floor, this.floor, this.#timing.committed(now), done.trimmedThrough, upkeep.mark)
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
    if (done.added > 0 || done.freed) this.#listeners.callAll()
  }

  readonly #failed = (error: unknown): void => {
    this.#condition.failed(error)
    this.#wake(0)
  }
}
