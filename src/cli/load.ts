/** A config file, checked by the schema and by those who will use it: `check` and `run` judge alike. */
import { type Judge, type Loaded, loadConfig } from '../config/load.ts'
import type { Environment } from '../config/overrides.ts'
import type { Finding } from '../config/problems.ts'
import { codeOf, describe } from '../errors.ts'
import { buildQuery } from '../subscribers/apic/query.ts'

/** Throws `ConfigInvalid` (exit code 78) with every problem found. */
export function load(path: string, env: Environment): Promise<Loaded> {
  return loadConfig(path, env, judge)
}

/** Every subscription must make a question that an APIC can be asked. */
export const judge: Judge = config =>
  config.sources.flatMap((source, index): Finding[] => {
    if (source.kind !== 'apic') return []
    return source.subscriptions.flatMap((subscription, place): Finding[] => {
      const path = ['sources', index, 'subscriptions', place]
      try {
        const { logClass } = buildQuery(subscription)
        if (subscription.backfill === undefined || logClass !== undefined) return []
        const message = 'only a log class (eventRecord, faultRecord, aaaModLR, …) has a history to fill from'
        return [{ code: 'rule', path: [...path, 'backfill'], message }]
      } catch (error) {
        if (codeOf(error) !== 'config') throw error
        return [{ code: 'rule', path, message: describe(error) }]
      }
    })
  })
