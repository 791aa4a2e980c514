import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DiscardPolicy, type JetStreamManager, jetstreamManager } from '@nats-io/jetstream'
import { connect, nkeys } from '@nats-io/transport-node'
import { afterEach, describe, expect, it } from 'vitest'
import { type Clock, systemClock } from '../../src/scheduler/clock.ts'
import { makeCertificate } from '../../src/simulators/server.ts'
import { natsSink } from '../../src/sinks/nats.ts'
import { type RunningNats, startNatsServer } from '../../src/tools/nats-server.ts'
import { Delivery, expectEachOnce, putMany } from '../support/delivery.ts'
import { ManualClock, until } from '../support/manual-clock.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { contents, NEWEST, natsBinary, natsConfig, numbered, OLDEST } from '../support/nats.ts'
import { Wire } from '../support/wire.ts'

const teardown: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const step of teardown.splice(0).reverse()) await step()
})

async function start(version: string, skip: (note: string) => never, config = ''): Promise<RunningNats> {
  const running = await startNatsServer({ binary: await natsBinary(version, skip), config })
  teardown.push(() => running.remove())
  return running
}

async function managerOf(nats: RunningNats): Promise<JetStreamManager> {
  const connection = await connect({ servers: nats.url })
  teardown.push(() => connection.close())
  return jetstreamManager(connection)
}

function deliver(store: MemoryStore, config: Delivery['config'], clock?: Clock): Delivery {
  const delivery = new Delivery(store, config, clock === undefined ? {} : { clock })
  teardown.push(() => delivery.pump.stop(0))
  return delivery
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'opswire-test-'))
  teardown.push(() => rm(path, { recursive: true, force: true }))
  return path
}

/** Turns the clock until it happens: every wait of the sink and the pump is on this clock. */
async function turnUntil(clock: ManualClock, probe: () => boolean, what: string, stepMs = 250): Promise<void> {
  let turns = 0
  await until(() => {
    if (probe()) return true
    turns++
    if (turns % 4 === 0) void clock.advance(stepMs)
    return false
  }, what)
}

