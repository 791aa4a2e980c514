/** Files that earlier versions of the schema left behind: `version-N.sql` is what such a program wrote. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, it } from 'vitest'
import { folder, opened } from './fixture.ts'
import { append, numberOf, range } from './numbers.ts'

const DAY = 24 * 3_600_000

/** A folder with that file in it. */
function left(version: string): string {
  const dir = folder()
  const database = new DatabaseSync(join(dir, 'opswire.db'))
  database.exec('PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL')
  database.exec(readFileSync(join(import.meta.dirname, version), 'utf8'))
  database.close()
  return dir
}

it('version 1: everything in it is there, each id is known for as long as it was meant to be, and it goes on', async () => {
  const dir = left('version-1.sql')
  const { store } = await opened(dir)
  const numbers = Array.from({ length: 13 }, (_, index) => index + 1)
  expect(store.read(0, 100).map(event => [event.seq, numberOf(event)])).toEqual(numbers.map(n => [n, n]))
  expect(store.stats()).toMatchObject({ unacked: 13, bytes: 8791, deadLetters: 1, lastSeq: 13, floor: 0 })
  expect(store.cursor('fabric-a', 'class/eventRecord')).toEqual({ last: 13 })
  expect([...store.mirror('fabric-a').values()].map(({ key }) => key)).toEqual(['uni/tn-a'])
  // Nine sealed in a run, four not yet.
  expect((await store.append(append(range(1, 20)))).fresh).toEqual([13, 14, 15, 16, 17, 18, 19])
  store.settle(20)
  await store.close()
  const again = await opened(dir, { retainAckedMs: 0 })
  expect((await again.store.append(append(range(1, 20)))).fresh).toEqual([])
  // Three were to be known for three days.
  await again.clock.advance(DAY)
  expect((await again.store.append(append(range(10, 4)))).fresh).toEqual([])
  await again.store.close()
  const file = new DatabaseSync(join(dir, 'opswire.db'))
  expect(file.prepare('PRAGMA user_version').get()).toEqual({ user_version: 3 })
  expect(file.prepare("SELECT count(*) AS n FROM sqlite_schema WHERE name = 'single_ids'").get()).toEqual({ n: 0 })
  file.close()
})
