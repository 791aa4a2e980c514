/** Limits of a connection that a nats-server can't change under way: the words that tell an operator which one it is. */
import { afterEach, describe, expect, it } from 'vitest'
import { type RunningNats, startNatsServer } from '../../src/tools/nats-server.ts'
import { Delivery, expectEachOnce, putMany } from '../support/delivery.ts'
import { until } from '../support/manual-clock.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { NEWEST, natsBinary, natsConfig, OLDEST } from '../support/nats.ts'

const teardown: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const step of teardown.splice(0).reverse()) await step()
})

async function start(version: string, skip: (note: string) => never, config: string): Promise<RunningNats> {
  const nats = await startNatsServer({ binary: await natsBinary(version, skip), config })
  teardown.push(() => nats.remove())
  return nats
}

async function deliver(version: string, skip: (note: string) => never, config: string): Promise<Delivery> {
  return deliverTo(await start(version, skip, config))
}

function deliverTo(nats: RunningNats, login: Record<string, unknown> = {}): Delivery {
  const store = new MemoryStore()
  putMany(store, 1, 50)
  const delivery = new Delivery(store, natsConfig(nats.url, login))
  teardown.push(() => delivery.pump.stop(0))
  return delivery
}

describe.each([NEWEST, OLDEST])('nats-server %s', version => {
  it('max_subscriptions 1 is too few: it says so at once, and that it is not up', async ({ skip }) => {
    const delivery = await deliver(version, skip, 'max_subscriptions: 1')
    const words = 'down: NATS refuses: maximum subscriptions exceeded: max_subscriptions must be 3 at least'
    await until(() => delivery.states.includes(words), 'the limit is named')
    expect(delivery.states.filter(state => /acknowledgement|heartbeats/.test(state))).toEqual([])
  })

  it('no_header_support: it says so before anything is sent, and that it is not up', async ({ skip }) => {
    const delivery = await deliver(version, skip, 'no_header_support: true')
    await until(() => delivery.states.length > 0, 'it is said')
    expect(delivery.states).toEqual([
      expect.stringMatching(/^down: NATS at 127\.0\.0\.1:\d+ takes no headers: no_header_support must be off$/),
    ])
  })

  it('what the server says as it ends a connection is in the words for that', async ({ skip }) => {
    const nats = await start(version, skip, 'authorization { token: "one" }')
    const delivery = deliverTo(nats, { token: 'one' })
    await delivery.settled(50)
    // Nothing is on its way, so that its words come before the end.
    await nats.reload('authorization { token: "another" }')
    await until(() => delivery.states.length > 1, 'it is said')
    expect(delivery.states[1]).toMatch(/^down: the connection to NATS is gone: .*auth/i)
  })

  it('three are enough, also to look up what is doubtful', async ({ skip }) => {
    const delivery = await deliver(version, skip, 'max_subscriptions: 3')
    await delivery.settled(50)
    await delivery.pump.stop(0)
    // As after a kill: the floor is behind what was sent.
    const store = new MemoryStore()
    putMany(store, 1, 60)
    const again = new Delivery(store, delivery.config)
    teardown.push(() => again.pump.stop(0))
    await again.settled(60)
    await expectEachOnce(delivery.config, 60)
    expect([...delivery.states, ...again.states].filter(state => state.startsWith('down'))).toEqual([])
  })
})
