/** How far a log class was read, by the fabric's clock, and what was seen of it lately. */
import type { Cursor } from '../../record.ts'

/** So many names of records seen last are known at least, pushed or read: more than arrive between two canaries of a loud log. */
const RECENT = 5000

/**
 * Two things that must not be mixed up. `readTo` says that everything before it was asked for and read: it moves only
 * when such a read is complete, so that one push that never came is asked for again. What was seen by push serves the
 * canary alone.
 */
export class LogPosition {
  #readToMs: number | undefined
  #sinceMs = 0
  #sawRecord = false
  /** Of a log that was behind when it was read: what it should have shown of this time, ms. */
  #unjudged: { readonly fromMs: number; readonly toMs: number } | undefined
  #newestMs = Number.NEGATIVE_INFINITY
  /** In two halves: what is full becomes the older one. To delete one by one at the head of a set is dear. */
  #recent = new Set<string>()
  #lessRecent = new Set<string>()

  constructor(cursor: Cursor | undefined) {
    const readToMs = cursor?.['readToMs']
    if (cursor === undefined || typeof readToMs !== 'number') return
    this.#readToMs = readToMs
    // What was read up to then is known, though nothing newer may ever come.
    this.#newestMs = readToMs
    this.#sinceMs = Number(cursor['sinceMs'] ?? readToMs)
    this.#sawRecord = cursor['sawRecord'] === true
    const { unjudgedFromMs: fromMs, unjudgedToMs: toMs } = cursor
    if (typeof fromMs === 'number' && typeof toMs === 'number') this.#unjudged = { fromMs, toMs }
  }

  /** ms; undefined before first contact. */
  get readToMs(): number | undefined {
    return this.#readToMs
  }

  /** The log held a record at first contact. */
  see(): void {
    this.#sawRecord = true
  }

  /** False while the position is only the time of first contact: an empty log has no record to compare with. */
  get sawRecord(): boolean {
    return this.#sawRecord
  }

  /** First contact: nothing older than `sinceMs` is ever asked for. */
  begin(sinceMs: number, readToMs: number): void {
    this.#sinceMs = sinceMs
    this.#readToMs = readToMs
    this.#newestMs = Math.max(this.#newestMs, readToMs)
  }

  /** Where the next read starts: records become visible late (reference b2). */
  fromMs(overlapMs: number): number {
    return Math.max(this.#sinceMs, (this.#readToMs ?? 0) - overlapMs)
  }

  /** A record was pushed or read. A time ahead of the fabric's own clock says nothing about what came before it. */
  note(dn: string, createdMs: number, fabricNowMs: number): void {
    if (this.#recent.size >= RECENT) {
      this.#lessRecent = this.#recent
      this.#recent = new Set()
    }
    this.#recent.add(dn)
    if (Number.isFinite(createdMs)) this.#newestMs = Math.max(this.#newestMs, Math.min(createdMs, fabricNowMs))
  }

  /** Everything up to the newest record of a complete read is known now. */
  finishRead(newestReadMs: number | undefined, fabricNowMs: number): void {
    if (newestReadMs === undefined) return
    this.#sawRecord = true
    this.#readToMs = Math.max(this.#readToMs ?? 0, Math.min(newestReadMs, fabricNowMs))
  }

  /** A snapshot was told before the log showed how it came about: what of that time becomes visible later is to be looked at. */
  leaveUnjudged(fromMs: number, toMs: number): void {
    this.#unjudged = { fromMs: Math.min(fromMs, this.#unjudged?.fromMs ?? fromMs), toMs }
  }

  /** It was looked at. */
  judged(): void {
    this.#unjudged = undefined
  }

  /** Those of a time that nobody has looked at yet. */
  unjudged<T extends { readonly atMs: number }>(transitions: readonly T[]): T[] {
    const { fromMs, toMs } = this.#unjudged ?? { fromMs: Number.POSITIVE_INFINITY, toMs: Number.NEGATIVE_INFINITY }
    return transitions.filter(({ atMs }) => fromMs < atMs && atMs <= toMs)
  }

  /** True when this record, or one as new, has come. */
  knows(dn: string, createdMs: number): boolean {
    return this.#recent.has(dn) || this.#lessRecent.has(dn) || createdMs <= this.#newestMs
  }

  cursor(): Cursor {
    return {
      contacted: true,
      ...(this.#readToMs === undefined ? {} : { readToMs: this.#readToMs, sinceMs: this.#sinceMs }),
      sawRecord: this.#sawRecord,
      ...(this.#unjudged === undefined
        ? {}
        : { unjudgedFromMs: this.#unjudged.fromMs, unjudgedToMs: this.#unjudged.toMs }),
    }
  }
}
