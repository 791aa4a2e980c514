/** `check --connect` against the simulators and a real nats-server: what it finds, what it costs them, what it advises. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { connectRows } from '../../src/cli/connect-print.ts'
import { main } from '../../src/main.ts'
import { systemClock } from '../../src/scheduler/clock.ts'
import { startApicSimulator } from '../../src/simulators/apic/controller.ts'
import { startVcdSimulator } from '../../src/simulators/vcd/simulator.ts'
import { type RunningNats, startNatsServer } from '../../src/tools/nats-server.ts'
import { certificate } from '../support/apic-source.ts'
import { Delivery } from '../support/delivery.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { contents, NEWEST, natsBinary, natsConfig, OLDEST } from '../support/nats.ts'
import { type Blocks, ThreeSystems } from '../support/three-systems.ts'
import { captured } from './captured-io.ts'

let world: ThreeSystems
const over: (() => Promise<unknown>)[] = []

beforeEach(async () => {
  world = await ThreeSystems.make()
})

afterEach(async () => {
  for (const close of over.splice(0).reverse()) await close()
  await world.close()
})

type Row = ReturnType<typeof connectRows>[number] & {
  part: string
  step: string
  outcome: string
  detail: string
  code: string | null
  next: string | null
  ms: number | null
}

async function check(...more: string[]): Promise<{ code: number; out: string; err: string }> {
  const { io, out, err } = captured()
  return { code: await main(['check', '-c', world.configFile, '--connect', ...more], io), out: out(), err: err() }
}

/** The steps by `part step`, and the exit code. */
async function steps(): Promise<{ code: number; of: (name: string) => Row }> {
  const { code, out } = await check('--json')
  const rows = (JSON.parse(out) as { steps: Row[] }).steps
  return {
    code,
    of: name => {
      const row = rows.find(one => `${one.part} ${one.step}` === name)
      if (row === undefined)
        throw new Error(`no step ${name}: ${rows.map(one => `${one.part} ${one.step}`).join('; ')}`)
      return row
    },
  }
}

async function serve(version: string, skip: (note: string) => never, config = ''): Promise<RunningNats> {
  const nats = await startNatsServer({ binary: await natsBinary(version, skip), config })
  over.push(() => nats.remove())
  return nats
}

const change = (block: keyof Blocks, what: string | RegExp, to: string): void => {
  world.blocks[block] = world.blocks[block].replace(what, to)
}

const withNats = (block: string): void => {
  world.blocks.top = `${world.blocks.top.replace(/nats: .*\n/, '')}nats: ${block}\n`
  world.write()
}

describe('when everything answers', () => {
  it('shows each step with its time, exit 0; one login each and out again, nothing subscribed to, made or published', async ({
    skip,
  }) => {
    const nats = await serve(NEWEST, skip)
    withNats(`{ servers: ["${nats.url}"] }`)
    const { code, out, err } = await check()
    expect([code, err]).toEqual([0, ''])
    for (const step of [
      /^fabric-a {2}apic {2}https:/m,
      / {2}connect .* ms {2}ok +TLSv1\.3, certificate until \d{4}-\d\d-\d\d\n/,
      / {2}domains .* ms {2}ok +LOCAL/,
      / {2}login .* ms {2}ok +as admin, APIC 6\.0\(9c\), session of 600 s\n/,
      / {2}socket .* ms {2}ok +WebSocket opens\n/,
      / {2}read class\/fvTenant .* ms {2}ok +\d+ objects?\n/,
      /^salt {2}raas/m,
      / {2}login .* ms {2}ok +as root, RaaS /,
      / {2}read returns .* ms {2}ok/,
      / {2}read runs .* ms {2}ok/,
      / {2}read jobs .* ms {2}ok/,
      /^cloud {2}vcd/m,
      / {2}versions .* ms {2}ok +API 39\.1 of \d+ offered\n/,
      / {2}login .* ms {2}ok +organisation System\n/,
      / {2}read audit .* ms {2}ok +\d+ events? within a day\n/,
      /^nats {2}nats:/m,
      / {2}stream OPSWIRE .* ms {2}ok +missing: the daemon makes it when it starts\n/,
      /\neverything answers: \d+ steps\n$/,
    ]) {
      expect(out).toMatch(step)
    }
    expect(world.logins()).toEqual({ apic: 1, raas: 1, vcd: 1 })
    expect(world.apic.record.sessions.map(session => session.loggedOutAt !== undefined)).toEqual([true])
    expect(world.apic.record.subscriptions).toEqual([])
    expect(existsSync(join(world.directory, 'state', 'opswire.db'))).toBe(false)
    // Still no stream, and so nothing in it.
    expect((await check()).out).toContain('missing: the daemon makes it when it starts')
    expect(out).not.toMatch(/ins3965!|secret-system/)
  })

  it('asks one controller after the other, and reads at one of them', async () => {
    const second = await startApicSimulator({ time: systemClock, certificate, fabric: world.apic.fabric, nodeId: 2 })
    over.push(() => second.close())
    world.blocks.fabric = world.blocks.fabric.replace(
      /controllers: .*/,
      `controllers: ["${world.apic.url}", "${second.url}"]`,
    )
    world.write()
    const { code, out } = await check()
    expect(code).toBe(0)
    expect(out.match(/^fabric-a {2}apic/gm)).toHaveLength(2)
    expect(out.match(/read class\/fvTenant/g)).toHaveLength(1)
    expect([world.apic.record.logins.length, second.record.logins.length]).toEqual([1, 1])
  })

  it('uses a token that rotates by the daemon’s own file and lock: the next login works', async () => {
    const vcd = await startVcdSimulator({
      time: systemClock,
      certificate,
      orgs: [{ name: 'System' }],
      users: [{ name: 'svc', password: 'x', org: 'System' }],
      tokens: [{ secret: 'first', id: 't-1', user: 'svc', org: 'System', name: 'opswire', rotation: 'always' }],
    })
    over.push(() => vcd.close())
    world.blocks.cloud = world.blocks.cloud.replace(/url: \S+/, `url: ${vcd.url}`)
    world.file('vcd-token', 'first')
    world.write()
    for (const turn of [1, 2, 3]) {
      const { code, of } = await steps()
      expect([turn, code, of('cloud login').outcome]).toEqual([turn, 0, 'ok'])
    }
    expect(readFileSync(join(world.directory, 'state', 'cloud.token'), 'utf8')).toContain(vcd.secretOf('t-1'))
  })
})

