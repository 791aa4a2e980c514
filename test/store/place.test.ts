/** The files of an open store taken away, renamed or replaced: SQLite goes on in them, and the next start would not find them. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, it } from 'vitest'
import { nextTurn } from '../../src/scheduler/clock.ts'
import { lockStateDir, type StoreLocked } from '../../src/store/lock.ts'
import { Place } from '../../src/store/place.ts'
import { until } from '../support/manual-clock.ts'
import { folder, type Opened, opened } from './fixture.ts'
import { append, numberOf, range } from './numbers.ts'

const DB = 'opswire.db'
const numbers = ({ store }: Pick<Opened, 'store'>): number[] => store.read(0, 1000).map(numberOf)
const upTo = (last: number): number[] => range(1, last).map(numberOf)
const said = ({ told }: Opened): string[] => told.flatMap(one => (one.type === 'advice' ? [one.text] : []))

/** A store with 300 events, of which 100 are settled, a cursor, an object and a dead letter. */
async function filled(thread = false) {
  const dir = join(folder(), 'state')
  const all = await opened(dir, { thread })
  const object = { key: 'uni', family: 'polUni', version: '', attributes: {} }
  const more = { cursor: { last: 300 }, mirror: [{ key: 'uni', object }] }
  await all.store.append(append(range(1, 300), more))
  await all.store.append(append([], { dead: [{ reason: 'odd', content: '<<' }] }))
  all.store.settle(100)
  await all.clock.advance(100)
  return { ...all, dir, object }
}

/** The next look finds what was done; the copy takes no time of the clock. */
async function looked({ store, clock }: Opened): Promise<void> {
  await clock.advance(1000)
  store.look()
  await clock.advance(0)
  await until(() => store.thread !== 'writing', 'the end of the copy')
  await clock.advance(1000)
}

/** What a start finds in the directory of a process that was killed. */
async function copyOf(dir: string) {
  const copy = join(folder(), 'copy')
  cpSync(dir, copy, { recursive: true })
  return opened(copy)
}

const away = (dir: string): string => join(dir, '..', 'elsewhere')

const DEEDS: readonly [string, (dir: string) => void, RegExp][] = [
  ['the whole directory is removed', dir => rmSync(dir, { recursive: true }), /state was removed or renamed/],
  ['the whole directory is renamed', dir => renameSync(dir, away(dir)), /state was removed or renamed/],
  [
    'all of its files are removed',
    dir => readdirSync(dir).map(name => rmSync(join(dir, name))),
    /opswire\.db was removed/,
  ],
  ['the database is removed', dir => rmSync(join(dir, DB)), /opswire\.db was removed or renamed/],
  [
    'the database is renamed',
    dir => renameSync(join(dir, DB), join(dir, 'old.db')),
    /opswire\.db was removed or renamed/,
  ],
  ['the write-ahead log is removed', dir => rmSync(join(dir, `${DB}-wal`)), /opswire\.db-wal was removed/],
  ['the shared memory is removed', dir => rmSync(join(dir, `${DB}-shm`)), /opswire\.db-shm was removed/],
  [
    'the lock is removed',
    dir => rmSync(join(dir, 'opswire.lock')),
    /opswire\.lock was removed or replaced.*is there again/,
  ],
]

