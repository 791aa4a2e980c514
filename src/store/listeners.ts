/** Those who want to hear of commits. What one of them throws is its own: the commit stands, and the others hear of it. */
import { describe } from '../errors.ts'
import type { Report } from '../report.ts'

export class Listeners {
  readonly #callbacks = new Set<() => void>()
  readonly #report: Report

  constructor(report: Report) {
    this.#report = report
  }

  /** Gives what ends it. */
  add(callback: () => void): () => void {
    this.#callbacks.add(callback)
    return () => this.#callbacks.delete(callback)
  }

  callAll(): void {
    for (const callback of this.#callbacks) this.call(callback)
  }

  call(callback: () => void): void {
    try {
      callback()
    } catch (error) {
      const text = `bug: one who listens to the store failed: ${describe(error)}`
      this.#report({ type: 'advice', source: 'store', text })
    }
  }
}
