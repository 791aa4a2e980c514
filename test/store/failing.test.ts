import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import type { Happening } from '../../src/report.ts'
import { openDatabase } from '../../src/store/database.ts'
import { SqliteStore } from '../../src/store/store.ts'
import { ManualClock, settle as turns } from '../support/manual-clock.ts'
import { folder, MIB, opened, watch } from './fixture.ts'
import { append, numberOf, range } from './numbers.ts'

/** A store on a disk of so many pages. */
function onSmallDisk(pages: number) {
  const { database } = openDatabase(join(folder(), 'small.db'), 0)
  database.exec(`PRAGMA max_page_count = ${pages}`)
  const clock = new ManualClock()
  const told: Happening[] = []
  const limits = {
    maxBytes: 64 * MIB,
    retainAckedMs: 0,
    maxDeadLetters: 10,
    clock,
    report: (h: Happening) => told.push(h),
  }
  return { database, clock, told, store: watch(new SqliteStore(database, limits)) }
}

describe('a disk that takes nothing', () => {
  it('full: appends wait, it is said once, tried again ever later, and nothing is lost', async () => {
    const { database, store, clock, told } = onSmallDisk(50)
    const done: number[] = []
    const appends = [1, 2, 3].map(part =>
      store.append(append(range(part * 100, 100, 1000), { cursor: { last: part } })).then(() => done.push(part)),
    )
    await turns()
    expect(done).toEqual([])
    expect(told).toEqual([
      { type: 'store_state', state: 'failing', detail: expect.stringContaining('database or disk is full') },
    ])
    expect(store.read(0, 1)).toEqual([])
    expect(store.cursor('fabric-a', 'class/eventRecord')).toBeUndefined()
    const waits: number[] = []
    for (let attempt = 0; attempt < 9; attempt++) {
      waits.push(clock.next ?? 0)
      await clock.advance(clock.next ?? 0)
    }
    expect(waits).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000])
    expect(told).toHaveLength(1)
    database.exec('PRAGMA max_page_count = 100000')
    await clock.advance(10_000)
    await Promise.all(appends)
    expect(done).toEqual([1, 2, 3])
    expect(told.slice(1)).toEqual([{ type: 'store_state', state: 'recovered', detail: expect.any(String) }])
    expect(store.read(0, 1000).map(numberOf)).toEqual([1, 2, 3].flatMap(part => range(part * 100, 100).map(numberOf)))
    expect(store.cursor('fabric-a', 'class/eventRecord')).toEqual({ last: 3 })
  })

  it('full of delivered rows: trimming them comes first, and lets the waiting append in', async () => {
    const { store, clock, told } = onSmallDisk(75)
    await store.append(append(range(1, 200, 1000)))
    const waiting = store.append(append(range(201, 200, 1000)))
    await turns()
    expect(told).toMatchObject([{ state: 'failing' }])
    store.settle(200)
    await clock.advance(1000)
    expect(await waiting).toMatchObject({ fresh: { length: 200 } })
    expect(store.read(0, 1000).map(numberOf)).toEqual(range(201, 200).map(numberOf))
    expect(told).toMatchObject([{ state: 'failing' }, { state: 'recovered' }])
  })

  it('locked by another program: waits and goes on; an append may be given up meanwhile', async () => {
    const dir = folder()
    const { store, clock, states } = await opened(dir)
    await store.append(append(range(1, 1)))
    const other = new DatabaseSync(join(dir, 'opswire.db'))
    other.exec('BEGIN IMMEDIATE')
    const given = new AbortController()
    const abandoned = store.append(append(range(2, 1)), given.signal)
    const kept = store.append(append(range(3, 1)))
    await turns()
    expect(states()).toEqual(['failing'])
    given.abort(new Error('stopped'))
    await expect(abandoned).rejects.toThrow('stopped')
    other.exec('ROLLBACK')
    other.close()
    await clock.advance(100)
    await kept
    expect(states()).toEqual(['failing', 'recovered'])
    expect(store.read(0, 10).map(numberOf)).toEqual([1, 3])
  })

  it('is found well again though nobody waits any more', async () => {
    const { database, store, clock, told } = onSmallDisk(50)
    const given = new AbortController()
    const abandoned = store.append(append(range(1, 300, 1000)), given.signal)
    await turns()
    given.abort(new Error('stopped'))
    await expect(abandoned).rejects.toThrow('stopped')
    database.exec('PRAGMA max_page_count = 100000')
    await clock.advance(100)
    expect(told).toMatchObject([{ state: 'failing' }, { state: 'recovered' }])
  })

  it('closing gives up what can not be written', async () => {
    const { store } = onSmallDisk(50)
    const waiting = store.append(append(range(1, 300, 1000)))
    const refused = expect(waiting).rejects.toMatchObject({ name: 'Retryable', code: 'store' })
    await turns()
    await store.close()
    await refused
  })
})

describe('the file', () => {
  it('is given back to the file system when a backlog is gone', async () => {
    const { database, store, clock } = onSmallDisk(100_000)
    const pages = (): number => Number(database.prepare('PRAGMA page_count').get()?.['page_count'])
    for (let first = 1; first <= 10_000; first += 1000) await store.append(append(range(first, 1000, 1000)))
    const high = pages()
    expect(high).toBeGreaterThan(1500)
    store.settle(10_000)
    await clock.advance(10_000)
    expect(store.stats().bytes).toBe(0)
    expect(pages()).toBeLessThan(high / 2)
    await store.append(append(range(20_000, 1)))
    expect(store.read(0, 10).map(numberOf)).toEqual([20_000])
  })
})
