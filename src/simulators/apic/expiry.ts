/**
 * Deadlines by the thousand on one timer. Putting one off costs nothing: it is looked at again when its old time comes.
 */
import type { Time } from '../server.ts'

export interface Expiring {
  /** Monotonic ms. */
  deadline: number
  /** When it will be looked at; `Infinity` before the first time. */
  watchedAt: number
}

interface Entry<T> {
  readonly at: number
  readonly item: T
}

export class Expiry<T extends Expiring> {
  readonly #time: Time
  readonly #onDue: (item: T) => void
  /** A binary heap, earliest first. */
  readonly #heap: Entry<T>[] = []
  #cancel: (() => void) | undefined
  #timerAt = Number.POSITIVE_INFINITY

  /** `onDue` is called once a deadline has passed; of items that are over by themselves too, which it must overlook. */
  constructor(time: Time, onDue: (item: T) => void) {
    this.#time = time
    this.#onDue = onDue
  }

  /** Call after every change of `deadline`. O(1) when it was put off, O(log n) the first time. */
  watch(item: T): void {
    if (item.watchedAt <= item.deadline) return
    this.#add(item)
    this.#arm()
  }

  close(): void {
    this.#cancel?.()
    this.#heap.length = 0
  }

  #add(item: T): void {
    item.watchedAt = item.deadline
    const heap = this.#heap
    const entry = { at: item.deadline, item }
    let index = heap.length
    heap.push(entry)
    while (index > 0) {
      const up = (index - 1) >> 1
      const parent = heap[up]
      if (parent === undefined || parent.at <= entry.at) break
      heap[index] = parent
      index = up
    }
    heap[index] = entry
  }

  #take(): Entry<T> | undefined {
    const heap = this.#heap
    const top = heap[0]
    const last = heap.pop()
    if (top === undefined || last === undefined || heap.length === 0) return top
    let index = 0
    for (;;) {
      let below = 2 * index + 1
      const left = heap[below]
      const right = heap[below + 1]
      if (left === undefined) break
      let child = left
      if (right !== undefined && right.at < left.at) {
        child = right
        below++
      }
      if (child.at >= last.at) break
      heap[index] = child
      index = below
    }
    heap[index] = last
    return top
  }

  #arm(): void {
    const at = this.#heap[0]?.at ?? Number.POSITIVE_INFINITY
    if (at === this.#timerAt) return
    this.#cancel?.()
    this.#timerAt = at
    this.#cancel = Number.isFinite(at) ? this.#time.after(at - this.#time.now(), () => this.#look()) : undefined
  }

  #look(): void {
    this.#timerAt = Number.POSITIVE_INFINITY
    const now = this.#time.now()
    for (let top = this.#heap[0]; top !== undefined && top.at <= now; top = this.#heap[0]) {
      this.#take()
      const { item, at } = top
      // A second look at what was brought forward since.
      if (item.watchedAt !== at) continue
      if (item.deadline > now) this.#add(item)
      else this.#onDue(item)
    }
    this.#arm()
  }
}
