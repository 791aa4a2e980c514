/** `POST /-/replay` over real connections, and the command that asks it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { askDaemon } from '../../src/cli/replay-ask.ts'
import type { HttpConfig } from '../../src/config/schema.ts'
import { type HttpServerOptions, type RunningHttp, startHttp } from '../../src/ops/http.ts'
import type { Line, Summary } from '../../src/replay/wish.ts'
import { aborted, systemClock } from '../../src/scheduler/clock.ts'
import { makeCertificate } from '../../src/simulators/server.ts'
import { until } from '../support/manual-clock.ts'
import { type TestOps, testOps } from './happenings.ts'

let made: TestOps
let folder: string
const running: Pick<RunningHttp, 'close'>[] = []

const echo: HttpServerOptions['replay'] = body => ({ status: 422, body: { problem: `given ${JSON.stringify(body)}` } })

beforeEach(() => {
  made = testOps()
  folder = mkdtempSync(join(tmpdir(), 'opswire-http-'))
})

afterEach(async () => {
  await Promise.all(running.splice(0).map(server => server.close()))
  made.ops.close()
  rmSync(folder, { recursive: true })
})

async function start(replay = echo, over: Partial<HttpConfig> = {}): Promise<RunningHttp & { config: HttpConfig }> {
  const config = { listen: '127.0.0.1:0', token_file: null, tls: null, ...over }
  const reload = async () => ({ status: 200, body: {} })
  const server = await startHttp(config, made.ops, { clock: systemClock, reload, replay })
  running.push(server)
  return { ...server, config: { ...config, listen: new URL(server.url).host } }
}

const DONE: Summary = { type: 'end', outcome: 'done', sources: [] }

async function asked(config: HttpConfig, signal = new AbortController().signal) {
  const lines: Line[] = []
  const tell = async (line: Line): Promise<void> => {
    lines.push(line)
  }
  return { lines, summary: await askDaemon({ config, body: { deadLetters: true }, signal, tell }) }
}

const progress = (read: number): Line => ({ type: 'progress', phase: 'reading', source: null, read, sent: 0 })

test('a wish comes as JSON of bounded size', async () => {
  const { url } = await start()
  const post = async (body: string) => (await fetch(`${url}/-/replay`, { method: 'POST', body })).json()
  expect(await post('{"since":"2h"}')).toEqual({ problem: 'given {"since":"2h"}' })
  for (const wrong of ['', 'no json', '{', JSON.stringify({ since: 'x'.repeat(5000) })]) {
    expect(await post(wrong), wrong.slice(0, 20)).toEqual({ problem: 'given undefined' })
  }
  expect((await fetch(`${url}/-/replay`)).status).toBe(405)
})

test('lines go out as they come, and who goes away is told of', async () => {
  let reason: unknown
  const { config } = await start((_body, signal) => ({
    status: 200,
    async lines(tell) {
      await tell(progress(1))
      await aborted(signal)
      reason = signal.reason
      await tell(progress(2))
    },
  }))
  const leave = new AbortController()
  const lines: Line[] = []
  const asking = askDaemon({
    ...{ config, body: {}, signal: leave.signal },
    tell: async line => {
      lines.push(line)
    },
  })
  await until(() => lines.length === 1 || undefined, 'the first line')
  leave.abort(new Error('enough'))
  await expect(asking).rejects.toThrow('enough')
  await until(() => reason !== undefined || undefined, 'the daemon hears of it')
  expect(String(reason)).toMatch(/went away/)
})

test('an answer that breaks off is no end', async () => {
  const { config } = await start(() => ({ status: 200, lines: async tell => tell(progress(1)) }))
  await expect(asked(config)).rejects.toThrow(/the daemon ended before the replay did/)
})

test('what is refused is told in its own words, and nobody there is no error', async () => {
  const { config, close } = await start()
  await expect(asked(config)).rejects.toMatchObject({ code: 'config', message: 'given {"deadLetters":true}' })
  await close()
  expect((await asked(config)).summary).toBeUndefined()
  expect((await asked({ ...config, listen: '127.0.0.1:0' })).summary).toBeUndefined()
})

test('what is no opswire is told from one', async () => {
  const other = createServer((_, response) => response.writeHead(404).end('<html>')).listen(0, '127.0.0.1')
  running.push({ close: async () => void other.close() })
  await until(() => other.listening || undefined, 'listening')
  const address = other.address()
  const listen = `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
  await expect(asked({ listen, token_file: null, tls: null })).rejects.toMatchObject({
    code: 'protocol',
    message: expect.stringMatching(/answers HTTP 404, not as an opswire daemon/),
  })
})

test('over TLS only the certificate of the config is believed', async () => {
  const [own, other] = [await makeCertificate(), await makeCertificate()]
  const write = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  const tls = { cert_file: write('own.pem', own.cert), key_file: write('own.key', own.key) }
  const { config } = await start(() => ({ status: 200, lines: async tell => tell(DONE) }), { tls })
  expect((await asked(config)).summary).toEqual(DONE)
  const wrong = { ...config, tls: { ...tls, cert_file: write('other.pem', other.cert) } }
  await expect(asked(wrong)).rejects.toMatchObject({ code: 'unreachable' })
})

test('what acts is refused to browsers, and to who comes from outside without the token', async () => {
  const token_file = join(folder, 'token')
  writeFileSync(token_file, 'a-token')
  const [open, closed] = [await start(), await start(echo, { token_file })]
  const post = async ({ url }: RunningHttp, headers: Record<string, string>) =>
    (await fetch(`${url}/-/replay`, { method: 'POST', body: '{}', headers })).status
  const suspect: Record<string, string>[] = [{ via: '1.1 proxy' }, { origin: 'https://evil.example' }]
  for (const headers of suspect) {
    expect(await post(open, headers)).toBe(403)
    expect(await post(closed, headers)).toBe(401)
    expect(await post(closed, { ...headers, authorization: 'Bearer another' })).toBe(401)
    expect(await post(closed, { ...headers, authorization: 'Bearer a-token' })).toBe(422)
  }
})

test('the command shows the token of its config, and says so when the daemon takes another', async () => {
  const given: (string | undefined)[] = []
  const daemon = createServer(({ headers }, response) => {
    given.push(headers.authorization)
    response.writeHead(headers.authorization === 'Bearer a-token' ? 200 : 401).end(`${JSON.stringify(DONE)}\n`)
  }).listen(0, '127.0.0.1')
  running.push({ close: async () => void daemon.close() })
  await until(() => daemon.listening || undefined, 'listening')
  const address = daemon.address()
  const listen = `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
  const token_file = join(folder, 'token')
  writeFileSync(token_file, 'a-token\n')
  expect((await asked({ listen, token_file, tls: null })).summary).toEqual(DONE)
  writeFileSync(token_file, 'another')
  await expect(asked({ listen, token_file, tls: null })).rejects.toMatchObject({
    code: 'auth_refused',
    message: expect.stringMatching(/it takes another token than http\.token_file has/),
  })
  await expect(asked({ listen, token_file: null, tls: null })).rejects.toThrow(/it asks for a token/)
  expect(given).toEqual(['Bearer a-token', 'Bearer another', undefined])
})

test('a daemon that dies in the midst of a line is told of', async () => {
  let die = (): void => undefined
  const daemon = createServer((_, response) => {
    response.writeHead(200)
    response.write(`${JSON.stringify(progress(1))}\n{"type":`)
    die = () => response.destroy()
  }).listen(0, '127.0.0.1')
  running.push({ close: async () => void daemon.close() })
  await until(() => daemon.listening || undefined, 'listening')
  const address = daemon.address()
  const listen = `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
  const config = { listen, token_file: null, tls: null }
  const tell = async (): Promise<void> => die()
  const asking = askDaemon({ config, body: {}, signal: new AbortController().signal, tell })
  await expect(asking).rejects.toMatchObject({ code: 'unreachable' })
})
