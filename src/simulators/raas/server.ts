/** A stand-in for RaaS (VMware Automation Config): login, XSRF and RPC over HTTPS, as strict as reference raas.md. */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Certificate, readBody, startServer, type Time } from '../server.ts'
import { Gate } from './gate.ts'
import { defaultKnobs, type RaasCall, type RaasFault, type RaasKnobs, type RaasUser } from './knobs.ts'
import { RpcFailure } from './page.ts'
import { runMethod } from './run-method.ts'
import { type BusEvent, type ReturnRecord, type Row, Tables } from './tables.ts'

export interface RaasSimulatorOptions extends Partial<RaasKnobs> {
  readonly time: Time
  readonly certificate?: Certificate
  readonly port?: number
  readonly users: readonly RaasUser[]
  /** Minion to master. Default: six minions of `master1`. */
  readonly minions?: Readonly<Record<string, string>>
}

export interface RaasRecord {
  /** Every return ever made visible, and every run (jid). */
  readonly returns: readonly ReturnRecord[]
  readonly runs: readonly string[]
  /** Requests by `resource.method`, or by path for everything else; `nowhere`: paths outside the server's own prefix. */
  readonly requests: ReadonlyMap<string, number>
  logins: number
  refusedLogins: number
  xsrfRefusals: number
  unauthorized: number
}

export interface RaasSimulator {
  readonly url: string
  readonly port: number
  readonly record: RaasRecord
  readonly knobs: RaasKnobs
  readonly tables: Tables
  /** Requests that have come and are not answered to the end. */
  readonly inFlight: number
  /** What a master's plugin pushes, without the HTTP around it: one transaction. */
  push(master: string, events: readonly BusEvent[]): void
  revokeTokens(): void
  forgetXsrf(): void
  /** Cuts every connection; the server goes on listening. */
  cut(): void
  /** Shows another certificate from now on; every connection is cut. */
  certify(certificate: Certificate): void
  close(): Promise<void>
}

const LOGIN_PAGE = '<!DOCTYPE html><html><head><title>Login</title></head><body><form></form></body></html>'
const CSP_PATH = '/csp/gateway/am/api/auth/api-tokens/authorize'

interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly body: string
}

class RaasServer {
  readonly knobs: RaasKnobs
  readonly tables: Tables
  readonly gate: Gate
  readonly counts = new Map<string, number>()
  readonly record: RaasRecord
  readonly #time: Time
  readonly #hanging = new Set<ServerResponse>()
  readonly #instances: string[] = []
  #requests = 0
  #answers = 0

  constructor(options: RaasSimulatorOptions) {
    const { time, certificate: _c, port: _p, users, minions, ...knobs } = options
    this.#time = time
    this.knobs = { ...defaultKnobs(), ...knobs }
    this.tables = new Tables(time, this.knobs)
    const known =
      minions ?? Object.fromEntries(['web01', 'web02', 'web03', 'db01', 'db02', 'app01'].map(m => [m, 'master1']))
    for (const [minion, master] of Object.entries(known)) this.tables.minions.set(minion, master)
    this.gate = new Gate(time, this.knobs, users)
    this.record = {
      ...this.tables.record,
      requests: this.counts,
      logins: 0,
      refusedLogins: 0,
      xsrfRefusals: 0,
      unauthorized: 0,
    }
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<undefined> {
    this.#sign(response)
    const exchange = { request, response, body: await readBody(request) }
    const path = (request.url ?? '').split('?')[0] ?? ''
    const number = ++this.#requests
    if (path === CSP_PATH) {
      if (!this.#faulted(exchange, { path, method: undefined, kwarg: {}, number })) this.#csp(exchange)
      return
    }
    const { path: prefix } = this.knobs
    if (!path.startsWith(`${prefix}/`)) {
      this.#count('nowhere')
      return this.#json(response, 404, { error: 'not found' })
    }
    const rest = path.slice(prefix.length).replace(/\/$/, '')
    if (rest === '/rpc') return this.#rpc(exchange, number)
    this.#count(rest)
    if (this.#faulted(exchange, { path: rest, method: undefined, kwarg: {}, number })) return
    if (request.method === 'GET' && (rest === '/account/login' || rest === '/version')) {
      this.#showXsrf(response)
      if (rest === '/version') return this.#json(response, 200, { version: this.knobs.version })
      return this.#html(response)
    }
    if (request.method === 'POST' && rest === '/account/login') return this.#login(exchange)
    this.#json(response, 404, { error: 'not found' })
  }

  /** Which node answers, and what its clock says. */
  #sign(response: ServerResponse): void {
    const { nodes } = this.knobs
    const node = this.#requests % nodes.length
    while (this.#instances.length < nodes.length) this.#instances.push(randomUUID())
    response.setHeader('Date', new Date(this.#time.wall() + (nodes[node] ?? 0)).toUTCString())
    response.setHeader('RaaS-Instance-ID', this.#instances[node] ?? '')
  }

  #count(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1)
  }

  #json(response: ServerResponse, status: number, body: unknown): undefined {
    response.writeHead(status, { 'content-type': 'application/json; charset=UTF-8' }).end(JSON.stringify(body))
  }

  #html(response: ServerResponse): undefined {
    response.writeHead(200, { 'content-type': 'text/html; charset=UTF-8' }).end(LOGIN_PAGE)
  }

  #showXsrf(response: ServerResponse): void {
    if (!this.knobs.xsrf) return
    const token = this.gate.xsrf()
    if (this.knobs.xsrfVia !== 'header') response.appendHeader('Set-Cookie', `_xsrf=${token}; Path=/; Secure`)
    if (this.knobs.xsrfVia !== 'cookie') response.setHeader('X-XSRFToken', token)
  }

  /** True when the request was dealt with by a fault. */
  #faulted({ request, response }: Exchange, call: RaasCall): boolean {
    const fault = this.knobs.fault?.(call)
    if (fault === undefined || fault.kind === 'rpc') return false
    this.#fail(request, response, fault)
    return true
  }

  #fail(request: IncomingMessage, response: ServerResponse, fault: Exclude<RaasFault, { kind: 'rpc' }>): void {
    if (fault.kind === 'reset') request.socket.destroy()
    else if (fault.kind === 'hang') this.#hanging.add(response)
    else {
      if (fault.retryAfter !== undefined) response.setHeader('Retry-After', String(fault.retryAfter))
      const type = fault.html === true ? 'text/html' : 'application/json'
      const body = fault.html === true ? '<html><body>Service Unavailable</body></html>' : '{"errors":[]}'
      response.writeHead(fault.status, { 'content-type': type }).end(body)
    }
  }

