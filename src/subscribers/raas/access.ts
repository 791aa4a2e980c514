/**
 * Being let in: the credential of the moment, the XSRF token, and which path the server answers at. Belongs to the
 * subscriber, not to one session: a reopened session logs in again only when it must.
 */
import type { RaasConfig } from '../../config/sources.ts'
import { Fatal, Retryable } from '../../errors.ts'
import type { Report } from '../../report.ts'
import type { Clock } from '../../scheduler/clock.ts'
import { type HttpAnswer, HttpClient } from '../http.ts'
import { Nodes } from './nodes.ts'
import { isRow, numberOf, type Row } from './rows.ts'

/** Lifetime of a token that does not say its own (raas.md §6): renewed well before the usual 30 minutes. */
const UNKNOWN_LIFETIME_MS = 25 * 60_000
const RENEW_AT = 0.8
/** However short a life a token claims (a clock that is off, an `expires_in` of 0), it is used for so long. */
const LEAST_USE_MS = 10_000

export interface AccessContext {
  readonly http: HttpClient
  readonly clock: Clock
  readonly report: Report
  readonly signal: AbortSignal
}

interface Token {
  /** Empty when the server keeps a cookie session instead. */
  readonly value: string
  readonly renewAt: number
  readonly endsAt: number
}

export class Access {
  readonly #config: RaasConfig
  readonly #base: string
  #turn: Promise<unknown> = Promise.resolve()
  /** The server's own prefix, found out once; `/raas` when only `/raas/rpc` answers. */
  #prefix = ''
  #prefixProven = false
  #scheme: 'JWT' | 'Bearer'
  #schemeProven = false
  #token: Token | undefined
  #xsrf: string | undefined
  #cookies = new Map<string, string>()
  /** Who answers here. */
  readonly nodes: Nodes
  /** The account as the server or its token names it. */
  username: string | undefined

  constructor(config: RaasConfig) {
    this.#config = config
    this.nodes = new Nodes(config.overlap)
    this.#base = new URL(config.url).pathname.replace(/\/+$/, '')
    this.#scheme = config.username === undefined ? 'Bearer' : 'JWT'
    this.username = config.username
  }

