/** The HTTP endpoint: metrics, liveness, readiness, status. It only answers; it changes nothing. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer as createPlainServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { HttpConfig } from '../config/schema.ts'
import { describe, Fatal, Retryable } from '../errors.ts'
import type { Clock } from '../scheduler/clock.ts'
import { METRICS_CONTENT_TYPE } from './metrics.ts'
import type { Ops } from './ops.ts'
import { printable } from './text.ts'

const JSON_TYPE = 'application/json; charset=utf-8'
const TEXT_TYPE = 'text/plain; charset=utf-8'
/** A request line, headers and (unread) body must be there by then. */
const REQUEST_TIMEOUT_MS = 10_000
const HEADERS_TIMEOUT_MS = 5_000
/** Longer than the usual scrape interval, so that Prometheus' connection isn't closed under its hands. */
const KEEP_ALIVE_MS = 75_000
const MAX_CONNECTIONS = 64
/** How long answers under way may take when the endpoint closes. */
const LAST_ANSWERS_MS = 1_000

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

interface Route {
  /** Answered without the token: what a supervisor asks must not depend on a secret. */
  readonly open: boolean
  answer(): Promise<Answer>
}

export interface RunningHttp {
  /** Where it listens, with the port that was really taken; a wildcard address is shown as loopback. */
  readonly url: string
  /** Takes no more connections, lets the answers under way end (at most 1 s), cuts the rest. Idempotent. */
  close(): Promise<void>
}

export interface HttpServerOptions {
  readonly clock: Clock
}

/**
 * Listens on `config.listen` (`host:port`, `[::1]:port`; port 0 takes a free one), with TLS when `config.tls` is set.
 *
 * Who may ask: with `token_file` set, every route but `/-/healthy` and `/-/ready` wants `Authorization: Bearer TOKEN`
 * from a peer that is not on loopback. A request that was passed on by a proxy (it has Forwarded, X-Forwarded-For or
 * Via) counts as one from outside, though the proxy itself may stand on this machine. Without `token_file` everything
 * can be read by whoever reaches the port: nothing secret is shown. The file is read again for each request that needs
 * it, so that a token can be changed while the daemon runs; while it can't be read, nobody gets in.
 *
 * Throws `Retryable('unreachable')` when the port is in use, `Fatal('config')` when it is not allowed, the address is not of this machine, or the token
 * file, certificate or key can't be read.
 */
export async function startHttp(
  config: HttpConfig,
  ops: Pick<Ops, 'metrics' | 'status' | 'health' | 'ready'>,
  { clock }: HttpServerOptions,
): Promise<RunningHttp> {
  const { host, port } = address(config.listen)
  if (config.token_file !== null) await readToken(config.token_file)
  const routes = routesOf(ops)
  const handler = (request: IncomingMessage, response: ServerResponse): void => {
    void respond(request, response, routes, config.token_file)
  }
  const server = await createServer(config, handler)
  server.requestTimeout = REQUEST_TIMEOUT_MS
  server.headersTimeout = HEADERS_TIMEOUT_MS
  server.keepAliveTimeout = KEEP_ALIVE_MS
  server.maxConnections = MAX_CONNECTIONS
  await listen(server, host, port, config.listen)
  // No file descriptor left for one more connection is no reason to end the daemon.
  server.on('error', () => undefined)
  const bound = server.address()
  const realPort = bound !== null && typeof bound === 'object' ? bound.port : port
  let closing: Promise<void> | undefined
  return {
    url: `${config.tls === null ? 'http' : 'https'}://${shownHost(host)}:${realPort}`,
    close() {
      closing ??= closeServer(server, clock)
      return closing
    },
  }
}

