/** The Dockerfile, carried out step by step: no engine is needed, and a changed file is tested as changed. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Loan } from '../support/own-root.ts'
import { noRootOfItsOwn, notRun } from '../support/tools.ts'
import { type Base, carryOut, type Image, instructionsOf } from './dockerfile.ts'
import { runUnprivileged } from './unprivileged.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
/** The user `node` of the base image. */
const NODE_UID = 1000

const text = readFileSync(join(ROOT, 'Dockerfile'), 'utf8')
let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'opswire-container-'))
})

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

/** The npm that this machine has, as a folder. */
function npmFolder(): string {
  for (const place of (process.env['PATH'] ?? '').split(delimiter)) {
    const npm = join(place, 'npm')
    if (existsSync(npm)) return dirname(dirname(realpathSync(npm)))
  }
  throw new Error('there is no npm on PATH')
}

/** How npm reaches its registry here: files and variables that a step needs as the machine's own npm does. */
function reach(): { loans: Loan[]; env: Record<string, string> } {
  const ask = (key: string): string =>
    execFileSync('npm', ['config', 'get', key], { encoding: 'utf8', cwd: folder }).trim()
  const env: Record<string, string> = { npm_config_cache: ask('cache'), npm_config_prefer_offline: 'true' }
  for (const [name, value = ''] of Object.entries(process.env)) {
    if (/^((https?|no)_proxy|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|npm_config_(registry|cafile))$/i.test(name))
      env[name] = value
  }
  for (const name of ['userconfig', 'globalconfig']) env[`npm_config_${name}`] = ask(name)
  const files = [
    ...Object.values(env),
    '/etc/resolv.conf',
    '/etc/hosts',
    '/etc/nsswitch.conf',
    '/etc/ssl',
    '/etc/ca-certificates',
  ]
  const there = new Set(files.filter(path => path.startsWith('/') && existsSync(path)))
  mkdirSync(ask('cache'), { recursive: true })
  const loans = [...there].map(from => ({ from, writable: from === env['npm_config_cache'] }))
  return { loans, env }
}

/** A stand-in for `node:26-bookworm-slim`: this machine's /usr, our own Node and npm in /usr/local, the users of the image. */
function base(): Base {
  const local = join(folder, 'usr-local')
  mkdirSync(join(local, 'bin'), { recursive: true })
  copyFileSync(process.execPath, join(local, 'bin/node'))
  chmodSync(join(local, 'bin/node'), 0o755)
  cpSync(npmFolder(), join(local, 'lib/node_modules/npm'), { recursive: true })
  for (const name of ['npm', 'npx']) symlinkSync(`../lib/node_modules/npm/bin/${name}-cli.js`, join(local, 'bin', name))
  const { loans, env } = reach()
  return {
    say: line => process.stdout.write(`${line}\n`),
    prepare(image, root) {
      expect(image).toMatch(/^node:26-/)
      expect(process.version).toMatch(/^v26\./)
      for (const name of ['etc', 'tmp', 'root', 'usr']) mkdirSync(join(root, name))
      writeFileSync(
        join(root, 'etc/passwd'),
        `root:x:0:0::/root:/bin/sh\nnode:x:${NODE_UID}:${NODE_UID}::/home/node:/bin/sh\n`,
      )
      writeFileSync(join(root, 'etc/group'), `root:x:0:\nnode:x:${NODE_UID}:\n`)
      const merged = readdirSync('/').filter(name => /^(s?bin|lib\d*)$/.test(name))
      for (const name of merged) symlinkSync(readlinkSync(`/${name}`), join(root, name))
      const machine = ['/usr', '/proc', '/dev'].map(from => ({ from }))
      return { loans: [...machine, { from: local, to: '/usr/local' }, ...loans], env: { ...env, PATH, HOME: '/root' } }
    },
  }
}

it('every step of the Dockerfile succeeds, and what it makes delivers as its user on a read-only root', async () => {
  const reason = noRootOfItsOwn()
  if (reason !== undefined) return notRun(reason)
  const { image, loans } = carryOut(text, ROOT, folder, base())
  expect(image.stopSignal).toBe('SIGTERM')
  expect(image.user).toBe('node')
  expect(image.entrypoint).toEqual(['node', 'dist/main.js'])
  expect(image.command).toEqual(['run', '-c', '/etc/opswire/opswire.yaml'])
  const [volume = ''] = image.volumes
  expect(statSync(join(image.root, volume)).uid).toBe(NODE_UID)
  expect(ownFiles(image)).toEqual(['LICENSE', 'dist', 'node_modules', 'package.json'])
  // Neither the compiler nor a second Node.
  const modules = readdirSync(join(image.root, image.directory, 'node_modules'))
  expect(modules.filter(name => /^(typescript|vitest|node-(bin|linux|darwin))/.test(name))).toEqual([])
  const seen = await runUnprivileged({
    root: image.root,
    loans,
    opswire: ['/usr/bin/env', `PATH=${PATH}`, `NODE_ENV=${image.env['NODE_ENV']}`, ...image.entrypoint],
    directory: image.directory,
    uid: NODE_UID,
  })
  process.stdout.write(`from the container's steps, as user ${NODE_UID}: ${seen.summary}\n`)
})

function ownFiles({ root, directory }: Image): string[] {
  return readdirSync(join(root, directory)).sort()
}

it('is read as an engine reads it', () => {
  const words = instructionsOf('# a\nFROM a AS b\n\nRUN one \\\n  && two\nCMD ["x"]\n')
  expect(words).toEqual([
    { word: 'FROM', rest: 'a AS b' },
    { word: 'RUN', rest: 'one    && two' },
    { word: 'CMD', rest: '["x"]' },
  ])
  expect(() =>
    carryOut('FROM node:26-x\nMAGIC now', ROOT, mkdtempSync(join(folder, 'x-')), {
      say: () => undefined,
      prepare: () => ({ loans: [], env: {} }),
    }),
  ).toThrow('no rule for MAGIC now')
})
