/**
 * Whether the files that SQLite has open still hold what it wrote to them. One that is emptied in its place (`: > opswire.db`)
 * is where it was, and SQLite goes on in it: what it needs lies in its cache, a commit succeeds, the next checkpoint writes
 * some of the pages, and zeros stand for the others. So it is looked at after each commit, before that counts.
 */
import { closeSync, fstatSync, openSync, readSync, type Stats } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { integer } from './columns.ts'
import { quickCheck } from './database.ts'
import { isDamage, Malformed } from './faults.ts'
import { fileAt } from './lock.ts'
import { BUSY_TIMEOUT_MS } from './pragmas.ts'

/** Pages looked at after a checkpoint, spread over the file, others each time: half a millisecond for 8 MiB of log. */
const SAMPLES = 256
/** Nothing but zeros here, and the whole page is looked at. */
const HEAD_BYTES = 64
/** The page at this place is never written: https://sqlite.org/fileformat2.html#the_lock_byte_page */
const LOCK_BYTE = 0x40000000
/** The first four bytes of the log, but for the last bit. */
const LOG_MAGIC = 0x377f0682
/** How far the samples move each time, as a part of their distance: never the same places again. */
const STEP = (Math.sqrt(5) - 1) / 2

export class Integrity {
  readonly #path: string
  readonly #names: readonly string[]
  readonly #head = Buffer.alloc(HEAD_BYTES)
  /**
   * Open as long as the database is: closing any descriptor of it drops the POSIX locks that this process holds on it
   * (https://sqlite.org/howtocorrupt.html, 2.2).
   */
  #files: { readonly database: number; readonly log: number } | undefined
  #known: readonly (string | undefined)[] = []
  #seen: Stats | undefined
  /** The log had its header. */
  #logged = false
  #phase = 0
  /** Pages that are nothing but zeros in a file that is well. */
  readonly #blank = new Set<number>()

  /** `note` is to be called when the database is open. */
  constructor(path: string) {
    this.#path = path
    this.#names = [path, `${path}-wal`, `${path}-shm`]
  }

  /** The database was opened. Throws when the system refuses what is needed for looking at it. */
  note(): void {
    this.#known = this.#names.map(fileAt)
    const database = openSync(this.#path, 'r')
    try {
      this.#files = { database, log: openSync(`${this.#path}-wal`, 'r') }
    } catch (error) {
      closeSync(database)
      throw error
    }
    this.#seen = undefined
    this.#blank.clear()
    this.#logged = this.#hasLog(this.#files.log)
  }

  /** To be called when no connection has the database open any more, and before it is opened again. */
  forget(): void {
    if (this.#files === undefined) return
    closeSync(this.#files.database)
    closeSync(this.#files.log)
    this.#files = undefined
  }

  /**
   * Throws what SQLite throws for a damaged file when something is gone. Nothing may write meanwhile. `committed`: something was
   * just written, so the log has to be there. Costs some microseconds, after a checkpoint more.
   */
  check(database: DatabaseSync, committed: boolean): void {
    if (this.#files === undefined) return
    try {
      this.#checkPages(this.#files.database, database)
      this.#checkLog(this.#files.log, database, committed)
    } catch (error) {
      if (isDamage(error)) throw error
      // Nothing to be looked at with (no file can be opened, say) is no damage: the next look tells.
      this.#seen = undefined
    }
  }

  #checkLog(file: number, database: DatabaseSync, committed: boolean): void {
    if (this.#hasLog(file)) {
      this.#logged = true
      return
    }
    if (committed && this.#logged) throw new Malformed('its write-ahead log was emptied while in use')
    // Another program may have written it back and emptied it as one does (`PRAGMA wal_checkpoint(TRUNCATE)`).
    if (this.#logged || committed) this.#doubt(database, () => true)
    this.#logged = false
  }

  #hasLog(file: number): boolean {
    return readSync(file, this.#head, 0, 4, 0) === 4 && (this.#head.readUInt32BE(0) & ~1) === LOG_MAGIC
  }

  #checkPages(file: number, database: DatabaseSync): void {
    let found = fstatSync(file)
    const { size, mtimeMs, ctimeMs } = this.#seen ?? {}
    // Only a checkpoint writes it.
    if (found.size === size && found.mtimeMs === mtimeMs && found.ctimeMs === ctimeMs) return
    const pageBytes = integer(database.prepare('PRAGMA page_size').get(), 'page_size')
    const pages = Math.max(1, pageCount(database))
    const isAbsent = (page: number): boolean => !this.#blank.has(page) && this.#isBlank(file, page, pageBytes)
    // Never so in a file that is well; and who opens one without a page has SQLite remove its log.
    if (this.#isBlank(file, 1, pageBytes)) throw new Malformed('the file was emptied while in use')
    const absent = this.#samples(pages, pageBytes).filter(isAbsent)
    if (absent.length > 0) {
      let remaining = absent
      // The log may have it still; and a page may never have been used.
      this.#doubt(database, () => {
        found = fstatSync(file)
        remaining = absent.filter(isAbsent)
        return remaining.length > 0
      })
      for (const page of remaining) this.#blank.add(page)
    }
    this.#seen = found
  }

  /** All of a small file, some of a large one, the first and the last among them. */
  #samples(pages: number, pageBytes: number): number[] {
    const apart = Math.max(1, pages / SAMPLES)
    this.#phase = (this.#phase + STEP) % 1
    const samples = [1, pages]
    for (let at = apart === 1 ? 0 : this.#phase * apart; at < pages; at += apart) samples.push(Math.floor(at) + 1)
    return samples.filter(page => page !== LOCK_BYTE / pageBytes + 1)
  }

  #isBlank(file: number, page: number, pageBytes: number): boolean {
    const at = (page - 1) * pageBytes
    const read = readSync(file, this.#head, 0, HEAD_BYTES, at)
    if (!isZero(this.#head.subarray(0, read))) return false
    const whole = Buffer.alloc(pageBytes)
    return isZero(whole.subarray(0, readSync(file, whole, 0, pageBytes, at)))
  }

  /** Something is not as it should be: `remains` says whether it still is when the log is written back. Then all is read, by who has nothing cached. */
  #doubt(database: DatabaseSync, remains: () => boolean): void {
    // By its name another file would be found: place.ts knows what to do then.
    if (this.#names.some((name, index) => fileAt(name) !== this.#known[index])) return
    const another = new DatabaseSync(this.#path, { timeout: BUSY_TIMEOUT_MS })
    try {
      another.exec('PRAGMA wal_checkpoint(PASSIVE)')
      if (!remains()) return
      if (pageCount(another) !== pageCount(database)) throw new Malformed('the file was overwritten while in use')
      quickCheck(another)
    } finally {
      another.close()
    }
  }
}

function pageCount(database: DatabaseSync): number {
  return integer(database.prepare('PRAGMA page_count').get(), 'page_count')
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every(byte => byte === 0)
}
