/** Catching up when something goes wrong on the way: the hole keeps its beginning, and nothing old is told as news. */
import { afterEach, describe, expect, it } from 'vitest'
import { ApicRig, type ApicRigOptions, fault } from '../support/apic-source.ts'
import { ManualClock, until } from '../support/manual-clock.ts'
import { turn, within } from '../support/turning.ts'

const NODE = 'topology/pod-1/node-101/sys'
const FAULT = `${NODE}/a/fault-F1394`
const ENDPOINT = 'uni/tn-prod/ap-shop/epg-web/cep-00:11:22:33:44:55'

let rig: ApicRig

async function start(options: ApicRigOptions): Promise<ApicRig> {
  rig = await ApicRig.make(options)
  return rig
}

afterEach(async () => {
  await rig.close()
})

const requests = (path: RegExp): number => rig.simulator.record.requests.filter(one => path.test(one.path)).length
const lives = (feed: string): number => rig.feedStates(feed).filter(state => state === 'live').length
const gapsOf = (feed: string) => rig.facts().flatMap(fact => (fact.data.gap?.feed === feed ? [fact.data.gap] : []))
const told = (subject: string) => rig.facts().filter(fact => fact.subject === subject)

function tenant(name: string, more: Record<string, string> = {}): void {
  rig.simulator.post(`uni/tn-${name}`, { fvTenant: { attributes: { name, ...more } } })
}

function endpoint(dn: string): void {
  rig.simulator.post(dn, { fvCEp: { attributes: { mac: dn.slice(-17), ip: '192.0.2.9', modTs: 'never' } } })
}

describe('a hole', () => {
  it('keeps its beginning when the first catch-up fails, whatever was pushed and held back meanwhile', async () => {
    const clock = new ManualClock()
    const { simulator } = await start({
      clock,
      start: false,
      simulator: { maxResults: 3 },
      tuning: { pageSize: 3 },
      config: { subscriptions: [{ class: 'fvTenant' }, { class: 'fvCEp' }] },
    })
    for (const name of ['one', 'two', 'three', 'four']) tenant(name)
    rig.start()
    await within(clock, 30, () => lives('class/fvTenant') === 1 && lives('class/fvCEp') === 1, 'live')
    await turn(clock, 20)
    const cutMs = clock.wall()
    const pages = /class\/fvTenant.*&page=0&page-size=3/
    const before = requests(pages)
    const well = simulator.fail({ operation: 'query', path: pages, failure: { kind: 'html' } })
    simulator.cutSockets()
    await within(clock, 60, () => lives('class/fvCEp') === 2 && requests(pages) > before, 'the first catch-up')
    await turn(clock, 20)
    tenant('two', { descr: 'pushed, and held back' })
    endpoint(ENDPOINT)
    await within(clock, 30, () => told(ENDPOINT).length === 1, 'what was pushed after it')
    simulator.cutSockets()
    well()
    await within(clock, 120, () => lives('class/fvTenant') === 2, 'the second catch-up')
    await within(clock, 30, () => gapsOf('class/fvTenant').length > 0, 'the gap')
    const gaps = gapsOf('class/fvTenant')
    expect(gaps.length).toBe(1)
    expect(Date.parse(gaps[0]?.from ?? '')).toBeLessThanOrEqual(cutMs)
    expect(Date.parse(gaps[0]?.to ?? '')).toBeGreaterThan(cutMs)
  })

  it('of a deaf subscription begins when it was last heard whole, also when it is made anew at the second try', async () => {
    const clock = new ManualClock()
    const { simulator } = await start({
      clock,
      config: { reconcile_interval: '1m', subscriptions: [{ class: 'fvCEp' }] },
    })
    await within(clock, 30, () => lives('class/fvCEp') === 1, 'live')
    await turn(clock, 5)
    const deafMs = clock.wall()
    const id = simulator.record.subscriptions.find(one => one.path.includes('fvCEp'))?.id
    simulator.mute(id)
    endpoint(ENDPOINT)
    simulator.unmute(id)
    await turn(clock, 5)
    // It hears others, and so it seems to be well.
    const other = `${ENDPOINT.slice(0, -2)}66`
    endpoint(other)
    await within(clock, 30, () => told(other).length === 1, 'the endpoint that was pushed')
    simulator.fail({ operation: 'subscribe', path: /fvCEp/, times: 1, failure: { kind: 'html' } })
    await within(clock, 300, () => lives('class/fvCEp') === 2, 'made anew')
    await within(clock, 30, () => gapsOf('class/fvCEp').length > 0, 'the gap')
    expect(rig.feedStates('class/fvCEp')).toEqual([
      'starting',
      'live',
      'lost',
      'resyncing',
      'lost',
      'resyncing',
      'live',
    ])
    expect(told(ENDPOINT).map(fact => fact.type)).toEqual(['apic.fvCEp.created'])
    expect(Date.parse(gapsOf('class/fvCEp')[0]?.from ?? '')).toBeLessThanOrEqual(deafMs)
  })
})

