import { afterEach, describe, expect, it } from 'vitest'
import type { RowSeed } from '../../src/simulators/vcd/trail.ts'
import { type Rig, startRig } from './rig.ts'

let rig: Rig
afterEach(() => rig.end())

const ROW: RowSeed = { type: 'vm/modify', user: 'alice', org: 'acme' }

/** Ids that the simulator showed since `fromMs` and that were not read. */
function unread(fromMs = 0): string[] {
  const read = rig.rows()
  return rig.simulator.record.rows.filter(row => row.timestampMs >= fromMs && !read.has(row.id)).map(row => row.id)
}

describe('first contact', () => {
  it('starts now, and keeps that start over a crash before the first event', async () => {
    rig = await startRig({ tokenLoginEvents: false })
    rig.simulator.write({ ...ROW, atMs: rig.clock.wall() - 60_000 })
    await rig.caughtUp()
    expect(rig.facts.size).toBe(0)
    await rig.stop()
    expect(rig.cursor).toBeDefined()
    await rig.clock.advance(3_600_000)
    const missed = rig.simulator.write(ROW)
    await rig.clock.advance(60_000)
    await rig.caughtUp()
    expect([...rig.rows().keys()]).toEqual([missed])
    expect(rig.rows().get(missed)?.origin).toBe('resync')
  })

  it('asks for the backfill that is configured, and no more', async () => {
    rig = await startRig({ tokenLoginEvents: false })
    const now = rig.clock.wall()
    rig.simulator.write({ ...ROW, atMs: now - 2 * 3_600_000 - 10_000 })
    const wanted = [now - 3_600_000, now - 1000 * 60].map(atMs => rig.simulator.write({ ...ROW, atMs }))
    await rig.caughtUp({ backfill: '2h' })
    expect([...rig.rows().keys()].sort()).toEqual([...wanted].sort())
    expect(new Set([...rig.rows().values()].map(fact => fact.origin))).toEqual(new Set(['backfill']))
    const live = rig.simulator.write({ ...ROW, atMs: rig.clock.wall() + 1 })
    await rig.turns(2)
    expect(rig.rows().get(live)?.origin).toBe('live')
  })
})

describe('paging', () => {
  it.each([false, true])(
    'reads a millisecond of more rows than a page, in an order that changes (µs kept: %s)',
    async subMillisecond => {
      rig = await startRig({ subMillisecond })
      const now = rig.clock.wall()
      for (let row = 0; row < 200; row++) rig.simulator.write({ ...ROW, atMs: now - 50_000 + row })
      for (let row = 0; row < 500; row++) rig.simulator.write({ ...ROW, atMs: now - 40_000 })
      for (let row = 0; row < 200; row++) rig.simulator.write({ ...ROW, atMs: now - 40_000 + row })
      await rig.caughtUp({ backfill: '1h' })
      expect(unread()).toEqual([])
      expect(rig.repeats).toBe(0)
      expect(rig.gaps()).toEqual([])
    },
  )

  it('asks for smaller pages where the cell refuses 128, and remembers', async () => {
    rig = await startRig({ maxPageSize: 40 })
    for (let row = 0; row < 100; row++) rig.simulator.write({ ...ROW, atMs: rig.clock.wall() - 50_000 + row })
    await rig.caughtUp({ backfill: '1h' })
    await rig.turns(2)
    expect(unread()).toEqual([])
    expect(rig.simulator.record.requests.filter(request => request.status === 400)).toHaveLength(2)
    expect(rig.failures).toEqual([])
  })

  it('spaces the requests of a long catch-up', async () => {
    rig = await startRig()
    for (let row = 0; row < 2000; row++) rig.simulator.write({ ...ROW, atMs: rig.clock.wall() - 500_000 + row * 10 })
    const start = rig.clock.now()
    await rig.caughtUp({ backfill: '1h' })
    expect(unread()).toEqual([])
    // 16 pages: 8 at once, the others half a second apart.
    expect(rig.clock.now() - start).toBeGreaterThanOrEqual(8 * 500)
  })

  it('carries rows that can not be read to the dead letters, once, and goes on', async () => {
    rig = await startRig()
    rig.simulator.write(ROW)
    // Without a zone a stamp could mean any hour.
    const broken = rig.simulator.write({ ...ROW, wire: { timestamp: '2026-02-03T04:05:06.789' } })
    await rig.caughtUp({ backfill: '1h' })
    await rig.turns(8)
    expect(rig.dead.map(letter => JSON.parse(letter.content).eventId)).toEqual([`urn:vcloud:audit:${broken}`])
    expect(unread()).toEqual([broken])
  })
})

