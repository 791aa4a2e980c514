/** What no APIC should send, over the real socket: it is kept, and stops nothing. */
import { afterEach, describe, expect, it } from 'vitest'
import { ApicRig, fault } from '../support/apic-source.ts'
import { until } from '../support/manual-clock.ts'

const DN = 'topology/pod-1/node-101/sys/phys-[eth1/7]/phys/fault-F1394'

let rig: ApicRig

afterEach(async () => {
  await rig.close()
})

async function start(config: Record<string, unknown> = {}): Promise<string> {
  rig = await ApicRig.make({ config: { subscriptions: [{ class: 'fvTenant' }], ...config } })
  await rig.live(['class/fvTenant'])
  return rig.simulator.record.subscriptions.find(one => one.path.includes('fvTenant'))?.id ?? ''
}

const dead = () => rig.store.deadLetters(100).map(({ content }) => content)

const tenant = (name: string, more = ''): string =>
  `{"fvTenant":{"attributes":{"dn":"uni/tn-${name}","name":"${name}","status":"created"}${more}}}`

describe.each([
  ['no text at all', Buffer.from([]), false],
  ['text that is cut within a character', Buffer.from([0x7b, 0xe3, 0x81]), false],
  ['bytes in a text frame', Buffer.from([0xff, 0xfe, 0x00, 0x80]), false],
  ['a binary frame', Buffer.from([0x00, 0xff, 0x7b]), true],
  ['a page of a proxy', Buffer.from('<html><body>503</body></html>'), false],
  ['a frame without ids', Buffer.from(`{"imdata":[${tenant('x')}]}`), false],
  ['an error', Buffer.from('{"subscriptionId":["1"],"imdata":[{"error":{"attributes":{"code":"400"}}}]}'), false],
  ['brackets without end', Buffer.from('['.repeat(1_000_000)), false],
  ['JSON without end', Buffer.from(`{"subscriptionId":["1"],"imdata":${'['.repeat(1_000_000)}`), false],
])('%s', (_, content, binary) => {
  it('becomes a dead letter; what follows is told by the same session', async () => {
    await start()
    rig.simulator.inject(content, binary)
    rig.simulator.post('uni', { fvTenant: { attributes: { name: 'after' } } })
    const facts = await rig.until(all => all.length > 0, 'the tenant')
    expect(facts.map(({ subject }) => subject)).toEqual(['uni/tn-after'])
    await until(() => dead().length === 1, 'the dead letter')
    expect(dead()).toEqual([content.toString('utf8')])
    expect(rig.simulator.record.sessions.length).toBe(1)
  })
})

it('of a half-good frame, the good half is told', async () => {
  const id = await start()
  const bad = [
    'null',
    '7',
    '{"error":{"attributes":{"code":"1"}}}',
    '{"fvBD":{"attributes":{"name":"no dn"}}}',
    '{"__proto__":{}}',
  ]
  rig.simulator.inject(
    `{"subscriptionId":["${id}"],"imdata":[${[...bad, tenant('a'), 'true', tenant('b')].join(',')}]}`,
  )
  const facts = await rig.until(all => all.length === 2, 'both tenants')
  expect(facts.map(({ subject }) => subject)).toEqual(['uni/tn-a', 'uni/tn-b'])
  await until(() => dead().length === 6, 'the dead letters')
  expect(dead().toSorted()).toEqual([...bad, 'true'].toSorted())
})

it('a plain id, several objects, an unknown class and words that nobody knows are told like the rest', async () => {
  const id = await start()
  const odd = `{"fooNewThing":{"attributes":{"dn":"uni/tn-a/foo","constructor":"c","colour":"blue","status":"frobnicated"}}}`
  const inside = `,"children":[{"faultInst":{"attributes":{"rn":"fault-F0","severity":"dreadful","lc":"undead","code":"F0"}}}]`
  rig.simulator.inject(`{"subscriptionId":"${id}","imdata":[${tenant('a', inside)},${odd}]}`)
  const facts = await rig.until(all => all.length === 3, 'all three')
  expect(facts.map(({ type, subject }) => [type, subject]).toSorted()).toEqual([
    ['apic.fault.raised', 'uni/tn-a/fault-F0'],
    ['apic.fooNewThing.modified', 'uni/tn-a/foo'],
    ['apic.fvTenant.created', 'uni/tn-a'],
  ])
  const [raised] = facts.filter(({ type }) => type === 'apic.fault.raised')
  expect(raised?.severitytext).toBe('info')
  expect(raised?.data.raw).toMatchObject({ faultInst: { attributes: { severity: 'dreadful', lc: 'undead' } } })
  expect(dead()).toEqual([])
})

it.each(['json', 'xml'] as const)('the life of a fault, told in %s, gives the same events', async format => {
  await start({ format, subscriptions: [{ class: 'fvTenant' }, { class: 'faultInst' }] })
  await rig.live(['class/faultInst'])
  const { knobs } = rig.simulator
  knobs.plainIds = format === 'json'
  const at = (lastTransition: string) => ({ created: '2026-02-03T04:05:06.789+09:00', lastTransition, modTs: 'never' })
  const said = 'reason: "a" <b> & \'c\'\u00e9\u3042'
  rig.simulator.post(DN, fault('F1394', { ...at('2026-02-03T04:05:06.789+09:00'), descr: said }))
  rig.simulator.post(DN, fault('F1394', { ...at('2026-02-03T04:06:06.789+09:00'), severity: 'critical', descr: said }))
  rig.simulator.remove(DN)
  const facts = await rig.until(all => all.length === 3, 'its life')
  expect(facts.map(({ type }) => type)).toEqual(['apic.fault.raised', 'apic.fault.changed', 'apic.fault.cleared'])
  expect(facts[0]?.data.description).toBe(said)
  ids.push(facts.map(({ id }) => id))
  expect(new Set(ids.map(one => one.join())).size).toBe(1)
})

const ids: string[][] = []
