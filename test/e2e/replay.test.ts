/** `opswire replay` by the running daemon and without one: the real daemon, a real nats-server, the three systems over TLS. */
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { EXIT } from '../../src/cli/io.ts'
import type { OpsEvent } from '../../src/event.ts'
import { main } from '../../src/main.ts'
import type { StatusDocument } from '../../src/ops/status.ts'
import type { Summary } from '../../src/replay/wish.ts'
import { type RunningNats, startNatsServer } from '../../src/tools/nats-server.ts'
import { captured } from '../cli/captured-io.ts'
import { ret, routeIn } from '../raas/bus.ts'
import { until } from '../support/manual-clock.ts'
import { contents, NEWEST, natsBinary, natsConfig } from '../support/nats.ts'
import { ThreeSystems } from '../support/three-systems.ts'
import { expectOnce, freePort, idsOf, isAskable, originsOf } from './replay-facts.ts'

let world: ThreeSystems
let nats: RunningNats
const connections: { close(): Promise<void> }[] = []

const say = (note: string): never => {
  throw new Error(note)
}

beforeEach(async () => {
  nats = await startNatsServer({ binary: await natsBinary(NEWEST, say) })
  world = await ThreeSystems.make()
  world.blocks.top = `state_dir: ${world.directory}/state
http: { listen: "127.0.0.1:${await freePort()}" }
nats: { servers: ["${nats.url}"], retain_acked: 0s, stream: { max_bytes: 1GiB } }
`
  world.blocks.fabric = world.blocks.fabric.replace(
    '{ class: aaaModLR }',
    '{ class: aaaModLR }, { class: eventRecord }',
  )
  world.write()
})

afterEach(async () => {
  for (const connection of connections.splice(0)) await connection.close()
  await world.close()
  await nats.remove()
})

async function manager() {
  const connection = await connect({ servers: nats.url })
  connections.push(connection)
  return jetstreamManager(connection)
}

/** How many messages the stream holds. */
async function held(): Promise<number> {
  return (await (await manager()).streams.info('OPSWIRE')).state.messages
}

async function events(): Promise<OpsEvent[]> {
  const all = await contents(natsConfig(nats.url), await held())
  return all.filter(({ subject }) => !subject.includes('._dead.')).map(({ event }) => event as OpsEvent)
}

/** Runs the command line here; gives its exit code and what it wrote. */
async function opswire(...words: string[]) {
  const { io, out, err } = captured()
  const code = await main(['replay', '-c', world.configFile, ...words], io)
  return { code, out: out(), err: err() }
}

async function replayed(...words: string[]): Promise<{ code: number; summary: Summary }> {
  const { code, out, err } = await opswire('--json', ...words)
  const line = out.trim().split('\n').at(-1) ?? ''
  if (line === '') throw new Error(`exit ${code}: ${err}`)
  return { code, summary: JSON.parse(line) as Summary }
}

const sentOf = ({ sources }: Summary): Record<string, number> =>
  Object.fromEntries(sources.map(({ source, sent }) => [source, sent]))

/** Something happens in each system; resolves with the subjects' ends, once all is in the stream. */
async function happen(name: string, count = 3): Promise<void> {
  const jid = routeIn(world.raas, [`${name}-minion`])
  for (let n = 0; n < count; n++) {
    world.apic.fabric.record('eventRecord', {
      affected: `uni/tn-${name}-${n}`,
      code: 'E1',
      descr: name,
      severity: 'info',
    })
    world.vcd.write({
      type: 'vm/create',
      user: 'svc-opswire',
      org: 'System',
      entity: { name: `${name}-${n}`, id: null },
    })
  }
  world.raas.push('master1', [ret(jid, `${name}-minion`, true)])
  const isThere = (all: readonly OpsEvent[]): boolean =>
    all.filter(({ type, data }) => type === 'apic.event.recorded' && data.summary.includes(name)).length >= count &&
    all.filter(({ source, data }) => source === '/vcd/cloud' && data.summary.includes(name)).length >= count &&
    all.some(({ type, subject }) => type === 'raas.return' && subject?.endsWith(`${name}-minion`) === true) &&
    all.some(({ type, subject }) => type === 'raas.run.completed' && subject === jid)
  await untilEvents(isThere, `${name} in the stream`)
}

