/** A secret's file that changes is noticed, also when that was before anybody began to look. */
import { mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Secret } from '../../src/config/secret.ts'
import { filesOf, onSecretChange } from '../../src/config/secret-watch.ts'
import { ManualClock, until } from '../support/manual-clock.ts'

let directory: string
let file: string
let secret: Secret
let clock: ManualClock
let calls = 0
let stop = (): void => undefined

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'opswire-secret-'))
  file = join(directory, 'password')
  secret = new Secret('file', file)
  clock = new ManualClock()
  calls = 0
})

afterEach(() => {
  stop()
  stop = () => undefined
  rmSync(directory, { recursive: true })
})

const look = (): void => {
  stop = onSecretChange([secret], clock, () => {
    calls++
  })
}

/** It has looked once more. */
async function looked(): Promise<void> {
  await clock.advance(5000)
  await until(() => clock.waiting > 0, 'looked')
}

it('what changed after it was read calls back at once', async () => {
  writeFileSync(file, 'wrong')
  expect(await secret.read()).toBe('wrong')
  writeFileSync(file, 'right one')
  look()
  expect(calls).toBe(1)
})

it('so does a file that another took the place of, and one that was not there', async () => {
  writeFileSync(file, 'wrong')
  await secret.read()
  const other = join(directory, 'other')
  writeFileSync(other, 'right')
  utimesSync(other, new Date(0), new Date(0))
  renameSync(other, file)
  look()
  expect(calls).toBe(1)
  stop()
  rmSync(file)
  await expect(secret.read()).rejects.toMatchObject({ code: 'config' })
  writeFileSync(file, 'right')
  look()
  expect(calls).toBe(2)
})

it('what is as it was read does not; a change later does', async () => {
  writeFileSync(file, 'wrong')
  await secret.read()
  look()
  await looked()
  expect(calls).toBe(0)
  writeFileSync(file, 'right one')
  await looked()
  expect(calls).toBe(1)
  await looked()
  expect(calls).toBe(1)
  rmSync(file)
  await looked()
  expect(calls).toBe(2)
  stop()
  expect(clock.waiting).toBe(0)
})

it('a change right after it began to look is seen', async () => {
  writeFileSync(file, 'wrong')
  await secret.read()
  look()
  writeFileSync(file, 'right one')
  expect(calls).toBe(0)
  await looked()
  expect(calls).toBe(1)
})

it('what was never read, or has no file, does not', async () => {
  writeFileSync(file, 'any')
  look()
  expect(calls).toBe(0)
  expect(new Secret('inline', 'x').hasChanged()).toBe(false)
  const block = { password: secret, other: new Secret('inline', 'x'), user: 'u', tls: { ca_file: null } }
  expect(filesOf(block)).toEqual([secret])
  expect(filesOf({ ...block, tls: { ca_file: '/etc/ca.pem' } }).map(one => one.path)).toEqual([
    secret.path,
    '/etc/ca.pem',
  ])
})
