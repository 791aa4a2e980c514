/** What an APIC can be asked again: its logs. Of objects with a state it knows only what they are now. */
import type { ApicConfig } from '../../config/sources.ts'
import type { SourceRef } from '../../event.ts'
import type { Past } from '../contract.ts'
import { isOwnSession } from './apply.ts'
import type { FeedPlan } from './feeds.ts'
import { type LogAsker, readLog } from './log-pages.ts'
import { normalise } from './normalise.ts'

export interface PastOptions {
  readonly source: SourceRef
  readonly config: ApicConfig
  readonly plans: readonly FeedPlan[]
}

/** Each record of a subscribed log class is told as it always is. Through the pace of `asker`'s client. */
export function apicPast(asker: LogAsker, { source, config, plans }: PastOptions): Past {
  const told = plans.filter(plan => !plan.hidden)
  const states = told.filter(({ query }) => query.logClass === undefined).map(({ query }) => query.name)
  const context = { source, raw: config.raw, origin: 'backfill' } as const
  return {
    unaskable:
      states.length === 0
        ? []
        : [
            `${states.join(', ')}: an APIC knows what its objects are, not what they were; what they are now, the daemon compares by itself`,
          ],
    async reread(fromMs, signal, take) {
      const remarks: string[] = []
      // From our clock to the fabric's.
      const from = fromMs + asker.fabricNow() - asker.clock.wall()
      for (const { query } of told) {
        const { logClass: cls, name } = query
        if (cls === undefined) continue
        await readLog(asker, query, cls, from, signal, {
          async take(rows) {
            const changes = rows.map(({ dn, attributes }) => ({ cls, dn, attributes, status: 'created' as const }))
            const facts = changes
              .filter(change => !isOwnSession(config, change))
              .flatMap(change => normalise(context, change, undefined).fact ?? [])
            await take(
              name,
              facts.map(fact => ({ fact })),
            )
          },
          purged: (lostFrom, lostTo) => {
            const [since, until] = [new Date(lostFrom).toISOString(), new Date(lostTo).toISOString()]
            remarks.push(`${name}: the log ran over while it was read; what it held from ${since} to ${until} is gone`)
          },
        })
      }
      return remarks
    },
  }
}
