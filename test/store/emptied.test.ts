/** The file of an open store emptied in its place (`: > opswire.db`), with and without its log: what it held is gone, and that is said. */
import { truncateSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { LostState } from '../../src/store/database.ts'
import { folder, opened } from './fixture.ts'
import { append, numberOf, range } from './numbers.ts'

it.each([
  ['the database', ['opswire.db'], false],
  ['the database, with a thread', ['opswire.db'], true],
  ['the database and its log', ['opswire.db', 'opswire.db-wal'], false],
  ['the database and its log, with a thread', ['opswire.db', 'opswire.db-wal'], true],
] as const)('%s', async (_, names, thread) => {
  const dir = folder()
  const lost: LostState[] = []
  const { store, clock, states } = await opened(dir, { thread, onLostState: state => lost.push(state) })
  // 30 MB: no page cache holds it.
  for (let first = 1; first <= 3600; first += 400) {
    await store.append(append(range(first, 400, 8000), { cursor: { last: first + 399 } }))
  }
  for (const name of names) truncateSync(join(dir, name), 0)
  expect(() => store.read(0, 3600)).toThrow()
  const waiting = store.append(append(range(4001, 5), { cursor: { last: 4005 } }))
  await clock.advance(5000)
  await waiting
  expect(states()).toEqual(['failing', 'recovered'])
  expect(lost).toMatchObject([{ movedTo: expect.stringContaining('.damaged-'), reason: expect.stringMatching(/./) }])
  // Nobody who holds rows of the old one has to learn other numbers.
  expect(store.read(0, 10).map(event => [event.seq, numberOf(event)])).toEqual(
    [1, 2, 3, 4, 5].map(n => [3600 + n, 4000 + n]),
  )
})
