import { describe, expect, it } from 'vitest'
import { until } from '../support/manual-clock.ts'
import { apicBench } from './apic-bench.ts'
import { column, first } from './apic-client.ts'

const bench = apicBench()
const { start } = bench

const tokenOf = (reply: { body: { imdata: Parameters<typeof first>[0]['imdata'] } }) => first(reply.body)['token'] ?? ''

describe('login', () => {
  it('gives a token as strings only, in body and cookie', async () => {
    const { client } = await start({ users: [{ name: 'alice', password: 'pa"ss' }] })
    const reply = await client.login('alice', 'pa"ss')
    expect(reply.status).toBe(200)
    expect(reply.body.totalCount).toBe('1')
    const login = first(reply.body)
    expect(login).toMatchObject({ refreshTimeoutSeconds: '600', maximumLifetimeSeconds: '86400', userName: 'alice' })
    expect(Object.values(login).every(value => typeof value === 'string')).toBe(true)
    expect(String(reply.headers['set-cookie'])).toMatch(/^APIC-cookie=\S+; path=\//)
    expect(String(reply.headers['set-cookie'])).toContain(login['token'])
    expect(reply.body.imdata[0]?.['aaaLogin']?.children?.[0]?.['aaaUserDomain']?.attributes['name']).toBe('all')
  })

  it('makes tokens that no encoder leaves alone, or JWT-like ones', async () => {
    const base64 = tokenOf(await (await start()).client.login())
    for (const part of ['+', '//', '=']) expect(base64).toContain(part)
    expect(tokenOf(await (await start({ tokenStyle: 'jwt' })).client.login())).toMatch(/^eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+$/)
  })

  it('knows login domains and the fallback, and lists them without a login', async () => {
    const users = [
      { name: 'georgewa', password: 'x', domain: 'ExampleRadius' },
      { name: 'admin', password: 'y' },
    ]
    const domains = [{ name: 'local', guiBanner: 'San Jose Fabric' }, { name: 'ExampleRadius' }]
    const { client } = await start({ users, domains })
    const status = async (name: string, pwd: string) => (await client.login(name, pwd)).status
    expect(await status('apic:ExampleRadius\\georgewa', 'x')).toBe(200)
    expect(await status('georgewa', 'x')).toBe(401)
    expect(await status('apic:ExampleRadius\\\\georgewa', 'x')).toBe(401)
    expect(await status('apic#fallback\\admin', 'y')).toBe(200)
    expect(await status('apic:fallback\\admin', 'y')).toBe(200)
    expect(await status('apic:ExampleRadius\\admin', 'y')).toBe(401)
    const list = await client.get('/api/aaaListDomains.json', { token: '' })
    expect(JSON.parse(list.text)).toEqual({
      totalCount: '2',
      imdata: [{ name: 'local', guiBanner: 'San Jose Fabric' }, { name: 'ExampleRadius' }],
    })
  })

  it('refuses wrong passwords with 401 and an error body, locks the account, and lets it in again later', async () => {
    const { client, clock, sim } = await start({ lockoutAfter: 3, lockoutSeconds: 60 })
    for (let tries = 0; tries < 3; tries++) {
      const reply = await client.login('admin', 'wrong')
      expect(reply.status).toBe(401)
      expect(reply.error).toBe('401 User credential is incorrect - FAILED local authentication')
    }
    expect((await client.login()).error).toContain('locked out')
    await clock.advance(60_000)
    expect((await client.login()).status).toBe(200)
    expect(sim.record.logins.map(login => login.ok)).toEqual([false, false, false, false, true])
  })

  it('throttles logins and refreshes to two in a second with a page of nginx', async () => {
    const { client, clock } = await start({ loginsPerSecond: 2 })
    await client.login()
    expect((await client.get('/api/aaaRefresh.json')).status).toBe(200)
    const reply = await client.login()
    expect(reply.status).toBe(503)
    expect(reply.headers['content-type']).toBe('text/html')
    expect(reply.text).toContain('<h1>503 Service Temporarily Unavailable</h1>')
    await clock.advance(1000)
    expect((await client.login()).status).toBe(200)
  })

  it('works in XML', async () => {
    const { client } = await start()
    const reply = await client.post('/api/aaaLogin.xml', '<aaaUser name="admin" pwd="ins3965!"/>', { token: '' })
    const token = /<imdata totalCount="1"><aaaLogin token="([^"]+)"/.exec(reply.text)?.[1] ?? ''
    expect((await client.get('/api/class/fvTenant.xml', { token })).text).toContain('<fvTenant ')
  })

  it('writes logins, refreshes, logouts and failures into the session log', async () => {
    const { client } = await start()
    await client.login('nobody', 'x')
    await client.login()
    client.token = tokenOf(await client.get('/api/aaaRefresh.json'))
    const { body } = await client.get('/api/class/aaaSessionLR.json')
    expect(column(body, 'trig')).toEqual(['login,session', 'login,session', 'refresh,session'])
    expect(column(body, 'user')).toEqual(['', 'admin', 'admin'])
    expect(column(body, 'descr')[0]).toMatch(/-client-type-REST-Failure$/)
    expect(column(body, 'descr')[1]).toBe('[user admin] From-127.0.0.1-client-type-REST-Success')
    expect(column(body, 'dn')[1]).toMatch(/^subj-\[uni\/userext\/user-admin\]\/sess-\d+$/)
  })

  it('answers as old releases did, when asked', async () => {
    const { client } = await start({ knobs: { oldAnswers: true }, refreshTimeoutSeconds: 300 })
    const reply = await client.login()
    expect(reply.body.totalCount).toBeUndefined()
    expect(first(reply.body)).toMatchObject({ refreshTimeoutSeconds: '300', lastName: 'Washington' })
    expect(first(reply.body)['maximumLifetimeSeconds']).toBeUndefined()
  })
})

