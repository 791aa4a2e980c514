/** Several controllers of one fabric: sticky, the next on failure, one that is of no use left, none ever given up. */
import { afterEach, describe, expect, it } from 'vitest'
import {
  type ApicSimulator,
  type ApicSimulatorOptions,
  startApicSimulator,
} from '../../src/simulators/apic/controller.ts'
import { makeCertificate } from '../../src/simulators/server.ts'
import { ApicRig, certificate, fault } from '../support/apic-source.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { turn, within } from '../support/turning.ts'

const NODE = 'topology/pod-1/node-101'

let rig: ApicRig
let clock: ManualClock
let others: ApicSimulator[] = []

interface StartOptions {
  readonly simulator?: Partial<ApicSimulatorOptions>
  readonly config?: Record<string, unknown>
  readonly count?: number
  /** Called before the source starts. */
  readonly before?: (controllers: readonly ApicSimulator[]) => void
}

/** Three controllers of one fabric, each with a server and sessions of its own. */
async function start(options: StartOptions = {}): Promise<ApicSimulator[]> {
  clock = new ManualClock()
  rig = await ApicRig.make({
    clock,
    start: false,
    ...(options.simulator === undefined ? {} : { simulator: options.simulator }),
    config: { subscriptions: [{ class: 'faultInst' }, { class: 'eventRecord' }], ...options.config },
  })
  for (let nodeId = 2; nodeId <= (options.count ?? 3); nodeId++) {
    others.push(
      await startApicSimulator({
        time: clock,
        certificate,
        loginsPerSecond: Number.POSITIVE_INFINITY,
        ...options.simulator,
        fabric: rig.simulator.fabric,
        nodeId,
      }),
    )
  }
  const all = [rig.simulator, ...others]
  Object.assign(rig, { config: { ...rig.config, controllers: all.map(one => one.url) } })
  options.before?.(all)
  rig.start()
  return all
}

afterEach(async () => {
  await rig.stop()
  for (const one of others) await one.close()
  others = []
  await rig.close()
})

const live = (one: ApicSimulator): boolean => one.openSockets === 1 && one.subscriptionIds.length === 2
const sessions = (all: readonly ApicSimulator[]): number[] => all.map(one => one.record.sessions.length)
const logins = (all: readonly ApicSimulator[]): number =>
  all.reduce((sum, one) => sum + one.record.requestsOf('login').length, 0)

/** What controller `by` says of its cluster: below its own node, for each of three. */
function view(by: number, available: readonly number[]): void {
  for (const id of [1, 2, 3]) {
    rig.simulator.post(`topology/pod-1/node-${by}/av/node-${id}`, {
      infraWiNode: {
        attributes: {
          id: String(id),
          operSt: available.includes(id) ? 'available' : 'unavailable',
          health: available.includes(id) ? 'fully-fit' : 'unfit',
        },
      },
    })
  }
}

describe('three controllers', () => {
  it('one is used, until it fails; then the next, with a login of its own, and no way back by itself', async () => {
    const all = await start()
    const [one, two, three] = all as [ApicSimulator, ApicSimulator, ApicSimulator]
    await within(clock, 5, () => live(one), 'the first')
    one.cutSockets()
    await within(
      clock,
      5,
      () => live(one) && one.record.sessions.length === 2,
      'the first again: one cut is no failure',
    )
    one.goDark()
    rig.simulator.post(`${NODE}/sys/fault-F0001`, fault('F0001'))
    // A pong that does not come, then a login that is not answered (request_timeout), then the next.
    await within(clock, 30 + 30 + 5, () => live(two), 'the second')
    await rig.until(facts => facts.some(fact => fact.data.code === 'F0001'), 'what happened meanwhile')
    one.comeBack()
    await turn(clock, 600)
    expect(sessions(all)).toEqual([2, 1, 0])
    expect(two.record.logins.map(login => login.ok)).toEqual([true])
    expect(live(three)).toBe(false)
  })

  it('all dark for six hours, then one back: it is found within the longest wait and one time-out each', async () => {
    const all = await start()
    const [one, two, three] = all as [ApicSimulator, ApicSimulator, ApicSimulator]
    await within(clock, 5, () => live(one), 'the first')
    for (const each of all) each.goDark()
    await turn(clock, 6 * 3600, 10)
    const tried = logins(all)
    // Each try takes 30 s to time out and is followed by 30 s on average.
    expect(tried).toBeGreaterThan(6 * 40)
    expect(tried).toBeLessThan(6 * 70)
    expect(Math.min(...all.map(each => each.record.requestsOf('login').length))).toBeGreaterThan(6 * 10)
    rig.simulator.post(`${NODE}/sys/fault-F0001`, fault('F0001'))
    three.comeBack()
    await within(clock, 3 * (60 + 30), () => live(three), 'the third')
    await rig.until(facts => facts.some(fact => fact.data.code === 'F0001'), 'what happened meanwhile')
    expect([live(one), live(two)]).toEqual([false, false])
  })

  it('a certificate that one of them lost is no reason to wait for a person', async () => {
    const stranger = await startApicSimulator({ time: new ManualClock(), certificate: await makeCertificate() })
    try {
      const [one] = await start({
        count: 1,
        before: () =>
          Object.assign(rig, { config: { ...rig.config, controllers: [stranger.url, ...rig.config.controllers] } }),
      })
      await within(clock, 5, () => one !== undefined && live(one), 'the other')
      expect(stranger.record.logins).toEqual([])
    } finally {
      await rig.stop()
      await stranger.close()
    }
  })
})

