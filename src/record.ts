/** The plain data that passes between subscribers, store and sinks. */

/** Where a feed stands: plain JSON, opaque to runner and store, committed with the facts it covers. */
export type Cursor = Readonly<Record<string, string | number | boolean | null>>

/** The last known version of one object of a source: an APIC object, a RaaS job definition or run. */
export interface ManagedObject {
  /** The object's name within the source: dn, uuid, jid. */
  readonly key: string
  /** APIC class, or the feed's word for what it is. */
  readonly family: string
  /** Id of the event that told of this version (the chain), or '' for a version learned without an event. */
  readonly version: string
  readonly attributes: Readonly<Record<string, string>>
  /** What its subscriber wants to know of it after a restart, in its own words; absent: nothing. */
  readonly trace?: string
}

/** `object: null` forgets the key. */
export interface MirrorChange {
  readonly key: string
  readonly object: ManagedObject | null
}

/** The committed mirror of one source. */
export interface MirrorView {
  get(key: string): ManagedObject | undefined
  values(): Iterable<ManagedObject>
}

/** What could not be understood, kept whole. */
export interface DeadLetter {
  readonly reason: string
  readonly content: string
}

/** One event on its way to a sink. */
export interface EventRecord {
  /** Position in the store's log. */
  readonly seq: number
  /** The event's id: the `Nats-Msg-Id`. */
  readonly id: string
  /** Subject without the configured prefix. */
  readonly subject: string
  readonly partitionkey: string
  /** Wall time when it was taken down, ms. */
  readonly recordedMs: number
  /** The event as UTF-8 JSON. */
  readonly body: Uint8Array
}
