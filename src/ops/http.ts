/** The HTTP endpoint: metrics, liveness, readiness, status, and what can be asked of the daemon. */
import { createServer as createPlainServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, Server as TlsServer } from 'node:https'
import { createSecureContext } from 'node:tls'
import type { HttpConfig } from '../config/schema.ts'
import { describe, Fatal, Retryable } from '../errors.ts'
import type { Clock } from '../scheduler/clock.ts'
import { type Access, readKeyFile, readToken, refusalOf } from './http-access.ts'
import { type ActAnswer, bodyOf, type LinesAnswer, leaving, sendLines } from './http-act.ts'
import { METRICS_CONTENT_TYPE } from './metrics.ts'
import type { Ops } from './ops.ts'
import { PAGE_HEADERS, PAGE_TYPE, renderPage } from './page.ts'
import { atMostOnceASecond } from './page-once.ts'
import { printable } from './text.ts'

const JSON_TYPE = 'application/json; charset=utf-8'
const TEXT_TYPE = 'text/plain; charset=utf-8'

/** What one who means no good may take: of time, of room, of connections. */
export interface HttpLimits {
  /** The request line and the headers must be there by then; nothing at all counts too. */
  readonly headersMs: number
  /** The whole request, a body that nobody reads included, must be there by then. */
  readonly requestMs: number
  /** How often both are looked at. Node's own default is half a minute. */
  readonly lookMs: number
  readonly headerBytes: number
  readonly connections: number
  /** One who has not taken his answer by then is cut off; not one who is told line by line of what is being done. */
  readonly unreadMs: number
}

const LIMITS: HttpLimits = {
  headersMs: 5_000,
  requestMs: 10_000,
  lookMs: 1_000,
  headerBytes: 16 * 1024,
  connections: 64,
  unreadMs: 30_000,
}
/** Longer than the usual scrape interval, so that Prometheus' connection isn't closed under its hands. */
const KEEP_ALIVE_MS = 75_000
const TLS = { minVersion: 'TLSv1.2' } as const
/** How long answers under way may take when the endpoint closes. */
const LAST_ANSWERS_MS = 1_000

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

interface Route {
  /** `open` is what a supervisor asks: it must not depend on a secret. */
  readonly access: Access
  answer(request: IncomingMessage, response: ServerResponse): Promise<Answer | LinesAnswer>
}

export interface RunningHttp {
  /** Where it listens, with the port that was really taken; a wildcard address is shown as loopback. */
  readonly url: string
  /**
   * Takes up another token file, certificate and key, all read now: resolves with what puts them in force, which can't
   * fail. Throws `Fatal('config')`, and then all is as it was. Where it listens, and whether with TLS, stays.
   */
  prepare(config: HttpConfig): Promise<() => void>
  /** Takes no more connections, lets the answers under way end (at most 1 s), cuts the rest. Idempotent. */
  close(): Promise<void>
}

export interface HttpServerOptions {
  readonly clock: Clock
  /** Other limits than the usual ones: a test does not wait for seconds. */
  readonly limits?: Partial<HttpLimits>
  /** `POST /-/reload`. */
  readonly reload: () => Promise<ActAnswer>
  /** `POST /-/replay`, with the body as JSON (undefined when it is none); the signal aborts when who asked goes away. */
  readonly replay: (body: unknown, signal: AbortSignal) => ActAnswer | LinesAnswer
}

/**
 * Listens on `config.listen` (`host:port`, `[::1]:port`; port 0 takes a free one), with TLS when `config.tls` is set.
 *
 * Who may ask: with `token_file` set, every route but `/-/healthy` and `/-/ready` wants `Authorization: Bearer TOKEN`
 * from a peer that is not on loopback. A request that was passed on by a proxy (it has Forwarded, X-Forwarded-For or
 * Via) counts as one from outside, though the proxy itself may stand on this machine. Without `token_file` everything
 * can be read by whoever reaches the port: nothing secret is shown; what acts (`POST`) is for this machine only, and never
 * for a browser. The file is read again for each request that needs
 * it, so that a token can be changed while the daemon runs; while it can't be read, nobody gets in.
 *
 * Throws `Retryable('unreachable')` when the port is in use or the address not one of this machine, `Fatal('config')` when
 * the port is not allowed, or the token file, certificate or key can't be read.
 */
