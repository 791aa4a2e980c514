/** A program that runs beside us until it is stopped: nats-server, Prometheus, Alertmanager. */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import type { Clock } from '../scheduler/clock.ts'

export interface ProgramOptions {
  /** How it is called in errors. */
  readonly name: string
  readonly binary: string
  readonly args: readonly string[]
  /** It is ready when it writes a line on standard error that fits. */
  readonly ready: RegExp
  readonly clock: Clock
}

const START_MS = 30_000
const STOP_MS = 10_000
const LOG_LINES = 200

/** May be started again after it has ended. Dies with this process. */
export class Program {
  /** The last lines that it wrote. */
  readonly log: string[] = []
  readonly #options: ProgramOptions
  #child: ChildProcess | undefined
  #gone: Promise<void> = Promise.resolve()
  readonly #listeners = new Set<(line: string) => void>()

  constructor(options: ProgramOptions) {
    this.#options = options
  }

  /** Undefined while stopped. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Resolves with the line that says that it is ready. Rejects with its last lines when it ends before, after 30 s in any case. */
  async start(): Promise<string> {
    const { binary, args } = this.#options
    this.log.length = 0
    // A group of its own: Ctrl-C in a terminal must reach the daemon first, not the broker it still has to deliver to.
    const child = spawn(binary, args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true })
    this.#child = child
    const orphan = (): void => {
      child.kill('SIGKILL')
    }
    process.once('exit', orphan)
    this.#gone = new Promise(resolve => {
      child.once('close', () => {
        process.off('exit', orphan)
        if (this.#child === child) this.#child = undefined
        resolve()
      })
    })
    return this.#ready(child, child.stderr)
  }

  #ready(child: ChildProcess, lines: Readable): Promise<string> {
    const { name, ready, clock } = this.#options
    return new Promise((resolve, reject) => {
      const cancel = clock.after(START_MS, () => {
        child.kill('SIGKILL')
        reject(new Error(`${name} was not ready within ${START_MS} ms`))
      })
      const fail = (error: Error): void => {
        cancel()
        reject(error)
      }
      let rest = ''
      lines.setEncoding('utf8')
      lines.on('data', (text: string) => {
        const parts = (rest + text).split('\n')
        rest = parts.pop() ?? ''
        for (const line of parts) {
          this.log.push(line)
          if (this.log.length > LOG_LINES) this.log.shift()
          for (const listener of this.#listeners) listener(line)
          if (!ready.test(line)) continue
          cancel()
          resolve(line)
        }
      })
      child.once('error', fail)
      child.once('close', code =>
        fail(new Error(`${name} ended with code ${code}: ${[...this.log, rest].slice(-5).join(' | ')}`)),
      )
    })
  }

  /**
   * Resolves with the next line that fits: `log` may have lost it already, when many others follow. Rejects with the last lines
   * when the program ends before, and after `withinMs`; `what` begins that error.
   */
  async says(pattern: RegExp, withinMs: number, what: string): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const fail = (): void => reject(new Error(`${what}: ${this.log.slice(-5).join(' | ')}`))
    const listener = (line: string): void => {
      if (pattern.test(line)) resolve(line)
    }
    this.#listeners.add(listener)
    const cancel = this.#options.clock.after(withinMs, fail)
    void this.#gone.then(fail)
    try {
      return await promise
    } finally {
      cancel()
      this.#listeners.delete(listener)
    }
  }

  /** Sends it a signal, if it runs. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }

  /** Ends it in order, harder after 10 s. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    child.kill(signal)
    const cancel = this.#options.clock.after(STOP_MS, () => {
      child.kill('SIGKILL')
    })
    await this.#gone
    cancel()
  }
}
