/** A believable life in a simulated cloud, made only through its API: an automation with a token, and a person. */
import { request } from 'node:https'
import { XMLParser } from 'fast-xml-parser'
import type { Time } from '../server.ts'

export interface VcdLifeCredentials {
  /** Tenant in which both work. */
  readonly org: string
  /** Rotations are followed. */
  readonly apiToken: string
  readonly user: string
  readonly password: string
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

interface Known {
  readonly path: string
  readonly name: string
  readonly status: string
}

const VERSION = '37.1'

/** One who acts: has an access token, and a way to get a new one. */
class Actor {
  readonly #url: string
  readonly #ca: string
  readonly #address: string
  readonly #signal: AbortSignal
  readonly #login: (actor: Actor) => Promise<string | undefined>
  #bearer: string | undefined

  constructor(
    url: string,
    ca: string,
    address: string,
    signal: AbortSignal,
    login: (actor: Actor) => Promise<string | undefined>,
  ) {
    this.#url = url
    this.#ca = ca
    this.#address = address
    this.#signal = signal
    this.#login = login
  }

  /** One request without a login. Rejects when the connection fails. */
  send(method: string, path: string, headers: Record<string, string>, body?: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const call = request(
        `${this.#url}${path}`,
        {
          method,
          ca: this.#ca,
          agent: false,
          signal: this.#signal,
          headers: { ...headers, 'X-Forwarded-For': this.#address },
        },
        answer => {
          const chunks: Buffer[] = []
          answer.on('data', (chunk: Buffer) => chunks.push(chunk))
          answer.on('error', reject)
          answer.on('end', () => {
            const text = Buffer.concat(chunks).toString('utf8')
            resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text })
          })
        },
      )
      call.on('error', reject)
      call.end(body)
    })
  }

  /** One request as this actor; logs in first where needed, and once more after a 401. */
  async act(method: string, path: string, body?: string): Promise<Answer> {
    for (let attempt = 0; ; attempt++) {
      this.#bearer ??= await this.#login(this)
      const flavour = path.startsWith('/api/') ? 'application/*+xml' : 'application/json'
      const type = path.startsWith('/api/')
        ? 'application/vnd.vmware.vcloud.recomposeVAppParams+xml'
        : 'application/json'
      const answer = await this.send(
        method,
        path,
        {
          Accept: `${flavour};version=${VERSION}`,
          Authorization: `Bearer ${this.#bearer ?? ''}`,
          ...(body === undefined ? {} : { 'Content-Type': type }),
        },
        body,
      )
      if (answer.status !== 401 || attempt > 0) return answer
      this.#bearer = undefined
    }
  }
}

async function machines(actor: Actor): Promise<Known[]> {
  const answer = await actor.act('GET', '/api/query?type=vm&format=records')
  const parser = new XMLParser({
    ignoreAttributes: false,
    attributeNamePrefix: '',
    isArray: name => name === 'VMRecord',
  })
  const parsed = parser.parse(answer.text) as {
    QueryResultRecords?: { VMRecord?: { href: string; name: string; status: string }[] }
  }
  return (parsed.QueryResultRecords?.VMRecord ?? []).map(record => ({
    path: new URL(record.href).pathname,
    name: record.name,
    status: record.status,
  }))
}

/**
 * Lives until the signal aborts: machines switched, made and deleted with an API token, users made by a person in an
 * interactive session, some of it refused or failing. Something happens about every 800 ms; the first acts, one with
 * and one without a token, happen at once. Troubles of the other side are waited out. Never rejects.
 */
export async function runVcdLife(
  url: string,
  caPem: string,
  credentials: VcdLifeCredentials,
  time: Time,
  signal: AbortSignal,
): Promise<void> {
  const { org, user, password } = credentials
  let secret = credentials.apiToken
  const bot = new Actor(url, caPem, '198.51.100.20', signal, async actor => {
    const form = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: secret }).toString()
    const provider = org.toLowerCase() === 'system'
    const answer = await actor.send(
      'POST',
      provider ? '/oauth/provider/token' : `/oauth/tenant/${encodeURIComponent(org)}/token`,
      { Accept: 'application/json', 'Content-Type': 'application/x-www-form-urlencoded' },
      form,
    )
    const token = JSON.parse(answer.text) as { access_token?: string; refresh_token?: string | null }
    if (typeof token.refresh_token === 'string' && token.refresh_token !== '') secret = token.refresh_token
    return token.access_token
  })
  const login = async (actor: Actor, word: string): Promise<string | undefined> => {
    const answer = await actor.send(
      'POST',
      `/cloudapi/1.0.0/sessions${org.toLowerCase() === 'system' ? '/provider' : ''}`,
      {
        Accept: `application/json;version=${VERSION}`,
        Authorization: `Basic ${Buffer.from(`${user}@${org}:${word}`).toString('base64')}`,
      },
    )
    const bearer = answer.headers['x-vmware-vcloud-access-token']
    return typeof bearer === 'string' ? bearer : undefined
  }
  const person = new Actor(url, caPem, '203.0.113.77', signal, actor => login(actor, password))

  let made = 0
  const anyOf = async (actor: Actor, wanted: (vm: Known) => boolean): Promise<Known | undefined> => {
    const found = (await machines(actor)).filter(wanted)
    return found[Math.floor(time.random() * found.length)]
  }
  const power = async (actor: Actor, action: string, wanted: (vm: Known) => boolean): Promise<void> => {
    const vm = await anyOf(actor, wanted)
    if (vm !== undefined) await actor.act('POST', `${vm.path}/power/action/${action}`)
  }
  const acts: (() => Promise<unknown>)[] = [
    () => power(bot, 'powerOn', vm => vm.status === 'POWERED_OFF'),
    () => person.act('POST', '/cloudapi/1.0.0/users', JSON.stringify({ username: `guest-${++made}` })),
    // Refused: users are view-only for an API token.
    () => bot.act('POST', '/cloudapi/1.0.0/users', JSON.stringify({ username: 'intruder' })),
    () => {
      const body = `<RecomposeVAppParams xmlns="http://www.vmware.com/vcloud/v1.5"><SourcedItem><Source name="job-${++made}"/></SourcedItem></RecomposeVAppParams>`
      return bot.act('POST', '/api/vApp/vapp-6a0c0c52-0000-4000-8000-00000000ab01/action/recomposeVApp', body)
    },
    // Fails: what is on can't be switched on.
    () => power(person, 'powerOn', vm => vm.status === 'POWERED_ON'),
    () => power(bot, 'powerOff', vm => vm.status === 'POWERED_ON'),
    async () => {
      const vm = await anyOf(bot, one => one.status === 'POWERED_OFF' && one.name.startsWith('job-'))
      if (vm !== undefined) await bot.act('DELETE', vm.path)
    },
    // A mistyped password.
    () => login(person, `${password}x`),
    () => power(person, 'reset', vm => vm.status === 'POWERED_ON'),
  ]
  for (let turn = 0; !signal.aborted; turn++) {
    try {
      await acts[turn % acts.length]?.()
    } catch {
      // The cell is in trouble, or we are being stopped: the next turn will show.
    }
    if (turn > 0) await pause(time, 500 + 600 * time.random(), signal)
  }
}

function pause(time: Time, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) return resolve()
    const done = (): void => {
      cancel()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const cancel = time.after(ms, done)
    signal.addEventListener('abort', done, { once: true })
  })
}
