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

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'opswire-interrupted-'))
})

afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

it.each([
  ['Ctrl-C, which every process of the terminal hears', 'SIGINT', true],
  ['a TERM that it hears alone', 'SIGTERM', false],
] as const)('%s', async (_, signal, everybody) => {
  if (process.platform !== 'linux' || !has('dpkg-deb')) return notRun('Debian packages are built on Linux, by dpkg-deb')
  const scratch = join(folder, 'tmp')
  mkdirSync(scratch)
  const child = spawn(process.execPath, [SCRIPT, '--out', join(folder, 'out')], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: scratch },
  })
  const [said, ended] = [text(child.stderr), once(child, 'exit')]
  // The compiler has begun.
  await until(
    () => globSync('*/tree/usr/lib/opswire/dist', { cwd: scratch }).length > 0 || child.exitCode !== null,
    'dist',
  )
  process.kill(everybody ? -(child.pid ?? 0) : (child.pid ?? 0), signal)
  expect((await ended)[0], await said).toBe(1)
  expect(await said).toBe(`package:deb: interrupted by ${signal}\n`)
  expect(readdirSync(scratch).filter(name => name.startsWith('opswire'))).toEqual([])
  expect(existsSync(join(folder, 'out'))).toBe(false)
})
