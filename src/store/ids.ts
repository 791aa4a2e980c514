/**
 * The ids that the store knows: what makes a fact read twice one event. A plain index over random ids dirties one page
 * per id, which costs more than the event itself; so they stand like this:
 *
 * - the newest, at most `runSize` of them, in memory, and on disk in the order they came;
 * - the older ones in runs of `runSize`, sealed: 256 chunks of ids with one first byte, and a filter in memory that
 *   says "surely not here" for all but one id in 400;
 * - a run is forgotten whole once its last id may be forgotten, so that no single id is ever deleted.
 *
 * Ages are of the store's own running time (ms that it was open, all told), not of the wall clock: a clock that somebody
 * sets can't make it forget early. Every change belongs to the caller's transaction: `adopt` after COMMIT, `discard`
 * after ROLLBACK.
 */
import { blob, buffer, integer } from './columns.ts'
import type { Pen } from './pen.ts'

/** Every id is known this long at least. */
export const REMEMBER_AT_LEAST_MS = 24 * 3_600_000

const ID_BYTES = 16
const CHUNKS = 256
/** Bits of filter per id; with four of them looked at, one unknown id in 400 is looked up in vain. */
const FILTER_BITS = 16

interface Recent {
  /** 0: remembered for a day, 1: up to two days, 2: up to four … ids of one span are sealed and forgotten together. */
  readonly span: number
  readonly expiresMs: number
  readonly seq: number
}

interface Run {
  readonly run: number
  readonly expiresMs: number
  /** The newest event whose id is in it: not forgotten while that waits to be delivered. */
  readonly lastSeq: number
  readonly filter: Uint32Array
}

interface Draft {
  readonly added: Map<string, Recent>
  rows: number
  sealed: Run[] | undefined
  forgotten: Run | undefined
}

/** The ids of these events as bytes. Throws `TypeError` for one that is not 32 hex digits. */
export function idsOf(events: readonly { readonly id: string }[]): Buffer[] {
  return events.map(({ id }) => {
    const bytes = Buffer.from(id, 'hex')
    if (bytes.length !== ID_BYTES || id.length !== 2 * ID_BYTES) {
      throw new TypeError(`not an event id, which is 32 hex digits: ${id}`)
    }
    return bytes
  })
}

export class Ids {
  readonly #runSize: number
  readonly #pen: Pen
  /** By id, as 16 Latin-1 characters: a quarter of the memory of hex. */
  #recent = new Map<string, Recent>()
  /** Rows of `recent_ids`: more than `#recent` when ids were told again. */
  #recentRows = 0
  #runs: Run[] = []
  #draft: Draft = emptyDraft()

