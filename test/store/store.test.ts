import { describe, expect, it } from 'vitest'
import type { ManagedObject } from '../../src/record.ts'
import { folder, opened as openedBy } from './fixture.ts'
import { append, numbered, numberOf, range } from './numbers.ts'

function object(key: string, version = ''): ManagedObject {
  return { key, family: 'fvTenant', version, attributes: { dn: key, descr: 'naïve "text"' } }
}

describe.each([
  ['on disk', () => folder(), false],
  ['on disk, with a thread that writes', () => folder(), true],
  ['in memory', () => undefined, false],
])('the store %s', (_, place, thread) => {
  const opened = (where: string | undefined, more: Parameters<typeof openedBy>[1] = {}) =>
    openedBy(where, { thread, ...more })

  it('gives back what was appended, in order and byte for byte', async () => {
    const { store } = await opened(place())
    const events = range(1, 5)
    expect(await store.append(append(events))).toEqual({ fresh: [0, 1, 2, 3, 4], deadKeys: [] })
    const read = store.read(0, 10)
    expect(read.map(event => event.seq)).toEqual([1, 2, 3, 4, 5])
    expect(read.map(({ seq: _seq, body, ...rest }) => ({ ...rest, body: Buffer.from(body) }))).toEqual(events)
    expect(store.read(2, 2).map(numberOf)).toEqual([3, 4])
    expect(store.stats()).toMatchObject({ unacked: 5, lastSeq: 5, floor: 0, oldestMs: events[0]?.recordedMs })
  })

  it('takes an id once: in one append, in a later one, and says which were new', async () => {
    const { store } = await opened(place())
    expect(await store.append(append([numbered(1), numbered(2), numbered(1)]))).toMatchObject({ fresh: [0, 1] })
    expect(await store.append(append([numbered(2), numbered(3)], { source: 'other' }))).toMatchObject({ fresh: [1] })
    expect(store.read(0, 10).map(numberOf)).toEqual([1, 2, 3])
    expect(store.stats().unacked).toBe(3)
  })

  it('commits events, cursor, mirror and dead letters together', async () => {
    const { store } = await opened(place())
    const { deadKeys } = await store.append(
      append(range(1, 2), {
        cursor: { last: 'b', page: 2, done: false, token: null },
        mirror: [
          { key: 'uni/tn-a', object: object('uni/tn-a', 'v1') },
          { key: 'uni/tn-b', object: object('uni/tn-b') },
        ],
        dead: [{ reason: 'not JSON', content: '{"half\u0000' }],
      }),
    )
    expect(store.cursor('fabric-a', 'class/eventRecord')).toEqual({ last: 'b', page: 2, done: false, token: null })
    expect(store.cursor('fabric-b', 'class/eventRecord')).toBeUndefined()
    expect(store.mirror('fabric-a').get('uni/tn-a')).toEqual(object('uni/tn-a', 'v1'))
    expect(store.mirror('fabric-b').get('uni/tn-a')).toBeUndefined()
    const traced = { ...object('uni/tn-a', 'v1'), trace: 'seen' }
    await store.append(append([], { mirror: [{ key: 'uni/tn-a', object: traced }] }))
    expect(store.mirror('fabric-a').get('uni/tn-a')).toEqual(traced)
    expect([...store.mirror('fabric-a').values()]).toContainEqual(traced)
    await store.append(append([], { mirror: [{ key: 'uni/tn-a', object: object('uni/tn-a', 'v1') }] }))
    expect(store.mirror('fabric-a').get('uni/tn-a')).toEqual(object('uni/tn-a', 'v1'))
    expect(store.deadLetters(10)).toMatchObject([
      { key: deadKeys[0], source: 'fabric-a', feed: 'class/eventRecord', reason: 'not JSON', content: '{"half\u0000' },
    ])
    await store.append(
      append([], {
        mirror: [
          { key: 'uni/tn-a', object: null },
          { key: 'uni/tn-b', object: object('uni/tn-b', 'v2') },
        ],
      }),
    )
    expect([...store.mirror('fabric-a').values()]).toEqual([object('uni/tn-b', 'v2')])
  })

  it('walks a large mirror while it is being written', async () => {
    const { store } = await opened(place())
    const keys = Array.from({ length: 1234 }, (_, index) => `uni/tn-${String(index).padStart(4, '0')}`)
    await store.append(append([], { mirror: keys.map(key => ({ key, object: object(key) })) }))
    const seen: string[] = []
    for (const { key } of store.mirror('fabric-a').values()) {
      seen.push(key)
      if (seen.length === 600) await store.append(append(range(1, 1)))
    }
    expect(seen).toEqual(keys)
  })

  it('refuses an append that can not be written and keeps the others of its commit', async () => {
    const { store, states } = await opened(place())
    const bad = { ...numbered(3), recordedMs: Number.NaN }
    const answers = await Promise.allSettled([
      store.append(append([numbered(1)])),
      store.append(append([numbered(2), bad], { cursor: { last: 3 } })),
      store.append(append([numbered(4)])),
      store.append(append([{ ...numbered(5), id: 'xyz' }])),
      store.append(append([numbered(2)])),
    ])
    expect(answers.map(answer => answer.status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
      'fulfilled',
    ])
    expect(store.read(0, 10).map(event => [event.seq, numberOf(event)])).toEqual([
      [1, 1],
      [2, 4],
      [3, 2],
    ])
    expect(store.cursor('fabric-a', 'class/eventRecord')).toBeUndefined()
    expect(states()).toEqual([])
  })

  it('buries an event: it is a dead letter, is not read again and holds nothing up', async () => {
    const { store, clock } = await opened(place(), { retainAckedMs: 0 })
    await store.append(append(range(1, 3, 1000)))
    const second = store.read(1, 1)[0]
    if (second === undefined) throw new Error('nothing to bury')
    const before = store.stats().bytes
    const key = await store.bury(second, 'too large')
    expect(await store.bury(second, 'too large')).toBe(key)
    expect(store.read(0, 10).map(numberOf)).toEqual([1, 3])
    expect(store.stats()).toMatchObject({ unacked: 2, deadLetters: 1 })
    expect(before - store.stats().bytes).toBeGreaterThan(1000)
    const letter = store.deadLetters(1)[0]
    expect(letter).toMatchObject({ key, source: 'fabric-a', feed: 'class/eventRecord', reason: 'too large' })
    expect(letter?.content).toBe(Buffer.from(second.body).toString('utf8'))
    await expect(store.bury({ ...second, seq: 99 }, 'too large')).rejects.toThrow('event 99 is not in the store')
    store.settle(3)
    await clock.advance(60)
    expect(store.stats()).toMatchObject({ unacked: 0, floor: 3, bytes: 0 })
    expect(await store.append(append([numbered(2), numbered(4)]))).toMatchObject({ fresh: [1] })
    expect(store.read(0, 10).map(event => event.seq)).toEqual([4])
  })

  it('keeps the newest dead letters and says how many had to go', async () => {
    const { store, told } = await opened(place(), { maxDeadLetters: 3 })
    const letters = (names: string): { reason: string; content: string }[] =>
      [...names].map(content => ({ reason: 'odd', content }))
    await store.append(append([], { dead: letters('abc') }))
    expect(told).toEqual([])
    await store.append(append([], { source: 'salt', dead: letters('de') }))
    expect(store.deadLetters(10).map(letter => letter.content)).toEqual(['c', 'd', 'e'])
    expect(store.deadLetters(1).map(letter => letter.content)).toEqual(['c'])
    expect(told).toEqual([{ type: 'dead_letters_dropped', source: 'fabric-a', count: 2 }])
    expect(store.stats().deadLetters).toBe(3)
  })

  it('keeps dead letters within a quarter of the limit, too, but always the newest', async () => {
    const { store, told } = await opened(place(), { maxBytes: 4000 })
    const letter = (content: string): { reason: string; content: string } => ({ reason: 'odd', content })
    await store.append(append([], { dead: [letter('a'.repeat(600)), letter('b'.repeat(300))] }))
    await store.append(append([], { dead: [letter('c'.repeat(5000))] }))
    expect(store.deadLetters(10).map(({ bytes }) => bytes)).toEqual([5000])
    expect(told).toEqual([{ type: 'dead_letters_dropped', source: 'fabric-a', count: 2 }])
  })

  it('calls back after a commit that added something or made room', async () => {
    const { store, clock } = await opened(place(), { retainAckedMs: 1000 })
    let calls = 0
    const forget = store.onCommit(() => calls++)
    await store.append(append(range(1, 2)))
    expect(calls).toBe(1)
    await store.append(append([], { cursor: { last: 1 } }))
    expect(calls).toBe(1)
    store.settle(2)
    await clock.advance(50)
    expect([store.floor, calls]).toEqual([2, 1])
    await clock.advance(1100)
    expect([store.stats().bytes, calls]).toEqual([0, 2])
    forget()
    await store.append(append(range(3, 1)))
    expect(calls).toBe(2)
  })

  it('writes a floor by itself within 50 ms, or with the next append', async () => {
    const { store, clock } = await opened(place())
    await store.append(append(range(1, 4)))
    store.settle(2)
    await clock.advance(49)
    expect(store.floor).toBe(0)
    await clock.advance(1)
    expect(store.floor).toBe(2)
    store.settle(3)
    await store.append(append([], { cursor: { last: 1 } }))
    expect(store.floor).toBe(3)
    store.settle(1)
    store.settle(99)
    await clock.advance(50)
    expect(store.floor).toBe(4)
    await store.append(append(range(5, 1)))
    expect(store.stats()).toMatchObject({ floor: 4, lastSeq: 5, unacked: 1 })
  })

  it('writes what waits when it is closed, and takes nothing afterwards', async () => {
    const { store } = await opened(place())
    const waiting = store.append(append(range(1, 3)))
    const closing = store.close()
    expect(store.close()).toBe(closing)
    expect(await waiting).toMatchObject({ fresh: [0, 1, 2] })
    await closing
    await expect(store.append(append(range(4, 1)))).rejects.toMatchObject({ name: 'Retryable', code: 'store' })
    expect(() => store.read(0, 1)).toThrow('the store could not read events')
  })
})

