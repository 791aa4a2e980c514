/**
 * The judge. From the fabric's own record of what it changed follows what must be in the stream; from the stream, read
 * back, follows what is. Knows nothing of how the subscriber works: the states of a fault are read off the fabric's
 * objects by the rules of the design's event table, not by the normaliser's code.
 */
import type { GapData, OpsEvent } from '../../src/event.ts'
import type { Fabric } from '../../src/simulators/apic/fabric.ts'

export const CLASSES = ['eventRecord', 'aaaModLR', 'faultInst'] as const
export type Watched = (typeof CLASSES)[number]

/** One thing that must be told once. */
export interface Obligation {
  readonly cls: Watched
  /** Which record; of a fault its dn. */
  readonly key: string
  /** Of a fault: what happened to it, e.g. `raised major pending`. */
  readonly step: string
  /** The same without what depends on the step before: all that can be asked for when that one is lost for good. */
  readonly state: string
  /** When, by the fabric's clock, ms. */
  readonly at: number
  /** The object after the change. */
  readonly whole?: Attributes
}

export interface Missing extends Obligation {
  /** Of a fault: what was told of it in place of what happened. */
  readonly told: string
  /** The step of the same fault just before it, when that is missing as well. */
  readonly before?: Missing | undefined
}

export interface Account {
  readonly made: number
  readonly found: number
  readonly missing: readonly Missing[]
  /** Told a second time, as lines. */
  readonly doubled: readonly string[]
  /** Told and never happened, or told out of order. */
  readonly invented: readonly string[]
}

export type Verdict = Readonly<Record<Watched, Account>>

/** `step` asks for the very same steps; `state` when steps in between were purged and can't be known. */
export type Strictness = 'step' | 'state'

export type Attributes = Readonly<Record<string, string>>
type Phase = 'pending' | 'firing' | 'clearing' | 'resolved'

/**
 * Everything that the changes oblige to that came at `from` or later, oldest first. The audit log has one record for each controller:
 * one obligation.
 */
export function obligationsOf(changes: Fabric['changes'], from = 0): Obligation[] {
  const found: Obligation[] = []
  const audited = new Set<string>()
  const faults = new Map<string, { phase: Phase; severity: string }>()
  for (const [index, { at, change }] of changes.entries()) {
    const isDue = index >= from
    const { className, kind, whole, dn } = change
    if (className === 'eventRecord' && kind === 'created') {
      if (isDue) found.push({ cls: className, key: dn, step: '', state: '', at: createdAt(whole, at), whole })
    } else if (className === 'aaaModLR' && kind === 'created') {
      const key = auditKey(whole)
      if (audited.has(key)) continue
      audited.add(key)
      if (isDue) found.push({ cls: className, key, step: '', state: '', at: createdAt(whole, at), whole })
    } else if (className === 'faultInst') {
      const before = kind === 'created' ? undefined : faults.get(dn)
      const phase = kind === 'deleted' ? 'resolved' : phaseOf(whole)
      const own = whole['severity'] ?? ''
      const severity = own === 'cleared' ? (before?.severity ?? '') : own
      if (kind === 'deleted') faults.delete(dn)
      else faults.set(dn, { phase, severity })
      // The end of a fault that was over already is bookkeeping.
      if (kind === 'deleted' && before?.phase === 'resolved') continue
      const step = `${verbOf(before?.phase, phase)} ${severity} ${phase}`
      if (isDue) found.push({ cls: className, key: dn, step, state: stateOf(phase, own), at, whole })
    }
  }
  return found
}

/** Compares the stream, in its order, with what had to be told. Health of the source and gaps are no part of it. */
export function judge(
  obligations: readonly Obligation[],
  stream: readonly OpsEvent[],
  strictness: Strictness = 'step',
): Verdict {
  const of = (cls: Watched) => obligations.filter(one => one.cls === cls)
  return {
    eventRecord: judgeLog(
      of('eventRecord'),
      keysOf(stream, 'eventRecord', raw => raw['dn'] ?? ''),
    ),
    aaaModLR: judgeLog(of('aaaModLR'), keysOf(stream, 'aaaModLR', auditKey)),
    faultInst: judgeFaults(of('faultInst'), stream, strictness),
  }
}

export function gapsOf(stream: readonly OpsEvent[]): GapData[] {
  return stream.flatMap(event => (event.data.gap === undefined ? [] : [event.data.gap]))
}

/** A line about what is missing. */
export function lineOf({ cls, key, at, step, told }: Missing): string {
  return [cls, new Date(at).toISOString(), step, key, told === '' ? '' : `(${told})`]
    .filter(word => word !== '')
    .join(' ')
}

/** True when this gap event speaks of the time of this loss. `slackMs`: a change is stamped a moment before it is told. */
export function covers(gap: GapData, lost: Obligation, slackMs = 20): boolean {
  if (gap.feed !== `class/${lost.cls}`) return false
  const from = gap.from === null ? Number.NEGATIVE_INFINITY : Date.parse(gap.from)
  const to = gap.to === null ? Number.POSITIVE_INFINITY : Date.parse(gap.to)
  return from - slackMs <= lost.at && lost.at <= to + slackMs
}

function keysOf(stream: readonly OpsEvent[], cls: string, key: (raw: Attributes) => string): string[] {
  return stream.flatMap(event => {
    const raw = rawOf(event, cls)
    return raw === undefined ? [] : [key(raw)]
  })
}

