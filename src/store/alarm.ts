/** One alarm: the earliest of the times asked for. */
import { type Cancel, type Clock, endOfTurn } from '../scheduler/clock.ts'

export class Alarm {
  readonly #clock: Clock
  readonly #ring: () => void
  #set: { readonly at: number; readonly cancel: Cancel } | undefined

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock
    this.#ring = ring
  }

  /** Rings within `inMs`: at the end of this turn of the event loop when that is less than 1. */
  within(inMs: number): void {
    const at = this.#clock.now() + Math.max(0, inMs)
    if (this.#set !== undefined && this.#set.at <= at) return
    this.#set?.cancel()
    const ring = (): void => {
      this.#set = undefined
      this.#ring()
    }
    this.#set = { at, cancel: inMs < 1 ? endOfTurn(ring) : this.#clock.after(inMs, ring) }
  }

  cancel(): void {
    this.#set?.cancel()
    this.#set = undefined
  }
}
