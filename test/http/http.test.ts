import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { TlsConfig } from '../../src/config/sources.ts'
import { describe as inWords } from '../../src/errors.ts'
import type { Happening } from '../../src/report.ts'
import { type Clock, systemClock } from '../../src/scheduler/clock.ts'
import { type Certificate, makeCertificate, type RunningServer, startServer } from '../../src/simulators/server.ts'
import { HttpAnswer, HttpClient, type HttpOptions, type HttpRequest } from '../../src/subscribers/http.ts'
import { ManualClock, until } from '../support/manual-clock.ts'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

const ASK: HttpRequest = { method: 'GET', path: '/a?b=c', operation: 'query' }
const TRUSTED: TlsConfig = { ca_file: null, verify: true, fingerprint_sha256: null }

let directory: string
let certificate: Certificate
let caFile: string
let server: RunningServer
let client: HttpClient
let happenings: Happening[] = []
/** Connections that the server took. */
let connections = 0

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'opswire-http-'))
  certificate = await makeCertificate()
  caFile = join(directory, 'ca.pem')
  writeFileSync(caFile, certificate.cert)
})
afterAll(() => rmSync(directory, { recursive: true }))
afterEach(async () => {
  await client.close()
  await server.close()
})

async function start(handler: Handler, tls: Partial<TlsConfig> = {}, more: Partial<HttpOptions> = {}): Promise<void> {
  happenings = []
  connections = 0
  server = await startServer(handler, { certificate })
  server.server.on('secureConnection', () => connections++)
  client = new HttpClient({
    origin: server.url,
    source: 'box',
    tls: { ...TRUSTED, ca_file: caFile, ...tls },
    timeoutMs: 30_000,
    connections: 4,
    clock: systemClock,
    report: happening => happenings.push(happening),
    ...more,
  })
}

const hello: Handler = (_, response) => response.end('hello')
const results = (): string[] => happenings.flatMap(one => (one.type === 'request' ? [one.result] : []))
const certificateEnds = (): number[] => happenings.flatMap(one => (one.type === 'certificate_expiry' ? [one.atMs] : []))

/** Answers only when so many requests wait: each of them needs a connection of its own. */
function together(count: number): Handler {
  let waiting: ServerResponse[] = []
  return (_, response) => {
    waiting.push(response)
    if (waiting.length < count) return
    for (const one of waiting) one.end('hello')
    waiting = []
  }
}

/** The same over connections that are made anew, where TLS could resume a session. */
async function severalTimes(count: number): Promise<void> {
  for (let round = 0; round < 3; round++) {
    const answers = await Promise.all(Array.from({ length: count }, () => client.request(ASK)))
    expect(answers.map(answer => answer.text)).toEqual(Array.from({ length: count }, () => 'hello'))
    server.cut()
    const open = (): Promise<number> =>
      new Promise(resolve => server.server.getConnections((_, number) => resolve(number)))
    while ((await open()) > 0) await new Promise(resolve => setImmediate(resolve))
  }
}

