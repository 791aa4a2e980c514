/** The `/status` document: what the daemon knows about itself, as JSON. No secret is in it. */
import type { ErrorCode } from '../errors.ts'
import type { GapReason, System } from '../event.ts'
import type { FeedState, LeaseKind, SourceState } from '../report.ts'
import type { Clock } from '../scheduler/clock.ts'
import type { Model } from './model.ts'
import type { LeaseMargin, StoreView } from './pull.ts'
import type { FeedModel, SourceModel } from './source-model.ts'
import { isoTime, printable } from './text.ts'

/** Times are ISO 8601 in UTC, null where there is none yet. */
export interface StatusDocument {
  readonly version: string
  readonly node: string
  readonly state: 'starting' | 'started' | 'ready' | 'stopping' | 'stopped' | 'forced'
  readonly started: string | null
  readonly uptimeSeconds: number
  /** `hash` is the SHA-256 of the file as it was read; it tells two machines' configs apart. */
  readonly config: { readonly path: string; readonly hash: string } | null
  readonly sources: readonly SourceStatus[]
  readonly store: StoreStatus | null
  readonly sink: {
    readonly name: string
    readonly up: boolean
    readonly since: string | null
    readonly detail: string
  } | null
  /** Since the start. `appended` were new, `duplicates` were known by id and dropped. */
  readonly counts: {
    readonly appended: number
    readonly duplicates: number
    readonly published: number
    readonly publishedDuplicates: number
    readonly publishRetries: number
    readonly tooLarge: number
  }
  /** The last 50, oldest first. */
  readonly transitions: readonly TransitionStatus[]
  /** The last 20, oldest first. */
  readonly gaps: readonly GapStatus[]
}

export interface SourceStatus {
  readonly name: string
  readonly system: System
  readonly state: SourceState
  readonly since: string | null
  readonly required: boolean
  /** Session open and every feed's last proof younger than its bound. */
  readonly up: boolean
  /** What speaks against it, in words; empty when it is up. */
  readonly doubts: readonly string[]
  /** The address in use: of several controllers, the one that is asked now. */
  readonly address: string
  readonly tlsVerified: boolean
  readonly lastEvent: string | null
  /** Proof of the feed that was silent longest; null while any feed has none. */
  readonly lastProof: string | null
  readonly lastError: { readonly at: string | null; readonly code: ErrorCode; readonly text: string } | null
  /** Seconds left of the tightest lease of each kind. */
  readonly leases: Partial<Record<LeaseKind, number>>
  readonly feeds: readonly FeedStatus[]
  readonly reconnects: number
  readonly gaps: number
  readonly deadLetters: number
  /** Dead letters that had to go, unread, because there were too many. */
  readonly deadLettersDropped: number
  readonly certificateExpiry: string | null
  readonly credentialExpiry: string | null
}

export interface FeedStatus {
  readonly name: string
  readonly state: FeedState
  readonly mode: string | null
  readonly lastProof: string | null
  readonly boundSeconds: number
  readonly deaf: boolean
  readonly lastEvent: string | null
  readonly events: number
  readonly recovered: number
}

export interface StoreStatus {
  readonly state: 'ok' | 'full' | 'failing' | 'recovered'
  readonly detail: string
  /** Events that wait for their acknowledgement. */
  readonly events: number
  readonly bytes: number
  readonly maxBytes: number
  readonly oldest: string | null
  readonly deadLetters: number
}

export interface TransitionStatus {
  readonly at: string | null
  readonly what: string
  readonly source: string | null
  readonly feed: string | null
  readonly from: string | null
  readonly to: string
  readonly why: string | null
}

export interface GapStatus {
  readonly at: string | null
  readonly source: string
  readonly feed: string
  readonly reason: GapReason
  readonly summary: string
}

export interface StatusFacts {
  readonly version: string
  readonly node: string
  readonly config: { readonly path: string; readonly hash: string } | null
  readonly startedMs: number
  readonly startedNow: number
  readonly store: StoreView | undefined
  readonly leases: readonly LeaseMargin[]
}

/** Puts the document together from the model and what was asked for it. Pure but for the clock. */
export function statusDocument(model: Model, facts: StatusFacts, clock: Clock): StatusDocument {
  const { counts, sink } = model
  return {
    version: facts.version,
    node: facts.node,
    state: model.daemon ?? 'starting',
    started: isoTime(facts.startedMs),
    uptimeSeconds: round((clock.now() - facts.startedNow) / 1000),
    config: facts.config,
    sources: [...model.sources.values()].map(source => sourceStatus(source, facts.leases, clock.now())),
    store: facts.store === undefined ? null : storeStatus(model, facts.store),
    sink:
      sink === undefined
        ? null
        : { name: printable(sink.name, 80), up: sink.up, since: isoTime(sink.sinceMs), detail: sink.detail },
    counts: {
      appended: counts.events,
      duplicates: counts.duplicates,
      published: counts.published,
      publishedDuplicates: counts.publishedDuplicates,
      publishRetries: counts.retries,
      tooLarge: counts.tooLarge,
    },
    transitions: model.transitions.map(({ atMs, ...rest }) => ({ at: isoTime(atMs), ...rest })),
    gaps: model.recentGaps.map(({ atMs, ...rest }) => ({ at: isoTime(atMs), ...rest })),
  }
}

function sourceStatus(source: SourceModel, margins: readonly LeaseMargin[], now: number): SourceStatus {
  const leases: Partial<Record<LeaseKind, number>> = {}
  for (const margin of margins) if (margin.source === source.name) leases[margin.lease] = round(margin.seconds)
  const doubts = source.doubts(now)
  const { lastError } = source
  return {
    name: source.name,
    system: source.system,
    state: source.state,
    since: isoTime(source.sinceMs),
    required: source.required,
    up: doubts.length === 0,
    doubts,
    address: source.address,
    tlsVerified: source.tlsVerified,
    lastEvent: isoTime(source.lastEventMs),
    lastProof: isoTime(source.provedAtMs),
    lastError:
      lastError === undefined ? null : { at: isoTime(lastError.atMs), code: lastError.code, text: lastError.text },
    leases,
    feeds: [...source.feeds.values()].map(feed => feedStatus(feed, now)),
    reconnects: source.reconnects,
    gaps: source.gaps,
    deadLetters: source.deadLetters,
    deadLettersDropped: source.deadLettersDropped,
    certificateExpiry: isoTime(source.certificateExpiryMs),
    credentialExpiry: isoTime(source.credentialExpiryMs),
  }
}

function feedStatus(feed: FeedModel, now: number): FeedStatus {
  return {
    name: printable(feed.name, 200),
    state: feed.state,
    mode: feed.mode === undefined ? null : printable(feed.mode, 40),
    lastProof: isoTime(feed.provedAtMs),
    boundSeconds: round(feed.boundMs / 1000),
    deaf: feed.deafness(now) !== undefined,
    lastEvent: isoTime(feed.lastEventMs),
    events: feed.events,
    recovered: feed.recovered,
  }
}

function storeStatus(model: Model, view: StoreView): StoreStatus {
  return {
    state: model.store?.state ?? 'ok',
    detail: model.store?.detail ?? '',
    events: view.unacked,
    bytes: view.bytes,
    maxBytes: view.maxBytes,
    oldest: isoTime(view.oldestMs),
    deadLetters: view.deadLetters,
  }
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000
}
