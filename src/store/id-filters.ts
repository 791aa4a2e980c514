/**
 * Which sealed runs may hold an id. Each run has a Bloom filter; those of up to 32 runs lie in one another, bit by bit, so
 * that a look asks them all: a store of a day in a flood has hundreds of runs, and every new event asks each of them.
 */

/** An id as four numbers of 32 bits, signed: V8 keeps those without an object for each. */
export type Words = readonly [number, number, number, number]

export function wordsOf(id: Buffer): Words {
  return [id.readInt32LE(0), id.readInt32LE(4), id.readInt32LE(8), id.readInt32LE(12)]
}

/** Bits of filter per id; with `PROBES` of them looked at, one unknown id in 1700 is looked up in vain, by run. */
const FILTER_BITS = 16
/** Bits of a filter that are looked at. Filters made by the first version of the schema have `FIRST_PROBES`. */
export const PROBES = 8
const FIRST_PROBES = 4

/** The n-th bit of a filter that stands for the id: `& (bits - 1)`. Sums of two words make as many again. */
function probe(words: Words, n: number): number {
  const word = words[n & 3] ?? 0
  return n < FIRST_PROBES ? word : word + (words[(n + 1) & 3] ?? 0)
}

/** The filter of these ids. Its length is a power of two. */
export function filterOf(ids: readonly Words[]): Uint32Array {
  const filter = new Uint32Array(2 ** Math.round(Math.log2(Math.max(32, ids.length * FILTER_BITS))) / 32)
  const last = filter.length * 32 - 1
  for (const words of ids) {
    for (let n = 0; n < PROBES; n++) {
      const bit = probe(words, n) & last
      filter[bit >>> 5] = (filter[bit >>> 5] ?? 0) | (1 << (bit & 31))
    }
  }
  return filter
}

type Lanes = Uint8Array | Uint16Array | Uint32Array

const MOST_LANES = 32

/** Filters of one length: bit `lane` of `lanes[n]` is bit n of the filter of the run in that lane. */
class Group<R> {
  readonly bits: number
  readonly probes: number
  readonly runs: (R | undefined)[] = []
  /** Twice as wide when it is full: a store with few runs takes no more memory than they need. */
  #lanes: Lanes

  constructor(bits: number, probes: number) {
    this.bits = bits
    this.probes = probes
    this.#lanes = new Uint8Array(bits)
  }

  /** False when there is no lane left. */
  add(run: R, filter: Uint32Array): boolean {
    const free = this.runs.indexOf(undefined)
    const lane = free < 0 ? this.runs.length : free
    if (lane === MOST_LANES) return false
    if (lane === 8 * this.#lanes.BYTES_PER_ELEMENT) {
      this.#lanes = lane === 8 ? new Uint16Array(this.#lanes) : new Uint32Array(this.#lanes)
    }
    this.runs[lane] = run
    const lanes = this.#lanes
    for (let index = 0; index < filter.length; index++) {
      for (let word = filter[index] ?? 0; word !== 0; word &= word - 1) {
        const bit = index * 32 + 31 - Math.clz32(word & -word)
        lanes[bit] = (lanes[bit] ?? 0) | (1 << lane)
      }
    }
    return true
  }

  /** False when the run is not in here. */
  remove(run: R): boolean {
    const lane = this.runs.indexOf(run)
    if (lane < 0) return false
    this.runs[lane] = undefined
    const lanes = this.#lanes
    for (let bit = 0; bit < lanes.length; bit++) lanes[bit] = (lanes[bit] ?? 0) & ~(1 << lane)
    return true
  }

  find(words: Words, found: R[]): void {
    const lanes = this.#lanes
    const last = this.bits - 1
    let mask = -1
    for (let n = 0; n < this.probes && mask !== 0; n++) mask &= lanes[probe(words, n) & last] ?? 0
    for (; mask !== 0; mask &= mask - 1) {
      const run = this.runs[31 - Math.clz32(mask & -mask)]
      if (run !== undefined) found.push(run)
    }
  }
}

export class Filters<R> {
  #groups: Group<R>[] = []

  add(run: R, filter: Uint32Array, probes: number): void {
    const bits = filter.length * 32
    for (const group of this.#groups) {
      if (group.bits === bits && group.probes === probes && group.add(run, filter)) return
    }
    const group = new Group<R>(bits, probes)
    group.add(run, filter)
    this.#groups.push(group)
  }

  remove(run: R): void {
    for (const group of this.#groups) if (group.remove(run)) break
    this.#groups = this.#groups.filter(group => group.runs.some(one => one !== undefined))
  }

  /** Runs that may hold the id; the others surely don't. */
  find(words: Words): R[] {
    const found: R[] = []
    for (const group of this.#groups) group.find(words, found)
    return found
  }
}
