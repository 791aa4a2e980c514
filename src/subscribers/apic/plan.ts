/** A question taken apart: its target and its options as they will be sent, judged by every rule that needs no controller. */
import { nearest } from '../../config/nearest.ts'
import { CLASS, colonless, type FilterExpression, ORDER, type QuestionConfig, TIME_RANGE } from '../../config/query.ts'
import {
  CATEGORIES,
  CATEGORY_OPTIONS,
  categoryOf,
  combinationProblems,
  type QueryProblem,
} from '../../config/query-rules.ts'
import { concreteClasses, isLogClass, isStatisticsClass, mayBeAbstract } from './classes.ts'
import { comparisons, filterText } from './filter.ts'
import { readFilter } from './filter-text.ts'
import { classTarget, configKey, moTarget, OPTION_NAMES, parseRaw, type Target, tagTarget } from './raw-query.ts'
import { shown, Unaskable } from './unaskable.ts'
import { classesOf, commas, nestedClasses, scopedClasses, topClasses } from './yields.ts'

/**
 * `subscribe`: to be told of every change. `ask`: one answer, as `opswire query` wants it: what only concerns pushes does
 * not matter (statistics), and a filter is always the controller's to apply.
 */
export type Purpose = 'subscribe' | 'ask'

type OptionName = (typeof OPTION_NAMES)[number]

export interface Plan {
  readonly target: Target
  /** What is sent, in the guide's order. */
  readonly options: ReadonlyMap<string, string>
  /** The filters that are sent, as far as they can be taken apart. */
  readonly sent: ReadonlyMap<FilterOption, FilterExpression>
  /** A property filter on classes with a state: judged here, or deletions would be lost (reference b13). */
  readonly judged: FilterExpression | undefined
  /** What goes out in other words than it was written in. */
  readonly notes: readonly QueryProblem[]
}

export type FilterOption = 'query-target-filter' | 'rsp-subtree-filter'

/** Throws `Unaskable` (config) with every problem found. */
export function planOf(question: QuestionConfig, purpose: Purpose): Plan {
  const problems: QueryProblem[] = []
  const notes: QueryProblem[] = []
  const { target, options, filters, keyOf } = takeApart(question, problems, notes)
  problems.push(...combinationProblems(byConfigKeys(options), purpose === 'ask').map(keyed(keyOf)))
  if (problems.length > 0) throw new Unaskable(problems)
  const logs = classesOf(target, options)?.every(isLogClass) ?? false
  const filter = filters.get('query-target-filter')
  const isOurs = purpose === 'subscribe' && !logs && filter !== undefined
  const sent = new Map(filters)
  if (isOurs) sent.delete('query-target-filter')
  const rules = [purpose === 'subscribe' ? pushProblems : spanProblems, orderProblems, filterProblems]
  for (const rule of rules) {
    const found = rule({ target, options, filters, sent })
    problems.push(...found.filter(one => !isDoubt(one)).map(keyed(keyOf)))
    notes.push(...found.filter(isDoubt).map(keyed(keyOf)))
  }
  if (problems.length > 0) throw new Unaskable(problems)
  const ordered = OPTION_NAMES.flatMap(name => {
    const value = name === 'query-target-filter' && isOurs ? undefined : options.get(name)
    return value === undefined ? [] : [[name, value] as const]
  })
  return { target, options: new Map(ordered), sent, judged: isOurs ? filter : undefined, notes }
}

interface TakenApart {
  readonly target: Target
  readonly options: ReadonlyMap<string, string>
  readonly filters: ReadonlyMap<FilterOption, FilterExpression>
  /** The key that an option came from: its own, or `raw`. */
  readonly keyOf: (name: string) => string
}

