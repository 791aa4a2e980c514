/**
 * How a session with an APIC begins, goes on and ends. One small interface, so that certificate login can come beside it.
 */
import type { ApicConfig } from '../../config/sources.ts'
import { describe, Fatal, Poison, Retryable } from '../../errors.ts'
import type { Clock } from '../../scheduler/clock.ts'
import type { HttpAnswer, HttpClient } from '../http.ts'
import { type ApicAnswer, decodeAnswer } from './decode.ts'

/** What a login or refresh answered. Times are the controller's own. */
export interface Grant {
  /** For the cookie and the socket's path. Never assume a charset. */
  readonly token: string
  /** The session ends this long after the last refresh, ms. */
  readonly refreshTimeoutMs: number
  /** The session ends this long after the login, however often it is refreshed, ms. */
  readonly maximumLifetimeMs: number
  readonly version: string
  /** Present when a challenge token was asked for: every later request must carry it. */
  readonly challenge: string | undefined
  /** Monotonic ms when the request began: lives are counted from here. */
  readonly askedAt: number
}

export interface Authentication {
  /** The account as the controller's logs write it. */
  readonly user: string
  login(http: HttpClient, clock: Clock, signal: AbortSignal): Promise<Grant>
  /** Headers that carry the session. The cookie stands in it exactly once: doubled, nothing is ever pushed (reference a3). */
  headers(grant: Grant): Record<string, string>
  /** Options for the query string that carry the session, as the guide's `url-token`. */
  options(grant: Grant): readonly (readonly [string, string])[]
  /** Within 3 s or not at all. */
  logout(http: HttpClient, grant: Grant): Promise<void>
}

/** Older releases leave the life out; 24 h is the documented default (reference a2). */
const DEFAULT_LIFETIME_S = 86_400
/** The oldest releases' default; only used when the answer does not say. */
const DEFAULT_REFRESH_S = 300

/** User name and password, with login domain and challenge token (guide: aaaLogin; reference a2–a4). */
export function passwordAuthentication(config: ApicConfig): Authentication {
  const user = config.username
  const name = config.fallback_domain
    ? `apic#fallback\\${user}`
    : config.login_domain === undefined
      ? user
      : `apic:${config.login_domain}\\${user}`
  const challenge = config.challenge_token === true ? 'header' : config.challenge_token
  return {
    user,
    async login(http, clock, signal) {
      const pwd = await config.password.read()
      const askedAt = clock.now()
      const answer = await http.request({
        method: 'POST',
        path: `/api/aaaLogin.json${challenge === false ? '' : '?gui-token-request=yes'}`,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ aaaUser: { attributes: { name, pwd } } }),
        operation: 'login',
        signal,
      })
      const decoded = decodeChecked(answer)
      if (answer.status === 401 || answer.status === 403) {
        // The text differs by authentication backend: told, never matched on.
        throw new Fatal('auth_refused', `login as ${name} refused: ${decoded.error?.text ?? `HTTP ${answer.status}`}`)
      }
      const grant = grantOf(answer, decoded, askedAt)
      if (challenge !== false && grant.challenge === undefined) {
        throw new Fatal('config', 'challenge_token is set, but the controller gave no urlToken')
      }
      return grant
    },
    headers: grant => ({
      cookie: `APIC-cookie=${grant.token}`,
      ...(challenge === 'header' && grant.challenge !== undefined ? { 'APIC-challenge': grant.challenge } : {}),
    }),
    options: grant => (challenge === 'url' && grant.challenge !== undefined ? [['url-token', grant.challenge]] : []),
    async logout(http, grant) {
      await http.request({
        method: 'POST',
        path: `/api/aaaLogout.json${challenge === 'url' ? `?url-token=${encodeURIComponent(grant.challenge ?? '')}` : ''}`,
        headers: { 'content-type': 'application/json', ...this.headers(grant) },
        body: JSON.stringify({ aaaUser: { attributes: { name: user } } }),
        operation: 'logout',
        timeoutMs: 3000,
      })
    },
  }
}

/** The grant in an aaaLogin or aaaRefresh answer. Throws when there is none. */
export function grantOf(answer: HttpAnswer, decoded: ApicAnswer, askedAt: number, before?: Grant): Grant {
  const attributes = decoded.objects.find(object => object.cls === 'aaaLogin')?.attributes
  const token = attributes?.['token']
  if (attributes === undefined || token === undefined || token === '') {
    throw new Retryable(
      'protocol',
      `no token in the answer (HTTP ${answer.status}): ${decoded.error?.text ?? 'unknown reason'}`,
    )
  }
  const seconds = (name: string, fallback: number): number => {
    const value = Number(attributes[name])
    return Number.isFinite(value) && value > 0 ? value : fallback
  }
  return {
    token,
    refreshTimeoutMs: seconds('refreshTimeoutSeconds', DEFAULT_REFRESH_S) * 1000,
    maximumLifetimeMs: seconds('maximumLifetimeSeconds', DEFAULT_LIFETIME_S) * 1000,
    version: attributes['version'] ?? before?.version ?? '',
    // A refresh does not repeat the challenge token; it lasts as long as the session.
    challenge: attributes['urlToken'] ?? before?.challenge,
    askedAt,
  }
}

/**
 * The body of an answer, after what is wrong with the wire was told apart: nginx answers HTML with 503 and friends when
 * it throttles, and 202 means that the request waits in a full queue (reference a10).
 */
export function decodeChecked(answer: HttpAnswer): ApicAnswer {
  const { status } = answer
  if (status === 202 || status === 429 || status >= 502 || answer.isHtml) {
    const after = answer.retryAfterMs
    throw new Retryable('throttled', `HTTP ${status}${answer.isHtml ? ' with a page instead of data' : ''}`, {
      ...(after === undefined ? {} : { afterMs: after }),
    })
  }
  try {
    return decodeAnswer(answer.text)
  } catch (error) {
    if (!(error instanceof Poison)) throw error
    throw new Retryable('protocol', `HTTP ${status}: ${describe(error)}`, { cause: error })
  }
}
