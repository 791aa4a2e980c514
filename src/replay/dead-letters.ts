/** The dead letters, read once more: what is understood now becomes events in the commit that takes the letter away. */
import { describe } from '../errors.ts'
import type { Fact, OpsEvent } from '../event.ts'
import type { MirrorChange } from '../record.ts'
import { nextTurn } from '../scheduler/clock.ts'
import { isTooLarge } from '../sinks/burials.ts'
import type { StoredDeadLetter } from '../store/contract.ts'
import type { Replayable, Revived } from '../subscribers/contract.ts'
import { Intake } from '../subscribers/intake.ts'
import { nextLetters, tooLarge } from './letters.ts'
import type { Run } from './replayer.ts'

/** The store knows the ids of what was told since a letter of this age was written; after that only the stream can tell. */
const YOUNG_MS = 24 * 3_600_000
/** Clocks differ a little: the stream is read from this much earlier than the oldest letter. */
const MARGIN_MS = 600_000

/** What letters of one source and feed have come to. */
interface Group {
  readonly source: Replayable
  readonly feed: string
  /** Events that the sink refused once: the store knows their ids. */
  readonly again: boolean
  /** The stream may have got them since, and only it can tell. */
  readonly doubtful: boolean
  readonly facts: Fact[]
  readonly mirror: MirrorChange[]
  readonly gone: string[]
  readonly kept: { key: string; reason: string }[]
}

const NONE: ReadonlySet<string> = new Set()

export class DeadLetters {
  readonly #run: Run
  /** Events that go to the sink once more, by id. */
  readonly #again = new Set<string>()
  /** Seq of the store's last event before the first of them went. */
  readonly #before: number
  #looked = 0
  #sent = 0

  constructor(run: Run) {
    this.#run = run
    this.#before = run.store.stats().lastSeq
  }

  async go(): Promise<void> {
    const { store, wish, signal } = this.#run
    // Letters that come while this runs are not looked at.
    const newest = Number(store.deadLetters(1, { newestFirst: true })[0]?.key ?? 0)
    const only = wish.source === undefined ? {} : { source: wish.source }
    let left = wish.limit ?? Number.POSITIVE_INFINITY
    for (let after = '0'; left > 0; ) {
      signal.throwIfAborted()
      const letters = nextLetters(store, left, { ...only, after }).filter(({ key }) => Number(key) <= newest)
      const last = letters.at(-1)
      if (last === undefined) break
      if (wish.what === 'list') await this.#show(letters)
      else await this.#take(letters)
      after = last.key
      left -= letters.length
    }
    if (wish.what === 'list') return
    await this.#run.delivered(store.stats().lastSeq)
    await this.#countBuriedAgain(newest)
  }

