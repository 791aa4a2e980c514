import { afterEach, describe, expect, it } from 'vitest'
import { ApicRig, type ApicRigOptions, fault } from '../support/apic-source.ts'
import { until } from '../support/manual-clock.ts'

const PORT = 'topology/pod-1/node-101/sys/phys-[eth1/7]/phys'
const DN = `${PORT}/fault-F1394`

let rig: ApicRig

async function start(options?: ApicRigOptions): Promise<ApicRig> {
  rig = await ApicRig.make(options)
  return rig
}

afterEach(async () => {
  await rig.close()
})

const types = (facts: { type: string }[]): string[] => facts.map(fact => fact.type)

describe('APIC session', () => {
  it('takes a fault through its whole life, completed from the mirror', async () => {
    const { simulator } = await start()
    await rig.live(['class/faultInst'])
    simulator.post(DN, fault('F1394', { lc: 'soaking' }))
    simulator.post(DN, { faultInst: { attributes: { lc: 'raised' } } })
    simulator.post(DN, { faultInst: { attributes: { severity: 'critical' } } })
    simulator.post(DN, { faultInst: { attributes: { severity: 'cleared', lc: 'retaining' } } })
    simulator.remove(DN)
    const facts = await rig.until(all => all.some(one => one.type === 'apic.fault.cleared'), 'cleared')
    expect(types(facts)).toEqual(['apic.fault.raised', 'apic.fault.raised', 'apic.fault.changed', 'apic.fault.cleared'])
    expect(facts.map(fact => fact.data.state)).toEqual(['pending', 'firing', 'firing', 'resolved'])
    expect(facts.map(fact => fact.severitytext)).toEqual(['major', 'major', 'critical', 'critical'])
    expect(facts.every(fact => fact.origin === 'live' && fact.data.code === 'F1394')).toBe(true)
    expect(new Set(facts.map(fact => fact.data.alertKey))).toEqual(new Set([`fabric-a/${DN}`]))
  })

  it('subscribes classes, MOs and subtrees on one socket, with one cookie, and logs out at the end', async () => {
    const { simulator } = await start({
      config: {
        subscriptions: [
          { class: 'faultInst' },
          { class: 'fvTenant' },
          { mo: 'uni/tn-prod', query_target: 'subtree', target_subtree_class: ['fvAEPg', 'fvBD'] },
          { class: 'aaaModLR' },
          { class: 'eventRecord' },
        ],
      },
    })
    await rig.live(['class/faultInst', 'class/fvTenant', 'class/aaaModLR', 'class/eventRecord'])
    await until(() => simulator.subscriptionIds.length === 5, 'five subscriptions')
    simulator.post('uni/tn-prod', { fvTenant: { attributes: { name: 'prod' } } })
    simulator.post('uni/tn-prod/ap-shop/epg-web', { fvAEPg: { attributes: { name: 'web' } } })
    simulator.post('uni/tn-prod', { fvTenant: { attributes: { descr: 'changed' } } })
    await rig.until(
      all =>
        ['apic.fvTenant.created', 'apic.fvTenant.modified', 'apic.fvAEPg.created', 'apic.audit.recorded'].every(type =>
          types(all).includes(type),
        ),
      'tenant, EPG and audit',
    )
    expect(simulator.openSockets).toBe(1)
    expect(simulator.record.logins.length).toBe(1)
    await rig.stop()
    expect(simulator.record.sessions.map(session => session.endedBy)).toEqual(['logout'])
    expect(simulator.record.requests.filter(request => request.operation === 'unknown')).toEqual([])
  })

  it('does not lose a frame that comes before the subscribe answer', async () => {
    const { simulator } = await start({
      simulator: {
        knobs: {
          onSubscribed: (_, path) => {
            if (path.includes('faultInst')) simulator.post(DN, fault('F1394'))
          },
        },
      },
    })
    const facts = await rig.until(all => all.length > 0, 'the early fault')
    expect(types(facts)).toEqual(['apic.fault.raised'])
  })

  it.each([
    ['the socket is cut', () => rig.simulator.cutSockets()],
    ['the controller cuts every connection', () => rig.simulator.cut()],
    ['the session ends', () => rig.simulator.endSessions()],
  ])('finds what happened while away when %s', async (_, strike) => {
    const { simulator } = await start({
      config: { subscriptions: [{ class: 'faultInst' }, { class: 'aaaModLR' }, { class: 'fvTenant' }] },
    })
    const feeds = ['class/faultInst', 'class/aaaModLR', 'class/fvTenant']
    await rig.live(feeds)
    simulator.post(DN, fault('F1394'))
    simulator.post('uni/tn-old', { fvTenant: { attributes: { name: 'old' } } })
    await rig.until(all => all.length >= 3, 'fault, tenant and audit')
    strike()
    // The daemon can't be back before this turn of the loop ends: these pushes reach nobody.
    simulator.post(DN, { faultInst: { attributes: { severity: 'critical' } } })
    simulator.remove('uni/tn-old')
    simulator.post('uni/tn-new', { fvTenant: { attributes: { name: 'new' } } })
    await rig.live(feeds, 2)
    const facts = await rig.until(all => all.filter(one => one.origin === 'resync').length >= 5, 'five recovered facts')
    const recovered = facts.filter(fact => fact.origin === 'resync').map(fact => `${fact.type} ${fact.partitionkey}`)
    expect(recovered.toSorted()).toEqual([
      'apic.audit.recorded uni/tn-new',
      'apic.audit.recorded uni/tn-old',
      `apic.fault.changed ${DN}`,
      'apic.fvTenant.created uni/tn-new',
      'apic.fvTenant.deleted uni/tn-old',
    ])
    // Faults and audit are closed from their logs; a tenant that came and went meanwhile left no trace.
    const gaps = facts.flatMap(fact => fact.data.gap ?? [])
    expect(gaps).toMatchObject([
      { feed: 'class/fvTenant', classes: ['fvTenant'], reason: 'outage_no_history', recovered: 2 },
    ])
    expect(facts.length).toBe(9)
  })

  it('finds what happened while the daemon was stopped, from the store', async () => {
    const { simulator } = await start({ config: { subscriptions: [{ class: 'faultInst' }, { class: 'eventRecord' }] } })
    await rig.live(['class/faultInst', 'class/eventRecord'])
    simulator.post(DN, fault('F1394'))
    await rig.until(all => all.length >= 1, 'the fault')
    await rig.stop()
    simulator.remove(DN)
    await simulator.burst(50)
    const before = rig.facts().length
    rig.start()
    await rig.live(['class/faultInst', 'class/eventRecord'], 2)
    const facts = await rig.until(all => all.length >= before + 51, 'the hole closed')
    expect(facts.filter(fact => fact.type === 'apic.fault.cleared').length).toBe(1)
    expect(new Set(facts.filter(fact => fact.data.kind === 'event').map(fact => fact.id)).size).toBe(
      facts.filter(fact => fact.data.kind === 'event').length,
    )
    expect(facts.filter(fact => fact.data.summary.includes('burst')).length).toBe(50)
  })

  it('first contact tells nothing old, unless it is asked to', async () => {
    const { simulator } = await start({
      start: false,
      config: {
        subscriptions: [
          { class: 'faultInst', snapshot: 'publish' },
          { class: 'eventRecord', backfill: '1h' },
          { class: 'fvTenant' },
        ],
      },
    })
    simulator.post(DN, fault('F1394'))
    simulator.post('uni/tn-old', { fvTenant: { attributes: { name: 'old' } } })
    await simulator.burst(30)
    rig.start()
    await rig.live(['class/faultInst', 'class/eventRecord', 'class/fvTenant'])
    const facts = await rig.until(
      all => all.filter(one => one.data.summary.includes('burst')).length >= 30 && all.some(one => one.subject === DN),
      'the backfill and the fault',
    )
    expect(
      facts
        .filter(fact => fact.data.kind === 'event' && fact.data.summary.includes('burst'))
        .every(fact => fact.origin === 'backfill'),
    ).toBe(true)
    expect(facts.filter(fact => fact.data.kind === 'fault').map(fact => fact.origin)).toContain('snapshot')
    expect(types(facts)).not.toContain('apic.fvTenant.created')
  })

  it('remakes the one subscription whose refresh is refused, and leaves the rest alone', async () => {
    const { simulator } = await start({
      config: { subscriptions: [{ class: 'faultInst' }, { class: 'fvTenant' }, { class: 'aaaModLR' }] },
      tuning: { subscriptionLifeMs: 900 },
    })
    await rig.live(['class/faultInst', 'class/fvTenant', 'class/aaaModLR'])
    const victim = simulator.record.subscriptions.find(subscription => subscription.path.includes('fvTenant'))
    simulator.expireSubscription(victim?.id ?? '')
    simulator.post('uni/tn-missed', { fvTenant: { attributes: { name: 'missed' } } })
    await rig.live(['class/fvTenant'], 2)
    const facts = await rig.until(all => types(all).includes('apic.fvTenant.created'), 'the missed tenant')
    expect(facts.find(fact => fact.type === 'apic.fvTenant.created')?.origin).toBe('resync')
    expect(simulator.record.sessions.length).toBe(1)
    expect(simulator.record.subscriptions.length).toBe(4)
  })

  it('notices a subscription that is refreshed and mute, by the canary', async () => {
    const { simulator } = await start({
      config: { subscriptions: [{ class: 'eventRecord' }], canary_interval: '1s' },
      tuning: { canaryGraceMs: 50 },
    })
    await rig.live(['class/eventRecord'])
    simulator.mute(simulator.subscriptionIds[0])
    await simulator.burst(3)
    await rig.live(['class/eventRecord'], 2)
    const facts = await rig.until(all => all.length >= 3, 'the records that were not pushed')
    expect(facts.every(fact => fact.origin === 'resync')).toBe(true)
    expect(simulator.record.sessions.length).toBe(1)
  })

  it('takes the new token after a refresh, and the socket stays', async () => {
    const { simulator } = await start({ simulator: { refreshTimeoutSeconds: 3, knobs: { oldTokenSeconds: 0 } } })
    await rig.live(['class/faultInst'])
    await until(() => (simulator.record.sessions[0]?.refreshedAt.length ?? 0) >= 3, 'three refreshes')
    simulator.post(DN, fault('F1394'))
    await rig.until(all => all.length === 1, 'the fault')
    expect(simulator.record.sockets.length).toBe(1)
    expect(simulator.record.lapsedSessions).toEqual([])
  })

  it('opens a successor before the maximum lifetime: no event lost, none twice', async () => {
    const { simulator } = await start({
      simulator: { maximumLifetimeSeconds: 10 },
      config: { subscriptions: [{ class: 'faultInst' }, { class: 'eventRecord' }] },
    })
    await rig.live(['class/faultInst', 'class/eventRecord'])
    let number = 0
    await until(
      () => {
        simulator.emit('eventRecord', { descr: `beat ${++number}` })
        return simulator.record.sessions.length >= 3
      },
      'two successors',
      40_000,
    )
    await rig.until(all => all.filter(one => one.data.summary.includes('beat')).length >= number, 'every beat')
    const beats = rig.facts().filter(fact => fact.data.summary.includes('beat'))
    expect(beats.length).toBe(number)
    const { sessions, subscriptions } = simulator.record
    expect(sessions.filter(session => session.endedBy === 'lifetime')).toEqual([])
    // Make before break: when a session said goodbye, its successor had everything subscribed.
    for (const [index, session] of sessions.entries()) {
      const next = sessions[index + 1]
      if (session.endedAt === undefined || next === undefined) continue
      const made = subscriptions.filter(one => one.sessionId === next.id && one.createdAt <= (session.endedAt ?? 0))
      expect(made.length).toBe(2)
    }
  })

  it('keeps junk frames as dead letters and goes on', async () => {
    const { simulator } = await start()
    await rig.live(['class/faultInst'])
    simulator.inject('{"subscriptionId":["1"],"imdata":[{')
    simulator.post(DN, fault('F1394'))
    await rig.until(all => all.length === 1, 'the fault')
    await until(() => rig.store.deadLetters(10).length === 1, 'the dead letter')
    expect(rig.store.deadLetters(10)[0]?.content).toBe('{"subscriptionId":["1"],"imdata":[{')
    expect(simulator.record.sessions.length).toBe(1)
  })

  it('waits out a controller that answers 503 with a page', async () => {
    const { simulator } = await start({ start: false })
    const restore = simulator.fail({ operation: 'subscribe', times: 2, failure: { kind: 'html' } })
    rig.start()
    await rig.live(['class/faultInst'])
    restore()
    expect(simulator.record.sessions.length).toBe(1)
  })

  it('goes to the next controller, and stays there', async () => {
    await start({ start: false })
    const config = { ...rig.config, controllers: ['https://127.0.0.1:9', ...rig.config.controllers] }
    Object.assign(rig, { config })
    rig.start()
    await rig.live(['class/faultInst'])
    rig.simulator.cutSockets()
    await rig.live(['class/faultInst'], 2)
    const used = rig.happenings.flatMap(happening => (happening.type === 'controller' ? [happening.address] : []))
    expect(used).toEqual(['https://127.0.0.1:9', rig.simulator.url, rig.simulator.url])
  })

  it('speaks XML as well', async () => {
    const { simulator } = await start({
      config: { format: 'xml', subscriptions: [{ class: 'faultInst' }, { class: 'fvTenant' }] },
    })
    await rig.live(['class/faultInst', 'class/fvTenant'])
    simulator.post(DN, fault('F1394'))
    simulator.post('uni/tn-x', { fvTenant: { attributes: { name: 'x' } } })
    const facts = await rig.until(all => all.length >= 2, 'both')
    expect(types(facts).sort()).toEqual(['apic.fault.raised', 'apic.fvTenant.created'])
  })

  it.each(['header', 'url'])('carries a challenge token by %s', async how => {
    const { simulator } = await start({ config: { challenge_token: how, login_domain: 'LOCAL' } })
    await rig.live(['class/faultInst'])
    simulator.post(DN, fault('F1394'))
    await rig.until(all => all.length === 1, 'the fault')
    await rig.stop()
    expect(simulator.record.sessions.map(session => session.endedBy)).toEqual(['logout'])
  })

  it('refused credentials: one login, then it waits', async () => {
    const { simulator } = await start({ config: { password: 'wrong' } })
    await until(() => rig.happenings.some(one => one.type === 'source_state' && one.code === 'auth_refused'), 'refused')
    expect(simulator.record.logins.length).toBe(1)
    const waits = rig.happenings.flatMap(one =>
      one.type === 'source_state' && one.state === 'down' ? [one.retryInMs] : [],
    )
    expect(waits).toEqual([300_000])
    expect(JSON.stringify(rig.happenings)).not.toContain('wrong')
  })

  it('trusts no stranger: certificate not signed by the CA, wrong pin, right pin', async () => {
    await start({ start: false })
    const fingerprint = (await import('node:crypto')).createHash('sha256')
    const { certificate } = await import('../support/apic-source.ts')
    const der = Buffer.from(certificate.cert.replace(/-----[^-]+-----|\s/g, ''), 'base64')
    const good = fingerprint.update(der).digest('hex')
    for (const tls of [
      { ca_file: null, verify: true, fingerprint_sha256: null },
      { ca_file: null, verify: true, fingerprint_sha256: 'ab'.repeat(32) },
    ]) {
      Object.assign(rig, { config: { ...rig.config, tls } })
      const seen = rig.happenings.length
      rig.start()
      await until(
        () => rig.happenings.slice(seen).some(one => one.type === 'source_state' && one.code === 'tls'),
        'refused',
      )
      await rig.stop()
    }
    expect(rig.simulator.record.logins).toEqual([])
    Object.assign(rig, { config: { ...rig.config, tls: { ca_file: null, verify: true, fingerprint_sha256: good } } })
    rig.start()
    await rig.live(['class/faultInst'])
  })
})

describe('what is watched without being told', () => {
  it('health of the configured scopes and the audit log as a canary: gauges move, nothing is published', async () => {
    const { simulator } = await start({ config: { health_scopes: ['topology'], canary_interval: '1s' } })
    await rig.live(['class/faultInst', 'health/topology', 'canary/aaaModLR'])
    simulator.post('topology/health', { healthInst: { attributes: { cur: '71', prev: '95' } } })
    simulator.post(DN, fault('F1394'))
    await rig.until(all => all.length > 0, 'the fault')
    const { health, faults } = rig.gauges
    expect(health).toEqual([{ scope: 'topology', score: 71 }])
    expect(faults).toEqual([{ severity: 'major', state: 'firing', count: 1 }])
    await until(() => rig.happenings.some(one => one.type === 'request' && one.operation === 'canary'), 'the canary')
    expect(types(rig.facts())).toEqual(['apic.fault.raised'])
  })
})
