/** Which happenings are worth a line, at which level, in which words. One line per transition; a state told again is none. */
import type { ErrorCode } from '../errors.ts'
import type { Happening, SourceState } from '../report.ts'
import type { Clock } from '../scheduler/clock.ts'
import type { Log, LogLevel } from './log.ts'
import { unknownHappening } from './model.ts'
import { FeedNarrator } from './narrate-feeds.ts'
import { isoTime, joined, word } from './text.ts'

/** An expiry nearer than this is warned of. */
const EXPIRY_WARNING_MS = 14 * 86_400_000
/** Dead letters of one source and reason are told at most this often: a flood of them is one piece of news. */
const FLOOD_PAUSE_MS = 60_000
/** Advice that still holds is told again after this. */
const ADVICE_PAUSE_MS = 3_600_000
/** Pieces of advice and expiries remembered as told. */
const TOLD_LIMIT = 1000
/** A source whose certificate is not verified says so again when it reconnects, at most this often. */
const UNVERIFIED_PAUSE_MS = 3_600_000

/** Nothing passes by itself here: a person must act. */
const NEEDS_A_PERSON: ReadonlySet<ErrorCode> = new Set(['auth_refused', 'permission', 'config', 'tls', 'bug'])

type Of<T extends Happening['type']> = Extract<Happening, { type: T }>

interface SourceMemory {
  state: SourceState
  /** Code and reason of the failure that was told last. */
  failure: string
  failures: number
}

interface FloodMemory {
  toldAt: number
  untold: number
}

export class Narrator {
  readonly #log: Log
  readonly #clock: Clock
  readonly #sources = new Map<string, SourceMemory>()
  readonly #feeds: FeedNarrator
  /** Controllers, store, sinks: what the next line is compared with. */
  readonly #last = new Map<string, string>()
  /** When each was told, monotonic ms. */
  readonly #told = new Map<string, number>()
  readonly #floods = new Map<string, FloodMemory>()
  /** Sources whose certificate is not verified: their address, and when that was told last. */
  readonly #unverified = new Map<string, { address: string; toldAt: number }>()

  constructor(log: Log, clock: Clock) {
    this.#log = log
    this.#clock = clock
    this.#feeds = new FeedNarrator(log, clock)
  }