describe('trust', () => {
  it('takes the certificate of the CA file, on every connection, and tells when it ends', async () => {
    await start(together(4), {}, { retries: 2 })
    await severalTimes(4)
    expect(connections).toBeGreaterThanOrEqual(12)
    expect(new Set(certificateEnds())).toEqual(new Set([new X509Certificate(certificate.cert).validToDate.getTime()]))
    const hosts = happenings.flatMap(one => (one.type === 'certificate_expiry' ? [one.host] : []))
    expect(new Set(hosts)).toEqual(new Set([new URL(server.url).host]))
    expect(new Set(results())).toEqual(new Set(['ok']))
  })

  it('refuses a certificate that nobody it trusts signed, and sends nothing', async () => {
    let asked = 0
    await start(() => asked++, { ca_file: null }, { retries: 2 })
    const refused = client.request(ASK)
    await expect(refused).rejects.toMatchObject({ name: 'Fatal', code: 'tls' })
    await expect(refused).rejects.toThrow(/certificate not trusted; set tls.ca_file/)
    expect(asked).toBe(0)
    expect(results()).toEqual(['error'])
  })

  it('refuses a CA file that is not there', async () => {
    await start(hello)
    const options = { ...TRUSTED, ca_file: join(directory, 'nowhere.pem') }
    const make = (): HttpClient =>
      new HttpClient({
        origin: server.url,
        source: 'box',
        tls: options,
        timeoutMs: 1000,
        connections: 1,
        clock: systemClock,
        report: () => undefined,
      })
    expect(make).toThrow(/can't read tls.ca_file .*nowhere.pem/)
  })

  it('takes the pinned certificate whoever signed it, on every connection', async () => {
    const { fingerprint256 } = new X509Certificate(certificate.cert)
    await start(together(4), { ca_file: null, fingerprint_sha256: fingerprint256 }, { retries: 2 })
    await severalTimes(4)
    expect(connections).toBeGreaterThanOrEqual(12)
  })

  it('refuses any other than the pinned one on every connection, a signed one too, and sends nothing', async () => {
    let asked = 0
    await start(() => asked++, { fingerprint_sha256: '00'.repeat(32) }, { retries: 2 })
    const outcomes = await Promise.allSettled(Array.from({ length: 6 }, () => client.request(ASK)))
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { name: 'Fatal', code: 'tls' } })
      expect(inWords((outcome as PromiseRejectedResult).reason)).toMatch(
        /fingerprint is [0-9a-f]{64}, but .* wants 0000/,
      )
    }
    expect(asked).toBe(0)
  })
})

describe('limits', () => {
  it('gives up an answer that trickles when the whole of it took too long', async () => {
    const clock = new ManualClock()
    let answer: ServerResponse | undefined
    const passing: Clock = clock
    await start(
      (_, response) => {
        response.write('first ')
        answer = response
      },
      {},
      { clock: passing, timeoutMs: 1000 },
    )
    const pending = client.request(ASK)
    const refused = expect(pending).rejects.toMatchObject({ name: 'Retryable', code: 'timeout' })
    const trickling = await until(() => answer, 'the first bytes')
    for (let part = 0; part < 3; part++) {
      await clock.advance(300)
      await new Promise<void>(resolve => trickling.write('more ', () => resolve()))
    }
    await clock.advance(100)
    await refused
    expect(results()).toEqual(['timeout'])
    expect(clock.waiting).toBe(0)
  })

  it('leaves no timer behind an answer', async () => {
    const clock = new ManualClock()
    await start(hello, {}, { clock })
    await client.request({ ...ASK, timeoutMs: 500 })
    expect(clock.waiting).toBe(0)
  })

  it('cuts an answer that is too large', async () => {
    await start((_, response) => response.end('x'.repeat(2000)))
    await expect(client.request({ ...ASK, maxBytes: 1999 })).rejects.toMatchObject({
      name: 'Retryable',
      code: 'too_large',
    })
    expect((await client.request({ ...ASK, maxBytes: 2000 })).text).toHaveLength(2000)
  })

  it.each([false, true])('ends with the reason of the signal (answer begun: %s)', async begun => {
    let asked = false
    await start(
      (_, response) => {
        if (begun) response.write('part')
        asked = true
      },
      {},
      { retries: 2 },
    )
    const over = new AbortController()
    const reason = new Error('stop it')
    const pending = client.request({ ...ASK, signal: over.signal })
    const refused = expect(pending).rejects.toBe(reason)
    await until(() => asked, 'the request is under way')
    over.abort(reason)
    await refused
    await expect(client.request({ ...ASK, signal: over.signal })).rejects.toBe(reason)
  })

  it('ends what is under way when it is closed', async () => {
    let asked = false
    await start(() => {
      asked = true
    })
    const refused = expect(client.request(ASK)).rejects.toMatchObject({ name: 'Retryable', code: 'unreachable' })
    await until(() => asked, 'the request is under way')
    await client.close()
    await refused
  })
})

