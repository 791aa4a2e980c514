/** Reads a filter as the guide prints it: for `raw`, and for filters typed on a command line. */
import { nearest } from '../../config/nearest.ts'
import { colonless, type FilterExpression } from '../../config/query.ts'
import { NO_OPERATOR } from '../../config/query-rules.ts'
import { shown } from './unaskable.ts'

const JOINING = new Set(['and', 'or', 'xor', 'not'])
/** How many values each comparison takes after its property. */
const COMPARING: ReadonlyMap<string, number> = new Map([
  ['eq', 1],
  ['ne', 1],
  ['lt', 1],
  ['gt', 1],
  ['le', 1],
  ['ge', 1],
  ['bw', 2],
  ['anybit', 1],
  ['allbits', 1],
  // A client in use spells it so.
  ['allbit', 1],
  ['wcard', 1],
])
/** The guide lists them without their grammar, and no client in use has one: they go out as they are written. */
const OPAQUE = new Set(['pholder', 'passive'])
const OPERATORS = [...COMPARING.keys(), ...JOINING, 'true', 'false', ...OPAQUE]

/** Deeper than anybody writes; guards the recursion, here and in everything that walks an expression. */
export const DEEPEST = 64

export interface ReadFilter {
  /** undefined when it is well formed but can't be judged here (`pholder`, `passive`). */
  readonly filter: FilterExpression | undefined
  /** What an APIC would refuse, and where; undefined when nothing. */
  readonly problem: string | undefined
}

interface Reader {
  readonly text: string
  at: number
  opaque: boolean
}

class Misread extends Error {}

/** `and(ne(aaaDomain.name,"infra"),…)`, taken apart. Never throws. */
export function readFilter(text: string): ReadFilter {
  const reader: Reader = { text, at: 0, opaque: false }
  try {
    const filter = expression(reader, 0)
    if (reader.at !== text.length) misread(reader, 'the filter is over')
    return { filter: reader.opaque ? undefined : filter, problem: undefined }
  } catch (error) {
    if (!(error instanceof Misread)) throw error
    return { filter: undefined, problem: error.message }
  }
}

/** The expression, or undefined for what can't be judged here or is not well formed. */
export function parseFilter(text: string): FilterExpression | undefined {
  return readFilter(text).filter
}

function misread(reader: Reader, expected: string): never {
  const rest = reader.text.slice(reader.at, reader.at + 20)
  throw new Misread(`${expected} is expected where ${rest === '' ? 'it ends' : `${shown(rest)} stands`}`)
}

function expression(reader: Reader, depth: number): FilterExpression {
  if (depth > DEEPEST) throw new Misread(`is nested deeper than ${DEEPEST} levels`)
  const operator = take(reader, /[A-Za-z]+/y) ?? misread(reader, 'an operator')
  if (operator === 'true' || operator === 'false') {
    take(reader, /\(\)/y)
    return { [operator]: [] }
  }
  if (!OPERATORS.includes(operator)) throw new Misread(unknownOperator(operator))
  if (take(reader, /\(/y) === undefined) misread(reader, '(')
  if (OPAQUE.has(operator)) return opaque(reader)
  if (JOINING.has(operator)) {
    const inner: FilterExpression[] = []
    do inner.push(expression(reader, depth + 1))
    while (take(reader, /,/y) !== undefined)
    if (operator === 'not' && inner.length !== 1) throw new Misread('not takes one expression')
    if (take(reader, /\)/y) === undefined) misread(reader, ', or )')
    return { [operator]: inner }
  }
  const property = take(reader, /[A-Za-z]\w*:?\w*\.\w+|\w+/y) ?? misread(reader, 'class.property')
  const why = colonless(property)
  if (why !== undefined) throw new Misread(`${shown(property)} ${why}`)
  if (!property.includes('.')) {
    throw new Misread(`${property} must have its class before it: fvTenant.name, not name`)
  }
  const operands = [property]
  for (let index = 0; index < (COMPARING.get(operator) ?? 1); index++) {
    if (take(reader, /,/y) === undefined) misread(reader, 'a comma')
    operands.push(literal(reader))
  }
  if (take(reader, /\)/y) === undefined) misread(reader, ')')
  return { [operator === 'allbit' ? 'allbits' : operator]: operands }
}

function literal(reader: Reader): string {
  if (reader.text[reader.at] !== '"') return take(reader, /[^"(),]*/y) ?? ''
  return (take(reader, /"[^"]*"/y) ?? misread(reader, 'a value between quotation marks')).slice(1, -1)
}

/** Skips to the bracket that closes; brackets between quotation marks don't count. */
function opaque(reader: Reader): FilterExpression {
  reader.opaque = true
  for (let depth = 1; depth > 0; ) {
    const piece = take(reader, /"[^"]*"|[^"()]+|[()]/y) ?? misread(reader, ')')
    if (piece === '(') depth++
    if (piece === ')') depth--
  }
  return { true: [] }
}

function unknownOperator(operator: string): string {
  const why = NO_OPERATOR.get(operator)
  if (why !== undefined) return `no such operator: ${operator}: ${why}`
  const near = nearest(operator, OPERATORS)
  return `no such operator: ${operator}; ${near === undefined ? `there are ${OPERATORS.join(', ')}` : `is ${near} meant?`}`
}

function take(reader: Reader, pattern: RegExp): string | undefined {
  pattern.lastIndex = reader.at
  const match = pattern.exec(reader.text)
  if (match === null) return undefined
  reader.at = pattern.lastIndex
  return match[0]
}
