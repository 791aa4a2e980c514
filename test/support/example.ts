/** The programs of `examples/`, as a user starts them. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'

const EXAMPLES = resolve(import.meta.dirname, '../../examples')

export class Example {
  readonly lines: string[] = []
  readonly errors: string[] = []
  readonly #name: string
  readonly #env: Readonly<Record<string, string>>
  #child: ChildProcess | undefined

  constructor(name: string, env: Readonly<Record<string, string>>) {
    this.#name = name
    this.#env = env
  }

  start(): void {
    const child = spawn(process.execPath, [resolve(EXAMPLES, this.#name)], { env: { ...process.env, ...this.#env } })
    child.stdout.setEncoding('utf8').on('data', (text: string) => this.lines.push(...text.trimEnd().split('\n')))
    child.stderr.setEncoding('utf8').on('data', (text: string) => this.errors.push(text))
    this.#child = child
  }

  /** Not started, or over. */
  get isOver(): boolean {
    return this.#child === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  async kill(): Promise<void> {
    if (this.#child === undefined || this.isOver) return
    const closed = once(this.#child, 'close')
    this.#child.kill('SIGKILL')
    await closed
  }
}
