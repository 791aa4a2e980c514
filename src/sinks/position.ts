/** How far a stream is known to be: by its own numbers, which go on whatever is removed from it. */
import type { Cursor } from '../record.ts'

/** A position as it is kept in the store. */
export type Mark = {
  readonly stream: string
  /** When the stream was made, in its server's words. */
  readonly created: string
  /** Number of the newest message that was acknowledged. */
  readonly seq: number
  /** Its message id; null where the position was only read from the stream. */
  readonly id: string | null
}

/** Undefined for what is no mark of ours. */
export function markOf(cursor: Cursor | undefined): Mark | undefined {
  if (cursor === undefined) return undefined
  const { stream, created, seq, id } = cursor
  if (typeof stream !== 'string' || typeof created !== 'string' || typeof seq !== 'number') return undefined
  return { stream, created, seq, id: typeof id === 'string' ? id : null }
}

/** True when both are of one life of one stream: one that is deleted and made again begins another. */
export function isSameLife(a: Pick<Mark, 'stream' | 'created'>, b: Pick<Mark, 'stream' | 'created'>): boolean {
  return a.stream === b.stream && Date.parse(a.created) === Date.parse(b.created)
}

/** Follows the acknowledgements of one connection. */
export class Position {
  #mark: Mark

  constructor(mark: Mark) {
    this.#mark = mark
  }

  get mark(): Mark {
    return this.#mark
  }

  /** It is known better from before. */
  adopt(mark: Mark): void {
    this.#mark = mark
  }

  /** A message stands at `seq`. False when the stream was beyond that already. */
  acknowledged(seq: number, id: string): boolean {
    if (seq <= this.#mark.seq) return false
    this.#mark = { ...this.#mark, seq, id }
    return true
  }
}
