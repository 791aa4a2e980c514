/** What a source can be asked for again, held against the stream: what it lacks goes there, whatever the store knows. */

import { Fatal, Retryable } from '../errors.ts'
import type { Found } from '../subscribers/contract.ts'
import { Intake } from '../subscribers/intake.ts'
import { tooLarge } from './letters.ts'
import type { ReplaySource, Run } from './replayer.ts'
import type { SourceTally } from './tally.ts'

/** Facts held against the stream at once: each time its headers are read from then to now. */
const CHECK = 10_000
/** Facts in one commit. */
const CHUNK = 500
/** Clocks differ a little: the stream is read from this much earlier. */
const MARGIN_MS = 600_000

interface Waiting extends Found {
  readonly feed: string
}

/** One source after the other. What goes wrong with one is its own matter, unless nothing can be asked of the stream. */
export async function readSince(run: Run): Promise<void> {
  const { wish, sources, store, signal } = run
  for (const source of sources()) {
    const { name } = source.subscriber.ref
    if (wish.source !== undefined && wish.source !== name) continue
    const tally = run.tally(name)
    try {
      await readSource(run, source, tally)
    } catch (error) {
      tally.failed(error)
    }
    signal.throwIfAborted()
  }
  await run.delivered(store.stats().lastSeq)
}

async function readSource(run: Run, source: ReplaySource, tally: SourceTally): Promise<void> {
  const { wish, signal } = run
  const { ref } = source.subscriber
  await run.tell({ type: 'progress', phase: 'reading', source: ref.name, read: 0, sent: 0 })
  const visit = await source.visit(signal)
  try {
    const sieve = new Sieve(run, source, tally)
    tally.notes.push(...visit.past.unaskable)
    const remarks = await visit.past.reread(wish.sinceMs, signal, async (feed, found, rememberMs) => {
      signal.throwIfAborted()
      await sieve.take(feed, found, rememberMs)
      await run.tell({ type: 'progress', phase: 'reading', source: ref.name, read: tally.read, sent: tally.sent })
    })
    tally.notes.push(...remarks)
    await sieve.flush()
    await sieve.verify()
  } finally {
    await visit.close()
  }
}

/** Gathers facts and sends those that the stream lacks. */
class Sieve {
  readonly #run: Run
  readonly #tally: SourceTally
  readonly #intake: Intake
  readonly #source: string
  #waiting: Waiting[] = []
  #rememberMs: number | undefined
  /** Ids that were sent and not looked for since, and the wall time before the first of them went. */
  #sent: string[] = []
  #sentMs = 0

  constructor(run: Run, { subscriber }: ReplaySource, tally: SourceTally) {
    const { store, clock, report } = run
    this.#run = run
    this.#tally = tally
    this.#source = subscriber.ref.name
    this.#intake = new Intake({ ref: subscriber.ref, store, clock, report, overdraft: false })
  }

  async take(feed: string, found: readonly Found[], rememberMs: number | undefined): Promise<void> {
    this.#rememberMs = rememberMs
    this.#tally.read += found.length
    for (const one of found) this.#waiting.push({ ...one, feed })
    if (this.#waiting.length >= CHECK) await this.flush()
  }

  async flush(): Promise<void> {
    const waiting = new Map(this.#waiting.map(one => [one.fact.id, one]))
    // Pages touch: what was read twice is one fact.
    this.#tally.read -= this.#waiting.length - waiting.size
    this.#waiting = []
    if (waiting.size === 0) return
    await this.verify()
    const { store, sink, wish, signal, clock } = this.#run
    // What the store holds so far is in the stream before the stream is asked. What comes meanwhile is seen at the commit.
    const { lastSeq } = store.stats()
    await this.#run.delivered(lastSeq)
    const ids = [...waiting.values()].flatMap(({ fact, sameAs = [] }) => [fact.id, ...sameAs])
    const held = await sink.stored(ids, wish.sinceMs - MARGIN_MS)
    // It may have been made anew, with another retention, since this began.
    if (!sink.remembers) throw new Fatal('sink', 'the stream can not tell any more what it was given')
    const lacking = [...waiting.values()].filter(
      ({ fact, sameAs = [] }) => ![fact.id, ...sameAs].some(id => held.has(id)),
    )
    this.#tally.known += waiting.size - lacking.length
    const buried = await this.#buried(lacking.map(({ fact }) => fact.id))
    this.#sentMs = clock.wall()
    for (const [feed, found] of Map.groupBy(
      lacking.filter(({ fact }) => !buried.has(fact.id)),
      one => one.feed,
    )) {
      for (let at = 0; at < found.length; at += CHUNK)
        await this.#send(feed, found.slice(at, at + CHUNK), lastSeq, signal)
    }
  }

  /**
   * Looks for what was sent: a stream that was purged still takes for duplicates, and drops, what it had within its
   * `duplicate_window`; an acknowledgement does not tell.
   */
  async verify(): Promise<void> {
    const sent = this.#sent
    if (sent.length === 0) return
    const { store, sink } = this.#run
    await this.#run.delivered(store.stats().lastSeq)
    const held = await sink.stored(sent, this.#sentMs - MARGIN_MS)
    this.#sent = []
    const missing = sent.filter(id => !held.has(id))
    this.#tally.sent -= missing.length
    const lost = missing.length - (await this.#buried(missing)).size
    if (lost === 0) return
    const why =
      'the server took them for duplicates (a purge within duplicate_window: ask again when that is over), or they have left it again'
    this.#tally.failed(new Retryable('sink', `${lost} events were acknowledged and are not in the stream: ${why}`))
  }

  /** Which of these the sink found too large; told as dead. A second letter for one of them would be of no use. */
  async #buried(ids: readonly string[]): Promise<Set<string>> {
    const found = new Set<string>()
    if (ids.length === 0) return found
    const wanted = new Set(ids)
    for await (const { id } of tooLarge(this.#run.store, { source: this.#source })) {
      if (wanted.has(id)) found.add(id)
    }
    for (const _ of found) this.#tally.count('dead', 'too large for the sink: it lies among the dead letters')
    return found
  }

  async #send(feed: string, found: readonly Found[], againAfter: number, signal: AbortSignal): Promise<void> {
    const rememberMs = this.#rememberMs
    const tally = this.#tally
    const appended = (fresh: readonly number[]): void => {
      tally.sent += fresh.length
      for (const index of fresh) this.#sent.push(found[index]?.fact.id ?? '')
      tally.known += found.length - fresh.length
    }
    const batch = {
      feed,
      facts: found.map(({ fact }) => fact),
      appended,
      ...(rememberMs === undefined ? {} : { rememberMs }),
    }
    await this.#intake.take(batch, signal, { againAfter })
  }
}
