/** Counts everything that happens into plain fields. `metrics.ts` copies them when somebody scrapes. */
import type { Brief, Origin, System } from '../event.ts'
import { GAP_REASONS, TOKEN_FLAGS } from '../event-schema.ts'
import type { Happening, LeaseKind } from '../report.ts'
import { type Count, Distributions, LABELLED_FEEDS, Tally } from './counts.ts'
import { unknownHappening } from './model.ts'
import { printable, word } from './text.ts'

/** What a system's facts can be, of each origin: seeded with 0 so that the first one is already an increase. */
const SEEDS: Record<System, readonly (readonly [kind: string, severities: readonly string[]])[]> = {
  apic: [
    ['fault', ['critical', 'major', 'minor', 'warning', 'info']],
    ['event', ['critical', 'major', 'minor', 'warning', 'info']],
    ['audit', ['info']],
    ['session', ['info']],
    ['health', ['critical', 'major', 'minor', 'warning', 'info']],
    ['state', ['major', 'info']],
  ],
  raas: [
    ['job', ['minor', 'warning', 'info']],
    ['return', ['minor', 'info']],
    ['audit', ['warning', 'info']],
  ],
  vcd: [
    ['audit', ['warning', 'info']],
    ['session', ['warning', 'info']],
  ],
}
const ORIGINS: readonly Origin[] = ['live', 'snapshot', 'resync', 'backfill']
/** What opswire says of itself is always live. */
const SEEDS_OF_ALL = [
  ['gap', ['major']],
  ['source', ['major', 'warning', 'info']],
] as const

/** Error codes that end a session or an attempt. */
const RECONNECT_SEEDS = [
  'unreachable',
  'timeout',
  'throttled',
  'protocol',
  'session_lost',
  'socket_lost',
  'too_large',
  'auth_refused',
  'permission',
  'config',
  'tls',
  'bug',
]

const OUTCOMES = ['success', 'failure', 'unknown'] as const
const RENEWAL_RESULTS = ['ok', 'retried', 'refused', 'failed'] as const
const LEASES: readonly LeaseKind[] = ['session', 'subscription', 'lifetime']
const PUBLISH_RESULTS = ['ok', 'duplicate', 'retry', 'too_large'] as const

/** Other flags on the same facts, such as `truncated` and `external`, say nothing about the token. */
const IS_TOKEN_FLAG: ReadonlySet<string> = new Set(TOKEN_FLAGS)

/** Cleaned names that are remembered. */
const LABELS = 5000

export class Tallies {
  readonly events = new Tally()
  readonly published = new Tally()
  readonly setbacks = new Tally()
  readonly leaseRenewals = new Tally()
  readonly reconnects = new Tally()
  readonly gaps = new Tally()
  readonly pauses = new Tally()
  readonly recovered = new Tally(1, LABELLED_FEEDS)
  readonly deadLetters = new Tally()
  readonly jobReturns = new Tally()
  readonly tokenEvents = new Tally()
  readonly tokenFlags = new Tally()
  readonly commitSeconds = new Distributions([0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 10])
  readonly deliverySeconds = new Distributions([
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14_400,
  ])
  readonly lateSeconds = new Distributions([0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 86_400])
  readonly requestSeconds = new Distributions([0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60])
  readonly #commit = this.commitSeconds.row()
  readonly #setbacks = this.setbacks.row()
  readonly #delivery = this.deliverySeconds.row()
  /** Per source: its series of `events` by kind, severity and origin, found without building a label list. */
  readonly #events = new Map<string, Map<string, Count>>()
  readonly #labels = new Map<string, string>()
  readonly #wall: () => number

  /** `wall`: wall ms, for the time between taken down and acknowledged. */
  constructor(wall: () => number) {
    this.#wall = wall
    for (const result of PUBLISH_RESULTS) this.published.row(result)
  }

  /** A name from the config or an inventory, as a label. Cleaning costs microseconds, so it is done once a name. */
  #label(name: string): string {
    const known = this.#labels.get(name)
    if (known !== undefined) return known
    const label = printable(name, 120)
    if (this.#labels.size < LABELS) this.#labels.set(name, label)
    return label
  }

