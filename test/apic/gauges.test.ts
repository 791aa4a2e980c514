/** Live gauges: what stands in the fabric now, and nothing where that is not known. */
import { afterEach, describe, expect, it } from 'vitest'
import type { ManagedObject } from '../../src/record.ts'
import { GaugeTally } from '../../src/subscribers/apic/gauges.ts'
import { buildQuery } from '../../src/subscribers/apic/query.ts'
import { ApicRig, fault } from '../support/apic-source.ts'
import { until } from '../support/manual-clock.ts'

const NODE = 'topology/pod-1/node-101/sys'
const DN = `${NODE}/phys-[eth1/7]/phys/fault-F1394`

describe('faults', () => {
  let rig: ApicRig

  afterEach(async () => {
    await rig.close()
  })

  const rows = () => rig.gauges.faults.map(({ severity, state, count }) => `${count} ${severity} ${state}`).toSorted()

  it('follow a fault through its life, and are gone with it', async () => {
    rig = await ApicRig.make()
    expect(rows()).toEqual([])
    await rig.live(['class/faultInst'])
    const { simulator } = rig
    const asked = simulator.record.requestCount('query')
    simulator.post(DN, fault('F1394', { lc: 'soaking' }))
    await until(() => rows().join() === '1 major pending', 'soaking')
    simulator.post(DN, fault('F1394', { lc: 'raised', severity: 'critical' }))
    await until(() => rows().join() === '1 critical firing', 'raised')
    simulator.post(DN, fault('F1394', { lc: 'raised-clearing', severity: 'critical' }))
    await until(() => rows().join() === '1 critical clearing', 'clearing')
    simulator.post(DN, fault('F1394', { lc: 'retaining', severity: 'cleared' }))
    await until(() => rows().join() === '1 critical resolved', 'retaining')
    simulator.post(`${NODE}/fault-F2`, fault('F2', { severity: 'minor' }))
    await until(() => rows().join() === '1 critical resolved,1 minor firing', 'another')
    simulator.remove(DN)
    await until(() => rows().join() === '1 minor firing', 'the first is gone')
    simulator.remove(`${NODE}/fault-F2`)
    await until(() => rows().length === 0, 'both are gone')
    expect(simulator.record.requestCount('query')).toBe(asked)
  })

  it('count what a filter keeps from being told, and one object of two subscriptions once', async () => {
    const filter = { ge: ['faultInst.severity', 'critical'] }
    rig = await ApicRig.make({
      config: { subscriptions: [{ class: 'faultInst', filter }, { class: 'faultInfo' }, { class: 'fvTenant' }] },
    })
    await rig.live(['class/faultInfo', 'class/fvTenant'])
    rig.simulator.post(DN, fault('F1394', { severity: 'minor' }))
    await until(() => rows().join() === '1 minor firing', 'the fault')
  })

  it('show nothing while the source is down, nor after a restart until it was compared; then what stands', async () => {
    rig = await ApicRig.make()
    await rig.live(['class/faultInst'])
    const { simulator } = rig
    simulator.post(DN, fault('F1394'))
    await until(() => rows().join() === '1 major firing', 'the fault')
    simulator.knobs.refuseSockets = 503
    simulator.cutSockets()
    await until(() => rows().length === 0, 'nothing is known')
    simulator.remove(DN)
    simulator.post(`${NODE}/fault-F2`, fault('F2', { severity: 'minor' }))
    simulator.knobs.refuseSockets = undefined
    await until(() => rows().join() === '1 minor firing', 'what stands now')
    await rig.stop()
    expect(rows()).toEqual([])
    simulator.remove(`${NODE}/fault-F2`)
    rig.start()
    expect(rows()).toEqual([])
    await rig.live(['class/faultInst'], 3)
    expect(rows()).toEqual([])
  })
})

