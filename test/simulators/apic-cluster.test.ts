import { describe, expect, it } from 'vitest'
import type { ApicSimulatorOptions } from '../../src/simulators/apic/controller.ts'
import { Fabric } from '../../src/simulators/apic/fabric.ts'
import { ManualClock, settle, until } from '../support/manual-clock.ts'
import { apicBench } from './apic-bench.ts'
import { type Client, column, first, type Listener } from './apic-client.ts'

const TENANTS = '/api/class/fvTenant.json'
const SUBSCRIBE = `${TENANTS}?subscription=yes`
const FAULTS = '/api/class/faultInst.json?subscription=yes'
const LEAF = 'topology/pod-1/node-101'

const bench = apicBench()
const { start } = bench

const tenant = (name: string) => ({ fvTenant: { attributes: { name } } })
const fault = (code: string) => ({ faultInst: { attributes: { code } } })
const names = async (client: Client) => column((await client.get(TENANTS)).body, 'name').slice(3)
const heard = (listener: Listener) => listener.frames.map(frame => first(frame)['name'])

/** Three controllers on one fabric, each with a client that listens to tenants. */
async function three(options: Partial<ApicSimulatorOptions> = {}) {
  const clock = new ManualClock()
  const fabric = new Fabric({ time: clock })
  bench.closing(fabric)
  const made = []
  for (const nodeId of [1, 2, 3]) {
    const { client, sim } = await start({ time: clock, fabric, nodeId, ...options })
    const listener = await client.ready()
    made.push({ client, sim, listener, id: await client.subscribe(SUBSCRIBE) })
  }
  const [a, b, c] = made
  if (a === undefined || b === undefined || c === undefined) throw new Error('three controllers')
  return { clock, fabric, a, b, c }
}

describe('a controller in the minority', () => {
  it('answers from what it had, by a clock that goes on, takes subscriptions, and pushes nothing', async () => {
    const { clock, a, b } = await three()
    a.sim.post('uni', tenant('before'))
    await a.listener.take(1)
    b.sim.loseQuorum('frozen')
    const then = first((await b.client.get('/api/mo/info.json')).body)['currentTime']
    a.sim.post('uni', tenant('blue'))
    a.sim.post('uni/tn-before', { fvTenant: { attributes: { descr: 'changed' } } })
    a.sim.emit('eventRecord', { descr: 'after' })
    expect([await names(a.client), await names(b.client)]).toEqual([['before', 'blue'], ['before']])
    expect(first((await b.client.get('/api/mo/uni/tn-before.json')).body)['descr']).toBe('')
    expect((await b.client.get('/api/class/eventRecord.json')).body.totalCount).toBe('0')
    expect((await b.client.get('/api/mo/uni/tn-blue.json')).body.totalCount).toBe('0')
    await clock.advance(5000)
    const now = first((await b.client.get('/api/mo/info.json')).body)['currentTime']
    expect(Date.parse(now ?? '') - Date.parse(then ?? '')).toBe(5000)
    // All that a client can see of itself is well.
    expect((await b.client.refresh(b.id)).status).toBe(200)
    const again = await b.client.get(SUBSCRIBE)
    expect([again.status, again.body.totalCount]).toEqual([200, '4'])
    b.listener.ws.ping()
    await until(() => b.listener.pongs === 1, 'a pong')
    expect((await b.client.get('/api/aaaRefresh.json')).status).toBe(200)
    await a.listener.take(3)
    expect(heard(b.listener)).toEqual(['before'])
    expect((await b.client.post('/api/mo/uni.json', tenant('x'))).status).toBe(503)
  })

  it('or answers from current data, and pushes nothing', async () => {
    const { a, b } = await three()
    b.sim.loseQuorum('current')
    a.sim.post('uni', tenant('blue'))
    expect(await names(b.client)).toEqual(['blue'])
    expect((await b.client.get(SUBSCRIBE)).body.totalCount).toBe('4')
    await a.listener.take(1)
    await settle()
    expect(heard(b.listener)).toEqual([])
  })

  it('or refuses everything with a page, logins and sockets too, and keeps its sockets open', async () => {
    const { a, b } = await three()
    b.sim.loseQuorum('refuses')
    for (const reply of [await b.client.get(TENANTS), await b.client.refresh(b.id), await b.client.login()]) {
      expect([reply.status, reply.headers['content-type']]).toEqual([503, 'text/html'])
    }
    await expect(b.client.socket()).rejects.toThrow('refused 503')
    a.sim.post('uni', tenant('blue'))
    await a.listener.take(1)
    expect([heard(b.listener), b.listener.closed, b.sim.openSockets]).toEqual([[], false, 1])
  })

  it('comes back without telling what was missed, and tells old subscriptions what comes then', async () => {
    const { a, b } = await three()
    b.sim.loseQuorum('frozen')
    a.sim.post('uni', tenant('missed'))
    b.sim.regainQuorum()
    expect(await names(b.client)).toEqual(['missed'])
    a.sim.post('uni', tenant('told'))
    await b.listener.take(1)
    expect(heard(b.listener)).toEqual(['told'])
    // What it was frozen at is forgotten: the next time it is frozen as it is then.
    b.sim.loseQuorum('frozen')
    expect(await names(b.client)).toEqual(['missed', 'told'])
  })

  it('writes none of its logins into the log of the fabric', async () => {
    const { a, b } = await three()
    const logins = async () => (await a.client.get('/api/class/aaaSessionLR.json')).body.totalCount
    const before = await logins()
    b.sim.loseQuorum('current')
    expect((await b.client.login()).status).toBe(200)
    expect(await logins()).toBe(before)
  })
})

