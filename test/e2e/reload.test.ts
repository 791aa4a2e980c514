/** A running daemon takes up a changed config: the real daemon, and by the systems' own records what it cost them. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { OpsEvent } from '../../src/event.ts'
import { systemClock } from '../../src/scheduler/clock.ts'
import { startApicSimulator } from '../../src/simulators/apic/controller.ts'
import { certificate } from '../support/apic-source.ts'
import { until } from '../support/manual-clock.ts'
import { ThreeSystems } from '../support/three-systems.ts'

let world: ThreeSystems

beforeEach(async () => {
  world = await ThreeSystems.make()
  await world.start()
})

afterEach(async () => {
  await world.close()
})

/** How often each of these subjects, by their last words, was told of by an event of this type. */
const told = (type: string, ...subjects: string[]): number[] =>
  subjects.map(end => world.events().filter(event => event.type === type && event.subject?.endsWith(end)).length)

const untilTold = (type: string, ...subjects: string[]): Promise<true> =>
  until(() => told(type, ...subjects).every(count => count > 0) || undefined, `${type} of ${subjects.join(', ')}`).then(
    () => true,
  )

const gaps = (): OpsEvent[] => world.events().filter(event => event.data.kind === 'gap')

const tenant = (name: string): void => {
  world.apic.emit('fvTenant', { dn: `uni/tn-${name}`, name })
}

const audit = (name: string): string =>
  world.vcd.write({ type: `vm/create`, user: 'svc-opswire', org: 'System', entity: { name, id: null } })

const logged = (text: string): number => world.daemon.log.filter(line => line.includes(text)).length

