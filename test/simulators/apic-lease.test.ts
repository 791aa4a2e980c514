import { describe, expect, it } from 'vitest'
import { settle, until } from '../support/manual-clock.ts'
import { apicBench } from './apic-bench.ts'
import { column, first } from './apic-client.ts'

const TENANTS = '/api/class/fvTenant.json?subscription=yes'
const NO_SOCKET =
  '405 Subscription request failed, unable to locate opened web socket. Please re-login to the application'

const bench = apicBench()
const { start } = bench

const tenant = (name: string) => ({ fvTenant: { attributes: { name } } })

describe('a session', () => {
  it('at its hard end closes its socket, or leaves it silent, or open and answering pings', async () => {
    for (const [socketAtSessionEnd, closed, pongs] of [
      ['close', true, 0],
      ['silent', false, 0],
      ['quiet', false, 1],
    ] as const) {
      const { client, sim, clock } = await start({ maximumLifetimeSeconds: 400, knobs: { socketAtSessionEnd } })
      const listener = await client.ready()
      await client.subscribe(TENANTS)
      await clock.advance(400_000)
      expect(sim.record.sessions[0]?.endedBy).toBe('lifetime')
      if (closed) await until(() => listener.closed, 'it closes')
      else listener.ws.ping()
      sim.post('uni', tenant('blue'))
      await until(() => closed || sim.record.sockets[0]?.pings === 1, 'the ping')
      await until(() => listener.pongs === pongs, 'a pong')
      await settle()
      expect([listener.closed, listener.texts.length, listener.pongs]).toEqual([closed, 0, pongs])
      expect((await client.get(TENANTS)).error).toBe('403 Token was invalid (Error: Token timeout)')
    }
  })

  it('that is over may be told with HTTP 401, and the body says 403 all the same', async () => {
    const { client, clock } = await start({ refreshTimeoutSeconds: 300, knobs: { tokenErrorStatus: 401 } })
    await client.login()
    await clock.advance(300_000)
    const reply = await client.get(TENANTS)
    expect([reply.status, reply.error]).toEqual([401, '403 Token was invalid (Error: Token timeout)'])
  })

  it('that was logged out may linger: restarts pile up, and the record shows how many are alive', async () => {
    const { client, sim, clock } = await start({ refreshTimeoutSeconds: 300, knobs: { logoutLingers: true } })
    for (let restart = 0; restart < 4; restart++) {
      await client.login()
      await client.post('/api/aaaLogout.json', { aaaUser: { attributes: { name: 'admin' } } })
      await clock.advance(100_000)
    }
    const { record } = sim
    expect([record.activeSessions('admin').length, record.activeSessions('eve').length]).toEqual([2, 0])
    expect([record.mostSessions(), record.mostSessions('admin'), record.mostSessions('eve')]).toEqual([3, 3, 0])
    expect(record.sessions.every(one => one.loggedOutAt === one.startedAt)).toBe(true)
    sim.knobs.logoutLingers = false
    await client.login()
    await client.post('/api/aaaLogout.json', { aaaUser: { attributes: { name: 'admin' } } })
    expect(record.sessions.at(-1)?.endedBy).toBe('logout')
  })

  it('with a challenge needs it for the handshake too where the knob says so', async () => {
    const { client } = await start({ knobs: { socketsNeedChallenge: true } })
    const login = first((await client.login(undefined, undefined, '?gui-token-request=yes')).body)
    await expect(client.socket()).rejects.toThrow('refused 403')
    await client.socket(`${client.token}?challenge=${login['urlToken']}`)
    const plain = await start({ knobs: { socketsNeedChallenge: true } })
    await plain.client.ready()
  })

  it('of a remote domain is refused in other words', async () => {
    const refusedText = 'User credential is incorrect - FAILED remote authentication'
    const { client } = await start({ domains: [{ name: 'LOCAL' }, { name: 'TACACS', refusedText }] })
    expect((await client.login('apic:TACACS\\admin', 'x')).error).toBe(`401 ${refusedText}`)
    expect((await client.login('apic:LOCAL\\admin', 'x')).error).toContain('FAILED local')
  })
})

