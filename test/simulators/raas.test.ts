/** The RaaS stand-in is as strict as reference raas.md says, whoever asks. */
import { request as send } from 'node:https'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RaasSimulator, startRaasSimulator } from '../../src/simulators/raas/server.ts'
import { makeCertificate } from '../../src/simulators/server.ts'
import { ManualClock } from '../support/manual-clock.ts'

interface Answer {
  readonly status: number
  readonly reason: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

type Headers = Readonly<Record<string, string>>

const USER = { username: 'root', password: 'salt' }
let clock: ManualClock
let ca: string
let sim: RaasSimulator

beforeAll(async () => {
  const certificate = await makeCertificate()
  ca = certificate.cert
  clock = new ManualClock()
  sim = await startRaasSimulator({ time: clock, certificate, users: [USER], cspTokens: new Set(['api']) })
})

afterAll(() => sim.close())

function ask(method: string, path: string, headers: Headers = {}, body = ''): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = send(`${sim.url}${path}`, { method, headers, ca, agent: false }, incoming => {
      let text = ''
      incoming.setEncoding('utf8')
      incoming.on('data', (part: string) => {
        text += part
      })
      incoming.on('end', () =>
        resolve({
          status: incoming.statusCode ?? 0,
          reason: incoming.statusMessage ?? '',
          headers: incoming.headers,
          body: text,
        }),
      )
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

async function xsrf(): Promise<Headers> {
  const answer = await ask('GET', '/account/login')
  const token = String(answer.headers['x-xsrftoken'])
  expect(answer.headers['set-cookie']?.[0]).toContain(`_xsrf=${token}`)
  return { 'x-xsrftoken': token, cookie: `_xsrf=${token}` }
}

const LOGIN = JSON.stringify({ ...USER, config_name: 'internal', token_type: 'jwt' })

async function headers(): Promise<Headers> {
  const token = await xsrf()
  const answer = await ask('POST', '/account/login', token, LOGIN)
  const next = String(answer.headers['x-xsrftoken'])
  const jwt = (JSON.parse(answer.body) as { jwt: string }).jwt
  return { 'x-xsrftoken': next, cookie: `_xsrf=${next}`, authorization: `JWT ${jwt}` }
}

interface Envelope {
  readonly riq: unknown
  readonly ret: unknown
  readonly error: { readonly code: number; readonly message: string; readonly detail?: unknown } | null
}

async function rpc(name: string, kwarg: unknown = {}, with_?: Headers): Promise<Envelope> {
  const [resource, method] = name.split('.')
  const answer = await ask(
    'POST',
    '/rpc',
    with_ ?? (await headers()),
    JSON.stringify({ riq: 7, resource, method, kwarg }),
  )
  expect(answer.status).toBe(200)
  return JSON.parse(answer.body) as Envelope
}

interface Listing {
  readonly count: number
  readonly limit: number
  readonly results: readonly Record<string, unknown>[]
}

const listing = async (name: string, kwarg: unknown): Promise<Listing> => (await rpc(name, kwarg)).ret as Listing

test('XSRF: header and cookie, both and the same, or 403', async () => {
  const good = await headers()
  const { cookie: _, ...noCookie } = good
  const { 'x-xsrftoken': __, ...noHeader } = good
  const body = JSON.stringify({ resource: 'test', method: 'echo', kwarg: { message: 'hello' } })
  for (const bad of [noCookie, noHeader, { ...good, 'x-xsrftoken': 'other' }]) {
    const answer = await ask('POST', '/rpc', bad, body)
    expect(answer.status).toBe(403)
    expect(answer.reason).toBe('missing xsrf')
    expect(answer.headers['x-xsrftoken-missing']).toBeTruthy()
  }
  expect((await ask('POST', '/rpc', good, body)).status).toBe(200)
  sim.knobs.xsrfMissingHeader = false
  expect((await ask('POST', '/rpc', noCookie, body)).headers['x-xsrftoken-missing']).toBeUndefined()
  sim.knobs.xsrfMissingHeader = true
})

test('login: password and backend are checked; without token_type there is only a cookie session', async () => {
  const refused = async (form: unknown): Promise<Answer> =>
    ask('POST', '/account/login', await xsrf(), JSON.stringify(form))
  const wrong = await refused({ ...USER, password: 'pepper', token_type: 'jwt' })
  expect(wrong.status).toBe(401)
  expect(JSON.parse(wrong.body)).toMatchObject({ errors: [{ title: 'Invalid credentials' }] })
  expect((await refused({ ...USER, config_name: 'ldap' })).status).toBe(401)
  const cookieOnly = await refused(USER)
  expect(JSON.parse(cookieOnly.body)).not.toHaveProperty('jwt')
  expect(String(cookieOnly.headers['set-cookie'])).toContain('raas_session=')
  expect((await ask('POST', '/account/login', {}, LOGIN)).status).toBe(403)
})

test('JWT: three parts with iat and exp; refused when it ended, as 401 or as the login page', async () => {
  const good = await headers()
  const claims = JSON.parse(Buffer.from(good['authorization']?.split('.')[1] ?? '', 'base64url').toString()) as Record<
    string,
    number
  >
  expect((claims['exp'] ?? 0) - (claims['iat'] ?? 0)).toBe(1800)
  await clock.advance(1_800_001)
  const body = JSON.stringify({ resource: 'test', method: 'echo', kwarg: {} })
  const expired = await ask('POST', '/rpc', good, body)
  expect(expired.status).toBe(401)
  expect(JSON.parse(expired.body)).toMatchObject({ errors: [{ title: 'Unauthorized', message: 'JWT not authorized' }] })
  sim.knobs.expired = 'html'
  const page = await ask('POST', '/rpc', good, body)
  sim.knobs.expired = '401'
  expect([page.status, page.headers['content-type']]).toEqual([200, 'text/html; charset=UTF-8'])
  expect((await ask('POST', '/rpc', { ...(await xsrf()), authorization: 'JWT a.b.c' }, body)).status).toBe(401)
})

test('Basic works on the RPC path', async () => {
  const basic = `Basic ${Buffer.from('root:salt').toString('base64')}`
  const answer = await rpc('test.echo', { message: 'hello, world' }, { ...(await xsrf()), authorization: basic })
  expect(answer).toEqual({ riq: 7, ret: 'hello, world', error: null, warnings: [] })
})

test("CSP: the guide's recipe from API token to get_jobs", async () => {
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  const path = '/csp/gateway/am/api/auth/api-tokens/authorize'
  expect((await ask('POST', path, form, 'api_token=nobody')).status).toBe(400)
  const reply = JSON.parse((await ask('POST', path, form, 'api_token=api')).body) as Record<string, unknown>
  expect(reply).toMatchObject({ token_type: 'bearer', expires_in: 1799 })
  const authorization = `Bearer ${String(reply['access_token'])}`
  const login = await ask('POST', '/account/login/', { authorization })
  const token = String(login.headers['x-xsrftoken'])
  const call = { resource: 'job', method: 'get_jobs', kwarg: {}, args: [] }
  const with_ = { authorization, 'x-xsrftoken': token, cookie: `_xsrf=${token}; _xsrf=${token}` }
  const answer = await ask('POST', '/rpc', with_, JSON.stringify(call))
  expect(JSON.parse(answer.body)).toMatchObject({ ret: { count: 0, limit: 50, results: [] }, error: null })
})

test.each([
  ['ret.get_returns', { after: 'x' }, 'after'],
  ['ret.get_returns', { sort_by: 'alter' }, 'sort_by'],
  ['ret.get_returns', { start: '2026-02-03' }, 'start'],
  ['ret.get_returns', { limit: '50' }, 'limit'],
  ['ret.get_returns', { page: -1 }, 'page'],
  ['ret.get_jid', { jid: '20260203040506000001_1234' }, 'jid'],
  ['cmd.get_cmds', { state: ['completed_partial'] }, 'state'],
  ['cmd.get_cmd_details', {}, 'jid'],
  ['audit.get_audit', { event_type: 'login' }, 'event_type'],
])('%s refuses %j', async (name, kwarg, argument) => {
  const { ret: result, error } = await rpc(name, kwarg)
  expect(result).toBeNull()
  expect(error?.detail).toHaveProperty(argument)
})

test('unknown methods and missing rights are errors under HTTP 200', async () => {
  expect((await rpc('ret.get_returns_raw')).error?.message).toContain('Unknown')
  sim.knobs.hidden.add('ret.get_returns')
  expect((await rpc('ret.get_returns')).error?.message).toContain('Unknown')
  sim.knobs.hidden.clear()
})

test('discover is filtered; versions answer', async () => {
  const { ret: constants } = await rpc('api.discover', { include: ['constants'] })
  expect(Object.keys(constants as object)).toEqual(['constants'])
  expect((await rpc('api.get_versions')).ret).toMatchObject({ raas: { raas: '8.18.3' } })
})

test('a life of a run: new, retrieved, completed; one push is one alter_time; ties come in any order', async () => {
  const tgt = { master1: { tgt: 'web*', tgt_type: 'glob' } }
  const jid = String((await rpc('cmd.route_cmd', { cmd: 'local', fun: 'test.ping', tgt })).ret)
  expect(jid).toMatch(/^\d{20}$/)
  const state = async (): Promise<unknown> => (await listing('cmd.get_cmds', { jid })).results[0]?.['state']
  expect(await state()).toBe('new')
  await clock.advance(10_001)
  expect(await state()).toBe('retrieved')
  const events = ['web01', 'web02', 'web03'].map(id => ({
    tag: `salt/job/${jid}/ret/${id}`,
    data: { id, jid, fun: 'test.ping', fun_args: [], return: true, retcode: 0, success: true },
  }))
  await rpc('ret.save_event', { master_id: 'master1', events })
  const [row] = (await listing('cmd.get_cmds', { jid })).results
  expect(row).toMatchObject({ state: 'completed_all_successful', expected: 3, returned: 3, not_returned: 0 })
  expect(`${row?.['start_time']}`.replace(/\D/g, '')).toBe(jid)
  const orders = new Set<string>()
  const times = new Set<unknown>()
  for (let turn = 0; turn < 40; turn++) {
    const { results } = await listing('ret.get_returns', { jid, sort_by: 'alter_time', reverse: true })
    orders.add(results.map(one => one['minion_id']).join())
    for (const one of results) times.add(one['alter_time'])
  }
  expect(times.size).toBe(1)
  expect([...times][0]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/)
  expect(orders.size).toBeGreaterThan(2)
  const [light] = (await listing('cmd.get_cmd_details', { jid })).results
  expect(light).not.toHaveProperty('full_ret')
  const [whole] = (await listing('cmd.get_cmd_details', { jid, minion_id_exact: 'web01' })).results
  expect(whole).toMatchObject({ minion_id: 'web01', full_ret: { retcode: 0 } })
  expect((await rpc('cmd.get_cmd_status', { jids: [jid, 'nothing'] })).ret).toEqual(['complete', 'not-found'])
  expect((await rpc('ret.get_jid', { jid })).ret).toHaveProperty('web02')
})

test('paging: 50 by default, offset = page × limit, a cap when the server has one; start and end are jids', async () => {
  const jid = '20260101000000000001'
  const events = Array.from({ length: 120 }, (_, n) => ({
    tag: `salt/job/${jid}/ret/m${n}`,
    data: { id: `m${n}`, jid, fun: 'test.ping', return: true, retcode: 0, success: true },
  }))
  sim.push('master1', events)
  expect((await listing('ret.get_returns', { jid })).results).toHaveLength(50)
  expect(await listing('ret.get_returns', { jid, limit: 100, page: 1 })).toMatchObject({ count: 120, limit: 100 })
  expect((await listing('ret.get_returns', { jid, limit: 100, page: 1 })).results).toHaveLength(20)
  sim.knobs.pageCap = 30
  expect((await listing('ret.get_returns', { jid, limit: 100 })).results).toHaveLength(30)
  sim.knobs.pageCap = undefined
  const none = await listing('ret.get_returns', { start: '20990101000000000000' })
  expect(none.count).toBe(0)
})

test('commits are late, rows are overwritten, trimmed and restored as the knobs say', async () => {
  const jid = '20260102000000000001'
  const one = (body: unknown) => [{ tag: `salt/job/${jid}/ret/m`, data: { id: 'm', jid, fun: 'f', return: body } }]
  const rows = async () => (await listing('ret.get_returns', { jid })).results
  sim.knobs.commitDelayMs = () => 40_000
  sim.push('master1', one(1))
  sim.knobs.commitDelayMs = () => 0
  expect(await rows()).toEqual([])
  await clock.advance(40_000)
  const [first] = await rows()
  sim.push('master1', one(2))
  expect((await rows()).map(row => row['return'])).toEqual([2])
  sim.knobs.secondReturn = 'add'
  sim.push('master1', one(3))
  sim.knobs.secondReturn = 'overwrite'
  expect(await rows()).toHaveLength(2)
  expect(Date.parse(`${first?.['alter_time']}Z`)).toBeLessThanOrEqual(clock.wall() - 40_000)
  sim.tables.trim((clock.wall() + 1000) * 1000)
  expect(await rows()).toEqual([])
  expect(sim.record.returns.filter(note => note.jid === jid)).toHaveLength(3)
})

test('audit rows show request headers, Authorization among them', async () => {
  const { results } = await listing('audit.get_audit', {
    event_type: 'rpc',
    sort_by: 'start_time',
    reverse: true,
    limit: 1,
  })
  expect(JSON.stringify(results)).toContain('JWT ')
})
