/** What is asked of a replay, and what it answers. */
import { parseTime } from '../config/units.ts'
import type { ErrorCode } from '../errors.ts'

export interface Wish {
  /** `list`: show the dead letters, do nothing. */
  readonly what: 'dead_letters' | 'since' | 'list'
  /** Of `since`: wall time, ms. */
  readonly sinceMs: number
  /** Only this source. */
  readonly source: string | undefined
  /** Most dead letters looked at; undefined: all. */
  readonly limit: number | undefined
}

/** Letters, or facts, of one source that came out alike. */
export interface Reason {
  readonly outcome: 'replayed' | 'dead' | 'superseded'
  readonly reason: string
  readonly count: number
}

export interface SourceResult {
  readonly source: string
  /** Dead letters looked at, or facts read again. */
  readonly read: number
  /** Events that go into the stream now. */
  readonly sent: number
  /** Facts that the stream, or the store, has. */
  readonly known: number
  readonly reasons: readonly Reason[]
  /** What could not be asked again, or not be had, a line each. */
  readonly notes: readonly string[]
  /** Why it was not read to the end. */
  readonly error?: { readonly code: ErrorCode; readonly reason: string }
}

export interface Summary {
  readonly type: 'end'
  /** `failed`: something was not read, or not delivered. */
  readonly outcome: 'done' | 'failed' | 'cancelled'
  readonly sources: readonly SourceResult[]
  /** Why as a whole. */
  readonly error?: { readonly code: ErrorCode; readonly reason: string }
}

/** One line of the answer. */
export type Line =
  | { readonly type: 'progress'; readonly phase: string; readonly source: string | null; read: number; sent: number }
  | {
      readonly type: 'letter'
      readonly key: string
      readonly source: string
      readonly feed: string
      readonly at: string
      readonly reason: string
      readonly bytes: number
    }
  | Summary

const KEYS = ['deadLetters', 'since', 'list', 'source', 'limit']

/** The body of `POST /-/replay`; a text that says what is wrong with it. */
export function readWish(body: unknown, nowMs: number): Wish | string {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return 'a JSON object is wanted'
  const given = body as Readonly<Record<string, unknown>>
  const extra = Object.keys(given).find(key => !KEYS.includes(key))
  if (extra !== undefined) return `unknown key ${JSON.stringify(extra).slice(0, 40)}; there is ${KEYS.join(', ')}`
  const { deadLetters, since, list, source, limit } = given
  if ([deadLetters === true, list === true, since !== undefined].filter(Boolean).length !== 1) {
    return 'say one of: {"deadLetters": true}, {"since": "2h"}, {"list": true}'
  }
  if (source !== undefined && typeof source !== 'string') return 'source is a name'
  if (limit !== undefined && !(typeof limit === 'number' && Number.isInteger(limit) && limit > 0)) {
    return 'limit is a whole number of at least 1'
  }
  if (limit !== undefined && since !== undefined) return 'limit is for dead letters'
  const rest = { source, limit }
  if (since === undefined) return { what: list === true ? 'list' : 'dead_letters', sinceMs: 0, ...rest }
  const sinceMs = typeof since === 'string' ? parseTime(since, nowMs) : undefined
  if (sinceMs === undefined)
    return 'since is a time with its zone, such as 2026-02-03T04:05:06Z, or a time ago, such as 2h'
  return sinceMs > nowMs ? 'since is in the future' : { what: 'since', sinceMs, ...rest }
}
