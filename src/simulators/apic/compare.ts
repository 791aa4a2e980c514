/** How two property values compare: as severities, as times, as numbers or as text, by the property's type. */

const SEVERITY_RANK: Readonly<Record<string, number>> = {
  cleared: 0,
  info: 1,
  warning: 2,
  minor: 3,
  major: 4,
  critical: 5,
}

const SEVERITIES: ReadonlySet<string> = new Set([
  'severity',
  'highestSeverity',
  'origSeverity',
  'prevSeverity',
  'maxSev',
])

const TIMES: ReadonlySet<string> = new Set([
  'created',
  'currentTime',
  'lastLinkStChg',
  'lastRebootTime',
  'lastStateModTs',
  'lastTransition',
  'modTs',
  'replTs',
  'updTs',
])

const NUMBERS: ReadonlySet<string> = new Set([
  'chng',
  'cur',
  'id',
  'occur',
  'pcTag',
  'podId',
  'prev',
  'scope',
  'seg',
  'twScore',
  'txId',
  'uid',
])

const TIME = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d)(:\d\d)?(\.\d+)?(Z|[+-]\d\d:\d\d)?)?$/
const INTEGER = /^-?\d+$/

/** ms since the epoch of a time as an APIC writes or reads one; undefined when it isn't one. `never` is before all. */
export function timeOf(text: string): number | undefined {
  if (text === 'never') return Number.NEGATIVE_INFINITY
  const match = TIME.exec(text)
  if (match === null) return undefined
  const [, date, minutes = '00:00', seconds = ':00', fraction = '', zone = 'Z'] = match
  const ms = Date.parse(`${date}T${minutes}${seconds}${fraction.slice(0, 4)}${zone}`)
  return Number.isNaN(ms) ? undefined : ms
}

/** Turns a value of a property into what sorts right; undefined when the text does not fit the property's type. */
export type KeyOf = (text: string) => number | bigint | string | undefined

/** The way to compare values of a property. Integers are exact at any length. */
export function keyOf(property: string): KeyOf {
  if (SEVERITIES.has(property)) return text => (Object.hasOwn(SEVERITY_RANK, text) ? SEVERITY_RANK[text] : undefined)
  if (TIMES.has(property)) return timeOf
  if (NUMBERS.has(property)) return text => (INTEGER.test(text) ? BigInt(text) : undefined)
  return text => text
}

/** -1, 0, 1; what does not fit its type goes first. */
export function order(a: ReturnType<KeyOf>, b: ReturnType<KeyOf>): number {
  if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? -1 : 1
  return a < b ? -1 : a > b ? 1 : 0
}

/** A time as an APIC prints it: ISO 8601 with ms and the display offset, never `Z`. */
export function isoStamp(ms: number, offsetMinutes: number): string {
  const text = new Date(ms + offsetMinutes * 60_000).toISOString().slice(0, -1)
  const minutes = Math.abs(offsetMinutes)
  const two = (n: number): string => String(n).padStart(2, '0')
  return `${text}${offsetMinutes < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
}
