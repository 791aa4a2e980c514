/** The file of an open store emptied in its place (`: > opswire.db`), with and without its log: what it held is gone, and that is said. */
import { truncateSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, it } from 'vitest'
import type { LostState } from '../../src/store/database.ts'
import { type ManualClock, until } from '../support/manual-clock.ts'
import { folder, opened } from './fixture.ts'
import { append, numberOf, range } from './numbers.ts'

/** How many events there were: where that falls between two checkpoints decides what SQLite itself notices. */
const COUNTS = [2800, 3600, 4000, 5200]

const CASES = [
  ['the database', ['opswire.db'], false],
  ['the database, with a thread', ['opswire.db'], true],
  ['the database and its log', ['opswire.db', 'opswire.db-wal'], false],
  ['the database and its log, with a thread', ['opswire.db', 'opswire.db-wal'], true],
] as const

it.each(CASES.flatMap(([title, names, thread]) => COUNTS.map(count => ({ title, names, thread, count }))))(
  '$title, after $count events',
  async ({ names, thread, count }) => {
    const dir = folder()
    const lost: LostState[] = []
    const { store, clock, states } = await opened(dir, { thread, onLostState: state => lost.push(state) })
    // 30 MB: no page cache holds it.
    for (let first = 1; first <= count; first += 400) {
      await store.append(append(range(first, 400, 8000), { cursor: { last: first + 399 } }))
    }
    for (const name of names) truncateSync(join(dir, name), 0)
    expect(() => store.read(0, count)).toThrow()
    const waiting = store.append(append(range(10_001, 5), { cursor: { last: 10_005 } }))
    await clock.advance(5000)
    await waiting
    expect(states()).toEqual(['failing', 'recovered'])
    expect(lost).toMatchObject([{ movedTo: expect.stringContaining('.damaged-'), reason: expect.stringMatching(/./) }])
    // Nobody who holds rows of the old one has to learn other numbers.
    expect(store.read(0, 10).map(event => [event.seq, numberOf(event)])).toEqual(
      [1, 2, 3, 4, 5].map(n => [count + n, 10_000 + n]),
    )
  },
)

/** A store with `count` events, and what empties its files. */
async function filled(count: number, thread: boolean) {
  const dir = folder()
  const lost: LostState[] = []
  const all = await opened(dir, { thread, onLostState: state => lost.push(state) })
  for (let first = 1; first <= count; first += 400) await all.store.append(append(range(first, 400, 8000)))
  const empty = (names: readonly string[]): void => {
    for (const name of names) truncateSync(join(dir, name), 0)
  }
  return { ...all, dir, lost, empty }
}

/** Turns the clock until that is written. */
async function written(clock: ManualClock, waiting: Promise<unknown>): Promise<void> {
  let done = false
  const end = waiting.then(() => {
    done = true
  })
  while (!done) await clock.advance(1000)
  await end
}

const BOTH = ['opswire.db', 'opswire.db-wal']
const WAYS = [['opswire.db'], ['opswire.db-wal'], BOTH].flatMap(names =>
  [false, true].flatMap(thread => [1, 400].map(size => ({ names, thread, size }))),
)

it.each(WAYS)('nobody reads: $names, thread: $thread, then appends of $size', async ({ names, thread, size }) => {
  const { store, clock, dir, lost, empty } = await filled(4000, thread)
  empty(names)
  // With 400 it is 19 MB, and the log is written back in between.
  for (let first = 10_001; first <= 10_001 + 5 * size; first += size) {
    await written(clock, store.append(append(range(first, size, 8000))))
    expect(lost).toHaveLength(1)
  }
  await store.close()
  const { store: next } = await opened(dir)
  expect(next.lostState).toBeUndefined()
  expect(next.read(0, 10_000).map(numberOf)).toEqual(Array.from({ length: 6 * size }, (_, index) => 10_001 + index))
})

it.each([['opswire.db'], ['opswire.db-wal'], BOTH].flatMap(names => [1, 2, 3, 4, 5].map(nth => ({ names, nth }))))(
  '$names, while the thread writes its transaction number $nth',
  async ({ names, nth }) => {
    const { store, clock, dir, lost, empty } = await filled(3200, true)
    for (let n = 1; n <= 10; n++) {
      const waiting = store.append(append(range(10_000 + n * 300, 300, 8000)))
      if (n === nth) {
        const turning = clock.advance(10)
        await until(() => store.thread === 'writing', 'something to be written')
        empty(names)
        await turning
      }
      await written(clock, waiting)
    }
    await store.close()
    const { store: next } = await opened(dir)
    expect(next.lostState).toBeUndefined()
    const there = next.read(0, 10_000).map(numberOf)
    // All of it, or it was said: then what was appended after that.
    const complete = [...range(1, 3200), ...range(10_300, 3000)].map(numberOf)
    const after = complete.slice(-there.length)
    expect(there).toEqual(after)
    if (there.length < complete.length) expect(lost).toHaveLength(1)
    expect(there.length).toBeGreaterThanOrEqual((10 - nth) * 300)
  },
)

it.each([true, false])('nothing is written: it is noticed within a second, with a thread: %s', async thread => {
  const { store, clock, lost, states, empty } = await filled(400, thread)
  store.look()
  empty(BOTH)
  await clock.advance(1000)
  store.look()
  expect(states()).toEqual(['failing'])
  await clock.advance(1000)
  expect(states()).toEqual(['failing', 'recovered'])
  expect(lost).toHaveLength(1)
})

it('emptied while nobody has it open: said at the start', async () => {
  const { store, dir, empty } = await filled(400, false)
  await store.close()
  empty(['opswire.db'])
  const { store: next } = await opened(dir)
  expect(next.lostState).toMatchObject({ reason: 'the file is empty' })
})

it('another program that writes back and empties the log does no harm', async () => {
  const { store, clock, dir, states } = await filled(400, true)
  const another = new DatabaseSync(join(dir, 'opswire.db'))
  expect({ ...another.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() }).toEqual({ busy: 0, log: 0, checkpointed: 0 })
  another.close()
  await clock.advance(1000)
  store.look()
  await store.append(append(range(401, 5)))
  expect(states()).toEqual([])
})
