/** Numbers from the mirror, for live gauges: nothing is asked for them. */
import type { ManagedObject } from '../../record.ts'
import { isUntold } from './twins.ts'

export interface ApicGauges {
  readonly faults: { severity: string; state: string; count: number }[]
  readonly health: { scope: string; score: number }[]
  readonly nodes: { role: string; state: string; count: number }[]
}

/** Only these become labels; what a fabric says beyond them is `other`. */
const SEVERITIES = new Set(['critical', 'major', 'minor', 'warning', 'info', 'cleared'])
const LIFE_CYCLES = new Set(['soaking', 'soaking-clearing', 'raised', 'raised-clearing', 'retaining'])
const ROLES = new Set(['leaf', 'spine', 'controller'])
const NODE_STATES = new Set([
  'active',
  'commissioned',
  'inactive',
  'disabled',
  'discovering',
  'undiscovered',
  'unsupported',
  'decommissioned',
  'maintenance',
  'unknown',
])

const known = (set: ReadonlySet<string>, value: string | undefined): string =>
  value !== undefined && set.has(value) ? value : 'other'

/** Faults by severity and life cycle, health scores of the named scopes, nodes by role and state. */
export function gaugesOf(objects: Iterable<ManagedObject>, healthScopes: readonly string[]): ApicGauges {
  const faults = new Map<string, number>()
  const nodes = new Map<string, number>()
  const health: ApicGauges['health'] = []
  const scopes = new Map(healthScopes.map(scope => [`${scope}/health`, scope]))
  for (const { family, key, version, attributes } of objects) {
    // One problem, counted once: its faultInst is there.
    if (family === 'faultDelegate' && isUntold({ version })) continue
    if (family === 'faultInst' || family === 'faultDelegate') {
      count(faults, known(SEVERITIES, attributes['severity']), known(LIFE_CYCLES, attributes['lc']))
    } else if (family === 'fabricNode') {
      count(nodes, known(ROLES, attributes['role']), known(NODE_STATES, attributes['fabricSt']))
    } else if (family === 'healthInst') {
      const scope = scopes.get(key)
      const score = Number(attributes['cur'])
      if (scope !== undefined && Number.isFinite(score)) health.push({ scope, score })
    }
  }
  return {
    faults: rows(faults).map(([severity, state, number]) => ({ severity, state, count: number })),
    health,
    nodes: rows(nodes).map(([role, state, number]) => ({ role, state, count: number })),
  }
}

function count(into: Map<string, number>, first: string, second: string): void {
  const key = `${first} ${second}`
  into.set(key, (into.get(key) ?? 0) + 1)
}

function rows(from: ReadonlyMap<string, number>): [string, string, number][] {
  return [...from].map(([key, number]) => {
    const [first = '', second = ''] = key.split(' ')
    return [first, second, number]
  })
}
