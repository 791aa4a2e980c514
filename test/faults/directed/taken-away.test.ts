/** The store's files, their directory and the disk below taken away under the whole daemon. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { untilAnswered } from '../../support/asked.ts'
import { until } from '../../support/manual-clock.ts'
import { notRun } from '../../support/tools.ts'
import { CLOUD } from '../whole/books.ts'
import { Disk } from '../whole/disk.ts'
import { OWN_TOKEN } from '../whole/systems.ts'
import type { World } from '../whole/world.ts'
import { once, played } from './drive.ts'

const isThereAgain = (log: readonly string[]): boolean => log.some(line => line.includes('is there again'))

/** The token that lives is in its file. */
function isKept({ stateDir, systems }: World): boolean {
  const path = join(stateDir, `${CLOUD}.token`)
  return existsSync(path) && readFileSync(path, 'utf8').includes(`"${systems.vcd.secretOf(OWN_TOKEN)}"`)
}

/** What lies in the directory: it may be a disk of its own, which can't be removed itself. */
const all = ({ stateDir }: World): string[] => readdirSync(stateDir).map(name => join(stateDir, name))

const DEEDS: readonly [string, number, (world: World) => void][] = [
  ['everything removed', 951, world => all(world).map(path => rmSync(path))],
  [
    'everything moved elsewhere',
    952,
    world => {
      const elsewhere = join(world.stateDir, 'elsewhere')
      const paths = all(world)
      mkdirSync(elsewhere)
      for (const path of paths) renameSync(path, join(elsewhere, path.slice(world.stateDir.length)))
    },
  ],
  ['the write-ahead log removed', 953, ({ stateDir }) => rmSync(join(stateDir, 'opswire.db-wal'))],
]

describe('the files of the store, taken away under way', () => {
  it.each(DEEDS)('%s: the next start finds all of it, and nothing is lost', async (_, seed, deed) => {
    const strike = once('taken away', 1000, async world => {
      const { vcd } = world.systems
      const logins = vcd.record.logins.length
      deed(world)
      // So the token that rotates, and lay there too, is needed again.
      vcd.endSessions()
      await until(() => isThereAgain(world.unit.log), 'the store in its place again')
      // Killed in the midst of a login nobody would know the token that lives.
      await until(() => vcd.record.logins.length > logins && isKept(world), 'the token in its place again')
      await world.unit.kill()
      return () => world.unit.up()
    })
    const result = await played({ seed, strikes: [strike], world: { setting: { vcdRotation: 'always' } } })
    expect(result.wrongs).toEqual([])
    expect(result.gaps.filter(gap => gap.reason === 'state_lost')).toEqual([])
    expect(result.starts).toBe(2)
  })

  it('the whole disk unmounted: it is said, nothing is taken, and on another disk all of it is there again', async () => {
    let words = ''
    const strike = once('unmounted', 3000, async world => {
      const { disk, stateDir, unit } = world
      if (disk === undefined) return notRun('only root can mount a disk')
      const { uid } = statSync(stateDir)
      disk.unmount()
      const isSaid = ({ status, body }: { status: number; body: string }): boolean => {
        words = body
        return status === 503 && body.includes('removed or renamed')
      }
      await untilAnswered(() => unit.get('/-/ready'), isSaid, 'not ready')
      return () => {
        Disk.mount(stateDir, uid, notRun)
      }
    })
    const result = await played({ seed: 954, strikes: [strike] })
    expect(result.wrongs).toEqual([])
    if (words !== '') expect(isThereAgain(result.log)).toBe(true)
  })
})
