/** Ways to lose an event silently, each seen once in review: none of them may come back. */
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/scheduler/clock.ts'
import { startApicSimulator } from '../../src/simulators/apic/controller.ts'
import { ApicRig, type ApicRigOptions, certificate, fault } from '../support/apic-source.ts'
import { until } from '../support/manual-clock.ts'

const NODE = 'topology/pod-1/node-101/sys'

let rig: ApicRig

async function start(options?: ApicRigOptions): Promise<ApicRig> {
  rig = await ApicRig.make(options)
  return rig
}

afterEach(async () => {
  await rig.close()
})

const types = (): string[] => rig.facts().map(fact => fact.type)

describe('the mirror', () => {
  it('never runs ahead of what was told: a socket cut in the middle of a large resync loses nothing', async () => {
    const { simulator } = await start()
    await rig.live(['class/faultInst'])
    const well = simulator.fail({ operation: 'subscribe', failure: { kind: 'html' } })
    simulator.cutSockets()
    for (let index = 0; index < 3000; index++) simulator.post(`${NODE}/obj-${index}/fault-F1394`, fault('F1394'))
    well()
    // Strikes as soon as the first of them are stored: the comparison is under way.
    await until(() => rig.store.stats().lastSeq > 20, 'the resync under way')
    simulator.cutSockets()
    await until(() => rig.facts().length >= 3000, 'all faults', 40_000)
    expect(new Set(rig.facts().map(fact => fact.subject)).size).toBe(3000)
  })

  it('tells an endpoint that goes and comes back exactly as it was, each time', async () => {
    const { simulator } = await start({ config: { subscriptions: [{ class: 'fvCEp' }] } })
    await rig.live(['class/fvCEp'])
    const dn = 'uni/tn-prod/ap-shop/epg-web/cep-00:11:22:33:44:55'
    for (let round = 0; round < 3; round++) {
      simulator.post(dn, { fvCEp: { attributes: { mac: '00:11:22:33:44:55', ip: '192.0.2.9', modTs: 'never' } } })
      simulator.remove(dn)
      await rig.until(all => all.length >= 2 * (round + 1), 'a coming and a going')
      // The fabric stamps to the millisecond: what comes back within the same one can't be told from a late frame.
      const stamp = Date.now()
      await until(() => Date.now() > stamp + 1, 'the next millisecond')
    }
    expect(types().filter(type => type === 'apic.fvCEp.created').length).toBe(3)
    expect(types().filter(type => type === 'apic.fvCEp.deleted').length).toBe(3)
  })
})

describe('two sockets of a hand-over', () => {
  it('a life that the slower one tells after its end is old news', async () => {
    const { simulator } = await start()
    await rig.live(['class/faultInst'])
    const dn = `${NODE}/z/fault-F1394`
    const id = simulator.record.subscriptions.find(one => one.path.includes('faultInst'))?.id ?? ''
    const frame = (status: string, more: object = {}) =>
      JSON.stringify({ subscriptionId: [id], imdata: [{ faultInst: { attributes: { dn, rn: '', status, ...more } } }] })
    const at = '2026-11-22T10:00:00.000+00:00'
    const born = { code: 'F1394', severity: 'major', lc: 'raised', created: at, lastTransition: at, modTs: 'never' }
    for (let socket = 0; socket < 2; socket++) {
      simulator.inject(frame('created', born))
      simulator.inject(frame('deleted', { modTs: 'never' }))
    }
    simulator.post(`${NODE}/last/fault-F0001`, fault('F0001'))
    const facts = await rig.until(all => all.some(fact => fact.data.code === 'F0001'), 'the last one')
    expect(facts.filter(fact => fact.subject === dn).map(fact => fact.type)).toEqual([
      'apic.fault.raised',
      'apic.fault.cleared',
    ])
  })
})

