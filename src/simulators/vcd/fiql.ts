/** The filter language of cloudapi queries: FIQL as VCD takes it, and no more lenient. */

/** What one filterable field of a row is compared as. */
export type FieldKind = 'timestamp' | 'text'

/** The server's refusal of a filter: becomes a 400 with this message. */
export class FilterRefused extends Error {}

type Operator = '==' | '!=' | '=gt=' | '=ge=' | '=lt=' | '=le='
type Test<Row> = (row: Row) => boolean

export interface Field<Row> {
  readonly kind: FieldKind
  readonly get: (row: Row) => string | number | null
}

/** `T`, milliseconds and a zone, all of them: nothing else is a time to this server. */
const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)$/
const OPERATOR = /^(==|!=|=gt=|=ge=|=lt=|=le=)/
/** Characters that the query parser trips over unless the client says `filterEncoded=true` and encodes the value. */
const NEEDS_ENCODING = /[\s*+]/

class Parser<Row> {
  readonly #text: string
  readonly #fields: Readonly<Record<string, Field<Row>>>
  readonly #encoded: boolean
  #at = 0

  constructor(text: string, fields: Readonly<Record<string, Field<Row>>>, encoded: boolean) {
    this.#text = text
    this.#fields = fields
    this.#encoded = encoded
  }

  parse(): Test<Row> {
    const test = this.#or()
    if (this.#at !== this.#text.length) throw this.#refused()
    return test
  }

  #refused(): FilterRefused {
    return new FilterRefused(`Error parsing query filter at position ${this.#at}`)
  }

  #or(): Test<Row> {
    const parts = [this.#and()]
    while (this.#take(',')) parts.push(this.#and())
    return row => parts.some(part => part(row))
  }

  #and(): Test<Row> {
    const parts = [this.#term()]
    while (this.#take(';')) parts.push(this.#term())
    return row => parts.every(part => part(row))
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false
    this.#at++
    return true
  }

  #term(): Test<Row> {
    if (this.#take('(')) {
      const inner = this.#or()
      if (!this.#take(')')) throw this.#refused()
      return inner
    }
    const name = /^[A-Za-z][A-Za-z0-9_.]*/.exec(this.#text.slice(this.#at))?.[0]
    if (name === undefined) throw this.#refused()
    this.#at += name.length
    const operator = OPERATOR.exec(this.#text.slice(this.#at))?.[0] as Operator | undefined
    if (operator === undefined) throw this.#refused()
    this.#at += operator.length
    const raw = /^[^,;()]+/.exec(this.#text.slice(this.#at))?.[0]
    if (raw === undefined) throw this.#refused()
    this.#at += raw.length
    const field = Object.hasOwn(this.#fields, name) ? this.#fields[name] : undefined
    if (field === undefined) throw new FilterRefused(`Field "${name}" can not be used in a filter`)
    // A zone's `+` is part of a timestamp; a `+` that was not sent as %2B has become a blank, which is none.
    if (field.kind === 'text' && !this.#encoded && NEEDS_ENCODING.test(raw)) throw this.#refused()
    return compare(field, operator, this.#encoded ? decode(raw) : raw)
  }
}

function decode(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    throw new FilterRefused('Error decoding the query filter')
  }
}

function compare<Row>(field: Field<Row>, operator: Operator, literal: string): Test<Row> {
  if (field.kind === 'timestamp' && !(TIMESTAMP.test(literal) && !Number.isNaN(Date.parse(literal)))) {
    throw new FilterRefused(`Value "${literal}" can not be parsed as a timestamp`)
  }
  const wanted = field.kind === 'timestamp' ? Date.parse(literal) : literal
  return row => {
    const value = field.get(row)
    if (value === null) return operator === '!='
    switch (operator) {
      case '==':
        return value === wanted
      case '!=':
        return value !== wanted
      case '=gt=':
        return value > wanted
      case '=ge=':
        return value >= wanted
      case '=lt=':
        return value < wanted
      case '=le=':
        return value <= wanted
    }
  }
}

/**
 * Reads a filter: `==` `!=` `=gt=` `=ge=` `=lt=` `=le=`, `;` for AND, `,` for OR, parentheses.
 * Throws `FilterRefused` for anything else, for unknown fields and for a timestamp without milliseconds or zone.
 */
export function compileFilter<Row>(
  text: string,
  fields: Readonly<Record<string, Field<Row>>>,
  encodedValues: boolean,
): Test<Row> {
  return new Parser(text, fields, encodedValues).parse()
}