describe('a socket', () => {
  it('that is forgotten after a while stays open and pingable; subscribing answers 405 from then on', async () => {
    const { client, sim, clock } = await start({ knobs: { forgetSocketsAfterMs: 120_000 } })
    const listener = await client.ready()
    const id = await client.subscribe(TENANTS)
    await clock.advance(50_000)
    await client.refresh(id)
    await clock.advance(50_000)
    await client.refresh(id)
    await clock.advance(19_999)
    expect((await client.get(TENANTS)).status).toBe(200)
    await clock.advance(1)
    expect((await client.get(TENANTS)).error).toBe(NO_SOCKET)
    expect((await client.refresh(id)).status).toBe(400)
    sim.post('uni', tenant('blue'))
    listener.ws.ping()
    await until(() => listener.pongs === 1, 'a pong')
    expect([listener.closed, listener.texts.length]).toEqual([false, 0])
    // A new one is found, for its own while.
    await client.socket()
    expect((await client.get(TENANTS)).status).toBe(200)
    await clock.advance(120_000)
    expect((await client.get(TENANTS)).error).toBe(NO_SOCKET)
  })

  it('that is forgotten may leave subscriptions that refresh well and say nothing, until there is a new one', async () => {
    const { client, sim } = await start({ knobs: { subscriptionsOutliveSocket: true } })
    const listener = await client.ready()
    const id = await client.subscribe(TENANTS)
    sim.forgetSockets()
    sim.post('uni', tenant('lost'))
    expect((await client.refresh(id)).status).toBe(200)
    expect((await client.get(TENANTS)).error).toBe(NO_SOCKET)
    const next = await client.socket()
    sim.post('uni', tenant('told'))
    expect(first((await next.take(1))[0] ?? { imdata: [] })['name']).toBe('told')
    expect([listener.closed, listener.texts.length, sim.record.sockets[0]?.swallowed]).toEqual([false, 0, 1])
  })
})

describe('a subscription', () => {
  it('whose answer was lost goes on pushing under an id that nobody knows, until it lapses', async () => {
    const { client, sim, clock } = await start()
    const listener = await client.ready()
    sim.fail({ operation: 'subscribe', times: 1, failure: { kind: 'reset-after' } })
    await expect(client.get(TENANTS)).rejects.toThrow()
    const known = await client.subscribe(TENANTS)
    const [orphan] = sim.record.orphans
    expect(sim.record.orphans.length).toBe(1)
    sim.post('uni', tenant('blue'))
    expect((await listener.take(1))[0]?.subscriptionId).toEqual([orphan?.id, known])
    await clock.advance(30_000)
    await client.refresh(known)
    await clock.advance(30_000)
    sim.post('uni', tenant('red'))
    expect((await listener.take(2))[1]?.subscriptionId).toEqual([known])
    // Nobody could have refreshed it: that is no lapse of the client's.
    expect([orphan?.endedBy, sim.record.lapses]).toEqual(['lapsed', []])
  })

  it('may be over before its time', async () => {
    const { client, sim, clock } = await start({ knobs: { earlyExpiryShare: 0.1 } })
    await client.ready()
    const id = await client.subscribe(TENANTS)
    await clock.advance(53_999)
    expect((await client.refresh(id)).status).toBe(200)
    await clock.advance(54_000)
    expect((await client.refresh(id)).status).toBe(400)
    expect(sim.record.lapses.length).toBe(1)
    // A knob that brings the end forward is heeded at the next refresh.
    sim.knobs.earlyExpiryShare = 0
    const next = await client.subscribe(TENANTS)
    sim.knobs.earlyExpiryShare = 0.5
    await client.refresh(next)
    await clock.advance(30_000)
    expect(sim.subscriptionIds).toEqual([])
  })

  it('that is dead is refused with an error in a 200, or not at all, where the knob says so', async () => {
    const { client, sim } = await start({ knobs: { deadRefresh: 'body' } })
    await client.ready()
    const reply = await client.refresh('123')
    expect([reply.status, reply.error.slice(0, 4)]).toEqual([200, '400 '])
    sim.knobs.deadRefresh = 'well'
    expect((await client.refresh('123')).text).toBe('{"totalCount":"0","imdata":[]}')
    expect(sim.record.refusedRefreshes.length).toBe(2)
  })

  it('is refreshed alone: of several ids in one call only the first counts', async () => {
    const { client, sim, clock } = await start()
    await client.ready()
    const [a, b] = [await client.subscribe(TENANTS), await client.subscribe(TENANTS)]
    await clock.advance(30_000)
    expect((await client.refresh(`${a},${b}`)).status).toBe(200)
    await clock.advance(30_000)
    expect(sim.subscriptionIds).toEqual([a])
  })

  it('is not put off by a session of the same user, nor by the cookie of a later login', async () => {
    const { client, sim } = await start()
    await client.ready()
    const id = await client.subscribe(TENANTS)
    const old = client.token
    await client.login()
    expect((await client.refresh(id)).status).toBe(400)
    client.token = old
    expect((await client.refresh(id)).status).toBe(200)
    expect(sim.record.refusedRefreshes.map(one => one.id)).toEqual([id])
  })

  it('to a brand-new parent misses its first children', async () => {
    const { client, sim, clock } = await start({ knobs: { settleMs: 5000 } })
    sim.fabric.knobs.housekeeping = false
    const listener = await client.ready()
    sim.post('uni', tenant('fresh'))
    await clock.advance(1000)
    await client.subscribe('/api/mo/uni/tn-fresh.json?query-target=subtree&subscription=yes')
    const whole = await client.subscribe('/api/class/fvBD.json?subscription=yes')
    sim.post('uni/tn-fresh/BD-missed', { fvBD: { attributes: {} } })
    sim.post('uni/tn-fresh', { fvTenant: { attributes: { descr: 'of its own' } } })
    await clock.advance(4000)
    sim.post('uni/tn-fresh/BD-told', { fvBD: { attributes: {} } })
    const frames = await listener.take(3)
    expect(frames.map(frame => [frame.subscriptionId.includes(whole), frame.subscriptionId.length])).toEqual([
      [true, 1],
      [false, 1],
      [true, 2],
    ])
  })

  it('to statistics is taken, and nothing ever comes', async () => {
    const { client, sim } = await start()
    sim.fabric.model.define('eqptIngrTotal5min', 'CDeqptIngrTotal5min')
    const listener = await client.ready()
    await client.subscribe('/api/class/eqptIngrTotal5min.json?subscription=yes')
    await client.subscribe(TENANTS)
    sim.post('topology/pod-1/node-101/sys', { eqptIngrTotal5min: { attributes: { pktsCum: '7' } } })
    sim.post('uni', tenant('blue'))
    expect(column((await listener.take(1))[0] ?? { imdata: [] }, 'name')).toEqual(['blue'])
    expect((await client.get('/api/class/eqptIngrTotal5min.json')).body.totalCount).toBe('1')
  })
})

