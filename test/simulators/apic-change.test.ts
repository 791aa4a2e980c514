import { describe, expect, it } from 'vitest'
import type { ApicSimulatorOptions } from '../../src/simulators/apic/controller.ts'
import { runApicLife } from '../../src/simulators/apic/life.ts'
import { until } from '../support/manual-clock.ts'
import { apicBench } from './apic-bench.ts'
import { column, first } from './apic-client.ts'

const bench = apicBench()

async function start(options: Partial<ApicSimulatorOptions> = {}) {
  const made = await bench.start(options)
  await made.client.login()
  const audit = async (property: string) => column((await made.client.get('/api/class/aaaModLR.json')).body, property)
  return { ...made, audit }
}

describe('POST', () => {
  it('creates by DN, by dn in the body, by naming properties, and shows the whole object', async () => {
    const { client } = await start()
    const reply = await client.post('/api/mo/uni/tn-a.json', { fvTenant: { attributes: { descr: 'x' } } })
    expect(first(reply.body)).toMatchObject({ name: 'a', descr: 'x', dn: 'uni/tn-a', ownerKey: '' })
    await client.post('/api/mo.json', { fvTenant: { attributes: { dn: 'uni/tn-b' } } })
    await client.post('/api/mo/uni.json', { fvTenant: { attributes: { name: 'c' } } })
    await client.post('/api/node/mo/uni.json', { fvTenant: { attributes: { rn: 'tn-d' } } })
    await client.post('/api/mo/uni.xml', '<fvTenant name="e"><fvAp name="x&amp;y" status="created"/></fvTenant>')
    await client.post('/api/mo/uni.xml', '<fvTenant name="e"><fvAp name="shop"><fvAEPg name="web"/></fvAp></fvTenant>')
    const { body } = await client.get('/api/class/fvTenant.json')
    expect(column(body, 'name')).toEqual(['common', 'infra', 'mgmt', 'a', 'b', 'c', 'd', 'e'])
    expect((await client.get('/api/mo/uni/tn-e/ap-shop/epg-web.json')).body.totalCount).toBe('1')
    // The command with the bad name was refused whole.
    expect((await client.get('/api/class/fvAp.json')).body.totalCount).toBe('1')
  })

  it('answers with what changed, or with nothing, when asked', async () => {
    const { client, sim } = await start()
    const body = { fvTenant: { attributes: { name: 'a' }, children: [{ fvBD: { attributes: { name: 'b' } } }] } }
    const whole = await client.post('/api/mo/uni.json', body)
    expect(whole.body.imdata[0]?.['fvTenant']?.children?.[0]?.['fvBD']?.attributes['name']).toBe('b')
    const again = await client.post('/api/mo/uni.json?rsp-subtree=modified', body)
    expect(again.body.imdata).toEqual([])
    sim.knobs.postAnswers = 'empty'
    const empty = await client.post('/api/mo/uni.json', { fvTenant: { attributes: { name: 'z' } } })
    expect(empty.text).toBe('{"totalCount":"0","imdata":[]}')
  })

  it('deletes by status and by DELETE, with everything below', async () => {
    const { client } = await start()
    const body = { fvTenant: { attributes: { name: 'a' }, children: [{ fvBD: { attributes: { name: 'b' } } }] } }
    await client.post('/api/mo/uni.json', body)
    await client.post('/api/mo/uni/tn-a.json', { fvTenant: { attributes: { status: 'deleted' } } })
    expect((await client.get('/api/class/fvBD.json')).body.totalCount).toBe('0')
    await client.post('/api/mo/uni.json', body)
    const reply = await client.call('DELETE', '/api/mo/uni/tn-a.json')
    expect(reply.text).toBe('{"totalCount":"0","imdata":[]}')
    expect((await client.get('/api/mo/uni/tn-a.json')).body.totalCount).toBe('0')
    expect((await client.call('DELETE', '/api/mo/uni/tn-a.json')).status).toBe(200)
  })

  it.each([
    ['uni', { fvTennant: { attributes: { name: 'a' } } }, '12 '],
    [
      'uni',
      { fvTenant: { attributes: { name: 'a', colour: 'red' } } },
      "122 unknown attribute 'colour' in element 'fvTenant'",
    ],
    ['uni', { fvTenant: { attributes: { name: 'a b' } } }, '801 '],
    ['uni', { fvTenant: { attributes: { name: 'common', status: 'created' } } }, '103 '],
    ['uni', { fvTenant: { attributes: { name: 'nope', status: 'modified' } } }, '102 '],
    ['uni', { fvTenant: { attributes: { name: 'a', status: 'gone' } } }, '107 '],
    ['uni/ap-x', { fvTenant: { attributes: {} } }, '104 '],
    ['uni/tn-x', { fvTenant: { attributes: { dn: 'uni/tn-y' } } }, '104 '],
    ['uni', { fvTenant: { attributes: { name: 'a' } }, fvBD: {} }, '106 '],
    ['uni', [], '106 '],
    ['uni', '{"fvTenant":', '106 '],
    ['uni', { fvTenant: { attributes: { name: 'a' }, children: [{ fvFoo: { attributes: {} } }] } }, '12 '],
  ])('refuses at %s %j', async (dn, body, error) => {
    const { client } = await start()
    const reply = await client.post(`/api/mo/${dn}.json`, body)
    expect(reply.status).toBe(400)
    expect(reply.error.slice(0, error.length)).toBe(error)
    expect((await client.get('/api/class/fvTenant.json')).body.totalCount).toBe('3')
  })

  it('is not for readers', async () => {
    const { client } = await start({ users: [{ name: 'admin', password: 'ins3965!', readOnly: true }] })
    const reply = await client.post('/api/mo/uni.json', { fvTenant: { attributes: { name: 'a' } } })
    expect(reply.status).toBe(403)
    expect(reply.error).toBe('403 User admin does not have write privileges')
    expect((await client.call('DELETE', '/api/mo/uni/tn-common.json')).status).toBe(403)
  })

  it('makes users that may log in, whose push holds encPwd and whose answers do not', async () => {
    const { client } = await start()
    const listener = await client.socket()
    await client.subscribe('/api/class/aaaUser.json?subscription=yes')
    await client.post('/api/mo/uni/userext.json', { aaaUser: { attributes: { name: 'sysadmin5', pwd: 'Secret1!' } } })
    const pushed = first((await listener.take(1))[0] ?? { imdata: [] })
    expect(pushed).toMatchObject({ dn: 'uni/userext/user-sysadmin5', pwd: '', pwdSet: 'yes', accountStatus: 'active' })
    expect(pushed['encPwd']).toMatch(/^.{8}\$.{44}$/)
    expect(first((await client.get('/api/mo/uni/userext/user-sysadmin5.json')).body)['encPwd']).toBe('')
    expect((await client.login('sysadmin5', 'Secret1!')).status).toBe(200)
    await client.call('DELETE', '/api/mo/uni/userext/user-sysadmin5.json')
    expect((await client.login('sysadmin5', 'Secret1!')).status).toBe(401)
  })
})

