/** Which minions answered which job, as far as it was seen: bounded in jobs and in minions of all jobs together. */
import { BoundedMap } from './bounded.ts'

const MOST_TOUCHED = 20_000
const MOST_ANSWERS = 200_000

export class Answered {
  readonly #most: number
  readonly #jobs = new Map<string, Set<string>>()
  readonly #touched: BoundedMap<true>
  #answers = 0

  /** `most`: answers kept, of all jobs; the oldest jobs go first. */
  constructor(most = MOST_ANSWERS, mostTouched = MOST_TOUCHED) {
    this.#most = most
    this.#touched = new BoundedMap(mostTouched)
  }

  /** Answers kept now. */
  get size(): number {
    return this.#answers
  }

  add(jid: string, minion: string): void {
    const minions = this.#jobs.get(jid) ?? new Set()
    if (minions.has(minion)) return
    this.#touched.set(jid, true)
    // A job that fills all the room by itself counts no further: its returns are then read again by the job loop.
    if (minions.size >= this.#most) return
    minions.add(minion)
    this.#jobs.set(jid, minions)
    this.#answers++
    for (const [oldest, its] of this.#jobs) {
      if (this.#answers <= this.#most) break
      if (oldest === jid) continue
      this.#jobs.delete(oldest)
      this.#answers -= its.size
    }
  }

  /** How many minions of this job were seen; 0 for one that had to go. */
  count(jid: string): number {
    return this.#jobs.get(jid)?.size ?? 0
  }

  /** Jids with answers not met before, since the last call. */
  takeTouched(): Set<string> {
    return this.#touched.drain()
  }
}
