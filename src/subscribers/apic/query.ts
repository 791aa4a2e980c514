/** From a subscription of the config to what is asked, what can come back, and what is judged here. */
import { hash } from 'node:crypto'
import type { FilterExpression, QuestionConfig } from '../../config/query.ts'
import { Fatal } from '../../errors.ts'
import { concreteClasses, isLogClass, isStatisticsClass } from './classes.ts'
import { isBelow, parentOf } from './dn.ts'
import { filterClasses, filterMatches, filterText } from './filter.ts'
import { parseFilter } from './filter-text.ts'
import { classTarget, moTarget, OPTION_NAMES, parseRaw, type Target, tagTarget } from './raw-query.ts'

type Attributes = Readonly<Record<string, string>>
type Options = readonly (readonly [string, string])[]

export interface Query {
  /** `/api/class/faultInst`: without suffix, not escaped. */
  readonly path: string
  readonly options: Options
  /** Classes of the objects that this can yield; undefined for any. */
  readonly classes: readonly string[] | undefined
  /** The feed's name: stable and short, `class/faultInst`, `mo/uni/tn-prod`; with a short hash when options narrow it. */
  readonly name: string
  /** True when such an object can be part of the result. */
  readonly yields: (cls: string, dn: string) => boolean
  /** True when a complete answer must show such an object: if it isn't there, it is gone. Implies `yields`. */
  readonly covers: (cls: string, dn: string) => boolean
  /** The one log class that this asks for: its holes are closed from history. */
  readonly logClass: string | undefined
  /** A property filter on classes with a state: judged here, or deletions would be lost (reference b13). */
  readonly accepts: ((cls: string, attributes: Attributes) => boolean) | undefined
}

/** Options that don't change what is pushed, only what an answer shows first. */
const PRESENTATION: ReadonlySet<string> = new Set(['order-by', 'page', 'page-size', 'rsp-prop-include'])

/** Longest request line, in bytes, that the server in front of an APIC takes (reference a9: 4–8 kB). */
const LONGEST_URL = 8000

/** What each category of `rsp-subtree-include` adds to an answer; undefined for anything. */
const INCLUDED: Readonly<Record<string, readonly string[] | undefined>> = {
  'audit-logs': ['aaaModLR'],
  'event-logs': ['eventRecord'],
  'fault-records': ['faultRecord'],
  'health-records': ['healthRecord'],
  count: [],
  faults: ['faultInst', 'faultDelegate'],
  health: ['healthInst'],
  'no-scoped': [],
  required: [],
}

/**
 * `subscribe`: to be told of every change. `ask`: one answer, as `opswire query` wants it: what only concerns pushes does
 * not matter (statistics, a time range on any class), and a filter is always the controller's to apply.
 */
export type Purpose = 'subscribe' | 'ask'

/**
 * The question that the config or the command line puts. For one question to a controller:
 *
 *     const query = buildQuery(questionSchema.parse({ class: 'fvTenant', … }), 'ask')
 *     const answer = await client.get(queryUrl(query, 'json', [['page', '0'], ['page-size', '1000']]), 'query', signal)
 *
 * Throws `Fatal('config')`, naming the key, for what an APIC would refuse, ignore silently or, when subscribing, never push.
 */
export function buildQuery(question: QuestionConfig, purpose: Purpose = 'subscribe'): Query {
  const { target, options } = wanted(question)
  const classes = classesOf(target, options)
  const logs = classes?.every(isLogClass) ?? false
  if (purpose === 'subscribe') {
    for (const cls of classes ?? []) {
      if (isStatisticsClass(cls)) throw new Fatal('config', `class: ${cls} holds statistics: an APIC never pushes them`)
    }
    if (options.has('time-range') && !logs) {
      throw new Fatal('config', 'time_range: only log classes (eventRecord, aaaModLR, …) have a time to range over')
    }
  }
  const { filter, opaque } = filterOf(question, options, classes, logs || purpose === 'ask')
  const sent = OPTION_NAMES.flatMap(name => {
    const value = name === 'query-target-filter' ? opaque : options.get(name)
    return value === undefined ? [] : [[name, value] as const]
  })
  for (const [name, value] of options) {
    if (!(OPTION_NAMES as readonly string[]).includes(name)) sent.push([name as (typeof OPTION_NAMES)[number], value])
  }
  const yields = membership(target, options, classes)
  const query: Query = {
    path: `/api/${target.path}`,
    options: sent,
    classes,
    name: nameOf(target, sent, filter),
    yields,
    covers: coverage(target, options, opaque, yields),
    logClass: logs && classes?.length === 1 ? classes[0] : undefined,
    accepts:
      filter === undefined
        ? undefined
        : (cls, attributes) => filterMatches(filter, judgedAs(target, classes, cls), attributes),
  }
  if (queryUrl(query, 'json').length > LONGEST_URL) {
    throw new Fatal('config', `target_subtree_class or filter: ${query.name} is too long for one request: split it`)
  }
  return query
}

