/** A clock turned by hand for simulations of hundreds of thousands of timers: nothing in them waits for I/O. */
import type { Cancel, Clock } from '../../src/scheduler/clock.ts'
import { Heap } from '../../src/scheduler/heap.ts'

interface Pending {
  readonly at: number
  readonly order: number
  fn: (() => void) | undefined
}

export class QuickClock implements Clock {
  #now = 0
  #order = 0
  #seed = 42
  readonly #pending = new Heap<Pending>((a, b) => (a.at === b.at ? a.order < b.order : a.at < b.at))

  now(): number {
    return this.#now
  }

  wall(): number {
    return this.#now
  }

  /** The same row of numbers in every run. */
  random(): number {
    this.#seed = (this.#seed * 1_103_515_245 + 12_345) % 2 ** 31
    return this.#seed / 2 ** 31
  }

  after(ms: number, fn: () => void): Cancel {
    const entry: Pending = { at: this.#now + Math.max(0, ms), order: this.#order++, fn }
    this.#pending.push(entry)
    return () => {
      entry.fn = undefined
    }
  }

  /** Fires what is due in order; promises settle between two moments. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    for (;;) {
      await new Promise<void>(resolve => setImmediate(resolve))
      const next = this.#pending.peek()
      if (next === undefined || next.at > end) break
      this.#now = next.at
      while (this.#pending.peek()?.at === next.at) this.#pending.pop()?.fn?.()
    }
    this.#now = end
  }
}
