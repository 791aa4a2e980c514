/** RPC calls to RaaS: one at a time, reading only, with the recoveries of raas.md §3 inside one call. */
import type { RaasConfig } from '../../config/sources.ts'
import { Fatal, Retryable } from '../../errors.ts'
import type { Report } from '../../report.ts'
import type { Clock } from '../../scheduler/clock.ts'
import { type HttpAnswer, HttpClient } from '../http.ts'
import { type Access, type AccessContext, busy } from './access.ts'
import type { Failing } from './failing.ts'
import { neededFor } from './needed.ts'
import { isRow, numberOf } from './rows.ts'

/** Everything the daemon may call. All of it reads. */
export const READING_METHODS = [
  'api.discover',
  'api.get_versions',
  'audit.get_audit',
  'cmd.get_cmd_details',
  'cmd.get_cmd_status',
  'cmd.get_cmds',
  'job.get_jobs',
  'minions.get_minion_cache',
  'minions.get_minion_key_state',
  'ret.get_jid',
  'ret.get_jids',
  'ret.get_load',
  'ret.get_returns',
  'test.echo',
] as const

export type ReadingMethod = (typeof READING_METHODS)[number]

/** HTTP 200 with an `error`: `argument` and `method` mean "this server can't", `permission` "this account may not". */
export type Refusal = 'argument' | 'method' | 'permission' | 'server'

export class RpcError extends Retryable {
  readonly refusal: Refusal
  constructor(refusal: Refusal, message: string) {
    super('protocol', message)
    this.name = 'RpcError'
    this.refusal = refusal
  }
}

export interface RaasClientOptions {
  readonly config: RaasConfig
  readonly access: Access
  readonly clock: Clock
  readonly report: Report
  /** Ends every call. */
  readonly signal: AbortSignal
  /** Answers above this are cut off. */
  readonly maxBytes: number
  /** Outlives the client. */
  readonly failing: Failing
}

export class RaasClient {
  readonly #options: RaasClientOptions
  readonly #http: HttpClient
  readonly #context: AccessContext
  #riq = 0
  /** The server's clock: its `Date` and when it was read, monotonic. */
  #server: { readonly ms: number; readonly at: number } | undefined