describe('cookie', () => {
  it('is needed, by any spelling of its name', async () => {
    const { client } = await start()
    await client.login()
    const { token } = client
    const get = (headers: Record<string, string>) => client.get('/api/class/fvTenant.json', { token: '', headers })
    expect((await get({})).error).toMatch(/^403 Need a valid webtoken cookie/)
    expect((await get({ Cookie: 'APIC-cookie=rubbish' })).error).toMatch(/^403 Token was invalid/)
    for (const name of ['APIC-cookie', 'APIC-Cookie', 'apic-COOKIE']) {
      expect((await get({ Cookie: `other=1; ${name}=${token}` })).status).toBe(200)
    }
  })

  it('given twice reads well, subscribes well, and is never told anything', async () => {
    const { client, sim } = await start()
    const listener = await client.ready()
    const headers = { Cookie: `APIC-cookie=${client.token}; APIC-cookie=${client.token}` }
    const twice = { token: '', headers }
    expect((await client.get('/api/class/fvTenant.json', twice)).body.imdata.length).toBe(3)
    const reply = await client.get('/api/class/fvTenant.json?subscription=yes', twice)
    expect(reply.body).toEqual({ totalCount: '0', subscriptionId: expect.stringMatching(/^\d+$/), imdata: [] })
    const good = await client.subscribe('/api/class/fvTenant.json?subscription=yes')
    sim.post('uni', { fvTenant: { attributes: { name: 'blue' } } })
    expect((await listener.take(1))[0]?.subscriptionId).toEqual([good])
    expect((await client.refresh(reply.body.subscriptionId ?? '')).status).toBe(200)
  })
})

describe('challenge token', () => {
  it('is needed in every later call of the session, by header or parameter', async () => {
    const { client } = await start()
    const login = first((await client.login(undefined, undefined, '?gui-token-request=yes')).body)
    const challenge = login['urlToken'] ?? ''
    expect(challenge).toMatch(/^[0-9a-f]{64}$/)
    const path = '/api/class/aaaUser.json'
    expect((await client.get(path)).status).toBe(403)
    expect((await client.get(path, { headers: { 'APIC-challenge': 'x' } })).status).toBe(403)
    expect((await client.get(path, { headers: { 'APIC-challenge': challenge } })).status).toBe(200)
    expect((await client.get(`${path}?url-token=${challenge}`)).status).toBe(200)
    expect((await client.get(`/${path}?challenge=${challenge}`)).status).toBe(200)
    expect((await client.get('/api/aaaRefresh.json')).status).toBe(403)
    const refreshed = await client.get('/api/aaaRefresh.json', { headers: { 'APIC-challenge': challenge } })
    expect(first(refreshed.body)['urlToken']).toBe(challenge)
  })
})

