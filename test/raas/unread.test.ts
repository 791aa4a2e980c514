/** Rows later than any walk reaches: found by the server's own count, told afterwards, or told as a gap. Never silence. */
import { afterEach, describe, expect, it } from 'vitest'
import { raasSubscriber } from '../../src/subscribers/raas/subscriber.ts'
import { Tally } from '../../src/subscribers/raas/tally.ts'
import { until } from '../support/manual-clock.ts'
import { ROOT, ret } from './bus.ts'
import { generator } from './generator.ts'
import { Naive } from './naive.ts'
import { makeRig, type Rig, type RigOptions } from './rig.ts'

let rig: Rig | undefined

afterEach(async () => {
  await rig?.close()
  rig = undefined
})

const JID = '20260203040506000001'
const MINUTE = 60_000

async function started(options: RigOptions = {}): Promise<Rig> {
  rig = await makeRig({ ...options, config: { jobs: false, poll_interval: '1m', ...options.config } })
  await rig.start()
  return rig
}

const minionsOf = (on: Rig): string[] => on.keeper.of('raas.return').map(fact => fact.data.return?.minion ?? '')

function late(on: Rig, minion: string, delayMs: number): void {
  on.sim.knobs.commitDelayMs = () => delayMs
  on.sim.push('master1', [ret(JID, minion, true)])
  on.sim.knobs.commitDelayMs = () => 0
}

/** So many minutes, with ten rows in each: after an hour no page of the tail reaches below a sweep. */
async function minutes(on: Rig, count: number, name: string): Promise<void> {
  for (let minute = 0; minute < count; minute++) {
    for (let n = 0; n < 10; n++) {
      on.sim.push('master1', [ret(JID, `${name}${minute}-${n}`, true)])
      await on.clock.advance(1)
    }
    await on.rounds(1)
  }
}

