/** The daemon as a service manager runs it: started again when it could not start, and watched for an end that nobody asked for. */
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { sleep, systemClock } from '../../../src/scheduler/clock.ts'
import { Daemon, type Launch } from '../../support/daemon.ts'

const MAIN = resolve(import.meta.dirname, '../../../src/main.ts')
const AGAIN_MS = 500
const STARTS = 60

export class Unit {
  readonly #daemon: Daemon
  readonly #as: Launch
  #url = ''
  #life = 0
  /** Starts may fail now, and the daemon may end: the machine gives it no files, or no disk. */
  hardTimes = 0
  readonly #orphan = (): void => {
    this.#daemon.signal('SIGKILL')
  }
  /** What should not have happened to it. */
  readonly troubles: string[] = []
  starts = 0

  /** `as`: how to run a command as the user that the daemon shall be. */
  constructor(configFile: string, as: Launch, env: Readonly<Record<string, string>> = {}) {
    this.#as = as
    // Not in the environment of what becomes that user: only in that of the daemon.
    const pairs = Object.entries(env).map(([name, value]) => `${name}=${value}`)
    this.#daemon = new Daemon(configFile, {}, words => as(['env', ...pairs, process.execPath, MAIN, ...words]))
    process.once('exit', this.#orphan)
  }

  get url(): string {
    return this.#url
  }

  get log(): readonly string[] {
    return this.#daemon.log
  }

  get isRunning(): boolean {
    return this.#daemon.isRunning
  }

  get pid(): number {
    return this.#daemon.pid ?? 0
  }

  /** Resolves when it says that it is ready. Tries again, as a service manager would, when it ends before that. */
  async up(): Promise<void> {
    for (let tries = 1; ; tries++) {
      const life = ++this.#life
      this.starts++
      try {
        this.#url = await this.#daemon.start()
        void this.#watch(life)
        return
      } catch (error) {
        if (this.hardTimes === 0 || tries === STARTS) this.troubles.push(`it did not start: ${String(error)}`)
        if (tries === STARTS) throw error
        // One that hangs at its start must not stay beside the next.
        await this.#daemon.kill()
        await sleep(systemClock, AGAIN_MS)
      }
    }
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    this.#life++
    await this.#daemon.kill()
  }

  /** The end of it: SIGKILL, and nobody looks after it any more. */
  async remove(): Promise<void> {
    process.off('exit', this.#orphan)
    await this.kill()
  }

  /** SIGTERM; anything but a clean end is trouble. */
  async stop(): Promise<void> {
    if (!this.isRunning) return
    this.#life++
    const code = await this.#daemon.stop()
    if (code !== 0) this.troubles.push(`it ended with ${code} when it was told to stop`)
  }

  pause(): void {
    this.#daemon.signal('SIGSTOP')
  }

  resume(): void {
    this.#daemon.signal('SIGCONT')
  }

  reload(): void {
    this.#daemon.signal('SIGHUP')
  }

  /** Open files of the process; undefined where the system doesn't tell. */
  openFiles(): number | undefined {
    if (process.platform !== 'linux' || !this.isRunning) return undefined
    return readdirSync(`/proc/${this.pid}/fd`).length
  }

  /** Lets the process open so many files (the soft limit). */
  limitFiles(most: number): void {
    this.#limit(`--nofile=${most}:`)
  }

  /** Lets the process write no file beyond so many bytes (the soft limit). */
  limitFileSize(most: number | 'unlimited'): void {
    this.#limit(`--fsize=${most}:`)
  }

  #limit(flag: string): void {
    // Asked for by the daemon's own user: root alone may not, where it lacks the right to use resources at will.
    const { command, args } = this.#as(['prlimit', '--pid', String(this.pid), flag])
    const done = spawnSync(command, args, { encoding: 'utf8' })
    if (done.status !== 0) throw new Error(`prlimit: ${done.stderr}`)
  }

  async get(path: string): Promise<{ status: number; body: string }> {
    const answer = await fetch(`${this.#url}${path}`, { signal: AbortSignal.timeout(5000) })
    return { status: answer.status, body: await answer.text() }
  }

  async #watch(life: number): Promise<void> {
    const how = await this.#daemon.ended()
    if (life !== this.#life) return
    if (this.hardTimes === 0) this.troubles.push(`it ended by itself with ${how}`)
    await sleep(systemClock, AGAIN_MS)
    if (life === this.#life) await this.up()
  }
}