describe('late rows', () => {
  it('are found by the sweep, told as such, once', async () => {
    rig = await startRig()
    await rig.caughtUp()
    await rig.turns(3)
    const late = rig.simulator.write({ ...ROW, lateMs: 150_000 })
    const early = rig.simulator.write({ ...ROW, atMs: rig.clock.wall() + 1 })
    await rig.turns(8)
    expect(rig.rows().has(early)).toBe(true)
    expect(rig.rows().has(late)).toBe(false)
    await rig.turns(25)
    expect(rig.rows().get(late)?.origin).toBe('resync')
    expect(rig.rows().get(early)?.origin).toBe('live')
    expect(rig.reported('feed_recovered')).toMatchObject([{ feed: 'audit', count: 1 }])
    expect(Math.max(...rig.reported('feed_late').map(one => one.seconds))).toBeGreaterThan(100)
    expect(rig.repeats).toBe(0)
  })

  it('are read by the next poll when they are only a little late, and cells may disagree on the time', async () => {
    rig = await startRig({
      cells: [
        { id: 'cell-a', skewMs: 0 },
        { id: 'cell-b', skewMs: -9000 },
        { id: 'cell-c', skewMs: 12_000 },
      ],
      latenessMs: () => 4000,
    })
    await rig.caughtUp()
    const began = rig.clock.wall()
    for (let turn = 0; turn < 30; turn++) {
      rig.simulator.write(ROW)
      await rig.turns(1)
    }
    rig.simulator.knobs.latenessMs = () => 0
    await rig.turns(4)
    expect(unread(began)).toEqual([])
    expect(rig.reported('feed_recovered')).toEqual([])
    expect(rig.repeats).toBe(0)
  })

  it('are found up to the whole overlap, wherever between two sweeps they come out', async () => {
    rig = await startRig()
    await rig.caughtUp()
    const began = rig.clock.wall()
    for (let turn = 0; turn < 14; turn++) {
      rig.simulator.write({ ...ROW, lateMs: 580_000 })
      // Polls in between that have something to read must not take from the sweep's overlap.
      rig.simulator.write(ROW)
      await rig.turns(1)
    }
    for (let turn = 0; turn < 80; turn++) {
      rig.simulator.write(ROW)
      await rig.turns(1)
    }
    await rig.turns(1)
    expect(unread(began)).toEqual([])
    expect(rig.repeats).toBe(0)
  })

  it('ask for a longer overlap when they come near its end', async () => {
    rig = await startRig()
    await rig.caughtUp()
    rig.simulator.write({ ...ROW, lateMs: 500_000 })
    await rig.turns(60)
    expect(rig.reported('advice').map(one => one.text)).toEqual([expect.stringMatching(/make overlap longer/)])
  })
})

