/** Who may come in: XSRF double submit, password sessions and JWTs, the CSP token exchange (raas.md §2.2). */
import { createHmac, randomBytes } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { Time } from '../server.ts'
import type { RaasKnobs, RaasUser } from './knobs.ts'

export interface Login {
  readonly user: RaasUser
  readonly via: 'jwt' | 'cookie' | 'basic' | 'bearer'
}

function cookiesOf(headers: IncomingHttpHeaders): Map<string, string> {
  const result = new Map<string, string>()
  for (const part of (headers.cookie ?? '').split(';')) {
    const at = part.indexOf('=')
    if (at > 0) result.set(part.slice(0, at).trim(), part.slice(at + 1).trim())
  }
  return result
}

export class Gate {
  readonly #time: Time
  readonly #knobs: RaasKnobs
  readonly #users: readonly RaasUser[]
  readonly #secret = randomBytes(32)
  #revokedBefore = 0
  #serial = 0
  readonly #xsrf = new Set<string>()
  readonly #sessions = new Map<string, RaasUser>()
  readonly #opaque = new Map<string, { user: RaasUser; endMs: number }>()
  readonly #csp = new Map<string, number>()

  constructor(time: Time, knobs: RaasKnobs, users: readonly RaasUser[]) {
    this.#time = time
    this.#knobs = knobs
    this.#users = users
  }

  /** A new XSRF token, good until it is replaced. */
  xsrf(): string {
    const token = `2|${randomBytes(4).toString('hex')}|${randomBytes(16).toString('hex')}|${Math.floor(this.#time.wall() / 1000)}`
    this.#xsrf.add(token)
    return token
  }

  /** Makes every XSRF token so far stale. */
  forgetXsrf(): void {
    this.#xsrf.clear()
  }

  retireXsrf(headers: IncomingHttpHeaders): void {
    this.#xsrf.delete(cookiesOf(headers).get('_xsrf') ?? '')
  }

  /** Header and cookie must both be there and be the same current token. */
  xsrfRefusal(headers: IncomingHttpHeaders): string | undefined {
    if (!this.#knobs.xsrf) return undefined
    const header = headers['x-xsrftoken']
    const cookie = cookiesOf(headers).get('_xsrf')
    if (typeof header !== 'string' || header === '') return 'Missing XSRF token'
    if (cookie === undefined) return 'Missing XSRF cookie'
    if (header !== cookie || !this.#xsrf.has(cookie)) return 'XSRF token does not match'
    return undefined
  }

  password(username: unknown, password: unknown, configName: unknown): RaasUser | undefined {
    return this.#users.find(
      user =>
        user.username === username && user.password === password && (user.configName ?? 'internal') === configName,
    )
  }

  jwt(user: RaasUser): string {
    const now = this.#time.wall()
    const endMs = now + this.#knobs.jwtLifetimeMs
    if (this.#knobs.jwtOpaque) {
      const token = randomBytes(24).toString('base64url')
      this.#opaque.set(token, { user, endMs })
      return token
    }
    const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const body = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({
      sub: user.username,
      config_name: user.configName ?? 'internal',
      iat: now / 1000,
      exp: endMs / 1000,
      // Two tokens of one moment still differ, as they do on a real server.
      jti: ++this.#serial,
    })}`
    return `${body}.${this.#sign(body)}`
  }

  #sign(body: string): string {
    return createHmac('sha256', this.#secret).update(body).digest('base64url')
  }

  /** No JWT, session or access token given out so far is good any more. */
  revokeAll(): void {
    this.#revokedBefore = this.#serial
    this.#opaque.clear()
    this.#sessions.clear()
    this.#csp.clear()
  }

  cookieSession(user: RaasUser): string {
    const id = randomBytes(16).toString('hex')
    this.#sessions.set(id, user)
    return id
  }

  /** The access token for a CSP API token, or undefined when CSP does not know it. */
  csp(apiToken: string): string | undefined {
    if (!this.#knobs.cspTokens.has(apiToken)) return undefined
    const token = `csp.${randomBytes(24).toString('base64url')}`
    this.#csp.set(token, this.#time.wall() + this.#knobs.cspLifetimeMs)
    return token
  }

  #fromJwt(token: string): RaasUser | undefined {
    const known = this.#opaque.get(token)
    if (known !== undefined) return known.endMs > this.#time.wall() ? known.user : undefined
    const [head, body, signature] = token.split('.')
    if (head === undefined || body === undefined || this.#sign(`${head}.${body}`) !== signature) return undefined
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Record<string, unknown>
    if (Number(claims['exp']) * 1000 <= this.#time.wall() || Number(claims['jti']) <= this.#revokedBefore) {
      return undefined
    }
    return this.#users.find(
      user => user.username === claims['sub'] && (user.configName ?? 'internal') === claims['config_name'],
    )
  }

  #fromBearer(token: string): RaasUser | undefined {
    const outside = { username: 'sso-user', password: '' }
    if (this.#knobs.bearers.has(token)) return outside
    if ((this.#csp.get(token) ?? 0) > this.#time.wall()) return { ...outside, username: 'csp-user' }
    return this.#fromJwt(token)
  }

  /** Who is calling, or undefined: not logged in, or not any more. */
  who(headers: IncomingHttpHeaders): Login | undefined {
    const [scheme = '', token = ''] = (headers.authorization ?? '').split(' ')
    const wanted = this.#knobs.schemes.find(known => known.toLowerCase() === scheme.toLowerCase())
    if (headers.authorization !== undefined) {
      if (wanted === 'JWT') return login(this.#fromJwt(token), 'jwt')
      if (wanted === 'Bearer') return login(this.#fromBearer(token), 'bearer')
      if (wanted !== 'Basic') return undefined
      const [name, ...rest] = Buffer.from(token, 'base64').toString('utf8').split(':')
      return login(this.password(name, rest.join(':'), 'internal'), 'basic')
    }
    return login(this.#sessions.get(cookiesOf(headers).get('raas_session') ?? ''), 'cookie')
  }
}

function login(user: RaasUser | undefined, via: Login['via']): Login | undefined {
  return user === undefined ? undefined : { user, via }
}
