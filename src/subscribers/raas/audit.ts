/** The feed `audit`: who did what in RaaS itself, walked by start_time. */
import type { RaasConfig } from '../../config/sources.ts'
import { type Fact, gapFact, type SourceRef } from '../../event.ts'
import type { Batch, OpenContext } from '../contract.ts'
import { gapBefore } from '../first-contact.ts'
import type { RaasClient } from './client.ts'
import type { TailMemory } from './memory.ts'
import { type AuditRow, isOwnReading, normaliseAudit, readAudit } from './normalise-audit.ts'
import { isoOfUs, pageOf } from './rows.ts'
import { TailFeed } from './tail.ts'

export interface AuditOptions {
  readonly config: RaasConfig
  readonly ref: SourceRef
  readonly client: RaasClient
  readonly context: OpenContext
  readonly memory: TailMemory
  readonly maxRows: number
  readonly push: (batch: Batch) => Promise<void>
  /** The account opswire reads with. */
  readonly username: string | undefined
}

export class AuditFeed {
  readonly tail: TailFeed<AuditRow>

  constructor({ config, ref, client, context, memory, maxRows, push, username }: AuditOptions) {
    this.tail = new TailFeed<AuditRow>({
      ...{ ref, feed: 'audit', clock: context.clock, report: context.report, memory, maxRows, push, hasJobLoop: false },
      read: async (limit, page) =>
        pageOf(await client.call('audit.get_audit', { sort_by: 'start_time', reverse: true, limit, page })),
      parse: readAudit,
      atUs: row => row.startUs,
      keyOf: row => row.id,
      nameOf: row => `${row.id}|${row.startUs}`,
      fact: (row, origin) => (isOwnReading(row, username) ? undefined : normaliseAudit(ref, row, config.raw, origin)),
      serverUs: () => client.serverUs(),
      toldUs: () => client.toldUs(),
      ...{
        overlapMs: config.overlap,
        backfillMs: config.backfill,
        rememberMs: 2 * Math.max(config.overlap, config.late_horizon),
      },
      cursor: context.cursor('audit'),
      unknown: () =>
        gapBefore({
          ...{ ref: ref, feed: 'audit', lostMs: context.lostAtMs() },
          toMs: context.clock.wall() - config.backfill,
        }),
      fill: (fromUs, toUs): Promise<readonly Fact[]> => {
        const from = Number.isFinite(fromUs) ? isoOfUs(fromUs) : null
        const to = isoOfUs(toUs)
        return Promise.resolve([
          gapFact(ref, { feed: 'audit', classes: [], from, to, reason: 'row_limit', recovered: 0 }),
        ])
      },
    })
  }
}