export async function startHttp(
  config: HttpConfig,
  ops: Pick<Ops, 'metrics' | 'status' | 'health' | 'ready'>,
  { clock, reload, replay, limits }: HttpServerOptions,
): Promise<RunningHttp> {
  const { host, port } = address(config.listen)
  let tokenFile = config.token_file
  if (tokenFile !== null) await readToken(tokenFile)
  const routes = routesOf(ops, { clock, reload, replay })
  const bounds = { ...LIMITS, ...limits }
  const handler = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    response.on('error', () => undefined)
    const answer = await answerOf(request, response, routes, tokenFile)
    if ('lines' in answer) return sendLines(response, answer)
    if (request.socket.destroyed) return
    response.on(
      'close',
      clock.after(bounds.unreadMs, () => request.socket.destroy()),
    )
    send(response, answer)
  }
  const server = await createServer(config, (request, response) => void handler(request, response), bounds)
  await listen(server, host, port, config.listen)
  // No file descriptor left for one more connection is no reason to end the daemon.
  server.on('error', () => undefined)
  const bound = server.address()
  const realPort = bound !== null && typeof bound === 'object' ? bound.port : port
  let closing: Promise<void> | undefined
  return {
    url: `${config.tls === null ? 'http' : 'https'}://${shownHost(host)}:${realPort}`,
    async prepare(next) {
      if (next.token_file !== null) await readToken(next.token_file)
      const pair = next.tls === null ? undefined : await readPair(next.tls)
      return () => {
        tokenFile = next.token_file
        // Connections that stand go on with what they were opened with.
        if (pair !== undefined && server instanceof TlsServer) server.setSecureContext({ ...pair, ...TLS })
      }
    },
    close() {
      closing ??= closeServer(server, clock)
      return closing
    },
  }
}

function routesOf(
  ops: Pick<Ops, 'metrics' | 'status' | 'health' | 'ready'>,
  { clock, reload, replay }: Pick<HttpServerOptions, 'clock' | 'reload' | 'replay'>,
): ReadonlyMap<string, Route> {
  // One scrape after the other: two at once would only make both slow.
  let scrapes: Promise<unknown> = Promise.resolve()
  const scrape = (): Promise<string> => {
    const page = scrapes.then(() => ops.metrics())
    scrapes = page.catch(() => undefined)
    return page
  }
  const page = atMostOnceASecond(clock, () => renderPage(ops.status()))
  const json = (status: number, value: unknown): Answer => ({
    status,
    type: JSON_TYPE,
    body: `${JSON.stringify(value, null, 2)}\n`,
  })
  return new Map<string, Route>([
    [
      '/',
      {
        access: 'read',
        answer: async () => ({ status: 200, type: PAGE_TYPE, body: page(), headers: PAGE_HEADERS }),
      },
    ],
    [
      '/metrics',
      { access: 'read', answer: async () => ({ status: 200, type: METRICS_CONTENT_TYPE, body: await scrape() }) },
    ],
    [
      '/-/healthy',
      {
        access: 'open',
        async answer() {
          const health = ops.health()
          return json(health.alive ? 200 : 503, health)
        },
      },
    ],
    [
      '/-/ready',
      {
        access: 'open',
        async answer() {
          const readiness = ops.ready()
          return json(readiness.ready ? 200 : 503, readiness)
        },
      },
    ],
    ['/status', { access: 'read', answer: async () => json(200, ops.status()) }],
    [
      '/-/reload',
      {
        access: 'act',
        async answer() {
          const { status, body } = await reload()
          return json(status, body)
        },
      },
    ],
    [
      '/-/replay',
      {
        access: 'act',
        async answer(request, response) {
          const signal = leaving(response)
          const answer = replay(await bodyOf(request), signal)
          return 'lines' in answer ? answer : json(answer.status, answer.body)
        },
      },
    ],
  ])
}

/** Never rejects. */
async function answerOf(...asked: Parameters<typeof answerTo>): Promise<Answer | LinesAnswer> {
  try {
    return await answerTo(...asked)
  } catch (error) {
    return text(500, printable(describe(error)))
  }
}

