/**
 * The last known whole object of every dn, ahead of what is committed. Lives as long as the source, not the session:
 * two sessions that overlap see the same versions, so what both deliver is told once.
 */
import type { ManagedObject, MirrorChange, MirrorView } from '../../record.ts'

interface Entry {
  readonly object: ManagedObject
  /** Monotonic ms of the last push or read that changed it. */
  readonly at: number
}

/** How long a deletion is remembered: longer than a snapshot takes to arrive and be compared. */
const TOMBSTONE_MS = 15 * 60_000

export class ApicMirror {
  readonly #entries = new Map<string, Entry>()
  readonly #tombstones = new Map<string, number>()

  /** Takes over what the store has committed. */
  constructor(committed: MirrorView) {
    for (const object of committed.values()) this.#entries.set(object.key, { object, at: Number.NEGATIVE_INFINITY })
  }

  get size(): number {
    return this.#entries.size
  }

  get(dn: string): ManagedObject | undefined {
    return this.#entries.get(dn)?.object
  }

  values(): Iterable<ManagedObject> {
    return this.#entries.values().map(entry => entry.object)
  }

  apply(change: MirrorChange, now: number): void {
    if (change.object !== null) {
      this.#entries.set(change.key, { object: change.object, at: now })
      this.#tombstones.delete(change.key)
      return
    }
    this.#entries.delete(change.key)
    this.#tombstones.set(change.key, now)
    for (const [key, at] of this.#tombstones) {
      if (now - at < TOMBSTONE_MS) break
      this.#tombstones.delete(key)
    }
  }

  /** True when a push told of this dn after `since`: a snapshot asked for then is the older news. */
  changedSince(dn: string, since: number): boolean {
    return (this.#entries.get(dn)?.at ?? this.#tombstones.get(dn) ?? Number.NEGATIVE_INFINITY) >= since
  }
}
