import { describe, expect, it } from 'vitest'
import { settle } from '../support/manual-clock.ts'
import { apicBench } from './apic-bench.ts'
import { type Client, column, first } from './apic-client.ts'

const PORT = 'topology/pod-1/node-101/sys/phys-[eth1/7]/phys'
const DN = `${PORT}/fault-F1394`
const EVENTS = '/api/class/eventRecord.json'

const bench = apicBench()
const { start } = bench

const fault = (attributes: Record<string, string>) => ({ faultInst: { attributes } })
const rows = async (client: Client) => (await client.get('/api/class/faultRecord.json')).body

describe('faultRecord', () => {
  it('has a row for each transition, the deletion too, with what the fault was, and none for less', async () => {
    const { client, sim, clock } = await start()
    await client.login()
    sim.post(DN, fault({ code: 'F1394', severity: 'major', descr: 'Port is down', title: 'ethpm' }))
    const { rn: _rn, ...whole } = first((await client.get('/api/class/faultInst.json')).body)
    const own = Object.keys(whole)
    await clock.advance(1000)
    sim.post(DN, fault({ lc: 'raised' }))
    sim.post(DN, fault({ descr: 'Port is still down', ack: 'yes' }))
    await clock.advance(1000)
    sim.post(DN, fault({ severity: 'critical' }))
    sim.post(DN, fault({ severity: 'cleared', lc: 'retaining' }))
    sim.remove(DN)
    const body = await rows(client)
    expect(column(body, 'ind')).toEqual(['creation', 'modification', 'modification', 'modification', 'deletion'])
    expect(column(body, 'lc')).toEqual(['soaking', 'raised', 'raised', 'retaining', 'retaining'])
    expect(column(body, 'severity')).toEqual(['major', 'major', 'critical', 'cleared', 'cleared'])
    expect(column(body, 'descr').slice(1, 3)).toEqual(['Port is down', 'Port is still down'])
    expect(new Set(column(body, 'id')).size).toBe(5)
    const [row, ...more] = body.imdata.map(item => item['faultRecord']?.attributes ?? {})
    // Every property of the fault, and what a record has besides.
    expect(Object.keys(row ?? {}).toSorted()).toEqual([...own, 'affected', 'id', 'ind'].toSorted())
    expect(row).toMatchObject({
      ack: 'no',
      affected: PORT,
      alert: 'no',
      cause: 'unknown',
      changeSet: '',
      childAction: '',
      code: 'F1394',
      created: '2026-02-03T04:05:06.789+00:00',
      delegated: 'no',
      domain: 'infra',
      extMngdBy: 'undefined',
      highestSeverity: 'major',
      ind: 'creation',
      lastTransition: '2026-02-03T04:05:06.789+00:00',
      modTs: 'never',
      occur: '1',
      origSeverity: 'major',
      prevSeverity: 'major',
      rule: 'sim-rule',
      status: '',
      subject: 'sim',
      title: 'ethpm',
      type: 'operational',
      userdom: 'all',
    })
    expect(row?.['dn']).toBe(`subj-[${PORT}]/fr-${row?.['id']}`)
    expect(row?.['rn']).toBeUndefined()
    expect(more.map(one => one['created'] === one['lastTransition'])).toEqual([true, true, true, true])
  })

  it('names the fault itself, comes later than the transition, and leaner, where the knobs say so', async () => {
    const { client, sim, clock } = await start()
    Object.assign(sim.fabric.knobs, {
      faultRecordAffected: 'fault',
      faultRecordFields: 'lean',
      faultRecordDelayMs: 7,
    })
    const listener = await client.ready()
    await client.subscribe('/api/class/faultRecord.json?subscription=yes')
    sim.post(DN, fault({ code: 'F1394', lc: 'raised' }))
    sim.remove(DN)
    expect((await rows(client)).totalCount).toBe('0')
    await clock.advance(7)
    const body = await rows(client)
    expect(column(body, 'created')).toEqual(['2026-02-03T04:05:06.796+00:00', '2026-02-03T04:05:06.796+00:00'])
    expect(column(body, 'ind')).toEqual(['creation', 'deletion'])
    expect(column(body, 'affected')).toEqual([DN, DN])
    expect(column(body, 'lastTransition')).toEqual([undefined, undefined])
    expect(column(body, 'dn')[0]).toMatch(/^subj-\[topology\/.+\/fault-F1394\]\/fr-\d+$/)
    expect((await listener.take(2)).map(frame => first(frame)['status'])).toEqual(['created', 'created'])
  })
})

