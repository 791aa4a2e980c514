/** A building that is interrupted, from the terminal or by a supervisor, leaves nothing of its 350 MB behind. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, globSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { until } from '../support/manual-clock.ts'
import { has, notRun } from '../support/tools.ts'

const SCRIPT = resolve(import.meta.dirname, '../../scripts/package-deb.ts')
/** These tests themselves, of which one builds a package too. */
const TESTS = resolve(import.meta.dirname, 'run.ts')
const DIST = 'tree/usr/lib/opswire/dist'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'opswire-interrupted-'))
})

afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

it.each([
  ['package:deb: Ctrl-C, which every process of the terminal hears', SCRIPT, 'SIGINT', true],
  ['package:deb: a TERM that it hears alone', SCRIPT, 'SIGTERM', false],
  ['test:package: Ctrl-C, which every process of the terminal hears', TESTS, 'SIGINT', true],
  ['test:package: a TERM that it hears alone', TESTS, 'SIGTERM', false],
] as const)('%s', async (_, script, signal, everybody) => {
  if (process.platform !== 'linux' || !has('dpkg-deb')) return notRun('Debian packages are built on Linux, by dpkg-deb')
  const scratch = join(folder, 'tmp')
  mkdirSync(scratch)
  const words = script === SCRIPT ? ['--out', join(folder, 'out')] : ['test/package/debian.test.ts']
  const child = spawn(process.execPath, [script, ...words], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: scratch },
  })
  const [said, ended] = [text(child.stderr), once(child, 'exit')]
  child.stdout.resume()
  // The compiler has begun.
  await until(
    () => globSync([`*/${DIST}`, `*/*/${DIST}`], { cwd: scratch }).length > 0 || child.exitCode !== null,
    'dist',
    120_000,
  )
  process.kill(everybody ? -(child.pid ?? 0) : (child.pid ?? 0), signal)
  expect((await ended)[0], await said).toBe(1)
  expect(await said).toContain(`${script === SCRIPT ? 'package:deb' : 'test:package'}: interrupted by ${signal}\n`)
  expect(readdirSync(scratch).filter(name => name.startsWith('opswire'))).toEqual([])
  expect(existsSync(join(folder, 'out'))).toBe(false)
})
