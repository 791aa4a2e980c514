/** Tools of the machine that a test needs: what can't be had is said, and fails where that is not accepted. */
import { spawnSync } from 'node:child_process'
import { expect } from 'vitest'
import type { ToolName } from '../../src/tools/catalogue.ts'
import { resolveTool, type Wanted } from '../../src/tools/resolve.ts'

/**
 * The path of a program. When it can't be had the caller's test is not run: that is printed, counted as skipped, and a
 * failure under OPSWIRE_REQUIRE_TOOLS=1.
 */
export async function toolBinary(name: ToolName, wanted: Wanted, skip: (note: string) => never): Promise<string> {
  const found = await resolveTool(name, wanted)
  if ('path' in found) return found.path
  const note = `NOT RUN: ${found.missing}`
  process.stderr.write(`${note}\n`)
  if (process.env['OPSWIRE_REQUIRE_TOOLS'] === '1') throw new Error(note)
  return skip(note)
}

/** Says that a test could not be run. Fails it under OPSWIRE_REQUIRE_TOOLS=1. */
export function notRun(reason: string): void {
  process.stdout.write(`NOT RUN: ${expect.getState().currentTestName}: ${reason}\n`)
  expect(process.env['OPSWIRE_REQUIRE_TOOLS'], reason).not.toBe('1')
}

/** Whether there is such a command. */
export function has(command: string): boolean {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0
}

/** Why no program can be run in a root of its own here; undefined when it can. */
export function noRootOfItsOwn(): string | undefined {
  if (process.platform !== 'linux') return 'roots of their own are made on Linux only'
  const lacking = ['unshare', 'setpriv', 'mount', 'chroot'].filter(command => !has(command))
  if (lacking.length > 0) return `there is no ${lacking.join(', ')}`
  if (process.getuid?.() !== 0) return 'only root may take another user and mount'
  const mounted = spawnSync('unshare', ['--mount', 'mount', '--bind', '/usr', '/usr'], { encoding: 'utf8' })
  return mounted.status === 0 ? undefined : `mounting is not allowed here: ${mounted.stderr.trim()}`
}