describe('frames', () => {
  it('may leave late: an answer knows of what is pushed after it', async () => {
    const { client, sim, clock } = await start({ knobs: { pushDelayMs: 300 } })
    const listener = await client.ready()
    const id = await client.subscribe(TENANTS)
    sim.post('uni', tenant('blue'))
    sim.remove('uni/tn-blue')
    expect((await client.get('/api/class/fvTenant.json')).body.totalCount).toBe('3')
    expect(listener.texts.length).toBe(0)
    // It was to be told while the subscription lived; that it does not any more changes nothing.
    sim.expireSubscription(id)
    await clock.advance(300)
    expect((await listener.take(2)).map(frame => first(frame)['status'])).toEqual(['created', 'deleted'])
  })

  it('may mix the objects of one transaction, and keep the order within each', async () => {
    const { client, sim, clock } = await start({ knobs: { acrossDns: 'mixed' } })
    const listener = await client.ready()
    await client.subscribe('/api/mo/uni.json?query-target=subtree&subscription=yes')
    // Of the tenant, its audit entry, x, its audit entries, y.
    const chances = [0.9, 0, 0.1, 0, 0, 0.5]
    clock.random = () => chances.shift() ?? 0
    const child = (name: string, descr: string) => ({ fvAp: { attributes: { name, descr } } })
    const children = [child('x', 'one'), child('x', 'two'), child('y', 'one')]
    sim.post('uni', { fvTenant: { attributes: { name: 'a' }, children } })
    const told = (await listener.take(4)).map(first)
    expect(told.map(({ dn, status }) => `${dn} ${status}`)).toEqual([
      'uni/tn-a/ap-x created',
      'uni/tn-a/ap-x modified',
      'uni/tn-a/ap-y created',
      'uni/tn-a created',
    ])
  })
})