function takeApart(question: QuestionConfig, problems: QueryProblem[], notes: QueryProblem[]): TakenApart {
  const options = new Map<string, string>()
  const filters = new Map<FilterOption, FilterExpression>()
  let target: Target
  if (question.class !== undefined) target = classTarget(question.class)
  else if (question.mo !== undefined) target = moTarget(question.mo)
  else if (question.tag !== undefined) target = tagTarget(question.tag)
  else {
    const raw = parseRaw(question.raw ?? '')
    target = raw.target
    for (const [name, value] of raw.options) options.set(name, value)
  }
  const inRaw = new Set<string>(options.keys())
  if (question.raw !== undefined) for (const kind of ['class', 'mo', 'tag']) inRaw.add(kind)
  const keyOf = (name: string): string => (inRaw.has(name) ? 'raw' : configKey(name))
  const put = (name: OptionName, value: string | undefined): void => {
    if (value === undefined) return
    if (inRaw.has(name)) problems.push({ key: configKey(name), message: 'raw has it already' })
    else options.set(name, value)
  }
  const putFilter = (name: FilterOption, filter: FilterExpression | undefined): void => {
    if (filter === undefined) return
    try {
      put(name, filterText(filter, configKey(name)))
      filters.set(name, filter)
    } catch (error) {
      if (!(error instanceof Unaskable)) throw error
      problems.push(...error.problems)
    }
  }
  put('query-target', question.query_target)
  put('target-subtree-class', listed(question.target_subtree_class))
  putFilter('query-target-filter', question.filter)
  put('rsp-subtree', question.rsp_subtree)
  put('rsp-subtree-class', listed(question.rsp_subtree_class))
  put('rsp-subtree-include', [question.rsp_subtree_include ?? []].flat().join(',') || undefined)
  putFilter('rsp-subtree-filter', question.rsp_subtree_filter)
  put('rsp-prop-include', question.rsp_prop_include)
  put('order-by', listed(question.order_by))
  put('page', question.page?.toString())
  put('page-size', question.page_size?.toString())
  put('time-range', question.time_range)
  if (target.kind === 'method' && options.size > 0) {
    problems.push({ key: keyOf([...options.keys()][0] ?? ''), message: `${target.name} takes no options` })
  }
  const note = keyed(keyOf)
  for (const [name, value] of options) {
    if (name === 'query-target-filter' || name === 'rsp-subtree-filter') {
      readIfRaw(name, value, inRaw, { options, filters, problems })
      const filter = filters.get(name)
      if (filter !== undefined && [...comparisons(filter)].some(one => one.operator === 'allbits')) {
        notes.push(note({ key: configKey(name), message: 'allbits is refused by releases: sent as and(anybit(…),…)' }))
      }
      continue
    }
    const message = valueProblem(name as OptionName, value)
    if (message !== undefined) problems.push(note({ key: configKey(name), message }))
  }
  const include = options.get('rsp-subtree-include')
  if (include !== undefined && commas(include).includes('fault')) {
    options.set('rsp-subtree-include', commas(include).map(categoryOf).join(','))
    const message = 'fault is sent as faults: the guide prints both, and faults is the one that releases know'
    notes.push(note({ key: 'rsp_subtree_include', message }))
  }
  return { target, options, filters, keyOf }
}

function readIfRaw(
  name: FilterOption,
  text: string,
  inRaw: ReadonlySet<string>,
  into: { options: Map<string, string>; filters: Map<FilterOption, FilterExpression>; problems: QueryProblem[] },
): void {
  if (!inRaw.has(name)) return
  const { filter, problem } = readFilter(text)
  if (problem !== undefined) into.problems.push({ key: 'raw', message: `${name}: ${problem}` })
  // What can't be judged here (pholder, passive) goes out as written: whoever writes it asks for it.
  if (filter === undefined) return
  into.filters.set(name, filter)
  into.options.set(name, filterText(filter, 'raw'))
}

