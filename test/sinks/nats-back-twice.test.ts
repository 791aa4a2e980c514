/** A stream that went back in time, and what may come on top of it: a crash, another publisher, a newer copy, a full store. */
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect, nanos } from '@nats-io/transport-node'
import { afterEach, describe, expect, it } from 'vitest'
import type { Happening } from '../../src/report.ts'
import { startNatsServer } from '../../src/tools/nats-server.ts'
import { Delivery, expectEachOnce, putMany } from '../support/delivery.ts'
import { settle, until } from '../support/manual-clock.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { contents, NEWEST, natsBinary, natsConfig, OLDEST } from '../support/nats.ts'
import { backUp } from '../support/nats-backup.ts'

const teardown: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const step of teardown.splice(0).reverse()) await step()
})

const setbacks = (told: readonly Happening[]): number => told.filter(one => one.type === 'sink_setback').length

async function world(version: string, skip: (note: string) => never, subjects: string[]) {
  const nats = await startNatsServer({ binary: await natsBinary(version, skip) })
  teardown.push(() => nats.remove())
  const client = async () => {
    const connection = await connect({ servers: nats.url })
    teardown.push(() => connection.close())
    return connection
  }
  const manager = await jetstreamManager(await client())
  await manager.streams.add({ name: 'OPSWIRE', subjects, duplicate_window: nanos(100) })
  const copy = (): Promise<() => Promise<void>> => backUp(nats, teardown)
  const store = new MemoryStore()
  const config = natsConfig(nats.url)
  const deliver = (): Delivery => {
    const delivery = new Delivery(store, config)
    teardown.push(() => delivery.pump.stop(0))
    return delivery
  }
  return { nats, store, config, client, copy, deliver }
}

describe.each([NEWEST, OLDEST])('a stream on nats-server %s that went back', version => {
  it('and was written to on subjects that are not ours is known all the same', async ({ skip }) => {
    const { store, config, client, copy, deliver } = await world(version, skip, ['opswire.>', 'other.>'])
    const first = deliver()
    putMany(store, 1, 100)
    await first.settled(100)
    const putBack = await copy()
    putMany(store, 101, 200)
    await first.settled(200)
    await first.pump.stop(5000)
    await putBack()
    const js = jetstream(await client())
    for (let n = 1; n <= 150; n++) await js.publish('other.x', '{}')
    const second = deliver()
    putMany(store, 201, 300)
    await second.settled(300)
    expect(setbacks(second.told)).toBe(1)
    await expectEachOnce(config, 300)
  })
})

it('a stream that puts events under other subjects is searched all the same', async ({ skip }) => {
  const { store, client, deliver } = await world(NEWEST, skip, ['opswire.>'])
  const manager = await jetstreamManager(await client())
  await manager.streams.update('OPSWIRE', { subject_transform: { src: 'opswire.>', dest: 'moved.>' } })
  store.holdFloor = true
  const first = deliver()
  putMany(store, 1, 200)
  await first.settled(200)
  await first.pump.stop(5000)
  const js = jetstream(await client())
  const probe = async () => (await js.publish('opswire._dead.probe', '{}', { msgID: 'probe' })).duplicate
  await probe()
  while (await probe()) await settle()
  await manager.streams.purge('OPSWIRE', { filter: 'moved._dead.probe' })
  const second = deliver()
  putMany(store, 201, 210)
  await second.settled(210)
  expect((await manager.streams.info('OPSWIRE')).state.messages).toBe(210)
})

it('a stream that went back, and is replaced by a newer copy while it gets what it lacks, has nothing twice', async ({
  skip,
}) => {
  const { store, config, copy, deliver } = await world(NEWEST, skip, ['opswire.>'])
  const delivery = deliver()
  putMany(store, 1, 500)
  await delivery.settled(500)
  const older = await copy()
  putMany(store, 501, 3000)
  await delivery.settled(3000)
  const newer = await copy()
  putMany(store, 3001, 3500)
  await delivery.settled(3500)
  await older()
  await until(() => setbacks(delivery.told) === 1, 'it is noticed')
  const ok = delivery.published('ok')
  await until(() => delivery.published('ok') > ok, 'it gets something again')
  await newer()
  putMany(store, 3501, 3600)
  await delivery.settled(3600)
  await until(() => !store.held, 'all is there again')
  expect((await contents(config, 3600)).length).toBe(3600)
  await expectEachOnce(config, 3600)
})
