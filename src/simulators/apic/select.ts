/** Runs a query over a fabric: which objects, in which order, with what hanging below each. */
import type { MoBody } from './body.ts'
import { categoriesOf, isInCategory } from './categories.ts'
import { order, timeOf } from './compare.ts'
import { isWithin } from './dn.ts'
import { type Attributes, LOG_RN } from './model.ts'
import type { Query, Target } from './query.ts'
import { ApicError } from './refusal.ts'
import type { Mo } from './tree.ts'
import type { View } from './view.ts'

export interface Selection {
  /** All that match, paged or not. */
  readonly total: number
  readonly objects: readonly MoBody[]
}

export interface SelectOptions {
  /** More objects than this are refused. */
  readonly maxResults: number
  /** What counts: the objects of one answer, all that match, or the latter for log classes only. */
  readonly ceilingCounts: 'answer' | 'matches' | 'log-matches'
  /** HTTP status of that refusal. */
  readonly ceilingStatus: number
  /** Unsorted answers start somewhere else each time: pages shift. */
  readonly startAt?: number
}

/** Throws `ApicError` when the answer would be too big. */
export function select(view: View, query: Query, options: SelectOptions): Selection {
  let matching = [...scoped(view, query)].filter(mo => matches(view, query, mo))
  const categories = categoriesOf(query.include)
  const below = (mo: Mo): MoBody[] => included(view, query, mo, categories)
  const dressed = new Map<string, MoBody[]>()
  // Without a category these two speak of the children that rsp-subtree brings: clients in use ask so.
  const isNested = categories.length > 0 || query.subtree !== 'no'
  if (isNested && (query.include.has('required') || query.include.has('no-scoped'))) {
    for (const mo of matching) dressed.set(mo.dn, below(mo))
    if (query.include.has('required')) matching = matching.filter(mo => (dressed.get(mo.dn)?.length ?? 0) > 0)
  }
  if (query.include.has('count')) {
    const count = categories.length === 0 ? matching.length : matching.flatMap(below).length
    const attributes = { childAction: '', count: String(count), dn: '', status: '' }
    return { total: 1, objects: [{ className: 'moCount', attributes, children: [] }] }
  }
  if (isNested && query.include.has('no-scoped')) {
    const flat = new Map(matching.flatMap(mo => flatten(view, query, mo, categories)).map(mo => [mo.dn, mo]))
    return page(view, query, [...flat.values()], options, () => [])
  }
  return page(view, query, matching, options, mo => dressed.get(mo.dn) ?? below(mo))
}

function page(
  view: View,
  query: Query,
  matching: Mo[],
  options: SelectOptions,
  below: (mo: Mo) => MoBody[],
): Selection {
  const total = matching.length
  let list = matching
  if (query.orderBy.length > 0) list = sorted(matching, query)
  else if (options.startAt !== undefined && total > 0) {
    const start = options.startAt % total
    list = [...matching.slice(start), ...matching.slice(0, start)]
  }
  if (query.pageSize !== undefined || query.page !== undefined) {
    const size = query.pageSize ?? options.maxResults
    list = list.slice((query.page ?? 0) * size, ((query.page ?? 0) + 1) * size)
  }
  const { maxResults, ceilingCounts, ceilingStatus } = options
  const countsAll = ceilingCounts === 'matches' || (ceilingCounts === 'log-matches' && isOfLogs(view, matching))
  if ((countsAll ? total : list.length) > maxResults) {
    throw new ApicError(ceilingStatus, '1', 'Unable to process the query, result dataset is too big')
  }
  return {
    total,
    objects: list.map(mo => ({
      className: mo.className,
      attributes: shown(view, query, mo, false),
      children: below(mo),
    })),
  }
}

function isOfLogs(view: View, matching: readonly Mo[]): boolean {
  const [first] = matching
  return first !== undefined && view.model.isLog(first.className)
}

function sorted(matching: readonly Mo[], query: Query): Mo[] {
  const keyed = matching.map(mo => ({
    mo,
    keys: query.orderBy.map(({ property, key }) => key(mo.attributes[property] ?? '')),
  }))
  keyed.sort((a, b) => {
    for (const [index, { descending }] of query.orderBy.entries()) {
      const sign = order(a.keys[index], b.keys[index])
      if (sign !== 0) return descending ? -sign : sign
    }
    return 0
  })
  return keyed.map(({ mo }) => mo)
}

/** Whether an object of the query's scope is part of its result. */
function matches(view: View, query: Query, mo: Mo): boolean {
  if (query.span !== undefined && view.model.isLog(mo.className)) {
    const created = timeOf(mo.attributes['created'] ?? '') ?? 0
    const { lastMs, from, to } = query.span
    if (lastMs !== undefined && created < view.clockMs - lastMs) return false
    if (from !== undefined && created < from) return false
    if (to !== undefined && created > to) return false
  }
  return query.filter === undefined || query.filter(mo.className, mo.attributes) === true
}

function* scoped(view: View, query: Query): Iterable<Mo> {
  if (query.scope === 'self') {
    yield* targeted(view, query.target)
    return
  }
  const seen = new Set<string>()
  for (const top of targeted(view, query.target)) {
    const reach = query.scope === 'children' ? view.tree.children(top.dn) : view.tree.subtree(top.dn)
    for (const mo of reach) {
      if (seen.has(mo.dn) || query.scopeClasses?.has(mo.className) === false) continue
      seen.add(mo.dn)
      yield mo
    }
  }
  if (query.target.kind !== 'mo') return
  const { dn } = query.target
  const isThere = view.tree.get(dn) !== undefined
  // Logs hang below subj-[AFFECTED], which is no object itself; nor need the way to a DN consist of objects.
  const rest = dn.startsWith('subj-[')
    ? view.logs.about(dn, view.seesTo)
    : isThere
      ? []
      : query.scope === 'children'
        ? view.tree.children(dn)
        : view.tree.subtree(dn)
  for (const mo of rest) if (query.scopeClasses?.has(mo.className) !== false) yield mo
}

