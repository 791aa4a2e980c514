/** The alert rules of `config/prometheus/`: right for promtool, for the metrics that there are, and for who is woken by them. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { labelOf } from '../../scripts/reference/labels.ts'
import { metricSpecs } from '../../scripts/reference/metrics.ts'
import type { ToolName } from '../../src/tools/catalogue.ts'
import { toolBinary } from '../support/tools.ts'
import { hurried, readRules, shipped } from './rules.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const SHIPPED = join(ROOT, 'config/prometheus')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const testFiles = readdirSync(SHIPPED).filter(name => name.endsWith('.test.yaml'))
const rules = readRules()
const alerts = [...new Set(rules.map(rule => rule.alert))]

let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'opswire-rules-'))
  cpSync(SHIPPED, folder, { recursive: true })
  // What the examples name, and an operator has.
  for (const name of ['opswire-token', 'opswire-ca.pem']) writeFileSync(join(folder, name), 'stands in')
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Skip = (note: string) => never

/** Found once: each look at the cache reads a hundred megabytes. */
const found = new Map<ToolName, string>()

/** Runs a tool in the folder; gives what it said, and fails the test if it did not end with 0. */
async function run(skip: Skip, name: ToolName, args: readonly string[]): Promise<string> {
  const binary = found.get(name) ?? (await toolBinary(name, {}, skip))
  found.set(name, binary)
  const { status, stdout, stderr } = spawnSync(binary, args, { cwd: folder, encoding: 'utf8' })
  expect(status, `${stdout}${stderr}`).toBe(0)
  return `${stdout}${stderr}`
}

