/**
 * How a session with an APIC begins, goes on and ends. One small interface, so that certificate login can come beside it.
 */
import type { ApicConfig } from '../../config/sources.ts'
import { describe, Fatal, Poison, Retryable } from '../../errors.ts'
import type { Cancel, Clock } from '../../scheduler/clock.ts'
import type { HttpAnswer, HttpClient } from '../http.ts'
import { type ApicAnswer, decodeAnswer } from './decode.ts'
import { hintOf, listDomains } from './domains.ts'
import { Refusals } from './refusals.ts'

/** What a login or refresh answered. Times are the controller's own. */
export interface Grant {
  /** For the cookie and the socket's path. Never assume a charset. */
  readonly token: string
  /** The session ends this long after the last refresh, ms. */
  readonly refreshTimeoutMs: number
  /** The session ends this long after the login, however often it is refreshed, ms. */
  readonly maximumLifetimeMs: number
  readonly version: string
  /** Which node of the fabric answered: `topology/pod-1/node-1` (seen in logins of every release since 1.2). */
  readonly node: string | undefined
  /** Present when a challenge token was asked for: every later request must carry it. */
  readonly challenge: string | undefined
  /** Monotonic ms when the request began: lives are counted from here. */
  readonly askedAt: number
}

export interface Authentication {
  /** The account as the controller's logs write it. */
  readonly user: string
  /**
   * When the signal aborts while it is under way, it may take 3 s more and still give a grant: a session that exists must
   * be known to whoever ends it.
   */
  login(http: HttpClient, clock: Clock, signal: AbortSignal): Promise<Grant>
  /** Headers that carry the session. The cookie stands in it exactly once: doubled, nothing is ever pushed (reference a3). */
  headers(grant: Grant): Record<string, string>
  /** Options for the query string that carry the session, as the guide's `url-token`. */
  options(grant: Grant): readonly (readonly [string, string])[]
  /**
   * Headers for the handshake of the socket. Whether it needs the challenge token is not known (reference a2); in the
   * path, which is compared as it stands, it could only do harm.
   */
  handshake(grant: Grant): Record<string, string>
  /** Within 3 s or not at all. */
  logout(http: HttpClient, grant: Grant): Promise<void>
}

/** Older releases leave the life out; 24 h is the documented default, and the most that can be set (reference a2). */
const DEFAULT_LIFETIME_S = 86_400
const LONGEST_LIFETIME_S = 7 * 86_400
/** The oldest releases' default; only used when the answer does not say. */
const DEFAULT_REFRESH_S = 300
/** No administrator sets less than 300 s; under this a session would be one long row of logins. */
const SHORTEST_S = 1
/** A login that is under way when the daemon stops is waited for this long, ms: the session that it makes must end. */
const LAST_LOGIN_MS = 3000

/**
 * User name and password, with login domain and challenge token (guide: aaaLogin; reference a2–a4). What is in `refusals`
 * is not asked for again.
 */
export function passwordAuthentication(config: ApicConfig, refusals = new Refusals()): Authentication {
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
      signal.throwIfAborted()
      refusals.check(config.controllers, name, pwd, clock.now())
      const askedAt = clock.now()
      const answer = await outliving(clock, signal, last =>
        http.request({
          method: 'POST',
          path: `/api/aaaLogin.json${challenge === false ? '' : '?gui-token-request=yes'}`,
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ aaaUser: { attributes: { name, pwd } } }),
          operation: 'login',
          signal: last,
        }),
      )
      const refusal = refusalOf(answer)
      if (refusal !== undefined) {
        // At once: what follows may fail, and another source may log in meanwhile.
        refusals.note(config.controllers, name, pwd, `login as ${name} refused: ${refusal}`, clock.now())
        const hint = hintOf(config.login_domain, await listDomains(http, signal))
        const message = `login as ${name} refused: ${refusal}${hint}`
        refusals.note(config.controllers, name, pwd, message, clock.now())
        throw new Fatal('auth_refused', message)
      }
      const decoded = decodeChecked(answer)
      const grant = grantOf(answer, decoded, askedAt)
      refusals.forget(config.controllers, name)
      if (challenge !== false && grant.challenge === undefined) {
        await this.logout(http, grant).catch(() => undefined)
        throw new Fatal('config', 'challenge_token is set, but the controller gave no urlToken')
      }
      return grant
    },
    headers: grant => ({
      cookie: `APIC-cookie=${grant.token}`,
      ...(challenge === 'header' && grant.challenge !== undefined ? { 'APIC-challenge': grant.challenge } : {}),
    }),
    options: grant => (challenge === 'url' && grant.challenge !== undefined ? [['url-token', grant.challenge]] : []),
    handshake: grant => ({ ...(grant.challenge === undefined ? {} : { 'APIC-challenge': grant.challenge }) }),
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

