/** The store, durable, beside a bare insert of the same rows; the pump with its publisher beside a bare publisher of the same bodies. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { natsSchema } from '../src/config/schema.ts'
import type { Happening } from '../src/report.ts'
import { sleep, systemClock } from '../src/scheduler/clock.ts'
import { natsSink } from '../src/sinks/nats.ts'
import { ensureStream } from '../src/sinks/nats-stream.ts'
import { startPump } from '../src/sinks/pump.ts'
import type { Append } from '../src/store/contract.ts'
import { openStore } from '../src/store/open.ts'
import { BarePublisher, WINDOW } from './bare-publisher.ts'
import { BareStore } from './bare-store.ts'
import type { Contest, Prepared } from './contest.ts'
import { appendsOf, BATCH, Pushes } from './part-pure.ts'

const STOP_MS = 10_000

/** A folder for one turn. */
const folder = (): string => mkdtempSync(join(tmpdir(), 'part-'))
const remove = (directory: string): void => rmSync(directory, { recursive: true, force: true })

function open(stateDir: string, report: (happening: Happening) => void = () => undefined) {
  const limits = { maxBytes: 2 ** 33, retainAckedMs: 180_000, maxDeadLetters: 10_000 }
  return openStore({ stateDir, thread: true, ...limits, clock: systemClock, report })
}

export function storeContests(events: number, objects: number): Contest[] {
  return (['eventRecord', 'faultInst'] as const).map(cls => {
    const pushes = new Pushes(cls, events, objects)
    const first = new Pushes(cls, FIRST, objects, events)
    return {
      name: `store, ${cls}`,
      bareName: `insert${cls === 'faultInst' ? ' and upsert of the object' : ''}, WAL, FULL`,
      events,
      ours: async () => storing(await appendsOf(pushes), await appendsOf(first), events),
      bare: async () => inserting(await appendsOf(pushes), events),
    }
  })
}

/** Written before the watch runs: a daemon starts its thread once, and V8 compiles it once. */
const FIRST = 8 * BATCH

async function storing(appends: readonly Append[], first: readonly Append[], events: number): Promise<Prepared> {
  const directory = folder()
  const store = await open(directory)
  while (store.thread === undefined) await sleep(systemClock, 1)
  for (const append of first) await store.append(append)
  return {
    // The await is the daemon's: a source has one batch on its way.
    run: async () => {
      for (const append of appends) await store.append(append)
    },
    end: async () => {
      const { unacked } = store.stats()
      await store.close()
      remove(directory)
      if (unacked !== FIRST + events) throw new Error(`the store holds ${unacked} of ${FIRST + events}`)
    },
  }
}

function inserting(appends: readonly Append[], events: number): Prepared {
  const directory = folder()
  const store = new BareStore(join(directory, 'bare.db'))
  return {
    run: () => {
      for (const { events: rows, mirror = [] } of appends) {
        store.insert(
          rows,
          mirror.flatMap(({ object }) => (object === null ? [] : [object])),
        )
      }
    },
    end: () => {
      const { held } = store
      store.close()
      remove(directory)
      if (held !== events) throw new Error(`${held} rows of ${events}`)
    },
  }
}

/** Both publish to a stream of their own, which must hold each event once at the end. */
export function publishContest(nats: string, events: number, objects: number): Contest {
  const pushes = new Pushes('eventRecord', events, objects)
  let streams = 0
  const stream = async (): Promise<Stream> => makeStream(nats, `PART${++streams}`)
  return {
    name: 'publish',
    bareName: `the same bodies, ${WINDOW} under way`,
    events,
    ours: async () => pumping(await appendsOf(pushes), events, await stream()),
    bare: async () => publishing(await appendsOf(pushes), events, await stream()),
  }
}

type Stream = Awaited<ReturnType<typeof makeStream>>

async function makeStream(nats: string, name: string) {
  const config = natsSchema.parse({ servers: [nats], prefix: name.toLowerCase(), stream: { name } })
  const connection = await connect({ servers: nats, noAsyncTraces: true })
  const manager = await jetstreamManager(connection)
  await ensureStream(manager, config)
  const end = async (events: number): Promise<void> => {
    const { state } = await manager.streams.info(name)
    await manager.streams.delete(name)
    await connection.close()
    // What was published twice within the duplicate window would be there once: the ids are all different.
    if (state.messages !== events) throw new Error(`${state.messages} of ${events} are in the stream`)
  }
  return { config, connection, name, end }
}

/** From the moment that the sink is up until the last event is acknowledged. */
async function pumping(appends: readonly Append[], events: number, stream: Stream): Promise<Prepared> {
  const directory = folder()
  const all = Promise.withResolvers<void>()
  let begin = (): void => undefined
  let published = 0
  const report = (happening: Happening): void => {
    if (happening.type === 'sink_state' && happening.up) begin()
    if (happening.type !== 'published') return
    published += happening.count
    if (published >= events) all.resolve()
  }
  const store = await open(directory, report)
  for (const append of appends) await store.append(append)
  const pump = { stop: (_: number): Promise<void> => Promise.resolve() }
  return {
    run: async beginNow => {
      begin = beginNow
      const deps = { clock: systemClock, report }
      const running = startPump({ store, sink: natsSink(stream.config, deps), ...deps })
      pump.stop = ms => running.stop(ms)
      await all.promise
    },
    end: async () => {
      await pump.stop(STOP_MS)
      await store.close()
      remove(directory)
      if (published !== events) throw new Error(`${published} of ${events} were acknowledged`)
      await stream.end(events)
    },
  }
}

function publishing(appends: readonly Append[], events: number, stream: Stream): Prepared {
  const all = Promise.withResolvers<void>()
  const publisher = new BarePublisher(stream.connection, stream.name, () => {
    if (publisher.acked === events) all.resolve()
  })
  const messages = appends.flatMap(append =>
    append.events.map(({ id, subject, body }) => ({ id, subject: `${stream.config.prefix}.${subject}`, body })),
  )
  return {
    run: async () => {
      for (const message of messages) publisher.publish(message)
      await all.promise
    },
    end: () => stream.end(events),
  }
}
