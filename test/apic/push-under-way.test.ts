/** What a comparison finds may be on its way as a push: told by both, it would be told twice, and a deletion out of its order. */
import { afterEach, expect, it } from 'vitest'
import { ApicRig, fault } from '../support/apic-source.ts'
import { until } from '../support/manual-clock.ts'

const FEED = 'class/fvTenant'
const DN = 'uni/tn-work'

let rig: ApicRig

afterEach(async () => {
  await rig.close()
})

const post = (descr: string): unknown => rig.simulator.post(DN, { fvTenant: { attributes: { name: 'work', descr } } })
const told = (): string[] =>
  rig.facts().map(({ type, data, origin }) => `${type.split('.').at(-1)} ${data.description ?? ''} ${origin}`)
const questions = (): number =>
  rig.simulator.record.requests.filter(one => one.operation === 'query' && one.path.includes('/class/fvTenant')).length

const FAULT = 'topology/pod-1/node-101/sys/a/fault-F1394'
const compared = (): number =>
  rig.simulator.record.requests.filter(one => /class\/faultInst.json(?!.*subscription)/.test(one.path)).length
const steps = (): string[] => rig.facts().map(({ type, severitytext }) => `${type.split('.').at(-1)} ${severitytext}`)

/** A fault is told; then a reconcile asks, and is answered before what is pushed from now on. */
async function comparing(): Promise<void> {
  const { knobs } = rig.simulator
  await rig.live(['class/faultInst'])
  rig.simulator.post(FAULT, fault('F1394', { severity: 'minor' }))
  await rig.until(all => all.length === 1, 'the first life')
  knobs.latencyOf = { query: 100 }
  knobs.pushDelayMs = 1000
  const before = compared()
  await until(() => compared() > before, 'a reconcile')
}

/** Nothing more is told. */
async function settled(): Promise<void> {
  const later = compared()
  await until(() => compared() >= later + 3, 'more reconciles')
}

it('an object that is deleted and made again within a millisecond, while a reconcile asks', async () => {
  rig = await ApicRig.make({ config: { subscriptions: [{ class: 'fvTenant' }], reconcile_interval: '1s' } })
  const { knobs } = rig.simulator
  await rig.live([FEED])
  post('first')
  await rig.until(all => all.length === 1, 'the first')
  // The answer shows it, and is there before what is pushed.
  knobs.latencyOf = { query: 100 }
  knobs.pushDelayMs = 400
  const before = questions()
  await until(() => questions() > before, 'a reconcile')
  rig.simulator.remove(DN)
  post('again')
  await rig.until(all => all.length >= 3, 'both')
  const later = questions()
  await until(() => questions() >= later + 2, 'more reconciles')
  expect(told()).toEqual(['created first live', 'deleted first live', 'created again live'])
})

it.each([
  ['one frame', false],
  ['a frame for each subscription', true],
])('a fault that ends and is raised again at once, while a reconcile asks, in %s', async (_, plainIds) => {
  const subscriptions = [
    { class: 'faultInst' },
    { mo: 'topology/pod-1', query_target: 'subtree', target_subtree_class: ['faultInst'] },
  ]
  rig = await ApicRig.make({ config: { reconcile_interval: '1s', ...(plainIds ? { subscriptions } : {}) } })
  rig.simulator.knobs.plainIds = plainIds
  await comparing()
  rig.simulator.remove(FAULT)
  rig.simulator.post(FAULT, fault('F1394', { severity: 'major' }))
  await rig.until(all => all.length >= 3, 'its second life')
  await settled()
  expect(steps()).toEqual(['raised minor', 'cleared minor', 'raised major'])
})

it('a fault that ends, is raised again, and is gone when it is asked whether the first end was its last', async () => {
  rig = await ApicRig.make({ config: { reconcile_interval: '1s' } })
  const apart = async (): Promise<void> => {
    const now = Date.now()
    await until(() => Date.now() > now, 'the next millisecond')
  }
  await comparing()
  rig.simulator.remove(FAULT)
  await apart()
  rig.simulator.post(FAULT, fault('F1394', { severity: 'major' }))
  await rig.until(all => all.length >= 3, 'the beginning of its second life')
  rig.simulator.post(FAULT, { faultInst: { attributes: { severity: 'critical' } } })
  await apart()
  rig.simulator.remove(FAULT)
  await rig.until(all => all.length >= 5, 'its end')
  await settled()
  expect(steps()).toEqual(['raised minor', 'cleared minor', 'raised major', 'changed critical', 'cleared critical'])
})

it('the end of a fault that a reconcile has told already is not asked for', async () => {
  rig = await ApicRig.make({ config: { reconcile_interval: '1s' } })
  const { knobs, record } = rig.simulator
  const dns = ['a', 'b', 'c'].map(name => `topology/pod-1/node-101/sys/${name}/fault-F1394`)
  await rig.live(['class/faultInst'])
  for (const dn of dns) rig.simulator.post(dn, fault('F1394'))
  await rig.until(all => all.length === 3, 'the faults')
  knobs.pushDelayMs = 2500
  for (const dn of dns) rig.simulator.remove(dn)
  await rig.until(all => all.length === 6, 'their ends')
  const pushed = performance.now() + 2500
  await until(() => performance.now() > pushed, 'the pushes')
  expect(rig.facts().map(({ origin }) => origin)).toEqual([...dns.map(() => 'live'), ...dns.map(() => 'resync')])
  expect(record.requests.filter(one => /mo\/.*fault-/.test(one.path)).length).toBe(0)
})
