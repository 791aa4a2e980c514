/** Holes at their edges: what happens while the question is on its way, what a log does not hold yet, what it no longer does. */
import { afterEach, describe, expect, it } from 'vitest'
import { ApicRig, type ApicRigOptions, fault } from '../support/apic-source.ts'
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

/** The fabric stamps to the millisecond, and our idea of its clock is a few off: steps keep this distance. */
async function apart(): Promise<void> {
  const stamp = performance.now()
  await until(() => performance.now() > stamp + 40, 'a few ms')
}

const requests = (path: RegExp): number => rig.simulator.record.requests.filter(one => path.test(one.path)).length

describe('faultInst', () => {
  it('tells what a fault did between the question for the snapshot and its answer', async () => {
    const { simulator } = await start()
    await rig.live(['class/faultInst'])
    simulator.post(`${NODE}/a/fault-F1394`, fault('F1394'))
    await rig.until(all => all.length === 1, 'the first fault')
    const before = requests(/faultInst.*subscription/)
    simulator.fail({ operation: 'subscribe', path: /faultInst/, times: 1, failure: { kind: 'slow', ms: 500 } })
    simulator.cutSockets()
    await until(() => requests(/faultInst.*subscription/) > before, 'the question')
    await apart()
    // All of this is over when the snapshot is taken, and it begins after the snapshot was asked for.
    simulator.post(`${NODE}/b/fault-F1394`, fault('F1394', { lc: 'soaking' }))
    await apart()
    simulator.post(`${NODE}/b/fault-F1394`, { faultInst: { attributes: { lc: 'raised' } } })
    simulator.post(`${NODE}/c/fault-F1394`, fault('F1394'))
    await apart()
    simulator.remove(`${NODE}/c/fault-F1394`)
    await rig.live(['class/faultInst'], 2)
    simulator.post(`${NODE}/z/fault-F1394`, fault('F1394'))
    await rig.until(all => all.some(one => one.subject.includes('/z/')), 'the last')
    const told = rig
      .facts()
      .map(one => `${one.type} ${one.data.state} ${one.subject.slice(NODE.length, NODE.length + 2)}`)
    expect(told.toSorted()).toEqual([
      'apic.fault.cleared resolved /c',
      'apic.fault.raised firing /a',
      'apic.fault.raised firing /b',
      'apic.fault.raised firing /c',
      'apic.fault.raised firing /z',
      'apic.fault.raised pending /b',
    ])
  })

  it('tells no life of a fault twice when the log is behind with its end', async () => {
    const dn = `${NODE}/a/fault-F1394`
    const { simulator } = await start({ config: { reconcile_interval: '1s' } })
    await rig.live(['class/faultInst'])
    simulator.post(dn, fault('F1394', { severity: 'critical' }))
    await apart()
    simulator.remove(dn)
    await apart()
    simulator.post(dn, fault('F1394', { lc: 'soaking' }))
    await apart()
    simulator.post(dn, { faultInst: { attributes: { lc: 'raised' } } })
    await apart()
    simulator.fabric.knobs.faultRecordDelayMs = 60_000
    simulator.post(dn, { faultInst: { attributes: { severity: 'cleared', lc: 'retaining' } } })
    await apart()
    simulator.remove(dn)
    await rig.until(all => all.length >= 5, 'all five')
    const before = requests(/faultRecord.*asc/)
    await until(() => requests(/faultRecord.*asc/) >= before + 3, 'some reconciles')
    expect(rig.facts().map(one => `${one.type} ${one.data.state} ${one.origin}`)).toEqual([
      'apic.fault.raised firing live',
      'apic.fault.cleared resolved live',
      'apic.fault.raised pending live',
      'apic.fault.raised firing live',
      'apic.fault.cleared resolved live',
    ])
  })
})

describe('a log that was empty at first contact', () => {
  it('is purged in a hole: that is told', async () => {
    const { simulator } = await start({ config: { subscriptions: [{ class: 'eventRecord' }] } })
    await rig.live(['class/eventRecord'])
    simulator.emit('eventRecord', { descr: 'pushed' })
    await rig.until(all => all.length === 1, 'the pushed one')
    const well = simulator.fail({ operation: 'login', failure: { kind: 'html' } })
    simulator.cutSockets()
    simulator.emit('eventRecord', { descr: 'lost' })
    await apart()
    simulator.fabric.logs.purge('eventRecord', 10)
    simulator.emit('eventRecord', { descr: 'left' })
    well()
    const facts = await rig.until(all => all.some(one => one.data.summary.startsWith('left')), 'what is left')
    expect(facts.map(one => one.data.gap?.reason ?? one.data.summary.split(':')[0])).toEqual([
      'pushed',
      'history_purged',
      'left',
    ])
  })

  it.each([
    ['eventRecord', 'eventRecord', 'empty'],
    ['faultInst', 'faultRecord', 'empty'],
    ['eventRecord', 'eventRecord', 'read'],
  ])('is purged to the last record in a hole: told once, when none can be late (%s, %s, %s)', async (cls, log, was) => {
    const feed = `class/${cls}`
    const { simulator } = await start({
      config: { subscriptions: [{ class: cls }], reconcile_interval: '1s', canary_interval: '1s' },
      tuning: { overlapMs: 3000, canaryGraceMs: 100 },
    })
    await rig.live([feed])
    const happens = (name: string): void => {
      if (cls === 'eventRecord') simulator.emit(cls, { descr: name })
      else simulator.post(`${NODE}/${name}/fault-F1394`, fault('F1394'))
    }
    happens('pushed')
    await rig.until(all => all.length === 1, 'the pushed one')
    const reads = requests(new RegExp(`${log}.*asc`))
    if (was === 'read') await until(() => requests(new RegExp(`${log}.*asc`)) > reads + 1, 'a read that finds it')
    const well = simulator.fail({ operation: 'login', failure: { kind: 'html' } })
    simulator.cutSockets()
    happens('lost')
    if (cls === 'faultInst') simulator.remove(`${NODE}/lost/fault-F1394`)
    await apart()
    simulator.fabric.logs.purge(log, 10)
    well()
    await rig.live([feed], 2)
    await rig.until(all => all.some(({ data }) => data.gap?.reason === 'history_purged'), 'the gap')
    const asked = requests(new RegExp(`${log}.*asc`))
    await until(() => requests(new RegExp(`${log}.*asc`)) >= asked + 2, 'more reads')
    expect(rig.facts().filter(({ data }) => data.gap !== undefined).length).toBe(1)
  })

  it('is no gap when nothing was purged', async () => {
    const { simulator } = await start({ config: { subscriptions: [{ class: 'eventRecord' }] } })
    await rig.live(['class/eventRecord'])
    simulator.emit('eventRecord', { descr: 'pushed' })
    await rig.until(all => all.length === 1, 'the pushed one')
    simulator.cutSockets()
    simulator.emit('eventRecord', { descr: 'in the hole' })
    await rig.live(['class/eventRecord'], 2)
    const facts = await rig.until(all => all.length >= 2, 'the one of the hole')
    expect(facts.map(one => one.data.summary.split(':')[0])).toEqual(['pushed', 'in the hole'])
  })
})