  count(happening: Happening): void {
    switch (happening.type) {
      case 'appended':
        this.#commit.observe(happening.ms / 1000)
        for (const fact of happening.facts) this.#fact(happening.source, fact)
        return
      case 'published':
        this.published.row(happening.result).value += happening.count
        if (happening.result === 'ok' || happening.result === 'duplicate') {
          const now = this.#wall()
          for (const recordedMs of happening.recordedMs) this.#delivery.observe((now - recordedMs) / 1000)
        }
        return
      case 'sink_setback':
        this.#setbacks.value++
        return
      case 'feed_late':
        this.lateSeconds.row(happening.source, this.#label(happening.feed)).observe(happening.seconds)
        return
      case 'request':
        this.requestSeconds
          .row(happening.source, word(happening.operation), word(happening.result))
          .observe(happening.ms / 1000)
        return
      case 'source_declared':
        this.#seed(happening.source, happening.system)
        return
      case 'feed_declared':
        this.recovered.row(happening.source, this.#label(happening.feed))
        return
      case 'feed_recovered':
        this.recovered.row(happening.source, this.#label(happening.feed)).value += happening.count
        return
      case 'lease_renewed':
        for (const result of RENEWAL_RESULTS) this.leaseRenewals.row(happening.source, happening.lease, result)
        this.leaseRenewals.row(happening.source, happening.lease, happening.result).value++
        return
      case 'reconnect':
        this.reconnects.row(happening.source, word(happening.reason)).value++
        return
      case 'source_paused':
        if (happening.paused) this.pauses.row(happening.source).value++
        return
      case 'gap':
        this.gaps.row(happening.source, happening.reason).value++
        return
      case 'dead_letter':
        this.deadLetters.row(happening.source).value++
        return
      case 'source_gone':
        this.#forget(happening.source)
        return
      // Gauges of the model, or nothing to count.
      case 'source_state':
      case 'feed_gone':
      case 'feed_state':
      case 'feed_proof':
      case 'feed_mode':
      case 'feed_cursor':
      case 'lease_lost':
      case 'dead_letters_dropped':
      case 'controller':
      case 'credential_expiry':
      case 'certificate_expiry':
      case 'advice':
      case 'store_state':
      case 'sink_state':
      case 'sink_server':
      case 'reload':
      case 'daemon':
        return
      default:
        unknownHappening(happening)
    }
  }

  #fact(source: string, fact: Brief): void {
    const { data } = fact
    let series = this.#events.get(source)
    if (series === undefined) {
      series = new Map()
      this.#events.set(source, series)
    }
    const key = `${data.kind} ${fact.severitytext} ${fact.origin}`
    let count = series.get(key)
    if (count === undefined) {
      count = this.events.row(source, data.kind, fact.severitytext, fact.origin)
      series.set(key, count)
    }
    count.value++
    if (data.kind === 'return') this.jobReturns.row(source, data.outcome ?? 'unknown').value++
    const { actor, flags = [] } = data
    // What an extension posts may name any token.
    if (flags.includes('external')) return
    if (actor?.via !== undefined || actor?.tokenId !== undefined) {
      this.#actor(source, actor, data.outcome ?? 'unknown', flags)
    }
  }

  /** Facts of a source that tells how somebody was logged in: by which token of the inventory, or by none. */
  #actor(
    source: string,
    actor: { tokenId?: string | undefined; tokenName?: string | undefined },
    outcome: string,
    flags: readonly string[],
  ): void {
    const token =
      actor.tokenName !== undefined ? this.#label(actor.tokenName) : actor.tokenId !== undefined ? 'unknown' : 'none'
    this.tokenEvents.row(source, token, outcome).value++
    for (const flag of flags) if (IS_TOKEN_FLAG.has(flag)) this.tokenFlags.row(source, word(flag)).value++
  }

  /** Counters of a source that is watched no more would stand still for ever. */
  #forget(source: string): void {
    const counters = [
      this.events,
      this.leaseRenewals,
      this.reconnects,
      this.gaps,
      this.pauses,
      this.recovered,
      this.deadLetters,
      this.jobReturns,
      this.tokenEvents,
      this.tokenFlags,
    ]
    for (const rows of [...counters, this.lateSeconds, this.requestSeconds]) rows.forget(source)
    this.#events.delete(source)
  }

  #seed(source: string, system: System): void {
    for (const [kind, severities] of SEEDS[system]) {
      for (const severity of severities) {
        for (const origin of ORIGINS) this.events.row(source, kind, severity, origin)
      }
    }
    for (const [kind, severities] of SEEDS_OF_ALL) {
      for (const severity of severities) this.events.row(source, kind, severity, 'live')
    }
    for (const reason of RECONNECT_SEEDS) this.reconnects.row(source, reason)
    for (const reason of GAP_REASONS) this.gaps.row(source, reason)
    this.deadLetters.row(source)
    if (system === 'apic') {
      this.pauses.row(source)
      for (const lease of LEASES) for (const result of RENEWAL_RESULTS) this.leaseRenewals.row(source, lease, result)
    }
    if (system === 'raas') for (const outcome of OUTCOMES) this.jobReturns.row(source, outcome)
    if (system === 'vcd') {
      for (const flag of TOKEN_FLAGS) this.tokenFlags.row(source, word(flag))
      for (const token of ['none', 'unknown']) {
        for (const outcome of OUTCOMES) this.tokenEvents.row(source, token, outcome)
      }
    }
  }
}
