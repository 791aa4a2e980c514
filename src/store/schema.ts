/** The tables, and how a file of an earlier version becomes one of this version. */
import type { DatabaseSync } from 'node:sqlite'

/** `application_id` in the file's header ("opsw"): tells our file from any other SQLite database. */
export const APPLICATION_ID = 0x6f707377

/**
 * One entry per schema version, never changed once released: version n of the file is what entries 1…n make.
 * `PRAGMA user_version` in the file says how many have run.
 */
const MIGRATIONS: readonly string[] = [
  `
  -- The log. Dense in seq: rows leave only at the old end. The body stands last, so that the rest is read without it.
  CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    bytes INTEGER NOT NULL,
    recorded_ms INTEGER NOT NULL,
    dead INTEGER,
    id BLOB NOT NULL,
    source TEXT NOT NULL,
    feed TEXT NOT NULL,
    subject TEXT NOT NULL,
    partitionkey TEXT NOT NULL,
    body BLOB NOT NULL
  ) STRICT;
  CREATE INDEX events_buried ON events (dead) WHERE dead IS NOT NULL;

  CREATE TABLE cursors (
    source TEXT NOT NULL,
    feed TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (source, feed)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE mirror (
    source TEXT NOT NULL,
    key TEXT NOT NULL,
    family TEXT NOT NULL,
    version TEXT NOT NULL,
    attributes TEXT NOT NULL,
    UNIQUE (source, key)
  ) STRICT;

  CREATE TABLE dead_letters (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL,
    feed TEXT NOT NULL,
    reason TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    digest TEXT NOT NULL,
    content TEXT NOT NULL
  ) STRICT;

  -- Known ids (ids.ts): the newest as they came, older ones packed in runs that are forgotten whole.
  CREATE TABLE recent_ids (
    n INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    span INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    seq INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE id_runs (
    run INTEGER PRIMARY KEY,
    expires_ms INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    filter BLOB NOT NULL
  ) STRICT;
  CREATE TABLE id_chunks (
    chunk INTEGER PRIMARY KEY,
    ids BLOB NOT NULL
  ) STRICT;

  CREATE TABLE meta (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    floor INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    age_ms INTEGER NOT NULL
  ) STRICT;
  INSERT INTO meta VALUES (1, 0, 0, 0);
  `,
  `
  -- Of one commit in one row: a row for each id cost a seventh of what an event does.
  ALTER TABLE recent_ids RENAME TO single_ids;
  CREATE TABLE recent_ids (
    n INTEGER PRIMARY KEY,
    span INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    ids BLOB NOT NULL
  ) STRICT;
  INSERT INTO recent_ids SELECT n, span, expires_ms, seq, id FROM single_ids ORDER BY n;
  DROP TABLE single_ids;
  -- How many bits of the filter are looked at.
  ALTER TABLE id_runs ADD COLUMN probes INTEGER NOT NULL DEFAULT 4;
  `,
  `
  -- What the subscriber wants to know of an object after a restart, in its own words.
  ALTER TABLE mirror ADD COLUMN trace TEXT NOT NULL DEFAULT '';
  `,
]

/** The version this program writes. */
export const SCHEMA_VERSION = MIGRATIONS.length

/** Brings a file from version `from` to `SCHEMA_VERSION`, each step in its own transaction. */
export function migrate(database: DatabaseSync, from: number): void {
  for (const [index, statements] of MIGRATIONS.entries()) {
    if (index < from) continue
    database.exec('BEGIN IMMEDIATE')
    try {
      database.exec(statements)
      database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${index + 1}`)
      database.exec('COMMIT')
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK')
      throw error
    }
  }
}