  /** Throws `Fatal('tls')` when the CA file can't be read. Opens no connection yet. */
  constructor(options: RaasClientOptions) {
    const { config, clock, report, signal } = options
    this.#options = options
    this.#http = new HttpClient({
      ...{ origin: config.url, source: config.name, tls: config.tls, timeoutMs: config.request_timeout },
      ...{ connections: 1, clock, report },
    })
    this.#context = { http: this.#http, clock, report, signal }
  }

  /** The server's time now, µs; ours while it has not told. */
  serverUs(): number {
    return this.toldUs() ?? Math.round(this.#options.clock.wall() * 1000)
  }

  /** The server's time now, µs, by its own `Date` headers; undefined while it has sent none. */
  toldUs(): number | undefined {
    if (this.#server === undefined) return undefined
    return Math.round((this.#server.ms + (this.#options.clock.now() - this.#server.at)) * 1000)
  }

  /**
   * One call's `ret`. Throws `RpcError` for an error in the envelope, `Fatal('auth_refused')` when a fresh login is
   * refused as well, `Fatal('permission')` for 403 with a fresh XSRF token, else `Retryable`.
   */
  call(method: ReadingMethod, kwarg: Readonly<Record<string, unknown>>): Promise<unknown> {
    return this.#options.access.exclusive(() => this.#call(method, kwarg))
  }

  /** Why this method is not to be asked now, having failed too often; undefined: it may be. */
  leftAlone(method: ReadingMethod): string | undefined {
    return this.#options.failing.leftAlone(method, this.#options.clock.now())
  }

  async #login(result: 'ok' | 'retried'): Promise<void> {
    const { access, report, config } = this.#options
    try {
      await access.login(this.#context)
      report({ type: 'lease_renewed', source: config.name, lease: 'session', result })
    } catch (error) {
      const refused = error instanceof Fatal && error.code === 'auth_refused'
      report({ type: 'lease_renewed', source: config.name, lease: 'session', result: refused ? 'refused' : 'failed' })
      throw error
    }
  }

  async #call(method: ReadingMethod, kwarg: Readonly<Record<string, unknown>>): Promise<unknown> {
    const { access, clock, config, signal } = this.#options
    signal.throwIfAborted()
    if (!READING_METHODS.includes(method)) throw new Fatal('bug', `${method} is not on the list of reading methods`)
    let fresh = false
    if (access.isDue(clock.now())) {
      await this.#login('ok')
      fresh = true
    }
    let xsrfRenewed = false
    for (;;) {
      const answer = await this.#post(method, kwarg)
      if (answer.status === 401 || (answer.ok && answer.isHtml)) {
        if (fresh && answer.status === 401 && access.otherScheme()) continue
        if (fresh) throw refusedTwice(answer, config)
        await this.#login('retried')
        fresh = true
      } else if (answer.status === 403) {
        if (xsrfRenewed) throw new Fatal('permission', `${method}: HTTP 403; ${neededFor(method)}`)
        await access.refetchXsrf(this.#context)
        xsrfRenewed = true
      } else if ((answer.status === 404 || answer.status === 405) && access.otherPath()) {
        await access.refetchXsrf(this.#context)
      } else return this.#unwrap(method, answer)
    }
  }

  async #post(method: ReadingMethod, kwarg: Readonly<Record<string, unknown>>): Promise<HttpAnswer> {
    const { access, clock, maxBytes, signal } = this.#options
    const [resource = '', name = ''] = method.split('.')
    const answer = await this.#http.request({
      method: 'POST',
      path: access.path('/rpc'),
      headers: { ...access.headers(), 'content-type': 'application/json' },
      body: JSON.stringify({ riq: ++this.#riq, resource, method: name, kwarg }),
      operation: method,
      signal,
      maxBytes,
    })
    if (answer.serverTimeMs !== undefined) this.#server = { ms: answer.serverTimeMs, at: clock.now() }
    access.adopt(answer)
    this.#noteNode(answer)
    return answer
  }

  #noteNode(answer: HttpAnswer): void {
    const { access, clock, config, report } = this.#options
    const node = answer.header('raas-instance-id')
    if (node === undefined) return
    const { serverTimeMs } = answer
    const text = access.nodes.met(node, serverTimeMs === undefined ? undefined : serverTimeMs - clock.wall())
    if (text !== undefined) report({ type: 'advice', source: config.name, text })
  }

  #unwrap(method: ReadingMethod, answer: HttpAnswer): unknown {
    const { access, clock, config, failing } = this.#options
    if (answer.status === 429 || answer.status >= 500) throw busy(answer, method)
    if (!answer.ok) access.forgetToken()
    if (!answer.ok) throw new Fatal('config', `${method}: HTTP ${answer.status}; is ${config.url} the RaaS API?`)
    const envelope = answer.json()
    if (!isRow(envelope)) throw new Retryable('protocol', `${method}: the answer is no envelope`)
    access.provePath()
    access.proveScheme()
    const error = envelope['error']
    if (error !== null && error !== undefined && error !== false) {
      const told = rpcError(method, error, answer)
      if (told.refusal === 'server') failing.failed(method, told.message, clock.now())
      throw told
    }
    failing.answered(method)
    return envelope['ret'] ?? null
  }

  async close(): Promise<void> {
    await this.#http.close()
  }
}

function refusedTwice(answer: HttpAnswer, config: RaasConfig): Fatal {
  return answer.status === 401
    ? new Fatal('auth_refused', `${config.url} refuses a token that it has just given`)
    : new Fatal('config', `${config.url} answers with a web page: the URL is not the RaaS API`)
}

/** By HTTP status first, then code 5000 and up, then the words (raas.md §3 row 6, §6). */
function rpcError(method: ReadingMethod, error: unknown, answer: HttpAnswer): RpcError {
  const body = isRow(error) ? error : { message: String(error) }
  const code = numberOf(body['code'])
  const message = answer.quote(String(body['message'] ?? 'no message'))
  const { detail } = body
  const keys = isRow(detail) ? answer.quote(Object.keys(detail).join(', ')) : ''
  const refusal = ((): Refusal => {
    if (code !== null && code >= 5000) return 'server'
    if (/permission|not allowed|not authori[sz]ed|forbidden|denied/i.test(message)) return 'permission'
    if (/unknown (resource|method)|no such (resource|method)|not found|does not exist/i.test(message)) return 'method'
    if (keys !== '' || /validation|schema|unexpected|not one of|invalid|additional propert/i.test(message))
      return 'argument'
    return 'server'
  })()
  const needed = refusal === 'permission' ? `; ${neededFor(method)}` : ''
  return new RpcError(refusal, `${method}: ${message}${keys === '' ? '' : ` (${keys})`}${needed}`)
}

/** True when the server says that it can't or won't answer this at all: no retry helps. */
export function isRefused(error: unknown): boolean {
  return (
    (error instanceof RpcError && error.refusal !== 'server') || (error instanceof Fatal && error.code === 'permission')
  )
}
