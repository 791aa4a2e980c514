/** One pace per controller, against the simulator: what lapses goes first, and a controller in trouble is left alone. */
import { afterEach, describe, expect, it } from 'vitest'
import { Retryable } from '../../src/errors.ts'
import { TUNING } from '../../src/subscribers/apic/core.ts'
import { Paces } from '../../src/subscribers/apic/pace.ts'
import { patient } from '../../src/subscribers/apic/patient.ts'
import { ApicRig, type ApicRigOptions } from '../support/apic-source.ts'
import { ManualClock, settle, until } from '../support/manual-clock.ts'

let rig: ApicRig | undefined

async function start(options: ApicRigOptions): Promise<ApicRig> {
  rig = await ApicRig.make(options)
  return rig
}

afterEach(async () => {
  await rig?.close()
  rig = undefined
})

/** Turns the clock second by second, with time for real sockets in between. */
async function turn(clock: ManualClock, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    await clock.advance(1000)
    await new Promise<void>(resolve => setTimeout(resolve, 2))
  }
}

const LOGS = ['aaaModLR', 'eventRecord', 'aaaSessionLR', 'faultRecord', 'healthRecord']
const FEEDS = LOGS.map(cls => `class/${cls}`)

describe('a controller that answers questions slowly, or not at all', () => {
  it('is still asked for renewals in time: questions never take all connections', async () => {
    const clock = new ManualClock()
    const { simulator } = await start({
      clock,
      config: {
        subscriptions: LOGS.map(cls => ({ class: cls })),
        canary_interval: '5s',
        max_concurrency: 2,
        request_timeout: '30s',
      },
    })
    await rig?.live(FEEDS)
    simulator.fail({ operation: 'query', failure: { kind: 'hang' } })
    await turn(clock, 300)
    const { record } = simulator
    expect(record.lapses).toEqual([])
    expect(record.subscriptions).toHaveLength(LOGS.length)
    for (const { createdAt, refreshedAt } of record.subscriptions) {
      const times = [createdAt, ...refreshedAt]
      const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0))
      expect(Math.max(...gaps)).toBeLessThanOrEqual(36_000)
    }
  })

  it.each([
    ['503 with a page', { kind: 'html' }],
    ['429', { kind: 'html', status: 429 }],
    ['202', { kind: 'accepted' }],
    ['code 1', { kind: 'error', status: 400, code: '1', text: 'internal' }],
    ['code 100', { kind: 'error', status: 400, code: '100', text: 'try later' }],
    ['code 102 under 200', { kind: 'error', code: '102', text: 'try later' }],
  ] as const)('%s: is asked less and less, and keeps every lease', async (_, failure) => {
    const clock = new ManualClock()
    const { simulator, happenings } = await start({
      clock,
      config: { subscriptions: LOGS.map(cls => ({ class: cls })), canary_interval: '1s' },
    })
    await rig?.live(FEEDS)
    const { record } = simulator
    const asked = async (seconds: number): Promise<number> => {
      const before = record.requestsOf('query').length
      await turn(clock, seconds)
      return record.requestsOf('query').length - before
    }
    const usual = await asked(30)
    const well = simulator.fail({ operation: 'query', failure })
    await turn(clock, 15)
    const slowed = await asked(30)
    well()
    await turn(clock, 60)
    expect(slowed).toBeLessThan(usual / 3)
    expect(slowed).toBeGreaterThan(15)
    expect(await asked(30)).toBeGreaterThan(usual * 0.8)
    expect(record.lapses).toEqual([])
    expect(record.subscriptions).toHaveLength(LOGS.length)
    expect(record.sessions).toHaveLength(1)
    expect(happenings.filter(one => one.type === 'lease_lost' || one.type === 'reconnect')).toEqual([])
  })

  it('with a Retry-After is left alone that long, but for renewals', async () => {
    const clock = new ManualClock()
    const { simulator } = await start({
      clock,
      config: { subscriptions: LOGS.map(cls => ({ class: cls })), canary_interval: '1s' },
    })
    await rig?.live(FEEDS)
    const { record } = simulator
    simulator.fail({ operation: 'query', failure: { kind: 'html', status: 429, retryAfterSeconds: 40 }, times: 1 })
    const refused = () => record.requestsOf('query').find(request => request.status === 429)
    while (refused() === undefined) await turn(clock, 1)
    const at = refused()?.at ?? 0
    await turn(clock, 60)
    const waits = record.requestsOf('query').map(request => request.at - at)
    // What was under way in that moment is answered.
    expect(waits.filter(ms => ms > 1500 && ms < 40_000)).toEqual([])
    expect(waits.filter(ms => ms >= 40_000).length).toBeGreaterThan(5)
    expect(record.requestsOf('subscriptionRefresh').some(request => request.at > at)).toBe(true)
    expect(record.lapses).toEqual([])
  })

  it('does not cost the session that was just made: the questions are asked again', async () => {
    const clock = new ManualClock()
    const { simulator } = await start({
      clock,
      start: false,
      config: { subscriptions: [{ class: 'aaaModLR', backfill: '1h' }, { class: 'fvTenant' }] },
      simulator: { maxResults: 3 },
      tuning: { pageSize: 2 },
    })
    const well = simulator.fail({ operation: 'query', failure: { kind: 'html' } })
    rig?.start()
    await until(() => simulator.record.requestsOf('query').length > 0, 'a question')
    await turn(clock, 20)
    well()
    await turn(clock, 30)
    const alsoWell = simulator.fail({ operation: 'query', failure: { kind: 'html' } })
    await turn(clock, 90)
    alsoWell()
    await turn(clock, 90)
    await rig?.live(['class/aaaModLR', 'class/fvTenant'])
    const { record } = simulator
    expect(record.sessions).toHaveLength(1)
    expect(record.lapses).toEqual([])
    const made = record.subscriptions.map(one => /class\/(\w+)/.exec(one.path)?.[1])
    expect(made.sort()).toEqual(['aaaModLR', 'fvTenant'])
  })

  it('keeps leases whose refreshes meet 503 half of the time', async () => {
    const clock = new ManualClock()
    const { simulator } = await start({ clock, config: { subscriptions: LOGS.map(cls => ({ class: cls })) } })
    await rig?.live(FEEDS)
    for (let round = 0; round < 6; round++) {
      const well = simulator.fail({ operation: 'subscriptionRefresh', failure: { kind: 'html' } })
      await turn(clock, 25)
      well()
      await turn(clock, 25)
    }
    expect(simulator.record.lapses).toEqual([])
    expect(simulator.record.subscriptions).toHaveLength(LOGS.length)
  })
})

