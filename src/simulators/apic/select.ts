/** Runs a query over a fabric: which objects, in which order, with what hanging below each. */
import type { MoBody } from './body.ts'
import { order, timeOf } from './compare.ts'
import { isWithin } from './dn.ts'
import type { Fabric } from './fabric.ts'
import type { Attributes } from './model.ts'
import type { Query, Target } from './query.ts'
import { ApicError } from './refusal.ts'
import type { Mo } from './tree.ts'

export interface Selection {
  /** All that match, paged or not. */
  readonly total: number
  readonly objects: readonly MoBody[]
}

export interface SelectOptions {
  /** More objects than this in one answer are refused. */
  readonly maxResults: number
  /** Unsorted answers start somewhere else each time: pages shift. */
  readonly startAt?: number
}

/** Categories of rsp-subtree-include and the classes that they bring. */
const CATEGORIES: Readonly<Record<string, readonly string[]>> = {
  faults: ['faultInst', 'faultDelegate'],
  // The guide's own examples say `fault`.
  fault: ['faultInst', 'faultDelegate'],
  health: ['healthInst'],
  'audit-logs': ['aaaModLR'],
  'event-logs': ['eventRecord'],
  'fault-records': ['faultRecord'],
  'health-records': ['healthRecord'],
  stats: [],
  tasks: [],
}

/** Throws `ApicError` when the answer would be too big. */
export function select(fabric: Fabric, query: Query, options: SelectOptions): Selection {
  let matching = [...scoped(fabric, query)].filter(mo => matches(fabric, query, mo))
  const categories = [...query.include].filter(word => word in CATEGORIES || word === 'relations')
  const below = (mo: Mo): MoBody[] => included(fabric, query, mo, categories)
  const dressed = new Map<string, MoBody[]>()
  if (categories.length > 0 && (query.include.has('required') || query.include.has('no-scoped'))) {
    for (const mo of matching) dressed.set(mo.dn, below(mo))
    if (query.include.has('required')) matching = matching.filter(mo => (dressed.get(mo.dn)?.length ?? 0) > 0)
  }
  if (query.include.has('count')) {
    const count = categories.length === 0 ? matching.length : matching.flatMap(below).length
    const attributes = { childAction: '', count: String(count), dn: '', status: '' }
    return { total: 1, objects: [{ className: 'moCount', attributes, children: [] }] }
  }
  if (categories.length > 0 && query.include.has('no-scoped')) {
    const flat = new Map(matching.flatMap(mo => flatten(fabric, query, mo, categories)).map(mo => [mo.dn, mo]))
    return page(fabric, query, [...flat.values()], options, () => [])
  }
  return page(fabric, query, matching, options, mo => dressed.get(mo.dn) ?? below(mo))
}

