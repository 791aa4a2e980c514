import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createNotifier, type Notifier } from '../../src/ops/systemd.ts'
import { ManualClock, until } from '../support/manual-clock.ts'
import { has, notRun } from '../support/tools.ts'
import { bindDatagram, type DatagramSocket } from './datagram.ts'

const CHILD = fileURLToPath(new URL('./notify-child.ts', import.meta.url))

let folder: string
let socket: DatagramSocket | undefined

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'opswire-sd-'))
})

afterEach(() => {
  socket?.close()
  socket = undefined
  rmSync(folder, { recursive: true })
})

/** Listens as systemd does; undefined, and said so, where there is no way to. */
function listen(): { path: string; receive(): string | undefined } | undefined {
  const path = join(folder, 'notify')
  const bound = bindDatagram(path)
  if (typeof bound === 'string') {
    notRun(bound)
    return undefined
  }
  socket = bound
  return { path, receive: bound.receive }
}

function hasLibsystemd(): boolean {
  try {
    process.getBuiltinModule('node:ffi').dlopen('libsystemd.so.0').lib.close()
    return true
  } catch {
    return false
  }
}

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the child to its end, collecting what it says to systemd. */
async function runChild(
  env: Record<string, string>,
  receive: () => string | undefined,
): Promise<Ended & { readonly heard: string[] }> {
  const child = spawn(process.execPath, [CHILD], { env: { PATH: process.env['PATH'] ?? '', ...env } })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', chunk => {
    stdout += String(chunk)
  })
  child.stderr.on('data', chunk => {
    stderr += String(chunk)
  })
  let ended: { code: number | null } | undefined
  child.once('close', code => {
    ended = { code }
  })
  const heard: string[] = []
  const drain = (): void => {
    for (let message = receive(); message !== undefined; message = receive()) heard.push(message)
  }
  const { code } = await until(() => {
    drain()
    return ended
  }, 'the end of the child')
  drain()
  return { code, stdout, stderr, heard }
}

test('libsystemd through node:ffi: every message arrives in order, and nothing is said on stderr', async () => {
  if (!hasLibsystemd()) return notRun('there is no libsystemd')
  const systemd = listen()
  if (systemd === undefined) return
  const { code, stdout, stderr, heard } = await runChild(
    { NOTIFY_SOCKET: systemd.path, WATCHDOG_USEC: '60000000' },
    systemd.receive,
  )
  expect(stderr).toBe('')
  expect(stdout).toBe('active: true\n')
  expect(code).toBe(0)
  expect(heard.join('\n').split('\n')).toEqual([
    'READY=1',
    'STATUS=3 of 3 sources up',
    'WATCHDOG=1',
    'STOPPING=1',
    'STATUS=stopping',
  ])
})

test('without libsystemd, systemd-notify says it, one message after the other', async () => {
  if (!has('systemd-notify')) return notRun('there is no systemd-notify')
  const systemd = listen()
  if (systemd === undefined) return
  const { code, stdout, stderr, heard } = await runChild(
    { NOTIFY_SOCKET: systemd.path, TEST_LIBRARY: 'libno-such-library.so.0', TEST_LIFE_MS: '1' },
    systemd.receive,
  )
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'active: true\n', stderr: '' })
  const said = heard.join('\n')
  expect(said).toContain('READY=1')
  expect(said.indexOf('READY=1')).toBeLessThan(said.indexOf('STOPPING=1'))
  // The last word about the state is the right one.
  expect(said.lastIndexOf('STATUS=')).toBe(said.indexOf('STATUS=stopping'))
})

test.each(['libsystemd.so.0', 'libno-such-library.so.0'])(
  'a reload is begun and ended, in order (%s)',
  async library => {
    const isThere = library === 'libsystemd.so.0' ? hasLibsystemd() : has('systemd-notify')
    if (!isThere) return notRun(`there is no way to tell systemd by ${library}`)
    const systemd = listen()
    if (systemd === undefined) return
    const env = { NOTIFY_SOCKET: systemd.path, TEST_LIBRARY: library, TEST_RELOAD: '1', TEST_LIFE_MS: '1' }
    const { code, stderr, heard } = await runChild(env, systemd.receive)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const states = heard.filter(message => /READY=1|RELOADING=1|STOPPING=1/.test(message))
    // Each in a message of its own: systemd takes only one change of state from one.
    expect(states.map(message => message.split('\n')[0])).toEqual(['READY=1', 'RELOADING=1', 'READY=1', 'STOPPING=1'])
    const at = Number(/^MONOTONIC_USEC=(\d+)$/m.exec(states[1] ?? '')?.[1])
    // The system's own monotonic clock, not the process's.
    expect(at).toBeLessThanOrEqual(Number(process.hrtime.bigint() / 1000n))
    expect(at).toBeGreaterThan(Number(process.hrtime.bigint() / 1000n) - 60_000_000)
  },
)

