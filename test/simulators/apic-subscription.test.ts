import { describe, expect, it } from 'vitest'
import { settle, until } from '../support/manual-clock.ts'
import { apicBench } from './apic-bench.ts'
import { Client, column, first } from './apic-client.ts'

const TENANTS = '/api/class/fvTenant.json?subscription=yes'
const NO_SOCKET =
  '405 Subscription request failed, unable to locate opened web socket. Please re-login to the application'

const bench = apicBench()
const { start } = bench

const tenant = (name: string, more: Record<string, string> = {}) => ({ fvTenant: { attributes: { name, ...more } } })

describe('subscribing', () => {
  it('needs an open socket of the same session', async () => {
    const { client } = await start()
    await client.ready()
    const other = new Client(client.sim, bench.certificate.cert)
    await other.login()
    const reply = await other.get(TENANTS)
    expect(reply.status).toBe(405)
    expect(reply.error).toBe(NO_SOCKET)
    expect((await client.get(TENANTS)).status).toBe(200)
  })

  it('gives the snapshot and an id beyond 2^53, another each time, told together', async () => {
    const { client, sim } = await start()
    const listener = await client.ready()
    const reply = await client.get(TENANTS)
    expect(reply.body.totalCount).toBe('3')
    const one = reply.body.subscriptionId ?? ''
    expect(BigInt(one) > 2n ** 53n).toBe(true)
    expect(String(Number(one))).not.toBe(one)
    const two = await client.subscribe(TENANTS)
    sim.post('uni', tenant('blue'))
    expect((await listener.take(1))[0]?.subscriptionId).toEqual([one, two])
  })

  it('lapses without a word unless each id is refreshed in time', async () => {
    const { client, sim, clock } = await start()
    const listener = await client.ready()
    const kept = await client.subscribe(TENANTS)
    const lost = await client.subscribe(TENANTS)
    await clock.advance(59_000)
    const reply = await client.refresh(kept)
    expect(reply.text).toBe('{"totalCount":"0","imdata":[]}')
    await clock.advance(1000)
    sim.post('uni', tenant('blue'))
    expect((await listener.take(1))[0]?.subscriptionId).toEqual([kept])
    const dead = await client.refresh(lost)
    expect(dead.status).toBe(400)
    expect(dead.error).toMatch(/^400 /)
    expect(sim.record.lapses.map(({ id }) => id)).toEqual([lost])
    expect(sim.record.refusedRefreshes.map(({ id }) => id)).toEqual([lost])
    // Rubbish behind the digits is overlooked, as on a real one.
    expect((await client.refresh(`${kept}xyz`)).status).toBe(200)
    expect((await client.get('/api/subscriptionRefresh.json')).status).toBe(400)
  })

  it('refuses to refresh an id of another session', async () => {
    const { client } = await start()
    await client.ready()
    const id = await client.subscribe(TENANTS)
    const other = new Client(client.sim, bench.certificate.cert)
    await other.login()
    expect((await other.refresh(id)).status).toBe(400)
    expect((await client.refresh(id)).status).toBe(200)
  })

  it('lives as long as refresh-timeout asks, in whole seconds from 300 up, scaled by a knob', async () => {
    const { client, sim, clock } = await start({ knobs: { refreshTimeoutScale: 0.1 } })
    await client.ready()
    for (const bad of ['60', '299', '1m0s', '43201', '300.5']) {
      expect((await client.get(`${TENANTS}&refresh-timeout=${bad}`)).status, bad).toBe(400)
    }
    await client.subscribe(`${TENANTS}&refresh-timeout=900`)
    await clock.advance(89_000)
    expect(sim.subscriptionIds.length).toBe(1)
    await clock.advance(1000)
    expect(sim.subscriptionIds.length).toBe(0)
    sim.knobs.refreshTimeoutSupport = 'refused'
    expect((await client.get(`${TENANTS}&refresh-timeout=900`)).status).toBe(400)
    sim.knobs.refreshTimeoutSupport = 'ignored'
    await client.subscribe(`${TENANTS}&refresh-timeout=900`)
    expect(sim.record.subscriptions.at(-1)?.lifeMs).toBe(60_000)
  })

  it('dies with its socket, or lives on for a new one, as the knob says', async () => {
    const { client, sim } = await start()
    const gone = await client.ready()
    const id = await client.subscribe(TENANTS)
    sim.cutSockets()
    await until(() => gone.closed && sim.openSockets === 0, 'the socket is gone')
    expect((await client.refresh(id)).status).toBe(400)
    expect((await client.get(TENANTS)).error).toBe(NO_SOCKET)
    sim.knobs.subscriptionsOutliveSocket = true
    await client.socket()
    const lives = await client.subscribe(TENANTS)
    sim.cutSockets()
    await until(() => sim.openSockets === 0, 'the socket is gone')
    const next = await client.socket()
    sim.post('uni', tenant('blue'))
    expect((await next.take(1))[0]?.subscriptionId).toEqual([lives])
    expect((await client.refresh(lives)).status).toBe(200)
  })

  it('is cut by order and page only in its first answer', async () => {
    const { client, sim } = await start()
    const listener = await client.ready()
    const reply = await client.get(`${TENANTS}&order-by=fvTenant.name|desc&page=0&page-size=1`)
    expect(reply.body.totalCount).toBe('3')
    expect(column(reply.body, 'name')).toEqual(['mgmt'])
    sim.post('uni', tenant('blue'))
    sim.post('uni', tenant('amber'))
    expect((await listener.take(2)).map(frame => first(frame)['name'])).toEqual(['blue', 'amber'])
  })
})

