/**
 * The HTTP client of all sources: one pool to one origin, one answer whole, errors in our three kinds.
 * The only file that imports undici. HTTP/1.1 only; cookies are the caller's business (own header, no jar).
 */
import { TLSSocket } from 'node:tls'
import pRetry, { AbortError } from 'p-retry'
import { buildConnector, Pool } from 'undici'
import type { TlsConfig } from '../config/sources.ts'
import { codeOf, Fatal, Retryable } from '../errors.ts'
import type { Report } from '../report.ts'
import type { Clock } from '../scheduler/clock.ts'
import { checkPeer, isUntrusted, tlsOptions } from './tls.ts'
import { secretsOf, unsaid } from './unsaid.ts'

export interface HttpOptions {
  /** Scheme, host and port; a path is ignored (callers give whole paths). */
  readonly origin: string
  readonly source: string
  readonly tls: TlsConfig
  readonly timeoutMs: number
  readonly connections: number
  readonly clock: Clock
  readonly report: Report
  /** How often a GET whose connection failed is tried again within the one call (at most 2), and the first delay. */
  readonly retries?: number
  readonly retryDelayMs?: number
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'DELETE' | 'HEAD'
  /** Raw path and query: sent as written. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Metric label, from a small fixed set: login, query, subscribe, refresh, rpc, audit, … */
  readonly operation: string
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs?: number
  /** Answers above this are cut off with `Retryable('too_large')`. Default 64 MiB. */
  readonly maxBytes?: number
}

export class HttpAnswer {
  readonly status: number
  readonly text: string
  readonly #headers: Readonly<Record<string, string | string[] | undefined>>
  readonly #secrets: () => readonly string[]

  /** `secrets`: what the request carried. A refusal (400 and above) is quoted in errors, so its text is without them. */
  constructor(
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
    text: string,
    secrets: () => readonly string[] = () => [],
  ) {
    this.status = status
    this.#headers = headers
    this.#secrets = secrets
    this.text = status < 400 ? text : unsaid(text, secrets())
  }

  /** Words of a good answer, fit for an error: without the secrets that the request carried. */
  quote(words: string): string {
    return unsaid(words, this.#secrets())
  }

  header(name: string): string | undefined {
    const value = this.#headers[name.toLowerCase()]
    return Array.isArray(value) ? value[0] : value
  }

  headers(name: string): string[] {
    const value = this.#headers[name.toLowerCase()]
    return value === undefined ? [] : Array.isArray(value) ? value : [value]
  }

  get ok(): boolean {
    return this.status >= 200 && this.status < 300
  }

  /** A page instead of an answer: nginx, a balancer, a login form. */
  get isHtml(): boolean {
    if (/^\s*<\?xml/i.test(this.text)) return false
    return /html/i.test(this.header('content-type') ?? '') || /^\s*<(!doctype|html)/i.test(this.text)
  }

  /** The server's own time, ms, from its `Date` header. */
  get serverTimeMs(): number | undefined {
    const time = Date.parse(this.header('date') ?? '')
    return Number.isNaN(time) ? undefined : time
  }

  /**
   * Throws `Retryable('protocol')` when the body is not JSON: an overloaded proxy answers so. Nothing of the body is in
   * the error, nor the parser's error that quotes it: the answer to a login may hold a token.
   */
  json(): unknown {
    try {
      return JSON.parse(this.text)
    } catch {
      const type = /^[\w.+-]{1,40}\/[\w.+-]{1,40}/.exec(this.header('content-type') ?? '')?.[0] ?? 'no content type'
      const what = `${type}, ${this.text.length} characters`
      throw new Retryable('protocol', `HTTP ${this.status} with a body that is not JSON (${what})`)
    }
  }

  /** `Retry-After` in ms, when it is a number of seconds. */
  get retryAfterMs(): number | undefined {
    const seconds = Number(this.header('retry-after'))
    return this.header('retry-after') !== undefined && Number.isFinite(seconds) ? seconds * 1000 : undefined
  }
}

const DEFAULT_MAX_BYTES = 64 * 1024 * 1024

export class HttpClient {
  readonly #options: HttpOptions
  readonly #pool: Pool