describe('across a restart', () => {
  it('keeps events, floor, cursors, mirror, ids and dead letters', async () => {
    const dir = folder()
    const first = await openedBy(dir)
    await first.store.append(
      append(range(1, 6), {
        cursor: { last: 6 },
        mirror: [{ key: 'uni/tn-a', object: object('uni/tn-a') }],
        dead: [{ reason: 'odd', content: 'x' }],
      }),
    )
    const fifth = first.store.read(4, 1)[0]
    if (fifth === undefined) throw new Error('no fifth event')
    await first.store.bury(fifth, 'too large')
    first.store.settle(2)
    const { bytes } = first.store.stats()
    await first.store.close()

    const { store } = await openedBy(dir)
    expect(store.lostState).toBeUndefined()
    expect(store.stats()).toMatchObject({ unacked: 3, bytes, floor: 2, lastSeq: 6, deadLetters: 2 })
    expect(store.read(store.floor, 10).map(numberOf)).toEqual([3, 4, 6])
    expect(store.cursor('fabric-a', 'class/eventRecord')).toEqual({ last: 6 })
    expect(store.mirror('fabric-a').get('uni/tn-a')).toEqual(object('uni/tn-a'))
    expect(await store.append(append(range(5, 4)))).toMatchObject({ fresh: [2, 3] })
    expect(store.read(6, 10).map(event => event.seq)).toEqual([7, 8])
  })

  it('never gives a seq twice, even when every row was trimmed', async () => {
    const dir = folder()
    const first = await openedBy(dir, { retainAckedMs: 0 })
    await first.store.append(append(range(1, 3)))
    first.store.settle(3)
    await first.clock.advance(100)
    expect(first.store.read(0, 10)).toEqual([])
    await first.store.close()
    const { store } = await openedBy(dir)
    await store.append(append(range(4, 1)))
    expect(store.read(0, 10).map(event => [event.seq, numberOf(event)])).toEqual([[4, 4]])
  })

  it('keeps acked rows for the whole time again', async () => {
    const dir = folder()
    const first = await openedBy(dir, { retainAckedMs: 60_000 })
    await first.store.append(append(range(1, 3)))
    first.store.settle(2)
    await first.clock.advance(59_000)
    await first.store.close()
    const { store, clock } = await openedBy(dir, { retainAckedMs: 60_000 })
    await clock.advance(59_000)
    expect(store.read(0, 10).map(numberOf)).toEqual([1, 2, 3])
    await clock.advance(3_000)
    expect(store.read(0, 10).map(numberOf)).toEqual([3])
  })
})

