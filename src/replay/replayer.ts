/** Replays: dead letters through today's normaliser, and the sources' past into what the stream lacks. One at a time. */
import { codeOf, describe, Retryable } from '../errors.ts'
import type { Report } from '../report.ts'
import { aborted, type Clock, sleep } from '../scheduler/clock.ts'
import type { Sink } from '../sinks/contract.ts'
import type { Store } from '../store/contract.ts'
import type { Replayable, Visit } from '../subscribers/contract.ts'
import { DeadLetters } from './dead-letters.ts'
import { readSince } from './since.ts'
import { SourceTally } from './tally.ts'
import type { Line, Summary, Wish } from './wish.ts'

export interface ReplaySource {
  readonly subscriber: Replayable
  /** Who asks its past; closing it leaves a session of the daemon as it is. Throws `Retryable`, `Fatal`. */
  visit(signal: AbortSignal): Promise<Visit>
}

export interface ReplayerOptions {
  readonly store: Store
  readonly sink: Sink
  readonly clock: Clock
  readonly report: Report
  /** A line at the begin and at the end of each. */
  readonly log: (level: 'info' | 'warn', text: string) => void
  readonly sources: () => readonly ReplaySource[]
  /** Why the sink takes nothing now; undefined while it does. */
  readonly sinkTrouble: () => string | undefined
}

export type Tell = (line: Line) => Promise<void>

/** What one replay works with. */
export interface Run extends ReplayerOptions {
  readonly wish: Wish
  readonly signal: AbortSignal
  /** Aborts only when the daemon stops and has waited a while for what must be whole. */
  readonly end: AbortSignal
  readonly tell: Tell
  tally(source: string): SourceTally
  /** Resolves when the sink has answered for everything up to `seq`. */
  delivered(seq: number): Promise<void>
}

/** Somebody waits at a terminal: told at most this often. */
const TELL_MS = 1000
const LOOK_MS = 50
/** A commit that the store has no room for is waited for so long when the daemon stops. */
const LAST_COMMIT_MS = 1000

export class Replayer {
  readonly #options: ReplayerOptions
  readonly #closing = new AbortController()
  readonly #end = new AbortController()
  #running: { readonly what: string; readonly done: Promise<unknown> } | undefined

  constructor(options: ReplayerOptions) {
    this.#options = options
  }

  /** What runs now, in words; undefined when nothing does. */
  get busy(): string | undefined {
    return this.#running?.what
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted
  }

  /** What keeps this from being done, whoever asks; undefined when nothing does. */
  refusal(wish: Wish): string | undefined {
    const { sources, sink } = this.#options
    const names = sources().map(({ subscriber }) => subscriber.ref.name)
    if (wish.source !== undefined && wish.what === 'since' && !names.includes(wish.source)) {
      return `no source "${wish.source}"; there is ${names.join(', ')}`
    }
    if (wish.what !== 'since' || sink.remembers) return undefined
    return sink.name === 'stdout'
      ? 'events go to standard output, and nobody can ask what its reader has: there is nothing to compare with'
      : 'the stream does not keep what was read from it (its retention is not limits): what it lacks can not be told from what was taken'
  }

  /**
   * Ends when all is done and delivered, when `signal` aborts, or when it is closed. Never rejects. To be called when nothing runs,
   * unless the letters are only shown.
   */
  async run(wish: Wish, signal: AbortSignal, tell: Tell): Promise<Summary> {
    const { clock } = this.#options
    const what = `${said(wish)}, begun at ${new Date(clock.wall()).toISOString()}`
    const running = this.#run(wish, AbortSignal.any([signal, this.#closing.signal]), tell)
    if (wish.what === 'list') return running
    this.#running = { what, done: running }
    try {
      return await running
    } finally {
      this.#running = undefined
    }
  }

  /** Ends what runs, within little more than a second; from now on `isClosed`. */
  async close(): Promise<void> {
    const reason = new Retryable('session_lost', 'the daemon stops')
    this.#closing.abort(reason)
    const cancel = this.#options.clock.after(LAST_COMMIT_MS, () => this.#end.abort(reason))
    await this.#running?.done
    cancel()
  }

  async #run(wish: Wish, signal: AbortSignal, tell: Tell): Promise<Summary> {
    const { log, clock, store, sinkTrouble } = this.#options
    const tallies = new Map<string, SourceTally>()
    let toldAt = Number.NEGATIVE_INFINITY
    const over = aborted(signal)
    const run: Run = {
      ...this.#options,
      wish,
      signal,
      end: this.#end.signal,
      tell: async line => {
        if (line.type === 'progress') {
          if (clock.now() - toldAt < TELL_MS) return
          toldAt = clock.now()
        }
        // One who does not read is waited for, but not beyond the end.
        await Promise.race([tell(line), over])
      },
      tally: source => {
        const tally = tallies.get(source) ?? new SourceTally(source)
        tallies.set(source, tally)
        return tally
      },
      async delivered(seq) {
        while (store.floor < seq) {
          const trouble = sinkTrouble()
          const phase = trouble === undefined ? 'delivering' : `waiting for delivery: ${trouble}`
          await run.tell({ type: 'progress', phase, source: null, read: 0, sent: seq - store.floor })
          await sleep(clock, LOOK_MS, signal)
        }
      },
    }
    const isQuiet = wish.what === 'list'
    if (!isQuiet) log('info', `a replay of ${said(wish)} began`)
    let failure: unknown
    try {
      if (wish.what === 'since') await readSince(run)
      else await new DeadLetters(run).go()
    } catch (error) {
      failure = error
    }
    const sources = [...tallies.values()].map(tally => tally.result())
    const isFailed = failure !== undefined || [...tallies.values()].some(tally => tally.isFailed)
    const outcome = signal.aborted ? 'cancelled' : isFailed ? 'failed' : 'done'
    const reason = signal.aborted ? describe(signal.reason) : describe(failure)
    const error =
      failure === undefined
        ? {}
        : { error: { code: signal.aborted ? ('session_lost' as const) : codeOf(failure), reason } }
    const sent = sources.reduce((sum, one) => sum + one.sent, 0)
    if (!isQuiet) {
      const words = { done: 'ended', failed: 'failed', cancelled: 'was cancelled' }[outcome]
      const why = failure === undefined ? '' : `: ${reason}`
      log(outcome === 'failed' ? 'warn' : 'info', `the replay of ${said(wish)} ${words}, ${sent} events sent${why}`)
    }
    return { type: 'end', outcome, sources, ...error }
  }
}

function said({ what, sinceMs, source }: Wish): string {
  const of = source === undefined ? '' : ` of ${source}`
  return what === 'since' ? `what happened${of} since ${new Date(sinceMs).toISOString()}` : `the dead letters${of}`
}
