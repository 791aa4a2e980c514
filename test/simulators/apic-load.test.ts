import { describe, expect, it } from 'vitest'
import { Fabric } from '../../src/simulators/apic/fabric.ts'
import { isTold } from '../../src/simulators/apic/match.ts'
import { readOptions, readQuery } from '../../src/simulators/apic/query.ts'
import { routeOf, targetOf } from '../../src/simulators/apic/route.ts'
import { SubscriptionIndex } from '../../src/simulators/apic/subscription-index.ts'
import type { Subscription } from '../../src/simulators/apic/subscriptions.ts'
import { Tally } from '../../src/simulators/apic/tally.ts'
import { ManualClock, settle, until } from '../support/manual-clock.ts'
import { apicBench } from './apic-bench.ts'
import { first, type Reply } from './apic-client.ts'

const TENANTS = '/api/class/fvTenant.json'
const bench = apicBench()
const { start } = bench

describe('latency', () => {
  it('lies half before the call is carried out and half after it, so that a push may overtake the answer', async () => {
    const { client, sim, clock } = await start()
    const listener = await client.ready()
    sim.knobs.latencyMs = 50
    let reply: Reply | undefined
    void client.get(`${TENANTS}?subscription=yes`).then(answer => {
      reply = answer
    })
    await until(() => sim.record.inService === 1, 'it came in')
    expect(sim.subscriptionIds).toEqual([])
    await clock.advance(25)
    const [id] = sim.subscriptionIds
    sim.post('uni', { fvTenant: { attributes: { name: 'blue' } } })
    expect((await listener.take(1))[0]?.subscriptionId).toEqual([id])
    expect(reply).toBeUndefined()
    await clock.advance(25)
    await until(() => reply !== undefined, 'the answer')
    expect(reply?.body.subscriptionId).toBe(id)
  })

  it('may differ for an operation, and holds for refusals and handshakes too', async () => {
    const { client, sim, clock } = await start()
    await client.login()
    sim.knobs.latencyOf = { subscriptionRefresh: 4000 }
    expect((await client.get(TENANTS)).status).toBe(200)
    const waiting = clock.waiting
    const refused = client.refresh('1')
    await until(() => clock.waiting > waiting, 'it waits')
    await clock.advance(2000)
    await settle()
    expect(sim.record.answerCount(400)).toBe(0)
    await clock.advance(2000)
    expect((await refused).status).toBe(400)
    sim.knobs.latencyMs = 300
    const opening = client.socket()
    await until(() => clock.waiting > waiting, 'the handshake waits')
    expect(sim.openSockets).toBe(0)
    await clock.advance(300)
    await opening
    expect(sim.openSockets).toBe(1)
  })

  it('leaves nobody answered who was waiting when the controller went dark', async () => {
    const { client, sim, clock } = await start()
    await client.ready()
    sim.knobs.latencyMs = 100
    const asked = client.get(`${TENANTS}?subscription=yes`)
    await until(() => sim.record.inService === 1, 'it came in')
    await clock.advance(50)
    sim.goDark()
    await clock.advance(50)
    await settle()
    expect(sim.record.orphans.map(({ id }) => id)).toEqual(sim.subscriptionIds)
    sim.comeBack()
    await expect(asked).rejects.toThrow()
  })
})

describe('overload', () => {
  it('of requests at once gets a page of nginx, and frees itself', async () => {
    const { client, sim, clock } = await start({ knobs: { maxParallel: 2, latencyMs: 100 } })
    const login = client.login()
    await until(() => sim.record.inService === 1, 'the login')
    await clock.advance(100)
    await login
    const slow = [client.get(TENANTS), client.get(TENANTS)]
    await until(() => sim.record.inService === 2, 'two in service')
    const third = await client.get(TENANTS)
    expect([third.status, third.headers['content-type'], third.headers['retry-after']]).toEqual([
      503,
      'text/html',
      undefined,
    ])
    await clock.advance(100)
    expect((await Promise.all(slow)).map(({ status }) => status)).toEqual([200, 200])
    await until(() => sim.record.inService === 0, 'free again')
    expect([sim.record.mostInService, sim.record.answerCount(503)]).toEqual([3, 1])
  })

  it('of requests in a second gets 503 or 429, with or without Retry-After', async () => {
    const { client, sim, clock } = await start()
    await client.login()
    await clock.advance(1000)
    sim.knobs.requestsPerSecond = 3
    const statuses = async (): Promise<number[]> => {
      const seen: number[] = []
      for (let turn = 0; turn < 4; turn++) seen.push((await client.get(TENANTS)).status)
      return seen
    }
    expect(await statuses()).toEqual([200, 200, 200, 503])
    await clock.advance(999)
    expect((await client.get(TENANTS)).status).toBe(503)
    await clock.advance(1)
    Object.assign(sim.knobs, { throttleStatus: 429, retryAfterSeconds: 7 })
    expect(await statuses()).toEqual([200, 200, 200, 429])
    const refused = await client.get(TENANTS)
    expect([refused.headers['retry-after'], refused.text.includes('429 Too Many Requests')]).toEqual(['7', true])
    sim.knobs.requestsPerSecond = Number.POSITIVE_INFINITY
    expect(await statuses()).toEqual([200, 200, 200, 200])
  })

  it('may be played with a Retry-After of its own; nginx may send callers elsewhere or break off', async () => {
    const { client, sim } = await start()
    await client.login()
    sim.fail({ times: 1, failure: { kind: 'html', retryAfterSeconds: 2 } })
    expect((await client.get(TENANTS)).headers['retry-after']).toBe('2')
    sim.fail({ operation: 'login', times: 1, failure: { kind: 'redirect', location: 'https://apic2.example.net/' } })
    const sent = await client.login()
    expect([sent.status, sent.headers.location, sent.text.includes('301 Moved')]).toEqual([
      301,
      'https://apic2.example.net/',
      true,
    ])
    sim.fail({ times: 1, failure: { kind: 'truncated' } })
    await expect(client.get(TENANTS)).rejects.toThrow()
  })
})

