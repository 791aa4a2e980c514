/**
 * Logging in as a person, with a password, to list API tokens: a session that comes from an API token may not (the
 * vendor's guide). For `opswire query` only; the daemon never does this.
 */
import type { VcdConfig } from '../../config/sources.ts'
import { Fatal, Retryable } from '../../errors.ts'
import type { HttpAnswer, HttpClient } from '../http.ts'
import { PageSize } from './page-size.ts'
import { isObject, lastSegment, type Members, textOf } from './row.ts'

/** One API token as the cell lists it: what it is called and whose it is, never the token itself. */
export interface ListedToken {
  /** Bare lower-case UUID: what events carry as `currentContext.refreshTokenId`. */
  readonly id: string
  readonly name: string
  readonly owner: string | undefined
  readonly org: string | undefined
  /** ISO time; undefined for a token that never expires. */
  readonly expires: string | undefined
}

export interface Login {
  /** A user's name, alone or as `name@org`; alone means the source's own organisation. */
  readonly user: string
  readonly password: string
}

export interface UserLoginOptions {
  readonly config: VcdConfig
  readonly http: HttpClient
  readonly signal: AbortSignal
  /** Path of `url`, put before each path of ours. */
  readonly basePath: string
  /** The negotiated API version. */
  readonly version: string
}

/**
 * The API tokens that this user may see: the user's own, and with "Manage all users' API tokens" those of the whole organisation.
 * Logs in, lists, logs out. Throws `Fatal('auth_refused')`, `Fatal('permission')` and `Retryable`.
 */
export async function tokensOfUser(options: UserLoginOptions, login: Login): Promise<ListedToken[]> {
  const bearer = await logIn(options, login)
  try {
    return await listTokens(options, bearer)
  } finally {
    await send(options, bearer, 'DELETE', '/cloudapi/1.0.0/sessions/current', 'logout').catch(() => undefined)
  }
}

function send(
  options: UserLoginOptions,
  authorization: string,
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  operation: string,
): Promise<HttpAnswer> {
  const { http, signal, basePath, version } = options
  return http.request({
    method,
    path: `${basePath}${path}`,
    operation,
    signal,
    headers: { Accept: `application/json;version=${version}`, Authorization: authorization },
  })
}

async function logIn(options: UserLoginOptions, { user, password }: Login): Promise<string> {
  const at = user.lastIndexOf('@')
  const org = at < 0 ? options.config.org : user.slice(at + 1)
  const name = at < 0 ? user : user.slice(0, at)
  const path = `/cloudapi/1.0.0/sessions${org.toLowerCase() === 'system' ? '/provider' : ''}`
  const basic = Buffer.from(`${name}@${org}:${password}`, 'utf8').toString('base64')
  const answer = await send(options, `Basic ${basic}`, 'POST', path, 'login')
  if (answer.status === 401) {
    throw new Fatal(
      'auth_refused',
      `${name}@${org} was refused (HTTP 401): user, org or password is wrong, or it is locked`,
    )
  }
  if (!answer.ok || answer.isHtml) throw new Retryable('throttled', `POST ${path} answered HTTP ${answer.status}`)
  const token = answer.header('X-VMWARE-VCLOUD-ACCESS-TOKEN')
  if (token === undefined || token === '')
    throw new Retryable('protocol', `POST ${path} answered without an access token`)
  return `Bearer ${token}`
}

async function listTokens(options: UserLoginOptions, bearer: string): Promise<ListedToken[]> {
  const pageSize = new PageSize()
  const tokens = new Map<string, ListedToken>()
  for (let page = 1; ; ) {
    const size = pageSize.current
    const query = `filter=${encodeURIComponent('(type==REFRESH)')}&page=${page}&pageSize=${size}`
    const answer = await send(options, bearer, 'GET', `/cloudapi/1.0.0/tokens?${query}`, 'tokens')
    // Each endpoint has a largest page of its own; the first refusal comes on page 1, so no page number is carried over.
    if (answer.status === 400 && page === 1 && pageSize.refused()) continue
    const values = valuesOf(answer)
    for (const value of values) {
      const token = readToken(value)
      if (token !== undefined) tokens.set(token.id, token)
    }
    // `pageCount` and `resultTotal` may be missing: a page that is not full is the last.
    if (values.length < size) return [...tokens.values()]
    page++
  }
}

function valuesOf(answer: HttpAnswer): readonly unknown[] {
  if (answer.status === 403) {
    throw new Fatal(
      'permission',
      'GET tokens answered HTTP 403: the user lacks the right "Manage user\'s own API token"',
    )
  }
  if (!answer.ok || answer.isHtml) throw new Retryable('protocol', `GET tokens answered HTTP ${answer.status}`)
  const body = answer.json()
  const values = isObject(body) ? body['values'] : undefined
  if (!Array.isArray(values)) throw new Retryable('protocol', 'GET tokens answered JSON without a list of values')
  return values
}

function readToken(value: unknown): ListedToken | undefined {
  if (!isObject(value)) return undefined
  const id = lastSegment(textOf(value, 'id') ?? '')
  const name = textOf(value, 'name')
  if (id === '' || name === undefined) return undefined
  return {
    id,
    name,
    owner: nameIn(value, 'owner'),
    org: nameIn(value, 'org'),
    expires: textOf(value, 'expirationTimeUtc'),
  }
}

function nameIn(object: Members, key: string): string | undefined {
  const member = object[key]
  return isObject(member) ? textOf(member, 'name') : undefined
}
