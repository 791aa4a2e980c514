import { describe, expect, it } from 'vitest'
import { sleep } from '../../src/scheduler/clock.ts'
import { Heap } from '../../src/scheduler/heap.ts'
import { LeaseKeeper } from '../../src/scheduler/leases.ts'
import { Pace, type PaceOptions, type Turn } from '../../src/scheduler/pace.ts'
import { ManualClock, settle } from '../support/manual-clock.ts'
import { QuickClock } from './quick-clock.ts'

const OPTIONS = { maxConcurrency: 8, ratePerSecond: 200, burst: 50, spacingMs: 0, sessionSpacingMs: 500 }
const QUESTION: Turn = { rank: 'question' }
const MAKE: Turn = { rank: 'make' }
const SESSION: Turn = { rank: 'session' }

/** A renewal that is due, pressing or late at `now`. */
function renewal(how: 'due' | 'pressing' | 'late', now = 0, latestAt = now + 10_000): Turn {
  const past = now - 1
  const ahead = now + 1e9
  return {
    rank: 'renewal',
    pressingAt: how === 'due' ? ahead : past,
    lateAt: how === 'late' ? past : ahead,
    latestAt,
  }
}

function rig(options: Partial<PaceOptions> = {}) {
  const clock = new ManualClock()
  const pace = new Pace({ ...OPTIONS, clock, ...options })
  const { signal } = new AbortController()
  const started: { name: string; at: number }[] = []
  let busy = 0
  let busiest = 0
  /** Asks for something that takes `ms`. */
  const ask = (turn: Turn, name: string, ms = 0, until = signal): Promise<void> =>
    pace.run(turn, until, async () => {
      started.push({ name, at: clock.now() })
      busiest = Math.max(busiest, ++busy)
      if (ms > 0) await sleep(clock, ms)
      busy--
    })
  const names = (): string[] => started.map(one => one.name)
  return { clock, pace, ask, started, names, busiest: () => busiest }
}

/** As many as named, one after the other: the order shows who goes first. */
async function orderOf(turns: readonly (readonly [string, Turn])[], options: Partial<PaceOptions> = {}) {
  const { clock, ask, names } = rig({ burst: 1, ratePerSecond: 100, sessionSpacingMs: 0, ...options })
  const all = [ask(QUESTION, 'first'), ...turns.map(([name, turn]) => ask(turn, name))]
  await clock.advance(60_000)
  await Promise.all(all)
  expect(clock.waiting).toBe(0)
  return names().slice(1)
}

describe('Heap', () => {
  it('gives the smallest first, whatever the order of coming', () => {
    const heap = new Heap<number>((a, b) => a < b)
    const all = [5, 3, 9, 1, 7, 3, 8, 0, 6]
    for (const one of all) heap.push(one)
    const out = all.map(() => heap.pop())
    expect(out).toEqual([0, 1, 3, 3, 5, 6, 7, 8, 9])
    expect([heap.pop(), heap.size]).toEqual([undefined, 0])
  })
})

