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

/** A controller at which no subscription lives for so long is of no use, ms. */
const USELESS_MS = 120_000

/** What a source's sessions share of this. */
export interface LookoutMemory extends LeafMemory {
  /** What was already told about rights that are missing. */
  readonly refused: Set<string>
}

export function lookoutMemory(): LookoutMemory {
  return { boots: undefined, refused: new Set() }
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
  readonly #hasBetter: () => boolean
  readonly #leaves: LeafWatch
  #cutOff = false

  /** `hasBetter`: whether another controller was in no trouble lately. */
  constructor(core: Core, memory: LookoutMemory, hasBetter: () => boolean) {
    this.#core = core
    this.#memory = memory
    this.#hasBetter = hasBetter
    this.#leaves = new LeafWatch(core, memory)
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
    await Promise.all([every(clock, ms, round, { signal, immediately: false }), this.#lookAtUse()])
  }

  /** A controller at which nothing is live, and not by its refusal, is left for a better one. */
  async #lookAtUse(): Promise<void> {
    const { clock, signal, watchers, fail } = this.#core
    let usefulAt = clock.now()
    const look = async (): Promise<void> => {
      const feeds = watchers()
      if (feeds.some(feed => feed.live) || feeds.every(feed => feed.refused)) usefulAt = clock.now()
      if (clock.now() - usefulAt < USELESS_MS || !this.#hasBetter()) return
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

  async #lookAtCluster(): Promise<void> {
    const { report, source } = this.#core
    const view = await readClusterView(this.#core)
    if (view === undefined) return
    const was = this.#cutOff
    this.#cutOff = isCutOff(view)
    const sees = `controller ${view.node} sees ${view.available} of ${view.members} controllers`
    if (this.#cutOff && this.#hasBetter()) {
      throw new Unfit('session_lost', `${sees}: it is cut off from its cluster, and what it answers may be old`)
    }
    if (was === this.#cutOff) return
    const text = this.#cutOff
      ? `${sees}: what it answers may be old; no other controller is known to be better`
      : `${sees}: it is one of its cluster again`
    report({ type: 'advice', source: source.name, text })
  }
}
