import { describe, expect, it } from 'vitest'
import { Fatal, Retryable } from '../../src/errors.ts'
import { eventSchema } from '../../src/event-schema.ts'
import type { EventRecord } from '../../src/record.ts'
import type { Happening } from '../../src/report.ts'
import { startPump } from '../../src/sinks/pump.ts'
import type { Pump } from '../../src/sinks/pump-contract.ts'
import { ManualClock, settle } from '../support/manual-clock.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { numbered } from '../support/nats.ts'
import { ScriptedSink } from '../support/scripted-sink.ts'

const START_MS = new ManualClock().wall()

interface Bench {
  readonly store: MemoryStore
  readonly sink: ScriptedSink
  readonly clock: ManualClock
  readonly told: Happening[]
  start(): Promise<Pump>
}

function bench(window = 4): Bench {
  const store = new MemoryStore()
  const sink = new ScriptedSink(window)
  const clock = new ManualClock()
  const told: Happening[] = []
  return {
    store,
    sink,
    clock,
    told,
    async start() {
      const pump = startPump({ store, sink, clock, report: happening => told.push(happening) })
      await settle()
      return pump
    },
  }
}

function put(store: MemoryStore, count: number, object?: string): EventRecord[] {
  const from = store.stats().lastSeq + 1
  return Array.from({ length: count }, (_, index) =>
    store.put(numbered(from + index, { recordedMs: START_MS - 1000 + index, ...(object && { object }) })),
  )
}

const numbers = (records: readonly EventRecord[]): number[] => records.map(record => record.seq)
const states = (told: readonly Happening[]): string[] =>
  told.filter(one => one.type === 'sink_state').map(one => `${one.up ? 'up' : 'down'}: ${one.detail}`)
const published = (told: readonly Happening[], result: string): number =>
  told
    .filter(one => one.type === 'published')
    .filter(one => one.result === result)
    .reduce((sum, one) => sum + one.recordedMs.length, 0)

