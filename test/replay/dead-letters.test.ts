/** Dead letters once more: planted as another version would have left them, replayed without a daemon into a real nats-server. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jetstreamManager, RetentionPolicy } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type CliIo, EXIT } from '../../src/cli/io.ts'
import { noticeRecord } from '../../src/dead-letter.ts'
import type { OpsEvent } from '../../src/event.ts'
import { main } from '../../src/main.ts'
import type { ManagedObject } from '../../src/record.ts'
import type { Summary } from '../../src/replay/wish.ts'
import { type Clock, systemClock } from '../../src/scheduler/clock.ts'
import { openStore } from '../../src/store/open.ts'
import type { SqliteStore } from '../../src/store/store.ts'
import { readTrace } from '../../src/subscribers/apic/fault-trace.ts'
import { type RunningNats, startNatsServer } from '../../src/tools/nats-server.ts'
import { captured } from '../cli/captured-io.ts'
import { contents, NEWEST, natsBinary, natsConfig, numbered } from '../support/nats.ts'

let directory: string
let file: string
let nats: RunningNats

const say = (note: string): never => {
  throw new Error(note)
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'opswire-letters-'))
  mkdirSync(join(directory, 'state'))
  file = join(directory, 'opswire.yaml')
  nats = await startNatsServer({ binary: await natsBinary(NEWEST, say), config: 'max_payload: 4096' })
  writeFileSync(
    file,
    `
state_dir: ${directory}/state
http: { listen: "127.0.0.1:1" }
nats: { servers: ["${nats.url}"], stream: { max_bytes: 64MiB } }
sources:
  - { name: fabric-a, kind: apic, controllers: ["https://a.invalid"], username: u, password_file: /p, subscriptions: [{ class: aaaModLR }, { class: faultInst }] }
  - { name: salt, kind: raas, url: "https://s.invalid", username: u, password_file: /p }
  - { name: cloud, kind: vcd, url: "https://v.invalid", org: System, api_token_file: /t }
`,
  )
})

afterEach(async () => {
  await nats.remove()
  rmSync(directory, { recursive: true, force: true })
})

async function withStore<T>(work: (store: SqliteStore) => Promise<T>, clock: Clock = systemClock): Promise<T> {
  const limits = { maxBytes: 64 * 1024 * 1024, retainAckedMs: 0, maxDeadLetters: 100 }
  const store = await openStore({
    ...{ stateDir: `${directory}/state`, clock, report: () => undefined },
    ...limits,
  })
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

/** A letter as a source's session leaves it. */
function plant(
  source: string,
  feed: string,
  content: unknown,
  mirror: readonly ManagedObject[] = [],
): Promise<unknown> {
  const text = typeof content === 'string' ? content : JSON.stringify(content)
  return withStore(store =>
    store.append({
      ...{ source, feed, events: [], overdraft: false, notice: noticeRecord },
      mirror: mirror.map(object => ({ key: object.key, object })),
      dead: [{ reason: 'this version could not read it', content: text }],
    }),
  )
}

const letters = () => withStore(async store => store.deadLetters(100))

async function opswire(...words: string[]) {
  return shown({}, ...words)
}

async function shown(over: Partial<CliIo>, ...words: string[]) {
  const { io, out, err } = captured(over)
  const code = await main(['replay', '-c', file, ...words], io)
  return { code, out: out(), err: err() }
}

async function replay(...words: string[]): Promise<Summary> {
  const { out, err } = await opswire('--dead-letters', '--json', ...words)
  expect(err).toBe('')
  return JSON.parse(out.trim().split('\n').at(-1) ?? '') as Summary
}

const reasonsOf = (summary: Summary, source: string): string[] =>
  (summary.sources.find(one => one.source === source)?.reasons ?? []).map(
    ({ outcome, reason, count }) => `${outcome} ${count}: ${reason}`,
  )

/** The events in the stream; notices, one for each letter that was ever planted, left out. */
async function events(expected: number, notices: number): Promise<OpsEvent[]> {
  const all = await contents(natsConfig(nats.url), expected + notices)
  expect(all.filter(({ subject }) => subject.includes('._dead.')).length).toBe(notices)
  return all.filter(({ subject }) => !subject.includes('._dead.')).map(({ event }) => event as OpsEvent)
}

