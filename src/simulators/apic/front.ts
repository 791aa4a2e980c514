/**
 * The web server in front of the API: load limits, latency, failures on order, authentication, and the way back over
 * HTTP. What nginx refuses itself is a page; what the API refuses is an envelope (reference/apic.md a10).
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { readBody, type Time } from '../server.ts'
import { errorText, type Format } from './body.ts'
import type { Answer, Calls } from './calls.ts'
import { authenticate, Throttle } from './gate.ts'
import type { Knobs } from './knobs.ts'
import type { Failure, Mischief } from './mischief.ts'
import { readOptions } from './query.ts'
import type { ApicRecord, Operation, RequestRecord } from './record.ts'
import { ApicError, htmlPage } from './refusal.ts'
import { type Route, routeOf } from './route.ts'
import type { Sessions } from './sessions.ts'
import type { Standing } from './view.ts'

export interface FrontOptions {
  readonly time: Time
  readonly record: ApicRecord
  readonly calls: Calls
  readonly sessions: Sessions
  readonly mischief: Mischief
  readonly knobs: Knobs
  readonly standing: Standing
  /** Logins and refreshes let through in any second. */
  readonly loginsPerSecond: number
}

const TITLES: Readonly<Record<number, string>> = {
  301: 'Moved Permanently',
  302: 'Found',
  404: 'Not Found',
  405: 'Not Allowed',
  414: 'Request-URI Too Large',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Temporarily Unavailable',
  504: 'Gateway Time-out',
}

export class Front {
  readonly #on: FrontOptions
  readonly #logins: Throttle
  readonly #everything: Throttle
  readonly #waiting = new Set<() => void>()
  /** Requests are taken and never answered. */
  dark = false

  constructor(options: FrontOptions) {
    this.#on = options
    this.#logins = new Throttle(options.time)
    this.#everything = new Throttle(options.time)
  }

