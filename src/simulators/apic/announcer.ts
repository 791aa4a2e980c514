/** How the controllers of a fabric hear of what changed on it. */
import type { Time } from '../server.ts'
import type { Change } from './change.ts'

export interface Told {
  /** `Time.wall()`, ms. */
  readonly at: number
  readonly change: Change
}

export class Announcer {
  /** Every change, oldest first. */
  readonly told: Told[] = []
  readonly #time: Time
  readonly #isLog: (className: string) => boolean
  readonly #listeners = new Set<(changes: readonly Change[]) => void>()
  readonly #deafeners = new Set<(node: string) => void>()
  readonly #cancels = new Set<() => void>()

  constructor(time: Time, isLog: (className: string) => boolean) {
    this.#time = time
    this.#isLog = isLog
  }

  /** Calls `listener` with the changes of each transaction, in order; gives the way to stop it. */
  onChange(listener: (changes: readonly Change[]) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Calls `listener` when subscriptions that exist now stop hearing of a node; gives the way to stop it. */
  onDeaf(listener: (node: string) => void): () => void {
    this.#deafeners.add(listener)
    return () => this.#deafeners.delete(listener)
  }

  deafen(node: string): void {
    for (const listener of this.#deafeners) listener(node)
  }

  /** Log records are told `recordsLateMs` later than the rest. */
  tell(changes: readonly Change[], recordsLateMs: number): void {
    if (changes.length === 0) return
    const at = this.#time.wall()
    for (const change of changes) this.told.push({ at, change })
    if (recordsLateMs === 0) {
      this.#push(changes)
      return
    }
    this.#push(changes.filter(change => !this.#isLog(change.className)))
    const records = changes.filter(change => this.#isLog(change.className))
    if (records.length > 0) this.after(recordsLateMs, () => this.#push(records))
  }

  /** Does something later, unless the fabric is closed before. */
  after(ms: number, fn: () => void): void {
    const cancel = this.#time.after(ms, () => {
      this.#cancels.delete(cancel)
      fn()
    })
    this.#cancels.add(cancel)
  }

  /** How much is still to be done later: late records, late pushes. */
  get later(): number {
    return this.#cancels.size
  }

  close(): void {
    for (const cancel of this.#cancels) cancel()
    this.#cancels.clear()
    this.#listeners.clear()
    this.#deafeners.clear()
  }

  #push(changes: readonly Change[]): void {
    if (changes.length === 0) return
    for (const listener of this.#listeners) listener(changes)
  }
}