describe('three controllers', () => {
  it('one well, one dark, one in the minority; then the roles change', async () => {
    const { a, b, c } = await three()
    a.sim.goDark()
    b.sim.loseQuorum('frozen')
    c.sim.post('uni', tenant('one'))
    await c.listener.take(1)
    const hanging = a.client.get(TENANTS)
    await until(() => a.sim.record.inService === 1, 'it hangs')
    expect([await names(b.client), await names(c.client)]).toEqual([[], ['one']])
    a.sim.comeBack()
    await expect(hanging).rejects.toThrow()
    b.sim.regainQuorum()
    await c.sim.goDown()
    const other = await a.client.ready()
    await a.client.subscribe(SUBSCRIBE)
    a.sim.post('uni', tenant('two'))
    await other.take(1)
    await b.listener.take(1)
    expect([heard(other), heard(b.listener)]).toEqual([['two'], ['two']])
    expect(await names(a.client)).toEqual(['one', 'two'])
    await expect(c.client.get(TENANTS)).rejects.toThrow('ECONNREFUSED')
  })

  it('each have a clock and shards of their own', async () => {
    const { clock, a, b } = await three()
    Object.assign(b.sim.knobs, { clockAheadMs: 1500, recordLagMs: 3000 })
    const clockOf = async (client: Client) => first((await client.get('/api/mo/info.json')).body)
    const [one, two] = [await clockOf(a.client), await clockOf(b.client)]
    expect(Date.parse(two['currentTime'] ?? '') - Date.parse(one['currentTime'] ?? '')).toBe(1500)
    expect([one['id'], two['id']]).toEqual(['1', '2'])
    const system = async (node: number) =>
      first((await b.client.get(`/api/mo/topology/pod-1/node-${node}/sys.json`)).body)
    expect((await system(2))['clusterTimeDiff']).toBe('1500')
    expect([(await system(3))['clusterTimeDiff'], (await system(3))['currentTime']]).toEqual(['0', one['currentTime']])
    a.sim.emit('eventRecord', { descr: 'late elsewhere' })
    const seen = async (client: Client) => (await client.get('/api/class/eventRecord.json')).body.totalCount
    expect([await seen(a.client), await seen(b.client)]).toEqual(['1', '0'])
    await clock.advance(3000)
    expect(await seen(b.client)).toBe('1')
  })
})

