/** The metrics page. The only file that imports prom-client; it counts nothing, it copies at each scrape. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { type Asked, type CatalogueOptions, catalogue, type MetricSpec } from './catalogue.ts'
import type { Distributions } from './counts.ts'
import type { Pull } from './pull.ts'

/** What `/metrics` answers with: Prometheus text format 0.0.4. */
export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE

export type MetricsOptions = Omit<CatalogueOptions, 'asked'> & { readonly pull: Pull }

/** A registry of its own: nothing is shared with other users of prom-client in the process. */
export function createMetrics(options: MetricsOptions): { page(): Promise<string> } {
  const { pull } = options
  const registry = new Registry()
  // Asked once a scrape: counting a mirror of many thousand objects is not free.
  const ask = (): Asked => ({ store: pull.store(), leases: pull.leases(), gauges: pull.gauges() })
  let asked: Asked | undefined
  for (const spec of catalogue({ ...options, asked: () => asked ?? ask() })) register(registry, spec)
  return {
    page() {
      asked = ask()
      return registry.metrics()
    },
  }
}

function register(registry: Registry, spec: MetricSpec): void {
  const common = { name: spec.name, help: spec.help, labelNames: [...spec.labels], registers: [registry] }
  switch (spec.type) {
    case 'counter':
      new Counter({
        ...common,
        collect() {
          this.reset()
          for (const row of spec.tally.rows()) this.inc(named(spec.labels, row.labels), row.value)
        },
      })
      return
    case 'gauge':
      new Gauge({
        ...common,
        collect() {
          this.reset()
          // Without labels prom-client shows a 0 that nobody set: as a timestamp it would be a very old event.
          if (spec.labels.length === 0) this.remove({})
          for (const [labels, value] of spec.samples()) {
            if (value !== undefined && Number.isFinite(value)) this.set(named(spec.labels, labels), value)
          }
        },
      })
      return
    case 'histogram':
      new CopiedHistogram(registry, spec, spec.rows)
  }
}

/** prom-client has no way to set a histogram: this one shows distributions that were counted elsewhere. */
class CopiedHistogram extends Histogram {
  readonly #spec: MetricSpec
  readonly #rows: Distributions

  constructor(registry: Registry, spec: MetricSpec, rows: Distributions) {
    const { name, help, labels } = spec
    super({ name, help, labelNames: [...labels], buckets: [...rows.bounds], registers: [registry] })
    this.#spec = spec
    this.#rows = rows
  }

  /** What prom-client's registry asks of a metric for its text page. */
  async getForPromString() {
    const { name, help, labels: labelNames } = this.#spec
    const values: CopiedValue[] = []
    for (const row of this.#rows.rows()) {
      const sharedLabels = named(labelNames, row.labels)
      let below = 0
      row.buckets.forEach((count, index) => {
        below += count
        const labels = { le: row.bounds[index] ?? '+Inf' }
        values.push({ metricName: `${name}_bucket`, labels, sharedLabels, value: below })
      })
      values.push({ metricName: `${name}_sum`, labels: {}, sharedLabels, value: row.sum })
      values.push({ metricName: `${name}_count`, labels: {}, sharedLabels, value: row.count })
    }
    return { name, help, type: 'histogram', values, aggregator: 'sum' }
  }
}

/** One line of the page as prom-client's registry takes it. */
interface CopiedValue {
  readonly metricName: string
  readonly labels: Record<string, string | number>
  readonly sharedLabels: Record<string, string>
  readonly value: number
}

function named(names: readonly string[], values: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name, index) => [name, values[index] ?? '']))
}
