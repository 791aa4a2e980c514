import { afterEach, expect, test } from 'vitest'
import { ret } from './bus.ts'
import { makeRig, type Rig, type RigOptions, route } from './rig.ts'

let rig: Rig

afterEach(async () => {
  await rig.close()
})

async function started(options: RigOptions = {}): Promise<void> {
  rig = await makeRig(options)
  await rig.start()
}

const minionsOf = (type = 'raas.return'): string[] => rig.keeper.of(type).map(fact => fact.data.return?.minion ?? '')

test('first contact marks what is there and publishes only what comes after', async () => {
  rig = await makeRig()
  rig.sim.push('master1', [ret('20260203040500000001', 'old01', true), ret('20260203040500000001', 'old02', true)])
  await rig.start()
  expect(rig.keeper.facts).toEqual([])
  rig.sim.push('master1', [ret('20260203040506000001', 'web01', true)])
  await rig.rounds(1)
  expect(minionsOf()).toEqual(['web01'])
  const [fact] = rig.keeper.facts
  expect(fact).toMatchObject({ origin: 'live', partitionkey: '20260203040506000001/web01', severitytext: 'info' })
  expect(fact?.data).toMatchObject({ outcome: 'success', return: { function: 'test.ping', omitted: true } })
})

test('an empty server at first contact: the first row ever is news', async () => {
  await started()
  rig.sim.push('master1', [ret('20260203040506000001', 'web01', true)])
  await rig.rounds(1)
  expect(minionsOf()).toEqual(['web01'])
})

test('backfill publishes that much history, marked so', async () => {
  rig = await makeRig({ config: { backfill: '10m' } })
  rig.sim.push('master1', [ret('20260203030000000001', 'ancient', true)])
  await rig.clock.advance(1_200_000)
  rig.sim.push('master1', [ret('20260203040000000001', 'recent', true)])
  await rig.clock.advance(60_000)
  await rig.start()
  await rig.rounds(2)
  expect(rig.keeper.facts.map(fact => [fact.data.return?.minion, fact.origin])).toEqual([['recent', 'backfill']])
})

test('a row that becomes visible after its time is found by the overlap, also one from below the first mark', async () => {
  rig = await makeRig()
  rig.sim.push('master1', [ret('20260203040500000001', 'early', true)])
  await rig.clock.advance(5000)
  rig.sim.knobs.commitDelayMs = () => 40_000
  rig.sim.push('master1', [ret('20260203040500000001', 'slow01', true)])
  rig.sim.knobs.commitDelayMs = () => 0
  await rig.clock.advance(5000)
  rig.sim.push('master1', [ret('20260203040500000001', 'newest', true)])
  await rig.start()
  expect(minionsOf()).toEqual([])
  await rig.rounds(4)
  expect(minionsOf()).toEqual(['slow01'])
  rig.sim.knobs.commitDelayMs = () => 40_000
  rig.sim.push('master1', [ret('20260203040600000001', 'slow02', true)])
  rig.sim.knobs.commitDelayMs = () => 0
  rig.sim.push('master1', [ret('20260203040600000001', 'quick', true)])
  await rig.rounds(1)
  expect(minionsOf()).toEqual(['slow01', 'quick'])
  await rig.rounds(3)
  expect(minionsOf()).toEqual(['slow01', 'quick', 'slow02'])
})

test('later than the overlap: the sweep finds it, says resync and advises', async () => {
  await started({ config: { sweep_interval: '10m', overlap: '60s', jobs: false } })
  rig.sim.push('master1', [ret('20260203040506000001', 'web01', true)])
  rig.sim.knobs.commitDelayMs = () => 300_000
  rig.sim.push('master1', [ret('20260203040506000001', 'web02', true)])
  rig.sim.knobs.commitDelayMs = () => 0
  await rig.clock.advance(100)
  // So many rows meanwhile that no page of the tail reaches back to it.
  for (let minute = 0; minute < 6; minute++) {
    for (let n = 0; n < 60; n++) {
      rig.sim.push('master1', [ret('20260203040506000002', `tick${minute}-${n}`, true)])
      await rig.clock.advance(1)
    }
    await rig.rounds(4)
  }
  expect(minionsOf()).not.toContain('web02')
  await rig.rounds(20)
  expect(rig.keeper.facts.filter(fact => fact.data.return?.minion === 'web02').map(fact => fact.origin)).toEqual([
    'resync',
  ])
  expect(rig.keeper.reported('feed_recovered')).toMatchObject([{ feed: 'returns', count: 1 }])
  expect(rig.keeper.reported('advice').some(one => one.text.includes('overlap'))).toBe(true)
})