function* targeted(view: View, target: Target): Iterable<Mo> {
  const now = view.seesTo
  switch (target.kind) {
    case 'mo': {
      const mo = view.tree.get(target.dn) ?? view.logs.get(target.dn, now)
      if (mo !== undefined) yield mo
      return
    }
    case 'class':
      for (const name of target.classes) {
        const members = view.model.isLog(name) ? view.logs.ofClass(name, now) : view.tree.ofClass(name)
        for (const mo of members) {
          const place = view.model.isLog(name) ? (mo.attributes['affected'] ?? '') : mo.dn
          if (isWithin(place, target.node)) yield mo
        }
      }
      return
    case 'tags':
      for (const mo of view.tree.children(target.dn)) if (mo.className === 'tagInst') yield mo
      return
    case 'tagged':
      for (const tag of view.tree.ofClass('tagInst')) {
        if (tag.attributes['name'] !== target.name) continue
        const mo = view.tree.get(tag.dn.slice(0, -tag.rn.length - 1))
        if (mo !== undefined) yield mo
      }
  }
}

function isOf(query: Query, categories: readonly string[], mo: Mo): boolean {
  if (!categories.some(category => isInCategory(category, mo.className))) return false
  return isWantedChild(query, mo)
}

function* logsAbout(view: View, categories: readonly string[], accept: (affected: string) => boolean): Iterable<Mo> {
  for (const name of Object.keys(LOG_RN)) {
    if (!categories.some(category => isInCategory(category, name))) continue
    for (const mo of view.logs.ofClass(name, view.seesTo)) {
      if (accept(mo.attributes['affected'] ?? '')) yield mo
    }
  }
}

/** no-scoped: the objects of the categories in the whole subtree, on the top level; without a category, the children. */
function flatten(view: View, query: Query, mo: Mo, categories: readonly string[]): Mo[] {
  if (categories.length === 0) {
    const reach = query.subtree === 'full' ? view.tree.subtree(mo.dn) : view.tree.children(mo.dn)
    return [...reach].filter(one => one !== mo && isWantedChild(query, one))
  }
  const inTree = [...view.tree.subtree(mo.dn)].filter(one => isOf(query, categories, one))
  const inLogs = [...logsAbout(view, categories, affected => isWithin(affected, mo.dn))]
  return [...inTree, ...inLogs.filter(one => isOf(query, categories, one))]
}

/** By the classes and the filter of rsp-subtree. */
function isWantedChild(query: Query, { className, attributes }: Mo): boolean {
  if (query.subtreeClasses?.has(className) === false) return false
  return query.subtreeFilter === undefined || query.subtreeFilter(className, attributes) === true
}

/** What hangs below an object in the answer: by rsp-subtree, and what rsp-subtree-include adds. */
function included(view: View, query: Query, mo: Mo, categories: readonly string[]): MoBody[] {
  if (query.subtree === 'no' && categories.length === 0) return []
  const children: MoBody[] = []
  for (const child of view.tree.children(mo.dn)) {
    const deeper = query.subtree === 'full' ? included(view, query, child, categories) : []
    // With categories, only they are looked for; without, the classes and the filter of rsp-subtree decide.
    const wanted = categories.length > 0 ? isOf(query, categories, child) : isWantedChild(query, child)
    if (!wanted && deeper.length === 0) continue
    children.push({ className: child.className, attributes: shown(view, query, child, true), children: deeper })
  }
  for (const row of logsAbout(view, categories, affected => affected === mo.dn)) {
    if (isOf(query, categories, row)) {
      children.push({ className: row.className, attributes: { ...row.attributes, rn: row.rn }, children: [] })
    }
  }
  return children
}

/** An object's properties as an answer shows them. Nested objects have `rn` and no `dn`. Secrets are not shown. */
function shown(view: View, query: Query, mo: Mo, nested: boolean): Attributes {
  const { className } = mo
  let attributes: Attributes = mo.attributes
  if (className === 'topInfo' || className === 'topSystem') attributes = clocked(view, mo)
  if (className === 'aaaUser') attributes = { ...attributes, encPwd: '', pwd: '' }
  if (query.properties !== 'all') {
    const naming = view.model.get(className)?.format?.naming ?? []
    const keep =
      query.properties === 'naming-only'
        ? (name: string) => naming.includes(name)
        : (name: string) => view.model.isConfigurable(className, name)
    attributes = Object.fromEntries(Object.entries(attributes).filter(([name]) => name === 'dn' || keep(name)))
  }
  if (!nested) return attributes
  const { dn: _dn, ...rest } = attributes
  return { ...rest, rn: mo.rn }
}

/** The time, by the clock of whoever tells it: the controller that answers, or another node. */
function clocked(view: View, { className, dn, attributes }: Mo): Attributes {
  if (className === 'topInfo') return { ...attributes, currentTime: view.stamp, id: String(view.nodeId) }
  const isOwn = dn === `topology/pod-1/node-${view.nodeId}/sys`
  if (!isOwn) return { ...attributes, currentTime: view.fabricStamp }
  return { ...attributes, currentTime: view.stamp, clusterTimeDiff: String(view.aheadMs) }
}
