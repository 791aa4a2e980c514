/** Every metric: its name, its help, where its numbers come from. Names and labels are a contract with dashboards. */
import type { FeedState } from '../report.ts'
import type { Clock } from '../scheduler/clock.ts'
import type { Distributions, Tally } from './counts.ts'
import { feedModes } from './feed-modes.ts'
import { type LoopLag, storeCheck } from './health.ts'
import type { Model } from './model.ts'
import type { Gauges, LeaseMargin, StoreView } from './pull.ts'
import type { SourceModel } from './source-model.ts'
import type { Tallies } from './tallies.ts'
import { printable, word } from './text.ts'

/** Label values, in the order of the metric's labels, and the value; without a value the sample is left out. */
export type Sample = readonly [labels: readonly string[], value: number | undefined]

interface Described {
  readonly name: string
  /** A full sentence. */
  readonly help: string
  readonly labels: readonly string[]
}

export type MetricSpec =
  | (Described & { readonly type: 'counter'; readonly tally: Tally })
  | (Described & { readonly type: 'histogram'; readonly rows: Distributions })
  | (Described & { readonly type: 'gauge'; readonly samples: () => Iterable<Sample> })

/** What other rooms said when this scrape began. */
export interface Asked {
  readonly store: StoreView | undefined
  readonly leases: readonly LeaseMargin[]
  readonly gauges: Gauges
}

export interface CatalogueOptions {
  readonly clock: Clock
  readonly version: string
  readonly node: string
  readonly model: Model
  readonly tallies: Tallies
  readonly lag: Pick<LoopLag, 'ms'>
  readonly asked: () => Asked
}

const FEED_STATES: readonly FeedState[] = ['starting', 'live', 'resyncing', 'lost', 'disabled']

/** In the order of the page. */
export function catalogue(options: CatalogueOptions): MetricSpec[] {
  return [
    ...counters(options.tallies),
    ...histograms(options.tallies),
    ...gaugesOfSources(options),
    ...gaugesOfDaemon(options),
  ]
}

function counters(tallies: Tallies): MetricSpec[] {
  const specs: MetricSpec[] = []
  const counter = (name: string, help: string, labels: readonly string[], tally: Tally): void => {
    specs.push({ type: 'counter', name, help, labels, tally })
  }
  counter(
    'opswire_events_total',
    'Counts new facts that were taken down, by source, kind, severity and how they were found.',
    ['source', 'kind', 'severity', 'origin'],
    tallies.events,
  )
  counter(
    'opswire_published_total',
    'Counts the answers of the sink to events sent to it: ok, duplicate (it had the event already), retry, too_large.',
    ['result'],
    tallies.published,
  )
  counter(
    'opswire_sink_setbacks_total',
    'Counts how often the sink was found to have lost events that it had acknowledged: it got those again that the store still had.',
    [],
    tallies.setbacks,
  )
  counter(
    'opswire_lease_renewals_total',
    'Counts renewals of what lapses unless renewed (session, subscription, lifetime), by result.',
    ['source', 'lease', 'result'],
    tallies.leaseRenewals,
  )
  counter(
    'opswire_reconnects_total',
    'Counts sessions that ended or could not be opened and are opened anew, by the error code that ended them.',
    ['source', 'reason'],
    tallies.reconnects,
  )
  counter(
    'opswire_gaps_total',
    'Counts holes that could not be closed whole: events of that window may be missing from the stream.',
    ['source', 'reason'],
    tallies.gaps,
  )
  counter(
    'opswire_source_pauses_total',
    'Counts how often the socket of a source was held back because more was pushed than could be stored.',
    ['source'],
    tallies.pauses,
  )
  counter(
    'opswire_recovered_events_total',
    'Counts facts that only a sweep, a resync or a reconcile found: they would have been lost without it.',
    ['source', 'feed'],
    tallies.recovered,
  )
  counter(
    'opswire_dead_letters_total',
    'Counts messages that could not be understood or delivered and were kept whole as dead letters.',
    ['source'],
    tallies.deadLetters,
  )
  counter(
    'opswire_job_returns_total',
    'Counts job returns by the verdict on each: success, failure or unknown.',
    ['source', 'outcome'],
    tallies.jobReturns,
  )
  counter(
    'opswire_token_events_total',
    'Counts facts by the API token behind them: its name in the inventory, unknown for a token without a name, none for another login. What extensions post is left out.',
    ['source', 'token', 'outcome'],
    tallies.tokenEvents,
  )
  counter(
    'opswire_token_flags_total',
    'Counts remarkable things seen in the use of API tokens, such as an unknown token or a new address.',
    ['source', 'flag'],
    tallies.tokenFlags,
  )
  return specs
}