describe('health and nodes', () => {
  let rig: ApicRig

  afterEach(async () => {
    await rig.close()
  })

  it('a scope is the fabric, a tenant or a node; a score that is gone is no row', async () => {
    const scopes = ['topology', 'uni/tn-prod', 'topology/pod-1/node-101/sys', 'uni/tn-none']
    rig = await ApicRig.make({
      config: { subscriptions: [{ class: 'fvTenant' }], health_scopes: [...scopes, 'topology'] },
    })
    await rig.live(['class/fvTenant', ...scopes.map(scope => `health/${scope}`)])
    const { simulator } = rig
    simulator.post('uni', { fvTenant: { attributes: { name: 'prod' } } })
    const score = (scope: string, cur: string) =>
      simulator.post(`${scope}/health`, { healthInst: { attributes: { cur } } })
    score('topology', '93')
    score('uni/tn-prod', '71')
    score('topology/pod-1/node-101/sys', '88')
    const health = () => Object.fromEntries(rig.gauges.health.map(row => [row.scope, row.score]))
    await until(() => health()['topology/pod-1/node-101/sys'] === 88, 'the scores')
    expect(health()).toEqual({ topology: 93, 'uni/tn-prod': 71, 'topology/pod-1/node-101/sys': 88 })
    expect(rig.gauges.health).toHaveLength(3)
    simulator.remove('uni/tn-prod')
    await until(() => health()['uni/tn-prod'] === undefined, 'the tenant is gone')
    score('topology', '5')
    await until(() => health()['topology'] === 5, 'the fall')
  })

  it('nodes are counted by role and state', async () => {
    rig = await ApicRig.make({ config: { subscriptions: [{ class: 'fabricNode' }] } })
    await rig.live(['class/fabricNode'])
    const count = (role: string, state: string) =>
      rig.gauges.nodes.find(row => row.role === role && row.state === state)?.count
    const leaves = count('leaf', 'active') ?? 0
    expect(leaves).toBeGreaterThan(0)
    rig.simulator.post('topology/pod-1/node-101', { fabricNode: { attributes: { fabricSt: 'inactive' } } })
    await until(() => count('leaf', 'inactive') === 1, 'one went')
    expect(count('leaf', 'active') ?? 0).toBe(leaves - 1)
  })
})

describe('what is counted while some subscriptions are lost', () => {
  const object = (key: string): ManagedObject => ({
    key,
    family: 'faultInst',
    version: '',
    attributes: { severity: 'major', lc: 'raised' },
  })
  const tally = new GaugeTally()
  for (const dn of ['uni/tn-a/fault-F1', 'uni/tn-b/fault-F1', 'topology/pod-1/fault-F1'])
    tally.replace(undefined, object(dn))
  const of = (name: string, isLive: boolean) => ({
    query: buildQuery(
      name === '' ? { class: 'faultInst' } : { mo: name, query_target: 'subtree', target_subtree_class: ['faultInst'] },
    ),
    isLive,
  })
  const tenants = { query: buildQuery({ class: 'fvTenant' }), isLive: true }
  const total = (...showers: Parameters<GaugeTally['read']>[0][number][]): number =>
    tally.read(showers, [], () => undefined).faults.reduce((sum, { count }) => sum + count, 0)

  it.each([
    ['one that shows all is enough', [of('', true), of('uni/tn-a', false)], 3],
    ['what a lost one alone shows is left out', [of('uni/tn-a', true), of('uni/tn-b', false)], 1],
    ['what another shows as well is not', [of('uni', true), of('uni/tn-b', false)], 2],
    ['all are lost', [of('', false), tenants], 0],
    ['nobody shows any', [tenants], 0],
    [
      'so many that they are not weighed',
      [...Array.from({ length: 6667 }, (_, at) => of(`uni/tn-${at}`, true)), of('uni', false)],
      0,
    ],
  ])('%s', (_, showers, expected) => {
    expect(total(...showers)).toBe(expected)
  })
})
