/** The least that a durable store can be: a table of events and one of objects, each batch of rows a transaction. Nothing is ever removed. */
import { DatabaseSync, type StatementSync } from 'node:sqlite'

export interface StoredEvent {
  /** Hex. */
  readonly id: string
  readonly subject: string
  readonly partitionkey: string
  readonly recordedMs: number
  readonly body: Uint8Array
}

export interface StoredObject {
  readonly key: string
  readonly family: string
  readonly version: string
  readonly attributes: Readonly<Record<string, unknown>>
}

export class BareStore {
  readonly #database: DatabaseSync
  readonly #event: StatementSync
  readonly #object: StatementSync

  constructor(file: string) {
    this.#database = new DatabaseSync(file)
    this.#database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
      CREATE TABLE events (seq INTEGER PRIMARY KEY, id BLOB, subject TEXT, partitionkey TEXT, recorded_ms INTEGER, body BLOB);
      CREATE TABLE mirror (key TEXT PRIMARY KEY, family TEXT, version TEXT, attributes TEXT)`)
    this.#event = this.#database.prepare(
      'INSERT INTO events (id, subject, partitionkey, recorded_ms, body) VALUES (?, ?, ?, ?, ?)',
    )
    this.#object = this.#database.prepare(`INSERT INTO mirror VALUES (?, ?, ?, ?) ON CONFLICT (key)
      DO UPDATE SET family = excluded.family, version = excluded.version, attributes = excluded.attributes`)
  }

  /** Durable when it returns. */
  insert(events: Iterable<StoredEvent>, objects: Iterable<StoredObject>): void {
    this.#database.exec('BEGIN IMMEDIATE')
    for (const { id, subject, partitionkey, recordedMs, body } of events) {
      this.#event.run(Buffer.from(id, 'hex'), subject, partitionkey, recordedMs, body)
    }
    for (const { key, family, version, attributes } of objects) {
      this.#object.run(key, family, version, JSON.stringify(attributes))
    }
    this.#database.exec('COMMIT')
  }

  get held(): number {
    return Number(this.#database.prepare('SELECT count(*) AS held FROM events').get()?.['held'])
  }

  close(): void {
    this.#database.close()
  }
}