const untilEvents = (probe: (all: readonly OpsEvent[]) => boolean, what: string): Promise<void> =>
  untilTrue(() => events().then(probe), what)

/** Asks again and again, one question at a time; one that fails is a no. */
async function untilTrue(ask: () => Promise<boolean>, what: string): Promise<void> {
  let good = false
  let asking = false
  const look = async (): Promise<void> => {
    asking = true
    good = await ask().catch(() => false)
    asking = false
  }
  await until(
    () => {
      if (!asking && !good) void look()
      return good || undefined
    },
    what,
    60_000,
  )
}

/** NATS goes away, and then something happens that waits for it. */
async function leaveUndelivered(): Promise<void> {
  const read = ({ sources }: StatusDocument): number =>
    sources.find(({ name }) => name === 'cloud')?.feeds.reduce((sum, feed) => sum + feed.events, 0) ?? 0
  await nats.stop()
  await world.untilAnswer('/status', ({ body }) => JSON.parse(body).sink?.up === false, 'the sink down')
  const before = read(await world.status())
  world.vcd.write({ type: 'vm/create', user: 'svc-opswire', org: 'System', entity: { name: 'waits', id: null } })
  await world.untilAnswer('/status', ({ body }) => read(JSON.parse(body)) > before, 'something undelivered')
}

/** All is delivered and none of it is kept: what the stream loses from now on, nobody but the sources can tell again. */
async function nothingKept(): Promise<void> {
  await world.untilAnswer('/status', ({ body }) => JSON.parse(body).store?.bytes === 0, 'an empty store')
}

/** The stream is gone, and made again, empty. */
async function loseStream(): Promise<void> {
  const { streams } = await manager()
  const { config } = await streams.info('OPSWIRE')
  await streams.delete('OPSWIRE')
  await streams.add(config)
}

/** All of these are in the stream again, and nothing is there twice. */
async function expectRestored(lost: readonly OpsEvent[]): Promise<readonly OpsEvent[]> {
  const now = await events()
  expect(idsOf(lost).filter(id => !now.some(event => event.id === id))).toEqual([])
  expectOnce(now)
  return now
}