function histograms(tallies: Tallies): MetricSpec[] {
  const specs: MetricSpec[] = []
  const histogram = (name: string, help: string, labels: readonly string[], rows: Distributions): void => {
    specs.push({ type: 'histogram', name, help, labels, rows })
  }
  histogram(
    'opswire_commit_seconds',
    'Measures the time from handing a batch to the store until it was durable, waiting for room included.',
    [],
    tallies.commitSeconds,
  )
  histogram(
    'opswire_delivery_seconds',
    'Measures the time from taking an event down until the sink acknowledged it.',
    [],
    tallies.deliverySeconds,
  )
  histogram(
    'opswire_late_seconds',
    "Measures how long after it happened a fact was seen, by the source's own clock; of pushes, the latest of each second.",
    ['source', 'feed'],
    tallies.lateSeconds,
  )
  histogram(
    'opswire_request_seconds',
    'Measures requests to a source from start to the last byte, by operation and result.',
    ['source', 'operation', 'result'],
    tallies.requestSeconds,
  )
  return specs
}

function gaugesOfSources({ clock, model, asked }: CatalogueOptions): MetricSpec[] {
  const specs: MetricSpec[] = []
  const gauge = (name: string, help: string, labels: readonly string[], samples: () => Iterable<Sample>): void => {
    specs.push({ type: 'gauge', name, help, labels, samples })
  }
  const perSource = (name: string, help: string, value: (source: SourceModel) => number | undefined): void =>
    gauge(name, help, ['source'], function* () {
      for (const source of model.sources.values()) yield [[source.name], value(source)]
    })
  perSource(
    'opswire_source_up',
    'Tells whether the session is open and the last proof of life of every feed is younger than its bound (1) or not (0).',
    source => (source.isUp(clock.now()) ? 1 : 0),
  )
  perSource(
    'opswire_source_ready',
    'Tells whether nothing speaks against the source (1) or something does (0), be it up or not: what /-/ready says of it.',
    source => (source.isReady(clock.now()) ? 1 : 0),
  )
  perSource(
    'opswire_source_start_timestamp_seconds',
    'Tells when the source was taken up, at the start or by the reload that brought it, in seconds since 1970.',
    source => toSeconds(source.startedMs),
  )
  perSource(
    'opswire_source_last_event_timestamp_seconds',
    'Tells when the last new fact of the source was taken down, in seconds since 1970.',
    source => toSeconds(source.lastEventMs),
  )
  perSource(
    'opswire_source_last_proof_timestamp_seconds',
    'Tells when the feed that has been silent longest last proved itself alive (one that never did: when it was first read), in seconds since 1970.',
    source => toSeconds(source.silentSinceMs),
  )
  perSource(
    'opswire_tls_verified',
    "Tells whether the source's certificate is verified (1) or not (0): any certificate is accepted, or the address starts with http:.",
    source => (source.tlsVerified ? 1 : 0),
  )
  perSource(
    'opswire_certificate_expiry_timestamp_seconds',
    "Tells when the source's certificate, as last seen, expires, in seconds since 1970; of several hosts the earliest.",
    source => toSeconds(source.certificateExpiryMs),
  )
  perSource(
    'opswire_credential_expiry_timestamp_seconds',
    'Tells when the credential in use for the source expires, in seconds since 1970.',
    source => toSeconds(source.credentialExpiryMs),
  )
  gauge(
    'opswire_subscriptions',
    'Counts the APIC subscriptions that are in each state now.',
    ['source', 'state'],
    function* () {
      for (const { name, system, feeds } of model.sources.values()) {
        if (system !== 'apic') continue
        const counts = new Map<FeedState, number>()
        for (const { state } of feeds.values()) counts.set(state, (counts.get(state) ?? 0) + 1)
        for (const state of FEED_STATES) yield [[name, state], counts.get(state) ?? 0]
      }
    },
  )
  gauge(
    'opswire_feed_mode',
    'Tells in which mode a feed works: 1 for the mode it is in, 0 for the modes it was in before; other counts what is past 500 feeds.',
    ['source', 'feed', 'mode'],
    function* () {
      for (const source of model.sources.values()) yield* feedModes(source)
    },
  )
  gauge(
    'opswire_lease_margin_seconds',
    'Tells the time left until the tightest lease of this kind lapses (lifetime: until the session ends for good), below 0 once it lapsed.',
    ['source', 'lease'],
    function* () {
      for (const { source, lease, seconds } of asked().leases) yield [[source, lease], seconds]
    },
  )
  gauge(
    'opswire_faults',
    'Counts the faults that stand in the mirrored system now, by severity and state (pending, firing, clearing, resolved: over, and not yet removed); no rows while that is not known.',
    ['source', 'severity', 'state'],
    function* () {
      for (const fault of asked().gauges.faults) {
        yield [[fault.source, word(fault.severity), word(fault.state)], fault.count]
      }
    },
  )
  gauge(
    'opswire_health_score',
    'Tells the health score, from 0 to 100, of each scope in health_scopes that has one; no row while it is not known.',
    ['source', 'scope'],
    function* () {
      for (const { source, scope, score } of asked().gauges.health) yield [[source, printable(scope, 120)], score]
    },
  )
  gauge(
    'opswire_nodes',
    'Counts the nodes of the mirrored system by role and state, where fabricNode is subscribed to; no rows while that is not known.',
    ['source', 'role', 'state'],
    function* () {
      for (const node of asked().gauges.nodes) yield [[node.source, word(node.role), word(node.state)], node.count]
    },
  )
  return specs
}

