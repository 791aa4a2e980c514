/** What the daemon knows about itself, kept by what happens. Asked by the status page, readiness and the gauges. */
import type { GapReason } from '../event.ts'
import type { Happening } from '../report.ts'
import type { Clock } from '../scheduler/clock.ts'
import { MinuteCounts } from './minute-counts.ts'
import { type OfSource, SourceModel } from './source-model.ts'
import { printable } from './text.ts'

/** How many transitions, gaps and dead letters the status page remembers. */
const TRANSITIONS = 50
export const GAPS = 20
const DEAD_LETTERS = 20

/** One change of state. `source` and `feed` are null where it isn't about one. */
export interface Transition {
  readonly atMs: number
  readonly what: 'daemon' | 'source' | 'feed' | 'lease' | 'controller' | 'store' | 'sink'
  readonly source: string | null
  readonly feed: string | null
  readonly from: string | null
  readonly to: string
  readonly why: string | null
}

export interface GapNote {
  readonly atMs: number
  readonly source: string
  readonly feed: string
  readonly reason: GapReason
  readonly summary: string
}

/** Where it lies, and why; its content stays in the store. */
export interface DeadLetterNote {
  readonly atMs: number
  readonly source: string
  readonly reason: string
  readonly bytes: number
  readonly key: string
}

export class Model {
  readonly #clock: Clock
  readonly sources = new Map<string, SourceModel>()
  readonly transitions: Transition[] = []
  readonly recentGaps: GapNote[] = []
  readonly recentDeadLetters: DeadLetterNote[] = []
  readonly counts = { events: 0, duplicates: 0, published: 0, publishedDuplicates: 0, retries: 0, tooLarge: 0 }
  store: { state: 'ok' | 'full' | 'failing' | 'recovered'; detail: string; sinceMs: number } | undefined
  sink: { name: string; up: boolean; detail: string; sinceMs: number } | undefined
  /** The server behind the sink, as of the last time that it was opened. */
  server: Omit<Happening & { type: 'sink_server' }, 'type'> | undefined
  /** Facts that were new, and events that the sink acknowledged. */
  readonly appendedPerMinute: MinuteCounts
  readonly deliveredPerMinute: MinuteCounts
  daemon: (Happening & { type: 'daemon' })['state'] | undefined
  /** The last reload; undefined before the first. */
  reload: { ok: boolean; atMs: number; problems: readonly string[] } | undefined
  /** The config file in force and the SHA-256 of its text, when it came into force (wall ms). */
  config: { readonly path: string; readonly hash: string } | undefined
  configAtMs: number
  /** Wall ms when the daemon started. */
  readonly startedMs: number

  constructor(clock: Clock, config?: { readonly path: string; readonly hash: string }) {
    this.#clock = clock
    this.appendedPerMinute = new MinuteCounts(clock)
    this.deliveredPerMinute = new MinuteCounts(clock)
    this.config = config
    this.configAtMs = clock.wall()
    this.startedMs = this.configAtMs
  }

