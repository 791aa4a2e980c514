/**
 * The logs of a fabric: one ring for each record class, oldest purged first. Sizes are the defaults of
 * reference/apic.md b2 (100 000 records, 500 000 for the audit log; purge window 250).
 */
import type { Attributes } from './model.ts'
import type { Mo } from './tree.ts'

interface Entry extends Mo {
  /** Monotonic ms from when on a query shows it. */
  readonly visibleFrom: number
}

interface Ring {
  entries: Entry[]
  /** How many at the front of `entries` are purged already. */
  purged: number
}

export interface LogOptions {
  /** Records kept of each class. */
  readonly limits?: Readonly<Record<string, number>>
  /** How many are purged at once when a ring is full. */
  readonly purgeWindow?: number
}

const DEFAULT_LIMIT = 100_000
const AUDIT_LIMIT = 500_000

export class Logs {
  readonly #rings = new Map<string, Ring>()
  readonly #byDn = new Map<string, Entry>()
  #limits: Readonly<Record<string, number>>
  #purgeWindow: number

  constructor(options: LogOptions = {}) {
    this.#limits = options.limits ?? {}
    this.#purgeWindow = options.purgeWindow ?? 250
  }

  /** Changes the size of a ring from the next record on. */
  setLimit(className: string, limit: number, purgeWindow = this.#purgeWindow): void {
    this.#limits = { ...this.#limits, [className]: limit }
    this.#purgeWindow = purgeWindow
  }

  /** Appends; gives the records that had to go for it. */
  add(className: string, dn: string, attributes: Attributes, visibleFrom: number): readonly Mo[] {
    let ring = this.#rings.get(className)
    if (ring === undefined) {
      ring = { entries: [], purged: 0 }
      this.#rings.set(className, ring)
    }
    const entry: Entry = { className, dn, rn: dn.slice(dn.lastIndexOf('/') + 1), attributes, visibleFrom }
    ring.entries.push(entry)
    this.#byDn.set(dn, entry)
    const limit = this.#limits[className] ?? (className.startsWith('aaa') ? AUDIT_LIMIT : DEFAULT_LIMIT)
    if (ring.entries.length - ring.purged <= limit) return []
    return this.purge(className, Math.min(this.#purgeWindow, limit))
  }

  /** Throws the oldest `count` records of a class away. */
  purge(className: string, count: number): readonly Mo[] {
    const ring = this.#rings.get(className)
    if (ring === undefined) return []
    const gone = ring.entries.slice(ring.purged, ring.purged + count)
    for (const entry of gone) this.#byDn.delete(entry.dn)
    ring.purged += gone.length
    if (ring.purged > 10_000 && ring.purged * 2 > ring.entries.length) {
      ring.entries = ring.entries.slice(ring.purged)
      ring.purged = 0
    }
    return gone
  }

  /** All of them as they are now; later records and purges of either leave the other alone. */
  copy(): Logs {
    const copy = new Logs({ limits: this.#limits, purgeWindow: this.#purgeWindow })
    for (const [className, { entries, purged }] of this.#rings) {
      copy.#rings.set(className, { entries: entries.slice(purged), purged: 0 })
    }
    for (const [dn, entry] of this.#byDn) copy.#byDn.set(dn, entry)
    return copy
  }

  get(dn: string, now: number): Mo | undefined {
    const entry = this.#byDn.get(dn)
    return entry !== undefined && entry.visibleFrom <= now ? entry : undefined
  }

  /** What a query at `now` sees of a class, in the order of writing. */
  *ofClass(className: string, now: number): Iterable<Mo> {
    const ring = this.#rings.get(className)
    if (ring === undefined) return
    for (let i = ring.purged; i < ring.entries.length; i++) {
      const entry = ring.entries[i]
      if (entry !== undefined && entry.visibleFrom <= now) yield entry
    }
  }

  /** Everything at `now` whose DN starts with `subj-[AFFECTED]/`. */
  *about(prefix: string, now: number): Iterable<Mo> {
    for (const name of this.#rings.keys()) {
      for (const entry of this.ofClass(name, now)) if (entry.dn.startsWith(`${prefix}/`)) yield entry
    }
  }
}