describe('Pace', () => {
  it('lets the session go first, then pressing renewals, then what is made, then questions', async () => {
    const order = await orderOf([
      ['question', QUESTION],
      ['make', MAKE],
      ['renewal', renewal('pressing')],
      ['session', SESSION],
    ])
    expect(order).toEqual(['session', 'renewal', 'make', 'question'])
  })

  it('takes the renewal that must be answered first, first', async () => {
    const order = await orderOf([
      ['c', renewal('pressing', 0, 9000)],
      ['a', renewal('pressing', 0, 3000)],
      ['b', renewal('due', 0, 6000)],
    ])
    expect(order).toEqual(['a', 'b', 'c'])
  })

  it('shares turn by turn while renewals are only due', async () => {
    const order = await orderOf([
      ...[1, 2, 3].map(index => [`r${index}`, renewal('due', 0, index)] as const),
      ...[1, 2, 3].map(index => [`q${index}`, QUESTION] as const),
    ])
    expect(order).toEqual(['r1', 'q1', 'r2', 'q2', 'r3', 'q3'])
  })

  it('gives a question every sixteenth turn while renewals are pressing, and a subscription none when they are late', async () => {
    const renewals = Array.from({ length: 40 }, (_, index) => [`r${index}`, renewal('late', 0, index)] as const)
    const order = await orderOf([['make', MAKE], ['q1', QUESTION], ['q2', QUESTION], ...renewals])
    expect([order.indexOf('q1'), order.indexOf('q2'), order.indexOf('make')]).toEqual([15, 31, 42])
    const pressing = renewals.map(([name], index) => [name, renewal('pressing', 0, index)] as const)
    expect((await orderOf([['make', MAKE], ...pressing])).indexOf('make')).toBe(15)
  })

  it('lets a question through for every three that make something', async () => {
    const order = await orderOf([
      ...[1, 2, 3, 4].map(index => [`m${index}`, MAKE] as const),
      ...[1, 2].map(index => [`q${index}`, QUESTION] as const),
    ])
    expect(order).toEqual(['m1', 'm2', 'm3', 'q1', 'm4', 'q2'])
  })

  it('bounds all of them together, and keeps half for renewals however slow the questions are', async () => {
    const { clock, ask, names, busiest } = rig({ maxConcurrency: 4 })
    const all = [
      ...[1, 2, 3, 4, 5, 6].map(index => ask(QUESTION, `q${index}`, 30_000)),
      ...[1, 2, 3].map(index => ask(renewal('pressing'), `r${index}`, 1000)),
    ]
    await clock.advance(10)
    expect(names()).toEqual(['q1', 'q2', 'r1', 'r2'])
    await clock.advance(2500)
    expect(names()).toEqual(['q1', 'q2', 'r1', 'r2', 'r3'])
    await clock.advance(100_000)
    await Promise.all(all)
    expect(busiest()).toBe(4)
  })

  it('with one connection a renewal gets a second one', async () => {
    const { clock, ask, names } = rig({ maxConcurrency: 1 })
    const all = [
      ask(QUESTION, 'q1', 5000),
      ask(QUESTION, 'q2', 5000),
      ask(renewal('due'), 'r', 100),
      ask(SESSION, 's', 100),
    ]
    await clock.advance(1000)
    expect(names()).toEqual(['q1', 'r', 's'])
    await clock.advance(20_000)
    await Promise.all(all)
  })

  it('is one bucket: after a rest so many at once, then the rate', async () => {
    const { clock, ask, started } = rig({ maxConcurrency: 1000, ratePerSecond: 100, burst: 20 })
    const all = Array.from({ length: 120 }, (_, index) => ask(index % 2 === 0 ? QUESTION : renewal('due'), `${index}`))
    await clock.advance(0)
    expect(started).toHaveLength(20)
    await clock.advance(500)
    expect(started).toHaveLength(70)
    await clock.advance(500)
    await Promise.all(all)
    await clock.advance(10_000)
    const more = Array.from({ length: 30 }, (_, index) => ask(QUESTION, `again ${index}`))
    await clock.advance(0)
    expect(started).toHaveLength(140)
    await clock.advance(1000)
    await Promise.all(more)
  })

  it('spaces questions and logins each in their own way; one login at a time', async () => {
    const { clock, ask, started } = rig({ spacingMs: 20 })
    const all = [
      ...['q1', 'q2', 'q3'].map(name => ask(QUESTION, name)),
      ...['s1', 's2'].map(name => ask(SESSION, name, 700)),
    ]
    await clock.advance(3000)
    await Promise.all(all)
    expect(started).toEqual([
      { name: 'q1', at: 0 },
      { name: 's1', at: 0 },
      { name: 'q2', at: 20 },
      { name: 'q3', at: 40 },
      { name: 's2', at: 1200 },
    ])
  })

  it('slows questions down when the server refuses, keeps renewals going, and recovers by itself', async () => {
    const { clock, pace, ask, names } = rig({ ratePerSecond: 100 })
    pace.throttled()
    pace.throttled()
    expect(pace.ordinaryRate).toBe(50)
    await clock.advance(1000)
    for (let volley = 0; volley < 20; volley++) {
      pace.throttled(volley === 19 ? 10_000 : undefined)
      await clock.advance(1000)
    }
    expect(pace.ordinaryRate).toBeLessThan(5)
    const all = [ask(QUESTION, 'question'), ask(MAKE, 'make'), ask(renewal('due'), 'renewal'), ask(SESSION, 'session')]
    await clock.advance(8500)
    expect(names().sort()).toEqual(['renewal', 'session'])
    await clock.advance(2000)
    await Promise.all(all)
    await clock.advance(70_000)
    expect(pace.ordinaryRate).toBe(100)
  })

  it('lets a goodbye through at once, even of one whose signal has aborted', async () => {
    const { clock, ask, names } = rig({ maxConcurrency: 1, ratePerSecond: 1, burst: 1 })
    const all = [ask(QUESTION, 'slow', 1000), ask({ rank: 'goodbye' }, 'goodbye', 0, AbortSignal.abort())]
    await settle()
    expect(names()).toEqual(['slow', 'goodbye'])
    await clock.advance(1000)
    await Promise.all(all)
  })

  it('forgets whoever gave up waiting, and leaves no timer', async () => {
    const { clock, ask, names } = rig({ maxConcurrency: 1, burst: 1 })
    const give = new AbortController()
    const slow = ask(QUESTION, 'slow', 1000)
    const gone = [QUESTION, MAKE, renewal('pressing'), SESSION].map(turn => ask(turn, 'gone', 0, give.signal))
    const after = ask(QUESTION, 'after')
    give.abort(new Error('gave up'))
    const ends = await Promise.allSettled(gone)
    expect(ends.map(end => (end.status === 'rejected' ? end.reason.message : end.status))).toEqual(
      Array.from({ length: 4 }, () => 'gave up'),
    )
    await clock.advance(2000)
    await Promise.all([slow, after])
    expect(names()).toEqual(['slow', 'after'])
    expect(clock.waiting).toBe(0)
  })
})

