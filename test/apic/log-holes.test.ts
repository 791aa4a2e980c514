/** Holes of log classes in logs that are large, wrap while they are read, or can't be asked for whole. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ApicRig, type ApicRigOptions } from '../support/apic-source.ts'
import { ManualClock, until } from '../support/manual-clock.ts'

const FEED = 'class/eventRecord'
const EVENTS = { config: { subscriptions: [{ class: 'eventRecord' }] } }

let rig: ApicRig

async function start(options: ApicRigOptions): Promise<ApicRig> {
  rig = await ApicRig.make({ ...options, start: false })
  // First met some minutes ago: what is older is not asked for.
  rig.simulator.fabric.clockAheadMs = -300_000
  rig.start()
  await rig.live([FEED])
  return rig
}

afterEach(async () => {
  await rig.close()
})

/** Nobody watches while `during` runs: sockets are refused until it is over. */
async function away(during: () => void, feeds: readonly string[] = [FEED]): Promise<void> {
  const { simulator } = rig
  simulator.knobs.refuseSockets = 503
  simulator.cutSockets()
  simulator.fabric.clockAheadMs = 0
  during()
  const times = rig.feedStates(FEED).filter(state => state === 'live').length
  simulator.knobs.refuseSockets = undefined
  await rig.live(feeds, times + 1)
}

/** Records of the last `ms`, evenly spread, oldest first. */
function spread(count: number, ms: number): void {
  const { fabric } = rig.simulator
  const first = fabric.time.wall() - ms
  for (let index = 0; index < count; index++) {
    fabric.record('eventRecord', { descr: `spread ${index}`, created: fabric.stamp(first + (index * ms) / count) })
  }
}

const numbers = (): number[] =>
  rig.facts().flatMap(fact => {
    const number = /(\d+)/.exec(fact.data.description ?? fact.data.summary)?.[1]
    return fact.data.kind === 'event' ? [Number(number)] : []
  })

describe('a log above the ceiling', () => {
  it.each([
    [400, 'answer'],
    [400, 'log-matches'],
    [503, 'log-matches'],
  ] as const)('is read whole, once each (HTTP %i, ceiling counts %s)', async (ceilingStatus, ceilingCounts) => {
    await start({ ...EVENTS, simulator: { maxResults: 100 }, tuning: { pageSize: 50, overlapMs: 120_000 } })
    rig.simulator.emit('eventRecord', { descr: 'the first 9999' })
    await rig.until(all => all.length === 1, 'the first')
    Object.assign(rig.simulator.knobs, { ceilingCounts, ceilingStatus })
    await away(() => spread(800, 100_000))
    await rig.until(all => all.length >= 801, 'all of them')
    expect(numbers().toSorted((a, b) => a - b)).toEqual([...Array.from({ length: 800 }, (_, index) => index), 9999])
    const refused = rig.simulator.record.requests.filter(
      one => one.operation === 'query' && one.status === ceilingStatus,
    )
    expect(refused.length > 0).toBe(ceilingCounts === 'log-matches')
  })
})

describe('a ring that wraps', () => {
  it('while it is read is a gap, and what is left is told', async () => {
    await start({ ...EVENTS, tuning: { pageSize: 20 } })
    rig.simulator.emit('eventRecord', { descr: 'the first 9999' })
    await rig.until(all => all.length === 1, 'the first')
    let asked = 0
    const { simulator } = rig
    simulator.fail({ operation: 'query', path: /eventRecord/, failure: { kind: 'slow', ms: 30 } })
    await away(() => {
      spread(200, 60_000)
      void until(() => {
        asked = simulator.record.requests.filter(one => /page-size=20/.test(one.path)).length
        return asked >= 2
      }, 'the second page').then(() => simulator.fabric.logs.purge('eventRecord', 120))
    })
    const facts = await rig.until(all => all.some(one => one.data.kind === 'gap') && numbers().includes(199), 'the gap')
    const gap = facts.find(one => one.data.kind === 'gap')?.data.gap
    expect(gap).toMatchObject({ feed: FEED, classes: ['eventRecord'], reason: 'history_purged' })
    const missing = Array.from({ length: 200 }, (_, index) => index).filter(index => !numbers().includes(index))
    expect(missing.length).toBeGreaterThan(0)
    // The gap holds everything that is missing.
    const stamps = simulator.fabric.changes
      .map(({ change }) => change.whole)
      .filter(whole => missing.includes(Number(/spread (\d+)/.exec(whole['descr'] ?? '')?.[1] ?? -1)))
      .map(whole => Date.parse(whole['created'] ?? ''))
    expect(stamps.length).toBe(missing.length)
    expect(Math.min(...stamps)).toBeGreaterThanOrEqual(Date.parse(gap?.from ?? ''))
    expect(Math.max(...stamps)).toBeLessThanOrEqual(Date.parse(gap?.to ?? ''))
  })

  it('while everything was pushed is none', async () => {
    await start({ config: { subscriptions: [{ class: 'eventRecord' }], canary_interval: '1s' } })
    const { simulator } = rig
    simulator.fabric.logs.setLimit('eventRecord', 20, 5)
    await simulator.burst(100)
    await rig.until(all => all.length === 100, 'the burst')
    const proved = (): number =>
      rig.happenings.filter(one => one.type === 'request' && one.operation === 'canary').length
    const before = proved()
    await until(() => proved() > before + 1, 'a canary')
    await away(() => undefined)
    expect(rig.facts().filter(one => one.data.kind === 'gap')).toEqual([])
  })
})

