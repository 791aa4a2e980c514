/** A `state_dir` that was removed under a running daemon, and that a second one has taken before the first has noticed. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Daemon } from '../support/daemon.ts'
import { ThreeSystems } from '../support/three-systems.ts'

let systems: ThreeSystems
let second: Daemon

beforeEach(async () => {
  systems = await ThreeSystems.make()
  second = new Daemon(systems.configFile)
})

afterEach(async () => {
  await second.kill()
  await systems.close()
})

it('the first says who has it, and ends with 69; the second goes on', async () => {
  await systems.start()
  // It looks every few seconds: not before the other one is there.
  systems.daemon.signal('SIGSTOP')
  rmSync(join(systems.directory, 'state'), { recursive: true })
  const url = await second.start()
  systems.daemon.signal('SIGCONT')
  expect(await systems.daemon.ended()).toBe(69)
  const words = `in use by process ${second.pid}`
  expect(systems.daemon.log.some(line => line.includes('the store is failing') && line.includes(words))).toBe(true)
  systems.url = url
  await systems.untilReady()
})
