/** Logins: refused, throttled, under way when the daemon stops. Sessions: kept, renewed, never piled up. */
import { afterEach, describe, expect, it } from 'vitest'
import { codeOf } from '../../src/errors.ts'
import { systemClock } from '../../src/scheduler/clock.ts'
import { passwordAuthentication } from '../../src/subscribers/apic/auth.ts'
import { ApicClient } from '../../src/subscribers/apic/client.ts'
import { TUNING } from '../../src/subscribers/apic/core.ts'
import { hintOf } from '../../src/subscribers/apic/domains.ts'
import { Paces } from '../../src/subscribers/apic/pace.ts'
import { ApicRig, type ApicRigOptions } from '../support/apic-source.ts'
import { ManualClock, until } from '../support/manual-clock.ts'

let rig: ApicRig

async function start(options?: ApicRigOptions): Promise<ApicRig> {
  rig = await ApicRig.make(options)
  return rig
}

afterEach(async () => {
  await rig.close()
})

/** Turns the clock, with time for real sockets in between. */
async function turn(clock: ManualClock, seconds: number, step = 1): Promise<void> {
  for (let second = 0; second < seconds; second += step) {
    await clock.advance(step * 1000)
    await new Promise<void>(resolve => setTimeout(resolve, 2))
  }
}

/** Why the source was down, each time. */
function reasons(): string[] {
  return rig.happenings.flatMap(one =>
    one.type === 'source_state' && one.state === 'down' && one.reason !== undefined ? [one.reason] : [],
  )
}

/** Sessions that nobody said goodbye to. */
function left(): number {
  return rig.simulator.record.sessions.filter(session => session.endedBy !== 'logout').length
}

function client(paces = new Paces(), signal = new AbortController().signal): ApicClient {
  const { config } = rig
  return new ApicClient({
    controller: rig.simulator.url,
    config,
    auth: passwordAuthentication(config),
    clock: systemClock,
    report: happening => rig.happenings.push(happening),
    signal,
    pace: paces.of(rig.simulator.url, { clock: systemClock, maxConcurrency: config.max_concurrency, tuning: TUNING }),
  })
}

describe('a refused login', () => {
  it('with a domain that is not there names those that are', async () => {
    await start({ config: { login_domain: 'TACACS' } })
    const [reason] = await until(() => reasons().length > 0 && reasons(), 'the refusal')
    expect(reason).toBe(
      'login as apic:TACACS\\admin refused: User credential is incorrect - FAILED local authentication' +
        ' (TACACS is no login domain here; there are: LOCAL, TACACS_PROD)',
    )
    expect(rig.simulator.record.requests.map(request => request.operation)).toEqual(['login', 'domains'])
  })

  it('without a domain names them as well', async () => {
    await start({ config: { password: 'wrong' } })
    const [reason] = await until(() => reasons().length > 0 && reasons(), 'the refusal')
    expect(reason).toContain('(login domains here: LOCAL, TACACS_PROD)')
    expect(reason).not.toContain('wrong')
  })

  it.each([
    ['a page', { kind: 'html' }],
    ['a cut', { kind: 'reset' }],
    ['rubbish', { kind: 'garbage', text: '{' }],
  ] as const)('says nothing of domains when the question for them meets %s', async (_, failure) => {
    await start({ config: { password: 'wrong' }, start: false })
    rig.simulator.fail({ operation: 'domains', failure })
    rig.start()
    const [reason] = await until(() => reasons().length > 0 && reasons(), 'the refusal')
    expect(reason).toMatch(/FAILED local authentication$/)
    expect(rig.simulator.record.requestsOf('domains')).toHaveLength(1)
  })

  it('is one whatever it is dressed as: a page with 401, an error under 200', async () => {
    await start({ start: false })
    for (const failure of [
      { kind: 'html', status: 401 },
      { kind: 'html', status: 403 },
      { kind: 'error', code: '401', text: 'TACACS+ Server Authentication DENIED' },
    ] as const) {
      rig.simulator.fail({ operation: 'login', times: 1, failure })
      const one = client()
      const error = await one.login().catch((refused: unknown) => refused)
      expect(codeOf(error)).toBe('auth_refused')
      await one.close()
    }
  })

  it('never locks the account: for three hours no two logins within five minutes', async () => {
    const clock = new ManualClock()
    await start({ clock, config: { password: 'wrong' }, simulator: { lockoutAfter: 40 } })
    await until(() => rig.simulator.record.logins.length === 1, 'the first login')
    await turn(clock, 3 * 3600, 10)
    const times = rig.simulator.record.logins.map(login => login.at)
    expect(times.length).toBeGreaterThan(30)
    const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0))
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(5 * 60_000)
    expect(rig.simulator.record.sessions).toEqual([])
  })

  it('tells names in one bounded, printable line', () => {
    const names = Array.from({ length: 50 }, (_, index) => (index === 0 ? 'x'.repeat(500) : `DOMAIN${index}`))
    const hint = hintOf('NOPE', names)
    expect(hint.length).toBeLessThan(400)
    expect(hint).toMatch(/and 30 more\)$/)
    expect(hintOf(undefined, undefined)).toBe('')
    expect(hintOf('LOCAL', ['LOCAL'])).toBe(' (login domains here: LOCAL)')
  })
})

