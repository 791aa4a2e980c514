/** What is written down, and what is kept, while a sink that went back in time gets again what it lacks. */
import { afterEach, expect, it } from 'vitest'
import { startPump } from '../../src/sinks/pump.ts'
import { openStore } from '../../src/store/open.ts'
import { ManualClock, settle } from '../support/manual-clock.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { numbered } from '../support/nats.ts'
import { ScriptedSink } from '../support/scripted-sink.ts'

const teardown: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const step of teardown.splice(0).reverse()) await step()
})

const WENT_BACK = { detail: 'it went back', leftMs: undefined, whole: true }

it('a burial that ends meanwhile does not write down where the sink is before it has it all', async () => {
  const [store, sink, clock] = [new MemoryStore(), new ScriptedSink(), new ManualClock()]
  store.failing = true
  for (const n of [1, 2, 3, 4]) store.put(numbered(n))
  sink.mark = { at: 'old' }
  const pump = startPump({ store, sink, clock, report: () => undefined })
  teardown.push(() => pump.stop(0))
  await settle()
  sink.settle(sink.unanswered.map(record => [record, record.seq === 2 ? 'too_large' : 'ok'] as const))
  await settle()
  expect([store.settled, store.mark]).toEqual([1, { at: 'old' }])
  sink.taken.length = 0
  sink.setbacks = [WENT_BACK]
  sink.lose()
  sink.mark = { at: 'new' }
  await clock.advance(4000)
  expect(sink.compared.length).toBe(2)
  store.failing = false
  await clock.advance(5000)
  expect(sink.unanswered.map(({ seq }) => seq)).toEqual([1, 3, 4, 5])
  expect([store.settled, store.mark]).toEqual([1, { at: 'old' }])
  sink.settleAll('ok')
  expect([store.settled, store.mark]).toEqual([5, { at: 'new' }])
})

/** 40 events are in the sink, and stay in the store for so long. */
async function delivered(retainAckedMs: number) {
  const clock = new ManualClock()
  const sink = new ScriptedSink(64)
  sink.mark = { at: 'some' }
  const store = await openStore({
    ...{ stateDir: undefined, maxBytes: 64 * 1024, retainAckedMs, maxDeadLetters: 10, clock },
    report: () => undefined,
  })
  teardown.push(() => store.close())
  const put = (from: number, to: number): Promise<unknown> =>
    store.append({
      ...{ source: 'fabric-a', feed: 'f', overdraft: true },
      events: Array.from({ length: to - from + 1 }, (_, index) => numbered(from + index)),
    })
  sink.answer = () => 'ok'
  const pump = startPump({ store, sink, clock, report: () => undefined })
  teardown.push(() => pump.stop(0))
  void put(1, 40)
  await clock.advance(100)
  expect([sink.taken.length, store.floor]).toEqual([40, 40])
  return { clock, sink, store, put }
}

it('what it lacks makes no room in a store that gets full meanwhile, and does once it is there', async () => {
  const { clock, sink, store, put } = await delivered(60_000)
  sink.refusals = [new Error('away'), new Error('away')]
  sink.lose()
  sink.taken.length = 20
  sink.setbacks = [WENT_BACK]
  sink.answer = undefined
  await clock.advance(120_000)
  // It is asked for what it lacks, and slow to take it.
  expect(sink.unanswered.map(({ seq }) => seq)).toEqual(Array.from({ length: 20 }, (_, index) => index + 21))
  let stored = 0
  for (let from = 41; from <= 120; from += 10) void put(from, from + 9).then(() => stored++)
  await clock.advance(1000)
  sink.lose()
  await clock.advance(60_000)
  expect([stored < 8, store.full, store.read(0, 1)[0]?.seq]).toEqual([true, true, 1])
  sink.answer = () => 'ok'
  sink.settleAll('ok')
  await clock.advance(60_000)
  expect([stored, sink.taken.length]).toEqual([8, 120])
})

it('what was sent again stays for the whole time again, also when more is answered in the same turn', async () => {
  const { clock, sink, store, put } = await delivered(60_000)
  await clock.advance(50_000)
  sink.refusals = [new Error('away')]
  sink.lose()
  sink.taken.length = 20
  sink.setbacks = [WENT_BACK]
  sink.answer = undefined
  void put(41, 50)
  await clock.advance(10_000)
  expect(sink.unanswered.map(({ seq }) => seq)).toEqual(Array.from({ length: 30 }, (_, index) => index + 21))
  sink.settleAll('ok')
  await clock.advance(40_000)
  expect([store.floor, store.read(0, 1)[0]?.seq]).toEqual([50, 1])
  await clock.advance(30_000)
  expect(store.read(0, 1)).toEqual([])
})
