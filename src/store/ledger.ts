/** The transactions: what is written, in which order, and the few totals that are kept beside the rows. */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { EventRecord } from '../record.ts'
import { integer } from './columns.ts'
import { isRowFault } from './faults.ts'
import { Ids } from './ids.ts'
import type { Integrity } from './integrity.ts'
import { Pen } from './pen.ts'
import type { Place } from './place.ts'
import { Rows } from './rows.ts'
import { Tail } from './tail.ts'
import { type Recorded, Tape } from './tape.ts'
import { type DeadLimits, type Log, type Totals, Transaction, type Upkeep } from './transaction.ts'
import { Weights } from './weights.ts'

/** One thing to write. `write` runs inside the transaction, and again when the transaction has to be made anew. */
export interface Job {
  write(transaction: Transaction): void
}

export interface Done<J> {
  /** Jobs that can't be written as they are, and why; the others are durable. */
  readonly refused: ReadonlyMap<J, unknown>
  readonly added: number
  /** Rows up to here are gone; 0 when none were to go. */
  readonly trimmedThrough: number
  /** Bytes against the limit are fewer than before. */
  readonly freed: boolean
  /** Dead letters that had to make room, by source. */
  readonly deadDropped: ReadonlyMap<string, number>
}

/** A transaction spelt out for the thread that writes; it counts once `adopt` was told that it is durable. */
export interface Draft {
  readonly transaction: Transaction
  readonly trimmedThrough: number
  readonly recorded: Recorded
}

/** Free pages are given back to the file system when there are more than this and more than a quarter of the file. */
const FREE_PAGES_KEPT = 512
const VACUUM_PAGES = 128

export class Ledger {
  readonly rows: Rows
  readonly #database: DatabaseSync
  readonly #pen: Pen
  readonly #tape = new Tape()
  readonly #log: Log
  readonly #limits: DeadLimits
  readonly #idRunSize: number | undefined
  readonly #integrity: Integrity | undefined
  readonly #begin: StatementSync
  readonly #commit: StatementSync
  readonly #buried: Set<number>
  readonly #tail = new Tail()
  #totals: Totals

  constructor(database: DatabaseSync, limits: DeadLimits, idRunSize?: number, integrity?: Integrity) {
    this.#database = database
    this.#limits = limits
    this.#idRunSize = idRunSize
    this.#integrity = integrity
    this.#pen = new Pen(database)
    this.rows = new Rows(this.#pen)
    this.#begin = database.prepare('BEGIN IMMEDIATE')
    this.#commit = database.prepare('COMMIT')
    const { floor, bytes } = this.rows.meta()
    const { last } = this.rows.range()
    this.#log = { rows: this.rows, ids: new Ids(this.#pen, idRunSize), weights: new Weights(last) }
    const dead = this.rows.deadTotals()
    this.#totals = {
      lastSeq: Math.max(floor, last),
      floor,
      bytes,
      deadLetters: dead.count,
      deadBytes: dead.bytes,
    }
    this.#buried = new Set(this.rows.buriedAfter(floor))
  }

  get totals(): Totals {
    return this.#totals
  }

  /** Events that are neither acked nor buried. */
  get unacked(): number {
    return this.#totals.lastSeq - this.#totals.floor - this.#buried.size
  }

  /** As `Store.read`. */
  read(after: number, limit: number): EventRecord[] {
    return this.#tail.read(after, limit) ?? this.rows.readEvents(after, this.#totals.lastSeq, limit)
  }

  nextExpiryMs(): number | undefined {
    return this.#log.ids.nextExpiryMs(this.#totals.floor)
  }

