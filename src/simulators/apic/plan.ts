/** What a posted body asks for, checked against the model before anything is touched: a command is done whole or not. */
import type { MoBody } from './body.ts'
import { isWithin, joinDn, parentOf, rnOf } from './dn.ts'
import type { Attributes, Model } from './model.ts'
import { ApicError, unknownClass } from './refusal.ts'
import type { Tree } from './tree.ts'

export interface Step {
  readonly action: 'upsert' | 'delete'
  readonly className: string
  readonly dn: string
  /** Naming properties and what was posted; nothing that the object sets itself. */
  readonly given: Attributes
}

const NAME = /^[A-Za-z0-9_.:-]{1,64}$/

/** Where an object of a body belongs: by its dn, its rn, its naming properties, or where the URL points. */
function placeOf(model: Model, body: MoBody, base: string, nested: boolean): string {
  const { dn, rn } = body.attributes
  if (dn !== undefined && dn !== '') {
    if (!isWithin(dn, base) && base !== '') {
      throw new ApicError(400, '104', `Dn mismatch: ${dn} is not below ${base}`)
    }
    return dn
  }
  const made = rn !== undefined && rn !== '' ? rn : model.rn(body.className, body.attributes)
  if (made !== undefined) {
    const isHere = !nested && base !== '' && rnOf(base) === made
    return isHere ? base : joinDn(base, made)
  }
  if (!nested && base !== '') return base
  throw new ApicError(400, '120', `${body.className}: no dn, and its naming properties are missing`)
}

function check(model: Model, body: MoBody, dn: string): Attributes {
  const naming = model.naming(body.className, rnOf(dn))
  if (naming === undefined) {
    throw new ApicError(400, '104', `Invalid DN ${dn}: wrong rn prefix ${rnOf(dn)} for class ${body.className}`)
  }
  const given: Attributes = {}
  for (const [property, value] of Object.entries(body.attributes)) {
    if (!model.hasProperty(body.className, property)) {
      throw new ApicError(400, '122', `unknown attribute '${property}' in element '${body.className}'`)
    }
    if (model.isConfigurable(body.className, property)) given[property] = value
  }
  for (const [property, value] of Object.entries(naming)) {
    if (given[property] !== undefined && given[property] !== value) {
      throw new ApicError(400, '104', `Dn mismatch: ${property} '${given[property]}' at ${dn}`)
    }
    given[property] = value
  }
  const { name } = naming
  if (name !== undefined && model.get(body.className)?.config !== undefined && !NAME.test(name)) {
    throw new ApicError(400, '801', `property name of ${rnOf(dn)} failed validation for value '${name}'`)
  }
  return given
}

/** The steps of a body posted at `base`, outermost first. Throws `ApicError`; changes nothing. */
export function planPost(model: Model, tree: Tree, base: string, body: MoBody, nested = false): Step[] {
  const { className } = body
  if (model.get(className) === undefined) throw unknownClass(className)
  if (model.isLog(className)) throw new ApicError(400, '103', `${className} is not configurable here`)
  const dn = placeOf(model, body, base, nested)
  const status = new Set((body.attributes['status'] ?? '').split(',').filter(word => word !== ''))
  for (const word of status) {
    if (!['created', 'modified', 'deleted'].includes(word)) throw new ApicError(400, '107', `Invalid status '${word}'`)
  }
  const there = tree.get(dn)
  if (there !== undefined && there.className !== className && className !== 'polUni') {
    throw new ApicError(400, '104', `${dn} is a ${there.className}, not a ${className}`)
  }
  if (status.has('deleted')) return [{ action: 'delete', className, dn, given: check(model, body, dn) }]
  if (status.has('created') && !status.has('modified') && there !== undefined) {
    const text = `child (Rn) of class ${className} is already attached. dn[(Dn0)] Dn0=${parentOf(dn)}, Rn0=${rnOf(dn)}, `
    throw new ApicError(400, '103', text)
  }
  if (status.has('modified') && !status.has('created') && there === undefined) {
    throw new ApicError(400, '102', `configured object ((Dn0)) not found Dn0=${dn}, `)
  }
  const steps: Step[] = [
    ...(nested ? [] : missingParents(model, tree, dn)),
    { action: 'upsert', className, dn, given: check(model, body, dn) },
  ]
  for (const child of body.children) steps.push(...planPost(model, tree, dn, child, true))
  return steps
}

/** An APIC makes the policy objects on the way to a configured DN. */
function missingParents(model: Model, tree: Tree, dn: string): Step[] {
  const steps: Step[] = []
  for (let parent = parentOf(dn); parent.startsWith('uni/'); parent = parentOf(parent)) {
    if (tree.get(parent) !== undefined) break
    const found = model.configClassOf(rnOf(parent))
    if (found === undefined) break
    steps.unshift({
      action: 'upsert',
      className: found.name,
      dn: parent,
      given: model.naming(found.name, rnOf(parent)) ?? {},
    })
  }
  return steps
}
