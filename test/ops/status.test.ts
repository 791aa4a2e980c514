import { expect, test } from 'vitest'
import { appended, CLOUD, FABRIC, fact, gapOf, makeReady, ONE_OF_EACH, SALT, STORE, testOps } from './happenings.ts'

test('the whole document, for a short life', async () => {
  const { ops, report, clock } = testOps({
    pull: {
      store: () => STORE,
      leases: () => [
        { source: 'fabric-a', lease: 'session', seconds: 212.34567 },
        { source: 'salt', lease: 'session', seconds: 1 },
      ],
      sessions: () => [
        { source: 'salt', ageSeconds: 1, handOverSeconds: undefined, feedSeconds: new Map() },
        {
          source: 'fabric-a',
          ageSeconds: 82_000.12345,
          handOverSeconds: 80.5,
          feedSeconds: new Map([['audit', 41.98765]]),
        },
      ],
      gauges: () => ({ faults: [], health: [], nodes: [] }),
    },
  })
  makeReady(report, [FABRIC])
  await clock.advance(1500)
  report({ ...ONE_OF_EACH.feed_mode, feed: 'audit' })
  report({ ...ONE_OF_EACH.feed_recovered, feed: 'audit' })
  report({ ...ONE_OF_EACH.feed_late, feed: 'audit' })
  report({ ...ONE_OF_EACH.feed_cursor, feed: 'audit' })
  report(ONE_OF_EACH.sink_server)
  report(ONE_OF_EACH.controller)
  report(ONE_OF_EACH.certificate_expiry)
  report(ONE_OF_EACH.reconnect)
  report(ONE_OF_EACH.dead_letter)
  report(ONE_OF_EACH.published)
  report(appended(FABRIC, 'audit', [fact(FABRIC, 'audit'), gapOf(FABRIC, 'audit')]))
  report({ ...ONE_OF_EACH.gap, feed: 'audit' })
  report({
    type: 'source_state',
    source: 'fabric-a',
    state: 'degraded',
    reason: 'no successor session yet',
    code: 'throttled',
  })
  const document = ops.status()
  ops.close()
  // As a client sees it.
  expect(JSON.parse(JSON.stringify(document))).toEqual({
    now: '2026-02-03T04:05:08.289Z',
    version: '1.2.3',
    node: 'v26.10.0',
    notReady: [],
    state: 'started',
    started: '2026-02-03T04:05:06.789Z',
    uptimeSeconds: 1.5,
    config: { path: '/etc/opswire/opswire.yaml', hash: 'ab12', since: '2026-02-03T04:05:06.789Z' },
    reload: null,
    sources: [
      {
        name: 'fabric-a',
        system: 'apic',
        state: 'degraded',
        since: '2026-02-03T04:05:08.289Z',
        nextTrySeconds: null,
        pausedSince: null,
        required: true,
        up: true,
        doubts: [],
        address: 'https://apic2.example.net',
        tlsVerified: true,
        session: { ageSeconds: 82_000.123, handOverSeconds: 80.5 },
        lastEvent: '2026-02-03T04:05:08.289Z',
        lastProof: '2026-02-03T04:05:06.789Z',
        lastError: { at: '2026-02-03T04:05:08.289Z', code: 'throttled', text: 'no successor session yet' },
        leases: { session: 212.346 },
        feeds: [
          {
            name: 'audit',
            state: 'live',
            since: '2026-02-03T04:05:06.789Z',
            mode: 'push',
            lastProof: '2026-02-03T04:05:06.789Z',
            boundSeconds: 60,
            deaf: false,
            leaseSeconds: 41.988,
            lateSeconds: 0.3,
            cursor: { newest: 'f-17', at: 17 },
            lastError: null,
            lost: 0,
            remade: 0,
            lastEvent: '2026-02-03T04:05:08.289Z',
            events: 1,
            recovered: 4,
          },
        ],
        eventsPerMinute: [2],
        reconnects: 1,
        gaps: 1,
        deadLetters: 1,
        deadLettersDropped: 0,
        certificateExpiry: '2026-05-04T04:05:06.789Z',
        credentialExpiry: null,
        credentialRenewed: null,
      },
    ],
    store: {
      state: 'ok',
      since: '2026-02-03T04:05:06.789Z',
      detail: '',
      events: 7,
      bytes: 7000,
      maxBytes: 100_000,
      oldest: '2026-02-03T04:05:01.789Z',
      deadLetters: 1,
      durable: true,
    },
    sink: {
      name: 'nats',
      up: true,
      since: '2026-02-03T04:05:06.789Z',
      detail: '',
      server: { address: '127.0.0.1:4222', version: '2.15.1', apiLevel: 5, stream: 'OPSWIRE' },
    },
    counts: { appended: 2, duplicates: 0, published: 2, publishedDuplicates: 0, publishRetries: 0, tooLarge: 0 },
    perMinute: { secondsOfLast: 1.5, appended: [2], delivered: [2] },
    transitions: [
      transition('06.789', 'daemon', null, null, 'started', null),
      transition('06.789', 'store', null, null, 'ok', ''),
      transition('06.789', 'sink', null, null, 'up', ''),
      transition('06.789', 'source', 'fabric-a', 'connecting', 'up', null),
      transition('08.289', 'controller', 'fabric-a', 'https://fabric-a.example.net', 'https://apic2.example.net', null),
      transition('08.289', 'source', 'fabric-a', 'up', 'degraded', 'no successor session yet'),
    ],
    gaps: [
      {
        at: '2026-02-03T04:05:08.289Z',
        source: 'fabric-a',
        feed: 'audit',
        reason: 'outage_no_history',
        summary: 'Events of faultInst may be missing',
      },
    ],
    deadLetters: [{ at: '2026-02-03T04:05:08.289Z', source: 'fabric-a', reason: 'not JSON', bytes: 42, key: 'd-1' }],
  })
})

