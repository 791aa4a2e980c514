/** The SQLite file: opening it, its pragmas, and what is done with one that can't be trusted. */
import { statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { describe, Fatal } from '../errors.ts'
import { integer } from './columns.ts'
import { isDamage, Malformed } from './faults.ts'
import { createPrivate } from './lock.ts'
import { moveAside } from './place.ts'
import { BUSY_TIMEOUT_MS, tune } from './pragmas.ts'
import { APPLICATION_ID, migrate, SCHEMA_VERSION } from './schema.ts'

/** A damaged file was put out of the way: what it held (events not yet delivered, cursors, mirror, ids) is not here. */
export interface LostState {
  /** Where the damaged file is now. */
  readonly movedTo: string
  readonly reason: string
}

/** Asked of an opening that is not the first. */
export interface Again {
  /** The file is known to be damaged, whatever a check would find. */
  readonly damage?: string | undefined
  /** A damaged file was moved aside: called at once, for beginning a new one may fail. */
  readonly onMoved?: (lost: LostState) => void
}

export type Reopen = (again: Again) => DatabaseSync

/**
 * An event of 2.5 KB leaves a third of a page of 4096 bytes empty, and costs a page of the log to itself; larger pages make
 * the small commits of a quiet day dearer. A file that exists keeps its own.
 */
const PAGE_BYTES = 8192

/**
 * Opens or makes the database. A damaged one (empty, not SQLite, malformed, `quick_check` fails) is renamed to
 * `<path>.damaged-<time>` and a new one is made. Throws `Fatal('store')` when the file is another program's or a later
 * version's, or can't be opened. `path` undefined: in memory. See `Again`.
 */
export function openDatabase(
  path: string | undefined,
  wallMs: number,
  { damage, onMoved }: Again = {},
): { database: DatabaseSync; lost: LostState | undefined } {
  if (path === undefined) return { database: open(':memory:'), lost: undefined }
  try {
    try {
      const there = statSync(path, { throwIfNoEntry: false })
      if (damage !== undefined && there !== undefined) throw new Malformed(damage)
      // Only the first moment of a first start leaves one like that, and to say that of it is no harm.
      if (there?.size === 0) throw new Malformed('the file is empty')
      createPrivate(path)
      return { database: open(path), lost: undefined }
    } catch (error) {
      if (!isDamage(error)) throw error
      const lost = { movedTo: moveAside(path, 'damaged', wallMs), reason: describe(error) }
      onMoved?.(lost)
      createPrivate(path)
      return { database: open(path), lost }
    }
  } catch (error) {
    if (error instanceof Fatal) throw error
    throw new Fatal('store', `the store ${path} can't be opened: ${describe(error)}`, { cause: error })
  }
}

function open(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: false })
  try {
    const version = checkVersion(database, path)
    // These two take effect only before the first page is written, and switching to WAL writes it.
    database.exec(`PRAGMA page_size = ${PAGE_BYTES}`)
    database.exec('PRAGMA auto_vacuum = INCREMENTAL')
    database.exec('PRAGMA journal_mode = WAL')
    tune(database)
    if (version > 0) quickCheck(database)
    migrate(database, version)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** Before anything is written: a file that isn't ours to write is left as it is. */
function checkVersion(database: DatabaseSync, path: string): number {
  const version = integer(database.prepare('PRAGMA user_version').get(), 'user_version')
  const application = integer(database.prepare('PRAGMA application_id').get(), 'application_id')
  const tables = integer(database.prepare('SELECT count(*) AS n FROM sqlite_schema').get(), 'n')
  if (application !== APPLICATION_ID && (tables > 0 || version > 0)) {
    throw new Fatal('store', `${path} is a database of another program: give opswire its own state_dir`)
  }
  if (version > SCHEMA_VERSION) {
    throw new Fatal(
      'store',
      `${path} was written by a later opswire (schema ${version}, this one knows ${SCHEMA_VERSION}): run that version, or move the file away and lose what it holds`,
    )
  }
  return version
}

/** Reads all of it. Throws `Malformed` when it does not hang together. */
export function quickCheck(database: DatabaseSync): void {
  const verdict = database.prepare('PRAGMA quick_check(1)').get()?.['quick_check']
  if (verdict !== 'ok') throw new Malformed(`quick_check: ${String(verdict)}`)
}
