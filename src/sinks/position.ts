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
  #life: Mark
  #seq: number
  #id: string | null

  constructor(mark: Mark) {
    this.#life = mark
    this.#seq = mark.seq
    this.#id = mark.id
  }

  get mark(): Mark {
    return { stream: this.#life.stream, created: this.#life.created, seq: this.#seq, id: this.#id }
  }

  /** `mark.seq`. */
  get seq(): number {
    return this.#seq
  }

  /** It is known better from before. */
  adopt(mark: Mark): void {
    this.#life = mark
    this.#seq = mark.seq
    this.#id = mark.id
  }

  /** A message stands at `seq`. False when the stream was beyond that already. */
  acknowledged(seq: number, id: string): boolean {
    if (seq <= this.#seq) return false
    this.#seq = seq
    this.#id = id
    return true
  }
}
