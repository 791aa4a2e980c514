/** What the real daemon says to systemd in its life, by a real datagram socket, as the unit has it said. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { bindDatagram, type DatagramSocket } from '../ops/datagram.ts'
import { Daemon } from '../support/daemon.ts'
import { until } from '../support/manual-clock.ts'
import { notRun } from '../support/tools.ts'

let folder: string
let socket: DatagramSocket | undefined
let daemon: Daemon | undefined

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'opswire-notify-'))
})

afterEach(async () => {
  await daemon?.kill()
  socket?.close()
  rmSync(folder, { recursive: true })
})

test('ready without any source, fed watchdog, reloading and ready again, stopping', async () => {
  const path = join(folder, 'notify')
  const bound = bindDatagram(path)
  if (typeof bound === 'string') return notRun(bound)
  socket = bound
  const config = join(folder, 'opswire.yaml')
  writeFileSync(
    config,
    'http: { listen: "127.0.0.1:0" }\nsources: [{ name: cloud, kind: vcd, url: "http://127.0.0.1:1", org: System, api_token: x }]\n',
  )
  daemon = new Daemon(config, { NOTIFY_SOCKET: path, WATCHDOG_USEC: '400000' })
  const heard: string[] = []
  /** States told so far, and how often the watchdog was fed. */
  const listen = (): { states: string[]; fed: number } => {
    for (let message = bound.receive(); message !== undefined; message = bound.receive())
      heard.push(...message.split('\n'))
    return {
      states: heard.filter(line => /^(READY|RELOADING|STOPPING)=1$/.test(line)),
      fed: heard.filter(line => line === 'WATCHDOG=1').length,
    }
  }
  const url = await daemon.start()
  await until(() => listen().fed >= 3, 'the watchdog fed')
  expect(listen().states).toEqual(['READY=1'])
  // Not ready by its own word, for its source is away: no reason for systemd to start it anew.
  expect((await fetch(`${url}/-/ready`)).status).toBe(503)
  daemon.signal('SIGHUP')
  await until(() => listen().states.length === 3, 'the reload told')
  const fed = listen().fed
  await until(() => listen().fed > fed, 'the watchdog fed after it')
  expect(await daemon.stop()).toBe(0)
  expect(listen().states).toEqual(['READY=1', 'RELOADING=1', 'READY=1', 'STOPPING=1'])
  expect(heard.filter(line => line.startsWith('STATUS=')).at(-1)).toBe('STATUS=stopping')
})
