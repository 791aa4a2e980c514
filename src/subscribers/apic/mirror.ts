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

interface Tombstone {
  readonly at: number
  /** Id of the event that told of the end. */
  readonly version: string | undefined
  /** What its own clock properties said last. */
  readonly times: Times
}

/** The properties by which an object tells when it changed. */
export const TIME_PROPERTIES = ['lastTransition', 'modTs', 'updTs'] as const
export type Times = Readonly<Partial<Record<(typeof TIME_PROPERTIES)[number], string>>>

/** How long a deletion is remembered: as long as the store knows the ids of what came before it. */
const TOMBSTONE_MS = 25 * 3_600_000
const MOST_TOMBSTONES = 200_000

export class ApicMirror {
  readonly #entries = new Map<string, Entry>()
  readonly #tombstones = new Map<string, Tombstone>()

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

  /** `told`: the id of the event that tells of the change, if one does. */
  apply(change: MirrorChange, now: number, told: string | undefined): void {
    this.#tombstones.delete(change.key)
    if (change.object !== null) {
      this.#entries.set(change.key, { object: change.object, at: now })
      return
    }
    const last = this.#entries.get(change.key)?.object
    const { lastTransition, modTs, updTs } = (last?.attributes ?? {}) as Times
    const times = Object.fromEntries(
      Object.entries({ lastTransition, modTs, updTs }).filter(([, time]) => time !== undefined),
    )
    this.#entries.delete(change.key)
    this.#tombstones.set(change.key, { at: now, version: told ?? last?.version, times })
    for (const [key, { at }] of this.#tombstones) {
      if (now - at < TOMBSTONE_MS && this.#tombstones.size <= MOST_TOMBSTONES) break
      this.#tombstones.delete(key)
    }
  }

  /** Id of the event that told of the end of an object that is gone: its chain goes on there if it comes back. */
  endOf(dn: string): string | undefined {
    return this.#tombstones.get(dn)?.version
  }

  /** The last known times of an object that is gone. */
  timesOfEnd(dn: string): Times | undefined {
    return this.#tombstones.get(dn)?.times
  }

  /** True when a push told of this dn after `since`: a snapshot asked for then is the older news. */
  changedSince(dn: string, since: number): boolean {
    return (this.#entries.get(dn)?.at ?? this.#tombstones.get(dn)?.at ?? Number.NEGATIVE_INFINITY) >= since
  }
}