describe('a log class', () => {
  it('asks again for a push that never came, though later ones did', async () => {
    const { simulator } = await start({
      config: { subscriptions: [{ class: 'eventRecord' }], reconcile_interval: '1s' },
    })
    await rig.live(['class/eventRecord'])
    const [id = ''] = simulator.subscriptionIds
    simulator.emit('eventRecord', { descr: 'one' })
    simulator.mute(id)
    simulator.emit('eventRecord', { descr: 'two' })
    simulator.unmute(id)
    simulator.emit('eventRecord', { descr: 'three' })
    const facts = await rig.until(all => all.length >= 3, 'all three')
    expect(facts.map(fact => fact.data.summary.split(':')[0]).toSorted()).toEqual(['one', 'three', 'two'])
    expect(simulator.record.subscriptions.length).toBe(1)
  })

  it('is not led astray by a record from a clock that is ahead', async () => {
    const { simulator } = await start({ config: { subscriptions: [{ class: 'eventRecord' }] } })
    await rig.live(['class/eventRecord'])
    simulator.emit('eventRecord', { descr: 'tomorrow', created: new Date(Date.now() + 86_400_000).toISOString() })
    await rig.until(all => all.length === 1, 'the record of tomorrow')
    simulator.cutSockets()
    for (let index = 0; index < 5; index++) simulator.emit('eventRecord', { descr: `in the hole ${index}` })
    await rig.live(['class/eventRecord'], 2)
    await rig.until(all => all.length >= 6, 'the five of the hole')
  })

  it('is not called mute after a reconnect because nothing new was written', async () => {
    const { simulator } = await start({
      start: false,
      config: { subscriptions: [{ class: 'eventRecord' }], canary_interval: '1s' },
      tuning: { canaryGraceMs: 50 },
    })
    simulator.emit('eventRecord', { descr: 'long ago', created: new Date(Date.now() - 3_600_000).toISOString() })
    rig.start()
    await rig.live(['class/eventRecord'])
    simulator.cutSockets()
    await rig.live(['class/eventRecord'], 2)
    const canaries = () => rig.happenings.filter(one => one.type === 'request' && one.operation === 'canary').length
    const before = canaries()
    await until(() => canaries() >= before + 3, 'three canaries')
    expect(simulator.record.sessions.length).toBe(2)
    expect(simulator.record.subscriptions.length).toBe(2)
  })

  it('keeps a healthy subscription when only the canary question fails', async () => {
    const { simulator } = await start({ config: { subscriptions: [{ class: 'eventRecord' }], canary_interval: '1s' } })
    await rig.live(['class/eventRecord'])
    simulator.fail({ operation: 'query', path: /eventRecord/, times: 2, failure: { kind: 'html' } })
    const canaries = () => rig.happenings.filter(one => one.type === 'request' && one.operation === 'canary')
    await until(
      () => canaries().filter(one => one.type === 'request' && one.result === 'ok').length >= 1,
      'a good one again',
    )
    expect(canaries().some(one => one.type === 'request' && one.result === 'throttled')).toBe(true)
    expect(simulator.record.subscriptions.length).toBe(1)
    expect(rig.feedStates('class/eventRecord')).toEqual(['starting', 'live'])
  })
})

describe('subscriptions that overlap', () => {
  it('that differ only in their filter are two, and each gets its own', async () => {
    const { simulator } = await start({
      config: {
        subscriptions: [
          { class: 'faultInst', filter: { eq: ['faultInst.severity', 'critical'] } },
          { class: 'faultInst', filter: { eq: ['faultInst.code', 'F1394'] } },
        ],
      },
    })
    await until(() => simulator.subscriptionIds.length === 3, 'two subscriptions and the canary')
    await until(
      () => rig.happenings.filter(one => one.type === 'feed_state' && one.state === 'live').length === 3,
      'live',
    )
    simulator.post(`${NODE}/a/fault-F1394`, fault('F1394', { severity: 'minor' }))
    simulator.post(`${NODE}/b/fault-F0002`, fault('F0002', { severity: 'critical' }))
    simulator.post(`${NODE}/c/fault-F0003`, fault('F0003', { severity: 'minor' }))
    simulator.post(`${NODE}/d/fault-F1394`, fault('F1394', { severity: 'critical' }))
    const facts = await rig.until(all => all.length >= 3, 'three faults')
    expect(facts.map(fact => fact.subject.slice(NODE.length))).toEqual([
      '/a/fault-F1394',
      '/b/fault-F0002',
      '/d/fault-F1394',
    ])
  })

  it('each publish their part of the first snapshot', async () => {
    const { simulator } = await start({
      start: false,
      config: {
        subscriptions: [
          { class: 'faultInst', filter: { eq: ['faultInst.severity', 'critical'] }, snapshot: 'publish' },
          { class: 'faultInst', filter: { eq: ['faultInst.code', 'F1394'] }, snapshot: 'publish' },
        ],
      },
    })
    simulator.post(`${NODE}/a/fault-F1394`, fault('F1394', { severity: 'minor' }))
    simulator.post(`${NODE}/b/fault-F0002`, fault('F0002', { severity: 'critical' }))
    rig.start()
    const facts = await rig.until(all => all.length >= 2, 'both faults')
    expect(facts.map(fact => fact.subject.slice(NODE.length)).toSorted()).toEqual(['/a/fault-F1394', '/b/fault-F0002'])
  })

  it('one with a filter does not hide objects from one without', async () => {
    const { simulator } = await start({
      config: {
        subscriptions: [
          { class: 'fvTenant', filter: { eq: ['fvTenant.name', 'blue'] } },
          { mo: 'uni', query_target: 'subtree', target_subtree_class: ['fvTenant', 'fvBD'] },
        ],
      },
    })
    await until(
      () => rig.happenings.filter(one => one.type === 'feed_state' && one.state === 'live').length >= 2,
      'live',
    )
    simulator.post('uni/tn-red', { fvTenant: { attributes: { name: 'red' } } })
    await rig.until(all => all.some(fact => fact.subject === 'uni/tn-red'), 'the red tenant')
    simulator.cutSockets()
    simulator.post('uni/tn-green', { fvTenant: { attributes: { name: 'green' } } })
    await rig.until(all => all.some(fact => fact.subject === 'uni/tn-green'), 'the green tenant, found by the resync')
    expect(rig.facts().filter(fact => fact.type === 'apic.fvTenant.created').length).toBe(2)
  })
})

