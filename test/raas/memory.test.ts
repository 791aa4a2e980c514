/** What outlives a session, and what can't be read: told once, remembered within bounds. */
import { afterEach, expect, test } from 'vitest'
import { Answered } from '../../src/subscribers/raas/answered.ts'
import { MOST_REMEMBERED, TailMemory } from '../../src/subscribers/raas/memory.ts'
import { ret } from './bus.ts'
import { makeRig, type Rig, type RigOptions, route } from './rig.ts'

let rig: Rig | undefined

afterEach(async () => {
  await rig?.close()
  rig = undefined
})

async function started(options: RigOptions = {}): Promise<Rig> {
  rig = await makeRig(options)
  await rig.start()
  return rig
}

const JID = '20260203040506000001'
const minionsOf = (on: Rig): string[] => on.keeper.of('raas.return').map(fact => fact.data.return?.minion ?? '')
const push = (on: Rig, ...minions: string[]): void =>
  on.sim.push(
    'master1',
    minions.map(minion => ret(JID, minion, true)),
  )
const gaps = (on: Rig) => on.keeper.of('opswire.gap').map(fact => fact.data.gap)

/** The connection is lost and made again, by the same subscriber. */
async function reopened(on: Rig): Promise<void> {
  await on.stop()
  await on.start()
}

test('a burst of one time after inexact counts: all of it, and no gap', async () => {
  const on = await started({ config: { jobs: false } })
  on.sim.knobs.countOff = () => 1
  push(on, 'one')
  await on.clock.advance(10)
  push(on, 'two')
  await on.rounds(3)
  on.sim.knobs.countOff = () => 0
  push(on, ...Array.from({ length: 300 }, (_, n) => `tie${n}`))
  await on.rounds(1)
  expect(new Set(minionsOf(on)).size).toBe(302)
  expect(gaps(on)).toEqual([])
})

test('ties that no page holds and no job loop repairs are a gap, told once', async () => {
  const on = await started({ simulator: { pageCap: 20 }, config: { jobs: false } })
  push(on, ...Array.from({ length: 70 }, (_, n) => `m${n}`))
  await on.rounds(3)
  await reopened(on)
  await on.rounds(1)
  expect(gaps(on)).toMatchObject([{ feed: 'returns', reason: 'row_limit', recovered: 0 }])
  expect(gaps(on)[0]?.from).toBe(gaps(on)[0]?.to)
  expect(on.keeper.duplicates).toBe(0)
})

test('a sweep is due by its interval, however short sessions live', async () => {
  const on = await started({ config: { jobs: false, poll_interval: '60s' } })
  for (let round = 0; round < 9; round++) {
    for (let n = 0; n < 40; n++) {
      push(on, `tick${round}-${n}`)
      await on.clock.advance(1)
    }
    await on.rounds(1)
  }
  await on.stop()
  // Seven minutes late, visible while nobody looks: no page of the tail reaches back to it.
  on.sim.knobs.writerSkewMs = () => -420_000
  push(on, 'late')
  on.sim.knobs.writerSkewMs = () => 0
  await on.start()
  expect(minionsOf(on)).not.toContain('late')
  for (let session = 0; session < 3; session++) {
    await on.rounds(4)
    await reopened(on)
  }
  expect(on.keeper.of('raas.return').filter(fact => fact.data.return?.minion === 'late')).toMatchObject([
    { origin: 'resync' },
  ])
  expect(on.keeper.reported('feed_recovered')).toMatchObject([{ count: 1 }])
})

test('rows that can not be understood are kept once, runs and returns, beyond the session', async () => {
  const on = await started()
  route(on, ['web01'])
  push(on, 'web01')
  const { runs, returns } = on.sim.tables
  const [run] = runs.values()
  const [row] = returns
  if (run === undefined || row === undefined) throw new Error('no row')
  runs.set('bad', { ...run, state: 'disabled', retrieved: true, row: { ...run.row, jid: null } })
  returns.push({ ...row, row: { nonsense: true } })
  await on.rounds(3)
  await reopened(on)
  await on.rounds(2)
  expect(on.keeper.dead.map(letter => letter.reason).sort()).toEqual([
    'a return row names no jid or no minion',
    'a run row names no jid',
  ])
})

test('a bad row whose dead letter was never committed is kept by the next session', async () => {
  const on = await started({ config: { jobs: false } })
  push(on, 'web01')
  await on.rounds(1)
  let release = (): void => undefined
  on.keeper.hold = new Promise((_, reject) => {
    release = () => reject(new Error('store away'))
  })
  on.keeper.hold.catch(() => undefined)
  const [row] = on.sim.tables.returns
  if (row === undefined) throw new Error('no row')
  on.sim.tables.returns.push({ ...row, row: { nonsense: true } })
  await on.clock.advance(15_000)
  release()
  await on.stop()
  on.keeper.hold = undefined
  await on.start()
  expect(on.keeper.dead).toHaveLength(1)
})

test('answers are bounded in jobs and minions; the oldest jobs go first', () => {
  const answered = new Answered(100, 10)
  for (let job = 0; job < 50; job++) for (let minion = 0; minion < 30; minion++) answered.add(`j${job}`, `m${minion}`)
  expect(answered.size).toBeLessThanOrEqual(100)
  expect([answered.count('j49'), answered.count('j0')]).toEqual([30, 0])
  for (let minion = 0; minion < 500; minion++) answered.add('huge', `m${minion}`)
  expect([answered.size, answered.count('huge')]).toEqual([100, 100])
  expect(answered.takeTouched().size).toBe(10)
  expect(answered.takeTouched().size).toBe(0)
})

