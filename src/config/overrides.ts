/** Values from the environment: `OPSWIRE_NATS__STREAM__NAME`, `OPSWIRE_SOURCES__FABRIC_A__PASSWORD_FILE`. */
import { parse } from 'yaml'
import { nearest } from './nearest.ts'
import { child, open, outline, type Path, type Place } from './outline.ts'
import type { Finding } from './problems.ts'

export const PREFIX = 'OPSWIRE_'

/** Variables of ours that say something else than a config value. */
const RESERVED: readonly string[] = ['OPSWIRE_REQUIRE_TOOLS', 'OPSWIRE_TOOLS_DIR']

export interface Override {
  readonly variable: string
  readonly path: Path
}

export interface Overridden {
  /** The input with the overrides in it; the input itself is left as it was. */
  readonly value: unknown
  readonly overrides: readonly Override[]
  readonly problems: readonly Finding[]
}

export type Environment = Readonly<Record<string, string | undefined>>

/** Lays the variables over the parsed file. A variable that names no key of the schema is a problem. */
export function applyOverrides(input: unknown, env: Environment): Overridden {
  const variables = Object.keys(env)
    .filter(name => name.startsWith(PREFIX) && !RESERVED.includes(name) && env[name] !== undefined)
    .toSorted()
  if (variables.length === 0) return { value: input, overrides: [], problems: [] }
  const value = structuredClone(input)
  const overrides: Override[] = []
  const problems: Finding[] = []
  for (const variable of variables) {
    const target = resolve(variable, value)
    if ('problem' in target) {
      problems.push(target.problem)
      continue
    }
    const read = readValue(env[variable] ?? '', target.places)
    if ('message' in read) {
      problems.push({ code: 'override', path: target.path, variable, message: read.message })
      continue
    }
    put(value, target.path, read.value, target.block)
    overrides.push({ variable, path: target.path })
  }
  return { value, overrides, problems }
}

type Target =
  | { readonly path: Path; readonly places: readonly Place[]; readonly block: Place | undefined }
  | { readonly problem: Finding }

function resolve(variable: string, input: unknown): Target {
  const words = variable.slice(PREFIX.length).split('__')
  const path: (string | number)[] = []
  let places = open(outline())
  let block: Place | undefined
  let value = input
  for (const [index, word] of words.entries()) {
    const step = path.length === 1 && path[0] === 'sources' ? sourceStep(word, value) : keyStep(word, places)
    if (step.found === undefined) {
      const before = [...words.slice(0, index), ''].join('__')
      const guess = nearest(word.toLowerCase(), step.allowed)
      const all = step.allowed.map(name => `${PREFIX}${before}${name.toUpperCase().replaceAll('-', '_')}`)
      const meant = guess === undefined ? undefined : `${PREFIX}${before}${guess.toUpperCase().replaceAll('-', '_')}`
      const hint = meant === undefined ? '' : `; did you mean ${[meant, ...words.slice(index + 1)].join('__')}?`
      const what = index === 1 && words[0] === 'SOURCES' ? 'no source of the file has this name' : 'names no config key'
      return {
        problem: {
          code: 'override',
          path: [],
          variable,
          message: `${what}${hint === '' ? `; allowed here: ${all.join(', ')}` : hint}`,
          allowed: all,
          ...(meant === undefined ? {} : { nearest: meant }),
        },
      }
    }
    path.push(step.found)
    block = places.find(place => typeof step.found === 'string' && place.properties?.[step.found] !== undefined)
    value = child(value, step.found)
    places = below(places, step.found, value)
  }
  return { path, places, block }
}

interface Step {
  readonly found: string | number | undefined
  readonly allowed: readonly string[]
}

/** Sources go by name: their order in the file must not matter. */
function sourceStep(word: string, sources: unknown): Step {
  const names = (Array.isArray(sources) ? sources : []).map(source => String(child(source, 'name') ?? ''))
  const at = names.findIndex(name => name.toUpperCase().replaceAll('-', '_') === word)
  return { found: at === -1 ? undefined : at, allowed: names.filter(name => name !== '') }
}

function keyStep(word: string, places: readonly Place[]): Step {
  const allowed = [...new Set(places.flatMap(place => Object.keys(place.properties ?? {})))]
  return { found: allowed.find(key => key.toUpperCase() === word), allowed }
}

function below(places: readonly Place[], step: string | number, value: unknown): Place[] {
  const kind = child(value, 'kind')
  return places
    .flatMap(place => {
      const next = typeof step === 'number' ? place.items : place.properties?.[step]
      return next === undefined ? [] : open(next)
    })
    .filter(place => typeof step === 'string' || kind === undefined || place.properties?.['kind']?.const === kind)
}

/** The variable's text as the key's type wants it. Texts stay as they are; nothing is expanded. */
function readValue(text: string, places: readonly Place[]): { value: unknown } | { message: string } {
  const types = new Set(places.flatMap(place => [place.type ?? []].flat()))
  const literal = parseQuietly(text)
  if (types.has('boolean') && typeof literal === 'boolean') return { value: literal }
  if ((types.has('integer') || types.has('number')) && typeof literal === 'number') return { value: literal }
  if (types.has('null') && text === 'null') return { value: null }
  if (types.has('array')) {
    if (text.trimStart().startsWith('[')) {
      return Array.isArray(literal) ? { value: literal } : { message: 'begins like a list [ … ] but is not valid YAML' }
    }
    if (!types.has('string')) return { value: text.split(',').map(item => item.trim()) }
  }
  const onlyBlock = types.has('object') && !types.has('string')
  if (onlyBlock) {
    const keys = places.flatMap(place => Object.keys(place.properties ?? {}))
    return { message: `names a whole block; add two underscores and one of its keys: ${keys.join(', ')}` }
  }
  return { value: text }
}

function parseQuietly(text: string): unknown {
  try {
    return parse(text, { prettyErrors: false, logLevel: 'silent', maxAliasCount: 0 })
  } catch {
    return undefined
  }
}

/** Sets the value, making blocks on the way. The other spellings of a secret give way to the one that is set. */
function put(root: unknown, path: Path, value: unknown, block: Place | undefined): void {
  let at = root
  for (const step of path.slice(0, -1)) {
    const next = child(at, step)
    if (typeof next === 'object' && next !== null) at = next
    else at = set(at, step, {})
  }
  const key = path.at(-1)
  if (key === undefined) return
  const base = String(key).replace(/_(file|credential|env)$/, '')
  if (block?.properties?.[base]?.writeOnly === true && typeof at === 'object' && at !== null) {
    for (const end of ['', '_file', '_credential', '_env']) delete (at as Record<string, unknown>)[`${base}${end}`]
  }
  set(at, key, value)
}

function set(target: unknown, key: string | number, value: unknown): unknown {
  if (typeof target === 'object' && target !== null) (target as Record<string | number, unknown>)[key] = value
  return value
}
