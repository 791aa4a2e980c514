/** A strict client of the simulated APIC: node:https and ws, one cookie, nothing forgiven. */
import type { IncomingHttpHeaders } from 'node:http'
import { request } from 'node:https'
import { WebSocket } from 'ws'
import { type ApicSimulator, DEFAULT_USER } from '../../src/simulators/apic/controller.ts'
import { until } from '../support/manual-clock.ts'

export type Attributes = Record<string, string>
export interface Item {
  readonly [className: string]: { readonly attributes: Attributes; readonly children?: Item[] }
}
export interface Body {
  readonly totalCount?: string
  readonly subscriptionId?: string
  readonly imdata: Item[]
}
export interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly body: Body
  /** `code text` of the error envelope, or ''. */
  readonly error: string
}
export interface Frame {
  readonly subscriptionId: string[]
  readonly imdata: Item[]
}

export interface CallOptions {
  readonly token?: string
  readonly body?: object | string
  readonly headers?: Record<string, string>
}

export class Client {
  readonly sim: ApicSimulator
  readonly ca: string
  token = ''
  #sockets: WebSocket[] = []

  constructor(sim: ApicSimulator, ca: string) {
    this.sim = sim
    this.ca = ca
  }

  /** One request on a connection of its own. Rejects when the connection breaks. */
  call(method: string, path: string, options: CallOptions = {}): Promise<Reply> {
    const token = options.token ?? this.token
    const text = typeof options.body === 'object' ? JSON.stringify(options.body) : options.body
    return new Promise((resolve, reject) => {
      const headers = { ...(token === '' ? {} : { Cookie: `APIC-cookie=${token}` }), ...options.headers }
      const port = this.sim.port
      const outgoing = request(
        { host: '127.0.0.1', port, path, method, headers, ca: this.ca, agent: false },
        response => {
          let received = ''
          response.setEncoding('utf8')
          response.on('data', (chunk: string) => {
            received += chunk
          })
          response.on('error', reject)
          response.on('end', () => resolve(replyOf(response.statusCode ?? 0, response.headers, received)))
        },
      )
      outgoing.on('error', reject)
      outgoing.end(text)
    })
  }

  get(path: string, options?: CallOptions): Promise<Reply> {
    return this.call('GET', path, options)
  }

  post(path: string, body?: object | string, options: CallOptions = {}): Promise<Reply> {
    return this.call('POST', path, { ...options, ...(body === undefined ? {} : { body }) })
  }

  async login(name = DEFAULT_USER.name, pwd = DEFAULT_USER.password, query = ''): Promise<Reply> {
    const reply = await this.post(
      `/api/aaaLogin.json${query}`,
      { aaaUser: { attributes: { name, pwd } } },
      { token: '' },
    )
    const token = reply.body.imdata[0]?.['aaaLogin']?.attributes['token']
    if (reply.status === 200 && token !== undefined) this.token = token
    return reply
  }

  /** Opens the socket; rejects with `refused STATUS`. */
  async socket(token = this.token): Promise<Listener> {
    // The path is given raw: a URL object would be one more thing that may rewrite it.
    const ws = new WebSocket(`wss://127.0.0.1:${this.sim.port}/socket${token}`, {
      ca: this.ca,
      perMessageDeflate: false,
    })
    this.#sockets.push(ws)
    await new Promise<void>((resolve, reject) => {
      ws.once('open', resolve)
      ws.once('unexpected-response', (_request, response) => {
        response.resume()
        ws.terminate()
        reject(new Error(`refused ${response.statusCode}`))
      })
      ws.once('error', reject)
    })
    return new Listener(ws)
  }

  /** Logs in and opens the socket. */
  async ready(): Promise<Listener> {
    await this.login()
    return this.socket()
  }

  /** Subscribes; gives the id. */
  async subscribe(path: string): Promise<string> {
    const reply = await this.get(path)
    if (reply.body.subscriptionId === undefined) throw new Error(`no subscription: ${reply.status} ${reply.text}`)
    return reply.body.subscriptionId
  }

  refresh(id: string): Promise<Reply> {
    return this.get(`/api/subscriptionRefresh.json?id=${id}`)
  }

  close(): void {
    for (const ws of this.#sockets) ws.terminate()
  }
}

export class Listener {
  readonly ws: WebSocket
  readonly texts: string[] = []
  closed = false
  pongs = 0

  constructor(ws: WebSocket) {
    this.ws = ws
    ws.on('error', () => undefined)
    ws.on('message', data => this.texts.push(String(data)))
    ws.on('pong', () => {
      this.pongs++
    })
    ws.on('close', () => {
      this.closed = true
    })
  }

  get frames(): Frame[] {
    return this.texts.map(text => JSON.parse(text) as Frame)
  }

  /** Waits for `count` frames. */
  async take(count: number): Promise<Frame[]> {
    await until(() => this.texts.length >= count, `${count} frames (have ${this.texts.length})`)
    return this.frames
  }
}

export function replyOf(status: number, headers: IncomingHttpHeaders, text: string): Reply {
  const isJson = String(headers['content-type']).includes('json')
  const body: Body = isJson ? (JSON.parse(text) as Body) : { imdata: [] }
  const refused = body.imdata[0]?.['error']?.attributes
  const error = refused === undefined ? '' : `${refused['code']} ${refused['text']}`
  return { status, headers, text, body, error }
}

/** The attributes of the first object, or {}. */
export function first(body: { imdata: Item[] }): Attributes {
  return Object.values(body.imdata[0] ?? {})[0]?.attributes ?? {}
}

/** One property of every object. */
export function column(body: { imdata: Item[] }, property: string): (string | undefined)[] {
  return body.imdata.map(item => Object.values(item)[0]?.attributes[property])
}
