/** The APIC source: picks the controller, keeps the mirror over sessions. */
import type { ApicConfig } from '../../config/sources.ts'
import { Fatal, Retryable } from '../../errors.ts'
import type { OpenContext, Session, Subscriber } from '../contract.ts'
import { passwordAuthentication } from './auth.ts'
import { Continuity } from './continuity.ts'
import { ControllerRow } from './controllers.ts'
import { TUNING, type Tuning } from './core.ts'
import { planFeeds } from './feeds.ts'
import { type ApicGauges, GaugeTally } from './gauges.ts'
import { lookoutMemory } from './lookout.ts'
import { ApicMirror } from './mirror.ts'
import { Paces } from './pace.ts'
import { ApicSession } from './session.ts'

export interface ApicSubscriber extends Subscriber {
  /** Of what is known to be as it is in the fabric; empty before the first session, and while there is none. */
  gauges(): ApicGauges
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
  const plans = planFeeds(config)
  const source = { system: 'apic', name: config.name } as const
  const auth = passwordAuthentication(config, paces.refusals)
  const tuned = { ...TUNING, ...tuning }
  const continuity = new Continuity()
  const controllers = new ControllerRow(config.controllers)
  const lookout = lookoutMemory()
  let mirror: ApicMirror | undefined
  return {
    ref: source,
    pushes: true,
    gauges: () => {
      // Live until its last word is stored, which may take long; watched only while somebody hears what is pushed.
      const isLive = (feed: string): boolean => continuity.isLive(feed) && continuity.isWatched(feed)
      const showers = plans.map(({ query }) => ({ query, isLive: isLive(query.name) }))
      return (mirror?.tally ?? new GaugeTally()).read(showers, config.health_scopes, dn => mirror?.get(dn))
    },
    async open(context: OpenContext): Promise<Session> {
      mirror ??= new ApicMirror(context.mirror)
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
