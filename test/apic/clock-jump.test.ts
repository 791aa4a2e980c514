/** Our own wall clock is set: the fabric's did not jump, and what goes by it must not. */
import { afterEach, expect, it } from 'vitest'
import { ApicRig } from '../support/apic-source.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { turn, within } from '../support/turning.ts'

let rig: ApicRig
afterEach(() => rig.close())

/** A clock whose wall time an operator, or NTP, may set; `fabric` is the same one, and nobody sets it. */
class SetClock extends ManualClock {
  offMs = 0
  readonly fabric = {
    wall: () => super.wall(),
    now: () => this.now(),
    random: () => this.random(),
    after: (ms: number, fn: () => void) => this.after(ms, fn),
  }
  override wall(): number {
    return super.wall() + this.offMs
  }
}

it.each([
  ['back', -3_600_000],
  ['forward', 3_600_000],
])('set %s by an hour: a mute subscription is heard in time, and gaps keep their bounds', async (_, offMs) => {
  const clock = new SetClock()
  rig = await ApicRig.make({
    clock,
    simulator: { time: clock.fabric },
    config: { subscriptions: [{ class: 'eventRecord' }, { class: 'fvTenant' }] },
  })
  await rig.live(['class/eventRecord', 'class/fvTenant'])
  await turn(clock, 65)
  clock.offMs = offMs
  const { simulator } = rig
  simulator.mute(simulator.record.subscriptions.find(one => one.path.includes('eventRecord'))?.id)
  simulator.emit('eventRecord', { descr: 'unheard' })
  const isTold = (): boolean => rig.facts().some(fact => fact.data.summary.includes('unheard'))
  expect(await within(clock, 300, isTold, 'the unheard one')).toBeLessThan(75)
  simulator.cutSockets()
  const gaps = () => rig.facts().flatMap(fact => fact.data.gap ?? [])
  await within(clock, 60, () => gaps().length > 0, 'the gap of the cut')
  for (const { from, to } of gaps()) {
    expect(Date.parse(from ?? '')).toBeLessThanOrEqual(Date.parse(to ?? ''))
    expect(Math.abs(Date.parse(to ?? '') - clock.fabric.wall())).toBeLessThan(120_000)
  }
})