describe('logs', () => {
  it('hold an aaaModLR for each change in the spellings of real ones', async () => {
    const { client, clock, audit, sim } = await start()
    await client.post('/api/mo/uni.json', { fvTenant: { attributes: { name: 'a', descr: 'x: y, z' } } })
    await clock.advance(1000)
    await client.post('/api/mo/uni/tn-a.json', { fvTenant: { attributes: { descr: '', nameAlias: 'A' } } })
    await client.call('DELETE', '/api/mo/uni/tn-a.json')
    expect(await audit('changeSet')).toEqual([
      'descr:x: y, z, name:a',
      'descr (Old: x: y, z, New: ), nameAlias (Old: , New: A)',
      '',
    ])
    expect(await audit('ind')).toEqual(['creation', 'modification', 'deletion'])
    expect(await audit('descr')).toEqual(['Tenant a created', 'Tenant a modified', 'Tenant a deleted'])
    expect(new Set(await audit('txId')).size).toBe(3)
    const { body } = await client.get('/api/class/aaaModLR.json')
    expect(first(body)).toMatchObject({
      affected: 'uni/tn-a',
      created: '2026-02-03T04:05:06.789+00:00',
      user: 'admin',
      trig: 'config',
      severity: 'info',
      sessionId: sim.record.sessions[0]?.id,
    })
    expect(first(body)['dn']).toBe(`subj-[uni/tn-a]/mod-${first(body)['id']}`)
    const about = await client.get('/api/mo/subj-[uni/tn-a].json?query-target=subtree&target-subtree-class=aaaModLR')
    expect(about.body.totalCount).toBe('3')
  })

  it('hold one aaaModLR for each controller, with other ids, where the knob says so', async () => {
    const { client, audit, sim } = await start()
    sim.fabric.knobs.auditCopies = 3
    await client.post('/api/mo/uni.json', { fvTenant: { attributes: { name: 'a' } } })
    expect(new Set(await audit('txId')).size).toBe(1)
    expect(new Set(await audit('dn')).size).toBe(3)
  })

  it('hold a faultRecord for each transition, a healthRecord for each score, and no audit of either', async () => {
    const { client, audit } = await start()
    const dn = 'topology/pod-1/node-101/sys/phys-[eth1/7]/phys'
    const path = `/api/mo/${dn}/fault-F1394.json`
    await client.post(path, { faultInst: { attributes: { code: 'F1394', severity: 'major', lc: 'soaking' } } })
    await client.post(path, { faultInst: { attributes: { lc: 'raised' } } })
    await client.call('DELETE', path)
    const { body } = await client.get('/api/class/faultRecord.json')
    expect(column(body, 'ind')).toEqual(['creation', 'modification', 'deletion'])
    expect(column(body, 'lc')).toEqual(['soaking', 'raised', 'raised'])
    expect(new Set(column(body, 'affected'))).toEqual(new Set([dn]))
    expect(column(body, 'dn')[0]).toMatch(/^subj-\[topology\/.+phys\]\/fr-\d+$/)
    await client.post('/api/mo/topology/health.json', { healthInst: { attributes: { cur: '50' } } })
    expect(first((await client.get('/api/class/healthRecord.json')).body)).toMatchObject({
      cur: '50',
      affected: 'topology',
    })
    expect(await audit('dn')).toEqual([])
  })

  it('take posted records, show them late where told to, and purge the oldest', async () => {
    const { client, sim, clock } = await start()
    const listener = await client.socket()
    await client.subscribe('/api/class/eventRecord.json?subscription=yes')
    const post = (descr: string) =>
      client.post('/api/mo.json', { eventRecord: { attributes: { affected: 'topology', descr } } })
    const seen = async () => column((await client.get('/api/class/eventRecord.json')).body, 'descr')
    sim.fabric.knobs.recordsVisibleAfterMs = 5000
    sim.fabric.knobs.recordsPushedAfterMs = 2000
    await post('a')
    expect(await seen()).toEqual([])
    expect(listener.texts.length).toBe(0)
    await clock.advance(2000)
    await listener.take(1)
    expect(await seen()).toEqual([])
    await clock.advance(3000)
    expect(await seen()).toEqual(['a'])
    sim.fabric.knobs.recordsVisibleAfterMs = 0
    sim.fabric.knobs.recordsPushedAfterMs = 0
    sim.fabric.knobs.announcePurge = true
    sim.fabric.logs.setLimit('eventRecord', 3, 2)
    for (const descr of ['b', 'c', 'd']) await post(descr)
    expect(await seen()).toEqual(['c', 'd'])
    expect(
      (await listener.take(6)).map(frame => first(frame)['status']).filter(status => status === 'deleted').length,
    ).toBe(2)
    const dn = 'subj-[topology/pod-1]/rec-77'
    await client.post(`/api/mo/${dn}.json`, { eventRecord: { attributes: { severity: 'major' } } })
    expect(first((await client.get(`/api/mo/${dn}.json`)).body)).toMatchObject({
      dn,
      id: '77',
      affected: 'topology/pod-1',
      user: 'internal',
    })
  })
})

