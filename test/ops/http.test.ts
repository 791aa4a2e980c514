import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { get as plainGet, request as plainRequest } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { connect } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { HttpConfig } from '../../src/config/schema.ts'
import { type RunningHttp, startHttp } from '../../src/ops/http.ts'
import type { Ops } from '../../src/ops/ops.ts'
import { systemClock } from '../../src/scheduler/clock.ts'
import { makeCertificate } from '../../src/simulators/server.ts'
import { until } from '../support/manual-clock.ts'
import { makeReady, type TestOps, testOps } from './happenings.ts'

interface Reply {
  readonly status: number
  readonly headers: Record<string, string | string[] | undefined>
  readonly body: string
}

let made: TestOps
let reloads = 0
let folder: string
const running: RunningHttp[] = []

beforeEach(() => {
  made = testOps()
  reloads = 0
  makeReady(made.report)
  folder = mkdtempSync(join(tmpdir(), 'opswire-http-'))
})

afterEach(async () => {
  await Promise.all(running.splice(0).map(server => server.close()))
  made.ops.close()
  rmSync(folder, { recursive: true })
})

async function start(
  config: Partial<HttpConfig> = {},
  ops: Pick<Ops, 'metrics' | 'status' | 'health' | 'ready'> = made.ops,
) {
  const server = await startHttp({ listen: '127.0.0.1:0', token_file: null, tls: null, ...config }, ops, {
    clock: systemClock,
    reload: async () => ({ status: 200, body: { asked: ++reloads } }),
    replay: body => ({ status: 422, body: { given: body ?? null } }),
  })
  running.push(server)
  return server
}

function ask(
  url: string,
  options: { method?: string; headers?: Record<string, string>; ca?: string } = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const send = url.startsWith('https') ? tlsRequest : plainRequest
    const request = send(url, { ...options, agent: false }, response => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        body += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
    })
    request.on('error', reject)
    request.end()
  })
}

