/**
 * The ids that the store knows: what makes a fact read twice one event. A plain index over random ids dirties one page
 * per id, which costs more than the event itself; so they stand like this:
 *
 * - the newest, at most `runSize` of them and those of one commit, in memory (id-table.ts), and on disk in the order they
 *   came: one row for a commit;
 * - the older ones in runs, sealed: 256 chunks of ids with one first byte, and a filter in memory (id-filters.ts) that
 *   says "surely not here" for nearly all the others;
 * - a run is forgotten whole once its last id may be forgotten, so that no single id is ever deleted.
 *
 * Ages are of the store's own running time (ms that it was open, all told), not of the wall clock: a clock that somebody
 * sets can't make it forget early. Every change belongs to the caller's transaction: `adopt` after COMMIT, `discard`
 * after ROLLBACK.
 */
import { blob, buffer, integer } from './columns.ts'
import { Filters, filterOf, PROBES, type Words, wordsOf } from './id-filters.ts'
import { IdTable } from './id-table.ts'
import type { Pen } from './pen.ts'

/** Every id is known this long at least. */
export const REMEMBER_AT_LEAST_MS = 24 * 3_600_000

const ID_BYTES = 16
const CHUNKS = 256

/** Ids that were taken in one commit, to be remembered for the same time. */
interface Batch {
  /** 0: remembered for a day, 1: up to two days, 2: up to four … ids of one span are sealed and forgotten together. */
  readonly span: number
  readonly expiresMs: number
  /** The newest event whose id is in it: not forgotten while that waits to be delivered. */
  lastSeq: number
}

interface Run extends Readonly<Omit<Batch, 'span'>> {
  readonly run: number
}

interface Draft {
  /** By the time that was asked for. */
  readonly batches: Map<number, { readonly number: number; readonly batch: Batch; readonly ids: Buffer[] }>
  taken: number
  sealed: { readonly run: Run; readonly filter: Uint32Array }[] | undefined
  forgotten: Run | undefined
}

/** What no id is in. */
const NEVER: Batch = { span: 0, expiresMs: 0, lastSeq: 0 }

/** The ids of these events as bytes. Throws `TypeError` for one that is not 32 hex digits. */
export function idsOf(events: readonly { readonly id: string }[]): Buffer[] {
  const all = Buffer.allocUnsafe(ID_BYTES * events.length)
  return events.map(({ id }, index) => {
    const at = ID_BYTES * index
    if (id.length !== 2 * ID_BYTES || all.write(id, at, 'hex') !== ID_BYTES) {
      throw new TypeError(`not an event id, which is 32 hex digits: ${id}`)
    }
    return all.subarray(at, at + ID_BYTES)
  })
}

export class Ids {
  readonly #runSize: number
  readonly #pen: Pen
  /** Each with the number of its batch: the newest one, when it was told again. */
  readonly #table = new IdTable()
  /** Number n is at n - 1. */
  #batches: Batch[] = []
  /** Ids in the batches: more than in the table when ids were told again. */
  #taken = 0
  /** Oldest first. */
  #runs: Run[] = []
  readonly #filters = new Filters<Run>()
  #draft: Draft = emptyDraft()

  /** Reads what is known. `runSize`: ids in a run, and the most held in memory. */
  constructor(pen: Pen, runSize = 32_768) {
    this.#runSize = runSize
    this.#pen = pen
    for (const row of pen.sql('SELECT span, expires_ms, last_seq, ids FROM recent_ids ORDER BY n').iterate()) {
      const [expiresMs, lastSeq] = [integer(row, 'expires_ms'), integer(row, 'last_seq')]
      const number = this.#batches.push({ span: integer(row, 'span'), expiresMs, lastSeq })
      const ids = buffer(blob(row, 'ids'))
      for (let at = 0; at < ids.length; at += ID_BYTES, this.#taken++) {
        this.#table.set(wordsOf(ids.subarray(at, at + ID_BYTES)), number)
      }
    }
    this.#table.keep()
    for (const row of pen.sql('SELECT run, expires_ms, last_seq, probes, filter FROM id_runs ORDER BY run').iterate()) {
      const run = { run: integer(row, 'run'), expiresMs: integer(row, 'expires_ms'), lastSeq: integer(row, 'last_seq') }
      // Copied: a Uint32Array must begin at a multiple of four.
      const filter = new Uint32Array(Uint8Array.from(blob(row, 'filter')).buffer)
      this.#runs.push(run)
      this.#filters.add(run, filter, integer(row, 'probes'))
    }
  }

