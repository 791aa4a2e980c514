/** A replay among those who do not go along: one who does not read, a store without room, events that no sink takes. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Fact, OpsEvent } from '../../src/event.ts'
import { answerReplay } from '../../src/replay/answer.ts'
import { nextLetters } from '../../src/replay/letters.ts'
import { Replayer, type ReplaySource, type Tell } from '../../src/replay/replayer.ts'
import type { Line, Wish } from '../../src/replay/wish.ts'
import { systemClock } from '../../src/scheduler/clock.ts'
import type { Sink } from '../../src/sinks/contract.ts'
import { natsSink } from '../../src/sinks/nats.ts'
import { startPump } from '../../src/sinks/pump.ts'
import { openStore } from '../../src/store/open.ts'
import type { SqliteStore } from '../../src/store/store.ts'
import { type RunningNats, startNatsServer } from '../../src/tools/nats-server.ts'
import { until } from '../support/manual-clock.ts'
import { type EventOptions, NEWEST, natsBinary, natsConfig, numbered } from '../support/nats.ts'

const MOST_BYTES = 64 * 1024 * 1024
const report = (): void => undefined
const clock = systemClock
const nobody = new AbortController().signal

let store: SqliteStore
const ends: (() => Promise<unknown>)[] = []

beforeEach(async () => {
  const limits = { maxBytes: MOST_BYTES, retainAckedMs: 0, maxDeadLetters: 100 }
  store = await openStore({ ...{ stateDir: undefined, clock, report }, ...limits })
})

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
  await store.close()
})

const unused = { name: 'nowhere', remembers: true } as Sink

function replayer(sources: readonly ReplaySource[], sink = unused): Replayer {
  const made = new Replayer({
    ...{ store, sink, clock, report },
    log: report,
    sources: () => sources,
    sinkTrouble: () => undefined,
  })
  ends.push(() => made.close())
  return made
}

const wish = (over: Partial<Wish>): Wish => ({
  ...{ what: 'dead_letters', sinceMs: 0, source: undefined, limit: undefined },
  ...over,
})

const factOf = (n: number, options: EventOptions = {}): Fact => {
  const { recordedtime: _, ...fact } = JSON.parse(Buffer.from(numbered(n, options).body).toString()) as OpsEvent
  return { ...fact, origin: 'backfill' }
}

/** A source whose past, and whose letters, say what they are told to. */
function source(facts: readonly Fact[]): ReplaySource {
  return {
    subscriber: {
      ref: { system: 'apic', name: 'fabric-a' },
      pushes: true,
      open: () => Promise.reject(new Error('nobody opens it')),
      revive: () => Promise.resolve({ facts }),
      visit: () => Promise.reject(new Error('nobody logs in')),
    },
    visit: async () => ({
      past: {
        unaskable: [],
        async reread(_from, _signal, take) {
          await take(
            'class/eventRecord',
            facts.map(fact => ({ fact })),
          )
          return []
        },
      },
      close: async () => undefined,
    }),
  }
}

const plant = (content: string) =>
  store.append({
    ...{ source: 'fabric-a', feed: 'socket', events: [], overdraft: false },
    dead: [{ reason: 'not understood', content }],
  })

it('ends though the one who asked reads nothing more, and shows letters while another one runs', async () => {
  await plant('one')
  let told = 0
  const deaf: Tell = () => {
    told++
    return new Promise(() => undefined)
  }
  const replaying = replayer([source([])])
  const first = replaying.run(wish({}), nobody, deaf)
  const list = replaying.run(wish({ what: 'list' }), nobody, deaf)
  await until(() => told === 2 || undefined, 'both told something')
  expect(replaying.busy).toMatch(/^the dead letters/)
  await replaying.close()
  expect(await first).toMatchObject({ outcome: 'cancelled' })
  expect(await list).toMatchObject({ outcome: 'cancelled' })
})

it('two that are asked for in one breath do not run at once', async () => {
  await plant('one')
  const replaying = replayer([source([])])
  const lines: unknown[] = []
  const tell = async (line: object): Promise<void> => void lines.push(line)
  const asked = [1, 2].map(() => answerReplay(replaying, { deadLetters: true }, nobody, clock))
  await Promise.all(asked.map(answer => ('lines' in answer ? answer.lines(tell) : undefined)))
  const ends = lines.filter(line => (line as Line).type === 'end')
  expect(ends).toMatchObject([
    { outcome: 'failed', error: { reason: expect.stringMatching(/a replay is under way: the dead letters/) } },
    { outcome: 'done', sources: [{ read: 1 }] },
  ])
})

it('ends though the store has no room for what was understood; the letter stays', async () => {
  await plant('one')
  const large = numbered(1, { raw: 'x'.repeat(MOST_BYTES * 1.09) })
  await store.append({ source: 'fabric-a', feed: 'socket', events: [large], overdraft: true })
  const replaying = replayer([source([factOf(2, { raw: 'y'.repeat(MOST_BYTES / 50) })])])
  let began = false
  const running = replaying.run(wish({}), nobody, async () => {
    began = true
  })
  await replaying.close()
  expect(began).toBe(false)
  expect(await running).toMatchObject({ outcome: 'cancelled', error: { reason: 'the daemon stops' } })
  expect(store.stats()).toMatchObject({ deadLetters: 1, lastSeq: 1 })
})

it('letters are read in parts that memory has room for', async () => {
  const size = 3 * 1024 * 1024
  for (const text of ['a', 'b', 'c']) await plant(text.repeat(size))
  for (let n = 0; n < 60; n++) await plant('small')
  const part = (after: string, limit = 100) => nextLetters(store, limit, { after }).map(({ key }) => key)
  expect(part('0')).toEqual(['1', '2'])
  expect(part('2').length).toBe(50)
  expect(part('52', 3)).toEqual(['53', '54', '55'])
  expect(part('63')).toEqual([])
})

it('what the sink finds too large lies among the dead letters once, however often the past is asked for', async () => {
  const say = (note: string): never => {
    throw new Error(note)
  }
  const nats: RunningNats = await startNatsServer({
    ...{ binary: await natsBinary(NEWEST, say), config: 'max_payload: 4096' },
  })
  ends.push(() => nats.remove())
  const sink = natsSink(natsConfig(nats.url, { stream: { max_bytes: '64MiB' } }), { clock, report })
  const pump = startPump({ store, sink, clock, report })
  ends.push(() => pump.stop(1000))
  await until(() => pump.state().up || undefined, 'the sink up')
  const replaying = replayer([source([factOf(1), factOf(2, { object: `uni/tn-${'x'.repeat(6000)}` })])], sink)
  const since = () =>
    replaying.run(wish({ what: 'since', sinceMs: clock.wall() - 60_000 }), nobody, async () => undefined)
  const dead = [{ outcome: 'dead', reason: 'too large for the sink: it lies among the dead letters', count: 1 }]
  const first = await since()
  expect(first).toMatchObject({ outcome: 'done', sources: [{ read: 2, sent: 1, known: 0, reasons: dead }] })
  expect(await since()).toMatchObject({ outcome: 'done', sources: [{ read: 2, sent: 0, known: 1, reasons: dead }] })
  expect(store.stats().deadLetters).toBe(1)
})
