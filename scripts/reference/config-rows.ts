/** The keys of the config as rows: what each may hold, its default, what a change of it needs, its variable. */
import { flow } from '../../src/config/effective.ts'
import { open, type Place } from '../../src/config/outline.ts'

/** What a change of a key needs. */
type Change = 'reload' | 'restart' | 'see there'

export interface KeyRow {
  /** From the block that the table is of: `stream.max_age`. */
  readonly key: string
  readonly type: string
  /** As YAML; what must be set says so. */
  readonly fallback: string
  readonly change: Change
  /** The variable that sets it; several for a secret. */
  readonly variable: string
  readonly meaning: string
}

const FORMS = ['_file', '_credential', '_env', ''] as const

/** `at`: the variable's words so far. `mark`: what the blocks above say of a change. */
export interface Above {
  readonly variable: string
  readonly mark: Place['x-needs-restart']
}

/** Every key of a block and of the blocks in it, in the order of the schema; lists of blocks are one row. */
export function keyRows(block: Place, above: Above, prefix = '', wanted = (_key: string): boolean => true): KeyRow[] {
  const entries = Object.entries(block.properties ?? {}).filter(([key]) => wanted(key))
  const secrets = new Set(entries.filter(([, place]) => place.writeOnly === true).map(([key]) => key))
  return entries.flatMap(([key, place]) => {
    const secret = [...secrets].find(name => FORMS.some(form => key === `${name}${form}`))
    if (secret !== undefined) return key === `${secret}_file` ? [secretRow(secret, place, block, above, prefix)] : []
    // A filter stands for many blocks, each with one operator: it has a table of its own.
    const inner = place.$ref === undefined ? open(place).find(one => one.properties !== undefined) : undefined
    const here: Above = {
      variable: `${above.variable}${key.toUpperCase()}`,
      mark: place['x-needs-restart'] ?? above.mark,
    }
    if (inner === undefined) return [row(key, place, block, here, prefix)]
    const below = keyRows(inner, { ...here, variable: `${here.variable}__` }, `${prefix}${key}.`)
    // A block that is not there unless it is written is worth a row of its own.
    return place.default === null ? [row(key, place, block, here, prefix), ...below] : below
  })
}

function row(key: string, place: Place, block: Place, { variable, mark }: Above, prefix: string): KeyRow {
  return {
    key: `\`${prefix}${key}\``,
    type: typeOf(place),
    fallback: fallbackOf(key, place, block),
    change: changeOf(mark),
    variable: typeOf(place).startsWith('block') ? '' : `\`${variable}\``,
    meaning: meaningOf(place),
  }
}

function secretRow(name: string, place: Place, block: Place, above: Above, prefix: string): KeyRow {
  const needed = place['x-must-be-set'] === true
  const variable = `${above.variable}${name.toUpperCase()}`
  return {
    key: FORMS.map(form => `\`${prefix}${name}${form}\``).join(' '),
    type: '[a secret](#secrets)',
    fallback: needed ? withUser(block) : inPlaceOf(place),
    change: changeOf(above.mark),
    variable: `\`${variable}_FILE\` and so on`,
    meaning: meaningOf(place).replace(
      /^A file that holds (.*?)\. It is read again at each login\./,
      (_, what: string) => {
        return `${what.charAt(0).toUpperCase()}${what.slice(1)}.`
      },
    ),
  }
}

function changeOf(mark: Place['x-needs-restart']): Change {
  if (typeof mark === 'string') return 'see there'
  return mark === true ? 'restart' : 'reload'
}

function mustBeSet(key: string, block: Place): string {
  const others = Object.entries(block.properties ?? {})
    .filter(([, place]) => place['x-instead-of'] === key)
    .map(([other]) => other.replace(/_file$/, ''))
  return others.length === 0 ? 'must be set' : 'must be set, or what can stand in its place'
}

/** A user that other ways to log in can stand for needs a password only where it is set. */
function withUser(block: Place): string {
  return block.properties?.['username']?.['x-must-be-set'] === true ? 'must be set with `username`' : 'must be set'
}

function inPlaceOf(place: Place): string {
  const other = place['x-instead-of']
  return other === undefined || place['x-needs'] !== undefined ? 'not set' : `not set; in place of \`${other}\``
}

function fallbackOf(key: string, place: Place, block: Place): string {
  if (place.const !== undefined || block.required?.includes(key) === true) return 'must be set'
  if (place['x-must-be-set'] === true) return mustBeSet(key, block)
  return place.default === undefined ? inPlaceOf(place) : `\`${flow(place.default)}\``
}

function meaningOf(place: Place): string {
  const example = place.examples?.[0]
  const mark = place['x-needs-restart']
  return [
    place.description,
    example === undefined ? undefined : `Such as \`${flow(example)}\`.`,
    place['x-needs'],
    typeof mark === 'string' ? mark : undefined,
  ]
    .filter(part => part !== undefined)
    .join(' ')
    .replaceAll('<', '&lt;')
}

/** What may stand there, with unit and range. */
function typeOf(place: Place): string {
  if (place.$ref !== undefined) return '[filter](#filters)'
  return [...new Set(open(place).map(oneType))].join(' or ')
}

function oneType(place: Place): string {
  if (place.const !== undefined) return `\`${String(place.const)}\``
  if (place.enum !== undefined) return place.enum.map(word => `\`${String(word)}\``).join(', ')
  const range = place['x-range'] === undefined ? '' : `, ${place['x-range'].replace(/^at least 0s$|^at least 1B$/, '')}`
  if (place['x-unit'] !== undefined) return `[${place['x-unit']}](#units)${range === ', ' ? '' : range}`
  switch ([place.type].flat()[0]) {
    case 'boolean':
      return 'true, false'
    case 'integer':
    case 'number':
      return numberType(place)
    case 'array':
      return place.items === undefined ? 'list' : `list of ${typeOf(place.items)}`
    case 'object':
      return 'block'
    case 'null':
      return '`null`'
    default:
      return stringType(place)
  }
}

function numberType({ minimum, exclusiveMinimum, maximum }: Place): string {
  const low = minimum ?? (exclusiveMinimum === undefined ? undefined : exclusiveMinimum + 1)
  const high = maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum
  if (low === undefined) return 'number'
  return high === undefined ? `number from ${low} on` : `number, ${low} to ${high}`
}

function stringType(place: Place): string {
  if (place.format === 'uri') return 'URL'
  if (place.format === 'date-time') return 'time with its zone'
  return 'text'
}
