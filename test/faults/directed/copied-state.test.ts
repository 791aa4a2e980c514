/** A `state_dir` set back to a copy that is older than what the stream has, as after a restored backup: what docs/OPERATIONS.md promises of it. */
import { chownSync, cpSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { sleep, systemClock } from '../../../src/scheduler/clock.ts'
import { once, played } from './drive.ts'

const DB = 'opswire.db'

it('within the duplicate window, what has an id of its own is told once; objects may be told anew', async () => {
  const strike = once('set back', 500, async ({ unit, stateDir }) => {
    const aside = mkdtempSync(join(tmpdir(), 'opswire-copy-'))
    const file = join(stateDir, DB)
    await unit.stop()
    const { uid } = statSync(file)
    cpSync(file, join(aside, DB))
    await unit.up()
    await sleep(systemClock, 3000)
    await unit.stop()
    cpSync(join(aside, DB), file)
    chownSync(file, uid, uid)
    rmSync(aside, { recursive: true })
    return () => unit.up()
  })
  const world = { setting: { duplicateWindow: '5m' } } as const
  const result = await played({ seed: 981, strikes: [strike], world, patienceMs: 8000 })
  expect(result.starts).toBe(3)
  // The chain of such an object goes on from where the copy has it; its end is not seen where the copy never knew it.
  const isOfObject = (line: string): boolean =>
    /^doubled: fabric-a class\/(faultInst|fvTenant) /.test(line) ||
    /^lost: fabric-a class\/fvTenant .* deleted /.test(line)
  expect(result.wrongs.filter(line => !isOfObject(line))).toEqual([])
})
