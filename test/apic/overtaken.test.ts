/** Steps of a fault that a controller never pushed, and that a later push has overtaken: they can't be told in their order any more. */
import { afterEach, expect, it } from 'vitest'
import { ApicRig, fault } from '../support/apic-source.ts'
import { until } from '../support/manual-clock.ts'

const DN = 'topology/pod-1/node-101/sys/a/fault-F1394'

let rig: ApicRig

afterEach(async () => {
  await rig.close()
})

const gaps = () => rig.facts().flatMap(fact => (fact.data.gap === undefined ? [] : [fact.data.gap]))

/** The fabric stamps to the millisecond. */
async function apart(): Promise<void> {
  const stamp = performance.now()
  await until(() => performance.now() > stamp + 5, 'a few ms')
}

/** A source that has listened for a while: what is so young when it begins to may have been told before. */
async function listening() {
  rig = await ApicRig.make({ config: { reconcile_interval: '1s' }, tuning: { overlapMs: 3000 } })
  const { simulator } = rig
  const step = (attributes: Record<string, string>): void => {
    simulator.post(DN, { faultInst: { attributes } })
  }
  const questions = (): number => simulator.record.requests.filter(one => /faultRecord.*asc/.test(one.path)).length
  await rig.live(['class/faultInst'])
  const begun = performance.now()
  await until(() => performance.now() > begun + 2100, 'listened for a while')
  return { simulator, step, questions }
}

it('are announced by a gap, once', async () => {
  const { simulator, step, questions } = await listening()
  simulator.post(DN, fault('F1394', { severity: 'minor' }))
  await rig.until(all => all.length === 1, 'the first step')
  await apart()
  simulator.mute()
  step({ severity: 'critical' })
  const lostMs = Date.now()
  await apart()
  const toMs = Date.now()
  step({ severity: 'warning' })
  await apart()
  simulator.unmute()
  step({ severity: 'major' })
  await until(() => gaps().length > 0, 'the gap')
  const [gap] = gaps()
  expect({ feed: gap?.feed, classes: gap?.classes, reason: gap?.reason }).toEqual({
    feed: 'class/faultInst',
    classes: ['faultInst'],
    reason: 'outage_no_history',
  })
  expect(Date.parse(gap?.from ?? '')).toBeLessThanOrEqual(lostMs)
  expect(Date.parse(gap?.to ?? '')).toBeGreaterThanOrEqual(toMs)
  const before = questions()
  await until(() => questions() >= before + 3, 'some more reconciles')
  expect(gaps().length).toBe(1)
  const told = rig.facts().map(fact => `${fact.type} ${fact.severitytext} ${fact.origin}`)
  // The last one: the comparison finds what those steps left in the object (its highest severity).
  expect(told).toEqual([
    'apic.fault.raised minor live',
    'apic.fault.changed major live',
    'opswire.gap major live',
    'apic.fault.changed major resync',
  ])
})

it('after the snapshot of a new process, and before the log was read, are announced as well', async () => {
  rig = await ApicRig.make({ config: { reconcile_interval: '1s' } })
  const { simulator } = rig
  const step = (attributes: Record<string, string>): void => {
    simulator.post(DN, { faultInst: { attributes } })
  }
  await rig.live(['class/faultInst'])
  simulator.post(DN, fault('F1394', { severity: 'minor' }))
  await rig.until(all => all.length === 1, 'the first step')
  await rig.stop()
  // Half of it before the call is carried out, half after.
  simulator.knobs.latencyOf = { subscribe: 400 }
  const subscribed = simulator.record.subscriptions.length
  rig.start()
  await until(() => simulator.record.subscriptions.length > subscribed, 'the snapshot')
  simulator.mute()
  const fromMs = Date.now()
  step({ severity: 'critical' })
  const toMs = Date.now()
  await rig.live(['class/faultInst'], 2)
  simulator.unmute()
  step({ severity: 'warning' })
  const [gap] = await until(() => (gaps().length > 0 ? gaps() : undefined), 'the gap')
  expect(gap).toMatchObject({ feed: 'class/faultInst', classes: ['faultInst'], reason: 'outage_no_history' })
  expect(Date.parse(gap?.from ?? '')).toBeGreaterThanOrEqual(fromMs)
  expect(Date.parse(gap?.to ?? '')).toBeLessThanOrEqual(toMs)
})

it('leave a later one with the life cycle from before them, which is within the gap, until the comparison', async () => {
  const { simulator, step, questions } = await listening()
  simulator.post(DN, fault('F1394', { severity: 'minor', lc: 'soaking' }))
  await rig.until(all => all.length === 1, 'the first step')
  // So that no other reconcile comes between the steps.
  const before = questions()
  await until(() => questions() > before, 'a reconcile')
  await apart()
  simulator.mute()
  step({ lc: 'raised' })
  const lostMs = Date.now()
  await apart()
  simulator.unmute()
  step({ severity: 'major' })
  await apart()
  const toMs = Date.now()
  step({ severity: 'critical' })
  await until(() => gaps().length > 0, 'the gap')
  await rig.until(all => all.some(fact => fact.origin === 'resync' && fact.data.kind === 'fault'), 'the comparison')
  expect(rig.facts().map(fact => `${fact.type} ${fact.severitytext} ${fact.data.state ?? ''}`)).toEqual([
    'apic.fault.raised minor pending',
    // All that was pushed of these is their severity.
    'apic.fault.changed major pending',
    'apic.fault.changed critical pending',
    'opswire.gap major ',
    'apic.fault.raised critical firing',
  ])
  const [gap] = gaps()
  expect(Date.parse(gap?.from ?? '')).toBeLessThanOrEqual(lostMs)
  expect(Date.parse(gap?.to ?? '')).toBeGreaterThanOrEqual(toMs)
})
