/** The store whose appends a thread of its own writes: what can happen to a thread. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Happening } from '../../src/report.ts'
import { openDatabase } from '../../src/store/database.ts'
import { Scribe } from '../../src/store/scribe.ts'
import { Settled } from '../../src/store/settled.ts'
import { SqliteStore } from '../../src/store/store.ts'
import { play, Tape, type Value } from '../../src/store/tape.ts'
import { settle as turns, until } from '../support/manual-clock.ts'
import { folder, MIB, opened, watch } from './fixture.ts'
import { append, numberOf, range } from './numbers.ts'

const numbers = (first: number, count: number): number[] => range(first, count).map(numberOf)

/** A store with a thread, and that thread. */
async function threaded(dir = folder()) {
  const begun = new Promise<Worker>(resolve => process.once('worker', resolve))
  const all = await opened(dir, { thread: true })
  return { ...all, dir, worker: await begun }
}

/** Turn by turn, for it may be written within a millisecond: resolves in the turn in which the thread got it. */
async function taken(store: SqliteStore): Promise<void> {
  while (store.thread !== 'writing') await new Promise<void>(resolve => setImmediate(resolve))
}

const advice = (told: readonly Happening[]): string[] =>
  told.flatMap(one => (one.type === 'advice' && one.source === 'store' ? [one.text] : []))

it('a tape gives back every write as it was, and its memory serves for the next one', () => {
  const value = fc.oneof(fc.string({ unit: 'binary' }), fc.double({ noNaN: true }), fc.constant(null), fc.uint8Array())
  const write = fc.tuple(fc.constantFrom('INSERT a', 'INSERT b', 'DELETE c'), fc.array(value, { maxLength: 5 }))
  const tape = new Tape()
  fc.assert(
    fc.property(fc.array(write, { maxLength: 40 }), writes => {
      for (const [statement, values] of writes) tape.add(statement, values)
      const recorded = tape.take()
      const played: [string, Value[]][] = []
      play(recorded, (statement, values) =>
        played.push([statement, values.map(one => (one instanceof Uint8Array ? Uint8Array.from(one) : one))]),
      )
      expect(played).toEqual(writes)
      expect(tape.empty).toBe(true)
      tape.reuse(recorded.bytes)
    }),
  )
})

it('a long text stays bytes for a statement that casts its texts, and is the same text in the file', async () => {
  const tape = new Tape()
  const long = 'ä'.repeat(200)
  for (const statement of ['a CAST(? AS TEXT)', 'b ?'])
    for (const text of ['short', long, long]) tape.add(statement, [text])
  const played: [string, Value | undefined][] = []
  play(tape.take(), (statement, [value]) => played.push([statement, value instanceof Uint8Array ? 'bytes' : value]))
  expect(played.map(([, value]) => value)).toEqual(['short', 'bytes', 'bytes', 'short', long, long])
  const { store, dir } = await threaded()
  const object = (key: string) => ({
    ...{ key, family: 'fvTenant', version: '1' },
    attributes: { dn: key, descr: `${'ä€😀\u0000"'.repeat(300)}${key.slice(0, 3)}` },
  })
  const objects = [object('uni/tn-a'), object(`uni/${'long'.repeat(200)}`), object('uni/tn-ü')]
  await store.append(append(range(1, 1), { mirror: objects.map(one => ({ key: one.key, object: one })) }))
  await store.append(append(range(2, 1), { mirror: objects.map(one => ({ key: one.key, object: one })) }))
  const held = () => [...store.mirror('fabric-a').values()]
  expect(held()).toEqual(expect.arrayContaining(objects))
  expect(held()).toHaveLength(3)
  await store.close()
  const again = await opened(dir)
  await again.store.append(append(range(3, 1), { mirror: [{ key: 'uni/tn-b', object: object('uni/tn-b') }] }))
  expect([...again.store.mirror('fabric-a').values()]).toEqual(expect.arrayContaining([...objects, object('uni/tn-b')]))
  const file = new DatabaseSync(join(dir, 'opswire.db'))
  expect(file.prepare('SELECT DISTINCT typeof(key), typeof(attributes) FROM mirror').all()).toHaveLength(1)
  file.close()
})

