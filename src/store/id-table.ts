/**
 * Ids in memory, each with a number: without an object or a string for each of them, which in a flood would be most of what
 * the garbage collector has to move. Open addressing; the ids are hashes already.
 */
import type { Words } from './id-filters.ts'

const FIRST_SLOTS = 256

export class IdTable {
  #words = new Int32Array(4 * FIRST_SLOTS)
  /** The number of the id in the slot; 0: the slot is free. */
  #numbers = new Uint32Array(FIRST_SLOTS)
  #size = 0
  /** What was set since `keep`, to be taken back: slot, number before. */
  #changes: number[] = []

  /** Ids held. */
  get size(): number {
    return this.#size
  }

  /** The id's number; 0 when it is not here. */
  get(words: Words): number {
    return this.#numbers[this.#slot(words)] ?? 0
  }

  /** `number` is at least 1. */
  set(words: Words, number: number): void {
    if (2 * (this.#size + 1) > this.#numbers.length) this.#grow()
    const slot = this.#slot(words)
    this.#changes.push(slot, this.#numbers[slot] ?? 0)
    if (this.#numbers[slot] === 0) {
      this.#words.set(words, 4 * slot)
      this.#size++
    }
    this.#numbers[slot] = number
  }

  /** What was set stays. */
  keep(): void {
    this.#changes.length = 0
  }

  /** Takes back what was set since `keep`. */
  takeBack(): void {
    // The last one first: then each leaves the slots as it found them.
    for (let at = this.#changes.length - 2; at >= 0; at -= 2) {
      const before = this.#changes[at + 1] ?? 0
      if (before === 0) this.#size--
      this.#numbers[this.#changes[at] ?? 0] = before
    }
    this.keep()
  }

  clear(): void {
    this.#numbers.fill(0)
    this.#size = 0
    this.keep()
  }

  /** Each id, with its number. */
  *entries(): Generator<[Words, number]> {
    for (let slot = 0; slot < this.#numbers.length; slot++) {
      const number = this.#numbers[slot] ?? 0
      if (number > 0) yield [wordsAt(this.#words, slot), number]
    }
  }

  /** Where the id stands, or the free slot where it would. */
  #slot(words: Words): number {
    const [a, b, c, d] = words
    const held = this.#words
    const last = this.#numbers.length - 1
    for (let slot = a & last; ; slot = (slot + 1) & last) {
      if (this.#numbers[slot] === 0) return slot
      const at = 4 * slot
      if (held[at] === a && held[at + 1] === b && held[at + 2] === c && held[at + 3] === d) return slot
    }
  }

  #grow(): void {
    const changed: [Words, number][] = []
    for (let at = 0; at < this.#changes.length; at += 2) {
      const slot = this.#changes[at] ?? 0
      changed.push([wordsAt(this.#words, slot), this.#numbers[slot] ?? 0])
    }
    this.takeBack()
    const before = [...this.entries()]
    this.#words = new Int32Array(2 * this.#words.length)
    this.#numbers = new Uint32Array(2 * this.#numbers.length)
    this.#size = 0
    for (const [words, number] of before) this.set(words, number)
    this.keep()
    // Behind what stays, so that they can be taken back.
    for (const [words, number] of changed) this.set(words, number)
  }
}

function wordsAt(held: Int32Array, slot: number): Words {
  const at = 4 * slot
  return [held[at] ?? 0, held[at + 1] ?? 0, held[at + 2] ?? 0, held[at + 3] ?? 0]
}
