/** Questions asked outside a session, with the source's own login: `opswire query`. Reads only. */
import type { VcdConfig } from '../../config/sources.ts'
import type { Report } from '../../report.ts'
import { type Clock, sleep } from '../../scheduler/clock.ts'
import { VcdApi } from './api.ts'
import { withoutSecrets } from './normalise.ts'
import { listOrgs, type Org } from './orgs.ts'
import { PageSize } from './page-size.ts'
import { Pages } from './pages.ts'
import type { ListedToken, Login } from './user-login.ts'
import { chooseVersion, type OfferedVersion } from './versions.ts'

/** As in a catch-up: so many pages at once, further ones spaced. */
const BURST_PAGES = 8
const SPACING_MS = 500

export interface QuestionsOptions {
  readonly clock: Clock
  readonly report: Report
  readonly signal: AbortSignal
  /** Where the daemon keeps a rotated API token: it is used, and rotated, under the same lock. */
  readonly stateDir: string | undefined
}

export interface EventsQuestion {
  /** ms since 1970. */
  readonly fromMs: number
  /** Exclusive; absent: to the newest. */
  readonly untilMs?: number | undefined
  /** The cell's filter language, e.g. `eventType==com/vmware/vcloud/event/session/login;user.name==alice`. */
  readonly filter?: string | undefined
  /** Else the oldest first. */
  readonly newestFirst?: boolean
}

export interface Versions {
  readonly offered: readonly OfferedVersion[]
  /** The one that opswire speaks to this cell. */
  readonly chosen: string
}

export class VcdQuestions {
  readonly #options: QuestionsOptions
  readonly #api: VcdApi

  /** Throws `Fatal('tls')` when the CA file can't be read. Logs in with the first question that needs it. */
  constructor(config: VcdConfig, options: QuestionsOptions) {
    this.#options = options
    const memory = { current: undefined, unsaved: undefined, version: undefined, versionAt: Number.NEGATIVE_INFINITY }
    this.#api = new VcdApi({ ...options, config, memory })
  }

  /** Without a login. Throws `Fatal('config')` when no version is of use. */
  async versions(): Promise<Versions> {
    const offered = await this.#api.offered()
    return { offered, chosen: chooseVersion(offered).version }
  }

  async orgs(): Promise<Org[]> {
    await this.#api.open()
    return listOrgs(this.#api)
  }

  /**
   * Rows of the audit trail as the cell gives them, secrets behind telling names masked; each once. From page to page it goes on at
   * the last row's time, so nothing is skipped when rows come in or are purged meanwhile. Throws `Fatal('config')` for a filter
   * that the cell refuses.
   */
  async *events(question: EventsQuestion): AsyncGenerator<unknown, void> {
    const { clock, signal } = this.#options
    await this.#api.open()
    const pages = new Pages(this.#api, { pageSize: new PageSize() })
    const { filter, newestFirst = false } = question
    const { fromMs, untilMs } = question
    const met = new Set<string>()
    let asked = 0
    const pause = async (): Promise<void> => {
      if (++asked >= BURST_PAGES) await sleep(clock, SPACING_MS, signal)
    }
    for await (const page of pages.through({ fromMs, untilMs, filter }, pause, newestFirst)) yield* fresh(page, met)
  }

  /** How many events `events` would give, as the cell counts them; where it counts nothing they are read. */
  async count(question: EventsQuestion): Promise<number> {
    await this.#api.open()
    const pageSize = new PageSize()
    const { total } = await new Pages(this.#api, { pageSize }).page(question)
    if (total !== undefined) return total
    let count = 0
    for await (const _ of this.events(question)) count++
    return count
  }

  /** API tokens as a user sees them: a session from an API token may list none. Logs in as that user, and out. */
  tokens(login: Login): Promise<ListedToken[]> {
    return this.#api.tokensOf(login)
  }

  /** Idempotent. */
  async close(): Promise<void> {
    await this.#api.close()
  }
}

function* fresh(
  page: { readonly rows: readonly { id: string; raw: unknown }[]; readonly dead: readonly { content: string }[] },
  met: Set<string>,
): Generator<unknown, void> {
  for (const { id, raw } of page.rows) {
    if (met.has(id)) continue
    met.add(id)
    yield withoutSecrets(raw)
  }
  for (const { content } of page.dead) {
    if (met.has(content)) continue
    met.add(content)
    yield withoutSecrets(JSON.parse(content))
  }
}
