import { afterEach, describe, expect, it } from 'vitest'
import { Fatal, Retryable } from '../../src/errors.ts'
import { type Fact, makeFact } from '../../src/event.ts'
import { eventSchema } from '../../src/event-schema.ts'
import type { Happening } from '../../src/report.ts'
import { openStore } from '../../src/store/open.ts'
import type { SqliteStore } from '../../src/store/store.ts'
import { BatchQueue } from '../../src/subscribers/batch-queue.ts'
import type { Batch, OpenContext, Session, Subscriber } from '../../src/subscribers/contract.ts'
import { type Runner, startRunner } from '../../src/subscribers/runner.ts'
import { ManualClock, until } from '../support/manual-clock.ts'

const ref = { system: 'apic', name: 'fabric-a' } as const

function fact(number: number): Fact {
  return makeFact(ref, {
    family: 'eventRecord',
    key: [String(number)],
    type: 'apic.event.recorded',
    subject: `rec-${number}`,
    partitionkey: `rec-${number}`,
    severity: 'info',
    origin: 'live',
    data: {
      kind: 'event',
      summary: `number ${number}`,
      state: null,
      outcome: null,
      alertKey: null,
      resource: { kind: 'test', id: String(number) },
    },
  })
}

class FakeSession implements Session {
  readonly queue = new BatchQueue()
  readonly retireBy?: number
  closed = 0
  constructor(retireBy?: number) {
    if (retireBy !== undefined) this.retireBy = retireBy
  }
  [Symbol.asyncIterator](): AsyncIterator<Batch> {
    return this.queue[Symbol.asyncIterator]()
  }
  async close(): Promise<void> {
    this.closed++
    this.queue.end()
  }
  margins() {
    return { session: 42 }
  }
}

