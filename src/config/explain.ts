/** The schema library's issues in plain words: where, what is wrong, what would be right. */
import type { z } from 'zod'
import { nearest } from './nearest.ts'
import { child, type Path, type Place, placesAt, valueAt } from './outline.ts'
import type { Finding } from './problems.ts'
import { NO_OPERATOR } from './query-rules.ts'

type Issue = z.core.$ZodIssue

const NOT_EMPTY = 'text that is not empty'
/** Longer lists of keys are told only when there is no better hint. */
const MOST_TOLD = 10

/** The findings for a failed parse of `input`. Secrets are never quoted. */
export function explain(issues: readonly Issue[], input: unknown): Finding[] {
  const findings: Told[] = issues.flatMap(issue => explainOne(issue, input))
  // `verfy` for a needed `verify` is one mistake, told once.
  const meant = new Set(
    findings
      .filter(finding => finding.code === 'unknown_key' && finding.nearest !== undefined)
      .map(finding => JSON.stringify([...finding.path.slice(0, -1), finding.nearest])),
  )
  const kept = findings.filter(finding => {
    if (finding.code !== 'missing') return true
    const onBlock = finding.needed ?? []
    return ![finding.path, ...onBlock.map(key => [...finding.path, key])].some(path => meant.has(JSON.stringify(path)))
  })
  return kept.map(({ needed, ...finding }) => finding)
}

/** `needed`: keys of the block at `path`, of which one is missing. */
type Told = Finding & { readonly needed?: readonly string[] }

function explainOne(issue: Issue, input: unknown): Told[] {
  const path = issue.path.map(step => (typeof step === 'number' ? step : String(step)))
  if (issue.code === 'unrecognized_keys') return issue.keys.map(key => unknownKey([...path, key], input))
  if (issue.code === 'invalid_union') return explainUnion(issue, path, input)
  if (issue.code === 'custom') {
    const needed = (issue.params?.['needed'] ?? []) as readonly string[]
    if (needed.length > 0) return [{ code: 'missing', path, message: issue.message, allowed: needed, needed }]
    const value = valueAt(path, input)
    const scalar = typeof value === 'string' || typeof value === 'number'
    // A rule between keys sits on a block or speaks of other keys; a rule on one value is clearer with the value.
    return scalar && issue.message.startsWith('must ')
      ? [{ code: 'value', path, message: `${issue.message}; got ${got(value, path, input)}` }]
      : [{ code: 'rule', path, message: issue.message }]
  }
  if (issue.code === 'invalid_format') {
    const message = issue.message.startsWith('Invalid') ? `must be ${wanted(path, input)}` : issue.message
    return [{ code: 'value', path, message: `${message}; got ${got(valueAt(path, input), path, input)}` }]
  }
  return [wrongValue(path, input)]
}

/** A key the schema does not have there. */
function unknownKey(path: Path, input: unknown): Finding {
  const allowed = keysAt(path.slice(0, -1), input)
  const why = allowed.includes('wcard') ? NO_OPERATOR.get(String(path.at(-1))) : undefined
  if (why !== undefined) return { code: 'unknown_key', path, message: `no such operator here: ${why}`, allowed }
  const guess = nearest(String(path.at(-1)), allowed)
  const hint = guess === undefined ? ';' : `; did you mean ${guess}?`
  // With the likely word at hand a long list only hides it.
  const list = guess !== undefined && allowed.length > MOST_TOLD ? '' : ` allowed here: ${allowed.join(', ')}`
  return {
    code: 'unknown_key',
    path,
    message: `unknown key${hint}${list}`,
    allowed,
    ...(guess === undefined ? {} : { nearest: guess }),
  }
}

function keysAt(path: Path, input: unknown): string[] {
  return [...new Set(placesAt(path, input).flatMap(place => Object.keys(place.properties ?? {})))]
}

