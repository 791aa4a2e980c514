/**
 * What the socket and the reads found, on its way to the runner: grouped by feed, cut into commits of bounded size.
 * Never unbounded: from `HIGH` on the socket is paused and reads wait, until the store has taken what is above `LOW`.
 */
import type { Fact } from '../../event.ts'
import type { Cursor, DeadLetter, MirrorChange } from '../../record.ts'
import { nextTurn } from '../../scheduler/clock.ts'
import type { BatchQueue } from '../batch-queue.ts'
import type { Batch, OpenContext } from '../contract.ts'
import type { Spelt } from '../spelt.ts'

export interface Item {
  readonly fact?: Fact | undefined
  readonly mirror?: MirrorChange | undefined
  readonly dead?: DeadLetter | undefined
}

/** As it waits. */
interface Kept extends Item {
  readonly spelt?: Spelt | undefined
}

interface Part {
  /** With the feed that added it, and the object whose order holds. */
  items: { readonly item: Kept; readonly feed: string; readonly key: string | undefined }[]
  cursor: Cursor | undefined
}

/** Items in one commit: a larger one would hold up the event loop. */
const COMMIT_ITEMS = 512
const HIGH = 4096
const LOW = 3072

export class Outbox {
  readonly #queue: BatchQueue
  readonly #onHigh: () => void
  readonly #onLow: () => void
  readonly #spell: OpenContext['spell']
  readonly #parts = new Map<string, Part>()
  readonly #done: Promise<void>
  /** The feed in whose part something of an object waits. */
  readonly #hostOf = new Map<string, { readonly host: string; count: number }>()
  #items = 0
  #high = false
  #ended = false
  #wake: (() => void) | undefined
  #roomWaiters: (() => void)[] = []
  /** The feed of the batch that is being committed. */
  #pushing: string | undefined
  /** How much a feed has in parts of others. */
  readonly #stays = new Map<string, number>()
  #pushWaiters: (() => void)[] = []

  /** `onHigh` and `onLow` alternate: stop the socket, let it run again. */
  constructor(queue: BatchQueue, onHigh: () => void, onLow: () => void, spell?: OpenContext['spell']) {
    this.#queue = queue
    this.#onHigh = onHigh
    this.#onLow = onLow
    this.#spell = spell
    this.#done = this.#run()
  }

  /** Between `onHigh` and `onLow`. */
  get full(): boolean {
    return this.#high
  }

  /** Adds one thing; the cursor covers everything added by this feed before it and goes out with or after the last of them. */
  add(feed: string, item: Item | undefined, cursor?: Cursor): void {
    if (this.#ended) return
    if (item !== undefined) {
      const key = item.mirror?.key ?? item.fact?.partitionkey
      const known = key === undefined ? undefined : this.#hostOf.get(key)
      const host = known?.host ?? feed
      this.#partOf(host).items.push({ item: this.#kept(item), feed, key })
      if (host !== feed) this.#stays.set(feed, (this.#stays.get(feed) ?? 0) + 1)
      if (known !== undefined) known.count++
      else if (key !== undefined) this.#hostOf.set(key, { host, count: 1 })
      this.#items++
    }
    if (cursor !== undefined) this.#partOf(feed).cursor = cursor
    this.#wake?.()
    if (!this.#high && this.#items >= HIGH) {
      this.#high = true
      this.#onHigh()
    }
  }

  /** Thousands wait at a time in a flood: as objects they would outlive their youth, and cost V8 more than all else. */
  #kept(item: Item): Kept {
    if (item.fact === undefined || this.#spell === undefined) return item
    return { spelt: this.#spell(item.fact), mirror: item.mirror, dead: item.dead }
  }

  #partOf(feed: string): Part {
    let part = this.#parts.get(feed)
    if (part === undefined) {
      part = { items: [], cursor: undefined }
      this.#parts.set(feed, part)
    }
    return part
  }

  /** Resolves when a read may add more. */
  async room(): Promise<void> {
    if (this.#high && !this.#ended) await new Promise<void>(resolve => this.#roomWaiters.push(resolve))
  }

  /** Resolves when everything that this feed has added so far was committed (or the runner walked away). */
  async flushed(feed: string): Promise<void> {
    while (this.#parts.has(feed) || this.#pushing === feed || this.#stays.has(feed)) {
      await new Promise<void>(resolve => this.#pushWaiters.push(resolve))
    }
  }

  /** Resolves when everything added so far was committed (or the runner walked away). Nothing can be added after. */
  async end(): Promise<void> {
    this.#ended = true
    this.#wake?.()
    for (const waiter of this.#roomWaiters.splice(0)) waiter()
    await this.#done
  }

  /** What has items, or a cursor that waits for nothing its feed has in the parts of others. */
  #next(): [feed: string, part: Part] | undefined {
    for (const entry of this.#parts) {
      const [feed, part] = entry
      if (part.items.length > 0 || !this.#stays.has(feed)) return entry
    }
    return undefined
  }

  #leave(guest: string): void {
    const left = (this.#stays.get(guest) ?? 1) - 1
    if (left === 0) this.#stays.delete(guest)
    else this.#stays.set(guest, left)
  }

  async #run(): Promise<void> {
    for (;;) {
      const first = this.#next()
      if (first === undefined) {
        if (this.#ended) return
        await new Promise<void>(resolve => {
          this.#wake = resolve
        })
        this.#wake = undefined
        // The frames that arrived together belong into one commit.
        await nextTurn()
        continue
      }
      const [feed, part] = first
      const items = part.items.splice(0, COMMIT_ITEMS)
      const cursor = part.items.length === 0 && !this.#stays.has(feed) ? part.cursor : undefined
      // Last in the row next time, so that one loud feed does not starve the others.
      this.#parts.delete(feed)
      if (part.items.length > 0 || cursor !== part.cursor) this.#parts.set(feed, part)
      for (const { key } of items) {
        if (key === undefined) continue
        const known = this.#hostOf.get(key)
        if (known !== undefined && --known.count === 0) this.#hostOf.delete(key)
      }
      this.#pushing = feed
      await this.#queue.push(
        batchOf(
          feed,
          items.map(one => one.item),
          cursor,
        ),
      )
      this.#pushing = undefined
      for (const one of items) if (one.feed !== feed) this.#leave(one.feed)
      for (const waiter of this.#pushWaiters.splice(0)) waiter()
      this.#items -= items.length
      if (this.#high && this.#items <= LOW) {
        this.#high = false
        for (const waiter of this.#roomWaiters.splice(0)) waiter()
        this.#onLow()
      }
    }
  }
}

function batchOf(feed: string, items: readonly Kept[], cursor: Cursor | undefined): Batch {
  const facts: Fact[] = []
  const spelt: Spelt[] = []
  const mirror: MirrorChange[] = []
  const dead: DeadLetter[] = []
  for (const item of items) {
    if (item.fact !== undefined) facts.push(item.fact)
    if (item.spelt !== undefined) spelt.push(item.spelt)
    if (item.mirror !== undefined) mirror.push(item.mirror)
    if (item.dead !== undefined) dead.push(item.dead)
  }
  return { feed, facts, spelt, mirror, dead, countRecovered: true, ...(cursor === undefined ? {} : { cursor }) }
}
