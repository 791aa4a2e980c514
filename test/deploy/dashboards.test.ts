/** The dashboards as Grafana would read them: whole, in their places, asking for what there is. That the answers are not empty: test/e2e/consumers.test.ts. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { DASHBOARDS } from '../../scripts/grafana/dashboards.ts'
import { queriesOf } from '../../scripts/grafana/panels.ts'
import { metricSpecs } from '../../scripts/reference/metrics.ts'
import { metricsIn } from '../../scripts/reference/watched.ts'
import { toolBinary } from '../support/tools.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const OPERATIONS = readFileSync(join(ROOT, 'docs/OPERATIONS.md'), 'utf8')
const LABELS = new Map(metricSpecs().map(({ name, labels }) => [name, new Set(labels)]))

it('are all there, and no other', () => {
  expect(readdirSync(join(ROOT, 'config/grafana/dashboards')).toSorted()).toEqual(Object.keys(DASHBOARDS).toSorted())
  expect(new Set(Object.values(DASHBOARDS).map(({ uid }) => uid)).size).toBe(Object.keys(DASHBOARDS).length)
})

describe.each(Object.entries(DASHBOARDS))('%s', (_, dashboard) => {
  const panels = dashboard.panels ?? []

  it('has a number of its own for each panel, and no two upon each other', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    const taken = new Set<string>()
    for (const { gridPos, title } of panels) {
      if (gridPos === undefined) throw new Error(`${title} has no place`)
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.has(`${x} ${y}`), `${title} at ${x}, ${y}`).toBe(false)
          taken.add(`${x} ${y}`)
        }
      }
    }
    // Every line is full: no hole in the page.
    expect(taken.size).toBe(24 * Math.max(...panels.map(({ gridPos }) => (gridPos?.y ?? 0) + (gridPos?.h ?? 0))))
  })

  it('says what each panel shows, in which unit, with thresholds', () => {
    for (const panel of panels) {
      if (!('fieldConfig' in panel)) throw new Error(`${panel.title} is no panel`)
      const { unit, thresholds } = panel.fieldConfig?.defaults ?? {}
      expect((panel.description ?? '').length, panel.title).toBeGreaterThan(12)
      expect(unit, panel.title).toMatch(/^[a-zA-Z]+$/)
      expect(thresholds?.steps[0]?.value, panel.title).toBeNull()
      const values = (thresholds?.steps ?? []).slice(1).map(({ value }) => value ?? Number.NaN)
      expect(values, panel.title).toEqual(values.toSorted((a, b) => a - b))
    }
  })

  it('takes Prometheus and source from variables', () => {
    const names = (dashboard.templating?.list ?? []).map(({ name }) => name)
    expect(names).toEqual(['datasource', 'source', 'runbooks'])
    for (const panel of panels) {
      expect(new Set(JSON.stringify(panel).match(/"uid":"[^"]*"/g)), panel.title).toEqual(
        new Set(['"uid":"$datasource"']),
      )
      for (const { expr } of queriesOf(panel)) {
        for (const [, name] of expr.matchAll(/\$(\w+)/g))
          expect([...names, '__range', '__rate_interval']).toContain(name)
      }
    }
  })

  it('asks for metrics and labels that there are', () => {
    for (const panel of panels) {
      expect(queriesOf(panel).length, panel.title).toBeGreaterThan(0)
      for (const { expr } of queriesOf(panel)) {
        expect(
          metricsIn(expr).filter(name => !LABELS.has(name)),
          panel.title,
        ).toEqual([])
        const known = new Set([
          ...metricsIn(expr).flatMap(name => [...(LABELS.get(name) ?? [])]),
          'le',
          'instance',
          'job',
          'of',
        ])
        const named = [
          ...[...expr.matchAll(/[{,](\w+)(?:=~|!~|=|!=)"/g)].map(([, label]) => label ?? ''),
          ...[...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(',').map(one => one.trim())),
        ]
        expect(
          named.filter(label => !known.has(label)),
          panel.title,
        ).toEqual([])
      }
    }
  })

  it('leads to runbooks that there are, and to the other dashboards', () => {
    expect(dashboard.links?.[0]).toMatchObject({ type: 'dashboards', tags: dashboard.tags })
    const links = panels.flatMap(panel => ('links' in panel ? (panel.links ?? []) : []))
    expect(links.length).toBeGreaterThan(0)
    for (const { title, url } of links) {
      const alert = /^Runbook: (\w+)$/.exec(title)?.[1] ?? ''
      expect(OPERATIONS, title).toContain(`\n### ${alert}\n`)
      expect(url).toBe(`\${runbooks}#${alert.toLowerCase()}`)
    }
  })
})

const askOf = (file: string, title: string): string => {
  const panel = DASHBOARDS[file]?.panels?.find(one => one.title === title)
  return panel === undefined ? expect.fail(`no panel ${title}`) : (queriesOf(panel)[0]?.expr ?? '')
}

it('give one number where one is shown, whatever waits and however many daemons there are', async () => {
  const oldest = askOf('pipeline.json', 'Oldest that waits')
  const since = askOf('overview.json', 'Running since')
  const folder = mkdtempSync(join(tmpdir(), 'opswire-dashboards-'))
  const series = (name: string, labels: string, values: string) => ({ series: `${name}{${labels}}`, values })
  const asked = (expr: string, eval_time: string, ...exp_samples: { labels: string; value: number }[]) => ({
    ...{ expr, eval_time, exp_samples },
  })
  const start = 'opswire_start_timestamp_seconds'
  const info = 'opswire_build_info'
  const tests = [
    {
      interval: '1m',
      input_series: [
        series('opswire_store_oldest_timestamp_seconds', 'job="opswire",instance="a"', '0x4 stale'),
        // One daemon, scraped by two jobs.
        ...['one', 'two'].flatMap(job => [
          series(start, `job="${job}",instance="a"`, '1x9'),
          series(info, `job="${job}",instance="a",version="9"`, '1x9'),
        ]),
      ],
      promql_expr_test: [
        asked(oldest, '4m', { labels: '{}', value: 240 }),
        asked(oldest, '6m', { labels: '{}', value: 0 }),
        asked(
          since,
          '6m',
          ...['one', 'two'].map(job => ({ labels: `{job="${job}",instance="a",version="9"}`, value: 1000 })),
        ),
      ],
    },
  ]
  try {
    const file = join(folder, 'panels.yaml')
    writeFileSync(file, JSON.stringify({ rule_files: [], tests }))
    const promtool = await toolBinary('promtool', {}, note => expect.fail(note))
    expect(execFileSync(promtool, ['test', 'rules', file], { encoding: 'utf8' })).toContain('SUCCESS')
  } finally {
    rmSync(folder, { recursive: true })
  }
})