describe('restart', () => {
  it('goes on at the cursor and reads what was missed', async () => {
    rig = await startRig()
    await rig.caughtUp()
    const began = rig.clock.wall()
    for (let turn = 0; turn < 5; turn++) {
      rig.simulator.write(ROW)
      await rig.turns(1)
    }
    await rig.stop()
    const known = rig.facts.size
    const missed: string[] = []
    for (let hour = 0; hour < 40; hour++) {
      await rig.clock.advance(3_600_000)
      missed.push(rig.simulator.write(ROW))
    }
    await rig.clock.advance(10_000)
    await rig.caughtUp()
    await rig.turns(2)
    expect(unread(began)).toEqual([])
    expect(missed.map(id => rig.rows().get(id)?.origin)).toEqual(missed.map(() => 'resync'))
    expect(rig.gaps()).toEqual([])
    // What the overlap reads again has the same ids: it is dropped by id and not counted as found.
    expect(rig.repeats).toBeGreaterThan(0)
    const recovered = rig.reported('feed_recovered').reduce((sum, one) => sum + one.count, 0)
    const authored = [...rig.rows().values()].slice(known).filter(fact => fact.origin === 'resync')
    expect(recovered).toBe(authored.length)
  })

  it('says which time is lost when the trail was purged past the cursor', async () => {
    rig = await startRig({ retentionMs: 10 * 3_600_000, tokenLoginEvents: false })
    await rig.caughtUp()
    rig.simulator.write(ROW)
    await rig.turns(8)
    await rig.stop()
    const from = rig.clock.wall()
    for (let hour = 0; hour < 30; hour++) {
      await rig.clock.advance(3_600_000)
      rig.simulator.write(ROW)
    }
    await rig.caughtUp()
    const oldest = Math.min(
      ...rig.simulator.record.rows.map(row => row.timestampMs).filter(at => at > rig.clock.wall() - 36_000_000 - 1),
    )
    expect(rig.gaps()).toHaveLength(1)
    const gap = rig.gaps()[0]?.data.gap
    expect(gap).toMatchObject({ feed: 'audit', reason: 'retention', to: new Date(oldest).toISOString() })
    expect(Date.parse(gap?.from ?? '')).toBeLessThanOrEqual(from)
    expect(unread(oldest)).toEqual([])
  })

  it('does not call a purge of what it had read a gap', async () => {
    rig = await startRig({ retentionMs: 2 * 3_600_000 })
    await rig.caughtUp()
    rig.simulator.write(ROW)
    await rig.turns(8)
    for (let turn = 0; turn < 4; turn++) {
      await rig.clock.advance(3_600_000)
      rig.simulator.write(ROW)
      await rig.turns(8)
    }
    expect(rig.gaps()).toEqual([])
    expect(rig.failures).toEqual([])
  })

  it('says so when rows are purged while it catches up', async () => {
    rig = await startRig({ retentionMs: 86_400_000, tokenLoginEvents: false })
    await rig.caughtUp()
    rig.simulator.write(ROW)
    await rig.turns(8)
    await rig.stop()
    const first = rig.clock.wall()
    for (let row = 0; row < 1000; row++) rig.simulator.write({ ...ROW, atMs: first + 1000 + row * 10_000, lateMs: 0 })
    await rig.clock.advance(12_000_000)
    let pages = 0
    rig.simulator.knobs.fail = ({ path }) => {
      // The purge runs after the third page: everything older than row 600 goes.
      if (path.includes('auditTrail') && ++pages === 5) {
        rig.simulator.knobs.retentionMs = rig.clock.wall() - (first + 1000 + 600 * 10_000)
      }
      return undefined
    }
    await rig.caughtUp()
    expect(rig.gaps().map(fact => fact.data.gap)).toMatchObject([{ reason: 'retention' }])
    const gap = rig.gaps()[0]?.data.gap
    const lost = rig.simulator.record.rows.filter(row => unread().includes(row.id))
    expect(lost.length).toBeGreaterThan(0)
    // Every row that was lost lies in the time that is announced.
    for (const row of lost) {
      expect(row.timestampMs).toBeGreaterThan(Date.parse(gap?.from ?? ''))
      expect(row.timestampMs).toBeLessThan(Date.parse(gap?.to ?? ''))
    }
  })

  it('notices a database restored from an older copy, and reads it again', async () => {
    rig = await startRig()
    await rig.caughtUp()
    rig.simulator.write(ROW)
    await rig.turns(8)
    rig.simulator.write(ROW)
    await rig.turns(8)
    await rig.stop()
    const restoredTo = rig.clock.wall() - 100_000
    rig.simulator.lose(row => row.timestampMs > restoredTo)
    const after = rig.simulator.write({ ...ROW, atMs: restoredTo + 5000 })
    await rig.caughtUp()
    await rig.turns(1)
    expect(rig.gaps().map(fact => fact.data.gap?.reason)).toEqual(['anchor_missing'])
    expect(rig.rows().has(after)).toBe(true)
  })

  it('notices that its role sees less than before, however many rows of its own follow', async () => {
    rig = await startRig()
    await rig.caughtUp()
    rig.simulator.write(ROW)
    await rig.turns(8)
    rig.simulator.knobs.hide = row => row.user === 'alice'
    rig.simulator.write({ ...ROW, user: 'root', org: 'System' })
    await rig.turns(8)
    expect(rig.gaps().map(fact => fact.data.gap?.reason)).toEqual(['anchor_missing'])
    await rig.turns(20)
    expect(rig.gaps()).toHaveLength(1)
  })
})

describe('answers that are none', () => {
  it.each([
    [{ kind: 'html', status: 200 }, 'throttled'],
    [{ kind: 'html', status: 502 }, 'throttled'],
    [{ kind: 'status', status: 500 }, 'throttled'],
    [{ kind: 'status', status: 429, retryAfterS: 3 }, 'throttled'],
    [{ kind: 'status', status: 403 }, 'permission'],
    [{ kind: 'status', status: 400 }, 'protocol'],
  ] as const)('%j is not "no events"', async (fault, code) => {
    rig = await startRig()
    let left = 8
    rig.simulator.knobs.fail = ({ path }) => (path.includes('auditTrail') && left-- > 0 ? fault : undefined)
    rig.read()
    await rig.drive(() => rig.failures.length > 0, 'the trouble was noticed')
    expect(rig.failures[0]).toMatchObject({ code })
    if (code === 'permission') return
    await rig.drive(() => rig.rows().size >= 2, 'it went on')
    expect(rig.simulator.record.logins).toHaveLength(1)
  })

  it('a cell that never answers is given up after the time-out, and asked for less', async () => {
    rig = await startRig()
    rig.simulator.knobs.fail = ({ path }) => (path.includes('pageSize=128') ? { kind: 'hang' } : undefined)
    rig.read()
    await rig.drive(() => rig.simulator.record.requests.some(({ path }) => path.includes('pageSize=128')), 'asked')
    await rig.clock.advance(30_000)
    await rig.drive(() => rig.rows().size >= 2, 'it went on')
    expect(rig.failures).toMatchObject([{ code: 'timeout' }])
  })
})