function transition(
  seconds: string,
  what: string,
  source: string | null,
  from: string | null,
  to: string,
  why: string | null,
) {
  return { at: `2026-02-03T04:05:${seconds}Z`, what, source, feed: null, from, to, why }
}

test('events are counted by minute over the last hour, by source and in all, and delivered ones', async () => {
  const { ops, report, clock } = testOps()
  makeReady(report, [SALT, CLOUD])
  report(appended(SALT, 'audit', [fact(SALT, 'audit'), fact(SALT, 'audit')]))
  report(ONE_OF_EACH.published)
  await clock.advance(60_000)
  report(appended(CLOUD, 'audit', [fact(CLOUD, 'audit'), gapOf(CLOUD, 'audit')]))
  report({ type: 'published', result: 'duplicate', count: 3, recordedMs: [0, 0, 0] })
  report({ type: 'published', result: 'retry', count: 9, recordedMs: [] })
  await clock.advance(60_000 + 250)
  const first = ops.status()
  expect(first.perMinute).toEqual({ secondsOfLast: 0.25, appended: [2, 2, 0], delivered: [2, 3, 0] })
  expect(first.sources.map(source => source.eventsPerMinute)).toEqual([
    [2, 0, 0],
    [0, 2, 0],
  ])
  await clock.advance(58 * 60_000)
  expect(ops.status().perMinute.appended).toEqual([2, ...new Array(59).fill(0)])
  // A machine that slept.
  clock.stall(7 * 86_400_000)
  expect(ops.status().perMinute.appended).toEqual(new Array(60).fill(0))
  report(appended(SALT, 'audit', [fact(SALT, 'audit')]))
  expect(ops.status().sources[0]?.eventsPerMinute).toEqual([...new Array(59).fill(0), 1])
  ops.close()
})