  /** Reads what is known. `runSize`: ids in a run, and the most held in memory. */
  constructor(pen: Pen, runSize = 32_768) {
    this.#runSize = runSize
    this.#pen = pen
    for (const row of pen.sql('SELECT id, span, expires_ms, seq FROM recent_ids ORDER BY n').iterate()) {
      this.#recentRows++
      this.#recent.set(buffer(blob(row, 'id')).toString('latin1'), {
        span: integer(row, 'span'),
        expiresMs: integer(row, 'expires_ms'),
        seq: integer(row, 'seq'),
      })
    }
    for (const row of pen.sql('SELECT run, expires_ms, last_seq, filter FROM id_runs ORDER BY run').iterate()) {
      this.#runs.push({
        run: integer(row, 'run'),
        expiresMs: integer(row, 'expires_ms'),
        lastSeq: integer(row, 'last_seq'),
        // Copied: a Uint32Array must begin at a multiple of four.
        filter: new Uint32Array(Uint8Array.from(blob(row, 'filter')).buffer),
      })
    }
  }

  /** Ids held in memory one by one. */
  get recent(): number {
    return this.#recent.size
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
    const key = id.toString('latin1')
    const span = Math.max(0, Math.ceil(Math.log2(rememberMs / REMEMBER_AT_LEAST_MS)))
    const forMs = Math.max(REMEMBER_AT_LEAST_MS, rememberMs)
    const known = this.#draft.added.get(key) ?? this.#recent.get(key) ?? this.#find(id)
    if (known !== undefined && known.expiresMs - ageMs >= forMs / 2) return false
    const entry = { span, expiresMs: Math.ceil(ageMs + forMs), seq }
    this.#pen.run(
      'INSERT INTO recent_ids (id, span, expires_ms, seq) VALUES (?, ?, ?, ?)',
      id,
      entry.span,
      entry.expiresMs,
      entry.seq,
    )
    this.#draft.added.set(key, entry)
    this.#draft.rows++
    return known === undefined
  }

  /** Seals the recent ids when there are enough of them. To be called last in a transaction that took ids. */
  seal(ageMs: number, floor: number): void {
    if (this.#recentRows + this.#draft.rows < this.#runSize) return
    const spans = new Map<number, [string, Recent][]>()
    for (const entry of new Map([...this.#recent, ...this.#draft.added])) {
      const { span, expiresMs, seq } = entry[1]
      if (expiresMs <= ageMs && seq <= floor) continue
      const group = spans.get(span)
      if (group === undefined) spans.set(span, [entry])
      else group.push(entry)
    }
    let run = this.#runs.at(-1)?.run ?? 0
    this.#draft.sealed = [...spans.values()].map(group => this.#write(++run, group))
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
    const draft = this.#draft
    if (draft.sealed !== undefined) {
      this.#recent = new Map()
      this.#recentRows = 0
    } else {
      for (const [key, entry] of draft.added) this.#recent.set(key, entry)
      this.#recentRows += draft.rows
    }
    if (draft.forgotten !== undefined || draft.sealed !== undefined) {
      this.#runs = [...this.#runs.filter(run => run !== draft.forgotten), ...(draft.sealed ?? [])]
    }
    this.#draft = emptyDraft()
  }

  /** The transaction did not happen. */
  discard(): void {
    this.#draft = emptyDraft()
  }

  #find(id: Buffer): Run | undefined {
    const words = [id.readUInt32LE(0), id.readUInt32LE(4), id.readUInt32LE(8), id.readUInt32LE(12)]
    for (let index = this.#runs.length - 1; index >= 0; index--) {
      const run = this.#runs[index]
      if (run === undefined || !mayHold(run.filter, words)) continue
      const row = this.#pen.sql('SELECT ids FROM id_chunks WHERE chunk = ?').get(run.run * CHUNKS + id.readUInt8(0))
      if (row !== undefined && holds(buffer(blob(row, 'ids')), id)) return run
    }
    return undefined
  }

  #write(run: number, entries: readonly [string, Recent][]): Run {
    const filter = new Uint32Array(2 ** Math.ceil(Math.log2(Math.max(32, entries.length * FILTER_BITS))) / 32)
    const chunks: Buffer[][] = Array.from({ length: CHUNKS }, () => [])
    let expiresMs = 0
    let lastSeq = 0
    for (const [key, entry] of entries) {
      const id = Buffer.from(key, 'latin1')
      chunks[id.readUInt8(0)]?.push(id)
      for (let offset = 0; offset < ID_BYTES; offset += 4) {
        const bit = id.readUInt32LE(offset) % (filter.length * 32)
        filter[bit >>> 5] = (filter[bit >>> 5] ?? 0) | (1 << (bit & 31))
      }
      expiresMs = Math.max(expiresMs, entry.expiresMs)
      lastSeq = Math.max(lastSeq, entry.seq)
    }
    this.#pen.run(
      'INSERT INTO id_runs (run, expires_ms, last_seq, filter) VALUES (?, ?, ?, ?)',
      run,
      expiresMs,
      lastSeq,
      new Uint8Array(filter.buffer),
    )
    for (const [index, ids] of chunks.entries()) {
      if (ids.length > 0)
        this.#pen.run('INSERT INTO id_chunks (chunk, ids) VALUES (?, ?)', run * CHUNKS + index, Buffer.concat(ids))
    }
    return { run, expiresMs, lastSeq, filter }
  }
}

function emptyDraft(): Draft {
  return { added: new Map(), rows: 0, sealed: undefined, forgotten: undefined }
}

function mayHold(filter: Uint32Array, words: readonly number[]): boolean {
  const bits = filter.length * 32
  for (const word of words) {
    const bit = word % bits
    if (((filter[bit >>> 5] ?? 0) & (1 << (bit & 31))) === 0) return false
  }
  return true
}

/** Whether `id` stands at a multiple of its length: across two ids the same bytes mean nothing. */
function holds(ids: Buffer, id: Buffer): boolean {
  for (let at = ids.indexOf(id); at >= 0; at = ids.indexOf(id, at + 1)) if (at % ID_BYTES === 0) return true
  return false
}
