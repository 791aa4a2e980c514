/** One VCD as we ask it: versioned, authorised GETs, with the one re-login on 401 and the one renegotiation on 406. */
import { randomUUID } from 'node:crypto'
import type { VcdConfig } from '../../config/sources.ts'
import { Fatal, Retryable } from '../../errors.ts'
import type { Report } from '../../report.ts'
import type { Clock } from '../../scheduler/clock.ts'
import { type HttpAnswer, HttpClient } from '../http.ts'
import { Access, type AccessMemory, type AccessToken } from './access.ts'
import { TokenFile } from './token-file.ts'
import { type ListedToken, type Login, tokensOfUser } from './user-login.ts'
import { chooseVersion, type OfferedVersion, parseVersions } from './versions.ts'

/** No second look at /api/versions within this time: mixed cells behind one balancer would make us flap. */
const RENEGOTIATE_MS = 60_000
/** An audit page of 128 rows of 64 KiB. */
const MAX_BYTES = 16 * 1024 * 1024

/** What stays between two sessions of one source, in memory only. */
export interface ApiMemory extends AccessMemory {
  version: string | undefined
  /** `clock.now()` of the last look at /api/versions. */
  versionAt: number
  /** That the cell does not tell its time was said. */
  toldNoDate?: true
}

export interface ApiOptions {
  readonly config: VcdConfig
  readonly clock: Clock
  readonly report: Report
  readonly signal: AbortSignal
  readonly stateDir: string | undefined
  readonly memory: ApiMemory
}

export class VcdApi {
  readonly #options: ApiOptions
  readonly #http: HttpClient
  readonly #access: Access
  readonly #basePath: string
  readonly #requestPrefix = `opswire-${randomUUID()}`
  #requests = 0
  /** Offset between the cell's clock and `clock.now()`, from the last `Date` header. */
  #serverOffsetMs: number | undefined
  #askedAtMs: number | undefined

