import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { raasSchema } from '../../src/config/sources.ts'
import { Fatal, Retryable } from '../../src/errors.ts'
import { raasSubscriber } from '../../src/subscribers/raas/subscriber.ts'
import { until } from '../support/manual-clock.ts'
import { ROOT, ret } from './bus.ts'
import { makeRig, type Rig } from './rig.ts'

let rig: Rig

afterEach(async () => {
  await rig.close()
})

const jid = '20260203040506000001'

async function delivers(minion: string): Promise<void> {
  rig.sim.push('master1', [ret(jid, minion, true)])
  await rig.rounds(1)
  expect(rig.keeper.of('raas.return').map(fact => fact.data.return?.minion)).toContain(minion)
}

test('password: one login for the whole life of the token', async () => {
  rig = await makeRig()
  await rig.start()
  await rig.rounds(5)
  await delivers('web01')
  expect(rig.sim.record).toMatchObject({ logins: 1, refusedLogins: 0, xsrfRefusals: 0, unauthorized: 0 })
  expect(rig.session?.margins().session).toBeGreaterThan(1600)
})

test('the authentication backend is named in the login', async () => {
  rig = await makeRig({
    simulator: { users: [{ ...ROOT, configName: 'corp-ldap' }] },
    config: { config_name: 'corp-ldap' },
  })
  await rig.start()
  await delivers('web01')
})

test('a wrong password is fatal, and is asked once', async () => {
  rig = await makeRig({ config: { password: 'wrong' } })
  await expect(rig.open()).rejects.toMatchObject({ name: 'Fatal', code: 'auth_refused' })
  expect(rig.sim.record.refusedLogins).toBe(1)
})

test('no secret stands in what a refused login says', async () => {
  rig = await makeRig({ config: { password: 'hunter2' } })
  const error: unknown = await rig.open().catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(Fatal)
  expect(`${error}${JSON.stringify(rig.keeper.happenings)}`).not.toContain('hunter2')
})

test.each([
  ['cookie and header', { xsrfVia: 'both' as const }],
  ['header only', { xsrfVia: 'header' as const }],
  ['cookie only', { xsrfVia: 'cookie' as const }],
  ['off', { xsrf: false }],
])('XSRF: %s', async (_name, simulator) => {
  rig = await makeRig({ simulator })
  await rig.start()
  await delivers('web01')
  expect(rig.sim.record.xsrfRefusals).toBe(0)
})

test.each(['both', 'header', 'cookie'] as const)('an XSRF token that rotates with every answer (%s)', async xsrfVia => {
  rig = await makeRig({ simulator: { xsrfVia, xsrfRotateEvery: 1 } })
  await rig.start()
  await rig.rounds(3)
  await delivers('web01')
  expect(rig.sim.record).toMatchObject({ logins: 1, xsrfRefusals: 0 })
})

test.each([true, false])(
  'a stale XSRF token is fetched anew and the call repeated (header says so: %s)',
  async says => {
    rig = await makeRig({ simulator: { xsrfMissingHeader: says } })
    await rig.start()
    rig.sim.forgetXsrf()
    await delivers('web01')
    expect(rig.sim.record).toMatchObject({ logins: 1, xsrfRefusals: 1 })
  },
)

test.each(['401', 'html'] as const)('a token that ends unasked: one new login, nothing lost (%s)', async expired => {
  rig = await makeRig({ simulator: { expired } })
  await rig.start()
  rig.sim.revokeTokens()
  await delivers('web01')
  expect(rig.sim.record.logins).toBe(2)
  expect(rig.keeper.reported('lease_renewed').map(one => one.result)).toEqual(['ok', 'retried'])
})

test('the token is renewed at 80 % of its life, before anything is refused', async () => {
  rig = await makeRig({ simulator: { jwtLifetimeMs: 100_000 } })
  await rig.start()
  await rig.rounds(20)
  expect(rig.sim.record.unauthorized).toBe(0)
  expect(rig.sim.record.logins).toBeGreaterThanOrEqual(4)
  expect(rig.sim.record.logins).toBeLessThanOrEqual(5)
})

test('a token without a readable end is renewed as well', async () => {
  rig = await makeRig({ simulator: { jwtOpaque: true }, config: { poll_interval: '5m' } })
  await rig.start()
  await rig.rounds(9)
  expect(rig.sim.record.unauthorized).toBe(0)
  expect(rig.sim.record.logins).toBeGreaterThanOrEqual(2)
})

test('a token that ends in the middle of a walk', async () => {
  rig = await makeRig({ config: { jobs: false } })
  await rig.start()
  rig.sim.push(
    'master1',
    Array.from({ length: 900 }, (_, n) => ret(jid, `a${n}`, n)),
  )
  await rig.clock.advance(10)
  rig.sim.push(
    'master1',
    Array.from({ length: 900 }, (_, n) => ret(jid, `b${n}`, n)),
  )
  rig.sim.knobs.between = call => {
    if (call.kwarg['page'] === 1) {
      rig.sim.revokeTokens()
      rig.sim.forgetXsrf()
    }
  }
  await rig.rounds(1)
  expect(new Set(rig.keeper.of('raas.return').map(fact => fact.subject)).size).toBe(1800)
})

test('a second 401 with a fresh token is fatal', async () => {
  rig = await makeRig()
  await rig.start()
  rig.sim.knobs.fault = call => (call.path === '/rpc' ? { kind: 'status', status: 401 } : undefined)
  await rig.clock.advance(15_000)
  await until(() => rig.error !== undefined, 'the end of the session')
  expect(rig.error).toMatchObject({ name: 'Fatal', code: 'auth_refused' })
  expect(rig.sim.record.logins).toBe(2)
})

