/** What is acked: how long it stays, and how far the sink was. */
import { describe, expect, it } from 'vitest'
import { settle as turns } from '../support/manual-clock.ts'
import { folder, opened } from './fixture.ts'
import { append, numberOf, range } from './numbers.ts'

const MINUTE = 60_000
/** Room for ten events of 1,000 bytes, and a bit. */
const TEN = 10 * 1700

const kept = (store: Awaited<ReturnType<typeof opened>>['store']): number[] => store.read(0, 100).map(numberOf)

describe('the mark of the sink', () => {
  it('is durable with the floor that it came with, and not before', async () => {
    const dir = folder()
    const first = await opened(dir)
    expect(first.store.marks()).toEqual({ acked: undefined, trimmed: undefined })
    await first.store.append(append(range(1, 10)))
    first.store.settle(3, { at: 103 })
    first.store.settle(5, { at: 105 })
    expect([first.store.floor, first.store.marks().acked]).toEqual([0, undefined])
    await first.clock.advance(100)
    expect([first.store.floor, first.store.marks().acked]).toEqual([5, { at: 105 }])
    first.store.settle(5)
    first.store.settle(4, { at: 104 })
    await first.clock.advance(100)
    expect(first.store.marks().acked).toEqual({ at: 105 })
    await first.store.close()
    const second = await opened(dir)
    expect([second.store.floor, second.store.marks().acked]).toEqual([5, { at: 105 }])
  })

  it('of the newest rows that were trimmed stays when they are gone, also those of an earlier process', async () => {
    const dir = folder()
    const first = await opened(dir, { retainAckedMs: MINUTE })
    await first.store.append(append(range(1, 10)))
    first.store.settle(3, { at: 103 })
    await first.clock.advance(40_000)
    first.store.settle(6, { at: 106 })
    await first.clock.advance(30_000)
    expect([kept(first.store)[0], first.store.marks().trimmed]).toEqual([4, { at: 103 }])
    await first.store.close()
    const second = await opened(dir, { retainAckedMs: MINUTE })
    await second.clock.advance(50_000)
    expect([kept(second.store)[0], second.store.marks().trimmed]).toEqual([4, { at: 103 }])
    await second.clock.advance(20_000)
    expect([kept(second.store)[0], second.store.marks().trimmed]).toEqual([7, { at: 106 }])
  })
})

describe('acked rows', () => {
  it('stay while they are held, and for the rest of their time after that', async () => {
    const { store, clock } = await opened(folder(), { retainAckedMs: MINUTE })
    await store.append(append(range(1, 10)))
    store.settle(5, { at: 5 })
    await clock.advance(50_000)
    store.holdAcked(true)
    await clock.advance(60 * MINUTE)
    expect(kept(store)[0]).toBe(1)
    expect(clock.waiting).toBe(0)
    store.holdAcked(false)
    await clock.advance(5000)
    expect(kept(store)[0]).toBe(1)
    await clock.advance(10_000)
    expect(kept(store)[0]).toBe(6)
  })

  it('that are held make room in a full store when their time is over, and not before', async () => {
    const { store, clock } = await opened(folder(), { maxBytes: TEN, retainAckedMs: MINUTE })
    store.holdAcked(true)
    await store.append(append(range(1, 9, 1000)))
    store.settle(4, { at: 4 })
    await clock.advance(1000)
    let done = false
    void store.append(append(range(10, 3, 1000))).then(() => {
      done = true
    })
    await clock.advance(55_000)
    expect([done, kept(store)[0]]).toEqual([false, 1])
    await clock.advance(10_000)
    expect([done, kept(store)[0], store.marks().trimmed]).toEqual([true, 5, { at: 4 }])
  })

  it('stay for the whole time again when they were acked once more', async () => {
    const { store, clock } = await opened(folder(), { retainAckedMs: MINUTE })
    await store.append(append(range(1, 10)))
    store.settle(5, { at: 105 })
    await clock.advance(50_000)
    store.settle(5, { at: 25 })
    await clock.advance(100)
    expect(store.marks().acked).toEqual({ at: 25 })
    await clock.advance(50_000)
    expect(kept(store)[0]).toBe(1)
    await clock.advance(15_000)
    await turns()
    expect([kept(store)[0], store.marks().trimmed]).toEqual([6, { at: 25 }])
  })
})
