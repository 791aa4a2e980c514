/** What an error of SQLite means for the store. Result codes: https://sqlite.org/rescode.html */
import { Retryable } from '../errors.ts'

const CORRUPT = 11
const NOT_A_DATABASE = 26

/** Too big, constraint, wrong type, bind index: the data is at fault, and would fail again on a healthy disk. */
const OF_THE_ROW = new Set([18, 19, 20, 25])

/** The primary result code, or undefined when SQLite did not raise the error. */
function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined
  return error.errcode & 0xff
}

/** The file itself can't be trusted any more. */
export function isDamage(error: unknown): boolean {
  const code = resultCode(error)
  return code === CORRUPT || code === NOT_A_DATABASE
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
