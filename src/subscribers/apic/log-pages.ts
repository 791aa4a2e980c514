/** Reading a log in order: by keyset, page by page, and in windows where the controller finds the answer too large. */
import { codeOf } from '../../errors.ts'
import type { Core } from './core.ts'
import type { ApicObject } from './decode.ts'
import { filterText } from './filter.ts'
import { askPatiently } from './patient.ts'
import { type Query, queryUrl } from './query.ts'

/** One record of a log. */
export interface LogRow {
  readonly dn: string
  /** By the fabric's clock, ms; NaN when the record doesn't say. */
  readonly createdMs: number
  readonly attributes: Record<string, string>
}

/** Takes what is read. */
export interface LogSink {
  /** Waits while there is no room for more. */
  take(rows: readonly LogRow[]): Promise<void>
  /** The ring wrapped under the reader: what lay between was purged before it could be asked for. */
  purged(fromMs: number, toMs: number): void
}

/** Who asks for it. */
export interface LogAsker extends Pick<Core, 'clock' | 'config' | 'tuning' | 'fabricNow'> {
  readonly client: Pick<Core['client'], 'get'>
}

/** A window is never made shorter than this: so much does not happen in a second. */
const SHORTEST_MS = 1000

/**
 * Gives every record of class `cls` created at or after `fromMs`, oldest first, page by page; some come twice. Each page
 * starts at the last record of the one before: nothing shifts, whatever is added or purged meanwhile. A page that is one
 * single millisecond is followed by the next page of the same question. Where the controller finds that too much matches
 * (reference a10: 100,000), the window asked for is halved until it does not, and grows again.
 */
export async function readLog(
  core: LogAsker,
  query: Pick<Query, 'path' | 'options'>,
  cls: string,
  fromMs: number,
  signal: AbortSignal,
  sink: LogSink,
): Promise<void> {
  const { pageSize } = core.tuning
  const nowMs = core.fabricNow()
  let from = fromMs
  let page = 0
  let windowMs = Number.POSITIVE_INFINITY
  // The record that the last page ended with: the next one starts with it, unless it was purged meanwhile.
  let expected: string | undefined
  for (;;) {
    const until = from + windowMs
    let objects: readonly ApicObject[]
    try {
      objects = await readPage(core, query, cls, from, until, page, signal)
    } catch (error) {
      if (codeOf(error) !== 'too_large' || windowMs <= SHORTEST_MS) throw error
      windowMs = Math.max(SHORTEST_MS, Math.ceil(Math.min(windowMs, Math.max(nowMs - from, 0)) / 2))
      page = 0
      continue
    }
    const rows = objects.flatMap(object => rowOf(object, cls))
    const { dn: lastDn, createdMs: last } = rows.at(-1) ?? { dn: undefined, createdMs: Number.NaN }
    if (expected !== undefined && page === 0 && !rows.some(row => row.dn === expected)) {
      sink.purged(from, rows.find(row => row.createdMs > from)?.createdMs ?? nowMs)
    }
    await sink.take(rows)
    if (objects.length < pageSize) {
      if (until > nowMs) return
      from = until
      page = 0
      expected = undefined
      windowMs *= 2
    } else if (last > from) {
      from = last
      page = 0
      expected = lastDn
    } else page++
  }
}

function rowOf({ cls: found, attributes }: ApicObject, cls: string): LogRow[] {
  const dn = attributes['dn']
  if (found !== cls || dn === undefined) return []
  return [{ dn, createdMs: Date.parse(attributes['created'] ?? ''), attributes }]
}

async function readPage(
  core: LogAsker,
  query: Pick<Query, 'path' | 'options'>,
  cls: string,
  fromMs: number,
  untilMs: number,
  page: number,
  signal: AbortSignal,
): Promise<readonly ApicObject[]> {
  const extra = [
    createdBetween(cls, fromMs, untilMs),
    ['order-by', `${cls}.created|asc`],
    ['page', String(page)],
    ['page-size', String(core.tuning.pageSize)],
  ] as const
  const url = queryUrl(query, core.config.format, extra)
  return (await askPatiently(core, url, 'history', signal)).objects
}

/** The option that narrows a log to what was created from `fromMs` on and before `untilMs`; that may be infinite. */
export function createdBetween(cls: string, fromMs: number, untilMs: number): readonly ['query-target-filter', string] {
  const since = { ge: [`${cls}.created`, stampOf(fromMs)] }
  if (!Number.isFinite(untilMs)) return ['query-target-filter', filterText(since)]
  return ['query-target-filter', filterText({ and: [since, { lt: [`${cls}.created`, stampOf(untilMs)] }] })]
}

/** As the fabric prints times; `queryUrl` escapes the sign of the zone, which would be read as a blank (reference a9). */
export function stampOf(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '+00:00')
}
