/** Deaf for longer than it takes to be made anew, or lost while it is in doubt: what came and went meanwhile is announced. */
import { afterEach, expect, it } from 'vitest'
import type { GapData } from '../../src/event.ts'
import { ApicRig } from '../support/apic-source.ts'
import { ManualClock, until } from '../support/manual-clock.ts'
import { turn, within } from '../support/turning.ts'

let rig: ApicRig
let clock: ManualClock

afterEach(async () => {
  await rig.close()
})

async function start(): Promise<void> {
  clock = new ManualClock()
  rig = await ApicRig.make({ clock, config: { subscriptions: [{ class: 'fvTenant' }], reconcile_interval: '60s' } })
  await until(() => {
    void clock.advance(10)
    return rig.feedStates('class/fvTenant').includes('live')
  }, 'live')
}

const tenant = (name: string): void => {
  rig.simulator.post(`uni/tn-${name}`, { fvTenant: { attributes: { name } } })
}
const cameAndWent = (): number => {
  tenant('brief')
  rig.simulator.remove('uni/tn-brief')
  return clock.wall()
}
const told = (name: string): boolean => rig.facts().some(fact => fact.subject === `uni/tn-${name}`)
const gaps = (): GapData[] => rig.facts().flatMap(({ data }) => (data.gap === undefined ? [] : [data.gap]))
const covers = (gap: GapData | undefined, ms: number): boolean =>
  gap !== undefined && Date.parse(gap.from ?? '') <= ms && ms <= Date.parse(gap.to ?? '')
/** Mutes the living subscription of tenants. */
function mute(): string {
  const alive = new Set(rig.simulator.subscriptionIds)
  const made = rig.simulator.record.subscriptions
  const id = made.findLast(one => alive.has(one.id) && one.path.includes('fvTenant'))?.id ?? ''
  rig.simulator.mute(id)
  return id
}

it('is announced when the new subscription hears again, though comparisons found nothing more in between', async () => {
  await start()
  mute()
  tenant('first')
  await within(clock, 80, () => told('first'), 'the first')
  await within(clock, 8, () => gaps().length === 1, 'the gap of the one that is made anew')
  await turn(clock, 2)
  const id = mute()
  const lostMs = cameAndWent()
  tenant('second')
  await within(clock, 80, () => told('second'), 'the second')
  await turn(clock, 130)
  expect(gaps().length).toBe(1)
  rig.simulator.unmute(id)
  tenant('third')
  await within(clock, 5, () => gaps().length === 2, 'the gap of the second time')
  expect(covers(gaps()[1], lostMs)).toBe(true)
})

it('is announced when the session is lost before a comparison is judged, though pushes came since', async () => {
  await start()
  const id = mute()
  const lostMs = cameAndWent()
  tenant('stays')
  await turn(clock, 2)
  rig.simulator.unmute(id)
  tenant('pushed')
  await within(clock, 5, () => told('pushed'), 'the push')
  await within(clock, 80, () => told('stays'), 'the comparison')
  rig.simulator.cutSockets()
  await within(clock, 5, () => gaps().length === 1, 'the gap')
  expect(covers(gaps()[0], lostMs)).toBe(true)
})
