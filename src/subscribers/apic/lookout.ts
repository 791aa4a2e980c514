/** What a session asks about the fabric for its own sake: did a leaf boot, is this controller still one of its cluster? */
import { describe } from '../../errors.ts'
import { every } from '../../scheduler/interval.ts'
import { isSessionError, Refused } from './client.ts'
import { isCutOff, readClusterView } from './cluster-view.ts'
import { Unfit } from './controllers.ts'
import type { Core } from './core.ts'
import { type LeafMemory, LeafWatch } from './leaf-watch.ts'

/** Asked at least this often, ms; more often with a shorter `reconcile_interval`. */
const LONGEST_MS = 5 * 60_000

/** A controller that holds no subscription for so long is of no use, ms. */
const USELESS_MS = 120_000
/** Subscriptions that could not be made within this after the session's begin are too many, or the pace is too slow, ms. */
const TOO_MANY_MS = 5 * 60_000

/** What a source's sessions share of this. */
export interface LookoutMemory extends LeafMemory {
  /** What was already told about rights that are missing. */
  readonly refused: Set<string>
}

export function lookoutMemory(): LookoutMemory {
  return { boots: undefined, refused: new Set() }
}

/** What a session's lookout asks its session. */
export interface LookoutOptions {
  /** Whether another controller was in no trouble lately. */
  hasBetter(): boolean
  /** Whether every subscription was made once, or has failed once. */
  isSettled(): boolean
}

interface Question {
  /** What goes unseen without an answer. */
  readonly subject: string
  ask(): Promise<void>
  disabled: boolean
}

export class Lookout {
  readonly #core: Core
  readonly #memory: LookoutMemory
  readonly #options: LookoutOptions
  readonly #leaves: LeafWatch
  #cutOff = false
  /** When a look was begun that last showed the controller in its cluster, by the fabric's clock. */
  #wellMs: number | undefined

  constructor(core: Core, memory: LookoutMemory, options: LookoutOptions) {
    this.#core = core
    this.#memory = memory
    this.#options = options
    this.#leaves = new LeafWatch(core, memory)
  }

  /** True from a look that showed the controller cut off from its cluster until one that shows it back. */
  get cutOff(): boolean {
    return this.#cutOff
  }

  /** Before the session subscribes. Throws `Unfit`, and what ends a session; any other trouble waits for the next round. */
  async prime(): Promise<void> {
    await this.#all([this.#question('leaf reboots', () => this.#leaves.prime()), this.#cluster])
  }

  /** Asks on until the session is over. Never rejects: what ends a session goes out by its own door. */
  async run(): Promise<void> {
    const { clock, config, signal, fail } = this.#core
    const questions = [this.#question('leaf reboots', () => this.#leaves.look()), this.#cluster]
    const round = async (): Promise<void> => {
      try {
        await this.#all(questions)
      } catch (error) {
        fail(error)
      }
    }
    const ms = Math.min(config.reconcile_interval, LONGEST_MS)
    const endWait = clock.after(TOO_MANY_MS, () => this.#adviseIfTooMany())
    try {
      await Promise.all([every(clock, ms, round, { signal, immediately: false }), this.#lookAtUse()])
    } finally {
      endWait()
    }
  }

  /** Says which settings help, when subscriptions still wait to be made. One that is made and reads its past does not. */
  #adviseIfTooMany(): void {
    const { watchers, keeper, report, source } = this.#core
    const feeds = watchers()
    const missing = feeds.filter(feed => !feed.refused).length - keeper.size
    if (this.#options.isSettled() || missing <= 0) return
    const most = `${missing} of ${feeds.length} subscriptions could not be made or kept within ${TOO_MANY_MS / 60_000} minutes`
    const text = `${most}: raise max_concurrency, give subscriptions a longer refresh_timeout, or have fewer of them`
    report({ type: 'advice', source: source.name, text })
  }

  /** A controller that keeps no subscription, and not because it refuses the questions, is left for a better one. */
  async #lookAtUse(): Promise<void> {
    const { clock, signal, watchers, keeper, fail } = this.#core
    let usefulAt = clock.now()
    const look = async (): Promise<void> => {
      // A subscription that is kept may still read its past, for however long: its leases run out where nothing works.
      if (keeper.size > 0 || watchers().every(feed => feed.refused)) usefulAt = clock.now()
      if (clock.now() - usefulAt < USELESS_MS || !this.#options.hasBetter()) return
      fail(new Unfit('subscription_lost', `no subscription was alive for ${USELESS_MS / 1000} s here`))
    }
    await every(clock, USELESS_MS / 4, look, { signal, immediately: false })
  }

  readonly #cluster = this.#question('the state of the cluster', () => this.#lookAtCluster())

  #question(subject: string, ask: () => Promise<void>): Question {
    return { subject, ask, disabled: false }
  }

  async #all(questions: readonly Question[]): Promise<void> {
    await Promise.all(questions.map(question => this.#put(question)))
  }

  async #put(question: Question): Promise<void> {
    if (question.disabled) return
    const { report, source, signal } = this.#core
    try {
      await question.ask()
    } catch (error) {
      if (signal.aborted || error instanceof Unfit || isSessionError(error)) throw error
      if (!(error instanceof Refused)) return
      question.disabled = true
      if (this.#memory.refused.has(question.subject)) return
      this.#memory.refused.add(question.subject)
      const text = `${question.subject} can't be watched with this account: ${describe(error)}`
      report({ type: 'advice', source: source.name, text })
    }
  }

  /**
   * It may have been cut off since right after the last look: what answers proved since then (refreshes, canaries,
   * comparisons with what is frozen) proves nothing.
   */
  #doubtProofs(): void {
    const { watchers, continuity } = this.#core
    if (this.#wellMs === undefined) return
    for (const { name } of watchers()) continuity.suspect(name, this.#wellMs)
  }

  async #lookAtCluster(): Promise<void> {
    const { report, source, doubt } = this.#core
    const askedMs = this.#core.fabricNow()
    const view = await readClusterView(this.#core)
    if (view === undefined) return
    const was = this.#cutOff
    this.#cutOff = isCutOff(view)
    const hiddenMs = this.#wellMs
    if (!this.#cutOff) this.#wellMs = askedMs
    else if (!was) this.#doubtProofs()
    const sees = `controller ${view.node} sees ${view.available} of ${view.members} controllers`
    const cutOff = `${sees}: it is cut off from its cluster, what it answers may be old`
    if (this.#cutOff && this.#options.hasBetter()) {
      throw new Unfit('session_lost', cutOff)
    }
    doubt('cluster', this.#cutOff ? cutOff : undefined)
    if (was === this.#cutOff) return
    const text = this.#cutOff
      ? `${sees}: what it answers may be old; no other controller is known to be better`
      : `${sees}: it is one of its cluster again`
    report({ type: 'advice', source: source.name, text })
    // What it did not push meanwhile it never will.
    if (!this.#cutOff) for (const feed of this.#core.watchers()) feed.remake('its controller was cut off', hiddenMs)
  }
}
