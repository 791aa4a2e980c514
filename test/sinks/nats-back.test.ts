/** A stream that lost what it had acknowledged: noticed by its own numbers, and given again what the store still has. */
import { type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { afterEach, describe, expect, it } from 'vitest'
import type { Happening } from '../../src/report.ts'
import type { Forgotten } from '../../src/sinks/pump-contract.ts'
import { type RunningNats, startNatsServer } from '../../src/tools/nats-server.ts'
import { Delivery, expectEachOnce, putMany } from '../support/delivery.ts'
import { settle, until } from '../support/manual-clock.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { contents, NEWEST, natsBinary, natsConfig, numbered, numberOf, OLDEST } from '../support/nats.ts'
import { backUp } from '../support/nats-backup.ts'

const teardown: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const step of teardown.splice(0).reverse()) await step()
})

async function start(version: string, skip: (note: string) => never): Promise<RunningNats> {
  const running = await startNatsServer({ binary: await natsBinary(version, skip) })
  teardown.push(() => running.remove())
  return running
}

function deliver(store: MemoryStore, config: Delivery['config'], lost?: Forgotten[]): Delivery {
  const delivery = new Delivery(store, config, {
    onForgotten: async forgotten => {
      lost?.push(forgotten)
    },
  })
  teardown.push(() => delivery.pump.stop(0))
  return delivery
}

/** A server whose stream has taken events 1 to `count`. */
async function delivered(version: string, skip: (note: string) => never, count: number) {
  const nats = await start(version, skip)
  const store = new MemoryStore()
  const delivery = deliver(store, natsConfig(nats.url))
  putMany(store, 1, count)
  await delivery.settled(count)
  return { nats, store, delivery }
}

async function client(nats: RunningNats): Promise<NatsConnection> {
  const connection = await connect({ servers: nats.url })
  teardown.push(() => connection.close())
  return connection
}

const managerOf = async (nats: RunningNats): Promise<JetStreamManager> => jetstreamManager(await client(nats))

const setbacks = (told: readonly Happening[]) =>
  told.flatMap(one => (one.type === 'sink_setback' ? [{ lacking: one.lacking, whole: one.whole }] : []))
const detailOf = (told: readonly Happening[]): string | undefined =>
  told.find(one => one.type === 'sink_setback')?.detail

