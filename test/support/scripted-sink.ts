/** A sink that a test plays by hand. */
import { Retryable } from '../../src/errors.ts'
import type { Cursor, EventRecord } from '../../src/record.ts'
import type { Outcome, Receipt, Setback, Sink } from '../../src/sinks/contract.ts'
import type { Marks } from '../../src/store/contract.ts'

export class ScriptedSink implements Sink {
  readonly name = 'scripted'
  readonly detail = 'the test'
  readonly window: number
  readonly remembers = true
  /** As far as it says that it is. */
  mark: Cursor | undefined
  /** What the next comparisons find. */
  setbacks: Setback[] = []
  /** What it was given to compare with. */
  readonly compared: Marks[] = []
  /** Every record in the order of sending, repeats included. */
  readonly sent: EventRecord[] = []
  /** Ids that were taken, in order. */
  readonly taken: string[] = []
  /** What `stored` was asked. */
  readonly lookups: { readonly ids: readonly string[]; readonly sinceMs: number }[] = []
  opens = 0
  closed = false
  /** Errors for the next opens, first in first out. */
  refusals: Error[] = []
  /** Errors for the next look-ups. */
  lookupFailures: Error[] = []
  /** Answers by itself when set. */
  answer: ((record: EventRecord) => Outcome) | undefined
  #unanswered: EventRecord[] = []
  #onSettled: (receipts: readonly Receipt[]) => void = () => undefined
  #onLost: (reason: Error) => void = () => undefined

  constructor(window = 4) {
    this.window = window
  }

  get unanswered(): readonly EventRecord[] {
    return this.#unanswered
  }

  async open(): Promise<void> {
    this.opens++
    const refusal = this.refusals.shift()
    if (refusal !== undefined) throw refusal
  }

  send(records: readonly EventRecord[]): void {
    this.sent.push(...records)
    this.#unanswered.push(...records)
    const { answer } = this
    if (answer !== undefined) queueMicrotask(() => this.settle(records.map(record => [record, answer(record)])))
  }

  /** Answers these records. */
  settle(answers: readonly (readonly [EventRecord, Outcome])[]): void {
    for (const [record, outcome] of answers) if (outcome === 'ok') this.taken.push(record.id)
    const answered = new Set(answers.map(([record]) => record.seq))
    this.#unanswered = this.#unanswered.filter(record => !answered.has(record.seq))
    this.#onSettled(answers.map(([{ seq }, outcome]) => ({ seq, outcome, reason: `scripted ${outcome}` })))
  }

  /** Answers all that waits with this outcome. */
  settleAll(outcome: Outcome): void {
    this.settle(this.#unanswered.map(record => [record, outcome]))
  }

  /** The connection breaks; `taken` says which of the unanswered ones had arrived all the same. */
  lose(arrived: readonly string[] = []): void {
    this.taken.push(...arrived)
    this.#unanswered = []
    this.#onLost(new Retryable('sink', 'scripted loss'))
  }

  onSettled(callback: (receipts: readonly Receipt[]) => void): void {
    this.#onSettled = callback
  }

  onLost(callback: (reason: Error) => void): void {
    this.#onLost = callback
  }

  async compare(kept: Marks): Promise<Setback | undefined> {
    this.compared.push(kept)
    return this.setbacks.shift()
  }

  async stored(ids: readonly string[], sinceMs: number): Promise<Set<string>> {
    this.lookups.push({ ids, sinceMs })
    const failure = this.lookupFailures.shift()
    if (failure !== undefined) throw failure
    return new Set(ids.filter(id => this.taken.includes(id)))
  }

  async close(): Promise<void> {
    this.closed = true
  }
}
