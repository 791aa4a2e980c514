/** Who is calling: the cookie, the challenge, and the throttle in front of logins. */
import type { IncomingMessage } from 'node:http'
import type { Time } from '../server.ts'
import { ApicError } from './refusal.ts'
import type { Session, Sessions } from './sessions.ts'

export interface Caller {
  readonly session: Session
  /**
   * The header held APIC-cookie more than once. Reads work; a subscription made so is never told anything
   * (reference/apic.md a3).
   */
  readonly doubled: boolean
}

/** The values of every APIC-cookie in the header, whatever the case of the name. */
function cookies(request: IncomingMessage): string[] {
  const found: string[] = []
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const cut = part.indexOf('=')
    if (cut > 0 && part.slice(0, cut).trim().toLowerCase() === 'apic-cookie') found.push(part.slice(cut + 1).trim())
  }
  return found
}

/** Throws `ApicError` 403 without a good cookie, or without the challenge where the session has one. */
export function authenticate(request: IncomingMessage, options: Map<string, string>, sessions: Sessions): Caller {
  const [token, ...more] = cookies(request)
  if (token === undefined) {
    throw new ApicError(
      403,
      '403',
      'Need a valid webtoken cookie (named APIC-Cookie) or a signed request with signature in the cookie ' +
        'APIC-Request-Signature for all REST API requests',
    )
  }
  const session = sessions.resolve(token)
  if (session.challenge !== undefined) {
    const given = request.headers['apic-challenge'] ?? options.get('url-token') ?? options.get('challenge')
    if (given !== session.challenge) throw new ApicError(403, '403', 'Challenge token is missing or wrong')
  }
  sessions.used(session)
  return { session, doubled: more.length > 0 }
}

/** nginx's throttles: so many in any second. */
export class Throttle {
  readonly #time: Time
  #passed: number[] = []
  #from = 0

  constructor(time: Time) {
    this.#time = time
  }

  /** false: this one is too many. O(1) on the whole. */
  passes(perSecond: number): boolean {
    if (!Number.isFinite(perSecond)) return true
    const now = this.#time.now()
    const passed = this.#passed
    while (this.#from < passed.length && now - (passed[this.#from] ?? now) >= 1000) this.#from++
    if (this.#from > 1024 && this.#from * 2 > passed.length) {
      this.#passed = passed.slice(this.#from)
      this.#from = 0
    }
    if (this.#passed.length - this.#from >= perSecond) return false
    this.#passed.push(now)
    return true
  }
}
