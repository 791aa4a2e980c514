import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect, nanos } from '@nats-io/transport-node'
import { afterEach, describe, expect, it } from 'vitest'
import { type RunningNats, startNatsServer } from '../../src/tools/nats-server.ts'
import { untilAnswered } from '../support/asked.ts'
import { Delivery, expectEachOnce, putMany } from '../support/delivery.ts'
import { until } from '../support/manual-clock.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { NEWEST, natsBinary, natsConfig, OLDEST } from '../support/nats.ts'
import { Wire } from '../support/wire.ts'

const teardown: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const step of teardown.splice(0).reverse()) await step()
})

async function server(version: string, skip: (note: string) => never): Promise<RunningNats> {
  const running = await startNatsServer({ binary: await natsBinary(version, skip) })
  teardown.push(() => running.remove())
  return running
}

function deliver(store: MemoryStore, config: Delivery['config']): Delivery {
  const delivery = new Delivery(store, config)
  teardown.push(() => delivery.pump.stop(0))
  return delivery
}

const COUNT = 20_000

describe.each([NEWEST, OLDEST])('delivery to nats-server %s', version => {
  it('brings each of 20,000 events once, in order per object', async ({ skip }) => {
    const nats = await server(version, skip)
    const config = natsConfig(nats.url)
    const store = new MemoryStore()
    putMany(store, 1, COUNT)
    const delivery = deliver(store, config)
    await delivery.settled(COUNT)
    expect(delivery.published('ok')).toBe(COUNT)
    expect(delivery.states).toEqual([`up: 127.0.0.1:${nats.port} (nats-server ${version}), stream OPSWIRE`])
    const apiLevel = version === OLDEST ? undefined : expect.any(Number)
    expect(delivery.told.filter(({ type }) => type === 'sink_server')).toEqual([
      { type: 'sink_server', address: `127.0.0.1:${nats.port}`, version, apiLevel, stream: 'OPSWIRE' },
    ])
    await delivery.pump.stop(5000)
    await expectEachOnce(config, COUNT)
  })

  it.for(['stopped', 'killed'] as const)(
    'brings each once when the server is %s in the burst',
    async (how, { skip }) => {
      const nats = await server(version, skip)
      const config = natsConfig(nats.url)
      const store = new MemoryStore()
      putMany(store, 1, COUNT)
      const delivery = deliver(store, config)
      await delivery.settled(4000)
      await (how === 'stopped' ? nats.stop() : nats.kill())
      expect(store.settled).toBeLessThan(COUNT)
      await until(() => !delivery.pump.state().up, 'the pump notices')
      await nats.restart()
      await delivery.settled(COUNT)
      await delivery.pump.stop(5000)
      await expectEachOnce(config, COUNT)
      expect(delivery.states.some(state => state.startsWith('down: '))).toBe(true)
    },
  )

  it('brings each once when the daemon dies again and again and forgets how far it was', async ({ skip }) => {
    const nats = await server(version, skip)
    const config = natsConfig(nats.url)
    const store = new MemoryStore()
    store.holdFloor = true
    putMany(store, 1, COUNT)
    for (let life = 1; life <= 4; life++) {
      const delivery = new Delivery(store, config)
      await until(() => delivery.published('ok') >= 1500, `life ${life} delivers`)
      // The floor of half of what this life settled got durable; the rest the next life has to find out.
      const floor = store.floor + Math.floor((store.settled - store.floor) / 2)
      const { settled } = store
      await delivery.pump.stop(0)
      store.settled = floor
      store.commitFloor()
      expect(settled).toBeGreaterThan(floor)
    }
    store.holdFloor = false
    const delivery = deliver(store, config)
    await delivery.settled(COUNT)
    expect(delivery.published('duplicate')).toBeGreaterThan(0)
    await delivery.pump.stop(5000)
    await expectEachOnce(config, COUNT)
  })

  it('needs no duplicate window: finds in the stream what an earlier life delivered', async ({ skip }) => {
    const nats = await server(version, skip)
    const config = natsConfig(nats.url, { stream: { create: false } })
    const connection = await connect({ servers: nats.url })
    teardown.push(() => connection.close())
    const manager = await jetstreamManager(connection)
    await manager.streams.add({ name: 'OPSWIRE', subjects: ['opswire.>'], duplicate_window: nanos(100) })
    const store = new MemoryStore()
    store.holdFloor = true
    putMany(store, 1, 1000)
    const first = new Delivery(store, config)
    await first.settled(1000)
    await first.pump.stop(5000)
    // The window has passed when an id that was published after all the others is taken a second time.
    const js = jetstream(connection)
    await js.publish('opswire.raas.x.probe', '{}', { msgID: 'probe' })
    for (;;) {
      const ack = await js.publish('opswire.raas.x.probe', '{}', { msgID: 'probe' })
      if (!ack.duplicate) break
    }
    await manager.streams.purge('OPSWIRE', { filter: 'opswire.raas.>' })
    expect(store.floor).toBe(0)
    const second = deliver(store, config)
    await until(() => second.published('duplicate') === 1000, 'all found in the stream')
    expect(second.published('ok')).toBe(0)
    await second.pump.stop(5000)
    await expectEachOnce(config, 1000)
  })

  it('brings each once when answers are lost on the way', async ({ skip }) => {
    const nats = await server(version, skip)
    const wire = await Wire.to(nats.port)
    teardown.push(() => wire.close())
    const config = natsConfig(`nats://127.0.0.1:${wire.port}`)
    const store = new MemoryStore()
    putMany(store, 1, COUNT)
    const delivery = deliver(store, config)
    const connection = await connect({ servers: nats.url })
    teardown.push(() => connection.close())
    const { streams } = await jetstreamManager(connection)
    for (const settled of [1000, 5000, 9000]) {
      await delivery.settled(settled)
      wire.deaf = true
      const before = store.settled
      await until(() => delivery.pump.state().unanswered === 512, 'a whole window without answers')
      expect(store.settled).toBeLessThanOrEqual(before + 512)
      await untilAnswered(
        () => streams.info('OPSWIRE'),
        ({ state }) => state.messages > store.settled,
        'the stream has what was not answered',
      )
      wire.deaf = false
      wire.cut()
    }
    await delivery.settled(COUNT)
    await delivery.pump.stop(5000)
    await expectEachOnce(natsConfig(nats.url), COUNT)
    expect(delivery.published('duplicate')).toBeGreaterThan(0)
  })
})
