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
    const there = fileAt(path)
    const isForeign = there !== undefined && there !== this.#known[0]
    const aside = isForeign ? `; what lay there is now ${moveAside(path, 'replaced', wall())}` : ''
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
      for (const end of ['', '-journal']) rmSync(copy + end, { force: true })
      createPrivate(copy)
      await backup(database, copy, { rate: PAGES_AT_ONCE })
      this.#copied = true
    } catch (error) {
      if (error instanceof StoreLocked) {
        this.#taken = error
        onTaken(error)
        throw error
      }
      throw new Retryable('store', `${astray}; it is still open, and can't be written there anew`, {
        cause: new Error(troubleOf(error, copy)),
      })
    }
  }
}

/** Renames a database, with what belongs to it, to `<path>.<why>-<time>`, and gives that name. Durable on return. */
export function moveAside(path: string, why: string, wallMs: number): string {
  const stamp = new Date(wallMs).toISOString().replaceAll(/[-:]|\.\d+/g, '')
  let movedTo = `${path}.${why}-${stamp}`
  for (let again = 2; existsSync(movedTo); again++) movedTo = `${path}.${why}-${stamp}-${again}`
  renameSync(path, movedTo)
  // Its write-ahead log belongs to it: left behind, SQLite would play it into the new file.
  if (existsSync(`${path}-wal`)) renameSync(`${path}-wal`, `${movedTo}-wal`)
  rmSync(`${path}-shm`, { force: true })
  syncFolder(path)
  return movedTo
}

function syncFolder(path: string): void {
  const directory = openSync(dirname(path), 'r')
  fsyncSync(directory)
  closeSync(directory)
}
