/** A push that was long on its way says nothing about what happened meanwhile. */
import { afterEach, expect, it } from 'vitest'
import { ApicRig } from '../support/apic-source.ts'
import { until } from '../support/manual-clock.ts'

let rig: ApicRig

afterEach(async () => {
  await rig.close()
})

/** The fabric stamps to the millisecond, and our idea of its clock is a few off. */
async function apart(): Promise<void> {
  const stamp = performance.now()
  await until(() => performance.now() > stamp + 40, 'a few ms')
}

it('announces a hole from when the last thing that was pushed happened, not from when it came', async () => {
  rig = await ApicRig.make({ config: { subscriptions: [{ class: 'fvTenant' }] } })
  const { simulator } = rig
  await rig.live(['class/fvTenant'])
  const tenant = (name: string): void => {
    simulator.post(`uni/tn-${name}`, { fvTenant: { attributes: { name } } })
  }
  simulator.knobs.pushDelayMs = 1200
  tenant('late')
  await apart()
  simulator.knobs.pushDelayMs = 60_000
  const unheardAt = Date.now()
  tenant('unheard')
  simulator.remove('uni/tn-unheard')
  await rig.until(all => all.length === 1, 'the late push')
  simulator.cutSockets()
  await rig.live(['class/fvTenant'], 2)
  const gap = await until(() => rig.facts().find(fact => fact.data.gap !== undefined)?.data.gap, 'the gap')
  expect(Date.parse(gap.from ?? '')).toBeLessThanOrEqual(unheardAt)
  expect(gap.reason).toBe('outage_no_history')
})