it('the main thread goes on while it writes; answers come in the order of the appends, and nothing is read before', async () => {
  const { store } = await threaded()
  const answered: number[] = []
  const appends = [1, 2, 3].map(part =>
    store.append(append(range(part * 10, 10), { source: `s${part}` })).then(() => answered.push(part)),
  )
  await taken(store)
  expect([answered, store.read(0, 100), store.ids(0, 100), store.stats().lastSeq]).toEqual([[], [], [], 0])
  appends.push(store.append(append(range(40, 10))).then(() => answered.push(4)))
  await Promise.all(appends)
  expect(answered).toEqual([1, 2, 3, 4])
  expect(store.read(0, 100).map(numberOf)).toEqual(numbers(10, 40))
})

it('closing waits for what is being written, and an append that is given up meanwhile is still durable', async () => {
  const { store, dir } = await threaded()
  const given = new AbortController()
  const first = store.append(append(range(1, 400, 2000)), given.signal)
  await taken(store)
  given.abort(new Error('stopped'))
  const second = store.append(append(range(401, 5)))
  await store.close()
  expect(await first).toMatchObject({ fresh: { length: 400 } })
  expect(await second).toMatchObject({ fresh: { length: 5 } })
  expect((await opened(dir)).store.read(0, 1000).map(numberOf)).toEqual(numbers(1, 405))
})

it('killed in the midst, again and again: each event is there once, it is said, and another thread takes over', async () => {
  const { store, clock, told, states, dir, worker: firstWorker } = await threaded()
  let worker = firstWorker
  let next = 1
  for (let round = 1; round <= 8; round++) {
    const appends: Promise<{ fresh: readonly number[] }>[] = []
    for (let part = 0; part < 6; part++, next += 60) {
      const mirror = [{ key: 'k', object: { key: 'k', family: 'f', version: String(next), attributes: {} } }]
      appends.push(store.append(append(range(next, 60, 1000), { cursor: { last: next + 59 }, mirror })))
      if (part === 2) await taken(store)
    }
    // At another point of its work each time.
    for (let turn = 0; turn < round * round; turn++) await new Promise<void>(resolve => setImmediate(resolve))
    await worker.terminate()
    const done = await Promise.all(appends)
    expect(done.map(({ fresh }) => fresh.length)).toEqual(done.map(() => 60))
    expect(advice(told)).toHaveLength(round)
    expect(store.cursor('fabric-a', 'class/eventRecord')).toEqual({ last: next - 1 })
    // What this thread writes meanwhile.
    await store.append(append(range(next, 1)))
    next += 1
    const begun = new Promise<Worker>(resolve => process.once('worker', resolve))
    await clock.advance(60_000)
    await store.append(append(range(next, 1)))
    next += 1
    worker = await begun
    await until(() => store.thread === 'idle', 'another thread')
  }
  expect(advice(told)[0]).toContain('the thread that writes the store ended: code 1; the main thread writes until')
  expect(states()).toEqual([])
  const all = numbers(1, next - 1)
  expect(store.read(0, 10_000).map(numberOf)).toEqual(all)
  expect(await store.append(append(range(1, 500)))).toEqual({ fresh: [], deadKeys: [] })
  await store.close()
  const again = (await opened(dir)).store
  expect(again.read(0, 10_000).map(event => [event.seq, numberOf(event)])).toEqual(all.map(n => [n, n]))
})

it('one that can not be started is said, and the main thread writes', async () => {
  const path = join(folder(), 'opswire.db')
  const { database } = openDatabase(path, 0)
  const told: Happening[] = []
  const { clock } = await opened(undefined)
  const limits = {
    ...{ maxBytes: 64 * MIB, retainAckedMs: 0, maxDeadLetters: 10, clock },
    report: (one: Happening) => told.push(one),
  }
  const threadFor = join(folder(), 'not-there', 'opswire.db')
  const store = watch(new SqliteStore(database, limits, { threadFor }))
  await until(() => advice(told).length > 0, 'it is said')
  expect(advice(told)[0]).toContain('unable to open database file')
  await store.append(append(range(1, 3)))
  expect(store.read(0, 10).map(numberOf)).toEqual([1, 2, 3])
})

