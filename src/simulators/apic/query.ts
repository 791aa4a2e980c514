/**
 * A query as it stands in a URL, read the way an APIC does: a raw `+` is a blank, the last of two equal options counts,
 * a second `?` passes as `&`, and a misspelt option is ignored without a word (reference/apic.md a9).
 */
import { type KeyOf, keyOf, timeOf } from './compare.ts'
import { type Filter, parseFilter } from './filter.ts'
import type { Model } from './model.ts'
import { ApicError, badQuery, unknownClass } from './refusal.ts'

export type Target =
  | { readonly kind: 'mo'; readonly dn: string }
  /** `node`: only objects below this DN. */
  | { readonly kind: 'class'; readonly className: string; readonly classes: ReadonlySet<string>; readonly node: string }
  /** Everything that carries a tag. */
  | { readonly kind: 'tagged'; readonly name: string }
  /** The tags of one object. */
  | { readonly kind: 'tags'; readonly dn: string }

export interface OrderKey {
  readonly property: string
  readonly descending: boolean
  readonly key: KeyOf
}

export interface Query {
  readonly target: Target
  readonly scope: 'self' | 'children' | 'subtree'
  /** Only with a scope other than self. */
  readonly scopeClasses: ReadonlySet<string> | undefined
  readonly filter: Filter | undefined
  readonly subtree: 'no' | 'children' | 'full'
  readonly subtreeClasses: ReadonlySet<string> | undefined
  readonly subtreeFilter: Filter | undefined
  readonly include: ReadonlySet<string>
  readonly properties: 'all' | 'naming-only' | 'config-only'
  readonly orderBy: readonly OrderKey[]
  readonly page: number | undefined
  readonly pageSize: number | undefined
  /** Log records of this span only, ms; the ends as far as they are given. */
  readonly span: { readonly lastMs?: number; readonly from?: number; readonly to?: number } | undefined
  readonly subscribe: boolean
  /** Seconds, when `refresh-timeout` was sent. */
  readonly refreshTimeout: number | undefined
}

/** Options of a raw query string, decoded. */
export function readOptions(raw: string): Map<string, string> {
  const options = new Map<string, string>()
  for (const part of raw.split(/[&?]/)) {
    if (part === '') continue
    const cut = part.indexOf('=')
    const name = cut < 0 ? part : part.slice(0, cut)
    const value = cut < 0 ? '' : part.slice(cut + 1)
    options.set(decode(name), decode(value))
  }
  return options
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw badQuery('Invalid percent-encoding in the query')
  }
}

function word<T extends string>(options: Map<string, string>, name: string, allowed: readonly [T, ...T[]]): T {
  const value = options.get(name)
  if (value === undefined || value === '') return allowed[0]
  const found = allowed.find(candidate => candidate === value)
  if (found === undefined) throw badQuery(`Invalid value '${value}' for ${name}`)
  return found
}

function number(options: Map<string, string>, name: string, least: number): number | undefined {
  const value = options.get(name)
  if (value === undefined) return undefined
  if (!/^\d+$/.test(value) || Number(value) < least) throw badQuery(`Invalid value '${value}' for ${name}`)
  return Number(value)
}

function classes(options: Map<string, string>, name: string, model: Model): ReadonlySet<string> | undefined {
  const value = options.get(name)
  if (value === undefined || value === '') return undefined
  return new Set(value.split(',').flatMap(one => concreteOf(one, model)))
}

/** Throws code 12 for a class that the release doesn't know. */
export function concreteOf(name: string, model: Model): readonly string[] {
  const found = model.concrete(name)
  if (found === undefined) throw unknownClass(name)
  return found
}

function filterOf(options: Map<string, string>, name: string, model: Model): Filter | undefined {
  const value = options.get(name)
  return value === undefined || value === '' ? undefined : parseFilter(value, model)
}

function orderOf(value: string | undefined, model: Model): OrderKey[] {
  if (value === undefined || value === '') return []
  return value.split(',').map(part => {
    const match = /^(\w+)\.(\w+)(?:\|(asc|desc))?$/.exec(part)
    if (match === null) throw badQuery(`Invalid order-by '${part}'`)
    const [, className = '', property = '', direction] = match
    const names = concreteOf(className, model)
    if (!names.some(name => model.hasProperty(name, property))) {
      throw new ApicError(400, '121', `Prop '${property}' not found in class '${className}' property table`)
    }
    return { property, descending: direction === 'desc', key: keyOf(property) }
  })
}

const HOUR = 3_600_000
const RANGES: Readonly<Record<string, number>> = {
  '24h': 24 * HOUR,
  '1week': 168 * HOUR,
  '1month': 720 * HOUR,
  '3month': 2160 * HOUR,
}

function spanOf(value: string | undefined): Query['span'] {
  if (value === undefined || value === '') return undefined
  const lastMs = Object.hasOwn(RANGES, value) ? RANGES[value] : undefined
  if (lastMs !== undefined) return { lastMs }
  const [from, to] = value.split('|').map(timeOf)
  if (from === undefined || to === undefined) throw badQuery(`Invalid value '${value}' for time-range`)
  return { from, to }
}

function refreshTimeoutOf(options: Map<string, string>): number | undefined {
  const value = options.get('refresh-timeout')
  if (value === undefined) return undefined
  if (!/^\d+$/.test(value) || Number(value) < 300 || Number(value) > 43_200) {
    throw new ApicError(400, '107', `Invalid refresh-timeout '${value}'`)
  }
  return Number(value)
}

/** Reads the options for a target. Throws `ApicError`. */
export function readQuery(target: Target, options: Map<string, string>, model: Model): Query {
  const scope = word(options, 'query-target', ['self', 'children', 'subtree'])
  return {
    target,
    scope,
    scopeClasses: scope === 'self' ? undefined : classes(options, 'target-subtree-class', model),
    filter: filterOf(options, 'query-target-filter', model),
    subtree: word(options, 'rsp-subtree', ['no', 'children', 'full']),
    subtreeClasses: classes(options, 'rsp-subtree-class', model),
    subtreeFilter: filterOf(options, 'rsp-subtree-filter', model),
    include: new Set((options.get('rsp-subtree-include') ?? '').split(',').filter(category => category !== '')),
    properties: word(options, 'rsp-prop-include', ['all', 'naming-only', 'config-only']),
    orderBy: orderOf(options.get('order-by'), model),
    page: number(options, 'page', 0),
    pageSize: number(options, 'page-size', 1),
    span: spanOf(options.get('time-range')),
    subscribe: options.get('subscription') === 'yes',
    refreshTimeout: options.get('subscription') === 'yes' ? refreshTimeoutOf(options) : undefined,
  }
}
