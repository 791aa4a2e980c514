/** The APIC source: picks the controller, keeps the mirror over sessions. */
import type { ApicConfig } from '../../config/sources.ts'
import { Fatal, Retryable } from '../../errors.ts'
import type { OpenContext, Replayable, Session } from '../contract.ts'
import { passwordAuthentication } from './auth.ts'
import { Continuity } from './continuity.ts'
import { ControllerRow } from './controllers.ts'
import { TUNING, type Tuning } from './core.ts'
import { planFeeds } from './feeds.ts'
import { type ApicGauges, GaugeTally } from './gauges.ts'
import { type LookoutMemory, lookoutMemory } from './lookout.ts'
import { ApicMirror } from './mirror.ts'
import { Paces } from './pace.ts'
import { revive } from './revive.ts'
import { ApicSession } from './session.ts'
import { visitPast } from './visit.ts'

/** What a source knows of its fabric across sessions, and across reloads of its config. */
interface Memory {
  readonly continuity: Continuity
  readonly lookout: LookoutMemory
  mirror: ApicMirror | undefined
}

export interface ApicSubscriber extends Replayable {
  /** Of what is known to be as it is in the fabric; empty before the first session, and while there is none. */
  gauges(): ApicGauges
  /**
   * A subscriber of the same fabric by another config: its session can follow one of this one's without a hole. Throws as
   * `apicSubscriber` does.
   */
  successor(config: ApicConfig): ApicSubscriber
}

/**
 * Throws `Fatal('config')` for a subscription that can't be asked. `tuning` is for tests; `paces` is shared by all sources,
 * so that two of them with one controller log in one after the other and ask it no more than one would.
 */
export function apicSubscriber(
  config: ApicConfig,
  tuning: Partial<Tuning> = {},
  paces: Paces = new Paces(),
): ApicSubscriber {
  return make(config, { continuity: new Continuity(), lookout: lookoutMemory(), mirror: undefined }, tuning, paces)
}

function make(config: ApicConfig, memory: Memory, tuning: Partial<Tuning>, paces: Paces): ApicSubscriber {
  const plans = planFeeds(config)
  const source = { system: 'apic', name: config.name } as const
  const auth = passwordAuthentication(config, paces.refusals)
  const tuned = { ...TUNING, ...tuning }
  const controllers = new ControllerRow(config.controllers)
  const { continuity, lookout } = memory
  return {
    ref: source,
    pushes: true,
    gauges: () => {
      const { mirror } = memory
      // Live until its last word is stored, which may take long; watched only while somebody hears what is pushed.
      const isLive = (feed: string): boolean => continuity.isLive(feed) && continuity.isWatched(feed)
      const showers = plans.map(({ query }) => ({ query, isLive: isLive(query.name) }))
      return (mirror?.tally ?? new GaugeTally()).read(showers, config.health_scopes, dn => mirror?.get(dn))
    },
    successor: next => make(next, memory, tuning, paces),
    async revive({ content }, { clock, mirror: committed }) {
      memory.mirror ??= new ApicMirror(committed)
      return revive(content, { source, config, plans, mirror: memory.mirror, faults: continuity.faults, clock })
    },
    visit: context => visitPast({ ...context, config, tuning }, { source, config, plans }),
    async open(context: OpenContext): Promise<Session> {
      memory.mirror ??= new ApicMirror(context.mirror)
      const { mirror } = memory
      const address = controllers.current
      try {
        return await ApicSession.open({
          source,
          config,
          plans,
          controller: address,
          auth,
          mirror,
          continuity,
          context,
          tuning: tuned,
          pace: paces.of(address, { clock: context.clock, maxConcurrency: config.max_concurrency, tuning: tuned }),
          controllers,
          lookout,
        })
      } catch (error) {
        // A certificate is one controller's matter, and so is its wish to be left alone; credentials are wrong everywhere,
        // and accounts get locked.
        const isItsOwn =
          (error instanceof Fatal && error.code === 'tls') ||
          (error instanceof Retryable && error.afterMs !== undefined)
        if (!isItsOwn || !controllers.hasBetterThan(address, context.clock.now())) throw error
        throw new Retryable(error.code, error.message, { cause: error })
      }
    },
  }
}