  /** Writes the line that this happening deserves, if any. */
  tell(happening: Happening): void {
    switch (happening.type) {
      case 'appended':
        this.#appended(happening)
        return
      case 'published':
      case 'feed_proof':
      case 'feed_late':
      case 'feed_cursor':
      case 'sink_server':
        return
      case 'request':
        this.#detail('trace', happening, `${happening.operation} ${happening.result} in ${Math.round(happening.ms)} ms`)
        return
      case 'lease_renewed':
        this.#detail(happening.result === 'ok' ? 'trace' : 'debug', happening, `${happening.lease} ${happening.result}`)
        return
      case 'feed_declared':
        this.#detail('debug', happening, `feed ${happening.feed} is read`)
        return
      case 'feed_gone':
        this.#detail('debug', happening, `feed ${happening.feed} is read no more`)
        this.#feeds.gone(happening)
        return
      case 'feed_recovered':
        this.#detail('debug', happening, `${happening.count} facts of ${happening.feed} were found afterwards`)
        return
      case 'reconnect':
        this.#detail('debug', happening, `opens again: ${happening.reason}`)
        this.#warnAgain(happening.source)
        return
      case 'source_declared':
        this.#declared(happening)
        return
      case 'source_gone':
        this.#gone(happening)
        return
      case 'reload':
        this.#reload(happening)
        return
      case 'source_state':
        this.#sourceState(happening)
        return
      case 'feed_state':
        this.#feeds.state(happening)
        return
      case 'feed_mode':
        this.#feeds.mode(happening)
        return
      case 'lease_lost':
        this.#feeds.leaseLost(happening)
        return
      case 'source_paused':
        this.#feeds.paused(happening)
        return
      case 'controller':
        this.#controller(happening)
        return
      case 'credential_expiry':
      case 'certificate_expiry':
        this.#expiry(happening)
        return
      case 'advice':
        if (this.#first(`advice ${happening.source} ${happening.text}`, ADVICE_PAUSE_MS)) {
          this.#detail('warn', happening, happening.text)
        }
        return
      case 'gap':
        this.#log.write('warn', `${happening.source}: ${happening.summary}`, {
          source: happening.source,
          feed: happening.feed,
          reason: happening.reason,
        })
        return
      case 'dead_letter':
        this.#deadLetter(happening)
        return
      case 'dead_letters_dropped':
        this.#deadLettersDropped(happening)
        return
      case 'store_state':
        this.#storeState(happening)
        return
      case 'sink_setback':
        this.#setback(happening)
        return
      case 'sink_state':
        this.#sinkState(happening)
        return
      case 'daemon':
        this.#log.write(
          happening.state === 'forced' ? 'warn' : 'info',
          joined(`opswire ${happening.state}`, happening.detail),
        )
        return
      default:
        unknownHappening(happening)
    }
  }

  #detail(level: LogLevel, happening: { readonly source: string }, text: string): void {
    if (this.#log.enabled(level)) this.#log.write(level, `${happening.source}: ${text}`, { source: happening.source })
  }

  #appended({ source, feed, facts, duplicates, ms }: Of<'appended'>): void {
    if (!this.#log.enabled('debug')) return
    const fields = { source, feed, facts: facts.length, duplicates, ms: Math.round(ms) }
    this.#log.write('debug', `${source}: ${facts.length} facts of ${feed} taken down`, fields)
    if (!this.#log.enabled('trace')) return
    for (const fact of facts) {
      this.#log.write('trace', `${source}: ${fact.type}`, { source, feed, id: fact.id, subject: fact.subject })
    }
  }

  #declared(happening: Of<'source_declared'>): void {
    const { source, address, tlsVerified } = happening
    this.#unverified.delete(source)
    if (tlsVerified) this.#detail('debug', happening, `${happening.system} at ${address}`)
    else this.#warnUnverified(source, address)
  }

  /** One of the same name that comes later starts afresh. */
  #gone({ source }: Of<'source_gone'>): void {
    this.#log.write('info', `${source} is watched no more`, { source })
    this.#sources.delete(source)
    this.#unverified.delete(source)
    this.#last.delete(`controller ${source}`)
  }

  #reload(happening: Of<'reload'>): void {
    if (happening.ok) {
      this.#log.write('info', joined('the config was reloaded', happening.detail))
      return
    }
    const [count, lines] = [happening.problems.length, happening.problems]
    this.#log.write(
      'error',
      `the config was not reloaded, nothing was changed: ${count === 1 ? '1 problem' : `${count} problems`}`,
    )
    for (const line of lines) this.#log.write('error', line)
  }

  #warnUnverified(source: string, address: string): void {
    this.#unverified.set(source, { address, toldAt: this.#clock.now() })
    const text = address.startsWith('http:')
      ? `the connection to ${address} is NOT encrypted: anyone on the way can read the password; use https:`
      : `the certificate of ${address} is NOT verified (tls.verify: false): anyone on the way can read the password; set tls.ca_file or tls.fingerprint_sha256`
    this.#log.write('warn', `${source}: ${text}`, { source })
  }

  #warnAgain(source: string): void {
    const known = this.#unverified.get(source)
    if (known === undefined || this.#clock.now() - known.toldAt < UNVERIFIED_PAUSE_MS) return
    this.#warnUnverified(source, known.address)
  }

  /**
   * A source that can't be reached is tried again and again: that it is down is one line, each further failure for the
   * same reason is debug, and the line that ends it says how many there were.
   */
  #sourceState({ source, state, reason, code, retryInMs }: Of<'source_state'>): void {
    const before = this.#sources.get(source) ?? { state: 'connecting', failure: '', failures: 0 }
    const failure = reason === undefined ? '' : `${code ?? ''} ${shape(reason)}`
    const fields = {
      source,
      state,
      code,
      reason,
      retryInMs: retryInMs === undefined ? undefined : Math.round(retryInMs),
    }
    // "connecting" between two failures is a try, not news.
    if (state === 'connecting' && before.failures > 0) {
      this.#log.write('debug', `${source} is connecting`, fields)
      return
    }
    const same = before.state === state && (state === 'up' || state === 'stopped' || before.failure === failure)
    // Degraded without a code: its feeds are unwell, nothing was tried.
    const failed = state === 'down' || (state === 'degraded' && code !== undefined)
    const failures = failed ? before.failures + 1 : 0
    this.#sources.set(source, { state, failure, failures })
    if (same) {
      this.#log.write('debug', joined(`${source} is still ${state}`, reason), fields)
      return
    }
    const after = state === 'up' && before.failures > 0 ? ` after ${before.failures} failed tries` : ''
    const next = retryInMs === undefined || retryInMs < 1000 ? '' : `, tried again in ${Math.round(retryInMs / 1000)} s`
    this.#log.write(levelOf(state, code), `${joined(`${source} is ${state}${after}`, reason)}${next}`, fields)
  }

  #controller({ source, address }: Of<'controller'>): void {
    const before = this.#changed(`controller ${source}`, address)
    if (before === address) return
    this.#log.write(before === undefined ? 'debug' : 'info', `${source} is served by ${address}`, {
      source,
      address,
      before,
    })
  }

  #expiry({ type, source, atMs }: Of<'credential_expiry' | 'certificate_expiry'>): void {
    const leftMs = atMs - this.#clock.wall()
    const at = isoTime(atMs)
    if (at === null || leftMs > EXPIRY_WARNING_MS || !this.#first(`${type} ${source} ${at}`)) return
    const what = type === 'credential_expiry' ? 'credential' : 'certificate'
    const when = leftMs < 0 ? `expired at ${at}` : `expires at ${at}`
    this.#log.write('warn', `${source}: the ${what} ${when}`, { source, expires: at })
  }

  #deadLetter({ source, reason, bytes, key }: Of<'dead_letter'>): void {
    const untold = this.#afterPause(`${source} ${word(reason)}`, 1)
    const more = untold !== undefined && untold > 1 ? ` (and ${untold - 1} more since the last line)` : ''
    const text = `${source}: a message could not be understood or delivered and was kept as dead letter ${key}${more}`
    this.#log.write(untold === undefined ? 'debug' : 'warn', text, { source, reason, bytes, key })
  }

  #deadLettersDropped({ source, count }: Of<'dead_letters_dropped'>): void {
    const untold = this.#afterPause(`${source} dropped`, count)
    const text = `${source}: ${untold ?? count} dead letters were dropped unread: there are too many (dead_letters.max), or they are too large`
    this.#log.write(untold === undefined ? 'debug' : 'warn', text, { source, count: untold ?? count })
  }

  /** How many have come since the last line, these included; undefined while it is too early for the next line. */
  #afterPause(key: string, count: number): number | undefined {
    const before = this.#floods.get(key)
    const now = this.#clock.now()
    const total = (before?.untold ?? 0) + count
    if (before !== undefined && now - before.toldAt < FLOOD_PAUSE_MS) {
      before.untold = total
      return undefined
    }
    this.#floods.set(key, { toldAt: now, untold: 0 })
    return total
  }

  #storeState({ state, detail }: Of<'store_state'>): void {
    const before = this.#changed('store', state)
    const level = before === state ? 'debug' : state === 'ok' ? 'info' : state === 'recovered' ? 'warn' : 'error'
    this.#log.write(level, joined(`the store is ${state}`, detail), { state })
  }

  #sinkState({ sink, up, detail }: Of<'sink_state'>): void {
    const state = up ? 'up' : 'down'
    // Down for another reason is news: the broker is back, but now the stream is wrong.
    const now = up ? state : `${state} ${shape(detail)}`
    const before = this.#changed(`sink ${sink}`, now)
    const level = before === now ? 'debug' : up ? 'info' : 'warn'
    this.#log.write(level, joined(`the sink ${sink} is ${state}`, detail), { sink, state })
  }

  #setback({ sink, detail, lacking, whole }: Of<'sink_setback'>): void {
    const again = `it lost what it had acknowledged, and gets ${lacking} events again`
    const rest = whole ? '' : '; others were trimmed here already: a gap says so'
    this.#log.write('error', `the sink ${sink} went back in time (${detail}): ${again}${rest}`, { sink })
  }

  /** Remembers the new value and gives the old one. */
  #changed(key: string, value: string): string | undefined {
    const before = this.#last.get(key)
    this.#last.set(key, value)
    return before
  }

  /** True the first time, and when the last was `pauseMs` ago. Bounded: after a thousand others it is the first time again. */
  #first(text: string, pauseMs = Number.POSITIVE_INFINITY): boolean {
    const now = this.#clock.now()
    const toldAt = this.#told.get(text)
    if (toldAt !== undefined && now - toldAt < pauseMs) return false
    if (this.#told.size >= TOLD_LIMIT) this.#told.clear()
    this.#told.set(text, now)
    return true
  }
}

function levelOf(state: SourceState, code: ErrorCode | undefined): LogLevel {
  if (state === 'down') return code !== undefined && NEEDS_A_PERSON.has(code) ? 'error' : 'warn'
  return state === 'degraded' ? 'warn' : 'info'
}

/** The text without its numbers: "no answer within 30012 ms" is the same news as "within 30007 ms". */
function shape(text: string): string {
  return text.replaceAll(/\d+/g, '#')
}
