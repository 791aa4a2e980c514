/**
 * The fabric of the benchmark, a process of its own: an APIC's login, socket, subscribe and refresh over real TLS, and
 * pushes that were spelt out beforehand. The full simulator keeps an object tree and checks far more; under a flood it,
 * and not the daemon, would be measured.
 *
 * Arguments: key file, certificate file.
 */
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type WebSocket, WebSocketServer } from 'ws'
import { sleep, systemClock } from '../src/scheduler/clock.ts'
import { readBody, startServer } from '../src/simulators/server.ts'
import { fault, frame, SUBSCRIPTION_IDS } from './frames.ts'
import { type Load, type SourceHears, tell } from './messages.ts'

const [keyFile = '', certificateFile = ''] = process.argv.slice(2)
/** Frames after which the socket must have taken what it was given. */
const CHUNK = 512
/** Ids of subscriptions that are never pushed to count up from here. */
const OTHER_IDS = 72_058_418_689_320_000n
/** Pushes of a paced load go out this often, ms. */
const TICK_MS = 2

const sockets = new Map<string, WebSocket>()
/** By class, or by the path of anything else that was subscribed, the token of the session. */
const subscribed = new Map<string, string>()
/** By subscription id, the token of its session. */
const owners = new Map<string, string>()
const tokens = new Set<string>()
let lastToken = 0
let load: Load = { cls: 'eventRecord', count: 0, objects: 1 }
let frames: Buffer[] = []
let halted = false
let preparedMs = systemClock.wall()
/** The newest push, for who asks whether it missed one. */
let newest: { readonly cls: string; readonly text: string } | undefined

class Refusal extends Error {
  readonly status: number
  constructor(status: number, text: string) {
    super(text)
    this.status = status
  }
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let status = 200
  let body: object
  try {
    body = await reply(request)
  } catch (error) {
    status = error instanceof Refusal ? error.status : 500
    const text = error instanceof Error ? error.message : String(error)
    body = { totalCount: '1', imdata: [{ error: { attributes: { code: String(status), text } } }] }
  }
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}

async function reply(request: IncomingMessage): Promise<object> {
  const url = new URL(request.url ?? '', 'https://fabric')
  if (url.pathname === '/api/aaaLogin.json') {
    const user = JSON.parse(await readBody(request)) as { aaaUser?: { attributes?: { pwd?: string } } }
    if (user.aaaUser?.attributes?.pwd !== 'bench') throw new Refusal(401, 'Username or password is incorrect')
    return grant(`bench${++lastToken}`)
  }
  const token = /(?:^|; )APIC-cookie=([^;]*)/.exec(request.headers.cookie ?? '')?.[1] ?? ''
  if (!tokens.has(token)) throw new Refusal(403, 'Token was invalid (Error: Token timeout)')
  switch (url.pathname) {
    case '/api/aaaRefresh.json':
      return grant(token)
    case '/api/aaaLogout.json':
      tokens.delete(token)
      sockets.get(token)?.close(1000)
      return objects([])
    case '/api/subscriptionRefresh.json':
      if (owners.get(url.searchParams.get('id') ?? '') !== token) {
        throw new Refusal(400, 'Unable to process the query, no such subscription')
      }
      return objects([])
  }
  const [, kind, name] = /^\/api\/(class|mo)\/(.+)\.json$/.exec(decodeURIComponent(url.pathname)) ?? []
  if (kind === undefined || name === undefined) throw new Refusal(400, `nothing is known of ${url.pathname}`)
  const found = kind === 'mo' ? ofObject(name) : ofClass(name, url.searchParams)
  if (url.searchParams.get('subscription') !== 'yes') return objects(found)
  if (!sockets.has(token)) throw new Refusal(405, 'Unable to find web socket of this session')
  const subscriptionId = SUBSCRIPTION_IDS[name] ?? String(OTHER_IDS + BigInt(owners.size))
  subscribed.set(name, token)
  owners.set(subscriptionId, token)
  return { ...objects(found), subscriptionId }
}

function grant(token: string): object {
  tokens.add(token)
  const attributes = { token, refreshTimeoutSeconds: '600', maximumLifetimeSeconds: '86400', version: '6.0(5h)' }
  return objects([{ aaaLogin: { attributes } }])
}

const objects = (imdata: readonly object[]): object => ({ totalCount: String(imdata.length), imdata })

