/** What the rest of the program asks of the store. One implementation: SQLite, on disk or in memory. */
import type { Cursor, DeadLetter, EventRecord, MirrorChange, MirrorView } from '../record.ts'

export type NewEvent = Omit<EventRecord, 'seq'>

/** Where an event stands, without the event. */
export type EventKey = Pick<EventRecord, 'seq' | 'id' | 'recordedMs'>

/**
 * The event that tells of a dead letter. Called within the transaction, once the letter has its key, and again when the
 * transaction is made anew: the same letter must give the same id.
 */
export type NoticeOf = (letter: Omit<StoredDeadLetter, 'content'>) => NewEvent

/** One commit: all of it or nothing. */
export interface Append {
  readonly source: string
  readonly feed: string
  readonly events: readonly NewEvent[]
  readonly cursor?: Cursor | undefined
  readonly mirror?: readonly MirrorChange[] | undefined
  readonly dead?: readonly DeadLetter[] | undefined
  /** Makes the event that tells of each dead letter: it is stored with the letter, in the same transaction. */
  readonly notice?: NoticeOf | undefined
  /** How long the ids must be known, ms (the store keeps them 24 h at least). */
  readonly rememberMs?: number | undefined
  /** Dead letters that were read once more: gone with this commit, or kept for another reason. */
  readonly letters?: Reread | undefined
  /**
   * For events that the stream was found to lack: written again though the id is known, unless an event with that id
   * came after this seq. Where there is no room it does not hold back what the source appends beside it.
   */
  readonly againAfter?: number | undefined
  /** May fill the store to 110 % (sources that can't be asked again). */
  readonly overdraft: boolean
}

export interface Reread {
  /** Keys of those that are understood now. */
  readonly gone?: readonly string[]
  readonly kept?: readonly { readonly key: string; readonly reason: string }[]
}

export interface Appended {
  /** Indexes into `events` of the ones that were new; the others were known by id and dropped. */
  readonly fresh: readonly number[]
  /** For each dead letter its key in the store. */
  readonly deadKeys: readonly string[]
}

export interface StoredDeadLetter {
  readonly key: string
  readonly source: string
  readonly feed: string
  readonly reason: string
  readonly atMs: number
  readonly bytes: number
  readonly digest: string
  readonly content: string
}

/** Which dead letters, by default all of them, the oldest first. */
export interface WhichLetters {
  /** Those behind this key. */
  readonly after?: string
  readonly source?: string
  readonly newestFirst?: boolean
}

export interface StoreStats {
  readonly unacked: number
  /** Bytes of unacked and retained rows, against `store.max_bytes`. */
  readonly bytes: number
  /** `recordedMs` of the oldest unacked event. */
  readonly oldestMs: number | undefined
  readonly deadLetters: number
  readonly lastSeq: number
  readonly floor: number
}

/** How far the sink was, in its own words. */
export interface Marks {
  readonly acked: Cursor | undefined
  readonly trimmed: Cursor | undefined
}

export interface Store {
  /** Resolves when durable (WAL, synchronous FULL, group commit). Waits, without an error, while the store is over its limit. */
  append(append: Append, signal?: AbortSignal): Promise<Appended>
  cursor(source: string, feed: string): Cursor | undefined
  mirror(source: string): MirrorView
  /** Events with `seq > after`, in order, at most `limit`. */
  read(after: number, limit: number): EventRecord[]
  /** The same rows as `read`, without their bodies: cheap however large the events are. */
  ids(after: number, limit: number): EventKey[]
  /**
   * Everything up to `seq` is acked; durable with the next commit. Rows stay for `retainMs`, then are trimmed. `mark`:
   * how far the sink was then, durable in the same commit; the store does not read it. The same `seq` again with a mark:
   * all of it was acked anew, and stays for the whole time again.
   */
  settle(seq: number, mark?: Cursor): void
  /** As of the last commit: the mark of the floor, and that of the newest rows which were trimmed. */
  marks(): Marks
  /**
   * While true acked rows stay beyond their time, unless a full store needs their room: nobody knows whether the sink
   * still has them. `firmly`: it is known to lack some, so they make no room either, like rows that were never acked.
   * The time between counts for none of them.
   */
  holdAcked(hold: boolean, firmly?: boolean): void
  /** Highest seq below which everything is acked, as of the last commit. */
  readonly floor: number
  /**
   * Takes an event that can't be delivered out of the way, into the dead letters, and stores `notice` of it with it.
   * Durable when resolved, with the letter's key; the same key, and no second notice, when asked again.
   */
  bury(event: EventRecord, reason: string, notice?: NoticeOf): Promise<string>
  deadLetters(limit: number, of?: WhichLetters): StoredDeadLetter[]
  stats(): StoreStats
  /** When this process found the file damaged and began a new one, ms; undefined: it didn't. */
  readonly lostAtMs?: number | undefined
  /** It stands at its limit, or something waits for room. */
  readonly full: boolean
  /** Calls back after each commit that added events (the pump's wake-up) and after settles that made room. */
  onCommit(callback: () => void): () => void
  close(): Promise<void>
}
