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
      gauges: () => ({ faults: [], health: [], nodes: [] }),
    },
  })
  makeReady(report, [FABRIC])
  await clock.advance(1500)
  report({ ...ONE_OF_EACH.feed_mode, feed: 'audit' })
  report({ ...ONE_OF_EACH.feed_recovered, feed: 'audit' })
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
    version: '1.2.3',
    node: 'v26.10.0',
    state: 'started',
    started: '2026-02-03T04:05:06.789Z',
    uptimeSeconds: 1.5,
    config: { path: '/etc/opswire/opswire.yaml', hash: 'ab12' },
    sources: [
      {
        name: 'fabric-a',
        system: 'apic',
        state: 'degraded',
        since: '2026-02-03T04:05:08.289Z',
        required: true,
        up: true,
        doubts: [],
        address: 'https://apic2.example.net',
        tlsVerified: true,
        lastEvent: '2026-02-03T04:05:08.289Z',
        lastProof: '2026-02-03T04:05:06.789Z',
        lastError: { at: '2026-02-03T04:05:08.289Z', code: 'throttled', text: 'no successor session yet' },
        leases: { session: 212.346 },
        feeds: [
          {
            name: 'audit',
            state: 'live',
            mode: 'push',
            lastProof: '2026-02-03T04:05:06.789Z',
            boundSeconds: 60,
            deaf: false,
            lastEvent: '2026-02-03T04:05:08.289Z',
            events: 1,
            recovered: 4,
          },
        ],
        reconnects: 1,
        gaps: 1,
        deadLetters: 1,
        deadLettersDropped: 0,
        certificateExpiry: '2026-05-04T04:05:06.789Z',
        credentialExpiry: null,
      },
    ],
    store: {
      state: 'ok',
      detail: '',
      events: 7,
      bytes: 7000,
      maxBytes: 100_000,
      oldest: '2026-02-03T04:05:01.789Z',
      deadLetters: 1,
    },
    sink: { name: 'nats', up: true, since: '2026-02-03T04:05:06.789Z', detail: '' },
    counts: { appended: 2, duplicates: 0, published: 2, publishedDuplicates: 0, publishRetries: 0, tooLarge: 0 },
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
