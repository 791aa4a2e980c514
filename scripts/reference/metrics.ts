/** docs/METRICS.md: every metric, from `src/ops/catalogue.ts`. */
import { catalogue, type MetricSpec } from '../../src/ops/catalogue.ts'
import { Model } from '../../src/ops/model.ts'
import { Tallies } from '../../src/ops/tallies.ts'
import { systemClock } from '../../src/scheduler/clock.ts'
import { describeLabel } from './labels.ts'
import { madeFrom, table } from './table.ts'
import { alerts, dashboards, type Watcher, watchersOf } from './watched.ts'

const HEAD = `# Metrics

\`GET /metrics\` answers in the Prometheus text format 0.0.4. Names and labels are a contract: one that is here keeps its name, its labels and
its meaning within a major version; metrics, and values of a label, may be added. Times are stamps in seconds since 1970, never ages: \`time() - …\` makes one.

- A counter starts at 0 with the daemon, and the series of everyday life are there from the first scrape on, so that the first event is an increase already.
- Labels come from small sets: config, code, or the inventory of tokens. No object, job, minion or user is a label. Where config or source could make very many, what
  comes after the limit is \`other\`.
- A gauge of which the value is not known has no series. The series of a source go when a reload takes it out of the config.
- \`source\` is always the name of a source of the config.`

const KIND_WORDS = { counter: 'Counters', gauge: 'Gauges', histogram: 'Histograms' } as const

/** The page. */
export function metricsPage(): string {
  const specs = metricSpecs()
  const watching = [alerts(), dashboards()] as const
  const sections = (['counter', 'histogram', 'gauge'] as const).flatMap(type => [
    `## ${KIND_WORDS[type]}`,
    table(
      ['name', 'meaning', 'unit', 'labels', 'alerts', 'dashboards'],
      specs.filter(spec => spec.type === type).map(spec => rowOf(spec, watching)),
    ),
  ])
  return `${[
    madeFrom('`src/ops/catalogue.ts`, `scripts/reference/` and the files in `config/`'),
    HEAD,
    ...sections,
  ].join('\n\n')}\n`
}

function rowOf(spec: MetricSpec, watching: readonly (readonly Watcher[])[]): string[] {
  const { name, help, labels } = spec
  const buckets = spec.type === 'histogram' ? ` Bounds: ${spec.rows.bounds.join(', ')}.` : ''
  return [
    `<a id="${name}"></a>\`${name}\``,
    `${help}${buckets}`,
    unitOf(name),
    labels.map(label => (label === 'source' ? '`source`' : describeLabel(name, label))).join('<br>'),
    ...watching.map(watchers => watchersOf(name, watchers)),
  ]
}

/** By its name, as the house names metrics. */
function unitOf(name: string): string {
  if (name.endsWith('_timestamp_seconds')) return 'seconds since 1970'
  if (name.endsWith('_seconds')) return 'seconds'
  if (name.endsWith('_bytes')) return 'bytes'
  if (name.endsWith('_info')) return 'always 1'
  if (/_(up|verified|success|mode)$/.test(name)) return '1 or 0'
  return name.endsWith('_score') ? '0 to 100' : 'a number'
}

/** Every metric as the daemon shows it; nothing is counted for it. */
export function metricSpecs(): MetricSpec[] {
  return catalogue({
    clock: systemClock,
    version: '',
    node: '',
    model: new Model(systemClock),
    tallies: new Tallies(systemClock.wall),
    lag: { ms: 0 },
    asked: () => ({ store: undefined, leases: [], gauges: { faults: [], health: [], nodes: [] } }),
  })
}
