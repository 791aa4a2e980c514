/** Readers of RaaS as they are often written. What they lose is what opswire must not. */
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { ROOT } from './bus.ts'

export interface Answer {
  readonly status: number
  readonly text: string
}

type Row = Readonly<Record<string, unknown>>

/** Logs in once and keeps what it got, asks with the usual page of 50, believes what it is told. */
export class Naive {
  readonly #url: string
  readonly #ca: string
  #headers: Record<string, string> = { 'content-type': 'application/json' }
  /** Returns that it has told, in order: `jid/minion`. */
  readonly told: string[] = []
  /** What its polls threw. */
  readonly errors: string[] = []
  cursor = ''
  /** By which column it goes on, how large its pages are and how many it reads. */
  by: 'alter_time' | 'jid' = 'alter_time'
  limit = 50
  pages = 1

  constructor(rig: { readonly sim: { readonly url: string }; readonly directory: string }) {
    this.#url = rig.sim.url
    this.#ca = readFileSync(join(rig.directory, 'ca.pem'), 'utf8')
  }

  send(method: string, path: string, body = '', headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const options = { method, headers: { ...this.#headers, ...headers }, ca: this.#ca, agent: false as const }
      const outgoing = request(`${this.#url}${path}`, options, incoming => {
        let text = ''
        incoming.setEncoding('utf8')
        incoming.on('error', reject)
        incoming.on('data', (part: string) => {
          text += part
        })
        incoming.on('end', () => {
          const token = incoming.headers['x-xsrftoken']
          if (typeof token === 'string')
            this.#headers = { ...this.#headers, 'x-xsrftoken': token, cookie: `_xsrf=${token}` }
          resolve({ status: incoming.statusCode ?? 0, text })
        })
      })
      outgoing.on('error', reject)
      outgoing.end(body)
    })
  }

  async login(prefix = ''): Promise<Answer> {
    await this.send('GET', `${prefix}/account/login`)
    const form = JSON.stringify({ ...ROOT, config_name: 'internal', token_type: 'jwt' })
    const answer = await this.send('POST', `${prefix}/account/login`, form)
    if (answer.status === 200) {
      const { jwt } = JSON.parse(answer.text) as { jwt: string }
      this.#headers = { ...this.#headers, authorization: `JWT ${jwt}` }
    }
    return answer
  }

  rpc(name: string, kwarg: Row = {}, path = '/rpc'): Promise<Answer> {
    const [resource, method] = name.split('.')
    return this.send('POST', path, JSON.stringify({ resource, method, kwarg }))
  }

  /** `ret.results`, as a script takes it. Throws what the script would. */
  async rows(name: string, kwarg: Row = {}): Promise<Row[]> {
    const { text } = await this.rpc(name, kwarg)
    return (JSON.parse(text) as { ret: { results: Row[] } }).ret.results
  }

  /** The newest page, or pages, down to its cursor; no overlap, no memory. */
  async poll(): Promise<void> {
    try {
      const found: Row[] = []
      for (let page = 0; page < this.pages; page++) {
        const rows = await this.rows('ret.get_returns', { sort_by: this.by, reverse: true, limit: this.limit, page })
        found.push(...rows.filter(row => `${row[this.by]}` > this.cursor))
        if (rows.length < this.limit || rows.some(row => `${row[this.by]}` <= this.cursor)) break
      }
      for (const row of found.reverse()) {
        this.told.push(`${row['jid']}/${row['minion_id']}`)
        this.cursor = `${row[this.by]}`
      }
    } catch (error) {
      this.errors.push(String(error))
    }
  }

  /** Minions told, without their jobs. */
  get minions(): string[] {
    return this.told.map(one => one.slice(one.indexOf('/') + 1))
  }
}
