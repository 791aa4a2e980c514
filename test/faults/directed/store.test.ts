/** The store's file damaged, and its directory made read-only, under the whole daemon. */
import { chmodSync, chownSync, closeSync, fstatSync, openSync, readdirSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { until } from '../../support/manual-clock.ts'
import { notRun } from '../../support/tools.ts'
import type { Gap } from '../whole/judge.ts'
import type { World } from '../whole/world.ts'
import { once, played } from './drive.ts'

const PAGE = 8192

/** Overwrites all pages of the database but the first two. */
function scribble({ stateDir }: World): void {
  const file = openSync(join(stateDir, 'opswire.db'), 'r+')
  const { size } = fstatSync(file)
  for (let at = 2 * PAGE; at < size; at += PAGE) writeSync(file, Buffer.alloc(PAGE, 0x5a), 0, PAGE, at)
  closeSync(file)
}

const isLost = (gap: Gap): boolean => gap.reason === 'state_lost'
const aside = (log: readonly string[]): boolean => log.some(line => line.includes('damaged'))

describe('a damaged store file', () => {
  it('found at the start: what it held is a gap of each feed, and all that comes is told once', async () => {
    const strike = once('damaged while down', 500, async world => {
      // In order: then all of it is in the file, and nothing beside it.
      await world.unit.stop()
      scribble(world)
      return () => world.unit.up()
    })
    const result = await played({ seed: 901, strikes: [strike], mayBe: isLost })
    expect(result.wrongs).toEqual([])
    expect(aside(result.log)).toBe(true)
    expect(new Set(result.gaps.filter(isLost).map(gap => gap.source)).size).toBe(3)
  })

  it('found under way: the same', async () => {
    const strike = once('damaged under way', 0, scribble)
    const result = await played({ seed: 902, strikes: [strike], mayBe: isLost })
    expect(result.wrongs).toEqual([])
  })
})

describe('a state directory that can not be written to', () => {
  it('keeps an unprivileged daemon from starting, and nothing is lost when it can again', async () => {
    if (process.getuid?.() !== 0) {
      notRun('only root can be another user')
      return
    }
    const strike = once('read-only', 2500, async ({ unit, stateDir }) => {
      await unit.kill()
      const { uid, gid } = statSync(stateDir)
      const all = [stateDir, ...readdirSync(stateDir).map(name => join(stateDir, name))]
      for (const path of all) {
        chownSync(path, 0, 0)
        chmodSync(path, statSync(path).isDirectory() ? 0o755 : 0o644)
      }
      unit.hardTimes++
      const before = unit.starts
      const up = unit.up()
      await until(() => unit.starts > before + 1, 'a start that failed')
      return async () => {
        for (const path of all) chownSync(path, uid, gid)
        unit.hardTimes--
        await up
      }
    })
    const result = await played({ seed: 903, strikes: [strike] })
    expect(result.wrongs).toEqual([])
    // More than the first start and the one that worked.
    expect(result.starts).toBeGreaterThan(2)
  })
})
