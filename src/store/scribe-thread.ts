/**
 * The thread that writes: plays each tape in one transaction, durable when it answers. It decides nothing; what fails it
 * leaves undone and says so. Runs as a worker, with a connection of its own to the store's file.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import { fileAt } from './lock.ts'
import { BUSY_TIMEOUT_MS, tune } from './pragmas.ts'
import type { Answer, Orders, Task } from './scribe.ts'
import { play } from './tape.ts'

const { path, maxPages, file } = workerData as Orders
const port = parentPort
if (port === null) throw new Error('this file runs as a worker')

/** Removed or replaced while nobody looked: SQLite would make an empty one, or this thread write into somebody else's. */
function look(): void {
  if (file !== undefined && fileAt(path) !== file) throw new Error(`${path} is not what it was`)
}

look()
const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: false })
look()
tune(database)
database.exec(`PRAGMA max_page_count = ${maxPages}`)
const prepared = new Map<string, StatementSync>()

function sql(source: string): StatementSync {
  let statement = prepared.get(source)
  if (statement === undefined) {
    statement = database.prepare(source)
    prepared.set(source, statement)
  }
  return statement
}

const say = (answer: Answer, transfer: ArrayBuffer[] = []): void => port.postMessage(answer, transfer)

port.on('message', (task: Task) => {
  if (task === 'stop') {
    database.close()
    port.close()
    return
  }
  try {
    sql('BEGIN IMMEDIATE').run()
    play(task, (statement, values) => sql(statement).run(...values))
    sql('COMMIT').run()
    say({ bytes: task.bytes }, [task.bytes])
  } catch (error) {
    // SQLite rolls back by itself after some errors (full, I/O).
    if (database.isTransaction) database.exec('ROLLBACK')
    say({ bytes: task.bytes, error: error instanceof Error ? error.message : String(error) }, [task.bytes])
  }
})

say('open')