it('a disk that is full: appends wait, it is said once, and all is written when there is room', async () => {
  const path = join(folder(), 'opswire.db')
  const { database } = openDatabase(path, 0)
  // The thread takes over the bound.
  database.exec('PRAGMA max_page_count = 60')
  const told: Happening[] = []
  const { clock } = await opened(undefined)
  const limits = {
    ...{ maxBytes: 64 * MIB, retainAckedMs: 0, maxDeadLetters: 10, clock },
    report: (one: Happening) => told.push(one),
  }
  const store = watch(new SqliteStore(database, limits, { threadFor: path }))
  await until(() => store.thread === 'idle', 'a thread that writes')
  await store.append(append(range(1, 10)))
  const done: number[] = []
  const given = new AbortController()
  const appends = [1, 2, 3].map(part =>
    store.append(append(range(part * 100, 100, 2000), { cursor: { last: part } })).then(() => done.push(part)),
  )
  const givenUp = expect(store.append(append(range(900, 1)), given.signal)).rejects.toThrow('stopped')
  await until(() => told.length > 0, 'it is said')
  await turns()
  expect(told).toMatchObject([{ state: 'failing', detail: expect.stringContaining('database or disk is full') }])
  expect([done, store.read(10, 1), store.cursor('fabric-a', 'class/eventRecord')]).toEqual([[], [], undefined])
  given.abort(new Error('stopped'))
  await givenUp
  database.exec('PRAGMA max_page_count = 100000')
  await clock.advance(10_000)
  await Promise.all(appends)
  expect(done).toEqual([1, 2, 3])
  expect(told.slice(1)).toMatchObject([{ state: 'recovered' }])
  // The thread has its old bound still: what it can not write this thread writes.
  await store.append(append(range(400, 100, 2000)))
  await store.append(append(range(500, 5)))
  expect(store.read(10, 1000).map(numberOf)).toEqual([...numbers(100, 405)])
  expect(told).toHaveLength(2)
})

it('a file that another program holds: it waits, and goes on', async () => {
  const { store, clock, states, dir } = await threaded()
  await store.append(append(range(1, 1)))
  const other = new DatabaseSync(join(dir, 'opswire.db'))
  other.exec('BEGIN IMMEDIATE')
  const kept = store.append(append(range(2, 1)))
  await until(() => states().length > 0, 'it is said')
  other.exec('ROLLBACK')
  other.close()
  await clock.advance(200)
  await kept
  expect(states()).toEqual(['failing', 'recovered'])
  expect(store.read(0, 10).map(numberOf)).toEqual([1, 2])
})

it('what is settled while a commit is being written is still due after it', () => {
  const settled = new Settled(1000, 0, 0, undefined)
  settled.settle(5, { at: 5 }, 0)
  const first = settled.upkeep(0, 0, 'none')
  settled.settle(8, { at: 8 }, 0)
  settled.committed(0, 5, 10, 0, first.mark)
  expect([first.floor, first.mark, settled.isDue(5)]).toEqual([5, { at: 5 }, true])
  const second = settled.upkeep(5, 10, 'none')
  settled.committed(5, 8, 20, 0, second.mark)
  expect([second.mark, settled.isDue(8)]).toEqual([{ at: 8 }, false])
  // The same floor with another mark, twice: the second one came too late for the commit.
  settled.settle(8, { at: 9 }, 8)
  const third = settled.upkeep(8, 30, 'none')
  settled.settle(8, { at: 10 }, 8)
  settled.committed(8, 8, 40, 0, third.mark)
  expect([third.mark, settled.isDue(8)]).toEqual([{ at: 9 }, true])
  // And with a floor that goes on before it is written: nothing of it is due for ever.
  settled.settle(11, { at: 11 }, 8)
  const fourth = settled.upkeep(8, 50, 'none')
  settled.committed(8, 11, 50, 0, fourth.mark)
  expect([fourth.mark, settled.isDue(11)]).toEqual([{ at: 11 }, false])
})

it('a thread that is started while the file is away, or another one lies there, touches nothing', async () => {
  const dir = folder()
  const path = join(dir, 'opswire.db')
  const refused = async (): Promise<string> => {
    let reason: Error | undefined
    const scribe = new Scribe({ path, maxPages: 1000, file: '1:2' }, gone => {
      reason = gone
    })
    await until(() => scribe.ready || reason !== undefined, 'an answer')
    await scribe.stop()
    return reason?.message ?? 'it is open'
  }
  expect(await refused()).toContain(`${path} is not what it was`)
  expect(readdirSync(dir)).toEqual([])
  writeFileSync(path, 'of somebody else')
  expect(await refused()).toContain(`${path} is not what it was`)
  expect(readFileSync(path, 'utf8')).toBe('of somebody else')
})
