/** Every way to go deaf without a word: how long it may last, how it heals, and what stays untouched. docs/LIVENESS.md */
import { afterEach, describe, expect, it } from 'vitest'
import { subscriptionSchema } from '../../src/config/query.ts'
import { mayBeLeafSourced } from '../../src/subscribers/apic/leaf-sourced.ts'
import { buildQuery } from '../../src/subscribers/apic/query.ts'
import { ApicSocket } from '../../src/subscribers/apic/socket.ts'
import { Client } from '../simulators/apic-client.ts'
import { ApicRig, type ApicRigOptions, certificate, fault } from '../support/apic-source.ts'
import { ManualClock, settle, until } from '../support/manual-clock.ts'
import { turn, within } from '../support/turning.ts'

const NODE = 'topology/pod-1/node-101'
const SUBSCRIPTIONS = [
  { class: 'faultInst' },
  { class: 'fvTenant' },
  { class: 'eventRecord' },
  { mo: 'uni/tn-common', query_target: 'subtree', target_subtree_class: ['fvBD'] },
  { class: 'ethpmPhysIf' },
]

let rig: ApicRig
let clock: ManualClock

async function start(options: ApicRigOptions = {}): Promise<ApicRig> {
  clock = new ManualClock()
  rig = await ApicRig.make({ clock, ...options, config: { subscriptions: SUBSCRIPTIONS, ...options.config } })
  if (options.start !== false) await settled()
  return rig
}

/** Every subscription that the config names is live. */
async function settled(): Promise<void> {
  const named = rig.config.subscriptions.length
  const live = () => {
    const last = new Map<string, string>()
    for (const one of rig.happenings) if (one.type === 'feed_state') last.set(one.feed, one.state)
    return [...last.values()].filter(state => state === 'live').length >= named
  }
  await until(() => {
    void clock.advance(10)
    return live()
  }, 'all live')
}

afterEach(async () => {
  await rig.close()
})

/** The living subscription of a path, by the simulator's own account. */
function idOf(part: string): string {
  const alive = new Set(rig.simulator.subscriptionIds)
  return rig.simulator.record.subscriptions.findLast(one => alive.has(one.id) && one.path.includes(part))?.id ?? ''
}

const ids = (): Record<string, string> =>
  Object.fromEntries(['faultInst', 'fvTenant', 'eventRecord', 'fvBD', 'ethpmPhysIf'].map(part => [part, idOf(part)]))

const advices = (): string[] => rig.happenings.flatMap(one => (one.type === 'advice' ? [one.text] : []))
const heard = (text: string): boolean =>
  rig.facts().some(fact => fact.origin === 'live' && JSON.stringify(fact).includes(text))
const found = (text: string): boolean =>
  rig.facts().some(fact => fact.origin === 'resync' && JSON.stringify(fact).includes(text))

describe('the socket', () => {
  it('half-open: noticed by the missing pong within 30 s, and what was missed is found', async () => {
    const { simulator } = await start()
    await turn(clock, 40)
    simulator.silenceSockets()
    simulator.post('uni/tn-missed', { fvTenant: { attributes: { name: 'missed' } } })
    await within(clock, 30, () => simulator.record.sockets.length === 2, 'a new socket')
    await within(clock, 5, () => found('uni/tn-missed'), 'the tenant')
    expect(rig.happenings.some(one => one.type === 'reconnect' && one.reason === 'socket_lost')).toBe(true)
  })

  it('half-open from its first second: a ping at once tells whether this server answers', async () => {
    const { simulator } = await start()
    await until(() => simulator.record.sockets[0]?.pings === 1, 'the first ping')
    simulator.silenceSockets()
    await within(clock, 30, () => simulator.record.sockets.length === 2, 'a new socket')
  })

  it('of a server that answers no pings is not called dead for that; the canary finds it half-open', async () => {
    const { simulator } = await start({ simulator: { knobs: { answerPings: false } } })
    await turn(clock, 300)
    expect(simulator.record.sockets.length).toBe(1)
    simulator.silenceSockets()
    // Twice a record that was not pushed: first the subscription is made anew, then the session.
    const beat = (): void => void simulator.emit('eventRecord', { descr: `beat ${clock.now()}` })
    beat()
    await within(
      clock,
      2 * (63 + 5) + 5,
      () => {
        beat()
        return simulator.record.sockets.length === 2
      },
      'a new socket',
    )
  })

  it('from which nothing comes after a pause: a pong is demanded at once, and missed within 15 s', async () => {
    const { simulator } = await start({ start: false })
    const client = new Client(simulator, certificate.cert)
    await client.login()
    const lost: string[] = []
    const socket = await ApicSocket.open({
      headers: {},
      url: `wss://127.0.0.1:${simulator.port}/socket${client.token}`,
      tls: rig.config.tls,
      clock,
      timeoutMs: 30_000,
      pingMs: 15_000,
      onFrame: () => undefined,
      onLost: error => lost.push(error.message),
      signal: new AbortController().signal,
    })
    await turn(clock, 40)
    socket.pause()
    simulator.silenceSockets()
    // While it is held back nobody waits for a pong.
    await turn(clock, 300)
    expect(lost).toEqual([])
    socket.resume()
    await within(clock, 15, () => lost.length === 1, 'the end')
    await settle()
    expect(lost).toEqual(['socket: no pong within 15 s'])
  })

  it('forgotten by the controller: noticed by the next refresh, a third of a life away', async () => {
    const { simulator } = await start()
    await turn(clock, 90)
    simulator.forgetSockets()
    simulator.post('uni/tn-missed', { fvTenant: { attributes: { name: 'missed' } } })
    await within(clock, 22, () => simulator.record.sessions.length === 2, 'a new session')
    await within(clock, 5, () => found('uni/tn-missed'), 'the tenant')
    expect(simulator.openSockets).toBe(1)
  })
})