  #unauthorized(response: ServerResponse, detail: string): undefined {
    this.record.unauthorized++
    if (this.knobs.expired === 'html') return this.#html(response)
    this.#json(response, 401, { errors: [{ title: 'Unauthorized', message: 'JWT not authorized', detail }] })
  }

  #xsrfRefused(exchange: Exchange): boolean {
    const reason = this.gate.xsrfRefusal(exchange.request.headers)
    if (reason === undefined) return false
    this.record.xsrfRefusals++
    if (this.knobs.xsrfMissingHeader) exchange.response.setHeader('X-XSRFToken-Missing', reason)
    exchange.response.writeHead(403, 'missing xsrf', { 'content-type': 'text/html' }).end('<html>403</html>')
    return true
  }

  #csp({ request, response, body }: Exchange): undefined {
    this.#count('csp')
    const form = new URLSearchParams(body)
    const isForm = (request.headers['content-type'] ?? '').startsWith('application/x-www-form-urlencoded')
    const token = isForm ? this.gate.csp(form.get('api_token') ?? '') : undefined
    if (request.method !== 'POST' || token === undefined) {
      this.record.refusedLogins++
      return this.#json(response, 400, { message: 'invalid_grant: Invalid refresh token', statusCode: 400 })
    }
    this.#json(response, 200, {
      id_token: 'id',
      token_type: 'bearer',
      expires_in: Math.floor(this.knobs.cspLifetimeMs / 1000),
      scope: 'openid',
      access_token: token,
      refresh_token: form.get('api_token'),
    })
  }

  #login(exchange: Exchange): undefined {
    const { request, response, body } = exchange
    // The SaaS recipe: a Bearer and no body; the answer's header carries the XSRF token.
    if (/^bearer /i.test(request.headers.authorization ?? '')) {
      if (this.gate.who(request.headers) === undefined) return this.#unauthorized(response, 'bearer')
      this.record.logins++
      this.#showXsrf(response)
      return this.#json(response, 200, { authenticated: true })
    }
    if (this.#xsrfRefused(exchange)) return
    let form: Row = {}
    try {
      form = JSON.parse(body) as Row
    } catch {
      return this.#json(response, 400, { errors: [{ title: 'Bad Request', message: 'not JSON', detail: null }] })
    }
    const startUs = this.tables.nowUs()
    const user = this.gate.password(form['username'], form['password'], form['config_name'] ?? 'internal')
    const note = { username: String(form['username']), type: 'auth', name: 'login', startUs }
    this.tables.addAudit({ ...note, failed: user === undefined, request: { headers: this.#headers(request) } })
    if (user === undefined) {
      this.record.refusedLogins++
      return this.#json(response, 401, {
        errors: [{ title: 'Invalid credentials', message: 'Authentication failed', detail: null }],
      })
    }
    this.record.logins++
    this.#showXsrf(response)
    const attributes = { username: user.username, config_name: user.configName ?? 'internal' }
    if (form['token_type'] === 'jwt') {
      return this.#json(response, 200, { authenticated: true, jwt: this.gate.jwt(user), attributes })
    }
    response.appendHeader('Set-Cookie', `raas_session=${this.gate.cookieSession(user)}; Path=/; HttpOnly`)
    this.#json(response, 200, { authenticated: true, attributes })
  }

  /** As the docs' own audit sample shows them: with Authorization. */
  #headers(request: IncomingMessage): Row {
    const { authorization, cookie, host } = request.headers
    return { Host: host, ...(authorization === undefined ? {} : { Authorization: authorization }), Cookie: cookie }
  }

  #rpc(exchange: Exchange, number: number): undefined {
    const { request, response, body } = exchange
    let payload: unknown
    try {
      payload = JSON.parse(body)
    } catch {
      payload = undefined
    }
    const first = (Array.isArray(payload) ? payload[0] : payload) as Row | undefined
    const method = `${first?.['resource']}.${first?.['method']}`
    const call: RaasCall = { path: '/rpc', method, kwarg: (first?.['kwarg'] as Row | undefined) ?? {}, number }
    this.#count(method)
    if (this.#faulted(exchange, call)) return
    if (request.method !== 'POST') return this.#json(response, 405, { error: 'method not allowed' })
    if (this.#xsrfRefused(exchange)) return
    const login = this.gate.who(request.headers)
    if (login === undefined) return this.#unauthorized(response, 'expired')
    if (typeof payload !== 'object' || payload === null) {
      return this.#json(response, 400, { errors: [{ title: 'Bad Request', message: 'not JSON', detail: null }] })
    }
    const one = (single: Row): Row => this.#call(single, login.user, request, call)
    const answer = Array.isArray(payload)
      ? { batched_retcode: 0, ret: payload.map(single => one(single as Row)) }
      : one(payload as Row)
    this.#answers++
    if (this.knobs.xsrfRotateEvery > 0 && this.#answers % this.knobs.xsrfRotateEvery === 0) {
      this.gate.retireXsrf(request.headers)
      this.#showXsrf(response)
    }
    this.knobs.between?.(call)
    this.#json(response, 200, answer)
  }

  #call(payload: Row, user: RaasUser, request: IncomingMessage, call: RaasCall): Row {
    const name = `${payload['resource']}.${payload['method']}`
    const riq = payload['riq'] ?? null
    const startUs = this.tables.nowUs()
    let failed = false
    let answer: Row
    try {
      const fault = this.knobs.fault?.(call)
      if (fault?.kind === 'rpc') throw new RpcFailure(fault.code, fault.message, fault.detail)
      answer = {
        riq,
        ret: runMethod(name, payload, { tables: this.tables, knobs: this.knobs, time: this.#time, user }),
        error: null,
        warnings: [],
      }
    } catch (error) {
      failed = true
      const failure = error instanceof RpcFailure ? error : new RpcFailure(5000, `RPC internal server error: ${error}`)
      const { code, message, detail } = failure
      const body = detail === undefined ? { code, message } : { code, message, detail }
      answer = { riq, ret: null, error: body, warnings: [] }
    }
    const note = { username: user.username, type: 'rpc', name, failed, startUs }
    this.tables.addAudit({ ...note, request: { headers: this.#headers(request) } })
    return answer
  }

  release(): void {
    for (const response of this.#hanging) response.destroy()
    this.#hanging.clear()
  }
}

/** Starts the stand-in on 127.0.0.1. `csp_url` of a client is its `url` too. */
export async function startRaasSimulator(options: RaasSimulatorOptions): Promise<RaasSimulator> {
  const raas = new RaasServer(options)
  let inFlight = 0
  const server = await startServer(
    (request, response) => {
      inFlight++
      response.once('close', () => {
        inFlight--
      })
      raas.handle(request, response).catch(() => response.destroy())
    },
    { certificate: options.certificate, port: options.port },
  )
  return {
    url: server.url,
    port: server.port,
    record: raas.record,
    knobs: raas.knobs,
    tables: raas.tables,
    get inFlight() {
      return inFlight
    },
    push: (master, events) => raas.tables.push(master, events),
    revokeTokens: () => raas.gate.revokeAll(),
    forgetXsrf: () => raas.gate.forgetXsrf(),
    cut: () => server.cut(),
    certify: certificate => server.certify(certificate),
    close: () => {
      raas.release()
      return server.close()
    },
  }
}