  /** Throws `Fatal('tls')` when the CA file can't be read. Opens no connection yet. */
  constructor(options: HttpOptions) {
    this.#options = options
    const connect = buildConnector({
      ...tlsOptions(options.tls),
      allowH2: false,
      timeout: options.timeoutMs,
      // A resumed TLS session carries no certificate: nothing could be compared with the pin.
      ...(options.tls.fingerprint_sha256 === null ? {} : { maxCachedSessions: 0 }),
    })
    const { origin, host } = new URL(options.origin)
    this.#pool = new Pool(origin, {
      connections: options.connections,
      headersTimeout: options.timeoutMs,
      bodyTimeout: options.timeoutMs,
      keepAliveTimeout: 30_000,
      allowH2: false,
      connect: (target, done) =>
        connect(target, (error, socket) => {
          if (error !== null) return done(error, null)
          try {
            if (socket instanceof TLSSocket) {
              const atMs = checkPeer(socket, options.tls)
              if (atMs !== undefined) options.report({ type: 'certificate_expiry', source: options.source, host, atMs })
            }
          } catch (refused) {
            socket.destroy()
            return done(refused as Error, null)
          }
          return done(null, socket)
        }),
    })
  }

  /**
   * One request, its whole answer, whatever the status. Throws `Fatal('tls')`, `Retryable('unreachable' | 'timeout' |
   * 'too_large')`, or the signal's reason. A GET whose connection broke before an answer is tried again here, shortly;
   * every longer wait belongs to the runner.
   */
  async request(request: HttpRequest): Promise<HttpAnswer> {
    const { clock, report, source } = this.#options
    const start = clock.now()
    const done = (result: string): void =>
      report({ type: 'request', source, operation: request.operation, result, ms: clock.now() - start })
    try {
      const answer = await this.#tried(request)
      done(resultOf(answer.status))
      return answer
    } catch (error) {
      done(codeOf(error) === 'timeout' ? 'timeout' : 'error')
      throw error
    }
  }

  async #tried(request: HttpRequest): Promise<HttpAnswer> {
    const retries = request.method === 'GET' ? (this.#options.retries ?? 0) : 0
    if (retries === 0) return this.#once(request)
    return pRetry(
      async () => {
        try {
          return await this.#once(request)
        } catch (error) {
          if (codeOf(error) === 'unreachable') throw error
          throw new AbortError(error as Error)
        }
      },
      {
        retries: Math.min(retries, 2),
        minTimeout: this.#options.retryDelayMs ?? 0,
        factor: 2,
        randomize: true,
        ...(request.signal === undefined ? {} : { signal: request.signal }),
      },
    )
  }

  async #once(request: HttpRequest): Promise<HttpAnswer> {
    const timeoutMs = request.timeoutMs ?? this.#options.timeoutMs
    // One limit over the whole exchange: a body that trickles must not outlive it.
    const abort = new AbortController()
    const cancel = this.#options.clock.after(timeoutMs, () =>
      abort.abort(new Retryable('timeout', `no answer within ${timeoutMs} ms (${request.operation})`)),
    )
    const signal = request.signal === undefined ? abort.signal : AbortSignal.any([abort.signal, request.signal])
    try {
      const answer = await this.#pool.request({
        method: request.method,
        path: request.path,
        headers: { ...request.headers },
        body: request.body ?? null,
        signal,
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
      })
      const chunks: Buffer[] = []
      const maxBytes = request.maxBytes ?? DEFAULT_MAX_BYTES
      let bytes = 0
      for await (const chunk of answer.body) {
        bytes += (chunk as Buffer).length
        if (bytes > maxBytes) throw new Retryable('too_large', `answer above ${maxBytes} bytes (${request.operation})`)
        chunks.push(chunk as Buffer)
      }
      const text = Buffer.concat(chunks).toString('utf8')
      return new HttpAnswer(answer.statusCode, answer.headers, text, () => secretsOf(request))
    } catch (error) {
      if (abort.signal.aborted) throw abort.signal.reason
      if (request.signal?.aborted === true) throw request.signal.reason
      throw this.#classify(error, request)
    } finally {
      cancel()
    }
  }

  #classify(error: unknown, request: HttpRequest): Error {
    if (error instanceof Fatal || error instanceof Retryable) return error
    const origin = new URL(this.#options.origin).origin
    if (isUntrusted(error)) {
      return new Fatal('tls', `${origin}: certificate not trusted; set tls.ca_file or tls.fingerprint_sha256`, {
        cause: error,
      })
    }
    const code = String((error as { code?: unknown }).code ?? '')
    if (code.includes('TIMEOUT') || code === 'ETIMEDOUT') {
      return new Retryable('timeout', `${origin}: no answer in time (${request.operation})`, { cause: error })
    }
    return new Retryable('unreachable', `${origin}: connection failed (${request.operation})`, { cause: error })
  }

  /** Ends all connections at once; requests in flight reject. */
  async close(): Promise<void> {
    await this.#pool.destroy()
  }
}

/** The bounded word for an HTTP status, for metrics. */
function resultOf(status: number): string {
  if (status < 400) return 'ok'
  if (status === 429 || status >= 500) return 'throttled'
  return 'refused'
}
