import { expect, test } from 'vitest'
import type { Happening } from '../../src/report.ts'
import { appended, CLOUD, declare, FABRIC, fact, gapOf, makeReady, ONE_OF_EACH, SALT, testOps } from './happenings.ts'

/** What each type shows somewhere outside: a metric line, a log line, or a place in the status document. */
const SHOWN: Record<Happening['type'], RegExp> = {
  source_declared: /opswire_tls_verified\{source="fabric-a"\} 1/,
  source_state: /fabric-a is up/,
  feed_declared: /"boundSeconds":60/,
  feed_state: /"state":"live"/,
  feed_proof: /"lastProof":"2026-02-03T04:05:06.789Z"/,
  feed_mode: /opswire_feed_mode\{source="fabric-a",feed="faultInst",mode="push"\} 1/,
  feed_late: /opswire_late_seconds_count\{source="fabric-a",feed="faultInst"\} 1/,
  feed_cursor: /"cursor":\{"newest":"f-17","at":17\}/,
  feed_recovered: /opswire_recovered_events_total\{source="fabric-a",feed="faultInst"\} 4/,
  request: /opswire_request_seconds_count\{source="fabric-a",operation="login",result="ok"\} 1/,
  lease_renewed: /opswire_lease_renewals_total\{source="fabric-a",lease="session",result="ok"\} 1/,
  lease_lost: /fabric-a: lost its subscription faultInst: refused three times/,
  reconnect: /opswire_reconnects_total\{source="fabric-a",reason="socket_lost"\} 1/,
  source_paused: /"pausedSince":"2026/,
  controller: /"address":"https:\/\/apic2.example.net"/,
  credential_expiry: /the credential expires at 2026-02-04T04:05:06.789Z/,
  certificate_expiry: /opswire_certificate_expiry_timestamp_seconds\{source="fabric-a"\} 1777867506.789/,
  advice: /Ask for a longer refreshTimeoutSeconds/,
  appended: /"duplicates":2/,
  gap: /opswire_gaps_total\{source="fabric-a",reason="outage_no_history"\} 1/,
  dead_letter: /kept as dead letter d-1/,
  dead_letters_dropped: /fabric-a: 5 dead letters were dropped unread/,
  feed_gone: /"feeds":\[\]/,
  store_state: /the store is ok: \/var\/lib\/opswire/,
  sink_state: /opswire_sink_up 1/,
  sink_setback: /opswire_sink_setbacks_total 1/,
  sink_server: /"server":\{"address":"127.0.0.1:4222","version":"2.15.1","apiLevel":5,"stream":"OPSWIRE"\}/,
  published: /opswire_delivery_seconds_count 2/,
  source_gone: /"sources":\[\]/,
  reload: /opswire_reload_success 0/,
  daemon: /opswire started/,
}

test.each(Object.keys(ONE_OF_EACH) as Happening['type'][])('%s is seen from outside', async type => {
  const { ops, report, text } = testOps()
  const needed = ['source_declared', 'feed_declared', 'sink_state'].filter(name => name !== type) as Happening['type'][]
  for (const name of needed) report(ONE_OF_EACH[name])
  const shown = async (): Promise<string> => `${text.join('')}${await ops.metrics()}${JSON.stringify(ops.status())}`
  const before = await shown()
  report(ONE_OF_EACH[type])
  const after = await shown()
  ops.close()
  expect(after).toMatch(SHOWN[type])
  // feed_gone takes away; all others must not have been there before.
  expect(before).not.toMatch(SHOWN[type])
})

test('report never throws; a fault of its own is one line', () => {
  const { ops, report, lines } = testOps()
  const broken = { type: 'appended', source: 'x', feed: 'y', facts: [undefined], duplicates: 0, ms: 1 }
  // Not reachable by typed code: what a bug elsewhere might hand over.
  const untyped: (happening: object) => void = report as (happening: object) => void
  untyped(broken)
  untyped(broken)
  untyped({ type: 'from_a_newer_build', source: 'x' })
  ops.close()
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatchObject({ level: 'error', msg: expect.stringMatching(/^bug: could not report appended/) })
})

