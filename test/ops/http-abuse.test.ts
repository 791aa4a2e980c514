/** Who means no good, against the real endpoint: slow, silent, large and many. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { HttpConfig } from '../../src/config/schema.ts'
import { type HttpLimits, type HttpServerOptions, type RunningHttp, startHttp } from '../../src/ops/http.ts'
import { systemClock } from '../../src/scheduler/clock.ts'
import { makeCertificate } from '../../src/simulators/server.ts'
import { until } from '../support/manual-clock.ts'
import { makeReady, type TestOps, testOps } from './happenings.ts'

/** The usual limits, at a fiftieth. */
const QUICK: Partial<HttpLimits> = { headersMs: 100, requestMs: 200, lookMs: 20 }

let made: TestOps
let server: RunningHttp | undefined
const sockets: Socket[] = []

beforeEach(() => {
  made = testOps()
  makeReady(made.report)
})

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await server?.close()
  server = undefined
  made.ops.close()
})

const refuse: HttpServerOptions['replay'] = body => ({ status: 400, body: { read: body !== undefined } })

async function start(
  limits: Partial<HttpLimits>,
  { tls = null, replay = refuse }: { tls?: HttpConfig['tls']; replay?: HttpServerOptions['replay'] } = {},
): Promise<RunningHttp> {
  const config = { listen: '127.0.0.1:0', token_file: null, tls }
  const reload = async () => ({ status: 200, body: {} })
  server = await startHttp(config, made.ops, { clock: systemClock, reload, replay, limits })
  return server
}

interface Peer {
  readonly socket: Socket
  heard(): string
  closed(): boolean
}

function peer({ url }: RunningHttp): Peer {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  let text = ''
  let gone = false
  socket.setEncoding('latin1')
  socket.on('data', chunk => {
    text += String(chunk)
  })
  socket.on('error', () => undefined)
  socket.on('close', () => {
    gone = true
  })
  sockets.push(socket)
  return { socket, heard: () => text, closed: () => gone }
}

const answers = async ({ url }: RunningHttp): Promise<number> => (await fetch(`${url}/-/healthy`)).status

test('one who says nothing, and one who never ends his headers, is sent away', async () => {
  const running = await start(QUICK)
  const silent = peer(running)
  const slow = peer(running)
  slow.socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n')
  const drip = setInterval(() => slow.socket.write('X-A: b\r\n'), 10)
  try {
    await until(silent.closed, 'the silent one closed')
    await until(slow.closed, 'the slow one closed')
  } finally {
    clearInterval(drip)
  }
  expect(slow.heard()).toMatch(/^HTTP\/1\.1 408 /)
  expect(await answers(running)).toBe(200)
})