describe('retention', () => {
  it('trims acked rows in small steps, whole, and no unacked one', async () => {
    const { store, clock } = await openedBy(folder(), { retainAckedMs: 60_000 })
    for (let first = 1; first <= 5000; first += 500) await store.append(append(range(first, 500)))
    store.settle(4500)
    await clock.advance(60_000)
    expect(store.stats().bytes).toBeGreaterThan(0)
    expect(store.read(0, 1).map(numberOf)).toEqual([1])
    await clock.advance(5_000)
    expect(store.read(0, 10_000).map(numberOf)).toEqual(Array.from({ length: 500 }, (_, index) => 4501 + index))
    store.settle(5000)
    await clock.advance(65_000)
    expect(store.stats()).toMatchObject({ unacked: 0, bytes: 0, floor: 5000 })
  })

  it('takes no notice of a wall clock that jumps by years', async () => {
    const { store, clock } = await openedBy(folder(), { retainAckedMs: 60_000 })
    await store.append(append(range(1, 3)))
    store.settle(1)
    await clock.advance(50)
    clock.stepWall(10 * 365 * 86_400_000)
    await clock.advance(30_000)
    expect(store.read(0, 10).map(numberOf)).toEqual([1, 2, 3])
    expect(await store.append(append(range(1, 3)))).toMatchObject({ fresh: [] })
    clock.stepWall(-20 * 365 * 86_400_000)
    await clock.advance(40_000)
    expect(store.read(0, 10).map(numberOf)).toEqual([2, 3])
    expect(await store.append(append(range(1, 3)))).toMatchObject({ fresh: [] })
  })
})
