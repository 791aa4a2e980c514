/** What the documents call by its name is there: anchors, metrics, config keys, words of the code. The generated pages say what is true. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { labelOf } from '../scripts/reference/labels.ts'
import { metricSpecs } from '../scripts/reference/metrics.ts'
import { metricsIn } from '../scripts/reference/watched.ts'
import { open, outline, type Place, placesAt } from '../src/config/outline.ts'
import { applyOverrides } from '../src/config/overrides.ts'
import { ERROR_CODES } from '../src/error-codes.ts'

const ROOT = resolve(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const filesIn = (folder: string, ends: string): string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith(ends))
    .map(name => `${folder}/${name}`)

const DOCUMENTS = [
  ...['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'].filter(name => existsSync(join(ROOT, name))),
  ...filesIn('docs', '.md'),
  ...filesIn('config', '.md'),
]
const CODE = filesIn('src', '.ts').map(read).join('\n')
/** Words of others: npm's, PromQL's, Alertmanager's. */
const FOREIGN = /^(node_modules|\w+_over_time|resolve_timeout)$/
const KEYS = new Set(keysOf(outline(), 0))
const METRICS = new Set(metricSpecs().map(({ name }) => name))

/** Every key of the config; filters hold themselves. */
function keysOf(place: Place, depth: number): string[] {
  if (depth > 8) return []
  return open(place).flatMap(one => [
    ...Object.entries(one.properties ?? {}).flatMap(([key, inner]) => [key, ...keysOf(inner, depth + 1)]),
    ...(one.items === undefined ? [] : keysOf(one.items, depth + 1)),
  ])
}

/** The anchors of a page, as GitHub makes them of headings, and those that it sets itself. */
function anchorsOf(text: string): Set<string> {
  const prose = text.replace(/^```[\s\S]*?^```$/gm, '')
  const slug = (heading: string): string =>
    heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(' ', '-')
  const headings = [...prose.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading]) => slug(heading ?? ''))
  return new Set([...headings, ...[...prose.matchAll(/<a id="([^"]+)">/g)].map(([, id]) => id ?? '')])
}

describe.each(DOCUMENTS)('%s', path => {
  const text = read(path)

  it('links to headings that there are', () => {
    const broken = [...text.matchAll(/\]\(([^)\s#]*)#([^)\s]+)\)/g)].filter(([, file = '', anchor = '']) => {
      if (/^https?:/.test(file)) return false
      const target = file === '' ? text : readFileSync(resolve(ROOT, dirname(path), file), 'utf8')
      return !anchorsOf(target).has(anchor)
    })
    expect(broken.map(([link]) => link)).toEqual([])
  })

  it('names metrics that there are', () => {
    const named = [...text.matchAll(/\bopswire_[a-z_]+/g)].flatMap(([word]) => metricsIn(word))
    expect(named.filter(name => !METRICS.has(name))).toEqual([])
  })

  it('names config keys that there are', () => {
    const named = [...text.matchAll(/`((?:http|log|store|dead_letters|nats)(?:\.[a-z_]+)+)`/g)].map(
      ([, key]) => key ?? '',
    )
    const missing = named.filter(key => placesAt(key.split('.'), undefined).length === 0)
    // A file, or a method of the room of that name, is none.
    expect(missing.filter(key => !/\.(ts|md|json|yaml)$/.test(key) && key !== 'store.append')).toEqual([])
  })

  it('has no word with an underscore that the code does not know', () => {
    const prose = text.replace(/^```[\s\S]*?^```$/gm, '')
    const named = [...prose.matchAll(/`([a-z]+(?:_[a-z]+)+)`/g)].map(([, word]) => word ?? '')
    const unknown = named.filter(
      word => !KEYS.has(word) && !FOREIGN.test(word) && !METRICS.has(word) && !new RegExp(`\\b${word}\\b`).test(CODE),
    )
    expect([...new Set(unknown)]).toEqual([])
  })
})

describe('docs/CONFIG.md', () => {
  it('names variables that the daemon takes', () => {
    const page = read('docs/CONFIG.md')
    const sections = page.split(/^### `kind: /m)
    const refused = sections.flatMap((section, index) => {
      const kind = index === 0 ? 'apic' : section.slice(0, section.indexOf('`'))
      const input = { sources: [{ name: 'one-two', kind }] }
      const variables = [...section.matchAll(/`(OPSWIRE_[A-Z_<>]+[A-Z])`/g)].map(([, name]) => name ?? '')
      return variables
        .filter(name => !/^OPSWIRE_(TOOLS_DIR|REQUIRE_TOOLS|SOURCES__FABRIC_A__USERNAME)$/.test(name))
        .map(name => name.replace('<NAME>', 'ONE_TWO'))
        .filter(name => applyOverrides(input, { [name]: '1' }).problems.some(({ message }) => /names/.test(message)))
    })
    expect(refused).toEqual([])
    expect(page.match(/`OPSWIRE_/g)?.length).toBeGreaterThan(70)
  })
})

describe('docs/METRICS.md', () => {
  it('says of every label what it holds, and a page of metrics keeps to it', () => {
    const wrong: string[] = []
    for (const [, metric = '', block = ''] of read('test/ops/metrics.golden.txt').matchAll(
      /^(opswire_\w+)\{(.*)\} /gm,
    )) {
      const name = metric.replace(/_(bucket|sum|count)$/, '')
      for (const [, label = '', value = ''] of block.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
        if (label === 'le') continue
        const known = labelOf(name, label)
        if (known === undefined) wrong.push(`${name}{${label}} is not described`)
        else if (known.values?.includes(value) === false) wrong.push(`${name}{${label}="${value}"}`)
      }
    }
    expect(wrong).toEqual([])
  })
})

describe('docs/ERRORS.md', () => {
  it.each(['Fatal', 'Retryable'] as const)('says %s of the codes that are thrown so, and of no other', kind => {
    const thrown = [...CODE.matchAll(new RegExp(`new ${kind}\\(\\s*'(\\w+)'`, 'g'))].map(([, code]) => code ?? '')
    // `Refused` of the APIC client: one question, not the session.
    if (kind === 'Retryable') thrown.push('permission')
    const said = Object.entries(ERROR_CODES).filter(([, { kinds }]) => kinds.includes(kind))
    expect(said.map(([code]) => code).toSorted()).toEqual([...new Set(thrown)].toSorted())
  })
})
