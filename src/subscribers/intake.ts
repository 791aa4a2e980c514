/** From a source's batch to the store: stamps, encodes, commits in one transaction, and tells what was new. */
import { noticeRecord } from '../dead-letter.ts'
import type { Brief, SourceRef } from '../event.ts'
import type { Cursor } from '../record.ts'
import type { Report } from '../report.ts'
import type { Clock } from '../scheduler/clock.ts'
import type { Append, Store } from '../store/contract.ts'
import type { Batch } from './contract.ts'
import { lostAtMs } from './first-contact.ts'
import { speller, takenDown } from './spelt.ts'

export interface IntakeOptions {
  readonly ref: SourceRef
  readonly store: Store
  readonly clock: Clock
  readonly report: Report
  /** The source can't be asked again: it may fill the store past its limit. */
  readonly overdraft: boolean
}

/** A gap is found by a resync too, but it is the contrary of a fact that was recovered. */
const isRecovered = ({ origin, data }: Brief): boolean => origin === 'resync' && data.kind !== 'gap'

export class Intake {
  readonly #options: IntakeOptions
  /** As `OpenContext`. */
  readonly spell: ReturnType<typeof speller>

  constructor(options: IntakeOptions) {
    this.#options = options
    this.spell = speller(options.ref)
  }

  /** Resolves when the batch is durable. Waits while the store is full or failing; rejects only with the signal's reason. */
  async take(batch: Batch, signal: AbortSignal, replay: Pick<Append, 'letters' | 'againAfter'> = {}): Promise<void> {
    const { ref, store, clock, report, overdraft } = this.#options
    const start = clock.now()
    const recordedMs = clock.wall()
    const recordedtime = new Date(recordedMs).toISOString()
    const spelt = [...batch.facts.map(this.spell), ...(batch.spelt ?? [])]
    const events = spelt.map(one => takenDown(one, recordedMs, recordedtime))
    const appended = await store.append(
      {
        source: ref.name,
        feed: batch.feed,
        events,
        cursor: batch.cursor,
        mirror: batch.mirror,
        dead: batch.dead,
        notice: noticeRecord,
        rememberMs: batch.rememberMs,
        overdraft,
        ...replay,
      },
      signal,
    )
    batch.appended?.(appended.fresh)
    const facts = appended.fresh.map(index => spelt[index]?.brief).filter(fact => fact !== undefined)
    const duplicates = events.length - facts.length
    if (events.length > 0) {
      report({ type: 'appended', source: ref.name, feed: batch.feed, facts, duplicates, ms: clock.now() - start })
    }
    if (batch.cursor !== undefined) {
      report({ type: 'feed_cursor', source: ref.name, feed: batch.feed, cursor: batch.cursor })
    }
    const recovered = batch.countRecovered === true ? facts.filter(isRecovered).length : 0
    if (recovered > 0) report({ type: 'feed_recovered', source: ref.name, feed: batch.feed, count: recovered })
    for (const { data } of facts) {
      if (data.gap === undefined) continue
      report({ type: 'gap', source: ref.name, feed: data.gap.feed, reason: data.gap.reason, summary: data.summary })
    }
    for (const [index, { reason, content }] of (batch.dead ?? []).entries()) {
      const key = appended.deadKeys[index] ?? ''
      report({ type: 'dead_letter', source: ref.name, reason, bytes: Buffer.byteLength(content), key })
    }
  }

  /** Where the feed stands, as committed. Who asks for it goes on from there, so that is told. */
  cursor(feed: string): Cursor | undefined {
    const { ref, store, report } = this.#options
    const cursor = store.cursor(ref.name, feed)
    if (cursor !== undefined) report({ type: 'feed_cursor', source: ref.name, feed, cursor })
    return cursor
  }

  /** As `OpenContext`. */
  lostAtMs(): number | undefined {
    return lostAtMs(this.#options.store, this.#options.ref.name)
  }
}
