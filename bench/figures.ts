/** From many measurements to few numbers. */

export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  if (sorted.length === 0) return Number.NaN
  const at = (sorted.length - 1) * part
  const low = sorted[Math.floor(at)] ?? Number.NaN
  const high = sorted[Math.ceil(at)] ?? Number.NaN
  return low + (high - low) * (at - Math.floor(at))
}

export interface Spread {
  readonly median: number
  readonly lowest: number
  readonly highest: number
}

export function spread(values: readonly number[]): Spread {
  return { median: quantile(values, 0.5), lowest: Math.min(...values), highest: Math.max(...values) }
}

/**
 * A quantile of what a Prometheus histogram without labels took in between two scrapes, as PromQL's
 * `histogram_quantile` gives it: linear inside the bucket, so no finer than the buckets are.
 */
export function histogramQuantile(name: string, part: number, before: string, after: string): number {
  const earlier = buckets(name, before)
  const counts = buckets(name, after).map(({ le, count }, index) => ({
    le,
    count: count - (earlier[index]?.count ?? 0),
  }))
  const wanted = (counts.at(-1)?.count ?? 0) * part
  let below = { le: 0, count: 0 }
  for (const bucket of counts) {
    if (bucket.count >= wanted) {
      if (bucket.le === Number.POSITIVE_INFINITY) return below.le
      return below.le + ((bucket.le - below.le) * (wanted - below.count)) / Math.max(1, bucket.count - below.count)
    }
    below = bucket
  }
  return Number.NaN
}

function buckets(name: string, metrics: string): { readonly le: number; readonly count: number }[] {
  return [...metrics.matchAll(new RegExp(`^${name}_bucket\\{le="([^"]+)"\\} (\\S+)$`, 'gm'))]
    .map(([, le, count]) => ({ le: le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le), count: Number(count) }))
    .sort((a, b) => a.le - b.le)
}
