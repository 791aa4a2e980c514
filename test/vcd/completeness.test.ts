/** Rows that become visible later than the overlap: found by what the cell counts in each hour, or said to be lost. */
import { afterEach, describe, expect, it } from 'vitest'
import type { RowSeed } from '../../src/simulators/vcd/trail.ts'
import { type Rig, startRig } from './rig.ts'

let rig: Rig
afterEach(() => rig.end())

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const ROW: RowSeed = { type: 'vm/modify', user: 'alice', org: 'acme' }

/** Lets this much time pass while the source reads. */
async function pass(ms: number): Promise<void> {
  const end = rig.clock.wall() + ms
  await rig.drive(() => rig.clock.wall() >= end, 'time passes')
}

const counts = (): number => rig.simulator.record.requests.filter(({ path }) => path.endsWith('pageSize=1')).length
const told = (): string[] => rig.reported('advice').map(({ text }) => text)

// Polls of a minute: hours pass quickly.
const SLOW = { poll_interval: '1m', sweep_interval: '1m' }

describe('a row later than the overlap', () => {
  it('is found within the hour, published once, counted and told', async () => {
    rig = await startRig({ tokenLoginEvents: false })
    await rig.caughtUp(SLOW)
    await pass(HOUR)
    const before = rig.simulator.write(ROW)
    const late = rig.simulator.write({ ...ROW, lateMs: 50 * MINUTE })
    await pass(49 * MINUTE)
    expect(rig.rows().has(before)).toBe(true)
    expect(rig.rows().has(late)).toBe(false)
    await rig.drive(() => rig.rows().has(late), 'the late row')
    await rig.turns(1)
    expect(rig.rows().get(late)).toMatchObject({ origin: 'resync' })
    expect(rig.reported('feed_recovered')).toMatchObject([{ count: 1 }])
    expect(Math.max(...rig.reported('feed_late').map(one => one.seconds))).toBeGreaterThan(49 * 60)
    expect(told()).toEqual([expect.stringMatching(/^1 audit rows of the hour .* Make overlap longer/)])
    await pass(3 * HOUR)
    expect(rig.repeats).toBe(1)
    expect(told()).toHaveLength(1)
    expect(rig.gaps()).toEqual([])
  })

  it('is found after a restart too, and hours that were read twice are counted anew', async () => {
    rig = await startRig({ tokenLoginEvents: false })
    await rig.caughtUp(SLOW)
    await pass(HOUR)
    rig.simulator.write(ROW)
    const late = rig.simulator.write({ ...ROW, lateMs: 2 * HOUR })
    await pass(MINUTE)
    await rig.stop()
    await rig.clock.advance(MINUTE)
    await rig.caughtUp(SLOW)
    await pass(90 * MINUTE)
    await rig.stop()
    await rig.clock.advance(HOUR)
    await rig.caughtUp(SLOW)
    await rig.drive(() => rig.rows().has(late), 'the late row')
    expect(rig.reported('feed_recovered')).toMatchObject([{ count: 1 }])
    await pass(2 * HOUR)
    expect(told()).toHaveLength(1)
  })

  it('of a full hour is looked for in several turns, with polls in between', async () => {
    rig = await startRig({ tokenLoginEvents: false })
    await rig.caughtUp(SLOW)
    await pass(HOUR)
    for (let row = 0; row < 2600; row++) rig.simulator.write({ ...ROW, afterMs: row * 500 })
    const late = rig.simulator.write({ ...ROW, lateMs: 50 * MINUTE })
    await rig.drive(() => rig.rows().size === 2601, 'all of them')
    await pass(10 * MINUTE)
    const asked = rig.simulator.record.requests.map(({ path }) => path)
    const again = asked.map(path => path.includes('timestamp%3Dlt%3D') && path.endsWith('pageSize=128'))
    const between = again.slice(again.indexOf(true), again.lastIndexOf(true))
    expect(between.filter(Boolean).length).toBeGreaterThanOrEqual(2601 / 128)
    expect(between.filter(is => !is).length).toBeGreaterThan(0)
    expect(rig.rows().get(late)?.origin).toBe('resync')
    expect(rig.repeats).toBeGreaterThanOrEqual(2600)
    expect(told()).toHaveLength(1)
  })

  it('is counted and told though the session is lost while its hour is read again', async () => {
    rig = await startRig({ tokenLoginEvents: false })
    await rig.caughtUp(SLOW)
    await pass(HOUR)
    const late = rig.simulator.write({ ...ROW, lateMs: 50 * MINUTE })
    for (let row = 0; row < 800; row++) rig.simulator.write({ ...ROW, afterMs: row * 500 })
    let asked = 0
    const again = (path: string): boolean => path.includes('timestamp%3Dlt%3D') && path.endsWith('pageSize=128')
    rig.simulator.knobs.fail = ({ path }) =>
      rig.rows().has(late) && again(path) && ++asked === 2 ? { kind: 'status', status: 503 } : undefined
    await rig.drive(() => asked > 2, 'the hour is read again after it broke off')
    await pass(10 * MINUTE)
    expect(rig.failures).toHaveLength(1)
    expect(rig.reported('feed_recovered')).toMatchObject([{ count: 1 }])
    expect(told()).toEqual([expect.stringMatching(/^1 audit rows of the hour/)])
  })

  it('later than a day can not be told from known ones any more: its hour is said to be incomplete, once', async () => {
    rig = await startRig({ tokenLoginEvents: false })
    await rig.caughtUp({ poll_interval: '10m', sweep_interval: '10m' })
    await pass(HOUR)
    const at = rig.clock.wall()
    rig.simulator.write(ROW)
    rig.simulator.write({ ...ROW, lateMs: 40 * HOUR })
    await pass(75 * HOUR)
    const hour = Math.floor(at / HOUR) * HOUR
    const [from, to] = [hour, hour + HOUR].map(ms => new Date(ms).toISOString())
    expect(rig.gaps().map(fact => fact.data.gap)).toEqual([
      { feed: 'audit', classes: [], from, to, reason: 'state_lost', recovered: 0 },
    ])
  })
})