test('with neither, it is said once and the daemon goes on', async () => {
  const { code, stdout, stderr } = await runChild(
    { NOTIFY_SOCKET: join(folder, 'none'), TEST_LIBRARY: 'libno-such-library.so.0', PATH: folder },
    () => undefined,
  )
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/^active: true\nproblem: systemd can't be told: .*ENOENT\n$/)
})

test('outside systemd nothing is loaded, started or sent', async () => {
  const clock = new ManualClock()
  for (const env of [{}, { NOTIFY_SOCKET: '' }]) {
    const notifier = createNotifier({
      clock,
      env,
      healthy: () => true,
      summary: () => 'up',
      onProblem: text => expect.unreachable(text),
    })
    expect(notifier.active).toBe(false)
    notifier.ready()
    notifier.stopping()
    await notifier.close()
  }
  expect(clock.waiting).toBe(0)
})

/** A notifier of this process that speaks to the test's socket, on a hand-turned clock. */
async function withNotifier(
  env: Record<string, string>,
  play: (
    notifier: Notifier,
    clock: ManualClock,
    heard: () => string[],
    state: { healthy: boolean; summary: string },
  ) => Promise<void>,
): Promise<void> {
  if (!hasLibsystemd()) return notRun('there is no libsystemd')
  const systemd = listen()
  if (systemd === undefined) return
  const before = process.env['NOTIFY_SOCKET']
  // libsystemd reads the process's own environment.
  process.env['NOTIFY_SOCKET'] = systemd.path
  const clock = new ManualClock()
  const state = { healthy: true, summary: 'all well' }
  const notifier = createNotifier({
    clock,
    env: { ...process.env, ...env },
    healthy: () => state.healthy,
    summary: () => state.summary,
    onProblem: text => expect.unreachable(text),
  })
  const heard = (): string[] => {
    const lines: string[] = []
    for (let message = systemd.receive(); message !== undefined; message = systemd.receive())
      lines.push(...message.split('\n'))
    return lines
  }
  try {
    await play(notifier, clock, heard, state)
  } finally {
    await notifier.close()
    if (before === undefined) delete process.env['NOTIFY_SOCKET']
    else process.env['NOTIFY_SOCKET'] = before
  }
  expect(clock.waiting).toBe(0)
}

test('the watchdog is fed at half its time while healthy, and starves when not', async () => {
  await withNotifier(
    { WATCHDOG_USEC: '30000000', WATCHDOG_PID: String(process.pid) },
    async (notifier, clock, heard, state) => {
      expect(heard()).toEqual([])
      notifier.ready()
      expect(heard()).toEqual(['READY=1', 'STATUS=all well', 'WATCHDOG=1'])
      await clock.advance(14_999)
      expect(heard()).toEqual([])
      await clock.advance(1)
      expect(heard()).toEqual(['WATCHDOG=1'])
      state.healthy = false
      state.summary = 'stuck\u001b[2J'
      await clock.advance(60_000)
      expect(heard()).toEqual(['STATUS=stuck [2J'])
      state.healthy = true
      await clock.advance(15_000)
      expect(heard()).toEqual(['WATCHDOG=1'])
      // A graceful stop may take longer than the watchdog's patience.
      notifier.stopping()
      expect(heard()).toEqual(['STOPPING=1', 'STATUS=stopping'])
      await clock.advance(15_000)
      expect(heard()).toEqual(['WATCHDOG=1'])
    },
  )
})

test('without a watchdog, or with one meant for another process, only changes are told', async () => {
  await withNotifier({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '1' }, async (notifier, clock, heard, state) => {
    notifier.ready()
    expect(heard()).toEqual(['READY=1', 'STATUS=all well'])
    await clock.advance(600_000)
    expect(heard()).toEqual([])
    state.summary = '2 of 3 sources up'
    await clock.advance(10_000)
    expect(heard()).toEqual(['STATUS=2 of 3 sources up'])
  })
})