describe('runner', () => {
  let store: SqliteStore | undefined
  let runner: Runner | undefined

  afterEach(async () => {
    await runner?.stop(AbortSignal.abort())
    await store?.close()
  })

  async function rig(open: (context: OpenContext, count: number) => Promise<Session>) {
    const clock = new ManualClock()
    const happenings: Happening[] = []
    const report = (happening: Happening): void => {
      happenings.push(happening)
    }
    store = await openStore({
      stateDir: undefined,
      maxBytes: 1024 ** 3,
      retainAckedMs: 0,
      maxDeadLetters: 10,
      clock,
      report,
    })
    let count = 0
    const opens: number[] = []
    const subscriber: Subscriber = {
      ref,
      pushes: true,
      open: context => {
        opens.push(clock.now())
        return open(context, count++)
      },
    }
    runner = startRunner({ subscriber, store, clock, report, stateDir: undefined })
    const opened = store
    const events = () =>
      opened.read(0, 1000).map(record => eventSchema.parse(JSON.parse(new TextDecoder().decode(record.body))))
    const facts = () => events().filter(event => event.data.kind !== 'source')
    const health = () => events().flatMap(event => (event.data.kind === 'source' ? [event.type] : []))
    const states = () => happenings.flatMap(happening => (happening.type === 'source_state' ? [happening.state] : []))
    return { clock, happenings, opens, facts, health, states, runner, store }
  }

  /** Turns the clock by small steps until the probe holds: the store's commits need a few ms of it. */
  async function turnUntil(clock: ManualClock, probe: () => boolean, what: string): Promise<void> {
    await until(() => {
      void clock.advance(1)
      return probe()
    }, what)
  }

  it('commits facts and cursor together and hands the cursor to the next session', async () => {
    const first = new FakeSession()
    const second = new FakeSession()
    const cursors: unknown[] = []
    const { clock, facts, happenings } = await rig(async (context, count) => {
      cursors.push(context.cursor('log'))
      return count === 0 ? first : second
    })
    await until(() => cursors.length === 1, 'the first open')
    void first.queue.push({ feed: 'log', facts: [fact(1), fact(2)], cursor: { at: 2 } })
    await turnUntil(clock, () => facts().length === 2, 'two facts')
    first.queue.fail(new Retryable('socket_lost', 'cut'))
    await turnUntil(clock, () => cursors.length === 2, 'the second open')
    expect(cursors).toEqual([undefined, { at: 2 }])
    // Told with the commit that moved it, and as the second session found it.
    const told = { type: 'feed_cursor', source: ref.name, feed: 'log', cursor: { at: 2 } }
    expect(happenings.filter(one => one.type === 'feed_cursor' && one.feed === 'log')).toEqual([told, told])
    expect(first.closed).toBeGreaterThan(0)
  })

  it('drops a fact that it knows, and counts it', async () => {
    const session = new FakeSession()
    const { clock, facts, happenings } = await rig(async () => session)
    void session.queue.push({ feed: 'log', facts: [fact(1)] })
    void session.queue.push({ feed: 'log', facts: [fact(1), fact(2)] })
    await turnUntil(clock, () => facts().length === 2, 'two facts')
    const appended = happenings.filter(happening => happening.type === 'appended' && happening.feed === 'log')
    expect(appended.map(happening => happening.type === 'appended' && happening.duplicates)).toEqual([0, 1])
  })

  it('takes a lost session up again at once, tells degraded, then up', async () => {
    const sessions = [new FakeSession(), new FakeSession()]
    const { clock, opens, health } = await rig(async (_, count) => sessions[count] ?? new FakeSession())
    void sessions[0]?.queue.push({ feed: 'log', facts: [fact(1)] })
    await turnUntil(clock, () => health().length === 1, 'up')
    sessions[0]?.queue.fail(new Retryable('socket_lost', 'cut'))
    const lostAt = clock.now()
    await turnUntil(clock, () => health().length === 3, 'up again')
    expect(health()).toEqual(['opswire.source.up', 'opswire.source.degraded', 'opswire.source.up'])
    expect((opens[1] ?? 0) - lostAt).toBeLessThan(1000)
  })

  it('tells down once, however often it fails, and waits longer each time', async () => {
    const { clock, opens, health, states } = await rig(async () => {
      throw new Retryable('unreachable', 'no route')
    })
    for (let step = 0; step < 300; step++) await clock.advance(1000)
    expect(health()).toEqual(['opswire.source.down'])
    expect(states().filter(state => state === 'down').length).toBe(opens.length)
    expect(opens.length).toBeGreaterThan(8)
    expect(opens.length).toBeLessThan(25)
  })

  it('does not hammer with refused credentials: five minutes at least', async () => {
    const { clock, opens } = await rig(async () => {
      throw new Fatal('auth_refused', 'wrong password')
    })
    for (let step = 0; step < 590; step++) await clock.advance(1000)
    expect(opens.length).toBe(2)
    expect((opens[1] ?? 0) - (opens[0] ?? 0)).toBeGreaterThanOrEqual(300_000)
  })

  it('opens the successor before the old session ends, and reads both', async () => {
    const order: string[] = []
    let old: FakeSession | undefined
    const next = new FakeSession()
    const {
      clock,
      facts,
      runner: running,
    } = await rig(async (context, count) => {
      order.push(`open ${count}`)
      if (count > 0) {
        order.push(`old closed ${old?.closed} times`)
        return next
      }
      old = new FakeSession(context.clock.now() + 60_000)
      return old
    })
    await until(() => old !== undefined, 'the first session')
    void old?.queue.push({ feed: 'log', facts: [fact(1)] })
    await turnUntil(clock, () => facts().length === 1, 'the first fact')
    await clock.advance(60_000)
    void next.queue.push({ feed: 'log', facts: [fact(1), fact(2)] })
    await turnUntil(clock, () => facts().length === 2, 'the second fact, the first only once')
    expect(order).toEqual(['open 0', 'open 1', 'old closed 0 times'])
    expect(old?.closed).toBeGreaterThan(0)
    expect(running.margins()).toEqual({ session: 42 })
  })

  it('lets the old session go only when the successor watches everything', async () => {
    const ready = Promise.withResolvers<void>()
    let old: FakeSession | undefined
    const next = Object.assign(new FakeSession(), { ready: ready.promise })
    let opened = 0
    const { clock } = await rig(async (context, count) => {
      opened++
      if (count > 0) return next
      old = new FakeSession(context.clock.now() + 60_000)
      return old
    })
    await until(() => old !== undefined, 'the first session')
    await clock.advance(61_000)
    expect([opened, old?.closed]).toEqual([2, 0])
    ready.resolve()
    await until(() => (old?.closed ?? 0) > 0, 'the goodbye')
  })

  it('keeps the old session when its successor ends before it watches everything, and tries another', async () => {
    let old: FakeSession | undefined
    const never = Object.assign(new FakeSession(), { ready: new Promise<void>(() => undefined) })
    const third = new FakeSession()
    const { clock, opens, facts, health, states } = await rig(async (context, count) => {
      if (count > 0) return count === 1 ? never : third
      old = new FakeSession(context.clock.now() + 60_000)
      return old
    })
    await until(() => old !== undefined, 'the first session')
    await clock.advance(60_000)
    await until(() => opens.length === 2, 'the successor')
    never.queue.fail(new Retryable('socket_lost', 'the controller reboots'))
    await turnUntil(clock, () => health().includes('opswire.source.degraded'), 'degraded')
    expect([old?.closed, states().includes('down')]).toEqual([0, false])
    // The predecessor is still read.
    void old?.queue.push({ feed: 'log', facts: [fact(1)] })
    await turnUntil(clock, () => facts().length === 1, 'a fact of the old session')
    await clock.advance(29_000)
    expect(opens.length).toBe(2)
    await clock.advance(2000)
    expect(opens.length).toBe(3)
    await turnUntil(clock, () => (old?.closed ?? 0) > 0, 'the goodbye')
    await turnUntil(clock, () => health().at(-1) === 'opswire.source.up', 'up')
    void third.queue.push({ feed: 'log', facts: [fact(2)] })
    await turnUntil(clock, () => facts().length === 2, 'a fact of the new session')
  })

  it('takes the successor when the old session ends while it is still making ready', async () => {
    const ready = Promise.withResolvers<void>()
    let old: FakeSession | undefined
    const next = Object.assign(new FakeSession(), { ready: ready.promise })
    const { clock, opens, facts } = await rig(async (context, count) => {
      if (count > 0) return next
      old = new FakeSession(context.clock.now() + 60_000)
      return old
    })
    await until(() => old !== undefined, 'the first session')
    await clock.advance(60_000)
    await until(() => opens.length === 2, 'the successor')
    old?.queue.fail(new Retryable('session_lost', 'the end of its life'))
    void next.queue.push({ feed: 'log', facts: [fact(1)] })
    await turnUntil(clock, () => facts().length === 1, 'a fact of the successor')
    ready.resolve()
    await clock.advance(1000)
    expect([opens.length, next.closed]).toEqual([2, 0])
  })

  it('survives a successor that dies while the old session says goodbye', async () => {
    const goodbye = Promise.withResolvers<void>()
    let old: FakeSession | undefined
    const next = new FakeSession()
    const { clock, health } = await rig(async (context, count) => {
      if (count > 0) return count === 1 ? next : new FakeSession()
      const first = new FakeSession(context.clock.now() + 60_000)
      const close = first.close.bind(first)
      first.close = async () => {
        await goodbye.promise
        await close()
      }
      old = first
      return first
    })
    await until(() => old !== undefined, 'the first session')
    await clock.advance(61_000)
    next.queue.fail(new Retryable('socket_lost', 'the controller reboots'))
    await clock.advance(1000)
    goodbye.resolve()
    await turnUntil(clock, () => health().includes('opswire.source.degraded'), 'degraded')
  })

  it('does not hammer with refused credentials at a hand-over either', async () => {
    const { clock, opens } = await rig(async (context, count) => {
      if (count > 0) throw new Fatal('auth_refused', 'the password was changed')
      return new FakeSession(context.clock.now() + 60_000)
    })
    for (let step = 0; step < 650; step++) await clock.advance(1000)
    expect(opens.map(at => Math.round(at / 1000))).toEqual([0, 60, 360])
  })

  it('commits what was read before it stops, and says goodbye', async () => {
    const session = new FakeSession()
    const { clock, facts, runner: running } = await rig(async () => session)
    await until(() => Object.keys(running.margins()).length > 0, 'the session')
    void session.queue.push({ feed: 'log', facts: [fact(1)] })
    void session.queue.push({ feed: 'log', facts: [fact(2)] })
    let stopped = false
    void running.stop(new AbortController().signal).then(() => {
      stopped = true
    })
    await turnUntil(clock, () => stopped, 'the stop')
    expect(facts().length).toBe(2)
    expect(session.closed).toBeGreaterThan(0)
  })

  it('stops at once while an open hangs', async () => {
    const { runner: running } = await rig(
      context =>
        new Promise((_, reject) => context.signal.addEventListener('abort', () => reject(context.signal.reason))),
    )
    await running.stop(new AbortController().signal)
    expect(running.margins()).toEqual({})
  })

  it('keeps what was not understood and tells the stream, without the content', async () => {
    const session = new FakeSession()
    const { clock, happenings, store: opened } = await rig(async () => session)
    void session.queue.push({ feed: 'socket', facts: [], dead: [{ reason: 'not JSON', content: 'MARKER<<' }] })
    const notice = () => opened.read(0, 100).find(record => record.subject === '_dead.fabric-a')
    await turnUntil(clock, () => notice() !== undefined, 'the notice')
    const [letter] = opened.deadLetters(10)
    expect(letter).toMatchObject({ source: 'fabric-a', feed: 'socket', reason: 'not JSON', content: 'MARKER<<' })
    const text = new TextDecoder().decode(notice()?.body)
    expect(text).not.toContain('MARKER')
    expect(JSON.parse(text)).toMatchObject({ data: { reason: 'not JSON', size: 8, key: letter?.key } })
    expect(happenings.some(happening => happening.type === 'dead_letter')).toBe(true)
  })
})
