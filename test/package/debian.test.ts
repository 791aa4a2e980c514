/** The Debian package as a machine would get it: built, looked at, installed, run as an unprivileged user, removed, purged. */
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { homedir, hostname, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dependenciesOf, entriesOf } from '../../scripts/debian/tree.ts'
import { type Built, buildDeb } from '../../scripts/package-deb.ts'
import { essentials } from '../support/own-root.ts'
import { has, noRootOfItsOwn, notRun } from '../support/tools.ts'
import { runUnprivileged, UID } from './unprivileged.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const PROGRAM = 'usr/lib/opswire'

/** Why there is no package here. */
const lacking =
  process.platform !== 'linux'
    ? 'Debian packages are built on Linux'
    : has('dpkg-deb')
      ? undefined
      : 'there is no dpkg-deb'

let folder: string
let built: Built | undefined

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'opswire-package-'))
  if (lacking !== undefined) return
  built = await buildDeb(join(folder, 'first'))
  const steps = built.steps.map(([name, seconds]) => `${name} ${seconds.toFixed(1)} s`).join(', ')
  process.stdout.write(
    `package: ${(built.bytes / 1e6).toFixed(1)} MB, ${(built.installedBytes / 1e6).toFixed(1)} MB installed; ${steps}\n`,
  )
})

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

/** The unpacked package, in a folder of its own; what only looks at it shares one. */
function unpacked(name = 'looked-at'): string {
  const root = join(folder, name)
  if (existsSync(root)) return root
  execFileSync('dpkg-deb', ['-x', built?.path ?? '', root])
  return root
}

describe('what is in it', () => {
  it('is the same, byte for byte, when it is built again', async () => {
    if (built === undefined) return notRun(lacking ?? '')
    const umask = process.umask(0o077)
    try {
      const again = await buildDeb(join(folder, 'second'))
      expect(again.sha256).toBe(built.sha256)
    } finally {
      process.umask(umask)
    }
  })

  it('belongs to root, with no mode but those meant, and the checksums are right', () => {
    if (built === undefined) return notRun(lacking ?? '')
    const listed = execFileSync('dpkg-deb', ['-c', built.path], { encoding: 'utf8', maxBuffer: 1 << 26 })
      .trim()
      .split('\n')
    const kinds = new Set(listed.map(line => line.split(/\s+/).slice(0, 2).join(' ')))
    expect([...kinds].sort()).toEqual([
      '-rw-r--r-- root/root',
      '-rwxr-xr-x root/root',
      'drwx------ root/root',
      'drwxr-xr-x root/root',
    ])
    const named = (start: string): string[] =>
      listed.filter(line => line.startsWith(start)).map(line => line.split(/\s+/).at(-1) ?? '')
    expect(named('-rwx')).toEqual(['./usr/bin/opswire', `./${PROGRAM}/bin/node`])
    expect(named('drwx------')).toEqual(['./etc/opswire/secrets/'])
    const root = unpacked()
    const control = join(folder, 'control')
    execFileSync('dpkg-deb', ['-e', built.path, control])
    const sums = readFileSync(join(control, 'md5sums'), 'utf8').trim().split('\n')
    for (const line of sums) {
      const [sum, name = ''] = line.split('  ')
      expect(
        createHash('md5')
          .update(readFileSync(join(root, name)))
          .digest('hex'),
        name,
      ).toBe(sum)
    }
    const files = entriesOf(root).filter(name => lstatSync(join(root, name)).isFile())
    expect(sums.length).toBe(files.length)
  })

  it('holds nothing of the machine that built it, no tests, and no tool for development', () => {
    if (built === undefined) return notRun(lacking ?? '')
    const root = unpacked()
    // Short names of a machine, and those of a bare one, stand in many a documentation.
    const machine = [ROOT, folder, homedir(), hostname()].filter(word => word.length >= 8 && word !== 'localhost')
    const found = entriesOf(root)
      .filter(name => lstatSync(join(root, name)).isFile() && !name.endsWith('bin/node'))
      .flatMap(name => {
        const text = readFileSync(join(root, name), 'latin1')
        return machine.filter(word => text.includes(word)).map(word => `${name}: ${word}`)
      })
    expect(found).toEqual([])
    const names = dependenciesOf(join(root, PROGRAM, 'node_modules')).map(({ name }) => name)
    const { dependencies, devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<
      string,
      object
    >
    expect(names).toEqual(expect.arrayContaining(Object.keys(dependencies ?? {})))
    expect(names.filter(name => name in (devDependencies ?? {}))).toEqual([])
    expect(names.filter(name => name.startsWith('node-'))).toEqual([])
    const copyright = readFileSync(join(root, 'usr/share/doc/opswire/copyright'), 'utf8')
    for (const name of names) expect(copyright).toContain(`\n ${name} `)
    expect(readFileSync(join(root, 'usr/share/doc/opswire/LICENSE.node'), 'utf8')).toContain('Node.js is licensed')
  })

  it('has all that its README leads to', () => {
    if (built === undefined) return notRun(lacking ?? '')
    const doc = join(unpacked(), 'usr/share/doc/opswire')
    const text = readFileSync(join(doc, 'README.md'), 'utf8')
    const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, link = '']) => link)
    expect(links.length).toBeGreaterThan(20)
    expect(links.filter(link => !existsSync(join(doc, link)))).toEqual([])
  })

  it('has the unit with paths that are in the package', () => {
    if (built === undefined) return notRun(lacking ?? '')
    const root = unpacked()
    const unit = readFileSync(join(root, 'usr/lib/systemd/system/opswire.service'), 'utf8')
    expect(unit).not.toContain('/opt/')
    const paths = [...unit.matchAll(/\/usr\/[\w./-]+/g)].map(([path]) => path)
    expect(paths.length).toBeGreaterThan(4)
    expect(paths.filter(path => !existsSync(join(root, path)))).toEqual([])
  })
})

