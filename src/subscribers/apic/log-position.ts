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
  #judgedMs: number | undefined
  #doubtMs: number | undefined
  #isEmpty = false
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
    const { judgedMs } = cursor
    if (typeof judgedMs === 'number') this.#judgedMs = judgedMs
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

  /** The log was found empty, and its records may only be late: from then on some may be purged, ms. Undefined: no doubt. */
  get doubtMs(): number | undefined {
    return this.#doubtMs
  }

  /** The log was found empty when it was last looked at, and that was announced. */
  get isEmpty(): boolean {
    return this.#isEmpty
  }

  /** The log was looked at. */
  found(what: 'records' | 'nothing' | { readonly doubtMs: number }): void {
    this.#isEmpty = what === 'nothing'
    this.#doubtMs = typeof what === 'string' ? undefined : what.doubtMs
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

  /**
   * Each row of the time before it was told or announced, or told of before anybody kept a record of that; ms. Undefined: nobody
   * looked. Of a fault log: rows of a log class are told whenever they show.
   */
  get judgedMs(): number | undefined {
    return this.#judgedMs
  }

  /** All that the log shows up to `untilMs` was told or announced. Rows become visible late: those of the overlap are looked at again. */
  judge(untilMs: number, overlapMs: number): void {
    // Never beyond it: the fabric's clock may have been set back.
    this.#judgedMs = Math.min(untilMs, Math.max(this.#judgedMs ?? untilMs, untilMs - overlapMs))
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
      ...(this.#judgedMs === undefined ? {} : { judgedMs: this.#judgedMs }),
    }
  }
}