describe('an object that was only pushed in part', () => {
  it('is asked for whole, and what comes meanwhile waits its turn', async () => {
    const dn = `${NODE}/x/fault-F1394`
    const { simulator } = await start()
    await rig.live(['class/faultInst'])
    const id =
      simulator.subscriptionIds.find(one =>
        simulator.record.subscriptions.some(sub => sub.id === one && sub.path.includes('faultInst')),
      ) ?? ''
    simulator.mute(id)
    simulator.post(dn, fault('F1394'))
    simulator.unmute(id)
    simulator.fail({ operation: 'query', path: /fault-F1394/, times: 1, failure: { kind: 'slow', ms: 150 } })
    simulator.post(dn, { faultInst: { attributes: { severity: 'critical' } } })
    simulator.remove(dn)
    await rig.until(all => all.some(fact => fact.type === 'apic.fault.cleared'), 'the end')
    const last = rig.facts().at(-1)
    expect(last?.data.state).toBe('resolved')
    // What is kept of it is that it ended.
    expect(rig.store.mirror('fabric-a').get(dn)?.attributes['status']).toBe('deleted')
  })
})

describe('a snapshot in pages', () => {
  it('does not take a row that slipped between two pages for gone', async () => {
    const { simulator } = await start({
      config: { reconcile_interval: '1s' },
      simulator: { maxResults: 20 },
      tuning: { pageSize: 10 },
    })
    for (let index = 10; index < 45; index++) simulator.post(`${NODE}/p-${index}/fault-F1394`, fault('F1394'))
    await rig.live(['class/faultInst'])
    await until(() => [...rig.store.mirror('fabric-a').values()].length >= 35, 'the mirror')
    let removed = 9
    const paged = () => rig.simulator.record.requests.filter(one => one.path.includes('page=1')).length
    for (let round = 0; round < 3; round++) {
      const before = paged()
      await until(() => paged() > before, 'a second page')
      removed++
      simulator.remove(`${NODE}/p-${removed}/fault-F1394`)
    }
    await rig.until(all => all.filter(fact => fact.type === 'apic.fault.cleared').length >= 3, 'three ends')
    const ends = rig.facts().map(fact => `${fact.type} ${fact.subject.slice(NODE.length)}`)
    expect(ends.filter(line => line.startsWith('apic.fault.cleared'))).toEqual(
      [10, 11, 12].map(index => `apic.fault.cleared /p-${index}/fault-F1394`),
    )
    expect(
      ends.filter(line => line.startsWith('apic.fault.raised') && rig.facts().some(fact => fact.origin === 'resync')),
    ).toEqual([])
  })
})

describe('a controller that is of no use', () => {
  it('is left for the next one: login and socket work, subscribing does not', async () => {
    await start({ start: false })
    const sick = rig.simulator
    const well = await startApicSimulator({ time: systemClock, certificate, loginsPerSecond: Number.POSITIVE_INFINITY })
    try {
      const text = 'Subscription request failed, unable to locate opened web socket. Please re-login to the application'
      sick.fail({ operation: 'subscribe', failure: { kind: 'error', status: 405, code: '405', text } })
      Object.assign(rig, { config: { ...rig.config, controllers: [sick.url, well.url] } })
      rig.start()
      await rig.live(['class/faultInst'])
      expect(sick.record.sessions.length).toBe(1)
      expect(well.record.sessions.length).toBe(1)
      await rig.stop()
    } finally {
      await well.close()
    }
  })

  it('does not hang on a frame that comes before anybody listens', async () => {
    const { simulator } = await start({ start: false })
    let injected = 0
    const well = simulator.fail({ operation: 'query', path: /info/, failure: { kind: 'slow', ms: 50 } })
    simulator.fail({ operation: 'query', path: /info/, times: 1, failure: { kind: 'html' } })
    rig.start()
    await until(() => {
      if (simulator.openSockets > 0 && injected === 0) {
        simulator.inject('junk')
        injected++
      }
      return injected > 0
    }, 'a frame before the session is open')
    well()
    await rig.live(['class/faultInst'])
  })
})
