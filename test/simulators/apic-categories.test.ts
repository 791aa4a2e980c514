/** `rsp-subtree-include`: each category of the guide brings its own, below the object that it is about. */
import { expect, it } from 'vitest'
import { apicBench } from './apic-bench.ts'
import { column } from './apic-client.ts'

const bench = apicBench()

it('knows every category of the guide', async () => {
  const { client, sim } = await bench.start()
  await client.login()
  const get = (path: string) => client.get(`/api/${path}`)
  const tenant = { attributes: { name: 'prod' }, children: [{ fvAp: { attributes: { name: 'shop' } } }] }
  sim.post('uni', { fvTenant: tenant })
  sim.post('uni/tn-prod/ap-shop', { fvAEPg: { attributes: { name: 'web' } } })
  sim.post('uni/tn-prod/ap-shop/epg-web', { faultInst: { attributes: { code: 'F0467', severity: 'minor' } } })
  const epg = 'uni/tn-prod/ap-shop/epg-web'
  sim.fabric.model.define('l2IngrBytes5min', 'CDl2IngrBytes5min')
  sim.fabric.model.define('fvEpgTask', 'task-{id}')
  sim.post(epg, { l2IngrBytes5min: { attributes: { unicastPer: '7' } } })
  sim.post(epg, { fvEpgTask: { attributes: { id: '1' } } })
  sim.post(epg, { healthInst: { attributes: { cur: '90' } } })
  sim.post(epg, { fvRsBd: { attributes: { tnFvBDName: 'front' } } })
  for (const log of ['eventRecord', 'faultRecord', 'healthRecord']) sim.emit(log, { affected: epg })
  const included = async (options: string): Promise<string[]> => {
    const { body } = await get(`mo/${epg}.json?rsp-subtree-include=${options}`)
    const [object] = Object.values(body.imdata[0] ?? {})
    return [...new Set((object?.children ?? []).flatMap(child => Object.keys(child)))]
  }
  expect(await included('audit-logs')).toEqual(['aaaModLR'])
  expect(await included('event-logs')).toEqual(['eventRecord'])
  expect(await included('faults')).toEqual(['faultInst'])
  expect(await included('fault-records')).toEqual(['faultRecord'])
  expect(await included('health')).toEqual(['healthInst'])
  expect(await included('health-records')).toEqual(['healthRecord'])
  expect(await included('relations')).toEqual(['fvRsBd'])
  expect(await included('stats')).toEqual(['l2IngrBytes5min'])
  expect(await included('tasks')).toEqual(['fvEpgTask'])
  expect(await included('faults,health&rsp-subtree-class=healthInst')).toEqual(['healthInst'])
  expect(await included('constructor,toString')).toEqual([])
  const counted = await get(`mo/${epg}.json?rsp-subtree-include=faults,health,count`)
  expect(column(counted.body, 'count')).toEqual(['2'])
})