function routesOf(ops: Pick<Ops, 'metrics' | 'status' | 'health' | 'ready'>): ReadonlyMap<string, Route> {
  // One scrape after the other: two at once would only make both slow.
  let scrapes: Promise<unknown> = Promise.resolve()
  const scrape = (): Promise<string> => {
    const page = scrapes.then(() => ops.metrics())
    scrapes = page.catch(() => undefined)
    return page
  }
  const json = (status: number, value: unknown): Answer => ({
    status,
    type: JSON_TYPE,
    body: `${JSON.stringify(value, null, 2)}\n`,
  })
  return new Map<string, Route>([
    [
      '/metrics',
      { open: false, answer: async () => ({ status: 200, type: METRICS_CONTENT_TYPE, body: await scrape() }) },
    ],
    [
      '/-/healthy',
      {
        open: true,
        async answer() {
          const health = ops.health()
          return json(health.alive ? 200 : 503, health)
        },
      },
    ],
    [
      '/-/ready',
      {
        open: true,
        async answer() {
          const readiness = ops.ready()
          return json(readiness.ready ? 200 : 503, readiness)
        },
      },
    ],
    ['/status', { open: false, answer: async () => json(200, ops.status()) }],
  ])
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  routes: ReadonlyMap<string, Route>,
  tokenFile: string | null,
): Promise<void> {
  response.on('error', () => undefined)
  let answer: Answer
  try {
    answer = await answerTo(request, routes, tokenFile)
  } catch (error) {
    answer = text(500, printable(describe(error)))
  }
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
  routes: ReadonlyMap<string, Route>,
  tokenFile: string | null,
): Promise<Answer> {
  const path = (request.url ?? '/').split(/[?#]/, 1)[0] ?? '/'
  const route = routes.get(path)
  if (tokenFile !== null && route?.open !== true && isFromOutside(request)) {
    const refused = await checkToken(request, tokenFile)
    if (refused !== undefined) return refused
  }
  if (route === undefined) return text(404, `Not here. There is: ${[...routes.keys()].join(' ')}`)
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return { ...text(405, `${path} answers GET and HEAD only.`), headers: { allow: 'GET, HEAD' } }
  }
  return route.answer()
}

function text(status: number, line: string): Answer {
  return { status, type: TEXT_TYPE, body: `${line}\n` }
}

function isFromOutside(request: IncomingMessage): boolean {
  const peer = request.socket.remoteAddress ?? ''
  const loopback = peer === '::1' || /^(::ffff:)?127\./.test(peer)
  const { headers } = request
  return (
    !loopback ||
    headers.forwarded !== undefined ||
    headers['x-forwarded-for'] !== undefined ||
    headers.via !== undefined
  )
}

async function checkToken(request: IncomingMessage, tokenFile: string): Promise<Answer | undefined> {
  let token: string
  try {
    token = await readToken(tokenFile)
  } catch {
    return text(503, 'The token file can not be read: nobody is let in.')
  }
  const given = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
  // Digests have one length, so the comparison takes the same time whatever was sent.
  if (given !== undefined && timingSafeEqual(digest(given), digest(token))) return undefined
  return { ...text(401, 'A bearer token is needed.'), headers: { 'www-authenticate': 'Bearer realm="opswire"' } }
}

function digest(value: string): Buffer {
  return createHash('sha256').update(value).digest()
}

async function readToken(path: string): Promise<string> {
  const token = (await read(path, 'http.token_file')).trim()
  if (token === '') throw new Fatal('config', `http.token_file ${path} is empty`)
  return token
}

async function read(path: string, key: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new Fatal('config', `can't read ${key} ${path}`, { cause: error })
  }
}

async function createServer(
  config: HttpConfig,
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<Server> {
  if (config.tls === null) return createPlainServer(handler)
  const cert = await read(config.tls.cert_file, 'http.tls.cert_file')
  const key = await read(config.tls.key_file, 'http.tls.key_file')
  try {
    return createTlsServer({ cert, key, minVersion: 'TLSv1.2', handshakeTimeout: REQUEST_TIMEOUT_MS }, handler)
  } catch (error) {
    throw new Fatal('config', `http.tls: ${config.tls.cert_file} and ${config.tls.key_file} don't work together`, {
      cause: error,
    })
  }
}

function address(listen: string): { host: string; port: number } {
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

const LISTEN_ERRORS: Readonly<Record<string, string>> = {
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
