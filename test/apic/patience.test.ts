/** What one slow, stubborn or forbidding answer may cost: never a feed for a day, a lease, a session or a login. */
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/scheduler/clock.ts'
import { type ApicSimulator, startApicSimulator } from '../../src/simulators/apic/controller.ts'
import { Paces } from '../../src/subscribers/apic/pace.ts'
import { apicSubscriber } from '../../src/subscribers/apic/subscriber.ts'
import { type Runner, startRunner } from '../../src/subscribers/runner.ts'
import { ApicRig, type ApicRigOptions, certificate } from '../support/apic-source.ts'
import { ManualClock, until } from '../support/manual-clock.ts'
import { turn, within } from '../support/turning.ts'

const DAY_S = 86_400

let rig: ApicRig
let clock: ManualClock
let second: ApicSimulator | undefined
let runners: Runner[] = []

async function make(options: ApicRigOptions): Promise<ApicRig> {
  clock = new ManualClock()
  rig = await ApicRig.make({ clock, start: false, ...options })
  return rig
}

/** A second controller of the fabric, the next in the row. */
async function withSecond(): Promise<ApicSimulator> {
  second = await startApicSimulator({
    time: clock,
    certificate,
    loginsPerSecond: Number.POSITIVE_INFINITY,
    fabric: rig.simulator.fabric,
    nodeId: 2,
  })
  Object.assign(rig, { config: { ...rig.config, controllers: [rig.simulator.url, second.url] } })
  return second
}

afterEach(async () => {
  for (const one of runners) await one.stop(AbortSignal.abort())
  runners = []
  await rig.stop()
  await second?.close()
  second = undefined
  await rig.close()
})

const live = (feed: string): boolean => rig.feedStates(feed).at(-1) === 'live'
const isUp = (): boolean => rig.happenings.findLast(one => one.type === 'source_state')?.state === 'up'
const advices = (): string[] => rig.happenings.flatMap(one => (one.type === 'advice' ? [one.text] : []))
const TWO = { subscriptions: [{ class: 'fvTenant' }, { class: 'eventRecord' }] }
const PAGE = { kind: 'html', retryAfterSeconds: DAY_S } as const

describe('Retry-After: a day', () => {
  it('costs a subscription five minutes', async () => {
    await make({ config: TWO })
    rig.simulator.fail({ operation: 'subscribe', path: /fvTenant/, times: 1, failure: PAGE })
    rig.start()
    await within(clock, 360, () => live('class/fvTenant'), 'the feed')
  })

  it('costs a login five minutes at the only controller', async () => {
    await make({ config: TWO })
    rig.simulator.fail({ operation: 'login', times: 1, failure: PAGE })
    rig.start()
    await within(clock, 360, () => live('class/fvTenant'), 'the feed')
    const [first = 0, next = 0] = rig.simulator.record.requestsOf('login').map(request => request.at)
    expect(next - first).toBeGreaterThanOrEqual(300_000)
  })

  it('is no wish of the next controller, which is asked at once', async () => {
    await make({ config: TWO })
    const next = await withSecond()
    rig.simulator.fail({ operation: 'login', failure: PAGE })
    rig.start()
    await within(clock, 10, () => live('class/fvTenant'), 'the feed')
    expect(next.record.sessions).toHaveLength(1)
    expect(rig.simulator.record.requestsOf('login')).toHaveLength(1)
  })

  it('is heeded when all controllers say it', async () => {
    await make({ config: TWO })
    const next = await withSecond()
    for (const one of [rig.simulator, next]) one.fail({ operation: 'login', failure: PAGE })
    rig.start()
    await turn(clock, 290)
    expect([rig.simulator, next].map(one => one.record.requestsOf('login').length)).toEqual([1, 1])
  })
})

describe('a renewal that is never answered', () => {
  it('of a subscription is asked again before its life ends, whatever request_timeout', async () => {
    await make({ config: { ...TWO, request_timeout: '60s' } })
    rig.start()
    await within(clock, 10, isUp, 'up')
    rig.simulator.fail({ operation: 'subscriptionRefresh', times: 1, failure: { kind: 'hang' } })
    await turn(clock, 90)
    expect(rig.simulator.record.lapses).toEqual([])
    expect(rig.simulator.record.requestsOf('subscriptionRefresh').length).toBeGreaterThan(4)
  })

  it('of the session likewise', async () => {
    await make({ simulator: { refreshTimeoutSeconds: 60 }, config: { ...TWO, request_timeout: '60s' } })
    rig.start()
    await within(clock, 10, isUp, 'up')
    rig.simulator.fail({ operation: 'refresh', times: 1, failure: { kind: 'hang' } })
    await turn(clock, 120)
    expect(rig.simulator.record.sessions).toHaveLength(1)
    expect(rig.happenings.filter(one => one.type === 'lease_lost')).toEqual([])
  })
})