function judgeLog(obligations: readonly Obligation[], told: readonly string[]): Account {
  const times = new Map<string, number>()
  for (const key of told) times.set(key, (times.get(key) ?? 0) + 1)
  const known = new Set(obligations.map(one => one.key))
  const missing = obligations.filter(one => !times.has(one.key)).map(one => ({ ...one, told: '' }))
  return {
    made: obligations.length,
    found: obligations.length - missing.length,
    missing,
    doubled: [...times].filter(([key, count]) => count > 1 && known.has(key)).map(([key, count]) => `${key} ×${count}`),
    invented: [...times.keys()].filter(key => !known.has(key)),
  }
}

/** One step of a fault, due or told; `at` NaN when the event doesn't say. */
export interface Step {
  readonly label: string
  readonly at: number
}

function judgeFaults(obligations: readonly Obligation[], stream: readonly OpsEvent[], strictness: Strictness): Account {
  const wanted = Map.groupBy(obligations, one => one.key)
  const told = Map.groupBy(
    stream.filter(event => event.data.kind === 'fault' && rawOf(event, 'faultInst') !== undefined),
    event => event.subject,
  )
  const missing: Missing[] = []
  const doubled: string[] = []
  const invented: string[] = []
  for (const dn of new Set([...wanted.keys(), ...told.keys()])) {
    const obliged = wanted.get(dn) ?? []
    const due = obliged.map(one => ({ label: strictness === 'step' ? one.step : one.state, at: one.at }))
    const given = (told.get(dn) ?? []).map(event => stepOf(event, strictness))
    const { left, right } = unmatched(due, given)
    const story = `told: ${given.map(one => one.label).join(', ')}; was: ${due.map(one => one.label).join(', ')}`
    const lost = new Map<number, Missing>()
    for (const index of left) {
      const one = obliged[index]
      if (one !== undefined) lost.set(index, { ...one, told: story, before: lost.get(index - 1) })
    }
    missing.push(...lost.values())
    for (const index of right) {
      const label = given[index]?.label
      const again = due.some(one => one.label === label) && !left.some(one => due[one]?.label === label)
      const lines = again ? doubled : invented
      lines.push(`${dn}: ${label} (${story})`)
    }
  }
  return { made: obligations.length, found: obligations.length - missing.length, missing, doubled, invented }
}

export function stepOf(event: OpsEvent, strictness: Strictness): Step {
  const phase = event.data.state ?? ''
  const verb = event.type.replace('apic.fault.', '')
  const severity = rawOf(event, 'faultInst')?.['severity'] ?? ''
  const label = strictness === 'step' ? `${verb} ${event.severitytext} ${phase}` : stateOf(phase, severity)
  return { label, at: Date.parse(event.time ?? '') }
}

/** An event carries the time of its step, give or take the moment in which the fabric stamps it. */
const SAME_MS = 5

/**
 * Indexes of what is in one list and not in the other, by the longest sequence that both have in common; of several such,
 * by the one with most times in common: a fault may go through the same step again and again.
 */
export function unmatched(due: readonly Step[], given: readonly Step[]): { left: number[]; right: number[] } {
  const table: number[][] = Array.from({ length: due.length + 1 }, () => new Array<number>(given.length + 1).fill(0))
  const best = (i: number, j: number): number => table[i]?.[j] ?? 0
  const paired = (i: number, j: number): number => {
    const [a, b] = [due[i], given[j]]
    if (a === undefined || b === undefined || a.label !== b.label) return Number.NEGATIVE_INFINITY
    return best(i + 1, j + 1) + (Math.abs(a.at - b.at) <= SAME_MS ? 1001 : 1000)
  }
  for (let i = due.length - 1; i >= 0; i--) {
    const row = table[i]
    for (let j = given.length - 1; row !== undefined && j >= 0; j--) {
      row[j] = Math.max(paired(i, j), best(i + 1, j), best(i, j + 1))
    }
  }
  const left: number[] = []
  const right: number[] = []
  let i = 0
  let j = 0
  while (i < due.length || j < given.length) {
    if (paired(i, j) === best(i, j)) {
      i++
      j++
    } else if (i < due.length && best(i + 1, j) === best(i, j)) left.push(i++)
    else right.push(j++)
  }
  return { left, right }
}

/** Ids and dns differ from controller to controller: what makes a change this change is in its words. */
export function auditKey(raw: Attributes): string {
  return [raw['txId'], raw['affected'], raw['ind'], raw['changeSet']].join(' | ')
}

export function rawOf(event: OpsEvent, cls: string): Attributes | undefined {
  const raw = event.data.raw as Record<string, { attributes: Attributes } | undefined> | undefined
  return raw?.[cls]?.attributes
}

function createdAt(whole: Attributes, at: number): number {
  const created = Date.parse(whole['created'] ?? '')
  return Number.isNaN(created) ? at : created
}

function phaseOf({ lc, severity }: Attributes): Phase {
  if (severity === 'cleared' || lc === 'retaining') return 'resolved'
  if (lc === 'soaking') return 'pending'
  return lc === 'soaking-clearing' || lc === 'raised-clearing' ? 'clearing' : 'firing'
}

/** A closed fault is closed, by whichever of its last two steps one learns of it. */
function stateOf(phase: string, severity: string): string {
  return phase === 'resolved' ? 'resolved' : `${phase} ${severity}`
}

function verbOf(before: Phase | undefined, now: Phase): string {
  if (before === now) return 'changed'
  if (now === 'resolved') return 'cleared'
  if (now === 'clearing') return 'clearing'
  return before === 'firing' ? 'changed' : 'raised'
}
