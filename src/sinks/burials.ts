/** Events that no sink will ever take: out of the pump's way, into the store's dead letters. */
import { noticeRecord } from '../dead-letter.ts'
import type { Report } from '../report.ts'
import { type Clock, sleep } from '../scheduler/clock.ts'
import type { Store } from '../store/contract.ts'
import type { Entry } from './lanes.ts'

const RETRY_MS = 5000

const TOO_LARGE = 'too large for the sink: '

/** True for the reason of a letter that holds an event of ours, whole. */
export function isTooLarge(reason: string): boolean {
  return reason.startsWith(TOO_LARGE)
}

export interface BurialsOptions {
  readonly store: Store
  readonly clock: Clock
  readonly report: Report
  readonly signal: AbortSignal
  /** The entry is a durable dead letter now, and its notice stands in the store like any event. */
  readonly onBuried: (entry: Entry) => void
}

export class Burials {
  readonly #options: BurialsOptions
  readonly #pending = new Set<Promise<void>>()

  constructor(options: BurialsOptions) {
    this.#options = options
  }

  /** Begins a burial. A store that can't take it now is asked again until the signal aborts. */
  begin(entry: Entry): void {
    const burial = this.#bury(entry).finally(() => this.#pending.delete(burial))
    this.#pending.add(burial)
  }

  /** Resolves when those begun so far are over. */
  async finished(): Promise<void> {
    await Promise.all(this.#pending)
  }

  async #bury(entry: Entry): Promise<void> {
    const { store, report, clock, signal, onBuried } = this.#options
    const { record } = entry
    const source = record.subject.split('.')[1] ?? 'unknown'
    const size = record.body.length
    const reason = `${TOO_LARGE}${size} bytes`
    while (!signal.aborted) {
      try {
        const key = await store.bury(record, reason, noticeRecord)
        report({ type: 'dead_letter', source, reason, bytes: size, key })
        onBuried(entry)
        return
      } catch {
        // The store reports its own trouble; the row stays where it is.
        await sleep(clock, RETRY_MS, signal).catch(() => undefined)
      }
    }
  }
}
