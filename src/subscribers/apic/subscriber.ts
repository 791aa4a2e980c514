/** The APIC source: picks the controller, keeps the mirror over sessions. */
import type { ApicConfig } from '../../config/sources.ts'
import { Fatal, Retryable } from '../../errors.ts'
import type { ManagedObject } from '../../record.ts'
import type { OpenContext, Session, Subscriber } from '../contract.ts'
import { passwordAuthentication } from './auth.ts'
import { Continuity } from './continuity.ts'
import { ControllerRow } from './controllers.ts'
import { TUNING, type Tuning } from './core.ts'
import { lookoutMemory } from './lookout.ts'
import { ApicMirror } from './mirror.ts'
import { Paces } from './pace.ts'
import { buildQuery } from './query.ts'
import { ApicSession } from './session.ts'

export interface ApicSubscriber extends Subscriber {
  /** The last known objects, for live gauges; empty before the first session. */
  objects(): Iterable<ManagedObject>
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
  for (const subscription of config.subscriptions) buildQuery(subscription)
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
    objects: () => mirror?.values() ?? [],
    async open(context: OpenContext): Promise<Session> {
      mirror ??= new ApicMirror(context.mirror)
      const address = controllers.current
      try {
        return await ApicSession.open({
          source,
          config,
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
