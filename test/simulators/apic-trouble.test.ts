import { describe, expect, it } from 'vitest'
import { Fabric } from '../../src/simulators/apic/fabric.ts'
import { ManualClock, settle, until } from '../support/manual-clock.ts'
import { apicBench } from './apic-bench.ts'
import { column, first } from './apic-client.ts'

const TENANTS = '/api/class/fvTenant.json?subscription=yes'
const NO_SOCKET =
  '405 Subscription request failed, unable to locate opened web socket. Please re-login to the application'

const bench = apicBench()
const { start } = bench

const tenant = (name: string, more: Record<string, string> = {}) => ({ fvTenant: { attributes: { name, ...more } } })

describe('a controller gone bad', () => {
  it('falls silent, forgets its socket, mutes, expires and refuses', async () => {
    const { client, sim } = await start()
    const listener = await client.ready()
    const [a, b, c] = [
      await client.subscribe(TENANTS),
      await client.subscribe(TENANTS),
      await client.subscribe(TENANTS),
    ]
    sim.mute(a)
    expect(sim.expireSubscription(b)).toBe(true)
    sim.refuseRefresh(c)
    expect((await client.refresh(a)).status).toBe(200)
    expect((await client.refresh(b)).status).toBe(400)
    expect((await client.refresh(c)).status).toBe(400)
    sim.post('uni', tenant('blue'))
    expect((await listener.take(1))[0]?.subscriptionId).toEqual([c])
    sim.mute()
    sim.post('uni', tenant('brown'))
    sim.unmute()
    sim.post('uni', tenant('black'))
    expect(first((await listener.take(2))[1] ?? { imdata: [] })['name']).toBe('black')
    sim.forgetSockets()
    expect((await client.get(TENANTS)).error).toBe(NO_SOCKET)
    expect(listener.closed).toBe(false)
    const second = await client.socket()
    await client.subscribe(TENANTS)
    sim.silenceSockets()
    sim.post('uni', tenant('green'))
    second.ws.ping()
    expect((await client.get('/api/class/fvTenant.json')).status).toBe(200)
    await settle()
    expect([second.texts.length, second.pongs, second.closed]).toEqual([0, 0, false])
    expect(sim.record.sockets[1]?.swallowed).toBe(1)
  })

  it('fails calls on order: pages, resets, hangs, 202, errors with 200, slowness', async () => {
    const { client, sim, clock } = await start()
    await client.ready()
    const path = '/api/class/fvTenant.json'
    sim.fail({ operation: 'query', times: 2, failure: { kind: 'html' } })
    expect((await client.get(path)).status).toBe(503)
    expect((await client.get(path)).headers['content-type']).toBe('text/html')
    sim.fail({ operation: 'query', times: 1, failure: { kind: 'accepted' } })
    expect((await client.get(path)).status).toBe(202)
    sim.fail({ operation: 'query', times: 1, failure: { kind: 'error', code: '100', text: 'try again' } })
    const soft = await client.get(path)
    expect([soft.status, soft.error]).toEqual([200, '100 try again'])
    sim.fail({ path: /fvTenant/, times: 1, failure: { kind: 'reset' } })
    await expect(client.get(path)).rejects.toThrow()
    sim.fail({ operation: 'subscribe', times: 1, failure: { kind: 'reset-after' } })
    await expect(client.get(TENANTS)).rejects.toThrow()
    expect(sim.subscriptionIds.length).toBe(1)
    sim.fail({ operation: ['subscriptionRefresh'], times: 1, failure: { kind: 'slow', ms: 5000 } })
    const slow = client.refresh(sim.subscriptionIds[0] ?? '')
    await until(() => sim.record.requestsOf('subscriptionRefresh').length === 1 && clock.waiting > 2, 'it waits')
    await clock.advance(5000)
    expect((await slow).status).toBe(200)
    const undo = sim.fail({ failure: { kind: 'hang' } })
    const before = sim.record.requests.length
    const hanging = client.get(path)
    await until(() => sim.record.requests.length > before, 'it hangs')
    undo()
    expect((await client.get(path)).status).toBe(200)
    sim.cut()
    await expect(hanging).rejects.toThrow()
  })

  it('goes dark and comes back', async () => {
    const { client, sim } = await start()
    const listener = await client.ready()
    sim.goDark()
    const hanging = client.get('/api/class/fvTenant.json')
    await until(() => sim.record.requestsOf('query').length === 1, 'it hangs')
    sim.comeBack()
    await expect(hanging).rejects.toThrow()
    await until(() => listener.closed, 'the socket')
    expect((await client.get('/api/class/fvTenant.json')).status).toBe(200)
  })

  it('hears no more of a leaf that rebooted, until subscribed again', async () => {
    const { client, sim } = await start()
    const listener = await client.ready()
    await client.subscribe('/api/class/faultInst.json?subscription=yes')
    const raise = (node: number, code: string) =>
      sim.post(`topology/pod-1/node-${node}/sys`, { faultInst: { attributes: { code } } })
    sim.fabric.rebootLeaf('topology/pod-1/node-101')
    raise(101, 'F1')
    raise(102, 'F2')
    expect(first((await listener.take(1))[0] ?? { imdata: [] })['code']).toBe('F2')
    const again = await client.subscribe('/api/class/faultInst.json?subscription=yes')
    raise(101, 'F3')
    expect((await listener.take(2))[1]?.subscriptionId).toEqual([again])
  })
})

describe('several controllers', () => {
  it('serve one fabric with sessions of their own', async () => {
    const clock = new ManualClock()
    const fabric = new Fabric({ time: clock })
    const one = await start({ time: clock, fabric, nodeId: 1 })
    const two = await start({ time: clock, fabric, nodeId: 2 })
    const listener = await one.client.ready()
    expect((await two.client.get('/api/class/fvTenant.json', { token: one.client.token })).status).toBe(403)
    const other = await two.client.ready()
    const [a, b] = [await one.client.subscribe(TENANTS), await two.client.subscribe(TENANTS)]
    await two.client.post('/api/mo/uni.json', tenant('blue'))
    expect((await listener.take(1))[0]?.subscriptionId).toEqual([a])
    expect((await other.take(1))[0]?.subscriptionId).toEqual([b])
    expect(a).not.toBe(b)
    bench.closing(fabric)
  })
})

describe('a burst', () => {
  it('of 20,000 numbered records arrives whole, in order, and is in the log', async () => {
    const { client, sim } = await start()
    const listener = await client.ready()
    await client.subscribe('/api/class/eventRecord.json?subscription=yes')
    sim.knobs.objectsPerFrame = 20
    await sim.burst(20_000, index => ({ descr: `number ${index}` }))
    await listener.take(1000)
    const seen = listener.frames.flatMap(frame => column(frame, 'descr'))
    expect(seen.length).toBe(20_000)
    expect(seen.every((descr, index) => descr === `number ${index}`)).toBe(true)
    const count = await client.get('/api/class/eventRecord.json?rsp-subtree-include=count')
    expect(first(count.body)['count']).toBe('20000')
  })
})