describe('a controller that flaps', () => {
  it.each([
    ['dies when everything is subscribed', 1],
    ['dies after ten seconds', 10],
  ])('accepts a login and %s: some two logins a minute', async (_, life) => {
    const all = await start({ count: 1 })
    const [one] = all as [ApicSimulator]
    let dead = 0
    for (let second = 0; second < 3600; second++) {
      await turn(clock, 1)
      const born = one.record.sockets.findLast(socket => socket.closedAt === undefined)?.openedAt
      if (born === undefined || clock.wall() - born < life * 1000) continue
      one.cutSockets()
      dead++
    }
    expect(dead).toBeGreaterThan(30)
    expect(logins(all)).toBeLessThan(135)
    // Sessions are not piled up either: each loss says goodbye.
    expect(one.record.sessions.filter(session => session.endedBy === undefined).length).toBeLessThanOrEqual(1)
  })

  it('among three: after two short lives the next one, which stays', async () => {
    const all = await start()
    const [one, two] = all as [ApicSimulator, ApicSimulator]
    for (let round = 0; round < 2; round++) {
      await within(clock, 60, () => live(one), 'the first')
      await turn(clock, 5)
      one.cutSockets()
      await turn(clock, 1)
    }
    await within(clock, 10, () => live(two), 'the second')
    await turn(clock, 1800)
    expect(sessions(all)).toEqual([2, 1, 0])
  })
})

