import { expect, test } from 'vitest'
import type { SourceState } from '../../src/report.ts'
import { CLOUD, declare, FABRIC, makeReady, SALT, STORE, type TestOps, testOps } from './happenings.ts'

function culprits({ ops }: TestOps): string[] {
  return ops
    .ready()
    .checks.filter(check => !check.ok)
    .map(check => `${check.name}: ${check.why}`)
}

function proof(test: TestOps, source: string, feed = 'audit'): void {
  test.report({ type: 'feed_proof', source, feed })
}

test('before anything was reported nothing is ready, and each thing says why', () => {
  const made = testOps({ pull: { store: () => undefined, leases: () => [], sessions: () => [], gauges: none } })
  expect(made.ops.ready().ready).toBe(false)
  expect(culprits(made)).toEqual([
    'daemon: no source has been started yet',
    'store: it is not open',
    'sink: it has not been opened yet',
  ])
  made.ops.close()
})

const none = () => ({ faults: [], health: [], nodes: [] })

test('ready lists every part, ok or not', () => {
  const made = testOps()
  makeReady(made.report)
  expect(made.ops.ready()).toEqual({
    ready: true,
    checks: ['daemon', 'store', 'sink', 'source fabric-a', 'source salt', 'source cloud'].map(name => ({
      name,
      ok: true,
      required: true,
      why: '',
    })),
  })
  made.ops.close()
})

const state = (value: SourceState, retryInMs?: number) => (made: TestOps) =>
  made.report({
    type: 'source_state',
    source: 'salt',
    state: value,
    ...(retryInMs === undefined ? {} : { reason: 'no answer', code: 'timeout' as const, retryInMs }),
  })

const CASES: readonly [what: string, act: (made: TestOps) => void, ready: boolean, why: string[]][] = [
  ['degraded with its session open', state('degraded'), true, []],
  ['degraded without a session', state('degraded', 0), false, ['source salt: degraded: no answer (timeout)']],
  ['down', state('down', 5000), false, ['source salt: down: no answer (timeout)']],
  ['connecting', state('connecting'), false, ['source salt: connecting']],
  ['stopped', state('stopped'), false, ['source salt: stopped']],
  [
    'up again',
    made => {
      state('down', 5000)(made)
      state('up')(made)
    },
    true,
    [],
  ],
  [
    'a feed that was lost this moment',
    made => made.report({ type: 'feed_state', source: 'salt', feed: 'audit', state: 'lost', reason: 'refused' }),
    true,
    [],
  ],
  [
    'a disabled feed',
    made => made.report({ type: 'feed_state', source: 'salt', feed: 'audit', state: 'disabled' }),
    false,
    ['source salt: feed audit is disabled'],
  ],
  [
    'a feed that is resyncing and proved alive',
    made => made.report({ type: 'feed_state', source: 'salt', feed: 'audit', state: 'resyncing' }),
    true,
    [],
  ],
  [
    'a feed without any proof',
    made => made.report({ type: 'feed_declared', source: 'salt', feed: 'returns', proofBoundMs: 1000 }),
    false,
    ['source salt: feed returns has not proved itself alive yet'],
  ],
  [
    'no feed left',
    made => made.report({ type: 'feed_gone', source: 'salt', feed: 'audit' }),
    false,
    ['source salt: no feed has been declared yet'],
  ],
  [
    'a source that does not count is down',
    made => {
      made.report(declare(SALT, false))
      state('down', 5000)(made)
    },
    true,
    ['source salt: down: no answer (timeout)'],
  ],
  [
    'the sink is down',
    made => made.report({ type: 'sink_state', sink: 'nats', up: false, detail: 'connection refused' }),
    false,
    ['sink: nats is down: connection refused'],
  ],
  [
    'the store is full',
    made => made.report({ type: 'store_state', state: 'full', detail: 'paused' }),
    false,
    ['store: it is full: paused'],
  ],
  [
    'the store fails',
    made => made.report({ type: 'store_state', state: 'failing', detail: 'disk I/O error' }),
    false,
    ['store: it is failing: disk I/O error'],
  ],
  ['the store was recovered', made => made.report({ type: 'store_state', state: 'recovered', detail: '' }), true, []],
  ['it is stopping', made => made.report({ type: 'daemon', state: 'stopping' }), false, ['daemon: it is stopping']],
]

test.each(CASES)('readiness: %s', (_, act, ready, why) => {
  const made = testOps()
  makeReady(made.report)
  act(made)
  expect(made.ops.ready().ready).toBe(ready)
  expect(culprits(made)).toEqual(why)
  expect(made.ops.status().notReady).toEqual(ready ? [] : why.map(line => line.slice(0, line.indexOf(':'))))
  made.ops.close()
})

test('a store over its limit is not ready, even before anybody reported it', () => {
  const full = { ...STORE, bytes: 100_000 }
  const made = testOps({ pull: { store: () => full, leases: () => [], sessions: () => [], gauges: none } })
  makeReady(made.report)
  expect(culprits(made)).toEqual(['store: it holds 100000 bytes, its limit is 100000: 7 events wait'])
  made.ops.close()
})

