/**
 * Whether the files of the store are still where the next start looks for them. SQLite goes on in files that were removed,
 * renamed or replaced, and says nothing: all that is written from then on would end with the process. But what it has open
 * is whole. So nothing more is written, all of it is copied to where it belongs, and the copy is opened.
 */
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { backup, type DatabaseSync } from 'node:sqlite'
import { Retryable } from '../errors.ts'
import { troubleOf } from './faults.ts'
import { createPrivate, fileAt, type Lock, StoreLocked, UNSEEN } from './lock.ts'

/** The files are looked at this often at most, ms. */
const LOOK_MS = 1000
/** Beside the database, what belongs to it while it is open. */
const BESIDE = ['-wal', '-shm']
/** Pages copied in one go: who reads meanwhile waits for no more than that. */
const PAGES_AT_ONCE = 256
/** Files that were put in the place of the database, kept at most by one process. */
const ASIDE_KEPT = 3

export interface PlaceOptions {
  /** Of the database. */
  readonly path: string
  readonly lock: Lock
  readonly wall: () => number
  /** Hears of what happened, in words. */
  readonly say: (text: string) => void
  /** Another process has the directory now, for good: nothing that this one holds can be kept any more. */
  readonly onTaken: (error: StoreLocked) => void
}

export class Place {
  readonly #options: PlaceOptions
  readonly #files: readonly string[]
  #known: readonly (string | undefined)[] = []
  #astray: string | undefined
  #copied = false
  readonly #aside: string[] = []
  /** For good: what the other one writes must not be touched, also when it is gone. */
  #taken: StoreLocked | undefined
  #lookAtMs = Number.NEGATIVE_INFINITY

  /** `note` is to be called when the database is open. */
  constructor(options: PlaceOptions) {
    this.#options = options
    this.#files = ['', ...BESIDE].map(end => options.path + end)
  }

  /** Of the database. */
  get path(): string {
    return this.#options.path
  }

  /** Which file is open (`fileAt`). */
  get file(): string | undefined {
    return this.#known[0]
  }

  /** What is open does not lie there: what is written would be lost. */
  get isAstray(): boolean {
    return this.#astray !== undefined
  }

  /** What lies there now is what is open. */
  note(): void {
    this.#known = this.#files.map(fileAt)
  }

