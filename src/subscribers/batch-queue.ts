/** Hands batches from a protocol to the runner, one at a time: the backpressure is the await. */
import type { Batch } from './contract.ts'

interface Waiting {
  readonly batch: Batch
  readonly taken: () => void
}

/**
 * `push` resolves when the runner has taken and committed the batch (it came back for the next one). Batches pushed
 * before `end` or `fail` are yielded first; after that the iteration ends or throws. A batch pushed later, or left when
 * the runner walked away, is dropped: its cursor was never committed, so its facts will be read again.
 */
export class BatchQueue implements AsyncIterable<Batch> {
  #waiting: Waiting[] = []
  #ended = false
  #error: unknown
  #wake: (() => void) | undefined

  /** Batches not yet taken. */
  get depth(): number {
    return this.#waiting.length
  }

  push(batch: Batch): Promise<void> {
    if (this.#ended) return Promise.resolve()
    return new Promise(resolve => {
      this.#waiting.push({ batch, taken: resolve })
      this.#wake?.()
    })
  }

  end(): void {
    this.#ended = true
    this.#wake?.()
  }

  /** The first error counts; the iteration throws it after the queued batches. */
  fail(error: unknown): void {
    if (this.#ended) return
    this.#error = error
    this.end()
  }

  /** Drops what waits: nobody will iterate. */
  discard(): void {
    this.#ended = true
    for (const left of this.#waiting.splice(0)) left.taken()
    this.#wake?.()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Batch> {
    try {
      for (;;) {
        const next = this.#waiting.shift()
        if (next !== undefined) {
          try {
            yield next.batch
            next.batch.committed?.()
          } finally {
            next.taken()
          }
          continue
        }
        if (this.#ended) break
        await new Promise<void>(resolve => {
          this.#wake = resolve
        })
        this.#wake = undefined
      }
    } finally {
      this.#ended = true
      for (const left of this.#waiting.splice(0)) left.taken()
    }
    if (this.#error !== undefined) throw this.#error
  }
}