test('a feed that falls silent is named once its bound has passed, while its neighbours chatter on', async () => {
  const made = testOps()
  const { clock, report, ops } = made
  makeReady(report, [FABRIC])
  report({ type: 'feed_declared', source: 'fabric-a', feed: 'faultInst', proofBoundMs: 30_000 })
  proof(made, 'fabric-a', 'faultInst')
  const up = async (): Promise<string | undefined> =>
    /^opswire_source_up\{source="fabric-a"\} (.*)$/m.exec(await ops.metrics())?.[1]
  for (let second = 0; second < 30; second++) {
    await clock.advance(1000)
    proof(made, 'fabric-a')
  }
  expect(ops.ready().ready).toBe(true)
  expect(await up()).toBe('1')
  await clock.advance(1)
  expect(ops.ready().ready).toBe(false)
  expect(await up()).toBe('0')
  await clock.advance(60_000)
  proof(made, 'fabric-a')
  expect(culprits(made)).toEqual([
    'source fabric-a: feed faultInst last proved itself alive 90 s ago, its bound is 30 s',
  ])
  expect(ops.status().sources[0]).toMatchObject({
    state: 'up',
    up: false,
    lastProof: '2026-02-03T04:05:06.789Z',
    feeds: [
      { name: 'audit', deaf: false },
      { name: 'faultInst', deaf: true },
    ],
  })
  proof(made, 'fabric-a', 'faultInst')
  expect(ops.ready().ready).toBe(true)
  ops.close()
})

test('a lost feed is named when it is not live again within 30 s, however often it is tried meanwhile', async () => {
  const made = testOps()
  const { clock, report, ops } = made
  makeReady(report, [SALT])
  const feed = (feedState: 'lost' | 'resyncing' | 'live', reason?: string): void =>
    report({
      type: 'feed_state',
      source: 'salt',
      feed: 'audit',
      state: feedState,
      ...(reason === undefined ? {} : { reason }),
    })
  feed('lost', 'refused')
  await clock.advance(5000)
  feed('resyncing')
  feed('live')
  await clock.advance(30_000)
  proof(made, 'salt')
  expect(culprits(made)).toEqual([])
  feed('lost', 'refused')
  for (let round = 0; round < 3; round++) {
    await clock.advance(10_000)
    feed('resyncing')
  }
  expect(culprits(made)).toEqual([])
  await clock.advance(1)
  expect(culprits(made)).toEqual(['source salt: feed audit is resyncing (refused)'])
  expect(ops.ready().ready).toBe(false)
  expect(await ops.metrics()).toContain('opswire_source_up{source="salt"} 0')
  feed('live')
  expect(culprits(made)).toEqual([])
  ops.close()
})

test('a feed that never worked is no moment of weakness: it is named at once, with the reason', () => {
  const made = testOps()
  made.report(declare(SALT))
  made.report({ type: 'source_state', source: 'salt', state: 'up' })
  made.report({ type: 'feed_declared', source: 'salt', feed: 'jobs', proofBoundMs: 60_000 })
  made.report({ type: 'feed_state', source: 'salt', feed: 'jobs', state: 'lost', reason: 'no answer', code: 'timeout' })
  expect(culprits(made)).toContain('source salt: feed jobs has not proved itself alive yet: it is lost (no answer)')
  made.ops.close()
})

test('somebody setting the wall clock makes no feed deaf and none alive', async () => {
  const made = testOps()
  const { clock, report, ops } = made
  makeReady(report, [CLOUD])
  clock.stepWall(86_400_000)
  expect(ops.ready().ready).toBe(true)
  clock.stepWall(-2 * 86_400_000)
  await clock.advance(60_001)
  expect(ops.ready().ready).toBe(false)
  ops.close()
})

test('many deaf feeds make one readable sentence', () => {
  const made = testOps()
  makeReady(made.report, [FABRIC])
  for (let number = 0; number < 20; number++) {
    made.report({ type: 'feed_declared', source: 'fabric-a', feed: `class${number}`, proofBoundMs: 1000 })
  }
  expect(culprits(made)[0]).toMatch(/class4 has not proved itself alive yet; and 15 more$/)
  made.ops.close()
})

test('liveness: a source, store or broker that is away is no reason to be restarted, nor is stopping', async () => {
  const made = testOps()
  const { clock, report, ops } = made
  makeReady(report)
  report({ type: 'sink_state', sink: 'nats', up: false, detail: '' })
  report({ type: 'store_state', state: 'failing', detail: '' })
  report({ type: 'source_state', source: 'salt', state: 'down', reason: 'x', code: 'auth_refused' })
  await clock.advance(3_600_000)
  expect(ops.health()).toEqual({ alive: true, why: '', lagSeconds: 0 })
  report({ type: 'daemon', state: 'stopping' })
  await clock.advance(60_000)
  expect(ops.health().alive).toBe(true)
  ops.close()
})

test('liveness: timers that stopped are seen', () => {
  const made = testOps()
  made.clock.stall(31_000)
  expect(made.ops.health().alive).toBe(true)
  made.clock.stall(1)
  expect(made.ops.health()).toMatchObject({ alive: false, why: "the event loop's timer is 30 s overdue" })
  made.ops.close()
})

test('liveness: a source whose promised attempt never came is seen, unless the daemon stops', async () => {
  const made = testOps()
  const { clock, report, ops } = made
  makeReady(report, [SALT])
  state('down', 60_000)(made)
  await clock.advance(60_000 + 10 * 60_000)
  // Something is still being tried: a slow login.
  report({ type: 'request', source: 'salt', operation: 'login', result: 'timeout', ms: 600_000 })
  await clock.advance(15 * 60_000)
  expect(ops.health().alive).toBe(true)
  await clock.advance(1)
  expect(ops.health()).toMatchObject({ alive: false, why: 'nobody tries to open salt any more' })
  report({ type: 'daemon', state: 'stopping' })
  expect(ops.health().alive).toBe(true)
  ops.close()
})
