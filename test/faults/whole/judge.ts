/**
 * The judge of the whole daemon: holds what the simulators showed against what the stream has. Whatever is owed is there
 * exactly once, as it was, in its order; or it lies in the window of a gap event of its feed that may be there.
 */
import type { GapData, OpsEvent } from '../../../src/event.ts'
import type { Tapped } from '../../../src/sinks/nats-tap.ts'
import { unmatched } from '../oracle.ts'
import { CLOUD, type Entry, entryOf, type Owed } from './books.ts'

/** A gap event with the name of its source. */
export interface Gap extends GapData {
  readonly source: string
  /** As `Evidence.slackMs`. */
  readonly slackMs?: number
}

export interface Judgement {
  /** What had to be told, and what of it was. */
  readonly owed: number
  readonly found: number
  /** Not told, and inside the window of a gap that may be. */
  readonly excused: number
  readonly gaps: readonly Gap[]
  /** Lines, each with its kind of wrong in front. Empty: all is well. */
  readonly wrongs: readonly string[]
  /** Owed, not told, not excused: what may still come. */
  readonly lost: number
}

export interface Evidence {
  readonly owed: readonly Owed[]
  /** The stream, in its order. */
  readonly stream: readonly Tapped[]
  /** Checks an event against the shipped JSON Schema; gives what is wrong with it. */
  readonly flawOf: (event: unknown) => string | undefined
  /** True for a gap that these faults may bring about. */
  readonly mayBe: (gap: Gap) => boolean
  /** Ids of rows that became visible later than their stamp says: they come in no order. */
  readonly late?: ReadonlySet<string>
  /** So far a loss may lie outside of the window of the gap that tells of it, ms. Default 1000. */
  readonly slackMs?: number
}

/** A change is stamped a moment before it is told; clocks of seconds round. */
const SLACK_MS = 1000
/** An event carries the time of its step, give or take the moment in which the fabric stamps it. */
const SAME_MS = 5

export function judgeWhole(evidence: Evidence): Judgement {
  const { owed, stream, flawOf, mayBe, late = new Set(), slackMs = SLACK_MS } = evidence
  const wrongs: string[] = []
  const events: OpsEvent[] = []
  for (const { subject, event, id } of stream) {
    if (subject.includes('._dead.')) {
      wrongs.push(`dead letter: ${JSON.stringify(event)}`)
      continue
    }
    const flaw = flawOf(event)
    const one = event as OpsEvent
    if (flaw !== undefined) wrongs.push(`not valid: ${flaw}: ${JSON.stringify(event).slice(0, 300)}`)
    else if (one.id !== id) wrongs.push(`not under its id: ${one.id} has Nats-Msg-Id ${id}`)
    else if (!subject.endsWith(`${one.source.slice(1).replace('/', '.')}.${one.data.kind}.${one.severitytext}`)) {
      wrongs.push(`on a wrong subject: ${subject} ${one.id}`)
    } else events.push(one)
  }
  const ids = Map.groupBy(events, event => event.id)
  for (const [id, same] of ids) {
    if (same.length > 1) wrongs.push(`doubled id: ${id} ${same[0]?.type} ${same[0]?.subject} ×${same.length}`)
  }
  const gaps = events.flatMap(event =>
    event.data.gap === undefined ? [] : [{ ...event.data.gap, source: sourceOf(event), slackMs }],
  )
  for (const gap of gaps.filter(one => !mayBe(one))) wrongs.push(`gap without a reason: ${JSON.stringify(gap)}`)

  const told = events.flatMap(event => entryOf(event) ?? [])
  const lanes = Map.groupBy(owed, laneOf)
  const given = Map.groupBy(told, laneOf)
  let [due, found, excused, lost] = [0, 0, 0, 0]
  for (const lane of new Set([...lanes.keys(), ...given.keys()])) {
    const settled = settle(lanes.get(lane) ?? [], given.get(lane) ?? [], gaps.filter(mayBe))
    due += settled.due
    found += settled.found
    excused += settled.excused
    lost += settled.lost.length
    wrongs.push(...settled.lost.map(one => `lost: ${lineOf(one)}`), ...settled.wrongs)
  }
  wrongs.push(...outOfOrder(events, late))
  return { owed: due, found, excused, gaps, wrongs, lost }
}