describe('the pump', () => {
  it('keeps the window, follows answers, and moves the floor over what is settled without a hole', async () => {
    const { store, sink, start } = bench(4)
    put(store, 10)
    const pump = await start()
    expect(numbers(sink.sent)).toEqual([1, 2, 3, 4])
    const [first, second, third] = sink.sent
    if (first === undefined || second === undefined || third === undefined) throw new Error('nothing sent')
    sink.settle([
      [second, 'ok'],
      [third, 'ok'],
    ])
    expect(store.settled).toBe(0)
    expect(numbers(sink.sent)).toEqual([1, 2, 3, 4, 5, 6])
    sink.settle([[first, 'ok']])
    expect(store.settled).toBe(3)
    sink.settleAll('ok')
    sink.settleAll('duplicate')
    expect(store.settled).toBe(10)
    await pump.stop(1000)
    expect(sink.closed).toBe(true)
  })

  it('wakes for new rows', async () => {
    const { store, sink, told, start } = bench()
    const pump = await start()
    expect(sink.sent).toEqual([])
    put(store, 2)
    store.announce()
    expect(numbers(sink.sent)).toEqual([1, 2])
    sink.settleAll('ok')
    expect(published(told, 'ok')).toBe(2)
    await pump.stop(1000)
  })

  it('has one row of a key on its way, and passes by what waits for its key', async () => {
    const { store, sink, start } = bench(4)
    put(store, 3, 'uni/tn-a')
    put(store, 2)
    const pump = await start()
    expect(numbers(sink.sent)).toEqual([1, 4, 5])
    sink.settleAll('retry')
    await settle()
    expect(store.settled).toBe(0)
    await pump.stop(0)
  })

  it('keeps the order of a key through refusals and losses', async () => {
    const { store, sink, clock, start } = bench(8)
    for (let n = 1; n <= 60; n++) store.put(numbered(n, { object: `uni/tn-${n % 7}` }))
    const pump = await start()
    let turn = 0
    // Every third answer refuses; every fifth turn the connection breaks after half of the rows have arrived.
    for (let round = 0; round < 400 && store.settled < 60; round++) {
      if (sink.unanswered.length > 0 && round % 5 === 4) {
        sink.lose(sink.unanswered.filter((_, index) => index % 2 === 0).map(record => record.id))
      } else {
        sink.settle(
          sink.unanswered.map(record => {
            turn++
            return [record, turn % 3 === 0 ? 'retry' : 'ok']
          }),
        )
      }
      await clock.advance(40_000)
    }
    expect(store.settled).toBe(60)
    const order = sink.taken.map(id => store.rows.findIndex(row => row.id === id) + 1)
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, index) => index + 1))
    for (let key = 0; key < 7; key++) {
      const ofKey = order.filter(n => n % 7 === key)
      expect(ofKey).toEqual([...ofKey].sort((a, b) => a - b))
    }
    await pump.stop(1000)
  })

  it('never sends beyond eight windows above the durable floor, and goes on when that has moved', async () => {
    const { store, sink, clock, start } = bench(2)
    store.holdFloor = true
    put(store, 40)
    sink.answer = () => 'ok'
    const pump = await start()
    expect(sink.sent.length).toBe(16)
    expect(store.settled).toBe(16)
    store.commitFloor()
    await clock.advance(20)
    expect(sink.sent.length).toBe(32)
    await pump.stop(1000)
    expect(clock.waiting).toBe(0)
  })

  it('looks up at the start what an earlier process may have delivered, before it sends anything', async () => {
    const { store, sink, told, start } = bench(4)
    const rows = put(store, 100)
    store.settle(10)
    sink.taken.push(...rows.slice(10, 15).map(row => row.id), rows[17]?.id ?? '')
    const pump = await start()
    expect(sink.lookups.length).toBe(1)
    expect(sink.lookups[0]?.ids).toEqual(rows.slice(10, 42).map(row => row.id))
    expect(sink.lookups[0]?.sinceMs).toBe((rows[10]?.recordedMs ?? 0) - 60_000)
    expect(numbers(sink.sent)).toEqual([16, 17, 19, 20])
    expect(store.settled).toBe(15)
    expect(published(told, 'duplicate')).toBe(6)
    await pump.stop(0)
  })

  it('does not look up rows that came after the start', async () => {
    const { store, sink, clock, start } = bench()
    sink.refusals.push(new Retryable('sink', 'away'))
    const pump = await start()
    put(store, 3)
    store.announce()
    await clock.advance(1000)
    expect(sink.opens).toBe(2)
    expect(sink.lookups).toEqual([])
    expect(numbers(sink.sent)).toEqual([1, 2, 3])
    await pump.stop(0)
  })

  it('looks up what a loss left open, settles what had arrived and sends the rest first', async () => {
    const { store, sink, told, clock, start } = bench(4)
    const rows = put(store, 8)
    const pump = await start()
    sink.lookups.length = 0
    sink.settle([[rows[0] as EventRecord, 'ok']])
    sink.lose([rows[2]?.id ?? ''])
    await clock.advance(0)
    expect(sink.lookups[0]?.ids).toEqual(rows.slice(1, 5).map(row => row.id))
    expect(sink.lookups[0]?.sinceMs).toBe(clock.wall() - 60_000)
    expect(numbers(sink.sent)).toEqual([1, 2, 3, 4, 5, 2, 4, 5, 6])
    expect(states(told)).toEqual(['up: the test', 'down: scripted loss', 'up: the test'])
    sink.answer = () => 'ok'
    sink.settleAll('ok')
    await settle()
    expect(store.settled).toBe(8)
    expect(sink.taken.length).toBe(8)
    await pump.stop(1000)
  })

  it('asks again when the look-up fails, and sends nothing meanwhile', async () => {
    const { store, sink, clock, start } = bench(4)
    put(store, 2)
    sink.lookupFailures.push(new Retryable('sink', 'broke'), new Retryable('sink', 'broke again'))
    const pump = await start()
    expect(sink.sent).toEqual([])
    await clock.advance(60_000)
    expect(sink.lookups.length).toBe(3)
    expect(numbers(sink.sent)).toEqual([1, 2])
    await pump.stop(0)
  })

  it('parks when the sink refuses, says so once, tries one row, slower and slower, and goes on', async () => {
    const { store, sink, clock, told, start } = bench(4)
    put(store, 12)
    const pump = await start()
    sink.settleAll('retry')
    await settle()
    expect(sink.sent.length).toBe(4)
    const waits: number[] = []
    for (let turn = 0; turn < 4; turn++) {
      waits.push(clock.next ?? 0)
      await clock.advance(clock.next ?? 0)
      expect(numbers(sink.unanswered)).toEqual([1])
      sink.settleAll('retry')
    }
    expect(waits).toEqual([1000, 1500, 2500, 4500])
    expect(states(told)).toEqual(['up: the test', 'down: scripted retry'])
    sink.answer = () => 'ok'
    await clock.advance(10_000)
    expect(store.settled).toBe(12)
    expect(states(told)).toEqual(['up: the test', 'down: scripted retry', 'up: the test'])
    expect(published(told, 'ok')).toBe(12)
    await pump.stop(1000)
  })

  it('leaves out raw of what is too large, buries what still is, tells of it, and goes on', async () => {
    const { store, sink, told, start } = bench(4)
    store.put(numbered(1, { raw: { big: 'x'.repeat(5000) } }))
    store.put(numbered(2, { raw: { big: 'x'.repeat(5000) }, object: `uni/tn-${'y'.repeat(5000)}` }))
    store.put(numbered(3))
    sink.answer = record => (record.body.length > 2000 ? 'too_large' : 'ok')
    const pump = await start()
    await settle()
    // The three rows and the notice of the one that was buried.
    expect(store.settled).toBe(4)
    expect(store.buried.map(letter => letter.key)).toEqual(['dead-1'])
    const bodies = sink.sent.map(record => JSON.parse(Buffer.from(record.body).toString('utf8')))
    const smaller = eventSchema.parse(bodies.find(body => body.truncated === true && body.data.code === 'E1'))
    expect(smaller.data.raw).toBeUndefined()
    expect(smaller.data.flags).toEqual(['truncated'])
    const notice = sink.sent.find(record => record.subject === '_dead.fabric-a')
    expect(JSON.parse(Buffer.from(notice?.body ?? []).toString('utf8')).data).toMatchObject({
      key: 'dead-1',
      source: 'fabric-a',
      digest: store.buried[0]?.digest,
    })
    expect(told.filter(one => one.type === 'dead_letter')).toMatchObject([{ source: 'fabric-a', key: 'dead-1' }])
    expect(published(told, 'too_large')).toBe(3)
    await pump.stop(1000)
  })

  it('buries later what the store could not bury at once', async () => {
    const { store, sink, clock, start } = bench(4)
    store.failing = true
    put(store, 2)
    sink.answer = record => (record.seq === 1 ? 'too_large' : 'ok')
    const pump = await start()
    expect(store.settled).toBe(0)
    store.failing = false
    await clock.advance(5000)
    expect(store.settled).toBe(3)
    await pump.stop(1000)
  })

  it('opens again with growing waits, and waits long after Fatal', async () => {
    const { store, sink, clock, told, start } = bench()
    put(store, 1)
    sink.refusals.push(new Retryable('sink', 'first'), new Retryable('sink', 'second', { afterMs: 9000 }))
    sink.refusals.push(new Fatal('sink', 'for good'))
    const pump = await start()
    await clock.advance(250)
    expect(sink.opens).toBe(2)
    await clock.advance(8999)
    expect(sink.opens).toBe(2)
    await clock.advance(1)
    expect(sink.opens).toBe(3)
    await clock.advance(299_999)
    expect(sink.opens).toBe(3)
    await clock.advance(1)
    expect(sink.opens).toBe(4)
    expect(states(told)).toEqual(['down: first', 'down: second', 'down: for good', 'up: the test'])
    await pump.stop(0)
  })

  it('stops after the answers it waits for, sends nothing more, and is stopped once', async () => {
    const { store, sink, clock, start } = bench(4)
    put(store, 8)
    const pump = await start()
    const stopped = pump.stop(5000)
    expect(pump.stop(1)).toBe(stopped)
    await settle()
    expect(sink.closed).toBe(false)
    sink.settleAll('ok')
    await stopped
    expect(numbers(sink.sent)).toEqual([1, 2, 3, 4])
    expect(store.settled).toBe(4)
    expect(clock.waiting).toBe(0)
  })

  it('stops at its deadline when no answer comes, while opening, and while parked', async () => {
    for (const hinder of ['silence', 'refusal', 'park'] as const) {
      const { store, sink, clock, start } = bench(4)
      put(store, 8)
      if (hinder === 'refusal') sink.refusals.push(new Retryable('sink', 'away'))
      const pump = await start()
      if (hinder === 'park') sink.settleAll('retry')
      const stopped = pump.stop(5000)
      await clock.advance(hinder === 'silence' ? 5000 : 0)
      await stopped
      expect(sink.closed).toBe(true)
      expect(clock.waiting).toBe(0)
      expect(store.settled).toBe(0)
    }
  })
})