describe('one subscription', () => {
  it('of a log, mute: noticed by the canary within its interval and the grace; the others stay', async () => {
    const { simulator } = await start()
    await turn(clock, 30)
    const before = ids()
    simulator.mute(before['eventRecord'])
    simulator.emit('eventRecord', { descr: 'never pushed' })
    await within(clock, 63 + 5, () => idOf('eventRecord') !== before['eventRecord'], 'made anew')
    await within(clock, 5, () => found('never pushed'), 'the record')
    expect(ids()).toEqual({ ...before, eventRecord: idOf('eventRecord') })
    simulator.emit('eventRecord', { descr: 'pushed again' })
    await within(clock, 5, () => heard('pushed again'), 'the next record')
    expect(simulator.record.sessions.length).toBe(1)
  })

  it('of objects, mute: noticed by the reconcile that finds what was not pushed; the others stay', async () => {
    const { simulator } = await start()
    const before = ids()
    simulator.mute(before['fvTenant'])
    simulator.post('uni/tn-silent', { fvTenant: { attributes: { name: 'silent' } } })
    await within(clock, 945, () => found('uni/tn-silent'), 'the tenant')
    await within(clock, 6, () => idOf('fvTenant') !== before['fvTenant'], 'made anew')
    expect(ids()).toEqual({ ...before, fvTenant: idOf('fvTenant') })
    await turn(clock, 3)
    simulator.post('uni/tn-next', { fvTenant: { attributes: { name: 'next' } } })
    await within(clock, 5, () => heard('uni/tn-next'), 'the next tenant')
  })

  it('whose pushes are late, not missing, is left alone by a reconcile', async () => {
    const { simulator } = await start({ config: { reconcile_interval: '60s' } })
    const before = ids()
    // Written where the reconcile sees it, told two seconds after it has read.
    const tenant = (name: string) =>
      JSON.stringify({
        subscriptionId: [before['fvTenant']],
        imdata: [{ fvTenant: { attributes: { dn: `uni/tn-${name}`, name, status: 'created', modTs: 'never' } } }],
      })
    simulator.mute(before['fvTenant'])
    simulator.post('uni/tn-late', { fvTenant: { attributes: { name: 'late' } } })
    await within(clock, 64, () => found('uni/tn-late'), 'the tenant, found')
    simulator.inject(tenant('late'))
    await turn(clock, 10)
    expect(ids()).toEqual(before)
  })

  it('that never tells all its changes is made anew once, and told of once', async () => {
    const { simulator } = await start({ config: { reconcile_interval: '60s' } })
    const made = () => simulator.record.subscriptions.filter(one => one.path.includes('fvTenant')).length
    for (let round = 0; round < 5; round++) {
      simulator.mute(idOf('fvTenant'))
      simulator.post(`uni/tn-${round}`, { fvTenant: { attributes: { name: String(round) } } })
      await within(clock, 80, () => found(`uni/tn-${round}`), `tenant ${round}`)
      await turn(clock, 8)
    }
    expect(made()).toBe(2)
    expect(advices().filter(text => text.includes('never pushed')).length).toBe(1)
  })

  it('refused at its refresh is made anew at once; the others stay', async () => {
    const { simulator } = await start()
    const before = ids()
    simulator.expireSubscription(before['fvTenant'] ?? '')
    await within(clock, 22, () => idOf('fvTenant') !== '', 'made anew')
    expect(ids()).toEqual({ ...before, fvTenant: idOf('fvTenant') })
  })
})

