/** The simulated audit trail: rows with their commit lateness, visibility, retention and wire form. */
import type { Time } from '../server.ts'
import { compileFilter, type Field, FilterRefused } from './fiql.ts'
import type { Org, VcdKnobs, World } from './world.ts'

/** A row as it is written. Times are ms of the simulator's wall clock. */
export interface RowSeed {
  /** `session/login`: what follows `com/vmware/vcloud/event/`; a type with more slashes in front is taken whole. */
  readonly type: string
  readonly user: string
  /** Name of the organisation it happened in. */
  readonly org: string
  readonly userId?: string | null
  /** Name of the user's own organisation when it differs (a provider at work in a tenant). */
  readonly userOrg?: string
  readonly entity?: { readonly name: string | null; readonly id: string | null } | null
  readonly description?: string
  readonly success?: boolean
  readonly tokenId?: string | null
  readonly sessionId?: string | null
  readonly roles?: string
  readonly clientAddress?: string
  readonly proxyAddress?: string
  readonly taskId?: string | null
  readonly external?: boolean
  readonly properties?: Readonly<Record<string, unknown>>
  /** Members of the wire form to send in place of the right ones: a row that can't be understood. */
  readonly wire?: Readonly<Record<string, unknown>>
  /** Happens, by its stamp, and shows this much later than now. Default 0. */
  readonly afterMs?: number
  /** Stamp; default now, by the clock of the cell that writes. */
  readonly atMs?: number
  /** Visible this much after now; default by the lateness knob. */
  readonly lateMs?: number
}

/** What the simulator says it showed: the other side of the books. */
export interface RowRecord {
  /** Bare UUID, the last segment of `eventId`. */
  readonly id: string
  readonly type: string
  readonly timestampMs: number
  readonly visibleAtMs: number
  readonly user: string
  readonly org: string
  readonly userOrg: string
  readonly success: boolean
  /** The API token that did it, or null for an interactive session. */
  readonly tokenId: string | null
  readonly sessionId: string | null
}

interface Row extends RowRecord {
  readonly userId: string | null
  readonly entity: { readonly name: string | null; readonly id: string | null }
  readonly description: string
  readonly fullType: string
  /** With the microseconds that the wire does not show. */
  readonly stampMs: number
  readonly wire: Readonly<Record<string, unknown>>
}

const FIELDS: Readonly<Record<string, Field<Row>>> = {
  timestamp: { kind: 'timestamp', get: row => row.stampMs },
  eventType: { kind: 'text', get: row => row.fullType },
  'user.name': { kind: 'text', get: row => row.user },
  'user.id': { kind: 'text', get: row => (row.userId === null ? null : `urn:vcloud:user:${row.userId}`) },
  'eventEntity.id': { kind: 'text', get: row => row.entity.id },
  description: { kind: 'text', get: row => row.description },
}

export interface TrailQuery {
  readonly filter: string | undefined
  readonly filterEncoded: boolean
  readonly sort: { readonly field: string; readonly descending: boolean } | undefined
  readonly page: number
  readonly pageSize: number
  /** Only what this organisation may see; undefined: everything. */
  readonly scope: Org | undefined
  /** The `actor` member came with API 37.0. */
  readonly withActor: boolean
}

export interface TrailPage {
  readonly resultTotal: number
  readonly values: readonly unknown[]
}

/** `2026-03-01T00:00:00.123+0000`: milliseconds, and an offset without a colon. */
function wireTime(ms: number): string {
  return new Date(Math.floor(ms)).toISOString().replace('Z', '+0000')
}

export class Trail {
  readonly #time: Time
  readonly #world: World
  readonly #knobs: VcdKnobs
  #rows: Row[] = []
  readonly #all: Row[] = []

  constructor(time: Time, world: World, knobs: VcdKnobs) {
    this.#time = time
    this.#world = world
    this.#knobs = knobs
  }

  /** Every row ever made visible to anybody, purged and lost ones too, in the order of writing. */
  get shown(): readonly RowRecord[] {
    const now = this.#time.wall()
    return this.#all.filter(row => row.visibleAtMs <= now)
  }

  /** How many rows were written that nobody can see yet. */
  get toCome(): number {
    const now = this.#time.wall()
    return this.#all.filter(row => row.visibleAtMs > now).length
  }