  async #show(letters: readonly StoredDeadLetter[]): Promise<void> {
    for (const { key, source, feed, reason, atMs, bytes } of letters) {
      await this.#run.tell({ type: 'letter', key, source, feed, reason, bytes, at: new Date(atMs).toISOString() })
    }
  }

  async #take(letters: readonly StoredDeadLetter[]): Promise<void> {
    const groups = new Map<string, Group>()
    for (const letter of letters) {
      const source = this.#run.sources().find(({ subscriber }) => subscriber.ref.name === letter.source)?.subscriber
      const tally = this.#run.tally(letter.source)
      tally.read++
      this.#looked++
      if (source === undefined) {
        tally.count('dead', 'no source of this name is in the config')
        continue
      }
      const [{ feed }, again] = [letter, isTooLarge(letter.reason)]
      const revived = await this.#read(source, letter)
      // A new version of an object was never told: its id follows from the mirror.
      const isOld = letter.atMs < this.#run.clock.wall() - YOUNG_MS
      const doubtful = revived.facts.length > 0 && (revived.mirror ?? []).length === 0 && (again || isOld)
      const key = JSON.stringify([letter.source, feed, again, doubtful])
      const group = groups.get(key) ?? { source, feed, again, doubtful, facts: [], mirror: [], gone: [], kept: [] }
      groups.set(key, group)
      this.#sort(group, letter, revived)
    }
    // What was read has moved a mirror perhaps: it is committed, whoever stops waiting meanwhile.
    const [sure, doubtful] = [false, true].map(is => [...groups.values()].filter(group => group.doubtful === is))
    for (const group of sure ?? []) await this.#commit(group, NONE)
    if (doubtful !== undefined && doubtful.length > 0) {
      const held = await this.#held(doubtful, Math.min(...letters.map(({ atMs }) => atMs)))
      for (const group of doubtful) await this.#commit(group, held)
    }
    await this.#run.tell({ type: 'progress', phase: 'reading', source: null, read: this.#looked, sent: this.#sent })
    await nextTurn()
  }

  async #read(source: Replayable, letter: StoredDeadLetter): Promise<Revived> {
    const { clock, store } = this.#run
    try {
      if (isTooLarge(letter.reason)) return this.#fromSink(letter)
      return await source.revive(letter, { clock, mirror: store.mirror(letter.source) })
    } catch (error) {
      return { facts: [], dead: `bug: ${describe(error)}` }
    }
  }

  /** The sink may take more than it did: the event as it was, but for when it is taken down. */
  #fromSink({ content }: StoredDeadLetter): Revived {
    const { recordedtime: _, ...fact } = JSON.parse(content) as OpsEvent
    this.#again.add(fact.id)
    return { facts: [{ ...fact, origin: 'backfill' }] }
  }

  #sort(group: Group, letter: StoredDeadLetter, { facts, mirror = [], superseded, dead }: Revived): void {
    const tally = this.#run.tally(letter.source)
    group.facts.push(...facts)
    group.mirror.push(...mirror)
    if (dead !== undefined) {
      tally.count('dead', dead)
      if (dead !== letter.reason) group.kept.push({ key: letter.key, reason: dead })
      return
    }
    group.gone.push(letter.key)
    if (facts.length > 0) tally.count('replayed', letter.reason)
    else tally.count('superseded', superseded ?? 'it tells nothing')
  }

  /** Which of these the stream has. What the store holds is in there before it is asked. */
  async #held(groups: readonly Group[], sinceMs: number): Promise<ReadonlySet<string>> {
    const { store, sink } = this.#run
    await this.#run.delivered(store.stats().lastSeq)
    const ids = groups.flatMap(({ facts }) => facts.map(({ id }) => id))
    return sink.stored(ids, sinceMs - MARGIN_MS)
  }

  async #commit(
    { source, feed, again, facts: all, mirror, gone, kept }: Group,
    held: ReadonlySet<string>,
  ): Promise<void> {
    const { store, clock, report } = this.#run
    const tally = this.#run.tally(source.ref.name)
    const facts = all.filter(({ id }) => !held.has(id))
    tally.known += all.length - facts.length
    const intake = new Intake({ ref: source.ref, store, clock, report, overdraft: true })
    const appended = (fresh: readonly number[]): void => {
      tally.sent += fresh.length
      tally.known += facts.length - fresh.length
      this.#sent += fresh.length
    }
    const how = { letters: { gone, kept }, ...(again ? { againAfter: this.#before } : {}) }
    await intake.take({ feed, facts, mirror, appended }, this.#run.end, how)
  }

  async #countBuriedAgain(newest: number): Promise<void> {
    const { store, wish } = this.#run
    if (this.#again.size === 0) return
    const only = wish.source === undefined ? {} : { source: wish.source }
    for await (const { source, id } of tooLarge(store, { ...only, after: String(newest) })) {
      if (!this.#again.has(id)) continue
      const tally = this.#run.tally(source)
      tally.sent--
      tally.count('dead', 'still too large for the sink: it lies under a new key')
    }
  }
}
