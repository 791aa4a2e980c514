/** One source, as the daemon knows it: its state, its feeds, and what speaks against them. */
import type { ErrorCode } from '../errors.ts'
import type { System } from '../event.ts'
import type { Cursor } from '../record.ts'
import type { Happening, SourceState } from '../report.ts'
import type { Clock } from '../scheduler/clock.ts'
import { FeedModel, type LastError } from './feed-model.ts'
import { MinuteCounts } from './minute-counts.ts'
import { printable } from './text.ts'

/** Tells of a change within the source that is worth remembering. */
export type Changed = (
  what: 'feed' | 'lease' | 'controller',
  feed: string | null,
  from: string | null,
  to: string,
  why: string | undefined,
) => void

/** What the model of a source takes in by itself. */
export type OfSource = Extract<
  Happening,
  {
    type:
      | 'feed_declared'
      | 'feed_gone'
      | 'feed_state'
      | 'feed_proof'
      | 'feed_mode'
      | 'feed_late'
      | 'feed_recovered'
      | 'feed_cursor'
      | 'lease_lost'
      | 'source_paused'
      | 'reconnect'
      | 'controller'
      | 'credential_expiry'
      | 'certificate_expiry'
      | 'appended'
  }
>

export class SourceModel {
  readonly name: string
  system: System
  required: boolean
  address: string
  /** As the config has it; `address` is the one in use. */
  declaredAddress: string
  tlsVerified: boolean
  state: SourceState = 'connecting'
  /** Wall ms when this process took it up: what is counted of it counts from then. */
  readonly startedMs: number
  /** Wall ms of the last change of `state`. */
  sinceMs: number
  why: string | undefined
  /** What speaks against its session as a whole. */
  sessionDoubts: readonly string[] = []
  /** Monotonic ms when the next attempt was promised: there is no session until then. */
  retryAt: number | undefined
  /** Monotonic ms of the last thing heard about this source. */
  heardNow: number
  /** Wall ms since which what it pushes is held back. */
  pausedSinceMs: number | undefined
  lastEventMs: number | undefined
  lastError: LastError | undefined
  reconnects = 0
  gaps = 0
  deadLetters = 0
  /** Dead letters that had to go, unread, because there were too many. */
  deadLettersDropped = 0
  credentialExpiryMs: number | undefined
  /** Wall ms when one with another end was told of. */
  credentialRenewedMs: number | undefined
  readonly feeds = new Map<string, FeedModel>()
  /** Where each feed stands, as committed. Told before the feed itself: a session asks for it first. */
  readonly cursors = new Map<string, Cursor>()
  /** Facts that were new, what opswire says of the source itself included. */
  readonly perMinute: MinuteCounts
  readonly #clock: Clock
  /** When the certificate ends that each host showed last, wall ms. Automation Config may have a second host for its logins. */
  readonly #certificates = new Map<string, number>()

  constructor(declared: Happening & { type: 'source_declared' }, clock: Clock) {
    this.#clock = clock
    this.perMinute = new MinuteCounts(clock)
    this.name = declared.source
    this.system = declared.system
    this.required = declared.required
    this.address = printable(declared.address)
    this.declaredAddress = declared.address
    this.tlsVerified = declared.tlsVerified
    this.startedMs = clock.wall()
    this.sinceMs = this.startedMs
    this.heardNow = clock.now()
  }

  /** A source whose next attempt was promised for later has no session, whatever it calls its state. */
  get open(): boolean {
    return (this.state === 'up' || this.state === 'degraded') && this.retryAt === undefined
  }

  /** Everything that speaks against this source at `now` (monotonic ms): empty when it is up. */
  doubts(now: number): string[] {
    if (!this.open) return [`${this.state}${this.why === undefined ? '' : `: ${this.why}`}`]
    if (this.feeds.size === 0) return ['no feed has been declared yet']
    return [...this.sessionDoubts, ...[...this.feeds.values()].flatMap(feed => feed.complaint(now) ?? [])]
  }

  /** True when it has a session and nothing speaks against any feed: doubts about the session come on top. */
  isUp(now: number): boolean {
    return this.open && this.feeds.size > 0 && this.feeds.values().every(feed => feed.isWell(now))
  }

  /** True when nothing speaks against it: as `doubts`, without words. */
  isReady(now: number): boolean {
    return this.isUp(now) && this.sessionDoubts.length === 0
  }

  /** Wall ms of the earliest end of the certificates in use; undefined while none was seen. */
  get certificateExpiryMs(): number | undefined {
    return this.#certificates.size === 0 ? undefined : Math.min(...this.#certificates.values())
  }

  /** It has another address: what was seen at the old one says nothing any more. */
  forgetCertificates(): void {
    this.#certificates.clear()
  }

