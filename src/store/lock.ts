/**
 * One process per `state_dir`. The lock is the operating system's, taken by SQLite on a small file of its own: it ends
 * with the process however that ends, so it can't go stale, and a pid used again means nothing.
 */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, Fatal } from '../errors.ts'
import { isDamage } from './faults.ts'

/** Another process uses the `state_dir`. */
export class StoreLocked extends Fatal {
  /** The holder's pid, as it wrote it down; undefined when it could not be read. */
  readonly pid: number | undefined
  constructor(stateDir: string, pid: number | undefined, host: string | undefined) {
    const where = host === undefined || host === hostname() ? '' : ` on ${host}`
    const holder = pid === undefined ? 'another process' : `process ${pid}${where}`
    super('store', `${stateDir} is in use by ${holder}: stop that opswire first, or give this one its own state_dir`)
    this.name = 'StoreLocked'
    this.pid = pid
  }
}

export interface Lock {
  /** The file that is locked. */
  readonly path: string
  /** That file is not there any more, or another one is: another process could lock the directory. */
  readonly isAstray: boolean
  /** Locks the directory, as it is found now, anew: made again if need be. Throws as `lockStateDir` does; then nothing has changed. */
  renew(): void
  /** Gives the directory free. Idempotent. */
  release(): void
}

/** Nobody may look there now; what was there may be there still. */
export const UNSEEN = 'unseen'

/** Which file lies there, in words that are the same for the same one; undefined: none. */
export function fileAt(path: string): string | typeof UNSEEN | undefined {
  try {
    const found = statSync(path, { throwIfNoEntry: false, bigint: true })
    return found === undefined ? undefined : `${found.dev}:${found.ino}`
  } catch {
    return UNSEEN
  }
}

/** SQLITE_BUSY: somebody else holds it. */
const BUSY = 5

/**
 * Makes `stateDir` (0700) if need be and locks it. Throws `StoreLocked` when another process holds it, and
 * `Fatal('store')` naming the path when it can't be made or written.
 */
export function lockStateDir(stateDir: string): Lock {
  const path = join(stateDir, 'opswire.lock')
  const holder = join(stateDir, 'opswire.pid')
  let database = lockAndSign(stateDir, path, holder)
  let file = fileAt(path)
  let held = true
  const lock = {
    path,
    get isAstray() {
      const now = fileAt(path)
      return now !== file && now !== UNSEEN
    },
    renew() {
      if (!lock.isAstray) return
      const former = database
      database = lockAndSign(stateDir, path, holder)
      file = fileAt(path)
      former.close()
    },
    release() {
      if (!held) return
      held = false
      // Where the directory has another holder now, that is its name.
      if (!lock.isAstray) rmSync(holder, { force: true })
      database.close()
    },
  }
  return lock
}

function lockAndSign(stateDir: string, path: string, holder: string): DatabaseSync {
  prepare(stateDir, path)
  let database: DatabaseSync
  try {
    database = acquire(path)
  } catch (error) {
    if (error instanceof Error && 'errcode' in error && Number(error.errcode) % 256 === BUSY) {
      throw new StoreLocked(stateDir, ...readHolder(holder))
    }
    throw new Fatal('store', `state_dir ${stateDir} can't be locked`, { cause: error })
  }
  try {
    writeFileSync(holder, `${process.pid} ${hostname()}\n`, { mode: 0o600 })
  } catch {
    // Only the name of the holder is missing then (a full disk); the lock holds.
  }
  return database
}

function prepare(stateDir: string, lockPath: string): void {
  try {
    makeFolder(resolve(stateDir))
    accessSync(stateDir, constants.W_OK | constants.X_OK)
    createPrivate(lockPath)
  } catch (error) {
    throw new Fatal('store', `state_dir ${stateDir} can't be written: ${describe(error)}`, { cause: error })
  }
}

/**
 * Makes a folder and those above it. Not Node's `recursive`: that tries for ever where the file system answers a folder
 * under an existing one with "no such file" (as /proc does).
 */
function makeFolder(path: string): void {
  if (existsSync(path)) return
  const parent = dirname(path)
  if (parent !== path) makeFolder(parent)
  mkdirSync(path, { mode: 0o700 })
}

/**
 * Creates an empty file that only its owner may read, or makes sure that an existing one can be read and written. That
 * one is not opened here: closing any descriptor of a file drops the POSIX locks that this process holds on it
 * (https://sqlite.org/howtocorrupt.html, 2.2).
 */
export function createPrivate(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    accessSync(path, constants.R_OK | constants.W_OK)
  }
}

function acquire(path: string): DatabaseSync {
  try {
    return begin(path)
  } catch (error) {
    // Nothing is kept in the lock file: whatever got into it may go.
    if (!isDamage(error)) throw error
    truncateSync(path, 0)
    return begin(path)
  }
}

/** The RESERVED lock of an open write transaction that never ends; its journal, in memory, leaves no file behind. */
function begin(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: 0 })
  try {
    database.exec('PRAGMA journal_mode = MEMORY')
    database.exec('BEGIN IMMEDIATE')
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

function readHolder(path: string): [pid: number | undefined, host: string | undefined] {
  try {
    const [pid, host] = readFileSync(path, 'utf8').trim().split(' ')
    return [pid !== undefined && /^\d+$/.test(pid) ? Number(pid) : undefined, host]
  } catch {
    return [undefined, undefined]
  }
}