describe('the record', () => {
  it('counts requests by operation, at once and in any second, logins too', async () => {
    const { client, sim, clock } = await start()
    await client.login()
    await client.login('admin', 'wrong')
    await clock.advance(600)
    await client.login()
    await clock.advance(500)
    await client.login()
    for (let turn = 0; turn < 5; turn++) await client.get(TENANTS)
    const { record } = sim
    expect([record.requestCount('login'), record.requestCount('query'), record.requestCount()]).toEqual([4, 5, 9])
    expect(record.requestCount('tag')).toBe(0)
    expect([record.busiestSecond('login'), record.busiestSecond('query'), record.busiestSecond()]).toEqual([3, 5, 7])
    expect([record.mostInService, record.inService]).toEqual([1, 0])
    expect([record.answerCount(200), record.answerCount(401)]).toEqual([8, 1])
  })

  it('keeps as many requests as it is told to, and counts all', async () => {
    const { client, sim } = await start()
    sim.record.keepRequests = 3
    await client.login()
    for (let turn = 0; turn < 20; turn++) await client.get(TENANTS)
    expect(sim.record.requestCount()).toBe(21)
    expect(sim.record.requests.length).toBeLessThanOrEqual(6)
    expect(sim.record.requests.at(-1)?.operation).toBe('query')
  })

  it('tells the widest time without a refresh, and which subscriptions lapsed', async () => {
    const { client, sim, clock } = await start()
    await client.ready()
    const id = await client.subscribe(`${TENANTS}?subscription=yes`)
    for (const seconds of [20, 45, 10]) {
      await clock.advance(seconds * 1000)
      await client.refresh(id)
    }
    expect(sim.record.widestRefreshGap()).toBe(45_000)
    expect(sim.record.widestRefreshGap(clock.wall() + 50_000)).toBe(50_000)
    await clock.advance(60_000)
    expect(sim.record.lapses.map(lapse => lapse.id)).toEqual([id])
    expect(sim.record.widestRefreshGap()).toBe(60_000)
  })

  it('finds the busiest second whatever came before', () => {
    const tally = new Tally()
    for (let at = 0; at < 100_000; at += 100) tally.add(at)
    expect([tally.count, tally.mostInASecond]).toEqual([1000, 10])
    for (let burst = 0; burst < 5; burst++) tally.add(100_000)
    expect(tally.mostInASecond).toBe(14)
    tally.add(101_000)
    expect(tally.mostInASecond).toBe(14)
  })
})

