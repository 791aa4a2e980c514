/** What all RPC methods of the stand-in share: errors, filters, pages. */
import type { Time } from '../server.ts'
import type { RaasKnobs, RaasUser } from './knobs.ts'
import type { Row, Tables } from './tables.ts'

/** An application error: HTTP stays 200. */
export class RpcFailure extends Error {
  readonly code: number
  readonly detail: unknown
  constructor(code: number, message: string, detail?: unknown) {
    super(message)
    this.code = code
    this.detail = detail
  }
}

export interface MethodContext {
  readonly tables: Tables
  readonly knobs: RaasKnobs
  readonly time: Time
  readonly user: RaasUser
}

export type Kwarg = Readonly<Record<string, unknown>>
export type Method = (kwarg: Kwarg, context: MethodContext) => unknown

export interface Keyed {
  readonly row: Row
  readonly key: string | number
}

export const has = (kwarg: Kwarg, name: string): boolean => (kwarg[name] ?? null) !== null
export const textOf = (value: unknown): string => (value === null || value === undefined ? '' : String(value))

/** One page. Equal keys come in another order at every query: the database promises none. */
export function page(rows: Keyed[], kwarg: Kwarg, knobs: RaasKnobs, tables: Tables, sorted: boolean, hidden = 0): Row {
  const asked = Number(kwarg['limit'] ?? 50)
  const size = asked <= 0 ? rows.length : asked
  let ordered = rows
  if (sorted) {
    const sign = kwarg['reverse'] === true ? -1 : 1
    const shuffled = rows.map(entry => ({ entry, luck: tables.chance() }))
    shuffled.sort((a, b) => (a.entry.key === b.entry.key ? a.luck - b.luck : a.entry.key < b.entry.key ? -sign : sign))
    ordered = shuffled.map(({ entry }) => entry)
  }
  const capped = Math.min(size, knobs.pageCap ?? size)
  // A server that caps pages counts its offset in its own pages.
  const from = Number(kwarg['page'] ?? 0) * capped
  const count = Math.max(0, rows.length + (knobs.countsHidden ? hidden : 0) + knobs.countOff())
  return { count, limit: asked, results: ordered.slice(from, from + capped).map(entry => entry.row) }
}

export function inRange(us: number, kwarg: Kwarg): boolean {
  if (!has(kwarg, 'daterange')) return true
  const [from, to] = (kwarg['daterange'] as unknown[]).map(bound => Date.parse(String(bound)) * 1000)
  if (from === undefined || to === undefined || Number.isNaN(from) || Number.isNaN(to)) {
    throw new RpcFailure(3000, 'Invalid daterange', { daterange: ['Two ISO 8601 times are needed'] })
  }
  return us >= from && us <= to
}
