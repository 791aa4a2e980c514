/** What a killed download leaves in the cache. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { systemClock } from '../../src/scheduler/clock.ts'
import { resolveTool } from '../../src/tools/resolve.ts'

const HOUR_S = 3600

let cache: string
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'opswire-partial-'))
})
afterEach(() => rmSync(cache, { recursive: true, force: true }))

/** A download that began and was last written to so many hours ago. */
function partial(name: string, beganHours: number, wroteHours: number): void {
  const folder = join(cache, 'nats-server', name)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'archive'), 'half of it')
  const ago = (hours: number): number => systemClock.wall() / 1000 - hours * HOUR_S
  utimesSync(join(folder, 'archive'), ago(wroteHours), ago(wroteHours))
  utimesSync(folder, ago(beganHours), ago(beganHours))
}

it('is removed by the next one; what is being written, and what is whole, is left', async () => {
  partial('.partial-dead', 5, 4)
  partial('.partial-alive', 5, 0)
  partial('2.12.0-x64-0123456789ab', 50, 50)
  const { platform, arch } = process
  // Nobody listens there: it does not come so far.
  const url = 'http://127.0.0.1:1/archive.tar.gz'
  const packages = [{ version: '2.14.0', platform, arch, url, form: 'tar.gz', programs: ['nats-server'] }] as const
  const env = { OPSWIRE_TOOLS_DIR: cache }
  const found = await resolveTool('nats-server', { exactly: '2.14.0' }, { packages, env, say: () => undefined })
  expect(found).toMatchObject({ missing: expect.stringContaining('127.0.0.1:1') })
  expect(readdirSync(join(cache, 'nats-server')).sort()).toEqual(['.partial-alive', '2.12.0-x64-0123456789ab'])
  expect(existsSync(join(cache, 'nats-server', '.partial-alive', 'archive'))).toBe(true)
})
