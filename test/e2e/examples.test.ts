/** The programs of examples/ in weather: clocks that differ, a server that is away, a stream made anew. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type EventData, makeFact, type Severity, subjectOf } from '../../src/event.ts'
import { eventSchema } from '../../src/event-schema.ts'
import { systemClock } from '../../src/scheduler/clock.ts'
import type { RunningNats } from '../../src/tools/nats-server.ts'
import { startNatsServer } from '../../src/tools/nats-server.ts'
import { untilAnswered } from '../support/asked.ts'
import { Example } from '../support/example.ts'
import { until } from '../support/manual-clock.ts'
import { NEWEST, natsBinary } from '../support/nats.ts'
import { quietAlertmanager, type Watching } from '../support/watchers.ts'

const HOUR = 3_600_000
const SOURCE = { system: 'apic', name: 'fabric-a' } as const

let folder: string
let server: RunningNats
let nats: NatsConnection
let alertmanager: Watching
let before: Server
let alerts: Example
let handing: Example
/** Whoever stands before Alertmanager says that it is away. */
let isAway = false
let told = 0

const fail = (note: string): never => {
  throw new Error(note)
}

/** Passes on to Alertmanager, unless that is away. */
async function startFront(): Promise<Server> {
  const front = createServer((request, response) => {
    const pass = async (): Promise<void> => {
      const parts: Buffer[] = []
      for await (const part of request) parts.push(part as Buffer)
      const headers = { 'content-type': 'application/json' }
      const body = Buffer.concat(parts)
      const answer = isAway ? undefined : await fetch(alertmanager.url + request.url, { method: 'POST', headers, body })
      response.writeHead(answer?.status ?? 503).end(await answer?.text())
    }
    pass().catch(() => response.destroy())
  })
  await new Promise<void>(resolve => front.listen(0, '127.0.0.1', resolve))
  return front
}

async function makeStream(): Promise<void> {
  await (await jetstreamManager(nats)).streams.add({ name: 'OPSWIRE', subjects: ['opswire.>'] })
}

interface Told {
  readonly severity?: Severity
  /** Null: the source does not tell. */
  readonly atMs?: number | null
}

async function tell(
  object: string,
  state: EventData['state'],
  { severity = 'major', atMs = systemClock.wall() }: Told = {},
) {
  const fact = makeFact(SOURCE, {
    ...{
      family: 'faultInst',
      key: [object, told++],
      type: 'apic.fault.changed',
      subject: object,
      partitionkey: object,
    },
    time: atMs === null ? undefined : new Date(atMs).toISOString(),
    ...{ severity, origin: 'live' },
    data: {
      ...{ kind: 'fault', summary: `${object} is ${state}`, state, outcome: null, alertKey: `fabric-a/${object}` },
      ...{ resource: { kind: 'object', id: object }, code: 'F1394' },
    },
  })
  const event = eventSchema.parse({ ...fact, recordedtime: new Date(systemClock.wall()).toISOString() })
  const [subject, msgID] = [`opswire.${subjectOf(SOURCE, fact)}`, fact.id]
  const send = () => jetstream(nats).publish(subject, JSON.stringify(event), { msgID, timeout: 1000 })
  await untilAnswered(send, () => true, 'the stream')
}

interface Shown {
  readonly labels: Record<string, string>
  readonly startsAt: string
  readonly endsAt: string
}

const shown = async (): Promise<Shown[]> => (await (await fetch(`${alertmanager.url}/api/v2/alerts`)).json()) as Shown[]
const names = (all: readonly Shown[]): string[] =>
  all.map(({ labels }) => `${labels['alert_key']?.slice('fabric-a/'.length)} ${labels['severity']}`).toSorted()
const untilShown = (...wanted: string[]): Promise<Shown[]> =>
  untilAnswered(shown, all => names(all).join() === wanted.toSorted().join(), `${wanted.join()} in Alertmanager`)
const untilSaid = (words: string): Promise<unknown> =>
  until(() => alerts.lines.some(line => line.startsWith(words)), words)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'opswire-examples-'))
  alertmanager = await quietAlertmanager(fail)
  before = await startFront()
  server = await startNatsServer({ binary: await natsBinary(NEWEST, fail) })
  nats = await connect({ servers: server.url, maxReconnectAttempts: -1 })
  await makeStream()
  const ALERTMANAGER_URL = `http://127.0.0.1:${(before.address() as AddressInfo).port}`
  const env = { NATS_URL: server.url, ALERTMANAGER_URL, REPEAT_MS: '200' }
  alerts = new Example('alerts.mjs', { ...env, STATE: join(folder, 'alerts.json') })
  handing = new Example('alertmanager.mjs', { ...env, STATE: join(folder, 'alertmanager.json') })
})

beforeEach(() => {
  if (alerts.isOver) alerts.start()
  if (handing.isOver) handing.start()
})

afterAll(async () => {
  for (const example of [alerts, handing]) await example?.kill()
  await nats?.close()
  await server?.remove()
  before?.close()
  await alertmanager?.remove()
  rmSync(folder, { recursive: true, force: true })
})

it('one that soaks is none yet; one that was about to end when it was first seen stands', async () => {
  await tell('soaks', 'pending')
  await tell('ends-soon', 'clearing')
  await tell('never-seen', 'resolved')
  await untilShown('ends-soon major')
  await tell('ends-soon', 'resolved')
  await untilShown()
  await untilSaid('CLOSED')
  expect(alerts.lines.map(line => line.split(':')[0])).toEqual([
    'OPEN major fabric-a/ends-soon',
    'CLOSED major fabric-a/ends-soon',
  ])
})

it('another severity is another alert, and the old one ends', async () => {
  await tell('worse', 'firing', { severity: 'minor' })
  await untilShown('worse minor')
  await tell('worse', 'firing', { severity: 'critical' })
  await untilShown('worse critical')
  await tell('worse', 'resolved', { severity: 'critical' })
  await untilShown()
})

it('a clock that is ahead, or behind, holds nothing up', async () => {
  await tell('no-time', 'firing', { atMs: null })
  await tell('no-time', 'resolved', { atMs: systemClock.wall() - HOUR })
  await tell('ahead', 'firing', { atMs: systemClock.wall() + HOUR })
  const [alert] = await untilShown('ahead major')
  expect(Date.parse(alert?.startsAt ?? '')).toBeLessThanOrEqual(systemClock.wall())
  await tell('ahead', 'resolved', { atMs: systemClock.wall() + HOUR })
  await untilShown()
  expect(handing.errors).toEqual([])
})

it('an Alertmanager that was away has it in the end', async () => {
  isAway = true
  await tell('meanwhile', 'firing')
  await until(() => handing.errors.some(text => text.includes('HTTP 503')), 'the refusal')
  isAway = false
  await untilShown('meanwhile major')
  await tell('meanwhile', 'resolved')
  await untilShown()
})

it('NATS goes and comes back', async () => {
  await server.restart()
  await tell('after-restart', 'firing')
  await untilShown('after-restart major')
  await untilSaid('OPEN major fabric-a/after-restart')
  await tell('after-restart', 'resolved')
  await untilShown()
})

it('a stream that is gone ends them; started again they follow the new one', async () => {
  await (await jetstreamManager(nats)).streams.delete('OPSWIRE')
  await makeStream()
  await until(() => alerts.isOver && handing.isOver, 'their end')
  alerts.start()
  handing.start()
  await tell('anew', 'firing')
  await untilShown('anew major')
  await untilSaid('OPEN major fabric-a/anew')
})