describe('no hour is called incomplete', () => {
  const SLOWER = { poll_interval: '10m', sweep_interval: '10m' }

  /** A row an hour, for so many hours. */
  async function live(hours: number): Promise<void> {
    for (let hour = 0; hour < hours; hour++) {
      rig.simulator.write(ROW)
      await pass(HOUR)
    }
  }

  it('because a cell whose clock is a month ahead wrote a row', async () => {
    rig = await startRig({ tokenLoginEvents: false })
    await rig.caughtUp(SLOWER)
    await live(32)
    const before = counts()
    rig.simulator.write({ ...ROW, atMs: rig.clock.wall() + 30 * 24 * HOUR })
    await pass(3 * HOUR)
    expect(rig.rows().size).toBe(33)
    expect(rig.gaps()).toEqual([])
    expect(rig.repeats).toBe(0)
    expect(counts() - before).toBeLessThan(100)
  })

  it('because an earlier version of opswire did not count', async () => {
    rig = await startRig({ tokenLoginEvents: false })
    await rig.caughtUp(SLOWER)
    await live(32)
    for (let restart = 0; restart < 2; restart++) {
      await rig.stop()
      if (restart === 0) for (const key of rig.mirror.keys()) if (key.startsWith('vcd.hour/')) rig.mirror.delete(key)
      await rig.clock.advance(MINUTE)
      await rig.caughtUp(SLOWER)
      await live(5)
      expect(rig.gaps()).toEqual([])
    }
    const late = rig.simulator.write({ ...ROW, lateMs: 2 * HOUR })
    await rig.drive(() => rig.rows().has(late), 'the late row')
  })

  it('because a role saw less for a day, and then all again', async () => {
    rig = await startRig({ tokenLoginEvents: false })
    await rig.caughtUp(SLOWER)
    const began = rig.clock.wall()
    await live(28)
    rig.simulator.knobs.hide = row => row.timestampMs < began + 2 * HOUR
    await live(26)
    rig.simulator.knobs.hide = undefined
    await live(26)
    expect(rig.gaps()).toEqual([])
  })
})

