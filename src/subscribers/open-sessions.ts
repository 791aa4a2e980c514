/** The sessions of one source that are open now: one, or two while one follows the other. */
import type { LeaseKind } from '../report.ts'
import type { Clock } from '../scheduler/clock.ts'
import type { Past, Session, Subscriber } from './contract.ts'
import type { SessionView } from './session-view.ts'

/** The session that reads now. */
export interface SessionAge {
  /** Since it was opened. */
  readonly ageSeconds: number
  /** Until its successor is opened; undefined for one that needs none. */
  readonly handOverSeconds: number | undefined
}

export interface Opened {
  readonly session: Session
  /** Who opened it: another one, since a reload, wants it followed. */
  readonly by: Subscriber
  /** What it says of its feeds. */
  readonly view: SessionView
  /** Monotonic ms. */
  readonly at: number
}

export class OpenSessions {
  readonly #clock: Clock
  /** In the order of their opening: the last one takes over. */
  readonly #all = new Set<Opened>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(opened: Opened): void {
    this.#all.add(opened)
  }

  delete(opened: Opened): void {
    this.#all.delete(opened)
  }

  /** Of the one that was opened last. */
  get past(): Past | undefined {
    return [...this.#all].at(-1)?.session.past
  }

  async close(): Promise<void> {
    await Promise.all([...this.#all].map(({ session }) => session.close()))
  }

  /** As `Runner.margins`. */
  margins(): Partial<Record<LeaseKind, number>> {
    const result: Partial<Record<LeaseKind, number>> = {}
    for (const { session } of this.#all) {
      for (const [kind, seconds] of Object.entries(session.margins()) as [LeaseKind, number][]) {
        result[kind] = Math.min(result[kind] ?? Number.POSITIVE_INFINITY, seconds)
      }
    }
    return result
  }

  /** As `Runner.feedMargins`. */
  feedMargins(): ReadonlyMap<string, number> {
    const result = new Map<string, number>()
    for (const { session } of this.#all) {
      for (const [feed, seconds] of session.feedMargins?.() ?? []) {
        result.set(feed, Math.max(result.get(feed) ?? Number.NEGATIVE_INFINITY, seconds))
      }
    }
    return result
  }

  /** Of the first in the row: while two overlap it is the one that is about to be followed. */
  age(): SessionAge | undefined {
    const now = this.#clock.now()
    const [opened] = this.#all
    if (opened === undefined) return undefined
    const { retireBy } = opened.session
    return {
      ageSeconds: (now - opened.at) / 1000,
      handOverSeconds: retireBy === undefined ? undefined : (retireBy - now) / 1000,
    }
  }
}
