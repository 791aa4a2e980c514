/** Bounded concurrency with a pace: how one server is asked many things without being flooded. */
import { type Clock, sleep } from './clock.ts'

export interface GateOptions {
  readonly clock: Clock
  readonly maxConcurrency: number
  /** Least time between two starts, ms. */
  readonly spacingMs: number
}

export class Gate {
  readonly #options: GateOptions
  readonly #waiting: (() => void)[] = []
  #busy = 0
  #nextStart = 0

  constructor(options: GateOptions) {
    this.#options = options
  }

  /** Runs `task` when its turn has come, first come first served. Rejects with the signal's reason or the task's error. */
  async run<T>(signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    while (this.#busy >= this.#options.maxConcurrency) {
      await new Promise<void>(resolve => this.#waiting.push(resolve))
    }
    this.#busy++
    try {
      signal.throwIfAborted()
      const { clock, spacingMs } = this.#options
      const start = Math.max(clock.now(), this.#nextStart)
      this.#nextStart = start + spacingMs
      if (start > clock.now()) await sleep(clock, start - clock.now(), signal)
      return await task()
    } finally {
      this.#busy--
      this.#waiting.shift()?.()
    }
  }
}
