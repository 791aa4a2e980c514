/** API token → access token, and keeping it: exchange, rotation, the three clocks that end it. */
import type { VcdConfig } from '../../config/sources.ts'
import { Fatal, Retryable } from '../../errors.ts'
import type { Report } from '../../report.ts'
import type { Clock } from '../../scheduler/clock.ts'
import type { HttpAnswer, HttpClient } from '../http.ts'
import type { TokenFile } from './token-file.ts'

/** Renewed when less than this is left, or a tenth of the token's life if that is shorter. */
const MARGIN_MS = 60_000
/** Clients in the field plan for 20 to 30 minutes without a request (vcd.md a2); used when the cell doesn't say. */
const DEFAULT_IDLE_MS = 20 * 60_000

/** A live access token. Times are `clock.now()`. It outlives sessions of ours: each login writes two audit events. */
export interface AccessToken {
  readonly bearer: string
  /** The end by `expires_in` and by the JWT's `exp`, whichever is sooner. */
  readonly endsAt: number
  readonly lifeMs: number
  idleMs: number
  usedAt: number
  /** Our session as the cell calls it (bare UUID), once it told us. */
  sessionId: string | undefined
}

/** What stays between two sessions of one source, in memory only. */
export interface AccessMemory {
  current: AccessToken | undefined
  /** A successor that could not be written yet: the old token is dead already, so this one must not be lost. */
  unsaved: { readonly configured: string; readonly token: string } | undefined
  /** The successor that was written or read last, for when its file is taken away: no other token lives. */
  kept?: { readonly configured: string; readonly token: string } | undefined
  /** `clock.now()` of the last login of ours that rotated the API token. */
  rotatedAt?: number
  /** What stands before `/oauth` there, once found out. */
  tokenPrefix?: '' | typeof TM
}

/** VCF Automation may have the token endpoint below this (vcd.md a2): asked there when it is not found. */
const TM = '/tm'
const isNotFound = ({ status }: HttpAnswer): boolean => status === 404 || status === 405

export interface AccessOptions {
  readonly config: VcdConfig
  readonly http: HttpClient
  readonly clock: Clock
  readonly report: Report
  readonly signal: AbortSignal
  readonly memory: AccessMemory
  /** Undefined without a state_dir: then a token that rotates is refused. */
  readonly tokenFile: TokenFile | undefined
  /** Headers that every request of ours carries. */
  readonly headers: () => Record<string, string>
  readonly basePath: string
}

/** Where an organisation exchanges its API tokens; the provider's is known by its name, in any case. */
export function tokenEndpoint(org: string): string {
  return org.toLowerCase() === 'system' ? '/oauth/provider/token' : `/oauth/tenant/${encodeURIComponent(org)}/token`
}

export class Access {
  readonly #options: AccessOptions
  #login: Promise<AccessToken> | undefined

  constructor(options: AccessOptions) {
    this.#options = options
  }

  /** A token with enough life left; logs in when there is none. Throws `Fatal` and `Retryable`. */
  async token(): Promise<AccessToken> {
    const { memory } = this.#options
    const margin = this.marginMs()
    const current = memory.current
    if (current !== undefined && margin !== undefined) {
      if (margin > Math.min(MARGIN_MS, current.lifeMs / 10, current.idleMs / 10)) return current
    }
    return this.renew(current)
  }

  /** A token other than `stale`. However many ask at once, one login is made. */
  async renew(stale: AccessToken | undefined): Promise<AccessToken> {
    const { memory, report, config } = this.#options
    if (memory.current !== undefined && memory.current !== stale) return memory.current
    this.#login ??= this.#exchange(stale)
      .then(
        token => {
          memory.current = token
          report({ type: 'lease_renewed', source: config.name, lease: 'session', result: 'ok' })
          return token
        },
        (error: unknown) => {
          memory.current = undefined
          const result = error instanceof Fatal ? 'refused' : 'failed'
          report({ type: 'lease_renewed', source: config.name, lease: 'session', result })
          throw error
        },
      )
      .finally(() => {
        this.#login = undefined
      })
    return this.#login
  }

