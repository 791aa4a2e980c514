/** `opswire tap` against a real nats-server: what it shows, what it is asked wrong, and a restart of the server under it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { stripVTControlCharacters } from 'node:util'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { CliIo } from '../../src/cli/io.ts'
import { type Draft, makeFact, subjectOf } from '../../src/event.ts'
import { main } from '../../src/main.ts'
import { systemClock } from '../../src/scheduler/clock.ts'
import { type RunningNats, startNatsServer } from '../../src/tools/nats-server.ts'
import { Delivery } from '../support/delivery.ts'
import { until } from '../support/manual-clock.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { NEWEST, natsBinary, natsConfig, OLDEST } from '../support/nats.ts'
import { type Captured, captured } from './captured-io.ts'

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts')

let directory: string
let nats: RunningNats
let store: MemoryStore
let delivery: Delivery
let file: string
let made = 0
const over: (() => Promise<unknown>)[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'opswire-tap-'))
  file = join(directory, 'opswire.yaml')
})

afterEach(async () => {
  for (const close of over.splice(0).reverse()) await close()
  rmSync(directory, { recursive: true, force: true })
})

const SOURCES = `
sources:
  - { name: fabric-a, kind: apic, controllers: ["https://a"], username: u, password_file: /p, subscriptions: [{ class: faultInst }] }
  - { name: cloud, kind: vcd, url: "https://v", org: System, api_token_file: /t }
`

async function serve(version: string, skip: (note: string) => never): Promise<void> {
  nats = await startNatsServer({ binary: await natsBinary(version, skip) })
  over.push(() => nats.remove())
  writeFileSync(file, `nats: { servers: ["${nats.url}"] }${SOURCES}`)
  store = new MemoryStore()
  delivery = new Delivery(store, natsConfig(nats.url))
  over.push(() => delivery.pump.stop(0))
}

/** Puts an event into the stream and waits until it is there. */
async function put(
  name: 'fabric-a' | 'cloud',
  data: Partial<Draft['data']> & { summary: string },
  severity: Draft['severity'] = 'info',
): Promise<void> {
  const ref = { system: name === 'cloud' ? 'vcd' : 'apic', name } as const
  const fact = makeFact(ref, {
    family: 'x',
    key: [++made],
    type: name === 'cloud' ? 'vcd.vm.create' : 'apic.event.recorded',
    subject: `object-${made}`,
    time: '2026-02-03T05:05:06+01:00',
    partitionkey: `object-${made}`,
    severity,
    origin: 'live',
    data: {
      kind: 'event',
      state: null,
      outcome: null,
      alertKey: null,
      resource: { kind: 'o', id: `o-${made}` },
      ...data,
    },
  })
  // As it is written here: others may publish, and what an older version published is still in the stream.
  const event = {
    ...fact,
    recordedtime: new Date(systemClock.wall()).toISOString(),
    data: { ...fact.data, summary: data.summary },
  }
  const { seq } = store.put({
    id: event.id,
    subject: subjectOf(ref, fact),
    partitionkey: event.partitionkey,
    recordedMs: systemClock.wall(),
    body: Buffer.from(JSON.stringify(event)),
  })
  store.announce()
  await delivery.settled(seq)
}

/** A tap that runs until `stop`; resolves when it follows. */
async function start(args: string[], io: Partial<CliIo> = {}): Promise<Captured & { stop(): Promise<number> }> {
  const ending = new AbortController()
  const one = captured({ signal: ending.signal, stderrIsTty: true, ...io })
  const ended = main(['tap', '-c', file, ...args], one.io)
  const stop = (): Promise<number> => {
    ending.abort()
    return ended
  }
  over.push(stop)
  await until(() => one.err().includes('following stream OPSWIRE'), `the tap follows; ${one.err()}`)
  return { ...one, stop }
}

const lines = (one: Captured): string[] =>
  one
    .out()
    .split('\n')
    .filter(line => line !== '')

