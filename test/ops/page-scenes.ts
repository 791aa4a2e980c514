/** Daemons as the page may meet them, made of happenings: an hour of work, twenty sources, a full store, hostile words. */
import type { SourceRef } from '../../src/event.ts'
import type { LeaseMargin, SessionNumbers, StoreView } from '../../src/ops/pull.ts'
import { appended, declare, fact, gapOf, START, StallingClock, type TestOps, testOps } from './happenings.ts'

export interface Scene extends TestOps {
  /** What is asked for when somebody looks. */
  readonly asked: { store: StoreView; leases: LeaseMargin[]; sessions: SessionNumbers[] }
}

const GIBIBYTE = 1024 ** 3

/** A daemon that has just started, with a sink that is up and no source. */
export function emptyScene(): Scene {
  const asked: Scene['asked'] = {
    store: {
      unacked: 3,
      bytes: 41_500_000,
      maxBytes: 2 * GIBIBYTE,
      oldestMs: undefined,
      deadLetters: 0,
      durable: true,
    },
    leases: [],
    sessions: [],
  }
  const made = testOps(
    {
      config: { path: '/etc/opswire/opswire.yaml', hash: '4be1'.repeat(16) },
      pull: {
        store: () => asked.store,
        leases: () => asked.leases,
        sessions: () => asked.sessions,
        gauges: () => ({ faults: [], health: [], nodes: [] }),
      },
    },
    new StallingClock(START),
  )
  made.report({ type: 'daemon', state: 'started' })
  made.report({ type: 'store_state', state: 'ok', detail: '' })
  made.report({
    type: 'sink_state',
    sink: 'nats',
    up: true,
    detail: '127.0.0.1:4222 (nats-server 2.15.1), stream OPSWIRE',
  })
  made.report({ type: 'sink_server', address: '127.0.0.1:4222', version: '2.15.1', apiLevel: 5, stream: 'OPSWIRE' })
  return { ...made, asked }
}

export interface Watched {
  readonly ref: SourceRef
  readonly feeds: readonly string[]
}

export const THREE: readonly Watched[] = [
  {
    ref: { system: 'apic', name: 'fabric-a' },
    feeds: ['class/faultInst', 'class/aaaModLR', 'mo/uni/tn-prod (subtree of fvAEPg, fvBD)'],
  },
  { ref: { system: 'raas', name: 'salt' }, feeds: ['jobs', 'returns'] },
  { ref: { system: 'vcd', name: 'cloud' }, feeds: ['audit'] },
]

/** Brings a source up with all its feeds live. */
export function bringUp({ report, asked, clock }: Scene, { ref, feeds }: Watched): void {
  const source = ref.name
  report(declare(ref))
  for (const [index, feed] of feeds.entries()) {
    report({ type: 'feed_declared', source, feed, proofBoundMs: 120_000 })
    report({ type: 'feed_cursor', source, feed, cursor: { newest: clock.wall(), anchor: `row-${index}` } })
  }
  report({ type: 'source_state', source, state: 'up' })
  for (const feed of feeds) {
    report({ type: 'feed_state', source, feed, state: 'live' })
    if (ref.system !== 'apic') report({ type: 'feed_mode', source, feed, mode: 'tail' })
  }
  prove({ report }, { ref, feeds })
  report({ type: 'certificate_expiry', source, host: `${source}.example.net`, atMs: START + 200 * 86_400_000 })
  const isApic = ref.system === 'apic'
  asked.leases.push({ source, lease: 'session', seconds: 212.4 })
  if (isApic)
    asked.leases.push({ source, lease: 'subscription', seconds: 41.2 }, { source, lease: 'lifetime', seconds: 78_000 })
  const feedSeconds = new Map(isApic ? feeds.map((feed, index) => [feed, 41.2 + index] as const) : [])
  asked.sessions.push({ source, ageSeconds: 8_000, handOverSeconds: isApic ? 78_000 : undefined, feedSeconds })
}

export function prove({ report }: Pick<Scene, 'report'>, { ref, feeds }: Watched): void {
  for (const feed of feeds) report({ type: 'feed_proof', source: ref.name, feed })
}

/** An hour in which all of them are proved alive each minute, and say more at some times than at others. */
export async function anHour(scene: Scene, watched: readonly Watched[]): Promise<void> {
  for (let minute = 0; minute < 62; minute++) {
    for (const [index, one] of watched.entries()) {
      prove(scene, one)
      const count = Math.max(
        0,
        Math.round(6 + 5 * Math.sin((minute + 7 * index) / 6) + (minute === 40 ? 30 : 0) - index),
      )
      const feed = one.feeds[minute % one.feeds.length] ?? ''
      if (count === 0) continue
      const facts = Array.from({ length: count }, () => fact(one.ref, 'audit'))
      scene.report(appended(one.ref, feed, facts))
      scene.report({ type: 'feed_late', source: one.ref.name, feed, seconds: 0.2 + index })
      scene.report({ type: 'published', result: 'ok', count, recordedMs: facts.map(() => scene.clock.wall()) })
    }
    if (minute < 61) await scene.clock.advance(60_000)
  }
  await scene.clock.advance(20_000)
}

export async function healthy(): Promise<Scene> {
  const scene = emptyScene()
  for (const one of THREE) bringUp(scene, one)
  scene.report({ type: 'daemon', state: 'ready' })
  await anHour(scene, THREE)
  return scene
}

