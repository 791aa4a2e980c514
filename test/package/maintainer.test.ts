/** The package's scripts where systemd runs: in a root of their own, with a systemctl that notes what it is asked and may refuse it. */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { essentials, inOwnRoot, type Loan } from '../support/own-root.ts'
import { noRootOfItsOwn, notRun } from '../support/tools.ts'

const SCRIPTS = resolve(import.meta.dirname, '../../config/debian')
const lacking = noRootOfItsOwn()

let root: string
let loans: readonly Loan[]

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'opswire-maintainer-'))
  loans = [...essentials(root), { from: '/usr/bin/rm' }]
  mkdirSync(join(root, 'run/systemd/system'), { recursive: true })
})

afterEach(() => {
  rmSync(root, { recursive: true, force: true })
})

function put(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}

/** Runs one script as dpkg does, and tells what it asked of systemctl, which answers with `verdict`. */
function script(name: string, args: readonly string[], verdict: number): { asked: string[]; said: string } {
  put('usr/bin/systemctl', `#!/bin/sh\necho "$*" >> /asked\nexit ${verdict}\n`)
  chmodSync(join(root, 'usr/bin/systemctl'), 0o755)
  put('asked', '')
  copyFileSync(join(SCRIPTS, name), join(root, name))
  const { command, args: words } = inOwnRoot({ root, loans, readOnly: false }, ['/usr/bin/sh', `/${name}`, ...args])
  const done = spawnSync(command, words, { encoding: 'utf8', env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } })
  expect(done.status, `${name} ${args.join(' ')}: ${done.stderr}`).toBe(0)
  const asked = readFileSync(join(root, 'asked'), 'utf8').split('\n')
  return { asked: asked.filter(line => line !== ''), said: done.stdout + done.stderr }
}

it.each([0, 1])('ask of systemd what they say, and do not fail when it answers %i', verdict => {
  if (lacking !== undefined) return notRun(lacking)
  const first = script('postinst', ['configure', ''], verdict)
  expect(first.asked).toEqual(['daemon-reload'])
  expect(first.said).toContain('copy /etc/opswire/opswire.example.yaml')
  put('etc/opswire/opswire.yaml', 'sources: []\n')
  const upgrade = script('postinst', ['configure', '0.0.9'], verdict)
  expect(upgrade.asked).toEqual(['daemon-reload', 'try-restart opswire.service'])
  // A daemon that does not take the config of the version before is said, and leaves no half-configured package.
  expect(upgrade.said).toBe(
    verdict === 0 ? '' : 'opswire: it could not be restarted; journalctl -u opswire tells why\n',
  )
  expect(script('prerm', ['upgrade', '0.2.0'], verdict).asked).toEqual([])
  expect(script('prerm', ['remove'], verdict).asked).toEqual(['stop opswire.service'])
  expect(script('postrm', ['upgrade', '0.2.0'], verdict).asked).toEqual(['daemon-reload'])
  expect(script('postrm', ['remove'], verdict).asked).toEqual(['daemon-reload'])
  expect(existsSync(join(root, 'etc/opswire/opswire.yaml'))).toBe(true)
})

it.each([0, 1])(
  'purging leaves neither config, secrets, state nor the link of an enabled unit, twice, with systemctl at %i',
  verdict => {
    if (lacking !== undefined) return notRun(lacking)
    const own = ['etc/opswire/secrets/apic', 'var/lib/private/opswire/opswire.db']
    const others = ['var/lib/private/other/x', 'etc/systemd/system/multi-user.target.wants/other.service']
    const link = 'etc/systemd/system/multi-user.target.wants/opswire.service'
    for (const path of [...own, ...others, link]) put(path, '')
    expect(script('postrm', ['purge'], verdict).asked).toEqual(['daemon-reload'])
    expect(
      [...own, link, 'etc/opswire', 'var/lib/private/opswire'].filter(path => existsSync(join(root, path))),
    ).toEqual([])
    expect(others.every(path => existsSync(join(root, path)))).toBe(true)
    script('postrm', ['purge'], verdict)
  },
)
