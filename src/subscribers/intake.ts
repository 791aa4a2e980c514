/** From a source's batch to the store: stamps, encodes, commits in one transaction, and tells what was new. */
import { hash } from 'node:crypto'
import { noticeRecord } from '../dead-letter.ts'
import { type Fact, type SourceRef, subjectOf } from '../event.ts'
import type { DeadLetter } from '../record.ts'
import type { Report } from '../report.ts'
import type { Clock } from '../scheduler/clock.ts'
import type { NewEvent, Store } from '../store/contract.ts'
import type { Batch } from './contract.ts'

export interface IntakeOptions {
  readonly ref: SourceRef
  readonly store: Store
  readonly clock: Clock
  readonly report: Report
  /** The source can't be asked again: it may fill the store past its limit. */
  readonly overdraft: boolean
}

const encoder = new TextEncoder()

export class Intake {
  readonly #options: IntakeOptions

  constructor(options: IntakeOptions) {
    this.#options = options
  }

  /** Resolves when the batch is durable. Waits while the store is full or failing; rejects only with the signal's reason. */
  async take(batch: Batch, signal: AbortSignal): Promise<void> {
    const { ref, store, clock, report, overdraft } = this.#options
    const start = clock.now()
    const recordedMs = clock.wall()
    const events = batch.facts.map(fact => this.#encode(fact, recordedMs))
    const appended = await store.append(
      {
        source: ref.name,
        feed: batch.feed,
        events,
        cursor: batch.cursor,
        mirror: batch.mirror,
        dead: batch.dead,
        rememberMs: batch.rememberMs,
        overdraft,
      },
      signal,
    )
    const facts = appended.fresh.map(index => batch.facts[index]).filter(fact => fact !== undefined)
    const duplicates = events.length - facts.length
    if (events.length > 0) {
      report({ type: 'appended', source: ref.name, feed: batch.feed, facts, duplicates, ms: clock.now() - start })
    }
    for (const { data } of facts) {
      if (data.gap === undefined) continue
      report({ type: 'gap', source: ref.name, feed: data.gap.feed, reason: data.gap.reason, summary: data.summary })
    }
    if (batch.dead !== undefined && batch.dead.length > 0)
      await this.#announceDead(batch, batch.dead, appended.deadKeys, signal)
  }

  #encode(fact: Fact, recordedMs: number): NewEvent {
    return {
      id: fact.id,
      subject: subjectOf(this.#options.ref, fact),
      partitionkey: fact.partitionkey,
      recordedMs,
      body: encoder.encode(JSON.stringify({ ...fact, recordedtime: new Date(recordedMs).toISOString() })),
    }
  }

  /** Tells the stream that something lies in the dead letters: never the content, which may hold anything. */
  async #announceDead(
    batch: Batch,
    dead: readonly DeadLetter[],
    keys: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const { ref, store, clock, report, overdraft } = this.#options
    const recordedMs = clock.wall()
    const events = dead.map((letter, index) => {
      const size = Buffer.byteLength(letter.content)
      const key = keys[index] ?? ''
      report({ type: 'dead_letter', source: ref.name, reason: letter.reason, bytes: size, key })
      const digest = hash('sha256', letter.content, 'hex')
      return noticeRecord({ source: ref.name, reason: letter.reason, atMs: recordedMs, size, digest, key })
    })
    await store.append({ source: ref.name, feed: batch.feed, events, overdraft }, signal)
  }
}
