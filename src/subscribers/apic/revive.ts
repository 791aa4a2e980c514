/** A dead letter of an APIC, read once more: a frame, or the part of one that could not be read. */
import type { ApicConfig } from '../../config/sources.ts'
import { Poison } from '../../errors.ts'
import type { Fact, SourceRef } from '../../event.ts'
import type { MirrorChange } from '../../record.ts'
import type { Clock } from '../../scheduler/clock.ts'
import type { Revived } from '../contract.ts'
import { isOwnSession, isStale } from './apply.ts'
import { isLogClass } from './classes.ts'
import { type Change, decodeFrame, type Frame } from './decode.ts'
import type { FaultsHeard } from './faults-heard.ts'
import type { FeedPlan } from './feeds.ts'
import { type ApicMirror, TIME_PROPERTIES } from './mirror.ts'
import { normalise } from './normalise.ts'

export interface ReviveOptions {
  readonly source: SourceRef
  readonly config: ApicConfig
  readonly plans: readonly FeedPlan[]
  readonly mirror: ApicMirror
  readonly faults: FaultsHeard
  readonly clock: Clock
}

const SUPERSEDED = 'older than what is known of the object'
const UNKNOWN =
  'of an object that is not known: whether it is still there only the fabric can tell, and its snapshot does'
const UNWANTED = 'of no subscription of the config'

/**
 * Records of logs are told. The state of an object is, only if by its own times it is newer than what the mirror holds: an old
 * one must not be laid over a newer one. What is told of an object moves the mirror at once, so it must be committed.
 */
export function revive(content: string, options: ReviveOptions): Revived {
  let frame: Frame
  try {
    frame = frameOf(content)
  } catch (error) {
    if (!(error instanceof Poison)) throw error
    return { facts: [], dead: error.message }
  }
  const facts: Fact[] = []
  const mirror: MirrorChange[] = []
  const reasons = new Set<string>()
  for (const change of frame.changes) {
    const told = tell(change, options)
    if (typeof told === 'string') reasons.add(told)
    else {
      facts.push(...told.facts)
      mirror.push(...told.mirror)
    }
  }
  const dead = frame.unreadable[0]?.reason
  return {
    facts,
    mirror,
    ...(reasons.size === 0 ? {} : { superseded: [...reasons].join('; ') }),
    ...(dead === undefined ? {} : { dead }),
  }
}

/** A part of a frame is kept by itself, as JSON. */
function frameOf(content: string): Frame {
  try {
    return decodeFrame(content)
  } catch (error) {
    if (!content.trimStart().startsWith('{')) throw error
    try {
      return decodeFrame(`{"subscriptionId":["0"],"imdata":[${content}]}`)
    } catch {
      throw error
    }
  }
}

/** Why it is not told, or what is. */
function tell(
  change: Change,
  { source, config, plans, mirror, faults, clock }: ReviveOptions,
): string | { readonly facts: readonly Fact[]; readonly mirror: readonly MirrorChange[] } {
  const { cls, dn } = change
  const wanting = plans.filter(({ query, hidden }) => !hidden && query.yields(cls, dn))
  if (wanting.length === 0 || isOwnSession(config, change)) return UNWANTED
  const context = { source, raw: config.raw, origin: 'backfill' } as const
  if (isLogClass(cls)) {
    const { fact } = normalise(context, change, undefined)
    return fact === undefined ? SUPERSEDED : { facts: [fact], mirror: [] }
  }
  const previous = mirror.get(dn)
  if (previous === undefined) return UNKNOWN
  // Selections by filter compare two versions, and pairs of faults each other: the fabric's snapshot settles both.
  const isPlain = cls !== 'faultDelegate' && wanting.every(({ query }) => query.accepts === undefined)
  if (!isPlain || change.status === 'deleted' || !isNewer(change, previous.attributes)) return SUPERSEDED
  if (isStale({ mirror }, change)) return SUPERSEDED
  const { fact, mirror: learned } = normalise(context, change, previous)
  if (fact === undefined || learned === undefined) return SUPERSEDED
  const kept = cls === 'faultInst' ? faults.aside(learned, previous, clock.wall()) : learned
  const changes = mirror.apply(kept, clock.now(), { fabricMs: clock.wall(), event: fact.id, told: true })
  return { facts: [fact], mirror: changes }
}

/** By a time that both tell. */
function isNewer({ attributes }: Change, known: Readonly<Record<string, string>>): boolean {
  return TIME_PROPERTIES.some(name => Date.parse(attributes[name] ?? '') > Date.parse(known[name] ?? ''))
}
