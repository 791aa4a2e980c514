/** healthInst: a score that falls and rises, by thresholds. */
import type { EventData } from '../../event.ts'
import type { ManagedObject } from '../../record.ts'
import { advance, timeOf } from './chain.ts'
import type { Change } from './decode.ts'
import { placeOf, resourceOfOwner } from './dn.ts'
import { type NormaliseContext, type Outcome, outcomeOf } from './outcome.ts'
import { severityOfScore } from './severity.ts'
import { oneLine } from './words.ts'

export function normaliseHealth(context: NormaliseContext, change: Change, known: ManagedObject | undefined): Outcome {
  const step = advance(change, known)
  const before = scoreOf(step.previous?.attributes['cur'])
  const wasBad = before !== undefined && severityOfScore(before) !== 'info'
  const gone = step.verdict === 'deleted'
  if (step.verdict === 'same' || step.verdict === 'unknown' || (gone && !wasBad)) {
    return outcomeOf(context, change, step, undefined)
  }
  const score = gone ? undefined : scoreOf(step.attributes['cur'])
  const bad = score !== undefined && severityOfScore(score) !== 'info'
  // The score that is well again travels where the bad one went.
  const severity = bad || before === undefined || !wasBad ? severityOfScore(score ?? 100) : severityOfScore(before)
  const resource = resourceOfOwner(change.dn)
  const data: EventData = {
    kind: 'health',
    summary: gone
      ? oneLine(`Health of ${placeOf(resource)} is no longer reported`)
      : healthLine(placeOf(resource), score, before ?? scoreOf(step.attributes['prev'])),
    // A score that can't be read says nothing of the alert.
    state: bad ? 'firing' : gone || score !== undefined ? 'resolved' : null,
    outcome: null,
    alertKey: gone || score !== undefined ? `${context.source.name}/${change.dn}` : null,
    resource,
  }
  if (score !== undefined) data.health = { score, previous: before ?? scoreOf(step.attributes['prev']) ?? null }
  return outcomeOf(context, change, step, {
    type: 'apic.health.changed',
    severity,
    time: timeOf(step, 'updTs', 'modTs'),
    data,
  })
}

/** A score as a number; undefined for anything else. */
export function scoreOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,3}(\.\d+)?$/.test(text) ? Number(text) : undefined
}

/** `Health of node-101 fell to 62 (was 95)`. */
export function healthLine(place: string, score: number | undefined, before: number | undefined): string {
  if (score === undefined) return oneLine(`Health of ${place} is unknown`)
  if (before === undefined || before === score) return oneLine(`Health of ${place} is ${score}`)
  return oneLine(`Health of ${place} ${score < before ? 'fell' : 'rose'} to ${score} (was ${before})`)
}
