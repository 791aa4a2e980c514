/** Questions asked outside a session, with the source's own login: `opswire query`. Reads only, as the client does. */
import type { RaasConfig } from '../../config/sources.ts'
import { Fatal } from '../../errors.ts'
import type { Report } from '../../report.ts'
import type { Clock } from '../../scheduler/clock.ts'
import { Access } from './access.ts'
import { RaasClient, READING_METHODS, type ReadingMethod } from './client.ts'
import { Failing } from './failing.ts'
import { redacted } from './redact.ts'
import { pageOf } from './rows.ts'

/** Methods that answer page by page. */
const PAGED: ReadonlySet<ReadingMethod> = new Set([
  'audit.get_audit',
  'cmd.get_cmd_details',
  'cmd.get_cmds',
  'job.get_jobs',
  'minions.get_minion_cache',
  'minions.get_minion_key_state',
  'ret.get_returns',
])

/** What some methods must not be asked without: their answers have no end, or are megabytes. */
const ALWAYS: Partial<Record<ReadingMethod, Readonly<Record<string, unknown>>>> = {
  'ret.get_jids': { limit: 200 },
  'api.discover': { include: ['constants', 'errors'] },
}

const PAGE = 200
const MAX_BYTES = 64 * 1024 * 1024

export interface QuestionsOptions {
  readonly clock: Clock
  readonly report: Report
  readonly signal: AbortSignal
}

export type Arguments = Readonly<Record<string, unknown>>

/** The method of this name; undefined when it is not one that only reads. */
export function readingMethod(name: string): ReadingMethod | undefined {
  return READING_METHODS.find(method => method === name)
}

/** True when `RaasQuestions.rows` can be asked for it. */
export function isPaged(method: ReadingMethod): boolean {
  return PAGED.has(method)
}

export class RaasQuestions {
  readonly #client: RaasClient
  readonly #redact: readonly string[]

  /** Throws `Fatal('tls')` when the CA file can't be read. Logs in with the first question. */
  constructor(config: RaasConfig, options: QuestionsOptions) {
    this.#redact = config.returns.redact
    this.#client = new RaasClient({
      ...options,
      config,
      access: new Access(config),
      failing: new Failing(),
      maxBytes: MAX_BYTES,
    })
  }

  /**
   * The `ret` of one call, secrets behind telling names masked. Throws what `RaasClient.call` throws. `ret.get_jids` gets
   * a limit and `api.discover` sections, unless they are given.
   */
  async ask(method: ReadingMethod, kwarg: Arguments): Promise<unknown> {
    return redacted(await this.#client.call(method, { ...ALWAYS[method], ...kwarg }), this.#redact)
  }

  /**
   * Row after row of a paged method, `most` at the most, from page to page as the server gives them: a page that is
   * shorter than asked is the last one, unless the server says by its count that it caps its pages.
   */
  async *rows(method: ReadingMethod, kwarg: Arguments, most: number): AsyncGenerator<unknown, void> {
    if (!isPaged(method)) throw new Fatal('bug', `${method} does not answer in pages`)
    let size = Math.min(PAGE, most)
    let given = 0
    for (let page = 0; given < most; page++) {
      const { rows, count } = pageOf(await this.ask(method, { ...kwarg, limit: size, page }))
      for (const row of rows) {
        yield row
        if (++given >= most) return
      }
      if (rows.length === 0) return
      if (rows.length >= size) continue
      if (page > 0 || count === undefined || given >= count) return
      size = rows.length
    }
  }

  async close(): Promise<void> {
    await this.#client.close()
  }
}
