/** One transaction as it is being written: totals that count only once it is committed. */
import { hash } from 'node:crypto'
import type { Cursor, DeadLetter, EventRecord } from '../record.ts'
import type { Append, Appended, NewEvent, NoticeOf } from './contract.ts'
import type { Ids } from './ids.ts'
import type { Trimmable } from './retention.ts'
import { ACKED, type Rows, rowBytes, SINK, TRIMMED } from './rows.ts'
import type { Weights } from './weights.ts'

/** Kept beside the rows, moved on by a COMMIT and by nothing else. */
export interface Totals {
  readonly lastSeq: number
  readonly floor: number
  readonly bytes: number
  readonly deadLetters: number
  readonly deadBytes: number
}

/** What a transaction does beside the jobs it was made for. */
export interface Upkeep {
  /** Everything up to here is acked. */
  readonly floor: number
  /** How far the sink is now; undefined when that is not to be written. */
  readonly mark: Cursor | undefined
  readonly trim: Trimmable
  /** The store's running time, and the wall clock. */
  readonly ageMs: number
  readonly wallMs: number
  /** Write the totals even when they have not changed: to find out whether the disk takes anything. */
  readonly probe: boolean
}

/** What a transaction reads and writes. */
export interface Log {
  readonly rows: Rows
  readonly ids: Ids
  readonly weights: Weights
}

/** How many dead letters, and how much of them, are kept. */
export interface DeadLimits {
  readonly count: number
  readonly bytes: number
}

/** Made by the ledger, handed to each job. */
export class Transaction {
  readonly #rows: Rows
  readonly #ids: Ids
  readonly #weights: Weights
  readonly #limits: DeadLimits
  readonly #before: Totals
  readonly #upkeep: Upkeep
  readonly buried: number[] = []
  /** The events that it adds, and what each counts. */
  readonly records: EventRecord[] = []
  readonly sizes: number[] = []
  readonly deadDropped = new Map<string, number>()
  #lastSeq: number
  #floor: number
  #bytes: number
  #deadLetters: number
  #deadBytes: number

  constructor(log: Log, limits: DeadLimits, before: Totals, upkeep: Upkeep) {
    this.#rows = log.rows
    this.#ids = log.ids
    this.#weights = log.weights
    this.#limits = limits
    this.#before = before
    this.#upkeep = upkeep
    this.#lastSeq = before.lastSeq
    this.#floor = before.floor
    this.#bytes = before.bytes
    this.#deadLetters = before.deadLetters
    this.#deadBytes = before.deadBytes
  }

  totals(): Totals {
    return {
      lastSeq: this.#lastSeq,
      floor: this.#floor,
      bytes: this.#bytes,
      deadLetters: this.#deadLetters,
      deadBytes: this.#deadBytes,
    }
  }

