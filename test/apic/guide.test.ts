/**
 * Every request that the guide prints: written as YAML, read by the config's loader, sent by the client over TLS, and
 * answered by the simulator. docs/APIC-QUERIES.md has the list.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { judge } from '../../src/cli/load.ts'
import { parseConfig } from '../../src/config/load.ts'
import type { SubscriptionConfig } from '../../src/config/query.ts'
import type { ApicConfig } from '../../src/config/sources.ts'
import { systemClock } from '../../src/scheduler/clock.ts'
import { type ApicSimulator, startApicSimulator } from '../../src/simulators/apic/controller.ts'
import { passwordAuthentication } from '../../src/subscribers/apic/auth.ts'
import { ApicClient } from '../../src/subscribers/apic/client.ts'
import { TUNING } from '../../src/subscribers/apic/core.ts'
import type { ApicObject } from '../../src/subscribers/apic/decode.ts'
import { Paces } from '../../src/subscribers/apic/pace.ts'
import { buildQueries, queryUrl } from '../../src/subscribers/apic/query.ts'
import { Client, column } from '../simulators/apic-client.ts'
import { ApicRig, certificate } from '../support/apic-source.ts'
import { ManualClock, until } from '../support/manual-clock.ts'
import { within } from '../support/turning.ts'
import { COMMANDS, QUESTIONS, SESSION, wireOf } from './guide-requests.ts'

const SIGNAL = new AbortController().signal
const DOMAINS = [{ name: 'ExampleRadius' }, { name: 'local', guiBanner: 'San Jose Fabric' }]
let sim: ApicSimulator
let directory: string
let ca: string
const opened: ApicClient[] = []

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'opswire-guide-'))
  ca = join(directory, 'ca.pem')
  writeFileSync(ca, certificate.cert)
  const loginsPerSecond = Number.POSITIVE_INFINITY
  sim = await startApicSimulator({ time: systemClock, certificate, loginsPerSecond, domains: DOMAINS })
  const named = (name: string, attributes: Record<string, string>) => ({ attributes: { name, ...attributes } })
  sim.post('uni/userext', { aaaUser: named('jadams', { firstName: 'John', lastName: 'Adams' }) })
  sim.post('uni/userext', { aaaUser: named('mwashington', { firstName: 'Martha', lastName: 'Washington' }) })
  const epgs = [{ fvAEPg: named('web', {}) }, { fvAEPg: named('db', {}) }]
  const shop = { fvAp: { ...named('shop', {}), children: epgs } }
  sim.post('uni', { fvTenant: { ...named('ExampleCorp', {}), children: [shop] } })
  // The fabric sets it, not a user.
  const epg = sim.fabric.tree.get('uni/tn-ExampleCorp/ap-shop/epg-web')
  if (epg !== undefined) epg.attributes['fabEncap'] = 'vxlan-12780288'
  sim.post('uni/tn-ExampleCorp', { healthInst: { attributes: { cur: '40' } } })
  sim.post('uni/tn-ExampleCorp/ap-shop/epg-web', { faultInst: { attributes: { code: 'F0467', severity: 'minor' } } })
  for (let code = 100; code < 130; code++) {
    const severity = code < 114 ? 'major' : 'warning'
    sim.post('topology/pod-1/node-101/sys', { faultInst: { attributes: { code: `F${code}`, severity } } })
  }
  sim.fabric.tag('uni/tn-ExampleCorp', ['tenants', 'orgs'], [])
})

afterAll(async () => {
  for (const client of opened) await client.close()
  await sim.close()
  rmSync(directory, { recursive: true })
})

/** The source of a config written as a text, checked as `opswire check` does. */
async function configured(subscriptions: readonly string[], ...keys: string[]): Promise<ApicConfig> {
  const text = `sources:
  - name: fabric-a
    kind: apic
    controllers: ["${sim.url}"]
    username: admin
    password: "ins3965!"
    tls: { ca_file: ${ca} }
${keys.map(key => `    ${key}\n`).join('')}    subscriptions:
${subscriptions.map(one => `      - ${one}\n`).join('')}`
  const { config } = await parseConfig(text, 'guide.yaml', {}, judge)
  const [source] = config.sources
  if (source?.kind !== 'apic') throw new Error('an APIC was written')
  return source
}