/** The sink is away for so long that the store is full. */
export async function storeFull(): Promise<Scene> {
  const scene = await healthy()
  const { report, clock, asked } = scene
  report({
    type: 'sink_state',
    sink: 'nats',
    up: false,
    detail: 'no NATS server can be reached (127.0.0.1:4222: connection refused)',
  })
  await clock.advance(70_000)
  asked.store = { ...asked.store, unacked: 1_834_221, bytes: 2 * GIBIBYTE + 1_000_000, oldestMs: clock.wall() - 69_000 }
  report({ type: 'store_state', state: 'full', detail: 'the sources wait until the sink takes events' })
  for (const one of THREE) prove(scene, one)
  await clock.advance(14_000)
  return scene
}

/** Hundreds of subscriptions at one fabric, eighteen others, some of each in trouble; letters, gaps and doubts. */
export async function twenty(): Promise<Scene> {
  const scene = emptyScene()
  const { report, clock, asked } = scene
  const watched: Watched[] = Array.from({ length: 20 }, (_, index) => {
    const system = (['apic', 'raas', 'vcd'] as const)[index % 3] ?? 'apic'
    // The longest name that a source may have.
    const name = index === 19 ? 'w'.repeat(32) : `${['fabric', 'salt', 'cloud'][index % 3]}-${index + 1}`
    const many = Array.from({ length: 100 }, (_, at) => `mo/uni/tn-customer-${at}/ap-shop (subtree)`)
    return {
      ref: { system, name },
      feeds: index === 0 ? many : index % 3 === 0 ? ['class/faultInst', 'class/aaaModLR'] : ['audit'],
    }
  })
  for (const one of watched) bringUp(scene, one)
  await anHour(scene, watched)
  for (const at of [3, 17, 99]) {
    const feed = `mo/uni/tn-customer-${at}/ap-shop (subtree)`
    report({
      type: 'feed_state',
      source: 'fabric-1',
      feed,
      state: 'disabled',
      reason: 'HTTP 400: unknown class fvShop',
      code: 'protocol',
    })
  }
  report({ type: 'source_state', source: 'fabric-1', state: 'degraded', reason: '3 feeds are disabled' })
  report({
    type: 'source_state',
    source: 'salt-5',
    state: 'down',
    reason: 'connect ECONNREFUSED 192.0.2.17:443',
    code: 'unreachable',
    retryInMs: 43_000,
  })
  asked.sessions = asked.sessions.filter(({ source }) => source !== 'salt-5')
  asked.leases = asked.leases.filter(({ source }) => source !== 'salt-5')
  report({ ...declare({ system: 'vcd', name: 'cloud-9' }, false, false), type: 'source_declared' } as ReturnType<
    typeof declare
  >)
  report({ type: 'credential_expiry', source: 'cloud-12', atMs: clock.wall() + 3 * 86_400_000 })
  const fabric: SourceRef = { system: 'apic', name: 'fabric-1' }
  report(appended(fabric, 'class/faultInst', [gapOf(fabric, 'class/faultInst')]))
  report({
    type: 'gap',
    source: 'fabric-1',
    feed: 'class/faultInst',
    reason: 'outage_no_history',
    summary: 'Events of faultInst between 04:58:11Z and 05:01:40Z may be missing: 3 were found all the same',
  })
  report({
    type: 'dead_letter',
    source: 'salt-2',
    reason: 'return of minion web-04 is not an object',
    bytes: 2_048,
    key: 'd-1',
  })
  asked.store = { ...asked.store, deadLetters: 1 }
  report({
    type: 'reload',
    ok: false,
    problems: [
      'opswire.yaml:14:5: sources[2].polll_interval: there is no such key; poll_interval?',
      'opswire.yaml:30:1: two sources are named salt',
    ],
  })
  await clock.advance(12_000)
  return scene
}

/** Words that mean no good, wherever words from elsewhere can stand. */
export const HOSTILE = [
  '<script>window.pwned = 1</script>',
  '"><img src=x onerror="window.pwned = 2">',
  "' onmouseover='window.pwned = 3' autofocus onfocus='window.pwned = 4",
  '</title></style></textarea><svg onload=window.pwned=5>',
  '<a href="javascript:window.pwned=6">click</a>',
  '&lt;b&gt; &#x3c;script&#x3e;',
  '--><iframe srcdoc="<script>parent.pwned=7</script>">',
  '\u202Eabc\u0000\u001b[2J\u2028{{7*7}}',
  `${'W'.repeat(300)} ${'very/long/path/without/a/blank/'.repeat(12)}`,
] as const

export async function hostile(words: readonly string[] = HOSTILE): Promise<Scene> {
  const scene = emptyScene()
  const { report, asked, clock } = scene
  const [first = ''] = words
  const source = 'fabric-a'
  bringUp(scene, { ref: { system: 'apic', name: source }, feeds: words })
  report({ type: 'controller', source, address: `https://${first}` })
  for (const [index, text] of words.entries()) {
    report({ type: 'feed_mode', source, feed: text, mode: text })
    report({ type: 'feed_cursor', source, feed: text, cursor: { [text]: text, at: index } })
    report({ type: 'feed_state', source, feed: text, state: 'lost', reason: text, code: 'protocol' })
    report({ type: 'gap', source, feed: text, reason: 'retention', summary: text })
    report({ type: 'dead_letter', source, reason: text, bytes: 17, key: text })
    report({ type: 'lease_lost', source, lease: 'session', name: text, reason: text })
  }
  report({ type: 'source_state', source, state: 'degraded', reason: words.join(' '), code: 'protocol', doubts: words })
  report({ type: 'store_state', state: 'failing', detail: words.join(' ') })
  report({ type: 'sink_state', sink: first, up: false, detail: words.join(' ') })
  report({ type: 'sink_server', address: first, version: first, apiLevel: undefined, stream: words.join('') })
  report({ type: 'reload', ok: false, problems: [...words] })
  asked.store = { ...asked.store, deadLetters: words.length }
  await clock.advance(45_000)
  return scene
}
