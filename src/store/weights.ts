/** What the rows of the log count against the limit, in stretches: so that trimming need not read them all once more. */

/** A stretch has no more, if it has more than one row. */
const STRETCH_ROWS = 256
const STRETCH_BYTES = 1024 * 1024

interface Stretch {
  /** Its last row. */
  through: number
  rows: number
  /** Undefined: only the file knows. */
  bytes: number | undefined
}

/** A row as the file has it. */
export interface Weight {
  readonly seq: number
  readonly bytes: number
}

/** What to trim in one step. */
export interface Oldest {
  /** The last row of it; 0: nothing. */
  readonly seq: number
  readonly bytes: number
  /** There is no more of what was asked for. */
  readonly all: boolean
}

/** A step has no more rows and bytes, but always one row: the event loop may stand still meanwhile. */
const STEP_ROWS = 1024
const STEP_BYTES = 4 * 1024 * 1024

export class Weights {
  /** Dense in seq; the first `#head` ones are gone. */
  #stretches: Stretch[] = []
  #head = 0

  /** Nothing is known of what the log holds already, up to `through`. */
  constructor(through: number) {
    if (through > 0) this.#stretches.push({ through, rows: Number.POSITIVE_INFINITY, bytes: undefined })
  }

  /** A row was added at the end. */
  push(seq: number, bytes: number): void {
    const last = this.#stretches.at(-1)
    if (
      this.#head === this.#stretches.length ||
      last?.bytes === undefined ||
      last.rows >= STRETCH_ROWS ||
      last.bytes + bytes > STRETCH_BYTES
    ) {
      this.#stretches.push({ through: seq, rows: 1, bytes })
      return
    }
    last.through = seq
    last.rows++
    last.bytes += bytes
  }

  /** The row counts something else from now on. */
  changed(seq: number): void {
    const stretch = this.#stretches.find((one, index) => index >= this.#head && seq <= one.through)
    if (stretch !== undefined) stretch.bytes = undefined
  }

  /** The oldest rows, none beyond `through`. `read`: those after a row up to another one, at most so many, from the file. */
  oldest(through: number, read: (after: number, through: number, limit: number) => readonly Weight[]): Oldest {
    let [seq, rows, bytes] = [0, 0, 0]
    const fits = (more: { readonly rows: number; readonly bytes: number }): boolean =>
      rows === 0 || (rows + more.rows <= STEP_ROWS && bytes + more.bytes <= STEP_BYTES)
    let after = 0
    for (let index = this.#head; after < through; index++) {
      const stretch = this.#stretches[index]
      if (stretch === undefined) break
      const whole = stretch.bytes !== undefined && stretch.through <= through
      const end = Math.min(stretch.through, through)
      const parts = whole
        ? [{ seq: end, rows: stretch.rows, bytes: stretch.bytes ?? 0 }]
        : read(after, end, STEP_ROWS + 1 - rows).map(row => ({ ...row, rows: 1 }))
      for (const part of parts) {
        if (!fits(part)) return { seq, bytes, all: false }
        seq = part.seq
        rows += part.rows
        bytes += part.bytes
      }
      after = stretch.through
    }
    return { seq, bytes, all: true }
  }

  /** Rows up to `seq` are gone. */
  drop(seq: number): void {
    for (; (this.#stretches[this.#head]?.through ?? Number.POSITIVE_INFINITY) <= seq; this.#head++);
    const first = this.#stretches[this.#head]
    // What is left of it only the file knows.
    if (first !== undefined && first.through - first.rows < seq) first.bytes = undefined
    if (this.#head > 64 && this.#head * 2 > this.#stretches.length) {
      this.#stretches = this.#stretches.slice(this.#head)
      this.#head = 0
    }
  }
}
