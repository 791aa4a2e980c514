/** The programs that a building calls, and its end when it is interrupted: only then can what it has laid out be removed. */
import { type ChildProcess, type ExecFileOptions, execFile } from 'node:child_process'
import { promisify } from 'node:util'

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/** Runs a program to its end. Rejects when it fails. */
export type Run = (program: string, args: readonly string[], options?: ExecFileOptions) => Promise<void>

/** Hears the signals from its making until `forget`. */
export class Interruption {
  #heard: NodeJS.Signals | undefined
  #child: ChildProcess | undefined

  constructor() {
    for (const signal of SIGNALS) process.on(signal, this.#hear)
  }

  /** Passes a signal on to the program. Rejects once that has ended, so that it writes nothing any more. */
  readonly run: Run = async (program, args, options = {}) => {
    this.check()
    const running = promisify(execFile)(program, args, options)
    this.#child = running.child
    try {
      await running
    } catch (error) {
      this.check()
      throw error
    }
    this.check()
  }

  /** Throws when a signal was heard. */
  check(): void {
    if (this.#heard !== undefined) throw new Error(`interrupted by ${this.#heard}`)
  }

  forget(): void {
    for (const signal of SIGNALS) process.off(signal, this.#hear)
  }

  readonly #hear = (signal: NodeJS.Signals): void => {
    this.#heard = signal
    this.#child?.kill(signal)
  }
}