describe('replay --since, by the running daemon', () => {
  it('sends exactly what the stream lacks, through the sessions that stand, and nothing the second time', async () => {
    await world.start()
    await happen('before')
    const lost = (await events()).filter(isAskable)
    const logins = world.logins()
    await nothingKept()
    await loseStream()
    const { code, summary } = await replayed('--since', '1h')
    expect(summary).toMatchObject({ outcome: 'done' })
    expect(code).toBe(EXIT.ok)
    const now = await expectRestored(lost)
    // The daemon has found out by itself that something was lost.
    expect(originsOf(now)).toEqual(['backfill', 'gap /apic/fabric-a', 'gap /raas/salt', 'gap /vcd/cloud'])
    expect(world.logins()).toEqual(logins)
    for (const { source } of summary.sources) expect(sentOf(summary)[source], source).toBeGreaterThan(0)
    expect(summary.sources[0]?.notes.join()).toMatch(/class\/faultInst.*what its objects are, not what they were/)
    const again = await replayed('--since', '1h')
    expect(again.code).toBe(EXIT.ok)
    expect(sentOf(again.summary)).toEqual({ 'fabric-a': 0, salt: 0, cloud: 0 })
    await happen('after')
    expectOnce(await events())
    const log = world.daemon.log.filter(line => line.includes('replay of what happened'))
    expect(log.length).toBe(4)
    const counted = await world.metric(
      'opswire_events_total{source="cloud",kind="audit",severity="info",origin="backfill"}',
    )
    expect(counted).toBeGreaterThanOrEqual(3)
  })

  it('a daemon killed in the midst of it loses nothing and doubles nothing', async () => {
    await world.start()
    await happen('before', 400)
    const lost = (await events()).filter(isAskable)
    await nothingKept()
    await loseStream()
    const answer = await fetch(`${world.url}/-/replay`, { method: 'POST', body: JSON.stringify({ since: '1h' }) })
    expect(answer.headers.get('content-type')).toMatch(/ndjson/)
    const reading = answer.text().catch(() => undefined)
    await untilTrue(() => held().then(count => count > 0), 'the first of it in the stream')
    await world.daemon.kill()
    await reading
    await world.start()
    expect((await replayed('--since', '1h')).summary.outcome).toBe('done')
    await expectRestored(lost)
  })

  it('does not call sent what a purged stream drops as a duplicate', async () => {
    await world.start()
    await happen('before')
    await (await manager()).streams.purge('OPSWIRE')
    const { code, summary } = await replayed('--since', '1h', '--source', 'cloud')
    expect(code).toBe(EXIT.unavailable)
    const reason = expect.stringMatching(/took them for duplicates/)
    expect(summary.sources).toMatchObject([{ source: 'cloud', error: { code: 'sink', reason } }])
    // The daemon's own login may come between the purge and the question: that one is sent indeed.
    const [{ read = 0, sent = 0 } = {}] = summary.sources
    expect(read - sent).toBeGreaterThanOrEqual(3)
  })

  it('is refused while another one runs, and ends when the one who asked goes away', async () => {
    await world.start()
    await happen('before')
    await leaveUndelivered()
    const post = (body: object) => fetch(`${world.url}/-/replay`, { method: 'POST', body: JSON.stringify(body) })
    const first = await post({ deadLetters: true })
    expect(first.status).toBe(200)
    const second = await post({ deadLetters: true })
    expect(second.status).toBe(409)
    expect(await second.text()).toMatch(/a replay is under way: the dead letters, begun at 20/)
    const asked = await opswire('--since', '1h')
    expect(asked.code).toBe(EXIT.unavailable)
    expect(asked.err).toMatch(/a replay is under way/)
    await first.body?.cancel()
    await until(
      () => world.daemon.log.some(line => line.includes('the replay of the dead letters was cancelled')) || undefined,
      'the replay cancelled',
    )
    await nats.restart()
    expect((await replayed('--since', '1h')).summary.outcome).toBe('done')
    expectOnce(await events())
  })

  it('is cut short by a stop of the daemon, and refuses what it does not understand', async () => {
    await world.start()
    const post = async (body: string, headers: Record<string, string> = {}) => {
      const answer = await fetch(`${world.url}/-/replay`, { method: 'POST', body, headers })
      return `${answer.status} ${await answer.text()}`
    }
    expect(await post('')).toMatch(/^400 .*a JSON object is wanted/s)
    expect(await post('{"since":"2h","deadLetters":true}')).toMatch(/^400 .*say one of/s)
    expect(await post('{"since":"yesterday"}')).toMatch(/^400 .*a time with its zone/s)
    expect(await post('{"since":"2h","sauce":1}')).toMatch(/^400 .*unknown key/s)
    expect(await post('{"since":"2h","source":"nobody"}')).toMatch(/^422 .*no source.*fabric-a, salt, cloud/s)
    expect(await post('{"deadLetters":true}', { origin: 'https://evil.example' })).toMatch(/^403 /)
    await leaveUndelivered()
    const running = replayed('--dead-letters')
    await until(
      () => world.daemon.log.some(line => line.includes('a replay of the dead letters began')) || undefined,
      'it began',
    )
    expect(await world.daemon.stop()).toBe(0)
    const { code, summary } = await running
    expect(summary).toMatchObject({ outcome: 'cancelled', error: { reason: 'the daemon stops' } })
    expect(code).toBe(EXIT.forced)
  })
})