  /** Ids held in memory one by one. */
  get recent(): number {
    return this.#table.size
  }

  /** Sealed runs. */
  get runs(): number {
    return this.#runs.length
  }

  /**
   * True when `id` (16 bytes) was not known: it is from now on, for `rememberMs` and a day at least, as the id of event
   * `seq`. A known id that would soon be forgotten though it is still being told is remembered anew.
   */
  take(id: Buffer, rememberMs: number, ageMs: number, seq: number): boolean {
    const words = wordsOf(id)
    const known = this.#batch(this.#table.get(words)) ?? this.#find(id, words)
    const forMs = Math.max(REMEMBER_AT_LEAST_MS, rememberMs)
    if (known !== undefined && known.expiresMs - ageMs >= forMs / 2) return false
    const { batches } = this.#draft
    let taken = batches.get(rememberMs)
    if (taken === undefined) {
      const span = Math.max(0, Math.ceil(Math.log2(rememberMs / REMEMBER_AT_LEAST_MS)))
      const batch = { span, expiresMs: Math.ceil(ageMs + forMs), lastSeq: seq }
      taken = { number: this.#batches.length + batches.size + 1, batch, ids: [] }
      batches.set(rememberMs, taken)
    }
    taken.batch.lastSeq = seq
    taken.ids.push(id)
    this.#table.set(words, taken.number)
    this.#draft.taken++
    return known === undefined
  }

  /** Writes what was taken, and seals the recent ids when there are enough of them. To be called last in a transaction. */
  write(ageMs: number, floor: number): void {
    const { batches, taken } = this.#draft
    if (this.#taken + taken >= this.#runSize) {
      this.#seal(ageMs, floor)
      return
    }
    for (const { batch, ids } of batches.values()) {
      this.#pen.run(
        'INSERT INTO recent_ids (span, expires_ms, last_seq, ids) VALUES (?, ?, ?, ?)',
        batch.span,
        batch.expiresMs,
        batch.lastSeq,
        Buffer.concat(ids),
      )
    }
  }

