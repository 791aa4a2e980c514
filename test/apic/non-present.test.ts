/** `childAction: deleteNonPresent`: children that a message does not show are gone, if they are. */
import { afterEach, expect, it } from 'vitest'
import { ApicRig } from '../support/apic-source.ts'
import { until } from '../support/manual-clock.ts'

const TENANT = 'uni/tn-shop'

let rig: ApicRig

afterEach(async () => {
  await rig.close()
})

/** A tenant with three networks, one of them with a subnet; nothing that happens is pushed but what a test sends. */
async function start(): Promise<string> {
  rig = await ApicRig.make({ config: { subscriptions: [{ mo: 'uni', query_target: 'subtree' }] }, start: false })
  rig.simulator.post('uni', { fvTenant: { attributes: { name: 'shop' } } })
  for (const name of ['a', 'b', 'c']) rig.simulator.post(`${TENANT}/BD-${name}`, { fvBD: { attributes: { name } } })
  rig.simulator.post(`${TENANT}/BD-a/subnet-[10.0.0.1/24]`, { fvSubnet: { attributes: { ip: '10.0.0.1/24' } } })
  rig.start()
  await until(
    () =>
      rig.happenings.some(one => one.type === 'feed_state' && one.feed.startsWith('mo/uni') && one.state === 'live'),
    'live',
  )
  rig.simulator.mute()
  return rig.simulator.record.subscriptions.find(one => one.path.includes('/mo/uni.'))?.id ?? ''
}

function push(id: string, childAction: string, ...children: string[]): void {
  const shown = children.map(name => ({ fvBD: { attributes: { rn: `BD-${name}`, name } } }))
  const attributes = { dn: TENANT, status: 'modified', childAction, descr: childAction }
  rig.simulator.inject(
    JSON.stringify({ subscriptionId: [id], imdata: [{ fvTenant: { attributes, children: shown } }] }),
  )
}

const told = () =>
  rig
    .facts()
    .flatMap(({ type, subject }) =>
      subject.startsWith(TENANT) ? [`${subject.slice(TENANT.length)} ${type.slice(5)}`] : [],
    )

it('what it does not show and is gone is told, with what stood below', async () => {
  const id = await start()
  rig.simulator.remove(`${TENANT}/BD-a`)
  push(id, 'deleteNonPresent', 'b')
  await rig.until(() => told().length >= 3, 'the end')
  expect(told().toSorted()).toEqual([
    ' fvTenant.modified',
    '/BD-a fvBD.deleted',
    '/BD-a/subnet-[10.0.0.1/24] fvSubnet.deleted',
  ])
  // The third was not shown either, and is there all the same.
  expect(rig.store.mirror('fabric-a').get(`${TENANT}/BD-c`)?.family).toBe('fvBD')
})

it('without the word nothing is asked, and nothing taken for gone', async () => {
  const id = await start()
  rig.simulator.remove(`${TENANT}/BD-a`)
  const asked = rig.simulator.record.requestCount('query')
  push(id, '', 'b')
  push(id, 'deleteNonPresent', 'b')
  await rig.until(() => told().some(line => line.startsWith('/BD-a ')), 'the end')
  expect(rig.simulator.record.requestCount('query')).toBe(asked + 1)
})