const audit = (n: number) => ({
  subscriptionId: ['72057611234574337'],
  imdata: [
    {
      aaaModLR: {
        attributes: {
          dn: `subj-[uni/tn-a]/mod-${n}`,
          ...{ affected: 'uni/tn-a', ind: 'creation', user: 'admin', descr: 'Tenant a created', changeSet: '' },
          ...{ txId: String(n), created: '2026-11-22T19:43:18.196+00:00', code: 'E4206', status: 'created' },
        },
      },
    },
  ],
})

const FAULT = 'topology/pod-1/node-101/sys/phys-[eth1/7]/phys/fault-F1394'

const fault = (dn: string, lastTransition: string, severity: string) => ({
  subscriptionId: ['72057611234574337'],
  imdata: [{ faultInst: { attributes: { dn, lastTransition, severity, status: 'modified' } } }],
})

const known: ManagedObject = {
  ...{ key: FAULT, family: 'faultInst', version: 'd2c000124f533e240a1d1bced951aba9' },
  attributes: {
    ...{ dn: FAULT, code: 'F1394', severity: 'minor', lc: 'raised', descr: 'Port is down' },
    lastTransition: '2026-11-22T19:00:00.000+00:00',
  },
}

it('what is understood now goes into the stream and out of the letters, once; the rest stays with its reason', async () => {
  await plant('fabric-a', 'socket', audit(1))
  await plant('fabric-a', 'socket', audit(1))
  await plant('fabric-a', 'socket', { aaaModLR: audit(2).imdata[0]?.aaaModLR })
  await plant('fabric-a', 'socket', '{"imdata":[')
  await plant('salt', 'returns', { jid: '20260203040500000001', minion_id: 'web01', fun: 'test.ping', return: true })
  await plant('salt', 'returns', { fun: 'test.ping' })
  await plant('cloud', 'audit', {
    ...{ eventId: 'urn:vcloud:audit:6a0c0c52-0000-4000-8000-0000000000aa', timestamp: '2026-11-22T19:43:18.196+0000' },
    ...{ eventType: 'com/vmware/vcloud/event/vm/create', eventStatus: 'SUCCESS', user: { name: 'alice' } },
  })
  await plant('gone', 'audit', {})
  const summary = await replay()
  expect(summary.outcome).toBe('done')
  expect(reasonsOf(summary, 'fabric-a')).toEqual([
    'replayed 3: this version could not read it',
    'dead 1: not well-formed JSON',
  ])
  expect(reasonsOf(summary, 'salt')).toEqual([
    'replayed 1: this version could not read it',
    'dead 1: a return row names no jid or no minion',
  ])
  expect(reasonsOf(summary, 'cloud')).toEqual(['replayed 1: this version could not read it'])
  expect(reasonsOf(summary, 'gone')).toEqual(['dead 1: no source of this name is in the config'])
  expect(summary.sources.map(({ source, read, sent, known: had }) => [source, read, sent, had])).toEqual([
    ['fabric-a', 4, 2, 1],
    ['salt', 2, 1, 0],
    ['cloud', 1, 1, 0],
    ['gone', 1, 0, 0],
  ])
  const told = await events(4, 8)
  expect(told.map(({ type, origin }) => `${type} ${origin}`).sort()).toEqual([
    'apic.audit.recorded backfill',
    'apic.audit.recorded backfill',
    'raas.return backfill',
    'vcd.vm.create backfill',
  ])
  expect((await letters()).map(({ source, reason }) => `${source}: ${reason}`)).toEqual([
    'fabric-a: not well-formed JSON',
    'salt: a return row names no jid or no minion',
    'gone: this version could not read it',
  ])
  const again = await replay()
  expect(again.sources.reduce((sum, { sent }) => sum + sent, 0)).toBe(0)
  expect((await events(4, 8)).length).toBe(4)
})

it('an old state is not laid over a newer one; a newer one goes on in the chain', async () => {
  await plant('fabric-a', 'socket', fault(FAULT, '2026-11-22T18:00:00.000+00:00', 'critical'), [known])
  await plant('fabric-a', 'socket', fault('topology/pod-1/fault-F1', '2026-11-22T18:00:00.000+00:00', 'critical'))
  await plant('fabric-a', 'socket', {
    subscriptionId: ['1'],
    imdata: [{ faultInst: { attributes: { dn: FAULT, status: 'deleted' } } }],
  })
  const summary = await replay()
  expect(summary.sources[0]).toMatchObject({ read: 3, sent: 0 })
  expect(reasonsOf(summary, 'fabric-a')).toEqual([
    'superseded 2: older than what is known of the object',
    expect.stringMatching(/^superseded 1: of an object that is not known/),
  ])
  expect(await letters()).toEqual([])
  await plant('fabric-a', 'socket', fault(FAULT, '2026-11-22T20:00:00.000+00:00', 'major'))
  expect((await replay()).sources[0]).toMatchObject({ read: 1, sent: 1 })
  const [event] = await events(1, 4)
  expect(event).toMatchObject({ type: 'apic.fault.changed', severitytext: 'major', origin: 'backfill' })
  const object = await withStore(async store => store.mirror('fabric-a').get(FAULT))
  expect(object).toMatchObject({ version: event?.id, attributes: { severity: 'major', code: 'F1394' } })
})

