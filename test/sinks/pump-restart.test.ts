/** What the pump does with what an earlier process, or a store in trouble, left it. */
import { Writable } from 'node:stream'
import { type JetStreamClient, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { afterEach, describe, expect, it } from 'vitest'
import { Fatal, Retryable } from '../../src/errors.ts'
import type { Happening } from '../../src/report.ts'
import { systemClock } from '../../src/scheduler/clock.ts'
import { lookBackFrom, sentFrom } from '../../src/sinks/look-back.ts'
import { startPump } from '../../src/sinks/pump.ts'
import type { Pump } from '../../src/sinks/pump-contract.ts'
import { stdoutSink } from '../../src/sinks/stdout.ts'
import { startNatsServer } from '../../src/tools/nats-server.ts'
import { Delivery } from '../support/delivery.ts'
import { ManualClock, settle, until } from '../support/manual-clock.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { contents, NEWEST, natsBinary, natsConfig, numbered, numberOf } from '../support/nats.ts'
import { ScriptedSink } from '../support/scripted-sink.ts'

const teardown: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const step of teardown.splice(0).reverse()) await step()
})

function run(store: MemoryStore, sink: ScriptedSink, clock: ManualClock): { pump: Pump; told: Happening[] } {
  const told: Happening[] = []
  const pump = startPump({ store, sink, clock, report: happening => told.push(happening) })
  teardown.push(() => pump.stop(0))
  return { pump, told }
}

const PROBE = 'opswire._dead.probe'

/** Resolves when the server has forgotten the ids that it knows now: it takes a later one a second time. */
async function windowOver(stream: JetStreamClient): Promise<void> {
  const publish = () => stream.publish(PROBE, '{}', { msgID: 'probe' })
  await publish()
  while ((await publish()).duplicate) await settle()
}

describe('a restart with one row stuck', () => {
  const RAW = { filler: 'x'.repeat(16 * 1024) }

  it('sends no row of 16 KiB twice, though far more than memory takes were delivered beyond it', async () => {
    const store = new MemoryStore()
    const clock = new ManualClock()
    for (let n = 1; n <= 4500; n++) store.put(numbered(n, { raw: RAW, recordedMs: clock.wall() }))
    const sink = new ScriptedSink(512)
    // The earlier process: all that the bound allows, but the first.
    sink.taken.push(...store.rows.slice(1, 4096).map(row => row.id))
    sink.answer = () => 'ok'
    const { pump } = run(store, sink, clock)
    await until(() => store.settled === 4500, 'all settled')
    expect(sink.sent.map(row => row.seq)).toEqual([1, ...Array.from({ length: 404 }, (_, index) => 4097 + index)])
    await pump.stop(0)
  })

  it('keeps each once in the stream, when the duplicate window has long passed', async ({ skip }) => {
    const nats = await startNatsServer({ binary: await natsBinary(NEWEST, skip), config: '' })
    teardown.push(() => nats.remove())
    const connection = await connect({ servers: nats.url })
    teardown.push(() => connection.close())
    const manager = await jetstreamManager(connection)
    await manager.streams.add({ name: 'OPSWIRE', subjects: ['opswire.>'], duplicate_window: 100 * 1_000_000 })
    const rows = Array.from({ length: 3000 }, (_, index) => numbered(index + 1, { raw: RAW }))
    const config = natsConfig(nats.url)
    // The earlier process delivered all but row 1.
    const earlier = new MemoryStore()
    for (const row of rows.slice(1)) earlier.put(row)
    const first = new Delivery(earlier, config)
    teardown.push(() => first.pump.stop(0))
    await first.settled(2999)
    await first.pump.stop(0)
    await windowOver(jetstream(connection))
    const store = new MemoryStore()
    for (const row of rows) store.put(row)
    const second = new Delivery(store, config)
    teardown.push(() => second.pump.stop(0))
    await second.settled(3000)
    expect(second.published('ok')).toBe(1)
    const numbers = (await contents(config, 3000)).filter(message => message.subject !== PROBE)
    expect(numbers.map(numberOf).sort((a, b) => a - b)).toEqual(rows.map((_, index) => index + 1))
  })
})