function send(response: ServerResponse, answer: Answer): void {
  response.writeHead(answer.status, {
    'content-type': answer.type,
    'content-length': Buffer.byteLength(answer.body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...answer.headers,
  })
  // Node leaves the body of an answer to HEAD out by itself.
  response.end(answer.body)
}

async function answerTo(
  request: IncomingMessage,
  response: ServerResponse,
  routes: ReadonlyMap<string, Route>,
  tokenFile: string | null,
): Promise<Answer | LinesAnswer> {
  const path = (request.url ?? '/').split(/[?#]/, 1)[0] ?? '/'
  const route = routes.get(path)
  const access = route?.access ?? 'read'
  const refused = await refusalOf(request, access, tokenFile)
  if (refused !== undefined) return { ...text(refused.status, refused.why), headers: refused.headers ?? {} }
  if (route === undefined) return text(404, `Not here. There is: ${[...routes.keys()].join(' ')}`)
  const methods = access === 'act' ? ['POST'] : ['GET', 'HEAD']
  if (!methods.includes(request.method ?? '')) {
    return { ...text(405, `${path} answers ${methods.join(' and ')} only.`), headers: { allow: methods.join(', ') } }
  }
  return route.answer(request, response)
}

function text(status: number, line: string): Answer {
  return { status, type: TEXT_TYPE, body: `${line}\n` }
}

async function createServer(
  config: HttpConfig,
  handler: (request: IncomingMessage, response: ServerResponse) => void,
  limits: HttpLimits,
): Promise<Server> {
  const options = {
    requestTimeout: limits.requestMs,
    headersTimeout: limits.headersMs,
    connectionsCheckingInterval: limits.lookMs,
    maxHeaderSize: limits.headerBytes,
    keepAliveTimeout: KEEP_ALIVE_MS,
  }
  const server =
    config.tls === null
      ? createPlainServer(options, handler)
      : createTlsServer(
          { ...options, ...(await readPair(config.tls)), ...TLS, handshakeTimeout: limits.requestMs },
          handler,
        )
  server.maxConnections = limits.connections
  // Who only keeps a connection makes room: a supervisor that is turned away finds some at its next try.
  server.on('drop', () => server.closeIdleConnections())
  return server
}

/** Throws `Fatal('config')` for files that can't be read or don't belong together. */
async function readPair(tls: NonNullable<HttpConfig['tls']>): Promise<{ cert: string; key: string }> {
  const cert = await readKeyFile(tls.cert_file, 'http.tls.cert_file')
  const key = await readKeyFile(tls.key_file, 'http.tls.key_file')
  try {
    createSecureContext({ cert, key })
    return { cert, key }
  } catch (error) {
    throw new Fatal('config', `http.tls: ${tls.cert_file} and ${tls.key_file} don't work together`, { cause: error })
  }
}

export function address(listen: string): { host: string; port: number } {
  const at = listen.lastIndexOf(':')
  const host = listen.slice(0, at).replace(/^\[(.*)\]$/, '$1')
  const port = Number(listen.slice(at + 1))
  if (!Number.isInteger(port) || port > 65_535) throw new Fatal('config', `http.listen ${listen}: no such port`)
  return { host, port }
}

function shownHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}

export const LISTEN_ERRORS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use by another process (another opswire?)',
  EACCES: 'this user may not listen on that port',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'there is no such host name',
}

async function listen(server: Server, host: string, port: number, shown: string): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, host, () => {
        server.off('error', reject)
        resolve()
      })
    })
  } catch (error) {
    const code = String((error as { code?: unknown }).code ?? '')
    const why = LISTEN_ERRORS[code] ?? 'it does not work'
    // A port that is taken may come free, an address may come up: a supervisor shall try again, which it does not after a bad config.
    if (code === 'EADDRINUSE' || code === 'EADDRNOTAVAIL')
      throw new Retryable('unreachable', `http.listen ${shown}: ${why}`, { cause: error })
    throw new Fatal('config', `http.listen ${shown}: ${why}`, { cause: error })
  }
}

function closeServer(server: Server, clock: Clock): Promise<void> {
  return new Promise(resolve => {
    const cancel = clock.after(LAST_ANSWERS_MS, () => server.closeAllConnections())
    server.close(() => {
      cancel()
      resolve()
    })
    server.closeIdleConnections()
  })
}
