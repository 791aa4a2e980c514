import { describe, expect, it } from 'vitest'
import { settle as turns } from '../support/manual-clock.ts'
import { folder, opened } from './fixture.ts'
import { append, numberOf, range } from './numbers.ts'

/** Room for ten of these events, and a bit. */
const PADDING = 1000
const TEN = 10 * 1700

function follow(promise: Promise<unknown>): { done: boolean; error: unknown } {
  const state: { done: boolean; error: unknown } = { done: false, error: undefined }
  promise.then(
    () => {
      state.done = true
    },
    (error: unknown) => {
      state.error = error
    },
  )
  return state
}

describe('the byte limit', () => {
  it('makes appends wait until acked rows are trimmed', async () => {
    const { store, clock, states } = await opened(folder(), { maxBytes: TEN, retainAckedMs: 60_000 })
    await store.append(append(range(1, 9, PADDING)))
    const waiting = follow(store.append(append(range(10, 3, PADDING))))
    await turns()
    expect(waiting.done).toBe(false)
    expect(states()).toEqual(['full'])
    store.settle(5)
    await clock.advance(50_000)
    expect(waiting.done).toBe(false)
    await clock.advance(15_000)
    expect(waiting.done).toBe(true)
    expect(store.read(store.floor, 100).map(numberOf)).toEqual([6, 7, 8, 9, 10, 11, 12])
    expect(states()).toEqual(['full', 'ok'])
    expect(store.stats().bytes).toBeLessThanOrEqual(TEN)
  })

  it('lets sources that can not be asked again go on to 110 %', async () => {
    const { store, clock, states } = await opened(folder(), { maxBytes: TEN, retainAckedMs: 0 })
    await store.append(append(range(1, 10, PADDING)))
    const poller = follow(store.append(append(range(100, 1, PADDING))))
    await store.append(append(range(11, 1, PADDING), { source: 'push', overdraft: true }))
    const { bytes } = store.stats()
    expect(bytes).toBeGreaterThan(TEN)
    expect(bytes).toBeLessThanOrEqual(TEN * 1.1)
    const pusher = follow(store.append(append(range(12, 1, PADDING), { source: 'push', overdraft: true })))
    await turns()
    expect([poller.done, pusher.done, store.stats().bytes]).toEqual([false, false, bytes])
    expect(states()).toEqual(['full'])
    store.settle(11)
    await clock.advance(100)
    expect([poller.done, pusher.done]).toEqual([true, true])
    expect(states()).toEqual(['full', 'ok'])
  })

  it('lets acked rows go before their time for a source that can not be asked again, and for no other', async () => {
    const { store, clock } = await opened(folder(), { maxBytes: TEN, retainAckedMs: 60_000 })
    await store.append(append(range(1, 10, PADDING)))
    await store.append(append(range(11, 1, PADDING), { source: 'push', overdraft: true }))
    store.holdAcked(true)
    store.settle(4, { at: 4 })
    await clock.advance(100)
    const poller = follow(store.append(append(range(100, 1, PADDING))))
    await clock.advance(1000)
    expect([poller.done, store.read(0, 1).map(numberOf), store.full]).toEqual([false, [1], true])
    const pusher = follow(store.append(append(range(12, 1, PADDING), { source: 'push', overdraft: true })))
    await clock.advance(1000)
    expect([pusher.done, store.read(0, 1).map(numberOf), store.marks().trimmed]).toEqual([true, [5], { at: 4 }])
  })

  it('what is sent once more and finds no room does not hold back what its source tells now', async () => {
    const { store, clock } = await opened(folder(), { maxBytes: TEN, retainAckedMs: 0 })
    await store.append(append(range(1, 10, PADDING)))
    const again = follow(store.append(append(range(3, 2, PADDING), { againAfter: 10 })))
    const live = follow(store.append(append(range(11, 1, PADDING), { overdraft: true })))
    await turns()
    expect([again.done, live.done]).toEqual([false, true])
    store.settle(11)
    await clock.advance(100)
    expect(again.done).toBe(true)
    expect(store.read(11, 100).map(numberOf)).toEqual([3, 4])
  })

  it('keeps the order of a source, and lets appends through that add no events', async () => {
    const { store, clock } = await opened(folder(), { maxBytes: TEN, retainAckedMs: 0 })
    await store.append(append(range(1, 10, PADDING)))
    const large = follow(store.append(append(range(11, 4, PADDING))))
    const small = follow(store.append(append(range(15, 1))))
    const cursor = follow(store.append(append([], { cursor: { last: 15 } })))
    const otherSmall = follow(store.append(append(range(16, 1), { source: 'salt' })))
    await store.append(append([], { source: 'cloud', cursor: { last: 1 } }))
    expect([large.done, small.done, cursor.done, otherSmall.done]).toEqual([false, false, false, false])
    store.settle(2)
    await clock.advance(100)
    // There is room for the small ones; they must not pass the large one for ever.
    expect([large.done, small.done, otherSmall.done]).toEqual([false, false, false])
    store.settle(10)
    await clock.advance(100)
    expect([large.done, small.done, cursor.done, otherSmall.done]).toEqual([true, true, true, true])
    expect(store.read(10, 100).map(numberOf)).toEqual([11, 12, 13, 14, 15, 16])
  })

  it('takes an append that is larger than the whole limit once a quarter is free', async () => {
    const { store, clock } = await opened(folder(), { maxBytes: TEN, retainAckedMs: 0 })
    await store.append(append(range(1, 8, PADDING)))
    const giant = follow(store.append(append(range(9, 20, PADDING))))
    await turns()
    expect(giant.done).toBe(false)
    store.settle(3)
    await clock.advance(100)
    expect(giant.done).toBe(true)
  })

  it('ends a waiting append with the reason of its signal, and lets those behind it go', async () => {
    const { store } = await opened(folder(), { maxBytes: TEN })
    await store.append(append(range(1, 8, PADDING)))
    const stopped = new AbortController()
    const large = follow(store.append(append(range(20, 5, PADDING)), stopped.signal))
    const small = follow(store.append(append(range(30, 1))))
    await turns()
    expect([large.done, small.done]).toEqual([false, false])
    const reason = new Error('the source was stopped')
    stopped.abort(reason)
    await turns()
    expect(large.error).toBe(reason)
    expect(small.done).toBe(true)
    await expect(store.append(append(range(40, 1)), stopped.signal)).rejects.toBe(reason)
    expect(store.read(8, 10).map(numberOf)).toEqual([30])
  })

  it('counts what is in the file at the start, and rejects what still waits when it is closed', async () => {
    const dir = folder()
    const first = await opened(dir, { maxBytes: TEN })
    await first.store.append(append(range(1, 10, PADDING)))
    await first.store.close()
    const { store, states } = await opened(dir, { maxBytes: TEN / 2 })
    expect(states()).toEqual(['full'])
    const waiting = follow(store.append(append(range(11, 1))))
    await turns()
    await store.close()
    await turns()
    expect(waiting.error).toMatchObject({ name: 'Retryable', code: 'store' })
  })
})
