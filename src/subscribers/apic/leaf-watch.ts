/**
 * Leaf switches that reboot or join. What a leaf feeds to a subscription ends there without a word: the subscription is
 * refreshable, and mute for that leaf (reference a7, b16). So the time of each leaf's last reboot is asked for now and
 * then, and when one has changed, the subscriptions that a leaf may feed are made anew.
 */
import { sleep } from '../../scheduler/clock.ts'
import type { Core } from './core.ts'
import { mayBeLeafSourced } from './leaf-sourced.ts'

/** One query, of leaves only; what it costs grows with the fabric, not with the subscriptions. */
const QUESTION = '/api/class/topSystem.json?query-target-filter=eq(topSystem.role,"leaf")'

/** What is known of the leaves: dn of each one's `topSystem`, and when it booted, ms since the epoch. */
export type Boots = ReadonlyMap<string, number>

/** The last reading, kept over sessions: a reboot between two of them is a reboot. */
export interface LeafMemory {
  boots: Boots | undefined
}

/** The leaves that booted or came since `before`. One that is away, rebooting perhaps, keeps its last known time. */
export function changedLeaves(before: Boots, now: Boots): string[] {
  return [...now].filter(([dn, boot]) => before.get(dn) !== boot).map(([dn]) => dn)
}

export class LeafWatch {
  readonly #core: Core
  readonly #memory: LeafMemory
  /** What this session's subscriptions were made with. Each session has its own: two of them may overlap. */
  #seen: Boots | undefined
  /** When that was read, by the fabric's clock. */
  #seenMs: number | undefined

  constructor(core: Core, memory: LeafMemory) {
    this.#core = core
    this.#memory = memory
    this.#seen = memory.boots
  }

  /** Before the session subscribes: what is subscribed from now on hears every leaf that is there now. */
  async prime(): Promise<void> {
    this.#seenMs = this.#core.fabricNow()
    const found = await this.#ask()
    this.#seen = found
    this.#memory.boots = found
  }

  /** Looks once, and has made anew what a leaf that booted may have fed. Throws what the question throws, or the signal. */
  async look(): Promise<void> {
    const { report, source, signal, clock, tuning } = this.#core
    const askedMs = this.#core.fabricNow()
    const found = await this.#ask()
    const before = this.#seen
    const sinceMs = this.#seenMs
    this.#seenMs = askedMs
    const known: Boots = new Map([...(before ?? []), ...found])
    this.#seen = known
    this.#memory.boots = known
    const changed = before === undefined ? [] : changedLeaves(before, found)
    if (changed.length === 0) return
    const which = changed.slice(0, 3).map(dn => dn.replace(/\/sys$/, ''))
    const what = `${which.join(', ')}${changed.length > which.length ? ' and others' : ''} booted or joined`
    const fed = this.#core.watchers().filter(feed => mayBeLeafSourced(feed.query))
    report({
      type: 'advice',
      source: source.name,
      text: `${what}: ${fed.length} subscriptions that leaves may feed are made anew`,
    })
    for (const feed of fed) {
      feed.remake(what, sinceMs)
      // No faster than the pace lets them be made: what waits for its turn need not be given up yet.
      await sleep(clock, 2 * tuning.spacingMs, signal)
    }
  }

  async #ask(): Promise<Boots> {
    const { client, signal } = this.#core
    const answer = await client.get(encodeURI(QUESTION), 'query', signal)
    const boots = new Map<string, number>()
    for (const { cls, attributes } of answer.objects) {
      // An instant, not its spelling: the fabric's display zone may be changed.
      const boot = Date.parse(attributes['lastRebootTime'] ?? '')
      if (cls === 'topSystem' && attributes['dn'] !== undefined && !Number.isNaN(boot))
        boots.set(attributes['dn'], boot)
    }
    return boots
  }
}
