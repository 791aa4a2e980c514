/**
 * Which faultInst and which faultDelegate tell of one problem: the name of the faultInst ends with `/`, what the delegate
 * names as `affected`, `/fault-` and the code (reference b24). Found by code and name, never by a search of the mirror.
 */
import type { ManagedObject } from '../../record.ts'
import { faultCodeOf } from './dn.ts'

/** Before the id in the version of a delegate that nobody was told of. */
export const UNTOLD = 'untold:'

/** True for a delegate that is mirrored without having been told: its twin is, or may yet be. */
export function isUntold(object: Pick<ManagedObject, 'version'>): boolean {
  return object.version.startsWith(UNTOLD)
}

/** Names of objects by code and by what they are about. */
type Names = Map<string, Map<string, Set<string>>>

interface Problem {
  readonly code: string
  readonly affected: string
}

export class TwinIndex {
  readonly #objects: () => Iterable<ManagedObject>
  readonly #delegates: Names = new Map()
  /** Of codes that a delegate has, and no others: most faults are never delegated. */
  readonly #faults: Names = new Map()

  /** `objects`: all that the mirror holds, asked when a delegate with a new code comes. */
  constructor(objects: () => Iterable<ManagedObject>) {
    this.#objects = objects
  }

  /** An object is there from now on (`before` undefined), is changed, or is gone (`after` undefined). */
  replace(before: ManagedObject | undefined, after: ManagedObject | undefined): void {
    const family = (after ?? before)?.family
    if (family === 'faultInst') {
      if (this.#delegates.size === 0 || (before !== undefined && after !== undefined)) return
      if (before !== undefined) this.#removeFault(before.key)
      if (after !== undefined) this.#addFault(after.key)
    } else if (family === 'faultDelegate') {
      const [was, is] = [problemOf(before), problemOf(after)]
      if (was?.code === is?.code && was?.affected === is?.affected) return
      if (before !== undefined && was !== undefined) this.#removeDelegate(before.key, was)
      if (after !== undefined && is !== undefined) this.#addDelegate(after.key, is)
    }
  }

  /** Names of the faultInsts that tell of the same problem as this delegate. */
  faultsOf(delegate: ManagedObject): Iterable<string> {
    const problem = problemOf(delegate)
    return (problem === undefined ? undefined : this.#faults.get(problem.code)?.get(problem.affected)) ?? []
  }

  /** Names of the delegates that tell of the same problem as this faultInst. */
  delegatesOf(faultDn: string): string[] {
    const code = this.#delegates.size === 0 ? undefined : faultCodeOf(faultDn)
    const sameCode = code === undefined ? undefined : this.#delegates.get(code)
    if (sameCode === undefined) return []
    return endsOf(faultDn).flatMap(end => [...(sameCode.get(end) ?? [])])
  }

  /** Names of all delegates that say what they are about. */
  delegates(): string[] {
    return [...this.#delegates.values()].flatMap(sameCode => [...sameCode.values()].flatMap(dns => [...dns]))
  }

  #addDelegate(dn: string, { code, affected }: Problem): void {
    if (!this.#faults.has(code)) {
      this.#faults.set(code, new Map())
      for (const { family, key } of this.#objects()) if (family === 'faultInst') this.#addFault(key)
    }
    put(this.#delegates, code, affected, dn)
  }

  #removeDelegate(dn: string, { code, affected }: Problem): void {
    drop(this.#delegates, code, affected, dn)
    if (!this.#delegates.has(code)) this.#faults.delete(code)
  }

  #addFault(dn: string): void {
    const code = faultCodeOf(dn)
    if (code === undefined || !this.#faults.has(code)) return
    for (const end of endsOf(dn)) put(this.#faults, code, end, dn)
  }

  #removeFault(dn: string): void {
    const code = faultCodeOf(dn)
    if (code === undefined || !this.#faults.has(code)) return
    for (const end of endsOf(dn)) drop(this.#faults, code, end, dn)
    // A code that delegates have stays known, or the next fault of it would be missed.
    if (!this.#faults.has(code)) this.#faults.set(code, new Map())
  }
}

/** What a delegate is about: its properties say so, else its own name, `…/fd-[AFFECTED]-fault-CODE`. */
function problemOf(delegate: ManagedObject | undefined): Problem | undefined {
  if (delegate === undefined) return undefined
  const named = /(?:^|\/)fd-\[(.*)\]-fault-(F\d+)$/.exec(delegate.key)
  const affected = delegate.attributes['affected'] || named?.[1]
  const code = delegate.attributes['code'] || named?.[2]
  return affected === undefined || code === undefined ? undefined : { affected, code }
}

/** Every end of a fault's name that an `affected` can be, the whole of it first: slashes inside brackets begin none. */
function endsOf(faultDn: string): string[] {
  const owner = faultDn.slice(0, faultDn.lastIndexOf('/fault-'))
  const ends = [owner]
  let depth = 0
  for (let at = 0; at < owner.length; at++) {
    const character = owner.charCodeAt(at)
    if (character === 91) depth++
    else if (character === 93) depth = Math.max(0, depth - 1)
    else if (character === 47 && depth === 0) ends.push(owner.slice(at + 1))
  }
  return ends
}

function put(names: Names, code: string, affected: string, dn: string): void {
  const sameCode = names.get(code) ?? new Map<string, Set<string>>()
  names.set(code, sameCode)
  const known = sameCode.get(affected)
  if (known === undefined) sameCode.set(affected, new Set([dn]))
  else known.add(dn)
}

function drop(names: Names, code: string, affected: string, dn: string): void {
  const sameCode = names.get(code)
  const known = sameCode?.get(affected)
  known?.delete(dn)
  if (known?.size === 0) sameCode?.delete(affected)
  if (sameCode?.size === 0) names.delete(code)
}
