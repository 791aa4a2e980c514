/** One session with one controller over HTTP: login, questions, refresh, logout. Errors come out classified. */
import type { ApicConfig } from '../../config/sources.ts'
import { codeOf, Retryable } from '../../errors.ts'
import type { Report } from '../../report.ts'
import type { Clock } from '../../scheduler/clock.ts'
import type { Pace } from '../../scheduler/pace.ts'
import { HttpClient } from '../http.ts'
import { type Authentication, decodeChecked, type Grant, grantOf, isTooBig } from './auth.ts'
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
  /** That of the controller: every request goes through it. */
  readonly pace: Pace
}

/** As many as the pace may ever have under way (`max_concurrency` is 64 at most), and some for goodbyes. */
const CONNECTIONS = 72
/** A renewal that is not answered in this part of the life is asked again, whatever `request_timeout` says. */
const RENEWAL_SHARE = 1 / 4

export class ApicClient {
  readonly #options: ApicClientOptions
  readonly #http: HttpClient
  #grant: Grant | undefined
  /** Resolves when the refresh that is under way has ended, however. */
  #refreshing: Promise<unknown> | undefined

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
    // The pace bounds what is under way, and other sources may have made it wider than this one's `max_concurrency`:
    // nothing waits for a connection, renewals least of all.
    this.#http = new HttpClient({ ...common, connections: CONNECTIONS })
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

  /** For the socket's handshake: none needs the cookie; the challenge token goes along where there is one. */
  get socketHeaders(): Record<string, string> {
    return this.#options.auth.handshake(this.grant)
  }