test('the four routes', async () => {
  const { url } = await start()
  const metrics = await ask(`${url}/metrics`)
  expect(metrics.status).toBe(200)
  expect(metrics.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
  expect(metrics.body).toContain('opswire_source_up{source="fabric-a"} 1')
  const healthy = await ask(`${url}/-/healthy`)
  expect(healthy.status).toBe(200)
  expect(JSON.parse(healthy.body)).toMatchObject({ alive: true })
  const ready = await ask(`${url}/-/ready`)
  expect(ready.status).toBe(200)
  expect(JSON.parse(ready.body)).toEqual(made.ops.ready())
  const status = await ask(`${url}/status?pretty`)
  expect(status.status).toBe(200)
  expect(status.headers).toMatchObject({
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  })
  expect(JSON.parse(status.body)).toEqual(JSON.parse(JSON.stringify(made.ops.status())))
})

test('not ready and not alive are 503, with the reason', async () => {
  const { url } = await start()
  made.report({ type: 'sink_state', sink: 'nats', up: false, detail: 'connection refused' })
  const ready = await ask(`${url}/-/ready`)
  expect(ready.status).toBe(503)
  expect(ready.body).toContain('nats is down: connection refused')
  expect((await ask(`${url}/-/healthy`)).status).toBe(200)
  made.clock.stall(60_000)
  expect((await ask(`${url}/-/healthy`)).status).toBe(503)
})

test('HEAD is GET without the body; other methods and other places are refused in words', async () => {
  const { url } = await start()
  const head = await ask(`${url}/status`, { method: 'HEAD' })
  const get = await ask(`${url}/status`)
  expect(head.status).toBe(200)
  expect(head.body).toBe('')
  expect(head.headers['content-length']).toBe(get.headers['content-length'])
  const post = await ask(`${url}/status`, { method: 'POST' })
  expect(post.status).toBe(405)
  expect(post.headers['allow']).toBe('GET, HEAD')
  const lost = await ask(`${url}/nowhere`)
  expect(lost.status).toBe(404)
  expect(lost.body).toBe('Not here. There is: / /metrics /-/healthy /-/ready /status /-/reload /-/replay\n')
  expect((await ask(`${url}/nowhere`, { method: 'DELETE' })).status).toBe(404)
})

test('scrapes run one after the other, and one that fails does not fail the next', async () => {
  const waiting: { resolve(page: string): void; reject(error: Error): void }[] = []
  const { url } = await start(
    {},
    { ...made.ops, metrics: () => new Promise<string>((resolve, reject) => waiting.push({ resolve, reject })) },
  )
  const replies = [1, 2, 3].map(() => ask(`${url}/metrics`))
  await until(() => waiting.length === 1, 'the first scrape')
  // The others have arrived too: an answer to a later request on a fourth connection proves the loop went round.
  await ask(`${url}/-/healthy`)
  expect(waiting).toHaveLength(1)
  waiting[0]?.reject(new Error('https://u:hunter22@h broke'))
  await until(() => waiting.length === 2, 'the second scrape')
  waiting[1]?.resolve('two\n')
  await until(() => waiting.length === 3, 'the third scrape')
  waiting[2]?.resolve('three\n')
  const answers = await Promise.all(replies)
  expect(answers.map(answer => answer.status).sort()).toEqual([200, 200, 500])
  expect(answers.map(answer => answer.body).join('')).not.toContain('hunter22')
})

test('over TLS with its own certificate', async () => {
  const { key, cert } = await makeCertificate()
  const tls = { cert_file: join(folder, 'cert.pem'), key_file: join(folder, 'key.pem') }
  writeFileSync(tls.cert_file, cert)
  writeFileSync(tls.key_file, key)
  const { url } = await start({ tls })
  expect(url).toMatch(/^https:/)
  expect((await ask(`${url}/-/ready`, { ca: cert })).status).toBe(200)
  await expect(ask(`${url}/-/ready`)).rejects.toThrow(/self-signed|certificate/)
  await expect(ask(`${url.replace('https', 'http')}/-/ready`)).rejects.toThrow()
  writeFileSync(tls.key_file, 'no key')
  await expect(start({ tls })).rejects.toMatchObject({
    code: 'config',
    message: expect.stringMatching(/don't work together/),
  })
  await expect(start({ tls: { ...tls, key_file: join(folder, 'none') } })).rejects.toThrow(
    /can't read http.tls.key_file/,
  )
})

const FROM_OUTSIDE = { 'x-forwarded-for': '198.51.100.7' }

test('with a token file, who comes from outside needs the token, but for liveness and readiness', async () => {
  const token_file = join(folder, 'token')
  writeFileSync(token_file, 'first-token\n')
  const { url } = await start({ token_file })
  // On loopback: no token.
  expect((await ask(`${url}/metrics`)).status).toBe(200)
  // Passed on by a proxy on this machine: from outside.
  const proxied: Record<string, string>[] = [FROM_OUTSIDE, { forwarded: 'for=198.51.100.7' }, { via: '1.1 proxy' }]
  for (const headers of proxied) {
    expect((await ask(`${url}/metrics`, { headers })).status).toBe(401)
  }
  for (const path of ['/-/healthy', '/-/ready']) {
    expect((await ask(`${url}${path}`, { headers: FROM_OUTSIDE })).status).toBe(200)
  }
  const refused = await ask(`${url}/nowhere`, { headers: FROM_OUTSIDE })
  expect(refused.status).toBe(401)
  expect(refused.headers['www-authenticate']).toBe('Bearer realm="opswire"')
  const wrong = [
    'Bearer nope',
    'Bearer first-token2',
    'Bearer ',
    'Basic first-token',
    'first-token',
    'Bearer first-token x',
  ]
  for (const authorization of wrong) {
    expect((await ask(`${url}/status`, { headers: { ...FROM_OUTSIDE, authorization } })).status, authorization).toBe(
      401,
    )
  }
  const withToken = (token: string) =>
    ask(`${url}/status`, { headers: { ...FROM_OUTSIDE, authorization: `Bearer ${token}` } })
  expect((await withToken('first-token')).status).toBe(200)
  // Changed while it runs.
  writeFileSync(token_file, 'second-token')
  expect((await withToken('first-token')).status).toBe(401)
  expect((await withToken('second-token')).status).toBe(200)
  // Gone or empty: nobody gets in.
  writeFileSync(token_file, '\n')
  expect((await withToken('')).status).toBe(503)
  rmSync(token_file)
  expect((await withToken('second-token')).status).toBe(503)
})

test('a peer that is not on loopback is from outside, whatever it says', async () => {
  const token_file = join(folder, 'token')
  writeFileSync(token_file, 'the-token')
  const { url } = await start({ token_file, listen: '0.0.0.0:0' })
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
  const own = Object.values(networkInterfaces())
    .flat()
    .find(address => address?.family === 'IPv4' && !address.internal)?.address
  // A machine without a network has loopback only: then the proxy headers stand for the outside.
  const [target, headers] = own === undefined ? ['127.0.0.1', FROM_OUTSIDE] : [own, {}]
  const outside = url.replace('127.0.0.1', target)
  expect((await ask(`${outside}/metrics`, { headers })).status).toBe(401)
  expect((await ask(`${outside}/metrics`, { headers: { ...headers, authorization: 'Bearer the-token' } })).status).toBe(
    200,
  )
  expect((await ask(`${outside}/-/ready`, { headers })).status).toBe(200)
})

test('POST /-/reload is for this machine, and for others with the token', async () => {
  const { url } = await start()
  const post = (headers: Record<string, string> = {}, base = url) =>
    ask(`${base}/-/reload`, { method: 'POST', headers })
  const done = await post()
  expect([done.status, JSON.parse(done.body)]).toEqual([200, { asked: 1 }])
  const get = await ask(`${url}/-/reload`)
  expect([get.status, get.headers['allow']]).toEqual([405, 'POST'])
  // Through a proxy, without a token file: nobody, though reading is open.
  for (const headers of [FROM_OUTSIDE, { ...FROM_OUTSIDE, authorization: 'Bearer x' }]) {
    const refused = await post(headers)
    expect(refused.status).toBe(403)
    expect(refused.body).toContain('http.token_file')
  }
  expect((await ask(`${url}/status`, { headers: FROM_OUTSIDE })).status).toBe(200)
  const token_file = join(folder, 'token')
  writeFileSync(token_file, 'the-token')
  const guarded = await start({ token_file })
  expect((await post(FROM_OUTSIDE, guarded.url)).status).toBe(401)
  expect((await post({ ...FROM_OUTSIDE, authorization: 'Bearer the-token' }, guarded.url)).status).toBe(200)
  expect((await post({}, guarded.url)).status).toBe(200)
  expect(reloads).toBe(3)
})

test('a web page can not make a browser on this machine reload it', async () => {
  const token_file = join(folder, 'token')
  writeFileSync(token_file, 'the-token')
  const { url } = await start({ token_file })
  const { origin, host } = new URL(url)
  const sent: Record<string, string>[] = [
    { origin: 'https://evil.example.net', 'sec-fetch-site': 'cross-site' },
    { origin: 'null' },
    { 'sec-fetch-site': 'same-site' },
    // A name of the page's own that was made to point here: all looks alike.
    { origin, host, 'sec-fetch-site': 'same-origin' },
  ]
  for (const headers of sent) {
    expect((await ask(`${url}/-/reload`, { method: 'POST', headers })).status, JSON.stringify(headers)).toBe(401)
    expect((await ask(`${(await start()).url}/-/reload`, { method: 'POST', headers })).status).toBe(403)
  }
  expect(reloads).toBe(0)
  const allowed = { origin, authorization: 'Bearer the-token' }
  expect((await ask(`${url}/-/reload`, { method: 'POST', headers: allowed })).status).toBe(200)
})

test('a reload takes up another token file and a renewed certificate; files that are wrong change nothing', async () => {
  const [old, renewed] = [await makeCertificate(), await makeCertificate()]
  const tls = { cert_file: join(folder, 'cert.pem'), key_file: join(folder, 'key.pem') }
  const write = ({ cert, key }: { cert: string; key: string }): void => {
    writeFileSync(tls.cert_file, cert)
    writeFileSync(tls.key_file, key)
  }
  write(old)
  const server = await start({ tls })
  const config = { listen: '127.0.0.1:0', token_file: null, tls }
  const get = (ca: string) => ask(`${server.url}/status`, { ca, headers: FROM_OUTSIDE })
  write({ ...renewed, key: old.key })
  await expect(server.prepare(config)).rejects.toMatchObject({ code: 'config' })
  write(renewed)
  await expect(server.prepare({ ...config, token_file: join(folder, 'none') })).rejects.toMatchObject({
    code: 'config',
  })
  expect((await get(old.cert)).status).toBe(200)
  const token_file = join(folder, 'token')
  writeFileSync(token_file, 'the-token')
  const take = await server.prepare({ ...config, token_file })
  expect((await get(old.cert)).status).toBe(200)
  take()
  expect((await get(renewed.cert)).status).toBe(401)
  await expect(get(old.cert)).rejects.toThrow(/self-signed|certificate/)
})

test('what keeps it from starting is said with the key and the reason', async () => {
  const { url } = await start()
  const port = new URL(url).port
  const fails = (config: Partial<HttpConfig>): Promise<unknown> =>
    start(config).then(
      () => 'started',
      error => error,
    )
  expect(await fails({ listen: `127.0.0.1:${port}` })).toMatchObject({
    code: 'unreachable',
    message: `http.listen 127.0.0.1:${port}: the port is in use by another process (another opswire?)`,
  })
  expect(await fails({ listen: '192.0.2.1:0' })).toMatchObject({ message: expect.stringMatching(/no such address/) })
  expect(await fails({ listen: '127.0.0.1:99999' })).toMatchObject({ message: expect.stringMatching(/no such port/) })
  expect(await fails({ token_file: join(folder, 'none') })).toMatchObject({
    message: `can't read http.token_file ${join(folder, 'none')}`,
  })
})

test('close ends idle connections at once, lets an answer under way end, and can be called twice', async () => {
  let finish: ((page: string) => void) | undefined
  const server = await start(
    {},
    {
      ...made.ops,
      metrics: () =>
        new Promise<string>(resolve => {
          finish = resolve
        }),
    },
  )
  const port = Number(new URL(server.url).port)
  const idle = connect(port, '127.0.0.1')
  idle.on('error', () => undefined)
  const idleEnded = new Promise<void>(resolve => idle.once('close', () => resolve()))
  idle.write('GET /-/healthy HTTP/1.1\r\nhost: x\r\n\r\n')
  await new Promise<void>(resolve => idle.once('data', () => resolve()))
  const slow = new Promise<string>((resolve, reject) => {
    plainGet(`${server.url}/metrics`, { agent: false }, response => {
      response.setEncoding('utf8')
      response.once('data', (chunk: string) => resolve(chunk))
    }).on('error', reject)
  })
  await until(() => finish !== undefined, 'the scrape')
  const closing = server.close()
  expect(server.close()).toBe(closing)
  await idleEnded
  finish?.('the last page\n')
  expect(await slow).toBe('the last page\n')
  await closing
  await expect(ask(`${server.url}/-/healthy`)).rejects.toThrow(/ECONNREFUSED/)
})
