/** Node opens a debugger's port when it is told so by a signal that other daemons reopen their logs at. This one does not. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Daemon } from '../support/daemon.ts'
import { until } from '../support/manual-clock.ts'

let folder: string
let daemon: Daemon | undefined

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'opswire-usr1-'))
})

afterEach(async () => {
  await daemon?.kill()
  rmSync(folder, { recursive: true })
})

test('USR1 opens no port, by which whoever is on the machine could read every secret', async () => {
  const config = join(folder, 'opswire.yaml')
  writeFileSync(
    config,
    'http: { listen: "127.0.0.1:0" }\nsources: [{ name: cloud, kind: vcd, url: "http://127.0.0.1:1", org: System, api_token: x }]\n',
  )
  daemon = new Daemon(config)
  const { log } = daemon
  const url = await daemon.start()
  for (let turn = 1; turn <= 3; turn++) {
    daemon.signal('SIGUSR1')
    daemon.signal('SIGHUP')
    // Each takes a thread of Node's own to be noticed; the reload and an answer come after it.
    await until(() => log.filter(line => line.includes('reload')).length >= turn, 'the reload')
    expect((await fetch(`${url}/-/healthy`)).status).toBe(200)
  }
  expect(log.filter(line => /Debugger/.test(line))).toEqual([])
})