async function loggedIn(config: ApicConfig): Promise<ApicClient> {
  const paces = new Paces()
  const client = new ApicClient({
    controller: sim.url,
    config,
    auth: passwordAuthentication(config),
    clock: systemClock,
    report: () => undefined,
    signal: SIGNAL,
    pace: paces.of(sim.url, { clock: systemClock, maxConcurrency: 4, tuning: { ...TUNING, spacingMs: 0 } }),
  })
  opened.push(client)
  await client.login()
  return client
}

/** What stands for an object: its dn, or its name where it has none. */
const nameOf = ({ attributes }: ApicObject): string => attributes['dn'] ?? attributes['name'] ?? ''
const lastPath = (): string => sim.record.requests.at(-1)?.path ?? ''

async function ask(client: ApicClient, question: SubscriptionConfig, print: string): Promise<readonly ApicObject[]> {
  const [query, ...more] = buildQueries(question, 'ask')
  if (query === undefined || more.length > 0) throw new Error('one request')
  const format = print.includes('.xml') ? 'xml' : 'json'
  return (await client.get(queryUrl(query, format), 'query', SIGNAL)).objects
}

describe('questions', () => {
  let client: ApicClient

  beforeAll(async () => {
    client = await loggedIn(await configured(['{ class: fvTenant }']))
  })

  it.each(QUESTIONS)('$title', async ({ print, yaml, shows, once }) => {
    const raw = `{ raw: ${JSON.stringify(print)} }`
    // What can't be subscribed to stands in no config: it is read as `opswire query` reads it.
    const written =
      once === true ? [{ raw: 'aaaListDomains.json' }, { raw: print }] : (await configured([yaml, raw])).subscriptions
    for (const question of written) {
      const objects = await ask(client, question as SubscriptionConfig, print)
      expect(lastPath()).toBe(wireOf(print))
      expect(objects.map(nameOf)).toEqual(shows)
    }
    expect(written.length).toBe(2)
  })

  it('what hangs below comes with them', async () => {
    const nested = async (title: string): Promise<string[]> => {
      const { print = '' } = QUESTIONS.find(one => one.title === title) ?? {}
      const question = (await configured([`{ raw: ${JSON.stringify(print)} }`])).subscriptions[0]
      if (question === undefined) throw new Error('one is written')
      return (await ask(client, question, print)).flatMap(one => one.children.map(below => below.cls))
    }
    expect(await nested('tenants whose health is below 50')).toEqual(['healthInst'])
    expect(await nested('EPGs of a tenant, with their faults')).toEqual(['faultInst'])
  })
})

