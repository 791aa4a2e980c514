/** What can come back from a question, and what must: by its target and the options that are sent. */
import { CATEGORIES } from '../../config/query-rules.ts'
import { concreteClasses } from './classes.ts'
import { isBelow, parentOf } from './dn.ts'
import type { Target } from './raw-query.ts'

type Options = ReadonlyMap<string, string>
type Judge = (cls: string, dn: string) => boolean

/** What each category of `rsp-subtree-include` adds to an answer; a category that isn't here may add anything. */
const INCLUDED: ReadonlyMap<string, readonly string[]> = new Map([
  ['audit-logs', ['aaaModLR']],
  ['event-logs', ['eventRecord']],
  ['fault-records', ['faultRecord']],
  ['health-records', ['healthRecord']],
  ['faults', ['faultInst', 'faultDelegate']],
  ['health', ['healthInst']],
  ['count', []],
  ['no-scoped', []],
  ['required', []],
  ['subtree', []],
])

/** Every class of an object of the answer, nested ones too; undefined for any. */
export function classesOf(target: Target, options: Options): readonly string[] | undefined {
  const scoped = scopedClasses(target, options)
  const nested = nestedClasses(options)
  return scoped === undefined || nested === undefined ? undefined : [...new Set([...scoped, ...nested])]
}

/** The classes that target and scope reach: what `query-target-filter` speaks of. */
export function scopedClasses(target: Target, options: Options): readonly string[] | undefined {
  const aimed = options.get('target-subtree-class')
  if ((options.get('query-target') ?? 'self') !== 'self') {
    return aimed === undefined ? undefined : commas(aimed).flatMap(concreteClasses)
  }
  if (target.kind === 'class') return concreteClasses(target.name)
  return target.kind === 'tags-of' ? ['tagInst'] : undefined
}

/** The classes that are sent along below those, none when nothing is: what `rsp-subtree-filter` speaks of. */
export function nestedClasses(options: Options): readonly string[] | undefined {
  const found: string[] = []
  if ((options.get('rsp-subtree') ?? 'no') !== 'no') {
    const below = options.get('rsp-subtree-class')
    if (below === undefined) return undefined
    found.push(...commas(below).flatMap(concreteClasses))
  }
  for (const word of commas(options.get('rsp-subtree-include') ?? '')) {
    const more = INCLUDED.get(word)
    if (more === undefined) return undefined
    found.push(...more)
  }
  return found
}

/** The classes on the top level of the answer: what `order-by` sorts. */
export function topClasses(target: Target, options: Options): readonly string[] | undefined {
  const include = commas(options.get('rsp-subtree-include') ?? '')
  const isNested =
    (options.get('rsp-subtree') ?? 'no') !== 'no' ||
    include.some(word => (CATEGORIES as readonly string[]).includes(word))
  return include.includes('no-scoped') && isNested ? nestedClasses(options) : scopedClasses(target, options)
}

/** True when such an object can be part of the answer. `met`: further classes that stood on the top level of one. */
export function membership(target: Target, options: Options, met: ReadonlySet<string> = NONE): Judge {
  const classes = classesOf(target, options)
  const place = placeOf(target, options, true)
  return (cls, dn) => (classes === undefined || classes.includes(cls) || met.has(cls)) && place(dn)
}

const NONE: ReadonlySet<string> = new Set()

/** True when a complete answer must show such an object. `met` as for `membership`. */
export function coverage(target: Target, options: Options, met: ReadonlySet<string> = NONE): Judge {
  const scope = options.get('query-target') ?? 'self'
  const include = commas(options.get('rsp-subtree-include') ?? '')
  const cut =
    target.kind === 'tag' ||
    ['query-target-filter', 'page', 'time-range'].some(name => options.has(name)) ||
    include.some(category => category === 'required' || category === 'no-scoped' || category === 'count')
  // Below any object of a class: where such objects stand, a dn alone doesn't tell.
  const aimed = options.get('target-subtree-class')
  if (cut || (target.kind === 'class' && scope !== 'self' && aimed === undefined)) return () => false
  // A whole subtree below one object is shown to its end; one that is narrowed, or below a class, isn't judged.
  const nested =
    target.kind === 'mo' &&
    !['rsp-subtree-class', 'rsp-subtree-filter', 'rsp-subtree-include'].some(name => options.has(name))
  const yields = membership(target, options, met)
  const place = placeOf(target, options, nested)
  const main = scope !== 'self' ? aimed : target.kind === 'class' ? target.name : undefined
  const classes = main === undefined ? undefined : new Set(commas(main).flatMap(concreteClasses))
  return (cls, dn) => yields(cls, dn) && place(dn) && (classes === undefined || classes.has(cls) || met.has(cls))
}

/** Where an object of the result can stand. `nested`: counting the children that an answer shows inside its objects. */
function placeOf(target: Target, options: Options, nested: boolean): (dn: string) => boolean {
  const { name, below } = target
  if (target.kind === 'tag') return () => true
  if (target.kind === 'method') return () => false
  if (target.kind === 'class') {
    if (below === undefined) return () => true
    // A log record stands below the name of what it is about, in brackets.
    return dn => isBelow(dn, below) || dn.startsWith(`subj-[${below}/`) || dn.startsWith(`subj-[${below}]`)
  }
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

/** The words of a comma list. */
export function commas(value: string): string[] {
  return value.split(',').filter(word => word !== '')
}
