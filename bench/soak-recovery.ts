/** How long it took after each blow until everything was well again, from the simulator's record and the stream. */
import type { ApicRecord } from '../src/simulators/apic/record.ts'
import type { Passage } from './soak-ledger.ts'

export type BlowKind = 'cut' | 'silence'

/** Something done to the sockets, at this wall ms. */
export interface Blow {
  readonly kind: BlowKind
  readonly at: number
}

/**
 * Ms from a blow until all `subscriptions` of one session were made anew and everything that happened on the fabric
 * until then, as far as it ever arrived, was in the stream. Undefined when they never were.
 */
export function recoveryMs(
  blow: Blow,
  record: ApicRecord,
  subscriptions: number,
  passages: readonly Passage[],
): number | undefined {
  const made = new Map<string, number[]>()
  for (const { sessionId, createdAt } of record.subscriptions) {
    if (createdAt < blow.at) continue
    const times = made.get(sessionId)
    if (times === undefined) made.set(sessionId, [createdAt])
    else times.push(createdAt)
  }
  const whole = [...made.values()].map(times => times[subscriptions - 1]).filter(at => at !== undefined)
  if (whole.length === 0) return undefined
  const subscribedAt = Math.min(...whole)
  let last = subscribedAt
  for (const { madeAt, storedAt } of passages) {
    if (madeAt < blow.at || madeAt > subscribedAt || storedAt === undefined) continue
    last = Math.max(last, storedAt)
  }
  return last - blow.at
}
