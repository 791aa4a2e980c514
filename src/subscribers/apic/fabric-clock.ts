/** The fabric's own clock: cursors go by it, not by ours (reference b2: topInfo.currentTime). */
import type { Clock } from '../../scheduler/clock.ts'
import type { ApicClient } from './client.ts'
import { patient } from './patient.ts'

/** Logins are the dearest thing to ask for: one page of nginx's is no reason to make another. */
const PATIENCE_MS = 30_000

/** How far the fabric's clock is ahead of ours, ms; undefined when the answer does not say. Throws as `client.get`. */
export async function fabricOffset(client: ApicClient, clock: Clock, signal: AbortSignal): Promise<number | undefined> {
  const ask = () => client.get('/api/mo/info.json', 'clock', signal)
  const { objects } = await patient(clock, signal, ask, PATIENCE_MS)
  const now = Date.parse(objects.find(object => object.cls === 'topInfo')?.attributes['currentTime'] ?? '')
  return Number.isNaN(now) ? undefined : now - clock.wall()
}
