/**
 * Proof of life for log classes: the newest record asked for must be the newest pushed. A socket that is open and a
 * refresh that is answered prove neither. On a quiet fabric, newest asked = newest pushed is the proof.
 */
import { Retryable } from '../../errors.ts'
import { sleep } from '../../scheduler/clock.ts'
import { every } from '../../scheduler/interval.ts'
import type { Core, Watched } from './core.ts'
import { newestFirst } from './history.ts'
import { queryUrl } from './query.ts'

/**
 * Runs until the signal aborts. Calls `onMute` when a record exists that was never pushed: the first time that is the
 * subscription's trouble, the second time in a row the socket's.
 */
export async function watchMuteness(
  core: Core,
  feed: Watched,
  cls: string,
  signal: AbortSignal,
  onMute: (error: Error) => void,
): Promise<void> {
  const url = queryUrl(feed.query, core.config.format, newestFirst(cls))
  const check = async (): Promise<void> => {
    const answer = await core.client.get(url, 'canary', signal)
    const created = answer.objects[0]?.attributes['created']
    const newest = Date.parse(created ?? '')
    if (!Number.isNaN(newest) && newest > (feed.position?.createdMs ?? 0)) {
      // Asked and pushed travel on two connections: the push may be a moment behind.
      await sleep(core.clock, core.tuning.canaryGraceMs, signal)
      if (newest > (feed.position?.createdMs ?? 0)) {
        onMute(
          new Retryable(
            feed.mutes++ === 0 ? 'subscription_lost' : 'socket_lost',
            `${feed.name}: a record of ${created} exists, but was never pushed`,
          ),
        )
        return
      }
    }
    feed.mutes = 0
    feed.prove()
  }
  await every(core.clock, core.config.canary_interval, check, { signal, immediately: false, jitter: 0.1 })
}
