/**
 * The failures of real life, row by row (reference/apic.md, table b): what each does to a client as they are often
 * written, then that opswire survives it. The table with all tests of a row: docs/LIVENESS.md
 */
import { afterEach, describe, expect, it } from 'vitest'
import { first } from '../simulators/apic-client.ts'
import { fault } from '../support/apic-source.ts'
import { until } from '../support/manual-clock.ts'
import { turn, within } from '../support/turning.ts'
import { Beside, type BesideOptions } from './beside.ts'

const NODE = 'topology/pod-1/node-101'
const TENANTS = '/api/class/fvTenant.json?subscription=yes'
const FAULTS = '/api/class/faultInst.json?subscription=yes'

let beside: Beside

async function start(options?: BesideOptions) {
  beside = await Beside.start(options)
  const { clock, naive, rig } = beside
  return { clock, naive, rig, sim: rig.simulator }
}

const both = { subscriptions: [{ class: 'faultInst' }, { class: 'fvTenant' }] }
const tenant = (name: string) => ({ fvTenant: { attributes: { name } } })
const told = (text: string) => beside.told(text)

afterEach(async () => {
  await beside.close()
})

describe('b1–b5: sessions and sockets', () => {
  it('b1: a cookie sent twice reads well and is never told anything', async () => {
    const { naive, sim } = await start({ config: both })
    const listener = await beside.listen()
    const Cookie = `APIC-cookie=${naive.token}; APIC-cookie=${naive.token}`
    const doubled = await naive.get(TENANTS, { token: '', headers: { Cookie } })
    expect([doubled.status, doubled.body.subscriptionId === undefined]).toEqual([200, false])
    sim.post('uni', tenant('blue'))
    await until(() => told('uni/tn-blue').includes('live'), 'the tenant')
    expect(listener.texts).toEqual([])
  })

  it('b2: after days the controller has lost the socket: subscribing answers 405, the old socket is open and dead', async () => {
    const { naive, sim, clock } = await start({ config: both })
    const listener = await beside.listen()
    await naive.subscribe(TENANTS)
    sim.forgetSockets()
    sim.post('uni', tenant('blue'))
    expect((await naive.get(TENANTS)).status).toBe(405)
    expect([listener.texts, listener.closed]).toEqual([[], false])
    await within(clock, 25, () => told('uni/tn-blue').length === 1, 'the tenant')
    expect(beside.sessions.length).toBe(2)
  })

  it('b3: the socket is gone, and everything else goes on looking well', async () => {
    const { naive, sim, clock } = await start({ config: both })
    const listener = await beside.listen()
    const id = await naive.subscribe(TENANTS)
    sim.knobs.subscriptionsOutliveSocket = true
    sim.cutSockets()
    await until(() => listener.closed, 'the end of its socket')
    sim.post('uni', tenant('blue'))
    expect([(await naive.refresh(id)).status, listener.texts]).toEqual([200, []])
    await within(clock, 5, () => told('uni/tn-blue').length === 1, 'the tenant')
  })

  it('b4: the socket is refused again and again while it is reopened: no thread dies of it', async () => {
    const { naive, sim, clock } = await start({ config: both })
    await beside.listen()
    sim.knobs.refuseSockets = 503
    sim.cutSockets()
    await expect(naive.socket()).rejects.toThrow('refused 503')
    await turn(clock, 300)
    expect(sim.record.refusedSockets.length).toBeGreaterThan(5)
    sim.knobs.refuseSockets = undefined
    sim.post('uni', tenant('blue'))
    await within(clock, 65, () => told('uni/tn-blue').length === 1, 'the tenant')
  })

  it('b5: after a reconnect old ids are dead, and what is subscribed anew says nothing of the hole', async () => {
    const { naive, sim, clock } = await start({ config: both })
    await beside.listen()
    const id = await naive.subscribe(TENANTS)
    sim.cutSockets()
    sim.post('uni', tenant('blue'))
    const listener = await naive.socket()
    expect((await naive.refresh(id)).status).toBe(400)
    await naive.subscribe(`${TENANTS}&page=0&page-size=1`)
    await within(clock, 5, () => told('uni/tn-blue').length === 1, 'the tenant')
    expect(listener.texts).toEqual([])
    await turn(clock, 60)
    // opswire never asks for an id of a socket that is gone.
    expect(sim.record.refusedRefreshes.map(one => one.id)).toEqual([id])
  })
})

