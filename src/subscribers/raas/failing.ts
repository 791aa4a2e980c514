/**
 * Methods that fail by themselves: an error inside the server (code 5000 and the like), again and again, while others
 * answer. One that did so three times is left alone for an hour, so that it doesn't end every session. While nothing
 * answers at all, nothing is held against any method.
 */
import type { ReadingMethod } from './client.ts'

const MOST = 3
const LEFT_ALONE_MS = 3_600_000

interface Record {
  times: number
  /** Failed, and no other method has answered since. */
  open: boolean
  atMs: number
  message: string
}

export class Failing {
  readonly #methods = new Map<ReadingMethod, Record>()

  failed(method: ReadingMethod, message: string, nowMs: number): void {
    const times = this.#methods.get(method)?.times ?? 0
    this.#methods.set(method, { times, open: true, atMs: nowMs, message })
  }

  answered(method: ReadingMethod): void {
    this.#methods.delete(method)
    for (const record of this.#methods.values()) {
      if (record.open) record.times++
      record.open = false
    }
  }

  /** Why this method is not asked now; undefined: it is. `nowMs` is monotonic. */
  leftAlone(method: ReadingMethod, nowMs: number): string | undefined {
    const record = this.#methods.get(method)
    if (record === undefined || record.times < MOST) return undefined
    if (nowMs - record.atMs < LEFT_ALONE_MS) return `failed ${record.times} times: ${record.message}`
    this.#methods.delete(method)
    return undefined
  }
}
