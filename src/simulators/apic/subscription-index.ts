/** Which subscriptions a change may concern, found by class and by DN: thousands that it doesn't concern cost nothing. */
import type { Change } from './change.ts'
import type { Subscription } from './subscriptions.ts'

type Bucket = Set<Subscription>

export class SubscriptionIndex {
  /** Queries of a class that see nothing but its own objects. */
  readonly #byClass = new Map<string, Bucket>()
  /** Queries of a class that reach below its objects. */
  readonly #aboveClass = new Map<string, Bucket>()
  /** Queries of one object, whatever their reach, and of its tags. */
  readonly #byDn = new Map<string, Bucket>()
  /** Queries of all that carries a tag. */
  readonly #tagged: Bucket = new Set()

  add(subscription: Subscription): void {
    for (const [map, key] of this.#places(subscription)) {
      const bucket = map.get(key)
      if (bucket === undefined) map.set(key, new Set([subscription]))
      else bucket.add(subscription)
    }
    if (subscription.query.target.kind === 'tagged') this.#tagged.add(subscription)
  }

  delete(subscription: Subscription): void {
    for (const [map, key] of this.#places(subscription)) {
      const bucket = map.get(key)
      bucket?.delete(subscription)
      if (bucket?.size === 0) map.delete(key)
    }
    this.#tagged.delete(subscription)
  }

  /** More than are concerned, never fewer; oldest first. */
  candidates(change: Change): Iterable<Subscription> {
    const buckets: Bucket[] = []
    const see = (bucket: Bucket | undefined): void => {
      if (bucket !== undefined && bucket.size > 0 && !buckets.includes(bucket)) buckets.push(bucket)
    }
    see(this.#byClass.get(change.className))
    see(this.#aboveClass.get(change.className))
    if (this.#aboveClass.size > 0) for (const mo of change.above) see(this.#aboveClass.get(mo.className))
    if (this.#byDn.size > 0) {
      const { dn } = change
      see(this.#byDn.get(dn))
      for (let cut = dn.indexOf('/'); cut >= 0; cut = dn.indexOf('/', cut + 1)) see(this.#byDn.get(dn.slice(0, cut)))
    }
    see(this.#tagged)
    const [only] = buckets
    if (only === undefined) return []
    if (buckets.length === 1) return only
    return [...new Set(buckets.flatMap(bucket => [...bucket]))].sort((a, b) => a.order - b.order)
  }

  #places({ query }: Subscription): [Map<string, Bucket>, string][] {
    const { target, scope, subtree, include } = query
    if (target.kind === 'mo' || target.kind === 'tags') return [[this.#byDn, target.dn]]
    if (target.kind === 'tagged') return []
    const map = scope === 'self' && subtree === 'no' && include.size === 0 ? this.#byClass : this.#aboveClass
    return [...target.classes].map(name => [map, name])
  }
}
