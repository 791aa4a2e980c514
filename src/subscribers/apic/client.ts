/** One session with one controller over HTTP: login, questions, refresh, logout. Errors come out classified. */
import type { ApicConfig } from '../../config/sources.ts'
import { codeOf, Retryable } from '../../errors.ts'
import type { Report } from '../../report.ts'
import type { Clock } from '../../scheduler/clock.ts'
import { HttpClient } from '../http.ts'
import { type Authentication, decodeChecked, type Grant, grantOf } from './auth.ts'
import type { ApicAnswer } from './decode.ts'

/** The controller refused this one question: rights, grammar, an unknown class. The session is well. */
export class Refused extends Retryable {
  readonly status: number
  /** APIC's own number, e.g. '12' for an unknown class. */
  readonly apicCode: string

  constructor(code: 'permission' | 'protocol' | 'too_large', status: number, apicCode: string, text: string) {
    super(code, `${text} (HTTP ${status}, code ${apicCode})`)
    this.status = status
    this.apicCode = apicCode
  }
}

export interface ApicClientOptions {
  /** `https://host[:port]` */
  readonly controller: string
  readonly config: ApicConfig
  readonly auth: Authentication
  readonly clock: Clock
  readonly report: Report
  readonly signal: AbortSignal
}

export class ApicClient {
  readonly #options: ApicClientOptions
  /** Ordinary questions. */
  readonly #http: HttpClient
  /** Logins and renewals: they never wait behind a slow query. */
  readonly #renewals: HttpClient
  #grant: Grant | undefined

  /** Throws `Fatal('tls')` when the CA file can't be read. */
  constructor(options: ApicClientOptions) {
    this.#options = options
    const { config, controller, clock, report } = options
    const common = {
      origin: controller,
      source: config.name,
      tls: config.tls,
      timeoutMs: config.request_timeout,
      clock,
      report,
    }
    this.#http = new HttpClient({ ...common, connections: config.max_concurrency })
    this.#renewals = new HttpClient({ ...common, connections: Math.max(1, Math.ceil(config.max_concurrency / 2)) })
  }

  /** The grant of the login or of the last refresh. */
  get grant(): Grant {
    if (this.#grant === undefined) throw new Retryable('session_lost', 'not logged in')
    return this.#grant
  }

  /** `wss://HOST/socketTOKEN`: no separator, the token as it is, not percent-encoded (reference a6). */
  get socketUrl(): string {
    return `${this.#options.controller.replace(/^http/, 'ws').replace(/\/+$/, '')}/socket${this.grant.token}`
  }

  async login(): Promise<Grant> {
    const { auth, clock, signal } = this.#options
    this.#grant = await auth.login(this.#renewals, clock, signal)
    return this.#grant
  }

  /** Resets the session's timer; takes the NEW token for everything that follows (reference a4). */
  async refresh(signal: AbortSignal): Promise<Grant> {
    const askedAt = this.#options.clock.now()
    const { answer, decoded } = await this.#ask(this.#renewals, '/api/aaaRefresh.json', 'refresh_session', signal)
    this.#grant = grantOf(answer, decoded, askedAt, this.grant)
    return this.#grant
  }

  /**
   * One GET, `path` with its query string. Throws `Retryable('session_lost')` when the token is over,
   * `Retryable('socket_lost')` when the controller knows no socket of this session, `Retryable('throttled')`, `Refused`.
   */
  async get(path: string, operation: string, signal: AbortSignal): Promise<ApicAnswer> {
    const { decoded } = await this.#ask(this.#http, path, operation, signal)
    return decoded
  }

  /** One refresh of a subscription, ahead of every ordinary question. Throws like `get`. */
  async refreshSubscription(id: string, signal: AbortSignal): Promise<void> {
    await this.#ask(this.#renewals, `/api/subscriptionRefresh.json?id=${id}`, 'refresh_subscription', signal)
  }

  async #ask(http: HttpClient, path: string, operation: string, signal: AbortSignal) {
    const { auth } = this.#options
    const grant = this.grant
    let full = path
    for (const [name, value] of auth.options(grant))
      full += `${full.includes('?') ? '&' : '?'}${name}=${encodeURIComponent(value)}`
    const answer = await http.request({
      method: 'GET',
      path: full,
      headers: auth.headers(grant),
      operation,
      signal: AbortSignal.any([signal, this.#options.signal]),
      // A class-wide snapshot of a large fabric: 100,000 objects of a few kB.
      maxBytes: 1024 * 1024 * 1024,
    })
    const decoded = decodeChecked(answer)
    // An error may come under HTTP 200 too, and a 403 body under HTTP 401: the body decides (reference a4, a10).
    if (decoded.error !== undefined || !answer.ok) {
      throw classify(answer.status, decoded.error?.code ?? String(answer.status), decoded.error?.text ?? '')
    }
    return { answer, decoded }
  }

  /** Says goodbye, so that restarts don't pile up sessions. Never throws: the session ends by itself anyway. */
  async logout(): Promise<void> {
    const grant = this.#grant
    if (grant === undefined) return
    this.#grant = undefined
    try {
      // Its own few seconds: a stop has aborted everything else by now.
      await this.#options.auth.logout(this.#renewals, grant)
    } catch {
      // The controller is away or the session is over: nothing left to end.
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#http.close(), this.#renewals.close()])
  }
}

/** Token over, socket forgotten: not one question's trouble but the session's. */
export function isSessionError(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'session_lost' || code === 'socket_lost'
}

function classify(status: number, code: string, text: string): Retryable {
  if (/token was invalid|token timeout/i.test(text) || (status === 401 && code === '401')) {
    return new Retryable('session_lost', text === '' ? `HTTP ${status}` : text)
  }
  if (/web ?socket/i.test(text) || (status === 405 && code === '405')) return new Retryable('socket_lost', text)
  if (status === 403 || code === '403') return new Refused('permission', status, code, text || 'no right to ask this')
  if (/too big/i.test(text)) return new Refused('too_large', status, code, text)
  // 1 is an internal error, 100 and 102 pass by themselves (reference a10).
  if (status >= 500 || ['1', '100', '102'].includes(code)) return new Retryable('throttled', `${text} (code ${code})`)
  return new Refused('protocol', status, code, text || 'refused')
}
