/** What is asked of an APIC, from the command line to requests that are right; or why not, without asking anybody. */
import { explain } from '../config/explain.ts'
import { questionSchema } from '../config/query.ts'
import type { ApicConfig } from '../config/sources.ts'
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
      readonly pageSize: number
      readonly notes: readonly string[]
    }

/** Objects on a page; each page is a request of its own, and an object is about a kB. */
const PAGE = 1000
const DOMAINS = '/api/aaaListDomains'

const WHAT = ['class', 'mo', 'tag', 'domains']

/** Flags whose values are lists of words. */
const LISTS = ['target-subtree-class', 'rsp-subtree-class', 'rsp-subtree-include', 'order-by']
const WORDS = ['query-target', 'rsp-subtree', 'rsp-prop-include', 'time-range']

/** Throws `UsageError`. */
export function apicAsk(config: ApicConfig, words: readonly string[], given: Arguments): ApicAsk {
  const [what, operand, extra] = words
  if (what === undefined || what.trim() === '')
    throw wrong(`say what to ask: ${WHAT.join(', ')}, or a line of the guide`)
  if (extra !== undefined) throw wrong(`unexpected "${extra}"`)
  const isLine = !/^\w+$/.test(what) || DOMAINS.endsWith(`/${what}`)
  if (isLine && operand !== undefined) throw wrong(`unexpected "${operand}"`)
  const line = isLine ? lineOf(what, config) : undefined
  const format = given.has('xml') ? 'xml' : (line?.format ?? config.format)
  const target = line === undefined ? targetOf(what, operand) : { raw: line.raw }
  const queries = built({ ...target, ...optionsOf(given) })
  const [query] = queries
  const said = new Set(queries.flatMap(one => one.notes.map(({ key, message }) => spoken(key, message))))
  const notes = [...(line?.notes ?? []), ...said]
  if (query?.path === DOMAINS) return { kind: 'domains', format, notes }
  const paging = new Map(query?.options)
  if (query !== undefined && paging.has('page')) {
    return { kind: 'ask', format, queries, page: queryUrl(query, format), pageSize: PAGE, notes }
  }
  const size = wholeNumber(given, 'page-size', 1) ?? Number(paging.get('page-size') ?? PAGE)
  return { kind: 'ask', format, queries: queries.map(withoutSize), page: undefined, pageSize: size, notes }
}

/** How large a page is does not narrow the question. */
function withoutSize(query: Query): Query {
  return { ...query, options: query.options.filter(([name]) => name !== 'page-size') }
}

function targetOf(what: string, operand: string | undefined): Record<string, unknown> {
  if (!WHAT.includes(what)) {
    // A class by itself is what one types first.
    const hint = /^[a-z]+[A-Z]\w*$/.test(what) ? `; did you mean class ${what}?` : hintOf(what, WHAT)
    throw wrong(`unknown "${what}"${hint}`)
  }
  if (what === 'domains') {
    if (operand !== undefined) throw wrong(`unexpected "${operand}"`)
    return { raw: DOMAINS.slice('/api/'.length) }
  }
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
  // A password may be pasted in front of it: it is not said again.
  const host = /^(?:\s*[A-Z]+\s)?\s*[a-z]+:\/\/(?:[^/?"]*@)?([^/?"]+)/i.exec(text)?.[1]
  if (host !== undefined && !controllers.some(address => new URL(address).host === host)) {
    notes.push(`asked of the controllers in the config, not of ${host}`)
  }
  for (const name of ['subscription', 'refresh-timeout']) {
    if (!new RegExp(`[?&]\\s*${name}=`).test(text)) continue
    throw wrong(
      `${name}: query asks once and makes no subscription; leave it out, or put the line into the config as "raw:"`,
    )
  }
  let raw = text
  for (const name of ['url-token', 'challenge']) {
    const carried = new RegExp(`([?&])\\s*${name}=[^&\\s]*(&|$)`)
    if (!carried.test(raw)) continue
    raw = raw.replace(carried, (_, before: string, after: string) => (after === '' ? '' : before))
    notes.push(`${name} is left out: the session's own is sent where the source has challenge_token`)
  }
  return { raw, format: /\.(json|xml)\s*(?:\?|$)/.exec(raw)?.[1] as Format | undefined, notes }
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
  const page = wholeNumber(given, 'page', 0)
  put('page', page)
  // Alone it says how the pages are read, and asks for no other objects.
  if (page !== undefined) put('page-size', wholeNumber(given, 'page-size', 1) ?? PAGE)
  return options
}

/** A filter as the guide writes it. An APIC may ignore what is not one, without a word: it must be right here. */
function filterOf(given: Arguments, flag: string): unknown {
  const text = given.text(flag)
  if (text === undefined) return undefined
  const { filter, problem } = readFilter(closed(text, flag))
  if (problem !== undefined) {
    const like = problem.endsWith('?') ? '' : '; a filter is like eq(fvTenant.name,"blue")'
    throw wrong(`--${flag}: ${problem}${like}`)
  }
  if (filter !== undefined) return filter
  throw wrong(
    `--${flag}: nobody documents what pholder and passive take; a whole line of the guide may carry them: 'class/CLS.json?query-target-filter=…'`,
  )
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
    const said = explain(issues, input).map(({ path, message }) => spoken(String(path[root.length] ?? ''), message))
    throw wrong(said.join('; '))
  }
  try {
    return buildQueries(parsed.data, 'ask')
  } catch (error) {
    if (!(error instanceof Unaskable)) throw error
    throw wrong(error.problems.map(({ key, message }) => spoken(key, message)).join('; '))
  }
}

const KEYS = /\b(target_subtree_class|query_target(?:_filter)?|rsp_[a-z_]+|order_by|page_size|time_range)\b/g

/** A key of the config as the command line has it. */
function spoken(key: string, message: string): string {
  const text = message.replace(KEYS, name => `--${name.replaceAll('_', '-')}`)
  if (['', 'raw', 'class', 'mo', 'tag'].includes(key)) return key === '' || key === 'raw' ? text : `${key}: ${text}`
  return `--${key === 'filter' ? 'query-target-filter' : key.replaceAll('_', '-')}: ${text}`
}

function wrong(message: string): UsageError {
  return new UsageError(message, 'query')
}
