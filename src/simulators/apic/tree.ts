/** The management information tree: objects by DN, by class and by parent. A parent need not exist itself. */
import { parentOf, rnOf } from './dn.ts'
import type { Attributes } from './model.ts'

export interface Mo {
  readonly className: string
  readonly dn: string
  readonly rn: string
  readonly attributes: Attributes
}

export class Tree {
  readonly #objects = new Map<string, Mo>()
  readonly #classes = new Map<string, Map<string, Mo>>()
  /** Every DN that exists or has something below it → the DNs right below. */
  readonly #below = new Map<string, Set<string>>()

  get(dn: string): Mo | undefined {
    return this.#objects.get(dn)
  }

  get size(): number {
    return this.#objects.size
  }

  ofClass(className: string): Iterable<Mo> {
    return this.#classes.get(className)?.values() ?? []
  }

  add(className: string, dn: string, attributes: Attributes): Mo {
    const mo: Mo = { className, dn, rn: rnOf(dn), attributes }
    this.#objects.set(dn, mo)
    let members = this.#classes.get(className)
    if (members === undefined) {
      members = new Map()
      this.#classes.set(className, members)
    }
    members.set(dn, mo)
    for (let child = dn; child !== ''; ) {
      const parent = parentOf(child)
      const siblings = this.#below.get(parent)
      if (siblings !== undefined) {
        siblings.add(child)
        break
      }
      this.#below.set(parent, new Set([child]))
      child = parent
    }
    return mo
  }

  /** All of it as it is now; later changes of either leave the other alone. */
  copy(): Tree {
    const copy = new Tree()
    for (const mo of this.#objects.values()) copy.add(mo.className, mo.dn, { ...mo.attributes })
    return copy
  }

  /** The objects right below a DN. */
  *children(dn: string): Iterable<Mo> {
    for (const child of this.#below.get(dn) ?? []) {
      const mo = this.#objects.get(child)
      if (mo !== undefined) yield mo
    }
  }

  /** The object at a DN, if there is one, and everything below it, parents before children. */
  *subtree(dn: string): Iterable<Mo> {
    const mo = this.#objects.get(dn)
    if (mo !== undefined) yield mo
    for (const child of this.#below.get(dn) ?? []) yield* this.subtree(child)
  }

  /** Takes an object and all below it out; gives what was there, parents before children. */
  remove(dn: string): Mo[] {
    const gone = [...this.subtree(dn)]
    for (const mo of gone) {
      this.#objects.delete(mo.dn)
      this.#classes.get(mo.className)?.delete(mo.dn)
    }
    this.#forgetBelow(dn)
    for (let child = dn; child !== ''; ) {
      const parent = parentOf(child)
      const siblings = this.#below.get(parent)
      siblings?.delete(child)
      if (siblings === undefined || siblings.size > 0 || this.#objects.has(parent) || parent === '') break
      this.#below.delete(parent)
      child = parent
    }
    return gone
  }

  #forgetBelow(dn: string): void {
    for (const child of this.#below.get(dn) ?? []) this.#forgetBelow(child)
    this.#below.delete(dn)
  }
}