describe('a reload', () => {
  it('by HUP with nothing changed touches nothing', async () => {
    const before = world.logins()
    const subscriptions = world.apic.subscriptionIds
    world.daemon.signal('SIGHUP')
    await until(() => logged('the config was reloaded: nothing differs') === 1, 'the reload')
    expect(world.logins()).toEqual(before)
    expect(world.apic.subscriptionIds).toEqual(subscriptions)
    expect(await world.metric('opswire_reload_success')).toBe(1)
    tenant('after')
    await untilTold('apic.fvTenant.created', 'tn-after')
  })

  it('of a file that is wrong changes nothing and tells every problem, in the log, the answer and the status', async () => {
    const { log: _, ...before } = { log: 0, ...world.logins() }
    const at = await world.metric('opswire_reload_timestamp_seconds')
    world.blocks.top += 'log: { level: loud }\nshutdown_timout: 5s\n'
    world.write()
    const answer = await world.reload()
    expect(answer.status).toBe(422)
    expect(answer.changed).toEqual([])
    expect(answer.problems).toEqual([
      expect.stringMatching(/opswire\.yaml:3:15: log\.level: must be one of .*; got "loud"/),
      expect.stringMatching(/opswire\.yaml:4:1: shutdown_timout: unknown key; did you mean shutdown_timeout\?/),
    ])
    expect(logged('the config was not reloaded, nothing was changed: 2 problems')).toBe(1)
    for (const problem of answer.problems) expect(logged(JSON.stringify(problem).slice(1, -1))).toBe(1)
    expect(await world.metric('opswire_reload_success')).toBe(0)
    expect(await world.metric('opswire_reload_timestamp_seconds')).toBe(at)
    expect((await world.status()).reload).toMatchObject({ ok: false, problems: answer.problems })
    expect(world.logins()).toEqual(before)
    world.blocks.top = world.blocks.top.replace('log: { level: loud }\nshutdown_timout: 5s\n', '')
    world.write()
    expect((await world.reload()).status).toBe(200)
    expect(await world.metric('opswire_reload_success')).toBe(1)
    expect(await world.metric('opswire_reload_timestamp_seconds')).toBeGreaterThan(at ?? Number.NaN)
  })

  it('that would need a restart is refused by name, and nothing else of it is taken up', async () => {
    const before = world.logins()
    world.blocks.top = `state_dir: ${world.directory}/other\nhttp: { listen: "127.0.0.1:1" }\nlog: { level: debug }\nnats: { servers: ["nats://127.0.0.1:1"] }\n`
    world.blocks.cloud = ''
    world.write()
    const answer = await world.reload()
    expect(answer.status).toBe(409)
    expect(answer.problems.map(problem => problem.split(':')[0])).toEqual(['state_dir', 'http.listen', 'nats'])
    expect((await world.status()).sources.map(source => source.name)).toEqual(['fabric-a', 'salt', 'cloud'])
    expect(world.daemon.log.some(line => line.includes('"level":"debug"'))).toBe(false)
    expect(world.logins()).toEqual(before)
    expect(world.apic.openSockets).toBe(1)
  })

  it('hands a changed fabric over without a hole, and leaves the other sources alone', async () => {
    const before = world.logins()
    const requests = world.vcd.record.requests.filter(request => request.method === 'DELETE').length
    tenant('before')
    await untilTold('apic.fvTenant.created', 'tn-before')
    world.blocks.fabric = world.blocks.fabric.replace('{ class: aaaModLR }', '{ class: aaaModLR }, { class: fvBD }')
    world.write()
    const [old] = world.apic.record.sessions
    const answer = await world.reload()
    expect(answer).toMatchObject({
      status: 200,
      changed: ['source fabric-a: subscriptions (its session is handed over)'],
    })
    // Something happens at every moment of the hand-over.
    let made = 0
    await until(() => {
      if (old?.loggedOutAt === undefined) tenant(`during-${made++}`)
      return old?.loggedOutAt !== undefined
    }, 'the end of the old session')
    tenant('after')
    world.apic.emit('fvBD', { dn: 'uni/tn-after/BD-new', name: 'new' })
    await untilTold('apic.fvTenant.created', 'tn-after')
    await untilTold('apic.fvBD.created', 'BD-new')
    const names = Array.from({ length: made }, (_, index) => `tn-during-${index}`)
    expect(made).toBeGreaterThan(0)
    expect(told('apic.fvTenant.created', 'tn-before', ...names, 'tn-after')).toEqual(
      Array.from({ length: made + 2 }, () => 1),
    )
    expect(gaps()).toEqual([])
    expect(world.logins()).toEqual({ ...before, apic: before.apic + 1 })
    expect(world.vcd.record.requests.filter(request => request.method === 'DELETE')).toHaveLength(requests)
    expect(world.apic.openSockets).toBe(1)
    await world.untilReady()
  })

  it('leaves a removed subscription, and finds what came meanwhile when it is there again', async () => {
    const { fabric } = world.blocks
    world.blocks.fabric = fabric.replace('{ class: fvTenant }, ', '')
    world.write()
    await world.reload()
    const feeds = async (): Promise<string[]> => (await world.status()).sources[0]?.feeds.map(feed => feed.name) ?? []
    let now = await feeds()
    while (now.includes('class/fvTenant')) now = await feeds()
    expect(now).toEqual(['class/faultInst', 'class/aaaModLR'])
    await until(() => world.apic.subscriptionIds.length === 2, 'the old subscriptions have ended')
    tenant('unseen')
    world.blocks.fabric = fabric
    world.write()
    await world.reload()
    await untilTold('apic.fvTenant.created', 'tn-unseen')
    expect(told('apic.fvTenant.created', 'tn-unseen')).toEqual([1])
    // Objects have no log: what came and went while nobody looked can't be known.
    expect(gaps().every(gap => gap.subject === 'class/fvTenant')).toBe(true)
  })

  it('that gives a name to another system begins there anew: the cursor of the old one says nothing of it', async () => {
    audit('of the old one')
    await until(() => world.events().some(event => event.data.summary.includes('of the old one')), 'the trail')
    const startUs = (systemClock.wall() - 3_600_000) * 1000
    world.raas.tables.addAudit({ username: 'alice', type: 'task', name: 'old', failed: false, startUs, request: {} })
    const raas = world.blocks.salt.replace('poll_interval: 1s', 'poll_interval: 1s\n    audit: true')
    world.blocks.salt = ''
    world.write()
    await world.reload()
    world.blocks.cloud = raas.replace('name: salt', 'name: cloud')
    world.write()
    expect((await world.reload()).changed).toEqual([expect.stringMatching(/^source cloud: kind.*stopped and started/)])
    await until(() => logged('cloud is up') === 2, 'up again')
    const now = { username: 'alice', type: 'task', name: 'new', failed: false, request: {} }
    const told = (): string[] =>
      world.events().flatMap(event => (event.type === 'raas.audit' ? [event.data.summary] : []))
    await until(() => {
      world.raas.tables.addAudit({ ...now, startUs: systemClock.wall() * 1000 })
      return told().some(text => text.includes('new'))
    }, 'what is new')
    // Without `backfill` the past is not told.
    expect(world.raas.record.logins).toBe(2)
    expect(told().filter(text => text.includes('old'))).toEqual([])
  })

  it('to other controllers stops the source and starts it there', async () => {
    const other = await startApicSimulator({ time: systemClock, certificate })
    try {
      world.blocks.fabric = world.blocks.fabric.replace(/controllers: .*/, `controllers: ["${other.url}"]`)
      world.write()
      expect((await world.reload()).changed).toEqual(['source fabric-a: controllers (stopped and started)'])
      expect(world.apic.openSockets).toBe(0)
      expect(world.apic.record.sessions.every(session => session.loggedOutAt !== undefined)).toBe(true)
      await until(() => logged('fabric-a is up') === 2, 'up again')
      other.emit('fvTenant', { dn: 'uni/tn-elsewhere', name: 'elsewhere' })
      await untilTold('apic.fvTenant.created', 'tn-elsewhere')
      expect((await world.status()).sources[0]?.address).toBe(other.url)
    } finally {
      await other.close()
    }
  })

  it('with a new password that is wrong leaves the fabric its old session, says so, and recovers', async () => {
    const path = world.file('wrong', 'not-the-password')
    world.blocks.fabric = world.blocks.fabric.replace(/password_file: \S+/, `password_file: ${path}`)
    world.write()
    expect((await world.reload()).status).toBe(200)
    await until(
      () => logged('fabric-a is degraded: no successor session yet: login as admin refused') === 1,
      'the refusal',
    )
    expect((await world.status()).sources[0]).toMatchObject({ state: 'degraded', lastError: { code: 'auth_refused' } })
    tenant('meanwhile')
    await untilTold('apic.fvTenant.created', 'tn-meanwhile')
    // The file changes: tried again at once, not after five minutes.
    world.file('wrong', 'ins3965!')
    await until(() => logged('fabric-a is up after 1 failed tries') === 1, 'the new session')
    await until(
      () => world.apic.record.sessions.filter(session => session.loggedOutAt === undefined).length === 1,
      'the end of the old session',
    )
    expect(gaps()).toEqual([])
  })

  it('with nothing changed tries what waits for its next try: the account may be there by now', async () => {
    const { fabric } = world.blocks
    world.blocks.fabric = ''
    world.write()
    await world.reload()
    world.blocks.fabric = fabric.replace('username: admin', 'username: new-user')
    world.write()
    await world.reload()
    await until(() => logged('fabric-a is down: login as new-user refused') === 1, 'the refusal')
    world.apic.post('uni/userext/user-new-user', {
      aaaUser: { attributes: { dn: 'uni/userext/user-new-user', name: 'new-user', pwd: 'ins3965!' } },
    })
    const before = world.logins()
    expect(await world.reload()).toMatchObject({ status: 200, changed: [] })
    await until(() => logged('fabric-a is up') === 2, 'up again')
    expect(world.logins()).toEqual({ ...before, apic: before.apic + 1 })
    const news = (): OpsEvent[] =>
      world.events().filter(event => event.source.endsWith('/fabric-a') && event.data.kind === 'source')
    await until(() => news().length === 3, 'both events')
    expect(news().map(event => [event.type, event.severitytext])).toEqual([
      ['opswire.source.up', 'info'],
      ['opswire.source.down', 'major'],
      ['opswire.source.up', 'major'],
    ])
  })

  it('opens a changed poll anew, loses nothing and tells nothing twice', async () => {
    const before = world.logins()
    audit('one')
    await until(() => world.events().some(event => event.data.summary.includes('one')), 'one')
    world.blocks.cloud = world.blocks.cloud.replace('poll_interval: 1s', 'poll_interval: 2s')
    world.write()
    const ids = ['two', 'three'].map(audit)
    const answer = await world.reload()
    expect(answer.changed).toEqual(['source cloud: poll_interval (stopped and started)'])
    ids.push(audit('four'))
    await until(
      () => ids.every(id => world.events().some(event => JSON.stringify(event).includes(id))),
      'everything of the trail',
    )
    for (const id of ids) {
      expect(
        world.events().filter(event => event.data.kind === 'audit' && JSON.stringify(event).includes(id)),
      ).toHaveLength(1)
    }
    expect(gaps()).toEqual([])
    expect(world.logins()).toEqual({ ...before, vcd: before.vcd + 1 })
  })

  it('stops a removed source and forgets it, starts an added one where it left off', async () => {
    const { cloud } = world.blocks
    const before = world.logins()
    world.blocks.cloud = ''
    world.blocks.fabric = ''
    world.write()
    expect((await world.reload()).changed).toEqual(['source fabric-a removed', 'source cloud removed'])
    expect((await world.status()).sources.map(source => source.name)).toEqual(['salt'])
    expect(world.apic.record.sessions.every(session => session.loggedOutAt !== undefined)).toBe(true)
    expect(world.apic.openSockets).toBe(0)
    expect((await world.get('/metrics')).body).not.toMatch(/source="(cloud|fabric-a)"/)
    const asked = world.vcd.record.requests.length
    const id = audit('while-away')
    expect((await world.get('/-/ready')).body).not.toContain('cloud')
    expect(world.vcd.record.requests).toHaveLength(asked)
    world.blocks.cloud = cloud
    world.write()
    expect((await world.reload()).changed).toEqual(['source cloud added'])
    await until(() => world.events().some(event => JSON.stringify(event).includes(id)), 'what happened while away')
    expect(world.logins()).toEqual({ ...before, vcd: before.vcd + 1 })
    await until(() => logged('cloud is up') === 2, 'cloud up again')
    expect(await world.metric('opswire_source_up{source="cloud"}')).toBe(1)
  })

  it('of what is only said of a source leaves its session; log level and time-out are taken up', async () => {
    const before = world.logins()
    world.blocks.salt = world.blocks.salt.replace('poll_interval: 1s', 'poll_interval: 1s\n    required: false')
    world.blocks.top += 'log: { level: debug }\nshutdown_timeout: 5s\n'
    world.write()
    expect((await world.reload()).changed).toEqual([
      'shutdown_timeout',
      'log.level',
      'source salt: required (its session stays)',
    ])
    expect((await world.status()).sources[1]).toMatchObject({ name: 'salt', required: false, state: 'up' })
    await until(() => logged('"level":"debug"') > 0, 'a debug line')
    expect(world.logins()).toEqual(before)
  })

  it('asked for many times at once ends with what the file says last, and a stop in its midst is clean', async () => {
    for (let turn = 0; turn < 20; turn++) {
      world.blocks.cloud = world.blocks.cloud.replace(/poll_interval: \d+s/, `poll_interval: ${(turn % 2) + 2}s`)
      world.write()
      world.daemon.signal('SIGHUP')
    }
    world.blocks.cloud = world.blocks.cloud.replace(/poll_interval: \d+s/, 'poll_interval: 7s')
    world.write()
    expect((await world.reload()).status).toBe(200)
    expect((await world.reload()).changed).toEqual([])
    world.blocks.cloud = ''
    world.blocks.salt = world.blocks.salt.replace('poll_interval: 1s', 'poll_interval: 3s')
    world.write()
    world.daemon.signal('SIGHUP')
    expect(await world.daemon.stop()).toBe(0)
    expect(world.apic.openSockets).toBe(0)
    expect(logged('this should not happen')).toBe(0)
  })
})
