/** What goes on when a server guesses wrong, fails by itself, changes, or is several: beside the logins of login.test.ts. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { Access } from '../../src/subscribers/raas/access.ts'
import { RaasClient, READING_METHODS } from '../../src/subscribers/raas/client.ts'
import { Failing } from '../../src/subscribers/raas/failing.ts'
import { until } from '../support/manual-clock.ts'
import { ROOT, ret } from './bus.ts'
import { makeRig, type Rig, route } from './rig.ts'

let rig: Rig

afterEach(async () => {
  await rig.close()
})

const JID = '20260203040506000001'
const minionsOf = (): string[] => rig.keeper.of('raas.return').map(fact => fact.data.return?.minion ?? '')
const modes = () => rig.keeper.reported('feed_mode').map(({ feed, mode }) => `${feed} ${mode}`)
const disabled = () => rig.keeper.reported('feed_state').filter(one => one.state === 'disabled')

function clientOf(access: Access): RaasClient {
  const { config, clock } = rig
  const failing = new Failing()
  const { signal } = new AbortController()
  return new RaasClient({ config, access, clock, report: () => undefined, signal, maxBytes: 1e6, failing })
}

test('a scheme guessed in vain is not kept: a server that refused everybody for a while gets JWT again', async () => {
  rig = await makeRig({ simulator: { schemes: ['JWT'] } })
  rig.sim.knobs.fault = call => (call.path === '/rpc' ? { kind: 'status', status: 401 } : undefined)
  await expect(rig.open()).rejects.toMatchObject({ code: 'auth_refused' })
  rig.sim.knobs.fault = undefined
  await rig.start()
  rig.sim.push('master1', [ret(JID, 'web01', true)])
  await rig.rounds(1)
  expect(minionsOf()).toEqual(['web01'])
})

test('two sessions of a hand-over share one login and one XSRF token, whoever finds them dead first', async () => {
  rig = await makeRig({ simulator: { xsrfRotateEvery: 1 } })
  const access = new Access(rig.config)
  const clients = [clientOf(access), clientOf(access)]
  const all = () => Promise.all(clients.map(client => client.call('test.echo', { message: 'x' })))
  await all()
  rig.sim.revokeTokens()
  await all()
  await Promise.all(clients.map(client => client.close()))
  expect(rig.sim.record).toMatchObject({ logins: 2, unauthorized: 1, xsrfRefusals: 0 })
})

test('a token that claims to be over already is not read anew for every call', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'opswire-bearer-'))
  const file = join(directory, 'token')
  const token = `a.${Buffer.from(JSON.stringify({ iat: 2, exp: 1 })).toString('base64url')}.c`
  writeFileSync(file, token)
  try {
    rig = await makeRig({ simulator: { bearers: new Set([token]) }, config: { bearer_token_file: file, jobs: false } })
    await rig.start()
    expect(rig.sim.record.requests.get('/account/login')).toBe(1)
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('a method that fails inside the server, again and again, does not take the others with it', async () => {
  rig = await makeRig({ config: { audit: true } })
  rig.sim.knobs.fault = call =>
    call.method === 'audit.get_audit' ? { kind: 'rpc', code: 5000, message: 'RPC internal server error' } : undefined
  for (let attempt = 0; attempt < 3; attempt++) {
    await expect(rig.open()).rejects.toMatchObject({ name: 'RpcError', code: 'protocol' })
  }
  await rig.start('returns', 'jobs')
  expect(disabled()).toMatchObject([{ feed: 'audit', reason: expect.stringContaining('failed 3 times') }])
  rig.sim.push('master1', [ret(JID, 'web01', true)])
  await rig.rounds(1)
  expect(minionsOf()).toEqual(['web01'])
  // After an hour the next session asks again.
  expect(rig.session?.retireBy).toBeLessThanOrEqual(rig.clock.now() + 3_600_000)
  rig.sim.knobs.fault = undefined
  await rig.rounds(1)
  await rig.stop()
  await rig.clock.advance(3_600_000)
  await rig.start('returns', 'jobs', 'audit')
})

test('a server that fails whole is no proof against any method', async () => {
  rig = await makeRig()
  rig.sim.knobs.fault = call =>
    call.path === '/rpc' ? { kind: 'rpc', code: 5000, message: 'RPC internal server error' } : undefined
  for (let attempt = 0; attempt < 6; attempt++) {
    await expect(rig.open()).rejects.toMatchObject({ name: 'RpcError', code: 'protocol' })
  }
  rig.sim.knobs.fault = undefined
  await rig.start()
  expect(modes()).toEqual(['returns tail_and_jobs', 'jobs jobs'])
})

test('another version: the session ends, and the next asks what can be done', async () => {
  rig = await makeRig({ simulator: { sortByAlterTime: false }, config: { poll_interval: '5m' } })
  await rig.start()
  expect(modes()).toEqual(['returns jobs', 'jobs jobs'])
  rig.sim.knobs.version = '8.19.0'
  rig.sim.knobs.sortByAlterTime = true
  await rig.rounds(2)
  await rig.clock.advance(300_000)
  await until(() => rig.error !== undefined, 'the end of the session')
  expect(rig.error).toMatchObject({ name: 'Retryable', code: 'session_lost' })
  expect(`${rig.error}`).toMatch(/8\.19\.0 now, it was 8\.18\.3/)
  await rig.stop()
  await rig.start()
  expect(modes().slice(2)).toEqual(['returns tail_and_jobs', 'jobs jobs'])
})

test.each([
  [{}, {}, ['returns tail_and_jobs', 'jobs jobs']],
  [{ sortByAlterTime: false }, {}, ['returns jobs', 'jobs jobs']],
  [{ hidden: new Set(['cmd.get_cmds', 'job.get_jobs']) }, {}, ['returns tail', 'jobs runs']],
  [{ hidden: new Set(['cmd.get_cmds']) }, {}, ['returns tail', 'jobs definitions']],
  [{ hidden: new Set(['job.get_jobs']) }, {}, ['returns tail_and_jobs', 'jobs runs']],
  [{}, { jobs: false }, ['returns tail']],
  [{ sortByAlterTime: false }, { jobs: false }, ['returns jobs']],
])('what the server can do decides the mode: %j %j', async (simulator, config, expected) => {
  rig = await makeRig({ simulator, config })
  await rig.start('returns')
  expect(modes()).toEqual(expected)
})

test('a missing right names the role that has it, by 403 and by an error under HTTP 200', async () => {
  rig = await makeRig({
    config: { audit: true },
    simulator: { users: [{ ...ROOT, methods: ['ret.get_returns', 'cmd.get_cmds'] }] },
  })
  await rig.start('returns')
  expect(disabled().map(one => one.reason)).toEqual([
    expect.stringMatching(/audit\.get_audit.*permission.*"Audit Log".*Superuser/),
  ])
  await rig.close()
  rig = await makeRig()
  rig.sim.knobs.fault = call => (call.method === undefined ? undefined : { kind: 'status', status: 403 })
  await expect(rig.open()).rejects.toThrow(/ret\.get_returns: HTTP 403; it needs Read on "Commands".*User/)
})

test('several nodes behind one address are told once, and clocks too far apart', async () => {
  rig = await makeRig({ simulator: { nodes: [0, 3000] } })
  await rig.start()
  await rig.rounds(5)
  const advice = () => rig.keeper.reported('advice').map(one => one.text)
  expect(advice()).toEqual([expect.stringContaining('2 RaaS nodes answer')])
  rig.sim.knobs.nodes = [0, 60_000]
  await rig.rounds(5)
  expect(advice().slice(1)).toEqual([expect.stringContaining('clocks of the RaaS nodes are 60 s apart')])
})

test('nothing but reading methods is ever sent, whatever a caller asks for', async () => {
  rig = await makeRig({ config: { audit: true } })
  const client = clientOf(new Access(rig.config))
  const changing = [
    'cmd.route_cmd',
    'admin.trim_database',
    'job.save_job',
    'job.delete_job',
    'ret.save_event',
    'cmd.track_state',
  ]
  for (const method of [...changing, 'tgt.save_target_group', 'toString', '__proto__', 'ret.get_returns ', '']) {
    await expect(client.call(method as 'test.echo', {})).rejects.toMatchObject({ code: 'bug' })
  }
  await client.close()
  expect([...rig.sim.record.requests]).toEqual([])
  // A whole day of everything that the daemon does, in every mode.
  await rig.start('returns', 'jobs', 'audit')
  const jid = route(rig, ['web01', 'web02'])
  rig.sim.push('master1', [ret(jid, 'web01', true), ret(JID, 'lone', false)])
  await rig.rounds(8)
  rig.sim.knobs.sortByAlterTime = false
  await rig.restart()
  route(rig, ['web01'])
  await rig.rounds(4)
  const sent = [...rig.sim.record.requests.keys()].filter(name => !name.startsWith('/'))
  expect(sent.length).toBeGreaterThan(5)
  expect(sent.filter(name => !READING_METHODS.some(method => method === name))).toEqual([])
})

test('every method on the list only reads, by its name', () => {
  for (const method of READING_METHODS) expect(method).toMatch(/^\w+\.(get_\w+|discover|echo)$/)
})
