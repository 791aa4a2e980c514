/** A real store whose daemon can be made to die in the middle of a page: before its commit, or after it and before hearing of it. */

import type { Cursor, EventRecord, MirrorView } from '../../src/record.ts'
import type {
  Append,
  Appended,
  Marks,
  NoticeOf,
  Store,
  StoredDeadLetter,
  StoreStats,
} from '../../src/store/contract.ts'

export type Death = 'before commit' | 'after commit'

export class MortalStore implements Store {
  readonly #store: Store
  #death: { readonly how: Death; readonly died: () => void } | undefined

  constructor(store: Store) {
    this.#store = store
  }

  /** The next page with events is the one; `died` is called when the daemon is to be cut off. */
  dieAtNextPage(how: Death, died: () => void): void {
    this.#death = { how, died }
  }

  async append(append: Append, signal?: AbortSignal): Promise<Appended> {
    const death = this.#death
    if (death === undefined || append.feed !== 'audit' || append.events.length === 0) {
      return this.#store.append(append, signal)
    }
    this.#death = undefined
    if (death.how === 'after commit') await this.#store.append(append, signal)
    death.died()
    // Nobody is left to hear of it.
    return new Promise((_, reject) => {
      const gone = (): void => reject(signal?.reason)
      if (signal?.aborted === true) gone()
      else signal?.addEventListener('abort', gone, { once: true })
    })
  }

  get full(): boolean {
    return this.#store.full
  }
  get floor(): number {
    return this.#store.floor
  }
  cursor(source: string, feed: string): Cursor | undefined {
    return this.#store.cursor(source, feed)
  }
  mirror(source: string): MirrorView {
    return this.#store.mirror(source)
  }
  read(after: number, limit: number): EventRecord[] {
    return this.#store.read(after, limit)
  }
  ids(after: number, limit: number): ReturnType<Store['ids']> {
    return this.#store.ids(after, limit)
  }
  settle(seq: number, mark?: Cursor): void {
    this.#store.settle(seq, mark)
  }
  marks(): Marks {
    return this.#store.marks()
  }
  holdAcked(hold: boolean, firmly?: boolean): void {
    this.#store.holdAcked(hold, firmly)
  }
  bury(event: EventRecord, reason: string, notice?: NoticeOf): Promise<string> {
    return this.#store.bury(event, reason, notice)
  }
  deadLetters(limit: number): StoredDeadLetter[] {
    return this.#store.deadLetters(limit)
  }
  stats(): StoreStats {
    return this.#store.stats()
  }
  onCommit(callback: () => void): () => void {
    return this.#store.onCommit(callback)
  }
  close(): Promise<void> {
    return this.#store.close()
  }
}
