/** What the pump asks of a place that events go to. Implementations: NATS JetStream, stdout. */

import { Fatal } from '../errors.ts'
import type { Cursor, EventRecord } from '../record.ts'
import type { Marks } from '../store/contract.ts'

/** `retry`: not stored, send it again later. `too_large`: it will never be taken at this size. */
export type Outcome = 'ok' | 'duplicate' | 'retry' | 'too_large'

export interface Receipt {
  readonly seq: number
  readonly outcome: Outcome
  /** Why it was not taken: for the log and `/status`, without anything of the event. */
  readonly reason?: string
}

/** The sink is gone for good, for this process: `open` rejects with it, or `onLost` tells it. */
export class SinkGone extends Fatal {
  constructor(message: string, options?: { readonly cause?: unknown }) {
    super('sink', message, options)
    this.name = 'SinkGone'
  }
}

/** The sink went back in time: it has lost something of what it had acknowledged. */
export interface Setback {
  /** What shows it, for the log. */
  readonly detail: string
  /** When the newest thing that is left was taken in, ms, by the sink's clock; undefined when nothing is, or nobody knows. */
  readonly leftMs: number | undefined
  /** It still has all of what the store has trimmed. */
  readonly whole: boolean
}

export interface Sink {
  readonly name: string
  /** Where it delivers to, once open: server, version, stream. One line for the log and `/status`. */
  readonly detail?: string
  /**
   * Resolves when events can be sent (connected, stream verified). Rejects with `Retryable('sink', exact reason)`, or
   * with `SinkGone` when it never will again.
   * Called again after `onLost`.
   */
  open(signal: AbortSignal): Promise<void>
  /** Never throws, never blocks; each record is answered by one receipt, or by `onLost`, which leaves all unanswered ones doubtful. */
  send(records: readonly EventRecord[]): void
  onSettled(callback: (receipts: readonly Receipt[]) => void): void
  /** The connection or stream is gone; every record without a receipt is doubtful: look it up with `stored` after `open`. */
  onLost(callback: (reason: Error) => void): void
  /** False for one that can't tell what it was given before: `stored` finds nothing there. As of the last `open`. */
  readonly remembers: boolean
  /**
   * How far the sink is: where the newest thing stands that it acknowledged. Whoever keeps it hands it to `compare` later.
   * Undefined for one that can't tell.
   */
  readonly mark: Cursor | undefined
  /**
   * After `open`, before anything is sent: what is wrong when the sink is not as far any more as it was. Compared is its
   * own last mark, or in a new process the one that was kept. Undefined when nothing is missing, as far as it can tell.
   */
  compare(kept: Marks): Promise<Setback | undefined>
  /** Which of these ids the sink holds already, looking back to `sinceMs`. */
  stored(ids: readonly string[], sinceMs: number): Promise<Set<string>>
  /** Most records it wants unanswered at once. */
  readonly window: number
  close(): Promise<void>
}
