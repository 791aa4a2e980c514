/**
 * Two sockets of a hand-over push the same things at their own pace, and a deletion names nothing by which it could be told
 * from an earlier one. So the successor holds back what it is pushed until the predecessor has ended, and then tells only
 * what that one had not applied: per object, what is left of the one list after its longest beginning that ends the other.
 */
import type { Change } from './decode.ts'

interface Push {
  readonly sign: string
  /** Monotonic ms. */
  readonly at: number
}

export class HandOver {
  readonly #applied = new Map<string, Push[]>()
  #listeners = 0

  /** Remembers what is applied from now on, until the returned function is called. */
  listen(): () => void {
    this.#listeners++
    let over = false
    return () => {
      if (over) return
      over = true
      this.#listeners--
      if (this.#listeners === 0) this.#applied.clear()
    }
  }

  /** A push was applied at `at`, or found to be old news. Costs nothing while nobody listens. */
  note(change: Change, at: number): void {
    if (this.#listeners === 0) return
    const push = { sign: signOf(change), at }
    const sofar = this.#applied.get(change.dn)
    if (sofar === undefined) this.#applied.set(change.dn, [push])
    else sofar.push(push)
  }

  /** What of `held`, pushed since `sinceAt`, nobody has applied, in its order. */
  news<T extends { readonly change: Change }>(held: readonly T[], sinceAt: number): T[] {
    const mine = new Map<string, T[]>()
    for (const one of held) {
      const sofar = mine.get(one.change.dn)
      if (sofar === undefined) mine.set(one.change.dn, [one])
      else sofar.push(one)
    }
    const known = new Set<T>()
    for (const [dn, pushes] of mine) {
      const theirs = (this.#applied.get(dn) ?? []).filter(push => push.at >= sinceAt).map(push => push.sign)
      const signs = pushes.map(({ change }) => signOf(change))
      for (const one of pushes.slice(0, overlapOf(theirs, signs))) known.add(one)
    }
    return held.filter(one => !known.has(one))
  }
}

/** How many of the first of `later` are the last of `earlier`, at most. */
function overlapOf(earlier: readonly string[], later: readonly string[]): number {
  // The predecessor may be ahead: then all of it is known.
  for (let offset = 0; offset + later.length <= earlier.length; offset++) {
    if (later.every((sign, index) => sign === earlier[offset + index])) return later.length
  }
  for (let length = Math.min(earlier.length, later.length); length > 0; length--) {
    const offset = earlier.length - length
    if (later.slice(0, length).every((sign, index) => sign === earlier[offset + index])) return length
  }
  return 0
}

function signOf({ cls, status, attributes }: Change): string {
  return JSON.stringify([cls, status, Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1))])
}
