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
  const capped = Math.min(size, knobs.pageCap ?? size)
  // A server that caps pages counts its offset in its own pages.
  const from = Number(kwarg['page'] ?? 0) * capped
  const count = Math.max(0, rows.length + (knobs.countsHidden ? hidden : 0) + knobs.countOff())
  const results = sorted
    ? sortedPart(rows, kwarg['reverse'] === true, tables, from, capped)
    : rows.slice(from, from + capped)
  return { count, limit: asked, results: results.map(entry => entry.row) }
}

/** Rows `from` to `from + size` in order, equal keys shuffled. Rows that come in order already are not sorted again. */
function sortedPart(rows: readonly Keyed[], reverse: boolean, tables: Tables, from: number, size: number): Keyed[] {
  const after = (a: Keyed, b: Keyed): boolean => a.key > b.key
  const inOrder = rows.every((row, at) => at === 0 || !after(rows[at - 1] ?? row, row))
  const ascending = inOrder ? rows : [...rows].sort((a, b) => (after(a, b) ? 1 : after(b, a) ? -1 : 0))
  const at = (index: number): Keyed | undefined => ascending[reverse ? ascending.length - 1 - index : index]
  const result: Keyed[] = []
  for (let start = 0; start < ascending.length && start < from + size; ) {
    const group: Keyed[] = []
    const key = at(start)?.key
    for (let entry = at(start); entry !== undefined && entry.key === key; entry = at(start + group.length))
      group.push(entry)
    start += group.length
    for (const entry of shuffled(group, tables)) result.push(entry)
  }
  return result.slice(from, from + size)
}

function shuffled(group: Keyed[], tables: Tables): Keyed[] {
  for (let last = group.length - 1; last > 0; last--) {
    const other = Math.floor(tables.chance() * (last + 1))
    const [a, b] = [group[last], group[other]]
    if (a !== undefined && b !== undefined) [group[last], group[other]] = [b, a]
  }
  return group
}

export function inRange(us: number, kwarg: Kwarg): boolean {
  if (!has(kwarg, 'daterange')) return true
  const [from, to] = (kwarg['daterange'] as unknown[]).map(bound => Date.parse(String(bound)) * 1000)
  if (from === undefined || to === undefined || Number.isNaN(from) || Number.isNaN(to)) {
    throw new RpcFailure(3000, 'Invalid daterange', { daterange: ['Two ISO 8601 times are needed'] })
  }
  return us >= from && us <= to
}