describe('a login', () => {
  it('takes the emergency domain when told so', async () => {
    await start({ config: { fallback_domain: true } })
    await rig.live(['class/faultInst'])
    expect(rig.simulator.record.logins.map(({ user, ok }) => [user, ok])).toEqual([['apic#fallback\\admin', true]])
  })

  it.each(['header', 'url'] as const)('with a challenge token: every call carries it (%s)', async mode => {
    const clock = new ManualClock()
    await start({
      clock,
      simulator: { knobs: { socketsNeedChallenge: true } },
      config: { challenge_token: mode, subscriptions: [{ class: 'aaaModLR' }] },
    })
    await rig.live(['class/aaaModLR'])
    await turn(clock, 300, 5)
    await rig.stop()
    const { record } = rig.simulator
    const calls = record.requests.filter(request => request.operation !== 'login')
    const kinds = new Set(calls.map(request => request.operation))
    expect([...kinds].sort()).toEqual(['logout', 'query', 'refresh', 'subscribe', 'subscriptionRefresh'])
    // The simulator refuses a call without it.
    expect(calls.filter(request => request.status === 403)).toEqual([])
    expect(calls.every(request => request.path.includes('url-token=') === (mode === 'url'))).toBe(true)
    expect(left()).toBe(0)
  })

  it('that is throttled is tried again with growing waits, and harms nothing', async () => {
    const clock = new ManualClock()
    await start({ clock, start: false })
    const well = rig.simulator.fail({ operation: 'login', failure: { kind: 'html' } })
    rig.start()
    await until(() => rig.simulator.record.requestsOf('login').length === 1, 'the first login')
    await turn(clock, 600)
    const times = rig.simulator.record.requestsOf('login').map(request => request.at)
    expect(times.length).toBeGreaterThan(15)
    expect(times.length).toBeLessThan(30)
    well()
    await turn(clock, 60)
    await rig.live(['class/faultInst'])
    expect(rig.simulator.record.sessions).toHaveLength(1)
  })

  it('of many sources with one controller waits for the others: two a second, and none is refused', async () => {
    await start({ start: false, simulator: { loginsPerSecond: 2 } })
    const paces = new Paces()
    const clients = Array.from({ length: 5 }, () => client(paces))
    await Promise.all(clients.map(one => one.login()))
    const { record } = rig.simulator
    expect(record.requestsOf('login').map(request => request.status)).toEqual([200, 200, 200, 200, 200])
    await Promise.all(clients.map(one => one.logout()))
    expect(left()).toBe(0)
    for (const one of clients) await one.close()
  })

  it('is not sent on to where a redirect points', async () => {
    await start({ start: false })
    rig.simulator.fail({ operation: 'login', failure: { kind: 'html', status: 301 } })
    const one = client()
    await expect(one.login()).rejects.toThrow(/HTTP 301: redirected/)
    expect(rig.simulator.record.requests).toHaveLength(1)
    await one.close()
  })
})

