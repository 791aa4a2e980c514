/** One append or burial on its way into the file, and the promise of whoever asked for it. */
import type { Append } from './contract.ts'
import { rowBytes } from './rows.ts'
import type { Transaction } from './transaction.ts'
import type { Waiting } from './waiting.ts'

export type Size = Pick<Waiting, 'source' | 'rows' | 'bytes' | 'overdraft' | 'plain'>

/** What a notice of a dead letter is taken to cost before it is made. */
const NOTICE_BYTES = 1024

export function sizeOf({ source, events, mirror = [], dead = [], ...rest }: Append): Size {
  return {
    source: rest.againAfter === undefined ? source : `${source} once more`,
    rows: events.length + mirror.length + dead.length + 1,
    bytes: events.reduce((sum, event) => sum + rowBytes(event), rest.notice ? dead.length * NOTICE_BYTES : 0),
    overdraft: rest.overdraft,
    plain: dead.length === 0 && rest.letters === undefined && rest.againAfter === undefined,
  }
}

export class Request<T> implements Waiting {
  readonly source: string
  readonly rows: number
  readonly bytes: number
  readonly overdraft: boolean
  readonly plain: boolean
  readonly #write: (transaction: Transaction) => T
  readonly #signal: AbortSignal | undefined
  readonly #settle = Promise.withResolvers<T>()
  readonly #onAbort: () => void
  #result: { readonly value: T } | undefined

  /** `giveUp` is asked when the signal aborts: false while it is being written, for then only the file knows. */
  constructor(
    size: Size,
    write: (transaction: Transaction) => T,
    signal: AbortSignal | undefined,
    giveUp: (request: Waiting) => boolean,
  ) {
    this.source = size.source
    this.rows = size.rows
    this.bytes = size.bytes
    this.overdraft = size.overdraft
    this.plain = size.plain
    this.#write = write
    this.#signal = signal
    this.#onAbort = () => {
      if (giveUp(this)) this.reject(signal?.reason)
    }
    signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  /** Resolves when it is durable. */
  get promise(): Promise<T> {
    return this.#settle.promise
  }

  write(transaction: Transaction): void {
    this.#result = { value: this.#write(transaction) }
  }

  again(): void {
    if (this.#signal?.aborted === true) this.#onAbort()
  }

  resolve(): void {
    this.#signal?.removeEventListener('abort', this.#onAbort)
    if (this.#result !== undefined) this.#settle.resolve(this.#result.value)
  }

  reject(error: unknown): void {
    this.#signal?.removeEventListener('abort', this.#onAbort)
    this.#settle.reject(error)
  }
}
