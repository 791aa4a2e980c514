/**
 * A client of the audit trail as they are often written: the cursor is the last stamp and lives in memory, pages go by number, a page
 * that fails is skipped, nothing is remembered. What happens to it is what the source must not let happen.
 */
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import type { Rig } from './rig.ts'

export interface Answer {
  readonly status: number
  readonly text: string
}

interface Row {
  readonly eventId: string
  readonly timestamp: string
}

const VERSION = '38.0'

export class Naive {
  readonly #rig: Rig
  readonly version: string
  bearer = ''
  cursor: string
  /** Bare ids, in the order they came. */
  readonly rows: string[] = []
  /** Called after each page: what the world does meanwhile. */
  afterPage: (() => void | Promise<void>) | undefined

  private constructor(rig: Rig, version: string) {
    this.#rig = rig
    this.version = version
    this.cursor = new Date(rig.clock.wall() - 1).toISOString()
  }

  /** Logged in as the provider, reading from now on. */
  static async start(rig: Rig, version = VERSION): Promise<Naive> {
    const naive = new Naive(rig, version)
    naive.bearer = (await naive.login()).bearer
    return naive
  }

  send(method: string, path: string, headers: Record<string, string>, body?: string, secure = true): Promise<Answer> {
    const ca = readFileSync(this.#rig.caFile)
    return new Promise((resolve, reject) => {
      const url = `${this.#rig.simulator.url}${path}`
      const call = request(url, { method, ca, headers, agent: false, rejectUnauthorized: secure }, answer => {
        let text = ''
        answer.setEncoding('utf8')
        answer.on('data', (chunk: string) => {
          text += chunk
        })
        answer.on('error', reject)
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }))
      })
      call.on('error', reject)
      call.end(body)
    })
  }

  async login(secret = 'secret-system', secure = true): Promise<Answer & { bearer: string; next: string | null }> {
    const headers = { Accept: 'application/json', 'Content-Type': 'application/x-www-form-urlencoded' }
    const form = `grant_type=refresh_token&refresh_token=${secret}`
    const answer = await this.send('POST', '/oauth/provider/token', headers, form, secure)
    if (answer.status !== 200) return { ...answer, bearer: '', next: null }
    const { access_token, refresh_token } = JSON.parse(answer.text) as {
      access_token: string
      refresh_token: string | null
    }
    return { ...answer, bearer: access_token, next: refresh_token }
  }

  trail(query: string): Promise<Answer> {
    const headers = { Accept: `application/json;version=${this.version}`, Authorization: `Bearer ${this.bearer}` }
    return this.send('GET', `/cloudapi/1.0.0/auditTrail?${query}`, headers)
  }

  /** Everything after the last stamp, page by page. A page that can't be read is passed over, as if it had been empty. */
  async poll(pageSize = 128): Promise<void> {
    const filter = encodeURIComponent(`(timestamp=gt=${this.cursor})`)
    for (let page = 1; ; page++) {
      const answer = await this.trail(`filter=${filter}&sortAsc=timestamp&page=${page}&pageSize=${pageSize}`)
      const rows = readRows(answer)
      for (const { eventId, timestamp } of rows) {
        this.rows.push(eventId.split(':').at(-1) ?? '')
        this.cursor = new Date(timestamp).toISOString()
      }
      await this.afterPage?.()
      if (rows.length < pageSize) return
    }
  }

  has(id: string): boolean {
    return this.rows.includes(id)
  }
}

function readRows(answer: Answer): readonly Row[] {
  try {
    return (JSON.parse(answer.text) as { values?: Row[] }).values ?? []
  } catch {
    return []
  }
}
