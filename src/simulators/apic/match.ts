/** Which changes a subscribed query is told of. Order, pages and counts cut the first answer only. */
import { categoriesOf, isInCategory, isStatistics } from './categories.ts'
import type { Change } from './change.ts'
import { isWithin, nodeOf, parentOf } from './dn.ts'
import type { Fabric } from './fabric.ts'
import type { Query } from './query.ts'
import type { Mo } from './tree.ts'

/**
 * A property filter is asked of the whole object after the change. A deletion carries no properties, so a filter that
 * needs one does not match it, and the deletion is lost (reference/apic.md b13), unless `deletesPass`.
 */
export function isTold(fabric: Fabric, query: Query, change: Change, deletesPass: boolean): boolean {
  if (isStatistics(change.className)) return false
  if (reaches(fabric, query, change)) {
    if (query.filter === undefined) return true
    const known = change.kind === 'deleted' && !deletesPass ? { dn: change.dn, status: 'deleted' } : change.whole
    if (query.filter(change.className, known) === true) return true
  }
  return isBelowResult(fabric, query, change)
}

/** Inside the scope of the query itself. */
function reaches(fabric: Fabric, query: Query, change: Change): boolean {
  const { target, scope, scopeClasses } = query
  if (scopeClasses?.has(change.className) === false) return false
  const log = fabric.model.isLog(change.className)
  switch (target.kind) {
    case 'mo':
      if (scope === 'self') return change.dn === target.dn
      if (scope === 'children') return parentOf(change.dn) === target.dn
      return isWithin(change.dn, target.dn)
    case 'class': {
      const place = log ? (change.whole['affected'] ?? '') : change.dn
      if (!isWithin(place, target.node)) return false
      const isMember = target.classes.has(change.className)
      if (scope === 'self') return isMember
      if (scope === 'children') return isBelow(change.above.slice(0, 1), target.classes, parentOf(change.dn))
      return isMember || isBelow(change.above, target.classes)
    }
    case 'tags':
      return change.className === 'tagInst' && parentOf(change.dn) === target.dn
    case 'tagged':
      return change.className === 'tagInst' ? change.whole['name'] === target.name : change.tags.includes(target.name)
  }
}

/** rsp-subtree and rsp-subtree-include make what hangs below part of the result; it is told object by object. */
function isBelowResult(fabric: Fabric, query: Query, change: Change): boolean {
  if (query.subtree === 'no' && query.include.size === 0) return false
  // Records come by the log, and relations by their own class; what hangs below is told of faults and health.
  const categories = categoriesOf(query.include).filter(word => word === 'faults' || word === 'health')
  if (query.subtree === 'no' && categories.length === 0) return false
  const wanted =
    categories.length > 0
      ? categories.some(category => isInCategory(category, change.className))
      : query.subtreeClasses?.has(change.className) !== false
  if (!wanted) return false
  const direct = query.subtree !== 'full'
  for (const [index, parent] of change.above.entries()) {
    if (direct && (index > 0 || parent.dn !== parentOf(change.dn))) return false
    const { className, dn, attributes } = parent
    const above = change.above.slice(index + 1)
    const own: Change = {
      kind: 'modified',
      className,
      dn,
      attributes,
      whole: attributes,
      tags: fabric.tagsOf(dn),
      above,
    }
    if (reaches(fabric, query, own) && query.filter?.(className, attributes) !== false) return true
  }
  return false
}

function isBelow(above: readonly Mo[], classes: ReadonlySet<string>, dn?: string): boolean {
  return above.some(mo => classes.has(mo.className) && (dn === undefined || mo.dn === dn))
}

/**
 * The node that the news of an object comes from, or undefined when the controllers make it: what a node itself reports
 * lies below its DN; the node's own object is the fabric's word about it.
 */
export function sourceOf(change: Change): string | undefined {
  return reporterOf(change.dn) ?? reporterOf(change.whole['affected'] ?? '')
}

function reporterOf(dn: string): string | undefined {
  const node = nodeOf(dn)
  return node === dn ? undefined : node
}