describe('installed, run, removed', () => {
  it('its daemon delivers as an unprivileged user on a read-only root, and leaves with 0 on TERM', async () => {
    const reason = lacking ?? noRootOfItsOwn()
    if (reason !== undefined) return notRun(reason)
    const root = unpacked('run')
    const seen = await runUnprivileged({
      root,
      loans: essentials(root),
      opswire: ['/usr/bin/opswire'],
    })
    process.stdout.write(`from the package, as user ${UID}: ${seen.summary}\n`)
  })

  it('installs, upgrades, is removed and purged by dpkg, leaving what it says and no more', () => {
    const reason = lacking ?? noRootOfItsOwn()
    if (built === undefined || reason !== undefined) return notRun(reason ?? '')
    const root = join(folder, 'installed')
    for (const name of ['var/lib/dpkg/info', 'var/lib/dpkg/updates', 'var/log', 'etc'])
      mkdirSync(join(root, name), { recursive: true })
    writeFileSync(join(root, 'var/lib/dpkg/status'), '')
    const dpkg = (...args: string[]): string => {
      const options = [`--root=${root}`, '--force-script-chrootless', '--force-depends']
      const done = spawnSync('dpkg', [...options, ...args], { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } })
      expect(done.status, done.stderr).toBe(0)
      return done.stdout
    }
    const own = (): string[] => entriesOf(root).filter(name => !/^(usr|var\/lib\/dpkg|var\/log)(\/|$)/.test(name))
    expect(dpkg('-i', built.path)).toContain('copy /etc/opswire/opswire.example.yaml')
    expect(own()).toEqual([
      'etc',
      'etc/opswire',
      'etc/opswire/opswire.example.yaml',
      'etc/opswire/secrets',
      'var',
      'var/lib',
    ])
    // Nothing is enabled by installing.
    expect(existsSync(join(root, 'etc/systemd'))).toBe(false)
    // What an operator adds, and what the daemon writes with DynamicUser.
    writeFileSync(join(root, 'etc/opswire/opswire.yaml'), 'state_dir: /var/lib/opswire\n')
    writeFileSync(join(root, 'etc/opswire/secrets/apic'), 'secret', { mode: 0o600 })
    mkdirSync(join(root, 'var/lib/private/opswire'), { recursive: true })
    writeFileSync(join(root, 'var/lib/private/opswire/opswire.db'), 'rows')
    const before = own()
    // The same again is an upgrade to dpkg: nothing of the operator's is touched, nothing needs asking.
    expect(dpkg('-i', built.path)).not.toContain('copy /etc')
    expect(own()).toEqual(before)
    expect(statSync(join(root, 'etc/opswire/secrets')).mode & 0o777).toBe(0o700)
    dpkg('-r', 'opswire')
    expect(own()).toEqual(before)
    expect(existsSync(join(root, 'usr/lib/opswire'))).toBe(false)
    expect(existsSync(join(root, 'usr/bin/opswire'))).toBe(false)
    dpkg('-P', 'opswire')
    expect(own().filter(name => name.includes('opswire'))).toEqual([])
    expect(readdirSync(join(root, 'var/lib/dpkg/info')).filter(name => name.startsWith('opswire'))).toEqual([])
  })
})
