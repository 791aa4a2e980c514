import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/scheduler/clock.ts'
import { type TapOptions, tap } from '../../src/sinks/nats-tap.ts'
import { startNatsServer } from '../../src/tools/nats-server.ts'
import { Delivery, putMany } from '../support/delivery.ts'
import { until } from '../support/manual-clock.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { contents, NEWEST, natsBinary, natsConfig, numberOf, OLDEST } from '../support/nats.ts'

const teardown: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const step of teardown.splice(0).reverse()) await step()
})

describe.each([NEWEST, OLDEST])('the tap on nats-server %s', version => {
  it('begins where it is told, follows what comes, and ends with its signal', async ({ skip }) => {
    const nats = await startNatsServer({ binary: await natsBinary(version, skip) })
    teardown.push(() => nats.remove())
    const config = natsConfig(nats.url)
    const take = async (
      options: Omit<TapOptions, 'signal'>,
      count: number,
      onStart?: () => void,
    ): Promise<number[]> => {
      const numbers: number[] = []
      const done = new AbortController()
      for await (const message of tap(config, { ...options, signal: done.signal })) {
        if (numbers.push(numberOf(message)) === 2) onStart?.()
        if (numbers.length === count) done.abort()
      }
      return numbers
    }
    await expect(take({ from: 'start' }, 1)).rejects.toThrow("can't follow stream OPSWIRE: stream not found")
    const store = new MemoryStore()
    putMany(store, 1, 5)
    const delivery = new Delivery(store, config)
    teardown.push(() => delivery.pump.stop(0))
    await delivery.settled(5)
    const all = await contents(config, 5)
    expect(all.map(({ seq, left }) => [seq, left])).toEqual([1, 2, 3, 4, 5].map(n => [n, 5 - n]))
    expect(all.map(({ id }) => id)).toEqual(store.rows.map(({ id }) => id))
    expect(await take({ from: { seq: 4 } }, 2)).toEqual([4, 5])
    expect(await take({ from: { seq: 4 } }, 4, () => putMany(store, 6, 7))).toEqual([4, 5, 6, 7])
    await delivery.settled(7)
    const last = all.at(-1)?.storedMs ?? 0
    await until(() => systemClock.wall() > last + 1, 'a later time')
    putMany(store, 8, 9)
    await delivery.settled(9)
    const later = await contents(config, 9)
    const sinceMs = later.find(message => numberOf(message) === 8)?.storedMs ?? 0
    const numbers = await take({ from: { sinceMs }, subjects: ['apic.*.event.>'] }, 2)
    expect(numbers.at(-1)).toBe(9)
    expect(numbers).not.toContain(1)
  })

  it('fails when the line is lost, and does not start when told to end', async ({ skip }) => {
    const nats = await startNatsServer({ binary: await natsBinary(version, skip) })
    teardown.push(() => nats.remove())
    const config = natsConfig(nats.url)
    const store = new MemoryStore()
    putMany(store, 1, 1)
    const delivery = new Delivery(store, config)
    await delivery.settled(1)
    await delivery.pump.stop(1000)
    const { signal } = new AbortController()
    const follow = async (): Promise<void> => {
      for await (const message of tap(config, { signal, from: 'start' })) {
        expect(message.seq).toBe(1)
        await nats.kill()
      }
    }
    await expect(follow()).rejects.toThrow('the connection to NATS is gone')
    for await (const message of tap(config, { signal: AbortSignal.abort() })) throw new Error(`got ${message.seq}`)
  })
})