describe('a leaf', () => {
  const fed = (before: Record<string, string>) => {
    const now = ids()
    return Object.keys(now).filter(part => now[part] !== before[part])
  }

  it('that reboots: what it may feed is made anew within five minutes, and nothing else', async () => {
    const { simulator } = await start()
    await turn(clock, 20)
    const before = ids()
    simulator.fabric.rebootLeaf(NODE)
    simulator.post(`${NODE}/sys/fault-F0001`, fault('F0001'))
    await turn(clock, 60)
    expect(heard('F0001')).toBe(false)
    await within(clock, 245, () => fed(before).length === 2, 'two made anew')
    await within(clock, 5, () => found('F0001'), 'the fault that was missed')
    expect(fed(before)).toEqual(['faultInst', 'ethpmPhysIf'])
    expect(simulator.record.sessions.length).toBe(1)
    simulator.post(`${NODE}/sys/fault-F0002`, fault('F0002'))
    await within(clock, 5, () => heard('F0002'), 'the next fault')
    // Once for each reboot.
    await turn(clock, 400)
    expect(simulator.record.subscriptions.length).toBe(SUBSCRIPTIONS.length + 2)
  })

  it('that joins: likewise', async () => {
    const { simulator } = await start()
    const before = ids()
    const node = simulator.fabric.joinLeaf('103')
    simulator.post(`${node}/sys/fault-F0001`, fault('F0001'))
    await within(clock, 305, () => found('F0001'), 'the fault of the new leaf')
    expect(fed(before)).toEqual(['faultInst', 'ethpmPhysIf'])
    simulator.post(`${node}/sys/fault-F0002`, fault('F0002'))
    await within(clock, 5, () => heard('F0002'), 'the next fault')
  })

  it('that reboots while the session is made anew costs nothing more: new subscriptions hear it', async () => {
    const { simulator } = await start()
    await turn(clock, 20)
    simulator.fabric.rebootLeaf(NODE)
    simulator.cutSockets()
    await within(clock, 20, () => simulator.record.sessions.length === 2 && idOf('fvBD') !== '', 'the next session')
    const made = simulator.record.subscriptions.length
    await turn(clock, 700)
    expect(simulator.record.subscriptions.length).toBe(made)
  })

  it('can not be watched with these rights: said once, whatever sessions come, and nothing else suffers', async () => {
    const { simulator } = await start({ start: false, config: { subscriptions: [{ class: 'eventRecord' }] } })
    const refused = { kind: 'error', status: 403, code: '403', text: 'no read access' } as const
    simulator.fail({ operation: 'query', path: /topSystem/, failure: refused })
    rig.start()
    await settled()
    await turn(clock, 700)
    simulator.cutSockets()
    await turn(clock, 700)
    expect(advices().filter(text => text.startsWith('leaf reboots')).length).toBe(1)
    expect(simulator.record.sessions.length).toBe(2)
    expect(simulator.record.requests.filter(one => one.path.includes('topSystem')).length).toBe(4)
  })
})

describe('what a leaf may feed', () => {
  it.each([
    [{ class: 'faultInst' }, true],
    [{ class: 'healthInst' }, true],
    [{ class: 'fabricNode' }, true],
    [{ class: 'fvCEp' }, true],
    [{ class: 'fvIp' }, true],
    [{ class: 'fvTenant' }, false],
    [{ class: 'fvEPg' }, false],
    [{ class: 'vzBrCP' }, false],
    [{ class: 'l3extOut' }, false],
    [{ class: 'fvTenant', rsp_subtree_include: ['health'] }, true],
    [{ class: 'fvTenant', query_target: 'subtree' }, true],
    [{ class: 'fvTenant', query_target: 'subtree', target_subtree_class: ['fvBD', 'fvSubnet'] }, false],
    [{ class: 'aaaModLR' }, false],
    [{ class: 'eventRecord' }, false],
    [{ mo: 'uni/tn-prod' }, false],
    [{ mo: 'uni/tn-prod', query_target: 'subtree', target_subtree_class: ['fvAEPg', 'fvBD'] }, false],
    [{ mo: 'uni/tn-prod', query_target: 'subtree', target_subtree_class: ['fvAEPg', 'fvCEp'] }, true],
    // Endpoints are below it, too.
    [{ mo: 'uni/tn-prod', query_target: 'subtree' }, true],
    [{ mo: 'uni/tn-prod/health' }, false],
    [{ mo: 'topology/health' }, true],
    [{ mo: `${NODE}/sys` }, true],
    [{ raw: `class/${NODE}/fvTenant.json` }, true],
    [{ raw: 'node/class/fvTenant.json' }, false],
    [{ raw: 'tag/mo/uni/tn-prod.json' }, false],
    [{ tag: 'production' }, true],
  ] as const)('%j: %s', (subscription, expected) => {
    expect(mayBeLeafSourced(buildQuery(subscriptionSchema.parse(subscription)))).toBe(expected)
  })
})
