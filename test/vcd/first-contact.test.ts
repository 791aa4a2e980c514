import { afterEach, describe, expect, it } from 'vitest'
import type { RowSeed } from '../../src/simulators/vcd/trail.ts'
import { fromCursor } from '../../src/subscribers/vcd/position.ts'
import { type Rig, startRig } from './rig.ts'

let rig: Rig
afterEach(() => rig.end())

const ROW: RowSeed = { type: 'vm/modify', user: 'alice', org: 'acme' }

/** Rows of every part of the ten minutes of overlap, and some before; all can be read by now. */
function past(): string[] {
  return [1000, 8000, 29_000, 31_000, 300_000, 599_000, 601_000, 3_600_000].map(ago =>
    rig.simulator.write({ ...ROW, atMs: rig.clock.wall() - ago }),
  )
}

describe('what shows after first contact with a stamp before it', () => {
  it('is read: a cell whose clock is behind writes just after', async () => {
    rig = await startRig({ tokenLoginEvents: false, cells: [{ id: 'slow', skewMs: -9000 }] })
    const old = past()
    await rig.caughtUp()
    expect(rig.facts.size).toBe(0)
    const news = rig.simulator.write(ROW)
    await rig.turns(2)
    expect([...rig.rows().keys()]).toEqual([news])
    expect(rig.rows().get(news)?.origin).toBe('live')
    await rig.turns(80)
    expect([...rig.rows().keys()]).toEqual([news])
    expect(old).not.toContain(news)
    expect(rig.gaps()).toEqual([])
  })

  it('is read by the sweep when it is late', async () => {
    rig = await startRig({ tokenLoginEvents: false })
    past()
    const late = rig.simulator.write({ ...ROW, atMs: rig.clock.wall() - 200_000, lateMs: 100_000 })
    await rig.caughtUp()
    await rig.turns(30)
    expect([...rig.rows().keys()]).toEqual([late])
    expect(rig.rows().get(late)?.origin).toBe('resync')
    expect(rig.reported('feed_recovered')).toMatchObject([{ count: 1 }])
  })

  it('is told from a backfill that is shorter than the overlap', async () => {
    rig = await startRig({ tokenLoginEvents: false })
    past()
    const late = rig.simulator.write({ ...ROW, atMs: rig.clock.wall() - 200_000, lateMs: 20_000 })
    await rig.caughtUp({ backfill: '30s' })
    expect([...rig.rows().values()].map(fact => fact.origin)).toEqual(['backfill', 'backfill', 'backfill'])
    await rig.turns(20)
    expect(rig.rows().size).toBe(4)
    expect(rig.rows().get(late)?.origin).toBe('resync')
  })
})

describe('what was there before', () => {
  it('stays unpublished over lost connections, restarts and a rewind', async () => {
    rig = await startRig({ tokenLoginEvents: false })
    const old = new Set(past())
    await rig.caughtUp()
    await rig.turns(2)
    // The same process, another session.
    let broken = 2
    rig.simulator.knobs.fail = ({ path }) =>
      path.includes('auditTrail') && broken-- > 0 ? { kind: 'status', status: 503 } : undefined
    await rig.turns(4)
    expect(rig.failures.length).toBeGreaterThan(0)
    // Another process, which remembers nothing, within the overlap and again after it.
    for (const ms of [5000, 300_000, 700_000]) {
      await rig.stop()
      await rig.clock.advance(ms)
      const news = rig.simulator.write(ROW)
      await rig.clock.advance(3000)
      await rig.caughtUp()
      expect(rig.rows().get(news)?.origin).toBe('resync')
      await rig.turns(8)
    }
    // The newest rows vanish: the trail is read again as far back as it may be.
    const now = rig.clock.wall()
    rig.simulator.lose(row => row.timestampMs > now - 400_000)
    await rig.turns(8)
    expect(rig.gaps().map(fact => fact.data.gap?.reason)).toEqual(['anchor_missing'])
    await rig.turns(8)
    expect([...rig.rows().keys()].filter(id => old.has(id))).toEqual([])
    expect(rig.rows().size).toBe(3)
  })

  it('stays unpublished when the first walk broke off', async () => {
    rig = await startRig({ tokenLoginEvents: false })
    for (let row = 0; row < 400; row++) rig.simulator.write({ ...ROW, atMs: rig.clock.wall() - 500_000 + row * 1000 })
    let pages = 0
    rig.simulator.knobs.fail = ({ path }) =>
      path.includes('auditTrail') && ++pages === 3 ? { kind: 'status', status: 503 } : undefined
    await rig.caughtUp()
    await rig.turns(14)
    expect(rig.failures).toHaveLength(1)
    expect(rig.facts.size).toBe(0)
  })
})

it('a cursor of before has nothing unpublished to look for', () => {
  const cursor = { from: 5, began: 9, sweep: 9, fast: 9, read: 9, newest: 9, anchorId: null, anchorAt: null }
  expect(fromCursor(cursor)).toEqual({ ...cursor, asked: 5 })
})

describe("the cell's clock", () => {
  it('may be an hour beside the one that its tokens end by: it is no reason to log in with each request', async () => {
    rig = await startRig({ expiresInS: 1800, dateHeader: ms => new Date(ms + 3_600_000).toUTCString() })
    rig.read()
    await rig.turns(4)
    expect(rig.simulator.record.logins).toHaveLength(1)
  })

  it.each([[undefined], ['soon'], ['']])(
    'is not told by a Date header of %j: ours counts, and that is said once',
    async date => {
      rig = await startRig({ tokenLoginEvents: false, dateHeader: () => date })
      await rig.caughtUp()
      const row = rig.simulator.write(ROW)
      const late = rig.simulator.write({ ...ROW, lateMs: 200_000 })
      await rig.drive(() => rig.rows().has(row) && rig.rows().has(late), 'both rows')
      expect(rig.gaps()).toEqual([])
      expect(rig.reported('advice').map(({ text }) => text)).toEqual([
        expect.stringMatching(/no Date header.*own clock/),
      ])
    },
  )
})
