/** The files of the Debian package, laid out below a folder as they will lie below `/`. */
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { type Dependency, DOC, dependencyLines, filled, newestEntry, PROGRAM, unitOfPackage } from './control.ts'
import type { Run } from './interruption.ts'

/** What the README leads to, beside `docs`, `config` and `examples`. */
const LINKED = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'Dockerfile', 'LICENSE']

/** What is not part of the documentation that the package carries. */
const NOT_SHOWN = ['debian']

/** One step of the building, timed by the caller. */
export type Step = readonly [name: string, run: () => Promise<void>]

/** The steps that fill `tree` from the repository at `root`. Writes nothing outside `tree` and the system's folder for temporary files. */
export function layingOut(root: string, tree: string, run: Run): Step[] {
  const at = (path: string): string => {
    const full = join(tree, path)
    mkdirSync(dirname(full), { recursive: true })
    return full
  }
  const source = (path: string): string => readFileSync(join(root, path), 'utf8')
  return [
    [
      'Node',
      async () => {
        const folder = join(root, 'node_modules', `node-linux-${process.arch}`)
        copyFileSync(join(folder, 'bin/node'), at(`${PROGRAM}/bin/node`))
        copyFileSync(join(folder, 'LICENSE'), at(`${DOC}/LICENSE.node`))
      },
    ],
    [
      'program',
      async () => {
        const tsc = join(root, 'node_modules/.bin/tsc')
        await run(tsc, ['-p', 'tsconfig.build.json', '--outDir', at(`${PROGRAM}/dist`)], { cwd: root })
        copyFileSync(join(root, 'package.json'), at(`${PROGRAM}/package.json`))
      },
    ],
    [
      'dependencies',
      async () => {
        const scratch = mkdtempSync(join(tmpdir(), 'opswire-deb-'))
        try {
          for (const name of ['package.json', 'package-lock.json']) copyFileSync(join(root, name), join(scratch, name))
          const args = ['ci', '--omit=dev', '--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund']
          await run('npm', [...args, '--prefer-offline'], { cwd: scratch })
          // Hidden ones are what npm keeps for itself, and what package authors left in: .npmignore, .github, editor settings.
          cpSync(join(scratch, 'node_modules'), at(`${PROGRAM}/node_modules`), {
            recursive: true,
            filter: path => !basename(path).startsWith('.'),
          })
        } finally {
          rmSync(scratch, { recursive: true })
        }
      },
    ],
    [
      'texts',
      async () => {
        cpSync(join(root, 'docs'), at(`${DOC}/docs`), { recursive: true })
        cpSync(join(root, 'config'), at(`${DOC}/config`), {
          recursive: true,
          filter: path => !NOT_SHOWN.some(name => path === join(root, 'config', name)),
        })
        cpSync(join(root, 'examples'), at(`${DOC}/examples`), { recursive: true })
        for (const name of LINKED) copyFileSync(join(root, name), at(`${DOC}/${name}`))
        const changelog = source('config/debian/changelog')
        writeFileSync(at(`${DOC}/changelog.gz`), gzipSync(changelog, { level: 9 }))
        const values = {
          NODE_VERSION: process.version,
          DEPENDENCIES: dependencyLines(dependenciesOf(join(tree, PROGRAM, 'node_modules'))),
        }
        writeFileSync(at(`${DOC}/copyright`), filled(source('config/debian/copyright'), values))
        for (const name of ['opswire.schema.json', 'event.schema.json']) {
          copyFileSync(join(root, 'config', name), at(`/usr/share/opswire/${name}`))
        }
        writeFileSync(
          at('/usr/lib/systemd/system/opswire.service'),
          unitOfPackage(source('config/systemd/opswire.service')),
        )
        copyFileSync(join(root, 'config/debian/opswire'), at('/usr/bin/opswire'))
        copyFileSync(join(root, 'config/opswire.example.yaml'), at('/etc/opswire/opswire.example.yaml'))
        mkdirSync(join(tree, 'etc/opswire/secrets'))
      },
    ],
    ['modes and times', async () => settle(tree, newestEntry(source('config/debian/changelog')).epoch)],
  ]
}

/** The installed packages, nested ones too. */
export function dependenciesOf(folder: string): Dependency[] {
  const found: Dependency[] = []
  for (const name of readdirSync(folder)) {
    const inner = join(folder, name)
    if (!statSync(inner).isDirectory()) continue
    if (name.startsWith('@')) {
      found.push(...dependenciesOf(inner))
      continue
    }
    const { name: own, version, license } = JSON.parse(readFileSync(join(inner, 'package.json'), 'utf8')) as Dependency
    found.push({ name: own, version, license: license ?? '' })
    if (existsSync(join(inner, 'node_modules'))) found.push(...dependenciesOf(join(inner, 'node_modules')))
  }
  return found
}

/** Everything below, sorted; folders before what is in them. */
export function entriesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()
}

const PROGRAMS = new Set(['usr/bin/opswire', `${PROGRAM.slice(1)}/bin/node`])

/** Modes that follow from the path alone, whatever the umask; times from the changelog. */
function settle(tree: string, epoch: number): void {
  const when = Number(process.env['SOURCE_DATE_EPOCH'] ?? epoch)
  for (const name of ['', ...entriesOf(tree)].reverse()) {
    const path = join(tree, name)
    const secret = name === 'etc/opswire/secrets'
    const executable = statSync(path).isDirectory() || PROGRAMS.has(name)
    chmodSync(path, secret ? 0o700 : executable ? 0o755 : 0o644)
    lutimesSync(path, when, when)
  }
}