describe('frames', () => {
  it('hold all of what is created, only changes of what is modified, only the identity of what is deleted', async () => {
    const { client, sim, clock } = await start()
    const listener = await client.ready()
    const id = await client.subscribe(TENANTS)
    sim.post('uni/tn-blue', tenant('blue', { descr: 'x' }))
    await clock.advance(1000)
    sim.post('uni/tn-blue', tenant('blue', { descr: 'y' }))
    sim.post('uni/tn-blue', tenant('blue', { descr: 'y' }))
    sim.remove('uni/tn-blue')
    const [created, modified, deleted] = await listener.take(3)
    expect(created?.subscriptionId).toEqual([id])
    expect(created && first(created)).toMatchObject({
      name: 'blue',
      rn: '',
      status: 'created',
      monPolDn: '',
      childAction: '',
    })
    expect(modified && first(modified)).toEqual({
      childAction: '',
      descr: 'y',
      dn: 'uni/tn-blue',
      modTs: '2026-02-03T04:05:07.789+00:00',
      rn: '',
      status: 'modified',
    })
    expect(deleted && first(deleted)).toEqual({
      childAction: '',
      dn: 'uni/tn-blue',
      modTs: 'never',
      rn: '',
      status: 'deleted',
    })
    await settle()
    expect(listener.texts.length).toBe(3)
  })

  it('follow a fault through its life', async () => {
    const { client, sim } = await start()
    const listener = await client.ready()
    await client.subscribe('/api/class/faultInst.json?subscription=yes')
    const dn = 'topology/pod-1/node-101/sys/phys-[eth1/7]/phys/fault-F1394'
    const post = (attributes: Record<string, string>) => sim.post(dn, { faultInst: { attributes } })
    post({ code: 'F1394', severity: 'major', descr: 'Port is down' })
    post({ lc: 'raised' })
    post({ severity: 'cleared', lc: 'retaining' })
    sim.remove(dn)
    const frames = (await listener.take(4)).map(first)
    expect(frames[0]).toMatchObject({
      lc: 'soaking',
      severity: 'major',
      highestSeverity: 'major',
      occur: '1',
      ack: 'no',
    })
    expect(Object.keys(frames[1] ?? {}).sort()).toEqual([
      'childAction',
      'dn',
      'lastTransition',
      'lc',
      'modTs',
      'rn',
      'status',
    ])
    expect(frames[1]?.['modTs']).toBe('never')
    expect(frames[2]).toMatchObject({ severity: 'cleared', prevSeverity: 'major', lc: 'retaining' })
    expect(frames[3]).toMatchObject({ dn, status: 'deleted' })
  })

  it('come in the format of the subscription', async () => {
    const { client, sim } = await start()
    const listener = await client.ready()
    const text = (await client.get('/api/class/fvTenant.xml?subscription=yes')).text
    const id = /subscriptionId="(\d+)"/.exec(text)?.[1]
    sim.post('uni', tenant('blue', { descr: '<&">' }))
    await until(() => listener.texts.length === 1, 'a frame')
    expect(listener.texts[0]).toContain(
      `<?xml version="1.0" encoding="UTF-8"?><imdata subscriptionId="${id}"><fvTenant `,
    )
    expect(listener.texts[0]).toContain('descr="&lt;&amp;&quot;&gt;"')
  })

  it('may hold several objects, nested children, a plain id, or rubbish', async () => {
    const { client, sim } = await start({ knobs: { objectsPerFrame: 3 } })
    sim.fabric.knobs.housekeeping = false
    const listener = await client.ready()
    const id = await client.subscribe('/api/mo/uni.json?query-target=subtree&subscription=yes')
    const body = {
      fvTenant: {
        attributes: { name: 'blue' },
        children: [{ fvAp: { attributes: { name: 'shop' }, children: [{ fvAEPg: { attributes: { name: 'web' } } }] } }],
      },
    }
    sim.post('uni', body)
    expect(column((await listener.take(1))[0] ?? { imdata: [] }, 'name')).toEqual(['blue', 'shop', 'web'])
    sim.remove('uni/tn-blue')
    await listener.take(2)
    sim.knobs.nestChildren = true
    sim.post('uni', body)
    const nested = (await listener.take(3))[2]
    const ap = nested?.imdata[0]?.['fvTenant']?.children?.[0]?.['fvAp']
    expect(ap?.attributes['rn']).toBe('ap-shop')
    expect(ap?.attributes['dn']).toBeUndefined()
    expect(ap?.children?.[0]?.['fvAEPg']?.attributes['name']).toBe('web')
    sim.knobs.plainIds = true
    sim.post('uni', tenant('green'))
    await listener.take(4)
    expect(JSON.parse(listener.texts[3] ?? '').subscriptionId).toBe(id)
    sim.inject('no json at all')
    await until(() => listener.texts[4] === 'no json at all', 'the junk')
  })

  it('may come before the answer of the subscribe call', async () => {
    const { client, sim } = await start()
    const listener = await client.ready()
    let early = ''
    sim.knobs.onSubscribed = async id => {
      early = id
      sim.post('uni', tenant('blue'))
      await until(() => listener.texts.length === 1, 'the frame is there first')
    }
    const reply = await client.get(TENANTS)
    expect(reply.body.subscriptionId).toBe(early)
    expect(listener.frames[0]?.subscriptionId).toEqual([early])
    expect(column(reply.body, 'name')).not.toContain('blue')
  })

  it('are followed by housekeeping when an EPG is made', async () => {
    const { client, sim } = await start()
    const listener = await client.ready()
    await client.subscribe('/api/class/fvAEPg.json?subscription=yes')
    sim.post('uni/tn-blue/ap-shop', { fvAEPg: { attributes: { name: 'web' } } })
    const [, housekeeping] = (await listener.take(2)).map(first)
    expect(housekeeping).toMatchObject({ status: 'modified', pcTag: '16386' })
    expect(housekeeping?.['name']).toBeUndefined()
  })

  it('honour a property filter, which loses the deletions', async () => {
    const { client, sim } = await start()
    const listener = await client.ready()
    await client.subscribe(`${TENANTS}&query-target-filter=wcard(fvTenant.name,"b")`)
    sim.post('uni', tenant('green'))
    sim.post('uni', tenant('blue'))
    sim.post('uni', tenant('blue', { descr: 'x' }))
    sim.remove('uni/tn-blue')
    sim.post('uni', tenant('brown'))
    expect((await listener.take(3)).map(frame => first(frame)['status'])).toEqual(['created', 'modified', 'created'])
    sim.knobs.filteredDeletes = 'sent'
    sim.remove('uni/tn-brown')
    expect(first((await listener.take(4))[3] ?? { imdata: [] })['status']).toBe('deleted')
  })

  it('reach MOs, children, subtrees, nodes, abstract classes and what rsp-subtree includes', async () => {
    const { client, sim } = await start()
    sim.fabric.knobs.housekeeping = false
    const listener = await client.ready()
    const paths = [
      'mo/uni/tn-blue.json?',
      'mo/uni/tn-blue.json?query-target=children&',
      'class/fvTenant.json?query-target=subtree&target-subtree-class=fvAEPg&',
      'class/fvTenant.json?rsp-subtree=full&rsp-subtree-class=fvBD&',
      'class/fvTenant.json?rsp-subtree-include=faults&',
      'class/topology/pod-1/node-101/faultInst.json?',
      'class/faultInfo.json?',
    ]
    const ids: string[] = []
    for (const path of paths) ids.push(await client.subscribe(`/api/${path}subscription=yes`))
    const toldOf = async (act: () => void) => {
      const before = listener.texts.length
      act()
      await listener.take(before + 1)
      return (listener.frames[before]?.subscriptionId ?? []).map(id => ids.indexOf(id))
    }
    const fault = { faultInst: { attributes: { code: 'F1' } } }
    expect(await toldOf(() => sim.post('uni', tenant('blue')))).toEqual([0, 3, 4])
    expect(await toldOf(() => sim.post('uni/tn-blue/BD-front', { fvBD: { attributes: {} } }))).toEqual([1, 3])
    expect(await toldOf(() => sim.post('uni/tn-blue', { fvAp: { attributes: { name: 'a' } } }))).toEqual([1])
    expect(await toldOf(() => sim.post('uni/tn-blue/ap-a/epg-w', { fvAEPg: { attributes: {} } }))).toEqual([2])
    expect(await toldOf(() => sim.post('uni/tn-blue', fault))).toEqual([1, 4, 6])
    expect(await toldOf(() => sim.post('topology/pod-1/node-101/sys', fault))).toEqual([5, 6])
    expect(await toldOf(() => sim.post('topology/pod-1/node-102/sys', fault))).toEqual([6])
    expect(await toldOf(() => sim.remove('uni/tn-blue/ap-a/epg-w'))).toEqual([2])
  })
})
