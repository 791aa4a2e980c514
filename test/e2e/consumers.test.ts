/** docs/EVENTS.md, examples/ and the dashboards against the real thing: a walk in which every type is told, with all that follow it. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Dashboard } from '@grafana/schema'
import { AckPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DASHBOARDS } from '../../scripts/grafana/dashboards.ts'
import { queriesOf } from '../../scripts/grafana/panels.ts'
import { examples } from '../../scripts/reference/events.ts'
import type { OpsEvent } from '../../src/event.ts'
import { eventSchema } from '../../src/event-schema.ts'
import { systemClock } from '../../src/scheduler/clock.ts'
import { untilAnswered } from '../support/asked.ts'
import { Example } from '../support/example.ts'
import { until } from '../support/manual-clock.ts'
import { NEWEST, natsBinary } from '../support/nats.ts'
import { toolBinary } from '../support/tools.ts'
import { Tour, TYPES } from '../support/tour.ts'
import { quietAlertmanager, startPrometheus, type Watching } from '../support/watchers.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const fail = (note: string): never => {
  throw new Error(note)
}

/** What a consumer must say of these events, and what is open after them. */
function foldOf(events: readonly OpsEvent[]): { said: string[]; open: Set<string> } {
  const open = new Set<string>()
  const said: string[] = []
  for (const { data, severitytext } of events) {
    const { alertKey, state, summary } = data
    if (alertKey === null || alertKey === undefined) continue
    const stands = state === 'firing' || state === 'clearing'
    const word = stands && !open.has(alertKey) ? 'OPEN' : state === 'resolved' && open.has(alertKey) ? 'CLOSED' : ''
    if (word !== '') said.push(`${word} ${severitytext} ${alertKey}: ${summary}`)
    if (stands) open.add(alertKey)
    if (state === 'resolved') open.delete(alertKey)
  }
  return { said, open }
}

let tour: Tour
let folder: string
let alertmanager: Watching
let prometheus: Watching
let alerts: Example
let handing: Example
let nats: NatsConnection

const told = (): OpsEvent[] =>
  tour.told.filter(({ subject }) => !subject.includes('._dead.')).map(({ event }) => event as OpsEvent)

async function settled(durable: string): Promise<void> {
  const manager = await jetstreamManager(nats)
  await untilAnswered(
    () => manager.consumers.info('OPSWIRE', durable),
    info => info.num_pending === 0 && info.num_ack_pending === 0,
    `${durable} has everything`,
  )
}

/** Has the message that comes next delivered to somebody who does not want it: it comes again. */
async function deliverTwice(durable: string): Promise<void> {
  const consumer = await jetstream(nats).consumers.get('OPSWIRE', durable)
  const message = await consumer.next({ expires: 60_000 })
  if (message === null) throw new Error(`nothing came for ${durable}`)
  message.nak()
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'opswire-consumers-'))
  alertmanager = await quietAlertmanager(fail)
  tour = await Tour.start(await natsBinary(NEWEST, fail))
  const target = new URL(tour.url).host
  prometheus = await startPrometheus({
    binary: await toolBinary('prometheus', {}, fail),
    files: {
      'prometheus.yml': `global: { scrape_interval: 1s }
scrape_configs: [{ job_name: opswire, static_configs: [{ targets: ["${target}"] }] }]
`,
    },
  })
  nats = await connect({ servers: tour.nats.url })
  const env = { NATS_URL: tour.nats.url, ALERTMANAGER_URL: alertmanager.url }
  alerts = new Example('alerts.mjs', { ...env, STATE: join(folder, 'alerts.json') })
  handing = new Example('alertmanager.mjs', { ...env, STATE: join(folder, 'alertmanager.json'), REPEAT_MS: '500' })
  alerts.start()
  handing.start()
  const walk = tour.walk()
  await until(() => alerts.lines.some(line => line.startsWith('OPEN')), 'the first alert', 60_000)
  for (const consumer of [alerts, handing]) await consumer.kill()
  for (const durable of ['alerts', 'alertmanager']) await deliverTwice(durable)
  alerts.start()
  handing.start()
  await walk
  await tour.quiet()
  // What stands in the fabric is known again, and scraped.
  await tour.live()
  const since = systemClock.wall() / 1000
  const scraped = () => answer(`min(timestamp(opswire_source_up)) > ${since}`, false)
  await untilAnswered(scraped, ({ data }) => data?.result.length === 1, 'a scrape')
  for (const durable of ['alerts', 'alertmanager']) await settled(durable)
}, 180_000)

