/** A simulated cloud and a plain client that speaks to it as anybody would, for the tests of the simulator. */
import { request } from 'node:https'
import { expect } from 'vitest'
import { makeCertificate } from '../../src/simulators/server.ts'
import { startVcdSimulator, type VcdOptions, type VcdSimulator } from '../../src/simulators/vcd/simulator.ts'
import { ManualClock } from '../support/manual-clock.ts'

export const certificate = makeCertificate()
export const BOT = '6a0c0c52-0000-4000-8000-0000000000f1'
export const ROOT = '6a0c0c52-0000-4000-8000-0000000000f2'

/** Of the running test. */
export let clock: ManualClock
export let simulator: VcdSimulator

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

/** A fresh cell with two tenants; the caller closes it. */
export async function start(knobs: Partial<VcdOptions> = {}): Promise<void> {
  clock = new ManualClock()
  simulator = await startVcdSimulator({
    time: clock,
    certificate: await certificate,
    orgs: [{ name: 'acme' }, { name: 'other co' }],
    users: [
      { name: 'alice', org: 'acme', password: 'pw' },
      { name: 'bot', org: 'acme', password: 'pw', roles: 'vApp Author' },
      { name: 'olga', org: 'other co', password: 'pw' },
      { name: 'root', org: 'System', password: 'pw' },
    ],
    tokens: [
      { secret: 'bot-secret', id: BOT, name: 'bot', user: 'bot', org: 'acme' },
      { secret: 'root-secret', id: ROOT, name: 'root', user: 'root', org: 'System' },
    ],
    ...knobs,
  })
}

export async function ask(
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: string,
): Promise<Answer> {
  const ca = (await certificate).cert
  return new Promise((resolve, reject) => {
    const call = request(`${simulator.url}${path}`, { method, ca, headers, agent: false }, answer => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('error', reject)
      answer.on('end', () =>
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          text: Buffer.concat(chunks).toString('utf8'),
        }),
      )
    })
    call.on('error', reject)
    call.end(body)
  })
}

export const FORM = { 'Content-Type': 'application/x-www-form-urlencoded', Accept: 'application/json' }
export const exchange = (path: string, token: string): Promise<Answer> =>
  ask('POST', path, FORM, `grant_type=refresh_token&refresh_token=${token}`)

/** Headers of a session from the API token. */
export async function bearer(
  path = '/oauth/provider/token',
  token = 'root-secret',
  version = '39.1',
): Promise<Record<string, string>> {
  const { access_token } = JSON.parse((await exchange(path, token)).text) as { access_token: string }
  return { Authorization: `Bearer ${access_token}`, Accept: `application/json;version=${version}` }
}

/** Headers of an interactive session. */
export async function interactive(user: string, provider = false): Promise<Record<string, string>> {
  const answer = await ask('POST', `/cloudapi/1.0.0/sessions${provider ? '/provider' : ''}`, {
    Accept: 'application/json;version=39.1',
    Authorization: `Basic ${Buffer.from(`${user}:pw`).toString('base64')}`,
  })
  expect(answer.status).toBe(200)
  const Authorization = `Bearer ${String(answer.headers['x-vmware-vcloud-access-token'])}`
  return { Authorization, Accept: 'application/json;version=39.1' }
}

export const xml = (headers: Record<string, string>, version = '39.1'): Record<string, string> => ({
  ...headers,
  Accept: `application/*+xml;version=${version}`,
})

interface Trail {
  readonly resultTotal: number
  readonly pageCount: number
  readonly values: {
    eventId: string
    eventType: string
    timestamp: string
    additionalProperties: Record<string, unknown>
  }[]
}

export async function trail(headers: Record<string, string>, query: string): Promise<Trail> {
  const answer = await ask('GET', `/cloudapi/1.0.0/auditTrail?${query}`, headers)
  expect(answer.status, answer.text).toBe(200)
  return JSON.parse(answer.text) as Trail
}