/** Puts a problem to `raw` when its option was written there, with the option's own name. */
function keyed(keyOf: (name: string) => string): (problem: QueryProblem) => QueryProblem {
  return ({ key, message }) => {
    const name = key === 'filter' ? 'query-target-filter' : key.replaceAll('_', '-')
    return keyOf(name) === 'raw' ? { key: 'raw', message: `${name}: ${message}` } : { key, message }
  }
}

function byConfigKeys(options: ReadonlyMap<string, string>): Record<string, unknown> {
  return Object.fromEntries(
    [...options].map(([name, value]) => [
      configKey(name),
      name === 'rsp-subtree-include' ? commas(value) : value === '' ? undefined : value,
    ]),
  )
}

const WORDS: ReadonlyMap<OptionName, readonly string[]> = new Map([
  ['query-target', ['self', 'children', 'subtree']],
  ['rsp-subtree', ['no', 'children', 'full']],
  ['rsp-prop-include', ['all', 'naming-only', 'config-only']],
  ['rsp-subtree-include', [...CATEGORIES, 'fault', ...CATEGORY_OPTIONS]],
])

/** What is wrong with the value of an option, however it was written; undefined when nothing. */
function valueProblem(name: OptionName, value: string): string | undefined {
  if (value === '') return 'has no value'
  const words = WORDS.get(name)
  if (words !== undefined) {
    const given = name === 'rsp-subtree-include' ? value.split(',') : [value]
    const wrong = given.find(word => !words.includes(word))
    if (wrong === undefined) return undefined
    const near = nearest(wrong, words)
    return `must be one of ${words.join(', ')}; got ${shown(wrong)}${near === undefined ? '' : ` (did you mean ${near}?)`}`
  }
  switch (name) {
    case 'target-subtree-class':
    case 'rsp-subtree-class': {
      const wrong = value.split(',').find(word => !CLASS.test(word))
      return wrong === undefined
        ? undefined
        : `${shown(wrong)} ${colonless(wrong) ?? 'is no class name such as fvTenant'}`
    }
    case 'order-by': {
      const wrong = value.split(',').find(word => !ORDER.test(word))
      const form = 'must be class.property, with |asc or |desc after it: fvTenant.name|desc'
      return wrong === undefined ? undefined : `${shown(wrong)} ${colonless(wrong) ?? form}`
    }
    case 'page':
    case 'page-size': {
      const isGood = /^\d{1,9}$/.test(value) && (name === 'page' || Number(value) > 0)
      return isGood ? undefined : `must be a whole number from ${name === 'page' ? 0 : 1} on; got ${shown(value)}`
    }
    case 'time-range':
      if (TIME_RANGE.test(value)) return undefined
      return `must be 24h, 1week, 1month, 3month, or two times with a bar between them; got ${shown(value)}`
    default:
      return undefined
  }
}

/** What may be wrong and may be right: the controller knows, and says so. */
interface Doubt extends QueryProblem {
  readonly doubt: true
}

function isDoubt(problem: QueryProblem): problem is Doubt {
  return 'doubt' in problem
}

interface Judged {
  readonly target: Target
  readonly options: ReadonlyMap<string, string>
  readonly filters: ReadonlyMap<FilterOption, FilterExpression>
  readonly sent: ReadonlyMap<FilterOption, FilterExpression>
}

const NO_SPAN = 'only log classes (eventRecord, aaaModLR, …) have a time to range over'

/** A time range of what keeps no time is ignored (reference a9: it works on log classes); what isn't known may have one. */
function spanProblems({ target, options }: Judged): QueryProblem[] {
  const classes = classesOf(target, options)
  const isTimed = classes?.some(cls => isLogClass(cls) || isStatisticsClass(cls)) ?? true
  return !options.has('time-range') || isTimed ? [] : [{ key: 'time_range', message: NO_SPAN }]
}