afterAll(async () => {
  for (const consumer of [alerts, handing]) await consumer?.kill()
  await nats?.close()
  await tour?.close()
  await alertmanager?.remove()
  await prometheus?.remove()
  rmSync(folder, { recursive: true, force: true })
})

interface Answered {
  readonly status: string
  readonly error?: string
  readonly warnings?: string[]
  readonly infos?: string[]
  readonly data?: {
    readonly result: readonly { readonly value?: [number, string]; readonly values?: [number, string][] }[]
  }
}

/** What `All` of the variable `source` stands for, as Grafana puts it. */
async function allSources(dashboard: Dashboard): Promise<string> {
  const { allValue, query } = (dashboard.templating?.list ?? []).find(({ name }) => name === 'source') ?? {}
  const metric = /^label_values\((\w+), source\)$/.exec((query as { query: string }).query)?.[1] ?? ''
  const listed = await fetch(`${prometheus.url}/api/v1/label/source/values?match[]=${metric}`)
  return allValue ?? `(${((await listed.json()) as { data: string[] }).data.join('|')})`
}

/** As Grafana puts it, with its variables filled in. */
async function answer(expr: string, range: boolean, sources = ''): Promise<Answered> {
  const query = expr.replaceAll('$source', sources).replaceAll('$__rate_interval', '15s').replaceAll('$__range', '60s')
  const end = systemClock.wall() / 1000
  const times: [string, string][] = range
    ? [
        ['start', String(end - 30)],
        ['end', String(end)],
        ['step', '2'],
      ]
    : [['time', String(end)]]
  const asked = new URLSearchParams([['query', query], ...times])
  return (await (await fetch(`${prometheus.url}/api/v1/query${range ? '_range' : ''}?${asked}`)).json()) as Answered
}

// First: what is asked by the second must still be within the seconds that it asks about.
describe.each(Object.entries(DASHBOARDS))('each panel of %s', (file, dashboard) => {
  const asked = (dashboard.panels ?? []).flatMap(panel =>
    queriesOf(panel).map(({ expr, range = false }) => [panel.title ?? '', expr, range] as const),
  )

  it.each(asked)('%s is answered, with numbers', async (title, expr, range) => {
    const { status, error, warnings, infos, data } = await answer(expr, range, await allSources(dashboard))
    expect({ status, error, warnings, infos }, title).toEqual({ status: 'success' })
    const numbers = (data?.result ?? []).flatMap(({ value, values }) => [
      ...(value === undefined ? [] : [value]),
      ...(values ?? []),
    ])
    expect(numbers.filter(([, number]) => Number.isFinite(Number(number))).length, title).toBeGreaterThan(0)
  })

  it('is about its own sources', async () => {
    const own = { 'apic.json': 'fabric-a', 'job-returns.json': 'salt', 'vcd-tokens.json': 'cloud' }[file]
    expect(await allSources(dashboard)).toBe(`(${own ?? 'cloud|fabric-a|salt'})`)
  })
})

