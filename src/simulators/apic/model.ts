/**
 * The part of the management information model that the simulator knows: relative names, properties, which classes are
 * logs, which are abstract. Classes outside it are refused with code 12, as a release refuses what it doesn't know.
 */
import { CLASSES, type ClassEntry, COMMON_CONFIG, KNOWN_WITHOUT_MODEL, READ_ONLY } from './model-classes.ts'

export type Attributes = Record<string, string>

interface RnFormat {
  readonly format: string
  readonly naming: readonly string[]
  readonly pattern: RegExp
}

export interface ClassModel extends ClassEntry {
  readonly name: string
  readonly format?: RnFormat
}

/** Log classes and the relative name under `subj-[AFFECTED]` that each uses. */
export const LOG_RN: Readonly<Record<string, string>> = {
  faultRecord: 'fr',
  eventRecord: 'rec',
  healthRecord: 'hr',
  aaaModLR: 'mod',
  aaaSessionLR: 'sess',
}

/** Abstract classes and what they stand for. A query takes them; a push carries the concrete name. */
const ABSTRACT: Readonly<Record<string, readonly string[]>> = {
  faultInfo: ['faultInst', 'faultDelegate'],
  fvEPg: ['fvAEPg', 'fvESg', 'l3extInstP', 'mgmtInB'],
  fvATg: ['fvAEPg'],
  fvComp: ['fvBD', 'fvCtx', 'fvTenant', 'fvAp', 'fvAEPg'],
  healthARecord: ['healthRecord'],
  faultARecord: ['faultRecord'],
}

function rnFormat(format: string): RnFormat {
  const naming = [...format.matchAll(/\{(\w+)\}/g)].map(match => String(match[1]))
  const source = format.replace(/[[\]]/g, '\\$&').replace(/\{\w+\}/g, '(.+)')
  return { format, naming, pattern: new RegExp(`^${source}$`) }
}

export class Model {
  readonly #classes = new Map<string, ClassModel>()

  constructor() {
    for (const [name, entry] of Object.entries(CLASSES)) {
      this.#classes.set(name, {
        ...entry,
        name,
        ...(entry.rn === undefined ? {} : { format: rnFormat(entry.rn) }),
      })
    }
    for (const name of [...KNOWN_WITHOUT_MODEL, ...Object.keys(LOG_RN)]) this.define(name)
  }

  /** Makes a class known, as a newer release would: with a relative name such as `foo-{name}`, or without one. */
  define(name: string, rn?: string): void {
    if (this.#classes.has(name)) return
    this.#classes.set(name, { name, ...(rn === undefined ? {} : { rn, format: rnFormat(rn) }) })
  }

  get(name: string): ClassModel | undefined {
    return this.#classes.get(name)
  }

  /** The concrete classes that a name in a query stands for, or undefined when the name is unknown. */
  concrete(name: string): readonly string[] | undefined {
    return (
      (Object.hasOwn(ABSTRACT, name) ? ABSTRACT[name] : undefined) ?? (this.#classes.has(name) ? [name] : undefined)
    )
  }

  isLog(name: string): boolean {
    return Object.hasOwn(LOG_RN, name)
  }

  /** The relative name that the naming properties make, or undefined when one is missing or there is no format. */
  rn(name: string, attributes: Readonly<Attributes>): string | undefined {
    const format = this.#classes.get(name)?.format
    if (format === undefined) return undefined
    if (format.naming.some(property => (attributes[property] ?? '') === '')) return undefined
    return format.format.replace(/\{(\w+)\}/g, (_, property: string) => attributes[property] ?? '')
  }

  /** The naming properties that a relative name holds; undefined when it doesn't fit the class. */
  naming(name: string, rn: string): Attributes | undefined {
    const format = this.#classes.get(name)?.format
    if (format === undefined) return {}
    const match = format.pattern.exec(rn)
    if (match === null) return undefined
    return Object.fromEntries(format.naming.map((property, index) => [property, match[index + 1] ?? '']))
  }

  /** The configurable class whose relative name this could be: used to make missing parents, as an APIC does. */
  configClassOf(rn: string): ClassModel | undefined {
    for (const model of this.#classes.values()) {
      if (model.config !== undefined && model.format?.naming.length === 1 && model.format.pattern.test(rn)) return model
    }
    return undefined
  }

  /** Whether the class has this property; classes without a property table take any. */
  hasProperty(name: string, property: string): boolean {
    const model = this.#classes.get(name)
    if (model?.config === undefined) return true
    return (
      Object.hasOwn(model.config, property) ||
      Object.hasOwn(COMMON_CONFIG, property) ||
      READ_ONLY.has(property) ||
      Object.hasOwn(model.oper ?? {}, property) ||
      model.format?.naming.includes(property) === true
    )
  }

  /** Whether a POST sets this property; others of the object's own are taken and ignored. */
  isConfigurable(name: string, property: string): boolean {
    if (READ_ONLY.has(property)) return false
    const model = this.#classes.get(name)
    if (model?.config === undefined) return true
    return !Object.hasOwn(model.oper ?? {}, property)
  }

  /** A new object's properties: the defaults of its class, then what was given. */
  defaults(name: string): Attributes {
    const model = this.#classes.get(name)
    if (model?.config === undefined) return { ...model?.oper }
    return { ...COMMON_CONFIG, lcOwn: 'local', monPolDn: '', uid: '0', extMngdBy: '', ...model.config, ...model.oper }
  }
}