describe('a return of no job that becomes visible', () => {
  it('90 minutes late: the count proves it, one deep walk finds it', async () => {
    const on = await started()
    const naive = new Naive(on)
    await naive.login()
    await minutes(on, 2, 'a')
    late(on, 'late', 90 * MINUTE)
    await minutes(on, 125, 'b')
    await naive.login()
    naive.pages = 100
    await naive.poll()
    naive.cursor = on.keeper.cursors.get('returns')?.['at'] as string
    await naive.poll()
    expect(on.keeper.of('raas.return').filter(fact => fact.data.return?.minion === 'late')).toMatchObject([
      { origin: 'resync' },
    ])
    expect(minionsOf(on)).toHaveLength(1271)
    expect(on.keeper.reported('feed_recovered')).toMatchObject([{ feed: 'returns', count: 1 }])
    expect(on.keeper.reported('feed_late').some(one => one.seconds > 5000)).toBe(true)
    expect(on.keeper.of('opswire.gap')).toEqual([])
  })

  it('an audit row of a task that took two hours stands where it began: found in the same way', async () => {
    const on = await started({ config: { audit: true, poll_interval: '5m' } })
    const note = (name: string, agoMs: number): void => {
      const startUs = (on.clock.wall() - agoMs) * 1000
      on.sim.tables.addAudit({ username: 'alice', type: 'task', name, failed: false, startUs, request: {} })
    }
    const hours = async (count: number): Promise<void> => {
      for (let turn = 0; turn < count * 12; turn++) {
        for (let n = 0; n < 10; n++) note(`short.${n}`, n)
        await on.rounds(1, ['returns', 'audit'])
      }
    }
    await hours(3)
    note('long.task', 120 * MINUTE)
    await hours(1)
    const told = on.keeper.of('raas.audit').filter(fact => fact.data.action === 'long.task')
    expect(told).toMatchObject([{ origin: 'resync' }])
    expect(on.keeper.of('opswire.gap')).toEqual([])
  })

  /** A row that becomes visible while the daemon is away, and then more rows than a page holds. */
  async function away(lateMs: number, minutesBefore: number, awayMs: number): Promise<Rig> {
    const on = await started()
    await minutes(on, 5, 'a')
    late(on, 'late', lateMs)
    await minutes(on, minutesBefore, 'b')
    await on.stop()
    await on.clock.advance(awayMs)
    for (let n = 0; n < 300; n++) {
      on.sim.push('master1', [ret(JID, `c${n}`, true)])
      await on.clock.advance(1)
    }
    return on
  }

  it.each([
    ['20 minutes late while the daemon is away: the sweep at its start finds it', 20, 15, 10],
    ['ten, before the daemon was away for two hours: that sweep goes down from where the last one was', 10, 5, 120],
  ])('%s', async (_name, lateBy, before, awayFor) => {
    const on = await away(lateBy * MINUTE, before, awayFor * MINUTE)
    await on.restart()
    expect(minionsOf(on)).toContain('late')
    // Nobody knows whether the process before had told it.
    expect(on.keeper.reported('feed_recovered')).toEqual([])
    expect(on.keeper.of('opswire.gap')).toEqual([])
  })

  it('while the daemon is away, and the first sweep after that fails: the next session makes it up', async () => {
    const on = await away(20 * MINUTE, 15, 10 * MINUTE)
    on.sim.knobs.fault = call => (call.kwarg['page'] === 1 ? { kind: 'status', status: 503 } : undefined)
    on.subscriber = raasSubscriber(on.config)
    await on.open()
    await until(() => on.error !== undefined, 'the failed sweep')
    await on.stop()
    on.sim.knobs.fault = undefined
    await on.start()
    expect(minionsOf(on)).toContain('late')
  })

  it('two hours late, and the daemon dies meanwhile: the count it left behind proves it, and a gap says so', async () => {
    const on = await started()
    await minutes(on, 20, 'a')
    late(on, 'late', 120 * MINUTE)
    await minutes(on, 115, 'b')
    await on.stop()
    await on.clock.advance(20 * MINUTE)
    await on.restart()
    await on.rounds(20)
    expect(minionsOf(on)).toContain('late')
    expect(on.keeper.of('opswire.gap').map(fact => fact.data.gap)).toMatchObject([
      { feed: 'returns', reason: 'anchor_missing', from: null },
    ])
    await on.restart()
    await on.rounds(20)
    expect(on.keeper.of('opswire.gap')).toHaveLength(1)
  })

  it('more rows within an hour than a walk may read: what a sweep can not do is said', async () => {
    const on = await started({ limits: { maxRows: 300 } })
    await minutes(on, 65, 'a')
    const told = on.keeper.reported('advice').filter(one => one.text.includes('lie within an hour'))
    expect(told).toHaveLength(1)
    expect(on.keeper.of('opswire.gap')).toEqual([])
  })

  it('a daemon that dies again and again, rows written again and trims meanwhile: nothing is feigned', async () => {
    const on = await started()
    await minutes(on, 100, 'a')
    for (let death = 0; death < 4; death++) {
      await on.stop()
      for (let n = 0; n < 30; n++) on.sim.push('master1', [ret(JID, `a${n * 3}-1`, death % 2 === 0)])
      await on.clock.advance((20 + 50 * death) * MINUTE)
      if (death === 2) on.sim.tables.trim((on.clock.wall() - 180 * MINUTE) * 1000)
      await on.restart()
      await minutes(on, 18, `d${death}-`)
    }
    expect(on.keeper.of('opswire.gap')).toEqual([])
    expect(on.keeper.reported('feed_recovered')).toEqual([])
  })

  it('later than late_horizon: a gap says so, once', async () => {
    const on = await started({ config: { late_horizon: '70m' } })
    await minutes(on, 2, 'a')
    late(on, 'lost1', 90 * MINUTE)
    late(on, 'lost2', 90 * MINUTE)
    await minutes(on, 150, 'b')
    expect(minionsOf(on)).not.toContain('lost1')
    expect(on.keeper.of('opswire.gap').map(fact => fact.data.gap)).toMatchObject([
      { feed: 'returns', reason: 'anchor_missing', from: null, recovered: 0 },
    ])
    expect(on.keeper.duplicates).toBe(0)
  })

  it('a count that is not exact proves nothing, nor does one with rows that are not shown', async () => {
    const chance = generator(5)
    const on = await started({ simulator: { countOff: () => Math.floor(chance() * 3) - 1 } })
    await minutes(on, 100, 'a')
    expect(on.keeper.of('opswire.gap')).toEqual([])
    await on.close()
    const hidden = await started({
      simulator: { countsHidden: true, users: [{ ...ROOT, sees: minion => !minion.startsWith('db') }] },
    })
    await minutes(hidden, 20, 'a')
    await minutes(hidden, 20, 'db')
    await minutes(hidden, 60, 'b')
    expect(hidden.keeper.of('opswire.gap')).toEqual([])
    expect(hidden.keeper.reported('feed_recovered')).toEqual([])
  })

  it.each(['overwrite', 'add'] as const)(
    'rows that are written again (%s), or trimmed, feign nothing',
    async secondReturn => {
      const on = await started({ simulator: { secondReturn } })
      const chance = generator(11)
      for (let hour = 0; hour < 3; hour++) {
        await minutes(on, 50, `h${hour}-`)
        for (let n = 0; n < 30; n++) {
          const minion = `h${Math.floor(chance() * (hour + 1))}-${Math.floor(chance() * 50)}-${Math.floor(chance() * 10)}`
          on.sim.push('master1', [ret(JID, minion, n % 2 === 0)])
          await on.clock.advance(1)
        }
        await minutes(on, 10, `i${hour}-`)
        if (hour === 1) on.sim.tables.trim((on.clock.wall() - 80 * MINUTE) * 1000)
      }
      expect(on.keeper.of('opswire.gap')).toEqual([])
      expect(on.keeper.reported('feed_recovered')).toEqual([])
    },
  )
})