describe('from when delivered rows are searched', () => {
  const T = Date.UTC(2026, 1, 3, 4)
  const MINUTE = 60_000

  it('is a minute before the oldest, when the clock only went on', () => {
    expect(lookBackFrom([T, T + 5, T + 5 * MINUTE], T + 9 * MINUTE)).toBe(T - MINUTE)
  })

  it('is earlier by what the clock went back, which later rows show, or the time now', () => {
    expect(lookBackFrom([T, T - 10 * MINUTE, T + MINUTE], T + 90 * MINUTE)).toBe(T - 21 * MINUTE)
    expect(lookBackFrom([T], T - 10 * MINUTE)).toBe(T - 21 * MINUTE)
  })

  it('is when this process first sent them, whatever was done to the clock since', () => {
    const sent = { wallMs: T, nowMs: 1000 }
    expect(sentFrom([sent], { wallMs: T + 500, nowMs: 1500 })).toBe(T - MINUTE)
    // Set back by an hour after the sending, and on by an hour.
    expect(sentFrom([sent], { wallMs: T - 60 * MINUTE + 500, nowMs: 1500 })).toBe(T - 61 * MINUTE)
    expect(sentFrom([sent], { wallMs: T + 60 * MINUTE + 500, nowMs: 1500 })).toBe(T - MINUTE)
  })

  it('takes rows beyond those in doubt into account: a restart misses nothing', async () => {
    const store = new MemoryStore()
    const clock = new ManualClock(T)
    const sink = new ScriptedSink(4)
    for (let n = 1; n <= 50; n++) store.put(numbered(n, { recordedMs: T + n }))
    // Then the clock was set back by 20 minutes; the first rows were sent after that.
    store.put(numbered(51, { recordedMs: T - 20 * MINUTE }))
    await clock.advance(60 * MINUTE)
    run(store, sink, clock)
    await settle()
    expect(sink.lookups[0]?.ids.length).toBe(32)
    expect(sink.lookups[0]?.sinceMs).toBeLessThan(T - 21 * MINUTE)
  })
})

describe('a store that can not be read', () => {
  it('under way: what is out is answered, the session ends and says why, and the next goes on', async () => {
    const store = new MemoryStore()
    const clock = new ManualClock()
    const sink = new ScriptedSink(4)
    const { pump, told } = run(store, sink, clock)
    await settle()
    store.put(numbered(1, { recordedMs: clock.wall() }))
    store.announce()
    store.unreadable = new Retryable('store', 'the store could not read events')
    store.put(numbered(2, { recordedMs: clock.wall() }))
    // Not thrown at the store that calls, nor at the timers and sockets that do.
    store.announce()
    expect(sink.unanswered.map(row => row.seq)).toEqual([1])
    store.unreadable = undefined
    sink.answer = () => 'ok'
    sink.settleAll('ok')
    await clock.advance(60_000)
    expect(store.settled).toBe(2)
    expect(sink.sent.map(row => row.seq)).toEqual([1, 2])
    const states = told.flatMap(one => (one.type === 'sink_state' ? [`${one.up} ${one.detail}`] : []))
    expect(states).toEqual(['true the test', 'false the store could not read events', 'true the test'])
    await pump.stop(0)
    expect(clock.waiting).toBe(0)
  })

  it('at the start: asks again', async () => {
    const store = new MemoryStore()
    const clock = new ManualClock()
    const sink = new ScriptedSink(4)
    store.put(numbered(1, { recordedMs: clock.wall() }))
    store.unreadable = new Retryable('store', 'the store could not read events')
    run(store, sink, clock)
    await settle()
    expect(sink.sent).toEqual([])
    store.unreadable = undefined
    await clock.advance(60_000)
    expect(sink.sent.map(row => row.seq)).toEqual([1])
  })
})

describe('a sink that is gone for good', () => {
  it('is told once, and no other trouble counts as that', async () => {
    const stream = new Writable({ write: (_chunk, _encoding, done) => done(new Error('write EPIPE')) })
    const store = new MemoryStore()
    const pump = startPump({ store, sink: stdoutSink({ stream }), clock: systemClock, report: () => undefined })
    teardown.push(() => pump.stop(0))
    store.put(numbered(1))
    store.announce()
    expect(await pump.gone).toMatchObject({ name: 'SinkGone', code: 'sink' })
    expect(pump.state()).toMatchObject({ up: false })

    const clock = new ManualClock()
    const sink = new ScriptedSink(4)
    sink.refusals.push(new Fatal('sink', 'no such stream'))
    const other = run(new MemoryStore(), sink, clock).pump
    let gone = false
    void other.gone.then(() => {
      gone = true
    })
    await settle()
    sink.lose()
    await settle()
    expect(gone).toBe(false)
  })
})
