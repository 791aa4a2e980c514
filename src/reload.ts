/** Taking up a changed config while the daemon runs: checked first, then only what differs is touched. */
import { type ConfigChanges, changedKeys, changesOf } from './config/changes.ts'
import type { Loaded } from './config/load.ts'
import { ConfigInvalid, sayFinding } from './config/problems.ts'
import type { Config } from './config/schema.ts'
import { describe } from './errors.ts'
import type { RunningHttp } from './ops/http.ts'
import type { ActAnswer } from './ops/http-act.ts'
import type { Ops } from './ops/ops.ts'
import type { Notifier } from './ops/systemd.ts'
import type { Clock } from './scheduler/clock.ts'
import type { SourceSet, Swap } from './source-set.ts'

/** What came of a reload. With problems nothing was changed. */
export interface ReloadAnswer {
  readonly outcome: 'reloaded' | 'invalid' | 'needs_restart' | 'stopping'
  /** What was changed, a line each; none when the file says what is in force already. */
  readonly changed: readonly string[]
  /** Why nothing was, a line each. */
  readonly problems: readonly string[]
}

export interface ReloaderOptions {
  readonly config: Config
  /** Reads and checks the file anew, with the environment's overrides. Throws `ConfigInvalid`. */
  readonly load: () => Promise<Loaded>
  readonly clock: Clock
  readonly ops: Ops
  readonly notifier: Pick<Notifier, 'reloading' | 'ready'>
  readonly http: Pick<RunningHttp, 'prepare'>
  readonly sources: SourceSet
}

const STOPPING: ReloadAnswer = { outcome: 'stopping', changed: [], problems: ['the daemon is stopping'] }

export class Reloader {
  readonly #options: ReloaderOptions
  #config: Config
  /** The one that runs, and the one that waits for it: whoever asks meanwhile joins that, its file is not read yet. */
  #running: Promise<ReloadAnswer> | undefined
  #waiting: Promise<ReloadAnswer> | undefined
  #closed = false

  constructor(options: ReloaderOptions) {
    this.#options = options
    this.#config = options.config
  }

  /** The config in force. */
  get config(): Config {
    return this.#config
  }

  /** One at a time. Resolves when what had to stop has stopped and the rest is under way. Never rejects. */
  reload(): Promise<ReloadAnswer> {
    if (this.#closed) return Promise.resolve(STOPPING)
    if (this.#running === undefined) {
      this.#running = this.#reload().finally(() => {
        this.#running = undefined
      })
      return this.#running
    }
    this.#waiting ??= this.#running.then(() => {
      this.#waiting = undefined
      return this.reload()
    })
    return this.#waiting
  }

  /** From now on every reload is refused; one under way starts nothing any more. */
  close(): void {
    this.#closed = true
  }

  async #reload(): Promise<ReloadAnswer> {
    const { notifier, ops } = this.#options
    notifier.reloading()
    try {
      return await this.#take()
    } catch (error) {
      return this.#refuse('invalid', [describe(error)])
    } finally {
      if (!this.#closed) notifier.ready()
      else ops.log.write('warn', 'a reload was cut short by the stop')
    }
  }

  async #take(): Promise<ReloadAnswer> {
    const { load, ops, http, sources } = this.#options
    let loaded: Loaded
    try {
      loaded = await load()
    } catch (error) {
      if (!(error instanceof ConfigInvalid)) throw error
      return this.#refuse(
        'invalid',
        error.problems.map(problem => sayFinding(error.file, problem)),
      )
    }
    const { config } = loaded
    const changes = changesOf(this.#config, config)
    if (changes.needRestart.length > 0) {
      return this.#refuse(
        'needs_restart',
        changes.needRestart.map(key => `${key}: can't be changed while the daemon runs; restart it`),
      )
    }
    const changed = changes.changed.map(({ before, after }) => ({ after, keys: changedKeys(before, after) }))
    // Whatever can fail comes before the first change.
    const swap = sources.plan({ ...changes, changed })
    const takeHttp = await http.prepare(config.http)
    if (this.#closed) return STOPPING
    takeHttp()
    ops.log.setLevel(config.log.level)
    this.#config = config
    await this.#swap(swap)
    if (this.#closed) return STOPPING
    const lines = said(changes, changed, swap)
    ops.report({ type: 'reload', ok: true, hash: loaded.hash, detail: lines.join('; ') || 'nothing differs' })
    for (const warning of loaded.warnings) ops.log.write('warn', sayFinding(loaded.file, warning))
    return { outcome: 'reloaded', changed: lines, problems: [] }
  }

  async #swap(swap: Swap): Promise<void> {
    const { clock, sources } = this.#options
    const deadline = new AbortController()
    const cancel = clock.after(this.#config.shutdown_timeout, () => deadline.abort())
    try {
      await sources.swap(swap, deadline.signal)
    } finally {
      cancel()
    }
  }

  #refuse(outcome: 'invalid' | 'needs_restart', problems: readonly string[]): ReloadAnswer {
    this.#options.ops.report({ type: 'reload', ok: false, problems })
    return { outcome, changed: [], problems }
  }
}

function said(
  { settings, added, removed }: ConfigChanges,
  changed: readonly { readonly after: { readonly name: string }; readonly keys: readonly string[] }[],
  swap: Swap,
): string[] {
  const what = (name: string): string => {
    if (swap.handOver.some(({ config }) => config.name === name)) return 'its session is handed over'
    return swap.restart.some(({ config }) => config.name === name) ? 'stopped and started' : 'its session stays'
  }
  return [
    ...settings,
    ...added.map(({ name }) => `source ${name} added`),
    ...removed.map(({ name }) => `source ${name} removed`),
    ...changed.map(({ after: { name }, keys }) => `source ${name}: ${keys.join(', ')} (${what(name)})`),
  ]
}

const STATUS = { reloaded: 200, invalid: 422, needs_restart: 409, stopping: 503 } as const

/** The answer to `POST /-/reload`. */
export function asHttp(answer: ReloadAnswer): ActAnswer {
  return { status: STATUS[answer.outcome], body: answer }
}
