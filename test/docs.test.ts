/** The documents hold what they promise: every error code, commands that exist, a config that passes, links that lead somewhere. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isCommand } from '../src/cli/commands.ts'
import { EXIT } from '../src/cli/io.ts'
import { parseConfig } from '../src/config/load.ts'
import { eventSchema } from '../src/event-schema.ts'
import { main } from '../src/main.ts'
import { apicSubscriber } from '../src/subscribers/apic/subscriber.ts'
import { READING_METHODS } from '../src/subscribers/raas/client.ts'
import { captured } from './cli/captured-io.ts'

const ROOT = resolve(import.meta.dirname, '..')
const TEST_COMMAND = 'npm ci && npm test'

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

const readme = read('README.md')
const DOCUMENTS = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  ...['docs', 'docs/decisions'].flatMap(folder =>
    readdirSync(join(ROOT, folder))
      .filter(name => name.endsWith('.md'))
      .map(name => `${folder}/${name}`),
  ),
]

const FILES = [
  ...readdirSync(ROOT),
  ...['src', 'test', 'bench', 'scripts', 'config', 'docs'].flatMap(folder =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map(name => `${folder}/${name}`),
  ),
]

/** The text of the first fenced block of that language. */
function block(text: string, language: string): string {
  const found = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(text)?.[1]
  if (found === undefined) throw new Error(`no ${language} block`)
  return found
}

/** First cell of each row of the tables that stand under that heading. */
function firstCells(text: string, heading: string): string[] {
  const section = text.split(/^## /m).find(part => part.startsWith(`${heading}\n`)) ?? ''
  const rows = section.split('\n').filter(line => line.startsWith('|'))
  return rows.slice(2).map(row => (row.split('|')[1] ?? '').trim().replaceAll('`', ''))
}

describe('README', () => {
  it('has the test command as it is typed, and CI runs the same', () => {
    expect(readme).toContain(TEST_COMMAND)
    // CI stops at the first line that fails, so lines below each other mean the same as && between them.
    const script = read('.ci/run')
    expect(script).toMatch(/^set -e/m)
    expect(script.split('\n').join(' && ')).toContain(TEST_COMMAND)
  })

  it('stays under 150 lines', () => {
    expect(readme.split('\n').length - 1).toBeLessThan(150)
  })

  it("'s config passes the check, and the daemon would take its subscriptions", async () => {
    const text = block(readme, 'yaml')
    const { config } = await parseConfig(text, 'README.md')
    expect(config.sources.map(source => source.kind)).toEqual(['apic', 'raas', 'vcd'])
    for (const source of config.sources) if (source.kind === 'apic') apicSubscriber(source)
    const directory = mkdtempSync(join(tmpdir(), 'opswire-docs-'))
    try {
      const file = join(directory, 'opswire.yaml')
      writeFileSync(file, text)
      const { io, out } = captured()
      expect(await main(['check', '-c', file], io)).toBe(EXIT.ok)
      expect(out()).toContain('is good')
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  it("'s event is one", () => {
    eventSchema.parse(JSON.parse(block(readme, 'json')))
  })
})

describe('docs/ERRORS.md', () => {
  it('has one row for each exit code, and no other', () => {
    const codes = Object.values(EXIT).map(String)
    expect(firstCells(read('docs/ERRORS.md'), 'Exit codes')).toEqual(codes)
  })
})

it('all of them are read here', () => {
  const named = ['ARCHITECTURE', 'BENCHMARKS', 'ERRORS', 'FAULTS', 'LIVENESS'].map(name => `docs/${name}.md`)
  expect(DOCUMENTS).toEqual(expect.arrayContaining(named))
})

describe.each(DOCUMENTS)('%s', path => {
  const text = read(path)

  it('links to what is there', () => {
    const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link ?? '')
    const broken = links
      .filter(link => !/^https?:/.test(link))
      .filter(link => !existsSync(resolve(ROOT, dirname(path), link.replace(/#.*$/, ''))))
    expect(broken).toEqual([])
  })

  it('names scripts and commands that there are', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
    const run = [...text.matchAll(/npm run (?:-s )?([\w:]+)/g)].map(([, name]) => name ?? '')
    expect(run.filter(name => !(name in scripts))).toEqual([])
    const commands = [...text.matchAll(/npm run -s opswire -- ([\w-]+)/g)].map(([, name]) => name ?? '')
    expect(commands.filter(name => !isCommand(name))).toEqual([])
  })

  it('names files that there are', () => {
    // In a table or a walk through the rooms a name may be short: then some file must end with it.
    const names = [...text.matchAll(/`([\w.-]+(?:\/[\w.-]+)*\.(?:ts|md|yaml|json|service|txt))`/g)].map(
      ([, name]) => name ?? '',
    )
    expect(names.filter(name => !FILES.some(file => `/${file}`.endsWith(`/${name}`)))).toEqual([])
  })
})

it('what is asked of RaaS stands in SECURITY.md, method by method, and no other', () => {
  const row = /^\| RaaS .*$/m.exec(read('docs/SECURITY.md'))?.[0] ?? ''
  const named = [...row.matchAll(/`([a-z]+\.[a-z_]+)`/g)].map(([, method]) => method ?? '')
  expect([...new Set(named)].sort()).toEqual([...READING_METHODS])
})