describe('trying again', () => {
  it.each([
    ['GET', 2, 3, true],
    ['GET', 2, 2, true],
    ['GET', 3, 3, false],
    ['POST', 1, 1, false],
    ['DELETE', 1, 1, false],
  ] as const)(
    '%s over %i broken connections: asked %i times, answered: %s',
    async (method, broken, times, answered) => {
      let asked = 0
      const breaks = method === 'GET' && times === 2 ? 1 : broken
      await start(
        (request, response) => {
          if (++asked <= breaks) request.socket.destroy()
          else response.end('hello')
        },
        {},
        { retries: 5, retryDelayMs: 1 },
      )
      const pending = client.request({ ...ASK, method, ...(method === 'POST' ? { body: 'refresh_token=x' } : {}) })
      if (answered) expect((await pending).text).toBe('hello')
      else await expect(pending).rejects.toMatchObject({ name: 'Retryable', code: 'unreachable' })
      expect(asked).toBe(times)
      // One call is one request in the books.
      expect(results()).toEqual([answered ? 'ok' : 'error'])
    },
  )

  it('is not for an answer, whatever its status', async () => {
    let asked = 0
    await start(
      (_, response) => {
        asked++
        response.writeHead(503, { 'Retry-After': '7' }).end('{}')
      },
      {},
      { retries: 2, retryDelayMs: 1 },
    )
    const answer = await client.request(ASK)
    expect(answer).toMatchObject({ status: 503, ok: false, retryAfterMs: 7000 })
    expect(asked).toBe(1)
    expect(results()).toEqual(['throttled'])
  })
})

describe('request and answer', () => {
  it('sends path, headers and body as written and gives status, headers and text', async () => {
    let seen: unknown
    await start((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        seen = [request.method, request.url, request.headers['x-one'], Buffer.concat(chunks).toString('utf8')]
        response.writeHead(201, { 'Set-Cookie': ['a=1', 'b=2'], Date: 'Tue, 03 Feb 2026 04:05:06 GMT' }).end('grün')
      })
    })
    const path = '/x/%2F?filter=(a%3D%3D%22b%22)'
    const answer = await client.request({
      method: 'POST',
      path,
      headers: { 'X-One': '1' },
      body: 'é',
      operation: 'rpc',
    })
    expect(seen).toEqual(['POST', path, '1', 'é'])
    expect(answer).toMatchObject({ status: 201, ok: true, text: 'grün', serverTimeMs: Date.UTC(2026, 1, 3, 4, 5, 6) })
    expect(answer.headers('set-cookie')).toEqual(['a=1', 'b=2'])
    expect(answer.header('Set-Cookie')).toBe('a=1')
    expect(answer.retryAfterMs).toBeUndefined()
  })

  it.each([
    ['text/html; charset=utf-8', 'busy', true],
    [undefined, '\n <!DOCTYPE html><p>busy', true],
    ['application/json', '<html><body>busy</body></html>', true],
    ['application/json', '{"html":"<html>"}', false],
    ['text/xml', '<?xml version="1.0"?><imdata/>', false],
    ['text/html', '<?xml version="1.0"?><imdata/>', false],
    [undefined, '', false],
  ])('knows a page (%s, %j): %s', (type, text, html) => {
    expect(new HttpAnswer(200, type === undefined ? {} : { 'content-type': type }, text).isHtml).toBe(html)
  })

  it.each([
    ['text/plain; charset=utf-8', 'text/plain, 31 characters'],
    ['sn3aky sn3aky', 'no content type, 31 characters'],
    [undefined, 'no content type, 31 characters'],
  ])('says of a body that is not JSON what it was, and quotes nothing of it (%s)', (type, what) => {
    const answer = new HttpAnswer(
      200,
      type === undefined ? {} : { 'content-type': type },
      'sn3aky-access-token-0123456789a',
    )
    let thrown: unknown
    try {
      answer.json()
    } catch (error) {
      thrown = error
    }
    expect(thrown).toMatchObject({ name: 'Retryable', code: 'protocol' })
    expect(inWords(thrown)).toBe(`HTTP 200 with a body that is not JSON (${what})`)
  })
})
