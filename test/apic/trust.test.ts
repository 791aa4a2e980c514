/** When a controller is trusted, when it is left, and what is said while it can't be left. */
import { afterEach, expect, it } from 'vitest'
import { type ApicSimulator, startApicSimulator } from '../../src/simulators/apic/controller.ts'
import { ApicRig, certificate } from '../support/apic-source.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { turn, within } from '../support/turning.ts'

let rig: ApicRig
let clock: ManualClock
let other: ApicSimulator | undefined

afterEach(async () => {
  await rig.close()
  await other?.close()
  other = undefined
})

const state = (feed: string): string | undefined => rig.feedStates(feed).at(-1)
const source = () => rig.happenings.findLast(one => one.type === 'source_state')
const advices = (): string[] => rig.happenings.flatMap(one => (one.type === 'advice' ? [one.text] : []))
const proofs = (feed: string): number =>
  rig.happenings.filter(one => one.type === 'feed_proof' && one.feed === feed).length

it('a long read of the past is no reason to leave a controller', async () => {
  clock = new ManualClock()
  rig = await ApicRig.make({
    clock,
    start: false,
    tuning: { pageSize: 10 },
    config: { subscriptions: [{ class: 'eventRecord', backfill: '1h' }] },
  })
  const { simulator } = rig
  other = await startApicSimulator({
    time: clock,
    certificate,
    loginsPerSecond: Number.POSITIVE_INFINITY,
    fabric: simulator.fabric,
    nodeId: 2,
  })
  Object.assign(rig, { config: { ...rig.config, controllers: [simulator.url, other.url] } })
  for (let second = 0; second < 900; second++) {
    await clock.advance(1000)
    simulator.emit('eventRecord', { descr: `r${second}` })
  }
  for (const one of [simulator, other]) {
    one.fail({ operation: 'query', path: /ge\(eventRecord\.created/, failure: { kind: 'slow', ms: 2000 } })
  }
  rig.start()
  const took = await within(clock, 600, () => state('class/eventRecord') === 'live', 'live')
  expect(took).toBeGreaterThan(150)
  expect([simulator.record.sessions.length, other.record.sessions.length]).toEqual([1, 0])
})

it('the only controller, cut off and frozen: the source says so, and nothing is proved by its answers', async () => {
  clock = new ManualClock()
  rig = await ApicRig.make({ clock, config: { subscriptions: [{ class: 'fvTenant' }, { class: 'eventRecord' }] } })
  const { simulator } = rig
  await within(clock, 10, () => source()?.state === 'up', 'up')
  const view = (available: readonly number[]): void => {
    for (const id of [1, 2, 3]) {
      const operSt = available.includes(id) ? 'available' : 'unavailable'
      const attributes = { id: String(id), operSt }
      simulator.post(`topology/pod-1/node-1/av/node-${id}`, { infraWiNode: { attributes } })
    }
  }
  view([1])
  simulator.loseQuorum('frozen')
  await within(clock, 305, () => source()?.state === 'degraded', 'degraded')
  const doubt =
    'controller topology/pod-1/node-1 sees 1 of 3 controllers: it is cut off from its cluster, what it answers may be old'
  expect(source()).toMatchObject({ doubts: [doubt], reason: expect.stringContaining(doubt) })
  const before = [proofs('class/fvTenant'), proofs('class/eventRecord')]
  await turn(clock, 3600, 2)
  expect([proofs('class/fvTenant'), proofs('class/eventRecord')]).toEqual(before)
  expect(source()).toMatchObject({ state: 'degraded', doubts: [doubt] })
})

it('more subscriptions than the pace can keep: said, and which settings help', async () => {
  clock = new ManualClock()
  rig = await ApicRig.make({
    clock,
    config: { max_concurrency: 1, subscriptions: Array.from({ length: 200 }, (_, n) => ({ mo: `uni/tn-${n}` })) },
    simulator: { knobs: { latencyMs: 900 } },
  })
  await within(clock, 125, () => source()?.state === 'degraded', 'degraded')
  expect(source()?.reason).toMatch(/ \d+ of 201 feeds are not live yet/)
  await within(clock, 200, () => advices().length > 0, 'advice')
  expect(advices()).toEqual([expect.stringMatching(/of 201 subscriptions .* max_concurrency.* refresh_timeout/)])
})

it('the same query in five spellings is one subscription', async () => {
  rig = await ApicRig.make({
    config: {
      subscriptions: [
        { class: 'fvBD' },
        { class: 'fvBD', query_target: 'self' },
        { class: 'fvBD', rsp_subtree: 'no' },
        { raw: 'class/fvBD.json' },
        { raw: 'https://apic.example.net/api/class/fvBD.json?subscription=yes' },
        { class: 'eventRecord' },
      ],
    },
  })
  await rig.live(['class/fvBD', 'class/eventRecord'])
  expect(rig.simulator.record.subscriptions.map(one => one.path).filter(path => path.includes('fvBD')).length).toBe(1)
})

it("what is left of a session's life counts to its real end, the hand-over comes before", async () => {
  clock = new ManualClock()
  rig = await ApicRig.make({ clock, simulator: { maximumLifetimeSeconds: 4000 } })
  await within(clock, 10, () => source()?.state === 'up', 'up')
  await turn(clock, 100, 2)
  const left = rig.runner.margins().lifetime ?? 0
  expect(left).toBeGreaterThan(3880)
  expect(left).toBeLessThan(3901)
  expect(left - (rig.runner.session()?.handOverSeconds ?? 0)).toBe(200)
})
