/** What the runner asks of every source, and what it gives. Three methods: open, iterate, close. */
import type { Fact, SourceRef } from '../event.ts'
import type { Cursor, DeadLetter, MirrorChange, MirrorView } from '../record.ts'
import type { LeaseKind, Report } from '../report.ts'
import type { Clock } from '../scheduler/clock.ts'
import type { StoredDeadLetter } from '../store/contract.ts'
import type { Spelt } from './spelt.ts'

/** What is committed together: facts, the feed's cursor, the mirror, dead letters. */
export interface Batch {
  readonly feed: string
  readonly facts: readonly Fact[]
  /** Facts that are spelt out already (`OpenContext.spell`); they come behind `facts`. */
  readonly spelt?: readonly Spelt[]
  readonly cursor?: Cursor
  readonly mirror?: readonly MirrorChange[]
  readonly dead?: readonly DeadLetter[]
  /** How long the ids of these facts must be remembered at least, in ms (twice the feed's overlap); never under 24 h. */
  readonly rememberMs?: number
  /**
   * What of it is new and has the origin `resync` counts as recovered (`feed_recovered`): for a subscriber that re-reads an
   * overlap and can't tell which of its rows are known. Others count themselves.
   */
  readonly countRecovered?: boolean
  /** Called once the batch is durable, before `committed`: the places in `facts`, and behind them in `spelt`, of those that were not known before. */
  readonly appended?: (fresh: readonly number[]) => void
  /** Called once the batch is durable: the session may tell its protocol so (checkpoint, resume the socket). */
  readonly committed?: () => void
}

export interface OpenContext {
  readonly clock: Clock
  /** Aborts when the source is stopped: every await of the session must end on it. */
  readonly signal: AbortSignal
  cursor(feed: string): Cursor | undefined
  /** What is committed. A session that runs ahead of commits keeps its own overlay. */
  readonly mirror: MirrorView
  readonly report: Report
  /**
   * What speaks against the session as a whole, though its feeds may seem well: the source is degraded until `text` is
   * undefined. `about` tells one doubt from another.
   */
  doubt(about: string, text: string | undefined): void
  /**
   * When all that was known of this source was lost with the store's file, ms by our clock; undefined: never. A feed that
   * has its first contact after that tells the time between as a gap (`first-contact.ts`).
   */
  lostAtMs(): number | undefined
  /**
   * For facts that are to wait for their batch: the object is garbage at once, while it is young. Absent: they wait as they are.
   */
  readonly spell?: (fact: Fact) => Spelt
  /** The store stands at its limit: what is given waits, because what was given before is not delivered. */
  backlogged(): boolean
  /** Where a source may keep small private files (a rotated token); undefined when there is no state_dir. */
  readonly stateDir: string | undefined
}

export interface Session extends AsyncIterable<Batch> {
  /**
   * Idempotent. Ends the iteration after the batches already read have been yielded, says goodbye to the source
   * (logout) within the caller's deadline and leaves no socket, timer or listener. Before the iteration began there is
   * nobody to yield to: the caller iterates, or what was read is dropped.
   */
  close(): Promise<void>
  /** Monotonic ms (`clock.now()`): the runner opens the successor before this and then closes this one. */
  readonly retireBy?: number
  /** Monotonic ms: when the source ends this session, come what may. Absent: not known, or never. */
  readonly endsBy?: number
  /**
   * Resolves when all that this session watches is watched (or has failed once): then it counts as up, and a
   * predecessor may go. Absent: at once. Never rejects.
   */
  readonly ready?: Promise<void>
  /** Seconds left of the tightest lease of each kind, computed now. */
  margins(): Partial<Record<LeaseKind, number>>
  /** Seconds left of each feed's own lease, computed now; absent where feeds have none. */
  feedMargins?(): Iterable<readonly [feed: string, seconds: number]>
  /** Asks this session's source again for what is past. Absent: it can't be asked. */
  readonly past?: Past
}

/**
 * One source. `open` logs in and makes everything ready to read; it throws `Fatal` (waits for a person, retried every
 * 5 minutes at most) or `Retryable` (backoff). The iteration throws the same two when the session is over.
 */
export interface Subscriber {
  readonly ref: SourceRef
  /** True for a source that pushes and can't be asked again for all of it: the last to be stopped when the store fills. */
  readonly pushes: boolean
  open(context: OpenContext): Promise<Session>
}

/** What came of reading a dead letter once more, with today's normaliser. */
export interface Revived {
  readonly facts: readonly Fact[]
  readonly mirror?: readonly MirrorChange[]
  /** Why what it says, or a part of it, is understood and no news any more. */
  readonly superseded?: string
  /** Why it, or a part of it, is still not understood. */
  readonly dead?: string
}

/** A fact that a source was asked for again. */
export interface Found {
  readonly fact: Fact
  /** Ids under which the same may have been told: whoever has one of them lacks nothing. */
  readonly sameAs?: readonly string[]
}

/** What can be asked of a source's past. */
export interface Past {
  /** What can't be, a line each. */
  readonly unaskable: readonly string[]
  /**
   * Reads what happened since `fromMs` (our wall clock) once more, kindly: through the source's pace, page by page. `take` is
   * awaited for each part of it. No cursor moves. Resolves with what could not be had, a line each; throws as a session does.
   */
  reread(
    fromMs: number,
    signal: AbortSignal,
    take: (feed: string, found: readonly Found[], rememberMs?: number) => Promise<void>,
  ): Promise<readonly string[]>
}

/** A subscriber whose source's past can be told once more. */
export interface Replayable extends Subscriber {
  /** Pure but for the mirror: asks the source nothing. */
  revive(letter: StoredDeadLetter, context: Pick<OpenContext, 'clock' | 'mirror'>): Promise<Revived>
  /** Logs in for questions alone: nothing is subscribed, no feed is read. Throws as `open` does. */
  visit(context: Omit<OpenContext, 'cursor' | 'doubt' | 'lostAtMs'>): Promise<Visit>
}

export interface Visit {
  readonly past: Past
  /** Says goodbye. Idempotent, never rejects. */
  close(): Promise<void>
}