test('a feed says since when it is in its state, a source when it is tried again, and a cursor may come before its feed', async () => {
  const { ops, report, clock } = testOps()
  makeReady(report, [FABRIC])
  report({ type: 'feed_cursor', source: 'fabric-a', feed: 'later', cursor: { at: 1, id: 'a\u001b[2Jb', none: null } })
  await clock.advance(1000)
  report({ type: 'feed_declared', source: 'fabric-a', feed: 'later', proofBoundMs: 60_000 })
  report({ type: 'feed_state', source: 'fabric-a', feed: 'audit', state: 'live' })
  await clock.advance(1000)
  report({ type: 'source_state', source: 'fabric-a', state: 'down', reason: 'x', code: 'timeout', retryInMs: 5000 })
  await clock.advance(1000)
  const [source] = ops.status().sources
  expect(source).toMatchObject({ nextTrySeconds: 4, since: '2026-02-03T04:05:08.789Z' })
  expect(source?.feeds).toMatchObject([
    { state: 'lost', since: '2026-02-03T04:05:08.789Z', cursor: null },
    { state: 'lost', since: '2026-02-03T04:05:08.789Z', cursor: { at: 1, id: 'a [2Jb', none: null } },
  ])
  report({ type: 'feed_gone', source: 'fabric-a', feed: 'later' })
  report({ type: 'feed_declared', source: 'fabric-a', feed: 'later', proofBoundMs: 60_000 })
  expect(ops.status().sources[0]?.feeds[1]).toMatchObject({ state: 'starting', cursor: null })
  ops.close()
})

test('the last 50 transitions and 20 gaps are kept, and a state told again is no transition', () => {
  const { ops, report } = testOps()
  makeReady(report, [SALT])
  for (let round = 0; round < 60; round++) {
    report({ type: 'source_state', source: 'salt', state: round % 2 === 0 ? 'down' : 'up', reason: `round ${round}` })
    report({ type: 'source_state', source: 'salt', state: round % 2 === 0 ? 'down' : 'up' })
    report({ type: 'gap', source: 'salt', feed: 'audit', reason: 'retention', summary: `round ${round}` })
  }
  const { transitions, gaps } = ops.status()
  ops.close()
  expect(transitions.map(entry => entry.why)).toEqual(Array.from({ length: 50 }, (_, index) => `round ${index + 10}`))
  expect(gaps.map(entry => entry.summary)).toEqual(Array.from({ length: 20 }, (_, index) => `round ${index + 40}`))
})

test('happenings of a source or feed that nobody declared make no source and no feed', () => {
  const { ops, report } = testOps()
  report({ type: 'source_state', source: 'ghost', state: 'up' })
  makeReady(report, [CLOUD])
  report({ type: 'feed_proof', source: 'cloud', feed: 'ghost' })
  report(appended(CLOUD, 'source', [fact(CLOUD, 'source', 'info', { state: 'resolved', alertKey: 'cloud/source' })]))
  const { sources } = ops.status()
  ops.close()
  expect(sources.map(source => source.name)).toEqual(['cloud'])
  expect(sources[0]?.feeds.map(feed => feed.name)).toEqual(['audit'])
  // What opswire says of itself is no event of the source.
  expect(sources[0]?.lastEvent).toBeNull()
})

test('a source declared again (a reload) keeps its counts and takes the new words', () => {
  const { ops, report } = testOps()
  makeReady(report, [CLOUD])
  report({ type: 'reconnect', source: 'cloud', reason: 'timeout' })
  report({
    type: 'source_declared',
    source: 'cloud',
    system: 'vcd',
    required: false,
    address: 'https://new',
    tlsVerified: false,
  })
  const [source] = ops.status().sources
  ops.close()
  expect(source).toMatchObject({ reconnects: 1, required: false, address: 'https://new', tlsVerified: false, up: true })
})

test('the one-line summary names the culprits', () => {
  const { ops, report } = testOps()
  makeReady(report)
  expect(ops.summary()).toBe('3 of 3 sources up, 7 events waiting, ready')
  report({ type: 'source_state', source: 'salt', state: 'down', reason: 'x', code: 'timeout', retryInMs: 1 })
  report({ type: 'sink_state', sink: 'nats', up: false, detail: '' })
  expect(ops.summary()).toBe('2 of 3 sources up, 7 events waiting, not ready: sink, source salt')
  ops.close()
})

