/** A comparison that finds what was never pushed does not show what came and went meanwhile: that hole is still one. */
import { afterEach, expect, it } from 'vitest'
import { ApicRig } from '../support/apic-source.ts'
import { until } from '../support/manual-clock.ts'

let rig: ApicRig

afterEach(async () => {
  await rig.close()
})

it('begins where the subscription fell silent, not at the last comparison before it was noticed', async () => {
  rig = await ApicRig.make({ config: { subscriptions: [{ class: 'fvTenant' }], reconcile_interval: '1s' } })
  const { simulator } = rig
  await rig.live(['class/fvTenant'])
  const tenant = (name: string): void => {
    simulator.post(`uni/tn-${name}`, { fvTenant: { attributes: { name } } })
  }
  for (const id of simulator.subscriptionIds) simulator.expireSubscription(id)
  const unheardAt = Date.now()
  tenant('unheard')
  simulator.remove('uni/tn-unheard')
  tenant('stays')
  await rig.until(all => all.some(fact => fact.subject === 'uni/tn-stays'), 'the comparison')
  simulator.cutSockets()
  await rig.live(['class/fvTenant'], 2)
  const gap = await until(() => rig.facts().find(fact => fact.data.gap !== undefined)?.data.gap, 'the gap')
  expect(Date.parse(gap.from ?? '')).toBeLessThanOrEqual(unheardAt)
})

it('is not closed by comparisons that begin before the last one is judged, and find nothing more', async () => {
  rig = await ApicRig.make({ config: { subscriptions: [{ class: 'fvTenant' }], reconcile_interval: '1s' } })
  const { simulator } = rig
  await rig.live(['class/fvTenant'])
  for (const id of simulator.subscriptionIds) simulator.expireSubscription(id)
  const unheardAt = Date.now()
  simulator.post('uni/tn-unheard', { fvTenant: { attributes: { name: 'unheard' } } })
  simulator.remove('uni/tn-unheard')
  simulator.post('uni/tn-stays', { fvTenant: { attributes: { name: 'stays' } } })
  await rig.until(all => all.some(fact => fact.subject === 'uni/tn-stays'), 'the comparison')
  const questions = (): number => simulator.record.requests.filter(one => /class\/fvTenant/.test(one.path)).length
  const before = questions()
  await until(() => questions() >= before + 2, 'two more of them')
  simulator.cutSockets()
  await rig.live(['class/fvTenant'], 2)
  const gap = await until(() => rig.facts().find(fact => fact.data.gap !== undefined)?.data.gap, 'the gap')
  expect(Date.parse(gap.from ?? '')).toBeLessThanOrEqual(unheardAt)
})
