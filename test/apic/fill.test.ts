/** An object without a log of its own of which only a part is pushed, as its creation never was. */
import { afterEach, expect, it } from 'vitest'
import { ApicRig } from '../support/apic-source.ts'
import { until } from '../support/manual-clock.ts'

const DN = 'uni/tn-prod'
const OBJECT = /api\/mo\/uni\/tn-prod/

let rig: ApicRig

/** The fabric stamps to the millisecond. */
async function apart(): Promise<void> {
  const stamp = performance.now()
  await until(() => performance.now() > stamp + 5, 'a few ms')
}

async function post(dn: string, attributes: Record<string, string>): Promise<void> {
  rig.simulator.post(dn, { fvTenant: { attributes } })
  await apart()
}

async function asked(ms: number): Promise<void> {
  const { simulator } = rig
  await rig.live(['class/fvTenant'])
  simulator.mute()
  await post(DN, { descr: 'first' })
  simulator.unmute()
  simulator.fail({ path: OBJECT, times: 1, failure: { kind: 'slow', ms } })
  await post(DN, { descr: 'second' })
  await until(() => simulator.record.requests.some(one => OBJECT.test(one.path)), 'the question')
}

afterEach(async () => {
  await rig.close()
})

it('is not taken for the one that was made after it', async () => {
  rig = await ApicRig.make({ config: { subscriptions: [{ class: 'fvTenant' }] } })
  await asked(300)
  rig.simulator.remove(DN)
  await apart()
  await post(DN, { descr: 'third' })
  await rig.until(all => all.length >= 3, 'both')
  await post(DN, { descr: 'fourth' })
  const facts = await rig.until(all => all.length >= 4, 'its change')
  expect(facts.map(({ type }) => type)).toEqual([
    'apic.fvTenant.modified',
    'apic.fvTenant.deleted',
    'apic.fvTenant.created',
    'apic.fvTenant.modified',
  ])
})

it('lies in the gap when the session ends before it is told', async () => {
  rig = await ApicRig.make({ config: { subscriptions: [{ class: 'fvTenant' }] } })
  const { simulator } = rig
  const before = Date.now()
  await asked(60_000)
  simulator.remove(DN)
  await apart()
  const proofs = () => rig.happenings.filter(one => one.type === 'feed_proof' && one.feed === 'class/fvTenant').length
  const proved = proofs()
  const later = Date.now()
  // What comes later seems to prove that nothing is missing.
  await until(() => {
    simulator.post('uni/tn-other', { fvTenant: { attributes: { descr: String(Date.now()) } } })
    return proofs() > proved
  }, 'a proof')
  simulator.cutSockets()
  const facts = await rig.until(all => all.some(fact => fact.data.kind === 'gap'), 'the gap')
  expect(facts.filter(fact => fact.subject === DN)).toEqual([])
  const from = Date.parse(facts.at(-1)?.data.gap?.from ?? '')
  expect(from).toBeGreaterThanOrEqual(before)
  expect(from).toBeLessThanOrEqual(later)
})

it('is told as it was pushed when its subscription ends before it is found', async () => {
  rig = await ApicRig.make({
    config: { subscriptions: [{ class: 'fvTenant' }] },
    tuning: { subscriptionLifeMs: 900, fillMs: 60_000 },
  })
  const { simulator } = rig
  await asked(60_000)
  simulator.remove(DN)
  for (const id of simulator.subscriptionIds) simulator.refuseRefresh(id)
  const facts = await rig.until(all => all.some(fact => fact.data.kind === 'gap'), 'the gap')
  expect(facts.map(({ type, data }) => [type, data.flags])).toEqual([
    ['apic.fvTenant.modified', ['partial']],
    ['apic.fvTenant.deleted', undefined],
    ['opswire.gap', undefined],
  ])
})

it('is known to the session that takes over, though it was told with more than was pushed', async () => {
  const feed = 'class/fvTenant'
  rig = await ApicRig.make({ config: { subscriptions: [{ class: 'fvTenant' }, { class: 'fvCEp' }] } })
  const { simulator } = rig
  await rig.live([feed, 'class/fvCEp'])
  const subscribed = () => simulator.record.subscriptions.filter(one => /fvTenant/.test(one.path)).length
  // The second session watches tenants at once, and endpoints later than the first has told all.
  simulator.fail({ operation: 'subscribe', path: /fvCEp/, failure: { kind: 'slow', ms: 3000 } })
  rig.reload()
  await until(() => subscribed() === 2, 'the second session')
  await apart()
  simulator.mute()
  await post(DN, { descr: 'first' })
  simulator.unmute()
  await post(DN, { descr: 'second' })
  await rig.until(all => all.length === 1, 'its change')
  simulator.remove(DN)
  await apart()
  await post(DN, { descr: 'third' })
  await rig.until(all => all.length === 3, 'its next life')
  expect(simulator.record.sessions[0]?.endedAt).toBeUndefined()
  await rig.live([feed], 2)
  await post('uni/tn-other', { descr: 'fourth' })
  const facts = await rig.until(all => all.some(({ subject }) => subject !== DN), 'another one')
  expect(facts.map(({ type }) => type.split('.').at(-1))).toEqual(['modified', 'deleted', 'created', 'created'])
})

it('keeps its order when another subscription comes to be live before it is found', async () => {
  const other = 'mo/uni'
  rig = await ApicRig.make({
    start: false,
    config: { subscriptions: [{ mo: 'uni', query_target: 'subtree' }, { class: 'fvTenant' }] },
  })
  const { simulator } = rig
  // The other one subscribes first, and is long in looking at the log of faults.
  const isLive = () =>
    rig.happenings.some(one => one.type === 'feed_state' && one.feed.startsWith(other) && one.state === 'live')
  simulator.fail({ path: /faultRecord/, times: 1, failure: { kind: 'slow', ms: 2000 } })
  rig.start()
  await asked(4000)
  expect(isLive()).toBe(false)
  await until(isLive, 'the other one')
  simulator.remove(DN)
  const facts = await rig.until(all => all.length >= 2, 'its end')
  expect(facts.map(({ type }) => type.split('.').at(-1))).toEqual(['modified', 'deleted'])
})