/** A value of the wrong type, out of range, not one of the allowed words, or not there at all. */
function wrongValue(path: Path, input: unknown): Finding {
  const value = valueAt(path, input)
  const want = wanted(path, input)
  const key = path.at(-1)
  if (value === undefined && typeof key === 'string') {
    const meaning = placesAt(path, input).find(place => place.description !== undefined)?.description ?? ''
    const about = meaning === '' ? '' : ` (${meaning.replace(/\.$/, '')})`
    const message = `is missing; it must be ${want === NOT_EMPTY ? 'text' : want}${about}`
    return { code: 'missing', path, message, ...allowedAt(path, input) }
  }
  const { allowed } = allowedAt(path, input)
  const guess = typeof value === 'string' && allowed !== undefined ? nearest(value, allowed) : undefined
  return {
    code: 'value',
    path,
    message: `must be ${want}; got ${got(value, path, input)}${guess === undefined ? '' : ` (did you mean ${guess}?)`}${advice(value, path, input)}`,
    ...(allowed === undefined ? {} : { allowed }),
    ...(guess === undefined ? {} : { nearest: guess }),
  }
}

function allowedAt(path: Path, input: unknown): { allowed?: string[] } {
  const allowed = placesAt(path, input).flatMap(place =>
    place.const === undefined ? (place.enum ?? []) : [place.const],
  )
  return allowed.length === 0 ? {} : { allowed: allowed.map(String) }
}

/** The usual slips of YAML, and how to write it right. */
function advice(value: unknown, path: Path, input: unknown): string {
  const places = placesAt(path, input)
  const takes = (type: string): boolean => places.some(place => [place.type].flat().includes(type))
  if (typeof value === 'number' && places.some(place => place['x-unit'] !== undefined)) return ': add the unit'
  if (typeof value === 'string' && takes('boolean') && /^(yes|no|on|off)$/i.test(value)) {
    return ` (write ${/^(yes|on)$/i.test(value) ? 'true' : 'false'})`
  }
  if (typeof value === 'string' && takes('integer') && /^\d+$/.test(value)) return ': leave out the quotes'
  if ((typeof value === 'number' || typeof value === 'boolean') && takes('string')) return ': put it in quotes'
  if (typeof value === 'string' && takes('array')) return ': write it as a list, [ … ]'
  return ''
}

/** Tells the branch of a union that was meant: the one whose shape fits best. */
function explainUnion(issue: z.core.$ZodIssueInvalidUnion, path: Path, input: unknown): Finding[] {
  const value = valueAt(path, input)
  if (issue.errors.length === 0) return [wrongValue(path, input)]
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const keys = keysAt(path, input)
    const own = Object.keys(value)
    const strange = own.filter(key => !keys.includes(key))
    if (keys.length > 0 && strange.length > 0) return strange.map(key => unknownKey([...path, key], input))
    const known = own.filter(key => keys.includes(key))
    if (keys.length > 0 && known.length !== 1) {
      const message = `must have exactly one of ${keys.join(', ')}; got ${known.length === 0 ? 'none' : known.join(' and ')}`
      return [{ code: 'rule', path, message, allowed: keys }]
    }
  }
  const branches = issue.errors.toSorted((a, b) => misfit(a) - misfit(b))
  const best = branches[0] ?? []
  if (misfit(best) >= MISFIT_TYPE || best.some(inner => inner.path.length === 0 && inner.code === 'invalid_value')) {
    return [wrongValue(path, input)]
  }
  return best.flatMap(inner => explainOne({ ...inner, path: [...path, ...inner.path] }, input))
}

const MISFIT_TYPE = 1000

/** How far a branch is from what was written: a wrong type at its root is furthest, an issue deep inside is nearest. */
function misfit(issues: readonly Issue[]): number {
  let sum = 0
  for (const issue of issues) {
    if (issue.path.length > 0) sum += 1
    else if (issue.code === 'invalid_type') sum += MISFIT_TYPE
    else sum += issue.code === 'unrecognized_keys' || issue.code === 'invalid_value' ? 100 : 10
  }
  return sum
}