describe('a fault told twice', () => {
  it('is a faultInst with delegated=yes and a faultDelegate that names the object, joined by the end of the DN', async () => {
    const { client, sim } = await start()
    const listener = await client.ready()
    await client.subscribe('/api/class/faultInfo.json?subscription=yes')
    const affected = 'fv-[uni/tn-prod/ap-shop/epg-web]/node-101'
    const holder = `topology/pod-1/node-101/local/svc-policyelem-id-0/${affected}`
    sim.post(`${holder}/fault-F0467`, fault({ code: 'F0467', delegated: 'yes' }))
    sim.post('uni/tn-prod/ap-shop/epg-web', { faultDelegate: { attributes: { affected, code: 'F0467' } } })
    const [inst, delegate] = (await listener.take(2)).map(first)
    expect(inst?.['delegated']).toBe('yes')
    expect(delegate?.['delegated']).toBeUndefined()
    expect(inst?.['dn']?.endsWith(`/${delegate?.['affected']}/fault-${delegate?.['code']}`)).toBe(true)
    // One problem, one record.
    expect((await rows(client)).totalCount).toBe('1')
  })
})

describe('a log that is too big', () => {
  const since = 'query-target-filter=ge(eventRecord.created,"2026-01-01T00:00:00.000%2B00:00")'
  const page = (number: number, size: number) =>
    `${EVENTS}?${since}&order-by=eventRecord.created|asc&page=${number}&page-size=${size}`

  it('is read in pages where only one answer counts', async () => {
    const { client, sim } = await start({ maxResults: 50 })
    await client.login()
    await sim.burst(120)
    expect((await client.get(`${EVENTS}?${since}`)).error).toMatch(/^1 Unable to process the query, result dataset/)
    const sizes: (number | string | undefined)[] = []
    for (const number of [0, 1, 2]) {
      const { body } = await client.get(page(number, 50))
      sizes.push(body.imdata.length, body.totalCount)
    }
    expect(sizes).toEqual([50, '120', 50, '120', 20, '120'])
    expect((await client.get(page(0, 51))).status).toBe(400)
  })

  it('is read in windows where all matches count, with HTTP 400 or 503 and an envelope either way', async () => {
    const { client, sim, clock } = await start({ maxResults: 50, knobs: { ceilingCounts: 'log-matches' } })
    await client.login()
    const at = clock.wall()
    for (let turn = 0; turn < 2; turn++) {
      await sim.burst(40)
      await clock.advance(60_000)
    }
    const refused = await client.get(page(0, 10))
    expect([refused.status, refused.error]).toEqual([400, '1 Unable to process the query, result dataset is too big'])
    const stamp = (ms: number) => new Date(ms).toISOString().replace('Z', '%2B00:00')
    const window = `query-target-filter=bw(eventRecord.created,"${stamp(at)}","${stamp(at + 30_000)}")`
    expect((await client.get(`${EVENTS}?${window}&page=0&page-size=10`)).body.totalCount).toBe('40')
    expect(first((await client.get(`${EVENTS}?rsp-subtree-include=count`)).body)['count']).toBe('80')
    for (let index = 0; index < 60; index++) sim.post('uni', { fvTenant: { attributes: { name: `t${index}` } } })
    const tenants = '/api/class/fvTenant.json?page=0&page-size=10'
    expect((await client.get(tenants)).status).toBe(200)
    Object.assign(sim.knobs, { ceilingCounts: 'matches', ceilingStatus: 503 })
    const busy = await client.get(tenants)
    expect([busy.status, busy.headers['content-type'], busy.error.slice(0, 8)]).toEqual([
      503,
      'application/json',
      '1 Unable',
    ])
  })

  it('fails the subscribe call, which leaves no subscription; with page-size it gives the id', async () => {
    const { client, sim } = await start({ maxResults: 5 })
    const listener = await client.ready()
    await sim.burst(6)
    expect((await client.get(`${EVENTS}?subscription=yes`)).status).toBe(400)
    expect(sim.subscriptionIds).toEqual([])
    const { body } = await client.get(`${EVENTS}?subscription=yes&page=0&page-size=1`)
    expect([body.imdata.length, body.totalCount]).toEqual([1, '6'])
    sim.emit('eventRecord', { descr: 'new' })
    expect((await listener.take(1))[0]?.subscriptionId).toEqual([body.subscriptionId])
  })
})