  /** Takes in one happening. One about a source or feed that was never declared changes nothing but the counts. */
  note(happening: Happening): void {
    switch (happening.type) {
      case 'source_declared':
        this.#declare(happening)
        return
      case 'daemon':
        this.#passed('daemon', null, null, this.daemon ?? null, happening.state, happening.detail)
        this.daemon = happening.state
        return
      case 'source_gone':
        this.#passed(
          'source',
          happening.source,
          null,
          this.sources.get(happening.source)?.state ?? null,
          'removed',
          undefined,
        )
        this.sources.delete(happening.source)
        return
      case 'reload':
        this.#reloaded(happening)
        return
      case 'store_state':
        this.#storeState(happening)
        return
      case 'sink_state':
        this.#sinkState(happening)
        return
      case 'sink_setback':
        this.#passed('sink', null, null, null, 'went back', happening.detail)
        return
      case 'published':
        this.#published(happening)
        return
      case 'sink_server': {
        const { address, version, apiLevel, stream } = happening
        this.server = {
          address: printable(address),
          version: printable(version, 40),
          apiLevel,
          stream: printable(stream),
        }
        return
      }
      case 'appended':
        this.counts.events += happening.facts.length
        this.counts.duplicates += happening.duplicates
        this.appendedPerMinute.add(happening.facts.length)
        this.#ofSource(happening)
        return
      default:
        this.#ofSource(happening)
        return
    }
  }

  #declare(happening: Happening & { type: 'source_declared' }): void {
    const known = this.sources.get(happening.source)
    if (known === undefined) {
      this.sources.set(happening.source, new SourceModel(happening, this.#clock))
      return
    }
    known.system = happening.system
    known.required = happening.required
    // Otherwise it is known better which of its addresses is in use.
    if (known.declaredAddress !== happening.address) {
      known.address = printable(happening.address)
      known.forgetCertificates()
    }
    known.declaredAddress = happening.address
    // It is started anew, and says itself which feeds it has now.
    if (known.state === 'stopped') known.feeds.clear()
    known.tlsVerified = happening.tlsVerified
  }

  #reloaded(happening: Happening & { type: 'reload' }): void {
    const atMs = this.#clock.wall()
    const problems = happening.ok ? [] : happening.problems.map(problem => printable(problem, 1000))
    this.reload = { ok: happening.ok, atMs, problems }
    this.#passed(
      'daemon',
      null,
      null,
      null,
      happening.ok ? 'reloaded' : 'reload refused',
      happening.ok ? happening.detail : problems[0],
    )
    if (!happening.ok) return
    this.configAtMs = atMs
    if (this.config !== undefined) this.config = { ...this.config, hash: happening.hash }
  }

  #storeState(happening: Happening & { type: 'store_state' }): void {
    const { state, detail } = happening
    this.#passed('store', null, null, this.store?.state ?? null, state, detail)
    const sinceMs = this.store?.state === state ? this.store.sinceMs : this.#clock.wall()
    this.store = { state, detail: printable(detail), sinceMs }
  }

  #sinkState(happening: Happening & { type: 'sink_state' }): void {
    const name = (up: boolean): string => (up ? 'up' : 'down')
    const before = this.sink === undefined ? null : name(this.sink.up)
    const detail = printable(happening.detail)
    this.#passed('sink', null, null, before, name(happening.up), detail)
    const sinceMs = this.sink?.up === happening.up ? this.sink.sinceMs : this.#clock.wall()
    this.sink = { name: happening.sink, up: happening.up, detail, sinceMs }
  }

  #published(happening: Happening & { type: 'published' }): void {
    const { counts } = this
    if (happening.result === 'ok' || happening.result === 'duplicate') this.deliveredPerMinute.add(happening.count)
    if (happening.result === 'ok') counts.published += happening.count
    else if (happening.result === 'duplicate') counts.publishedDuplicates += happening.count
    else if (happening.result === 'retry') counts.retries += happening.count
    else counts.tooLarge += happening.count
  }

  #ofSource(
    happening:
      | OfSource
      | (Happening & {
          type: 'source_state' | 'gap' | 'dead_letter' | 'dead_letters_dropped' | 'request' | 'lease_renewed' | 'advice'
        }),
  ): void {
    const source = this.sources.get(happening.source)
    if (source === undefined) return
    source.heardNow = this.#clock.now()
    switch (happening.type) {
      case 'source_state':
        this.#sourceState(source, happening)
        return
      case 'gap':
        this.#gap(source, happening)
        return
      case 'dead_letter':
        this.#deadLetter(source, happening)
        return
      case 'dead_letters_dropped':
        source.deadLettersDropped += happening.count
        return
      case 'request':
      case 'lease_renewed':
      case 'advice':
        return
      default:
        source.note(happening, (what, ...rest) => this.#passed(what, source.name, ...rest))
    }
  }

  #gap(source: SourceModel, { feed, reason, summary }: Happening & { type: 'gap' }): void {
    source.gaps++
    const label = printable(feed, 120)
    const note = { atMs: this.#clock.wall(), source: source.name, feed: label, reason, summary: printable(summary) }
    keep(this.recentGaps, note, GAPS)
  }

  #deadLetter(source: SourceModel, { reason, bytes, key }: Happening & { type: 'dead_letter' }): void {
    source.deadLetters++
    const note = { atMs: this.#clock.wall(), source: source.name, reason: printable(reason), bytes, key }
    keep(this.recentDeadLetters, note, DEAD_LETTERS)
  }

  #sourceState(source: SourceModel, happening: Happening & { type: 'source_state' }): void {
    const { state, reason, code, retryInMs } = happening
    this.#passed('source', source.name, null, source.state, state, reason)
    if (source.state !== state) source.sinceMs = this.#clock.wall()
    source.state = state
    source.why = reason === undefined ? undefined : printable(code === undefined ? reason : `${reason} (${code})`)
    source.sessionDoubts = (happening.doubts ?? []).map(doubt => printable(doubt))
    source.retryAt = retryInMs === undefined ? undefined : this.#clock.now() + retryInMs
    if (code !== undefined) source.lastError = source.errorOf(code, reason)
    // A feed without a session is not read: nobody shall take its last state for the present one.
    if (!source.open && state !== 'connecting') for (const feed of source.feeds.values()) feed.leave(this.#clock.wall())
  }

  /** Remembers a change; a state told again is none. */
  #passed(
    what: Transition['what'],
    source: string | null,
    feed: string | null,
    from: string | null,
    to: string,
    why: string | undefined,
  ): void {
    if (from === to) return
    const note = {
      atMs: this.#clock.wall(),
      what,
      source,
      feed,
      from,
      to,
      why: why === undefined ? null : printable(why),
    }
    keep(this.transitions, note, TRANSITIONS)
  }
}

/** The type checker's proof that no happening was forgotten; a happening of a newer build is ignored. */
export function unknownHappening(_: never): void {}

function keep<T>(list: T[], entry: T, limit: number): void {
  list.push(entry)
  if (list.length > limit) list.splice(0, list.length - limit)
}
