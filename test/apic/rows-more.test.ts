/** Table (b) of reference/apic.md, rows 16 to 30: as rows.test.ts. */
import { afterEach, describe, expect, it } from 'vitest'
import { column, first } from '../simulators/apic-client.ts'
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

describe('b16–b20: leaves, size, controllers', () => {
  it('b16: a leaf reboots: its news ends, and the subscription is refreshed as before', async () => {
    const { naive, sim, clock } = await start()
    const listener = await beside.listen()
    const id = await naive.subscribe(FAULTS)
    sim.fabric.rebootLeaf(NODE)
    sim.post(`${NODE}/sys/fault-F0001`, fault('F0001'))
    expect((await naive.refresh(id)).status).toBe(200)
    await within(clock, 305, () => told('F0001').length > 0, 'the fault')
    sim.post(`${NODE}/sys/fault-F0002`, fault('F0002'))
    await within(clock, 5, () => told('F0002').includes('live'), 'the next')
    expect(listener.texts).toEqual([])
  })

  it('b17: the snapshot is too big for one answer', async () => {
    const { naive, rig } = await start({
      simulator: { maxResults: 20 },
      tuning: { pageSize: 15 },
      config: { subscriptions: [{ class: 'faultInst', snapshot: 'publish' }] },
      before: ({ rig }) => {
        for (let index = 0; index < 50; index++)
          rig.simulator.post(`${NODE}/sys/o-${index}/fault-F1394`, fault('F1394'))
      },
    })
    await beside.listen()
    expect((await naive.get(FAULTS)).error).toContain('too big')
    await rig.until(facts => facts.length >= 50, 'all')
    expect(new Set(rig.facts().map(fact => fact.subject)).size).toBe(50)
  })

  it('b18: pages shift while they are read', async () => {
    const { naive, rig } = await start({
      simulator: { maxResults: 20, knobs: { unstableOrder: true } },
      tuning: { pageSize: 10 },
      config: { subscriptions: [{ class: 'faultInst', snapshot: 'publish' }] },
      before: ({ rig }) => {
        for (let index = 0; index < 40; index++)
          rig.simulator.post(`${NODE}/sys/o-${index}/fault-F1394`, fault('F1394'))
      },
    })
    await beside.listen()
    const seen = new Set<string | undefined>()
    for (let page = 0; page < 4; page++) {
      const answer = await naive.get(`/api/class/faultInst.json?page=${page}&page-size=10`)
      for (const dn of column(answer.body, 'dn')) seen.add(dn)
    }
    expect(seen.size).toBeLessThan(40)
    await rig.until(facts => facts.length >= 40, 'all')
    expect(new Set(rig.facts().map(fact => fact.subject)).size).toBe(40)
  })

  it('b19, b21: a controller stops for an hour: tried for ever, and taken up again', async () => {
    const { naive, sim, clock } = await start({ config: both })
    await beside.listen()
    await sim.goDown()
    let tries = 0
    for (; tries < 8; tries++) await expect(naive.get(TENANTS)).rejects.toThrow()
    await turn(clock, 3600, 5)
    await sim.comeUp()
    sim.post('uni', tenant('blue'))
    await within(clock, 65, () => told('uni/tn-blue').length === 1, 'the tenant')
    // Sessions of before it stopped are gone; so is that of the client that gave up.
    expect((await naive.get(TENANTS)).status).toBe(403)
  })

  it('b20: a reconnect storm: whoever comes back at once is throttled, and so are all others', async () => {
    const { naive, sim, clock } = await start({ config: both, simulator: { loginsPerSecond: 2 } })
    const answers = await Promise.all(
      Array.from({ length: 10 }, () =>
        naive.post('/api/aaaLogin.json', { aaaUser: { attributes: { name: 'x', pwd: 'y' } } }),
      ),
    )
    expect(answers.filter(answer => answer.status === 503).length).toBeGreaterThanOrEqual(8)
    sim.cutSockets()
    await within(clock, 30, () => beside.isLive && beside.sessions.length === 2, 'opswire live again')
    expect(sim.record.logins.filter(login => login.user === 'admin').length).toBe(2)
  })
})

