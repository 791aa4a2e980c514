/** A map that forgets its oldest entries: what a session remembers to spare the store, never to decide. */

export class BoundedMap<V> {
  readonly #most: number
  readonly #entries = new Map<string, V>()
  readonly #forgot: ((value: V) => void) | undefined

  /** `forgot` is told the value of each entry that had to go for want of room. */
  constructor(most: number, forgot?: (value: V) => void) {
    this.#most = most
    this.#forgot = forgot
  }

  get size(): number {
    return this.#entries.size
  }

  has(key: string): boolean {
    return this.#entries.has(key)
  }

  get(key: string): V | undefined {
    return this.#entries.get(key)
  }

  /** The entry counts as the youngest from now on. */
  set(key: string, value: V): void {
    this.#entries.delete(key)
    this.#entries.set(key, value)
    if (this.#entries.size <= this.#most) return
    for (const [oldest, gone] of this.#entries) {
      this.#entries.delete(oldest)
      this.#forgot?.(gone)
      break
    }
  }

  values(): V[] {
    return [...this.#entries.values()]
  }

  /** Takes all the keys out. */
  drain(): Set<string> {
    const keys = new Set(this.#entries.keys())
    this.#entries.clear()
    return keys
  }
}
