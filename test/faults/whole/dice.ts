/** Chance from a seed: the same seed draws the same again. */
import { seeded } from '../../../src/simulators/vcd/world.ts'

export class Dice {
  /** Between 0 and 1. */
  readonly next: () => number

  constructor(seed: number) {
    this.next = seeded(seed)
  }

  of(probability: number): boolean {
    return this.next() < probability
  }

  /** A whole number from `least` to `most`, both possible. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1))
  }

  /** Throws for an empty list. */
  pick<T>(all: readonly T[]): T {
    const one = all[this.whole(0, all.length - 1)]
    if (one === undefined) throw new Error('nothing to pick from')
    return one
  }
}
