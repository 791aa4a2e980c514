/** What an hour's soak comes to: a table, and what is wrong by name. */
import { describe } from '../src/errors.ts'
import type { ApicRecord } from '../src/simulators/apic/record.ts'
import { quantile } from './figures.ts'
import { FAMILIES, type Ledger, type Passage } from './soak-ledger.ts'
import { type Blow, type BlowKind, recoveryMs } from './soak-recovery.ts'
import { type Cells, table } from './table.ts'

export interface HourResult {
  /** How long the fabric lived. */
  readonly ranMs: number
  readonly isCutShort: boolean
  readonly ledger: Ledger
  readonly record: ApicRecord
  /** Of the daemon, once it was live. */
  readonly requests: number
  readonly blows: readonly Blow[]
  /** Subscriptions of one session. */
  readonly subscriptions: number
  /** Events that the daemon itself counts as found by closing a hole. */
  readonly recovered: number
  /** Smallest seen, s. */
  readonly margins: { readonly session: number; readonly subscription: number }
  /** Bytes. */
  readonly rss: { readonly start: number; readonly end: number; readonly peak: number }
  /** What broke the run off, if anything did. */
  readonly trouble: unknown
}

/** Lines of a list that are shown. */
const SHOWN = 40

/** `isSound`: nothing lost, doubled, told in another order or lapsed, and nothing broke. */
export function hourReport(result: HourResult): { text: string; isSound: boolean } {
  const { ledger, record, blows, ranMs, margins, rss, trouble } = result
  const { owed, arrived, lost, surplus, disordered } = ledger.judge()
  const lapsed = [...record.lapses.map(one => one.path), ...record.lapsedSessions.map(one => `session ${one.id}`)]
  const bad: readonly (readonly [string, readonly string[]])[] = [
    ['lost', lost],
    ['doubled, or never made', surplus],
    ['in another order', disordered],
    ['not understood (dead letters and the like)', ledger.strange],
    ['leases lapsed (subscriptions and sessions)', lapsed],
  ]
  const isSound = trouble === undefined && bad.every(([, list]) => list.length === 0)
  const passages = [...ledger.passages()]
  const count = (kind: BlowKind): number => blows.filter(blow => blow.kind === kind).length
  const rows: Cells[] = [
    ['time, min', (ranMs / 60_000).toFixed(1)],
    ...FAMILIES.map(family => [`${family}: owed`, owed[family]]),
    ['in the stream', arrived],
    ...bad.map(([what, list]) => [what, list.length]),
    ['gap events', ledger.gaps.length],
    ['sockets cut / silenced', `${count('cut')} / ${count('silence')}`],
    ['sessions opened / logins', `${record.sessions.length} / ${record.logins.length}`],
    ['most sessions at once / open after the stop', `${record.mostSessions()} / ${record.activeSessions().length}`],
    ['source events', ledger.health.length],
    ['recovered events, by the daemon', result.recovered],
    ['requests per second', (result.requests / (ranMs / 1000)).toFixed(2)],
    ['requests in the busiest second', record.busiestSecond()],
    ['smallest margin of a subscription, s', margins.subscription.toFixed(1)],
    ['smallest margin of the session, s', margins.session.toFixed(1)],
    recovery('cut', result, passages),
    recovery('silence', result, passages),
    ['longest from the fabric into the stream, s', seconds(longest(passages))],
    ['daemon RSS at start / end / peak, MiB', [rss.start, rss.end, rss.peak].map(mebi).join(' / ')],
  ]
  const parts = [table([result.isCutShort ? 'soak, cut short' : 'soak', ''], rows)]
  for (const [what, list] of bad) if (list.length > 0) parts.push(listed(what, list))
  if (ledger.gaps.length > 0) parts.push(listed('gaps', ledger.gaps))
  if (trouble !== undefined) parts.push(`broken off: ${describe(trouble)}`)
  parts.push(isSound ? 'Nothing lost, nothing doubled, nothing lapsed.' : 'FAILED')
  return { text: parts.join('\n\n'), isSound }
}

function recovery(kind: BlowKind, { blows, record, subscriptions }: HourResult, passages: readonly Passage[]): Cells {
  const times = blows.filter(blow => blow.kind === kind).map(blow => recoveryMs(blow, record, subscriptions, passages))
  const known = times.filter(ms => ms !== undefined)
  const never = times.length - known.length
  const figures = known.length === 0 ? '–' : `${seconds(quantile(known, 0.5))} / ${seconds(Math.max(...known))}`
  return [`recovery after a ${kind}, s: median / largest`, never === 0 ? figures : `${figures} (${never} not seen)`]
}

function longest(passages: readonly Passage[]): number {
  let most = 0
  for (const { madeAt, storedAt } of passages) if (storedAt !== undefined) most = Math.max(most, storedAt - madeAt)
  return most
}

function listed(what: string, list: readonly string[]): string {
  const shown = list.slice(0, SHOWN).map(line => `  ${line}`)
  if (list.length > shown.length) shown.push(`  … and ${list.length - shown.length} more`)
  return `${what}:\n${shown.join('\n')}`
}

/** `–` where there is none. */
export const seconds = (ms: number): string => (Number.isFinite(ms) ? (ms / 1000).toFixed(1) : '–')
export const mebi = (bytes: number): string => (Number.isFinite(bytes) ? String(Math.round(bytes / 1024 / 1024)) : '–')
