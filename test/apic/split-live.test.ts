/** Questions too long for one request line, asked of a web server that refuses such lines, as nginx does (8 kB). */
import { afterEach, describe, expect, it } from 'vitest'
import { Client } from '../simulators/apic-client.ts'
import { ApicRig, certificate } from '../support/apic-source.ts'
import { until } from '../support/manual-clock.ts'

const PADDING = Array.from({ length: 400 }, (_, index) => `fvPaddingOfALongList${index}`)
const CLASSES = ['fvTenant', ...PADDING, 'fvBD']
const users = [...Array.from({ length: 300 }, (_, index) => `somebody-${index}`), 'admin']

let rig: ApicRig

async function start(subscription: Record<string, unknown>) {
  rig = await ApicRig.make({ config: { subscriptions: [subscription] }, start: false })
  for (const cls of PADDING) rig.simulator.fabric.model.define(cls)
  rig.start()
  await until(() => declared().length > 0, 'the feeds')
  await rig.live(declared())
  return { sim: rig.simulator, naive: new Client(rig.simulator, certificate.cert) }
}

/** The feeds of the subscription, without the canary. */
const declared = (): string[] => [
  ...new Set(
    rig.happenings.flatMap(one => (one.type === 'feed_declared' && !one.feed.startsWith('canary/') ? [one.feed] : [])),
  ),
]
const lines = (): number[] => rig.simulator.record.requests.map(one => `GET ${one.path} HTTP/1.1\r\n`.length)
const told = (): string[] => rig.facts().map(one => `${one.type} ${one.subject}`)

afterEach(() => rig.close())

describe('a list of classes', () => {
  const subscription = { mo: 'uni', query_target: 'subtree', target_subtree_class: CLASSES }

  it('in one request is refused; in several, every change is told once and nothing is taken for gone', async () => {
    const { sim, naive } = await start(subscription)
    await naive.login()
    const whole = `/api/mo/uni.json?query-target=subtree&target-subtree-class=${CLASSES.join(',')}`
    expect((await naive.get(whole)).status).toBe(414)
    expect(declared().length).toBeGreaterThan(1)
    expect(Math.max(...lines().slice(0, -1))).toBeLessThan(4096)
    const tenant = { attributes: { name: 'blue' }, children: [{ fvBD: { attributes: { name: 'front' } } }] }
    sim.post('uni', { fvTenant: tenant })
    const created = ['apic.fvTenant.created uni/tn-blue', 'apic.fvBD.created uni/tn-blue/BD-front']
    await until(() => created.every(one => told().includes(one)), 'both changes')
    // Each part reads the whole anew after a hole: what another part asks for is none of its business.
    sim.cutSockets()
    sim.post('uni/tn-blue', { fvBD: { attributes: { name: 'back' } } })
    await rig.live(declared(), 2)
    await until(() => told().includes('apic.fvBD.created uni/tn-blue/BD-back'), 'the change of the hole')
    expect(told().filter(one => one.includes('.deleted'))).toEqual([])
    sim.remove('uni/tn-blue/BD-back')
    await until(() => told().includes('apic.fvBD.deleted uni/tn-blue/BD-back'), 'the deletion')
    for (const one of new Set(told()))
      if (!one.includes('gap')) expect(told().filter(other => other === one)).toEqual([one])
    naive.close()
  })
})

describe('the alternatives of a filter on a log', () => {
  it('are feeds of one log, each with its own position', async () => {
    const filter = { or: users.map(user => ({ eq: ['aaaModLR.user', user] })) }
    const { sim } = await start({ class: 'aaaModLR', filter, backfill: '1h' })
    expect(declared().length).toBeGreaterThan(1)
    sim.emit('aaaModLR', { affected: 'uni/tn-a', user: 'somebody-0', txId: '1', ind: 'creation' })
    sim.emit('aaaModLR', { affected: 'uni/tn-b', user: 'admin', txId: '2', ind: 'creation' })
    sim.emit('aaaModLR', { affected: 'uni/tn-c', user: 'nobody', txId: '3', ind: 'creation' })
    const affected = (): string[] =>
      rig
        .facts()
        .map(one => one.data.resource.id)
        .toSorted()
    await until(() => affected().length >= 2, 'both records')
    sim.cutSockets()
    sim.emit('aaaModLR', { affected: 'uni/tn-d', user: 'admin', txId: '4', ind: 'creation' })
    await until(() => affected().includes('uni/tn-d'), 'the record of the hole')
    expect(affected()).toEqual(['uni/tn-a', 'uni/tn-b', 'uni/tn-d'])
    expect(Math.max(...lines())).toBeLessThan(4096)
  })
})

it('a line that this controller finds too long all the same is refused, and nothing else is slowed down by it', async () => {
  rig = await ApicRig.make({
    config: {
      subscriptions: [{ mo: 'uni', query_target: 'subtree', target_subtree_class: 'fvTenant' }, { class: 'fvBD' }],
    },
    start: false,
  })
  rig.simulator.knobs.longestLine = 100
  rig.start()
  await rig.live(['class/fvBD'])
  const refused = (): string[] =>
    rig.happenings.flatMap(one => (one.type === 'feed_state' && one.state === 'disabled' ? [`${one.reason}`] : []))
  await until(() => refused().length > 0, 'the refusal')
  expect(refused()[0]).toMatch(/the request line is too long \(HTTP 414/)
})