describe('b22–b26: logs, order, new parents', () => {
  it('b22: its own refreshes fill the session log that it reads', async () => {
    const { naive, sim, clock } = await start({ config: { subscriptions: [{ class: 'aaaSessionLR' }] } })
    const listener = await beside.listen()
    const id = await naive.subscribe('/api/class/aaaSessionLR.json?subscription=yes')
    for (let round = 0; round < 8; round++) {
      await turn(clock, 30)
      await naive.refresh(id)
    }
    await naive.login('naive', 'ins3965!')
    await until(() => told('naive').length > 0, 'the login of the other')
    const users = beside.rig.facts().map(fact => fact.data.actor?.user)
    expect(new Set(users)).toEqual(new Set(['naive']))
    expect(listener.frames.map(frame => first(frame)['user'])).toContain('admin')
    expect(sim.record.sessions.filter(session => session.user === 'admin').length).toBe(1)
  })

  it('b23: each controller has its own copy of an audit entry', async () => {
    const { naive, sim, rig } = await start({ config: { subscriptions: [{ class: 'aaaModLR' }] } })
    const listener = await beside.listen()
    await naive.subscribe('/api/class/aaaModLR.json?subscription=yes')
    sim.fabric.knobs.auditCopies = 3
    sim.post('uni', tenant('blue'))
    const frames = await listener.take(3)
    expect(new Set(frames.map(frame => first(frame)['dn'])).size).toBe(3)
    sim.fabric.knobs.auditCopies = 1
    sim.post('uni', tenant('last'))
    await rig.until(facts => JSON.stringify(facts).includes('tn-last'), 'the last one')
    expect(rig.facts().map(fact => fact.partitionkey)).toEqual(['uni/tn-blue', 'uni/tn-last'])
  })

  it('b24: one problem is a faultInst and a faultDelegate', async () => {
    const { naive, sim, rig } = await start({
      config: { subscriptions: [{ class: 'faultInst' }, { class: 'faultDelegate' }, { class: 'fvTenant' }] },
    })
    const listener = await beside.listen()
    await naive.subscribe(FAULTS)
    await naive.subscribe('/api/class/faultDelegate.json?subscription=yes')
    const affected = `${NODE}/sys/phys-[eth1/7]/phys`
    sim.post(`${affected}/fault-F0532`, fault('F0532', { delegated: 'yes' }))
    sim.post(`uni/tn-prod/fd-[${affected}]-fault-F0532`, {
      faultDelegate: { attributes: { affected, code: 'F0532', severity: 'major', lc: 'raised' } },
    })
    await listener.take(2)
    sim.post('uni', tenant('last'))
    await rig.until(() => told('tn-last').length === 1, 'the last')
    expect(rig.facts().flatMap(fact => (fact.data.kind === 'fault' ? [fact.data.flags] : []))).toEqual([['delegated']])
  })

  it('b25: what happens to one object while the socket comes and goes is told in its order, the last state last', async () => {
    const { naive, sim, clock, rig } = await start()
    const listener = await beside.listen()
    await naive.subscribe(FAULTS)
    const dn = `${NODE}/sys/fault-F1394`
    sim.post(dn, fault('F1394', { severity: 'warning' }))
    await rig.until(facts => facts.length === 1, 'the first')
    const severities = ['minor', 'major', 'critical'] as const
    for (const [index, severity] of severities.entries()) {
      if (index === 1) sim.cutSockets()
      sim.post(dn, { faultInst: { attributes: { severity } } })
      await turn(clock, 1)
    }
    await within(clock, 10, () => rig.facts().at(-1)?.severitytext === 'critical', 'the last state')
    const ranks = rig.facts().map(fact => fact.severitynumber)
    expect(ranks).toEqual(ranks.toSorted((a, b) => a - b))
    expect(new Set(rig.facts().map(fact => fact.id)).size).toBe(rig.facts().length)
    expect(listener.texts.length).toBe(2)
  })

  it('b26: the first child of a brand-new parent is missed', async () => {
    const { naive, sim, clock } = await start({
      simulator: { knobs: { settleMs: 5000 } },
      config: {
        reconcile_interval: '60s',
        subscriptions: [{ mo: 'uni/tn-new', query_target: 'subtree', target_subtree_class: ['fvBD'] }],
      },
      before: ({ rig }) => void rig.simulator.post('uni', tenant('new')),
    })
    const listener = await beside.listen()
    await naive.subscribe('/api/mo/uni/tn-new.json?query-target=subtree&target-subtree-class=fvBD&subscription=yes')
    sim.fabric.knobs.housekeeping = false
    sim.post('uni/tn-new', { fvBD: { attributes: { name: 'first' } } })
    await within(clock, 66, () => told('BD-first').length === 1, 'the first child')
    expect(listener.texts).toEqual([])
  })
})

