/**
 * What the socket and the reads found, on its way to the runner: grouped by feed, cut into commits of bounded size.
 * Never unbounded: above `HIGH` the socket is paused and reads wait, until the store has taken most of it.
 */
import type { Fact } from '../../event.ts'
import type { Cursor, DeadLetter, MirrorChange } from '../../record.ts'
import { nextTurn } from '../../scheduler/clock.ts'
import type { BatchQueue } from '../batch-queue.ts'
import type { Batch } from '../contract.ts'

export interface Item {
  readonly fact?: Fact | undefined
  readonly mirror?: MirrorChange | undefined
  readonly dead?: DeadLetter | undefined
}

interface Part {
  items: Item[]
  cursor: Cursor | undefined
  /** Objects of which something waits here: what comes of them next waits here too, so that their order holds. */
  readonly keys: Set<string>
  /** Other feeds that have something here; their cursors wait for it. */
  readonly guests: Set<string>
}

/** Items in one commit: a larger one would hold up the event loop. */
const COMMIT_ITEMS = 512
const HIGH = 8192
const LOW = 1024

export class Outbox {
  readonly #queue: BatchQueue
  readonly #onHigh: () => void
  readonly #onLow: () => void
  readonly #parts = new Map<string, Part>()
  readonly #done: Promise<void>
  /** The feed in whose part something of an object waits. */
  readonly #hostOf = new Map<string, string>()
  #items = 0
  #high = false
  #ended = false
  #wake: (() => void) | undefined
  #roomWaiters: (() => void)[] = []
  /** The feed of the batch that is being committed. */
  #pushing: string | undefined
  /** In how many parts of others a feed has something. */
  readonly #stays = new Map<string, number>()
  #pushWaiters: (() => void)[] = []

  /** `onHigh` and `onLow` alternate: stop the socket, let it run again. */
  constructor(queue: BatchQueue, onHigh: () => void, onLow: () => void) {
    this.#queue = queue
    this.#onHigh = onHigh
    this.#onLow = onLow
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
      const host = (key === undefined ? undefined : this.#hostOf.get(key)) ?? feed
      const part = this.#partOf(host)
      part.items.push(item)
      if (host !== feed && !part.guests.has(feed)) {
        part.guests.add(feed)
        this.#stays.set(feed, (this.#stays.get(feed) ?? 0) + 1)
      }
      if (key !== undefined) {
        part.keys.add(key)
        this.#hostOf.set(key, host)
      }
      this.#items++
    }
    if (cursor !== undefined) this.#partOf(feed).cursor = cursor
    this.#wake?.()
    if (!this.#high && this.#items >= HIGH) {
      this.#high = true
      this.#onHigh()
    }
  }

  #partOf(feed: string): Part {
    let part = this.#parts.get(feed)
    if (part === undefined) {
      part = { items: [], cursor: undefined, keys: new Set(), guests: new Set() }
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

  /** A cursor waits for what its feed has in the parts of others; should all wait so, the first one goes. */
  #next(): [feed: string, part: Part] | undefined {
    for (const entry of this.#parts) {
      const [feed, part] = entry
      if (part.cursor === undefined || !this.#stays.has(feed)) return entry
    }
    return this.#parts.entries().next().value
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
      const items = part.items.length <= COMMIT_ITEMS ? part.items : part.items.splice(0, COMMIT_ITEMS)
      // Last in the row next time, so that one loud feed does not starve the others.
      this.#parts.delete(feed)
      const whole = items === part.items
      if (!whole) this.#parts.set(feed, part)
      if (whole) {
        for (const key of part.keys) this.#hostOf.delete(key)
      }
      this.#pushing = feed
      await this.#queue.push(batchOf(feed, items, whole ? part.cursor : undefined))
      this.#pushing = undefined
      if (whole) for (const guest of part.guests) this.#leave(guest)
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

function batchOf(feed: string, items: readonly Item[], cursor: Cursor | undefined): Batch {
  const facts: Fact[] = []
  const mirror: MirrorChange[] = []
  const dead: DeadLetter[] = []
  for (const item of items) {
    if (item.fact !== undefined) facts.push(item.fact)
    if (item.mirror !== undefined) mirror.push(item.mirror)
    if (item.dead !== undefined) dead.push(item.dead)
  }
  return { feed, facts, mirror, dead, countRecovered: true, ...(cursor === undefined ? {} : { cursor }) }
}
