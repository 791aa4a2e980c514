/** A class that stands for others, of which nobody told us: what the controller answers with belongs to it. */
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
