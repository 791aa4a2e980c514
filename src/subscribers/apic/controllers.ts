/**
 * Which controller of the list is used: sticky while it is fit; one that was found unfit goes to the end of the row.
 * None is ever given up: when all are unfit, the one whose trouble lies back longest is tried next.
 */
import { Retryable } from '../../errors.ts'

/** A controller that answers and is of no use: it pushes nothing, or it is cut off from its cluster. Take another. */
export class Unfit extends Retryable {}

/** How long a controller's trouble is held against it, ms: as long as that, another without any is the better one. */
const MEMORY_MS = 15 * 60_000
/** A session shorter than this, counted from when it watched everything, was no life, ms. */
const SHORT_LIFE_MS = 60_000
/** So many short lives in a row, and the next controller gets its turn. One may be any cut of the network. */
const SHORT_LIVES = 2

interface Place {
  readonly address: string
  /** Monotonic ms. */
  unfitAt: number
  shortLives: number
}

export class ControllerRow {
  /** The one in use first. */
  #row: Place[]

  constructor(addresses: readonly string[]) {
    this.#row = addresses.map(address => ({ address, unfitAt: Number.NEGATIVE_INFINITY, shortLives: 0 }))
  }

  /** The controller to use now. */
  get current(): string {
    return this.#row[0]?.address ?? ''
  }

  /** True when there is another controller that was not in trouble lately: leaving this one leads somewhere. */
  hasBetterThan(address: string, now: number): boolean {
    return this.#row.some(place => place.address !== address && now - place.unfitAt >= MEMORY_MS)
  }

  /** It could not be reached, never got everything subscribed, pushes nothing or is cut off: the next one's turn. */
  unfit(address: string, now: number): void {
    const place = this.#row.find(one => one.address === address)
    if (place === undefined) return
    place.unfitAt = now
    place.shortLives = 0
    this.#row = [...this.#row.filter(one => one !== place), place]
  }

  /** A session that had watched everything was lost after `livedMs`: the same controller again, unless that is a habit. */
  lost(address: string, livedMs: number, now: number): void {
    const place = this.#row.find(one => one.address === address)
    if (place === undefined) return
    place.shortLives = livedMs < SHORT_LIFE_MS ? place.shortLives + 1 : 0
    if (place.shortLives >= SHORT_LIVES) this.unfit(address, now)
  }
}