describe('b6–b10: leases', () => {
  it('b6: half-open: neither closed nor heard from', async () => {
    const { naive, sim, clock } = await start({ config: both })
    const listener = await beside.listen()
    const id = await naive.subscribe(TENANTS)
    sim.silenceSockets()
    sim.post('uni', tenant('blue'))
    await within(clock, 35, () => told('uni/tn-blue').length === 1, 'the tenant')
    expect([(await naive.refresh(id)).status, listener.closed, listener.texts]).toEqual([200, false, []])
  })

  it('b7: the session ends at its maximum lifetime, however often it was refreshed', async () => {
    const { naive, sim, clock } = await start({ simulator: { maximumLifetimeSeconds: 1800 }, config: both })
    await beside.listen()
    for (let minute = 0; minute < 31; minute++) {
      const refreshed = await naive.get('/api/aaaRefresh.json')
      const token = first(refreshed.body)['token']
      if (token !== undefined) naive.token = token
      sim.post('uni', tenant(`at-${minute}-end`))
      await turn(clock, 60)
    }
    expect((await naive.get(TENANTS)).error).toBe('403 Token was invalid (Error: Token timeout)')
    expect(beside.sessions.length).toBe(2)
    expect(beside.sessions.map(session => session.endedBy)).toEqual(['logout', undefined])
    // Each told once, by a push: no hole to be closed.
    const origins = Array.from({ length: 31 }, (_, minute) => told(`uni/tn-at-${minute}-end"`))
    expect(origins.every(one => one.length === 1 && one[0] === 'live')).toBe(true)
  })

  it('b8: a refresh every 300 s, because it has always been 300 s', async () => {
    const { naive, sim, clock } = await start({ simulator: { refreshTimeoutSeconds: 240 }, config: both })
    await beside.listen()
    await turn(clock, 300)
    expect((await naive.get('/api/aaaRefresh.json')).status).toBe(403)
    await turn(clock, 900)
    expect(beside.sessions.map(session => session.endedBy)).toEqual([undefined])
    expect(sim.record.lapsedSessions.map(session => session.user)).toEqual(['naive'])
  })

  it('b9: a subscription is over before its time', async () => {
    const { naive, sim, clock } = await start({ simulator: { knobs: { earlyExpiryShare: 0.2 } }, config: both })
    await beside.listen()
    const id = await naive.subscribe(TENANTS)
    await turn(clock, 55)
    expect((await naive.refresh(id)).status).toBe(400)
    await turn(clock, 600)
    expect(sim.record.lapses.map(one => one.id)).toEqual([id])
  })

  it('b10: subscribing to everything takes longer than the first subscription lives', async () => {
    const count = 16
    const { naive, sim, clock } = await start({
      config: {
        max_concurrency: 2,
        subscriptions: Array.from({ length: count }, (_, index) => ({ mo: `uni/tn-t${index}` })),
      },
    })
    await beside.listen()
    const slow = { kind: 'slow', ms: 8000 } as const
    const well = sim.fail({ operation: 'subscribe', failure: slow })
    const ids: string[] = []
    for (let index = 0; index < 10; index++) {
      const subscribing = naive.subscribe(`/api/mo/uni/tn-t${index}.json?subscription=yes`)
      void subscribing.then(id => ids.push(id))
      await within(clock, 10, () => ids.length === index + 1, 'subscribed')
    }
    // All are made: now they are refreshed, one by one.
    expect((await naive.refresh(ids[0] ?? '')).status).toBe(400)
    sim.cutSockets()
    const alive = () => beside.subscriptions.filter(one => one.endedBy === undefined).length
    await until(() => alive() === 0, 'all gone')
    await within(clock, 16 * 8 + 20, () => alive() === count + 1, 'opswire live again')
    well()
    await turn(clock, 120)
    expect(beside.subscriptions.filter(one => one.endedBy === 'lapsed')).toEqual([])
  })
})

