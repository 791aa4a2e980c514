/**
 * Filter expressions: as text for the controller, and as a judgement of ours on objects with a state (a property
 * filter on the controller would eat the deletions, which carry no properties: reference a7, b13).
 */
import type { FilterExpression } from '../../config/query.ts'
import { names } from './classes.ts'
import { DEEPEST } from './filter-text.ts'
import { shown, unaskable, unsendable } from './unaskable.ts'

type Attributes = Readonly<Record<string, string>>
type Operand = string | number | boolean | FilterExpression

/** Least to most severe: `ge(eventRecord.severity,"minor")` compares by rank. */
const SEVERITIES = ['cleared', 'info', 'warning', 'minor', 'major', 'critical']

/**
 * The expression in the guide's grammar, not escaped. `allbits` becomes `and(anybit…)`: no known release accepts it
 * (reference a9). Throws `Unaskable` (config), naming `key`, for a value that can't be written safely.
 */
export function filterText(filter: FilterExpression, key = 'filter'): string {
  return textOf(filter, key, 0)
}

function textOf(filter: FilterExpression, key: string, depth: number): string {
  if (depth > DEEPEST) throw unaskable(key, `is nested deeper than ${DEEPEST} levels`)
  const [operator, operands] = partsOf(filter)
  switch (operator) {
    case 'true':
    case 'false':
      return `${operator}()`
    case 'not':
    case 'and':
    case 'or':
    case 'xor':
      return `${operator}(${expressionsOf(operands)
        .map(inner => textOf(inner, key, depth + 1))
        .join(',')})`
    case 'allbits': {
      const [property, value] = wordsOf(operands)
      const bits = bitsOf(value ?? '').map(bit => `anybit(${property},${quoted(bit, key)})`)
      if (bits.length === 0) throw unaskable(key, 'allbits names no bit')
      return bits.length === 1 ? (bits[0] ?? '') : `and(${bits.join(',')})`
    }
    default: {
      const [property, ...values] = wordsOf(operands)
      // How a release takes a question for none of the flags is not known.
      if (operator === 'anybit' && bitsOf(values[0] ?? '').length === 0) throw unaskable(key, 'anybit names no bit')
      return `${operator}(${[property, ...values.map(value => quoted(value, key))].join(',')})`
    }
  }
}

/**
 * Whether an object matches, judged as a controller would: numbers by value, times by instant, severities by rank, all
 * else as text. A property of another class matches nothing.
 */
export function filterMatches(filter: FilterExpression, cls: string, attributes: Attributes): boolean {
  const [operator, operands] = partsOf(filter)
  const every = (): boolean[] => expressionsOf(operands).map(inner => filterMatches(inner, cls, attributes))
  switch (operator) {
    case 'true':
      return true
    case 'false':
      return false
    case 'and':
      return every().every(Boolean)
    case 'or':
      return every().some(Boolean)
    case 'xor':
      return every().filter(Boolean).length % 2 === 1
    case 'not':
      return !every().every(Boolean)
    default: {
      const [property = '', ...values] = wordsOf(operands)
      const dot = property.indexOf('.')
      if (!names(property.slice(0, dot), cls)) return false
      return compare(operator, attributes[property.slice(dot + 1)], values)
    }
  }
}

/** Every comparison of an expression, outermost first. */
export function* comparisons(filter: FilterExpression): Generator<Comparison> {
  const [operator, operands] = partsOf(filter)
  if (operator === 'true' || operator === 'false') return
  if (['and', 'or', 'xor', 'not'].includes(operator)) {
    for (const inner of expressionsOf(operands)) yield* comparisons(inner)
    return
  }
  const [written = '', ...values] = wordsOf(operands)
  const dot = written.indexOf('.')
  yield { operator, cls: written.slice(0, dot), property: written.slice(dot + 1), values }
}

export interface Comparison {
  readonly operator: string
  readonly cls: string
  readonly property: string
  readonly values: readonly string[]
}

