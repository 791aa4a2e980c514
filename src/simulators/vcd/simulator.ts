/** A VMware Cloud Director that stands in for a real one: HTTPS, strict, with a record of everything that it showed. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Certificate, readBody, startServer, type Time } from '../server.ts'
import { Acts } from './acts.ts'
import { tokensPage, trailPage } from './pages.ts'
import { json, jsonError, orgListXml, type Reply, versionsXml, vmRecordsXml, xmlError } from './replies.ts'
import { type LoginRecord, Sessions } from './sessions.ts'
import { type RowRecord, type RowSeed, Trail } from './trail.ts'
import {
  type Fault,
  type Org,
  seeded,
  type TokenSeed,
  type VcdKnobs,
  VERSIONS,
  World,
  type WorldSeed,
} from './world.ts'

export interface RequestRecord {
  readonly atMs: number
  readonly method: string
  /** Path with its query, as sent. */
  readonly path: string
  /** 0 when the connection was cut instead of an answer. */
  readonly status: number
  readonly clientRequestId: string | undefined
  readonly accept: string | undefined
}

export interface VcdRecord {
  /** Every audit row ever made visible, with the token that did it or null. */
  readonly rows: readonly RowRecord[]
  /** How many rows were written that nobody can see yet. */
  readonly toCome: number
  readonly requests: readonly RequestRecord[]
  readonly logins: readonly LoginRecord[]
}

export interface VcdSimulator {
  /** `https://127.0.0.1:PORT` */
  readonly url: string
  readonly port: number
  readonly record: VcdRecord
  /** Change any of them at any time. */
  readonly knobs: VcdKnobs
  /** Writes one audit row by hand and returns its bare id. */
  write(row: RowSeed): string
  /** A database restored from an older copy: these rows are gone. */
  lose(gone: (row: RowRecord) => boolean): void
  /** What the API token of that id is now, after rotations; undefined when revoked. */
  secretOf(tokenId: string): string | undefined
  /** Throws when there is none of that name. */
  org(name: string): Org
  addOrg(name: string): Org
  /** Nobody sees it any more; its rows stay in the trail. */
  removeOrg(name: string): void
  /** Bare id of a user. Throws when there is none of that name. */
  userId(name: string, org: string): string
  /** A user makes another API token. Throws for a user that there isn't. */
  issue(token: TokenSeed): void
  /** Access tokens already issued live on. */
  revoke(tokenId: string): void
  /** Every session ends: the next request of each gets 401. */
  endSessions(): void
  /** Shows another certificate from now on; every connection is cut. */
  certify(certificate: Certificate): void
  close(): Promise<void>
}

export type VcdOptions = WorldSeed &
  Partial<VcdKnobs> & {
    readonly time: Time
    /** Omit for plain HTTP. */
    readonly certificate?: Certificate
    readonly port?: number
    /** For ids, tie order and the choice of cell. */
    readonly seed?: number
  }

/** The version that an `Accept` header names, e.g. `application/*+xml;version=36.1`; undefined without one. */
function acceptVersion(accept: string | undefined, flavour: 'api' | 'cloudapi'): string | undefined {
  const match = /^application\/(json|\*\+json|\*\+xml|\*|[\w.+-]+)\s*;\s*version=([0-9A-Za-z.-]+)$/.exec(accept ?? '')
  if (match === null || (flavour === 'cloudapi' && /xml/.test(match[1] ?? ''))) return undefined
  return match[2]
}

/** API 37.0 and later, and the second numbering scheme of VCF Automation (9.x.y). */
function since37(version: string): boolean {
  return version.split('.').length > 2 || Number(version.split('.')[0]) >= 37
}