describe('a controller that stops', () => {
  it('refuses connections, forgets its sessions, and is back under the same address', async () => {
    const { client, sim } = await start()
    const listener = await client.ready()
    const id = await client.subscribe(SUBSCRIBE)
    const { url } = sim
    await sim.goDown()
    await until(() => listener.closed, 'the socket')
    await expect(client.get(TENANTS)).rejects.toThrow('ECONNREFUSED')
    await expect(client.socket()).rejects.toThrow('ECONNREFUSED')
    await sim.comeUp()
    expect(sim.url).toBe(url)
    expect((await client.get(TENANTS)).error).toContain('403 Token was invalid')
    await client.ready()
    expect((await client.refresh(id)).status).toBe(400)
    expect(sim.record.sessions.map(({ endedBy }) => endedBy)).toEqual(['died', undefined])
    expect(sim.record.lapsedSessions).toEqual([])
  })

  it('may be its web server alone: sessions are still there', async () => {
    const { client, sim } = await start({ knobs: { subscriptionsOutliveSocket: true } })
    await client.ready()
    const id = await client.subscribe(SUBSCRIBE)
    await sim.goDown({ keepSessions: true })
    await expect(client.get(TENANTS)).rejects.toThrow('ECONNREFUSED')
    await sim.comeUp()
    expect((await client.get(TENANTS)).status).toBe(200)
    const next = await client.socket()
    expect((await client.refresh(id)).status).toBe(200)
    sim.post('uni', tenant('blue'))
    expect((await next.take(1))[0]?.subscriptionId).toEqual([id])
  })
})

describe('a leaf', () => {
  it('that rebooted feeds no subscription from before, its own topSystem neither; what the controllers say goes on', async () => {
    const { client, sim, clock } = await start()
    const listener = await client.ready()
    await client.subscribe('/api/class/topSystem.json?subscription=yes')
    await client.subscribe(FAULTS)
    await client.subscribe('/api/class/fabricNode.json?subscription=yes')
    await clock.advance(1000)
    sim.fabric.rebootLeaf(LEAF)
    sim.post(`${LEAF}/sys`, fault('F1'))
    sim.post(LEAF, { fabricNode: { attributes: { fabricSt: 'inactive' } } })
    expect(first((await listener.take(1))[0] ?? { imdata: [] })).toMatchObject({ dn: LEAF, fabricSt: 'inactive' })
    const system = first((await client.get(`/api/mo/${LEAF}/sys.json`)).body)
    expect(system['lastRebootTime']).toBe('2026-02-03T04:05:07.789+00:00')
    await client.subscribe(FAULTS)
    sim.post(`${LEAF}/sys`, fault('F2'))
    expect(first((await listener.take(2))[1] ?? { imdata: [] })['code']).toBe('F2')
  })

  it('may tell of its reboot where the knob says so', async () => {
    const { client, sim, clock } = await start()
    sim.fabric.knobs.rebootPushed = true
    const listener = await client.ready()
    await client.subscribe('/api/class/topSystem.json?subscription=yes')
    await clock.advance(1000)
    sim.fabric.rebootLeaf(LEAF)
    expect(first((await listener.take(1))[0] ?? { imdata: [] })['lastRebootTime']).toBe('2026-02-03T04:05:07.789+00:00')
    await clock.advance(1000)
    sim.fabric.rebootLeaf(LEAF)
    await settle()
    expect(listener.texts.length).toBe(1)
  })

  it('that joins is told of as a fabricNode; nothing that it reports reaches a subscription from before', async () => {
    const { client, sim } = await start()
    const listener = await client.ready()
    const old = await client.subscribe(FAULTS)
    await client.subscribe('/api/class/ethpmPhysIf.json?subscription=yes')
    await client.subscribe('/api/class/fabricNode.json?subscription=yes')
    const node = sim.fabric.joinLeaf('103')
    expect(first((await listener.take(1))[0] ?? { imdata: [] })).toMatchObject({
      dn: 'topology/pod-1/node-103',
      role: 'leaf',
      status: 'created',
    })
    sim.post(`${node}/sys`, fault('F1'))
    sim.post(`${LEAF}/sys`, fault('F2'))
    expect((await listener.take(2)).slice(1).map(frame => [frame.subscriptionId, first(frame)['code']])).toEqual([
      [[old], 'F2'],
    ])
    expect((await client.get(`/api/class/${node}/ethpmPhysIf.json`)).body.totalCount).toBe('2')
    expect((await client.get('/api/class/faultInst.json')).body.totalCount).toBe('2')
    const fresh = await client.subscribe(FAULTS)
    sim.post(`${node}/sys`, fault('F3'))
    expect((await listener.take(3))[2]?.subscriptionId).toEqual([fresh])
  })
})
