/** Sessions and their tokens: a session ends without aaaRefresh, and at its hard end whatever was refreshed. */
import { hash, randomBytes, randomUUID } from 'node:crypto'
import type { Time } from '../server.ts'
import type { Account } from './accounts.ts'
import type { Knobs } from './knobs.ts'
import type { ApicRecord, SessionEnd, SessionRecord } from './record.ts'
import { ApicError } from './refusal.ts'

export interface Session {
  readonly id: string
  readonly account: Account
  readonly address: string
  /** Must come with every call, when the login asked for one. */
  readonly challenge: string | undefined
  readonly startedAt: number
  /** The newest token. */
  token: string
  alive: boolean
}

export interface SessionOptions {
  readonly time: Time
  readonly knobs: Knobs
  readonly record: ApicRecord
  readonly refreshTimeoutSeconds: number
  readonly maximumLifetimeSeconds: number
  readonly tokenStyle: 'base64' | 'jwt'
  readonly onEnd: (session: Session, why: SessionEnd) => void
}

interface Life {
  readonly session: Session
  readonly log: SessionRecord
  readonly hardEnd: number
  cancel: () => void
}

/** A token as releases make them. Base64 ones hold `+`, `/`, `//` and `=`: none of it may be encoded on the way. */
function makeToken(style: 'base64' | 'jwt', user: string): string {
  if (style === 'base64') return `DAAAAA${randomBytes(150).toString('base64')}+//${randomBytes(151).toString('base64')}`
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const payload = { rbac: [{ domain: 'all', rolesR: 0, rolesW: 1 }], username: user, jti: randomUUID() }
  return `${part({ alg: 'RS256', kid: 'sim', typ: 'jwt' })}.${part(payload)}.${randomBytes(96).toString('base64url')}`
}

export class Sessions {
  readonly #options: SessionOptions
  readonly #lives = new Map<Session, Life>()
  /** Every token ever given; those that are over answer differently from those that never were. */
  readonly #tokens = new Map<string, { readonly session: Session; expires: number }>()

  constructor(options: SessionOptions) {
    this.#options = options
  }

  get alive(): Session[] {
    return [...this.#lives.keys()]
  }

  /** Begins a session for a checked account. */
  start(account: Account, address: string, withChallenge: boolean): Session {
    const { time, record, maximumLifetimeSeconds, tokenStyle } = this.#options
    const id = randomBytes(16).toString('base64')
    const session: Session = {
      id,
      account,
      address,
      challenge: withChallenge ? hash('sha256', randomBytes(32), 'hex') : undefined,
      startedAt: time.wall(),
      token: makeToken(tokenStyle, account.name),
      alive: true,
    }
    const log: SessionRecord = { id, user: account.name, startedAt: time.wall(), refreshedAt: [] }
    record.sessions.push(log)
    const life = { session, log, hardEnd: time.now() + maximumLifetimeSeconds * 1000, cancel: () => undefined }
    this.#lives.set(session, life)
    this.#tokens.set(session.token, { session, expires: Number.POSITIVE_INFINITY })
    this.#arm(life)
    return session
  }

  /** The session of a good token. Throws `ApicError` with code 403. */
  resolve(token: string): Session {
    const entry = this.#tokens.get(token)
    if (entry === undefined) throw this.#invalid('Token is not known')
    if (!entry.session.alive || this.#options.time.now() >= entry.expires) throw this.#invalid('Token timeout')
    return entry.session
  }

  /** A call was made: it puts the end off only where the knob says so. */
  used(session: Session): void {
    const life = this.#lives.get(session)
    if (this.#options.knobs.requestsExtend && life !== undefined) this.#arm(life)
  }

  /** A new token; the old one has little time left. Throws `ApicError` 403 when the session is over. */
  refresh(session: Session): void {
    const { time, knobs, tokenStyle } = this.#options
    const life = this.#lives.get(session)
    if (life === undefined) throw this.#invalid('Token timeout')
    const old = this.#tokens.get(session.token)
    if (old !== undefined) old.expires = Math.min(old.expires, time.now() + knobs.oldTokenSeconds * 1000)
    session.token = makeToken(tokenStyle, session.account.name)
    this.#tokens.set(session.token, { session, expires: Number.POSITIVE_INFINITY })
    life.log.refreshedAt.push(time.wall())
    this.#arm(life)
  }

  /** A logout was answered: ends the session, unless logouts linger. */
  logout(session: Session): void {
    const life = this.#lives.get(session)
    if (life !== undefined) life.log.loggedOutAt = this.#options.time.wall()
    if (!this.#options.knobs.logoutLingers) this.end(session, 'logout')
  }

  /** Ends a session now. */
  end(session: Session, why: SessionEnd): void {
    const life = this.#lives.get(session)
    if (life === undefined) return
    life.cancel()
    this.#lives.delete(session)
    session.alive = false
    life.log.endedAt = this.#options.time.wall()
    life.log.endedBy = why
    this.#options.onEnd(session, why)
  }

  close(): void {
    for (const life of this.#lives.values()) life.cancel()
    this.#lives.clear()
  }

  #invalid(why: string): ApicError {
    return new ApicError(this.#options.knobs.tokenErrorStatus, '403', `Token was invalid (Error: ${why})`)
  }

  #arm(life: Life): void {
    const { time, refreshTimeoutSeconds } = this.#options
    life.cancel()
    const softEnd = time.now() + refreshTimeoutSeconds * 1000
    const isHard = life.hardEnd <= softEnd
    life.cancel = time.after(Math.min(softEnd, life.hardEnd) - time.now(), () =>
      this.end(life.session, isHard ? 'lifetime' : 'timeout'),
    )
    // The token of an unrefreshed session is over with it; an older one may be over before.
    const entry = this.#tokens.get(life.session.token)
    if (entry !== undefined) entry.expires = Math.min(softEnd, life.hardEnd)
  }
}