describe('subscriptions by the thousand', () => {
  it('are found by class and DN: none that a change concerns is overlooked', () => {
    const clock = new ManualClock()
    const fabric = new Fabric({ time: clock })
    const queries = [
      'mo/uni/tn-a.json?',
      'mo/uni/tn-a.json?query-target=children',
      'mo/uni.json?query-target=subtree&target-subtree-class=fvBD,faultInst',
      'mo/uni/tn-a/BD-b.json?rsp-subtree=full',
      'mo/uni/tn-a.json?rsp-subtree-include=faults',
      'mo/topology/pod-1/node-101/sys/phys-[eth1/1]/phys.json?query-target=subtree',
      'mo/subj-[uni/tn-a].json?query-target=subtree',
      'class/fvTenant.json?',
      'class/fvTenant.json?query-target=children',
      'class/fvTenant.json?query-target=subtree&target-subtree-class=fvAEPg',
      'class/fvTenant.json?rsp-subtree=children',
      'class/fvAp.json?rsp-subtree=full&rsp-subtree-class=fvAEPg',
      'class/fvBD.json?rsp-subtree-include=faults,required',
      'class/faultInfo.json?',
      'class/topology/pod-1/node-101/faultInst.json?',
      'class/topology/pod-1/node-101/eventRecord.json?',
      'class/aaaModLR.json?',
      'class/faultRecord.json?',
      'tag/mo/uni/tn-a.json?',
      'tag/red.json?',
      'class/fvTenant.json?query-target-filter=wcard(fvTenant.name,"a")',
    ]
    const index = new SubscriptionIndex()
    const all = queries.map((path, order) => subscriptionTo(path, order, fabric))
    for (const subscription of all) index.add(subscription)
    const told = new Map<number, number>()
    let candidates = 0
    fabric.onChange(changes => {
      for (const change of changes) {
        const found = [...index.candidates(change)]
        expect(found.map(({ order }) => order)).toEqual([...new Set(found.map(({ order }) => order))].toSorted(by))
        candidates += found.length
        const due = all.filter(({ query }) => isTold(fabric, query, change, true))
        expect(found).toEqual(expect.arrayContaining(due))
        for (const { order } of due) told.set(order, (told.get(order) ?? 0) + 1)
      }
    })
    const post = (dn: string, className: string, attributes: Record<string, string> = {}) =>
      fabric.post(dn, { className, attributes, children: [] })
    post('uni', 'fvTenant', { name: 'a' })
    fabric.tag('uni/tn-a', ['red'], [])
    post('uni/tn-a/BD-b', 'fvBD')
    post('uni/tn-a/ap-c/epg-d', 'fvAEPg')
    post('uni/tn-a/BD-b/fault-F1', 'faultInst')
    post('topology/pod-1/node-101/sys/phys-[eth1/1]/phys/fault-F1', 'faultInst')
    fabric.record('eventRecord', { affected: 'topology/pod-1/node-101/sys' })
    post('uni/tn-a', 'fvTenant', { descr: 'x' })
    fabric.remove('uni/tn-a')
    // A query that was never told anything would have tested nothing.
    expect([...told.keys()].toSorted(by)).toEqual(all.map(({ order }) => order))
    expect(candidates).toBeLessThan(fabric.changes.length * all.length * 0.6)
    for (const subscription of all) index.delete(subscription)
    expect(fabric.changes.flatMap(({ change }) => [...index.candidates(change)])).toEqual([])
    fabric.close()
  })

  it('wait on one timer, however many they are, and each lapses at its own time', async () => {
    const { client, sim, clock } = await start()
    await client.ready()
    const before = clock.waiting
    const ids: string[] = []
    for (let turn = 0; turn < 40; turn++) {
      ids.push(await client.subscribe(`${TENANTS}?subscription=yes`))
      await clock.advance(1000)
    }
    expect(clock.waiting).toBe(before + 1)
    for (const id of ids.filter((_, turn) => turn % 2 === 0)) await client.refresh(id)
    await clock.advance(21_000)
    expect(sim.subscriptionIds.length).toBe(39)
    await clock.advance(38_000)
    expect(sim.subscriptionIds).toEqual(ids.filter((_, turn) => turn % 2 === 0))
    await clock.advance(1000)
    expect(sim.subscriptionIds).toEqual([])
    const lives = sim.record.subscriptions.map(one => (one.endedAt ?? 0) - (one.refreshedAt.at(-1) ?? one.createdAt))
    expect(new Set(lives)).toEqual(new Set([60_000]))
  })

  it('tell a change to the one whom it concerns, and look at no other', async () => {
    const { client, sim } = await start()
    const listener = await client.ready()
    const ids = new Map<string, string>()
    for (let turn = 0; turn < 300; turn++) {
      ids.set(`t${turn}`, await client.subscribe(`/api/mo/uni/tn-t${turn}.json?query-target=subtree&subscription=yes`))
    }
    sim.post('uni', { fvTenant: { attributes: { name: 't7' } } })
    sim.post('uni/tn-t7/BD-b', { fvBD: { attributes: {} } })
    const frames = await listener.take(3)
    expect(frames.map(frame => frame.subscriptionId)).toEqual([[ids.get('t7')], [ids.get('t7')], [ids.get('t7')]])
    expect(first(frames[0] ?? { imdata: [] })['name']).toBe('t7')
    const index = new SubscriptionIndex()
    for (let order = 1; order <= 5000; order++) index.add(subscriptionTo(`mo/uni/tn-t${order}.json`, order, sim.fabric))
    for (const { change } of sim.fabric.changes) {
      const looked = [...index.candidates(change)].map(({ order }) => order)
      expect(looked).toEqual(change.dn.startsWith('uni/tn-t7') ? [7] : [])
    }
  })
})

function by(a: number, b: number): number {
  return a - b
}

/** As much of a subscription as the index looks at. */
function subscriptionTo(path: string, order: number, { model }: Fabric): Subscription {
  const route = routeOf('GET', `/api/${path}`)
  if (route === undefined) throw new Error(path)
  return { order, query: readQuery(targetOf(route.path, model), readOptions(route.query), model) } as Subscription
}