function compare(operator: string, actual: string | undefined, values: readonly string[]): boolean {
  const [first = '', second = ''] = values
  if (actual === undefined) return operator === 'ne'
  switch (operator) {
    case 'eq':
      return order(actual, first) === 0
    case 'ne':
      return order(actual, first) !== 0
    case 'lt':
      return order(actual, first) < 0
    case 'le':
      return order(actual, first) <= 0
    case 'gt':
      return order(actual, first) > 0
    case 'ge':
      return order(actual, first) >= 0
    case 'bw':
      return order(actual, first) >= 0 && order(actual, second) <= 0
    case 'anybit':
      return bitsOf(first).some(bit => bitsOf(actual).includes(bit))
    case 'allbits':
      return bitsOf(first).every(bit => bitsOf(actual).includes(bit))
    case 'wcard':
      return wildcard(actual, first)
    default:
      return false
  }
}

/** `007` is a name, or a text of digits: no APIC writes a number so. */
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?$/
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d/

/** Below, at or above 0, as `left` is less than, equal to or more than `right`. */
export function order(left: string, right: string): number {
  if (left === right) return 0
  if (NUMBER.test(left) && NUMBER.test(right)) {
    const difference = Number(left) - Number(right)
    // Ids of 64 bits are longer than a number holds.
    if (difference !== 0 || left.includes('.') || right.includes('.')) return difference
  }
  if (TIME.test(left) && TIME.test(right)) {
    const difference = Date.parse(left) - Date.parse(right)
    if (!Number.isNaN(difference)) return difference
  }
  const [a, b] = [SEVERITIES.indexOf(left), SEVERITIES.indexOf(right)]
  if (a !== -1 && b !== -1) return a - b
  return left < right ? -1 : 1
}

function bitsOf(flags: string): string[] {
  return flags.split(',').filter(bit => bit !== '')
}

/** Without a `*` the pattern is looked for anywhere, as the GUI uses it (reference a9); with one it is the whole value. */
function wildcard(value: string, pattern: string): boolean {
  if (!pattern.includes('*')) return value.includes(pattern)
  const pieces = pattern.split('*')
  const head = pieces[0] ?? ''
  const tail = pieces.at(-1) ?? ''
  if (value.length < head.length + tail.length || !value.startsWith(head) || !value.endsWith(tail)) return false
  let at = head.length
  for (const piece of pieces.slice(1, -1)) {
    const found = value.indexOf(piece, at)
    if (found === -1) return false
    at = found + piece.length
  }
  return at <= value.length - tail.length
}

/** The operator of an expression and what it is given. */
export function partsOf(filter: FilterExpression): [operator: string, operands: readonly Operand[] | FilterExpression] {
  for (const operator in filter) return [operator, filter[operator] ?? []]
  return ['true', []]
}

/** The expressions among the operands of `and`, `or`, `xor`, `not`. */
export function expressionsOf(operands: readonly Operand[] | FilterExpression): FilterExpression[] {
  const list = isList(operands) ? operands : [operands]
  return list.filter((operand): operand is FilterExpression => typeof operand === 'object')
}

function wordsOf(operands: readonly Operand[] | FilterExpression): string[] {
  return isList(operands) ? operands.map(operand => (typeof operand === 'object' ? '' : String(operand))) : []
}

function isList(operands: readonly Operand[] | FilterExpression): operands is readonly Operand[] {
  return Array.isArray(operands)
}

/** A backslash may take the meaning of a quotation mark, or of another one, that follows it (reference a9). */
function quoted(value: string, key: string): string {
  const why = unsendable(value) ?? (value.includes('"') ? 'holds a quotation mark' : undefined)
  if (why !== undefined) throw unaskable(key, `the value ${shown(value)} ${why}`)
  if (/\\(\\|$)/.test(value)) throw unaskable(key, `the value ${shown(value)} holds \\\\, or ends with \\`)
  return `"${value}"`
}