  #seal(ageMs: number, floor: number): void {
    const spans = new Map<number, { ids: Words[]; expiresMs: number; lastSeq: number }>()
    for (const [words, number] of this.#table.entries()) {
      const { span, expiresMs, lastSeq } = this.#batch(number) ?? NEVER
      if (expiresMs <= ageMs && lastSeq <= floor) continue
      const group = spans.get(span) ?? { ids: [], expiresMs: 0, lastSeq: 0 }
      if (group.ids.push(words) === 1) spans.set(span, group)
      group.expiresMs = Math.max(group.expiresMs, expiresMs)
      group.lastSeq = Math.max(group.lastSeq, lastSeq)
    }
    let run = this.#runs.at(-1)?.run ?? 0
    this.#draft.sealed = [...spans.values()].map(({ ids, ...times }) => this.#saveRun({ run: ++run, ...times }, ids))
    this.#pen.run('DELETE FROM recent_ids')
  }

  /** Forgets one run whose time is over, if there is one; true when it did. */
  forget(ageMs: number, floor: number): boolean {
    const over = this.#runs.find(run => run.expiresMs <= ageMs && run.lastSeq <= floor)
    if (over === undefined) return false
    this.#pen.run('DELETE FROM id_runs WHERE run = ?', over.run)
    this.#pen.run('DELETE FROM id_chunks WHERE chunk >= ? AND chunk < ?', over.run * CHUNKS, (over.run + 1) * CHUNKS)
    this.#draft.forgotten = over
    return true
  }

  /** The age at which the next run may be forgotten, as far as time goes; undefined when there is none. */
  nextExpiryMs(floor: number): number | undefined {
    let next: number | undefined
    for (const run of this.#runs) {
      if (run.lastSeq <= floor && (next === undefined || run.expiresMs < next)) next = run.expiresMs
    }
    return next
  }

  /** The transaction is durable. */
  adopt(): void {
    const { batches, taken, sealed, forgotten } = this.#draft
    this.#draft = emptyDraft()
    if (sealed === undefined) {
      for (const { batch } of batches.values()) this.#batches.push(batch)
      this.#taken += taken
      this.#table.keep()
    } else {
      this.#table.clear()
      this.#batches = []
      this.#taken = 0
      for (const { run, filter } of sealed) {
        this.#runs.push(run)
        this.#filters.add(run, filter, PROBES)
      }
    }
    if (forgotten === undefined) return
    this.#runs = this.#runs.filter(run => run !== forgotten)
    this.#filters.remove(forgotten)
  }

  /** The transaction did not happen. */
  discard(): void {
    this.#table.takeBack()
    this.#draft = emptyDraft()
  }

  #batch(number: number): Batch | undefined {
    return number === 0 ? undefined : (this.#batches[number - 1] ?? this.#drafted(number))
  }

  #drafted(number: number): Batch | undefined {
    for (const taken of this.#draft.batches.values()) if (taken.number === number) return taken.batch
    return undefined
  }

  /** The newest run that holds the id. */
  #find(id: Buffer, words: Words): Run | undefined {
    const found = this.#filters.find(words)
    if (found.length > 1) found.sort((one, other) => other.run - one.run)
    for (const run of found) {
      const row = this.#pen.sql('SELECT ids FROM id_chunks WHERE chunk = ?').get(run.run * CHUNKS + id.readUInt8(0))
      if (row !== undefined && holds(buffer(blob(row, 'ids')), id)) return run
    }
    return undefined
  }

  #saveRun(run: Run, ids: readonly Words[]): { run: Run; filter: Uint32Array } {
    const filter = filterOf(ids)
    this.#pen.run(
      'INSERT INTO id_runs (run, expires_ms, last_seq, probes, filter) VALUES (?, ?, ?, ?, ?)',
      run.run,
      run.expiresMs,
      run.lastSeq,
      PROBES,
      new Uint8Array(filter.buffer),
    )
    for (const [index, chunk] of chunksOf(ids).entries()) {
      if (chunk.length > 0) {
        this.#pen.run('INSERT INTO id_chunks (chunk, ids) VALUES (?, ?)', run.run * CHUNKS + index, chunk)
      }
    }
    return { run, filter }
  }
}

function emptyDraft(): Draft {
  return { batches: new Map(), taken: 0, sealed: undefined, forgotten: undefined }
}

/** By their first byte, in one piece of memory. */
function chunksOf(ids: readonly Words[]): Buffer[] {
  const ends = new Uint32Array(CHUNKS)
  for (const [first] of ids) ends[first & 0xff] = (ends[first & 0xff] ?? 0) + ID_BYTES
  let end = 0
  const chunks = Array.from(ends, (length, index) => {
    ends[index] = end
    end += length
    return [end - length, end] as const
  })
  const all = Buffer.allocUnsafe(end)
  for (const words of ids) {
    let at = ends[words[0] & 0xff] ?? 0
    ends[words[0] & 0xff] = at + ID_BYTES
    for (const word of words) at = all.writeInt32LE(word, at)
  }
  return chunks.map(([from, to]) => all.subarray(from, to))
}

/** Whether `id` stands at a multiple of its length: across two ids the same bytes mean nothing. */
function holds(ids: Buffer, id: Buffer): boolean {
  for (let at = ids.indexOf(id); at >= 0; at = ids.indexOf(id, at + 1)) if (at % ID_BYTES === 0) return true
  return false
}
