/** Standard output as a sink: one event a line, for a daemon that is embedded in a pipe. */
import type { Writable } from 'node:stream'
import type { EventRecord } from '../record.ts'
import { type Receipt, type Sink, SinkGone } from './contract.ts'

const WINDOW = 512
const LINE_END = Buffer.from('\n')

export interface StdoutSinkOptions {
  /** Takes the lines; the process's standard output unless given. */
  readonly stream?: Writable
}

/**
 * Writes JSON lines. A receipt means that the operating system took the line; a slow reader slows the pump, never the
 * process. When the reader goes away (EPIPE) the sink is lost for good: `SinkGone`.
 */
export function stdoutSink(options: StdoutSinkOptions = {}): Sink {
  return new StdoutSink(options.stream ?? process.stdout)
}

class StdoutSink implements Sink {
  readonly name = 'stdout'
  readonly detail = 'standard output'
  readonly remembers = false
  readonly mark = undefined
  readonly window = WINDOW
  readonly #stream: Writable
  readonly #onError = (error: Error): void => this.#broke(error)
  #broken: SinkGone | undefined
  #open = false
  #onSettled: (receipts: readonly Receipt[]) => void = () => undefined
  #onLost: (reason: Error) => void = () => undefined

  constructor(stream: Writable) {
    this.#stream = stream
    // For as long as the process lives: a pipe may break after the last write, and that must not end the process.
    stream.on('error', this.#onError)
  }

  async open(): Promise<void> {
    if (this.#broken !== undefined) throw this.#broken
    this.#open = true
  }

  onSettled(callback: (receipts: readonly Receipt[]) => void): void {
    this.#onSettled = callback
  }

  onLost(callback: (reason: Error) => void): void {
    this.#onLost = callback
  }

  send(records: readonly EventRecord[]): void {
    if (!this.#open || records.length === 0) return
    const lines = Buffer.concat(records.flatMap(record => [record.body, LINE_END]))
    // One write a batch, whole lines only: another writer's text can't come between.
    this.#stream.write(lines, error => {
      if (error !== null && error !== undefined) this.#broke(error)
      else if (this.#open) this.#onSettled(records.map(({ seq }) => ({ seq, outcome: 'ok' })))
    })
  }

  async compare(): Promise<undefined> {
    return undefined
  }

  /** What a reader has taken can't be asked for. */
  async stored(): Promise<Set<string>> {
    return new Set()
  }

  /** The stream stays open: it is not the sink's. */
  async close(): Promise<void> {
    this.#open = false
  }

  #broke(cause: Error): void {
    if (this.#broken !== undefined) return
    this.#broken = new SinkGone('standard output was closed by its reader', { cause })
    if (!this.#open) return
    this.#open = false
    this.#onLost(this.#broken)
  }
}
