/** The `/status` document: what the daemon knows about itself, as JSON. No secret is in it. */
import type { ErrorCode } from '../errors.ts'
import type { GapReason, System } from '../event.ts'
import type { Cursor } from '../record.ts'
import type { FeedState, LeaseKind, SourceState } from '../report.ts'
import type { Clock } from '../scheduler/clock.ts'
import type { FeedModel, LastError } from './feed-model.ts'
import { culprits, readiness } from './health.ts'
import { secondsOfMinute } from './minute-counts.ts'
import type { Model } from './model.ts'
import type { LeaseMargin, SessionNumbers, StoreView } from './pull.ts'
import type { SourceModel } from './source-model.ts'
import { isoTime, printable } from './text.ts'

/** Times are ISO 8601 in UTC, null where there is none yet. */
export interface StatusDocument {
  /** When this was put together, by the daemon's clock: ages are told from here. */
  readonly now: string | null
  readonly version: string
  readonly node: string
  readonly state: 'starting' | 'started' | 'ready' | 'stopping' | 'stopped' | 'forced'
  /** What stands against `/-/ready`, by name (`source salt`, `sink`); empty when the daemon is ready in that sense. */
  readonly notReady: readonly string[]
  readonly started: string | null
  readonly uptimeSeconds: number
  /** `hash` is the SHA-256 of the file as it was read; it tells two machines' configs apart. `since`: in force since then. */
  readonly config: { readonly path: string; readonly hash: string; readonly since: string | null } | null
  /** The last reload; null before the first. With problems nothing was changed, and `config` is still what it was. */
  readonly reload: { readonly at: string | null; readonly ok: boolean; readonly problems: readonly string[] } | null
  readonly sources: readonly SourceStatus[]
  readonly store: StoreStatus | null
  readonly sink: {
    readonly name: string
    readonly up: boolean
    readonly since: string | null
    readonly detail: string
    /** As of the last time that it was opened; null before, and for standard output. `apiLevel`: null before nats-server 2.11. */
    readonly server: {
      readonly address: string
      readonly version: string
      readonly apiLevel: number | null
      readonly stream: string
    } | null
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
  /**
   * In each of the last 60 minutes, oldest first; the last one is under way for so many seconds. Fewer after a start.
   * `appended`: facts that were new; `delivered`: acknowledged by the sink.
   */
  readonly perMinute: {
    readonly secondsOfLast: number
    readonly appended: readonly number[]
    readonly delivered: readonly number[]
  }
  /** The last 50, oldest first. */
  readonly transitions: readonly TransitionStatus[]
  /** The last 20, oldest first. */
  readonly gaps: readonly GapStatus[]
  /** The last 20 since the start, oldest first; the store may have more, and they may have been replayed since. */
  readonly deadLetters: readonly DeadLetterStatus[]
}

export interface SourceStatus {
  readonly name: string
  readonly system: System
  readonly state: SourceState
  readonly since: string | null
  /** Until the next attempt to open it; null while none is promised. */
  readonly nextTrySeconds: number | null
  readonly required: boolean
  /** Session open and every feed's last proof younger than its bound. */
  readonly up: boolean
  /** What speaks against it, in words, at most 21 lines, doubts about its session first: those may stand while it is up. */
  readonly doubts: readonly string[]
  /** The address in use: of several controllers, the one that is asked now. */
  readonly address: string
  /** By its signer or by the configured fingerprint; false: any certificate is accepted, or there is none (http:). */
  readonly tlsVerified: boolean
  /** Null while there is no session. `handOverSeconds`: until its successor is opened; null for one that needs none. */
  readonly session: { readonly ageSeconds: number; readonly handOverSeconds: number | null } | null
  /** Since when what it pushes is held back, because it comes faster than it can be stored; null while it is not. */
  readonly pausedSince: string | null
  readonly lastEvent: string | null
  /** Proof of the feed that was silent longest; null while any feed has none. */
  readonly lastProof: string | null
  /** Kept when all is well again. */
  readonly lastError: ErrorStatus | null
  /** Seconds left of the tightest lease of each kind. */
  readonly leases: Partial<Record<LeaseKind, number>>
  readonly feeds: readonly FeedStatus[]
  /** As `perMinute.appended` of the document: facts of this source. */
  readonly eventsPerMinute: readonly number[]
  readonly reconnects: number
  readonly gaps: number
  readonly deadLetters: number
  /** Dead letters that had to go, unread, because there were too many. */
  readonly deadLettersDropped: number
  readonly certificateExpiry: string | null
  readonly credentialExpiry: string | null
  /** When a credential with another end was last seen in its place; null before the first such change. */
  readonly credentialRenewed: string | null
}

export interface ErrorStatus {
  readonly at: string | null
  readonly code: ErrorCode
  readonly text: string
}

export interface FeedStatus {
  readonly name: string
  readonly state: FeedState
  readonly since: string | null
  readonly mode: string | null
  readonly lastProof: string | null
  readonly boundSeconds: number
  /** The last proof is older than the bound, or there is none. */
  readonly deaf: boolean
  /** Seconds left of its own lease, below 0 once it lapsed; null where it has none. */
  readonly leaseSeconds: number | null
  readonly lastEvent: string | null
  /** How long after it happened the last fact was seen, by the source's own clock; null while that is not known. */
  readonly lateSeconds: number | null
  /** Where it stands, as committed, in the feed's own words; null where it has none. */
  readonly cursor: Cursor | null
  /** Kept when it is live again. */
  readonly lastError: ErrorStatus | null
  /** How often it was lost by itself, its session going on, and how often it was made anew after that. */
  readonly lost: number
  readonly remade: number
  readonly events: number
  readonly recovered: number
}

export interface StoreStatus {
  readonly state: 'ok' | 'full' | 'failing' | 'recovered'
  /** Null while nothing has been said of it. */
  readonly since: string | null
  readonly detail: string
  /** Events that wait for their acknowledgement. */
  readonly events: number
  readonly bytes: number
  readonly maxBytes: number
  readonly oldest: string | null
  readonly deadLetters: number
  /** False without `state_dir`: all of it is in memory, and gone when the process ends. */
  readonly durable: boolean
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

/** Never its content: that stays in the store. */
export interface DeadLetterStatus {
  readonly at: string | null
  readonly source: string
  readonly reason: string
  readonly bytes: number
  readonly key: string
}

export interface StatusFacts {
  readonly version: string
  readonly node: string
  readonly startedMs: number
  readonly startedNow: number
  readonly store: StoreView | undefined
  readonly leases: readonly LeaseMargin[]
  readonly sessions: readonly SessionNumbers[]
}

/** A daemon that came up is called ready only when `/-/ready` says so. */
export function stateWord({ state, notReady }: Pick<StatusDocument, 'state' | 'notReady'>): string {
  return state === 'ready' && notReady.length > 0 ? 'running' : state
}

/** Sentences of doubt that are listed. */
const DOUBTS = 20

/** Puts the document together from the model and what was asked for it. Pure but for the clock. */
export function statusDocument(model: Model, facts: StatusFacts, clock: Clock): StatusDocument {
  const { config, counts, reload } = model
  return {
    now: isoTime(clock.wall()),
    version: facts.version,
    node: facts.node,
    state: model.daemon ?? 'starting',
    notReady: culprits(readiness(model, facts.store, clock)),
    started: isoTime(facts.startedMs),
    uptimeSeconds: round((clock.now() - facts.startedNow) / 1000),
    config: config === undefined ? null : { ...config, since: isoTime(model.configAtMs) },
    reload: reload === undefined ? null : { at: isoTime(reload.atMs), ok: reload.ok, problems: reload.problems },
    sources: [...model.sources.values()].map(source => sourceStatus(source, facts, clock.now())),
    store: facts.store === undefined ? null : storeStatus(model, facts.store),
    sink: sinkStatus(model),
    counts: {
      appended: counts.events,
      duplicates: counts.duplicates,
      published: counts.published,
      publishedDuplicates: counts.publishedDuplicates,
      publishRetries: counts.retries,
      tooLarge: counts.tooLarge,
    },
    perMinute: {
      secondsOfLast: round(secondsOfMinute(clock)),
      appended: model.appendedPerMinute.lastHour(),
      delivered: model.deliveredPerMinute.lastHour(),
    },
    transitions: model.transitions.map(({ atMs, ...rest }) => ({ at: isoTime(atMs), ...rest })),
    gaps: model.recentGaps.map(({ atMs, ...rest }) => ({ at: isoTime(atMs), ...rest })),
    deadLetters: model.recentDeadLetters.map(({ atMs, ...rest }) => ({ at: isoTime(atMs), ...rest })),
  }
}

function sourceStatus(source: SourceModel, facts: StatusFacts, now: number): SourceStatus {
  const leases: Partial<Record<LeaseKind, number>> = {}
  for (const margin of facts.leases) if (margin.source === source.name) leases[margin.lease] = round(margin.seconds)
  const doubts = source.doubts(now)
  const session = facts.sessions.find(one => one.source === source.name)
  return {
    name: source.name,
    system: source.system,
    state: source.state,
    since: isoTime(source.sinceMs),
    nextTrySeconds: source.retryAt === undefined ? null : round((source.retryAt - now) / 1000),
    required: source.required,
    up: source.isUp(now),
    doubts: doubts.length > DOUBTS ? [...doubts.slice(0, DOUBTS), `and ${doubts.length - DOUBTS} more`] : doubts,
    address: source.address,
    tlsVerified: source.tlsVerified,
    session: session === undefined ? null : sessionStatus(session),
    pausedSince: isoTime(source.pausedSinceMs),
    lastEvent: isoTime(source.lastEventMs),
    lastProof: isoTime(source.provedAtMs),
    lastError: errorStatus(source.lastError),
    leases,
    feeds: [...source.feeds.values()].map(feed => feedStatus(feed, source.cursors.get(feed.name), session, now)),
    eventsPerMinute: source.perMinute.lastHour(),
    reconnects: source.reconnects,
    gaps: source.gaps,
    deadLetters: source.deadLetters,
    deadLettersDropped: source.deadLettersDropped,
    certificateExpiry: isoTime(source.certificateExpiryMs),
    credentialExpiry: isoTime(source.credentialExpiryMs),
    credentialRenewed: isoTime(source.credentialRenewedMs),
  }
}

function sessionStatus({ ageSeconds, handOverSeconds }: SessionNumbers): SourceStatus['session'] {
  return {
    ageSeconds: round(ageSeconds),
    handOverSeconds: handOverSeconds === undefined ? null : round(handOverSeconds),
  }
}

function errorStatus(error: LastError | undefined): ErrorStatus | null {
  return error === undefined ? null : { at: isoTime(error.atMs), code: error.code, text: error.text }
}

function feedStatus(
  feed: FeedModel,
  cursor: Cursor | undefined,
  session: SessionNumbers | undefined,
  now: number,
): FeedStatus {
  const leaseSeconds = session?.feedSeconds.get(feed.name)
  return {
    name: feed.label,
    state: feed.state,
    since: isoTime(feed.sinceMs),
    mode: feed.mode === undefined ? null : printable(feed.mode, 40),
    lastProof: isoTime(feed.provedAtMs),
    boundSeconds: round(feed.boundMs / 1000),
    deaf: feed.deaf(now),
    leaseSeconds: leaseSeconds === undefined ? null : round(leaseSeconds),
    lastEvent: isoTime(feed.lastEventMs),
    lateSeconds: feed.lateSeconds === undefined ? null : round(feed.lateSeconds),
    cursor: cursor === undefined ? null : shownCursor(cursor),
    lastError: errorStatus(feed.lastError),
    lost: feed.lost,
    remade: feed.remade,
    events: feed.events,
    recovered: feed.recovered,
  }
}

/** Ids and times of a source may be in it: cleaned like every other text from elsewhere. */
function shownCursor(cursor: Cursor): Cursor {
  const entries = Object.entries(cursor).map(
    ([key, value]) => [key, typeof value === 'string' ? printable(value, 120) : value] as const,
  )
  return Object.fromEntries(entries)
}

function sinkStatus({ sink, server }: Model): StatusDocument['sink'] {
  if (sink === undefined) return null
  return {
    name: printable(sink.name, 80),
    up: sink.up,
    since: isoTime(sink.sinceMs),
    detail: sink.detail,
    server: server === undefined ? null : { ...server, apiLevel: server.apiLevel ?? null },
  }
}

function storeStatus(model: Model, view: StoreView): StoreStatus {
  return {
    state: model.store?.state ?? 'ok',
    since: isoTime(model.store?.sinceMs),
    detail: model.store?.detail ?? '',
    events: view.unacked,
    bytes: view.bytes,
    maxBytes: view.maxBytes,
    oldest: isoTime(view.oldestMs),
    deadLetters: view.deadLetters,
    durable: view.durable,
  }
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000
}
