/** The file of a rotated API token, removed under a running daemon: the token in it is the only one that lives. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { vcdSubscriber } from '../../src/subscribers/vcd/subscriber.ts'
import { type Rig, SYSTEM_TOKEN, startRig } from './rig.ts'

let rig: Rig
afterEach(() => rig.end())

const ROTATING = {
  tokens: [
    { secret: 'secret-system', id: SYSTEM_TOKEN, name: 'opswire', user: 'root', org: 'System', rotation: 'always' },
  ],
} as const
const kept = (): unknown => JSON.parse(readFileSync(join(rig.directory, 'cloud.token'), 'utf8')).token

it('is written again by the next login, which is not refused', async () => {
  rig = await startRig(ROTATING)
  rig.read()
  await rig.turns(1)
  rmSync(join(rig.directory, 'cloud.token'))
  rig.simulator.endSessions()
  await rig.turns(2)
  expect(rig.failures).toEqual([])
  expect(rig.simulator.record.logins.map(({ ok }) => ok)).toEqual([true, true])
  expect(kept()).toBe(rig.simulator.secretOf(SYSTEM_TOKEN))
})

it('is not made up by a process that never had it', async () => {
  rig = await startRig(ROTATING)
  await (await rig.open(vcdSubscriber(rig.config()))).close()
  rmSync(join(rig.directory, 'cloud.token'))
  // It knows the configured one alone, which is dead.
  await expect(rig.open(vcdSubscriber(rig.config()))).rejects.toMatchObject({ code: 'auth_refused' })
  expect(existsSync(join(rig.directory, 'cloud.token'))).toBe(false)
})

it('is not written over the successor of a token that was configured meanwhile', async () => {
  rig = await startRig(ROTATING)
  rig.read()
  await rig.turns(1)
  // A command with a new config has logged in; the daemon was not told of that config yet.
  const file = join(rig.directory, 'cloud.token')
  const other = JSON.stringify({ configured: 'of another one', token: 'the only one of it that lives' })
  writeFileSync(file, other)
  rig.simulator.endSessions()
  const { logins } = rig.simulator.record
  await rig.drive(() => logins.length > 1, 'the next login')
  // The configured token is dead, and it is for the operator to tell which one is meant.
  expect(logins.map(({ ok }) => ok)).toEqual([true, false])
  expect(readFileSync(file, 'utf8')).toBe(other)
})
