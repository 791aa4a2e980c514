/** What is unanswered when the line breaks, however long it stays broken, and how much is unanswered at all. */
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect, nanos } from '@nats-io/transport-node'
import { afterEach, describe, expect, it } from 'vitest'
import { startNatsServer } from '../../src/tools/nats-server.ts'
import { untilAnswered } from '../support/asked.ts'
import { Delivery, expectEachOnce, putMany } from '../support/delivery.ts'
import { settle, until } from '../support/manual-clock.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { NEWEST, natsBinary, natsConfig, OLDEST } from '../support/nats.ts'
import { Published } from '../support/published.ts'
import { Wire } from '../support/wire.ts'

const teardown: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const step of teardown.splice(0).reverse()) await step()
})

const PROBE = 'opswire._dead.probe'

describe.each([NEWEST, OLDEST])('an outage of nats-server %s', version => {
  it('that outlasts the duplicate window loses and doubles nothing of what was unanswered, nor of a large backlog', async ({
    skip,
  }) => {
    const nats = await startNatsServer({ binary: await natsBinary(version, skip) })
    teardown.push(() => nats.remove())
    const wire = await Wire.to(nats.port)
    teardown.push(() => wire.close())
    const published = new Published(wire)
    const connection = await connect({ servers: nats.url })
    teardown.push(() => connection.close())
    const { streams } = await jetstreamManager(connection)
    const window = { name: 'OPSWIRE', subjects: ['opswire.>'], duplicate_window: nanos(100) }
    await streams.add(window)
    const js = jetstream(connection)
    const store = new MemoryStore()
    const delivery = new Delivery(store, natsConfig(`nats://127.0.0.1:${wire.port}`))
    teardown.push(() => delivery.pump.stop(0))
    let count = 0
    const put = (more: number): void => {
      putMany(store, count + 1, count + more)
      count += more
    }
    for (const round of [1, 2]) {
      await until(() => delivery.pump.state().up, 'open')
      wire.deaf = true
      put(1000)
      await until(() => delivery.pump.state().unanswered === 512, 'a whole window without answers')
      await untilAnswered(
        () => streams.info('OPSWIRE'),
        ({ state }) => state.messages > store.settled + round,
        'the stream has some of it',
      )
      await wire.refuse()
      await until(() => delivery.pump.state().doubtful > 0, 'doubtful')
      // The server has forgotten all ids that it knew when it takes a later one a second time.
      const id = `probe ${round}`
      const probe = async (): Promise<boolean> => (await js.publish(PROBE, '{}', { msgID: id })).duplicate
      await probe()
      while (await probe()) await settle()
      await streams.purge('OPSWIRE', { filter: PROBE })
      put(5000)
      wire.deaf = false
      await wire.allow()
      await delivery.settled(count)
    }
    await expectEachOnce(natsConfig(nats.url), count)
    expect(count).toBe(12_000)
    expect(delivery.published('duplicate')).toBeGreaterThan(0)
    expect(published.count).toBeGreaterThanOrEqual(count)
    expect(published.most).toBe(1)
  })
})