function gaugesOfDaemon({ model, asked, lag, version, node }: CatalogueOptions): MetricSpec[] {
  const specs: MetricSpec[] = []
  const gauge = (name: string, help: string, labels: readonly string[], samples: () => Iterable<Sample>): void => {
    specs.push({ type: 'gauge', name, help, labels, samples })
  }
  const single = (name: string, help: string, value: () => number | undefined): void =>
    gauge(name, help, [], () => [[[], value()]])
  single('opswire_sink_up', 'Tells whether the sink takes events (1) or not (0).', () =>
    model.sink?.up === true ? 1 : 0,
  )
  single(
    'opswire_store_up',
    'Tells whether the store takes what the sources give (1) or not (0): it is at its limit, or the disk refuses writes.',
    () => (storeCheck(model, asked().store).ok ? 1 : 0),
  )
  single(
    'opswire_store_events',
    'Counts the events in the store that wait for an acknowledgement.',
    () => asked().store?.unacked,
  )
  single(
    'opswire_store_bytes',
    'Counts the bytes of the events in the store, both those that wait and those kept for a while after their acknowledgement.',
    () => asked().store?.bytes,
  )
  single(
    'opswire_store_max_bytes',
    'Tells the limit of opswire_store_bytes, store.max_bytes of the config: at it polls wait, a tenth above it APIC sockets are held back.',
    () => asked().store?.maxBytes,
  )
  single(
    'opswire_store_oldest_timestamp_seconds',
    'Tells when the oldest event that still waits was taken down, in seconds since 1970; absent while none waits.',
    () => toSeconds(asked().store?.oldestMs),
  )
  single(
    'opswire_reload_success',
    'Tells whether the last reload of the config was taken up (1) or refused (0).',
    () => (model.reload?.ok === false ? 0 : 1),
  )
  single(
    'opswire_reload_timestamp_seconds',
    'Tells when the config in force was taken up, at the start or by a reload, in seconds since 1970.',
    () => toSeconds(model.configAtMs),
  )
  single('opswire_start_timestamp_seconds', 'Tells when the daemon started, in seconds since 1970.', () =>
    toSeconds(model.startedMs),
  )
  single(
    'opswire_event_loop_lag_seconds',
    'Tells the longest delay of a timer of the event loop within the last 30 seconds.',
    () => lag.ms / 1000,
  )
  gauge(
    'opswire_build_info',
    'Is always 1 and tells the version of opswire and of the Node.js that it runs on.',
    ['version', 'node'],
    () => [[[version, node], 1]],
  )
  return specs
}

function toSeconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000
}