describe('the tally', () => {
  const rows = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, n) => ({ key: `r${from + n}`, us: from + n }))

  /** A server with these rows, read by a sweep down to `lowUs`. */
  function sweep(tally: Tally, lowUs: number, all: readonly { key: string; us: number }[]): void {
    const above = all.filter(({ us }) => us > lowUs)
    for (const { key, us } of above) tally.met(key, us)
    tally.swept({ lowUs, least: all.length, most: all.length, rows: above })
  }

  it('counts what grew below the mark and was read by nobody', () => {
    const tally = new Tally()
    sweep(tally, 40, rows(0, 100))
    sweep(tally, 90, rows(0, 150))
    expect(tally.unread).toBe(0)
    const late = { key: 'late', us: 30 }
    sweep(tally, 140, [...rows(0, 200), late])
    expect([tally.unread, tally.accounted(140)]).toEqual([0, 141])
    // The second sweep in a row that lacks it.
    sweep(tally, 190, [...rows(0, 250), late])
    expect([tally.unread, tally.accounted(190)]).toEqual([1, 191])
    sweep(tally, 240, [...rows(0, 300), late])
    expect(tally.unread).toBe(1)
  })

  it('does not count what another way has read', () => {
    const tally = new Tally()
    sweep(tally, 40, rows(0, 100))
    tally.met('late', 30)
    sweep(tally, 90, [...rows(0, 150), { key: 'late', us: 30 }])
    expect(tally.unread).toBe(0)
  })

  it('sees a late row beside rewritten ones, once it has seen what rewriting does', () => {
    const tally = new Tally()
    const moved = (all: { key: string; us: number }[], key: string, us: number) => [
      ...all.filter(one => one.key !== key),
      { key, us },
    ]
    sweep(tally, 40, rows(0, 100))
    // r95 is written again while a sweep still reaches its old place: the old row is gone.
    const second = moved(rows(0, 150), 'r95', 150)
    sweep(tally, 90, second)
    const third = moved([...second, ...rows(151, 200), { key: 'late', us: 20 }], 'r50', 200)
    sweep(tally, 140, third)
    sweep(tally, 190, [...third, ...rows(201, 250)])
    expect(tally.unread).toBe(1)
  })

  it('a row that is written again while the sweep reads, below what it has read, is not missed by it', () => {
    const tally = new Tally()
    sweep(tally, 40, rows(0, 100))
    const all = rows(0, 150)
    const above = all.filter(({ us, key }) => us > 90 && key !== 'r95')
    for (const { key, us } of above) tally.met(key, us)
    tally.swept({ lowUs: 90, least: 150, most: 150, rows: above })
    const moved = [...all.filter(({ key }) => key !== 'r95'), { key: 'r95', us: 150 }, ...rows(151, 200)]
    sweep(tally, 140, moved)
    sweep(tally, 190, [...moved, ...rows(201, 250)])
    expect(tally.unread).toBe(0)
  })

  it("goes on from another process's count", () => {
    const tally = new Tally()
    sweep(tally, 40, rows(0, 100))
    const later = new Tally()
    later.resume(40, tally.accounted(40) ?? 0)
    // Its walk sees rows below the mark as well, which are new to nobody but itself.
    later.met('r40', 40)
    sweep(later, 40, [...rows(0, 150), { key: 'late', us: 10 }])
    sweep(later, 90, [...rows(0, 200), { key: 'late', us: 10 }])
    expect(later.unread).toBe(1)
  })

  it('starts anew after a sweep that could not be counted', () => {
    const tally = new Tally()
    sweep(tally, 40, rows(0, 100))
    tally.forget()
    sweep(tally, 90, [...rows(0, 150), { key: 'late', us: 30 }])
    expect(tally.unread).toBe(0)
  })
})
