/** The statements on every table but the ids', prepared once. Nothing here opens or ends a transaction. */
import type { StatementSync } from 'node:sqlite'
import type { Cursor, EventRecord, ManagedObject, MirrorChange } from '../record.ts'
import { blob, buffer, integer, type Row, text } from './columns.ts'
import type { EventKey, Marks, NewEvent, StoredDeadLetter, WhichLetters } from './contract.ts'
import type { Pen } from './pen.ts'
import type { Weight } from './weights.ts'

/** What a row is taken to cost beside its body and names: keys, ids, page headers. */
const ROW_OVERHEAD_BYTES = 192

/** Where the sink's own marks stand among the cursors: no source has this name. */
export const SINK = ''
export const ACKED = 'acked'
export const TRIMMED = 'trimmed'

/** Bytes of an event as they count against `store.max_bytes`. */
export function rowBytes(event: NewEvent): number {
  return (
    ROW_OVERHEAD_BYTES +
    event.body.byteLength +
    Buffer.byteLength(event.subject) +
    Buffer.byteLength(event.partitionkey)
  )
}

export interface Meta {
  readonly floor: number
  readonly bytes: number
  readonly ageMs: number
}

/** An event as `bury` finds it. */
export interface Burial {
  readonly bytes: number
  /** Key of its dead letter when it was buried before. */
  readonly dead: number | undefined
  readonly source: string
  readonly feed: string
  readonly body: Uint8Array
}

export class Rows {
  readonly #pen: Pen

  constructor(pen: Pen) {
    this.#pen = pen
  }

