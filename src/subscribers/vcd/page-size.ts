/** How many rows to ask for at once: as many as the cell takes and can answer in time. Pure. */

/** What the endpoint takes at most, then smaller and smaller: a 400 does not say the limit in a way to rely on. */
const SIZES = [128, 64, 32, 25] as const
const LARGEST = SIZES[0]
/** So many good pages and a larger one is tried; twice as many after each time that it was too slow again. */
const FIRST_PATIENCE = 16
const LONGEST_PATIENCE = 4096

export class PageSize {
  /** The largest that the cell was not seen to refuse. */
  #ceiling: number = LARGEST
  #current: number = LARGEST
  #good = 0
  #patience = FIRST_PATIENCE

  get current(): number {
    return this.#current
  }

  /** A page of this size came. */
  good(): void {
    this.#good++
    // The largest, held for so long: what was slow once has passed.
    if (this.#current === this.#ceiling && this.#good >= this.#patience) this.#patience = FIRST_PATIENCE
  }

  /** Takes the next larger size when enough good pages came since the last change. */
  grow(): void {
    if (this.#current >= this.#ceiling || this.#good < this.#patience) return
    this.#set(SIZES.findLast(size => size > this.#current) ?? this.#current)
    // Should it be too slow again, the next try waits longer: each one that fails costs a session.
    this.#patience = Math.min(2 * this.#patience, LONGEST_PATIENCE)
  }

  /** The cell refused the size; false when there is no smaller one to try. */
  refused(): boolean {
    const smaller = this.#smaller()
    if (smaller === undefined) return false
    this.#ceiling = smaller
    this.#set(smaller)
    return true
  }

  /** The page was too slow or too big: smaller from now on, for a while. */
  slow(): void {
    this.#set(this.#smaller() ?? this.#current)
  }

  /** The refusals were about something else than the size. */
  reset(): void {
    this.#ceiling = LARGEST
    this.#set(LARGEST)
  }

  #smaller(): number | undefined {
    return SIZES.find(size => size < this.#current)
  }

  #set(size: number): void {
    this.#current = size
    this.#good = 0
  }
}
