/**
 * A believable life for a controller, made only through the guide's own calls, with a login of its own: the demo's and
 * the tests' way to make things happen. Faults come, get worse and go; tenants are made, edited and deleted; ports flap.
 */
import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import { Agent, request as httpsRequest } from 'node:https'
import type { Time } from '../server.ts'
import { fabricStory, faultStory, type Step, tenantStory } from './stories.ts'

export interface ApicLifeOptions {
  /** `https://HOST:PORT` of the controller. */
  readonly url: string
  /** PEM of the authority to trust. */
  readonly ca: string
  readonly username: string
  readonly password: string
  readonly time: Time
  /** Ends the life: the step in flight is finished, then the session is logged out. */
  readonly signal: AbortSignal
  /** Between two steps, ms; the second number is the longest wait. Default 1000 to 1500. */
  readonly paceMs?: readonly [number, number]
  /** Told of every step that the controller took. */
  readonly onStep?: (what: string) => void
}

interface Reply {
  readonly status: number
  readonly text: string
}

/**
 * Lives until the signal aborts; resolves after the logout. Within ten steps there is at least one fault raised,
 * changed, clearing and cleared, one event, one audit entry and one change of an object. A controller that is away or
 * throttles is tried again at the next step. Rejects when the login is refused.
 */
export async function runApicLife(options: ApicLifeOptions): Promise<void> {
  const { time, signal, paceMs = [1000, 1500] } = options
  const life = new Life(options)
  try {
    for (const step of steps(() => time.random())) {
      while (!signal.aborted && !(await life.take(step))) await pause(time, paceMs[1], signal)
      if (signal.aborted) return
      await pause(time, paceMs[0] + time.random() * (paceMs[1] - paceMs[0]), signal)
      if (signal.aborted) return
    }
  } finally {
    await life.end()
  }
}

/** The stories interleaved: a fault's step every second time, the others in turn. */
function* steps(dice: () => number): Generator<Step> {
  let round = 0
  let fault = faultStory(dice)
  let tenant = tenantStory(dice, ++round)
  const fabric = fabricStory(dice)
  for (;;) {
    for (const turn of ['fault', 'tenant', 'fault', 'fabric'] as const) {
      let next = turn === 'fault' ? fault.next() : turn === 'tenant' ? tenant.next() : fabric.next()
      if (next.done === true && turn === 'fault') {
        fault = faultStory(dice)
        next = fault.next()
      } else if (next.done === true) {
        tenant = tenantStory(dice, ++round)
        next = tenant.next()
      }
      if (next.done !== true) yield next.value
    }
  }
}

class Life {
  readonly #options: ApicLifeOptions
  readonly #isTls: boolean
  readonly #agent: Agent | HttpAgent
  #token: string | undefined
  /** Monotonic ms at which the session is due for a refresh. */
  #refreshAt = 0

  constructor(options: ApicLifeOptions) {
    this.#options = options
    this.#isTls = options.url.startsWith('https:')
    this.#agent = this.#isTls
      ? new Agent({ ca: options.ca, keepAlive: true, maxSockets: 1 })
      : new HttpAgent({ keepAlive: true, maxSockets: 1 })
  }

  /** Does one step; false when it has to be tried again. */
  async take(step: Step): Promise<boolean> {
    try {
      if (!(await this.#isLoggedIn())) return false
      const reply = await this.#call(step.method, `/api/${step.path}`, step.body)
      if (reply.status === 403) this.#token = undefined
      if (reply.status === 403 || reply.status >= 500) return false
      if (reply.status === 200) this.#options.onStep?.(step.what)
      return true
    } catch (error) {
      if (error instanceof Refused) throw error
      this.#token = undefined
      return false
    }
  }

  /** Logs out, as far as the controller is there to hear it. */
  async end(): Promise<void> {
    try {
      if (this.#token !== undefined) {
        await this.#call('POST', '/api/aaaLogout.json', { aaaUser: { attributes: { name: this.#options.username } } })
      }
    } catch {
      // The session ends by itself.
    } finally {
      this.#agent.destroy()
    }
  }

  async #isLoggedIn(): Promise<boolean> {
    const { username: name, password: pwd, time } = this.#options
    if (this.#token !== undefined && time.now() < this.#refreshAt) return true
    const refreshing = this.#token !== undefined
    const reply = refreshing
      ? await this.#call('GET', '/api/aaaRefresh.json')
      : await this.#call('POST', '/api/aaaLogin.json', { aaaUser: { attributes: { name, pwd } } })
    if (reply.status === 401) throw new Refused(`login as ${name} was refused`)
    if (reply.status === 503) return refreshing
    this.#token = undefined
    if (reply.status !== 200) return false
    const { token, refreshTimeoutSeconds } = loginOf(reply.text)
    this.#token = token
    this.#refreshAt = time.now() + (Number(refreshTimeoutSeconds) * 1000) / 3
    return true
  }

  #call(method: string, path: string, body?: object): Promise<Reply> {
    const text = body === undefined ? undefined : JSON.stringify(body)
    return new Promise((resolve, reject) => {
      const make = this.#isTls ? httpsRequest : httpRequest
      const headers = {
        ...(this.#token === undefined ? {} : { Cookie: `APIC-cookie=${this.#token}` }),
        ...(text === undefined
          ? {}
          : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) }),
      }
      const request = make(`${this.#options.url}${path}`, { method, headers, agent: this.#agent }, response => {
        let received = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          received += chunk
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text: received }))
        response.on('error', reject)
      })
      // A controller that says nothing must not hold the end of the program up.
      const cancel = this.#options.time.after(5000, () => request.destroy(new Error('no answer')))
      request.on('close', cancel)
      request.on('error', reject)
      request.end(text)
    })
  }
}

class Refused extends Error {}

function loginOf(text: string): { token: string; refreshTimeoutSeconds: string } {
  const answer = JSON.parse(text) as {
    imdata: { aaaLogin: { attributes: { token: string; refreshTimeoutSeconds: string } } }[]
  }
  const login = answer.imdata[0]?.aaaLogin.attributes
  if (login === undefined) throw new Error('a login answer without aaaLogin')
  return login
}

/** Resolves after `ms`, or at once when the signal aborts. */
function pause(time: Time, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      cancel()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const cancel = time.after(ms, done)
    signal.addEventListener('abort', done)
    if (signal.aborted) done()
  })
}