test('150 rows of one time across a page edge, shuffled at every query: each once', async () => {
  await started({ config: { jobs: false } })
  const jid = '20260203040506000001'
  rig.sim.push(
    'master1',
    Array.from({ length: 130 }, (_, n) => ret(jid, `below${n}`, true)),
  )
  await rig.clock.advance(10)
  rig.sim.push(
    'master1',
    Array.from({ length: 150 }, (_, n) => ret(jid, `tie${n}`, true)),
  )
  await rig.clock.advance(10)
  rig.sim.push(
    'master1',
    Array.from({ length: 120 }, (_, n) => ret(jid, `above${n}`, true)),
  )
  await rig.rounds(1)
  expect(new Set(minionsOf()).size).toBe(400)
  expect(minionsOf()).toHaveLength(400)
  expect(rig.keeper.duplicates).toBe(0)
})

test('ties larger than a capped page: what the tail can not hold, the job loop brings', async () => {
  await started({ simulator: { pageCap: 20 } })
  const minions = Array.from({ length: 70 }, (_, n) => `m${n}`)
  const jid = route(rig, minions)
  rig.sim.push(
    'master1',
    minions.map(minion => ret(jid, minion, true)),
  )
  await rig.rounds(4)
  expect(new Set(minionsOf()).size).toBe(70)
})

test('the same content again is silent, other content is a new event of the same key, with a revision', async () => {
  await started()
  const jid = '20260203040506000001'
  rig.sim.push('master1', [ret(jid, 'web01', { a: 1, b: 2 }, { fun: 'disk.usage' })])
  await rig.rounds(1)
  rig.sim.tables.touch(jid, 'web01')
  rig.sim.push('master1', [ret(jid, 'web01', { b: 2, a: 1 }, { fun: 'disk.usage' })])
  await rig.rounds(2)
  expect(rig.keeper.facts).toHaveLength(1)
  rig.sim.push('master1', [ret(jid, 'web01', { a: 1, b: 3 }, { fun: 'disk.usage', retcode: 1 })])
  await rig.rounds(1)
  expect(rig.keeper.facts.map(fact => fact.partitionkey)).toEqual([`${jid}/web01`, `${jid}/web01`])
  expect(rig.keeper.facts[1]?.data).toMatchObject({ outcome: 'failure', return: { revision: 2, retcode: 1 } })
  expect(rig.keeper.facts[1]?.severitytext).toBe('minor')
})

test('a return hours after its job, and one of no job at all', async () => {
  await started({ config: { poll_interval: '5m' } })
  const jid = route(rig, ['web01', 'web02'])
  rig.sim.push('master1', [ret(jid, 'web01', true)])
  await rig.rounds(36)
  rig.sim.push('master1', [ret(jid, 'web02', true), ret('20250101000000000000_1234', 'lone', 'b64:AAEC')])
  await rig.rounds(2)
  expect(minionsOf().sort()).toEqual(['lone', 'web01', 'web02'])
  expect(rig.keeper.of('raas.run.missing').map(fact => fact.data.job?.missingMinions)).toEqual([['web02']])
  const states = rig.keeper.facts.filter(fact => fact.type.startsWith('raas.run')).map(fact => fact.data.job?.state)
  expect(states.at(-1)).toBe('completed_all_successful')
})

test('a restart goes on from the cursor: nothing lost, nothing twice', async () => {
  await started()
  rig.sim.push('master1', [ret('20260203040506000001', 'before', true)])
  await rig.rounds(1)
  await rig.stop()
  rig.sim.push('master1', [ret('20260203040506000001', 'meanwhile', true)])
  await rig.clock.advance(3_600_000)
  await rig.restart()
  rig.sim.push('master1', [ret('20260203040506000001', 'after', true)])
  await rig.rounds(1)
  expect(rig.keeper.facts.map(fact => [fact.data.return?.minion, fact.origin])).toEqual([
    ['before', 'live'],
    ['meanwhile', 'resync'],
    ['after', 'live'],
  ])
})

test('a restored database: the cursor goes back and new rows are seen', async () => {
  await started({ config: { jobs: false, overlap: '30s' } })
  rig.sim.push('master1', [ret('20260203040506000001', 'kept', true)])
  await rig.rounds(1)
  const restoreTo = rig.clock.wall() * 1000
  await rig.rounds(40)
  rig.sim.push('master1', [ret('20260203040506000001', 'undone', true)])
  await rig.rounds(1)
  rig.sim.tables.restore(restoreTo)
  rig.clock.stepWall(-480_000)
  rig.sim.push('master1', [ret('20260203040506000002', 'reborn', true)])
  await rig.rounds(1)
  expect(minionsOf()).toEqual(['kept', 'undone', 'reborn'])
  expect(rig.keeper.reported('advice').some(one => one.text.includes('restored'))).toBe(true)
})

test('more rows than a walk may read: a gap is told, and the jobs of that time fill what they can', async () => {
  rig = await makeRig({ limits: { maxRows: 400 } })
  await rig.start()
  rig.sim.push('master1', [ret('20260203040506000001', 'first', true)])
  await rig.rounds(1)
  await rig.stop()
  const minions = Array.from({ length: 300 }, (_, n) => `m${n}`)
  const jid = route(rig, minions)
  for (const minion of minions) {
    rig.sim.push('master1', [ret(jid, minion, true)])
    await rig.clock.advance(1)
  }
  const lone = Array.from({ length: 600 }, (_, n) => ret('20260203040506000009', `lone${n}`, true))
  for (const one of lone) {
    rig.sim.push('master1', [one])
    await rig.clock.advance(1)
  }
  await rig.restart()
  await rig.rounds(1)
  const [gap] = rig.keeper.of('opswire.gap')
  expect(gap?.data.gap).toMatchObject({ feed: 'returns', reason: 'row_limit', recovered: 300 })
  expect(minionsOf().filter(name => name.startsWith('m'))).toHaveLength(300)
})

