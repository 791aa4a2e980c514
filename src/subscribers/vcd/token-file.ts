/**
 * Where a rotated API token lives: `<state_dir>/<source>.token`. Some tokens answer each login with their successor and
 * die; whoever loses the successor is locked out. Every login, of the daemon or of a command, goes through the lock.
 */
import { hash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { open, readFile, rename, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Fatal, fileError } from '../../errors.ts'
import type { Clock } from '../../scheduler/clock.ts'
import { TokenLock } from './token-lock.ts'

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
   * configured token wins. Throws `Fatal('config')` when the file is there and can't be understood, `fileError` when it
   * can't be read.
   */
  async read(configured: string): Promise<string | undefined> {
    let text: string
    try {
      text = await readFile(this.#path, 'utf8')
    } catch (error) {
      if (codeOfSystemError(error) === 'ENOENT') return undefined
      throw fileError('config', `can't read the rotated API token in ${this.#path}`, error)
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

  /** A successor lies there, of whichever configured token. */
  exists(): boolean {
    return existsSync(this.#path)
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
   * Runs `work` while no other login of this source runs, in this process or another. Throws `Retryable('session_lost')`
   * when another one holds the lock for too long, `fileError` when the lock can't be made, and the signal's reason
   * when it aborts during the wait; `work` itself is not cut.
   */
  locked<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return new TokenLock(`${this.#path}.lock`, this.#clock).hold(signal, work)
  }
}