describe('tags', () => {
  it('are added, listed, found, removed from one object and from all', async () => {
    const { client, sim } = await start()
    for (const name of ['ExampleCorp', 'Other']) sim.post('uni', { fvTenant: { attributes: { name } } })
    const add = await client.post('/api/tag/mo/uni/tn-ExampleCorp.xml?add=tenants,orgs')
    expect(add.status).toBe(200)
    await client.post('/api/tag/mo/uni/tn-Other.json?add=,orgs')
    const tags = await client.get('/api/tag/mo/uni/tn-ExampleCorp.json')
    expect(column(tags.body, 'dn')).toEqual(['uni/tn-ExampleCorp/tag-tenants', 'uni/tn-ExampleCorp/tag-orgs'])
    expect(tags.body.imdata[0]?.['tagInst']?.attributes['name']).toBe('tenants')
    expect((await client.get('/api/tag/tenants.xml')).text).toContain('dn="uni/tn-ExampleCorp"')
    expect(column((await client.get('/api/tag/orgs.json')).body, 'name')).toEqual(['ExampleCorp', 'Other'])
    await client.post('/api/tag/mo/uni/tn-ExampleCorp.json?remove=orgs')
    expect(column((await client.get('/api/tag/orgs.json')).body, 'name')).toEqual(['Other'])
    await client.call('DELETE', '/api//tag/orgs.xml')
    await client.call('DELETE', '/api/tag/tenants.json')
    expect((await client.get('/api/class/tagInst.json')).body.totalCount).toBe('0')
    expect((await client.post('/api/tag/mo/uni/tn-none.json?add=a')).status).toBe(400)
  })

  it('can be subscribed to where a release takes that', async () => {
    const { client, sim } = await start()
    const listener = await client.socket()
    expect((await client.get('/api/tag/watched.json?subscription=yes')).status).toBe(400)
    sim.knobs.tagSubscriptions = 'taken'
    await client.subscribe('/api/tag/watched.json?subscription=yes')
    sim.post('uni', { fvTenant: { attributes: { name: 'a' } } })
    sim.fabric.tag('uni/tn-a', ['watched'], [])
    sim.post('uni/tn-a', { fvTenant: { attributes: { descr: 'x' } } })
    const frames = await listener.take(2)
    expect(frames.map(frame => Object.keys(frame.imdata[0] ?? {})[0])).toEqual(['tagInst', 'fvTenant'])
    sim.remove('uni/tn-a')
    expect((await listener.take(4)).slice(2).map(frame => first(frame)['status'])).toEqual(['deleted', 'deleted'])
  })
})

