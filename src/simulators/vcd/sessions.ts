/** Logging in to the simulated cell: API tokens, passwords, and the two clocks that end a session. */
import type { Time } from '../server.ts'
import type { Trail } from './trail.ts'
import type { ApiToken, Org, User, VcdKnobs, World } from './world.ts'

export interface CellSession {
  readonly id: string
  readonly jwt: string
  readonly user: User
  /** The API token it comes from; null for a password login. */
  readonly tokenId: string | null
  readonly clientAddress: string
  readonly startedAt: number
  usedAt: number
}

export interface LoginRecord {
  readonly atMs: number
  readonly way: 'token' | 'password'
  /** As the path or the user name said it. */
  readonly org: string
  readonly ok: boolean
  readonly tokenId: string | null
}

export interface TokenAnswer {
  readonly access_token: string
  readonly token_type: 'Bearer'
  readonly expires_in: number
  readonly refresh_token: string | null
}

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

export class Sessions {
  readonly logins: LoginRecord[] = []
  readonly #time: Time
  readonly #world: World
  readonly #knobs: VcdKnobs
  readonly #trail: Trail
  readonly #byJwt = new Map<string, CellSession>()
  #minted = 0

  constructor(time: Time, world: World, knobs: VcdKnobs, trail: Trail) {
    this.#time = time
    this.#world = world
    this.#knobs = knobs
    this.#trail = trail
  }

  /** The live session of an `Authorization` header; undefined means 401. Use keeps the idle clock fresh. */
  find(authorization: string | undefined): CellSession | undefined {
    const jwt = /^Bearer (\S+)$/.exec(authorization ?? '')?.[1]
    const session = jwt === undefined ? undefined : this.#byJwt.get(jwt)
    if (session === undefined) return undefined
    const now = this.#time.now()
    const age = now - session.startedAt
    const { idleTimeoutMs, absoluteTimeoutMs, expiresInS } = this.#knobs
    if (now - session.usedAt >= idleTimeoutMs || age >= Math.min(absoluteTimeoutMs, expiresInS * 1000)) {
      this.#byJwt.delete(session.jwt)
      return undefined
    }
    session.usedAt = now
    return session
  }

