/** Which acked rows have been kept long enough. By the monotonic clock: setting the wall clock trims nothing early. */
import type { Cursor } from '../record.ts'

interface Kept {
  seq: number
  /** How far the sink was when these rows were acked: none of them stands beyond it. */
  mark: Cursor | undefined
  safeAt: number
}

/**
 * How much acked rows are in the way. `none`: they stay their time, and as long as they are held. `due`: nothing is held beyond
 * its time. `all`: they go before their time.
 */
export type Need = 'none' | 'due' | 'all'

/** What may go: rows up to `seq`. */
export interface Trimmable {
  readonly seq: number
  readonly mark: Cursor | undefined
}

const NOTHING: Trimmable = { seq: 0, mark: undefined }

/** Groups kept apart at once, at most: rows wait up to a thirty-second part longer than asked. */
const GROUPS = 32

export class Retention {
  readonly #retainMs: number
  readonly #grainMs: number
  #kept: Kept[] = []
  #heldSince: number | undefined
  #firmly = false

  constructor(retainMs: number) {
    this.#retainMs = retainMs
    this.#grainMs = Math.max(1, retainMs / GROUPS)
  }

  /** Everything up to `seq` is acked since `now`. */
  acked(seq: number, now: number, mark?: Cursor): void {
    const safeAt = Math.ceil((now + this.#retainMs) / this.#grainMs) * this.#grainMs
    const last = this.#kept.at(-1)
    if (last !== undefined && last.safeAt >= safeAt) {
      last.seq = Math.max(last.seq, seq)
      last.mark = mark ?? last.mark
    } else this.#kept.push({ seq, mark, safeAt })
  }

  /** Everything that is acked, which is up to `seq`, was acked once more, now. */
  ackedAnew(seq: number, now: number, mark: Cursor): void {
    this.#kept = [{ seq, mark, safeAt: now + this.#retainMs }]
  }

  /** From now on nothing may go but what must make room, `firmly` not even that; or no more so: the time between counts for nothing. */
  hold(hold: boolean, firmly: boolean, now: number): void {
    this.#firmly = hold && firmly
    if (hold) this.#heldSince ??= now
    else if (this.#heldSince !== undefined) {
      const from = this.#heldSince
      this.#heldSince = undefined
      for (const kept of this.#kept) kept.safeAt += now - from
    }
  }

  /** What may go now. */
  through(now: number, need: Need): Trimmable {
    if (this.#firmly) return NOTHING
    if (need === 'all') return this.#kept.at(-1) ?? NOTHING
    if (this.#heldSince !== undefined && need === 'none') return NOTHING
    let through = NOTHING
    for (const kept of this.#kept) if (kept.safeAt <= now && kept.seq >= through.seq) through = kept
    return through
  }

  /** Rows up to `seq` are gone. */
  trimmed(seq: number): void {
    this.#kept = this.#kept.filter(kept => kept.seq > seq)
  }

  /** When the next rows may go, or undefined when none are waiting for it. */
  nextAt(need: Need): number | undefined {
    if (this.#firmly || (this.#heldSince !== undefined && need === 'none')) return undefined
    return this.#kept[0]?.safeAt
  }
}