it('a newer state is kept with what the daemon wants to know of the fault after its start', async () => {
  const trace = 'm4i0000,warning,raised,;m4i0001,minor,raised,;'
  await plant('fabric-a', 'socket', fault(FAULT, '2026-11-22T20:00:00.000+00:00', 'major'), [{ ...known, trace }])
  await plant('fabric-a', 'socket', fault(FAULT, '2026-11-22T21:00:00.000+00:00', 'critical'))
  const other = FAULT.replace('1/7', '1/8')
  const untraced = { ...known, key: other, attributes: { ...known.attributes, dn: other } }
  await plant('fabric-a', 'socket', fault(other, '2026-11-22T20:00:00.000+00:00', 'major'), [untraced])
  expect((await replay()).sources[0]).toMatchObject({ read: 3, sent: 3 })
  const kept = await withStore(async store => [FAULT, other].map(dn => store.mirror('fabric-a').get(dn)?.trace ?? ''))
  expect(kept[0]?.startsWith(trace)).toBe(true)
  expect(kept.map(words => readTrace('', words).steps.map(({ state }) => state?.severity))).toEqual([
    ['warning', 'minor', 'major', 'critical'],
    ['major'],
  ])
  expect(readTrace('', kept[1] ?? '').fromMs).toBe(Date.parse('2026-11-22T19:00:00.000Z'))
})

it('an event that was too large goes to the sink once more, and lies there again until the sink takes it', async () => {
  const row = numbered(1, { summary: 'large', object: `uni/tn-${'x'.repeat(6000)}` })
  await withStore(async store => {
    await store.append({ source: 'fabric-a', feed: 'class/eventRecord', events: [row], overdraft: false })
    const [event] = store.read(0, 1)
    if (event === undefined) throw new Error('the event is not in the store')
    await store.bury(event, 'too large for the sink: 9000 bytes', noticeRecord)
    store.settle(1)
  })
  const refused = await replay()
  expect(refused.sources[0]).toMatchObject({ read: 1, sent: 0 })
  expect(reasonsOf(refused, 'fabric-a')[1]).toMatch(/^dead 1: still too large for the sink/)
  expect((await letters()).map(({ key }) => key)).toEqual(['2'])
  await nats.restart('max_payload: 1048576')
  const taken = await replay()
  expect(taken.sources[0]).toMatchObject({ read: 1, sent: 1 })
  expect(await letters()).toEqual([])
  const [event] = await events(1, 2)
  expect(event).toMatchObject({ id: row.id, origin: 'backfill' })
})

it('they are listed without their content, and a limit and a source are heeded', async () => {
  await plant('fabric-a', 'socket', audit(1))
  await plant('fabric-a', 'socket', audit(2))
  await plant('cloud', 'audit', { password: 'planted-marker' })
  const { code, out, err } = await opswire('--list')
  expect(code).toBe(EXIT.ok)
  expect(out.split('\n').map(line => line.replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/, 'TIME'))).toEqual([
    expect.stringMatching(/^ {4}1 {2}TIME {2}fabric-a\/socket {2}\d+ bytes {2}this version could not read it$/),
    expect.stringMatching(/^ {4}2 {2}TIME {2}fabric-a\/socket/),
    expect.stringMatching(/^ {4}3 {2}TIME {2}cloud\/audit/),
    '',
  ])
  expect(out + err).not.toMatch(/planted-marker/)
  expect((await replay('--source', 'cloud')).sources.map(({ source }) => source)).toEqual(['cloud'])
  expect((await replay('--limit', '1')).sources).toMatchObject([{ source: 'fabric-a', read: 1, sent: 1 }])
  expect((await letters()).map(({ key }) => key)).toEqual(['2', '3'])
  const text = await opswire('--dead-letters')
  expect(text.code).toBe(EXIT.ok)
  expect(text.err).toBe('')
  expect(text.out).toMatchInlineSnapshot(`
    "fabric-a: 1 dead letters, 1 sent, 0 there already
      understood now: 1 (this version could not read it)
    cloud: 1 dead letters, 0 sent, 0 there already
      still dead: 1 (audit row without eventId)
    1 events sent, and acknowledged
    "
  `)
})