describe('a catch-up whose subscription was lost', () => {
  it('tells nothing any more: its successor has the newer snapshot', async () => {
    const clock = new ManualClock()
    const { simulator } = await start({
      clock,
      simulator: { subscriptionSeconds: 15 },
      tuning: { subscriptionLifeMs: 15_000 },
    })
    const describeAs = (descr: string) => simulator.post(FAULT, { faultInst: { attributes: { descr } } })
    const subscribed = () => simulator.record.subscriptions.filter(one => one.path.includes('faultInst'))
    await within(clock, 30, () => lives('class/faultInst') === 1, 'live')
    simulator.post(FAULT, fault('F1394', { descr: 'as it is' }))
    await within(clock, 30, () => told(FAULT).length === 1, 'raised')
    const log = /faultRecord/
    const before = requests(log)
    // Long enough for the next one to find the loss, and to be live.
    simulator.fail({ operation: 'query', path: log, times: 1, failure: { kind: 'slow', ms: 25_000 } })
    simulator.cutSockets()
    describeAs('for a moment only')
    await within(clock, 20, () => subscribed().length === 2 && requests(log) > before, 'its first read')
    expect(simulator.expireSubscription(subscribed()[1]?.id ?? '')).toBe(true)
    describeAs('as it is')
    expect(await within(clock, 20, () => lives('class/faultInst') === 2, 'live again')).toBeLessThan(20)
    await turn(clock, 40)
    const other = `${NODE}/b/fault-F1394`
    simulator.post(other, fault('F1394'))
    await within(clock, 30, () => told(other).length === 1, 'another fault')
    expect(told(FAULT).map(fact => `${fact.type} ${fact.data.description}`)).toEqual(['apic.fault.raised as it is'])
    expect(rig.store.mirror('fabric-a').get(FAULT)?.attributes['descr']).toBe('as it is')
  })
})

describe('a first read of a log', () => {
  it('that fails is no purge: the next one reads all of it', async () => {
    const { simulator } = await start({
      start: false,
      config: { subscriptions: [{ class: 'eventRecord', backfill: '1h' }] },
    })
    const texts = ['one', 'two', 'three', 'four', 'five']
    for (const descr of texts) simulator.emit('eventRecord', { affected: NODE, descr })
    const garbage = { kind: 'garbage', text: '{"imdata":' } as const
    simulator.fail({ operation: 'query', path: /eventRecord/, times: 1, failure: garbage })
    rig.start()
    await rig.live(['class/eventRecord'])
    expect(rig.feedStates('class/eventRecord')).toContain('lost')
    simulator.emit('eventRecord', { affected: NODE, descr: 'live' })
    const facts = await rig.until(all => all.some(fact => fact.data.summary.startsWith('live')), 'the next record')
    expect(facts.map(fact => fact.data.gap?.reason ?? `${fact.data.summary.split(':')[0]} ${fact.origin}`)).toEqual([
      ...texts.map(descr => `${descr} backfill`),
      'live live',
    ])
  })
})

describe('a life of a fault', () => {
  it('is not told again after a day, when its end is forgotten and its log stayed quiet since', async () => {
    const clock = new ManualClock()
    const { simulator } = await start({
      clock,
      config: { reconcile_interval: '1m', subscriptions: [{ class: 'faultInst' }, { class: 'fvCEp' }] },
    })
    const areLive = (times: number) => (): boolean => lives('class/faultInst') >= times && lives('class/fvCEp') >= times
    const reads = async (count: number): Promise<void> => {
      const before = requests(/faultRecord/)
      await within(clock, 600, () => requests(/faultRecord/) >= before + count, 'reads of the log of faults')
    }
    await within(clock, 30, areLive(1), 'live')
    endpoint(ENDPOINT)
    simulator.post(FAULT, fault('F1394'))
    await turn(clock, 5)
    simulator.post(FAULT, { faultInst: { attributes: { severity: 'cleared', lc: 'retaining' } } })
    await turn(clock, 5)
    simulator.remove(FAULT)
    await within(clock, 30, () => told(FAULT).length === 2 && told(ENDPOINT).length === 1, 'all of its life')
    await reads(3)
    await rig.stop()
    await clock.advance(26 * 3_600_000)
    rig.start()
    await within(clock, 60, areLive(2), 'live a day later')
    await reads(2)
    // To learn of an end is the moment to forget the old ones.
    simulator.remove(ENDPOINT)
    await within(clock, 60, () => told(ENDPOINT).length === 2, 'an end')
    await until(() => rig.store.mirror('fabric-a').get(FAULT) === undefined, 'the end of the fault forgotten')
    await reads(3)
    expect(told(FAULT).map(fact => `${fact.type} ${fact.origin}`)).toEqual([
      'apic.fault.raised live',
      'apic.fault.cleared live',
    ])
  })
})

describe('a controller whose clock is 3 s ahead', () => {
  it('is told once of a fault that is raised while the log is read', async () => {
    const clock = new ManualClock()
    const { simulator } = await start({ clock, start: false })
    simulator.knobs.clockAheadMs = 3000
    rig.start()
    await within(clock, 30, () => lives('class/faultInst') === 1, 'live')
    // Past the time at which, by that clock, it was first looked at.
    await turn(clock, 10)
    simulator.post(FAULT, fault('F1394'))
    await within(clock, 30, () => told(FAULT).length === 1, 'the first')
    await turn(clock, 10)
    const log = /faultRecord/
    const before = requests(log)
    const well = simulator.fail({ operation: 'query', path: log, failure: { kind: 'html' } })
    simulator.cutSockets()
    await within(clock, 30, () => requests(log) > before, 'subscribed, and reading')
    const dn = `${NODE}/b/fault-F1394`
    simulator.post(dn, fault('F1394'))
    well()
    await within(clock, 60, () => lives('class/faultInst') === 2, 'live again')
    const last = `${NODE}/z/fault-F1394`
    simulator.post(last, fault('F1394'))
    await within(clock, 30, () => told(last).length === 1, 'the last')
    expect(told(dn).map(fact => fact.type)).toEqual(['apic.fault.raised'])
  })
})
