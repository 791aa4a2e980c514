/** A small client of the stand-in for those who make changes: the demo's life and the tests. Logs in as a person would. */
import { request } from 'node:https'

export interface RaasCredentials {
  readonly username: string
  readonly password: string
  readonly configName?: string
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

export class RaasApi {
  readonly #url: URL
  readonly #ca: string
  readonly #credentials: RaasCredentials
  readonly #signal: AbortSignal
  #xsrf = ''
  #jwt = ''
  #riq = 0

  constructor(url: string, caPem: string, credentials: RaasCredentials, signal: AbortSignal) {
    this.#url = new URL(url)
    this.#ca = caPem
    this.#credentials = credentials
    this.#signal = signal
  }

  #send(method: string, path: string, body?: unknown): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const headers: Record<string, string> = { 'content-type': 'application/json' }
      if (this.#xsrf !== '') {
        headers['x-xsrftoken'] = this.#xsrf
        headers['cookie'] = `_xsrf=${this.#xsrf}`
      }
      if (this.#jwt !== '') headers['authorization'] = `JWT ${this.#jwt}`
      const options = { method, headers, ca: this.#ca, agent: false as const, signal: this.#signal }
      const outgoing = request(
        new URL(`${this.#url.pathname.replace(/\/$/, '')}${path}`, this.#url),
        options,
        incoming => {
          const chunks: Buffer[] = []
          incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
          incoming.on('error', reject)
          incoming.on('end', () => {
            for (const cookie of incoming.headers['set-cookie'] ?? []) {
              const found = /^_xsrf=([^;]*)/.exec(cookie)?.[1]
              if (found !== undefined) this.#xsrf = found
            }
            const shown = incoming.headers['x-xsrftoken']
            if (typeof shown === 'string') this.#xsrf = shown
            const text = Buffer.concat(chunks).toString('utf8')
            resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: text })
          })
        },
      )
      outgoing.on('error', reject)
      outgoing.end(body === undefined ? undefined : JSON.stringify(body))
    })
  }

  async login(): Promise<void> {
    this.#jwt = ''
    await this.#send('GET', '/account/login')
    const { username, password, configName = 'internal' } = this.#credentials
    const form = { username, password, config_name: configName, token_type: 'jwt' }
    const answer = await this.#send('POST', '/account/login', form)
    if (answer.status !== 200) throw new Error(`login refused: HTTP ${answer.status}`)
    this.#jwt = String((JSON.parse(answer.body) as Record<string, unknown>)['jwt'])
  }

  /** One call; logs in again once when the session is over. Throws on an application error. */
  async call(resource: string, method: string, kwarg: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const payload = { resource, method, kwarg, riq: ++this.#riq }
    let answer = await this.#send('POST', '/rpc', payload)
    if (answer.status === 401 || answer.status === 403 || answer.body.startsWith('<')) {
      await this.login()
      answer = await this.#send('POST', '/rpc', payload)
    }
    if (answer.status !== 200) throw new Error(`${resource}.${method}: HTTP ${answer.status}`)
    const envelope = JSON.parse(answer.body) as { ret: unknown; error: { message: string } | null }
    if (envelope.error !== null) throw new Error(`${resource}.${method}: ${envelope.error.message}`)
    return envelope.ret
  }
}
