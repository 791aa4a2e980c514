/** Counting in plain fields: what the metrics copy at a scrape. Cheap enough for every event. */

/** One time series of a counter. Hold on to it on a hot path and add to `value`. */
export interface Count {
  readonly labels: readonly string[]
  value: number
}

/** A label value that stands for all that came after the limit. */
export const OVERFLOW = 'other'

/** Feeds of one source with series of their own, the first ones: the rest is counted together. */
export const LABELLED_FEEDS = 500

/**
 * A counter by label values. Past `limit` series of one first label (the source), new ones are counted as `other`: a label
 * explosion ends here, and costs no other source its labels.
 */
export class Tally {
  readonly #rows = new Map<string, Count>()
  readonly #sizes = new Map<string, number>()
  readonly #limit: number
  readonly #openLabel: number

  /** `openLabel`: index of the label whose values are least bounded, the one that becomes `other`. */
  constructor(openLabel = 1, limit = 2000) {
    this.#openLabel = openLabel
    this.#limit = limit
  }

  /** The series with these label values, made (at 0) when it is not there yet. */
  row(...labels: string[]): Count {
    const key = labels.join('\n')
    const known = this.#rows.get(key)
    if (known !== undefined) return known
    const [first = ''] = labels
    const size = this.#sizes.get(first) ?? 0
    if (size >= this.#limit && labels.length > this.#openLabel && labels[this.#openLabel] !== OVERFLOW) {
      return this.row(...labels.with(this.#openLabel, OVERFLOW))
    }
    const made = { labels, value: 0 }
    this.#rows.set(key, made)
    this.#sizes.set(first, size + 1)
    return made
  }

  /** Forgets every series of this first label: its source is gone. */
  forget(first: string): void {
    for (const [key, { labels }] of this.#rows) if (labels[0] === first) this.#rows.delete(key)
    this.#sizes.delete(first)
  }

  rows(): Iterable<Count> {
    return this.#rows.values()
  }
}

/** One time series of a histogram. */
export class Distribution {
  readonly labels: readonly string[]
  readonly bounds: readonly number[]
  /** Observations per bucket, not cumulated; the last one is above every bound. */
  readonly buckets: number[]
  sum = 0
  count = 0

  constructor(labels: readonly string[], bounds: readonly number[]) {
    this.labels = labels
    this.bounds = bounds
    this.buckets = new Array<number>(bounds.length + 1).fill(0)
  }

  /** Counts one observation. A clock that stepped back gives a negative duration: it counts as 0. */
  observe(seconds: number): void {
    if (!Number.isFinite(seconds)) return
    const value = Math.max(0, seconds)
    let index = 0
    while (index < this.bounds.length && value > (this.bounds[index] ?? 0)) index++
    this.buckets[index] = (this.buckets[index] ?? 0) + 1
    this.sum += value
    this.count++
  }
}

/** A histogram by label values. Past `limit` series of a source the second label (feed, operation) becomes `other`. */
export class Distributions {
  readonly bounds: readonly number[]
  readonly #rows = new Map<string, Distribution>()
  readonly #sizes = new Map<string, number>()
  readonly #limit: number

  constructor(bounds: readonly number[], limit = LABELLED_FEEDS) {
    this.bounds = bounds
    this.#limit = limit
  }

  row(...labels: string[]): Distribution {
    const key = labels.join('\n')
    const known = this.#rows.get(key)
    if (known !== undefined) return known
    const [first = ''] = labels
    const size = this.#sizes.get(first) ?? 0
    if (size >= this.#limit && labels.length > 1 && labels[1] !== OVERFLOW) {
      return this.row(...labels.with(1, OVERFLOW))
    }
    const made = new Distribution(labels, this.bounds)
    this.#rows.set(key, made)
    this.#sizes.set(first, size + 1)
    return made
  }

  /** As `Tally.forget`. */
  forget(first: string): void {
    for (const [key, { labels }] of this.#rows) if (labels[0] === first) this.#rows.delete(key)
    this.#sizes.delete(first)
  }

  rows(): Iterable<Distribution> {
    return this.#rows.values()
  }
}