it.each(DEEDS.flatMap(([name, deed, words]) => [false, true].map(thread => [name, thread, deed, words] as const)))(
  '%s (with a thread: %s): all of it is there again, and the next start finds it',
  async (_, thread, deed, words) => {
    const all = await filled(thread)
    const { store, clock, dir, object } = all
    deed(dir)
    // Nobody has looked yet.
    await store.append(append(range(301, 10), { cursor: { last: 310 } }))
    await looked(all)
    const waiting = store.append(append(range(311, 10), { cursor: { last: 320 } }))
    await clock.advance(1000)
    await waiting
    expect(said(all)).toEqual([expect.stringMatching(words)])
    expect(all.states()).toEqual([])
    expect(numbers(all)).toEqual(upTo(320))
    expect(store.mirror('fabric-a').get('uni')).toEqual(object)

    const files = readdirSync(dir)
      .filter(name => name !== 'old.db')
      .sort()
    expect(files).toEqual(['opswire.db', 'opswire.db-shm', 'opswire.db-wal', 'opswire.lock', 'opswire.pid'])
    expect(files.map(name => statSync(join(dir, name)).mode & 0o077)).toEqual(files.map(() => 0))
    // The lock is of that directory.
    await expect(opened(dir)).rejects.toThrow(`${dir} is in use by process ${process.pid}`)
    const next = await copyOf(dir)
    expect(next.store.lostState).toBeUndefined()
    expect(numbers(next)).toEqual(upTo(320))
    expect(next.store.cursor('fabric-a', 'class/eventRecord')).toEqual({ last: 320 })
    expect(next.store.stats()).toMatchObject({ lastSeq: 320, floor: 100, deadLetters: 1 })
    // An id that is known is dropped: it came along.
    expect(await next.store.append(append(range(320, 2)))).toMatchObject({ fresh: [1] })
    await store.close()
    expect(
      readdirSync(dir)
        .filter(name => name !== 'old.db')
        .sort(),
    ).toEqual(['opswire.db', 'opswire.lock'])
  },
)

it('a file that was put in its place is kept aside, with its log', async () => {
  const all = await filled()
  const other = await filled()
  await other.store.append(append(range(5000, 1)))
  rmSync(all.dir, { recursive: true })
  cpSync(other.dir, all.dir, { recursive: true })
  await looked(all)
  const aside = join(all.dir, `${DB}.replaced-20260203T040507Z`)
  expect(said(all)).toEqual([expect.stringContaining(`opswire.db was replaced while in use`)])
  expect(said(all)[0]).toContain(`what lay there is now ${aside}`)
  expect([existsSync(aside), existsSync(`${aside}-wal`)]).toEqual([true, true])
  expect(numbers(await copyOf(all.dir))).toEqual(upTo(300))
})

it('where nothing can be made appends wait, reads go on, and it is said why; then all is made up for', async () => {
  const all = await filled()
  const { store, clock, dir } = all
  const place = join(dir, '..')
  renameSync(place, `${place}-away`)
  // A link to nowhere: no folder can be made there.
  symlinkSync('/nonexistent/anywhere', place)
  await looked(all)
  expect(all.told).toMatchObject([{ type: 'store_state', state: 'failing', detail: expect.stringContaining(dir) }])
  expect(all.told).toMatchObject([{ detail: expect.stringMatching(/removed or renamed while in use.*still open/) }])
  let written = false
  const waiting = store.append(append(range(301, 10))).then(() => {
    written = true
  })
  await clock.advance(60_000)
  expect(written).toBe(false)
  expect(numbers(all)).toEqual(upTo(300))
  rmSync(place)
  mkdirSync(place)
  await clock.advance(10_000)
  await until(() => written, 'what waited')
  await waiting
  expect(all.states()).toEqual(['failing', 'recovered'])
  expect(numbers(await copyOf(dir))).toEqual(upTo(310))
  rmSync(`${place}-away`, { recursive: true })
})

it('what is brought back before a copy was made is used on', async () => {
  const all = await filled()
  const { store, clock, dir } = all
  const place = join(dir, '..')
  renameSync(dir, away(dir))
  writeFileSync(dir, 'no folder')
  await looked(all)
  expect(all.states()).toEqual(['failing'])
  const { ino } = statSync(join(away(dir), DB))
  rmSync(dir)
  renameSync(away(dir), dir)
  await clock.advance(10_000)
  expect(all.states()).toEqual(['failing', 'recovered'])
  expect(statSync(join(dir, DB)).ino).toBe(ino)
  await store.append(append(range(301, 10)))
  expect(numbers(await copyOf(dir))).toEqual(upTo(310))
  expect(readdirSync(place)).toEqual(['state'])
})

it('closing looks once more', async () => {
  const { store, dir } = await filled()
  rmSync(dir, { recursive: true })
  await store.close()
  expect(numbers(await opened(dir))).toEqual(upTo(300))
})