describe.each([NEWEST, OLDEST])('tap on nats-server %s', version => {
  it('shows what comes from now on, what was before only when asked for, and ends with its signal', async ({
    skip,
  }) => {
    await serve(version, skip)
    await put('fabric-a', { summary: 'the first' })
    const live = await start([])
    await put('cloud', { summary: 'the second', kind: 'audit', actor: { user: 'alice' } }, 'warning')
    await until(() => lines(live).length === 1, 'the second')
    expect(lines(live)).toEqual(['04:05:06  cloud    audit    warning  vcd.vm.create  the second [alice]'])
    const all = captured()
    expect(await main(['tap', '-c', file, '--since', 'start', '--limit', '2'], all.io)).toBe(0)
    expect(lines(all)).toEqual([
      '2026-02-03 04:05:06  fabric-a event    info     apic.event.recorded  the first',
      '2026-02-03 04:05:06  cloud    audit    warning  vcd.vm.create  the second [alice]',
    ])
    expect(all.err()).toBe('')
    expect(await live.stop()).toBe(0)
  })

  it('filters', async ({ skip }) => {
    await serve(version, skip)
    await put('fabric-a', { summary: 'minor thing' }, 'minor')
    await put('cloud', { summary: 'alice did it', kind: 'audit', actor: { user: 'alice' } })
    await put('fabric-a', { summary: 'great thing' }, 'critical')
    await put('cloud', { summary: 'the last', kind: 'audit', actor: { user: 'bob' } })
    const shown = async (...args: string[]): Promise<string[]> => {
      const one = captured()
      expect(await main(['tap', '-c', file, '--since', 'start', '--json', ...args], one.io)).toBe(0)
      return lines(one).map(line => (JSON.parse(line) as { data: { summary: string } }).data.summary)
    }
    expect(await shown('--limit', '4')).toEqual(['minor thing', 'alice did it', 'great thing', 'the last'])
    expect(await shown('--severity', 'minor', '--limit', '2')).toEqual(['minor thing', 'great thing'])
    expect(await shown('--severity', 'major', '--limit', '1')).toEqual(['great thing'])
    expect(await shown('--source', 'cloud', '--limit', '2')).toEqual(['alice did it', 'the last'])
    expect(await shown('--source=cloud,fabric-a', '--actor', 'b*', '--limit', '1')).toEqual(['the last'])
    expect(await shown('--kind', 'event', '--text', 'GREAT', '--limit', '1')).toEqual(['great thing'])
    expect(await shown('--type', 'vcd.*', '--text', 'last', '--limit', '1')).toEqual(['the last'])
  })

  it('goes on over a restart of the server without a hole, also when nothing had come before', async ({ skip }) => {
    await serve(version, skip)
    await put('fabric-a', { summary: 'before' })
    const live = await start([])
    await nats.kill()
    await until(() => live.err().includes('trying again'), 'the loss is told')
    await nats.restart()
    await put('fabric-a', { summary: 'while away' })
    await put('cloud', { summary: 'afterwards' })
    await until(() => lines(live).length === 2, 'both')
    expect(live.out()).toMatch(/while away\n.*afterwards\n$/)
    expect(live.err()).toContain('connected again')
    expect(await live.stop()).toBe(0)
  })

  it('goes on with a stream that was deleted and made anew, from its beginning', async ({ skip }) => {
    await serve(version, skip)
    for (const summary of ['one', 'two', 'three']) await put('fabric-a', { summary })
    const live = await start([])
    await put('fabric-a', { summary: 'of the old stream' })
    await until(() => lines(live).length === 1, 'the last of the old stream')
    const connection = await connect({ servers: nats.url })
    over.push(() => connection.close())
    await (await jetstreamManager(connection)).streams.delete('OPSWIRE')
    // The daemon makes it again, and puts back what it still has: the number that would have come next is another's now.
    await put('fabric-a', { summary: 'first of the new' })
    await put('cloud', { summary: 'second of the new' })
    await until(() => live.out().includes('second of the new'), 'all of the new stream')
    const told = lines(live).map(line => line.split('  ').at(-1))
    const again = ['one', 'two', 'three', 'of the old stream', 'first of the new', 'second of the new']
    expect(told).toEqual(['of the old stream', ...again])
    expect(live.err()).toContain('stream OPSWIRE was made anew: following it from its beginning')
    expect(await live.stop()).toBe(0)
  })
})

