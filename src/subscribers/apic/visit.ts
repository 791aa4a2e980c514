/** A short session for questions asked once: log in, ask, log out. No socket, no subscription. */
import type { ApicConfig } from '../../config/sources.ts'
import { codeOf, Fatal, Retryable } from '../../errors.ts'
import type { Report } from '../../report.ts'
import type { Clock } from '../../scheduler/clock.ts'
import type { Pace } from '../../scheduler/pace.ts'
import type { Visit as PastVisit } from '../contract.ts'
import { HttpClient } from '../http.ts'
import { decodeChecked, passwordAuthentication } from './auth.ts'
import { ApicClient, Refused } from './client.ts'
import { TUNING, type Tuning } from './core.ts'
import type { ApicAnswer } from './decode.ts'
import { FabricClock } from './fabric-clock.ts'
import { Paces } from './pace.ts'
import { apicPast, type PastOptions } from './past.ts'
import { whileThrottled } from './patient.ts'

export interface VisitOptions {
  readonly config: ApicConfig
  readonly clock: Clock
  readonly report: Report
  readonly signal: AbortSignal
  readonly tuning?: Partial<Tuning>
}

/** The session is renewed when this part of its life is over: pages of a large answer may take longer than it lives. */
const RENEW_AT = 1 / 2

export class Visit {
  readonly #options: VisitOptions
  readonly #paces = new Paces()
  #client: ApicClient | undefined
  #controller = ''

  constructor(options: VisitOptions) {
    this.#options = options
  }

  /**
   * Logs in at the first controller that lets us. Throws `Fatal('auth_refused')` at once: they share their accounts; else
   * what the last one of them said.
   */
  async open(): Promise<void> {
    const { clock, signal } = this.#options
    await whileThrottled(clock, signal, () => this.#anywhere())
  }

  /**
   * One GET. An overloaded controller is asked again for some seconds, a session that ended meanwhile is opened once more.
   * Throws like `ApicClient.get`.
   */
  async get(url: string): Promise<ApicAnswer> {
    const { clock, signal } = this.#options
    const ask = (): Promise<ApicAnswer> =>
      whileThrottled(clock, signal, () => this.#session().get(url, 'query', signal))
    await this.#renew()
    try {
      return await ask()
    } catch (error) {
      if (codeOf(error) !== 'session_lost') throw error
      await this.close()
      await this.open()
      return ask()
    }
  }

  /** Says goodbye. Never throws. */
  async close(): Promise<void> {
    const client = this.#client
    this.#client = undefined
    await client?.logout()
    await client?.close()
  }

  #session(): ApicClient {
    if (this.#client === undefined) throw new Retryable('session_lost', 'not logged in')
    return this.#client
  }

  async #renew(): Promise<void> {
    const { clock, signal } = this.#options
    const client = this.#session()
    const { askedAt, refreshTimeoutMs } = client.grant
    if (clock.now() - askedAt < refreshTimeoutMs * RENEW_AT) return
    try {
      await this.#pace().run({ rank: 'session', living: true }, signal, () => client.refresh(signal))
    } catch (error) {
      // The question itself will tell whether the session is over.
      if (!(error instanceof Retryable)) throw error
    }
  }

  async #anywhere(): Promise<void> {
    const { config, clock, report, signal } = this.#options
    const auth = passwordAuthentication(config)
    let last: unknown
    for (const controller of config.controllers) {
      signal.throwIfAborted()
      this.#controller = controller
      try {
        const client = new ApicClient({ controller, config, auth, clock, report, signal, pace: this.#pace() })
        // Known before it is let in: a login that is cut off may have made a session that must be ended.
        this.#client = client
        await client.login()
        return
      } catch (error) {
        await this.close()
        if (signal.aborted || isFinal(error)) throw error
        last = error
      }
    }
    throw last
  }

  #pace(): Pace {
    const { clock, config, tuning } = this.#options
    const terms = { clock, maxConcurrency: config.max_concurrency, tuning: { ...TUNING, ...tuning } }
    return this.#paces.of(this.#controller, terms)
  }
}

/** No other controller would answer anything else. */
function isFinal(error: unknown): boolean {
  return error instanceof Fatal && error.code !== 'tls'
}

/** `GET /api/aaaListDomains`: the login domains, for which nobody needs to log in (guide: aaaListDomains). */
export async function askDomains(
  { config, clock, report, signal }: VisitOptions,
  format: 'json' | 'xml',
): Promise<ApicAnswer> {
  let last: unknown
  for (const origin of config.controllers) {
    const common = { source: config.name, tls: config.tls, timeoutMs: config.request_timeout, clock, report }
    const http = new HttpClient({ ...common, origin, connections: 1 })
    try {
      const path = `/api/aaaListDomains.${format}`
      const answer = await http.request({ method: 'GET', path, operation: 'domains', signal })
      const decoded = decodeChecked(answer)
      if (answer.ok && decoded.error === undefined) return decoded
      const { code = String(answer.status), text = 'refused' } = decoded.error ?? {}
      throw new Refused('protocol', answer.status, code, text)
    } catch (error) {
      if (signal.aborted || isFinal(error)) throw error
      last = error
    } finally {
      await http.close()
    }
  }
  throw last
}

/** A visit that reads what is past. Throws as `Visit.open`. */
export async function visitPast(options: VisitOptions, past: PastOptions): Promise<PastVisit> {
  const { clock, signal, config, tuning } = options
  const visit = new Visit(options)
  try {
    await visit.open()
    const client = { get: (url: string) => visit.get(url) }
    const fabric = new FabricClock(clock, () => undefined)
    await fabric.read(client, signal)
    const asker = { clock, config, client, tuning: { ...TUNING, ...tuning }, fabricNow: () => fabric.now() }
    return { past: apicPast(asker, past), close: () => visit.close() }
  } catch (error) {
    await visit.close()
    throw error
  }
}