  /** Serves one request, whatever happens. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    this.#serve(request, response).catch(() => response.destroy())
  }

  /** Stops what waits for its time. */
  close(): void {
    for (const cancel of this.#waiting) cancel()
    this.#waiting.clear()
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { time, record, mischief } = this.#on
    const { method = '', url = '' } = request
    const body = await readBody(request)
    const route = routeOf(method, url)
    const operation = route?.operation ?? 'unknown'
    const entry: RequestRecord = { at: time.wall(), operation, method, path: url, status: 0 }
    record.began(entry, time.now())
    // Who hung up while the body was read has been and gone.
    if (response.closed) record.finished()
    else response.once('close', () => record.finished())
    if (this.dark) return
    if (`${method} ${url} HTTP/1.1\r\n`.length > this.#on.knobs.longestLine) return this.#page(response, entry, 414)
    const overload = this.#overload()
    if (overload !== undefined) return this.#page(response, entry, overload)
    const failure = mischief.take(operation, url)
    await this.#latency(operation)
    if (this.dark) return
    if (failure !== undefined && (await this.#fail(failure, response, entry, route?.format ?? 'json'))) return
    if (!['GET', 'POST', 'DELETE'].includes(method)) return this.#page(response, entry, 405)
    if (route === undefined) return this.#page(response, entry, 404)
    const isLogin = operation === 'login' || operation === 'refresh'
    if (isLogin && !this.#logins.passes(this.#on.loginsPerSecond)) return this.#page(response, entry, 503)
    try {
      const answer = await this.#call(request, route, body)
      await this.#latency(operation)
      const isLost = this.dark || response.destroyed || ['reset-after', 'truncated'].includes(failure?.kind ?? '')
      if (isLost && answer.subscription !== undefined) answer.subscription.answerLost = true
      if (this.dark) return
      if (failure?.kind === 'reset-after') return void response.destroy()
      if (failure?.kind === 'truncated') return truncate(response, answer.text)
      if (answer.token !== undefined) {
        response.setHeader('Set-Cookie', `APIC-cookie=${answer.token}; path=/; HttpOnly; SameSite=Strict; Secure`)
      }
      this.#finish(response, entry, 200, answer.text, route.format)
    } catch (error) {
      if (!(error instanceof ApicError)) throw error
      await this.#latency(operation)
      if (this.dark) return
      this.#finish(response, entry, error.status, errorText(error.code, error.message, route.format), route.format)
    }
  }

  /** The status that nginx turns this request away with, if any. */
  #overload(): number | undefined {
    const { knobs, record, standing } = this.#on
    if (standing.refuses || record.inService > knobs.maxParallel) return 503
    return this.#everything.passes(knobs.requestsPerSecond) ? undefined : knobs.throttleStatus
  }

  /** Half of the operation's latency. */
  async #latency(operation: Operation): Promise<void> {
    const { latencyMs, latencyOf } = this.#on.knobs
    const ms = latencyOf[operation] ?? latencyMs
    if (ms > 0) await this.#wait(ms / 2)
  }

  async #call(request: IncomingMessage, route: Route, body: string): Promise<Answer> {
    const { calls, sessions } = this.#on
    const { method = '', url = '' } = request
    const { format, operation } = route
    const options = readOptions(route.query)
    const only = (...allowed: string[]): void => {
      if (!allowed.includes(method)) throw new ApicError(400, '400', `${method} is not supported for ${route.path}`)
    }
    if (operation === 'login') {
      only('POST')
      return calls.login(body, format, options, request.socket.remoteAddress ?? '')
    }
    if (operation === 'domains') {
      only('GET')
      return calls.domains(format)
    }
    const caller = authenticate(request, options, sessions)
    switch (operation) {
      case 'refresh':
        only('GET', 'POST')
        return calls.refresh(method, body, format, caller)
      case 'logout':
        only('POST')
        return calls.logout(body, format, caller)
      case 'subscriptionRefresh':
        only('GET')
        return calls.subscriptionRefresh(options, format, caller)
      case 'query':
      case 'subscribe':
        return calls.query(route, options, caller, url)
      case 'post':
        return calls.post(route, options, body, caller)
      case 'delete':
        return calls.remove(route, caller)
      case 'tag':
        return calls.tag(method, route, options, caller)
      default:
        throw new ApicError(400, '400', `Unknown method ${route.path}`)
    }
  }

  /** Plays a failure; true when it was the answer. */
  async #fail(failure: Failure, response: ServerResponse, entry: RequestRecord, format: Format): Promise<boolean> {
    switch (failure.kind) {
      case 'html':
        this.#page(response, entry, failure.status ?? 503, failure.retryAfterSeconds)
        return true
      case 'redirect':
        response.setHeader('Location', failure.location)
        this.#page(response, entry, failure.status ?? 301)
        return true
      case 'reset':
        response.destroy()
        return true
      case 'hang':
        return true
      case 'accepted':
        this.#finish(response, entry, 202, errorText('202', 'Request accepted, the queue is full', format), format)
        return true
      case 'error':
        this.#finish(response, entry, failure.status ?? 200, errorText(failure.code, failure.text, format), format)
        return true
      case 'garbage':
        this.#finish(response, entry, 200, failure.text, format)
        return true
      case 'slow':
        await this.#wait(failure.ms)
        return false
      default:
        return false
    }
  }

  #wait(ms: number): Promise<void> {
    return new Promise(resolve => {
      const cancel = this.#on.time.after(ms, () => {
        this.#waiting.delete(cancel)
        resolve()
      })
      this.#waiting.add(cancel)
    })
  }

  /** What nginx says itself. */
  #page(response: ServerResponse, entry: RequestRecord, status: number, retryAfterSeconds?: number): void {
    const { knobs, record } = this.#on
    record.answered(entry, status)
    const seconds = retryAfterSeconds ?? (status === 503 || status === 429 ? knobs.retryAfterSeconds : undefined)
    if (seconds !== undefined) response.setHeader('Retry-After', String(seconds))
    const text = htmlPage(status, TITLES[status] ?? 'Error')
    response.writeHead(status, { 'Content-Type': 'text/html', Server: 'nginx' }).end(text)
  }

  #finish(response: ServerResponse, entry: RequestRecord, status: number, text: string, format: Format): void {
    this.#on.record.answered(entry, status)
    const type = format === 'json' ? 'application/json' : 'text/xml'
    response
      .writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text), Server: 'Cisco APIC' })
      .end(text)
  }
}

/** Promises a whole body and breaks off in its middle. */
function truncate(response: ServerResponse, text: string): void {
  response.writeHead(200, { 'Content-Length': Buffer.byteLength(text), Server: 'Cisco APIC' })
  response.write(text.slice(0, text.length / 2), () => response.destroy())
}
