/**
 * Where a rotated API token lives: `<state_dir>/<source>.token`. Some tokens answer each login with their successor and
 * die; whoever loses the successor is locked out. Every login, of the daemon or of a command, goes through the lock.
 */
import { hash } from 'node:crypto'
import { type FileHandle, open, readFile, rename, stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Fatal, Retryable } from '../../errors.ts'
import { type Clock, sleep } from '../../scheduler/clock.ts'

/** A lock older than this belongs to someone who died: a login takes seconds. */
const STALE_LOCK_MS = 120_000
const LOCK_RETRY_MS = 100
const LOCK_TRIES = 150

/** Which configured token a stored successor descends from, without telling it. */
const fingerprint = (token: string): string => hash('sha256', token, 'hex')

const codeOfSystemError = (error: unknown): unknown => (error as { code?: unknown } | null)?.code

export class TokenFile {
  readonly #path: string
  readonly #clock: Clock

  constructor(stateDir: string, source: string, clock: Clock) {
    this.#path = join(stateDir, `${source}.token`)
    this.#clock = clock
  }

  /**
   * The stored successor of the configured token; undefined when there is none or it descends from another one: a newly
   * configured token wins. Throws `Fatal('config')` when the file is there and can't be read or understood.
   */
  async read(configured: string): Promise<string | undefined> {
    let text: string
    try {
      text = await readFile(this.#path, 'utf8')
    } catch (error) {
      if (codeOfSystemError(error) === 'ENOENT') return undefined
      throw new Fatal('config', `can't read the rotated API token in ${this.#path}`, { cause: error })
    }
    let stored: { configured?: unknown; token?: unknown }
    try {
      stored = JSON.parse(text) as { configured?: unknown; token?: unknown }
    } catch {
      // The parser's message would quote the file: it stays out of the error.
      throw new Fatal('config', `${this.#path} is damaged: delete it and configure a new API token`)
    }
    if (typeof stored.token !== 'string' || stored.token === '') {
      throw new Fatal('config', `${this.#path} holds no token: delete it and configure a new API token`)
    }
    return stored.configured === fingerprint(configured) ? stored.token : undefined
  }

  /**
   * Stores the successor so that it survives a crash from here on: temporary file (0600), fsync, rename, fsync of the
   * directory. Rejects with the system's error.
   */
  async write(configured: string, token: string): Promise<void> {
    const temporary = `${this.#path}.new`
    await unlink(temporary).catch(() => undefined)
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(`${JSON.stringify({ configured: fingerprint(configured), token })}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, this.#path)
    const directory = await open(dirname(this.#path), 'r')
    try {
      await directory.sync()
    } finally {
      await directory.close()
    }
  }

  /**
   * Runs `work` while no other login of this source runs, in this process or another. Takes over a lock whose holder is
   * dead. Throws `Retryable('session_lost')` when it is held for too long, `Fatal('config')` when it can't be made.
   */
  async locked<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const lock = `${this.#path}.lock`
    await this.#take(lock, signal)
    try {
      return await work()
    } finally {
      await unlink(lock).catch(() => undefined)
    }
  }

  async #take(lock: string, signal: AbortSignal): Promise<void> {
    for (let attempt = 0; attempt < LOCK_TRIES; attempt++) {
      let file: FileHandle
      try {
        file = await open(lock, 'wx', 0o600)
      } catch (error) {
        if (codeOfSystemError(error) !== 'EEXIST') {
          throw new Fatal('config', `can't make ${lock}`, { cause: error })
        }
        if (await this.#abandoned(lock)) await unlink(lock).catch(() => undefined)
        else await sleep(this.#clock, LOCK_RETRY_MS, signal)
        continue
      }
      try {
        await file.writeFile(String(process.pid))
      } finally {
        await file.close()
      }
      return
    }
    throw new Retryable('session_lost', `another login holds ${lock}`)
  }

  async #abandoned(lock: string): Promise<boolean> {
    try {
      const [text, { mtimeMs }] = await Promise.all([readFile(lock, 'utf8'), stat(lock)])
      if (this.#clock.wall() - mtimeMs > STALE_LOCK_MS) return true
      // Empty: its maker is between making and writing it, or died there; age decides.
      return text !== '' && !isAlive(Number(text))
    } catch {
      return false
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOfSystemError(error) === 'EPERM'
  }
}