describe('tap', () => {
  it('lets no text of a source drive the terminal, and cuts to its width', async ({ skip }) => {
    await serve(NEWEST, skip)
    const evil = `red \u001b[31m bell \u0007 c1 \u009b2J bidi \u202e end ${'x'.repeat(200)}`
    await put('fabric-a', { summary: evil, actor: { user: '\u001b]0;title\u0007' } })
    const shown = captured({ isTty: true, columns: 100 })
    expect(await main(['tap', '-c', file, '--since', 'start', '--limit', '1'], shown.io)).toBe(0)
    const plain = stripVTControlCharacters(shown.out())
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(plain.trimEnd()).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/)
    expect(plain.trimEnd()).toHaveLength(100)
    const json = captured()
    expect(await main(['tap', '-c', file, '--since', 'start', '--limit', '1', '--json'], json.io)).toBe(0)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(json.out().trimEnd()).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/)
    expect((JSON.parse(json.out()) as { data: { summary: string } }).data.summary).toBe(evil)
  })

  it('shows the notice of a dead letter, unless something is asked for that it has not', async ({ skip }) => {
    await serve(NEWEST, skip)
    await put('cloud', { summary: 'an event' })
    const notice = { reason: 'not JSON', time: '2026-02-03T04:05:06.000Z', bytes: 42, digest: 'ab', key: 'd-1' }
    const { seq } = store.put({
      id: 'notice-1',
      subject: '_dead.cloud',
      partitionkey: 'cloud/_dead',
      recordedMs: systemClock.wall(),
      body: Buffer.from(JSON.stringify(notice)),
    })
    store.announce()
    await delivery.settled(seq)
    await put('cloud', { summary: 'another' })
    const shown = captured()
    expect(await main(['tap', '-c', file, '--since', 'start', '--source', 'cloud', '--limit', '2'], shown.io)).toBe(0)
    expect(lines(shown)[1]).toBe(
      '2026-02-03 04:05:06  cloud    dead letter d-1: not JSON (42 bytes, kept in state_dir)',
    )
    const events = captured()
    expect(await main(['tap', '-c', file, '--since', 'start', '--kind', 'event', '--limit', '2'], events.io)).toBe(0)
    expect(events.out()).toMatch(/an event\n.*another\n$/)
  })

  it('calls what others put there no event, also when it looks like one', async ({ skip }) => {
    await serve(NEWEST, skip)
    await put('cloud', { summary: 'an event' })
    const connection = await connect({ servers: nats.url })
    over.push(() => connection.close())
    for (const text of [
      '{"source":"x","type":"y","data":{"kind":"fault"}}',
      '{"source":"x","data":null}',
      '[]',
      'null',
    ]) {
      await jetstream(connection).publish('opswire.other.thing', text)
    }
    await put('cloud', { summary: 'another' })
    const shown = captured()
    expect(await main(['tap', '-c', file, '--since', 'start', '--limit', '6'], shown.io)).toBe(0)
    expect(lines(shown).slice(1, 5)).toEqual(
      [2, 3, 4, 5].map(seq => `message ${seq} on opswire.other.thing is no event of opswire`),
    )
    expect(shown.err()).toBe('')
  })

  // A closed terminal sends HUP: nobody is left to read.
  it.for(['SIGINT', 'SIGHUP'] as const)('ends with 0 at %s', async (signal, { skip }) => {
    await serve(NEWEST, skip)
    await put('fabric-a', { summary: 'here' })
    const child = spawn(process.execPath, [MAIN, 'tap', '-c', file, '--since', 'start'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child.stdout.once('data', () => child.kill(signal))
    const [out, err, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close') as Promise<[number]>,
    ])
    expect([code, out, err]).toEqual([0, expect.stringContaining('here'), ''])
  })

  it.each([
    [['--kind', 'falt'], '--kind: unknown "falt"; did you mean fault?'],
    [['--severity', 'high'], '--severity: unknown "high"; there is critical, major, minor, warning, info'],
    [['--since', 'yesterday'], '--since: "yesterday" is not a time with its zone'],
    [['--limit', '0'], '--limit: "0" is not a whole number of at least 1'],
    [['--source', 'Fabric*'], '--source: "Fabric*" is no source\'s name'],
  ])('%j is refused with 64', async (args, message) => {
    const one = captured()
    expect(await main(['tap', '-c', file, ...args], one.io)).toBe(64)
    expect(one.err()).toContain(message)
  })

  it('without a nats block says where the events go, exit 78', async () => {
    writeFileSync(file, SOURCES)
    const one = captured()
    expect(await main(['tap', '-c', file], one.io)).toBe(78)
    expect(one.err()).toContain('has no nats block: the daemon writes events to its standard output')
  })

  it('without a server, or without the stream, says so and ends with 69', async ({ skip }) => {
    writeFileSync(file, `nats: { servers: ["nats://127.0.0.1:1"] }${SOURCES}`)
    const dark = captured()
    expect(await main(['tap', '-c', file], dark.io)).toBe(69)
    expect(dark.err()).toMatch(/^opswire: no NATS server can be reached \(127\.0\.0\.1:1: .*refuse/)
    nats = await startNatsServer({ binary: await natsBinary(NEWEST, skip) })
    over.push(() => nats.remove())
    writeFileSync(file, `nats: { servers: ["${nats.url}"] }${SOURCES}`)
    const missing = captured()
    expect(await main(['tap', '-c', file, '--source', 'fabric-b'], missing.io)).toBe(69)
    expect(missing.err()).toContain('no source "fabric-b" in')
    expect(missing.err()).toContain(`there is no stream OPSWIRE on ${nats.url}: the daemon makes it when it starts`)
  })
})