describe('the end of a session', () => {
  it('comes without aaaRefresh, whatever else is called, and closes the socket', async () => {
    const { client, clock, sim } = await start({ refreshTimeoutSeconds: 300 })
    const listener = await client.ready()
    await clock.advance(299_000)
    expect((await client.get('/api/class/fvTenant.json')).status).toBe(200)
    await clock.advance(1000)
    expect((await client.get('/api/class/fvTenant.json')).error).toBe('403 Token was invalid (Error: Token timeout)')
    await until(() => listener.closed, 'the socket closes')
    expect(sim.record.lapsedSessions.map(session => session.endedBy)).toEqual(['timeout'])
  })

  it('may leave the socket open and silent', async () => {
    const { client, clock, sim } = await start({ refreshTimeoutSeconds: 300, knobs: { socketAtSessionEnd: 'silent' } })
    await client.ready()
    await clock.advance(300_000)
    expect(sim.openSockets).toBe(1)
    expect(sim.subscriptionIds).toEqual([])
  })

  it('is put off by aaaRefresh, which gives a new token and soon ends the old one', async () => {
    const { client, clock, sim } = await start({ refreshTimeoutSeconds: 300, knobs: { oldTokenSeconds: 30 } })
    const listener = await client.ready()
    await clock.advance(200_000)
    const old = client.token
    const reply = await client.post('/api/aaaRefresh.json', { aaaLogin: {} })
    client.token = tokenOf(reply)
    expect(client.token).not.toBe(old)
    expect(String(reply.headers['set-cookie'])).toContain(client.token)
    expect((await client.get('/api/class/fvTenant.json', { token: old })).status).toBe(200)
    await clock.advance(30_000)
    expect((await client.get('/api/class/fvTenant.json', { token: old })).error).toContain('Token timeout')
    // The socket stays, and subscribing with the new token finds it.
    await client.subscribe('/api/class/fvTenant.json?subscription=yes')
    sim.post('uni', { fvTenant: { attributes: { name: 'blue' } } })
    await listener.take(1)
    await clock.advance(269_000)
    expect((await client.get('/api/class/fvTenant.json')).status).toBe(200)
    await clock.advance(1000)
    expect((await client.get('/api/class/fvTenant.json')).status).toBe(403)
  })

  it('comes at the maximum lifetime, however often it was refreshed', async () => {
    const { client, clock, sim } = await start({ refreshTimeoutSeconds: 300, maximumLifetimeSeconds: 700 })
    await client.login()
    for (let turn = 0; turn < 3; turn++) {
      await clock.advance(200_000)
      client.token = tokenOf(await client.get('/api/aaaRefresh.json'))
    }
    await clock.advance(100_000)
    expect((await client.get('/api/aaaRefresh.json')).status).toBe(403)
    expect(sim.record.lapsedSessions[0]?.endedBy).toBe('lifetime')
  })

  it('comes at logout with an empty answer, or later where logouts linger', async () => {
    const { client, sim } = await start()
    await client.login()
    const body = { aaaUser: { attributes: { name: 'admin' } } }
    expect((await client.post('/api/aaaLogout.json', { aaaUser: { attributes: { name: 'eve' } } })).status).toBe(400)
    expect((await client.post('/api/aaaLogout.json', body)).text).toBe('{"totalCount":"0","imdata":[]}')
    expect((await client.get('/api/class/fvTenant.json')).status).toBe(403)
    sim.knobs.logoutLingers = true
    await client.login()
    await client.post('/api/aaaLogout.json', body)
    expect((await client.get('/api/class/fvTenant.json')).status).toBe(200)
  })

  it('comes when the test says so', async () => {
    const { client, sim } = await start()
    await client.login()
    sim.endSessions('somebody-else')
    expect((await client.get('/api/class/fvTenant.json')).status).toBe(200)
    sim.endSessions('admin')
    expect((await client.get('/api/class/fvTenant.json')).status).toBe(403)
  })

  it('is put off by any call where the knob says so', async () => {
    const { client, clock } = await start({ refreshTimeoutSeconds: 300, knobs: { requestsExtend: true } })
    await client.login()
    for (let turn = 0; turn < 3; turn++) {
      await clock.advance(200_000)
      expect((await client.get('/api/class/fvTenant.json')).status).toBe(200)
    }
  })
})

describe('socket', () => {
  it('takes the raw token and nothing else', async () => {
    const { client, sim } = await start()
    await client.login()
    await expect(client.socket('wrong')).rejects.toThrow('refused 403')
    await expect(client.socket(encodeURIComponent(client.token))).rejects.toThrow('refused 403')
    await expect(client.socket(`/${client.token}`)).rejects.toThrow('refused 403')
    sim.knobs.refuseSockets = 503
    await expect(client.socket()).rejects.toThrow('refused 503')
    sim.knobs.refuseSockets = undefined
    await client.socket()
    expect(sim.record.refusedSockets.map(socket => socket.status)).toEqual([403, 403, 403, 503])
    expect(sim.openSockets).toBe(1)
  })

  it('answers pings, unless told not to, and takes no notice of what the client says', async () => {
    const { client, sim } = await start()
    const listener = await client.ready()
    listener.ws.ping()
    await until(() => listener.pongs === 1, 'a pong')
    sim.knobs.answerPings = false
    listener.ws.ping()
    listener.ws.send('hello')
    await until(() => sim.record.sockets[0]?.fromClient === 1, 'the message')
    expect(sim.record.sockets[0]?.pings).toBe(2)
    expect(listener.pongs).toBe(1)
  })
})
