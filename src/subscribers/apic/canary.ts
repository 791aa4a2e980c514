/**
 * Proof of life for log classes: the newest record asked for must be the newest pushed. A socket that is open and a
 * refresh that is answered prove neither. On a quiet fabric, newest asked = newest pushed is the proof.
 */
import { Retryable } from '../../errors.ts'
import { sleep } from '../../scheduler/clock.ts'
import { every } from '../../scheduler/interval.ts'
import { isSessionError, Refused } from './client.ts'
import type { Core, Watched } from './core.ts'
import { filterText } from './filter.ts'
import { newestFirst } from './history.ts'
import { queryUrl } from './query.ts'

/** A controller that answers and does not push. */
export class Mute extends Retryable {}

/** Records dated further ahead of the fabric's clock are left out: one such would be the newest for ever. */
const AHEAD_MS = 60_000

/**
 * Runs until the signal aborts. Calls `onMute` when a record exists that was never pushed: the first time that is the
 * subscription's trouble, the second time in a row the socket's. A question that fails proves nothing and harms nothing.
 */
export async function watchMuteness(
  core: Core,
  feed: Watched,
  cls: string,
  signal: AbortSignal,
  onMute: (error: Error) => void,
): Promise<void> {
  const { client, gate, config, tuning, clock } = core
  const newest = async (): Promise<{ dn: string; created: number } | undefined> => {
    const until = new Date(core.fabricNow() + AHEAD_MS).toISOString().replace('Z', '+00:00')
    const bound = filterText({ le: [`${cls}.created`, until] })
    const url = queryUrl(feed.query, config.format, [['query-target-filter', bound], ...newestFirst(cls)])
    const answer = await gate.run(signal, () => client.get(url, 'canary', signal))
    const { dn, created } = answer.objects[0]?.attributes ?? {}
    const at = Date.parse(created ?? '')
    return dn === undefined || Number.isNaN(at) ? undefined : { dn, created: at }
  }
  const check = async (): Promise<void> => {
    // Pushes that were held back are late, not missing.
    if (core.pausedWithin(tuning.canaryGraceMs)) return
    try {
      const asked = await newest()
      if (asked !== undefined && !feed.position.knows(asked.dn, asked.created)) {
        // Asked and pushed travel on two connections: the push may be a moment behind.
        await sleep(clock, tuning.canaryGraceMs, signal)
        if (core.pausedWithin(2 * tuning.canaryGraceMs)) return
        if (!feed.position.knows(asked.dn, asked.created)) {
          const code = feed.mutes++ === 0 ? 'subscription_lost' : 'socket_lost'
          const when = new Date(asked.created).toISOString()
          onMute(new Mute(code, `${feed.name}: a record of ${when} exists, but was never pushed`))
          return
        }
      }
    } catch (error) {
      if (signal.aborted || isSessionError(error) || error instanceof Refused) throw error
      return
    }
    feed.mutes = 0
    feed.prove()
  }
  await every(clock, config.canary_interval, check, { signal, immediately: false, jitter: 0.1 })
}
