import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { open as openFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { Fatal } from '../../src/errors.ts'
import { StoreLocked } from '../../src/store/lock.ts'
import { SCHEMA_VERSION } from '../../src/store/schema.ts'
import { folder, opened } from './fixture.ts'
import { append, numberOf, range } from './numbers.ts'

function child(mode: string, dir: string) {
  return spawn(process.execPath, [join(import.meta.dirname, 'child.ts'), mode, dir], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
}

async function answerOf(mode: string, dir: string): Promise<Record<string, unknown>> {
  const process = child(mode, dir)
  let text = ''
  process.stdout.on('data', chunk => {
    text += String(chunk)
  })
  await once(process, 'close')
  return JSON.parse(text) as Record<string, unknown>
}

const mode = (path: string): number => statSync(path).mode & 0o777

describe('state_dir', () => {
  it('is made, with everything in it, for its owner only', async () => {
    const dir = join(folder(), 'deep', 'state')
    const { store } = await opened(dir)
    await store.append(append(range(1, 1)))
    expect(mode(dir)).toBe(0o700)
    const files = readdirSync(dir).sort()
    expect(files).toEqual(['opswire.db', 'opswire.db-shm', 'opswire.db-wal', 'opswire.lock', 'opswire.pid'])
    expect(files.map(file => mode(join(dir, file)))).toEqual(files.map(() => 0o600))
    await store.close()
    expect(readdirSync(dir).sort()).toEqual(['opswire.db', 'opswire.lock'])
  })

  it('that can not be written is named', async () => {
    const parent = folder()
    chmodSync(parent, 0o755)
    const dir = join(parent, 'readonly')
    mkdirSync(dir, { mode: 0o555 })
    const answer = await answerOf('open-unprivileged', dir)
    expect(answer).toMatchObject({ name: 'Fatal', message: expect.stringContaining(dir) })
    expect(answer['message']).toContain('EACCES')
    writeFileSync(join(parent, 'file'), '')
    await expect(opened(join(parent, 'file', 'state'))).rejects.toThrow(join(parent, 'file', 'state'))
  })

  it('moves a damaged file aside also where the directory may not be listed', async () => {
    const dir = folder()
    writeFileSync(join(dir, 'opswire.db'), 'no database, but long enough to be looked at as one'.repeat(20))
    if (process.getuid?.() === 0) for (const path of [dir, join(dir, 'opswire.db')]) chownSync(path, 65_534, 65_534)
    chmodSync(dir, 0o300)
    expect(await answerOf('open-unprivileged', dir)).toEqual({ opened: true })
    chmodSync(dir, 0o700)
    expect(readdirSync(dir).filter(name => name.includes('.damaged-'))).toHaveLength(1)
  })

  it('serves one process at a time, and names the one that has it', async () => {
    const dir = folder()
    const { store } = await opened(dir)
    expect(await answerOf('open', dir)).toMatchObject({ name: 'StoreLocked', pid: process.pid })
    await expect(opened(dir)).rejects.toBeInstanceOf(StoreLocked)
    await expect(opened(dir)).rejects.toThrow(`${dir} is in use by process ${process.pid}`)
    await store.append(append(range(1, 1)))
    await store.close()
    expect(await answerOf('open', dir)).toEqual({ opened: true })
  })

  it('is free at once when its holder was killed, whatever it left behind', async () => {
    const dir = folder()
    const holder = child('hold', dir)
    await once(holder.stdout, 'data')
    await expect(opened(dir)).rejects.toMatchObject({ pid: holder.pid })
    holder.kill('SIGKILL')
    await once(holder, 'close')
    expect(existsSync(join(dir, 'opswire.pid'))).toBe(true)
    // A pid that lives again as something else means nothing.
    writeFileSync(join(dir, 'opswire.pid'), `${process.ppid}\n`)
    const { store } = await opened(dir)
    await store.append(append(range(1, 1)))
  })

  it('is free again when the store could not be opened', async () => {
    const dir = folder()
    writeFileSync(join(dir, 'opswire.lock'), 'not a database, but long enough to be looked at as one'.repeat(20))
    const other = new DatabaseSync(join(dir, 'opswire.db'))
    other.exec('CREATE TABLE theirs (x)')
    other.close()
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(opened(dir)).rejects.toThrow('is a database of another program')
    }
    expect(readdirSync(dir).sort()).toEqual(['opswire.db', 'opswire.lock'])
  })
})

/** A store with 500 events in it, closed. */
async function filled(): Promise<string> {
  const dir = folder()
  const { store } = await opened(dir)
  await store.append(append(range(1, 500, 500), { cursor: { last: 500 } }))
  await store.close()
  return dir
}

async function scribble(path: string, from: number, length: number): Promise<void> {
  const file = await openFile(path, 'r+')
  await file.write(Buffer.alloc(length, 0xa5), 0, length, from)
  await file.close()
}

describe('a database file', () => {
  it.each([
    ['is no database', (path: string) => writeFileSync(path, 'hello'.repeat(1000))],
    ['is a few bytes of something', (path: string) => writeFileSync(path, 'oops')],
    ['has lost its header', (path: string) => scribble(path, 0, 100)],
    ['is malformed in the middle', (path: string) => scribble(path, 20 * 8192, 40 * 8192)],
  ])('that %s is moved aside, and a new one is begun', async (_, damage) => {
    const dir = await filled()
    await damage(join(dir, 'opswire.db'))
    const { store } = await opened(dir)
    const aside = join(dir, 'opswire.db.damaged-20260203T040506Z')
    expect(store.lostState).toEqual({ movedTo: aside, reason: expect.stringMatching(/./) })
    expect(existsSync(aside)).toBe(true)
    expect(store.stats()).toMatchObject({ unacked: 0, lastSeq: 0 })
    await store.append(append(range(1, 2)))
    await store.close()
    const again = await opened(dir)
    expect(again.store.lostState).toBeUndefined()
    expect(again.store.read(0, 10).map(numberOf)).toEqual([1, 2])
  })

  it('of a later version is refused and left alone', async () => {
    const dir = await filled()
    const path = join(dir, 'opswire.db')
    const later = new DatabaseSync(path)
    later.exec('PRAGMA user_version = 99')
    later.close()
    await expect(opened(dir)).rejects.toBeInstanceOf(Fatal)
    await expect(opened(dir)).rejects.toThrow(
      `${path} was written by a later opswire (schema 99, this one knows ${SCHEMA_VERSION})`,
    )
    const back = new DatabaseSync(path)
    expect(back.prepare('SELECT count(*) AS n FROM events').get()).toMatchObject({ n: 500 })
    back.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`)
    back.close()
    expect((await opened(dir)).store.stats().unacked).toBe(500)
  })

  it('keeps a write-ahead log, syncs fully and can give pages back', async () => {
    const dir = await filled()
    const reader = new DatabaseSync(join(dir, 'opswire.db'))
    expect(reader.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' })
    expect(reader.prepare('PRAGMA auto_vacuum').get()).toEqual({ auto_vacuum: 2 })
    reader.close()
  })
})

it('a state_dir where no folder can be made ends at once with its path', async () => {
  await expect(opened('/proc/nonexistent/opswire')).rejects.toThrow('state_dir /proc/nonexistent/opswire')
})
