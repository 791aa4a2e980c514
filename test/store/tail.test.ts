import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, it } from 'vitest'
import type { EventRecord } from '../../src/record.ts'
import { Tail } from '../../src/store/tail.ts'
import { folder, opened } from './fixture.ts'
import { append, numberOf, range } from './numbers.ts'

function records(first: number, count: number, bytes = 10): EventRecord[] {
  return Array.from({ length: count }, (_, index) => {
    const seq = first + index
    return { seq, id: `${seq}`, subject: 's', partitionkey: 'p', recordedMs: seq, body: new Uint8Array(bytes) }
  })
}

const seqs = (read: EventRecord[] | undefined) => read?.map(record => record.seq)

it('answers from memory only when it has all that is asked for', () => {
  const tail = new Tail(100)
  expect(tail.read(0, 5)).toBeUndefined()
  tail.push(records(1, 8))
  expect(seqs(tail.read(0, 3))).toEqual([1, 2, 3])
  expect(seqs(tail.read(6, 5))).toEqual([7, 8])
  expect(tail.read(8, 5)).toEqual([])
  tail.push(records(9, 6))
  // 14 events of 10 bytes: the oldest four had to go.
  expect(tail.read(3, 5)).toBeUndefined()
  expect(seqs(tail.read(4, 2))).toEqual([5, 6])
  tail.drop(12)
  expect([tail.size, tail.read(11, 1), seqs(tail.read(12, 9))]).toEqual([2, undefined, [13, 14]])
  tail.drop(14)
  expect([tail.size, tail.read(14, 1)]).toEqual([0, undefined])
})

it('keeps one event however large, and stays whole over thousands', () => {
  const tail = new Tail(100)
  tail.push(records(1, 1, 1000))
  expect(seqs(tail.read(0, 5))).toEqual([1])
  for (let seq = 2; seq <= 6000; seq += 7) {
    tail.push(records(seq, 7))
    expect(seqs(tail.read(seq - 1, 100))).toEqual(seqs(records(seq, 7)))
    expect(tail.size).toBeLessThanOrEqual(10)
  }
})

it('what was just committed is read without the file; the rest, and what was buried, by the file', async () => {
  const dir = folder()
  const { store, clock } = await opened(dir, { retainAckedMs: 0 })
  await store.append(append(range(1, 20)))
  const other = new DatabaseSync(join(dir, 'opswire.db'))
  const inFile = (): unknown => other.prepare('SELECT count(*) AS n FROM events').get()?.['n']
  // Somebody takes the rows away: what is in memory is still told, so it did not come from the file.
  other.exec('DELETE FROM events WHERE seq > 10')
  expect([inFile(), store.read(0, 100).map(numberOf)]).toEqual([10, range(1, 20).map(numberOf)])
  const third = store.read(2, 1)[0]
  if (third === undefined) throw new Error('no event')
  await store.bury(third, 'too large')
  expect(store.read(0, 100).map(numberOf)).toEqual([1, 2, ...range(4, 7).map(numberOf)])
  await store.append(append(range(21, 2)))
  expect(store.read(20, 100).map(event => [event.seq, numberOf(event)])).toEqual([
    [21, 21],
    [22, 22],
  ])
  store.settle(22)
  await clock.advance(100)
  expect(store.read(0, 100)).toEqual([])
  other.close()
})