it('an overlap shorter than that of the polls between is no reason to tell rows again', async () => {
  rig = await startRig({ tokenLoginEvents: false })
  await rig.caughtUp({ overlap: '1s' })
  for (let row = 0; row < 6; row++) {
    rig.simulator.write(ROW)
    await rig.turns(2)
  }
  expect(rig.rows().size).toBe(6)
  expect(rig.repeats).toBe(0)
})

it('compares kindly: an hour is asked for hourly for a day, then daily, then never again; nothing is read twice', async () => {
  rig = await startRig({ tokenLoginEvents: false })
  await rig.caughtUp({ poll_interval: '10m', sweep_interval: '10m' })
  for (let hour = 0; hour < 30; hour++) {
    rig.simulator.write(ROW)
    await pass(HOUR)
  }
  // Each hour of the last day once an hour, and a turn asks for two at the most: some hundreds in thirty hours.
  expect(counts()).toBeGreaterThan(200)
  expect(counts()).toBeLessThan(30 * 26)
  const upper = rig.simulator.record.requests.filter(({ path }) => path.includes('timestamp%3Dlt%3D'))
  // One read of an anchor an hour is all that has an upper bound beside the counts.
  expect(upper.filter(({ path }) => !path.endsWith('pageSize=1')).length).toBeLessThan(35)
  expect(told()).toEqual([])
})

it('an hour that the cell counts wrongly is read again once, and said to be so', async () => {
  rig = await startRig({ tokenLoginEvents: false, countCeiling: 200 })
  await rig.caughtUp(SLOW)
  await pass(HOUR)
  for (let row = 0; row < 300; row++) rig.simulator.write({ ...ROW, afterMs: row * 1000 })
  await rig.drive(() => rig.rows().size === 300, 'all of them')
  await pass(2 * HOUR)
  const { repeats } = rig
  await pass(6 * HOUR)
  expect(rig.repeats).toBe(repeats)
  expect(told()).toEqual([expect.stringMatching(/^the cell counts 200 rows of the hour .* and shows 300/)])
  expect(rig.gaps()).toEqual([])
})

it('counts that never come cost no session: said once, and tried again in an hour', async () => {
  rig = await startRig({ tokenLoginEvents: false })
  await rig.caughtUp(SLOW)
  const counting = (path: string): boolean => path.includes('timestamp%3Dlt%3D') && path.endsWith('pageSize=1')
  rig.simulator.knobs.fail = ({ path }) => (counting(path) ? { kind: 'hang' } : undefined)
  const asked = (): number[] => rig.simulator.record.requests.filter(one => counting(one.path)).map(one => one.atMs)
  for (let time = 0; time < 4; time++) {
    await rig.drive(() => asked().length > time, 'an hour is to be counted')
    await rig.clock.advance(30_000)
  }
  expect(rig.failures).toEqual([])
  const [first = 0, , , last = 0] = asked()
  expect(last - first).toBeGreaterThan(2 * HOUR)
  expect(told()).toEqual([expect.stringMatching(/^the cell does not count its rows in time/)])
  const late = rig.simulator.write({ ...ROW, lateMs: 30 * MINUTE })
  rig.simulator.knobs.fail = undefined
  await rig.drive(() => rig.rows().has(late), 'the late row')
})

it('says so, once, where the cell counts nothing', async () => {
  rig = await startRig({ tokenLoginEvents: false, omitTotal: true })
  await rig.caughtUp(SLOW)
  await pass(4 * HOUR)
  expect(told()).toEqual([expect.stringMatching(/does not count its rows/)])
})
