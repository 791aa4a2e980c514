/** RaaS as a source: VMware Automation Config, also known as SaltStack Config, Tanzu Salt and VMware Salt. */
import type { RaasConfig } from '../../config/sources.ts'
import type { SourceRef } from '../../event.ts'
import type { OpenContext, Replayable, Session } from '../contract.ts'
import { Access } from './access.ts'
import { RaasClient } from './client.ts'
import { Failing } from './failing.ts'
import { FeedMemory, TailMemory } from './memory.ts'
import { RUN } from './normalise-job.ts'
import { raasPast, reviveRow } from './past.ts'
import { openRaasSession } from './session.ts'

export interface RaasLimits {
  /** A walk that has read this many rows stops, and what it did not reach becomes a gap. */
  readonly maxRows?: number
  /** Answers above this are cut off and read again in parts. */
  readonly maxBytes?: number
}

const MAX_ROWS = 50_000
const MAX_BYTES = 64 * 1024 * 1024

/**
 * Feeds `returns`, `jobs` (definitions and runs) and, when configured, `audit`. Only reads. `open` logs in, unless an
 * earlier session's token is still good, and asks what the server can do.
 */
export function raasSubscriber(config: RaasConfig, limits: RaasLimits = {}): Replayable {
  const ref: SourceRef = { system: 'raas', name: config.name }
  const access = new Access(config)
  const memory = {
    ...{ returns: new TailMemory(), runs: new FeedMemory(), audit: new TailMemory() },
    failing: new Failing(),
  }
  const { maxRows = MAX_ROWS, maxBytes = MAX_BYTES } = limits
  return {
    ref,
    pushes: false,
    open: (context: OpenContext): Promise<Session> =>
      openRaasSession({ config, ref, access, context, memory, maxRows, maxBytes }),
    async revive(letter, { mirror }) {
      const teller = { config, ref, username: () => access.username ?? config.username ?? undefined }
      return reviveRow(letter, teller, jid => mirror.get(jid)?.family === RUN)
    },
    async visit(context) {
      const client = new RaasClient({ ...context, config, access, maxBytes, failing: memory.failing })
      return {
        past: raasPast({ config, ref, clock: context.clock, client, maxRows, username: () => access.username }),
        close: () => client.close(),
      }
    },
  }
}