describe('a log that moves while it is read', () => {
  it('loses its oldest to the purge: the pages shift, rows are skipped, the total tells', async () => {
    const { client, sim } = await start()
    await client.login()
    sim.fabric.logs.setLimit('eventRecord', 30, 10)
    await sim.burst(30)
    const page = async (number: number) => {
      const { body } = await client.get(`${EVENTS}?order-by=eventRecord.id|asc&page=${number}&page-size=10`)
      return { rows: column(body, 'descr'), total: body.totalCount }
    }
    const one = await page(0)
    expect([one.rows[0], one.rows[9], one.total]).toEqual(['burst 0', 'burst 9', '30'])
    sim.emit('eventRecord', { descr: 'the last straw' })
    const two = await page(1)
    // burst 10 to 19 are on the first page now, and the reader never sees them.
    expect([two.rows[0], two.rows[9], two.total]).toEqual(['burst 20', 'burst 29', '21'])
    expect((await page(2)).rows).toEqual(['the last straw'])
    expect((await page(0)).rows[0]).toBe('burst 10')
  })

  it('shows records late, in the middle of what was read already', async () => {
    const { client, sim, clock } = await start()
    await client.login()
    const seen = async () => column((await client.get(`${EVENTS}?order-by=eventRecord.created`)).body, 'descr')
    sim.fabric.knobs.recordsVisibleAfterMs = 40_000
    sim.emit('eventRecord', { descr: 'slow shard' })
    sim.fabric.knobs.recordsVisibleAfterMs = 0
    await clock.advance(1000)
    sim.emit('eventRecord', { descr: 'quick shard' })
    expect(await seen()).toEqual(['quick shard'])
    await clock.advance(39_000)
    expect(await seen()).toEqual(['slow shard', 'quick shard'])
  })
})

describe('the session log', () => {
  it('holds what sessionRecordFlags names', async () => {
    const { client, sim } = await start()
    sim.fabric.knobs.sessionRecordFlags = new Set(['login'])
    await client.login()
    client.token = first((await client.get('/api/aaaRefresh.json')).body)['token'] ?? ''
    await settle()
    const { body } = await client.get('/api/class/aaaSessionLR.json')
    expect(column(body, 'trig')).toEqual(['login,session'])
  })
})

describe('the audit log', () => {
  it('pushes every replica of an entry, each with an id and a DN of its own', async () => {
    const { client, sim } = await start()
    sim.fabric.knobs.auditCopies = 3
    const listener = await client.ready()
    await client.subscribe('/api/class/aaaModLR.json?subscription=yes')
    sim.post('uni', { fvTenant: { attributes: { name: 'a' } } })
    const copies = (await listener.take(3)).map(first)
    expect(new Set(copies.map(({ id }) => id)).size).toBe(3)
    expect(new Set(copies.map(({ dn }) => dn)).size).toBe(3)
    const same = copies.map(({ txId, affected, ind, changeSet, created }) =>
      [txId, affected, ind, changeSet, created].join(),
    )
    expect(new Set(same).size).toBe(1)
  })
})
