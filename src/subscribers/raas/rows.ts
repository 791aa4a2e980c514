/** Rows as RaaS gives them, read with tolerance: aliases, loose types, times with and without a zone (raas.md §2.3, §6). */
import { Poison } from '../../errors.ts'

export type Row = Readonly<Record<string, unknown>>

/** One page of any listing method. `count` is the number of all matches, when the server says it. */
export interface Page {
  readonly rows: readonly unknown[]
  readonly count: number | undefined
  /** Read in parts, or with a row left out: its length says nothing about the end. */
  readonly partial?: boolean
  /** Rows before which another answer begins. */
  readonly seams?: readonly number[]
}

/** A return, by minion. `hasBody` is false for light rows, which only say that there is one. */
export interface ReturnRow {
  readonly jid: string
  readonly minion: string
  readonly master: string
  readonly fun: string
  readonly funArgs: unknown
  readonly hasErrors: boolean | null
  readonly success: boolean | null
  readonly retcode: number | null
  readonly hasBody: boolean
  readonly body: unknown
  /** When the master took the return, µs since the epoch. */
  readonly stampUs: number | undefined
  /** When the database row was last written, µs: the cursor. */
  readonly alterUs: number | undefined
  readonly raw: Row
}

export interface RunRow {
  readonly jid: string
  readonly fun: string | null
  readonly state: string
  readonly startUs: number | undefined
  readonly expected: number
  readonly returned: number
  readonly good: number
  readonly failed: number
  readonly missing: number
  readonly jobUuid: string | null
  readonly jobName: string | null
  readonly target: string | null
  readonly masters: readonly string[]
  readonly user: string | null
  readonly raw: Row
}

const STAMP = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?\s*(Z|UTC|[+-]\d\d(?::?\d\d)?)?$/

/** A time of the server → µs since the epoch; without a zone it is UTC. Undefined when it can't be read. */
export function parseUs(value: unknown): number | undefined {
  const match = typeof value === 'string' ? STAMP.exec(value.trim()) : null
  if (match === null) return undefined
  const [, year, month, day, hour, minute, second, fraction = '', zone = 'Z'] = match
  const ms = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second))
  const us = ms * 1000 + Number(fraction.padEnd(6, '0').slice(0, 6))
  const offset = /^([+-])(\d\d):?(\d\d)?$/.exec(zone)
  if (offset === null) return us
  const minutes = Number(offset[2]) * 60 + Number(offset[3] ?? 0)
  return us - (offset[1] === '-' ? -minutes : minutes) * 60_000_000
}

/** µs since the epoch → `2026-03-12T08:17:44.720943Z`: keeps what a JS date would lose, and sorts as text. */
export function isoOfUs(us: number): string {
  const ms = Math.floor(us / 1000)
  return `${new Date(ms).toISOString().slice(0, -1)}${String(us - ms * 1000).padStart(3, '0')}Z`
}

export function isRow(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** `{count, results}`, a bare array, or an object by minion (ret.get_jid): all seen in the wild. */
export function pageOf(ret: unknown): Page {
  if (Array.isArray(ret)) return { rows: ret, count: undefined }
  if (isRow(ret)) {
    if (Array.isArray(ret['results'])) return { rows: ret['results'], count: numberOf(ret['count']) ?? undefined }
    return {
      rows: Object.entries(ret).map(([minion, row]) => (isRow(row) ? { minion_id: minion, ...row } : row)),
      count: undefined,
    }
  }
  return { rows: [], count: undefined }
}

export function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value
  return typeof value === 'number' || typeof value === 'bigint' ? String(value) : null
}

export function numberOf(value: unknown): number | null {
  if (typeof value === 'boolean' || value === null || value === undefined || value === '') return null
  const number = Number(value)
  return Number.isFinite(number) ? Math.trunc(number) : null
}

export function booleanOf(value: unknown): boolean | null {
  if (typeof value === 'boolean') return value
  if (typeof value === 'string' && /^(true|false)$/i.test(value)) return value.toLowerCase() === 'true'
  return null
}

function first(row: Row, names: readonly string[]): unknown {
  return names.map(name => row[name]).find(value => value !== undefined && value !== null)
}

/** Throws `Poison` when it can't be told which minion returned to which job. */
export function readReturn(value: unknown, jidHint?: string, funHint?: string | null): ReturnRow {
  if (!isRow(value)) throw new Poison('a return row is not an object')
  const full = isRow(value['full_ret']) ? value['full_ret'] : {}
  const jid = textOf(first(value, ['jid'])) ?? textOf(full['jid']) ?? jidHint
  const minion = textOf(first(value, ['minion_id', 'minion', 'id'])) ?? textOf(full['id'])
  if (jid === undefined || minion === null) throw new Poison('a return row names no jid or no minion')
  const hasBody = Object.hasOwn(value, 'return') || Object.hasOwn(full, 'return')
  return {
    jid,
    minion,
    master: textOf(first(value, ['master', 'master_id'])) ?? textOf(full['master_id']) ?? '',
    fun: textOf(first(value, ['fun'])) ?? textOf(full['fun']) ?? funHint ?? '',
    funArgs: first(value, ['fun_args']) ?? full['fun_args'] ?? null,
    hasErrors: booleanOf(value['has_errors']),
    success: booleanOf(full['success'] ?? value['success']),
    retcode: numberOf(full['retcode'] ?? value['retcode']),
    hasBody,
    // A light row may carry null where the whole one carries the body.
    body: value['return'] ?? full['return'] ?? null,
    stampUs: parseUs(full['_stamp'] ?? value['_stamp']),
    alterUs: parseUs(value['alter_time']),
    raw: value,
  }
}

/** Throws `Poison` without a jid. */
export function readRun(value: unknown): RunRow {
  const jid = isRow(value) ? textOf(value['jid']) : null
  if (!isRow(value) || jid === null) throw new Poison('a run row names no jid')
  const expected = numberOf(value['expected']) ?? 0
  const returned = numberOf(value['returned']) ?? 0
  const masters = Array.isArray(value['masters_to']) ? value['masters_to'].map(String) : []
  return {
    jid,
    fun: textOf(value['fun']),
    state: textOf(value['state']) ?? 'unknown',
    startUs: parseUs(value['start_time']) ?? parseUs(value['create_time']),
    expected,
    returned,
    good: numberOf(value['returned_good']) ?? 0,
    failed: numberOf(value['returned_failed']) ?? 0,
    // not_returned is in the sort keys but not in every row.
    missing: numberOf(value['not_returned']) ?? Math.max(0, expected - returned),
    jobUuid: textOf(value['job_uuid']),
    jobName: textOf(value['job_name']),
    target: textOf(value['tgt_name']),
    masters,
    user: textOf(value['user']),
    raw: value,
  }
}
