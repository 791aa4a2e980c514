/** Which acked rows have been kept long enough. By the monotonic clock: setting the wall clock trims nothing early. */

interface Mark {
  seq: number
  readonly safeAt: number
}

/** Marks kept at once, at most: rows wait up to a thirty-second part longer than asked. */
const MARKS = 32

export class Retention {
  readonly #retainMs: number
  readonly #grainMs: number
  #marks: Mark[] = []

  constructor(retainMs: number) {
    this.#retainMs = retainMs
    this.#grainMs = Math.max(1, retainMs / MARKS)
  }

  /** Everything up to `seq` is acked since `now`. */
  acked(seq: number, now: number): void {
    const safeAt = Math.ceil((now + this.#retainMs) / this.#grainMs) * this.#grainMs
    const last = this.#marks.at(-1)
    if (last !== undefined && last.safeAt >= safeAt) last.seq = Math.max(last.seq, seq)
    else this.#marks.push({ seq, safeAt })
  }

  /** The highest seq that may go; 0 when none may. */
  through(now: number): number {
    let through = 0
    for (const mark of this.#marks) if (mark.safeAt <= now) through = Math.max(through, mark.seq)
    return through
  }

  /** Rows up to `seq` are gone. */
  trimmed(seq: number): void {
    this.#marks = this.#marks.filter(mark => mark.seq > seq)
  }

  /** When the next rows may go, or undefined when none are waiting for it. */
  get nextAt(): number | undefined {
    return this.#marks[0]?.safeAt
  }
}
