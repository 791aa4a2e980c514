/**
 * A sink that went back in time gets again what it lacks of all that the store still has. Until that is done nothing is
 * written down of where the sink is now: a process that dies before finds it all out again.
 */
import { nextTurn } from '../scheduler/clock.ts'
import type { EventKey } from '../store/contract.ts'
import type { Setback } from './contract.ts'
import { lookBackFrom } from './look-back.ts'
import type { PumpOptions } from './pump-contract.ts'

/** Keys read from the store in one go, and ids looked up in the sink in one go. */
const PAGE = 4096
const AT_ONCE = 65_536

export interface Lack {
  /** The sink has everything up to here. */
  readonly floor: number
  /** Rows beyond the floor that it has. */
  readonly held: readonly EventKey[]
}

interface Found extends Lack {
  /** Undefined when the sink only is not through yet with what an earlier one cost it. */
  readonly setback: Setback | undefined
  /** Everything up to here was acknowledged before. */
  readonly acked: number
  /** How many of those it lacks. */
  readonly lacking: number
}

export class Rewind {
  readonly #options: PumpOptions
  readonly #onTold: () => void
  /** Seen, and what it lacks is not yet known. */
  #setback: Setback | undefined
  /** What was acknowledged before the sink went back; until the floor is there again it only gets what it had. */
  #goal: number | undefined
  /** No row beyond this was ever sent. */
  #sent = 0
  /** Between the question where the sink is and what comes of it nothing is written down: its mark may be the new one already. */
  #asking = false
  /** Losses that are being announced. */
  #untold = 0
  #open = false

  /** `onTold`: `settle` has something to do. Acked rows are held until the first `opened`. */
  constructor(options: PumpOptions, onTold: () => void) {
    this.#options = options
    this.#onTold = onTold
    options.store.holdAcked(true)
  }

  /**
   * Undefined when the sink has all that was acknowledged, which is everything up to `ackedThrough`. Else what it has of
   * all that may ever have been sent, looked up by id. Nothing may be sent meanwhile: what is sent stands at the end of the
   * stream, and would have to be read with every part. Changes nothing; asked again, it finds the same. A line that broke
   * before the sink had it all is reason enough to look anew: it may have been given a newer copy meanwhile. Rejects when
   * store or sink can't be read.
   */
  async find(ackedThrough: number, sentThrough: () => number): Promise<Found | undefined> {
    const { store, sink } = this.#options
    this.#asking = true
    this.#setback = (await sink.compare(store.marks())) ?? this.#setback
    this.#sent = Math.max(this.#sent, sentThrough())
    if (this.#setback === undefined && this.#goal === undefined) {
      this.#asking = false
      return undefined
    }
    store.holdAcked(true, true)
    const setback = this.#setback
    const acked = Math.max(ackedThrough, store.floor, this.#goal ?? 0)
    const sent = this.#sent
    const held: EventKey[] = []
    let floor: number | undefined
    let lacking = 0
    for (let after = 0; ; ) {
      const keys = await this.#keys(after, sent)
      const last = keys.at(-1)
      if (last === undefined) return { floor: floor ?? sent, held, setback, acked, lacking }
      after = last.seq
      const has = await this.#lookUp(keys)
      for (const key of keys) {
        if (has.has(key.id)) {
          if (floor !== undefined) held.push(key)
          continue
        }
        floor ??= key.seq - 1
        if (key.seq <= acked) lacking++
      }
    }
  }

  /** What was found is sent from now on. */
  begin({ setback, acked, lacking }: Found): void {
    const { sink, report } = this.#options
    this.#setback = undefined
    this.#asking = false
    this.#goal = acked
    if (setback === undefined) return
    report({ type: 'sink_setback', sink: sink.name, detail: setback.detail, lacking, whole: setback.whole })
    if (!setback.whole) this.#announce(setback.leftMs)
  }

  /** Everything up to `floor` is in the sink. */
  settle(floor: number): void {
    const { store, sink } = this.#options
    if (this.#asking) return
    const hasAll = this.#goal !== undefined && floor >= this.#goal
    if (hasAll) store.holdAcked(true)
    const isDone = hasAll && this.#untold === 0
    if (!isDone && floor <= store.floor) return
    // All that it got again stays for the whole time again, whatever came in with the last of it.
    if (isDone && floor > store.floor) store.settle(store.floor, sink.mark)
    store.settle(floor, this.#untold > 0 ? undefined : sink.mark)
    if (!isDone) return
    this.#goal = undefined
    if (this.#open) store.holdAcked(false)
  }

  /** The sink is open, and has, or gets, all it had. */
  opened(): void {
    this.#open = true
    if (this.#goal === undefined) this.#options.store.holdAcked(false)
  }

  lost(): void {
    this.#open = false
    // What it lacks it lacks all the same.
    this.#options.store.holdAcked(true, this.#setback !== undefined || this.#goal !== undefined)
  }

  async #keys(after: number, through: number): Promise<EventKey[]> {
    const { store } = this.#options
    const keys: EventKey[] = []
    while (keys.length < AT_ONCE) {
      const page = store.ids(keys.at(-1)?.seq ?? after, PAGE).filter(key => key.seq <= through)
      keys.push(...page)
      if (page.length < PAGE) break
      await nextTurn()
    }
    return keys
  }

  async #lookUp(keys: readonly EventKey[]): Promise<ReadonlySet<string>> {
    const { sink, clock } = this.#options
    const recordedMs = keys.map(key => key.recordedMs)
    const ids = keys.map(key => key.id)
    return sink.stored(ids, lookBackFrom(recordedMs, clock.wall()))
  }

  #announce(leftMs: number | undefined): void {
    const { store, clock, onForgotten } = this.#options
    if (onForgotten === undefined) return
    const toMs = store.ids(0, 1)[0]?.recordedMs ?? clock.wall()
    this.#untold++
    onForgotten({ fromMs: leftMs, toMs }).then(
      () => {
        this.#untold--
        this.#onTold()
      },
      // The store is closed: the next process finds it out again.
      () => undefined,
    )
  }
}