/**
 * The controller's words when it refused the login. The text differs by authentication backend: told, never matched on.
 * Whatever says 401 or 403 counts, a proxy's page and an error under HTTP 200 too: tried again soon, it would lock the
 * account (reference a2, a4).
 */
function refusalOf(answer: HttpAnswer): string | undefined {
  const isRefused = (code: string | number | undefined): boolean => code === 401 || code === 403
  let error: ApicAnswer['error']
  try {
    error = decodeAnswer(answer.text).error
  } catch {
    // A page: the status says enough.
  }
  if (!isRefused(answer.status) && !isRefused(Number(error?.code))) return undefined
  return error?.text || `HTTP ${answer.status}`
}

/** Runs `task` with a signal that aborts a few seconds after `signal` does. */
async function outliving<T>(clock: Clock, signal: AbortSignal, task: (last: AbortSignal) => Promise<T>): Promise<T> {
  const last = new AbortController()
  let cancel: Cancel | undefined
  const onAbort = (): void => {
    cancel = clock.after(LAST_LOGIN_MS, () => last.abort(signal.reason))
  }
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await task(last.signal)
  } finally {
    signal.removeEventListener('abort', onAbort)
    cancel?.()
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
  // Absent, empty, nought, negative or no number at all: what was said before, or the documented default.
  const milliseconds = (name: string, fallbackMs: number): number => {
    const value = Number(attributes[name] ?? '')
    return Number.isFinite(value) && value > 0 ? Math.max(SHORTEST_S, value) * 1000 : fallbackMs
  }
  const lifetimeMs = milliseconds('maximumLifetimeSeconds', before?.maximumLifetimeMs ?? DEFAULT_LIFETIME_S * 1000)
  const maximumLifetimeMs = Math.min(lifetimeMs, LONGEST_LIFETIME_S * 1000)
  const refreshMs = milliseconds('refreshTimeoutSeconds', before?.refreshTimeoutMs ?? DEFAULT_REFRESH_S * 1000)
  return {
    token,
    // A session that is never refreshed is over at its hard end at the latest.
    refreshTimeoutMs: Math.min(refreshMs, maximumLifetimeMs),
    maximumLifetimeMs,
    version: attributes['version'] ?? before?.version ?? '',
    node: attributes['node'] ?? before?.node,
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
  const after = answer.retryAfterMs
  const throttled = (): Retryable =>
    new Retryable('throttled', `HTTP ${status}${answer.isHtml ? ' with a page instead of data' : ''}`, {
      ...(after === undefined ? {} : { afterMs: after }),
    })
  // undici follows no redirect, and neither do we: a password is sent where the config says, or nowhere (reference a2).
  if (status >= 300 && status < 400) {
    const to = answer.header('location') === undefined ? '' : ' elsewhere'
    throw new Retryable('protocol', `HTTP ${status}: redirected${to}; name the controller's own https address`)
  }
  if (status === 202 || status === 429 || answer.isHtml) throw throttled()
  try {
    const decoded = decodeAnswer(answer.text)
    // 503 is overload, unless its text says that this one answer is too large (reference a10: releases differ).
    if (status >= 502 && !isTooBig(decoded.error?.text)) throw throttled()
    return decoded
  } catch (error) {
    if (!(error instanceof Poison)) throw error
    if (status >= 500) throw throttled()
    throw new Retryable('protocol', `HTTP ${status}: ${describe(error)}`, { cause: error })
  }
}

/** `Unable to process the query, result dataset is too big` (reference a10). */
export function isTooBig(text: string | undefined): boolean {
  return text !== undefined && /too big/i.test(text)
}
