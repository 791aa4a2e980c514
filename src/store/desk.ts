/** Whether a thread is there to write: starts it, says when it ended, and tries another one later. */
import { describe } from '../errors.ts'
import type { Report } from '../report.ts'
import type { Clock } from '../scheduler/clock.ts'
import type { Done } from './ledger.ts'
import { type Orders, Scribe, ScribeGone } from './scribe.ts'
import type { Upkeep } from './transaction.ts'
import type { Vault } from './vault.ts'
import type { Waiting } from './waiting.ts'

/** After a thread ended by itself the next one is not started before. */
const PAUSE_MS = 60_000

export class Desk {
  readonly #orders: () => Orders
  readonly #clock: Clock
  readonly #report: Report
  #scribe: Scribe | undefined
  #notBefore = Number.NEGATIVE_INFINITY
  /** The last one was not written: the caller writes, and finds out what stands in the way. */
  #failed = false

  constructor(orders: () => Orders, clock: Clock, report: Report) {
    this.#orders = orders
    this.#clock = clock
    this.#report = report
    this.#start()
  }

  /** The thread can be given something to write; otherwise the caller writes by itself. Starts another one when it is time. */
  get ready(): boolean {
    if (this.#scribe === undefined && this.#clock.now() >= this.#notBefore) this.#start()
    return !this.#failed && this.#scribe?.ready === true
  }

  /**
   * Has the thread write one transaction. Undefined when it has to be written by the caller, at once; resolves with
   * undefined when it was not written and has to be written by the caller then. Never rejects.
   */
  write<J extends Waiting>(vault: Vault, jobs: readonly J[], upkeep: Upkeep): Promise<Done<J> | undefined> | undefined {
    const scribe = this.#scribe
    const draft = vault.draft(jobs, upkeep)
    if (scribe === undefined || draft === undefined) return undefined
    return scribe.write(draft.recorded).then(
      bytes => vault.adopt<J>(draft, bytes),
      (error: unknown) => {
        this.#failed = true
        if (error instanceof ScribeGone) return vault.recover<J>(draft)
        vault.ledger.drop()
        return undefined
      },
    )
  }

  /** The caller has written by itself. */
  relieved(): void {
    this.#failed = false
  }

  /** A thread has the file open. */
  get occupied(): boolean {
    return this.#scribe !== undefined
  }

  /** Resolves when the thread has let go of the file; `ready` starts another. */
  async clear(): Promise<void> {
    await this.#scribe?.stop()
    this.#scribe = undefined
  }

  #start(): void {
    try {
      this.#scribe = new Scribe(this.#orders(), reason => this.#gone(reason))
    } catch (error) {
      this.#gone(error)
    }
  }

  #gone(reason: unknown): void {
    this.#scribe = undefined
    this.#notBefore = this.#clock.now() + PAUSE_MS
    const text = `${describe(reason)}; the main thread writes until another one is started, in ${PAUSE_MS / 1000} s at the earliest`
    this.#report({ type: 'advice', source: 'store', text })
  }
}