  /**
   * Writes it all in one transaction, durable on return. A job whose data is at fault is left out and named in
   * `refused`. Throws SQLite's error when the disk is at fault: then nothing at all has happened; what `check` throws when
   * nothing that is written counts any more.
   */
  commit<J extends Job>(jobs: readonly J[], upkeep: Upkeep): Done<J> {
    const refused = new Map<J, unknown>()
    for (;;) {
      let current: J | undefined
      try {
        this.#begin.run()
        const transaction = new Transaction(this.#log, this.#limits, this.#totals, upkeep)
        for (const job of jobs) {
          if (refused.has(job)) continue
          current = job
          job.write(transaction)
        }
        current = undefined
        const trimmedThrough = transaction.finish()
        this.#commit.run()
        this.check(true)
        return this.#adopt(transaction, trimmedThrough, refused)
      } catch (error) {
        this.#log.ids.discard()
        // SQLite rolls back by itself after some errors (full, I/O).
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
        if (current === undefined || !isRowFault(error)) throw error
        refused.set(current, error)
      }
    }
  }

  /**
   * The same transaction as `commit`, not written but spelt out. Undefined, and nothing has happened, when a job has to be
   * written by `commit` (it is at fault), or nothing is to be written.
   */
  draft(jobs: readonly Job[], upkeep: Upkeep): Draft | undefined {
    const transaction = new Transaction(this.#log, this.#limits, this.#totals, upkeep)
    let trimmedThrough = 0
    try {
      this.#pen.onto(this.#tape, () => {
        for (const job of jobs) job.write(transaction)
        trimmedThrough = transaction.finish()
      })
      if (!this.#tape.empty) return { transaction, trimmedThrough, recorded: this.#tape.take() }
    } catch {
      // `commit` meets the same error, and knows what to do about it.
    }
    this.drop()
    return undefined
  }

  /** The draft was written; `bytes` is its memory. Throws as `check`; then it does not count. */
  adopt<J>({ transaction, trimmedThrough }: Draft, bytes: ArrayBuffer): Done<J> {
    this.check(true)
    this.#tape.reuse(bytes)
    return this.#adopt(transaction, trimmedThrough, new Map<J, unknown>())
  }

  /** The draft was not written. */
  drop(): void {
    this.#log.ids.discard()
    this.#tape.clear()
  }

  /** What the same file says now, when nobody knows whether a draft was written. */
  reread(): Ledger {
    return new Ledger(this.#database, this.#limits, this.#idRunSize, this.#integrity)
  }

  /** As `Integrity.check`. */
  check(committed: boolean): void {
    this.#integrity?.check(this.#database, committed)
  }

  /** The most pages that the file may have. */
  get maxPages(): number {
    return integer(this.#database.prepare('PRAGMA max_page_count').get(), 'max_page_count')
  }

  #adopt<J>(transaction: Transaction, trimmedThrough: number, refused: ReadonlyMap<J, unknown>): Done<J> {
    const { records, deadDropped } = transaction
    const before = this.#totals.bytes
    this.#count(transaction)
    this.#log.weights.drop(trimmedThrough)
    return { refused, added: records.length, trimmedThrough, deadDropped, freed: this.#totals.bytes < before }
  }

  #count(transaction: Transaction): void {
    this.#log.ids.adopt()
    const floorBefore = this.#totals.floor
    this.#totals = transaction.totals()
    const { records, sizes } = transaction
    this.#tail.push(records)
    let seq = this.#totals.lastSeq - records.length
    for (const bytes of sizes) this.#log.weights.push(++seq, bytes)
    this.#tail.drop(this.#totals.floor)
    for (const seq of transaction.buried) this.#buried.add(seq)
    if (transaction.buried.length > 0) this.#tail.clear()
    if (transaction.buried.length === 0 && this.#totals.floor === floorBefore) return
    for (const seq of this.#buried) if (seq <= this.#totals.floor) this.#buried.delete(seq)
  }

  /** Gives a few free pages back to the file system; true when it did and there are more. Never throws. */
  shrink(): boolean {
    try {
      const pages = integer(this.#database.prepare('PRAGMA page_count').get(), 'page_count')
      const free = integer(this.#database.prepare('PRAGMA freelist_count').get(), 'freelist_count')
      if (free <= Math.max(FREE_PAGES_KEPT, pages / 4)) return false
      this.#database.exec(`PRAGMA incremental_vacuum(${VACUUM_PAGES})`)
      return true
    } catch {
      // Only the file stays larger than it need be; if the disk is at fault the next commit says so.
      return false
    }
  }

  /** Makes an empty log go on after `lastSeq`, as if all up to it had been acked. Durable on return. */
  beginAfter(lastSeq: number, ageMs: number): void {
    this.rows.saveMeta({ floor: lastSeq, bytes: 0, ageMs: Math.floor(ageMs) })
    this.#totals = { ...this.#totals, lastSeq, floor: lastSeq }
  }

  /** As `Place.prepare`: all that this one holds is copied there. */
  copyTo(place: Place | undefined): Promise<void> | undefined {
    return place?.prepare(this.#database)
  }

  /** Lets go of a file that can't be trusted, as it is. Idempotent, never throws. */
  abandon(): void {
    this.#tail.clear()
    try {
      this.#database.close()
    } catch {
      // Closed before, or too broken to be closed well: nobody uses it any more.
    }
  }

  close(): void {
    this.#tail.clear()
    try {
      this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    } catch {
      // What is in the write-ahead log is durable there; the next start plays it back.
    }
    this.#database.close()
  }
}
