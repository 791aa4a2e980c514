/** The tables of a daemon's longer hours: a backlog that is drained, subscriptions that have nothing to tell. */
import type { CatchUp } from './catch-up.ts'
import type { Quiet } from './subscriptions.ts'
import { fixed, mebi, table, whole } from './table.ts'

export function catchUpTable(one: CatchUp): string {
  const [before, after] = one.wholeWayPerSecond
  const { pushedToRecorded: taken, recordedToStoredAfter: stored } = one
  const quantiles = ({ p50, p99, max }: CatchUp['pushedToRecorded']): string => [p50, p99, max].map(whole).join(' / ')
  return table(
    [`${one.backlog} stored events, ${one.livePerSecond}/s live meanwhile`, ''],
    [
      ['events/s into the store while NATS was away', whole(one.storedPerSecond)],
      ['drained in, s', fixed(one.drainSeconds, 1)],
      ['events/s published meanwhile', whole(one.drainPerSecond)],
      ['events/s of the whole way without a backlog, before / after', `${whole(before)} / ${whole(after)}`],
      ['drain by the whole way', fixed((2 * one.drainPerSecond) / (before + after), 2)],
      ['CPU s/10,000 events while draining', fixed(one.cpuUs / 100, 2)],
      ['live events pushed', one.live],
      ['live, pushed → recorded, ms: p50 / p99 / max', quantiles(taken)],
      ['live, recorded → in the stream once it is drained, ms: p50 / p99 / max', quantiles(stored)],
      ['longest event loop lag, s', fixed(one.longestLagSeconds, 2)],
      [
        'smallest margin of a subscription / of the session, s',
        `${fixed(one.subscriptionMargin, 1)} / ${fixed(one.sessionMargin, 1)}`,
      ],
      [
        'daemon RSS with the backlog / when it is drained, MiB',
        [one.fullBytes, one.drainedBytes].map(mebi).join(' / '),
      ],
      ['lost / doubled', '0 / 0'],
    ],
  )
}

/** What 100 more cost: from the smallest number to the largest. */
export function subscriptionsTable(rows: readonly Quiet[]): string {
  const [least] = rows
  const most = rows.at(-1)
  const hundreds =
    least === undefined || most === undefined ? Number.NaN : (most.subscriptions - least.subscriptions) / 100
  const per = (of: (row: Quiet) => number): number =>
    least === undefined || most === undefined ? Number.NaN : (of(most) - of(least)) / hundreds
  return table(
    ['subscriptions, nothing happens', 'resident MiB', 'requests a minute', 'CPU ms a minute'],
    [
      ...rows.map(row => [row.subscriptions, mebi(row.bytes), whole(row.requestsPerMinute), whole(row.cpuMsPerMinute)]),
      [
        'each 100 more',
        fixed(per(row => row.bytes) / 1024 / 1024, 1),
        fixed(
          per(row => row.requestsPerMinute),
          1,
        ),
        fixed(
          per(row => row.cpuMsPerMinute),
          1,
        ),
      ],
    ],
  )
}