test('a server that takes its own JWT as Bearer only', async () => {
  rig = await makeRig({ simulator: { schemes: ['Bearer'] } })
  await rig.start()
  await delivers('web01')
  expect(rig.sim.record.logins).toBe(1)
})

test.each([
  ['only /raas/rpc answers', '/raas' as const, ''],
  ['the base path is in the url', '/raas' as const, '/raas'],
  ['with a slash at its end', '/raas' as const, '/raas/'],
])('path: %s; found out once', async (_name, prefix, path) => {
  rig = await makeRig({ simulator: { path: prefix }, path })
  await rig.start()
  await rig.rounds(3)
  await delivers('web01')
  expect(rig.sim.record.logins).toBe(1)
})

test('CSP: API token to access token, XSRF from the login answer, renewal after 1799 s', async () => {
  rig = await makeRig({
    simulator: { cspTokens: new Set(['api-token']), xsrfVia: 'header' },
    config: { csp_api_token: 'api-token', api_token_expires_at: '2026-08-01T00:00:00Z', poll_interval: '2m' },
  })
  await rig.start()
  await delivers('web01')
  await rig.rounds(13)
  expect(rig.sim.record.unauthorized).toBe(0)
  expect(rig.sim.record.requests.get('csp')).toBe(2)
  expect(rig.keeper.reported('credential_expiry')[0]?.atMs).toBe(Date.parse('2026-08-01T00:00:00Z'))
})

test('CSP: an API token that is refused is fatal; a busy console is not', async () => {
  rig = await makeRig({ config: { csp_api_token: 'gone' } })
  await expect(rig.open()).rejects.toMatchObject({ name: 'Fatal', code: 'auth_refused' })
  rig.sim.knobs.fault = () => ({ kind: 'status', status: 503, retryAfter: 7 })
  const error: unknown = await rig.open().catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(Retryable)
  expect(error).toMatchObject({ code: 'throttled', afterMs: 7000 })
})

test('a bearer from a file, read anew when it is refused', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'opswire-bearer-'))
  const file = join(directory, 'token')
  writeFileSync(file, 'one\n')
  try {
    rig = await makeRig({
      simulator: { bearers: new Set(['one']), path: '/raas' },
      config: { bearer_token_file: file },
      path: '/raas',
    })
    await rig.start()
    await delivers('web01')
    rig.sim.knobs.bearers = new Set(['two'])
    writeFileSync(file, 'two\n')
    await delivers('web02')
    rig.sim.knobs.bearers = new Set()
    await rig.clock.advance(15_000)
    await until(() => rig.error !== undefined, 'the end of the session')
    expect(rig.error).toMatchObject({ name: 'Fatal', code: 'auth_refused' })
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('a web page at the address is a configuration error', async () => {
  rig = await makeRig()
  rig.sim.knobs.fault = call => (call.path === '/rpc' ? { kind: 'status', status: 200, html: true } : undefined)
  await expect(rig.open()).rejects.toMatchObject({ name: 'Fatal', code: 'config' })
})

test.each([
  ['503', { kind: 'status' as const, status: 503 }, 'throttled'],
  ['a reset connection', { kind: 'reset' as const }, 'unreachable'],
])('%s ends the session for a retry; the next goes on without a new login', async (_name, fault, code) => {
  rig = await makeRig()
  await rig.start()
  rig.sim.knobs.fault = () => fault
  rig.sim.push('master1', [ret(jid, 'web01', true)])
  await rig.clock.advance(15_000)
  await until(() => rig.error !== undefined, 'the end of the session')
  expect(rig.error).toMatchObject({ name: 'Retryable', code })
  rig.sim.knobs.fault = undefined
  await rig.stop()
  await rig.start()
  expect(rig.keeper.of('raas.return')).toHaveLength(1)
  expect(rig.sim.record.logins).toBe(1)
})

test('no answer in time ends the session for a retry', async () => {
  rig = await makeRig({ config: { request_timeout: '5s' } })
  await rig.start()
  rig.sim.knobs.fault = () => ({ kind: 'hang' })
  await rig.clock.advance(15_000)
  await until(() => rig.clock.next !== undefined && rig.clock.next <= 5000, 'the request')
  await rig.clock.advance(5000)
  await until(() => rig.error !== undefined, 'the end of the session')
  expect(rig.error).toMatchObject({ name: 'Retryable', code: 'timeout' })
})

test.each([
  ['us', 'https://ssc-gateway.mgmt.cloud.vmware.com'],
  ['de', 'https://de.ssc-gateway.mgmt.cloud.vmware.com'],
  ['in', 'https://in.ssc-gateway.mgmt.cloud.vmware.com'],
  ['ca', 'https://ca.ssc-gateway.mgmt.cloud.vmware.com'],
  ['au', 'https://au.ssc-gateway.mgmt.cloud.vmware.com'],
  ['uk', 'https://uk.ssc-gateway.mgmt.cloud.vmware.com'],
])('region %s has the address of the guide, and the console is the usual one', async (region, url) => {
  rig = await makeRig()
  const cloud = { name: 'salt', kind: 'raas', csp_api_token: 'x' }
  expect(raasSchema.parse({ ...cloud, region })).toMatchObject({ url, csp_url: 'https://console.cloud.vmware.com' })
  expect(() => raasSchema.parse({ ...cloud, region, url })).toThrow('exactly one of url, region')
})

test("the guide's staging console, with its slash at the end", async () => {
  rig = await makeRig({
    simulator: { cspTokens: new Set(['api']), xsrfVia: 'header' },
    config: { csp_api_token: 'api' },
  })
  const staged = { ...rig.config, csp_url: `${rig.sim.url}/` }
  rig.subscriber = raasSubscriber(staged)
  await rig.start()
  await delivers('web01')
})
