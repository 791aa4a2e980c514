/** A clock that a test turns by hand. */
import type { Cancel, Clock } from '../../src/scheduler/clock.ts'

interface Pending {
  readonly at: number
  readonly order: number
  readonly fn: () => void
}

export class ManualClock implements Clock {
  #now = 0
  #wall: number
  #order = 0
  #pending: Pending[] = []
  /** What `random()` gives. */
  chance = 0.5

  constructor(wall = Date.UTC(2026, 1, 3, 4, 5, 6, 789)) {
    this.#wall = wall
  }

  now(): number {
    return this.#now
  }

  wall(): number {
    return this.#wall
  }

  random(): number {
    return this.chance
  }

  after(ms: number, fn: () => void): Cancel {
    const entry = { at: this.#now + Math.max(0, ms), order: this.#order++, fn }
    this.#pending.push(entry)
    return () => {
      this.#pending = this.#pending.filter(other => other !== entry)
    }
  }

  /** Timers that wait. */
  get waiting(): number {
    return this.#pending.length
  }

  /** How many timers wait, those apart whose callbacks have one of these names: what goes on beside the work. */
  waitingBeside(...names: readonly string[]): number {
    return this.#pending.filter(entry => !names.includes(entry.fn.name)).length
  }

  /** Ms until the next timer, or undefined. */
  get next(): number | undefined {
    return this.#pending.length === 0 ? undefined : Math.min(...this.#pending.map(entry => entry.at)) - this.#now
  }

  /** Moves the wall clock only (somebody set the time). */
  stepWall(ms: number): void {
    this.#wall += ms
  }

  /** The machine stood still for so long: what fell due meanwhile fires late, with the next turn. */
  standStill(ms: number): void {
    this.#now += ms
    this.#wall += ms
  }

  /** Turns the clock; fires what is due, in order, and lets promises settle after each. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    for (;;) {
      await settle()
      const due = this.#pending.filter(entry => entry.at <= end).sort((a, b) => a.at - b.at || a.order - b.order)[0]
      if (due === undefined) break
      this.#pending = this.#pending.filter(entry => entry !== due)
      const at = Math.max(due.at, this.#now)
      this.#wall += at - this.#now
      this.#now = at
      due.fn()
    }
    this.#wall += end - this.#now
    this.#now = end
    await settle()
  }
}

/** Lets every promise that can settle without time or I/O settle. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise<void>(resolve => setImmediate(resolve))
}

/** Waits, through real I/O, until `probe` gives something other than undefined or false. */
export async function until<T>(probe: () => T | undefined | false, what: string, timeoutMs = 20_000): Promise<T> {
  const end = performance.now() + timeoutMs
  for (;;) {
    const value = probe()
    if (value !== undefined && value !== false) return value
    if (performance.now() > end) throw new Error(`never happened: ${what}`)
    await new Promise<void>(resolve => setTimeout(resolve, 5))
  }
}