describe('a controller cut off from its cluster', () => {
  it('that answers and pushes nothing is left for the next one, however seldom anything is written', async () => {
    const all = await start()
    const [one, two] = all as [ApicSimulator, ApicSimulator]
    await within(clock, 5, () => live(one), 'the first')
    one.mute()
    // One record in ten minutes: between two canaries nothing new.
    for (let round = 0; round < 2; round++) {
      rig.simulator.emit('eventRecord', { descr: `seldom ${round}` })
      await turn(clock, 600)
    }
    expect(live(two)).toBe(true)
    expect(sessions(all)).toEqual([1, 1, 0])
    const texts = JSON.stringify(rig.facts())
    expect([texts.includes('seldom 0'), texts.includes('seldom 1')]).toEqual([true, true])
    rig.simulator.emit('eventRecord', { descr: 'heard at once' })
    await rig.until(
      facts => facts.some(fact => fact.origin === 'live' && JSON.stringify(fact).includes('heard at once')),
      'the next one',
    )
  })

  it('whose answers are frozen looks quiet; its own view of the cluster tells, within five minutes', async () => {
    const all = await start({ before: () => view(1, [1, 2, 3]) })
    const [one, two] = all as [ApicSimulator, ApicSimulator]
    await within(clock, 5, () => live(one), 'the first')
    view(1, [1])
    one.loseQuorum('frozen')
    rig.simulator.post(`${NODE}/sys/fault-F0001`, fault('F0001'))
    rig.simulator.emit('eventRecord', { descr: 'behind its back' })
    await within(clock, 305, () => live(two), 'the second')
    await rig.until(
      facts =>
        facts.some(fact => fact.data.code === 'F0001') &&
        facts.some(fact => JSON.stringify(fact).includes('behind its back')),
      'what it never showed',
    )
    expect(sessions(all)).toEqual([1, 1, 0])
  })

  it('a gap of what it may have hidden reaches back to the last look that showed it well', async () => {
    const subscriptions = [{ class: 'fvTenant' }, { class: 'eventRecord' }]
    const all = await start({ before: () => view(1, [1, 2, 3]), config: { subscriptions } })
    const [one, two] = all as [ApicSimulator, ApicSimulator]
    await within(clock, 5, () => live(one), 'the first')
    // Longer than from one look to the next, less than two.
    await turn(clock, 400)
    view(1, [1])
    one.loseQuorum('frozen')
    const hiddenMs = clock.wall()
    rig.simulator.post('uni/tn-hidden', { fvTenant: { attributes: { name: 'hidden' } } })
    await turn(clock, 1)
    rig.simulator.remove('uni/tn-hidden')
    // Meanwhile refreshes are answered, and the newest record that it shows is the newest that it pushed.
    await within(clock, 305, () => live(two), 'the second')
    const facts = await rig.until(all => all.some(({ data }) => data.gap !== undefined), 'a gap')
    const gaps = facts.flatMap(({ data }) => data.gap ?? [])
    expect(gaps.map(({ feed, reason }) => [feed, reason])).toEqual([['class/fvTenant', 'outage_no_history']])
    expect(Date.parse(gaps[0]?.from ?? '')).toBeLessThanOrEqual(hiddenMs)
  })

  it('and back in it again, where there is no other: every feed is made anew, with a gap of all that time', async () => {
    const subscriptions = [{ class: 'fvTenant' }, { class: 'eventRecord' }]
    const all = await start({ count: 1, before: () => view(1, [1, 2, 3]), config: { subscriptions } })
    const [one] = all as [ApicSimulator]
    await within(clock, 5, () => live(one), 'the only one')
    await turn(clock, 400)
    view(1, [1])
    one.loseQuorum('frozen')
    const hiddenMs = clock.wall()
    rig.simulator.post('uni/tn-hidden', { fvTenant: { attributes: { name: 'hidden' } } })
    rig.simulator.remove('uni/tn-hidden')
    await turn(clock, 305)
    view(1, [1, 2, 3])
    one.regainQuorum()
    const backMs = clock.wall()
    rig.simulator.post('uni/tn-heard', { fvTenant: { attributes: { name: 'heard' } } })
    const facts = await rig.until(all => all.some(({ subject }) => subject === 'uni/tn-heard'), 'a push')
    expect(facts.flatMap(({ data }) => data.gap ?? [])).toEqual([])
    await within(clock, 305, () => rig.facts().some(({ data }) => data.gap !== undefined), 'the gap')
    const gaps = rig.facts().flatMap(({ data }) => data.gap ?? [])
    expect(gaps.map(({ feed, reason }) => [feed, reason])).toEqual([['class/fvTenant', 'outage_no_history']])
    expect(Date.parse(gaps[0]?.from ?? '')).toBeLessThanOrEqual(hiddenMs)
    expect(Date.parse(gaps[0]?.to ?? '')).toBeGreaterThanOrEqual(backMs)
    expect(one.record.sessions.length).toBe(1)
  })

  it('is not begun with while there is a better one', async () => {
    const all = await start({
      before: () => {
        view(1, [1])
        view(2, [2, 3])
      },
    })
    const [, two] = all as [ApicSimulator, ApicSimulator]
    await within(clock, 5, () => live(two), 'the second')
    expect(rig.simulator.record.subscriptions).toEqual([])
    expect(sessions(all)).toEqual([1, 1, 0])
  })

  it('is used all the same when no other can be had, and that is said', async () => {
    const all = await start({
      before: ([, two, three]) => {
        view(1, [1])
        two?.goDark()
        three?.goDark()
      },
    })
    const [one] = all as [ApicSimulator]
    await within(clock, 3 * 90, () => live(one), 'the first')
    // A new login now and then, to see whether the others are better by now: not more.
    const before = logins(all)
    await turn(clock, 3600)
    expect(live(one)).toBe(true)
    expect(logins(all) - before).toBeLessThan(20)
    const advice = rig.happenings.find(one => one.type === 'advice' && one.text.includes('sees 1 of 3'))
    expect(advice).toBeDefined()
  })

  it('in a cluster that has lost one of three is none', async () => {
    const all = await start({ before: () => view(1, [1, 3]) })
    const [one] = all as [ApicSimulator]
    await within(clock, 5, () => live(one), 'the first')
    await turn(clock, 900)
    expect(sessions(all)).toEqual([1, 0, 0])
  })

  it('that refuses everything is left for the next one', async () => {
    const all = await start()
    const [one, two] = all as [ApicSimulator, ApicSimulator]
    await within(clock, 5, () => live(one), 'the first')
    one.loseQuorum('refuses')
    // Its subscriptions lapse after a minute, and two minutes later it has been of no use for long enough.
    await within(clock, 60 + 120 + 30 + 60, () => live(two), 'the second')
  })
})
