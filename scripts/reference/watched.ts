/** Who looks at a metric: the alert rules of `config/prometheus/` and the dashboards of `config/grafana/`. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parse } from 'yaml'
import { DASHBOARDS } from '../grafana/dashboards.ts'
import { queriesOf } from '../grafana/panels.ts'

const CONFIG = resolve(import.meta.dirname, '../../config')

export interface Watcher {
  readonly name: string
  /** A link from `docs/`. */
  readonly link: string
  readonly expressions: readonly string[]
}

interface RulesFile {
  readonly groups?: readonly { readonly rules?: readonly { alert?: string; record?: string; expr: string }[] }[]
}

/** Metric names in a query; a histogram's parts count as the histogram. */
export function metricsIn(expression: string): string[] {
  const names = [...expression.matchAll(/\bopswire_[a-z_]+\b/g)].map(([name]) =>
    name.replace(/_(bucket|sum|count)$/, ''),
  )
  return [...new Set(names)]
}

/** Every alert of the rules files, with what it asks; its link is its runbook. */
export function alerts(): Watcher[] {
  return filesIn('prometheus', /\.ya?ml$/).flatMap(path => {
    const { groups = [] } = (parse(readFileSync(join(CONFIG, path), 'utf8')) as RulesFile | null) ?? {}
    const rules = groups.flatMap(group => group.rules ?? [])
    return rules.flatMap(({ alert, expr }) =>
      alert === undefined
        ? []
        : [{ name: alert, link: `OPERATIONS.md#${alert.toLowerCase()}`, expressions: [String(expr)] }],
    )
  })
}

/** Every dashboard, with what its panels ask. */
export function dashboards(): Watcher[] {
  return Object.entries(DASHBOARDS).map(([file, { title = file, panels = [] }]) => ({
    name: title,
    link: `../config/grafana/dashboards/${file}`,
    expressions: panels.flatMap(panel => queriesOf(panel).map(({ expr }) => expr)),
  }))
}

/** The watchers that ask for this metric, as links. */
export function watchersOf(metric: string, watchers: readonly Watcher[]): string {
  const links = watchers
    .filter(({ expressions }) => expressions.some(expression => metricsIn(expression).includes(metric)))
    .map(({ name, link }) => `[${name}](${link})`)
  // An alert of two severities is two rules.
  return [...new Set(links)].join(', ')
}

function filesIn(folder: string, name: RegExp): string[] {
  const path = join(CONFIG, folder)
  if (!existsSync(path)) return []
  return readdirSync(path)
    .filter(file => name.test(file))
    .sort()
    .map(file => `${folder}/${file}`)
}