  /** Exchanges an API token; undefined means refused: unknown, revoked, rotated away, expired, of a user who is shut out, or another org's. */
  exchange(secret: string, org: string, clientAddress: string): TokenAnswer | undefined {
    const token = this.#world.tokens.find(one => one.secret === secret && one.user.org.name === org)
    const expired = token?.expiresAtMs !== null && (token?.expiresAtMs ?? 0) <= this.#time.wall()
    const good = token !== undefined && !expired && this.#mayEnter(token.user)
    this.#note('token', org, good, token?.id ?? null)
    if (!good) return undefined
    let next: string | null = null
    if (token.rotation !== 'never') {
      next = this.#world.uuid().replaceAll('-', '')
      token.secret = next
      if (token.rotation === 'once') token.rotation = 'never'
    }
    const session = this.#start(token.user, token.id, clientAddress)
    if (this.#knobs.tokenLoginEvents) this.#loginEvents(session)
    return {
      access_token: session.jwt,
      token_type: 'Bearer',
      expires_in: this.#knobs.expiresInS,
      refresh_token: next,
    }
  }

  /** Logs in with `user@org` and a password; undefined means 401. */
  password(name: string, password: string, provider: boolean, clientAddress: string): CellSession | undefined {
    const at = name.lastIndexOf('@')
    const [userName, orgName] = [name.slice(0, Math.max(at, 0)), name.slice(at + 1)]
    const user = this.#world.users.find(
      one => one.name === userName && one.org.name.toLowerCase() === orgName.toLowerCase(),
    )
    const right = user !== undefined && user.password === password && (user.org.name === 'System') === provider
    const ok = right && this.#mayEnter(user)
    this.#note('password', orgName, ok, null)
    if (!ok) {
      if (user !== undefined) {
        this.#trail.write({
          type: 'session/login',
          user: user.name,
          org: user.org.name,
          entity: { name: user.name, id: `urn:vcloud:user:${user.id}` },
          description: `User '${user.name}' could not be logged in`,
          success: false,
          clientAddress,
        })
        if (!right) this.#countFailure(user, clientAddress)
      }
      return undefined
    }
    user.failures = 0
    const session = this.#start(user, null, clientAddress)
    this.#loginEvents(session)
    return session
  }

  #mayEnter(user: User): boolean {
    return user.enabled && user.failures < this.#knobs.lockoutAfter
  }

  #countFailure(user: User, clientAddress: string): void {
    if (++user.failures !== this.#knobs.lockoutAfter) return
    this.#trail.write({
      type: 'user/lockout',
      user: user.name,
      org: user.org.name,
      entity: { name: user.name, id: `urn:vcloud:user:${user.id}` },
      description: `User '${user.name}' was locked out`,
      clientAddress,
    })
  }

  end(session: CellSession): void {
    this.#byJwt.delete(session.jwt)
  }

  /** Forgets every session, as a restarted cell without shared state would. */
  endAll(): void {
    this.#byJwt.clear()
  }

  /** What `sessions` and `sessions/current` answer. */
  describe(session: CellSession): unknown {
    const org: Org = session.user.org
    return {
      id: `urn:vcloud:session:${session.id}`,
      site: { name: 'vcd', id: 'urn:vcloud:site:6a0c0c52-0000-4000-8000-000000000001' },
      user: { name: session.user.name, id: `urn:vcloud:user:${session.user.id}` },
      org: { name: org.name, id: `urn:vcloud:org:${org.id}` },
      operatingOrg: { name: org.name, id: `urn:vcloud:org:${org.id}` },
      location: 'us-default',
      roles: [session.user.roles],
      roleRefs: null,
      sessionIdleTimeoutMinutes: Math.max(1, Math.floor(this.#knobs.idleTimeoutMs / 60_000)),
    }
  }

  /** The API token of that bare UUID. */
  token(id: string): ApiToken | undefined {
    return this.#world.tokens.find(one => one.id === id)
  }

  /** Revokes an API token: no new access tokens from it; those already issued live on. */
  revoke(id: string): void {
    const at = this.#world.tokens.findIndex(one => one.id === id)
    if (at >= 0) this.#world.tokens.splice(at, 1)
  }

  #note(way: 'token' | 'password', org: string, ok: boolean, tokenId: string | null): void {
    this.logins.push({ atMs: this.#time.wall(), way, org, ok, tokenId })
  }

  #start(user: User, tokenId: string | null, clientAddress: string): CellSession {
    const id = this.#world.uuid()
    const seconds = Math.floor(this.#time.wall() / 1000)
    const claims = { sub: user.name, iss: user.org.id, jti: id, iat: seconds, exp: seconds + this.#knobs.expiresInS }
    const signature = Buffer.from(`${id}.${this.#minted++}`).toString('base64url')
    const jwt = `${base64url({ alg: 'RS256', typ: 'JWT' })}.${base64url(claims)}.${signature}`
    const now = this.#time.now()
    const session: CellSession = { id, jwt, user, tokenId, clientAddress, startedAt: now, usedAt: now }
    this.#byJwt.set(jwt, session)
    return session
  }

  /** A login shows as two events, login and then authorize, 93 to 125 ms apart. */
  #loginEvents(session: CellSession): void {
    const { user, tokenId, clientAddress } = session
    const base = {
      user: user.name,
      org: user.org.name,
      entity: { name: user.name, id: `urn:vcloud:user:${user.id}` },
      tokenId,
      sessionId: session.id,
      clientAddress,
    }
    this.#trail.write({ ...base, type: 'session/login', description: `User '${user.name}' logged in` })
    const apart = 93 + Math.floor(this.#world.random() * 33)
    this.#trail.write({
      ...base,
      type: 'session/authorize',
      description: `User '${user.name}' was authorized`,
      afterMs: apart,
    })
  }
}