  /** Wall ms of the proof of the feed that was silent longest; undefined while any feed has none. */
  get provedAtMs(): number | undefined {
    let oldest: number | undefined
    for (const feed of this.feeds.values()) {
      if (feed.provedAtMs === undefined) return undefined
      oldest = Math.min(oldest ?? feed.provedAtMs, feed.provedAtMs)
    }
    return oldest
  }

  /** As `provedAtMs`, but a feed without a proof counts from its declaration; undefined without feeds. What alerts need. */
  get silentSinceMs(): number | undefined {
    let oldest: number | undefined
    for (const { silentSinceMs } of this.feeds.values()) oldest = Math.min(oldest ?? silentSinceMs, silentSinceMs)
    return oldest
  }

  note(happening: OfSource, changed: Changed): void {
    const { feeds } = this
    switch (happening.type) {
      case 'feed_declared': {
        const { feed: name, proofBoundMs } = happening
        const feed = feeds.get(name)
        if (feed !== undefined) feed.declared(proofBoundMs, this.#clock.wall())
        else feeds.set(name, new FeedModel(name, proofBoundMs, this.#clock.now(), this.#clock.wall()))
        return
      }
      case 'feed_gone':
        feeds.delete(happening.feed)
        this.cursors.delete(happening.feed)
        return
      case 'feed_cursor':
        this.cursors.set(happening.feed, happening.cursor)
        return
      case 'lease_lost':
        changed('lease', null, null, `${happening.lease} lost`, happening.reason)
        return
      case 'source_paused':
        this.pausedSinceMs = happening.paused ? this.#clock.wall() : undefined
        return
      case 'reconnect':
        this.reconnects++
        return
      case 'controller': {
        const before = this.address
        this.address = printable(happening.address)
        // Left for another controller, which has shown its own by now.
        this.#keepCertificateOf(URL.parse(happening.address)?.host)
        if (before !== this.address) changed('controller', null, before, this.address, undefined)
        return
      }
      case 'credential_expiry':
        if (this.credentialExpiryMs !== undefined && this.credentialExpiryMs !== happening.atMs) {
          this.credentialRenewedMs = this.#clock.wall()
        }
        this.credentialExpiryMs = happening.atMs
        return
      case 'certificate_expiry':
        this.#certificates.set(happening.host, happening.atMs)
        return
      case 'appended':
        this.#appended(happening)
        return
      default: {
        const feed = feeds.get(happening.feed)
        if (feed !== undefined) this.#feed(feed, happening, changed)
      }
    }
  }

  #keepCertificateOf(host: string | undefined): void {
    for (const other of [...this.#certificates.keys()]) if (other !== host) this.#certificates.delete(other)
  }

  #feed(
    feed: FeedModel,
    happening: Extract<OfSource, { type: 'feed_state' | 'feed_proof' | 'feed_mode' | 'feed_late' | 'feed_recovered' }>,
    changed: Changed,
  ): void {
    switch (happening.type) {
      case 'feed_state':
        this.#feedState(feed, happening, changed)
        return
      case 'feed_proof':
        feed.prove(this.#clock.now(), this.#clock.wall())
        return
      case 'feed_mode':
        feed.mode = happening.mode
        feed.modes.add(happening.mode)
        return
      case 'feed_late':
        feed.lateSeconds = happening.seconds
        return
      case 'feed_recovered':
        feed.recovered += happening.count
    }
  }

  #feedState(feed: FeedModel, happening: Happening & { type: 'feed_state' }, changed: Changed): void {
    const { state, reason, code } = happening
    const before = feed.state
    const wasFailing = feed.failing
    feed.say(state, reason === undefined ? undefined : printable(reason), this.#clock.now(), this.#clock.wall())
    // What goes as it should is no news: thousands that come up would push everything worth knowing off the list.
    if (feed.failing || wasFailing) changed('feed', feed.label, before, state, reason)
    if (code === undefined) return
    feed.lastError = this.errorOf(code, reason)
    this.lastError = feed.lastError
  }

  #appended({ facts, feed: name }: Happening & { type: 'appended' }): void {
    this.perMinute.add(facts.length)
    // What opswire says of itself is no sign that the source said anything.
    const own = facts.filter(fact => fact.data.kind === 'source' || fact.data.kind === 'gap').length
    if (facts.length === own) return
    this.lastEventMs = this.#clock.wall()
    const feed = this.feeds.get(name)
    if (feed === undefined) return
    feed.lastEventMs = this.lastEventMs
    feed.events += facts.length - own
  }

  errorOf(code: ErrorCode, text: string | undefined): LastError {
    return { atMs: this.#clock.wall(), code, text: printable(text ?? code) }
  }
}
