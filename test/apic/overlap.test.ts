/** Subscriptions that overlap: what is only one's news is told, and the order of an object holds across them. */
import { afterEach, describe, expect, it } from 'vitest'
import { ApicRig, type ApicRigOptions, fault } from '../support/apic-source.ts'
import { until } from '../support/manual-clock.ts'

const NODE = 'topology/pod-1/node-101/sys'

let rig: ApicRig
let marks = 0

afterEach(async () => {
  await rig.close()
})

async function start(options: ApicRigOptions): Promise<ApicRig> {
  rig = await ApicRig.make(options)
  return rig
}

/** The name of the one feed whose name contains this. */
function feedOf(part: string): Promise<string> {
  return until(
    () => rig.happenings.find(one => one.type === 'feed_declared' && one.feed.includes(part)),
    `a feed ${part}`,
  ).then(found => (found.type === 'feed_declared' ? found.feed : ''))
}

/** Resolves when all that was pushed so far has arrived: one socket keeps its order. Needs a live feed of tenants. */
async function allHeard(): Promise<void> {
  const dn = `uni/tn-mark-${++marks}`
  rig.simulator.post(dn, { fvTenant: { attributes: { name: dn.slice(7) } } })
  await rig.until(all => all.some(fact => fact.subject === dn), dn)
}

const requests = (path: RegExp): number => rig.simulator.record.requests.filter(one => path.test(one.path)).length

describe('what only a lost subscription wants', () => {
  it('is told when another one is pushed it, that filters it out', async () => {
    const { simulator } = await start({
      simulator: { subscriptionSeconds: 3 },
      tuning: { subscriptionLifeMs: 3000 },
      config: {
        subscriptions: [
          {
            mo: 'topology/pod-1',
            query_target: 'subtree',
            target_subtree_class: ['faultInst'],
            filter: { eq: ['faultInst.severity', 'critical'] },
          },
          { class: 'faultInst' },
        ],
      },
    })
    await rig.live(['class/faultInst', await feedOf('topology/pod-1')])
    const lost = simulator.record.subscriptions.find(one => one.path.includes('class/faultInst'))
    expect(simulator.expireSubscription(lost?.id ?? '')).toBe(true)
    simulator.post(`${NODE}/a/fault-F1394`, fault('F1394', { severity: 'major' }))
    await rig.live(['class/faultInst'], 2)
    simulator.post(`${NODE}/z/fault-F1394`, fault('F1394', { severity: 'critical' }))
    const facts = await rig.until(all => all.some(fact => fact.subject === `${NODE}/z/fault-F1394`), 'the last')
    expect(facts.map(fact => `${fact.type} ${fact.subject.slice(NODE.length)}`)).toEqual([
      'apic.fault.raised /a/fault-F1394',
      'apic.fault.raised /z/fault-F1394',
    ])
  })
})

describe('an endpoint of two subscriptions that catch up at different speed', () => {
  const dnOf = (tenant: string, number: number): string =>
    `uni/tn-${tenant}/ap-shop/epg-web/cep-00:11:22:33:44:0${number}`
  const appear = (dn: string) =>
    rig.simulator.post(dn, { fvCEp: { attributes: { mac: dn.slice(-17), ip: '192.0.2.9', modTs: 'never' } } })

  it.each([
    ['the class', 'mo/uni/tn-prod', 'class/fvCEp'],
    ['the tenant', 'class/fvCEp', 'mo/uni/tn-prod'],
  ])('is there at the end when it went and came back meanwhile, though %s is slower', async (_, quick, slow) => {
    const { simulator } = await start({
      start: false,
      // Snapshots come in pages, which are asked for when the subscription is made.
      simulator: { maxResults: 3 },
      tuning: { pageSize: 2 },
      config: {
        subscriptions: [
          { class: 'fvCEp' },
          { mo: 'uni/tn-prod', query_target: 'subtree', target_subtree_class: ['fvCEp'] },
          { class: 'fvTenant' },
        ],
      },
    })
    const dn = dnOf('prod', 1)
    for (const tenant of ['prod', 'other']) for (const number of [0, 1, 2, 3]) appear(dnOf(tenant, number))
    rig.start()
    const [quickFeed, slowFeed] = [await feedOf(quick), await feedOf(slow)]
    await rig.live([quickFeed, slowFeed, 'class/fvTenant'])
    const pagesOf = (path: string): RegExp => new RegExp(`${path}.*&page=0&page-size=2`)
    const hold = (path: string) =>
      simulator.fail({ operation: 'query', path: pagesOf(path), failure: { kind: 'html' } })
    const [letQuick, letSlow] = [hold(quick), hold(slow)]
    const asked = [quick, slow].map(path => [pagesOf(path), requests(pagesOf(path))] as const)
    simulator.cutSockets()
    await rig.live(['class/fvTenant'], 2)
    await until(() => asked.every(([path, before]) => requests(path) > before), 'both subscribed, and reading')
    simulator.remove(dn)
    await allHeard()
    letQuick()
    await rig.live([quickFeed], 2)
    appear(dn)
    await allHeard()
    expect(rig.feedStates(slowFeed).at(-1)).toBe('resyncing')
    letSlow()
    await rig.live([slowFeed], 2)
    await allHeard()
    const life = rig.facts().filter(fact => fact.subject === dn)
    expect(life.map(fact => fact.type)).toEqual(['apic.fvCEp.deleted', 'apic.fvCEp.created'])
    expect(rig.store.mirror('fabric-a').get(dn)?.attributes['mac']).toBe(dn.slice(-17))
  })

  it.each([
    ['mo/uni/tn-prod', 'class/fvCEp'],
    ['class/fvCEp', 'mo/uni/tn-prod'],
  ])('is told by the live one (%s) though the other (%s) fails while it catches up', async (quick, slow) => {
    const { simulator } = await start({
      start: false,
      simulator: { maxResults: 3 },
      tuning: { pageSize: 2 },
      config: {
        subscriptions: [
          { class: 'fvCEp' },
          { mo: 'uni/tn-prod', query_target: 'subtree', target_subtree_class: ['fvCEp'] },
          { class: 'fvTenant' },
        ],
      },
    })
    const dn = dnOf('prod', 1)
    for (const tenant of ['prod', 'other']) for (const number of [0, 1, 2, 3]) appear(dnOf(tenant, number))
    const pagesOf = (path: string): RegExp => new RegExp(`${path}.*&page=0&page-size=2`)
    const [letQuick, letSlow] = [quick, slow].map(path =>
      simulator.fail({ operation: 'query', path: pagesOf(path), failure: { kind: 'html' } }),
    )
    rig.start()
    const [quickFeed, slowFeed] = [await feedOf(quick), await feedOf(slow)]
    await rig.live(['class/fvTenant'])
    await until(() => [quick, slow].every(path => requests(pagesOf(path)) > 0), 'both subscribed, and reading')
    simulator.remove(dn)
    await allHeard()
    letQuick?.()
    await rig.live([quickFeed])
    appear(dn)
    simulator.remove(dn)
    await allHeard()
    letSlow?.()
    const failure = { kind: 'error', status: 400, code: '103', text: 'no such thing' } as const
    simulator.fail({ operation: 'query', path: pagesOf(slow), failure })
    await until(() => ['lost', 'disabled'].includes(rig.feedStates(slowFeed).at(-1) ?? ''), 'it failed')
    const last = dnOf('prod', 2)
    simulator.remove(last)
    await allHeard()
    const told = rig.facts().filter(fact => fact.subject === dn)
    expect(told.map(fact => fact.type.slice(11))).toEqual(['created', 'deleted'])
  })
})
