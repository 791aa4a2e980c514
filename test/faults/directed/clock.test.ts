/**
 * The wall clock of the daemon's process set by hours, forward and back, while all three systems work: what the fabric, the
 * servers and the stream say of their times is other than ours from then on. In-process, on a clock turned by hand: test/apic/clock-jump.test.ts.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'vitest'
import { notRun } from '../../support/tools.ts'
import { once, played } from './drive.ts'

const PLACES = ['x86_64', 'aarch64'].map(machine => `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`)
const LIBRARY = [process.env['FAKETIME_LIBRARY'] ?? '', ...PLACES].find(path => path !== '' && existsSync(path))

describe.concurrent('nothing is lost when the clock is set', () => {
  it.for([
    ['three hours forward', 931, '+3h'],
    ['three hours back', 932, '-3h'],
  ] as const)('%s', async ([, seed, offset], { expect }) => {
    if (LIBRARY === undefined) {
      notRun('there is no libfaketime: FAKETIME_LIBRARY may name one')
      return
    }
    const env = (directory: string) => ({
      LD_PRELOAD: LIBRARY,
      FAKETIME_TIMESTAMP_FILE: join(directory, 'clock'),
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    })
    const strike = once('clock', 0, world => void world.file('clock', offset))
    const world = {
      env: (made: { readonly directory: string; file(name: string, text: string): string }) => {
        made.file('clock', '+0')
        return env(made.directory)
      },
    }
    const result = await played({ seed, strikes: [strike], world })
    expect(result.wrongs).toEqual([])
  })
})
