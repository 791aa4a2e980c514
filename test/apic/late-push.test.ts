/** A push that was long on its way says nothing about what happened meanwhile. */
import { afterEach, describe, expect, it } from 'vitest'
import { isStale } from '../../src/subscribers/apic/apply.ts'
import { ApicMirror } from '../../src/subscribers/apic/mirror.ts'
import { ApicRig } from '../support/apic-source.ts'
import { until } from '../support/manual-clock.ts'

let rig: ApicRig | undefined

afterEach(async () => {
  await rig?.close()
  rig = undefined
})

/** The fabric stamps to the millisecond, and our idea of its clock is a few off. */
async function apart(): Promise<void> {
  const stamp = performance.now()
  await until(() => performance.now() > stamp + 40, 'a few ms')
}

it('announces a hole from when the last thing that was pushed happened, not from when it came', async () => {
  const source = await ApicRig.make({ config: { subscriptions: [{ class: 'fvTenant' }] } })
  rig = source
  const { simulator } = source
  await source.live(['class/fvTenant'])
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
  await source.until(all => all.length === 1, 'the late push')
  simulator.cutSockets()
  await source.live(['class/fvTenant'], 2)
  const gap = await until(() => source.facts().find(fact => fact.data.gap !== undefined)?.data.gap, 'the gap')
  expect(Date.parse(gap.from ?? '')).toBeLessThanOrEqual(unheardAt)
  expect(gap.reason).toBe('outage_no_history')
})

describe('a step of a fault, pushed after its log had told that it ended', () => {
  const key = 'topology/pod-1/node-101/sys/a/fault-F1394'
  const at = (ms: number): Record<string, string> => ({ lastTransition: new Date(ms).toISOString() })
  const step = (status: 'created' | 'modified', ms: number) => ({
    cls: 'faultInst',
    dn: key,
    attributes: at(ms),
    status,
  })
  const ended = (isDated: boolean) => {
    const mirror = new ApicMirror({ get: () => undefined, values: () => [] })
    const object = { key, family: 'faultInst', version: '', attributes: at(459) }
    mirror.apply({ key, object }, 0, { fabricMs: 459, event: undefined, told: true })
    mirror.apply({ key, object: null }, 0, { fabricMs: 503, event: undefined, told: true, isDated })
    return { mirror }
  }

  it('is of the life that has ended, where that is dated by the log', () => {
    expect(isStale(ended(true), step('modified', 479))).toBe(true)
    expect(isStale(ended(true), step('modified', 510))).toBe(false)
    expect(isStale(ended(true), step('created', 479))).toBe(false)
    expect(isStale(ended(false), step('modified', 479))).toBe(false)
    expect(isStale(ended(false), step('modified', 459))).toBe(true)
  })
})