  /** Looks, when it is time for that again. Costs some microseconds; never throws. */
  look(nowMs: number): void {
    if (this.#astray !== undefined || nowMs < this.#lookAtMs) return
    this.#lookAtMs = nowMs + LOOK_MS
    this.#astray = this.#find()
  }

  /**
   * What takes time before `put`: copies what is open into a file beside the place, durable when it resolves. Nothing may
   * write meanwhile; reads go on. Undefined when there is nothing to do. Rejects with what stands in the way, to be called again then;
   * with `StoreLocked`, from then on, when another process has the directory.
   */
  prepare(database: DatabaseSync): Promise<void> | undefined {
    return this.#astray === undefined || this.#copied ? undefined : this.#copy(database, this.#astray)
  }

  /** Puts the copy into its place: true when it did, and the database there is to be opened. */
  put(): boolean {
    if (!this.#copied) return false
    // Whatever fails now, it is copied once more then.
    this.#copied = false
    const { path, wall, say } = this.#options
    const [there, log] = this.#files.map(fileAt)
    const isForeign = there !== undefined && there !== this.#known[0]
    const isOwnLog = log === this.#known[1]
    const aside = isForeign
      ? `; what lay there is now ${this.#keep(moveAside(path, 'replaced', wall(), !isOwnLog))}`
      : ''
    // Killed before `clear`, the next start would play that one into the copy. Our own changes nothing there.
    if (!isOwnLog) rmSync(`${path}-wal`, { force: true })
    renameSync(this.#copyPath, path)
    const text = `${this.#astray}; it was still open, and all of it is there again${aside}`
    this.#astray = undefined
    syncFolder(path)
    say(text)
    return true
  }

  /** The process ends: says what that costs. */
  close(): void {
    if (this.#astray !== undefined) this.#options.say(`${this.#astray}: what the store held is lost with this process`)
  }

  /** Removes what is left of the logs of the file that lay there before: SQLite would play them into the new one. */
  clear(): void {
    for (const end of BESIDE) rmSync(this.#options.path + end, { force: true })
  }

  /** Removes what is left of a copy that was not finished. Never throws: the next one is written over it. */
  tidy(): void {
    try {
      for (const end of ['', '-journal']) rmSync(this.#copyPath + end, { force: true })
    } catch {
      // No right to, or the disk is gone.
    }
  }

  /** What was put there again and again must not fill the disk: the first one stays, and the newest. */
  #keep(aside: string): string {
    this.#aside.push(aside)
    if (this.#aside.length > ASIDE_KEPT) {
      for (const gone of this.#aside.splice(1, 1)) for (const end of ['', '-wal']) rmSync(gone + end, { force: true })
    }
    return aside
  }

  get #copyPath(): string {
    return `${this.#options.path}.new`
  }

  /** What is not where it was; undefined: all is, or nobody can tell. */
  #find(): string | undefined {
    const { path, lock } = this.#options
    if (fileAt(dirname(path)) === undefined) return `${dirname(path)} was removed or renamed while in use`
    for (const [index, file] of this.#files.entries()) {
      const now = fileAt(file)
      if (now === this.#known[index] || now === UNSEEN) continue
      return `${file} was ${now === undefined ? 'removed or renamed' : 'replaced'} while in use`
    }
    return lock.isAstray ? `${lock.path} was removed or replaced while in use` : undefined
  }

  async #copy(database: DatabaseSync, astray: string): Promise<void> {
    if (this.#taken !== undefined) throw this.#taken
    const { lock, say, onTaken } = this.#options
    const copy = this.#copyPath
    try {
      lock.renew()
      // It may have been brought back, or nothing but the lock be gone.
      if (this.#find() === undefined) {
        this.#astray = undefined
        say(`${astray}; it is there again`)
        return
      }
      this.tidy()
      createPrivate(copy)
      await backup(database, copy, { rate: PAGES_AT_ONCE })
      this.#copied = true
    } catch (error) {
      if (error instanceof StoreLocked) {
        this.#taken = error
        onTaken(error)
        throw error
      }
      // Until the next try others may need the room that half a copy takes.
      this.tidy()
      throw new Retryable('store', `${astray}; it is still open, and can't be written there anew`, {
        cause: new Error(troubleOf(error, copy)),
      })
    }
  }
}

/** Renames a database, with its log if that lies there, to `<path>.<why>-<time>`, and gives that name. Durable on return, as far as SQLite's own files are. */
export function moveAside(path: string, why: string, wallMs: number, withLog = true): string {
  const stamp = new Date(wallMs).toISOString().replaceAll(/[-:]|\.\d+/g, '')
  let movedTo = `${path}.${why}-${stamp}`
  for (let again = 2; existsSync(movedTo); again++) movedTo = `${path}.${why}-${stamp}-${again}`
  renameSync(path, movedTo)
  // Its write-ahead log belongs to it: left behind, SQLite would play it into the new file.
  if (withLog && existsSync(`${path}-wal`)) renameSync(`${path}-wal`, `${movedTo}-wal`)
  rmSync(`${path}-shm`, { force: true })
  syncFolder(path)
  return movedTo
}

/** Like SQLite, takes it as it is where a folder can't be opened to be read, or not be synced. */
function syncFolder(path: string): void {
  try {
    const directory = openSync(dirname(path), 'r')
    try {
      fsyncSync(directory)
    } finally {
      closeSync(directory)
    }
  } catch {
    // What was renamed is renamed; without this it may come undone by a power cut.
  }
}