it('progress is shown on a terminal, and gone at the end', async () => {
  await plant('cloud', 'audit', {})
  const { code, out, err } = await shown({ stderrIsTty: true, columns: 40 }, '--dead-letters')
  expect(code).toBe(EXIT.ok)
  expect(out).toMatch(/^cloud: 1 dead letters, 0 sent/)
  expect(err).toBe('\r\x1b[Kreading, 1 read, 0 to send\r\x1b[K')
})

it('a stream that does not keep what was read can not be compared with', async () => {
  const connection = await connect({ servers: nats.url })
  const { streams } = await jetstreamManager(connection)
  await streams.add({ name: 'OPSWIRE', subjects: ['opswire.>'], retention: RetentionPolicy.Interest })
  await connection.close()
  const { code, err } = await opswire('--since', '1h')
  expect(code).toBe(EXIT.config)
  expect(err).toMatch(/the stream does not keep what was read from it/)
})

it('a source that nobody knows is not taken for one without letters', async () => {
  await plant('gone', 'audit', {})
  for (const way of ['--dead-letters', '--list']) {
    const { code, out, err } = await opswire(way, '--source', 'clod')
    expect([code, out], way).toEqual([EXIT.usage, ''])
    expect(err).toMatch(/no source "clod".*did you mean cloud/)
    expect((await opswire(way, '--source', 'gone')).code, way).toBe(EXIT.ok)
    expect((await opswire(way, '--source', 'cloud')).code, way).toBe(EXIT.ok)
  }
})

it('a damaged store is told: by the command, and by a gap of each source that the daemon delivers later', async () => {
  await plant('cloud', 'audit', {})
  writeFileSync(join(directory, 'state', 'opswire.db'), 'no database'.repeat(1000))
  const { code, out, err } = await opswire('--list')
  expect([code, out]).toEqual([EXIT.unavailable, ''])
  expect(err).toMatch(/the store was damaged \(.*\); it was moved to .*damaged-/)
  expect(readdirSync(join(directory, 'state')).filter(name => name.includes('.damaged-')).length).toBe(1)
  const subjects = await withStore(async store => store.read(0, 10).map(({ subject }) => subject))
  expect(subjects).toEqual(['apic.fabric-a.gap.major', 'raas.salt.gap.major', 'vcd.cloud.gap.major'])
  expect((await opswire('--list')).code).toBe(EXIT.ok)
})

it('a letter that is older than what the store remembers is held against the stream', async () => {
  const daysAgo: Clock = { ...systemClock, wall: () => systemClock.wall() - 3 * 86_400_000 }
  await plant('fabric-a', 'socket', audit(1))
  expect((await replay()).sources[0]).toMatchObject({ read: 1, sent: 1 })
  rmSync(join(directory, 'state'), { recursive: true })
  mkdirSync(join(directory, 'state'))
  const dead = [1, 2].map(n => ({ reason: 'this version could not read it', content: JSON.stringify(audit(n)) }))
  const letter = { source: 'fabric-a', feed: 'socket', events: [], overdraft: false, dead }
  await withStore(store => store.append(letter), daysAgo)
  expect((await replay()).sources[0]).toMatchObject({ read: 2, sent: 1, known: 1 })
  expect(await letters()).toEqual([])
  expect((await events(2, 1)).map(({ data }) => data.kind)).toEqual(['audit', 'audit'])
})

it('two letters of one event that was too large send it once, days apart too', async () => {
  const row = numbered(1, { object: `uni/tn-${'x'.repeat(6000)}` })
  const content = Buffer.from(row.body).toString()
  const dead = [1, 2].map(() => ({ reason: 'too large for the sink: 9000 bytes', content }))
  await withStore(store =>
    store.append({ source: 'fabric-a', feed: 'class/eventRecord', events: [], overdraft: false, dead }),
  )
  await nats.restart('max_payload: 1048576')
  expect((await replay('--limit', '1')).sources[0]).toMatchObject({ read: 1, sent: 1, known: 0 })
  expect((await replay()).sources[0]).toMatchObject({ read: 1, sent: 0, known: 1 })
  expect(await letters()).toEqual([])
})