/** What an APIC never pushes, and what would leave us without the properties that a filter is judged by. */
function pushProblems({ target, options, filters, sent }: Judged): QueryProblem[] {
  if (target.kind === 'method') {
    return [{ key: 'raw', message: `${target.name} can't be subscribed to: it must be class/…, mo/… or tag/…` }]
  }
  const classes = classesOf(target, options)
  const statistics = classes?.find(isStatisticsClass)
  if (statistics !== undefined) {
    const key = target.name === statistics ? target.kind : 'target_subtree_class'
    return [{ key, message: `${statistics} holds statistics: an APIC never pushes them` }]
  }
  if (options.has('time-range') && classes?.every(isLogClass) !== true) {
    return [{ key: 'time_range', message: NO_SPAN }]
  }
  if (commas(options.get('rsp-subtree-include') ?? '').includes('count')) {
    return [{ key: 'rsp_subtree_include', message: 'an answer that only counts shows no object to follow' }]
  }
  const properties = options.get('rsp-prop-include') ?? 'all'
  if (properties !== 'all' && filters.has('query-target-filter') && !sent.has('query-target-filter')) {
    const message = `opswire itself judges the filter, by properties that an answer with ${properties} alone may lack`
    return [{ key: 'rsp_prop_include', message }]
  }
  return []
}

/** "All properties must be of the same object, or inherit from the same abstract class" (guide). */
function orderProblems({ target, options }: Judged): QueryProblem[] {
  const named = [...new Set(commas(options.get('order-by') ?? '').map(key => key.slice(0, key.indexOf('.'))))]
  const [first] = named
  if (first === undefined) return []
  const other = named.slice(1).find(cls => !overlap(concreteClasses(first), concreteClasses(cls)))
  if (other !== undefined) {
    const message = `sorts by properties of one class, not of ${first} and of ${other}`
    return [{ key: 'order_by', message }]
  }
  const classes = topClasses(target, options)
  if (classes === undefined || overlap(classes, concreteClasses(first))) return []
  const abstract = classes.find(mayBeAbstract)
  if (abstract !== undefined) return [doubt('order_by', first, abstract)]
  return [{ key: 'order_by', message: `there is no ${first} to sort: the answer holds ${classes.join(', ')}` }]
}

function filterProblems({ target, options, filters, sent }: Judged): QueryProblem[] {
  const problems: QueryProblem[] = []
  for (const [name, filter] of filters) {
    const key = configKey(name)
    const classes = name === 'query-target-filter' ? scopedClasses(target, options) : nestedClasses(options)
    for (const { cls, operator, property, values } of comparisons(filter)) {
      if (classes !== undefined && !overlap(classes, concreteClasses(cls))) {
        const abstract = sent.has(name) ? classes.find(mayBeAbstract) : undefined
        if (abstract !== undefined) problems.push(doubt(key, cls, abstract))
        else problems.push({ key, message: `a property of ${cls} never matches ${classes.join(', ')}` })
      }
      const pattern = values[0] ?? ''
      if (operator !== 'wcard' || !sent.has(name) || !pattern.includes('*')) continue
      // Releases differ by property (reference a9): these are refused by those that were looked at.
      if (pattern.startsWith('*')) {
        const message = `an APIC refuses the leading * of ${shown(pattern)}: without any *, a text is looked for anywhere`
        problems.push({ key, message })
      } else if (['dn', 'ip', 'descr'].includes(property)) {
        const message = `an APIC refuses wildcards in ${cls}.${property}: without a *, a text is looked for anywhere`
        problems.push({ key, message })
      }
    }
  }
  const told = new Set<string>()
  return problems.filter(({ key, message }) => !told.has(key + message) && told.add(key + message))
}

function doubt(key: string, cls: string, abstract: string): Doubt {
  const message = `whether ${abstract} is an abstract class with ${cls} below it, only the controller knows`
  return { key, message, doubt: true }
}

function overlap(some: readonly string[], others: readonly string[]): boolean {
  return some.some(cls => others.includes(cls))
}

function listed(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' || value === undefined ? value : [...new Set(value)].join(',')
}
