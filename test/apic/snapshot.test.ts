/** Snapshots of questions whose answer is of other classes than their names say, of several, or too large for one request. */
import { expect, it } from 'vitest'
import { ApicRig } from '../support/apic-source.ts'

const EPG = 'uni/tn-prod/ap-shop/epg-web'
const named = (name: string, ...children: object[]) => ({ attributes: { name }, children })

it.each<Record<string, unknown>>([
  { class: 'fvATg', snapshot: 'publish' },
  { mo: 'uni', query_target: 'subtree', target_subtree_class: ['fvATg', 'fvCtx'], snapshot: 'publish' },
])('%j: what is there, and what goes while nobody looks', async subscription => {
  const rig = await ApicRig.make({ start: false, config: { subscriptions: [subscription] } })
  try {
    const epgs = ['web', 'db'].map(name => ({ fvAEPg: named(name) }))
    rig.simulator.post('uni', { fvTenant: named('prod', { fvAp: named('shop', ...epgs) }) })
    rig.start()
    await rig.until(facts => facts.filter(({ type }) => type === 'apic.fvAEPg.created').length === 2, 'both')
    await rig.stop()
    rig.simulator.remove(EPG)
    rig.start()
    const facts = await rig.until(all => all.some(({ type }) => type === 'apic.fvAEPg.deleted'), 'the end')
    const told = facts.filter(({ type }) => type.startsWith('apic.'))
    expect(told.map(({ type, subject, origin }) => [type, subject, origin])).toEqual([
      ['apic.fvAEPg.created', EPG, 'snapshot'],
      ['apic.fvAEPg.created', 'uni/tn-prod/ap-shop/epg-db', 'snapshot'],
      ['apic.fvAEPg.deleted', EPG, 'resync'],
    ])
  } finally {
    await rig.close()
  }
})

it.each<Record<string, unknown>>([
  { class: 'fvATg' },
  { class: 'fvTenant', rsp_subtree_include: 'health' },
  { mo: 'uni', query_target: 'subtree', target_subtree_class: ['fvCtx', 'fvAEPg'] },
])('%j over the ceiling: no object is missed between two pages', async subscription => {
  const rig = await ApicRig.make({
    start: false,
    simulator: { maxResults: 20, knobs: { unstableOrder: true } },
    tuning: { pageSize: 10 },
    config: { subscriptions: [{ ...subscription, snapshot: 'publish' }] },
  })
  try {
    const many = (cls: string) => Array.from({ length: 35 }, (_, n) => ({ [cls]: named(`n${n}`) }))
    for (const tenant of many('fvTenant')) rig.simulator.post('uni', tenant)
    for (const epg of many('fvAEPg')) rig.simulator.post('uni/tn-n0/ap-shop', epg)
    rig.start()
    const cls = subscription['class'] === 'fvTenant' ? 'fvTenant' : 'fvAEPg'
    const own = new RegExp(`^uni/tn-n${cls === 'fvTenant' ? '\\d+$' : '0/ap-shop/epg-n\\d+$'}`)
    const facts = await rig.until(
      all => all.filter(({ type, subject }) => type === `apic.${cls}.created` && own.test(subject)).length >= 35,
      'all of them',
    )
    expect(new Set(facts.map(({ subject }) => subject)).size).toBe(facts.length)
  } finally {
    await rig.close()
  }
})
