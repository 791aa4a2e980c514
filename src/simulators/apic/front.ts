/** The web server in front of the API: throttle, failures on order, authentication, and the way back over HTTP. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { readBody, type Time } from '../server.ts'
import { errorText, type Format } from './body.ts'
import type { Answer, Calls } from './calls.ts'
import { authenticate, type Throttle } from './gate.ts'
import type { Failure, Mischief } from './mischief.ts'
import { readOptions } from './query.ts'
import type { ApicRecord, RequestRecord } from './record.ts'
import { ApicError, htmlPage } from './refusal.ts'
import { type Route, routeOf } from './route.ts'
import type { Sessions } from './sessions.ts'

export interface FrontOptions {
  readonly time: Time
  readonly record: ApicRecord
  readonly calls: Calls
  readonly sessions: Sessions
  readonly mischief: Mischief
  readonly throttle: Throttle
}

const TITLES: Readonly<Record<number, string>> = {
  404: 'Not Found',
  405: 'Not Allowed',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Temporarily Unavailable',
  504: 'Gateway Time-out',
}

export class Front {
  readonly #on: FrontOptions
  readonly #waiting = new Set<() => void>()
  /** Requests are taken and never answered. */
  dark = false

  constructor(options: FrontOptions) {
    this.#on = options
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
    const { time, record, mischief, throttle } = this.#on
    const { method = '', url = '' } = request
    const body = await readBody(request)
    const route = routeOf(method, url)
    const operation = route?.operation ?? 'unknown'
    const entry: RequestRecord = { at: time.wall(), operation, method, path: url, status: 0 }
    record.requests.push(entry)
    if (this.dark) return
    const failure = mischief.take(operation, url)
    if (failure !== undefined && (await this.#fail(failure, response, entry, route?.format ?? 'json'))) return
    if (!['GET', 'POST', 'DELETE'].includes(method)) return html(response, entry, 405)
    if (route === undefined) return html(response, entry, 404)
    const isLogin = operation === 'login' || operation === 'refresh'
    if (isLogin && !throttle.passes()) return html(response, entry, 503)
    try {
      const answer = await this.#call(request, route, body)
      if (failure?.kind === 'reset-after') {
        response.destroy()
        return
      }
      if (answer.token !== undefined) {
        response.setHeader('Set-Cookie', `APIC-cookie=${answer.token}; path=/; HttpOnly; SameSite=Strict; Secure`)
      }
      finish(response, entry, 200, answer.text, route.format)
    } catch (error) {
      if (!(error instanceof ApicError)) throw error
      finish(response, entry, error.status, errorText(error.code, error.message, route.format), route.format)
    }
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
        html(response, entry, failure.status ?? 503)
        return true
      case 'reset':
        response.destroy()
        return true
      case 'hang':
        return true
      case 'accepted':
        finish(response, entry, 202, errorText('202', 'Request accepted, the queue is full', format), format)
        return true
      case 'error':
        finish(response, entry, failure.status ?? 200, errorText(failure.code, failure.text, format), format)
        return true
      case 'garbage':
        finish(response, entry, 200, failure.text, format)
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
}

function html(response: ServerResponse, entry: RequestRecord, status: number): void {
  const page = htmlPage(status, TITLES[status] ?? 'Error')
  entry.status = status
  response.writeHead(status, { 'Content-Type': 'text/html', Server: 'nginx' }).end(page)
}

function finish(response: ServerResponse, entry: RequestRecord, status: number, text: string, format: Format): void {
  entry.status = status
  const type = format === 'json' ? 'application/json' : 'text/xml'
  response
    .writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text), Server: 'Cisco APIC' })
    .end(text)
}