  #sql(source: string): StatementSync {
    return this.#pen.sql(source)
  }

  meta(): Meta {
    const row = this.#sql('SELECT floor, bytes, age_ms FROM meta').get()
    return { floor: integer(row, 'floor'), bytes: integer(row, 'bytes'), ageMs: integer(row, 'age_ms') }
  }

  saveMeta(meta: Meta): void {
    this.#pen.run('UPDATE meta SET floor = ?, bytes = ?, age_ms = ? WHERE one = 1', meta.floor, meta.bytes, meta.ageMs)
  }

  /** Lowest and highest seq in the log; 0 and 0 when it is empty. */
  range(): { first: number; last: number } {
    const row = this.#sql(
      'SELECT coalesce((SELECT min(seq) FROM events), 0) AS first, coalesce((SELECT max(seq) FROM events), 0) AS last',
    ).get()
    return { first: integer(row, 'first'), last: integer(row, 'last') }
  }

  insertEvent(seq: number, id: Uint8Array, bytes: number, source: string, feed: string, event: NewEvent): void {
    this.#pen.run(
      'INSERT INTO events (seq, bytes, recorded_ms, dead, id, source, feed, subject, partitionkey, body) VALUES (?, ?, ?, NULL, ?, ?, ?, ?, ?, ?)',
      seq,
      bytes,
      Math.trunc(event.recordedMs),
      id,
      source,
      feed,
      event.subject,
      event.partitionkey,
      event.body,
    )
  }

  /** Events with `after < seq <= through`: what another connection has committed beyond is not known of yet. */
  readEvents(after: number, through: number, limit: number): EventRecord[] {
    const found = this.#sql(
      'SELECT seq, id, subject, partitionkey, recorded_ms, body FROM events WHERE seq > ? AND seq <= ? AND dead IS NULL ORDER BY seq LIMIT ?',
    ).all(after, through, limit)
    return found.map(row => ({
      seq: integer(row, 'seq'),
      id: buffer(blob(row, 'id')).toString('hex'),
      subject: text(row, 'subject'),
      partitionkey: text(row, 'partitionkey'),
      recordedMs: integer(row, 'recorded_ms'),
      body: blob(row, 'body'),
    }))
  }

  /** The rows of `readEvents` without what stands behind them in the file. */
  readKeys(after: number, through: number, limit: number): EventKey[] {
    const found = this.#sql(
      'SELECT seq, id, recorded_ms FROM events WHERE seq > ? AND seq <= ? AND dead IS NULL ORDER BY seq LIMIT ?',
    ).all(after, through, limit)
    return found.map(row => ({
      seq: integer(row, 'seq'),
      id: buffer(blob(row, 'id')).toString('hex'),
      recordedMs: integer(row, 'recorded_ms'),
    }))
  }

  /** When the oldest event after `floor` was taken down. */
  oldestMs(floor: number, through: number): number | undefined {
    const row = this.#sql(
      'SELECT recorded_ms FROM events WHERE seq > ? AND seq <= ? AND dead IS NULL ORDER BY seq LIMIT 1',
    ).get(floor, through)
    return row === undefined ? undefined : integer(row, 'recorded_ms')
  }

  /** What the rows with `after < seq <= through` count, at most `limit` of them, in order. */
  weights(after: number, through: number, limit: number): Weight[] {
    const found = this.#sql('SELECT seq, bytes FROM events WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?').all(
      after,
      through,
      limit,
    )
    return found.map(row => ({ seq: integer(row, 'seq'), bytes: integer(row, 'bytes') }))
  }

  deleteEvents(through: number): void {
    this.#pen.run('DELETE FROM events WHERE seq <= ?', through)
  }

  /** Seqs of the buried events after `floor`. */
  buriedAfter(floor: number): number[] {
    return this.#sql('SELECT seq FROM events WHERE dead IS NOT NULL AND seq > ?')
      .all(floor)
      .map(row => integer(row, 'seq'))
  }

  burial(seq: number): Burial | undefined {
    const row = this.#sql('SELECT bytes, dead, source, feed, body FROM events WHERE seq = ?').get(seq)
    if (row === undefined) return undefined
    return {
      bytes: integer(row, 'bytes'),
      dead: row['dead'] === null ? undefined : integer(row, 'dead'),
      source: text(row, 'source'),
      feed: text(row, 'feed'),
      body: blob(row, 'body'),
    }
  }

  /** Empties the row: `readEvents` passes over it from now on. Gives what it still counts. */
  markBuried(seq: number, dead: number): number {
    this.#pen.run("UPDATE events SET dead = ?, bytes = ?, body = x'' WHERE seq = ?", dead, ROW_OVERHEAD_BYTES, seq)
    return ROW_OVERHEAD_BYTES
  }

  cursor(source: string, feed: string): Cursor | undefined {
    const row = this.#sql('SELECT value FROM cursors WHERE source = ? AND feed = ?').get(source, feed)
    return row === undefined ? undefined : (JSON.parse(text(row, 'value')) as Cursor)
  }

  marks(): Marks {
    return { acked: this.cursor(SINK, ACKED), trimmed: this.cursor(SINK, TRIMMED) }
  }

  saveCursor(source: string, feed: string, cursor: Cursor): void {
    this.#pen.run(
      'INSERT INTO cursors (source, feed, value) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
      source,
      feed,
      JSON.stringify(cursor),
    )
  }

  object(source: string, key: string): ManagedObject | undefined {
    const row = this.#sql(
      'SELECT key, family, version, attributes, trace FROM mirror WHERE source = ? AND key = ?',
    ).get(source, key)
    return row === undefined ? undefined : toObject(row)
  }

  /** The objects whose key is greater than `after`, by key, at most `limit`. */
  objects(source: string, after: string, limit: number): ManagedObject[] {
    return this.#sql(
      'SELECT key, family, version, attributes, trace FROM mirror WHERE source = ? AND key > ? ORDER BY key LIMIT ?',
    )
      .all(source, after, limit)
      .map(toObject)
  }

  changeObject(source: string, change: MirrorChange): void {
    if (change.object === null) {
      this.#pen.run('DELETE FROM mirror WHERE source = ? AND key = ?', source, change.key)
      return
    }
    const { family, version, attributes, trace = '' } = change.object
    this.#pen.run(
      `INSERT INTO mirror (source, key, family, version, attributes, trace)
       VALUES (CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT))
       ON CONFLICT (source, key) DO UPDATE SET
         family = excluded.family, version = excluded.version, attributes = excluded.attributes, trace = excluded.trace`,
      source,
      change.key,
      family,
      version,
      JSON.stringify(attributes),
      trace,
    )
  }

  deadTotals(): { count: number; bytes: number } {
    const row = this.#sql('SELECT count(*) AS n, coalesce(sum(bytes), 0) AS bytes FROM dead_letters').get()
    return { count: integer(row, 'n'), bytes: integer(row, 'bytes') }
  }

  /** Gives the key of the new letter, so it can't be put on a tape. */
  insertDead(letter: Omit<StoredDeadLetter, 'key'>): number {
    const { lastInsertRowid } = this.#sql(
      'INSERT INTO dead_letters (source, feed, reason, at_ms, bytes, digest, content) VALUES (?, ?, ?, ?, ?, ?, ?)',
    ).run(
      letter.source,
      letter.feed,
      letter.reason,
      Math.trunc(letter.atMs),
      letter.bytes,
      letter.digest,
      letter.content,
    )
    return Number(lastInsertRowid)
  }

  oldestDead(): { key: number; source: string; bytes: number } | undefined {
    const row = this.#sql('SELECT key, source, bytes FROM dead_letters ORDER BY key LIMIT 1').get()
    return row && { key: integer(row, 'key'), source: text(row, 'source'), bytes: integer(row, 'bytes') }
  }

  /** Its size; undefined when there is no such letter. */
  deadBytes(key: number): number | undefined {
    const row = this.#sql('SELECT bytes FROM dead_letters WHERE key = ?').get(key)
    return row && integer(row, 'bytes')
  }

  relabelDead(key: number, reason: string): void {
    this.#pen.run('UPDATE dead_letters SET reason = ? WHERE key = ?', reason, key)
  }

  /** Ids of the events after `seq`, in hex. */
  idsAfter(seq: number): Set<string> {
    const found = this.#sql('SELECT id FROM events WHERE seq > ?').all(seq)
    return new Set(found.map(row => buffer(blob(row, 'id')).toString('hex')))
  }

  deleteDead(key: number): void {
    this.#pen.run('DELETE FROM dead_letters WHERE key = ?', key)
  }

  deadLetters(limit: number, { after = '0', source, newestFirst = false }: WhichLetters = {}): StoredDeadLetter[] {
    const order = newestFirst ? 'DESC' : 'ASC'
    const found = this.#sql(
      `SELECT * FROM dead_letters WHERE key > ? AND source = coalesce(?, source) ORDER BY key ${order} LIMIT ?`,
    ).all(Number(after), source ?? null, limit)
    return found.map(row => ({
      key: String(integer(row, 'key')),
      source: text(row, 'source'),
      feed: text(row, 'feed'),
      reason: text(row, 'reason'),
      atMs: integer(row, 'at_ms'),
      bytes: integer(row, 'bytes'),
      digest: text(row, 'digest'),
      content: text(row, 'content'),
    }))
  }
}

function toObject(row: Row): ManagedObject {
  const trace = text(row, 'trace')
  return {
    key: text(row, 'key'),
    family: text(row, 'family'),
    version: text(row, 'version'),
    attributes: JSON.parse(text(row, 'attributes')) as Record<string, string>,
    ...(trace === '' ? {} : { trace }),
  }
}