describe('the examples', () => {
  it('alerts.mjs opens and closes what the stream opens and closes, through a kill and a second delivery', () => {
    const { said, open } = foldOf(told())
    expect(alerts.errors).toEqual([])
    // Killed before it wrote down what it had said, it says it again: twice rather than never.
    expect(alerts.lines.filter((line, index) => line !== alerts.lines[index - 1])).toEqual(said)
    expect(said.filter(line => line.startsWith('CLOSED')).length).toBeGreaterThan(2)
    expect(Object.keys(JSON.parse(readFileSync(join(folder, 'alerts.json'), 'utf8'))).toSorted()).toEqual(
      [...open].toSorted(),
    )
  })

  it('alertmanager.mjs has in Alertmanager what is open, and nothing that is over', async () => {
    const { open } = foldOf(told())
    expect(open.size).toBeGreaterThan(0)
    const listed = async (): Promise<
      { labels: Record<string, string>; annotations: Record<string, string>; startsAt: string }[]
    > => (await (await fetch(`${alertmanager.url}/api/v2/alerts`)).json()) as []
    const shown = await untilAnswered(listed, all => all.length === open.size, 'the open alerts, no other')
    expect(shown.map(({ labels }) => labels['alert_key']).toSorted()).toEqual([...open].toSorted())
    const health = shown.find(({ labels }) => labels['alert_key'] === 'fabric-a/topology/health')
    expect(health?.labels).toMatchObject({ source: 'fabric-a', kind: 'health', alertname: 'health' })
    expect(handing.errors).toEqual([])
  })
})

describe('docs/EVENTS.md', () => {
  it('has an example of each type, and each is one', () => {
    expect(examples().map(({ event }) => event.type)).toEqual([...TYPES])
    for (const { subject, event } of examples()) {
      if (event.type === 'opswire.dead_letter') continue
      expect(eventSchema.safeParse(event).error).toBeUndefined()
      const [, system, source] = event.source.split('/')
      expect(subject).toBe(`opswire.${system}.${source}.${event.data.kind}.${event.severitytext}`)
    }
  })

  it.each(TYPES)("'s example of %s has the fields of one of this run", type => {
    const shape = (event: object): string => {
      const { data, ...envelope } = event as { data: object }
      return [...Object.keys(envelope), ...Object.keys(data).map(key => `data.${key}`)].toSorted().join(' ')
    }
    const example = examples().find(({ event }) => event.type === type)?.event ?? fail('no example')
    expect(tour.facts(type).map(shape)).toContain(shape(example))
  })

  it("'s patterns give what they say", async () => {
    const page =
      readFileSync(join(ROOT, 'docs/EVENTS.md'), 'utf8').split('### Filtering by subject')[1]?.split('\n## ')[0] ?? ''
    const patterns = [...page.matchAll(/^\| `(opswire[.*>\w-]+)` \|/gm)].map(([, pattern]) => pattern ?? '')
    expect(patterns.length).toBeGreaterThan(8)
    const manager = await jetstreamManager(nats)
    for (const pattern of patterns) {
      const [, system = '', source = '', kind = '', severity = ''] = pattern.split('.')
      const fits = (wanted: string, have: string): boolean => ['*', '>', ''].includes(wanted) || wanted === have
      const events = told().filter(
        event =>
          fits(system, event.source.split('/')[1] ?? '') &&
          fits(source, event.source.split('/')[2] ?? '') &&
          fits(kind, event.data.kind) &&
          fits(severity, event.severitytext),
      )
      const expected = system === '_dead' ? tour.facts('opswire.dead_letter') : events
      const { num_pending } = await manager.consumers.add('OPSWIRE', {
        name: 'counting',
        ack_policy: AckPolicy.None,
        filter_subject: pattern,
      })
      await manager.consumers.delete('OPSWIRE', 'counting')
      expect(`${pattern}: ${num_pending}`).toBe(`${pattern}: ${expected.length}`)
      expect(num_pending, pattern).toBeGreaterThan(0)
    }
  })

  it('no filter of several may be held in another, as it says', async () => {
    const manager = await jetstreamManager(nats)
    const several = (...filter_subjects: string[]) =>
      manager.consumers.add('OPSWIRE', { name: 'several', ack_policy: AckPolicy.None, filter_subjects })
    await expect(several('opswire.*.*.fault.*', 'opswire.apic.*.fault.major')).rejects.toThrow(/overlap/)
    await several('opswire.*.*.fault.*', 'opswire.apic.*.*.major')
    await manager.consumers.delete('OPSWIRE', 'several')
  })
})
