/** The two paged queries of the simulated cell: auditTrail and tokens. */
import { compileFilter, type Field, FilterRefused } from './fiql.ts'
import { json, jsonError, type Reply } from './replies.ts'
import type { CellSession } from './sessions.ts'
import type { Trail } from './trail.ts'
import type { ApiToken, Org, VcdKnobs, World } from './world.ts'

interface PageCall {
  /** The query with its `?`. */
  readonly search: string
  /** `X-VMWARE-VCLOUD-TENANT-CONTEXT`: the id of the organisation that a provider looks into. */
  readonly tenant: string | string[] | undefined
  readonly requestId: string
  readonly session: CellSession
  readonly world: World
  readonly knobs: VcdKnobs
}

/** `page` and `pageSize`, or the refusal. Pages count from 1; the size has a ceiling of its own on each endpoint. */
function paging(fields: URLSearchParams, largest: number): { page: number; pageSize: number } | string {
  const page = Number(fields.get('page') ?? 1)
  const pageSize = Number(fields.get('pageSize') ?? Math.min(25, largest))
  if (!Number.isInteger(page) || page < 1) return 'page must be greater than or equal to 1'
  if (!Number.isInteger(pageSize) || pageSize < 1) return 'pageSize must be greater than or equal to 1'
  if (pageSize > largest) return `pageSize must be less than or equal to ${largest}`
  return { page, pageSize }
}

/** One `Link` header line per relation; targets that coincide share one line with both names. */
function links(call: PageCall, path: string, model: string, page: number, pageCount: number): string[] {
  const target = (number: number): string => {
    const fields = new URLSearchParams(call.search)
    fields.set('page', String(number))
    return `<${call.knobs.publicUrl}${path}?${fields}>`
  }
  const line = (number: number, rel: string): string =>
    `${target(number)};rel="${rel}";type="application/json";model="${model}"`
  if (page >= pageCount) return []
  if (page + 1 === pageCount) return [line(pageCount, 'lastPage nextPage')]
  return [line(page + 1, 'nextPage'), line(pageCount, 'lastPage')]
}

function paged(
  call: PageCall,
  path: string,
  model: string,
  at: { page: number; pageSize: number },
  found: number,
  values: readonly unknown[],
): Reply {
  const resultTotal = Math.min(found, call.knobs.countCeiling)
  const pageCount = Math.ceil(resultTotal / at.pageSize)
  const Link = links(call, path, model, at.page, pageCount)
  const counts = call.knobs.omitTotal ? {} : { resultTotal, pageCount }
  return json(200, { ...counts, ...at, associations: null, values }, Link.length > 0 ? { Link } : {})
}

/** `GET /cloudapi/1.0.0/auditTrail`. A tenant sees its own part, the provider everything or one organisation. */
export function trailPage(call: PageCall & { readonly trail: Trail; readonly withActor: boolean }): Reply {
  const fields = new URLSearchParams(call.search)
  const at = paging(fields, call.knobs.maxPageSize)
  if (typeof at === 'string') return jsonError(400, 'BAD_REQUEST', at, call.requestId)
  const home = call.session.user.org
  let scope: Org | undefined = home.name === 'System' ? undefined : home
  if (call.tenant !== undefined && home.name === 'System') {
    scope = call.world.orgs.find(org => org.id === call.tenant)
    if (scope === undefined) {
      return jsonError(403, 'ACCESS_TO_RESOURCE_IS_FORBIDDEN', 'No access to organization', call.requestId)
    }
  }
  const ascending = fields.get('sortAsc')
  const descending = fields.get('sortDesc')
  const field = descending ?? ascending
  try {
    const { resultTotal, values } = call.trail.query({
      filter: fields.get('filter') ?? undefined,
      filterEncoded: fields.get('filterEncoded') === 'true',
      sort: field === null ? undefined : { field, descending: descending !== null },
      scope,
      withActor: call.withActor,
      ...at,
    })
    return paged(call, '/cloudapi/1.0.0/auditTrail', 'AuditTrailEvents', at, resultTotal, values)
  } catch (error) {
    if (!(error instanceof FilterRefused)) throw error
    return jsonError(400, 'BAD_REQUEST', error.message, call.requestId)
  }
}

const TOKEN_FIELDS: Readonly<Record<string, Field<ApiToken>>> = {
  type: { kind: 'text', get: () => 'REFRESH' },
  name: { kind: 'text', get: token => token.name },
  'owner.name': { kind: 'text', get: token => token.user.name },
}

/** `GET /cloudapi/1.0.0/tokens`: names only, never the token; a session from an API token lacks both rights for it. */
export function tokensPage(call: PageCall): Reply {
  const { user, tokenId } = call.session
  if (tokenId !== null) {
    return jsonError(403, 'ACCESS_TO_RESOURCE_IS_FORBIDDEN', 'This operation is denied', call.requestId)
  }
  const fields = new URLSearchParams(call.search)
  const at = paging(fields, call.knobs.maxTokensPageSize)
  if (typeof at === 'string') return jsonError(400, 'BAD_REQUEST', at, call.requestId)
  try {
    const filter = fields.get('filter')
    const test =
      filter === null ? () => true : compileFilter(filter, TOKEN_FIELDS, fields.get('filterEncoded') === 'true')
    const seen = call.world.tokens.filter(token => {
      const own = token.user.id === user.id
      const all = user.org.name === 'System' || (user.managesAllTokens && token.user.org.id === user.org.id)
      return (own || all) && test(token)
    })
    const values = seen.slice((at.page - 1) * at.pageSize, at.page * at.pageSize).map(token => ({
      id: `urn:vcloud:token:${token.id}`,
      name: token.name,
      owner: { name: token.user.name, id: `urn:vcloud:user:${token.user.id}` },
      org: { name: token.user.org.name, id: `urn:vcloud:org:${token.user.org.id}` },
      type: 'REFRESH',
      requireRotation: token.rotation !== 'never',
      expirationTimeUtc: token.expiresAtMs === null ? null : new Date(token.expiresAtMs).toISOString(),
    }))
    return paged(call, '/cloudapi/1.0.0/tokens', 'Tokens', at, seen.length, values)
  } catch (error) {
    if (!(error instanceof FilterRefused)) throw error
    return jsonError(400, 'BAD_REQUEST', error.message, call.requestId)
  }
}