/** The fabric's clock and a health that never changes; of anything else there is nothing. */
function ofObject(dn: string): object[] {
  if (dn === 'info') {
    return [{ topInfo: { attributes: { dn, currentTime: new Date(systemClock.wall()).toISOString() } } }]
  }
  if (!dn.endsWith('health')) return []
  return [{ healthInst: { attributes: { dn, cur: '95', prev: '95', maxSev: 'cleared', updTs: '' } } }]
}

/** Faults stand as they were prepared. Of a log only the newest record is there, and only who asks for it sees it. */
function ofClass(cls: string, options: URLSearchParams): object[] {
  if (cls === 'faultInst') {
    const count = load.cls === 'faultInst' ? load.objects : 1000
    const before = preparedMs - 24 * 3_600_000
    return Array.from({ length: count }, (_, object) => ({ faultInst: { attributes: fault(object, before) } }))
  }
  if (newest?.cls !== cls || options.get('page-size') !== '1') return []
  return (JSON.parse(newest.text) as { imdata: object[] }).imdata
}

function subscriber(): WebSocket {
  const socket = sockets.get(subscribed.get(load.cls) ?? '')
  if (socket === undefined) throw new Error(`nobody subscribes ${load.cls}`)
  return socket
}

/** Each frame is a write of its own, as on a controller; backpressure is the socket's. */
async function push(): Promise<void> {
  const socket = subscriber()
  tell({ say: 'started', atMs: systemClock.wall() })
  for (let from = 0; from < frames.length; from += CHUNK) {
    const chunk = frames.slice(from, from + CHUNK)
    const last = chunk.pop()
    for (const one of chunk) socket.send(one, { binary: false })
    await new Promise<void>((resolve, reject) => {
      socket.send(last ?? '', { binary: false }, error => (error ? reject(error) : resolve()))
    })
  }
  const text = frames.at(-1)?.toString('utf8')
  newest = text === undefined ? undefined : { cls: load.cls, text }
  tell({ say: 'pushed', atMs: systemClock.wall(), count: frames.length })
}

async function pace(perSecond: number): Promise<void> {
  const socket = subscriber()
  const start = systemClock.now()
  tell({ say: 'started', atMs: systemClock.wall() })
  const { first = 0 } = load
  halted = false
  let n = 0
  while (n < load.count && !halted) {
    const due = Math.min(load.count, Math.ceil(((systemClock.now() - start) / 1000) * perSecond))
    for (; n < due; n++) {
      const text = frame(load.cls, first + n, load.objects, systemClock.wall())
      socket.send(text)
      newest = { cls: load.cls, text }
    }
    await sleep(systemClock, TICK_MS)
  }
  tell({ say: 'pushed', atMs: systemClock.wall(), count: n })
}

async function heed(message: SourceHears): Promise<void> {
  if (message.ask === 'push') return push()
  if (message.ask === 'halt') {
    halted = true
    return
  }
  const { cls, count, objects, first: from = 0 } = message
  load = { cls, count, objects, first: from }
  if (message.ask === 'pace') return pace(message.perSecond)
  preparedMs = systemClock.wall()
  newest = undefined
  // One a millisecond, all after the snapshot: a change that is older than what is known would be none.
  const first = preparedMs - load.count
  frames = Array.from({ length: count }, (_, n) => Buffer.from(frame(cls, from + n, objects, first + n)))
  tell({ say: 'prepared', frameBytes: frames.reduce((sum, one) => sum + one.length, 0) / Math.max(1, frames.length) })
}

const certificate = { key: readFileSync(keyFile, 'utf8'), cert: readFileSync(certificateFile, 'utf8') }
const server = await startServer((request, response) => void answer(request, response), { certificate })
const upgrades = new WebSocketServer({ noServer: true, perMessageDeflate: false })
server.server.on('upgrade', (request, stream, head) => {
  const token = /^\/socket(.+)$/.exec(request.url ?? '')?.[1] ?? ''
  if (!tokens.has(token)) {
    stream.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
    return
  }
  upgrades.handleUpgrade(request, stream, head, socket => {
    sockets.set(token, socket)
    socket.on('error', () => socket.terminate())
    socket.on('close', () => sockets.delete(token))
  })
})
process.on('message', message => {
  heed(message as SourceHears).catch((error: unknown) => {
    process.stderr.write(`source: ${error instanceof Error ? error.stack : String(error)}\n`)
    process.exit(1)
  })
})
// Whoever started it is gone.
process.on('disconnect', () => process.exit(0))
tell({ say: 'listening', url: server.url })