function page(
  fabric: Fabric,
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
  if (list.length > options.maxResults) {
    throw new ApicError(400, '1', 'Unable to process the query, result dataset is too big')
  }
  return {
    total,
    objects: list.map(mo => ({
      className: mo.className,
      attributes: shown(fabric, query, mo, false),
      children: below(mo),
    })),
  }
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
function matches(fabric: Fabric, query: Query, mo: Mo): boolean {
  if (query.span !== undefined && fabric.model.isLog(mo.className)) {
    const created = timeOf(mo.attributes['created'] ?? '') ?? 0
    const { lastMs, from, to } = query.span
    if (lastMs !== undefined && created < fabric.time.wall() + fabric.clockAheadMs - lastMs) return false
    if (from !== undefined && created < from) return false
    if (to !== undefined && created > to) return false
  }
  return query.filter === undefined || query.filter(mo.className, mo.attributes) === true
}

function* scoped(fabric: Fabric, query: Query): Iterable<Mo> {
  if (query.scope === 'self') {
    yield* targeted(fabric, query.target)
    return
  }
  const seen = new Set<string>()
  for (const top of targeted(fabric, query.target)) {
    const reach = query.scope === 'children' ? fabric.tree.children(top.dn) : fabric.tree.subtree(top.dn)
    for (const mo of reach) {
      if (seen.has(mo.dn) || query.scopeClasses?.has(mo.className) === false) continue
      seen.add(mo.dn)
      yield mo
    }
  }
  if (query.target.kind !== 'mo') return
  const { dn } = query.target
  const isThere = fabric.tree.get(dn) !== undefined
  // Logs hang below subj-[AFFECTED], which is no object itself; nor need the way to a DN consist of objects.
  const rest = dn.startsWith('subj-[')
    ? fabric.logs.about(dn, fabric.time.now())
    : isThere
      ? []
      : query.scope === 'children'
        ? fabric.tree.children(dn)
        : fabric.tree.subtree(dn)
  for (const mo of rest) if (query.scopeClasses?.has(mo.className) !== false) yield mo
}

function* targeted(fabric: Fabric, target: Target): Iterable<Mo> {
  const now = fabric.time.now()
  switch (target.kind) {
    case 'mo': {
      const mo = fabric.tree.get(target.dn) ?? fabric.logs.get(target.dn, now)
      if (mo !== undefined) yield mo
      return
    }
    case 'class':
      for (const name of target.classes) {
        const members = fabric.model.isLog(name) ? fabric.logs.ofClass(name, now) : fabric.tree.ofClass(name)
        for (const mo of members) {
          const place = fabric.model.isLog(name) ? (mo.attributes['affected'] ?? '') : mo.dn
          if (isWithin(place, target.node)) yield mo
        }
      }
      return
    case 'tags':
      for (const mo of fabric.tree.children(target.dn)) if (mo.className === 'tagInst') yield mo
      return
    case 'tagged':
      for (const tag of fabric.tree.ofClass('tagInst')) {
        if (tag.attributes['name'] !== target.name) continue
        const mo = fabric.tree.get(tag.dn.slice(0, -tag.rn.length - 1))
        if (mo !== undefined) yield mo
      }
  }
}

function isOf(query: Query, categories: readonly string[], mo: Mo): boolean {
  const wanted = categories.some(category =>
    category === 'relations' ? /^[a-z0-9]+R[st][A-Z]/.test(mo.className) : CATEGORIES[category]?.includes(mo.className),
  )
  if (!wanted) return false
  return query.subtreeFilter === undefined || query.subtreeFilter(mo.className, mo.attributes) === true
}

function* logsAbout(
  fabric: Fabric,
  categories: readonly string[],
  accept: (affected: string) => boolean,
): Iterable<Mo> {
  for (const category of categories) {
    for (const name of CATEGORIES[category] ?? []) {
      if (!fabric.model.isLog(name)) continue
      for (const mo of fabric.logs.ofClass(name, fabric.time.now())) {
        if (accept(mo.attributes['affected'] ?? '')) yield mo
      }
    }
  }
}

/** no-scoped: the objects of the categories in the whole subtree, on the top level. */
function flatten(fabric: Fabric, query: Query, mo: Mo, categories: readonly string[]): Mo[] {
  const inTree = [...fabric.tree.subtree(mo.dn)].filter(one => isOf(query, categories, one))
  const inLogs = [...logsAbout(fabric, categories, affected => isWithin(affected, mo.dn))]
  return [...inTree, ...inLogs.filter(one => isOf(query, categories, one))]
}

/** What hangs below an object in the answer: by rsp-subtree, and what rsp-subtree-include adds. */
function included(fabric: Fabric, query: Query, mo: Mo, categories: readonly string[]): MoBody[] {
  if (query.subtree === 'no' && categories.length === 0) return []
  const children: MoBody[] = []
  for (const child of fabric.tree.children(mo.dn)) {
    const deeper = query.subtree === 'full' ? included(fabric, query, child, categories) : []
    // With categories, only they are looked for; without, the classes and the filter of rsp-subtree decide.
    const wanted =
      categories.length > 0
        ? isOf(query, categories, child)
        : query.subtreeClasses?.has(child.className) !== false &&
          (query.subtreeFilter === undefined || query.subtreeFilter(child.className, child.attributes) === true)
    if (!wanted && deeper.length === 0) continue
    children.push({ className: child.className, attributes: shown(fabric, query, child, true), children: deeper })
  }
  for (const row of logsAbout(fabric, categories, affected => affected === mo.dn)) {
    if (isOf(query, categories, row)) {
      children.push({ className: row.className, attributes: { ...row.attributes, rn: row.rn }, children: [] })
    }
  }
  return children
}

/** An object's properties as an answer shows them. Nested objects have `rn` and no `dn`. Secrets are not shown. */
function shown(fabric: Fabric, query: Query, mo: Mo, nested: boolean): Attributes {
  const { className } = mo
  let attributes: Attributes = mo.attributes
  if (className === 'topInfo' || className === 'topSystem') attributes = { ...attributes, currentTime: fabric.stamp() }
  if (className === 'aaaUser') attributes = { ...attributes, encPwd: '', pwd: '' }
  if (query.properties !== 'all') {
    const naming = fabric.model.get(className)?.format?.naming ?? []
    const keep =
      query.properties === 'naming-only'
        ? (name: string) => naming.includes(name)
        : (name: string) => fabric.model.isConfigurable(className, name)
    attributes = Object.fromEntries(Object.entries(attributes).filter(([name]) => name === 'dn' || keep(name)))
  }
  if (!nested) return attributes
  const { dn: _dn, ...rest } = attributes
  return { ...rest, rn: mo.rn }
}