describe('b27–b30: trust, releases, other users', () => {
  it('b27: a client that trusts anybody gives its password to anybody', async () => {
    const { rig, sim } = await start()
    const before = sim.record.requestsOf('login').length
    const { request } = await import('node:https')
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const body = JSON.stringify({ aaaUser: { attributes: { name: 'naive', pwd: 'ins3965!' } } })
      const path = '/api/aaaLogin.json'
      request({ host: '127.0.0.1', port: sim.port, path, method: 'POST', rejectUnauthorized: false }, response => {
        response.resume()
        resolve(response.statusCode)
      })
        .on('error', reject)
        .end(body)
    })
    expect(status).toBe(200)
    await rig.stop()
    Object.assign(rig, { config: { ...rig.config, tls: { ...rig.config.tls, ca_file: null } } })
    rig.start()
    await until(() => rig.happenings.some(one => one.type === 'source_state' && one.code === 'tls'), 'refused')
    expect(sim.record.requestsOf('login').length).toBe(before + 1)
  })

  it.each(['refused', 'ignored'] as const)('b28: refresh-timeout is %s by an older release', async support => {
    const { naive, sim, clock } = await start({
      simulator: { knobs: { refreshTimeoutSupport: support } },
      config: { subscriptions: [{ class: 'fvTenant', refresh_timeout: 600 }] },
    })
    await beside.listen()
    const answer = await naive.get(`${TENANTS}&refresh-timeout=600`)
    if (support === 'refused') expect(answer.status).toBe(400)
    else {
      await turn(clock, 200)
      expect((await naive.refresh(answer.body.subscriptionId ?? '')).status).toBe(400)
    }
    await within(clock, 300, () => beside.isLive, 'opswire live')
    const made = beside.subscriptions.length
    await turn(clock, 600)
    expect(beside.subscriptions.length).toBe(made)
    sim.post('uni', tenant('blue'))
    await until(() => told('uni/tn-blue').includes('live'), 'the tenant')
  })

  it('b29: another client of the same user logs out', async () => {
    const { naive, sim } = await start({ config: both })
    await naive.login()
    await naive.post('/api/aaaLogout.json', { aaaUser: { attributes: { name: 'admin' } } })
    expect((await naive.get(TENANTS)).status).toBe(403)
    sim.post('uni', tenant('blue'))
    await until(() => told('uni/tn-blue').includes('live'), 'the tenant')
    expect(sim.record.sessions.map(session => session.endedBy)).toEqual([undefined, 'logout'])
  })

  it('b30: the web server is away for a while, because its certificate or port was changed', async () => {
    const { naive, sim, clock } = await start({ config: both })
    const listener = await beside.listen()
    await naive.subscribe(TENANTS)
    await sim.goDown({ keepSessions: true })
    sim.post('uni', tenant('blue'))
    await expect(naive.get(TENANTS)).rejects.toThrow()
    await turn(clock, 40)
    await sim.comeUp()
    await within(clock, 65, () => told('uni/tn-blue').length === 1, 'the tenant')
    expect([listener.closed, listener.texts]).toEqual([true, []])
  })
})