interface Account {
  readonly due: number
  readonly found: number
  readonly excused: number
  readonly lost: readonly Owed[]
  readonly wrongs: readonly string[]
}

function settle(owed: readonly Owed[], told: readonly Entry[], gaps: readonly Gap[]): Account {
  const strict = account(owed, told, gaps)
  const isSound = strict.lost.length + strict.wrongs.length === 0
  if (isSound || !gaps.some(gap => owed.some(one => one.state !== undefined && covers(gap, one)))) return strict
  // Where steps of a fault are lost under a gap, the next ones are told by what was known before; and what the lost ones left
  // in the object (its highest severity) is told with the state that it has.
  const loose = <T extends Entry>(one: T): T => (one.state === undefined ? one : { ...one, label: one.state })
  const states = told.map((one, index) => asItWas(one, told[index - 1], owed, gaps)).map(loose)
  const due = owed.map(loose)
  return account(
    due,
    states.filter((one, index) => one.label !== states[index - 1]?.label || isStep(one, states.slice(0, index), due)),
    gaps,
  )
}

/**
 * True for what says the same state as the one before it, and is a step all the same: what led out of that state is lost, and
 * this led back into it. Its time says so, which is later than that of all that was told before: what is told again, or late, could
 * else stand for another one that is lost. What is told of what lost steps left in the object has no time of its own.
 */
function isStep({ label, at }: Entry, before: readonly Entry[], owed: readonly Owed[]): boolean {
  const isLater = before.every(other => Number.isNaN(other.at) || other.at + SAME_MS < at)
  return isLater && owed.some(other => other.label === label && Math.abs(other.at - at) <= SAME_MS)
}

/**
 * A step in a gap's window may be told with what it did not change itself (its severity, or its life cycle) as that was told last: what
 * is pushed of it says nothing of earlier changes that were not pushed. As if it had been told with its own; anything else stays wrong.
 */
function asItWas(one: Entry, before: Entry | undefined, owed: readonly Owed[], gaps: readonly Gap[]): Entry {
  const isOwn = (other: Owed, index: number): boolean =>
    Math.abs(other.at - one.at) <= SAME_MS &&
    gaps.some(gap => covers(gap, other)) &&
    isOld(one, before, other, owed[index - 1])
  const own = one.state === undefined ? undefined : owed.find(isOwn)
  if (own?.state === undefined) return one
  const { severity, lc } = own.said
  return { ...one, state: own.state, said: { ...one.said, severity, ...(lc === undefined ? {} : { lc }) } }
}

/** True for what differs from the step only in what this left as it was, and agrees there with what was told before. */
function isOld(one: Entry, before: Entry | undefined, own: Owed, led: Owed | undefined): boolean {
  const differs = [phaseOf, severityOf].filter(of => of(one) !== of(own))
  return (
    differs.length === 1 &&
    !isResolved(one) &&
    !isResolved(own) &&
    differs.every(of => led !== undefined && of(led) === of(own) && of(one) === of(before))
  )
}

/** `clearing` of the state `clearing major`. */
function phaseOf(one: Entry | undefined): string | undefined {
  return one?.state?.split(' ')[0]
}

function severityOf(one: Entry | undefined): unknown {
  return one?.said['severity']
}

/** An end is told by whatever brings it: no part of it can be older. */
function isResolved(one: Entry): boolean {
  return phaseOf(one) === 'resolved'
}

