/** Numbers from the mirror, for live gauges: nothing is asked for them, and a look costs the same however much is mirrored. */
import type { Severity } from '../../event.ts'
import type { ManagedObject } from '../../record.ts'
import { type FaultState, stateOf } from './normalise-fault.ts'
import { scoreOf } from './normalise-health.ts'
import type { Query } from './query.ts'
import { isOutside } from './selection.ts'
import { lastSeverity } from './severity.ts'
import { isUntold } from './twins.ts'

export interface ApicGauges {
  readonly faults: { severity: string; state: string; count: number }[]
  readonly health: { scope: string; score: number }[]
  readonly nodes: { role: string; state: string; count: number }[]
}

/** Only these become labels; what a fabric says beyond them is `other`. */
export const ROLES: ReadonlySet<string> = new Set(['leaf', 'spine', 'controller'])
export const NODE_STATES: ReadonlySet<string> = new Set([
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

type Attributes = ManagedObject['attributes']
/** Two words with a blank between. */
type Labels = `${string} ${string}`

/** The classes that are counted, and the labels of an object. */
const COUNTED: ReadonlyMap<string, (attributes: Attributes) => Labels> = new Map([
  ['faultInst', faultLabels],
  ['faultDelegate', faultLabels],
  ['fabricNode', nodeLabels],
])

/** One subscription, as far as its objects are counted. */
export interface Shower {
  readonly query: Pick<Query, 'classes' | 'covers'>
  /** What it shows is as it is in the fabric: it is subscribed, and its snapshot was compared. */
  readonly isLive: boolean
}

/** So many pairs of an object and a live subscription are looked at; where it would be more, a class waits until all are live. */
const MOST_PAIRS = 20_000
/** Stands nowhere in a fabric: who covers it covers every object of a class. */
const ANYWHERE = '?'

/** The objects of one class, and how many of them have the same labels. */
interface Tally {
  readonly labels: (attributes: Attributes) => Labels
  readonly objects: Map<string, ManagedObject>
  readonly counts: Map<string, number>
}

/** Counts kept by what happens to the mirror. */
export class GaugeTally {
  readonly #tallies: ReadonlyMap<string, Tally> = new Map(
    [...COUNTED].map(([cls, labels]) => [cls, { labels, objects: new Map(), counts: new Map() }]),
  )

  /** An object is there from now on (`before` undefined), is changed, or is gone (`after` undefined). */
  replace(before: ManagedObject | undefined, after: ManagedObject | undefined): void {
    const was = this.#tallyOf(before)
    const is = this.#tallyOf(after)
    const old = before === undefined ? undefined : was?.labels(before.attributes)
    const now = after === undefined ? undefined : is?.labels(after.attributes)
    if (before !== undefined && was !== undefined && (was !== is || before.key !== after?.key)) {
      was.objects.delete(before.key)
    }
    if (after !== undefined && is !== undefined) is.objects.set(after.key, after)
    // Most changes are of something else.
    if (was === is && old === now) return
    if (was !== undefined && old !== undefined) count(was.counts, old, -1)
    if (is !== undefined && now !== undefined) count(is.counts, now, 1)
  }

  #tallyOf(object: ManagedObject | undefined): Tally | undefined {
    // One problem, counted once: the faultInst of a delegate that nobody is told of is there, or may be.
    if (object === undefined || (object.family === 'faultDelegate' && (isUntold(object) || isOutside(object))))
      return undefined
    return this.#tallies.get(object.family)
  }

  /**
   * The numbers of what a live subscription shows. What only others show may be old by now: it is left out, and labels
   * that no object has make no row. `get`: the mirror's object of a dn.
   */
  read(
    showers: readonly Shower[],
    healthScopes: readonly string[],
    get: (dn: string) => ManagedObject | undefined,
  ): ApicGauges {
    const shown = (...classes: readonly string[]): [string, string, number][] => {
      const all = new Map<string, number>()
      for (const cls of classes) {
        for (const [key, number] of this.#shown(cls, showers)) all.set(key, (all.get(key) ?? 0) + number)
      }
      return rows(all)
    }
    return {
      faults: shown('faultInst', 'faultDelegate').map(([severity, state, number]) => ({
        severity,
        state,
        count: number,
      })),
      health: [...new Set(healthScopes)].flatMap(scope => {
        const object = get(`${scope}/health`)
        const score = scoreOf(object?.attributes['cur'])
        if (object === undefined || score === undefined) return []
        const isShown = showers.some(one => one.isLive && one.query.covers(object.family, object.key))
        return isShown ? [{ scope, score }] : []
      }),
      nodes: shown('fabricNode').map(([role, state, number]) => ({ role, state, count: number })),
    }
  }

  #shown(cls: string, showers: readonly Shower[]): ReadonlyMap<string, number> {
    const none: ReadonlyMap<string, number> = new Map()
    const tally = this.#tallies.get(cls)
    if (tally === undefined || tally.objects.size === 0) return none
    const showing = showers.filter(({ query }) => query.classes === undefined || query.classes.includes(cls))
    const live = showing.filter(one => one.isLive)
    if (live.length === 0) return none
    if (live.length === showing.length || live.some(({ query }) => query.covers(cls, ANYWHERE))) return tally.counts
    if (live.length * tally.objects.size > MOST_PAIRS) return none
    const counts = new Map<string, number>()
    for (const { key, attributes } of tally.objects.values()) {
      if (live.some(({ query }) => query.covers(cls, key))) count(counts, tally.labels(attributes), 1)
    }
    return counts
  }
}

function faultLabels(attributes: Attributes): Labels {
  // As events have them: a fault that is over keeps the last severity that it had.
  const { severity, prevSeverity, highestSeverity, origSeverity } = attributes
  const last = lastSeverity(severity, prevSeverity, highestSeverity, origSeverity)
  const state = stateOf(attributes)
  // The same text each time: put together anew, it would have to be hashed at each count.
  return FAULT_LABELS[last][state]
}

function statesOf(severity: Severity): Record<FaultState, Labels> {
  return {
    pending: `${severity} pending`,
    firing: `${severity} firing`,
    clearing: `${severity} clearing`,
    resolved: `${severity} resolved`,
  }
}

const FAULT_LABELS: Record<Severity, Record<FaultState, Labels>> = {
  critical: statesOf('critical'),
  major: statesOf('major'),
  minor: statesOf('minor'),
  warning: statesOf('warning'),
  info: statesOf('info'),
}

function nodeLabels({ role, fabricSt }: Attributes): Labels {
  return `${known(ROLES, role)} ${known(NODE_STATES, fabricSt)}`
}

function known(set: ReadonlySet<string>, value: string | undefined): string {
  return value !== undefined && set.has(value) ? value : 'other'
}

function count(counts: Map<string, number>, labels: Labels, by: 1 | -1): void {
  const number = (counts.get(labels) ?? 0) + by
  if (number === 0) counts.delete(labels)
  else counts.set(labels, number)
}

function rows(from: ReadonlyMap<string, number>): [string, string, number][] {
  return [...from].map(([key, number]) => {
    const [first = '', second = ''] = key.split(' ')
    return [first, second, number]
  })
}
