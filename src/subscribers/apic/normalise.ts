/** From one change of one object to one fact. Pure: no clock, no I/O; the same input gives the same event, id included. */
import type { Fact, Origin, SourceRef } from '../../event.ts'
import type { ManagedObject, MirrorChange } from '../../record.ts'
import { isLogClass } from './classes.ts'
import type { Change } from './decode.ts'
import { normaliseFault } from './normalise-fault.ts'
import { normaliseHealth } from './normalise-health.ts'
import { normaliseLog } from './normalise-log.ts'
import { normaliseState } from './normalise-state.ts'

export interface NormaliseContext {
  readonly source: SourceRef
  /** Carry the source's object in `data.raw`. */
  readonly raw: boolean
  readonly origin: Origin
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

const NOTHING: Outcome = { fact: undefined, mirror: undefined, partial: false }

/**
 * `previous` is the mirror's version of `change.dn`. Records of log classes have none: they are told when created, and
 * their purge is no event. Objects of a snapshot come as `created`, known or not.
 */
export function normalise(context: NormaliseContext, change: Change, previous: ManagedObject | undefined): Outcome {
  if (isLogClass(change.cls)) {
    return change.status === 'created'
      ? { fact: normaliseLog(context, change), mirror: undefined, partial: false }
      : NOTHING
  }
  switch (change.cls) {
    case 'faultInst':
    case 'faultDelegate':
      return normaliseFault(context, change, previous)
    case 'healthInst':
      return normaliseHealth(context, change, previous)
    default:
      return normaliseState(context, change, previous)
  }
}