function account(owed: readonly Owed[], told: readonly Entry[], gaps: readonly Gap[]): Account {
  const wrongs: string[] = []
  const { left, right } = unmatched(owed, told)
  const matched = owed.filter((_, index) => !left.includes(index))
  const partners = told.filter((_, index) => !right.includes(index))
  const missing = left.flatMap(index => owed[index] ?? [])
  for (const [index, one] of matched.entries()) {
    const other = partners[index]
    const isFragment = wasUnseen(one, owed, missing, gaps)
    for (const [name, value] of Object.entries(one.said)) {
      const is = JSON.stringify(other?.said[name])
      if (isFragment && is === undefined) continue
      if (is !== JSON.stringify(value)) {
        wrongs.push(`altered: ${lineOf(one)}: ${name} is ${is}, was ${JSON.stringify(value)}`)
      }
    }
  }
  for (const index of right) {
    const one = told[index]
    if (one === undefined) continue
    const isElsewhere = missing.some(other => other.label === one.label)
    const isKnown = owed.some(other => other.label === one.label)
    wrongs.push(`${isElsewhere ? 'out of order' : isKnown ? 'doubled' : 'invented'}: ${lineOf(one)}`)
  }
  const gone = missing.filter(one => one.due)
  const lost = gone.filter(one => {
    const about = gaps.filter(gap => covers(gap, one))
    // With the store's file all that was known is lost: nobody can tell whether an object's state was told.
    const isForgotten = about.some(({ reason }) => reason === 'state_lost')
    // The end of what nobody was told of is no news, though it is pushed when everything is heard again.
    const isExcused = about.length > 0 || (one.label === 'deleted' && wasUnseen(one, owed, missing, gaps))
    return !isExcused || (!isForgotten && isLast(one, owed, partners))
  })
  const due = owed.filter(one => one.due).length
  return { due, found: due - gone.length, excused: gone.length - lost.length, lost, wrongs }
}

/**
 * Nothing of the object's life before this was told, and all of that lies in gaps: a push of a change shows what changed, and of
 * an object that is gone when it is asked for nobody can have the rest.
 */
function wasUnseen(one: Owed, owed: readonly Owed[], missing: readonly Owed[], gaps: readonly Gap[]): boolean {
  const before = owed.slice(0, owed.indexOf(one))
  const life = before.slice(before.findLastIndex(({ label }) => label === 'deleted') + 1)
  return life.length > 0 && life.every(other => missing.includes(other) && gaps.some(gap => covers(gap, other)))
}

/** How a thing that has a history is in the end can still be asked for: no gap excuses it. */
function isLast(one: Owed, owed: readonly Owed[], told: readonly Entry[]): boolean {
  if (!one.feed.endsWith('class/fvTenant') || one !== owed.at(-1)) return false
  // What came and went unseen is the exception.
  return one.label !== 'deleted' || (told.length > 0 && told.at(-1)?.label !== 'deleted')
}

/** True when the gap event speaks of the time of this loss. */
export function covers(gap: Gap, lost: Entry): boolean {
  // What the store, or the stream behind it, has lost is of all feeds.
  const isAll = gap.feed === 'store' || gap.feed === 'stream'
  if (isAll ? !lost.feed.startsWith(`${gap.source} `) : `${gap.source} ${gap.feed}` !== lost.feed) return false
  const from = gap.from === null ? Number.NEGATIVE_INFINITY : Date.parse(gap.from)
  const to = gap.to === null ? Number.POSITIVE_INFINITY : Date.parse(gap.to)
  const { slackMs = SLACK_MS } = gap
  return from - slackMs <= lost.at && lost.at <= to + slackMs
}

/** Audit rows of one entity come in the order of their stamps, those apart that became visible late. */
function outOfOrder(events: readonly OpsEvent[], late: ReadonlySet<string>): string[] {
  const newest = new Map<string, number>()
  const wrongs: string[] = []
  for (const event of events) {
    const entry = entryOf(event)
    if (entry?.feed !== `${CLOUD} audit` || late.has(entry.lane)) continue
    const before = newest.get(event.partitionkey) ?? Number.NEGATIVE_INFINITY
    if (entry.at < before) wrongs.push(`out of order: ${lineOf(entry)} after ${new Date(before).toISOString()}`)
    newest.set(event.partitionkey, Math.max(before, entry.at))
  }
  return wrongs
}

function sourceOf(event: OpsEvent): string {
  return event.source.split('/').at(-1) ?? ''
}

function laneOf({ feed, lane }: Entry): string {
  return `${feed} ${lane}`
}

function lineOf({ feed, lane, label, at }: Entry): string {
  const when = Number.isNaN(at) ? 'at no time' : new Date(at).toISOString()
  return [feed, lane, label, when].filter(word => word !== '').join(' ')
}
