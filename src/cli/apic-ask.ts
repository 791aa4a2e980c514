/** What is asked of an APIC, from the command line to requests that are right; or why not, without asking anybody. */
import { explain } from '../config/explain.ts'
import { questionSchema } from '../config/query.ts'
import type { ApicConfig } from '../config/sources.ts'
import { codeOf, describe } from '../errors.ts'
import { readFilter } from '../subscribers/apic/filter-text.ts'
import { buildQueries, type Query, queryUrl } from '../subscribers/apic/query.ts'
import { closedUp } from '../subscribers/apic/raw-query.ts'
import { Unaskable } from '../subscribers/apic/unaskable.ts'
import type { Arguments } from './arguments.ts'
import { UsageError } from './io.ts'
import { hintOf, listOf, wholeNumber } from './values.ts'

type Format = 'json' | 'xml'

export type ApicAsk =
  | { readonly kind: 'domains'; readonly format: Format; readonly notes: readonly string[] }
  | {
      readonly kind: 'ask'
      readonly format: Format
      readonly queries: readonly Query[]
      /** The URL of the one page that was asked for. */
      readonly page: string | undefined
      readonly pageSize: number | undefined
      readonly notes: readonly string[]
    }

const WHAT = ['class', 'mo', 'tag', 'domains']

/** Flags whose values are lists of words. */
const LISTS = ['target-subtree-class', 'rsp-subtree-class', 'rsp-subtree-include', 'order-by']
const WORDS = ['query-target', 'rsp-subtree', 'rsp-prop-include', 'time-range']
const FILTERS = ['query-target-filter', 'rsp-subtree-filter']

/** What the guide prints of calls that are no questions. */
const NO_QUESTIONS: Readonly<Record<string, string>> = {
  aaaLogin: 'query logs in by itself',
  aaaRefresh: 'query keeps its session by itself',
  aaaLogout: 'query logs out by itself',
  subscriptionRefresh: 'the daemon refreshes its subscriptions itself; query makes none',
}

/** Throws `UsageError`. */
export function apicAsk(config: ApicConfig, words: readonly string[], given: Arguments): ApicAsk {
  const [what, operand, extra] = words
  if (what === undefined) throw wrong(`say what to ask: ${WHAT.join(', ')}, or a line of the guide`)
  if (extra !== undefined) throw wrong(`unexpected "${extra}"`)
  const isLine = !/^\w+$/.test(what)
  if (isLine && operand !== undefined) throw wrong(`unexpected "${operand}"`)
  const line = isLine ? lineOf(what, config) : undefined
  const format = given.has('xml') ? 'xml' : (line?.format ?? config.format)
  const notes = [...(line?.notes ?? [])]
  if (what === 'domains' || line?.raw === 'aaaListDomains') {
    const strange = given.flags.find(flag =>
      [...LISTS, ...WORDS, ...FILTERS, 'filter', 'page', 'page-size'].includes(flag),
    )
    if (strange !== undefined) throw wrong(`--${strange} means nothing to domains`)
    if (operand !== undefined) throw wrong(`unexpected "${operand}"`)
    return { kind: 'domains', format, notes }
  }
  const target = line === undefined ? targetOf(what, operand) : { raw: line.raw }
  const queries = built({ ...target, ...optionsOf(given) })
  for (const { key, message } of queries[0]?.notes ?? []) notes.push(spoken(`${key}: ${message}`))
  const [query] = queries
  const paging = new Map(query?.options)
  const size = paging.get('page-size')
  if (query !== undefined && paging.has('page')) {
    return { kind: 'ask', format, queries, page: queryUrl(query, format), pageSize: undefined, notes }
  }
  const unpaged = queries.map(one => ({ ...one, options: one.options.filter(([name]) => name !== 'page-size') }))
  const pageSize = size === undefined ? undefined : Number(size)
  return { kind: 'ask', format, queries: unpaged, page: undefined, pageSize, notes }
}

function targetOf(what: string, operand: string | undefined): Record<string, unknown> {
  if (!WHAT.includes(what)) throw wrong(`unknown "${what}"${hintOf(what, WHAT)}`)
  if (operand === undefined || operand === '') {
    const like = { class: 'class fvTenant', mo: 'mo uni/tn-common', tag: 'tag production' }[what]
    throw wrong(`say which ${what}: ${like}`)
  }
  // The guide writes fv:Tenant in its text and fvTenant in its URLs.
  if (what === 'class') return { class: operand.replace(/(^|\/)([a-z][A-Za-z0-9]*):([A-Z]\w*)$/, '$1$2$3') }
  return what === 'tag' && operand.startsWith('mo/') ? { raw: `tag/${operand}` } : { [what]: operand }
}