describe('a life', () => {
  it('shows a fault from raising to clearing, events, audit and state within ten steps, then logs out', async () => {
    const { sim, clock } = await start()
    const stop = new AbortController()
    const done: string[] = []
    const life = runApicLife({
      url: sim.url,
      ca: bench.certificate.cert,
      username: 'admin',
      password: 'ins3965!',
      time: clock,
      signal: stop.signal,
      onStep: what => done.push(what),
    })
    const begin = clock.now()
    for (let step = 1; step <= 10; step++) {
      await until(() => done.length >= step, `step ${step}`)
      await clock.advance(1500)
    }
    expect(clock.now() - begin).toBeLessThanOrEqual(15_000)
    const faults = sim.fabric.changes
      .filter(({ change }) => change.className === 'faultInst')
      .map(({ change }) => change)
    expect(faults.map(change => change.attributes['lc'] ?? change.attributes['severity'])).toEqual(
      expect.arrayContaining(['soaking', 'raised', 'raised-clearing', 'retaining']),
    )
    const classes = new Set(sim.fabric.changes.map(({ change }) => change.className))
    for (const name of ['eventRecord', 'aaaModLR', 'fvTenant', 'faultRecord', 'fvAEPg']) expect(classes).toContain(name)
    // Long enough for its session to end, had it not refreshed it.
    for (let minute = 0; minute < 30; minute++) {
      const before = done.length
      await clock.advance(60_000)
      await until(() => done.length > before, 'life goes on')
    }
    stop.abort()
    await life
    const own = sim.record.sessions[1]
    expect(own?.endedBy).toBe('logout')
    expect(own?.refreshedAt.length).toBeGreaterThan(5)
    expect(sim.record.requests.every(({ status }) => status === 200)).toBe(true)
  })

  it('goes on when the controller fails, and does not when the login is refused', async () => {
    const { sim, clock } = await start()
    const stop = new AbortController()
    const done: string[] = []
    const options = { url: sim.url, ca: bench.certificate.cert, username: 'admin', time: clock, signal: stop.signal }
    await expect(runApicLife({ ...options, password: 'wrong' })).rejects.toThrow('login as admin was refused')
    sim.fail({ operation: 'login', times: 1, failure: { kind: 'html' } })
    sim.fail({ operation: 'post', times: 1, failure: { kind: 'reset' } })
    const life = runApicLife({ ...options, password: 'ins3965!', onStep: what => done.push(what) })
    await until(() => {
      void clock.advance(1500)
      return done.length >= 3
    }, 'three steps')
    sim.endSessions()
    const before = done.length
    await until(() => {
      void clock.advance(1500)
      return done.length >= before + 2
    }, 'two more')
    stop.abort()
    await life
  })
})