describe('by the real tools', () => {
  it('promtool takes the rules', async ({ skip }) => {
    const said = await run(skip, 'promtool', ['check', 'rules', '--lint=all', '--lint-fatal', 'opswire.rules.yaml'])
    expect(said).toContain(`${rules.length} rules found`)
  })

  it.for(testFiles)('promtool proves the rules: %s', async (file, { skip }) => {
    await run(skip, 'promtool', ['test', 'rules', file])
  })

  it.for(['prometheus.yml', 'prometheus-kubernetes.yml'])('promtool takes %s', async (file, { skip }) => {
    await run(skip, 'promtool', ['check', 'config', '--lint=all', '--lint-fatal', file])
  })

  it('promtool takes what stands as a comment in prometheus.yml, too', async ({ skip }) => {
    const text = readFileSync(join(folder, 'prometheus.yml'), 'utf8')
    const whole = text.replaceAll(/^( +)# (scheme|tls_config|authorization): /gm, '$1$2: ')
    expect(whole.length).toBe(text.length - 6)
    writeFileSync(join(folder, 'whole.yml'), whole)
    await run(skip, 'promtool', ['check', 'config', 'whole.yml'])
  })

  it('amtool takes the example for Alertmanager, and critical alerts go to who is on call', async ({ skip }) => {
    const config = '--config.file=alertmanager.example.yml'
    await run(skip, 'amtool', ['check-config', 'alertmanager.example.yml'])
    const routed = (severity: string) =>
      run(skip, 'amtool', ['config', 'routes', 'test', config, `severity=${severity}`])
    expect(await routed('critical')).toMatch(/^on-call$/m)
    expect(await routed('warning')).toMatch(/^office$/m)
  })
})

describe('every alert', () => {
  it('is proved: a case that fires, one that does not, and the one after which it has cleared', () => {
    const cases = testFiles.flatMap(name =>
      (parse(read(`config/prometheus/${name}`)) as { tests: { alert_rule_test: Case[] }[] }).tests.map(
        test => test.alert_rule_test,
      ),
    )
    for (const alert of alerts) {
      const mine = cases.map(group =>
        group.filter(one => one.alertname === alert).map(one => one.exp_alerts.length > 0),
      )
      expect(
        mine.some(fires => fires.includes(true) && fires.at(-1) === false),
        `${alert} clears`,
      ).toBe(true)
      expect(
        mine.some(fires => fires[0] === false && fires.includes(true)),
        `${alert} does not fire at once`,
      ).toBe(true)
    }
  })

  it('says what it is about, how bad it is, and which heading of OPERATIONS.md helps', () => {
    for (const { alert, labels, annotations, expr } of rules) {
      expect(['critical', 'warning'], alert).toContain(labels.severity)
      expect(Object.keys(annotations).sort(), alert).toEqual(['description', 'runbook_url', 'summary'])
      expect(annotations.runbook_url).toBe(`https://docs.example.net/opswire/OPERATIONS.md#${alert.toLowerCase()}`)
      // Who is woken must know which one.
      if (expr.includes('source)') || /opswire_(source|tls|cert|cred|subscr|lease)/.test(expr)) {
        expect(annotations.summary, alert).toContain('{{ $labels.source }}')
      } else if (!expr.startsWith('absent')) {
        expect(annotations.summary, alert).toContain('{{ $labels.instance }}')
      }
    }
  })

  it('has its runbook, which says where to look, what to do and when it clears; and there is no other', () => {
    const section = /^## Alerts\n([\s\S]*?)^## /m.exec(read('docs/OPERATIONS.md'))?.[1] ?? ''
    const runbooks = section.split(/^### /m).slice(1)
    expect(runbooks.map(text => text.split('\n')[0])).toEqual(alerts)
    for (const text of runbooks) expect(text).toMatch(/\n\n[\s\S]+\n- Look: [\s\S]+\n- Do: [\s\S]+\n- Clears: /)
  })

  it('asks for metrics that there are, by labels and values that they have', () => {
    const specs = new Map(metricSpecs().map(spec => [spec.name, spec]))
    for (const { alert, expr } of rules) {
      for (const [, name = '', selector = ''] of expr.matchAll(/\b(opswire_[a-z_]+)(?:\{([^}]*)\})?/g)) {
        const spec = specs.get(name)
        expect(spec, `${alert}: ${name}`).toBeDefined()
        for (const [, label = '', operator = '', value = ''] of selector.matchAll(/(\w+)(=~|=|!~|!=)"([^"]*)"/g)) {
          expect(spec?.labels, `${alert}: ${name}`).toContain(label)
          const known = labelOf(name, label)?.values
          if (known !== undefined) {
            for (const one of operator.includes('~') ? value.split('|') : [value]) expect(known, alert).toContain(one)
          }
        }
        // A counter's number alone says only how long the daemon has run.
        if (spec?.type === 'counter') expect(expr, alert).toMatch(new RegExp(`increase\\(${name}`))
        else expect(expr, alert).not.toMatch(new RegExp(`(increase|rate)\\(${name}`))
      }
      for (const [, list = ''] of expr.matchAll(/(?:on|without) \(([^)]*)\)/g)) {
        for (const label of list.split(',').map(one => one.trim())) {
          const owned = [...specs.values()].some(spec => expr.includes(spec.name) && spec.labels.includes(label))
          expect(owned || label === 'job' || label === 'instance', `${alert}: ${label}`).toBe(true)
        }
      }
    }
  })

  it('that counts also sees what was counted before the first scrape, and ends with its source', () => {
    const counting = rules.filter(rule => rule.expr.includes('increase('))
    let singly = 0
    for (const { alert, expr } of counting) {
      expect(expr.trim(), alert).toMatch(/and on \(job, instance, source\) opswire_source_up$/)
      // Where only many are news, one that was missed at a start changes nothing.
      const [, sum = '', counter = ''] = /(sum without \([^)]*\) \()?increase\((.*)\[1h\]\)/.exec(expr) ?? []
      if (counter === '') continue
      const end = sum === '' ? '' : ')'
      const fresh = 'and on (job, instance, source) opswire_source_start_timestamp_seconds > time() - 3600'
      const whole = `(${sum}increase(${counter}[1h])${end} > 0 or (${sum}${counter}${end} > 0 ${fresh})) and on (job, instance, source) opswire_source_up`
      expect(expr.replaceAll(/\s/g, ''), alert).toBe(whole.replaceAll(/\s/g, ''))
      singly++
    }
    expect(singly).toBe(5)
  })
})

it('what is inhibited in the example for Alertmanager, and by what, are alerts', () => {
  const text = read('config/prometheus/alertmanager.example.yml')
  const named = [...text.matchAll(/\bOpswire\w+/g)].map(([name]) => name)
  expect(named.length).toBeGreaterThan(1)
  expect(named.filter(name => !alerts.includes(name))).toEqual([])
})

interface Case {
  readonly alertname: string
  readonly exp_alerts: readonly unknown[]
}

it('in a hurry, no duration is left as it was', () => {
  for (const name of ['opswire.rules.yaml', 'alertmanager.example.yml']) {
    const text = hurried(shipped(name), 360)
    expect(text).toMatch(/: \d+ms$/m)
    expect(text).not.toMatch(
      /(?:for|group_wait|group_interval|repeat_interval): \d+[smhd]$|\[\d+[smhd]\]|offset \d+[smhd]\b|- 3600/m,
    )
  }
  expect(hurried('      for: 2m\n', 120)).toBe('      for: 1000ms\n')
  expect(hurried('increase(x[1h]) > 300', 360)).toBe('increase(x[10000ms]) > 300')
  expect(hurried('opswire_source_start_timestamp_seconds > time() - 3600', 360)).toBe(
    'opswire_source_start_timestamp_seconds > time() - 10',
  )
  expect(hurried('x - time() < 14 * 86400', 360)).toBe('x - time() < 14 * 86400')
})
