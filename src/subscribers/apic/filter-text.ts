/** Reads a filter as the guide prints it, for subscriptions written as `raw`. */
import type { FilterExpression } from '../../config/query.ts'

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
  ['wcard', 1],
])

/** Deeper than anybody writes; guards the recursion. */
const DEEPEST = 64

/**
 * `and(ne(aaaDomain.name,"infra"),…)` as an expression; undefined for what we can't judge ourselves (`pholder`,
 * `passive`, which nobody documents) and for what is not well formed.
 */
export function parseFilter(text: string): FilterExpression | undefined {
  const reader = { text, at: 0 }
  const found = expression(reader, 0)
  return found !== undefined && reader.at === text.length ? found : undefined
}

interface Reader {
  readonly text: string
  at: number
}

function expression(reader: Reader, depth: number): FilterExpression | undefined {
  const operator = take(reader, /[a-z]+/y)
  if (operator === undefined || depth > DEEPEST) return undefined
  if (operator === 'true' || operator === 'false') {
    take(reader, /\(\)/y)
    return { [operator]: [] }
  }
  if (take(reader, /\(/y) === undefined) return undefined
  if (JOINING.has(operator)) {
    const inner: FilterExpression[] = []
    do {
      const next = expression(reader, depth + 1)
      if (next === undefined) return undefined
      inner.push(next)
    } while (take(reader, /,/y) !== undefined)
    if (operator === 'not' && inner.length !== 1) return undefined
    return take(reader, /\)/y) === undefined ? undefined : { [operator]: inner }
  }
  const count = COMPARING.get(operator)
  const property = take(reader, /[A-Za-z][A-Za-z0-9]*\.[A-Za-z][A-Za-z0-9]*/y)
  if (count === undefined || property === undefined) return undefined
  const operands = [property]
  for (let index = 0; index < count; index++) {
    if (take(reader, /,/y) === undefined) return undefined
    const value = take(reader, /"[^"]*"/y)?.slice(1, -1) ?? take(reader, /[^"(),]*/y)
    if (value === undefined) return undefined
    operands.push(value)
  }
  return take(reader, /\)/y) === undefined ? undefined : { [operator]: operands }
}

function take(reader: Reader, pattern: RegExp): string | undefined {
  pattern.lastIndex = reader.at
  const match = pattern.exec(reader.text)
  if (match === null) return undefined
  reader.at = pattern.lastIndex
  return match[0]
}
