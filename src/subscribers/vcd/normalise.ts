/** From an audit row to a fact. Pure: no clock, no I/O. */
import { type Actor, type Fact, makeFact, type Origin, type Resource, type SourceRef } from '../../event.ts'
import type { TokenFlag } from '../../event-schema.ts'
import type { Inventory } from './inventory.ts'
import type { SessionOrigin } from './learned.ts'
import { printable } from './printable.ts'
import { type AuditRow, isObject, lastSegment, nativeType } from './row.ts'

export interface NormaliseContext {
  readonly source: SourceRef
  readonly origin: Origin
  readonly inventory: Inventory
  /** What is remarkable about its token. */
  readonly flags: readonly TokenFlag[]
  /** Name of the organisation with that bare id; of undefined, of the only one that this login sees. */
  readonly orgName: (id: string | undefined) => string | undefined
  /** How that session began; undefined when its login event was not seen. */
  readonly sessionOrigin: (sessionId: string) => SessionOrigin | undefined
  /** Carry the row in `data.raw`. */
  readonly raw: boolean
}

/** A row above this is carried without its additional properties, and flagged. */
const MAX_RAW_BYTES = 64 * 1024
const MAX_SUMMARY = 300
const MAX_DESCRIPTION = 4000
const MAX_DEPTH = 16
const MASK = '********'
/** Property names whose value may be a secret. `refreshTokenId` is an id and stays. */
const SECRET =
  /(password|passwd|passphrase|secret|credentials?|private[._-]?key|authorization|(access|refresh|api|bearer)[._-]?token)$/i

/** What a session's own login event says of it; undefined for other rows. */
export function sessionBegun(row: AuditRow): { sessionId: string; origin: SessionOrigin } | undefined {
  const type = nativeType(row)
  if (type?.[0] !== 'session' || type[1] !== 'login' || row.status !== 'SUCCESS' || row.sessionId === undefined) {
    return undefined
  }
  return { sessionId: row.sessionId, origin: row.tokenId === undefined ? 'interactive' : 'token' }
}

/** Builds the fact of one row: `vcd.<object>.<verb>`, and `vcd.external.…` for what an extension posted. */
export function normalise(row: AuditRow, context: NormaliseContext): Fact {
  const native = nativeType(row)
  const failed = row.status === 'FAILURE'
  const org = orgOf(row, context)
  const actor = actorOf(row, org, context)
  const { raw, truncated } = context.raw ? boundedRaw(row) : { raw: undefined, truncated: false }
  const flags = [...(row.external ? ['external'] : []), ...context.flags, ...(truncated ? ['truncated'] : [])]
  const entityId = row.entity.id ?? row.user.id ?? row.org.id
  const { description } = row
  return makeFact(context.source, {
    family: 'audit',
    key: [row.id],
    type: native === undefined ? `vcd.external.${externalName(row.eventType)}` : `vcd.${native[0]}.${native[1]}`,
    subject: entityId ?? `event/${row.id}`,
    time: new Date(row.timeMs).toISOString(),
    partitionkey: entityId ?? `${context.source.name}/audit`,
    severity: failed ? 'warning' : 'info',
    origin: context.origin,
    data: {
      kind: native?.[0] === 'session' ? 'session' : 'audit',
      summary: summaryOf(row, actor, failed),
      state: null,
      outcome: failed ? 'failure' : row.status === 'SUCCESS' ? 'success' : 'unknown',
      alertKey: null,
      resource: resourceOf(row, org, native?.[0]),
      actor,
      code: row.eventType === '' ? 'unknown' : printable(row.eventType),
      ...(native === undefined ? {} : { action: native[1] }),
      ...(description === undefined ? {} : { description: printable(description).slice(0, MAX_DESCRIPTION) }),
      ...(flags.length === 0 ? {} : { flags }),
      ...(raw === undefined ? {} : { raw }),
    },
  })
}

/** The organisation by name; by id only where nobody tells its name. */
function orgOf({ org }: AuditRow, context: NormaliseContext): string | undefined {
  if (org.name !== undefined) return org.name
  return context.orgName(org.id === undefined ? undefined : lastSegment(org.id)) ?? org.id
}

