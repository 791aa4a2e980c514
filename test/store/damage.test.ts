import { closeSync, existsSync, fstatSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { noticeRecord } from '../../src/dead-letter.ts'
import { type LostState, openDatabase } from '../../src/store/database.ts'
import { Vault } from '../../src/store/vault.ts'
import { Intake } from '../../src/subscribers/intake.ts'
import { settle as turns } from '../support/manual-clock.ts'
import { folder, MIB, opened } from './fixture.ts'
import { append, numberOf, range } from './numbers.ts'

/** Overwrites all of the database but its first pages: an open store finds out when it reads one of the others. */
function scribble(path: string): void {
  const file = openSync(path, 'r+')
  const { size } = fstatSync(file)
  for (let at = 2 * 8192; at < size; at += 8192) writeSync(file, Buffer.alloc(8192, 0x5a), 0, 8192, at)
  closeSync(file)
}

function scribbleAll(path: string): void {
  writeFileSync(path, 'no database'.repeat(1000))
}

/** A store of 30 MB, which no page cache holds, damaged while it is open. */
async function damaged(thread = false) {
  const dir = folder()
  const lost: LostState[] = []
  const all = await opened(dir, { thread, onLostState: state => lost.push(state) })
  for (let first = 1; first <= 3600; first += 400) {
    await all.store.append(append(range(first, 400, 8000), { cursor: { last: first + 399 } }))
  }
  scribble(join(dir, 'opswire.db'))
  return { ...all, dir, lost, aside: join(dir, 'opswire.db.damaged-20260203T040506Z') }
}

it.each([
  ['this thread', false],
  ['a thread of its own', true],
])(
  'damage that a read finds, with %s writing: moved aside, told once, what waits is written, and seqs go on',
  async (_, thread) => {
    const { store, clock, states, dir, lost, aside } = await damaged(thread)
    const mirror = store.mirror('fabric-a')
    expect(() => store.read(0, 10)).toThrow('the store could not read events')
    expect(states()).toEqual(['failing'])
    expect(() => store.read(0, 10)).toThrow('it is damaged')
    const object = { key: 'uni', family: 'polUni', version: '', attributes: {} }
    const waiting = store.append(append(range(4001, 5), { cursor: { last: 4005 }, mirror: [{ key: 'uni', object }] }))
    await clock.advance(1000)
    expect(await waiting).toMatchObject({ fresh: [0, 1, 2, 3, 4] })
    expect(states()).toEqual(['failing', 'recovered'])
    expect(lost).toEqual([{ movedTo: aside, reason: expect.stringMatching(/./) }])
    expect(existsSync(aside)).toBe(true)
    expect(store.floor).toBe(3600)
    expect(store.read(0, 10).map(event => [event.seq, numberOf(event)])).toEqual(
      [1, 2, 3, 4, 5].map(n => [3600 + n, 4000 + n]),
    )
    expect(store.cursor('fabric-a', 'class/eventRecord')).toEqual({ last: 4005 })
    // A view that was given out before shows the new file.
    expect(mirror.get('uni')).toEqual(object)
    expect(store.stats()).toMatchObject({ unacked: 5, lastSeq: 3605, floor: 3600 })
    store.settle(3603)
    await clock.advance(100)
    expect(store.floor).toBe(3603)
    await store.close()
    const again = await opened(dir)
    expect(again.store.lostState).toBeUndefined()
    expect(again.store.stats()).toMatchObject({ unacked: 2, lastSeq: 3605, floor: 3603 })
  },
)

it.each([
  ['this thread', false],
  ['a thread of its own', true],
])('damage that a commit of %s finds ends well, too', async (_, thread) => {
  const { store, clock, states, lost } = await damaged(thread)
  const attributes = { filler: 'x'.repeat(2000) }
  const appends = Array.from({ length: 40 }, (_, part) =>
    store.append(
      append(range(5000 + part * 20, 20, 8000), {
        cursor: { last: part },
        mirror: [{ key: `k${part}`, object: { key: `k${part}`, family: 'f', version: '', attributes } }],
        dead: [{ reason: 'odd', content: 'y'.repeat(5000) }],
      }),
    ),
  )
  await clock.advance(5000)
  const done = await Promise.all(appends)
  expect(done.map(({ fresh }) => fresh.length)).toEqual(done.map(() => 20))
  expect(lost).toHaveLength(1)
  expect(states()).toEqual(['failing', 'recovered'])
  expect(store.cursor('fabric-a', 'class/eventRecord')).toEqual({ last: 39 })
})

/** Closing it again is the vault's. */
function vaultOver(path: string, failures: Error[]) {
  const seen: (string | undefined)[] = []
  const vault = new Vault(openDatabase(path, 0).database, {
    limits: { count: 10, bytes: 1000 },
    reopen: again => {
      seen.push(again.damage)
      const { database } = openDatabase(path, 0, again)
      const failure = failures.shift()
      if (failure === undefined) return database
      database.close()
      throw failure
    },
    onDamage: () => undefined,
  })
  const damage = () => {
    const hurt = () => {
      throw Object.assign(new Error('malformed'), { errcode: 11 })
    }
    expect(() => vault.read('events', hurt)).toThrow('could not read events')
    expect(vault.unfit).toBe(true)
  }
  return { vault, seen, damage }
}

it('a file that is found well after all is kept; damage that comes again is believed', () => {
  const path = join(folder(), 'opswire.db')
  const { vault, seen, damage } = vaultOver(path, [])
  vault.ledger.beginAfter(7, 0)
  damage()
  expect(vault.mend(0)).toBeUndefined()
  expect([vault.unfit, vault.ledger.totals.lastSeq]).toEqual([false, 7])
  damage()
  expect(vault.mend(0)).toMatchObject({ reason: 'malformed' })
  expect(vault.ledger.totals).toMatchObject({ lastSeq: 7, floor: 7 })
  expect(seen).toEqual([undefined, 'malformed'])
  vault.close()
})

it('what was lost is told though a new file could not be begun at once', () => {
  const path = join(folder(), 'opswire.db')
  const { vault, damage } = vaultOver(path, [new Error('disk full')])
  vault.ledger.beginAfter(7, 0)
  vault.ledger.abandon()
  scribbleAll(path)
  damage()
  expect(() => vault.mend(0)).toThrow('disk full')
  expect(vault.unfit).toBe(true)
  expect(vault.mend(0)).toMatchObject({ movedTo: expect.stringContaining('.damaged-') })
  expect(vault.ledger.totals).toMatchObject({ lastSeq: 7, floor: 7 })
  vault.close()
})

it('an event that went with the file can still be buried', async () => {
  const { store, clock } = await damaged()
  const [event] = range(1, 1)
  if (event === undefined) throw new Error('no event')
  expect(() => store.read(0, 10)).toThrow()
  await clock.advance(1000)
  const burial = store.bury({ ...event, seq: 1 }, 'too large', noticeRecord)
  await clock.advance(100)
  const key = await burial
  expect(store.deadLetters(10)).toMatchObject([{ key, source: 'fabric-a', reason: 'too large' }])
  expect(store.read(0, 10).map(row => row.subject)).toEqual(['_dead.fabric-a'])
})

it('a store that is closed while it is damaged lets go of file and lock; the next start tells', async () => {
  const { store, dir, aside } = await damaged()
  expect(() => store.read(0, 10)).toThrow()
  const waiting = expect(store.append(append(range(4001, 1)))).rejects.toMatchObject({ name: 'Retryable' })
  await store.close()
  await waiting
  expect((await opened(dir)).store.lostState).toMatchObject({ movedTo: aside })
})

it('one who listens and throws stops neither the commit nor the other listeners', async () => {
  const { store, told } = await opened(folder())
  let calls = 0
  store.onCommit(() => {
    throw new Error('MARKER')
  })
  store.onCommit(() => calls++)
  await store.append(append(range(1, 1)))
  await turns()
  expect(calls).toBe(1)
  expect(told).toMatchObject([{ type: 'advice', text: expect.stringContaining('MARKER') }])
  await store.append(append(range(2, 1)))
  expect(calls).toBe(2)
})

it('a dead letter and its notice are one commit, however it came', async () => {
  const dir = folder()
  const { store, clock, told } = await opened(dir)
  await store.append(append(range(1, 1)))
  /** What another process would find if this one were killed now. */
  const found: string[][] = []
  store.onCommit(() => found.push([...store.deadLetters(10).map(letter => letter.key), ...notices()]))
  const notices = (): string[] =>
    store.read(0, 100).flatMap(({ subject, partitionkey }) => (subject.startsWith('_dead.') ? [partitionkey] : []))
  const ref = { system: 'apic', name: 'fabric-a' } as const
  const report = (happening: (typeof told)[number]) => told.push(happening)
  const intake = new Intake({ ref, store, clock, report, overdraft: false })
  const dead = [{ reason: 'not JSON', content: '<<' }]
  await intake.take({ feed: 'socket', facts: [], dead }, new AbortController().signal)
  expect(found).toEqual([['1', '1']])
  const [event] = store.read(0, 1)
  if (event === undefined) throw new Error('no event')
  const key = await store.bury(event, 'too large', noticeRecord)
  expect(await store.bury(event, 'too large', noticeRecord)).toBe(key)
  expect(found.at(-1)).toEqual(['1', '2', '1', '2'])
  expect(found).toHaveLength(2)
  expect(told.filter(one => one.type === 'dead_letter')).toEqual([
    { type: 'dead_letter', source: 'fabric-a', reason: 'not JSON', bytes: 2, key: '1' },
  ])
})

it('gives the ids of the rows that it reads, without their bodies', async () => {
  const { store } = await opened(undefined, { maxBytes: 64 * MIB })
  await store.append(append(range(1, 4)))
  const second = store.read(1, 1)[0]
  if (second === undefined) throw new Error('no event')
  await store.bury(second, 'too large')
  expect(store.ids(0, 2)).toEqual(store.read(0, 2).map(({ seq, id, recordedMs }) => ({ seq, id, recordedMs })))
  expect(store.ids(3, 10).map(key => key.seq)).toEqual([4])
})
