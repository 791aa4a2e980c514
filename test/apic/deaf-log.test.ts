/** A controller that pushes nothing for a while and then goes on: its logs tell of it, though no comparison of objects does. */
import { afterEach, expect, it } from 'vitest'
import type { GapData } from '../../src/event.ts'
import { ApicRig } from '../support/apic-source.ts'
import { ManualClock, until } from '../support/manual-clock.ts'
import { turn, within } from '../support/turning.ts'

const FEEDS = ['class/eventRecord', 'class/fvTenant']

let rig: ApicRig
let clock: ManualClock

afterEach(async () => {
  await rig.close()
})

async function start(reconcile: string): Promise<void> {
  clock = new ManualClock()
  const subscriptions = [{ class: 'eventRecord' }, { class: 'fvTenant' }]
  rig = await ApicRig.make({ clock, config: { subscriptions, reconcile_interval: reconcile } })
  await until(() => {
    void clock.advance(10)
    return FEEDS.every(feed => rig.feedStates(feed).includes('live'))
  }, 'live')
}

const record = (descr: string): void => {
  rig.simulator.emit('eventRecord', { descr })
}
const told = (text: string): boolean => rig.facts().some(({ data }) => data.summary.startsWith(text))
const gaps = (): GapData[] => rig.facts().flatMap(({ data }) => (data.gap === undefined ? [] : [data.gap]))

/** Something is heard, then nothing for a while, in which a tenant comes and goes, then something again. Gives when that was. */
async function spell(): Promise<number> {
  record('before')
  await turn(clock, 2)
  rig.simulator.mute()
  record('meanwhile')
  rig.simulator.post('uni/tn-brief', { fvTenant: { attributes: { name: 'brief' } } })
  rig.simulator.remove('uni/tn-brief')
  const lostMs = clock.wall()
  await turn(clock, 2)
  rig.simulator.unmute()
  record('after')
  await within(clock, 5, () => told('after'), 'the push')
  return lostMs
}

function expectOne(lostMs: number): void {
  expect(gaps().map(({ feed, reason }) => `${feed} ${reason}`)).toEqual(['class/fvTenant outage_no_history'])
  expect(Date.parse(gaps()[0]?.from ?? '')).toBeLessThanOrEqual(lostMs)
  expect(Date.parse(gaps()[0]?.to ?? '')).toBeGreaterThanOrEqual(lostMs)
}

it('is announced for objects when the log is read again, once', async () => {
  await start('30s')
  const lostMs = await spell()
  await within(clock, 40, () => told('meanwhile'), 'the record')
  await turn(clock, 100)
  expectOne(lostMs)
})

it('is announced for objects when the session is lost before that', async () => {
  await start('15m')
  const lostMs = await spell()
  const isAnnounced = (): boolean =>
    gaps().some(({ from, to }) => Date.parse(from ?? '') <= lostMs && lostMs <= Date.parse(to ?? ''))
  // A push of a tenant, too: what was missed before it is no matter of the hole that comes now.
  rig.simulator.post('uni/tn-late', { fvTenant: { attributes: { name: 'late' } } })
  await within(clock, 5, () => rig.facts().some(({ subject }) => subject === 'uni/tn-late'), 'the tenant')
  rig.simulator.cutSockets()
  await within(clock, 20, isAnnounced, 'the gap')
  expect(told('meanwhile')).toBe(true)
})

it('is none when the log is only behind', async () => {
  await start('30s')
  rig.simulator.fabric.knobs.recordsVisibleAfterMs = 400
  for (let n = 0; n < 40; n++) {
    record(`work ${n}`)
    await turn(clock, 1)
  }
  await within(clock, 40, () => told('work 39'), 'the last')
  expect(gaps()).toEqual([])
})
