/**
 * The typed list of things that happen. Whoever sees one calls `report` once; `ops/` logs it and counts it together.
 * Labels that become metric labels (operation, reason, mode, result) are words from small fixed sets.
 */
import type { ErrorCode } from './errors.ts'
import type { Brief, GapReason, System } from './event.ts'
import type { Cursor } from './record.ts'

export type LeaseKind = 'session' | 'subscription' | 'lifetime'
export type SourceState = 'connecting' | 'up' | 'degraded' | 'down' | 'stopped'
export type FeedState = 'starting' | 'live' | 'resyncing' | 'lost' | 'disabled'

export type Happening =
  /** A source is in the config. `required` counts for readiness. */
  | {
      type: 'source_declared'
      source: string
      system: System
      required: boolean
      address: string
      tlsVerified: boolean
    }
  /** A source is no longer in the config; it has been stopped. */
  | { type: 'source_gone'; source: string }
  /** A source changed state. The runner says this, nobody else. `doubts`: what of `reason` is about the session as a whole. */
  | {
      type: 'source_state'
      source: string
      state: SourceState
      reason?: string
      code?: ErrorCode
      retryInMs?: number
      doubts?: readonly string[]
    }
  /** A feed exists; `proofBoundMs` is how old its last proof of life may be before the feed counts as deaf. */
  | { type: 'feed_declared'; source: string; feed: string; proofBoundMs: number }
  | { type: 'feed_gone'; source: string; feed: string }
  | { type: 'feed_state'; source: string; feed: string; state: FeedState; reason?: string; code?: ErrorCode }
  /** The feed was just proved alive (an answer, a refresh, a push, a canary). */
  | { type: 'feed_proof'; source: string; feed: string }
  /** `catching_up`: on its way to the mode in which it usually works. */
  | { type: 'feed_mode'; source: string; feed: string; mode: string }
  /** A fact was seen this long after it happened, by the source's own clock. */
  | { type: 'feed_late'; source: string; feed: string; seconds: number }
  /** Where a feed stands: as the store had it when a session asked, and with each commit that moved it. */
  | { type: 'feed_cursor'; source: string; feed: string; cursor: Cursor }
  /** Facts that only a sweep, a resync or a reconcile found. */
  | { type: 'feed_recovered'; source: string; feed: string; count: number }
  /** One request to a source ended. `result`: ok, refused, throttled, error, timeout. */
  | { type: 'request'; source: string; operation: string; result: string; ms: number }
  | { type: 'lease_renewed'; source: string; lease: LeaseKind; result: 'ok' | 'retried' | 'refused' | 'failed' }
  | { type: 'lease_lost'; source: string; lease: LeaseKind; name: string; reason: string }
  | { type: 'reconnect'; source: string; reason: string }
  /**
   * What the source pushes is held back, or no more so, after `ms`: it comes faster than it can be stored. `full`:
   * because the store stands at its limit.
   */
  | { type: 'source_paused'; source: string; paused: boolean; full: boolean; ms: number }
  | { type: 'controller'; source: string; address: string }
  | { type: 'credential_expiry'; source: string; atMs: number }
  | { type: 'certificate_expiry'; source: string; host: string; atMs: number }
  | { type: 'advice'; source: string; text: string }
  /** Facts were committed: `facts` are the new ones, `duplicates` were known already. */
  | { type: 'appended'; source: string; feed: string; facts: readonly Brief[]; duplicates: number; ms: number }
  | { type: 'gap'; source: string; feed: string; reason: GapReason; summary: string }
  | { type: 'dead_letter'; source: string; reason: string; bytes: number; key: string }
  /** Dead letters of this source that had to go, unread, because there were too many: the oldest go first. */
  | { type: 'dead_letters_dropped'; source: string; count: number }
  | { type: 'store_state'; state: 'ok' | 'full' | 'failing' | 'recovered'; detail: string }
  | { type: 'sink_state'; sink: string; up: boolean; detail: string }
  /** The sink was opened: what it is. `apiLevel` of JetStream; nats-server tells one from 2.11 on. */
  | { type: 'sink_server'; address: string; version: string; apiLevel: number | undefined; stream: string }
  /**
   * The sink went back in time. `lacking`: how many events that it had, or may have had, it gets again from the store.
   * Not `whole`: others, which the store has no more, are lost, and a gap of each source says so.
   */
  | { type: 'sink_setback'; sink: string; detail: string; lacking: number; whole: boolean }
  /** `recordedMs`: when each record was taken down, for the delivery histogram. */
  | {
      type: 'published'
      result: 'ok' | 'duplicate' | 'retry' | 'too_large'
      count: number
      recordedMs: readonly number[]
    }
  /**
   * The config was read again. `ok`: it is in force, with this SHA-256, and `detail` says what was changed; otherwise
   * nothing was changed, and `problems` says why, a line each.
   */
  | { type: 'reload'; ok: true; hash: string; detail: string }
  | { type: 'reload'; ok: false; problems: readonly string[] }
  | { type: 'daemon'; state: 'started' | 'ready' | 'stopping' | 'stopped' | 'forced'; detail?: string }

export type Report = (happening: Happening) => void
