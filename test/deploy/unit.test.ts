/** The systemd unit, as systemd's own tools judge it. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { COMMANDS } from '../../src/cli/commands.ts'
import { EXIT } from '../../src/cli/io.ts'
import { has, notRun } from '../support/tools.ts'

const unit = readFileSync(new URL('../../config/systemd/opswire.service', import.meta.url), 'utf8')
const lines = unit.split('\n')

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'opswire-unit-'))
})

afterEach(() => {
  rmSync(folder, { recursive: true })
})

/** The unit as a file of its own: it is installed nowhere, so this process's own Node stands for the one of the layout. */
function installed(): string {
  const path = join(folder, 'opswire.service')
  writeFileSync(path, unit.replaceAll('/opt/opswire/bin/node', process.execPath))
  return path
}

test('it asks for nothing that Node does not survive, and says what the daemon relies on', () => {
  expect(unit).not.toMatch(/^MemoryDenyWriteExecute=(yes|true|on|1)/m)
  for (const line of [
    'Type=notify',
    'NotifyAccess=all',
    'WatchdogSec=60s',
    'Restart=always',
    `RestartPreventExitStatus=${EXIT.config}`,
    `SuccessExitStatus=${EXIT.forced}`,
    'ExecReload=/bin/kill -HUP $MAINPID',
    'DynamicUser=yes',
    'StateDirectory=opswire',
    'StateDirectoryMode=0700',
    // The watchdog kills with SIGABRT, and what the kernel then writes holds the secrets.
    'LimitCORE=0',
  ]) {
    expect(lines).toContain(line)
  }
  const called = [...unit.matchAll(/^Exec\w+=.*main\.js (\w+) /gm)].map(([, word]) => word ?? '')
  expect(called).toEqual(['check', 'run'])
  expect(called.filter(word => !(word in COMMANDS))).toEqual([])
})

test('systemd accepts it', () => {
  if (!has('systemd-analyze')) return notRun('there is no systemd-analyze')
  const verified = spawnSync('systemd-analyze', ['verify', installed()], { encoding: 'utf8' })
  expect({ status: verified.status, said: verified.stderr }).toEqual({ status: 0, said: '' })
})

/** What stays open, and why. */
const OPEN = [
  'DeviceAllow=', // ProtectClock= itself lets /dev/rtc be read
  'IPAddressDeny=', // the sources and NATS are wherever the config says
  'MemoryDenyWriteExecute=', // V8 compiles at run time
  'NotifyAccess=', // all: where libsystemd is missing a child speaks for the daemon
  'PrivateNetwork=',
  'PrivateUsers=', // not tried together with LoadCredential=
  'ProcSubset=', // Node reads /proc/meminfo and /proc/cpuinfo
  'RestrictAddressFamilies=~AF_(INET|INET6)',
  'RestrictAddressFamilies=~AF_NETLINK', // name resolution
  'RestrictAddressFamilies=~AF_UNIX', // sd_notify
  'RootDirectory=/RootImage=',
]

test('what its sandbox leaves open is what has a reason', () => {
  if (!has('systemd-analyze')) return notRun('there is no systemd-analyze')
  const judged = spawnSync('systemd-analyze', ['security', '--offline=true', '--no-pager', installed()], {
    encoding: 'utf8',
  })
  const score = /Overall exposure level for opswire\.service: ([\d.]+)/.exec(judged.stdout)?.[1]
  process.stdout.write(`systemd-analyze security: exposure ${score} (10 is open, 0 is closed)\n`)
  const open = [...judged.stdout.matchAll(/^✗ (\S+)/gm)].map(([, name]) => name ?? '')
  expect(open.filter(name => !OPEN.includes(name))).toEqual([])
  expect(Number(score)).toBeLessThan(1.6)
})