describe('two sources of one controller', () => {
  it('that differ in max_concurrency: no renewal of the smaller waits for a connection', async () => {
    rig = await ApicRig.make({ start: false, simulator: { subscriptionSeconds: 2 } })
    const paces = new Paces()
    const tuning = { subscriptionLifeMs: 2000, spacingMs: 0, loginSpacingMs: 0 }
    const start = (name: string, max_concurrency: number, subscriptions: object[]): void => {
      const config = { ...rig.config, name, max_concurrency }
      Object.assign(config, { subscriptions: subscriptions.length > 0 ? subscriptions : rig.config.subscriptions })
      runners.push(
        startRunner({
          subscriber: apicSubscriber(
            { ...config, reconcile_interval: name === 'small' ? 1000 : 900_000 },
            tuning,
            paces,
          ),
          store: rig.store,
          clock: systemClock,
          report: happening => rig.happenings.push(happening),
          stateDir: undefined,
        }),
      )
    }
    start('big', 8, [])
    start('small', 1, [])
    await until(
      () => rig.happenings.filter(one => one.type === 'source_state' && one.state === 'up').length === 2,
      'both up',
    )
    rig.simulator.knobs.latencyOf = { query: 5000 }
    const asked = rig.simulator.record.requestsOf('query').length
    await until(() => rig.simulator.record.requestsOf('query').length >= asked + 2, 'slow questions')
    const refreshed = rig.simulator.record.requestsOf('subscriptionRefresh').length
    await until(() => rig.simulator.record.requestsOf('subscriptionRefresh').length > refreshed + 12, 'four lives')
    expect(rig.simulator.record.lapses).toEqual([])
    expect(rig.happenings.filter(one => one.type === 'lease_lost')).toEqual([])
  })
})

describe('a session that fails while its socket opens', () => {
  it('leaves no socket open', async () => {
    await make({ config: TWO, simulator: { refreshTimeoutSeconds: 30, knobs: { socketAtSessionEnd: 'quiet' } } })
    const text = 'Token was invalid (Error: Token timeout)'
    rig.simulator.fail({ operation: 'refresh', times: 1, failure: { kind: 'error', status: 403, code: '403', text } })
    // The handshake takes 14 s; after 10 the session is taken to be over.
    rig.simulator.knobs.latencyMs = 14_000
    rig.simulator.knobs.latencyOf = { login: 0, logout: 0, refresh: 0 }
    rig.start()
    await within(clock, 5, () => rig.simulator.record.sessions.length === 1, 'the session')
    rig.simulator.fail({ operation: 'login', failure: { kind: 'html' } })
    const isOver = () => rig.happenings.some(one => one.type === 'lease_lost' && one.lease === 'session')
    expect(await within(clock, 12, isOver, 'the end of the session')).toBeGreaterThan(5)
    await turn(clock, 120)
    expect(rig.simulator.openSockets).toBe(0)
    expect(rig.simulator.record.sessions.map(one => one.endedBy)).toEqual(['logout'])
  })
})

describe("a fabric's clock that this account may not read", () => {
  it('costs nothing but a word: our own is used', async () => {
    await make({ config: TWO })
    rig.simulator.fail({
      path: /\/api\/mo\/info\.json/,
      failure: { kind: 'error', status: 403, code: '403', text: 'no rights' },
    })
    rig.start()
    await within(clock, 10, isUp, 'up')
    rig.simulator.cutSockets()
    await within(clock, 10, () => rig.simulator.record.sessions.length === 2 && isUp(), 'up again')
    await turn(clock, 1200, 5)
    expect(rig.simulator.record.sessions).toHaveLength(2)
    const said = advices().filter(text => text.includes('clock'))
    expect(said).toHaveLength(1)
    expect(said[0]).toContain('no rights')
    rig.simulator.emit('eventRecord', { descr: 'told by our own time' })
    await within(clock, 5, () => rig.facts().some(one => JSON.stringify(one).includes('by our own time')), 'the record')
  })
})