/** `GET https://192.0.20.123/api/class/aaaUser.json?…`, as the guide prints it, or from `class/` on. */
function lineOf(
  text: string,
  { controllers }: ApicConfig,
): { raw: string; format: Format | undefined; notes: string[] } {
  const notes: string[] = []
  const [, verb = 'GET', rest = ''] = /^\s*(?:([A-Z]+)\s+)?([\s\S]*?)\s*$/.exec(text) ?? []
  if (verb !== 'GET') throw wrong(`query only reads: it does not ${verb}`)
  const host = /^[a-z]+:\/\/([^/]+)/i.exec(rest)?.[1]
  if (host !== undefined && !controllers.some(address => new URL(address).host === host)) {
    notes.push(`asked of the controllers in the config, not of ${host}`)
  }
  let raw = rest.replace(/^[a-z]+:\/\/[^/]*/i, '').replace(/^\/*(?:api\/+)?/, '')
  const method = /^(\w+)\.(?:json|xml)(?:\?|$)/.exec(raw)?.[1]
  const reason = method === undefined ? undefined : NO_QUESTIONS[method]
  if (reason !== undefined) throw wrong(`${method} is not for query: ${reason}`)
  const format = /\.(json|xml)\s*(?:\?|$)/.exec(raw)?.[1] as Format | undefined
  if (method === 'aaaListDomains') return { raw: method, format, notes }
  for (const name of ['subscription', 'refresh-timeout']) {
    if (!new RegExp(`[?&]\\s*${name}=`).test(raw)) continue
    throw wrong(
      `${name}: query asks once and makes no subscription; leave it out, or put the line into the config as "raw:"`,
    )
  }
  for (const name of ['url-token', 'challenge']) {
    const carried = new RegExp(`([?&])\\s*${name}=[^&]*(&|$)`)
    if (!carried.test(raw)) continue
    raw = raw.replace(carried, (_, before: string, after: string) => (after === '' ? '' : before))
    notes.push(`${name} is left out: the session's own is sent where the source has challenge_token`)
  }
  return { raw, format, notes }
}

function optionsOf(given: Arguments): Record<string, unknown> {
  const options: Record<string, unknown> = {}
  const put = (name: string, value: unknown): void => {
    if (value !== undefined) options[name.replaceAll('-', '_')] = value
  }
  for (const name of LISTS) put(name, listOf(given.text(name)))
  for (const name of WORDS) put(name, given.text(name))
  if (given.has('filter') && given.has('query-target-filter')) {
    throw wrong('--filter is short for --query-target-filter: give one of them')
  }
  put('filter', filterOf(given, given.has('filter') ? 'filter' : 'query-target-filter'))
  put('rsp-subtree-filter', filterOf(given, 'rsp-subtree-filter'))
  put('page', wholeNumber(given, 'page', 0))
  put('page-size', wholeNumber(given, 'page-size', 1))
  return options
}

/** A filter as the guide writes it. An APIC may ignore what is not one, without a word: it must be right here. */
function filterOf(given: Arguments, flag: string): unknown {
  const text = given.text(flag)
  if (text === undefined) return undefined
  const { filter, problem } = readFilter(closed(text, flag))
  if (filter !== undefined) return filter
  const opaque =
    "nobody documents what pholder and passive take; a whole line of the guide's form may carry them, class/CLS.json?query-target-filter=…"
  throw wrong(`--${flag}: ${problem ?? opaque}; write it like eq(fvTenant.name,"blue"), and(…,…)`)
}

function closed(text: string, flag: string): string {
  try {
    return closedUp(text, `--${flag}`)
  } catch (error) {
    throw error instanceof Unaskable ? wrong(error.message) : error
  }
}

/** What the schema and the builder say, in the words of the command line. */
function built(question: Record<string, unknown>): readonly Query[] {
  const parsed = questionSchema.safeParse(question)
  if (!parsed.success) {
    // As a subscription in a config is explained: the same keys, the same rules.
    const root = ['sources', 0, 'subscriptions', 0]
    const input = { sources: [{ kind: 'apic', subscriptions: [question] }] }
    const issues = parsed.error.issues.map(issue => ({ ...issue, path: [...root, ...issue.path] }))
    const findings = explain(issues, input).map(({ path, message }) => [path.slice(root.length)[0], message] as const)
    throw wrong(findings.map(([key, text]) => spoken(key === undefined ? text : `${String(key)}: ${text}`)).join('; '))
  }
  try {
    return buildQueries(parsed.data, 'ask')
  } catch (error) {
    if (codeOf(error) !== 'config') throw error
    throw wrong(spoken(describe(error)))
  }
}

const KEYS = /\b(target_subtree_class|query_target(?:_filter)?|rsp_[a-z_]+|order_by|page_size|time_range)\b/g

function spoken(message: string): string {
  return message
    .replace(/^raw: /, '')
    .replace(/^filter: /, '--query-target-filter: ')
    .replace(/^(page): /, '--$1: ')
    .replace(KEYS, key => `--${key.replaceAll('_', '-')}`)
}

function wrong(message: string): UsageError {
  return new UsageError(message, 'query')
}