/**
 * Path and query string, escaped by the conservative set of reference a9: `( ) , [ ] / : | =` stay, `+` is `%2B`.
 * An `extra` option replaces one of the same name; a further `query-target-filter` is joined to the query's own by `and`.
 */
export function queryUrl(query: Pick<Query, 'path' | 'options'>, format: 'json' | 'xml', extra: Options = []): string {
  const all = new Map(query.options)
  for (const [name, value] of extra) {
    const own = all.get(name)
    const joined = name === 'query-target-filter' && own !== undefined && !value.includes(own)
    all.set(name, joined ? `and(${own},${value})` : value)
  }
  const statements = [...all].map(([name, value]) => `${name}=${escaped(value)}`)
  const path = `${escaped(query.path)}.${format}`
  return statements.length === 0 ? path : `${path}?${statements.join('&')}`
}

function escaped(text: string): string {
  return text.toWellFormed().replace(/[^A-Za-z0-9\-_.~()[\],/:|=!*'@;$]/gu, encodeURIComponent)
}

function wanted(subscription: QuestionConfig): { target: Target; options: Map<string, string> } {
  const options = new Map<string, string>()
  const put = (name: string, value: string | undefined): void => {
    if (value === undefined) return
    if (options.has(name)) throw new Fatal('config', `${name.replaceAll('-', '_')}: raw has it already`)
    options.set(name, value)
  }
  let target: Target
  if (subscription.class !== undefined) target = classTarget(subscription.class)
  else if (subscription.mo !== undefined) target = moTarget(subscription.mo)
  else if (subscription.tag !== undefined) target = tagTarget(subscription.tag)
  else {
    const raw = parseRaw(subscription.raw ?? '')
    target = raw.target
    for (const [name, value] of raw.options) put(name, value)
  }
  put('query-target', subscription.query_target)
  put('target-subtree-class', listed(subscription.target_subtree_class))
  put('query-target-filter', subscription.filter === undefined ? undefined : filterText(subscription.filter))
  put('rsp-subtree', subscription.rsp_subtree)
  put('rsp-subtree-class', listed(subscription.rsp_subtree_class))
  put('rsp-subtree-filter', subscription.rsp_subtree_filter && filterText(subscription.rsp_subtree_filter))
  put('rsp-subtree-include', listed(subscription.rsp_subtree_include))
  put('rsp-prop-include', subscription.rsp_prop_include)
  put('order-by', listed(subscription.order_by))
  put('page', subscription.page?.toString())
  put('page-size', subscription.page_size?.toString())
  put('time-range', subscription.time_range)
  check(options, 'order-by', /^[A-Za-z]\w*\.\w+(\|(asc|desc))?(,[A-Za-z]\w*\.\w+(\|(asc|desc))?)*$/)
  check(options, 'time-range', /^[\w:.+|-]+$/)
  // The guide prints the keyword both as `faults` and as `fault`; `faults` is the one that works (reference a9).
  const include = options.get('rsp-subtree-include')
  if (include !== undefined) {
    options.set(
      'rsp-subtree-include',
      commas(include)
        .map(word => (word === 'fault' ? 'faults' : word))
        .join(','),
    )
  }
  return { target, options }
}

function check(options: ReadonlyMap<string, string>, name: string, form: RegExp): void {
  const value = options.get(name)
  if (value !== undefined && !form.test(value)) {
    throw new Fatal('config', `${name.replaceAll('-', '_')}: "${value}" is not of the form that the guide gives`)
  }
}

/** `filter` is ours to judge; `opaque` goes to the controller. */
function filterOf(
  subscription: QuestionConfig,
  options: ReadonlyMap<string, string>,
  classes: readonly string[] | undefined,
  theirs: boolean,
): { filter: FilterExpression | undefined; opaque: string | undefined } {
  const text = options.get('query-target-filter')
  if (text === undefined) return { filter: undefined, opaque: undefined }
  const filter = subscription.filter ?? parseFilter(text)
  if (filter !== undefined && classes !== undefined) {
    for (const named of filterClasses(filter)) {
      if (classes.some(cls => concreteClasses(named).includes(cls))) continue
      throw new Fatal('config', `filter: a property of ${named} never matches ${classes.join(', ')}`)
    }
  }
  // What can't be judged here (pholder, passive) goes out as written: whoever writes it asks for it.
  return theirs || filter === undefined ? { filter: undefined, opaque: text } : { filter, opaque: undefined }
}

/** On an abstract class its name stands for whatever concrete class comes back, also one that isn't in our table. */
function judgedAs(target: Target, classes: readonly string[] | undefined, cls: string): string {
  return target.kind === 'class' && classes?.includes(cls) === false && classes.includes(target.name)
    ? target.name
    : cls
}

function classesOf(target: Target, options: ReadonlyMap<string, string>): readonly string[] | undefined {
  const scope = options.get('query-target') ?? 'self'
  const aimed = options.get('target-subtree-class')
  let found: readonly string[] | undefined
  if (scope !== 'self') found = aimed === undefined ? undefined : commas(aimed).flatMap(concreteClasses)
  else if (target.kind === 'class') found = concreteClasses(target.name)
  else if (target.kind === 'tags-of') found = ['tagInst']
  if (found === undefined) return undefined
  const nested = options.get('rsp-subtree') ?? 'no'
  if (nested !== 'no') {
    const below = options.get('rsp-subtree-class')
    if (below === undefined) return undefined
    found = [...found, ...commas(below).flatMap(concreteClasses)]
  }
  for (const category of commas(options.get('rsp-subtree-include') ?? '')) {
    const more = INCLUDED[category]
    if (more === undefined) return undefined
    found = [...found, ...more]
  }
  return [...new Set(found)]
}

function membership(
  target: Target,
  options: ReadonlyMap<string, string>,
  classes: readonly string[] | undefined,
): (cls: string, dn: string) => boolean {
  const place = placeOf(target, options, true)
  return (cls, dn) => (classes === undefined || classes.includes(cls)) && place(dn)
}

function coverage(
  target: Target,
  options: ReadonlyMap<string, string>,
  opaque: string | undefined,
  yields: Query['yields'],
): (cls: string, dn: string) => boolean {
  const scope = options.get('query-target') ?? 'self'
  const include = commas(options.get('rsp-subtree-include') ?? '')
  const cut =
    target.kind === 'tag' ||
    opaque !== undefined ||
    options.has('page') ||
    options.has('time-range') ||
    include.some(category => category === 'required' || category === 'no-scoped' || category === 'count')
  // Below any object of a class: where such objects stand, a dn alone doesn't tell.
  const aimed = options.get('target-subtree-class')
  if (cut || (target.kind === 'class' && scope !== 'self' && aimed === undefined)) return () => false
  // A whole subtree below one object is shown to its end; one that is narrowed, or below a class, isn't judged.
  const nested =
    target.kind === 'mo' &&
    !['rsp-subtree-class', 'rsp-subtree-filter', 'rsp-subtree-include'].some(name => options.has(name))
  const place = placeOf(target, options, nested)
  const main = scope !== 'self' ? aimed : target.kind === 'class' ? target.name : undefined
  const classes = main === undefined ? undefined : new Set(commas(main).flatMap(concreteClasses))
  return (cls, dn) => yields(cls, dn) && place(dn) && (classes === undefined || classes.has(cls))
}

/** Where an object of the result can stand. `nested`: counting the children that an answer shows inside its objects. */
function placeOf(target: Target, options: ReadonlyMap<string, string>, nested: boolean): (dn: string) => boolean {
  const { name, below } = target
  if (target.kind === 'tag') return () => true
  if (target.kind === 'class') return below === undefined ? () => true : dn => isBelow(dn, below)
  if (target.kind === 'tags-of') return dn => isBelow(dn, name)
  const scope = options.get('query-target') ?? 'self'
  const shown = nested ? (options.get('rsp-subtree') ?? 'no') : 'no'
  if (scope === 'subtree' || shown === 'full' || (nested && options.has('rsp-subtree-include'))) {
    return dn => dn === name || isBelow(dn, name)
  }
  if (scope === 'children') {
    return shown === 'no' ? dn => isBelow(dn, name) && parentOf(dn) === name : dn => isBelow(dn, name)
  }
  return shown === 'no' ? dn => dn === name : dn => dn === name || (isBelow(dn, name) && parentOf(dn) === name)
}

function nameOf(target: Target, sent: Options, filter: FilterExpression | undefined): string {
  const narrowing = sent.filter(
    ([name, value]) => !PRESENTATION.has(name) && !(name === 'query-target' && value === 'self'),
  )
  const key = JSON.stringify([target.path, narrowing, filter === undefined ? null : filterText(filter)])
  const plain = narrowing.length === 0 && filter === undefined
  const short = target.path.length <= 80
  if (plain && short) return target.path
  return `${short ? target.path : target.path.slice(0, 72)}#${hash('sha256', key, 'hex').slice(0, 6)}`
}

function listed(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' || value === undefined ? value : value.join(',')
}

function commas(value: string): string[] {
  return value.split(',').filter(word => word !== '')
}
