/** The APIC source: picks the controller, keeps the mirror over sessions. */
import type { ApicConfig } from '../../config/sources.ts'
import { Fatal } from '../../errors.ts'
import type { ManagedObject } from '../../record.ts'
import type { OpenContext, Session, Subscriber } from '../contract.ts'
import { passwordAuthentication } from './auth.ts'
import { TUNING, type Tuning } from './core.ts'
import { ApicMirror } from './mirror.ts'
import { buildQuery } from './query.ts'
import { ApicSession } from './session.ts'

export interface ApicSubscriber extends Subscriber {
  /** The last known objects, for live gauges; empty before the first session. */
  objects(): Iterable<ManagedObject>
}

/** Throws `Fatal('config')` for a subscription that can't be asked. `tuning` is for tests. */
export function apicSubscriber(config: ApicConfig, tuning: Partial<Tuning> = {}): ApicSubscriber {
  for (const subscription of config.subscriptions) buildQuery(subscription)
  const source = { system: 'apic', name: config.name } as const
  const auth = passwordAuthentication(config)
  let mirror: ApicMirror | undefined
  let controller = 0
  return {
    ref: source,
    pushes: true,
    objects: () => mirror?.values() ?? [],
    async open(context: OpenContext): Promise<Session> {
      mirror ??= new ApicMirror(context.mirror)
      const at = controller
      const address = config.controllers[at % config.controllers.length] ?? ''
      // Sticky while it works; the next one when it does not.
      const next = (): void => {
        if (controller === at) controller++
      }
      try {
        return await ApicSession.open({
          source,
          config,
          controller: address,
          auth,
          mirror,
          context,
          tuning: { ...TUNING, ...tuning },
          onUnfit: next,
        })
      } catch (error) {
        // Wrong credentials are wrong everywhere: the same controller is asked again.
        if (error instanceof Fatal) controller = at
        throw error
      }
    },
  }
}
