/** What every connection that writes the file is set to. */
import type { DatabaseSync } from 'node:sqlite'

/** How long a statement waits, blocking, for another process that reads or copies the file. */
export const BUSY_TIMEOUT_MS = 100

/** Page cache, and the size that the write-ahead log shrinks back to after a large transaction. */
const CACHE_KIB = 16 * 1024
const WAL_KEPT_BYTES = 32 * 1024 * 1024
/** Pages in the write-ahead log before they are written back: 8 MiB. */
const CHECKPOINT_PAGES = 1024

export function tune(database: DatabaseSync): void {
  database.exec('PRAGMA synchronous = FULL')
  database.exec('PRAGMA temp_store = MEMORY')
  database.exec(`PRAGMA cache_size = -${CACHE_KIB}`)
  database.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
  database.exec(`PRAGMA journal_size_limit = ${WAL_KEPT_BYTES}`)
}