test('a day of events writes no line; each transition writes one', () => {
  const { ops, report, lines } = testOps()
  makeReady(report)
  const started = lines.length
  for (let round = 0; round < 500; round++) {
    report(appended(CLOUD, 'audit', [fact(CLOUD, 'audit'), fact(CLOUD, 'audit')]))
    report({ type: 'published', result: 'ok', count: 2, recordedMs: [0, 0] })
    report({ type: 'feed_proof', source: 'cloud', feed: 'audit' })
    report({ type: 'feed_late', source: 'cloud', feed: 'audit', seconds: 1 })
    report({ type: 'request', source: 'cloud', operation: 'audit', result: 'ok', ms: 20 })
    report({ type: 'lease_renewed', source: 'cloud', lease: 'session', result: 'ok' })
    report({ type: 'certificate_expiry', source: 'cloud', host: 'vcd.example.net', atMs: Date.UTC(2027, 1, 1) })
    // Told again, nothing new.
    report({ type: 'source_state', source: 'cloud', state: 'up' })
    report({ type: 'sink_state', sink: 'nats', up: true, detail: '' })
    report({ type: 'store_state', state: 'ok', detail: '' })
  }
  expect(lines.slice(started)).toEqual([])
  const fails = (ms: number): void =>
    report({
      type: 'source_state',
      source: 'cloud',
      state: 'down',
      reason: `no answer within ${ms} ms`,
      code: 'timeout',
      retryInMs: ms,
    })
  const news = (act: () => void): unknown[] => {
    const from = lines.length
    act()
    return lines.slice(from).map(line => `${line['level']} ${line['msg']}`)
  }
  expect(news(() => fails(3000))).toEqual(['warn cloud is down: no answer within 3000 ms, tried again in 3 s'])
  expect(
    news(() => {
      report({ type: 'source_state', source: 'cloud', state: 'connecting' })
      fails(7000)
      fails(9000)
    }),
  ).toEqual([])
  expect(
    news(() =>
      report({ type: 'source_state', source: 'cloud', state: 'down', reason: 'refused', code: 'auth_refused' }),
    ),
  ).toEqual(['error cloud is down: refused'])
  expect(news(() => report({ type: 'source_state', source: 'cloud', state: 'up' }))).toEqual([
    'info cloud is up after 4 failed tries',
  ])
  const feed = (state: 'lost' | 'live' | 'resyncing', reason?: string): void =>
    report({ type: 'feed_state', source: 'cloud', feed: 'audit', state, ...(reason === undefined ? {} : { reason }) })
  expect(news(() => feed('lost', 'no answer'))).toEqual(['warn cloud: feed audit is lost: no answer'])
  expect(news(() => feed('lost', 'no answer'))).toEqual([])
  expect(news(() => feed('resyncing'))).toEqual([])
  expect(news(() => feed('live'))).toEqual(['info cloud: feed audit is live again'])
  expect(news(() => feed('live'))).toEqual([])
  const sink = (up: boolean, detail: string): void => report({ type: 'sink_state', sink: 'nats', up, detail })
  expect(news(() => sink(false, 'refused'))).toEqual(['warn the sink nats is down: refused'])
  expect(news(() => sink(false, 'refused'))).toEqual([])
  expect(news(() => sink(false, 'stream OPSWIRE is missing'))).toEqual([
    'warn the sink nats is down: stream OPSWIRE is missing',
  ])
  expect(news(() => sink(true, 'again'))).toEqual(['info the sink nats is up: again'])
  ops.close()
})

test('advice and expiries are told once; a flood of dead letters is a line a minute', async () => {
  const { ops, report, lines, clock } = testOps()
  report(declare(FABRIC))
  for (let round = 0; round < 100; round++) {
    report(ONE_OF_EACH.advice)
    report(ONE_OF_EACH.credential_expiry)
    report(ONE_OF_EACH.dead_letter)
  }
  expect(lines.map(line => line['msg'])).toEqual([
    'fabric-a: Ask for a longer refreshTimeoutSeconds.',
    'fabric-a: the credential expires at 2026-02-04T04:05:06.789Z',
    'fabric-a: a message could not be understood or delivered and was kept as dead letter d-1',
  ])
  await clock.advance(60_000)
  report(ONE_OF_EACH.dead_letter)
  expect(lines.at(-1)?.['msg']).toMatch(/dead letter d-1 \(and 99 more since the last line\)$/)
  expect(lines).toHaveLength(4)
  ops.close()
})

test('an unverified certificate is told again at a reconnect, at most once an hour, until it is verified', async () => {
  const { ops, report, lines, clock } = testOps()
  const reconnect = (): void => report({ type: 'reconnect', source: 'fabric-a', reason: 'socket_lost' })
  report(declare(SALT))
  report(declare(FABRIC, true, false))
  expect(lines.map(line => line['msg'])).toEqual([
    'fabric-a: the certificate of https://fabric-a.example.net is NOT verified (tls.verify: false): anyone on the way can read the password; set tls.ca_file or tls.fingerprint_sha256',
  ])
  for (let minute = 0; minute < 59; minute++) {
    await clock.advance(60_000)
    reconnect()
    report({ type: 'reconnect', source: 'salt', reason: 'timeout' })
  }
  expect(lines).toHaveLength(1)
  await clock.advance(60_000)
  reconnect()
  reconnect()
  expect(lines).toHaveLength(2)
  expect(lines[1]).toMatchObject({ level: 'warn', source: 'fabric-a', msg: lines[0]?.['msg'] })
  // A reload with a CA file.
  report(declare(FABRIC))
  await clock.advance(7_200_000)
  reconnect()
  expect(lines).toHaveLength(2)
  ops.close()
})