describe('a session', () => {
  it('is refreshed again and again while refreshes fail, and kept when one gets through in time', async () => {
    const clock = new ManualClock()
    await start({ clock, simulator: { refreshTimeoutSeconds: 300 } })
    await rig.live(['class/faultInst'])
    const well = rig.simulator.fail({ operation: 'refresh', failure: { kind: 'html' } })
    await turn(clock, 280)
    const tries = rig.simulator.record.requestsOf('refresh').map(request => request.at)
    expect(tries.length).toBeGreaterThanOrEqual(4)
    well()
    await turn(clock, 120)
    expect(rig.simulator.record.sessions).toHaveLength(1)
    expect(rig.simulator.record.lapsedSessions).toEqual([])
    const results = rig.happenings.flatMap(one =>
      one.type === 'lease_renewed' && one.lease === 'session' ? [one.result] : [],
    )
    expect(results).toContain('retried')
    expect(rig.simulator.record.sockets).toHaveLength(1)
  })

  it('survives a question that was on its way with the old token when the new one came', async () => {
    const clock = new ManualClock()
    await start({
      clock,
      simulator: { refreshTimeoutSeconds: 60, knobs: { oldTokenSeconds: 0 } },
      config: { subscriptions: [{ class: 'aaaModLR' }], canary_interval: '2s' },
    })
    await rig.live(['class/aaaModLR'])
    rig.simulator.fail({ operation: 'query', path: /aaaModLR/, failure: { kind: 'slow', ms: 5000 } })
    await turn(clock, 180)
    const { record } = rig.simulator
    expect(record.requests.filter(request => request.status === 403).length).toBeGreaterThan(0)
    expect(record.sessions).toHaveLength(1)
    expect(rig.happenings.filter(one => one.type === 'reconnect')).toEqual([])
  })

  it('is logged out of at each stop: twenty restarts leave none behind', async () => {
    await start({ start: false, simulator: { loginsPerSecond: Number.POSITIVE_INFINITY } })
    const { record } = rig.simulator
    for (let restart = 1; restart <= 20; restart++) {
      // Whatever it is doing just then: logging in, opening the socket, subscribing, watching.
      const steps = [record.requests, record.logins, record.sockets, record.subscriptions] as const
      const step = steps[restart % 4] ?? record.requests
      const before = step.length
      rig.start()
      await until(() => step.length > before, `step ${restart % 4}`)
      await rig.stop()
    }
    expect(record.sessions).toHaveLength(20)
    expect(left()).toBe(0)
    expect(rig.simulator.openSockets).toBe(0)
  })

  it('that the controller makes while the daemon stops is logged out of as well', async () => {
    await start({ start: false })
    rig.simulator.fail({ operation: 'login', failure: { kind: 'slow', ms: 300 } })
    rig.start()
    await until(() => rig.simulator.record.requestsOf('login').length === 1, 'the login')
    await rig.stop()
    expect(rig.simulator.record.sessions).toHaveLength(1)
    expect(left()).toBe(0)
  })

  it('whose socket is refused is logged out of', async () => {
    const clock = new ManualClock()
    await start({ clock, simulator: { knobs: { refuseSockets: 503 } } })
    await until(() => rig.simulator.record.refusedSockets.length >= 1, 'a refused socket')
    await turn(clock, 120)
    await until(() => left() === 0, 'no session left')
    expect(rig.simulator.record.sessions.length).toBeGreaterThan(2)
  })
})
