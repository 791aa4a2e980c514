/** What is acked and how long it stays: between what the pump says and what a commit makes durable. */
import type { Cursor } from '../record.ts'
import { type Need, Retention, type Trimmable } from './retention.ts'

export class Settled {
  readonly #retention: Retention
  #seq: number
  #mark: Cursor | undefined
  /** How often all below the floor was acked once more, as said, as the commit under way knows it, as it is durable. */
  readonly #anew = { said: 0, begun: 0, done: 0 }

  /** As the file has it. Nobody knows when that was acked: it is kept for the whole time again. */
  constructor(retainMs: number, floor: number, now: number, mark: Cursor | undefined) {
    this.#retention = new Retention(retainMs)
    this.#seq = floor
    if (floor > 0) this.#retention.acked(floor, now, mark)
  }

  /** As `Store.settle`; `floor` is the durable one. */
  settle(seq: number, mark: Cursor | undefined, floor: number): void {
    if (seq < this.#seq) return
    if (seq === floor && mark !== undefined) this.#anew.said++
    this.#seq = seq
    this.#mark = mark ?? this.#mark
  }

  /** There is something that the next commit makes durable. */
  isDue(floor: number): boolean {
    return this.#seq > floor || this.#anew.said > this.#anew.done
  }

  /** For the next commit. */
  upkeep(floor: number, now: number, need: Need): { floor: number; mark: Cursor | undefined; trim: Trimmable } {
    const mark = this.isDue(floor) ? this.#mark : undefined
    this.#anew.begun = this.#anew.said
    return { floor: this.#seq, mark, trim: this.#retention.through(now, need) }
  }

  /** It is durable, with the mark that `upkeep` gave, and rows up to `trimmed` are gone. What was settled meanwhile is still due. */
  committed(floorBefore: number, floor: number, now: number, trimmed: number, mark: Cursor | undefined): void {
    const { begun, done } = this.#anew
    this.#anew.done = begun
    if (begun > done && mark !== undefined) this.#retention.ackedAnew(floor, now, mark)
    else if (floor > floorBefore) this.#retention.acked(floor, now, mark)
    this.#retention.trimmed(trimmed)
  }

  /** A new file is in use, which begins after `floor`. */
  lost(floor: number): void {
    this.#seq = Math.max(this.#seq, floor)
    this.#retention.trimmed(floor)
  }

  hold(hold: boolean, firmly: boolean, now: number): void {
    this.#retention.hold(hold, firmly, now)
  }

  /** When the next rows may go, or undefined when none are waiting for it. */
  nextAt(need: Need): number | undefined {
    return this.#retention.nextAt(need)
  }
}