describe('the session', () => {
  const printed = (title: string): string => {
    const found = SESSION.find(one => one.title === title)
    if (found === undefined) throw new Error(`not printed: ${title}`)
    return wireOf(found.print)
  }

  it('with the challenge token in the URL', async () => {
    const config = await configured(['{ class: aaaUser }'], 'challenge_token: url')
    const client = await loggedIn(config)
    expect(lastPath()).toBe('/api/aaaLogin.json?gui-token-request=yes')
    await client.get('/api/class/aaaUser.json', 'query', SIGNAL)
    const token = client.grant.challenge ?? ''
    expect(token.length).toBeGreaterThan(20)
    expect(lastPath()).toBe(
      printed('with the challenge token in the URL').replace(/=fa47.*$/, `=${encodeURIComponent(token)}`),
    )
  })

  it('with the challenge token in a header', async () => {
    const client = await loggedIn(await configured(['{ class: aaaUser }'], 'challenge_token: header'))
    const naive = new Client(sim, certificate.cert)
    // Without it the same session is refused.
    expect((await naive.get('/api/class/aaaUser.json', { token: client.grant.token })).status).toBe(403)
    const { objects } = await client.get('/api/class/aaaUser.json', 'query', SIGNAL)
    expect([objects.length, lastPath()]).toEqual([3, printed('with the challenge token in a header')])
  })

  it('the session is refreshed', async () => {
    const client = await loggedIn(await configured(['{ class: aaaUser }']))
    const before = client.grant.token
    await client.refresh(SIGNAL)
    expect(lastPath()).toBe(printed('the session is refreshed'))
    expect(client.grant.token).not.toBe(before)
  })

  it('a subscription to every tenant; a subscription is refreshed', async () => {
    const clock = new ManualClock()
    const rig = await ApicRig.make({ clock, config: { subscriptions: [{ class: 'fvTenant' }, { class: 'aaaModLR' }] } })
    try {
      await rig.live(['class/fvTenant'])
      const { requests, subscriptions } = rig.simulator.record
      const made = subscriptions.find(one => one.path.includes('fvTenant'))
      expect(made?.path).toBe(printed('a subscription to every tenant'))
      const refresh = printed('a subscription is refreshed').replace(/\d+$/, made?.id ?? '')
      await within(clock, 60, () => requests.some(one => one.path === refresh && one.status === 200), 'its refresh')
    } finally {
      await rig.close()
    }
  })
})

describe('commands, which the simulator takes and opswire never sends', () => {
  it('two tags are added; a tag is removed; a tag is removed everywhere', async () => {
    const naive = new Client(sim, certificate.cert)
    await naive.login()
    sim.post('uni', { fvTenant: { attributes: { name: 'Other' } } })
    sim.fabric.tag('uni/tn-Other', ['orgs'], [])
    const carrying = async (tag: string) => column((await naive.get(`/api/tag/${tag}.json`)).body, 'name')
    for (const { print } of COMMANDS) {
      const verb = print.split(' ')[0] ?? ''
      expect((await naive.call(verb, wireOf(print))).status).toBe(200)
      if (print.includes('?add=')) expect(await carrying('orgs')).toEqual(['ExampleCorp', 'Other'])
      if (print.includes('?remove=')) expect(await carrying('orgs')).toEqual(['Other'])
      if (verb === 'DELETE') expect(await carrying('orgs')).toEqual([])
    }
    // As its grammar has it, with the doubled slash.
    sim.fabric.tag('uni/tn-Other', ['orgs'], [])
    await naive.call('DELETE', '/api//tag/orgs.json')
    await until(async () => (await carrying('orgs')).length === 0, 'the end of the tag')
    naive.close()
  })
})

it('docs/APIC-QUERIES.md lists them all, each with its test', () => {
  const text = readFileSync(join(import.meta.dirname, '../../docs/APIC-QUERIES.md'), 'utf8')
  const list = text.split(/^## /m).find(part => part.startsWith('The requests that the guide prints\n')) ?? ''
  const rows = list.split('\n').filter(line => line.startsWith('| `'))
  const told = (print: string): string =>
    print
      .replace(/https:\/\/[^/]+/, '')
      .replace(/\s+/g, ' ')
      .replace(/([?&=(,]) /g, '$1')
      .replace(/ &/g, '&')
  const row = (print: string, yaml: string, title: string): string =>
    `| \`${told(print).replaceAll('|', '\\|')}\` | ${yaml.startsWith('(') ? yaml : `\`${yaml.replaceAll('|', '\\|')}\``} | ${title} |`
  expect(rows).toEqual([
    ...QUESTIONS.map(({ print, yaml, title }) => row(print, yaml, title)),
    ...SESSION.map(({ print, yaml, title }) => row(print, yaml, title)),
    ...COMMANDS.map(({ print, title }) => row(print, '(never sent)', title)),
  ])
})