/** What may stand at `path`, in words. */
function wanted(path: Path, input: unknown): string {
  const places = placesAt(path, input)
  const blocks = places.filter(place => place.properties !== undefined)
  const oneBlock = blocks.length > 1 ? [`a block with one of ${keysAt(path, input).join(', ')}`] : []
  const others = places.filter(place => place.const === undefined && (blocks.length < 2 || !blocks.includes(place)))
  const words = [...oneBlock, ...new Set(others.map(describePlace))]
  const constants = places.flatMap(place => (place.const === undefined ? [] : [String(place.const)]))
  if (constants.length > 0) words.unshift(constants.length === 1 ? `${constants[0]}` : `one of ${constants.join(', ')}`)
  return words.length === 0 ? 'something else' : words.join(', or ')
}

function describePlace(place: Place): string {
  if (place.enum !== undefined) return `one of ${place.enum.join(', ')}`
  if (place['x-unit'] === 'duration') return 'a duration such as 10s, 5m, 1h or 7d'
  if (place['x-unit'] === 'size') return 'a size such as 64KiB, 500MB or 2GiB'
  const type = [place.type].flat()[0]
  const nullable = [place.type].flat().includes('null') && type !== 'null' ? ', or null' : ''
  if (type === 'string') return `${stringWords(place)}${nullable}`
  if (type === 'boolean') return 'true or false'
  if (type === 'null') return 'null'
  if (type === 'integer' || type === 'number') return numberWords(place)
  if (type === 'array') return arrayWords(place)
  if (place.properties !== undefined) {
    const keys = Object.keys(place.properties)
    return `a block with ${keys.length > 8 ? 'its keys' : keys.join(', ')}`
  }
  return 'something else'
}

function stringWords(place: Place): string {
  if (place.format === 'uri') return 'a URL such as https://host.example.net'
  if (place.format === 'date-time') return 'a time such as 2026-12-31T00:00:00Z, with its zone'
  return place.minLength === undefined ? 'text' : NOT_EMPTY
}

function numberWords(place: Place): string {
  const { minimum, exclusiveMinimum, maximum } = place
  const low = minimum ?? (exclusiveMinimum === undefined ? undefined : exclusiveMinimum + 1)
  const high = maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum
  const kind = place.type === 'integer' ? 'a whole number' : 'a number'
  if (low !== undefined && high !== undefined) return `${kind} from ${low} to ${high}`
  return low === undefined ? kind : `${kind} of at least ${low}`
}

function arrayWords(place: Place): string {
  if (place.prefixItems !== undefined) return `a list of ${place.prefixItems.length}, such as [class.property, value]`
  if (place.maxItems === 0) return 'an empty list'
  const one =
    place.minItems === undefined ? '' : place.minItems === place.maxItems ? ' of one entry' : ' of at least one entry'
  return `a list${one}`
}

/** A value, told so that a person knows it again; never the value of a secret, or of anything that may be one. */
export function got(value: unknown, path: Path, input: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'nothing (the key has no value)'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`
  if (typeof value === 'object') return 'a block of keys'
  if (isSecret(path, input)) return `a ${typeof value} that is not shown here`
  if (typeof value === 'string') {
    if (/^\S*:\S*@/.test(value)) return 'a text with a user and password, not shown here'
    return value === '' ? 'empty text' : `"${value.length > 60 ? `${value.slice(0, 57)}…` : value}"`
  }
  return `the ${typeof value === 'boolean' ? 'value' : 'number'} ${String(value)}`
}

/** True when `path` is, or is inside, a secret, or looks like one by its name. */
export function isSecret(path: Path, input: unknown): boolean {
  return path.some((step, index) => {
    if (typeof step === 'number') return false
    // Somebody may have put the secret itself where its place is asked for.
    if (/_(env|credential)$/.test(step)) return true
    const here = path.slice(0, index + 1)
    if (placesAt(here, input).some(place => place.writeOnly === true)) return true
    const unknown = placesAt(here, input).length === 0 && child(valueAt(here.slice(0, -1), input), step) !== undefined
    return unknown && /pass|secret|token|seed|key|cred/i.test(step)
  })
}
