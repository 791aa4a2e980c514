/**
 * Builds the Debian package: `npm run package:deb`, or `npm run package:deb -- --out FOLDER`. Needs dpkg-deb and no root;
 * the package is for the machine's own architecture. Built twice from the same commit it is the same, byte for byte.
 */
import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { ARCHITECTURES, filled, newestEntry } from './debian/control.ts'
import { Interruption } from './debian/interruption.ts'
import { entriesOf, layingOut, type Step } from './debian/tree.ts'

const ROOT = resolve(import.meta.dirname, '..')
const SCRIPTS = ['postinst', 'prerm', 'postrm']

export interface Built {
  readonly path: string
  readonly bytes: number
  /** Of what is installed. */
  readonly installedBytes: number
  readonly sha256: string
  /** Name and seconds of each step. */
  readonly steps: readonly (readonly [name: string, seconds: number])[]
}

/** Writes `opswire_VERSION_ARCH.deb` into `out`. Throws when something is missing that is needed for it, and when INT or TERM interrupts it. */
export async function buildDeb(out: string): Promise<Built> {
  const architecture = ARCHITECTURES[process.arch]
  if (process.platform !== 'linux' || architecture === undefined) {
    throw new Error(`there is no Debian package for ${process.platform} ${process.arch}`)
  }
  const source = (name: string): string => readFileSync(join(ROOT, 'config/debian', name), 'utf8')
  const { version, maintainer, epoch } = newestEntry(source('changelog'))
  const scratch = mkdtempSync(join(tmpdir(), 'opswire-deb-'))
  const tree = join(scratch, 'tree')
  const path = join(out, `opswire_${version}_${architecture}.deb`)
  const interruption = new Interruption()
  let installedBytes = 0
  const control: Step = [
    'control',
    async () => {
      const files = entriesOf(tree).filter(name => statSync(join(tree, name)).isFile())
      const sums = files.map(name => `${digest('md5', join(tree, name))}  ${name}`)
      installedBytes = files.reduce((sum, name) => sum + statSync(join(tree, name)).size, 0)
      const folder = join(tree, 'DEBIAN')
      mkdirSync(folder)
      // Not by mkdir, whose mode the umask cuts.
      chmodSync(folder, 0o755)
      const write = (name: string, text: string, mode: number): void => {
        writeFileSync(join(folder, name), text)
        chmodSync(join(folder, name), mode)
      }
      const values = {
        VERSION: version,
        ARCHITECTURE: architecture,
        MAINTAINER: maintainer,
        INSTALLED_SIZE: String(Math.ceil(installedBytes / 1024)),
      }
      write('control', filled(source('control'), values), 0o644)
      write('md5sums', `${sums.join('\n')}\n`, 0o644)
      write('conffiles', '/etc/opswire/opswire.example.yaml\n', 0o644)
      for (const name of SCRIPTS) write(name, source(name), 0o755)
    },
  ]
  const pack: Step = [
    'pack',
    async () => {
      mkdirSync(out, { recursive: true })
      const env = { ...process.env, SOURCE_DATE_EPOCH: process.env['SOURCE_DATE_EPOCH'] ?? String(epoch) }
      // -z6 takes twenty times as long for a sixth less.
      await interruption.run('dpkg-deb', ['--root-owner-group', '-Zxz', '-z1', '--build', tree, path], { env })
    },
  ]
  const steps: (readonly [string, number])[] = []
  try {
    mkdirSync(tree)
    for (const [name, work] of [...layingOut(ROOT, tree, interruption.run), control, pack]) {
      const start = performance.now()
      await work()
      steps.push([name, (performance.now() - start) / 1000])
    }
  } finally {
    interruption.forget()
    rmSync(scratch, { recursive: true })
  }
  return { path, bytes: statSync(path).size, installedBytes, sha256: digest('sha256', path), steps }
}

function digest(algorithm: string, file: string): string {
  return createHash(algorithm).update(readFileSync(file)).digest('hex')
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { out: { type: 'string', default: 'out' } } })
  try {
    const built = await buildDeb(resolve(values.out))
    const lines = [
      ...built.steps.map(([name, seconds]) => `  ${name.padEnd(16)} ${seconds.toFixed(1).padStart(6)} s`),
      `${built.path}`,
      `  ${(built.bytes / 1e6).toFixed(1)} MB, ${(built.installedBytes / 1e6).toFixed(1)} MB installed, SHA-256 ${built.sha256}`,
    ]
    process.stdout.write(`${lines.join('\n')}\n`)
  } catch (error) {
    process.stderr.write(`package:deb: ${(error as Error).message}\n`)
    process.exitCode = 1
  }
}
