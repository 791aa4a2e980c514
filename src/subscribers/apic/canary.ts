/**
 * Proof of life for log classes: the newest record asked for must be the newest pushed. A socket that is open and a
 * refresh that is answered prove neither. On a quiet fabric, newest asked = newest pushed is the proof.
 */
import { sleep } from '../../scheduler/clock.ts'
import { every } from '../../scheduler/interval.ts'
import { isSessionError, Refused } from './client.ts'
import { Unfit } from './controllers.ts'
import type { Core, Watched } from './core.ts'
import { newestFirst } from './history.ts'
import { createdBetween } from './log-pages.ts'
import { queryUrl } from './query.ts'

/** The newest record is looked for as far back as so many questions ago. */
const CANARIES = 10
/** Records dated further ahead of the fabric's clock are left out: one such would be the newest for ever. */
const AHEAD_MS = 60_000

/**
 * Runs until the signal aborts. Calls `onMute` when a record exists that was never pushed: the first time that is the
 * subscription's trouble; the second time, with no push of it in between, the socket's and its controller's. (That nothing
 * new was written in between clears nobody: a mute controller would keep a quiet log for ever.) A question that fails
 * proves nothing and harms nothing.
 */
export async function watchMuteness(
  core: Core,
  feed: Watched,
  cls: string,
  signal: AbortSignal,
  onMute: (error: Error) => void,
): Promise<void> {
  const { client, config, tuning, clock } = core
  const newest = async (): Promise<{ dn: string; created: number } | undefined> => {
    const nowMs = core.fabricNow()
    // Older ones were compared before; a stretch is cheaper to sort than the whole log, and stays below its ceiling.
    const since = nowMs - CANARIES * config.canary_interval - tuning.overlapMs
    const options = [createdBetween(cls, since, nowMs + AHEAD_MS), ...newestFirst(cls)]
    const url = queryUrl(feed.query, config.format, options)
    const answer = await client.get(url, 'canary', signal)
    const { dn, created } = answer.objects[0]?.attributes ?? {}
    const at = Date.parse(created ?? '')
    return dn === undefined || Number.isNaN(at) ? undefined : { dn, created: at }
  }
  const check = async (): Promise<void> => {
    // Pushes that were held back are late, not missing.
    if (core.pausedWithin(tuning.canaryGraceMs)) return
    const atMs = core.fabricNow()
    try {
      const asked = await newest()
      if (asked !== undefined && !feed.position.knows(asked.dn, asked.created)) {
        // Asked and pushed travel on two connections: the push may be a moment behind.
        await sleep(clock, tuning.canaryGraceMs, signal)
        if (core.pausedWithin(2 * tuning.canaryGraceMs)) return
        if (!feed.position.knows(asked.dn, asked.created)) {
          const code = feed.mutes++ === 0 ? 'subscription_lost' : 'socket_lost'
          const when = new Date(asked.created).toISOString()
          onMute(new Unfit(code, `${feed.name}: a record of ${when} exists, but was never pushed`))
          return
        }
      }
    } catch (error) {
      if (signal.aborted || isSessionError(error) || error instanceof Refused) throw error
      return
    }
    // Asked and pushed agree there because both are old.
    if (core.cutOff()) return
    // Under suspicion only a push proves that the socket carries anything: what was read since may be all there is.
    if (feed.mutes === 0) core.continuity.proveLog(feed.name, atMs)
    feed.prove()
  }
  await every(clock, config.canary_interval, check, { signal, immediately: false, jitter: 0.1 })
}