test('thousands of feeds that fall together are a few lines; the next minute says how many were left out', async () => {
  const { ops, report, lines, clock } = testOps()
  report(declare(FABRIC))
  const state = (feed: string, to: 'lost' | 'live'): void =>
    report({ type: 'feed_state', source: 'fabric-a', feed, state: to })
  for (let number = 0; number < 5000; number++) state(`f${number}`, 'lost')
  expect(lines).toHaveLength(20)
  // Another source's feeds are not drowned by it.
  report({ type: 'feed_state', source: 'salt', feed: 'jobs', state: 'lost' })
  expect(lines).toHaveLength(21)
  await clock.advance(60_000)
  state('f7', 'live')
  expect(lines[21]).toMatchObject({
    level: 'info',
    msg: 'fabric-a: feed f7 is live again (and 4980 more lines about its feeds before)',
  })
  ops.close()
})

test('catching up is no change of mode worth a line; another way of working is', () => {
  const { ops, report, lines } = testOps()
  report(declare(SALT))
  const mode = (to: string): void => report({ type: 'feed_mode', source: 'salt', feed: 'returns', mode: to })
  for (const to of ['catching_up', 'tail', 'catching_up', 'tail']) mode(to)
  expect(lines).toEqual([])
  mode('jobs')
  expect(lines).toMatchObject([{ level: 'info', msg: 'salt: feed returns works in mode jobs' }])
  ops.close()
})

test('a source that was degraded by a feed comes back without talk of failed tries', () => {
  const { ops, report, lines } = testOps()
  report(declare(SALT))
  report({ type: 'source_state', source: 'salt', state: 'degraded', reason: 'feed jobs is disabled (no right)' })
  report({ type: 'source_state', source: 'salt', state: 'up' })
  expect(lines.map(line => `${line['level']} ${line['msg']}`)).toEqual([
    'warn salt is degraded: feed jobs is disabled (no right)',
    'info salt is up',
  ])
  ops.close()
})

test('an unverified certificate is said aloud', async () => {
  const { ops, report, lines } = testOps()
  report(declare(FABRIC, true, false))
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatchObject({ level: 'warn', msg: expect.stringMatching(/NOT verified/) })
  expect(await ops.metrics()).toContain('opswire_tls_verified{source="fabric-a"} 0')
  ops.close()
})

test('what a planted secret hangs on is never printed: not the raw object, not the cause of an error, not a URL', async () => {
  const marker = 'pLanted-5ecret-Marker-0123456789'
  const { ops, report, text } = testOps({ logLevel: 'trace' })
  const error = new Error('outer', { cause: new Error(`inner ${marker}`) })
  const plant = <T extends Happening>(happening: T): T =>
    Object.assign({ ...happening }, { error, cause: error, body: marker })
  for (const happening of Object.values(ONE_OF_EACH)) report(plant(happening))
  report(plant(declare(CLOUD)))
  report(
    plant(
      appended(CLOUD, 'audit', [
        fact(CLOUD, 'audit', 'info', {
          actor: { user: marker, via: 'token' },
          raw: { password: marker },
          description: marker,
        }),
        gapOf(CLOUD, 'audit'),
      ]),
    ),
  )
  const said = [
    `https://svc:${marker}@apic.example.net refused`,
    `GET /api/x?access_token=${marker}&y=1`,
    `sent {"aaaUser":{"attributes":{"name":"svc","pwd":"${marker}"}}}`,
    `Authorization: Bearer ${marker}`,
    `Cookie: APIC-cookie=${marker}`,
    `token eyJhbGciOiJIUzI1NiJ9.${marker}.sig refused`,
  ]
  for (const words of said) {
    report({ type: 'source_state', source: 'cloud', state: 'down', reason: words, code: 'unreachable' })
    report({ type: 'feed_state', source: 'cloud', feed: 'audit', state: 'lost', reason: words, code: 'timeout' })
    report({ type: 'gap', source: 'cloud', feed: 'audit', reason: 'retention', summary: words })
    report({ type: 'dead_letter', source: 'cloud', reason: words, bytes: 1, key: 'd' })
    report({ type: 'sink_state', sink: 'nats', up: false, detail: words })
    report({ type: 'store_state', state: 'failing', detail: words })
    report({ type: 'advice', source: 'cloud', text: words })
    report({ type: 'reconnect', source: 'cloud', reason: words })
    report({ type: 'controller', source: 'cloud', address: words })
    report({ type: 'lease_lost', source: 'cloud', lease: 'session', name: words, reason: words })
  }
  expect(text.length).toBeGreaterThan(80)
  expect(text.join('')).not.toContain(marker)
  expect(JSON.stringify(ops.status())).not.toContain(marker)
  expect(JSON.stringify(ops.ready())).not.toContain(marker)
  expect(await ops.metrics()).not.toContain(marker)
  expect(ops.summary()).not.toContain(marker)
  ops.close()
})
