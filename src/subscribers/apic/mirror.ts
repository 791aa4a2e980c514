/**
 * The last known whole object of every dn, ahead of what is committed. Lives as long as the source, not the session:
 * two sessions that overlap see the same versions, so what both deliver is told once.
 */
import type { ManagedObject, MirrorChange, MirrorView } from '../../record.ts'
import { GaugeTally } from './gauges.ts'
import { TwinIndex } from './twins.ts'

interface Entry {
  readonly object: ManagedObject
  /** Monotonic ms of the last push or read that changed it. */
  readonly at: number
}

/** What is remembered of an object that is gone. */
export interface End {
  /** Id of the event that told of the end. */
  readonly version: string
  /** When it was told of, by the fabric's clock, ms. */
  readonly endedMs: number
  /** The end was told by the fabric itself, not found missing: nothing that happened before it is news. */
  readonly told: boolean
  /**
   * The log told of it, so the time is the fabric's own: a change that the object dates before it is of the life that has ended. Known to
   * this process alone.
   */
  readonly isDated?: boolean
  /** The last of what `KEPT` names. */
  readonly last: Readonly<Record<string, string>>
  /** As the store had it. */
  readonly trace?: string | undefined
}

interface Tombstone extends End {
  readonly at: number
}

/** The properties by which an object tells when it changed. */
export const TIME_PROPERTIES = ['lastTransition', 'modTs', 'updTs'] as const
/** What an end remembers: the object's own clocks, and the last state of a fault. */
const KEPT = [...TIME_PROPERTIES, 'severity', 'lc', 'occur'] as const

/** How long an end is remembered: as long as the store knows the ids of what came before it. */
const TOMBSTONE_MS = 25 * 3_600_000
const MOST_TOMBSTONES = 200_000

export class ApicMirror {
  readonly #entries = new Map<string, Entry>()
  readonly #tombstones = new Map<string, Tombstone>()
  /** Which faults and delegates of what is there tell of one problem. */
  readonly twins = new TwinIndex(() => this.values())
  /** What of it the gauges count. */
  readonly tally = new GaugeTally()

  /** Takes over what the store has committed. */
  constructor(committed: MirrorView) {
    const ends: [string, Tombstone][] = []
    for (const object of committed.values()) {
      const end = endOf(object)
      if (end === undefined) this.#entries.set(object.key, { object, at: Number.NEGATIVE_INFINITY })
      else ends.push([object.key, { ...end, at: Number.NEGATIVE_INFINITY }])
    }
    for (const { object } of this.#entries.values()) this.#replaced(undefined, object)
    // Oldest first, as they are forgotten.
    for (const [key, end] of ends.sort(([, a], [, b]) => a.endedMs - b.endedMs)) this.#tombstones.set(key, end)
  }

  get size(): number {
    return this.#entries.size
  }

  get(dn: string): ManagedObject | undefined {
    return this.#entries.get(dn)?.object
  }

  values(): IteratorObject<ManagedObject> {
    return this.#entries.values().map(entry => entry.object)
  }

  /**
   * Takes a change over at `now` (monotonic ms; `fabricMs`: the same by the fabric's clock). `event`: the id of the event
   * that tells of it, if one does; `told`: see `End`. Gives what the store must keep: an end is kept as an object whose
   * `status` is `deleted`, and forgotten after a day.
   */
  apply(
    change: MirrorChange,
    now: number,
    { fabricMs, event, ...end }: { fabricMs: number; event: string | undefined } & Pick<End, 'told' | 'isDated'>,
  ): MirrorChange[] {
    this.#tombstones.delete(change.key)
    this.#replaced(this.#entries.get(change.key)?.object, change.object ?? undefined)
    if (change.object !== null) {
      this.#entries.set(change.key, { object: change.object, at: now })
      return [change]
    }
    const last = this.#entries.get(change.key)?.object
    this.#entries.delete(change.key)
    const kept = KEPT.flatMap(name => {
      const value = last?.attributes[name]
      return value === undefined ? [] : [[name, value] as const]
    })
    const tombstone: Tombstone = {
      version: event ?? last?.version ?? '',
      endedMs: fabricMs,
      ...end,
      last: Object.fromEntries(kept),
      at: now,
    }
    this.#tombstones.set(change.key, tombstone)
    return [{ key: change.key, object: objectOf(change.key, last?.family ?? '', tombstone) }, ...this.#forget(fabricMs)]
  }

  /** An object as the store shall have it, or what is remembered of it when it is gone; undefined: nothing. */
  kept(key: string, family: string): MirrorChange | undefined {
    const object = this.get(key)
    const end = this.#tombstones.get(key)
    if (object !== undefined) return { key, object }
    return end === undefined ? undefined : { key, object: objectOf(key, family, end) }
  }

  /** All that is remembered of objects that are gone, by their dn. */
  ends(): Iterable<readonly [dn: string, end: End]> {
    return this.#tombstones
  }

  /** What is remembered of an object that is gone; undefined for one that is there, or was never seen. */
  end(dn: string): End | undefined {
    return this.#tombstones.get(dn)
  }

  /** Id of the event that told of the end of an object that is gone: its chain goes on there if it comes back. */
  endOf(dn: string): string | undefined {
    const version = this.#tombstones.get(dn)?.version
    return version === '' ? undefined : version
  }

  /** True when a push told of this dn after `since`: a snapshot asked for then is the older news. */
  changedSince(dn: string, since: number): boolean {
    return (this.#entries.get(dn)?.at ?? this.#tombstones.get(dn)?.at ?? Number.NEGATIVE_INFINITY) >= since
  }

  #replaced(before: ManagedObject | undefined, after: ManagedObject | undefined): void {
    this.twins.replace(before, after)
    this.tally.replace(before, after)
  }

  #forget(fabricMs: number): MirrorChange[] {
    const forgotten: MirrorChange[] = []
    for (const [key, { endedMs }] of this.#tombstones) {
      if (fabricMs - endedMs < TOMBSTONE_MS && this.#tombstones.size <= MOST_TOMBSTONES) break
      this.#tombstones.delete(key)
      forgotten.push({ key, object: null })
    }
    return forgotten
  }
}

/** An end as the store keeps it: `status` is a word of messages that no object in the mirror has. */
function objectOf(key: string, family: string, { version, endedMs, told, last }: End): ManagedObject {
  const attributes = { ...last, status: 'deleted', endedMs: String(endedMs), told: String(told) }
  return { key, family, version, attributes }
}

function endOf({ version, attributes, trace }: ManagedObject): End | undefined {
  const { status, endedMs, told, ...last } = attributes
  if (status !== 'deleted') return undefined
  return { version, endedMs: Number(endedMs), told: told === 'true', last, trace }
}