  /** Writes one row and returns its bare id. */
  write(seed: RowSeed): string {
    const knobs = this.#knobs
    const world = this.#world
    const cell = knobs.cells[Math.floor(world.random() * knobs.cells.length)] ?? { id: world.uuid(), skewMs: 0 }
    const now = this.#time.wall()
    const { afterMs = 0 } = seed
    const timestampMs = seed.atMs ?? now + afterMs + cell.skewMs
    const id = world.uuid()
    const { tokenId = null, sessionId = null, entity, success = true } = seed
    const org = world.org(seed.org)
    const fullType = seed.type.split('/').length > 2 ? seed.type : `com/vmware/vcloud/event/${seed.type}`
    const user = world.users.find(one => one.name === seed.user && one.org.name === (seed.userOrg ?? seed.org))
    const userId = seed.userId === undefined ? (user?.id ?? null) : seed.userId
    const description = seed.description ?? `${seed.type} by '${seed.user}'`
    const target = entity ?? { name: null, id: null }
    const wire = {
      eventId: `urn:vcloud:audit:${id}`,
      description,
      operatingOrg: { name: org.name, id: `urn:vcloud:org:${org.id}` },
      user: { name: seed.user, id: userId === null ? null : `urn:vcloud:user:${userId}` },
      actor: { name: null, id: null },
      eventEntity: target,
      taskId: seed.taskId ?? null,
      taskCellId: seed.taskId === undefined || seed.taskId === null ? null : cell.id,
      cellId: cell.id,
      eventType: fullType,
      serviceNamespace: seed.external === true ? 'com.example.extension' : 'com.vmware.vcloud',
      eventStatus: success ? 'SUCCESS' : 'FAILURE',
      timestamp: wireTime(timestampMs),
      external: seed.external ?? false,
      additionalProperties: {
        'user.roles': seed.roles ?? user?.roles ?? null,
        'user.session.id': sessionId,
        'currentContext.user.proxyAddress': seed.proxyAddress ?? '10.0.0.7',
        'currentContext.user.clientIpAddress': seed.clientAddress ?? '198.51.100.20',
        ...seed.properties,
        ...(tokenId === null ? {} : { 'currentContext.refreshTokenId': tokenId }),
      },
      ...seed.wire,
    }
    const row: Row = {
      id,
      type: seed.type,
      fullType,
      timestampMs: Math.floor(timestampMs),
      stampMs: knobs.subMillisecond ? Math.floor(timestampMs) + Math.floor(world.random() * 1000) / 1000 : timestampMs,
      visibleAtMs: now + afterMs + (seed.lateMs ?? knobs.latenessMs()),
      user: seed.user,
      userId,
      org: seed.org,
      userOrg: seed.userOrg ?? seed.org,
      success,
      tokenId,
      sessionId,
      entity: target,
      description,
      wire,
    }
    this.#rows.push(row)
    this.#all.push(row)
    return id
  }

  /** A database restored from an older copy: these rows are gone. */
  lose(gone: (row: RowRecord) => boolean): void {
    this.#rows = this.#rows.filter(row => !gone(row))
  }

  /** Throws `FilterRefused` for a filter or sort field that the server does not take. */
  query(query: TrailQuery): TrailPage {
    const now = this.#time.wall()
    this.#rows = this.#rows.filter(row => row.timestampMs >= now - this.#knobs.retentionMs)
    const matches = query.filter === undefined ? () => true : compileFilter(query.filter, FIELDS, query.filterEncoded)
    const { hide, shuffleTies } = this.#knobs
    const found = this.#rows
      .filter(
        row =>
          row.visibleAtMs <= now &&
          (query.scope === undefined || row.org === query.scope.name || row.userOrg === query.scope.name) &&
          hide?.(row) !== true &&
          matches(row),
      )
      // No order is promised among rows of one stamp: it may differ from one request to the next.
      .map(row => ({ row, among: shuffleTies ? this.#world.random() : 0 }))
    const by = query.sort?.field ?? 'timestamp'
    const field = Object.hasOwn(FIELDS, by) ? FIELDS[by] : undefined
    if (field === undefined) throw new FilterRefused(`Field "${by}" can not be used for sorting`)
    const direction = query.sort?.descending === true ? -1 : 1
    found.sort((a, b) => {
      const [left, right] = [field.get(a.row) ?? '', field.get(b.row) ?? '']
      return (left < right ? -1 : left > right ? 1 : 0) * direction || a.among - b.among
    })
    const start = (query.page - 1) * query.pageSize
    const values = found.slice(start, start + query.pageSize).map(({ row }) => {
      if (query.withActor) return row.wire
      const { actor: _, ...wire } = row.wire
      return wire
    })
    return { resultTotal: found.length, values }
  }
}
