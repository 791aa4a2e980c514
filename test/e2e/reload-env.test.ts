/** What a reload has to do with the daemon's environment: overrides, and systemd. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { bindDatagram } from '../ops/datagram.ts'
import { until } from '../support/manual-clock.ts'
import { ThreeSystems } from '../support/three-systems.ts'

const over: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const close of over.splice(0).reverse()) await close()
})

async function started(env: Record<string, string>): Promise<ThreeSystems> {
  const world = await ThreeSystems.make(env)
  over.push(() => world.close())
  await world.start()
  return world
}

it('the overrides are laid over the new file again', async () => {
  const world = await started({ OPSWIRE_SOURCES__CLOUD__POLL_INTERVAL: '2s', OPSWIRE_LOG__LEVEL: 'info' })
  world.blocks.cloud = world.blocks.cloud.replace('poll_interval: 1s', 'poll_interval: 9s')
  world.blocks.top += 'log: { level: debug }\n'
  world.write()
  expect(await world.reload()).toMatchObject({ status: 200, changed: [] })
  // A source of that name must be there: the variable is checked like the file.
  world.blocks.cloud = ''
  world.write()
  const { status, problems } = await world.reload()
  expect([status, problems]).toEqual([
    422,
    [expect.stringContaining('$OPSWIRE_SOURCES__CLOUD__POLL_INTERVAL: no source of the file has this name')],
  ])
})

it('systemd is told when it begins and when it is over, also when it is refused', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'opswire-sd-'))
  over.push(async () => rmSync(directory, { recursive: true }))
  const path = join(directory, 'notify')
  const socket = bindDatagram(path)
  if (typeof socket === 'string') {
    process.stdout.write(`NOT RUN: ${expect.getState().currentTestName}: ${socket}\n`)
    expect(process.env['OPSWIRE_REQUIRE_TOOLS'], socket).not.toBe('1')
    return
  }
  over.push(async () => socket.close())
  const heard: string[] = []
  const states = (): string[] => {
    for (let message = socket.receive(); message !== undefined; message = socket.receive()) {
      heard.push(...message.split('\n').filter(line => /^(READY|RELOADING|STOPPING)=1$/.test(line)))
    }
    return heard
  }
  const world = await started({ NOTIFY_SOCKET: path })
  await until(() => states().length === 1, 'ready')
  world.daemon.signal('SIGHUP')
  await until(() => states().length === 3, 'the reload')
  world.blocks.top += 'nonsense: true\n'
  world.write()
  world.daemon.signal('SIGHUP')
  await until(() => states().length === 5, 'the refused one')
  expect(await world.daemon.stop()).toBe(0)
  expect(states()).toEqual(['READY=1', 'RELOADING=1', 'READY=1', 'RELOADING=1', 'READY=1', 'STOPPING=1'])
})