  /** One login, when no other is under way there. Throws `Fatal('auth_refused')`, `Retryable`. */
  async login(): Promise<Grant> {
    const { auth, clock, signal, pace } = this.#options
    this.#grant = await this.#slowing(
      pace.run({ rank: 'session' }, signal, () => auth.login(this.#http, clock, signal)),
    )
    // It may have come after the stop: whoever ends this client says goodbye to it.
    signal.throwIfAborted()
    return this.#grant
  }

  /**
   * Resets the session's timer; takes the NEW token for everything that follows (reference a4). Asked by the lease
   * keeper, which has got the turn for it.
   */
  async refresh(signal: AbortSignal): Promise<Grant> {
    const refresh = this.#refresh(signal)
    this.#refreshing = refresh.catch(() => undefined)
    try {
      return await refresh
    } finally {
      this.#refreshing = undefined
    }
  }

  async #refresh(signal: AbortSignal): Promise<Grant> {
    const askedAt = this.#options.clock.now()
    const before = this.grant
    const { answer, decoded } = await this.#slowing(
      this.#send('/api/aaaRefresh.json', 'refresh_session', before, signal, this.#renewalMs(before.refreshTimeoutMs)),
    )
    const grant = grantOf(answer, decoded, askedAt, before)
    this.#grant = grant
    return grant
  }

  /**
   * One GET, `path` with its query string, when its turn has come; `onStart` is called then. Throws
   * `Retryable('session_lost')` when the token is over, `Retryable('socket_lost')` when the controller knows no socket of
   * this session, `Retryable('throttled')`, `Refused`.
   */
  async get(path: string, operation: string, signal: AbortSignal, onStart?: () => void): Promise<ApicAnswer> {
    const { pace } = this.#options
    const { decoded } = await pace.run({ rank: operation === 'subscribe' ? 'make' : 'question' }, signal, () => {
      onStart?.()
      return this.#ask(path, operation, signal)
    })
    return decoded
  }

  /**
   * One refresh of a subscription that lives `lifeMs`, asked by the lease keeper, which has got the turn for it. Throws
   * like `get`.
   */
  async refreshSubscription(id: string, lifeMs: number, signal: AbortSignal): Promise<void> {
    const timeoutMs = this.#renewalMs(lifeMs)
    await this.#ask(`/api/subscriptionRefresh.json?id=${id}`, 'refresh_subscription', signal, timeoutMs)
  }

  /** How long the answer to a renewal is waited for, ms: one that hangs must leave time for another. */
  #renewalMs(lifeMs: number): number {
    return Math.min(this.#options.config.request_timeout, lifeMs * RENEWAL_SHARE)
  }

  #ask(path: string, operation: string, signal: AbortSignal, timeoutMs?: number) {
    return this.#slowing(this.#withToken(path, operation, signal, timeoutMs))
  }

  /** A request that was on its way while the token was renewed may come too late for the old one: once more. */
  async #withToken(path: string, operation: string, signal: AbortSignal, timeoutMs?: number) {
    const { grant } = this
    try {
      return await this.#send(path, operation, grant, signal, timeoutMs)
    } catch (error) {
      if (codeOf(error) !== 'session_lost') throw error
      await this.#refreshing
      const newer = this.grant
      if (newer.token === grant.token) throw error
      return this.#send(path, operation, newer, signal, timeoutMs)
    }
  }

  /** What a controller refuses for being asked too much slows the pace down. */
  async #slowing<T>(request: Promise<T>): Promise<T> {
    try {
      return await request
    } catch (error) {
      if (codeOf(error) === 'throttled') {
        this.#options.pace.throttled(error instanceof Retryable ? error.afterMs : undefined)
      }
      throw error
    }
  }

  async #send(path: string, operation: string, grant: Grant, signal: AbortSignal, timeoutMs?: number) {
    const { auth } = this.#options
    let full = path
    for (const [name, value] of auth.options(grant))
      full += `${full.includes('?') ? '&' : '?'}${name}=${encodeURIComponent(value)}`
    const answer = await this.#http.request({
      method: 'GET',
      path: full,
      headers: auth.headers(grant),
      operation,
      signal: AbortSignal.any([signal, this.#options.signal]),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      // A class-wide snapshot of a large fabric: 100,000 objects of a few kB.
      maxBytes: 1024 * 1024 * 1024,
    })
    // A page of the web server's own: asked again, it would be too long again.
    if (answer.status === 414) throw new Refused('protocol', 414, '414', 'the request line is too long')
    const decoded = decodeChecked(answer)
    // An error may come under HTTP 200 too, and a 403 body under HTTP 401: the body decides (reference a4, a10).
    if (decoded.error !== undefined || !answer.ok) {
      const { code = String(answer.status), text = '' } = decoded.error ?? {}
      throw classify(answer.status, code, text, answer.retryAfterMs)
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
      const { auth, pace, signal } = this.#options
      await pace.run({ rank: 'goodbye' }, signal, () => auth.logout(this.#http, grant))
    } catch {
      // The controller is away or the session is over: nothing left to end.
    }
  }

  async close(): Promise<void> {
    await this.#http.close()
  }
}

/** Token over, socket forgotten: not one question's trouble but the session's. */
export function isSessionError(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'session_lost' || code === 'socket_lost'
}

function classify(status: number, code: string, text: string, afterMs: number | undefined): Retryable {
  if (/token was invalid|token timeout/i.test(text) || (status === 401 && code === '401')) {
    return new Retryable('session_lost', text === '' ? `HTTP ${status}` : text)
  }
  if (/web ?socket/i.test(text) || (status === 405 && code === '405')) return new Retryable('socket_lost', text)
  if (status === 403 || code === '403') return new Refused('permission', status, code, text || 'no right to ask this')
  if (isTooBig(text)) return new Refused('too_large', status, code, text)
  // 1 is an internal error, 100 and 102 pass by themselves (reference a10).
  if (status >= 500 || ['1', '100', '102'].includes(code)) {
    return new Retryable('throttled', `${text} (code ${code})`, afterMs === undefined ? {} : { afterMs })
  }
  return new Refused('protocol', status, code, text || 'refused')
}