test('rows without alter_time that were there at first contact stay silent; later ones are news', async () => {
  rig = await makeRig({ config: { jobs: false } })
  const untimed = (): void => {
    for (const one of rig?.sim.tables.returns ?? []) if (one.minion.startsWith('bare')) delete one.row['alter_time']
  }
  push(rig, 'old01', 'bare01')
  untimed()
  await rig.start()
  await rig.rounds(2)
  await reopened(rig)
  push(rig, 'bare02')
  untimed()
  await rig.rounds(2)
  expect(minionsOf(rig)).toEqual(['bare02'])
})

test('a writer whose clock is far ahead hides nothing, at first contact and after restarts', async () => {
  rig = await makeRig({ config: { jobs: false } })
  const ahead = (minion: string): void => {
    if (rig === undefined) return
    rig.sim.knobs.writerSkewMs = () => 3_600_000
    push(rig, minion)
    rig.sim.knobs.writerSkewMs = () => 0
  }
  push(rig, 'old01')
  await rig.clock.advance(5000)
  ahead('old-ahead')
  await rig.start()
  await rig.rounds(1)
  expect(minionsOf(rig)).toEqual([])
  push(rig, 'web01')
  await rig.rounds(1)
  ahead('ahead')
  await rig.rounds(1)
  await rig.stop()
  for (let n = 0; n < 300; n++) {
    push(rig, `gone${n}`)
    await rig.clock.advance(1)
  }
  await rig.restart()
  push(rig, 'web02')
  await rig.rounds(1)
  const seen = minionsOf(rig)
  expect(seen).toEqual(expect.arrayContaining(['web01', 'ahead', 'web02', 'gone0', 'gone299']))
  // The only one from before the first contact that a new process can't tell from news.
  expect(seen.filter(name => name.startsWith('old'))).toEqual(['old-ahead'])
})

test('what the memory had to forget does not count as recovered', () => {
  const memory = new TailMemory()
  for (let us = 1; us <= MOST_REMEMBERED + 5; us++) memory.names.set(`row${us}`, us)
  expect(memory.forgottenUs).toBe(5)
  expect([memory.knows('row5'), memory.knows('row6')]).toEqual([false, true])
  // Met again, it is the youngest.
  memory.names.set('another', 1e9)
  expect([memory.knows('row6'), memory.knows('row7')]).toEqual([true, false])
})

const huge = (jid: string, minion: string, size = 90_000) => ret(jid, minion, 'x'.repeat(size), { fun: 'cmd.run' })
const asked = (on: Rig): number => on.sim.record.requests.get('ret.get_returns') ?? 0
const tooLarge = (on: Rig): number =>
  on.keeper.reported('request').filter(one => one.operation === 'ret.get_returns' && one.result !== 'ok').length

test.each([
  ['no job loop', { jobs: false }],
  ['no job row', {}],
])('a return too large to be read, %s: one gap, and it is not fetched again', async (_, config) => {
  const on = await started({ config, limits: { maxBytes: 60_000 } })
  push(on, 'below')
  await on.clock.advance(10)
  on.sim.push('master1', [huge('20250101000000000000_1234', 'big')])
  await on.clock.advance(10)
  push(on, 'above')
  await on.rounds(1)
  const refused = tooLarge(on)
  for (let round = 0; round < 8; round++) {
    push(on, `later${round}`)
    await on.rounds(1)
  }
  await reopened(on)
  await on.rounds(1)
  expect(tooLarge(on)).toBe(refused)
  expect(gaps(on)).toMatchObject([{ feed: 'returns', reason: 'row_limit' }])
  expect(minionsOf(on)).toHaveLength(10)
  const before = asked(on)
  await on.rounds(1)
  expect(asked(on) - before).toBeLessThan(30)
})

test('a return too large to be read, in a group of one time and on top: one gap, the rest arrives', async () => {
  const on = await started({ config: { jobs: false }, limits: { maxBytes: 60_000 } })
  push(on, 'below')
  await on.clock.advance(10)
  on.sim.push('master1', [huge(JID, 'big')])
  await on.rounds(2)
  on.sim.push('master1', [huge('20260203040506000002', 'big2')])
  await on.rounds(2)
  expect(gaps(on)).toHaveLength(2)
  push(on, 'later')
  await on.rounds(2)
  expect(gaps(on)).toHaveLength(2)
  expect(minionsOf(on)).toEqual(['below', 'later'])
})

test('a return too large to be read, in the oldest group of one time: looked for within bounds, in whatever order', async () => {
  const on = await started({ config: { jobs: false }, limits: { maxBytes: 60_000 } })
  on.sim.push('master1', [huge(JID, 'big'), ret(JID, 'web01', true)])
  for (let round = 0; round < 12; round++) {
    const before = asked(on)
    await on.rounds(1)
    expect(asked(on) - before).toBeLessThan(60)
  }
  expect(minionsOf(on)).toEqual(['web01'])
  expect(gaps(on)).toHaveLength(1)
})

test('a return too large to be read whose outcome the job loop tells is no gap', async () => {
  const on = await started({ limits: { maxBytes: 60_000 } })
  const jid = route(on, ['big', 'web01'], 'cmd.run')
  on.sim.push('master1', [huge(jid, 'big'), ret(jid, 'web01', true)])
  await on.rounds(8)
  expect(minionsOf(on).sort()).toEqual(['big', 'web01'])
  expect(gaps(on)).toEqual([])
})