/** For whoever reads the run: the numbers that the expectations bound. */
function print(what: string, numbers: object): void {
  process.stdout.write(`${what}: ${JSON.stringify(numbers)}\n`)
}

describe('leases at the limit of what one controller answers', () => {
  const LIFE_MS = 60_000
  const LATENCY_MS = 50

  /** Makes `count` leases, then lets ten lives go by; questions are asked without a pause all the while. */
  async function live(count: number, options: { failing?: (now: number) => boolean; asking?: number } = {}) {
    const clock = new QuickClock()
    const pace = new Pace({ ...OPTIONS, clock, spacingMs: 20 })
    const keeper = new LeaseKeeper({ clock, pace })
    const end = new AbortController()
    const { signal } = end
    let widest = 0
    let requests = 0
    let questions = 0
    let lost = 0
    let made = 0
    const answer = async (): Promise<void> => {
      requests++
      await new Promise<void>(resolve => clock.after(LATENCY_MS, resolve))
    }
    const make = async (): Promise<void> => {
      let bornAt = 0
      await pace.run(MAKE, signal, () => {
        bornAt = clock.now()
        return answer()
      })
      made++
      keeper.add(
        {
          name: 'subscription',
          rank: 'renewal',
          lifeMs: LIFE_MS,
          renewMs: LIFE_MS / 3,
          renew: async () => {
            const askedAt = clock.now()
            await answer()
            if (options.failing?.(clock.now()) === true) throw new Error('503')
            // The server's own view: from answer to answer.
            widest = Math.max(widest, clock.now() - bornAt)
            bornAt = askedAt
            return undefined
          },
          isFinal: () => false,
          onLost: () => lost++,
          onRenewed: () => undefined,
        },
        bornAt,
      )
    }
    const asking = Array.from({ length: options.asking ?? 0 }, async () => {
      while (!signal.aborted) {
        await pace.run(QUESTION, signal, answer)
        questions++
      }
    })
    const making = Array.from({ length: count }, make)
    let madeAt = 0
    while (made < count && clock.now() < 10 * LIFE_MS) {
      await clock.advance(1000)
      madeAt = clock.now()
    }
    const before = { requests, questions }
    await clock.advance(10 * LIFE_MS)
    keeper.close()
    end.abort(new Error('over'))
    await Promise.allSettled([...asking, ...making])
    const seconds = (10 * LIFE_MS) / 1000
    return {
      made,
      madeInS: madeAt / 1000,
      lost,
      widestPart: widest / LIFE_MS,
      perSecond: (requests - before.requests) / seconds,
      questionsPerSecond: (questions - before.questions) / seconds,
    }
  }

  it('5,000 of 60 s for ten lives at 50 ms and eight at a time: no lapse, none past 60 % of its life', async () => {
    const found = await live(5000)
    print('5,000 leases, nothing else asked', found)
    expect(found).toMatchObject({ made: 5000, lost: 0 })
    expect(found.widestPart).toBeLessThanOrEqual(0.6)
  })

  it('the same with questions asked without a pause: they get their share, and no lease pays for it', async () => {
    const found = await live(5000, { asking: 20 })
    print('5,000 leases, 20 askers', found)
    expect(found).toMatchObject({ made: 5000, lost: 0 })
    expect(found.widestPart).toBeLessThanOrEqual(0.6)
    expect(found.questionsPerSecond).toBeGreaterThan(5)
  })

  it('more than can be kept are not all made: those that are stay', async () => {
    const found = await live(8000, { asking: 4 })
    print('8,000 wanted', found)
    expect(found.made).toBeGreaterThan(5000)
    expect(found.lost).toBe(0)
    expect(found.widestPart).toBeLessThanOrEqual(0.6)
    expect(found.questionsPerSecond).toBeGreaterThan(5)
  })

  it('200 at rest are renewed at a third of their life, spread out', async () => {
    const found = await live(200)
    print('200 leases', found)
    expect(found.lost).toBe(0)
    expect(found.widestPart).toBeLessThan(0.35)
    expect(found.perSecond).toBeLessThan(11.5)
  })

  it('thirty seconds of refusals cost 1,000 leases nothing', async () => {
    const found = await live(1000, { failing: now => now % 120_000 > 90_000 })
    print('1,000 leases, refused a quarter of the time', found)
    expect(found).toMatchObject({ made: 1000, lost: 0 })
  })
})