describe.each([NEWEST, OLDEST])('a stream on nats-server %s', version => {
  it('that was restored from an older copy gets again what it lacks, in order, before what is new', async ({
    skip,
  }) => {
    const { nats, store, delivery } = await delivered(version, skip, 600)
    const putBack = await backUp(nats, teardown)
    putMany(store, 601, 1600)
    await delivery.settled(1600)
    await putBack()
    putMany(store, 1601, 1800)
    await delivery.settled(1800)
    await expectEachOnce(delivery.config, 1800)
    expect(setbacks(delivery.told)).toEqual([{ lacking: 1000, whole: true }])
    expect(detailOf(delivery.told)).toBe('stream OPSWIRE ends at message 600, and 1600 was acknowledged')
    await until(() => store.mark?.['seq'] === 1800, 'its new position is kept')
    expect(store.held).toBe(false)
  })

  it('that went back, and was written to by others since, is known by the message', async ({ skip }) => {
    const { nats, store, delivery: first } = await delivered(version, skip, 100)
    const putBack = await backUp(nats, teardown)
    putMany(store, 101, 200)
    await first.settled(200)
    await first.pump.stop(5000)
    await putBack()
    const js = jetstream(await client(nats))
    for (let n = 1; n <= 150; n++) await js.publish('opswire.raas.other.job.info', '{}')
    // Another process of ours, which has only what was kept.
    const second = deliver(store, natsConfig(nats.url))
    putMany(store, 201, 300)
    await second.settled(300)
    const messages = await contents({ ...second.config, prefix: 'opswire.apic' }, 300)
    expect(messages.map(numberOf)).toEqual(Array.from({ length: 300 }, (_, index) => index + 1))
    expect(setbacks(second.told)).toEqual([{ lacking: 100, whole: true }])
    expect(detailOf(second.told)).toBe('stream OPSWIRE: message 200 is another one than was acknowledged')
  })

  it('that was deleted and made again while nobody was there gets all that is kept', async ({ skip }) => {
    const { nats, store, delivery: first } = await delivered(version, skip, 300)
    await first.pump.stop(5000)
    store.trim(50)
    const manager = await managerOf(nats)
    await manager.streams.delete('OPSWIRE')
    await manager.streams.add({ name: 'OPSWIRE', subjects: ['opswire.>'] })
    const lost: Forgotten[] = []
    const second = deliver(store, natsConfig(nats.url), lost)
    putMany(store, 301, 400)
    await second.settled(400)
    expect((await contents(second.config, 350)).map(numberOf)).toEqual(
      Array.from({ length: 350 }, (_, index) => index + 51),
    )
    expect(setbacks(second.told)).toEqual([{ lacking: 250, whole: false }])
    expect(detailOf(second.told)).toMatch(/^stream OPSWIRE is another one than before: made at /)
    expect(lost).toEqual([{ fromMs: undefined, toMs: store.rows[0]?.recordedMs }])
  })

  it('that is deleted and made again under way is noticed by the first answer', async ({ skip }) => {
    const { nats, store, delivery } = await delivered(version, skip, 300)
    const manager = await managerOf(nats)
    await manager.streams.delete('OPSWIRE')
    await manager.streams.add({ name: 'OPSWIRE', subjects: ['opswire.>'] })
    putMany(store, 301, 500)
    await delivery.settled(500)
    expect(delivery.states.at(-2)).toBe('down: stream OPSWIRE went back from message 300 to 1')
    expect(setbacks(delivery.told).length).toBe(1)
    await expectEachOnce(delivery.config, 500)
  })

  it('that lost also what is kept no more says of when, and is asked again until that is written down', async ({
    skip,
  }) => {
    const { nats, store, delivery: first } = await delivered(version, skip, 100)
    const putBack = await backUp(nats, teardown)
    putMany(store, 101, 300)
    await first.settled(300)
    await first.pump.stop(5000)
    store.trim(200)
    const kept = store.mark
    await putBack()
    const lastLeft = Date.parse((await (await managerOf(nats)).streams.info('OPSWIRE')).state.last_ts)
    // It dies before the gap is written.
    const told: Forgotten[] = []
    const second = new Delivery(store, natsConfig(nats.url), {
      onForgotten: forgotten => {
        told.push(forgotten)
        return Promise.reject(new Error('the store is closed'))
      },
    })
    putMany(store, 301, 310)
    await second.settled(310)
    await second.pump.stop(5000)
    expect(told).toEqual([{ fromMs: lastLeft, toMs: store.rows[0]?.recordedMs }])
    expect([store.mark, store.held]).toEqual([kept, true])
    const lost: Forgotten[] = []
    const third = deliver(store, natsConfig(nats.url), lost)
    putMany(store, 311, 320)
    await third.settled(320)
    await until(() => store.mark !== kept, 'its position is kept')
    expect(lost.length).toBe(1)
    expect((await contents(third.config, 220)).map(numberOf).sort((a, b) => a - b)).toEqual([
      ...Array.from({ length: 100 }, (_, index) => index + 1),
      ...Array.from({ length: 120 }, (_, index) => index + 201),
    ])
  })

  it('that goes back once more while it gets what it lacks gets it all the same', async ({ skip }) => {
    const { nats, store, delivery } = await delivered(version, skip, 300)
    const putBack = await backUp(nats, teardown)
    putMany(store, 301, 2500)
    await delivery.settled(2500)
    for (const round of [1, 2]) {
      await putBack()
      await until(() => setbacks(delivery.told).length === round, `round ${round}`)
      const ok = delivery.published('ok')
      await until(() => delivery.published('ok') > ok, 'it gets something again')
    }
    putMany(store, 2501, 2700)
    await delivery.settled(2700)
    await until(() => !store.held, 'all is there again')
    await expectEachOnce(delivery.config, 2700)
    expect(setbacks(delivery.told)[0]).toEqual({ lacking: 2200, whole: true })
  })

  it('that was purged, trimmed by its limits or thinned out has not gone back', async ({ skip }) => {
    const nats = await start(version, skip)
    const manager = await managerOf(nats)
    await manager.streams.add({ name: 'OPSWIRE', subjects: ['opswire.>'], max_msgs: 150 })
    const store = new MemoryStore()
    const delivery = deliver(store, natsConfig(nats.url))
    await until(() => delivery.pump.state().up, 'open')
    putMany(store, 1, 200)
    await delivery.settled(200)
    let count = 200
    const away = async (): Promise<void> => {
      const ups = delivery.states.filter(state => state.startsWith('up')).length
      await nats.kill()
      await nats.restart()
      await until(() => delivery.states.filter(state => state.startsWith('up')).length > ups, 'open again')
      putMany(store, count + 1, count + 100)
      count += 100
      await delivery.settled(count)
    }
    await manager.streams.deleteMessage('OPSWIRE', 200)
    await away()
    await (await managerOf(nats)).streams.purge('OPSWIRE')
    await away()
    await settle()
    expect(setbacks(delivery.told)).toEqual([])
    expect(delivery.published('ok')).toBe(400)
    expect((await contents(delivery.config, 100)).map(numberOf)).toEqual(
      Array.from({ length: 100 }, (_, index) => index + 301),
    )
  })
})

describe('rows that are kept', () => {
  it('are held while the server is away, and no longer', async ({ skip }) => {
    const nats = await start(NEWEST, skip)
    const store = new MemoryStore()
    const delivery = deliver(store, natsConfig(nats.url))
    expect(store.held).toBe(true)
    store.put(numbered(1))
    store.announce()
    await delivery.settled(1)
    await until(() => !store.held, 'not held')
    await nats.stop()
    await until(() => store.held, 'held')
    await nats.restart()
    await until(() => !store.held, 'not held any more')
  })
})
