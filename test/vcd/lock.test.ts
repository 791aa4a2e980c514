import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { TokenFile } from '../../src/subscribers/vcd/token-file.ts'
import { ManualClock, until } from '../support/manual-clock.ts'

let directory: string
let lock: string
let clock: ManualClock
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'opswire-lock-'))
  lock = join(directory, 'cloud.token.lock')
  clock = new ManualClock(Date.now())
})
afterEach(() => rmSync(directory, { recursive: true }))

const never = new AbortController().signal
const login = (work: () => Promise<void> = async () => undefined, signal = never): Promise<void> =>
  new TokenFile(directory, 'cloud', clock).locked(signal, work)

/** Turns the clock in small steps, with real I/O in between, until `done` settles. Gives how long it took. */
async function drive(done: Promise<unknown>, limitMs = 60_000): Promise<number> {
  const start = clock.now()
  let settled = false
  const end = (): void => {
    settled = true
  }
  done.then(end, end)
  while (!settled && clock.now() - start < limitMs) {
    await clock.advance(100)
    // What a step does with files is done after as much of the same: on a busy machine, too.
    for (let round = 0; round < 5; round++) await readdir(directory)
  }
  return clock.now() - start
}

/** Work that goes on until it is let go. */
function task(): { begun: boolean; end: () => void; work: () => Promise<void> } {
  const promise = Promise.withResolvers<void>()
  const made = {
    begun: false,
    end: promise.resolve,
    work: () => {
      made.begun = true
      return promise.promise
    },
  }
  return made
}

it.each([
  ['our own process id', String(process.pid)],
  ['the first process of a container', '1'],
  ['no process', '99999999'],
  ['nothing at all', ''],
  ['a path', '../../escape'],
])('a lock left by a dead one is taken over in seconds: %s', async (_, text) => {
  writeFileSync(lock, text)
  let worked = false
  const done = login(async () => {
    worked = true
  })
  expect(await drive(done)).toBeLessThan(15_000)
  await done
  expect(worked).toBe(true)
  expect(readdirSync(directory)).toEqual([])
})

it('a lock that its holder touches is never taken over, however long the login and whatever is in it', async () => {
  const long = task()
  const holding = login(long.work)
  await until(() => long.begun, 'the first one holds it')
  // As if of a container whose processes can't be seen from here, and with a clock that is far behind.
  writeFileSync(lock, '99999999')
  clock.stepWall(-3_600_000)
  let worked = false
  const refused = expect(
    login(async () => {
      worked = true
    }),
  ).rejects.toMatchObject({ name: 'Retryable', code: 'session_lost' })
  await drive(refused, 40_000)
  await refused
  await clock.advance(300_000)
  expect(worked).toBe(false)
  long.end()
  await holding
})

it('a lock is free at once when the login before has ended', async () => {
  await login()
  const start = clock.now()
  await login()
  expect(clock.now()).toBe(start)
  expect(readdirSync(directory)).toEqual([])
})

it('of many that wait for the lock of a dead one, one works at a time', async () => {
  for (let round = 0; round < 10; round++) {
    writeFileSync(lock, 'dead')
    let working = 0
    let most = 0
    let worked = 0
    const all = Promise.all(
      Array.from({ length: 12 }, () =>
        login(async () => {
          most = Math.max(most, ++working)
          for (let turn = 0; turn < 5; turn++) await new Promise(resolve => setImmediate(resolve))
          working--
          worked++
        }),
      ),
    )
    await drive(all)
    await all
    expect([most, worked]).toEqual([1, 12])
    expect(readdirSync(directory)).toEqual([])
  }
})

it('one that was held to be dead does not remove the lock of its successor', async () => {
  const slow = task()
  const first = login(slow.work)
  await until(() => slow.begun, 'the first one holds it')
  // Its machine stands still: somebody else found it dead and holds a lock of its own.
  rmSync(lock)
  const next = task()
  const second = login(next.work)
  await until(() => next.begun, 'the second one holds it')
  slow.end()
  await first
  const mark = readFileSync(lock, 'utf8')
  await clock.advance(2000)
  expect(readFileSync(lock, 'utf8')).toBe(mark)
  next.end()
  await second
  expect(readdirSync(directory)).toEqual([])
})

it('one that died while it took over a lock does not block it for ever', async () => {
  writeFileSync(lock, 'dead')
  writeFileSync(`${lock}.dead`, '')
  const done = login()
  await drive(done)
  await done
  expect(readdirSync(directory)).toEqual([])
})

it('the age that the file system tells means nothing by itself: its clock may be another', async () => {
  const held = task()
  const first = login(held.work)
  await until(() => held.begun, 'the first one holds it')
  utimesSync(lock, 1000, 1000)
  expect(statSync(lock).mtimeMs).toBe(1_000_000)
  const over = new AbortController()
  let robbed = false
  const second = login(async () => {
    robbed = true
  }, over.signal)
  const refused = expect(second).rejects.toThrow('stop')
  await drive(
    until(() => false, 'nothing', 200).catch(() => undefined),
    5000,
  )
  expect(robbed).toBe(false)
  over.abort(new Error('stop'))
  await refused
  held.end()
  await first
})
