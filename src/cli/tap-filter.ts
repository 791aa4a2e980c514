/** Which messages of the stream `tap` shows: by their subject, which the server can filter, and by what is in them. Pure. */
import { type OpsEvent, SEVERITY_NUMBER, type Severity } from '../event.ts'

export interface TapWish {
  readonly sources: readonly string[]
  readonly kinds: readonly string[]
  /** This one and above. */
  readonly severity: Severity | undefined
  /** Event types, in which `*` stands for any text. */
  readonly types: readonly string[]
  /** Users, or names or ids of tokens; `*` stands for any text, case does not matter. */
  readonly actors: readonly string[]
  /** Anywhere in the event; case does not matter. */
  readonly texts: readonly string[]
}

export const SEVERITIES = Object.keys(SEVERITY_NUMBER) as Severity[]

/** More subjects than this are not worth a filter of many parts. */
const MOST_SUBJECTS = 32

/** The subjects, without prefix, that what is wished for can be on: for the server. `accepts` decides all the same. */
export function subjectsOf(wish: TapWish): string[] {
  const severities = wish.severity === undefined ? ['*'] : atLeast(wish.severity)
  const any = (list: readonly string[]): readonly string[] => (list.length === 0 ? ['*'] : list)
  if (wish.sources.length + wish.kinds.length === 0 && wish.severity === undefined) return ['>']
  const subjects = any(wish.sources).flatMap(source =>
    any(wish.kinds).flatMap(kind => severities.map(severity => `*.${source}.${kind}.${severity}`)),
  )
  // What can't be understood belongs to its source, and has no kind.
  const notices = showsNotices(wish) ? wish.sources.map(source => `_dead.${source}`) : []
  return subjects.length > MOST_SUBJECTS ? ['>'] : [...subjects, ...notices]
}

function atLeast(severity: Severity): Severity[] {
  return SEVERITIES.filter(one => SEVERITY_NUMBER[one] >= SEVERITY_NUMBER[severity])
}

/** True when the notice of a dead letter, which has no kind, severity, type or actor, can be what is wished for. */
export function showsNotices(wish: TapWish): boolean {
  return wish.kinds.length + wish.types.length + wish.actors.length === 0 && wish.severity === undefined
}

/** True for an event that is wished for. */
export function accepts(wish: TapWish, event: OpsEvent): boolean {
  const { data } = event
  const source = event.source.split('/').at(-1) ?? ''
  return (
    isAny(wish.sources, one => one === source) &&
    isAny(wish.kinds, one => one === data.kind) &&
    (wish.severity === undefined || event.severitynumber >= SEVERITY_NUMBER[wish.severity]) &&
    isAny(wish.types, pattern => matches(pattern, event.type)) &&
    isAny(wish.actors, pattern => namesOf(event).some(name => matches(pattern, name))) &&
    hasTexts(wish, event)
  )
}

/** True when every text that is wished for stands somewhere in it. */
export function hasTexts(wish: TapWish, message: unknown): boolean {
  if (wish.texts.length === 0) return true
  const whole = words(message).join('\n').toLowerCase()
  return wish.texts.every(text => whole.includes(text.toLowerCase()))
}

function isAny(wished: readonly string[], test: (one: string) => boolean): boolean {
  return wished.length === 0 || wished.some(test)
}

function namesOf({ data: { actor } }: OpsEvent): string[] {
  return [actor?.user, actor?.tokenName, actor?.tokenId, actor?.tokenOwner].filter(name => name !== undefined)
}

/** As a whole, whatever the case; `*` is any text. */
function matches(pattern: string, text: string): boolean {
  const parts = pattern.toLowerCase().split('*')
  const whole = text.toLowerCase()
  const [first = '', ...rest] = parts
  const last = rest.pop()
  if (last === undefined) return whole === first
  if (!whole.startsWith(first) || !whole.endsWith(last) || whole.length < first.length + last.length) return false
  let at = first.length
  for (const part of rest) {
    const found = whole.indexOf(part, at)
    if (found === -1 || found + part.length > whole.length - last.length) return false
    at = found + part.length
  }
  return true
}

/** Every text and number in it. */
function words(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value === 'number') return [String(value)]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(words) : []
}
