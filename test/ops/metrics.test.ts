import { expect, test } from 'vitest'
import type { Happening } from '../../src/report.ts'
import {
  appended,
  CLOUD,
  declare,
  FABRIC,
  fact,
  gapOf,
  makeReady,
  ONE_OF_EACH,
  SALT,
  START,
  STORE,
  testOps,
} from './happenings.ts'

const GAUGES = {
  faults: [
    { source: 'fabric-a', severity: 'major', state: 'firing', count: 4 },
    { source: 'fabric-a', severity: 'minor', state: 'pending', count: 1 },
  ],
  health: [{ source: 'fabric-a', scope: 'topology', score: 93 }],
  nodes: [{ source: 'fabric-a', role: 'leaf', state: 'active', count: 12 }],
}

/** Every kind of thing that moves a number. */
function aDay(): Happening[] {
  const token = { via: 'token', tokenId: 't-1', tokenName: 'ci-bot' } as const
  return [
    ONE_OF_EACH.feed_declared,
    ONE_OF_EACH.feed_state,
    ONE_OF_EACH.feed_proof,
    { ...ONE_OF_EACH.feed_mode, mode: 'polling' },
    ONE_OF_EACH.feed_mode,
    { type: 'feed_declared', source: 'fabric-a', feed: 'mo uni/tn-"prod"', proofBoundMs: 60_000 },
    appended(FABRIC, 'faultInst', [
      fact(FABRIC, 'fault', 'major', { state: 'firing', alertKey: 'fabric-a/x' }),
      fact(FABRIC, 'fault', 'major', { state: 'firing', alertKey: 'fabric-a/y' }),
      fact(FABRIC, 'fault', 'critical', {}, 'resync'),
    ]),
    appended(SALT, 'returns', [
      fact(SALT, 'return', 'info', { outcome: 'success' }),
      fact(SALT, 'return', 'minor', { outcome: 'failure' }),
      fact(SALT, 'return'),
    ]),
    appended(
      CLOUD,
      'audit',
      [
        fact(CLOUD, 'audit', 'info', { outcome: 'success', actor: token, flags: ['new-address', 'truncated'] }),
        fact(CLOUD, 'audit', 'warning', {
          outcome: 'failure',
          actor: { via: 'token', tokenId: 't-2' },
          flags: ['unknown-token'],
        }),
        fact(CLOUD, 'session', 'info', { actor: { via: 'interactive', user: 'alice' } }),
      ],
      40,
    ),
    appended(FABRIC, 'faultInst', [gapOf(FABRIC, 'faultInst')]),
    ONE_OF_EACH.gap,
    ONE_OF_EACH.published,
    { type: 'published', result: 'duplicate', count: 1, recordedMs: [START - 20_000] },
    { type: 'published', result: 'retry', count: 3, recordedMs: [START, START, START] },
    ONE_OF_EACH.feed_late,
    { type: 'feed_late', source: 'cloud', feed: 'audit', seconds: -2 },
    ONE_OF_EACH.feed_recovered,
    ONE_OF_EACH.request,
    { type: 'request', source: 'cloud', operation: 'audit', result: 'timeout', ms: 30_000 },
    ONE_OF_EACH.lease_renewed,
    { ...ONE_OF_EACH.lease_renewed, lease: 'subscription', result: 'retried' },
    ONE_OF_EACH.reconnect,
    ONE_OF_EACH.dead_letter,
    ONE_OF_EACH.credential_expiry,
    ONE_OF_EACH.certificate_expiry,
  ]
}

test('the whole page, for a scripted day, is the golden file', async () => {
  const { ops, report, clock } = testOps({
    pull: {
      store: () => STORE,
      leases: () => [
        { source: 'fabric-a', lease: 'session', seconds: 212.5 },
        { source: 'fabric-a', lease: 'subscription', seconds: 31 },
      ],
      sessions: () => [],
      gauges: () => GAUGES,
    },
  })
  makeReady(report)
  report(declare(CLOUD, false, false))
  for (const happening of aDay()) report(happening)
  await clock.advance(30_000)
  await expect(await ops.metrics()).toMatchFileSnapshot('./metrics.golden.txt')
  // A scrape changes nothing.
  expect(await ops.metrics()).toBe(await ops.metrics())
  ops.close()
})