  /**
   * One at a time, whichever session asks (two overlap when one hands over): so a token is renewed once, and a rotating
   * XSRF token never meets another call.
   */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work)
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  /** Path under the server's base. */
  path(rest: string): string {
    return `${this.#base}${this.#prefix}${rest}`
  }

  /** Call when the RPC path answered as one: the prefix is right. */
  provePath(): void {
    this.#prefixProven = true
  }

  /** Switches to the other known prefix; false when this one is proven or both were tried in vain. */
  otherPath(): boolean {
    if (this.#prefixProven || this.#base.endsWith('/raas') || this.#prefix === '/raas') return false
    this.#prefix = '/raas'
    return true
  }

  proveScheme(): void {
    this.#schemeProven = true
  }

  /** Some servers take their own JWT only as `Bearer` (raas.md §2.2); false when the scheme is proven already. */
  otherScheme(): boolean {
    if (this.#schemeProven || this.#scheme === 'Bearer') return false
    this.#scheme = 'Bearer'
    return true
  }

  /** Monotonic ms at which the token ends; undefined without one. */
  get endsAt(): number | undefined {
    return this.#token?.endsAt
  }

  /** True when the next request should log in first: no token, or 80 % of its life are over. */
  isDue(now: number): boolean {
    return this.#token === undefined || now >= this.#token.renewAt
  }

  forgetToken(): void {
    this.#token = undefined
    this.#cookies.clear()
    this.#xsrf = undefined
  }

  /** The newest XSRF token wins, whether it came as cookie or as header; other cookies are kept by name. */
  adopt(answer: HttpAnswer): void {
    let seen = answer.header('x-xsrftoken')
    for (const line of answer.headers('set-cookie')) {
      const [pair = ''] = line.split(';')
      const at = pair.indexOf('=')
      if (at <= 0) continue
      const name = pair.slice(0, at).trim()
      const value = pair.slice(at + 1).trim()
      if (name === '_xsrf') seen = value
      else this.#cookies.set(name, value)
    }
    if (seen !== undefined && seen !== '') this.#xsrf = seen
  }

  headers(): Record<string, string> {
    const headers: Record<string, string> = { accept: 'application/json' }
    const cookies = [...this.#cookies].map(([name, value]) => `${name}=${value}`)
    if (this.#xsrf !== undefined) {
      headers['x-xsrftoken'] = this.#xsrf
      cookies.push(`_xsrf=${this.#xsrf}`)
    }
    if (cookies.length > 0) headers['cookie'] = cookies.join('; ')
    const token = this.#token?.value ?? ''
    if (token !== '') headers['authorization'] = `${this.#scheme} ${token}`
    return headers
  }

  /** Drops the XSRF token and asks for a new one. A server without XSRF gives none, and none is sent. */
  async refetchXsrf(context: AccessContext): Promise<void> {
    this.#xsrf = undefined
    for (const path of ['/account/login', '/version']) {
      const answer = await this.#send(context, 'GET', this.path(path), 'xsrf')
      if (answer.status < 400) this.adopt(answer)
      else if (answer.status >= 500 || answer.status === 429) throw busy(answer, 'login page')
      if (this.#xsrf !== undefined) return
    }
    if (this.#token !== undefined && this.#token.value !== '' && this.#scheme === 'Bearer') {
      await this.#showBearer(context)
    }
  }

  /**
   * Logs in anew with the secret as it is now. Throws `Fatal('auth_refused')`, `Fatal('config')` when what answers is
   * no RaaS, or `Retryable`.
   */
  async login(context: AccessContext): Promise<void> {
    this.forgetToken()
    // What was guessed and never worked is guessed anew.
    if (!this.#prefixProven) this.#prefix = ''
    if (!this.#schemeProven) this.#scheme = this.#config.username === undefined ? 'Bearer' : 'JWT'
    const { username, csp_api_token: csp, bearer_token: bearer } = this.#config
    if (username !== undefined) return this.#passwordLogin(context, username)
    if (csp !== undefined) return this.#cspLogin(context, await csp.read())
    if (bearer !== undefined) return this.#bearerLogin(context, await bearer.read())
    throw new Fatal('config', 'no credentials are configured')
  }

  async #passwordLogin(context: AccessContext, username: string): Promise<void> {
    const password = (await this.#config.password?.read()) ?? ''
    const form = { username, password, config_name: this.#config.config_name, token_type: 'jwt' }
    await this.refetchXsrf(context)
    const ask = (): Promise<HttpAnswer> =>
      this.#send(context, 'POST', this.path('/account/login'), 'login', JSON.stringify(form), 'application/json')
    let answer = await ask()
    if ((answer.status === 404 || answer.status === 405) && this.otherPath()) {
      await this.refetchXsrf(context)
      answer = await ask()
    }
    if (answer.status === 403) {
      await this.refetchXsrf(context)
      answer = await ask()
    }
    this.#refuse(answer, `login as ${username} (config_name ${this.#config.config_name})`)
    this.adopt(answer)
    const body = answer.json()
    const reply: Row = isRow(body) ? body : {}
    const data: Row = isRow(reply['data']) ? reply['data'] : {}
    const jwt = reply['jwt'] ?? data['jwt']
    const attributes = reply['attributes']
    if (isRow(attributes) && typeof attributes['username'] === 'string') this.username = attributes['username']
    if (typeof jwt !== 'string' && reply['authenticated'] !== true) {
      throw new Fatal('auth_refused', `login as ${username}: the server did not say that it is authenticated`)
    }
    this.#take(context, typeof jwt === 'string' ? jwt : '', answer.serverTimeMs)
  }

  async #cspLogin(context: AccessContext, apiToken: string): Promise<void> {
    const {
      csp_url: cspUrl,
      tls,
      name: source,
      request_timeout: timeoutMs,
      api_token_expires_at: expires,
    } = this.#config
    const { clock, report, signal } = context
    if (expires !== undefined) report({ type: 'credential_expiry', source, atMs: Date.parse(expires) })
    // A pin names one certificate: it can't be the one of another host as well.
    const pinned = new URL(cspUrl).origin === new URL(this.#config.url).origin ? tls.fingerprint_sha256 : null
    const http = new HttpClient({
      ...{ origin: cspUrl, source, timeoutMs, connections: 1, clock, report },
      tls: { ...tls, fingerprint_sha256: pinned },
    })
    let answer: HttpAnswer
    try {
      answer = await http.request({
        method: 'POST',
        path: `${new URL(cspUrl).pathname.replace(/\/+$/, '')}/csp/gateway/am/api/auth/api-tokens/authorize`,
        headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
        body: new URLSearchParams({ api_token: apiToken }).toString(),
        operation: 'login',
        signal,
      })
    } finally {
      await http.close()
    }
    if ([400, 401, 403].includes(answer.status)) {
      throw new Fatal('auth_refused', `${cspUrl} refuses the API token (HTTP ${answer.status}): expired or revoked`)
    }
    this.#refuse(answer, `API token exchange at ${cspUrl}`)
    const reply = answer.json()
    const token = isRow(reply) ? reply['access_token'] : undefined
    if (typeof token !== 'string') throw new Retryable('protocol', `${cspUrl}: the answer holds no access_token`)
    const seconds = isRow(reply) ? numberOf(reply['expires_in']) : null
    this.#take(context, token, answer.serverTimeMs, seconds === null ? undefined : seconds * 1000)
    await this.#showBearer(context)
  }

  async #bearerLogin(context: AccessContext, token: string): Promise<void> {
    const endMs = this.#take(context, token, undefined)
    if (endMs !== undefined) {
      context.report({ type: 'credential_expiry', source: this.#config.name, atMs: endMs })
    }
    await this.refetchXsrf(context)
  }

  /** The guide's recipe: POST /account/login/ with the Bearer and no body; the answer's header is the XSRF token. */
  async #showBearer(context: AccessContext): Promise<void> {
    const ask = (): Promise<HttpAnswer> => this.#send(context, 'POST', this.path('/account/login/'), 'login', '')
    let answer = await ask()
    if ((answer.status === 404 || answer.status === 405) && this.otherPath()) answer = await ask()
    if (answer.status === 401) {
      throw new Fatal('auth_refused', `${this.#config.url} refuses the access token: has the account a service role?`)
    }
    if (answer.status >= 500 || answer.status === 429) throw busy(answer, 'login')
    this.adopt(answer)
    // Where this call is unknown the cookie of any page will do.
    if (this.#xsrf === undefined) {
      const page = await this.#send(context, 'GET', this.path('/account/login'), 'xsrf')
      if (page.status < 400) this.adopt(page)
    }
  }

  /** Keeps the token and how long it lives. Returns its end by the wall clock, ms, when it says one. */
  #take({ clock }: AccessContext, value: string, serverMs: number | undefined, lifeMs?: number): number | undefined {
    const claims = claimsOf(value)
    const exp = numberOf(claims?.['exp'])
    const iat = numberOf(claims?.['iat'])
    const name = claims?.['username'] ?? claims?.['acct'] ?? claims?.['sub']
    if (this.#config.username === undefined && typeof name === 'string') this.username = name
    // The server's own two times are the safest measure; then its Date header; our clock last.
    const start = this.#config.bearer_token === undefined && iat !== null ? iat * 1000 : (serverMs ?? clock.wall())
    const life = lifeMs ?? (exp === null ? UNKNOWN_LIFETIME_MS : exp * 1000 - start)
    const now = clock.now()
    this.#token = { value, renewAt: now + Math.max(LEAST_USE_MS, life * RENEW_AT), endsAt: now + life }
    return exp === null ? undefined : exp * 1000
  }

  #refuse(answer: HttpAnswer, what: string): void {
    if (answer.status === 401 || answer.status === 403) {
      throw new Fatal('auth_refused', `${what} was refused (HTTP ${answer.status})`)
    }
    if (answer.status === 429 || answer.status >= 500) throw busy(answer, what)
    if (!answer.ok) throw new Fatal('config', `${what}: HTTP ${answer.status}; is ${this.#config.url} the RaaS API?`)
    if (answer.isHtml)
      throw new Fatal('config', `${what}: a web page instead of JSON; ${this.#config.url} is not the RaaS API`)
  }

  #send(
    { http, signal }: AccessContext,
    method: 'GET' | 'POST',
    path: string,
    operation: string,
    body?: string,
    contentType?: string,
  ): Promise<HttpAnswer> {
    const headers = { ...this.headers(), ...(contentType === undefined ? {} : { 'content-type': contentType }) }
    return http.request({ method, path, headers, operation, signal, ...(body === undefined ? {} : { body }) })
  }
}

/** Too busy to answer: 429, 5xx, a proxy's page. */
export function busy(answer: HttpAnswer, what: string): Retryable {
  const after = answer.retryAfterMs
  return new Retryable('throttled', `${what}: HTTP ${answer.status}`, after === undefined ? {} : { afterMs: after })
}

function claimsOf(token: string): Row | undefined {
  const parts = token.split('.')
  if (parts.length !== 3) return undefined
  try {
    const claims: unknown = JSON.parse(Buffer.from(parts[1] ?? '', 'base64url').toString('utf8'))
    return isRow(claims) ? claims : undefined
  } catch {
    return undefined
  }
}