function actorOf(row: AuditRow, org: string | undefined, context: NormaliseContext): Actor {
  const { tokenId, sessionId } = row
  const begun = sessionBegun(row)?.origin ?? (sessionId === undefined ? undefined : context.sessionOrigin(sessionId))
  const known = tokenId === undefined ? undefined : context.inventory.get(tokenId)
  const via = tokenId !== undefined ? 'token' : begun === 'interactive' ? 'interactive' : 'unknown'
  const entries: [keyof Actor, string | undefined][] = [
    ['user', row.user.name ?? row.user.id],
    ['tokenId', tokenId],
    ['tokenName', known?.name],
    ['tokenOwner', known?.owner],
    ['org', org],
    ['address', row.clientAddress],
    ['proxyAddress', row.proxyAddress],
    ['session', sessionId],
    ['roles', row.roles],
  ]
  const present = entries.filter((entry): entry is [keyof Actor, string] => entry[1] !== undefined)
  return { via, ...Object.fromEntries(present.map(([key, value]) => [key, printable(value)])) }
}

/** `urn:vcloud:vm:<uuid>` tells the kind; without an id the event's own type does. */
function resourceOf(row: AuditRow, org: string | undefined, object: string | undefined): Resource {
  const { id, name } = row.entity
  const kind = /^urn:[^:]+:([^:]+):/.exec(id ?? '')?.[1] ?? object ?? 'unknown'
  const parts: [string, string | undefined][] = [
    ['name', name],
    ['org', org],
    ['task', row.taskId],
  ]
  const present = parts.filter((entry): entry is [string, string] => entry[1] !== undefined)
  return {
    kind,
    id: id ?? name ?? 'unknown',
    ...Object.fromEntries(present.map(([key, value]) => [key, printable(value)])),
  }
}

function summaryOf(row: AuditRow, actor: Actor, failed: boolean): string {
  const what = nativeType(row)?.join('/') ?? (row.eventType === '' ? 'event' : row.eventType)
  const target = row.entity.name ?? row.entity.id
  const through =
    actor.via === 'token'
      ? ` (token ${actor.tokenName ?? actor.tokenId})`
      : actor.via === 'interactive'
        ? ' (interactive)'
        : ''
  const parts = [
    what,
    ...(target === undefined ? [] : [target]),
    ...(failed ? ['FAILED'] : []),
    `by ${actor.user ?? 'unknown'}${through}`,
    ...(actor.org === undefined ? [] : [`in ${actor.org}`]),
    ...(actor.address === undefined ? [] : [`from ${actor.address}`]),
  ]
  return printable(parts.join(' ')).slice(0, MAX_SUMMARY)
}

/** An extension's type as tokens of ours: `com/acme/backup/done` → `com.acme.backup.done`. */
function externalName(eventType: string): string {
  const tokens = eventType
    .split(/[/.]/)
    .map(token => token.replace(/[^A-Za-z0-9_-]/g, '_'))
    .filter(token => token !== '')
  return tokens.length === 0 ? 'unknown' : tokens.slice(-6).join('.').slice(0, 200)
}

/** The row without secrets, bounded in depth and size. */
function boundedRaw(row: AuditRow): { raw: unknown; truncated: boolean } {
  const raw = masked(row.raw, 0)
  if (Buffer.byteLength(JSON.stringify(raw)) <= MAX_RAW_BYTES) return { raw, truncated: false }
  const small = Object.entries(row.raw)
    .filter(([key]) => key !== 'additionalProperties')
    .map(([key, value]) => [
      key,
      typeof value === 'string' ? value.slice(0, MAX_DESCRIPTION) : masked(value, MAX_DEPTH - 3),
    ])
  const kept: unknown = Object.fromEntries(small)
  return { raw: Buffer.byteLength(JSON.stringify(kept)) <= MAX_RAW_BYTES ? kept : null, truncated: true }
}

/** The same without what may be a secret by its name, bounded in depth. */
export function withoutSecrets(value: unknown): unknown {
  return masked(value, 0)
}

function masked(value: unknown, depth: number): unknown {
  if (Array.isArray(value)) return depth >= MAX_DEPTH ? '[…]' : value.map(item => masked(item, depth + 1))
  if (!isObject(value)) return value
  if (depth >= MAX_DEPTH) return '{…}'
  // fromEntries defines own members, so that a key called __proto__ stays a key.
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [
      key,
      SECRET.test(key) && member !== null ? MASK : masked(member, depth + 1),
    ]),
  )
}