/** Starts it on 127.0.0.1. Time-outs, stamps, retention and the `Date` header all follow `options.time`. */
export async function startVcdSimulator(options: VcdOptions): Promise<VcdSimulator> {
  const { time } = options
  const random = seeded(options.seed ?? 1)
  const world = new World(options, random)
  const knobs: VcdKnobs = {
    versions: VERSIONS['10.6'],
    idleTimeoutMs: 30 * 60_000,
    absoluteTimeoutMs: 24 * 3_600_000,
    expiresInS: 2_592_000,
    tokenPrefix: '',
    refusedStatus: 400,
    tokenLoginEvents: true,
    lockoutAfter: 5,
    maxPageSize: 128,
    maxTokensPageSize: 128,
    retentionMs: 90 * 86_400_000,
    latenessMs: () => 0,
    cells: [{ id: world.uuid(), skewMs: 0 }],
    shuffleTies: true,
    subMillisecond: false,
    hide: undefined,
    omitTotal: false,
    countCeiling: Number.POSITIVE_INFINITY,
    dateHeader: wallMs => new Date(wallMs).toUTCString(),
    fail: undefined,
    publicUrl: 'https://cloud.example.net',
    ...pickKnobs(options),
  }
  const trail = new Trail(time, world, knobs)
  const sessions = new Sessions(time, world, knobs, trail)
  const acts = new Acts(world, trail)
  const requests: RequestRecord[] = []
  let turn = 0

  const answer = async (request: IncomingMessage, path: string, requestId: string): Promise<Reply> => {
    const { pathname, search } = new URL(path, 'https://cell')
    const method = request.method ?? 'GET'
    const address = String(request.headers['x-forwarded-for'] ?? request.socket.remoteAddress ?? '')
    const form = request.headers['content-type']?.startsWith('application/x-www-form-urlencoded') === true
    const body = method === 'GET' ? '' : await readBody(request)
    const cell = knobs.cells[turn++ % knobs.cells.length]
    const spoken = cell?.versions ?? knobs.versions
    if (method === 'GET' && pathname === '/api/versions') return versionsXml(spoken, knobs.publicUrl)

    const oauth = /^(\/tm|)\/oauth\/(?:(provider)|tenant\/([^/]+))\/token$/.exec(pathname)
    if (oauth !== null) {
      const [, prefix, provider, tenant = ''] = oauth
      if (prefix !== knobs.tokenPrefix) return jsonError(404, 'NOT_FOUND', `No resource at ${pathname}`, requestId)
      if (method !== 'POST') return jsonError(405, 'METHOD_NOT_ALLOWED', 'Method not allowed', requestId)
      if (!form) return jsonError(415, 'UNSUPPORTED_MEDIA_TYPE', 'Content-Type not supported', requestId)
      const fields = new URLSearchParams(body)
      if (fields.get('grant_type') !== 'refresh_token') {
        return jsonError(400, 'unsupported_grant_type', 'Grant type not supported', requestId)
      }
      const org = provider === undefined ? decodeURIComponent(tenant) : 'System'
      // The provider's own organisation logs in at the provider endpoint only.
      const known = provider !== undefined || org !== 'System'
      const token = sessions.exchange(fields.get('refresh_token') ?? '', known ? org : '', address)
      if (token !== undefined) return json(200, token)
      return jsonError(knobs.refusedStatus, 'invalid_grant', 'Invalid refresh token', requestId)
    }

    const flavour = pathname.startsWith('/cloudapi/') ? 'cloudapi' : 'api'
    const fault = flavour === 'cloudapi' ? jsonError : xmlError
    const version = acceptVersion(request.headers.accept, flavour)
    if (version === undefined || !spoken.some(offered => offered.version === version)) {
      const offered = spoken.map(one => `${one.version}${one.deprecated === true ? ' [D]' : ''}`).join(', ')
      const why = `The request has invalid accept header: ${request.headers.accept ?? 'none'}. Supported API versions are: [ ${offered} ]`
      return fault(406, 'NOT_ACCEPTABLE', why, requestId)
    }
    const login = /^\/cloudapi\/1\.0\.0\/sessions(\/provider)?$/.exec(pathname)
    if (login !== null && method === 'POST') {
      const basic = /^Basic (\S+)$/.exec(request.headers.authorization ?? '')?.[1]
      const [user = '', ...rest] = Buffer.from(basic ?? '', 'base64')
        .toString('utf8')
        .split(':')
      const session = sessions.password(user, rest.join(':'), login[1] !== undefined, address)
      if (session === undefined) return { status: 401 }
      return json(200, sessions.describe(session), {
        'X-VMWARE-VCLOUD-ACCESS-TOKEN': session.jwt,
        'X-VMWARE-VCLOUD-TOKEN-TYPE': 'Bearer',
      })
    }
    const session = sessions.find(request.headers.authorization)
    // Body empty, Content-Length 0, no JSON (a7).
    if (session === undefined) return { status: 401 }
    const query = { search, tenant: request.headers['x-vmware-vcloud-tenant-context'], requestId }
    const sees = session.user.org.name === 'System' ? world.orgs : [session.user.org]
    switch (`${method} ${pathname}`) {
      case 'GET /cloudapi/1.0.0/sessions/current':
        return json(200, sessions.describe(session))
      case 'DELETE /cloudapi/1.0.0/sessions/current':
        sessions.end(session)
        return { status: 204 }
      case 'GET /cloudapi/1.0.0/auditTrail':
        return trailPage({ ...query, session, world, trail, knobs, withActor: since37(version) })
      case 'GET /cloudapi/1.0.0/tokens':
        return tokensPage({ ...query, session, world, knobs })
      case 'GET /api/org':
      case 'GET /api/org/':
        return orgListXml(sees, version, knobs.publicUrl)
      case 'GET /api/query': {
        const fields = new URLSearchParams(search)
        if (fields.get('type') !== 'vm' || fields.get('format') !== 'records') break
        return vmRecordsXml(
          world.vms.filter(vm => sees.includes(vm.org)),
          version,
          knobs.publicUrl,
        )
      }
    }
    const { publicUrl } = knobs
    const done = acts.handle({
      method,
      path: decodeURIComponent(pathname),
      body,
      session,
      version,
      publicUrl,
      requestId,
    })
    return done ?? fault(404, 'NOT_FOUND', `No resource at ${pathname}`, requestId)
  }

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = request.url ?? '/'
    const method = request.method ?? 'GET'
    const requestId = world.uuid()
    const clientRequestId = request.headers['x-vmware-vcloud-client-request-id']
    const note = (status: number): void => {
      const id = typeof clientRequestId === 'string' ? clientRequestId : undefined
      requests.push({ atMs: time.wall(), method, path, status, clientRequestId: id, accept: request.headers.accept })
    }
    const trouble = knobs.fail?.({ method, path })
    if (trouble?.kind === 'hang') return note(0)
    if (trouble?.kind === 'reset') {
      note(0)
      request.socket.destroy()
      return
    }
    const usual = trouble === undefined || trouble.kind === 'lost'
    const reply = usual ? await answer(request, path, requestId) : troubled(trouble, path, requestId)
    if (trouble?.kind === 'lost') {
      note(0)
      request.socket.destroy()
      return
    }
    note(reply.status)
    const date = knobs.dateHeader(time.wall())
    if (date === undefined) response.sendDate = false
    else response.setHeader('Date', date)
    response.setHeader('X-VMWARE-VCLOUD-REQUEST-ID', requestId)
    response.setHeader('Content-Length', Buffer.byteLength(reply.body ?? ''))
    for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value)
    response.writeHead(reply.status)
    response.end(reply.body ?? '')
  }

  const { certificate, port } = options
  const server = await startServer(
    (request, response) => {
      handle(request, response).catch(() => request.socket.destroy())
    },
    { certificate, port },
  )
  return {
    url: server.url,
    port: server.port,
    knobs,
    record: {
      get rows() {
        return trail.shown
      },
      get toCome() {
        return trail.toCome
      },
      requests,
      logins: sessions.logins,
    },
    write: row => trail.write(row),
    lose: gone => trail.lose(gone),
    secretOf: tokenId => sessions.token(tokenId)?.secret,
    org: name => world.org(name),
    addOrg: name => world.addOrg({ name }),
    removeOrg: name => void world.orgs.splice(world.orgs.indexOf(world.org(name)), 1),
    userId: (name, org) => {
      const user = world.users.find(one => one.name === name && one.org.name === org)
      if (user === undefined) throw new Error(`no user ${name} in ${org}`)
      return user.id
    },
    issue: token => world.addToken(token),
    revoke: tokenId => sessions.revoke(tokenId),
    endSessions: () => sessions.endAll(),
    certify: certificate => server.certify(certificate),
    close: () => server.close(),
  }
}

function troubled(fault: Fault, path: string, requestId: string): Reply {
  if (fault.kind === 'html') {
    const body = '<!DOCTYPE html><html><head><title>Service unavailable</title></head><body>Try later.</body></html>'
    return { status: fault.status, headers: { 'Content-Type': 'text/html' }, body }
  }
  const status = fault.kind === 'status' ? fault.status : 500
  const form = path.startsWith('/api/') ? xmlError : jsonError
  const reply = status === 401 ? { status } : form(status, 'INTERNAL_SERVER_ERROR', 'Trouble', requestId)
  const after = fault.kind === 'status' ? fault.retryAfterS : undefined
  return after === undefined ? reply : { ...reply, headers: { ...reply.headers, 'Retry-After': String(after) } }
}

/** The options that are knobs, without the ones left undefined. */
function pickKnobs(options: VcdOptions): Partial<VcdKnobs> {
  const { time: _t, certificate: _c, port: _p, seed: _s, orgs: _o, users: _u, tokens: _k, vms: _v, ...knobs } = options
  return knobs
}
