/** One row of the audit trail as it comes: what we need of it, checked. Pure. */
import { Poison } from '../../errors.ts'

/** JSON objects by their own keys only: `additionalProperties` has keys with dots, and may have `__proto__`. */
export type Members = Readonly<Record<string, unknown>>

export interface Reference {
  readonly name: string | undefined
  readonly id: string | undefined
}

export interface AuditRow {
  /** Canonical id: lower-case last segment of `eventId` (a URN here, a bare UUID in notifications). */
  readonly id: string
  readonly timeMs: number
  readonly eventType: string
  readonly status: string | undefined
  readonly description: string | undefined
  readonly external: boolean
  readonly org: Reference
  readonly user: Reference
  readonly entity: Reference
  readonly taskId: string | undefined
  /** `currentContext.refreshTokenId`: bare, lower-case UUID of the API token that did it. */
  readonly tokenId: string | undefined
  readonly sessionId: string | undefined
  readonly clientAddress: string | undefined
  readonly proxyAddress: string | undefined
  readonly roles: string | undefined
  /** The whole row. */
  readonly raw: Members
}

/** `2020-07-19T18:57:34.398+0000`: the offset has no colon on the wire. */
const TIMESTAMP = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):?(\d\d))$/

/**
 * ms since the epoch; undefined for what is no timestamp. Strict where `Date` is not: without a zone it would take the
 * host's local time.
 */
export function parseTimestamp(text: string): number | undefined {
  const match = TIMESTAMP.exec(text)
  if (match === null) return undefined
  const [, year, month, day, hour, minute, second, fraction = '', sign, offsetHours, offsetMinutes] = match
  const parts = [year, month, day, hour, minute, second].map(Number)
  const [y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0] = parts
  const ms = Date.UTC(y, mo - 1, d, h, mi, s, Number(`${fraction}000`.slice(0, 3)))
  const check = new Date(ms)
  // The 31st of February and the 25th hour roll over silently: refuse them.
  if (check.getUTCMonth() !== mo - 1 || check.getUTCDate() !== d || h > 23 || mi > 59 || s > 59) return undefined
  const offset = sign === undefined ? 0 : (Number(offsetHours) * 60 + Number(offsetMinutes)) * 60_000
  return sign === '-' ? ms + offset : ms - offset
}

/** Lower-case last segment of a URN, or of a bare UUID. */
export function lastSegment(urn: string): string {
  return (urn.split(':').at(-1) ?? '').trim().toLowerCase()
}

export function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** An own member that is a text and not empty; anything else is undefined. */
export function textOf(object: Members, key: string): string | undefined {
  const value = Object.hasOwn(object, key) ? object[key] : undefined
  return typeof value === 'string' && value !== '' ? value : undefined
}

function reference(row: Members, key: string): Reference {
  const value = Object.hasOwn(row, key) ? row[key] : undefined
  return isObject(value) ? { name: textOf(value, 'name'), id: textOf(value, 'id') } : { name: undefined, id: undefined }
}

/** Throws `Poison` for what has no id or no time, since neither can be made up. Anything else may be missing. */
export function readRow(value: unknown): AuditRow {
  if (!isObject(value)) throw new Poison('audit row is not an object')
  const id = lastSegment(textOf(value, 'eventId') ?? '')
  if (id === '') throw new Poison('audit row without eventId')
  const stamp = textOf(value, 'timestamp')
  const timeMs = stamp === undefined ? undefined : parseTimestamp(stamp)
  if (timeMs === undefined) throw new Poison('audit row without a timestamp that names its zone')
  const more = value['additionalProperties']
  const additional: Members = isObject(more) ? more : {}
  const tokenId = textOf(additional, 'currentContext.refreshTokenId')
  const sessionId = textOf(additional, 'user.session.id')
  return {
    id,
    timeMs,
    eventType: textOf(value, 'eventType') ?? '',
    status: textOf(value, 'eventStatus'),
    description: textOf(value, 'description'),
    external: value['external'] === true,
    org: reference(value, 'operatingOrg'),
    user: reference(value, 'user'),
    entity: reference(value, 'eventEntity'),
    taskId: textOf(value, 'taskId'),
    tokenId: tokenId === undefined ? undefined : lastSegment(tokenId),
    sessionId: sessionId === undefined ? undefined : lastSegment(sessionId),
    clientAddress: textOf(additional, 'currentContext.user.clientIpAddress'),
    proxyAddress: textOf(additional, 'currentContext.user.proxyAddress'),
    roles: textOf(additional, 'user.roles'),
    raw: value,
  }
}

/** `com/vmware/vcloud/event/vm/create` → `['vm', 'create']`; undefined for types of extensions. */
export function nativeType(row: Pick<AuditRow, 'eventType' | 'external'>): readonly [string, string] | undefined {
  const match = /^com\/vmware\/vcloud\/event\/([A-Za-z0-9_-]+)\/([A-Za-z0-9_-]+)$/.exec(row.eventType)
  return match === null || row.external ? undefined : [match[1] ?? '', match[2] ?? '']
}