describe('b11–b15: requests, filters, frames', () => {
  it('b11: a burst is more than nginx lets through', async () => {
    const subscriptions = Array.from({ length: 60 }, (_, index) => ({ mo: `uni/tn-t${index}` }))
    const { naive, sim, clock } = await start({
      simulator: { knobs: { requestsPerSecond: 80 } },
      tuning: { spacingMs: 20 },
      config: { subscriptions },
    })
    expect(sim.record.requests.filter(request => request.status === 503)).toEqual([])
    await beside.listen()
    await turn(clock, 5)
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, index) => naive.get(`/api/mo/uni/tn-t${index}.json?subscription=yes`)),
    )
    expect(answers.filter(answer => answer.status === 503).length).toBeGreaterThan(10)
    await turn(clock, 120)
    expect(beside.subscriptions.filter(one => one.endedBy === 'lapsed')).toEqual([])
  })

  it('b12: 503 is a page of nginx, and no JSON', async () => {
    const { naive, sim, clock } = await start({ config: both })
    await beside.listen()
    const well = sim.fail({ operation: ['subscribe', 'subscriptionRefresh', 'query'], failure: { kind: 'html' } })
    const answer = await naive.get(TENANTS)
    expect(() => JSON.parse(answer.text)).toThrow()
    await turn(clock, 30)
    well()
    await turn(clock, 60)
    expect([beside.isLive, beside.sessions.length, beside.subscriptions.length]).toEqual([true, 1, 3])
  })

  it('b13: a property filter eats the deletions', async () => {
    const { naive, sim } = await start({
      config: { subscriptions: [{ class: 'faultInst', filter: { eq: ['faultInst.severity', 'critical'] } }] },
    })
    const listener = await beside.listen()
    await naive.subscribe(`${FAULTS}&query-target-filter=eq(faultInst.severity,"critical")`)
    const dn = `${NODE}/sys/fault-F1394`
    sim.post(dn, fault('F1394', { severity: 'critical' }))
    await listener.take(1)
    sim.remove(dn)
    await beside.rig.until(facts => facts.some(fact => fact.type === 'apic.fault.cleared'), 'the end')
    expect(listener.texts.length).toBe(1)
  })

  it('b14: a modified fault has neither code nor severity', async () => {
    const { naive, sim } = await start()
    const listener = await beside.listen()
    await naive.subscribe(FAULTS)
    const dn = `${NODE}/sys/fault-F1394`
    sim.post(dn, fault('F1394', { lc: 'soaking' }))
    sim.post(dn, { faultInst: { attributes: { lc: 'raised' } } })
    const frames = await listener.take(2)
    expect([first(frames[1] ?? { imdata: [] })['code'], first(frames[1] ?? { imdata: [] })['severity']]).toEqual([
      undefined,
      undefined,
    ])
    const facts = await beside.rig.until(all => all.length === 2, 'both')
    expect([facts[1]?.data.code, facts[1]?.severitytext, facts[1]?.data.state]).toEqual(['F1394', 'major', 'firing'])
  })

  it('b15: a frame holds several ids and several objects', async () => {
    const { naive, sim } = await start({
      simulator: { knobs: { objectsPerFrame: 10 } },
      config: {
        subscriptions: [{ class: 'fvBD' }, { mo: 'uni', query_target: 'subtree', target_subtree_class: ['fvBD'] }],
      },
    })
    const listener = await beside.listen()
    await naive.subscribe('/api/class/fvBD.json?subscription=yes')
    sim.fabric.knobs.housekeeping = false
    const bd = (name: string) => ({ fvBD: { attributes: { name } } })
    sim.post('uni', { fvTenant: { attributes: { name: 'blue' }, children: [bd('a'), bd('b'), bd('c')] } })
    const [frame] = await listener.take(1)
    // What a reader of `imdata[0]` sees of it.
    expect([frame?.imdata.length, first(frame ?? { imdata: [] })['name']]).toEqual([3, 'a'])
    await beside.rig.until(facts => facts.length >= 3, 'three')
    expect(beside.rig.facts().map(fact => fact.subject)).toEqual(['a', 'b', 'c'].map(name => `uni/tn-blue/BD-${name}`))
  })
})
