/**
 * A disk that answers with errors, under the whole daemon. Writes are refused by a limit of file sizes, which any user may
 * have; that fsync fails no disk does when it is asked to, so strace says it in its place.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once as event } from 'node:events'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { untilAnswered } from '../../support/asked.ts'
import { until } from '../../support/manual-clock.ts'
import { has, notRun } from '../../support/tools.ts'
import type { World } from '../whole/world.ts'
import { once, played } from './drive.ts'

type Heal = () => void | Promise<void>

/** Why calls of the daemon can't be answered in the kernel's place here; undefined when they can. */
function noStrace(): string | undefined {
  if (!has('strace')) return 'there is no strace'
  const own = spawnSync('strace', ['-qq', '-o', '/dev/null', '-e', 'inject=fsync:error=EIO', 'true'], {
    encoding: 'utf8',
  })
  return own.status === 0 ? undefined : `strace may not be used here: ${own.stderr.trim()}`
}

/** From now on these calls of the daemon fail, and do nothing. */
async function failing({ unit }: World, calls: string): Promise<Heal> {
  const injected = ['-e', `trace=${calls}`, '-e', `inject=${calls}:error=EIO`]
  const args = ['-f', '-o', '/dev/null', ...injected, '-p', String(unit.pid)]
  const strace: ChildProcess = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = event(strace, 'exit')
  // "Process N attached": before that nothing fails.
  if (strace.stderr !== null) await Promise.race([event(strace.stderr, 'data'), ended])
  strace.stderr?.resume()
  return async () => {
    strace.kill('SIGTERM')
    await ended
  }
}

const NO_FILE_SIZE = has('prlimit') ? undefined : 'there is no prlimit'

const ERRORS: readonly [string, number, string | undefined, RegExp, (world: World) => Heal | Promise<Heal>][] = [
  [
    'writes are refused (ulimit -f)',
    961,
    NO_FILE_SIZE,
    /opswire\.db: disk I\/O error: a write was refused.*ulimit -f/,
    ({ unit }) => {
      unit.limitFileSize(4096)
      return () => unit.limitFileSize('unlimited')
    },
  ],
  [
    'fsync fails (EIO)',
    962,
    noStrace(),
    /opswire\.db: disk I\/O error: fsync failed: look at the disk/,
    world => failing(world, 'fsync,fdatasync'),
  ],
  [
    'writes fail (EIO)',
    963,
    noStrace(),
    /opswire\.db: disk I\/O error: a write was refused: look at the disk/,
    world => failing(world, 'pwrite64'),
  ],
]

describe('a disk with errors', () => {
  it.each(ERRORS)('%s: it is said where and what, nothing is taken meanwhile, and nothing is lost', async (...of) => {
    const [, seed, lacking, words, hurt] = of
    if (lacking !== undefined) return notRun(lacking)
    let said = ''
    const strike = once('disk errors', 3000, async world => {
      const heal = await hurt(world)
      const isSaid = ({ status, body }: { status: number; body: string }): boolean => {
        said = body
        return status === 503 && words.test(body)
      }
      await untilAnswered(() => world.unit.get('/-/ready'), isSaid, String(words))
      return heal
    })
    const result = await played({ seed, strikes: [strike] })
    expect(said).toMatch(words)
    expect(result.wrongs).toEqual([])
    expect(result.starts).toBe(1)
  })
})

describe('no file can be opened any more', () => {
  it('while connections have to be made anew, and the files of the store, which are gone', async () => {
    if (NO_FILE_SIZE !== undefined) return notRun(NO_FILE_SIZE)
    const words = /removed or renamed while in use; it is still open, and can't be written there anew/
    const strike = once('no files', 3000, async ({ unit, stateDir, broker, systems }) => {
      // Fewer than it has open: also nobody can ask it.
      unit.limitFiles(10)
      for (const name of readdirSync(stateDir)) rmSync(join(stateDir, name))
      for (const wire of [broker.wire, ...systems.wires.apic]) wire.cut()
      await until(() => unit.log.some(line => words.test(line)), String(words))
      return () => unit.limitFiles(1024)
    })
    const result = await played({ seed: 964, strikes: [strike] })
    expect(result.wrongs).toEqual([])
    expect(result.starts).toBe(1)
  })
})
