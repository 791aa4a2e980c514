/** Everything that a run makes and must not leave behind: one temporary folder, and the processes it started. */
import { type ChildProcess, type ForkOptions, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export class Scratch {
  readonly directory = mkdtempSync(join(tmpdir(), 'opswire-bench-'))
  readonly #children = new Set<ChildProcess>()
  readonly #kills: (() => void)[] = []
  readonly #onExit = (): void => this.#sweep()
  #folders = 0

  constructor() {
    // Whatever is started from here puts its own temporary files where this run removes them.
    process.env['TMPDIR'] = this.directory
    process.once('exit', this.#onExit)
  }

  /** A name for a new folder or file. */
  path(name: string): string {
    this.#folders++
    return join(this.directory, `${name}-${this.#folders}`)
  }

  /** Killed at the end, if it still lives then. */
  keep(child: ChildProcess): void {
    this.#children.add(child)
    child.once('exit', () => this.#children.delete(child))
  }

  /** Called when the process ends, in whatever way: must not wait for anything. */
  onEnd(kill: () => void): void {
    this.#kills.push(kill)
  }

  /** Kills and removes. Idempotent. */
  async close(): Promise<void> {
    process.off('exit', this.#onExit)
    const gone = [...this.#children].map(child => once(child, 'exit'))
    for (const child of this.#children) child.kill('SIGKILL')
    await Promise.all(gone)
    this.#sweep()
  }

  #sweep(): void {
    for (const kill of this.#kills.splice(0)) kill()
    for (const child of this.#children) child.kill('SIGKILL')
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
  }
}

/** Another process of the benchmark, one that is talked with. */
export class Partner<Says extends { readonly say: string }, Hears extends object = never> {
  readonly child: ChildProcess
  readonly #name: string
  readonly #heard: Says[] = []
  #wake: () => void = () => undefined

  constructor(scratch: Scratch, file: string, args: readonly string[], options: ForkOptions = {}) {
    this.#name = file
    this.child = fork(join(import.meta.dirname, file), args, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      ...options,
    })
    scratch.keep(this.child)
    this.child.on('message', message => {
      this.#heard.push(message as Says)
      this.#wake()
    })
    this.child.on('exit', () => this.#wake())
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  tell(message: Hears): void {
    this.child.send(message)
  }

  /** The next message of this kind, taken out; throws when the process ends first. One caller at a time. */
  async next<Kind extends Says['say']>(kind: Kind): Promise<Extract<Says, { say: Kind }>> {
    for (;;) {
      const at = this.#heard.findIndex(message => message.say === kind)
      const [message] = at < 0 ? [] : this.#heard.splice(at, 1)
      if (message !== undefined) return message as Extract<Says, { say: Kind }>
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        throw new Error(
          `${this.#name} ended with ${this.child.exitCode ?? this.child.signalCode} before it said ${kind}`,
        )
      }
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }

  async end(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const gone = once(this.child, 'exit')
    this.child.kill('SIGKILL')
    await gone
  }
}
