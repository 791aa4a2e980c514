/** The writing thread, from the other side: one tape at a time, and an answer to each. */
import { Worker } from 'node:worker_threads'
import { describe, Retryable } from '../errors.ts'
import type { Recorded } from './tape.ts'

/** What the thread is started with. */
export interface Orders {
  readonly path: string
  /** Which file is to lie there (`fileAt`): no other one is opened, or made. Undefined: whichever does. */
  readonly file?: string | undefined
  /** The bound of SQLite's `max_page_count`, which each connection has for itself. */
  readonly maxPages: number
}

export type Task = Recorded | 'stop'

/** `open`, once; then one for each tape, with its memory. `error`: nothing of it was written. */
export type Answer = 'open' | { readonly bytes: ArrayBuffer; readonly error?: string }

/** The thread ended under way: whether its last tape was written nobody knows, but the file. */
export class ScribeGone extends Retryable {
  constructor(message: string, options?: { readonly cause?: unknown }) {
    super('store', message, options)
    this.name = 'ScribeGone'
  }
}

interface Waiting {
  resolve(bytes: ArrayBuffer): void
  reject(error: Error): void
}

/** Beside the source lies the source, beside the emitted JavaScript the emitted JavaScript. */
const THREAD = new URL(`./scribe-thread${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url)

/** An isolate that does so little needs no more, and would else take what V8 thinks fair. MiB. */
const LIMITS = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 4 }

export class Scribe {
  readonly #worker: Worker
  readonly #ended: Promise<void>
  #open = false
  #gone: ScribeGone | undefined
  #waiting: Waiting | undefined
  #stopping = false

  /** Starts the thread. `onGone` hears of its end, unless `stop` asked for it. */
  constructor(orders: Orders, onGone: (reason: ScribeGone) => void) {
    // Not the options of this process: a thread takes fewer of them, and needs none.
    this.#worker = new Worker(THREAD, {
      name: 'opswire store',
      workerData: orders,
      execArgv: [],
      resourceLimits: LIMITS,
    })
    // It keeps no process alive but while it writes.
    this.#worker.unref()
    let cause: unknown
    this.#worker.on('message', (answer: Answer) => this.#answered(answer))
    this.#worker.on('error', error => {
      cause = error
    })
    this.#ended = new Promise(resolve => {
      this.#worker.on('exit', code => {
        const why = cause === undefined ? `code ${code}` : describe(cause)
        this.#gone = new ScribeGone(`the thread that writes the store ended: ${why}`, { cause })
        this.#waiting?.reject(this.#gone)
        this.#waiting = undefined
        resolve()
        if (!this.#stopping) onGone(this.#gone)
      })
    })
  }

  /** It can be given a tape. */
  get ready(): boolean {
    return this.#open && this.#gone === undefined && !this.#stopping && this.#waiting === undefined
  }

  /**
   * Resolves when the tape is durable, with its memory. Rejects when nothing of it was written, and with `ScribeGone` when that is not known.
   */
  write(recorded: Recorded): Promise<ArrayBuffer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
      this.#worker.ref()
      this.#worker.postMessage(recorded, [recorded.bytes])
    })
  }

  /** Resolves when the thread has ended and let go of the file; what it was writing is written. Idempotent. */
  async stop(): Promise<void> {
    if (!this.#stopping && this.#gone === undefined) {
      this.#stopping = true
      this.#worker.ref()
      this.#worker.postMessage('stop')
    }
    await this.#ended
  }

  #answered(answer: Answer): void {
    if (answer === 'open') {
      this.#open = true
      return
    }
    const waiting = this.#waiting
    this.#waiting = undefined
    if (!this.#stopping) this.#worker.unref()
    if (answer.error === undefined) waiting?.resolve(answer.bytes)
    else waiting?.reject(new Error(answer.error))
  }
}
