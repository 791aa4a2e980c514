/** What an operator sees of an APIC source: each metric moves, and the status page tells each subscription's state. */
import { afterEach, expect, it } from 'vitest'
import { createOps, type Ops } from '../../src/ops/ops.ts'
import { systemClock } from '../../src/scheduler/clock.ts'
import { ApicRig, fault } from '../support/apic-source.ts'
import { until } from '../support/manual-clock.ts'

let rig: ApicRig
let ops: Ops

afterEach(async () => {
  ops.close()
  await rig.close()
})

/** The real ops room over the rig; `look` brings it up to what happened by now. */
async function start(config: Record<string, unknown>): Promise<{ look: () => void }> {
  rig = await ApicRig.make({
    config,
    simulator: { refreshTimeoutSeconds: 6, maximumLifetimeSeconds: 3600 },
    tuning: { subscriptionLifeMs: 3000 },
  })
  ops = createOps({
    clock: systemClock,
    version: '0',
    logLevel: 'error',
    logSink: () => undefined,
    pull: {
      store: () => undefined,
      leases: () =>
        Object.entries(rig.runner.margins()).map(([lease, seconds]) => ({
          source: 'fabric-a',
          lease: lease as 'session' | 'subscription' | 'lifetime',
          seconds,
        })),
      sessions: () => {
        const session = rig.runner.session()
        return session === undefined ? [] : [{ source: 'fabric-a', ...session, feedSeconds: rig.runner.feedMargins() }]
      },
      gauges: () => ({ faults: [], health: [], nodes: [] }),
    },
  })
  ops.report({
    type: 'source_declared',
    source: 'fabric-a',
    system: 'apic',
    required: true,
    address: rig.simulator.url,
    tlsVerified: true,
  })
  let seen = 0
  const look = (): void => {
    for (; seen < rig.happenings.length; seen++) {
      const happening = rig.happenings[seen]
      if (happening !== undefined) ops.report(happening)
    }
  }
  return { look }
}

/** The value of one line of the page. */
async function value(line: string): Promise<number | undefined> {
  const found = (await ops.metrics()).split('\n').find(text => text.startsWith(`${line} `))
  return found === undefined ? undefined : Number(found.slice(line.length + 1))
}

it('a session, a burst, a cut: every metric of a subscription moves', async () => {
  const { look } = await start({ subscriptions: [{ class: 'faultInst' }, { class: 'eventRecord' }] })
  const { simulator } = rig
  const feeds = ['class/faultInst', 'class/eventRecord']
  await rig.live(feeds)
  for (let index = 0; index < 50; index++) simulator.emit('eventRecord', { descr: `event ${index}` })
  await rig.until(all => all.length >= 50, 'the burst')
  const renewed = (lease: string): boolean =>
    rig.happenings.some(one => one.type === 'lease_renewed' && one.lease === lease && one.result === 'ok')
  await until(() => renewed('session') && renewed('subscription'), 'a renewal of each')
  await until(() => rig.happenings.some(one => one.type === 'feed_late'), 'the lateness')
  look()
  expect(await value('opswire_subscriptions{source="fabric-a",state="live"}')).toBe(2)
  expect(await value('opswire_source_up{source="fabric-a"}')).toBe(1)
  for (const lease of ['session', 'subscription', 'lifetime']) {
    expect(await value(`opswire_lease_margin_seconds{source="fabric-a",lease="${lease}"}`)).toBeGreaterThan(0)
  }
  for (const lease of ['session', 'subscription']) {
    expect(await value(`opswire_lease_renewals_total{source="fabric-a",lease="${lease}",result="ok"}`)).toBeGreaterThan(
      0,
    )
  }
  for (const feed of feeds) {
    expect(await value(`opswire_feed_mode{source="fabric-a",feed="${feed}",mode="push"}`)).toBe(1)
    expect(await value(`opswire_feed_mode{source="fabric-a",feed="${feed}",mode="catching_up"}`)).toBe(0)
  }
  const late = await value('opswire_late_seconds_count{source="fabric-a",feed="class/eventRecord"}')
  expect(late).toBeGreaterThan(0)
  expect(late).toBeLessThan(50)
  expect(await value('opswire_source_last_proof_timestamp_seconds{source="fabric-a"}')).toBeGreaterThan(1.7e9)

  simulator.cutSockets()
  for (let index = 0; index < 20; index++) {
    simulator.emit('eventRecord', { descr: `in the hole ${index}` })
    simulator.post(`topology/pod-1/node-101/sys/hole-${index}/fault-F1394`, fault('F1394'))
  }
  await rig.live(feeds, 2)
  await rig.until(all => all.length >= 90, 'what the hole held')
  look()
  expect(await value('opswire_reconnects_total{source="fabric-a",reason="socket_lost"}')).toBe(1)
  // What the overlap repeats is known: only what was missed counts.
  for (const feed of feeds) {
    expect(await value(`opswire_recovered_events_total{source="fabric-a",feed="${feed}"}`)).toBe(20)
  }
})

it('tells each subscription apart: one refused, one remade, one well', async () => {
  const { look } = await start({
    subscriptions: [{ class: 'faultInst' }, { class: 'fvTenant' }, { class: 'noSuchClass' }],
  })
  await rig.live(['class/faultInst', 'class/fvTenant'])
  await until(() => rig.feedStates('class/noSuchClass').includes('disabled'), 'the refusal')
  const { simulator } = rig
  const [id] = simulator.record.subscriptions.filter(one => one.path.includes('fvTenant')).map(one => one.id)
  if (id === undefined) throw new Error('no subscription to fvTenant')
  simulator.expireSubscription(id)
  await rig.live(['class/fvTenant'], 2)
  look()
  const [source] = ops.status().sources
  const feed = (name: string) => source?.feeds.find(one => one.name === name)
  expect(feed('class/faultInst')).toMatchObject({ state: 'live', deaf: false, lastError: null, lost: 0, remade: 0 })
  expect(feed('class/faultInst')?.leaseSeconds).toBeGreaterThan(0)
  expect(feed('class/faultInst')?.leaseSeconds).toBeLessThanOrEqual(3)
  expect(feed('class/fvTenant')).toMatchObject({
    state: 'live',
    mode: 'push',
    lastError: { code: 'subscription_lost' },
    lost: 1,
    remade: 1,
  })
  expect(feed('class/noSuchClass')).toMatchObject({
    state: 'disabled',
    leaseSeconds: null,
    lastProof: null,
    deaf: true,
    lastError: { code: 'protocol' },
  })
  expect(source).toMatchObject({ state: 'degraded', up: false, address: simulator.url })
  expect(source?.session?.ageSeconds).toBeGreaterThan(0)
  expect(source?.session?.handOverSeconds).toBeGreaterThan(3000)
  expect(source?.doubts).toEqual([expect.stringMatching(/^feed class\/noSuchClass is disabled \(/)])
  const degraded = rig.events().filter(event => event.data.kind === 'source')
  expect(degraded.map(event => event.type)).toEqual(['opswire.source.degraded'])
  expect(degraded[0]?.data.summary).toMatch(/^fabric-a is degraded: feed class\/noSuchClass is disabled \(/)
  await rig.stop()
  look()
  expect(await value('opswire_subscriptions{source="fabric-a",state="live"}')).toBe(0)
  expect(await ops.metrics()).not.toMatch(/^opswire_feed_mode\{/m)
})