test('headers above 16 KiB, and a request line as long, are refused', async () => {
  const running = await start({})
  for (const text of [
    `GET /status HTTP/1.1\r\nHost: x\r\nX-Long: ${'a'.repeat(17_000)}\r\n\r\n`,
    `GET /${'a'.repeat(17_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
  ]) {
    const { socket, heard, closed } = peer(running)
    socket.write(text)
    await until(closed, 'closed')
    expect(heard()).toMatch(/^HTTP\/1\.1 431 /)
  }
  expect(await answers(running)).toBe(200)
})

test('a body is not read, or no more of it than a wish may have: neither a promised terabyte nor an endless one is waited for', async () => {
  const running = await start(QUICK)
  const heads = ['GET /status', 'POST /-/reload', 'POST /-/replay', 'POST /status', 'PUT /nowhere'].flatMap(line => [
    `${line} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n`,
    `${line} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`,
  ])
  const before = process.memoryUsage().rss
  for (const head of heads) {
    const { socket, heard, closed } = peer(running)
    socket.write(head)
    const piece = head.includes('chunked') ? `10000\r\n${'b'.repeat(65_536)}\r\n` : 'b'.repeat(65_536)
    const flood = setInterval(() => {
      if (socket.writableLength < 1_000_000) socket.write(piece)
    }, 1)
    try {
      await until(closed, 'closed')
    } finally {
      clearInterval(flood)
    }
    expect(heard(), head).toMatch(/^HTTP\/1\.1 (200|400|404|405) /)
  }
  expect(process.memoryUsage().rss - before).toBeLessThan(200_000_000)
  expect(await answers(running)).toBe(200)
})

test('of more than so many connections the rest are turned away, and there is room again when the slow ones are gone', async () => {
  const running = await start({ ...QUICK, connections: 4 })
  const slow = Array.from({ length: 4 }, () => peer(running))
  for (const { socket } of slow) socket.write('GET /metrics HTTP/1.1\r\n')
  const refused = peer(running)
  await until(refused.closed, 'the fifth closed')
  expect(refused.heard()).toBe('')
  await until(() => slow.every(({ closed }) => closed()), 'the slow ones closed')
  expect(await answers(running)).toBe(200)
})

test('many that were answered and keep their connection do not keep a supervisor out', async () => {
  const running = await start({ connections: 4 })
  const idle = Array.from({ length: 4 }, () => peer(running))
  for (const { socket, heard } of idle) {
    socket.write('GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n')
    await until(() => heard().startsWith('HTTP/1.1 200'), 'the answer')
  }
  const probe = peer(running)
  probe.socket.write('GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n')
  await until(() => probe.closed() || probe.heard() !== '', 'the probe told')
  // Turned away at most once: the next one finds room.
  expect(await answers(running)).toBe(200)
})

test('one who asks and never reads is sent away; one who waits for what is being done is not', async () => {
  const cut = Promise.withResolvers<void>()
  const replay: HttpServerOptions['replay'] = () => ({
    status: 200,
    async lines(tell) {
      await cut.promise
      await tell({ done: true })
    },
  })
  const running = await start({ ...QUICK, unreadMs: 200 }, { replay })
  const patient = peer(running)
  patient.socket.write('POST /-/replay HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}')
  await until(() => patient.heard() !== '', 'the headers of the answer')
  const { socket, closed } = peer(running)
  socket.pause()
  const flood = setInterval(() => {
    if (socket.writableLength < 1_000_000) socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(100))
  }, 1)
  try {
    await until(closed, 'closed')
  } finally {
    clearInterval(flood)
  }
  cut.resolve()
  await until(() => patient.heard().includes('"done":true'), 'the last line')
  expect(await answers(running)).toBe(200)
})

test('with TLS, one who never says hello, or says something else, is sent away', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'opswire-abuse-'))
  try {
    const { key, cert } = await makeCertificate()
    const tls = { cert_file: join(folder, 'cert.pem'), key_file: join(folder, 'key.pem') }
    writeFileSync(tls.cert_file, cert)
    writeFileSync(tls.key_file, key)
    const running = await start(QUICK, { tls })
    const silent = peer(running)
    const slow = peer(running)
    // The beginning of a handshake record that never ends.
    slow.socket.write(Buffer.from([0x16, 0x03, 0x01, 0x02]))
    const plain = peer(running)
    plain.socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n')
    for (const { closed } of [silent, slow, plain]) await until(closed, 'closed')
    expect(plain.heard()).not.toContain('opswire_')
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('what is no HTTP, or smuggles a second request, is refused', async () => {
  const running = await start({})
  const odd = [
    'hello\r\n\r\n',
    '\u0016\u0003\u0001\u0002\u0000',
    'GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n',
    'GET /metrics HTTP/1.1\r\n\r\n',
  ]
  for (const text of odd) {
    const { socket, heard, closed } = peer(running)
    socket.end(text)
    await until(closed, `${JSON.stringify(text)} closed`)
    expect(heard(), text).toMatch(/^HTTP\/1\.1 400 /)
  }
  expect(await answers(running)).toBe(200)
})