it('closing where nothing can be made says what is lost', async () => {
  const all = await filled()
  rmSync(all.dir, { recursive: true })
  writeFileSync(all.dir, 'no folder')
  await all.store.close()
  expect(said(all)).toEqual([expect.stringContaining('what the store held is lost with this process')])
})

it('another process that took the directory meanwhile is left alone, for good', async () => {
  const taken: StoreLocked[] = []
  const dir = join(folder(), 'state')
  const all = await opened(dir, { onTaken: error => void taken.push(error) })
  await all.store.append(append(range(1, 300)))
  rmSync(dir, { recursive: true })
  const holder = spawn(process.execPath, [join(import.meta.dirname, 'child.ts'), 'hold', dir], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  await once(holder.stdout, 'data')
  await looked(all)
  expect(taken.map(({ pid }) => pid)).toEqual([holder.pid])
  expect(all.told).toMatchObject([{ type: 'store_state', state: 'failing' }])
  const files = readdirSync(dir).sort()
  const { ino } = statSync(join(dir, DB))
  holder.kill('SIGKILL')
  await once(holder, 'close')
  await all.clock.advance(60_000)
  expect(taken).toHaveLength(1)
  await all.store.close()
  expect([readdirSync(dir).sort(), statSync(join(dir, DB)).ino]).toEqual([files, ino])
})

it('closing while the copy is made waits for it, and puts it into its place', async () => {
  const all = await filled()
  rmSync(all.dir, { recursive: true })
  await all.clock.advance(1000)
  all.store.look()
  // Turned, but not waited for: the copy, which is a small one, would be ready. Each turn is looked at right after the clock's.
  const turned = all.clock.advance(0)
  for (let n = 0; n < 100 && all.store.thread !== 'writing'; n++) await nextTurn()
  expect(all.store.thread).toBe('writing')
  const waiting = all.store.append(append(range(301, 10)))
  await all.store.close()
  await Promise.all([waiting, turned])
  expect(numbers(await opened(all.dir))).toEqual(upTo(310))
})

it('a database without its log that was put over this one does not get the log of this one', async () => {
  const all = await filled()
  const other = await filled()
  await other.store.append(append(range(5000, 1)))
  await other.store.close()
  renameSync(join(other.dir, DB), join(all.dir, DB))
  await looked(all)
  const aside = join(all.dir, `${DB}.replaced-20260203T040507Z`)
  expect([existsSync(aside), existsSync(`${aside}-wal`)]).toEqual([true, false])
  expect(numbers(await copyOf(all.dir))).toEqual(upTo(300))
})

it('a copy that could not be finished leaves nothing, nor does one in the midst of which the process was killed', async () => {
  const dir = folder()
  const path = join(dir, DB)
  const lock = lockStateDir(dir)
  const database = new DatabaseSync(path)
  database.exec('CREATE TABLE t (x)')
  const place = new Place({ path, lock, wall: () => 0, say: () => undefined, onTaken: () => undefined })
  place.note()
  rmSync(path)
  place.look(0)
  database.close()
  await expect(place.prepare(database)).rejects.toThrow("can't be written there anew")
  lock.release()
  expect(readdirSync(dir)).toEqual(['opswire.lock'])
  for (const end of ['new', 'new-journal']) writeFileSync(`${path}.${end}`, 'half of it')
  await opened(dir)
  expect(readdirSync(dir).filter(name => name.includes('.new'))).toEqual([])
})

it('what is put there again and again does not fill the disk', async () => {
  const all = await filled()
  const other = join(folder(), DB)
  new DatabaseSync(other).close()
  for (let time = 0; time < 6; time++) {
    cpSync(other, join(all.dir, 'put'))
    renameSync(join(all.dir, 'put'), join(all.dir, DB))
    await looked(all)
  }
  expect(said(all)).toHaveLength(6)
  const aside = said(all).map(text => text.slice(text.lastIndexOf(`${DB}.replaced`)))
  const kept = readdirSync(all.dir).filter(name => name.includes('.replaced'))
  expect(kept.sort()).toEqual([aside[0], aside[4], aside[5]].sort())
  expect(numbers(await copyOf(all.dir))).toEqual(upTo(300))
})
