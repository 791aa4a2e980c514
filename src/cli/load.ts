/** A config file, checked by the schema and by those who will use it: `check` and `run` judge alike. */
import { isDeepStrictEqual } from 'node:util'
import { type Judge, type Loaded, loadConfig } from '../config/load.ts'
import type { Path } from '../config/outline.ts'
import type { Environment } from '../config/overrides.ts'
import type { Finding } from '../config/problems.ts'
import { buildQueries } from '../subscribers/apic/query.ts'
import { moTarget } from '../subscribers/apic/raw-query.ts'
import { Unaskable, unaskable } from '../subscribers/apic/unaskable.ts'

/** Throws `ConfigInvalid` (exit code 78) with every problem found. */
export function load(path: string, env: Environment): Promise<Loaded> {
  return loadConfig(path, env, judge)
}

/** Every subscription must make a question that an APIC can be asked; what goes out in other words is said. */
export const judge: Judge = config => {
  const problems: Finding[] = []
  const warnings: Finding[] = []
  for (const [index, source] of config.sources.entries()) {
    if (source.kind !== 'apic') continue
    const at: Path = ['sources', index]
    for (const [place, scope] of source.health_scopes.entries()) {
      problems.push(...problemsOf(() => moTarget(scope), [...at, 'health_scopes', place]).map(onValue))
    }
    for (const [place, subscription] of source.subscriptions.entries()) {
      const path = [...at, 'subscriptions', place]
      problems.push(
        ...problemsOf(() => {
          for (const { logClass, notes } of buildQueries(subscription)) {
            for (const { key, message } of notes) warnings.push({ code: 'rewritten', path: [...path, key], message })
            if (subscription.backfill === undefined || logClass !== undefined) continue
            const message = 'only a log class (eventRecord, faultRecord, aaaModLR, …) has a history to fill from'
            throw unaskable('backfill', message)
          }
        }, path),
      )
    }
  }
  return {
    problems,
    warnings: warnings.filter((one, index) => warnings.findIndex(other => isDeepStrictEqual(one, other)) === index),
  }
}

function problemsOf(ask: () => unknown, path: Path): Finding[] {
  try {
    ask()
    return []
  } catch (error) {
    if (!(error instanceof Unaskable)) throw error
    return error.problems.map(({ key, message }) => ({ code: 'rule', path: [...path, key], message }))
  }
}

/** A problem with a value that has no keys below it. */
function onValue(finding: Finding): Finding {
  return { ...finding, path: finding.path.slice(0, -1) }
}
