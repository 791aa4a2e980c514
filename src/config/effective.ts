/** What the daemon would really use, key by key, and where each value comes from. Secrets are masked. */
import { stringify } from 'yaml'
import type { Loaded, ValueOrigin } from './load.ts'
import { open, outline, type Path, type Place, placesAt, valueAt } from './outline.ts'

export interface Setting {
  readonly path: Path
  /** As one would write it in the file; masked for a secret; undefined when it is not set and has no default. */
  readonly value: unknown
  readonly origin: 'default' | 'not set' | ValueOrigin
}

const MASK = '********'

/** Every key of the schema in its order, for the sources that are configured. Lists are one setting each. */
export function effective(loaded: Loaded): Setting[] {
  const settings: Setting[] = []
  for (const [key, place] of Object.entries(outline().properties ?? {})) collect([key], place, loaded, settings)
  return settings
}

function collect(path: Path, place: Place, loaded: Loaded, into: Setting[]): void {
  const value = valueAt(path, loaded.input)
  const block = blockOf(path, place, value, loaded)
  if (block !== undefined) {
    for (const [key, inner] of Object.entries(block.properties ?? {})) collect([...path, key], inner, loaded, into)
    return
  }
  if (path.length === 1 && path[0] === 'sources' && Array.isArray(value)) {
    value.forEach((_, index) => {
      const at = [...path, index]
      for (const [key, inner] of Object.entries(placesAt(at, loaded.input)[0]?.properties ?? {})) {
        collect([...at, key], inner, loaded, into)
      }
    })
    return
  }
  if (Array.isArray(value) && value.some(item => typeof item === 'object')) {
    value.forEach((item, index) => {
      const at = [...path, index]
      into.push({ path: at, value: withDefaults(item, placesAt(at, loaded.input)), origin: loaded.origin(at) })
    })
    return
  }
  if (value === undefined) {
    if (place.default !== undefined) into.push({ path, value: place.default, origin: 'default' })
    // The unset spellings of a secret, and other ways to log in, would only be noise.
    else if (place['x-instead-of'] === undefined) into.push({ path, value: undefined, origin: 'not set' })
    return
  }
  into.push({ path, value: masked(value, place), origin: loaded.origin(path) })
}

/** The block a place stands for, when its keys are to be told one by one. */
function blockOf(path: Path, place: Place, value: unknown, loaded: Loaded): Place | undefined {
  if (value === null) return undefined
  if (value !== undefined) return placesAt(path, loaded.input).find(inner => inner.properties !== undefined)
  const hasDefault = typeof place.default === 'object' && place.default !== null && !Array.isArray(place.default)
  return hasDefault ? open(place).find(inner => inner.properties !== undefined) : undefined
}

function masked(value: unknown, place: Place): unknown {
  return place.writeOnly === true ? MASK : value
}

function withDefaults(item: unknown, places: readonly Place[]): unknown {
  if (typeof item !== 'object' || item === null) return item
  const added = places.flatMap(place =>
    Object.entries(place.properties ?? {}).filter(
      ([key, inner]) => inner.default !== undefined && !Object.hasOwn(item, key),
    ),
  )
  return { ...item, ...Object.fromEntries(added.map(([key, inner]) => [key, inner.default])) }
}

/** The settings as YAML: a file that says the same (but for secrets), with each value's origin behind it. */
export function showSettings(settings: readonly Setting[], file: string): string {
  const rows: { text: string; note: string }[] = []
  let before: Path = []
  for (const { path, value, origin } of settings) {
    const end = path.length - 1
    let shared = 0
    while (shared < end && before[shared] === path[shared]) shared++
    // A number among the new steps opens an item of a list: its first key stands behind a dash.
    let dash = false
    for (const [depth, step] of path.entries()) {
      if (depth < shared || depth === end) continue
      if (typeof step === 'number') dash = true
      else rows.push({ text: `${indent(depth, false)}${step}:`, note: '' })
    }
    const last = path[end]
    const text = value === undefined ? '' : flow(value)
    if (typeof last === 'number') rows.push({ text: `${'  '.repeat(end)}- ${text}`, note: sayOrigin(origin, file) })
    else if (value === undefined) rows.push({ text: `${indent(end, false)}# ${last}:`, note: 'not set' })
    else rows.push({ text: `${indent(end, dash)}${last}: ${text}`, note: sayOrigin(origin, file) })
    before = path
  }
  const width = Math.min(60, Math.max(0, ...rows.map(row => row.text.length)))
  return `${rows.map(({ text, note }) => (note === '' ? text : `${text.padEnd(width)}  # ${note}`)).join('\n')}\n`
}

function indent(depth: number, dash: boolean): string {
  return dash ? `${'  '.repeat(Math.max(0, depth - 1))}- ` : '  '.repeat(depth)
}

/** A value in one line of YAML. */
export function flow(value: unknown): string {
  return stringify(value, { collectionStyle: 'flow', lineWidth: 0, blockQuote: false }).trimEnd()
}

function sayOrigin(origin: Setting['origin'], file: string): string {
  if (typeof origin === 'string') return origin
  return 'variable' in origin ? `$${origin.variable}` : `${file}:${origin.line}`
}