describe.each([NEWEST, OLDEST])('the stream on nats-server %s', version => {
  it('waits for a stream that it may not create, and says so', async ({ skip }) => {
    const nats = await start(version, skip)
    const store = new MemoryStore()
    putMany(store, 1, 50)
    const delivery = deliver(store, natsConfig(nats.url, { stream: { create: false } }))
    await until(() => delivery.states.length > 0, 'it says what is wrong')
    expect(delivery.states).toEqual([
      'down: stream OPSWIRE does not exist and nats.stream.create is false: create it on subject opswire.>',
    ])
    const manager = await managerOf(nats)
    await manager.streams.add({ name: 'OPSWIRE', subjects: ['opswire.>'] })
    await delivery.settled(50)
    await expectEachOnce(delivery.config, 50)
    expect(delivery.states.length).toBe(2)
  })

  it('does not use a stream on other subjects, and never changes it', async ({ skip }) => {
    const nats = await start(version, skip)
    const manager = await managerOf(nats)
    await manager.streams.add({ name: 'OPSWIRE', subjects: ['opswire.apic.>'] })
    const store = new MemoryStore()
    putMany(store, 1, 50)
    const delivery = deliver(store, natsConfig(nats.url))
    await until(() => delivery.states.length > 0, 'it says what is wrong')
    expect(delivery.states).toEqual([
      "down: stream OPSWIRE can't be used: its subjects (opswire.apic.>) don't cover opswire.>",
    ])
    expect((await manager.streams.info('OPSWIRE')).config.subjects).toEqual(['opswire.apic.>'])
    await manager.streams.update('OPSWIRE', { subjects: ['opswire.>'] })
    await delivery.settled(50)
    expect(delivery.told.filter(one => one.type === 'advice').map(one => one.text)).toEqual([
      'stream OPSWIRE: duplicate_window is 2m, the config says 5m',
    ])
    await expectEachOnce(delivery.config, 50)
  })

  it('says which other stream has the subjects', async ({ skip }) => {
    const nats = await start(version, skip)
    const manager = await managerOf(nats)
    await manager.streams.add({ name: 'OTHER', subjects: ['opswire.>'] })
    const delivery = deliver(new MemoryStore(), natsConfig(nats.url))
    await until(() => delivery.states.length > 0, 'it says what is wrong')
    expect(delivery.states[0]).toMatch(/^down: stream OPSWIRE can't be created: subjects overlap .*10065/)
  })

  it('creates the stream as the config says', async ({ skip }) => {
    const nats = await start(version, skip)
    const stream = { name: 'OPS', max_age: '2d', max_bytes: '64MiB', duplicate_window: '90s' }
    const store = new MemoryStore()
    putMany(store, 1, 5)
    const delivery = deliver(store, natsConfig(nats.url, { prefix: 'acme.ops', stream }))
    await delivery.settled(5)
    const { config, state } = await (await managerOf(nats)).streams.info('OPS')
    expect(config).toMatchObject({
      subjects: ['acme.ops.>'],
      max_age: 2 * 86_400e9,
      max_bytes: 64 * 1024 ** 2,
      duplicate_window: 90e9,
      storage: 'file',
      retention: 'limits',
    })
    expect(state.messages).toBe(5)
    expect(delivery.told.filter(one => one.type === 'advice')).toEqual([])
  })

  it('parks on a full stream and goes on when there is room', async ({ skip }) => {
    const nats = await start(version, skip)
    const manager = await managerOf(nats)
    const limits = { name: 'OPSWIRE', subjects: ['opswire.>'], discard: DiscardPolicy.New, max_msgs: 700 }
    await manager.streams.add(limits)
    const store = new MemoryStore()
    putMany(store, 1, 1000)
    const delivery = deliver(store, natsConfig(nats.url))
    await until(() => delivery.states.some(state => state.startsWith('down: ')), 'it says that the stream is full')
    expect(delivery.states.at(-1)).toBe('down: stream OPSWIRE refuses: maximum messages exceeded (10077)')
    expect((await manager.streams.info('OPSWIRE')).state.messages).toBe(700)
    const [first] = await contents(delivery.config, 700)
    expect(first?.seq).toBe(1)
    await manager.streams.update('OPSWIRE', { max_msgs: 5000 })
    await delivery.settled(1000)
    expect(delivery.pump.state().up).toBe(true)
    await expectEachOnce(delivery.config, 1000)
  })

  it('makes the stream anew when it is deleted under way', async ({ skip }) => {
    const nats = await start(version, skip)
    const store = new MemoryStore()
    putMany(store, 1, 100)
    const delivery = deliver(store, natsConfig(nats.url))
    await delivery.settled(100)
    await (await managerOf(nats)).streams.delete('OPSWIRE')
    putMany(store, 101, 300)
    await delivery.settled(300)
    expect(delivery.states.at(-2)).toBe('down: no stream takes opswire.> any more')
    // What the old one had is in the store for a while: the new one gets it as well.
    await expectEachOnce(delivery.config, 300)
  })

  it('shrinks what is over max_payload, buries what still is, and delivers the rest', async ({ skip }) => {
    const nats = await start(version, skip, 'max_payload: 16KB')
    const store = new MemoryStore()
    store.put(numbered(1, { raw: { big: 'x'.repeat(40_000) } }))
    store.put(numbered(2, { object: `uni/tn-${'y'.repeat(40_000)}` }))
    putMany(store, 3, 20)
    const delivery = deliver(store, natsConfig(nats.url))
    await delivery.settled(20)
    await until(() => delivery.pump.state().unanswered === 0, 'the notice is taken')
    const all = await contents(delivery.config, 20)
    expect(all.length).toBe(20)
    expect(all.find(message => message.id === store.rows[0]?.id)?.event).toMatchObject({ truncated: true })
    const notice = all.find(message => message.subject === 'opswire._dead.fabric-a')
    expect(notice?.event).toMatchObject({
      type: 'opswire.dead_letter',
      data: { key: 'dead-1', digest: store.buried[0]?.digest, size: store.buried[0]?.bytes },
    })
    expect(store.buried.length).toBe(1)
  })

  it('loses the line when the server refuses to let it publish, and says so', async ({ skip }) => {
    const users = `authorization { users: [ { user: ops, password: right, permissions: {
      publish: ["$JS.API.>", "opswire._dead.>"], subscribe: ">" } }, { user: all, password: all } ] }`
    const nats = await start(version, skip, users)
    const store = new MemoryStore()
    putMany(store, 1, 10)
    const delivery = deliver(store, natsConfig(nats.url, { user: 'ops', password: 'right' }))
    await until(() => delivery.states.some(state => state.includes('down: NATS refuses')), 'it says what is refused')
    expect(store.settled).toBe(0)
  })
  it('finds what is stored whatever our clock says, and nothing older than asked', async ({ skip }) => {
    const nats = await start(version, skip)
    const day = 86_400_000
    for (const aheadMs of [-day, 0, day]) {
      const clock = new ManualClock(systemClock.wall() + aheadMs)
      const sink = natsSink(natsConfig(nats.url), { clock, report: () => undefined })
      teardown.push(() => sink.close())
      const answered: number[] = []
      sink.onSettled(receipts => answered.push(...receipts.map(({ seq }) => seq)))
      await sink.open(new AbortController().signal)
      const records = [1, 2, 3].map(n => ({ ...numbered(n + aheadMs), seq: n }))
      sink.send(records)
      await until(() => answered.length === 3, 'all taken')
      const ids = records.map(record => record.id)
      expect(await sink.stored([...ids, 'f'.repeat(32)], clock.wall() - 60_000)).toEqual(new Set(ids))
      expect(await sink.stored(ids, clock.wall() + 60_000)).toEqual(new Set())
      await sink.close()
      await expect(sink.stored(ids, 0)).rejects.toThrow('not connected to NATS')
    }
  })
})

describe('the line to NATS', () => {
  it('is refused with wrong credentials, reads them anew, and gets in', async ({ skip }) => {
    const nats = await start(NEWEST, skip, 'authorization { user: ops, password: right }')
    const file = join(await folder(), 'password')
    await writeFile(file, 'wrong\n')
    const clock = new ManualClock()
    const store = new MemoryStore()
    putMany(store, 1, 10)
    const delivery = deliver(store, natsConfig(nats.url, { user: 'ops', password_file: file }), clock)
    await until(() => delivery.states.length > 0, 'it is refused')
    expect(delivery.states).toEqual([`down: NATS at 127.0.0.1:${nats.port} refuses the credentials`])
    expect(clock.next).toBe(5000)
    await rm(file)
    await clock.advance(5000)
    await until(() => delivery.states.length === 2, 'the file is missed')
    expect(delivery.states[1]).toContain('the NATS credentials of the config are not usable')
    await writeFile(file, 'right\n')
    await turnUntil(clock, () => store.settled === 10, 'delivered')
    expect(JSON.stringify(delivery.told)).not.toMatch(/wrong|right/)
  })

  it('takes a token, and the seed of an nkey', async ({ skip }) => {
    const user = nkeys.createUser()
    const seed = Buffer.from(user.getSeed()).toString('utf8')
    const ways: [string, Record<string, unknown>][] = [
      ['authorization { token: "a-token" }', { token: 'a-token' }],
      [`authorization { users: [ { nkey: ${user.getPublicKey()} } ] }`, { nkey_seed: seed }],
    ]
    for (const [config, way] of ways) {
      const nats = await start(NEWEST, skip, config)
      const store = new MemoryStore()
      putMany(store, 1, 3)
      const delivery = deliver(store, natsConfig(nats.url, way))
      await delivery.settled(3)
      await delivery.pump.stop(1000)
    }
    const broken = natsSink(natsConfig('nats://127.0.0.1:1', { nkey_seed: `${seed.slice(0, -4)}AAAA` }), {
      clock: new ManualClock(),
      report: () => undefined,
    })
    const refused = await broken.open(new AbortController().signal).catch((error: Error) => error)
    expect(String(refused)).toContain('credentials of the config are not usable')
    expect(String(refused)).not.toContain(seed.slice(0, 20))
  })

  it('verifies the certificate, with the own authority', async ({ skip }) => {
    const directory = await folder()
    const { key, cert } = await makeCertificate()
    const files = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') }
    await writeFile(files.cert, cert)
    await writeFile(files.key, key)
    const nats = await start(NEWEST, skip, `tls { cert_file: "${files.cert}", key_file: "${files.key}" }`)
    const url = `tls://localhost:${nats.port}`
    const store = new MemoryStore()
    putMany(store, 1, 3)
    const wary = deliver(store, natsConfig(url))
    await until(() => wary.states.length > 0, 'it does not trust the certificate')
    expect(wary.states[0]).toMatch(/^down: can't connect to NATS .*certificate/)
    await wary.pump.stop(0)
    const trusting = deliver(store, natsConfig(url, { tls: { ca_file: files.cert } }))
    await trusting.settled(3)
  })

  it('does not send anything in the clear when the URL says tls', async ({ skip }) => {
    const nats = await start(NEWEST, skip)
    const delivery = deliver(new MemoryStore(), natsConfig(`tls://127.0.0.1:${nats.port}`))
    await until(() => delivery.states.length > 0, 'it refuses')
    expect(delivery.states[0]).toMatch(/^down: can't connect to NATS .*tls/)
  })

  it('takes the server that answers of several, and no credentials from a URL', async ({ skip }) => {
    const nats = await start(NEWEST, skip)
    const store = new MemoryStore()
    putMany(store, 1, 3)
    const config = natsConfig(nats.url)
    const several = { ...config, servers: ['nats://127.0.0.1:1', 'nats://ops:hidden@127.0.0.1:4222', nats.url] }
    const delivery = deliver(store, several)
    await delivery.settled(3)
    await delivery.pump.stop(1000)
    const none = deliver(new MemoryStore(), { ...config, servers: several.servers.slice(0, 2) })
    await until(() => none.states.length > 0, 'none answers')
    expect(none.states[0]).toContain('127.0.0.1:1: connection refused')
    expect(none.states[0]).toContain('credentials in the URL are not taken')
    expect(none.states[0]).not.toContain('hidden')
  })

  it('leaves no socket at a server that accepts and is silent', async () => {
    let taken = 0
    let open = 0
    const silent = createServer(socket => {
      taken++
      open++
      socket.on('error', () => undefined)
      socket.on('close', () => open--)
      socket.resume()
    })
    await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve))
    teardown.push(() => new Promise(resolve => silent.close(resolve)))
    const address = silent.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    const clock = new ManualClock()
    const delivery = deliver(new MemoryStore(), natsConfig(`nats://127.0.0.1:${address.port}`), clock)
    await turnUntil(clock, () => taken === 3, 'three attempts')
    await delivery.pump.stop(0)
    await until(() => open === 0, 'all sockets are closed')
    expect(clock.waiting).toBe(0)
    expect(delivery.states).toEqual([
      `down: no NATS server can be reached (127.0.0.1:${address.port}: silent for 5000 ms)`,
    ])
  })

  it('counts a line without answers as lost, and delivers each once over the next', async ({ skip }) => {
    const nats = await start(NEWEST, skip)
    const wire = await Wire.to(nats.port)
    teardown.push(() => wire.close())
    const clock = new ManualClock()
    const store = new MemoryStore()
    putMany(store, 1, 3000)
    const delivery = deliver(store, natsConfig(`nats://127.0.0.1:${wire.port}`), clock)
    await delivery.settled(1000)
    wire.deaf = true
    await until(() => delivery.pump.state().unanswered === 512, 'a window without answers')
    await turnUntil(clock, () => !delivery.pump.state().up, 'it is noticed', 1000)
    expect(delivery.states.at(-1)).toBe('down: no acknowledgement from the stream for 10000 ms')
    wire.deaf = false
    await turnUntil(clock, () => store.settled === 3000, 'delivered')
    await expectEachOnce(natsConfig(nats.url), 3000)
  })
})
