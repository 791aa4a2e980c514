/**
 * `npm run test:package`: its tests in a temporary folder of their own, which goes with them, however they end: a worker
 * that is interrupted tidies nothing, and a package laid out is 350 MB. Words are passed on to vitest.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { systemClock } from '../../src/scheduler/clock.ts'

/** Longer than any of them needs to end when it is told to. */
const GRACE_MS = 5000

const vitest = resolve(import.meta.dirname, '../../node_modules/vitest/vitest.mjs')
const config = resolve(import.meta.dirname, 'vitest.config.ts')
const folder = mkdtempSync(join(tmpdir(), 'opswire-test-package-'))
// Other users run what is in it.
chmodSync(folder, 0o755)
// A group of its own: all of it, with the programs that the tests call, hears what is passed on, and nothing twice.
const child = spawn(process.execPath, [vitest, 'run', '--config', config, ...process.argv.slice(2)], {
  detached: true,
  stdio: 'inherit',
  env: { ...process.env, TMPDIR: folder },
})

function tell(signal: NodeJS.Signals): void {
  try {
    process.kill(-(child.pid ?? 0), signal)
  } catch {
    // None of it is left.
  }
}

let heard: NodeJS.Signals | undefined
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    heard ??= signal
    tell(signal)
    systemClock.after(GRACE_MS, () => tell('SIGKILL'))
  })
}
const [code] = (await once(child, 'exit')) as [number | null]
// Whatever outlived it would write into the folder.
tell('SIGKILL')
rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
if (heard !== undefined) process.stderr.write(`test:package: interrupted by ${heard}\n`)
process.exit(heard === undefined ? (code ?? 1) : 1)