describe('what fails', () => {
  it('a refused login: 77, the password sent once though there are two controllers', async () => {
    const second = await startApicSimulator({ time: systemClock, certificate, fabric: world.apic.fabric, nodeId: 2 })
    over.push(() => second.close())
    world.blocks.fabric = world.blocks.fabric.replace(
      /controllers: .*/,
      `controllers: ["${world.apic.url}", "${second.url}"]`,
    )
    world.file('apic-password', 'wrong-password')
    world.write()
    const { code, out } = await check()
    expect(code).toBe(77)
    expect(out).toMatch(/login .* FAILED +login as admin refused/)
    expect(out).toContain('→ check username, login_domain and the password')
    expect(out).toMatch(/login +not tried +the same login was refused by another controller/)
    expect(out).toMatch(/\n1 step failed, 1 step not tried\n$/)
    expect([world.apic.record.logins.length, second.record.logins.length]).toEqual([1, 0])
    expect(out).not.toContain('wrong-password')
    // The others were tried all the same.
    expect(out).toMatch(/as root, RaaS/)
  })

  it.each<[string, () => unknown, string, Partial<Row>, number]>([
    ['a RaaS password', () => void world.file('raas-password', 'wrong'), 'salt login', { code: 'auth_refused' }, 77],
    ['a VCD token', () => void world.file('vcd-token', 'wrong'), 'cloud login', { code: 'auth_refused' }, 77],
    [
      'a RaaS account without the right to read returns',
      () => {
        world.raas.knobs.fault = ({ method }) =>
          method === 'ret.get_returns'
            ? { kind: 'rpc', code: 3002, message: 'User does not have permission to call ret.get_returns' }
            : undefined
      },
      'salt read returns',
      { outcome: 'failed' },
      69,
    ],
    [
      'a role of Cloud Director without the audit trail',
      () => {
        world.vcd.knobs.fail = ({ path }) => (path.includes('auditTrail') ? { kind: 'status', status: 403 } : undefined)
      },
      'cloud read audit',
      { code: 'permission', next: expect.stringContaining('give the account a role that may read this') },
      69,
    ],
    [
      'a fabric that refuses one class',
      () =>
        world.apic.fail({
          operation: 'query',
          path: /fvTenant/,
          failure: { kind: 'error', status: 403, code: '403', text: 'no right to read this' },
        }),
      'fabric-a read class/fvTenant',
      { outcome: 'failed' },
      69,
    ],
    [
      'a secret that is not there',
      () => change('salt', 'raas-password', 'none'),
      'salt login',
      { code: 'config', detail: expect.stringContaining("can't read the secret file") },
      69,
    ],
    [
      'a certificate that nobody vouches for',
      () => change('cloud', /tls: .*/, ''),
      'cloud connect',
      { code: 'tls', detail: expect.stringMatching(/certificate not trusted: self-signed certificate$/) },
      69,
    ],
    [
      'a port where nothing listens',
      () => change('salt', /url: \S+/, 'url: https://127.0.0.1:1'),
      'salt connect',
      { code: 'unreachable' },
      69,
    ],
    [
      'a state_dir that can not be',
      () => change('top', /state_dir: (\S+)\/state/, 'state_dir: $1/ca.pem/state'),
      'this machine state_dir',
      { code: 'store' },
      69,
    ],
  ])('%s', async (_, breakIt, step, expected, exit) => {
    breakIt()
    world.write()
    const { code, of } = await steps()
    const failed = of(step)
    expect([code, failed]).toEqual([exit, expect.objectContaining({ outcome: 'failed', ...expected })])
    expect(failed.next).toMatch(/\w{3}/)
  })

  it('a port that another program has; one that an opswire has is fine', async () => {
    const other = createServer(socket => socket.resume()).listen(0, '127.0.0.1')
    await new Promise(resolve => other.once('listening', resolve))
    over.push(() => new Promise(resolve => other.close(resolve)))
    const address = other.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    world.blocks.top = world.blocks.top.replace(/127\.0\.0\.1:0/, `127.0.0.1:${port}`)
    world.write()
    const { code, of } = await steps()
    expect([code, of('this machine http.listen').outcome]).toEqual([69, 'failed'])
    world.blocks.top = world.blocks.top.replace(`127.0.0.1:${port}`, '127.0.0.1:0')
    world.write()
    await world.start()
    const taken = new URL(world.url).port
    world.blocks.top = world.blocks.top.replace('127.0.0.1:0', `127.0.0.1:${taken}`)
    world.write()
    const running = await steps()
    expect([running.code, running.of('this machine http.listen').detail]).toEqual([
      0,
      'taken by an opswire that runs already',
    ])
  })

  it('a config that is wrong is told before anything is connected to: 78', async () => {
    world.blocks.top += 'log: { level: loud }\n'
    world.write()
    const { code, out } = await check()
    expect([code, out]).toEqual([78, expect.stringContaining('log.level: must be one of')])
    expect(world.logins()).toEqual({ apic: 0, raas: 0, vcd: 0 })
  })
})

