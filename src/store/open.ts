/** Opens the store: the directory, its lock, the database, and the store on top of it. */
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { describe, Fatal } from '../errors.ts'
import { openDatabase, type Reopen } from './database.ts'
import { Integrity } from './integrity.ts'
import type { StoreLimits } from './limits.ts'
import { lockStateDir } from './lock.ts'
import { Place } from './place.ts'
import { SqliteStore } from './store.ts'

export interface StoreOptions extends StoreLimits {
  /** Undefined: in memory; nothing outlives the process, and nothing is locked. */
  readonly stateDir: string | undefined
  /** Appends to a file are written by a thread of its own: see docs/decisions/0020-a-thread-that-writes.md. */
  readonly thread?: boolean
}

/**
 * Opens or makes the store in `stateDir`, which is made (0700) if need be. Throws `StoreLocked` when another process
 * has it, `Fatal('store')` naming the path when it can't be written, is another program's or a later version's.
 * A damaged file is moved aside, and `lostState` says so: the caller announces the gap. Damage found later is dealt
 * with the same way while the store runs: what waits is kept, and `onLostState` is called. Files that are taken away under
 * it are made again from what is open.
 */
export async function openStore(options: StoreOptions): Promise<SqliteStore> {
  const { stateDir, clock, report } = options
  if (stateDir === undefined) return new SqliteStore(openDatabase(undefined, clock.wall()).database, options)
  const lock = lockStateDir(stateDir)
  try {
    const path = join(stateDir, 'opswire.db')
    const place = new Place({
      path,
      lock,
      wall: () => clock.wall(),
      say: text => report({ type: 'advice', source: 'store', text }),
      onTaken: error => options.onTaken?.(error),
    })
    const { database, lost } = openDatabase(path, clock.wall())
    const integrity = new Integrity(path)
    const note = (opened: DatabaseSync): DatabaseSync => {
      try {
        place.note()
        integrity.note()
        return opened
      } catch (error) {
        opened.close()
        throw new Fatal('store', `the store ${path} can't be opened: ${describe(error)}`, { cause: error })
      }
    }
    const reopen: Reopen = again => {
      integrity.forget()
      return note(openDatabase(path, clock.wall(), again).database)
    }
    note(database)
    // Killed in the midst of a copy.
    place.tidy()
    return new SqliteStore(database, options, {
      lock,
      lostState: lost,
      reopen,
      place,
      integrity,
      threadFor: options.thread === true ? path : undefined,
    })
  } catch (error) {
    lock.release()
    throw error
  }
}
