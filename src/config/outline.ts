/**
 * The schema as a tree that can be read: what a key is called, may hold, means and is by default. It is the JSON
 * Schema of the one schema, so sample, messages, overrides and `config schema` can't disagree with the checks.
 */
import { z } from 'zod'
import { configSchema } from './schema.ts'

/** One place in the config. Keywords of JSON Schema, and a few of our own that are left out of the shipped file. */
export interface Place {
  readonly description?: string
  readonly type?: string | readonly string[]
  readonly default?: unknown
  readonly examples?: readonly unknown[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly format?: string
  readonly minimum?: number
  readonly exclusiveMinimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly properties?: Readonly<Record<string, Place>>
  readonly required?: readonly string[]
  readonly items?: Place
  readonly prefixItems?: readonly Place[]
  readonly anyOf?: readonly Place[]
  readonly oneOf?: readonly Place[]
  readonly $ref?: string
  /** A secret: its value is never shown. */
  readonly writeOnly?: boolean
  /** `duration` or `size`: text with a unit. */
  readonly 'x-unit'?: string
  /** What is allowed of that text: `at least 1s`, `from 1s to 10m`. */
  readonly 'x-range'?: string
  /** What else must be set, or so, for this key to be of use; a sentence for the reference page. */
  readonly 'x-needs'?: string
  /** Another key of the same block that this one can stand for. */
  readonly 'x-instead-of'?: string
  /** A value for the sample, where `examples` is not carried over. */
  readonly 'x-example'?: readonly unknown[]
  /** Optional for the schema, since there are other ways, but the sample shows it as what must be set. */
  readonly 'x-must-be-set'?: boolean
  /**
   * A running daemon can't take up a change of it, said in these words if not in the usual ones. Counts for all that is
   * below, unless that says otherwise.
   */
  readonly 'x-needs-restart'?: boolean | string
}

export type Path = readonly (string | number)[]

let known: Place | undefined
let definitions: Readonly<Record<string, Place>> = {}

/** The whole config. Built at the first call: a good config never needs it at start. */
export function outline(): Place {
  if (known === undefined) {
    const schema = z.toJSONSchema(configSchema, { io: 'input' }) as Place & { $defs?: Record<string, Place> }
    definitions = schema.$defs ?? {}
    known = schema
  }
  return known
}

/** What is said of a key that a reload refuses to change, as the end of its description; empty for others. */
export function restartNote(mark: unknown): string {
  if (typeof mark === 'string') return ` ${mark}`
  return mark === true ? ' A change needs a restart.' : ''
}

/** The JSON Schema (draft 2020-12) of the config file, for editors: `config/opswire.schema.json`. */
export function configJsonSchema(): unknown {
  const schema = z.toJSONSchema(configSchema, {
    io: 'input',
    override: ({ jsonSchema }) => {
      const note = restartNote(jsonSchema['x-needs-restart'])
      if (note !== '') jsonSchema.description = `${jsonSchema.description}${note}`
      for (const key of Object.keys(jsonSchema)) if (key.startsWith('x-') || key === 'id') delete jsonSchema[key]
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
    },
  })
  return { ...schema, title: 'opswire configuration' }
}

/** The alternatives a place stands for: references followed, unions opened, `null` kept as a place of its own. */
export function open(place: Place): Place[] {
  if (place.$ref !== undefined) {
    const target = definitions[place.$ref.split('/').at(-1) ?? '']
    return target === undefined ? [] : open(target)
  }
  const options = place.anyOf ?? place.oneOf
  return options === undefined ? [place] : options.flatMap(open)
}

/** The alternatives of a place that fit a value's discriminator (`kind: apic`), or all when none does. */
function fitting(places: readonly Place[], value: unknown): Place[] {
  if (typeof value !== 'object' || value === null) return [...places]
  const fits = places.filter(place =>
    Object.entries(place.properties ?? {}).every(
      ([key, { const: only }]) => only === undefined || only === (value as Record<string, unknown>)[key],
    ),
  )
  return fits.length > 0 ? fits : [...places]
}

/** What may stand at `path`, given the whole input (which decides between kinds of source). Empty: no such place. */
export function placesAt(path: Path, input: unknown): Place[] {
  let places = open(outline())
  let value: unknown = input
  for (const step of path) {
    places = fitting(places, value).flatMap(place => {
      const next = typeof step === 'number' ? (place.prefixItems?.[step] ?? place.items) : place.properties?.[step]
      return next === undefined ? [] : open(next)
    })
    value = child(value, step)
  }
  return fitting(places, value)
}

/** The value below `value`, or undefined. Own properties only. */
export function child(value: unknown, step: string | number): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
  return (value as Record<string | number, unknown>)[step]
}

/** The value at `path`, or undefined. */
export function valueAt(path: Path, input: unknown): unknown {
  return path.reduce<unknown>(child, input)
}

/** `sources[0].tls.verify` */
export function spell(path: Path): string {
  return path.map((step, at) => (typeof step === 'number' ? `[${step}]` : `${at === 0 ? '' : '.'}${step}`)).join('')
}

/** Calls `visit` for each value of the input that has a place in the schema, blocks before what is in them. */
export function walk(input: unknown, visit: (path: Path, value: unknown, places: readonly Place[]) => void): void {
  const step = (path: Path, value: unknown): void => {
    const places = placesAt(path, input)
    if (places.length === 0) return
    visit(path, value, places)
    if (Array.isArray(value)) {
      for (const [index, item] of value.entries()) step([...path, index], item)
    } else if (typeof value === 'object' && value !== null) {
      for (const [key, item] of Object.entries(value)) step([...path, key], item)
    }
  }
  step([], input)
}