describe.each([NEWEST, OLDEST])('nats-server %s', version => {
  it('tells the exact difference of a stream, and does not make one', async ({ skip }) => {
    const nats = await serve(version, skip)
    withNats(`{ servers: ["${nats.url}"], stream: { create: false } }`)
    const missing = await steps()
    expect([missing.code, missing.of('nats stream OPSWIRE').detail]).toEqual([
      69,
      'it does not exist and nats.stream.create is false: create it on opswire.>',
    ])
    const config = natsConfig(nats.url, { stream: { max_age: '1d', duplicate_window: '1m' } })
    const delivery = new Delivery(new MemoryStore(), config)
    over.push(() => delivery.pump.stop(0))
    while (!delivery.states.some(state => state.startsWith('up'))) await new Promise(resolve => setImmediate(resolve))
    withNats(`{ servers: ["${nats.url}"] }`)
    const less = await steps()
    expect([less.code, less.of('nats stream OPSWIRE')]).toMatchObject([
      0,
      {
        outcome: 'warned',
        detail:
          '0 messages; stream OPSWIRE: max_age is 1d, the config says 7d; stream OPSWIRE: duplicate_window is 1m, the config says 5m',
      },
    ])
    withNats(`{ servers: ["${nats.url}"], prefix: other }`)
    const wrong = await steps()
    expect([wrong.code, wrong.of('nats stream OPSWIRE')]).toMatchObject([
      69,
      { code: 'sink', detail: "stream OPSWIRE can't be used: its subjects (opswire.>) don't cover other.>" },
    ])
    expect(await contents(config, 0)).toEqual([])
  })

  it('tells refused credentials (77), no server (69) and JetStream that is off (69)', async ({ skip }) => {
    const nats = await serve(version, skip, 'authorization { user: u, password: right }')
    writeFileSync(join(world.directory, 'nats-password'), 'wrong')
    withNats(`{ servers: ["${nats.url}"], user: u, password_file: ${world.directory}/nats-password }`)
    const refused = await steps()
    expect([refused.code, refused.of('nats connect').code]).toEqual([77, 'auth_refused'])
    withNats('{ servers: ["nats://127.0.0.1:1"] }')
    const dark = await steps()
    expect([dark.code, dark.of('nats connect').code, dark.of('nats stream').outcome]).toEqual([69, 'sink', 'skipped'])
  })
})

it('tells a login of NATS that may not publish, without publishing', async ({ skip }) => {
  const rights = (publish: string): string =>
    `authorization { users = [{ user: u, password: p, permissions: { publish: ${publish}, subscribe: ["_INBOX.>"] } }] }`
  const api = '"$JS.API.>", "$SYS.REQ.USER.INFO"'
  const nats = await serve(NEWEST, skip, rights(`[${api}, "opswire.apic.>"]`))
  writeFileSync(join(world.directory, 'nats-password'), 'p')
  withNats(`{ servers: ["${nats.url}"], user: u, password_file: ${world.directory}/nats-password }`)
  const few = await steps()
  expect([few.code, few.of('nats publish')]).toMatchObject([
    69,
    { code: 'permission', detail: 'this login may not publish on opswire.raas.>, opswire.vcd.>, opswire._dead.>' },
  ])
  await nats.restart(rights(`[${api}, "opswire.>"]`))
  expect((await steps()).of('nats publish')).toMatchObject({ outcome: 'ok', detail: 'allowed on opswire.>' })
  // Not allowed to ask: nobody knows.
  await nats.restart(rights('["$JS.API.>", "opswire.>"]'))
  expect((await steps()).of('nats publish')).toMatchObject({
    outcome: 'ok',
    detail: expect.stringContaining('not known'),
  })
})