test('every metric has a full sentence of help, ends as its kind must, and has no label but the bounded ones', async () => {
  const { ops, report } = testOps({
    pull: {
      store: () => STORE,
      leases: () => [{ source: 'fabric-a', lease: 'session', seconds: 1 }],
      sessions: () => [],
      gauges: () => GAUGES,
    },
  })
  makeReady(report)
  for (const happening of aDay()) report(happening)
  const page = await ops.metrics()
  ops.close()
  const allowed = new Set(
    'source kind severity origin result state reason feed mode operation outcome token flag lease version node scope role le'.split(
      ' ',
    ),
  )
  const names = new Set<string>()
  for (const line of page.split('\n')) {
    const help = /^# HELP (\S+) (.*)$/.exec(line)
    if (help !== null) expect(help[2], line).toMatch(/^(Counts|Measures|Tells|Is) .{20,}\.$/)
    const type = /^# TYPE (\S+) (\S+)$/.exec(line)
    if (type === null) {
      for (const [, label] of line.replace(/^#.*/, '').matchAll(/[{,]([a-z_]+)="/g)) expect(allowed).toContain(label)
      continue
    }
    names.add(type[1] ?? '')
    expect(type[1]?.endsWith('_total'), line).toBe(type[2] === 'counter')
    expect(type[1]).toMatch(/^opswire_/)
  }
  expect(names.size).toBe(41)
})

test('a declared source has its series at 0 before anything happened, so that the first increase is seen', async () => {
  const { ops, report } = testOps()
  for (const source of [FABRIC, SALT, CLOUD]) report(declare(source))
  const page = await ops.metrics()
  ops.close()
  for (const line of [
    'opswire_events_total{source="fabric-a",kind="fault",severity="critical",origin="live"} 0',
    'opswire_events_total{source="salt",kind="return",severity="minor",origin="live"} 0',
    'opswire_events_total{source="cloud",kind="audit",severity="warning",origin="live"} 0',
    'opswire_gaps_total{source="cloud",reason="retention"} 0',
    'opswire_reconnects_total{source="salt",reason="unreachable"} 0',
    'opswire_dead_letters_total{source="fabric-a"} 0',
    'opswire_published_total{result="too_large"} 0',
    'opswire_job_returns_total{source="salt",outcome="failure"} 0',
    'opswire_token_events_total{source="cloud",token="unknown",outcome="failure"} 0',
    'opswire_source_up{source="fabric-a"} 0',
    'opswire_sink_up 0',
  ]) {
    expect(page.split('\n')).toContain(line)
  }
})

test('what has no value is left out instead of shown as 0', async () => {
  const { ops, report } = testOps({
    pull: {
      store: () => undefined,
      leases: () => [],
      sessions: () => [],
      gauges: () => {
        throw new Error('the mirror is closed')
      },
    },
  })
  report(declare(FABRIC))
  const page = await ops.metrics()
  ops.close()
  for (const name of [
    'opswire_store_events',
    'opswire_store_oldest_timestamp_seconds',
    'opswire_source_last_event_timestamp_seconds',
    'opswire_source_last_proof_timestamp_seconds',
    'opswire_credential_expiry_timestamp_seconds',
    'opswire_faults',
  ]) {
    expect(page).toContain(`# TYPE ${name} gauge`)
    expect(page).not.toMatch(new RegExp(`^${name}[ {]`, 'm'))
  }
})

test('what an extension posts in the name of a token is not counted as its use', async () => {
  const { ops, report } = testOps()
  report(declare(CLOUD))
  const actor = { via: 'token', tokenId: 't-1', tokenName: 'ci-bot' } as const
  report(
    appended(CLOUD, 'audit', [fact(CLOUD, 'audit', 'warning', { outcome: 'failure', actor, flags: ['external'] })]),
  )
  const page = await ops.metrics()
  ops.close()
  expect(page).not.toContain('ci-bot')
  expect(page).toContain('opswire_events_total{source="cloud",kind="audit",severity="warning",origin="live"} 1')
})

test('foreign words do not explode the labels', async () => {
  const { ops, report } = testOps()
  report(declare(CLOUD))
  for (let number = 0; number < 3000; number++) {
    const actor = { via: 'token', tokenId: `${number}`, tokenName: `token ${number}` } as const
    report(appended(CLOUD, 'audit', [fact(CLOUD, 'audit', 'info', { outcome: `success`, actor })]))
  }
  report({ type: 'request', source: 'cloud', operation: 'GET /api/user/alice', result: 'ok', ms: 1 })
  report({ type: 'reconnect', source: 'cloud', reason: 'connect ECONNREFUSED 10.0.0.1' })
  const page = await ops.metrics()
  ops.close()
  expect(page.match(/^opswire_token_events_total\{/gm)?.length).toBeLessThanOrEqual(2001)
  const total = [...page.matchAll(/^opswire_token_events_total\{.* (\d+)$/gm)].reduce(
    (sum, hit) => sum + Number(hit[1]),
    0,
  )
  expect(total).toBe(3000)
  expect(page).toContain('opswire_request_seconds_count{source="cloud",operation="other",result="ok"} 1')
  expect(page).toContain('opswire_reconnects_total{source="cloud",reason="other"} 1')
  expect(page).not.toContain('alice')
})

test('a feed that is lost, switched off or without a session leaves no series of its work behind', async () => {
  const { ops, report } = testOps()
  makeReady(report, [FABRIC])
  for (const feed of ['a', 'b', 'c']) {
    report({ type: 'feed_declared', source: 'fabric-a', feed, proofBoundMs: 60_000 })
    report({ type: 'feed_mode', source: 'fabric-a', feed, mode: 'catching_up' })
    report({ type: 'feed_mode', source: 'fabric-a', feed, mode: 'push' })
    report({ type: 'feed_state', source: 'fabric-a', feed, state: 'live' })
  }
  const modes = async (): Promise<string[]> =>
    [...(await ops.metrics()).matchAll(/^opswire_feed_mode\{source="fabric-a",feed="(.)",mode="push"\} 1$/gm)].map(
      hit => hit[1] ?? '',
    )
  const states = async (): Promise<string[]> =>
    [...(await ops.metrics()).matchAll(/^opswire_subscriptions\{.*state="(.*)"\} ([1-9]\d*)$/gm)].map(
      hit => `${hit[1]} ${hit[2]}`,
    )
  expect(await modes()).toEqual(['a', 'b', 'c'])
  expect(await states()).toEqual(['live 4'])
  report({ type: 'feed_state', source: 'fabric-a', feed: 'a', state: 'lost' })
  report({ type: 'feed_state', source: 'fabric-a', feed: 'b', state: 'disabled' })
  expect(await modes()).toEqual(['c'])
  expect(await states()).toEqual(['live 2', 'lost 1', 'disabled 1'])
  report({ type: 'feed_gone', source: 'fabric-a', feed: 'audit' })
  report({ type: 'source_state', source: 'fabric-a', state: 'stopped' })
  expect(await ops.metrics()).not.toMatch(/^opswire_feed_mode\{/m)
  expect(await states()).toEqual(['lost 2', 'disabled 1'])
  ops.close()
})

test('5,000 subscriptions make a page of bounded size, and cost no other source its labels', async () => {
  const { ops, report } = testOps()
  report(declare(FABRIC))
  for (let number = 0; number < 5000; number++) {
    const feed = `mo/uni/tn-${number}`
    report({ type: 'feed_declared', source: 'fabric-a', feed, proofBoundMs: 60_000 })
    report({ type: 'feed_mode', source: 'fabric-a', feed, mode: 'push' })
    report({ type: 'feed_state', source: 'fabric-a', feed, state: 'live' })
    report({ type: 'feed_late', source: 'fabric-a', feed, seconds: 1 })
    report({ type: 'feed_recovered', source: 'fabric-a', feed, count: 2 })
  }
  report(declare(SALT))
  report({ type: 'feed_declared', source: 'salt', feed: 'returns', proofBoundMs: 60_000 })
  report({ type: 'feed_recovered', source: 'salt', feed: 'returns', count: 1 })
  const lines = (await ops.metrics()).split('\n')
  ops.close()
  expect(lines).toContain('opswire_subscriptions{source="fabric-a",state="live"} 5000')
  expect(lines).toContain('opswire_feed_mode{source="fabric-a",feed="other",mode="push"} 4500')
  expect(lines).toContain('opswire_recovered_events_total{source="fabric-a",feed="other"} 9000')
  expect(lines).toContain('opswire_late_seconds_count{source="fabric-a",feed="other"} 4500')
  expect(lines).toContain('opswire_recovered_events_total{source="salt",feed="returns"} 1')
  // 500 feeds with a mode, a count and a histogram of fifteen lines each, and what other sources and the daemon have.
  expect(lines.length).toBeLessThan(500 * 17 + 500)
})

test('the lag of the event loop is seen, and forgotten after half a minute', async () => {
  const { ops, clock } = testOps()
  const lag = async (): Promise<string | undefined> =>
    /^opswire_event_loop_lag_seconds (.*)$/m.exec(await ops.metrics())?.[1]
  await clock.advance(5000)
  expect(await lag()).toBe('0')
  clock.stall(2500)
  expect(await lag()).toBe('1.5')
  await clock.advance(1000)
  expect(await lag()).toBe('2.5')
  await clock.advance(40_000)
  expect(await lag()).toBe('0')
  ops.close()
})

test('the store is up while it takes what it is given', async () => {
  let view = STORE
  const none = { faults: [], health: [], nodes: [] }
  const { ops, report } = testOps({
    pull: { store: () => view, leases: () => [], sessions: () => [], gauges: () => none },
  })
  const up = async (): Promise<string | undefined> => /^opswire_store_up (\d)$/m.exec(await ops.metrics())?.[1]
  expect(await up()).toBe('1')
  report({ type: 'store_state', state: 'failing', detail: 'disk I/O error' })
  expect(await up()).toBe('0')
  report({ type: 'store_state', state: 'recovered', detail: '' })
  expect(await up()).toBe('1')
  view = { ...STORE, bytes: STORE.maxBytes }
  expect(await up()).toBe('0')
  ops.close()
})

test('the first fact of any origin is an increase: its series stood at 0 before', async () => {
  const { ops, report } = testOps()
  report(declare(FABRIC))
  const before = await ops.metrics()
  report(appended(FABRIC, 'faultInst', [fact(FABRIC, 'fault', 'critical', {}, 'resync')]))
  const series = 'opswire_events_total{source="fabric-a",kind="fault",severity="critical",origin="resync"}'
  expect(before).toContain(`${series} 0\n`)
  expect(await ops.metrics()).toContain(`${series} 1\n`)
  ops.close()
})
