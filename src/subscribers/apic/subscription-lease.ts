/** The lease of one subscription: refreshed by its own deadline; what its loss means. */
import { describe, Retryable } from '../../errors.ts'
import type { Lease } from '../../scheduler/leases.ts'
import { isSessionError, Refused } from './client.ts'
import type { Core } from './core.ts'

export interface SubscriptionLeaseOptions {
  readonly name: string
  readonly id: string
  /** How long the subscription lives from its creation or last refresh, ms. */
  readonly lifeMs: number
  /** Monotonic ms when it was asked for. */
  readonly bornAt: number
  /** The controller said that it lives. */
  readonly onAlive: () => void
  /** Called once, when it is lost, with what to fail with. `refused`: the controller knows it no more. */
  readonly onLost: (error: Error, refused: boolean) => void
}

/** Refreshes the subscription at a third of its life until the lease is dropped or lost. */
export function keepSubscription(core: Core, options: SubscriptionLeaseOptions): Lease {
  const { client, report, source, keeper } = core
  const { name, id, lifeMs, bornAt, onAlive, onLost } = options
  return keeper.add(
    {
      name,
      rank: 'renewal',
      lifeMs,
      renewMs: lifeMs / 3,
      renew: async signal => {
        await client.refreshSubscription(id, lifeMs, signal)
        return undefined
      },
      isFinal: error => error instanceof Refused || isSessionError(error),
      afterMs: error => (error instanceof Retryable ? error.afterMs : undefined),
      onRenewed: result => {
        if (result === 'ok' || result === 'retried') onAlive()
        report({ type: 'lease_renewed', source: source.name, lease: 'subscription', result })
      },
      onLost: error => {
        const reason = describe(error)
        report({ type: 'lease_lost', source: source.name, lease: 'subscription', name, reason })
        const lost = isSessionError(error) ? (error as Error) : new Retryable('subscription_lost', `${name}: ${reason}`)
        onLost(lost, error instanceof Refused)
      },
    },
    bornAt,
  )
}
