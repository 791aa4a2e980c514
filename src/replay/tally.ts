/** Counts what came of one source. */
import { codeOf, describe } from '../errors.ts'
import type { Reason, SourceResult } from './wish.ts'

/** Reasons told by name, each with a count; the rest together. */
const MOST_REASONS = 50

export class SourceTally {
  read = 0
  sent = 0
  known = 0
  readonly notes: string[] = []
  readonly #source: string
  readonly #reasons = new Map<string, { outcome: Reason['outcome']; reason: string; count: number }>()
  #error: SourceResult['error']

  constructor(source: string) {
    this.#source = source
  }

  count(outcome: Reason['outcome'], reason: string): void {
    let key = `${outcome} ${reason}`
    let said = reason
    if (!this.#reasons.has(key) && this.#reasons.size >= MOST_REASONS) [key, said] = [outcome, 'other reasons']
    const entry = this.#reasons.get(key) ?? { outcome, reason: said, count: 0 }
    entry.count++
    this.#reasons.set(key, entry)
  }

  failed(error: unknown): void {
    this.#error ??= { code: codeOf(error), reason: describe(error) }
  }

  get isFailed(): boolean {
    return this.#error !== undefined
  }

  result(): SourceResult {
    return {
      source: this.#source,
      read: this.read,
      sent: this.sent,
      known: this.known,
      reasons: [...this.#reasons.values()],
      notes: this.notes,
      ...(this.#error === undefined ? {} : { error: this.#error }),
    }
  }
}
