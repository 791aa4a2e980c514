/** From a step of an object's chain and what a class makes of it to the outcome: fact, mirror, partial. */
import {
  type Draft,
  type EventData,
  type Fact,
  makeFact,
  type Origin,
  type Severity,
  type SourceRef,
} from '../../event.ts'
import type { MirrorChange } from '../../record.ts'
import { chainKey, rawOf, remember, type Step } from './chain.ts'
import type { PropertyChange } from './change-set.ts'
import type { Change } from './decode.ts'

export interface NormaliseContext {
  readonly source: SourceRef
  /** Carry the source's object in `data.raw`. */
  readonly raw: boolean
  readonly origin: Origin
  /** Id of the event that told of the object's end, when it was there before. */
  readonly after?: string | undefined
}

export interface Outcome {
  /** Undefined when nobody needs to be told: housekeeping only, known already, the end of something never seen. */
  readonly fact: Fact | undefined
  /** What the mirror must learn; also without a fact. */
  readonly mirror: MirrorChange | undefined
  /**
   * A `modified` without a known previous object: fact and mirror hold only what the message said. Ask for the dn and
   * come again with `whole: true`; if it can't be had, this outcome is the best there is.
   */
  readonly partial: boolean
}

/** What a class says of a step. */
export interface Telling {
  readonly type: string
  readonly severity: Severity
  readonly time: string | undefined
  readonly data: EventData
  /** Those of the step's that are shown; all of them when not given. Becomes the event's own. */
  readonly changes?: PropertyChange[]
}

/** `telling: undefined` moves the mirror and tells nobody. */
export function outcomeOf(
  context: NormaliseContext,
  change: Change,
  step: Step,
  telling: Telling | undefined,
): Outcome {
  if (telling === undefined)
    return { fact: undefined, mirror: remember(change, step, undefined), partial: step.partial }
  const { data } = telling
  const changes = telling.changes ?? [...step.changes]
  if (changes.length > 0) data.changes = changes
  if (step.partial) data.flags = [...(data.flags ?? []), 'partial']
  if (context.raw) data.raw = rawOf(change, step)
  const draft: Draft = {
    family: change.cls,
    key: chainKey(change, step, context.after),
    type: telling.type,
    subject: change.dn,
    time: telling.time,
    partitionkey: change.dn,
    severity: telling.severity,
    origin: context.origin,
    data,
  }
  const fact = makeFact(context.source, draft)
  return { fact, mirror: remember(change, step, fact.id), partial: step.partial }
}
