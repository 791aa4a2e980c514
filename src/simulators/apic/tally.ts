/** Counts of one kind of happening, kept in O(1): how many, and the most within any second. */
export class Tally {
  /** How many there were. */
  count = 0
  /** The most in any span of one second. */
  mostInASecond = 0
  readonly #recent: number[] = []
  #from = 0

  /** `now`: monotonic ms. */
  add(now: number): void {
    this.count++
    this.#recent.push(now)
    while ((this.#recent[this.#from] ?? now) <= now - 1000) this.#from++
    this.mostInASecond = Math.max(this.mostInASecond, this.#recent.length - this.#from)
    if (this.#from > 1024 && this.#from * 2 > this.#recent.length) {
      this.#recent.splice(0, this.#from)
      this.#from = 0
    }
  }
}