  /** Throws `Fatal('tls')`. Opens no connection yet. */
  constructor(options: ApiOptions) {
    const { config, clock, report, signal, stateDir, memory } = options
    this.#options = options
    this.#basePath = new URL(config.url).pathname.replace(/\/+$/, '')
    this.#http = new HttpClient({
      origin: config.url,
      source: config.name,
      tls: config.tls,
      timeoutMs: config.request_timeout,
      connections: 2,
      clock,
      report,
      retries: 2,
      retryDelayMs: 100,
    })
    this.#access = new Access({
      config,
      http: this.#http,
      clock,
      report,
      signal,
      memory,
      tokenFile: stateDir === undefined ? undefined : new TokenFile(stateDir, config.name, clock),
      headers: () => this.#headers(),
      basePath: this.#basePath,
    })
  }

  /** Negotiates the version and logs in; where both are still good, asks whether they are. Throws `Fatal` and `Retryable`. */
  async open(): Promise<void> {
    const { memory } = this.#options
    if (memory.version === undefined) await this.#negotiate()
    const before = memory.current
    const token = await this.#authorised()
    if (token === before) await this.get('/cloudapi/1.0.0/sessions/current', 'session')
  }

  /** What the cell offers, asked anew; needs no login. Throws `Retryable`. */
  async offered(): Promise<OfferedVersion[]> {
    const { signal } = this.#options
    const answer = await this.#http.request({
      method: 'GET',
      path: `${this.#basePath}/api/versions`,
      operation: 'versions',
      signal,
      headers: { ...this.#headers(), Accept: 'application/*+xml' },
    })
    if (!answer.ok || answer.isHtml) {
      const { retryAfterMs } = answer
      const options = retryAfterMs === undefined ? {} : { afterMs: retryAfterMs }
      throw new Retryable('throttled', `GET /api/versions answered ${answer.status}`, options)
    }
    return parseVersions(answer.text)
  }

  /**
   * One authorised GET, of JSON under /cloudapi and of XML under /api; resolves with any status but 401, 406, 429 and 5xx, which
   * are dealt with here: one new login and one retry (then `Fatal('auth_refused')`), one renegotiation and one retry, and
   * `Retryable('throttled')`.
   */
  async get(path: string, operation: string): Promise<HttpAnswer> {
    let token = await this.#authorised()
    let answer = await this.#send(path, operation, token)
    // Mixed cells behind one balancer, during an upgrade: the next one may well take it (vcd.md b7).
    if (answer.status === 406) answer = await this.#send(path, operation, token)
    if (answer.status === 406) {
      await this.#renegotiate()
      answer = await this.#send(path, operation, token)
    }
    if (answer.status === 401) {
      // The body of a 401 is empty and says nothing (a7): a new login tells whether the API token still counts.
      const { report, config } = this.#options
      report({ type: 'lease_lost', source: config.name, lease: 'session', name: 'access token', reason: 'HTTP 401' })
      token = await this.#authorised(token)
      answer = await this.#send(path, operation, token)
      if (answer.status === 401) {
        this.#options.memory.current = undefined
        throw new Fatal('auth_refused', `${operation}: a fresh access token was refused (HTTP 401)`)
      }
    }
    if (answer.isHtml || answer.status === 429 || answer.status >= 500) {
      const { retryAfterMs } = answer
      const what = answer.isHtml ? 'a web page in place of an answer' : `HTTP ${answer.status}`
      throw new Retryable(
        'throttled',
        `${operation}: ${what}`,
        retryAfterMs === undefined ? {} : { afterMs: retryAfterMs },
      )
    }
    if (answer.status === 406) throw new Retryable('protocol', `${operation}: no API version fits (HTTP 406)`)
    token.usedAt = this.#options.clock.now()
    return answer
  }

  /** The API tokens that this user may see; logs in as that user, and out. Throws `Fatal` and `Retryable`. */
  async tokensOf(login: Login): Promise<ListedToken[]> {
    const { memory, config, signal } = this.#options
    if (memory.version === undefined) await this.#negotiate()
    const version = memory.version ?? ''
    return tokensOfUser({ config, signal, version, http: this.#http, basePath: this.#basePath }, login)
  }

  /** The cell's wall clock now, ms, as of the last answer; our own before any. */
  serverNow(): number {
    const { clock } = this.#options
    return this.#serverOffsetMs === undefined ? clock.wall() : clock.now() + this.#serverOffsetMs
  }

  /** The cell's time when the last request was sent, by its `Date` header (whole seconds, rounded down); else our own. */
  get askedAtMs(): number {
    return this.#askedAtMs ?? this.#options.clock.wall()
  }

  /** Seconds left of the access token. */
  marginSeconds(): number | undefined {
    const margin = this.#access.marginMs()
    return margin === undefined ? undefined : margin / 1000
  }

  /** Our own session as the cell calls it, once known. */
  get sessionId(): string | undefined {
    return this.#options.memory.current?.sessionId
  }

  /** Idempotent. Sees a login that is under way to its end first (`Access.settled`). */
  async close(): Promise<void> {
    await this.#access.settled()
    await this.#http.close()
  }

  #headers(): Record<string, string> {
    return { 'X-VMWARE-VCLOUD-CLIENT-REQUEST-ID': `${this.#requestPrefix}-${++this.#requests}` }
  }

  async #send(path: string, operation: string, token: AccessToken): Promise<HttpAnswer> {
    const { memory, signal, clock } = this.#options
    const startedAt = clock.now()
    const answer = await this.#http.request({
      method: 'GET',
      path: `${this.#basePath}${path}`,
      operation,
      signal,
      maxBytes: MAX_BYTES,
      headers: {
        ...this.#headers(),
        Accept: `${path.startsWith('/api/') ? 'application/*+xml' : 'application/json'};version=${memory.version ?? ''}`,
        Authorization: `Bearer ${token.bearer}`,
      },
    })
    if (answer.serverTimeMs === undefined && answer.ok) this.#adviseNoDate()
    // The header's time against the request's start: an answer that took long must not put the cell's clock ahead.
    if (answer.serverTimeMs !== undefined) this.#serverOffsetMs = answer.serverTimeMs - clock.now()
    this.#askedAtMs = this.serverNow() - (clock.now() - startedAt)
    return answer
  }

  #adviseNoDate(): void {
    const { memory, report, config } = this.#options
    if (memory.toldNoDate === true) return
    memory.toldNoDate = true
    const text = 'the cell sends no Date header: where reading goes on follows our own clock, which must be right'
    report({ type: 'advice', source: config.name, text })
  }

  async #authorised(stale?: AccessToken): Promise<AccessToken> {
    const token = stale === undefined ? await this.#access.token() : await this.#access.renew(stale)
    if (token.sessionId === undefined) await this.#learnSession(token)
    return token
  }

  /** The idle time-out and our session's id. Best effort: without them the defaults hold. */
  async #learnSession(token: AccessToken): Promise<void> {
    token.sessionId = ''
    let body: { id?: unknown; sessionIdleTimeoutMinutes?: unknown } | null
    try {
      const answer = await this.#send('/cloudapi/1.0.0/sessions/current', 'session', token)
      if (!answer.ok || answer.isHtml) return
      body = answer.json() as { id?: unknown; sessionIdleTimeoutMinutes?: unknown } | null
    } catch (error) {
      if (error instanceof Retryable) return
      throw error
    }
    if (typeof body?.id === 'string') token.sessionId = body.id.split(':').at(-1)?.toLowerCase() ?? ''
    const minutes = body?.sessionIdleTimeoutMinutes
    if (typeof minutes === 'number' && minutes > 0) token.idleMs = minutes * 60_000
  }

  async #renegotiate(): Promise<void> {
    const { memory, clock } = this.#options
    const sinceMs = clock.now() - memory.versionAt
    if (sinceMs < RENEGOTIATE_MS) {
      const wait = { afterMs: RENEGOTIATE_MS - sinceMs }
      throw new Retryable(
        'protocol',
        `API version ${memory.version} was refused (HTTP 406) just after negotiating it`,
        wait,
      )
    }
    await this.#negotiate()
  }

  async #negotiate(): Promise<void> {
    const { memory, clock, report, config } = this.#options
    const { version, advice } = chooseVersion(await this.offered())
    if (advice !== undefined && memory.version !== version)
      report({ type: 'advice', source: config.name, text: advice })
    memory.version = version
    memory.versionAt = clock.now()
  }
}
