/**
 * The filter language of `query-target-filter` and `rsp-subtree-filter`: parsed and evaluated.
 * Operators that the guide lists but releases refuse (`allbits`, `pholder`, `passive`) get the release's error, code 301
 * (reference/apic.md a9).
 */
import { keyOf, order } from './compare.ts'
import type { Attributes, Model } from './model.ts'
import { ApicError, badQuery } from './refusal.ts'

/** true, false, or undefined: the object does not hold a property that the answer hangs on. */
export type Verdict = boolean | undefined

export type Filter = (className: string, attributes: Readonly<Attributes>) => Verdict

const COMPARISONS: Readonly<Record<string, (sign: number) => boolean>> = {
  eq: sign => sign === 0,
  ne: sign => sign !== 0,
  lt: sign => sign < 0,
  gt: sign => sign > 0,
  le: sign => sign <= 0,
  ge: sign => sign >= 0,
}

class Reader {
  readonly text: string
  at = 0

  constructor(text: string) {
    this.text = text
  }

  take(pattern: RegExp, what: string): string {
    const sticky = new RegExp(pattern.source, 'y')
    sticky.lastIndex = this.at
    const match = sticky.exec(this.text)
    if (match === null) throw badQuery(`Invalid filter expression: ${what} expected at ${this.at} in ${this.text}`)
    this.at += match[0].length
    return match[0]
  }

  /** Takes a character if it comes next. */
  has(char: string): boolean {
    if (this.text[this.at] !== char) return false
    this.at++
    return true
  }

  comma(): void {
    this.take(/,/, "','")
    // The one place where a blank is let pass: a client in use sends it.
    while (this.text[this.at] === ' ') this.at++
  }
}

/** Reads an expression. Throws `ApicError`: 107 bad grammar, 121 unknown property, 12 unknown class, 301 no such filter. */
export function parseFilter(text: string, model: Model): Filter {
  const reader = new Reader(text)
  const filter = expression(reader, model)
  if (reader.at !== text.length) throw badQuery(`Invalid filter expression: rubbish after ${reader.at} in ${text}`)
  return filter
}

function expression(reader: Reader, model: Model): Filter {
  const name = reader.take(/[A-Za-z]+/, 'an operator')
  reader.take(/\(/, "'('")
  const filter = call(name, reader, model)
  reader.take(/\)/, "')'")
  return filter
}

function call(name: string, reader: Reader, model: Model): Filter {
  if (name === 'true' || name === 'false') return () => name === 'true'
  if (name === 'and' || name === 'or' || name === 'xor') return join(name, list(reader, model))
  if (name === 'not') {
    const inner = expression(reader, model)
    return (className, attributes) => {
      const verdict = inner(className, attributes)
      return verdict === undefined ? undefined : !verdict
    }
  }
  const compare = Object.hasOwn(COMPARISONS, name) ? COMPARISONS[name] : undefined
  if (compare === undefined && !['bw', 'anybit', 'wcard'].includes(name)) {
    throw new ApicError(400, '301', `no such filter type: ${name}`)
  }
  const { test, property } = propertyOf(reader, model)
  reader.comma()
  const first = literal(reader)
  if (name === 'anybit') {
    const wanted = new Set(first.split(','))
    return test(value => value.split(',').some(bit => wanted.has(bit)))
  }
  if (name === 'wcard') return test(wildcard(property, first))
  const key = keyOf(property)
  const low = key(first)
  if (name === 'bw') {
    reader.comma()
    const high = key(literal(reader))
    if (low === undefined || high === undefined) return test(() => false)
    return test(value => {
      const own = key(value)
      return own !== undefined && order(own, low) >= 0 && order(own, high) <= 0
    })
  }
  // A value that the property can't have (a time whose `+` became a blank) matches nothing.
  if (low === undefined || compare === undefined) return test(() => name === 'ne')
  return test(value => {
    const own = key(value)
    return own === undefined ? name === 'ne' : compare(order(own, low))
  })
}

function list(reader: Reader, model: Model): Filter[] {
  const parts = [expression(reader, model)]
  while (reader.text[reader.at] === ',') {
    reader.comma()
    parts.push(expression(reader, model))
  }
  return parts
}

/** Three-valued: an unknown part leaves the whole unknown unless the other parts decide it. */
function join(name: 'and' | 'or' | 'xor', parts: readonly Filter[]): Filter {
  return (className, attributes) => {
    let unknown = false
    let count = 0
    for (const part of parts) {
      const verdict = part(className, attributes)
      if (verdict === undefined) unknown = true
      else if (verdict) count++
      else if (name === 'and') return false
      if (verdict === true && name === 'or') return true
    }
    if (unknown) return undefined
    return name === 'and' ? true : name === 'or' ? false : count % 2 === 1
  }
}

/** `class.property`: which objects it speaks of, and the test of one value. */
function propertyOf(
  reader: Reader,
  model: Model,
): { property: string; test: (accept: (value: string) => boolean) => Filter } {
  const [className = '', property = ''] = reader.take(/\w+\.\w+/, 'class.property').split('.')
  const concrete = model.concrete(className)
  if (concrete === undefined) throw new ApicError(400, '12', `unknown managed object class ${className}`)
  if (!concrete.some(name => model.hasProperty(name, property))) {
    throw new ApicError(400, '121', `Prop '${property}' not found in class '${className}' property table`)
  }
  const names = new Set(concrete)
  // faultInfo.x of the guide's own example is asked of faultInst.x: members of one family count as each other.
  if (names.has('faultInst')) names.add('faultDelegate')
  return {
    property,
    test: accept => (name, attributes) => {
      if (!names.has(name)) return false
      const value = attributes[property]
      return value === undefined ? undefined : accept(value)
    },
  }
}

function literal(reader: Reader): string {
  if (!reader.has('"')) return reader.take(/[^,()"]*/, 'a value')
  const raw = reader.take(/(?:[^"\\]|\\.)*/, 'a value')
  reader.take(/"/, "'\"'")
  return raw.replace(/\\(["\\])/g, '$1')
}

const NO_WILDCARD: ReadonlySet<string> = new Set(['dn', 'ip', 'descr'])

/** Without `*` a substring. A leading `*` is refused, and dn, ip and descr take none at all. */
function wildcard(property: string, pattern: string): (value: string) => boolean {
  if (!pattern.includes('*')) return value => value.includes(pattern)
  if (pattern.startsWith('*') || NO_WILDCARD.has(property)) {
    throw badQuery(`Invalid wildcard '${pattern}' for property '${property}'`)
  }
  const source = pattern
    .split('*')
    .map(part => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*')
  const whole = new RegExp(`^${source}$`, 's')
  return value => whole.test(value)
}