  /**
   * Resolves when no login is under way: only then may the connections be cut. A login that was sent is seen through
   * even when the session is over, for at most the request's time-out: the API token may have rotated by it, and whoever
   * loses the successor is locked out.
   */
  async settled(): Promise<void> {
    await this.#login?.catch(() => undefined)
  }

  /** What is left of the access token by the tightest of its clocks; undefined without one. */
  marginMs(): number | undefined {
    const current = this.#options.memory.current
    if (current === undefined) return undefined
    return Math.min(current.endsAt, current.usedAt + current.idleMs) - this.#options.clock.now()
  }

  async #exchange(stale: AccessToken | undefined): Promise<AccessToken> {
    const { config, tokenFile, signal, memory } = this.#options
    const configured = await config.api_token.read()
    if (tokenFile === undefined) return this.#ask(configured, configured)
    return tokenFile.locked(signal, async () => {
      // The token may have been rotated by a command while we waited: read again, under the lock.
      if (memory.unsaved?.configured === configured) await this.#save(configured, memory.unsaved.token)
      const stored = (await tokenFile.read(configured)) ?? (await this.#again(configured))
      if (stored !== undefined) memory.kept = { configured, token: stored }
      // Another login of this process may have been faster.
      if (memory.current !== undefined && memory.current !== stale) return memory.current
      return this.#ask(configured, stored ?? configured)
    })
  }

  /**
   * The successor that this process knows of the configured token, written again, though its file is gone. A file that
   * is there is of a token that was configured meanwhile, and holds the only one of it that lives.
   */
  async #again(configured: string): Promise<string | undefined> {
    const { memory, tokenFile } = this.#options
    const { kept } = memory
    if (kept?.configured !== configured || tokenFile?.exists() === true) return undefined
    await this.#save(configured, kept.token)
    return kept.token
  }

  async #ask(configured: string, apiToken: string): Promise<AccessToken> {
    const { config, clock, signal, tokenFile, memory } = this.#options
    signal.throwIfAborted()
    const startedAt = clock.now()
    const { answer, endpoint } = await this.#post(apiToken)
    if (!answer.ok) throw this.#refused(answer, endpoint)
    const body = answer.isHtml ? undefined : (answer.json() as Record<string, unknown> | null)
    const bearer = body?.['access_token']
    if (typeof bearer !== 'string' || bearer === '') {
      throw new Retryable('protocol', `${config.url}${endpoint} answered ${answer.status} without an access token`)
    }
    const successor = body?.['refresh_token']
    if (typeof successor === 'string' && successor !== '' && successor !== apiToken) {
      if (tokenFile === undefined) {
        throw new Fatal(
          'config',
          `the API token of org "${config.org}" rotates: each login answers with a new one and kills the old one, and ` +
            'there is no state_dir to keep it in. Set state_dir and configure a new API token, better one that does not rotate',
        )
      }
      // Kept at once, so that a disk that is full for a minute does not lock us out; used only when written.
      memory.unsaved = { configured, token: successor }
      await this.#save(configured, successor)
      memory.rotatedAt = clock.now()
    }
    const lifeMs = Math.max(0, lifeOf(bearer, body?.['expires_in'], answer))
    const endsAt = startedAt + lifeMs
    return { bearer, endsAt, lifeMs, idleMs: DEFAULT_IDLE_MS, usedAt: clock.now(), sessionId: undefined }
  }

  /** Asks where the endpoint was found the last time, and where that is no path, at the other place. */
  async #post(apiToken: string): Promise<{ answer: HttpAnswer; endpoint: string }> {
    const { tokenPrefix } = this.#options.memory
    const first = await this.#postAt(tokenPrefix ?? '', apiToken)
    if (!isNotFound(first.answer)) return first
    const other = await this.#postAt(tokenPrefix === TM ? '' : TM, apiToken)
    return isNotFound(other.answer) ? first : other
  }

  async #postAt(prefix: '' | typeof TM, apiToken: string): Promise<{ answer: HttpAnswer; endpoint: string }> {
    const { config, http, signal, headers, basePath, tokenFile, memory } = this.#options
    const endpoint = `${basePath}${prefix}${tokenEndpoint(config.org)}`
    const answer = await http.request({
      method: 'POST',
      path: endpoint,
      operation: 'login',
      // Without a place to keep a successor there is nothing to save.
      signal: tokenFile === undefined ? signal : undefined,
      headers: { ...headers(), Accept: 'application/json', 'Content-Type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: apiToken }).toString(),
    })
    if (answer.ok) memory.tokenPrefix = prefix
    return { answer, endpoint }
  }

  async #save(configured: string, successor: string): Promise<void> {
    const { tokenFile, memory, config } = this.#options
    try {
      await tokenFile?.write(configured, successor)
    } catch (error) {
      throw new Fatal(
        'config',
        `can't keep the rotated API token of ${config.name} in state_dir: free it, then reload`,
        {
          cause: error,
        },
      )
    }
    memory.unsaved = undefined
    memory.kept = { configured, token: successor }
  }

  #refused(answer: HttpAnswer, endpoint: string): Error {
    const { config } = this.#options
    const where = `${config.url.replace(/\/$/, '')}${endpoint}`
    if (answer.isHtml || answer.status === 429 || answer.status >= 500) {
      const { retryAfterMs } = answer
      const options = retryAfterMs === undefined ? {} : { afterMs: retryAfterMs }
      return new Retryable('throttled', `${where} answered ${answer.status}`, options)
    }
    if (isNotFound(answer)) {
      return new Fatal(
        'config',
        `${where} answered ${answer.status}: no such token endpoint, nor under /tm; check url and org`,
      )
    }
    const code = refusalCode(answer)
    const { clock, memory } = this.#options
    // A token that was just ours: two instances on one rotating token kick each other out, time and again.
    const ago = memory.rotatedAt === undefined ? undefined : Math.round((clock.now() - memory.rotatedAt) / 1000)
    const after =
      ago === undefined
        ? ''
        : `. Its last login here, ${ago} s ago, rotated it: most likely another program has used it since`
    return new Fatal(
      'auth_refused',
      `the API token was refused for org "${config.org}" at ${where} (HTTP ${answer.status}${code === undefined ? '' : `, ${code}`}). ` +
        'Likely causes: it belongs to another org (a token does not tell its own), it was revoked or has expired, ' +
        `or it was rotated away by another program that uses it (one token per instance)${after}`,
    )
  }
}