describe('max_concurrency', () => {
  it('bounds all that one controller is asked at once: subscribing, renewing, reading', async () => {
    const subscriptions = Array.from({ length: 60 }, (_, index) => ({ mo: `uni/tn-t${index}` }))
    const { simulator } = await start({
      simulator: { subscriptionSeconds: 3, knobs: { maxParallel: 4, latencyMs: 10 } },
      tuning: { subscriptionLifeMs: 3000 },
      config: { subscriptions: [...subscriptions, { class: 'aaaModLR' }], max_concurrency: 4, canary_interval: '1s' },
    })
    const { record } = simulator
    await rig?.live(['class/aaaModLR', 'mo/uni/tn-t59'])
    await until(() => record.subscriptions.every(one => one.refreshedAt.length >= 3), 'three refreshes of each')
    expect(record.requests.filter(request => request.status >= 400)).toEqual([])
    expect(record.lapses).toEqual([])
  })
})

describe('Paces', () => {
  it('is one for an address, however it is spelt, and as wide as the widest source', () => {
    const paces = new Paces()
    const terms = { clock: new ManualClock(), maxConcurrency: 4, tuning: TUNING }
    const pace = paces.of('https://apic1.example.net', terms)
    expect(paces.of('https://APIC1.example.net:443/', { ...terms, maxConcurrency: 8 })).toBe(pace)
    expect(paces.of('https://apic2.example.net', terms)).not.toBe(pace)
  })
})

describe('patient', () => {
  const throttled = (afterMs?: number): Retryable =>
    new Retryable('throttled', '503', afterMs === undefined ? {} : { afterMs })

  it('asks again with growing waits while the controller is overloaded or away, and gives the answer', async () => {
    const clock = new ManualClock()
    const times: number[] = []
    const answers = [throttled(), new Retryable('timeout', 'slow'), new Retryable('unreachable', 'cut'), throttled()]
    const answer = patient(clock, new AbortController().signal, async () => {
      times.push(clock.now())
      const error = answers.shift()
      if (error !== undefined) throw error
      return 'here'
    })
    await clock.advance(60_000)
    expect(await answer).toBe('here')
    expect(times).toEqual([0, 500, 1500, 3500, 7500])
    expect(clock.waiting).toBe(0)
  })

  it('waits as long as it was told to', async () => {
    const clock = new ManualClock()
    const times: number[] = []
    const answer = patient(clock, new AbortController().signal, async () => {
      times.push(clock.now())
      if (times.length === 1) throw throttled(20_000)
      return 1
    })
    await clock.advance(30_000)
    expect([await answer, times]).toEqual([1, [0, 20_000]])
  })

  it('hands on what does not pass, and the reason of its end', async () => {
    const clock = new ManualClock()
    const { signal } = new AbortController()
    const gone = new Retryable('session_lost', 'token over')
    await expect(
      patient(clock, signal, async () => {
        throw gone
      }),
    ).rejects.toBe(gone)
    const end = new AbortController()
    const waiting = patient(clock, end.signal, async () => {
      throw throttled()
    })
    await settle()
    end.abort(new Error('the session is over'))
    await expect(waiting).rejects.toThrow('the session is over')
    await expect(patient(clock, end.signal, async () => 1)).rejects.toThrow('the session is over')
    expect(clock.waiting).toBe(0)
  })
})