test('an answer above the byte limit is read in parts; a return too large by itself is told without its body', async () => {
  rig = await makeRig({ limits: { maxBytes: 60_000 } })
  await rig.start()
  const minions = ['big', ...Array.from({ length: 12 }, (_, n) => `m${n}`)]
  const jid = route(rig, minions, 'cmd.run')
  const huge = (size: number): Record<string, unknown> => ({ fun: 'cmd.run', return: 'x'.repeat(size) })
  rig.sim.push(
    'master1',
    minions.map(name => ret(jid, name, '', huge(name === 'big' ? 50_000 : 9000))),
  )
  await rig.rounds(4)
  expect(new Set(minionsOf())).toEqual(new Set(minions))
  const big = rig.keeper.facts.find(fact => fact.data.return?.minion === 'big')
  expect(big?.data).toMatchObject({ outcome: 'success', return: { omitted: true } })
})

test('rows that can not be understood are kept once and stop nothing', async () => {
  await started({ config: { jobs: false } })
  rig.sim.push('master1', [ret('20260203040506000001', 'web01', true)])
  const bad = rig.sim.tables.returns[0]
  if (bad === undefined) throw new Error('no row')
  rig.sim.tables.returns.push({ ...bad, row: { nonsense: true } })
  await rig.rounds(3)
  expect(rig.keeper.dead).toEqual([{ reason: 'a return row names no jid or no minion', content: '{"nonsense":true}' }])
  expect(minionsOf()).toEqual(['web01'])
})

test('polls wait while batches are not taken', async () => {
  await started({ config: { jobs: false } })
  let release = (): void => undefined
  rig.keeper.hold = new Promise(resolve => {
    release = resolve
  })
  rig.sim.push('master1', [ret('20260203040506000001', 'web01', true)])
  await rig.clock.advance(15_000)
  const asked = (): number => rig.sim.record.requests.get('ret.get_returns') ?? 0
  const before = asked()
  await rig.clock.advance(29_000)
  await rig.clock.advance(29_000)
  expect(asked() - before).toBeLessThanOrEqual(1)
  rig.keeper.hold = undefined
  release()
  await rig.rounds(1)
  expect(minionsOf()).toEqual(['web01'])
})

test('bodies stay out unless asked for, and redacted names are masked', async () => {
  await started({ config: { jobs: false, returns: { include_body_for: ['pillar.*'], redact: ['ssn'] } } })
  const jid = '20260203040506000001'
  rig.sim.push('master1', [
    ret(jid, 'web01', { secret_sauce: 'hot', ssn: '123', plain: 'yes' }, { fun: 'pillar.items', fun_args: ['x'] }),
    ret(jid, 'web02', 'root:hunter2', { fun: 'cmd.run', fun_args: ['cat /etc/shadow'] }),
  ])
  await rig.rounds(1)
  const [one, two] = rig.keeper.facts.map(fact => fact.data)
  const [pillar, cmd] = one?.return?.minion === 'web01' ? [one, two] : [two, one]
  expect(pillar?.raw).toMatchObject({ return: { secret_sauce: '********', ssn: '********', plain: 'yes' } })
  expect(JSON.stringify(cmd)).not.toContain('hunter2')
  expect(JSON.stringify(cmd)).not.toContain('shadow')
  expect(cmd?.raw).toMatchObject({ minion_id: 'web02', full_ret: { retcode: 0 } })
})

test('a row that was missed and lies on a page read anyway is told at once, as resync', async () => {
  await started({ config: { jobs: false, overlap: '10s', sweep_interval: '2h' } })
  rig.sim.push('master1', [ret('20260203040506000001', 'first', true)])
  await rig.rounds(20)
  rig.sim.push('master1', [ret('20260203040506000001', 'pacemaker', true)])
  await rig.rounds(1)
  rig.sim.knobs.writerSkewMs = () => -120_000
  rig.sim.push('master1', [ret('20260203040506000001', 'stray', true)])
  rig.sim.knobs.writerSkewMs = () => 0
  rig.sim.push('master1', [ret('20260203040506000001', 'second', true)])
  await rig.rounds(2)
  expect(rig.keeper.facts.map(fact => [fact.data.return?.minion, fact.origin])).toEqual([
    ['first', 'live'],
    ['pacemaker', 'live'],
    ['stray', 'resync'],
    ['second', 'live'],
  ])
  expect(rig.keeper.reported('feed_recovered')).toMatchObject([{ feed: 'returns', count: 1 }])
})
