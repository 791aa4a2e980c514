/**
 * One login at a time, over processes, containers and hosts that share a directory: a lock file that is alive as long as
 * its time of change moves. No process id is asked: in a container each start has the same one, and another container
 * can't see it.
 */
import { randomUUID } from 'node:crypto'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { fileError, Retryable } from '../../errors.ts'
import { type Clock, sleep } from '../../scheduler/clock.ts'

/** How often a holder touches its lock. */
const BEAT_MS = 2000
/** A lock that stood still for so long, watched by our own monotonic clock, has no holder: no two clocks are compared. */
const STALE_MS = 10_000
const RETRY_MS = 100
/** Longer than it takes to find a lock dead and to find out that whoever was about to remove it died as well. */
const WAIT_MS = 30_000

const codeOfSystemError = (error: unknown): unknown => (error as { code?: unknown } | null)?.code

/** What a waiter sees of a lock. */
interface Sight {
  /** What its maker wrote: one of a kind; empty for a moment after it was made. */
  readonly mark: string
  readonly changedMs: number
}

export class TokenLock {
  readonly #path: string
  readonly #clock: Clock

  constructor(path: string, clock: Clock) {
    this.#path = path
    this.#clock = clock
  }

  /**
   * Runs `work` while holding the lock. Throws `Retryable('session_lost')` when it is held for too long, `fileError`
   * when it can't be made, and the signal's reason when it aborts during the wait.
   */
  async hold<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const mark = randomUUID()
    const file = await this.#take(mark, signal)
    let cancel = (): void => undefined
    const beat = (): void => {
      cancel = this.#clock.after(BEAT_MS, () => {
        const now = this.#clock.wall() / 1000
        // Through the open file: a lock that somebody else made since is never touched.
        file.utimes(now, now).catch(() => undefined)
        beat()
      })
    }
    beat()
    try {
      return await work()
    } finally {
      cancel()
      await file.close()
      // What stays behind when this fails is found dead by the next one.
      await this.#remove(mark).catch(() => undefined)
    }
  }

  async #take(mark: string, signal: AbortSignal): Promise<FileHandle> {
    const begin = this.#clock.now()
    let seen: Sight | undefined
    let since = begin
    for (;;) {
      const file = await this.#make(mark)
      if (file !== undefined) return file
      const now = this.#clock.now()
      const sight = await look(this.#path)
      if (sight === undefined) continue
      if (sight.mark !== seen?.mark || sight.changedMs !== seen.changedMs) {
        seen = sight
        since = now
      }
      const still = now - since
      if (still >= STALE_MS) {
        // Whoever wanted to remove it before us has had a hundred thousand times as long as it takes.
        if (still >= 2 * STALE_MS) await unlink(this.#claimOf(sight.mark)).catch(() => undefined)
        if (await this.#remove(sight.mark)) continue
      }
      if (now - begin >= WAIT_MS) throw new Retryable('session_lost', `another login holds ${this.#path}`)
      await sleep(this.#clock, RETRY_MS, signal)
    }
  }

  /** Makes the lock; undefined when there is one. */
  async #make(mark: string): Promise<FileHandle | undefined> {
    let file: FileHandle
    try {
      file = await open(this.#path, 'wx', 0o600)
    } catch (error) {
      if (codeOfSystemError(error) === 'EEXIST') return undefined
      throw fileError('config', `can't make ${this.#path}`, error)
    }
    try {
      await file.writeFile(mark)
      return file
    } catch (error) {
      await file.close()
      await unlink(this.#path).catch(() => undefined)
      throw fileError('config', `can't write ${this.#path}`, error)
    }
  }

  /**
   * Removes the lock with this mark and no other one. Every removal, the holder's own too, is made under a claim that is
   * named after the mark and that only one can make: between looking whose lock it is and removing it, it can't become
   * another's. False when it is another's claim, or another lock.
   */
  async #remove(mark: string): Promise<boolean> {
    const claim = this.#claimOf(mark)
    try {
      const file = await open(claim, 'wx', 0o600)
      await file.close()
    } catch (error) {
      if (codeOfSystemError(error) === 'EEXIST') return false
      throw fileError('config', `can't make ${claim}`, error)
    }
    try {
      if ((await look(this.#path))?.mark !== mark) return false
      await unlink(this.#path)
      return true
    } finally {
      await unlink(claim).catch(() => undefined)
    }
  }

  /** A mark that none of us wrote may hold anything: it must not become a path. */
  #claimOf(mark: string): string {
    return `${this.#path}.${/^[\w-]{1,64}$/.test(mark) ? mark : 'unmarked'}`
  }
}

/** Undefined when there is none. Opens it, since a network file system may answer a bare stat from memory. */
async function look(path: string): Promise<Sight | undefined> {
  let file: FileHandle
  try {
    file = await open(path, 'r')
  } catch (error) {
    if (codeOfSystemError(error) === 'ENOENT') return undefined
    throw fileError('config', `can't read ${path}`, error)
  }
  try {
    const { mtimeMs } = await file.stat()
    return { mark: await file.readFile('utf8'), changedMs: mtimeMs }
  } finally {
    await file.close()
  }
}