  /** Events that are new, cursor, mirror and dead letters of one append. */
  append(append: Append, ids: readonly Buffer[]): Appended {
    const { source, feed, againAfter } = append
    const fresh: number[] = []
    const newer = againAfter === undefined ? undefined : this.#rows.idsAfter(againAfter)
    for (let index = 0; index < append.events.length; index++) {
      const event = append.events[index]
      const id = ids[index]
      if (event === undefined || id === undefined) throw new RangeError('an event without an id')
      const again = newer !== undefined && !newer.has(event.id)
      if (!this.#add(source, feed, event, id, append.rememberMs ?? 0, again)) continue
      newer?.add(event.id)
      fresh.push(index)
    }
    for (const key of append.letters?.gone ?? []) this.#raise(Number(key))
    for (const { key, reason } of append.letters?.kept ?? []) this.#rows.relabelDead(Number(key), reason)
    for (const change of append.mirror ?? []) this.#rows.changeObject(source, change)
    if (append.cursor !== undefined) this.#rows.saveCursor(source, feed, append.cursor)
    const deadKeys = (append.dead ?? []).map(letter => String(this.#bin(source, feed, letter, append.notice)))
    return { fresh, deadKeys }
  }

  #raise(key: number): void {
    const bytes = this.#rows.deadBytes(key)
    if (bytes === undefined) return
    this.#rows.deleteDead(key)
    this.#deadLetters--
    this.#deadBytes -= bytes
  }

  /** False when the event is known, and not to be written again. */
  #add(source: string, feed: string, event: NewEvent, id: Buffer, rememberMs: number, again = false): boolean {
    const seq = this.#lastSeq + 1
    if (!this.#ids.take(id, rememberMs, this.#upkeep.ageMs, seq) && !again) return false
    const bytes = rowBytes(event)
    this.#rows.insertEvent(seq, id, bytes, source, feed, event)
    this.#lastSeq = seq
    this.#bytes += bytes
    const { id: name, subject, partitionkey, body } = event
    this.sizes.push(bytes)
    this.records.push({ seq, id: name, subject, partitionkey, recordedMs: Math.trunc(event.recordedMs), body })
    return true
  }

  /** Moves the event's content to the dead letters; gives the letter's key, the same one when asked again. */
  bury(event: EventRecord, reason: string, notice?: NoticeOf): string {
    const row = this.#rows.burial(event.seq)
    if (row === undefined) {
      if (event.seq > this.#floor) throw new RangeError(`event ${event.seq} is not in the store`)
      // It went with a damaged file, and the caller has all that is left of it.
      const letter = { reason, content: Buffer.from(event.body).toString('utf8') }
      return String(this.#bin(event.subject.split('.')[1] ?? 'unknown', '', letter, notice))
    }
    if (row.dead !== undefined) return String(row.dead)
    const content = Buffer.from(row.body).toString('utf8')
    const key = this.#bin(row.source, row.feed, { reason, content }, notice)
    this.#bytes += this.#rows.markBuried(event.seq, key) - row.bytes
    this.buried.push(event.seq)
    // Also when this is rolled back: what is not known is read.
    this.#weights.changed(event.seq)
    return String(key)
  }

  #bin(source: string, feed: string, { reason, content }: DeadLetter, notice: NoticeOf | undefined): number {
    const bytes = Buffer.byteLength(content)
    const digest = hash('sha256', content, 'hex')
    const letter = { source, feed, reason, atMs: this.#upkeep.wallMs, bytes, digest }
    const key = this.#rows.insertDead({ ...letter, content })
    this.#deadLetters++
    this.#deadBytes += bytes
    // The newest one always stays: it is what somebody is about to be told of.
    while (this.#deadLetters > 1 && (this.#deadLetters > this.#limits.count || this.#deadBytes > this.#limits.bytes)) {
      const oldest = this.#rows.oldestDead()
      if (oldest === undefined) break
      this.#rows.deleteDead(oldest.key)
      this.#deadLetters--
      this.#deadBytes -= oldest.bytes
      this.deadDropped.set(oldest.source, (this.deadDropped.get(oldest.source) ?? 0) + 1)
    }
    if (notice !== undefined) {
      const event = notice({ ...letter, key: String(key) })
      this.#add(source, feed, event, Buffer.from(event.id, 'hex'), 0)
    }
    return key
  }

  /** What comes with every commit: the floor, a step of trimming, a step of forgetting, the totals. Gives what went. */
  finish(): number {
    this.#floor = Math.max(this.#floor, Math.min(this.#upkeep.floor, this.#lastSeq))
    if (this.#upkeep.mark !== undefined) this.#rows.saveCursor(SINK, ACKED, this.#upkeep.mark)
    const trimmedThrough = this.#trim()
    this.#ids.write(this.#upkeep.ageMs, this.#floor)
    const forgot = this.#ids.forget(this.#upkeep.ageMs, this.#floor)
    const changed = forgot || this.#bytes !== this.#before.bytes || this.#floor !== this.#before.floor
    if (changed || this.#upkeep.probe) {
      this.#rows.saveMeta({ floor: this.#floor, bytes: this.#bytes, ageMs: Math.floor(this.#upkeep.ageMs) })
    }
    return trimmedThrough
  }

  #trim(): number {
    // Never past the floor, whatever the caller believes: what is above it has not been delivered.
    const { seq, mark } = this.#upkeep.trim
    const through = Math.min(seq, this.#floor)
    if (through === 0) return 0
    const { seq: last, bytes, all } = this.#weights.oldest(through, (...range) => this.#rows.weights(...range))
    if (last > 0) this.#rows.deleteEvents(last)
    if (last > 0 && mark !== undefined) this.#rows.saveCursor(SINK, TRIMMED, mark)
    this.#bytes -= bytes
    return all ? through : last
  }
}
