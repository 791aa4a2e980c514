/** From a question of the config or the command line to what is asked, what can come back, and what is judged here. */
import { hash } from 'node:crypto'
import type { FilterExpression, QuestionConfig } from '../../config/query.ts'
import type { QueryProblem } from '../../config/query-rules.ts'
import { isLogClass, names } from './classes.ts'
import { comparisons, filterMatches, filterText } from './filter.ts'
import { type Plan, type Purpose, planOf } from './plan.ts'
import { configKey, type Target } from './raw-query.ts'
import { partsOfPlan } from './split.ts'
import { unaskable } from './unaskable.ts'
import type { Options } from './url.ts'
import { classesOf, commas, coverage, membership } from './yields.ts'

export type { Purpose } from './plan.ts'
export { queryUrl } from './url.ts'

type Attributes = Readonly<Record<string, string>>

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
  /**
   * An answer had objects of this class on its top level: they are part of the result. A class that is asked for by name may be an
   * abstract one, and which classes it stands for only the controller knows.
   */
  readonly meet: (cls: string) => void
  /** The one log class that this asks for: its holes are closed from history. */
  readonly logClass: string | undefined
  /** A property filter on classes with a state: judged here, or deletions would be lost (reference b13). */
  readonly accepts: ((cls: string, attributes: Attributes) => boolean) | undefined
  /**
   * What comes nested in the objects of the answer is part of it as long as they match (guide: rsp-subtree): true for a class
   * whose properties that filter does not name. Undefined without a filter, or where nothing comes nested.
   */
  readonly isNested: ((cls: string) => boolean) | undefined
  /** What goes out in other words than it was written in, by the key of the config: to be told to whoever wrote it. */
  readonly notes: readonly QueryProblem[]
}

/** Options that don't change what is pushed, only what an answer shows first. */
const PRESENTATION: ReadonlySet<string> = new Set(['order-by', 'page', 'page-size', 'rsp-prop-include'])

/**
 * The question that the config or the command line puts, in as many requests as it takes: one, unless a list of classes or
 * an `or` is too long for a request line. Each is a `Query` of its own: as a subscription, a feed of its own; asked once,
 * an answer that `joinAnswers` puts together with the others:
 *
 *     const queries = buildQueries(questionSchema.parse({ class: 'fvTenant', … }), 'ask')
 *     for (const query of queries) answers.push(await client.get(queryUrl(query, 'json', [['page', '0'], …]), 'query', signal))
 *     const objects = joinAnswers(queries, answers.map(answer => answer.objects))
 *
 * Throws `Unaskable`, a `Fatal('config')` that names each key, for what an APIC would refuse, ignore without a word or,
 * when subscribing, never push.
 */
export function buildQueries(question: QuestionConfig, purpose: Purpose = 'subscribe'): readonly Query[] {
  const plan = planOf(question, purpose)
  const parts = partsOfPlan(plan, purpose)
  if (parts.length === 1) return parts.map(queryOf)
  const what = purpose === 'subscribe' ? 'subscriptions' : 'requests'
  const message = `is too long for one request: it becomes ${parts.length} ${what}`
  const [key = 'query-target-filter'] = [...plan.options.keys()].filter(
    name => parts[0]?.options.get(name) !== plan.options.get(name),
  )
  const note = { key: configKey(key), message }
  return parts.map(part => queryOf({ ...part, notes: [...part.notes, note] }))
}

/** The classes that a question asks for by name: by what an answer in pages can be sorted, if it is one. */
export function aimedAt({ path, options }: Pick<Query, 'path' | 'options'>): string[] {
  const all = new Map(options)
  if ((all.get('query-target') ?? 'self') !== 'self') return commas(all.get('target-subtree-class') ?? '')
  return /^\/api\/(?:node\/)?class\//.test(path) ? [path.slice(path.lastIndexOf('/') + 1)] : []
}

/** As `buildQueries`, for a question that takes one request. Throws `Unaskable` when it takes more. */
export function buildQuery(question: QuestionConfig, purpose: Purpose = 'subscribe'): Query {
  const [query, ...more] = buildQueries(question, purpose)
  if (query === undefined || more.length > 0) throw unaskable('filter', 'is too long for one request')
  return query
}

function queryOf({ target, options, judged, notes }: Plan): Query {
  const classes = classesOf(target, options)
  const logs = classes?.every(isLogClass) ?? false
  const sent = [...options]
  const met = new Set<string>()
  return {
    path: `/api/${target.path}`,
    options: sent,
    classes,
    name: nameOf(target, sent, judged),
    yields: membership(target, options, met),
    covers: coverage(target, options, met),
    meet: cls => {
      if (classes?.includes(cls) === false) met.add(cls)
    },
    logClass: logs && classes?.length === 1 ? classes[0] : undefined,
    accepts:
      judged === undefined
        ? undefined
        : (cls, attributes) => filterMatches(judged, judgedAs(target, classes, cls), attributes),
    isNested:
      judged === undefined || !nests(options)
        ? undefined
        : cls => comparisons(judged).every(one => !names(one.cls, judgedAs(target, classes, cls))),
    notes,
  }
}

function nests(options: ReadonlyMap<string, string>): boolean {
  return (options.get('rsp-subtree') ?? 'no') !== 'no' || options.has('rsp-subtree-include')
}

/** On an abstract class its name stands for whatever concrete class comes back, also one that isn't in our table. */
function judgedAs(target: Target, classes: readonly string[] | undefined, cls: string): string {
  return target.kind === 'class' && classes?.includes(cls) === false && classes.includes(target.name)
    ? target.name
    : cls
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