/** VCD's own error form has `minorErrorCode`, RFC 6749's has `error`: either, if it is a plain word. */
function refusalCode(answer: HttpAnswer): string | undefined {
  let body: unknown
  try {
    body = JSON.parse(answer.text)
  } catch {
    return undefined
  }
  if (typeof body !== 'object' || body === null) return undefined
  const { minorErrorCode, error } = body as { minorErrorCode?: unknown; error?: unknown }
  const code = minorErrorCode ?? error
  return typeof code === 'string' && /^\w{1,64}$/.test(code) ? code : undefined
}

/** Life left of a fresh access token, ms: `expires_in` and the JWT's `exp` (by the cell's clock), the sooner one. */
function lifeOf(bearer: string, expiresIn: unknown, answer: HttpAnswer): number {
  const stated = typeof expiresIn === 'number' && expiresIn > 0 ? expiresIn * 1000 : Number.POSITIVE_INFINITY
  const exp = jwtEnd(bearer)
  const now = answer.serverTimeMs
  const byJwt = exp === undefined || now === undefined ? Number.POSITIVE_INFINITY : exp * 1000 - now
  // One that ended before it began tells of two clocks that differ: a 401 will tell when it is really over.
  const life = Math.min(stated, byJwt > 0 ? byJwt : Number.POSITIVE_INFINITY)
  return Number.isFinite(life) ? life : DEFAULT_IDLE_MS
}

/** `exp` of a JWT, seconds; undefined when it is no JWT or has none. Not verified: it only tells when to renew. */
function jwtEnd(bearer: string): number | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(bearer.split('.')[1] ?? '', 'base64url').toString('utf8'))
    const exp = (claims as { exp?: unknown } | null)?.exp
    return typeof exp === 'number' ? exp : undefined
  } catch {
    return undefined
  }
}