describe('a pause of the socket that outlasts a subscription', () => {
  it('is a gap for what has no history, and is closed by comparison', async () => {
    const clock = new ManualClock()
    await start({ clock, config: { subscriptions: [{ class: 'eventRecord' }, { class: 'fvTenant' }] } })
    await rig.live(['class/fvTenant'])
    const stuck = Promise.withResolvers<void>()
    const append = rig.store.append.bind(rig.store)
    vi.spyOn(rig.store, 'append').mockImplementation(async (...given) => {
      await stuck.promise
      return append(...given)
    })
    await rig.simulator.burst(9500)
    for (let second = 0; second < 100; second++) {
      await clock.advance(1000)
      // A slow machine renews as surely as a fast one: the clock waits for what is due on the wire.
      await until(() => [...rig.runner.feedMargins().values()].every(seconds => seconds > 30), 'renewals')
    }
    rig.simulator.post('uni/tn-late', { fvTenant: { attributes: { name: 'late' } } })
    stuck.resolve()
    const facts = await rig.until(all => {
      // The comparison waits a moment for what may be on its way.
      void clock.advance(10)
      return all.some(one => one.data.gap !== undefined)
    }, 'the gap')
    expect(facts.flatMap(one => one.data.gap ?? [])).toMatchObject([
      { feed: 'class/fvTenant', classes: ['fvTenant'], reason: 'paused' },
    ])
    await rig.until(() => numbers().length >= 9500, 'every record')
    expect(new Set(numbers()).size).toBe(9500)
    expect(rig.facts().filter(one => one.type === 'apic.fvTenant.created').length).toBe(1)
    expect(rig.simulator.record.lapses).toEqual([])
  })
})

describe('a pause because the store is full, that outlasts a subscription', () => {
  it('is a gap that says so; what has a history is asked again, and no lease is lost', async () => {
    const clock = new ManualClock()
    await start({
      clock,
      maxBytes: 8 * 1024 ** 2,
      config: { subscriptions: [{ class: 'eventRecord' }, { class: 'fvTenant' }] },
    })
    await rig.live(['class/fvTenant'])
    const pauses = () => rig.happenings.flatMap(one => (one.type === 'source_paused' ? [one] : []))
    const states = (): string[] => rig.happenings.flatMap(one => (one.type === 'store_state' ? [one.state] : []))
    await rig.simulator.burst(18_000)
    await until(() => pauses().length === 1, 'the socket held back')
    expect(states()).toEqual(['full'])
    expect(rig.store.stats().bytes).toBeGreaterThan(8 * 1024 ** 2)
    expect(rig.store.stats().bytes).toBeLessThanOrEqual(1.1 * 8 * 1024 ** 2)
    const ticks = 100
    for (let second = 0; second < ticks; second++) {
      await clock.advance(1000)
      await until(() => [...rig.runner.feedMargins().values()].every(seconds => seconds > 30), 'renewals')
    }
    rig.simulator.post('uni/tn-late', { fvTenant: { attributes: { name: 'late' } } })
    // Somebody takes what is in the store, again and again.
    const delivered = await until(() => {
      void clock.advance(10)
      const gap = rig.facts().find(one => one.data.gap !== undefined)
      rig.store.settle(rig.store.stats().lastSeq)
      return gap
    }, 'the gap')
    expect(delivered.data.gap).toMatchObject({ feed: 'class/fvTenant', classes: ['fvTenant'], reason: 'backlog_limit' })
    await until(() => {
      const count = numbers().length
      rig.store.settle(rig.store.stats().lastSeq)
      return count >= 18_000
    }, 'every record')
    expect(new Set(numbers()).size).toBe(18_000)
    expect(pauses().at(0)).toMatchObject({ paused: true, full: true })
    expect(pauses().map(({ paused }) => paused)).toEqual(pauses().map((_, index) => index % 2 === 0))
    expect(pauses().find(({ paused }) => !paused)?.ms).toBeGreaterThanOrEqual(ticks * 1000)
    expect(rig.simulator.record.lapses).toEqual([])
    expect(rig.simulator.record.sessions.length).toBe(1)
  })
})

describe('two subscriptions of one log whose filters overlap', () => {
  it('are both known to hear what one frame names for both', async () => {
    rig = await ApicRig.make({
      config: {
        canary_interval: '1s',
        subscriptions: [
          { class: 'eventRecord', filter: { ne: ['eventRecord.severity', 'major'] } },
          { class: 'eventRecord', filter: { ne: ['eventRecord.severity', 'critical'] } },
        ],
      },
      tuning: { canaryGraceMs: 300 },
    })
    const feeds = await until(() => {
      const names = new Set(rig.happenings.flatMap(one => (one.type === 'feed_declared' ? [one.feed] : [])))
      return names.size === 2 && [...names]
    }, 'two feeds')
    await rig.live(feeds)
    rig.simulator.emit('eventRecord', { descr: 'for both', severity: 'minor' })
    await rig.until(all => all.length === 1, 'the event')
    const canaries = (): number =>
      rig.happenings.filter(one => one.type === 'request' && one.operation === 'canary').length
    const before = canaries()
    await until(() => canaries() >= before + 6, 'three canaries of each')
    expect(feeds.flatMap(feed => rig.feedStates(feed)).filter(state => state === 'lost')).toEqual([])
    expect(rig.simulator.record.subscriptions.length).toBe(2)
  })
})
