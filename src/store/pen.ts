/** Every statement on the file goes through here: reads at once, writes at once or onto a tape that another thread plays. */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Tape, Value } from './tape.ts'

export class Pen {
  readonly #database: DatabaseSync
  readonly #prepared = new Map<string, StatementSync>()
  #tape: Tape | undefined

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  /** The statement, prepared once. For reading, and for writes whose result is needed at once: those no tape can hold. */
  sql(source: string): StatementSync {
    let statement = this.#prepared.get(source)
    if (statement === undefined) {
      statement = this.#database.prepare(source)
      this.#prepared.set(source, statement)
    }
    return statement
  }

  /** Writes. */
  run(source: string, ...values: readonly Value[]): void {
    if (this.#tape === undefined) this.sql(source).run(...values)
    else this.#tape.add(source, values)
  }

  /** While `work` runs, writes go onto the tape; reads show the file without them. */
  onto(tape: Tape, work: () => void): void {
    this.#tape = tape
    try {
      work()
    } finally {
      this.#tape = undefined
    }
  }
}