describe('replay --dead-letters, by the running daemon', () => {
  it('shows and reads what the socket could not be understood in, while the source goes on', async () => {
    await world.start()
    for (let n = 0; n < 3; n++) world.apic.inject(`{"imdata": junk ${n}`)
    const count = async (): Promise<number> => (await world.status()).store?.deadLetters ?? 0
    await untilTrue(() => count().then(letters => letters === 3), 'three dead letters')
    const list = await opswire('--list')
    expect(list.out.split('\n').filter(line => /fabric-a\/socket.*not well-formed JSON/.test(line)).length).toBe(3)
    const { summary } = await replayed('--dead-letters', '--limit', '2')
    expect(summary).toMatchObject({
      outcome: 'done',
      sources: [{ read: 2, sent: 0, reasons: [{ outcome: 'dead', reason: 'not well-formed JSON', count: 2 }] }],
    })
    expect(await count()).toBe(3)
    await happen('after')
  })
})

describe('replay --since, without a daemon', () => {
  it('logs in by itself, delivers, and the daemon that starts later doubles nothing', async () => {
    await world.start()
    await happen('before')
    const lost = (await events()).filter(isAskable)
    await nothingKept()
    expect(await world.daemon.stop()).toBe(0)
    await loseStream()
    const { code, summary } = await replayed('--since', '1h')
    expect(summary).toMatchObject({ outcome: 'done' })
    expect(code).toBe(EXIT.ok)
    await expectRestored(lost)
    expect(world.logins().apic).toBe(2)
    await world.start()
    await happen('after')
    expectOnce(await events())
  })

  it('says who holds the state_dir, that it needs one, and that standard output can not be asked', async () => {
    await world.start()
    const { top } = world.blocks
    world.blocks.top = top.replace(/listen: "[^"]*"/, `listen: "127.0.0.1:${await freePort()}"`)
    world.write()
    const locked = await opswire('--dead-letters')
    expect(locked.code).toBe(EXIT.unavailable)
    expect(locked.err).toMatch(
      /a daemon runs, and does not answer at http\.listen 127\.0\.0\.1:\d+.*in use by process \d+/,
    )
    await world.daemon.stop()
    world.blocks.top = world.blocks.top.replace(/^state_dir.*\n/, '')
    world.write()
    const homeless = await opswire('--dead-letters')
    expect(homeless.code).toBe(EXIT.config)
    expect(homeless.err).toMatch(/without state_dir nothing outlives one/)
    world.blocks.top = top.replace(/^nats:.*\n/m, '')
    world.write()
    const blind = await opswire('--since', '1h')
    expect(blind.code).toBe(EXIT.config)
    expect(blind.err).toMatch(/no nats block.*nothing to compare with/)
    expect((await opswire()).code).toBe(EXIT.usage)
    expect((await opswire('--since', '1h', '--list')).code).toBe(EXIT.usage)
    expect((await opswire('--since', '1h', '--source', 'clod')).err).toMatch(/did you mean cloud/)
  })

  it('tells a source that lets nobody in, and reads the others', async () => {
    await world.start()
    await happen('before')
    await nothingKept()
    await world.daemon.stop()
    await loseStream()
    world.file('apic-password', 'wrong')
    const { code, summary } = await replayed('--since', '1h')
    expect(code).toBe(EXIT.refused)
    expect(summary.outcome).toBe('failed')
    expect(summary.sources.map(({ source, error }) => [source, error?.code])).toEqual([
      ['fabric-a', 'auth_refused'],
      ['salt', undefined],
      ['cloud', undefined],
    ])
    expect(sentOf(summary)['cloud']).toBeGreaterThanOrEqual(3)
  })
})
