/** What an error of SQLite means for the store. Result codes: https://sqlite.org/rescode.html */
import { describe, Retryable } from '../errors.ts'

const CORRUPT = 11
const NOT_A_DATABASE = 26
/** Extended: what was written to the file is not in it any more. */
const SHORT_READ = 522

/** Too big, constraint, wrong type, bind index: the data is at fault, and would fail again on a healthy disk. */
const OF_THE_ROW = new Set([18, 19, 20, 25])

/** What to look at, by extended or primary code: SQLite itself says little more than `disk I/O error`. */
const HINTS: Readonly<Record<number, string>> = {
  5: 'another program holds it locked',
  8: 'it can only be read',
  10: 'look at the disk (dmesg)',
  13: 'no room on the disk, or below a quota',
  14: 'a file can not be opened: look at rights, and at the limit of open files',
  778: 'a write was refused: look at the disk (dmesg), quotas, and the limit of file sizes (ulimit -f)',
  1034: 'fsync failed: look at the disk (dmesg)',
  1290: 'fsync of the directory failed: look at the disk (dmesg)',
}

/** What stands in the way of the store in that file, in words for an operator. */
export function troubleOf(error: unknown, path: string | undefined): string {
  const primary = resultCode(error)
  if (primary === undefined) return describe(error)
  const hint = HINTS[Number((error as { errcode?: unknown }).errcode)] ?? HINTS[primary]
  const words = hint === undefined ? describe(error) : `${describe(error)}: ${hint}`
  return path === undefined ? words : `${path}: ${words}`
}

/** The primary result code, or undefined when SQLite did not raise the error. */
function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined
  return error.errcode & 0xff
}

/** The file itself can't be trusted any more. */
export function isDamage(error: unknown): boolean {
  const code = resultCode(error)
  if (code === CORRUPT || code === NOT_A_DATABASE) return true
  return code !== undefined && (error as { errcode?: unknown }).errcode === SHORT_READ
}

/** The error that a failed check of the file becomes, so that it takes the way of every other damage. */
export class Malformed extends Error {
  readonly errcode = CORRUPT
}

/** What is to be written is at fault, not the disk: writing it again would fail again. */
export function isRowFault(error: unknown): boolean {
  const code = resultCode(error)
  return code === undefined || OF_THE_ROW.has(code)
}

/** Runs a read; what SQLite throws becomes `Retryable('store')`. */
export function reading<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw new Retryable('store', `the store could not read ${what}`, { cause: error })
  }
}
