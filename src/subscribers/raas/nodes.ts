/** The nodes behind one address, known by `RaaS-Instance-ID`, and how far their clocks stand apart. */
import { BoundedMap } from './bounded.ts'

const MOST_NODES = 32
/** `Date` has whole seconds, and an answer takes its time. */
const GRAIN_MS = 2000

export class Nodes {
  /** By node: its `Date` less our clock, ms. Only their differences are used. */
  readonly #offsets = new BoundedMap<number>(MOST_NODES)
  readonly #overlapMs: number
  #count = 0
  #warned = false

  constructor(overlapMs: number) {
    this.#overlapMs = overlapMs
  }

  /** Notes who answered; returns what a person should know, once each. */
  met(node: string, offsetMs: number | undefined): string | undefined {
    const isNew = !this.#offsets.has(node)
    if (isNew || offsetMs !== undefined) this.#offsets.set(node, offsetMs ?? 0)
    const { size } = this.#offsets
    if (isNew && size > Math.max(1, this.#count)) {
      this.#count = size
      return `${size} RaaS nodes answer at this address: how far their clocks differ is part of what overlap must cover`
    }
    const apart = this.#spread()
    if (this.#warned || apart - GRAIN_MS <= this.#overlapMs / 4) return undefined
    this.#warned = true
    const seconds = Math.round(apart / 1000)
    return `the clocks of the RaaS nodes are ${seconds} s apart, more than a quarter of overlap: set them, or raise it`
  }

  #spread(): number {
    const all = this.#offsets.values()
    return all.length < 2 ? 0 : Math.max(...all) - Math.min(...all)
  }
}