test('the last error of a feed is kept when it is live again, with how often it was lost and remade', async () => {
  const { ops, report, clock } = testOps()
  makeReady(report, [FABRIC])
  const feed = () => ops.status().sources[0]?.feeds[0]
  const state = (to: 'lost' | 'resyncing' | 'live', reason?: string): void =>
    report({
      type: 'feed_state',
      source: 'fabric-a',
      feed: 'audit',
      state: to,
      ...(reason === undefined ? {} : { reason, code: 'subscription_lost' as const }),
    })
  expect(feed()).toMatchObject({ lost: 0, remade: 0, lastError: null })
  state('lost', 'refused')
  await clock.advance(1000)
  state('resyncing')
  state('lost', 'HTTP 503')
  state('resyncing')
  expect(feed()).toMatchObject({ state: 'resyncing', lost: 1, remade: 0 })
  state('live')
  await clock.advance(60_000)
  const error = { at: '2026-02-03T04:05:07.789Z', code: 'subscription_lost', text: 'HTTP 503' }
  expect(feed()).toMatchObject({ state: 'live', lost: 1, remade: 1, lastError: error })
  expect(ops.status().sources[0]?.lastError).toEqual(error)
  ops.close()
})

test('feeds are lost with their session, without a word for each, and begin anew with the next', () => {
  const { ops, report, lines } = testOps()
  makeReady(report, [FABRIC])
  report({ type: 'feed_declared', source: 'fabric-a', feed: 'aaaModLR', proofBoundMs: 60_000 })
  report({ type: 'feed_state', source: 'fabric-a', feed: 'aaaModLR', state: 'disabled', reason: 'no right' })
  const states = () => ops.status().sources[0]?.feeds.map(feed => feed.state)
  const before = ops.status().transitions.length
  report({
    type: 'source_state',
    source: 'fabric-a',
    state: 'degraded',
    reason: 'cut',
    code: 'socket_lost',
    retryInMs: 0,
  })
  expect(states()).toEqual(['lost', 'disabled'])
  for (const feed of ['audit', 'aaaModLR']) {
    report({ type: 'feed_declared', source: 'fabric-a', feed, proofBoundMs: 60_000 })
  }
  expect(states()).toEqual(['starting', 'starting'])
  for (const feed of ['audit', 'aaaModLR']) {
    report({ type: 'feed_state', source: 'fabric-a', feed, state: 'resyncing' })
    report({ type: 'feed_state', source: 'fabric-a', feed, state: 'live' })
    report({ type: 'feed_proof', source: 'fabric-a', feed })
  }
  report({ type: 'source_state', source: 'fabric-a', state: 'up' })
  expect(ops.status().sources[0]).toMatchObject({ up: true, feeds: [{ lost: 0 }, { lost: 1, remade: 0 }] })
  // Lost and up again: the source, not its feeds.
  expect(
    ops
      .status()
      .transitions.slice(before)
      .map(one => one.what),
  ).toEqual(['source', 'source'])
  expect(lines.map(line => line['msg'])).not.toContainEqual(expect.stringContaining('feed audit'))
  ops.close()
})

test('a document of 5,000 feeds in trouble lists each feed, and doubts in a few lines', () => {
  const { ops, report } = testOps()
  makeReady(report, [FABRIC])
  for (let number = 0; number < 5000; number++) {
    report({ type: 'feed_declared', source: 'fabric-a', feed: `mo/uni/tn-${number}`, proofBoundMs: 1000 })
    report({
      type: 'feed_state',
      source: 'fabric-a',
      feed: `mo/uni/tn-${number}`,
      state: 'disabled',
      reason: 'no right',
    })
  }
  const [source] = ops.status().sources
  ops.close()
  expect(source?.feeds).toHaveLength(5001)
  expect(source?.doubts).toHaveLength(21)
  expect(source?.doubts.at(-1)).toBe('and 4980 more')
})
