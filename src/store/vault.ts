/** The ledger in use. When SQLite finds its file damaged under way, another one takes its place, and seqs go on. */
import type { DatabaseSync } from 'node:sqlite'
import { describe, Retryable } from '../errors.ts'
import type { LostState, Reopen } from './database.ts'
import { isDamage, reading } from './faults.ts'
import type { Integrity } from './integrity.ts'
import { type Done, type Draft, type Job, Ledger } from './ledger.ts'
import type { Place } from './place.ts'
import type { Rows } from './rows.ts'
import type { DeadLimits, Upkeep } from './transaction.ts'

/** What is in the file is looked at this often at most while nothing is written, ms. */
const LOOK_MS = 1000

export interface VaultOptions {
  readonly limits: DeadLimits
  readonly idRunSize?: number | undefined
  /** Opens the file again, or a new one after moving it aside. Undefined for a store that has no file. */
  readonly reopen?: Reopen | undefined
  /** A read found damage; what a write finds it throws. */
  readonly onDamage: (error: unknown) => void
  /** Where the file belongs, looked at now and then. */
  readonly place?: Place | undefined
  /** Whether the file still holds what was written, looked at after each commit, and now and then. */
  readonly integrity?: Integrity | undefined
}

export class Vault {
  readonly #options: VaultOptions
  #ledger: Ledger
  #damage: unknown
  /** The file was opened again once and looked well: damage that is found again is believed. */
  #doubted = false
  #lost: LostState | undefined
  #lookAtMs = Number.NEGATIVE_INFINITY

  constructor(database: DatabaseSync, options: VaultOptions) {
    this.#options = options
    this.#ledger = this.#read(database)
  }

  /** While `damaged`, only what it holds in memory is of use. */
  get ledger(): Ledger {
    return this.#ledger
  }

  /** Nothing is to be written until `mend` has done its work. */
  get unfit(): boolean {
    return this.#damage !== undefined || this.#options.place?.isAstray === true
  }

  /** All of it is still open, and not in its place: `mend` loses nothing. */
  get astray(): boolean {
    return this.#damage === undefined && this.#options.place?.isAstray === true
  }

  /** Looks, when it is time for that again, whether the file is still in its place and, when nobody writes it, holds what it held. */
  look(nowMs: number, idle = true): void {
    if (this.#damage === undefined) this.#options.place?.look(nowMs)
    if (this.unfit || !idle || nowMs < this.#lookAtMs) return
    this.#lookAtMs = nowMs + LOOK_MS
    try {
      this.#ledger.check(false)
    } catch (error) {
      this.#damaged(error)
    }
  }

  /** What takes time before `mend` can do its work: undefined when nothing does. Rejects with what stands in the way, to be called again then. */
  prepare(): Promise<void> | undefined {
    return this.#damage === undefined ? this.#ledger.copyTo(this.#options.place) : undefined
  }

  /** Throws `Retryable('store')` when SQLite can't read. */
  readonly read = <T>(what: string, read: (rows: Rows, ledger: Ledger) => T): T => {
    if (this.#damage !== undefined) throw new Retryable('store', `the store could not read ${what}: it is damaged`)
    return reading(what, () => {
      try {
        return read(this.#ledger.rows, this.#ledger)
      } catch (error) {
        if (this.#suspect(error)) this.#options.onDamage(error)
        throw error
      }
    })
  }

  /** As the ledger's. */
  commit<J extends Job>(jobs: readonly J[], upkeep: Upkeep): Done<J> {
    try {
      return this.#ledger.commit(jobs, upkeep)
    } catch (error) {
      this.#suspect(error)
      throw error
    }
  }

  /** As the ledger's; undefined when what was written is not there any more. */
  adopt<J>(draft: Draft, bytes: ArrayBuffer): Done<J> | undefined {
    try {
      return this.#ledger.adopt<J>(draft, bytes)
    } catch (error) {
      this.#ledger.drop()
      this.#damaged(error)
      return undefined
    }
  }

  /** As the ledger's. Undefined while the file is unfit, too. */
  draft(jobs: readonly Job[], upkeep: Upkeep): Draft | undefined {
    return this.unfit ? undefined : this.#ledger.draft(jobs, upkeep)
  }

  /**
   * The thread ended while it wrote the draft: what the file says counts. What became of the draft, or undefined when
   * nothing of it is there, or when that can't be read.
   */
  recover<J>({ transaction, trimmedThrough }: Draft): Done<J> | undefined {
    const before = this.#ledger.totals
    try {
      this.#ledger.check(true)
      this.#ledger = this.#ledger.reread()
    } catch (error) {
      // Nothing in memory is sure now. Opening the file again makes it so.
      this.#damaged(error)
      return undefined
    }
    const { lastSeq, bytes } = this.#ledger.totals
    // A draft without events may be written twice.
    if (lastSeq === before.lastSeq) return undefined
    const { records, deadDropped } = transaction
    return { refused: new Map(), added: records.length, trimmedThrough, deadDropped, freed: bytes < before.bytes }
  }

  /**
   * Opens the file again, or the copy of one that was not in its place any more, or a new one: then what was lost is
   * returned, and the new log goes on after the last seq of the old one, so that nobody who holds rows of that has to learn
   * other numbers. Throws what stands in the way; to be called again then.
   */
  mend(ageMs: number): LostState | undefined {
    const { reopen, place } = this.#options
    const isCopy = this.#damage === undefined && place?.put() === true
    if (isCopy) {
      this.#damage = new Retryable('store', 'the copy is not open yet')
      this.#ledger.abandon()
      place?.clear()
    }
    if (this.#damage === undefined) return undefined
    if (reopen === undefined) throw this.#damage
    this.#ledger.abandon()
    const database = reopen({
      damage: this.#doubted && this.#lost === undefined ? describe(this.#damage) : undefined,
      onMoved: lost => {
        this.#lost ??= lost
      },
    })
    const { lastSeq } = this.#ledger.totals
    let ledger: Ledger
    try {
      ledger = this.#read(database)
      if (this.#lost !== undefined) ledger.beginAfter(lastSeq, ageMs)
      else if (ledger.totals.lastSeq < lastSeq) throw this.#overwritten(ledger.totals.lastSeq, lastSeq)
    } catch (error) {
      database.close()
      // It can be opened and not be read: no check will say more.
      if (isDamage(error)) this.#doubted = true
      throw error
    }
    this.#ledger = ledger
    this.#damage = undefined
    const lost = this.#lost
    this.#lost = undefined
    this.#doubted = lost === undefined && !isCopy
    return lost
  }

  close(): void {
    this.#options.place?.close()
    if (this.#damage === undefined) this.#ledger.close()
    else this.#ledger.abandon()
    this.#options.integrity?.forget()
  }

  /** It looks well, and is not the one that was written: emptied, or an older copy laid over it. Not to be believed at the next try. */
  #overwritten(last: number, lastSeq: number): Error {
    this.#damage = new Error(`it was overwritten while in use: it ends at ${last}, and ${lastSeq} was written`)
    this.#doubted = true
    return new Retryable('store', 'the store is damaged', { cause: this.#damage })
  }

  #read(database: DatabaseSync): Ledger {
    const { limits, idRunSize, integrity } = this.#options
    return new Ledger(database, limits, idRunSize, integrity)
  }

  #damaged(error: unknown): void {
    this.#damage = error
    this.#options.onDamage(error)
  }

  #suspect(error: unknown): boolean {
    if (this.#options.reopen === undefined || this.#damage !== undefined || !isDamage(error)) return false
    this.#damage = error
    return true
  }
}
