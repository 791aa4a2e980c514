/** The real daemon in a process of its own, as an operator would start it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { StatusDocument } from '../../src/ops/status.ts'
import { until } from './manual-clock.ts'

/** On a machine that has much else to do it takes its time. */
const START_MS = 60_000
const MAIN = resolve(import.meta.dirname, '../../src/main.ts')

/** The command line for these words of opswire. */
export type Launch = (words: readonly string[]) => { readonly command: string; readonly args: readonly string[] }

const fromSource: Launch = words => ({ command: process.execPath, args: [MAIN, ...words] })

export class Daemon {
  readonly #configFile: string
  readonly #env: Record<string, string>
  readonly #launch: Launch
  readonly log: string[] = []
  readonly stdout: string[] = []
  #child: ChildProcess | undefined

  constructor(configFile: string, env: Record<string, string> = {}, launch: Launch = fromSource) {
    this.#configFile = configFile
    this.#env = env
    this.#launch = launch
  }

  /** Starts it; resolves with its address when it says that it is ready. */
  async start(): Promise<string> {
    const { command, args } = this.#launch(['run', '-c', this.#configFile])
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...this.#env },
    })
    this.#child = child
    const from = this.log.length
    createInterface({ input: child.stderr }).on('line', line => this.log.push(line))
    createInterface({ input: child.stdout }).on('line', line => this.stdout.push(line))
    const ready = (): string | undefined =>
      this.log
        .slice(from)
        .map(line => /opswire ready: (\S+?)"/.exec(line)?.[1])
        .find(url => url !== undefined)
    return until(
      () => {
        if (child.exitCode !== null)
          throw new Error(`the daemon ended with ${child.exitCode}: ${this.log.slice(from).join('\n')}`)
        return ready()
      },
      'the daemon ready',
      START_MS,
    )
  }

  async status(url: string): Promise<StatusDocument> {
    return (await (await fetch(`${url}/status`)).json()) as StatusDocument
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Started, and not ended since. */
  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }

  /** Its exit code, or the signal that ended it, once it has ended. */
  async ended(): Promise<number | NodeJS.Signals | null> {
    const child = this.#child
    if (child === undefined) return null
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    // The pipes hold its last lines.
    if (child.stdout?.readableEnded === false) await once(child.stdout, 'close')
    return child.exitCode ?? child.signalCode
  }

  async stop(): Promise<number | NodeJS.Signals | null> {
    this.signal('SIGTERM')
    return this.ended()
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.ended()
    this.#child = undefined
  }
}
