/** From one change of one object to one fact. Pure: no clock, no I/O; the same input gives the same event, id included. */
import type { ManagedObject } from '../../record.ts'
import { isLogClass } from './classes.ts'
import type { Change } from './decode.ts'
import { normaliseFault } from './normalise-fault.ts'
import { normaliseHealth } from './normalise-health.ts'
import { normaliseLog } from './normalise-log.ts'
import { normaliseState } from './normalise-state.ts'
import type { NormaliseContext, Outcome } from './outcome.ts'
import { withoutSecretNames } from './secret-names.ts'

const NOTHING: Outcome = { fact: undefined, mirror: undefined, partial: false }

/**
 * `previous` is the mirror's version of `change.dn`. Records of log classes have none: they are told when created, and
 * their purge is no event. Objects of a snapshot come as `created`, known or not.
 */
export function normalise(context: NormaliseContext, change: Change, previous: ManagedObject | undefined): Outcome {
  const outcome = byClass(context, change, previous)
  if (outcome.fact === undefined) return outcome
  const fact = withoutSecretNames(outcome.fact, change.dn, change.attributes['affected'])
  return fact === outcome.fact ? outcome : { ...outcome, fact }
}

function byClass(context: NormaliseContext, change: Change, previous: ManagedObject | undefined): Outcome {
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
