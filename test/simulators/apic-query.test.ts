import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ApicSimulator, startApicSimulator } from '../../src/simulators/apic/controller.ts'
import { type Certificate, makeCertificate } from '../../src/simulators/server.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { Client, column, first, type Reply } from './apic-client.ts'

let certificate: Certificate
let sim: ApicSimulator
let client: Client
const clock = new ManualClock()

beforeAll(async () => {
  certificate = await makeCertificate()
  sim = await startApicSimulator({ time: clock, certificate, maxResults: 50 })
  client = new Client(sim, certificate.cert)
  await client.login()
  for (const [index, severity] of ['minor', 'critical', 'warning', 'major'].entries()) {
    sim.post(`topology/pod-1/node-10${1 + (index % 2)}/sys/phys-[eth1/${index}]/phys`, {
      faultInst: { attributes: { code: `F${100 + index}`, severity } },
    })
  }
  sim.post('uni', {
    fvTenant: {
      attributes: { name: 'prod', descr: 'a "quoted" one' },
      children: [
        { fvBD: { attributes: { name: 'front' } } },
        { fvAp: { attributes: { name: 'shop' }, children: [{ fvAEPg: { attributes: { name: 'web' } } }] } },
      ],
    },
  })
  sim.post('uni/tn-prod/ap-shop/epg-web', { faultInst: { attributes: { code: 'F0467', severity: 'minor' } } })
  sim.post('uni/tn-prod', { healthInst: { attributes: { cur: '40' } } })
})

afterAll(async () => {
  client.close()
  await sim.close()
})

const get = (path: string): Promise<Reply> => client.get(`/api/${path}`)
const names = async (path: string, property = 'name') => column((await get(path)).body, property)
const filtered = (expression: string) => names(`class/fvTenant.json?query-target-filter=${expression}`)

describe('places', () => {
  it('finds an object, nothing for a DN that is not there, and refuses an unknown class', async () => {
    expect(first((await get('mo/uni/tn-prod.json')).body)).toMatchObject({ dn: 'uni/tn-prod', status: '' })
    expect((await get('node/mo/topology/pod-1/node-101/sys/phys-[eth1/7]/phys.json')).body.totalCount).toBe('1')
    const none = await get('mo/uni/tn-nowhere.json')
    expect(none.status).toBe(200)
    expect(none.text).toBe('{"totalCount":"0","imdata":[]}')
    const unknown = await get('class/fooBar.json')
    expect(unknown.status).toBe(400)
    expect(unknown.error).toBe('12 unknown managed object class fooBar')
    expect((await get('mo/uni.json?query-target=subtree&target-subtree-class=fooBar')).error).toMatch(/^12 /)
  })

  it('serves pages, not JSON, for what is not the API', async () => {
    expect((await client.get('/index.html')).status).toBe(404)
    expect((await client.get('/api/class/fvTenant')).status).toBe(404)
    // nginx takes a request line of 8 kB.
    expect((await get(`mo/uni.json?${'x'.repeat(8150)}`)).status).toBe(200)
    const long = await get(`mo/uni.json?${'x'.repeat(8192)}`)
    expect([long.status, long.headers['content-type']]).toEqual([414, 'text/html'])
    const put = await client.call('PUT', '/api/mo/uni.json')
    expect(put.status).toBe(405)
    expect(put.headers['content-type']).toBe('text/html')
    expect((await get('aaaNothing.json')).status).toBe(400)
  })

  it('restricts a class to one node, and knows abstract classes', async () => {
    expect(await names('class/topology/pod-1/node-101/faultInst.json', 'code')).toEqual(['F100', 'F102'])
    expect(await names('node/class/topology/pod-1/node-102/faultInst.json', 'code')).toEqual(['F101', 'F103'])
    expect((await get('class/faultInfo.json')).body.totalCount).toBe('5')
    const answer = await get('class/faultInfo.json?order-by=faultInst.severity|desc&page=0&page-size=2')
    expect(column(answer.body, 'severity')).toEqual(['critical', 'major'])
    expect(answer.body.totalCount).toBe('5')
  })

  it('tells the time of the fabric', async () => {
    const { currentTime } = first((await get('node/mo/info.json')).body)
    expect(currentTime).toBe('2026-02-03T04:05:06.789+00:00')
    expect(await names('class/topSystem.json?query-target-filter=eq(topSystem.role,"leaf")', 'id')).toEqual([
      '101',
      '102',
    ])
  })

  it('answers in XML', async () => {
    const { text } = await get('mo/uni/tn-prod.xml')
    expect(text).toMatch(/^<\?xml version="1.0" encoding="UTF-8"\?><imdata totalCount="1"><fvTenant /)
    expect(text).toContain('descr="a &quot;quoted&quot; one"')
    expect((await get('class/fooBar.xml')).text).toContain(
      '<error code="12" text="unknown managed object class fooBar"/>',
    )
  })
})

describe('scope', () => {
  it('reaches children and the subtree, by class', async () => {
    expect(await names('mo/uni/tn-prod.json?query-target=children&target-subtree-class=fvBD,fvAp')).toEqual([
      'front',
      'shop',
    ])
    expect(await names('mo/uni.json?query-target=subtree&target-subtree-class=fvAEPg')).toEqual(['web'])
    expect(
      await names(
        'class/firmwareIfcFwStatusCont.json?query-target=subtree&target-subtree-class=firmwareIfcRunning',
        'nodeId',
      ),
    ).toEqual(['1'])
  })

  it('nests what rsp-subtree asks for, with rn and without dn', async () => {
    const { body } = await get('mo/uni/tn-prod.json?rsp-subtree=full&rsp-subtree-class=fvAp,fvAEPg')
    const [ap] = body.imdata[0]?.['fvTenant']?.children ?? []
    expect(ap?.['fvAp']?.attributes['rn']).toBe('ap-shop')
    expect(ap?.['fvAp']?.attributes['dn']).toBeUndefined()
    expect(ap?.['fvAp']?.children?.[0]?.['fvAEPg']?.attributes['name']).toBe('web')
    const direct = await get('mo/uni/tn-prod.json?rsp-subtree=children&rsp-subtree-class=fvAp')
    expect(direct.body.imdata[0]?.['fvTenant']?.children?.[0]?.['fvAp']?.children).toBeUndefined()
  })

  it('includes faults, health and logs; required, no-scoped and count', async () => {
    const health = 'class/fvTenant.json?rsp-subtree-include=health,required&rsp-subtree-filter=lt(healthInst.cur,"50")'
    const sick = await get(health)
    expect(column(sick.body, 'name')).toEqual(['prod'])
    expect(sick.body.imdata[0]?.['fvTenant']?.children?.[0]?.['healthInst']?.attributes['cur']).toBe('40')
    const epgs = await get(
      'mo/uni/tn-prod.json?query-target=subtree&target-subtree-class=fvAEPg&rsp-subtree-include=faults',
    )
    expect(epgs.body.imdata[0]?.['fvAEPg']?.children?.[0]?.['faultInst']?.attributes['code']).toBe('F0467')
    const flat = 'mo/uni/tn-prod.json?query-target=subtree&rsp-subtree-include'
    expect(await names(`${flat}=faults,no-scoped`, 'code')).toEqual(['F0467'])
    // The guide's slip is no keyword: nothing is included, and nothing said.
    expect(await names(`${flat}=fault,no-scoped`)).toContain('prod')
    expect(await names('class/fvTenant.json?rsp-subtree-include=count', 'count')).toEqual(['4'])
    // Without a category: of what rsp-subtree brings.
    const bridged = 'class/fvTenant.json?rsp-subtree=children&rsp-subtree-class=fvBD&rsp-subtree-include'
    expect(await names(`${bridged}=required`)).toEqual(['prod'])
    expect(await names(`${bridged}=required,no-scoped`)).toEqual(['front'])
    const epg = 'class/fvTenant.json?rsp-subtree=full&rsp-subtree-filter=eq(fvAEPg.name,"web")&rsp-subtree-include'
    expect(await names(`${epg}=required`)).toEqual(['prod'])
    expect(await names(`${epg}=no-scoped`)).toEqual(['web'])
    const audited = await get('mo/uni/tn-prod.json?rsp-subtree-include=audit-logs,required')
    expect(audited.body.imdata[0]?.['fvTenant']?.children?.[0]?.['aaaModLR']?.attributes['affected']).toBe(
      'uni/tn-prod',
    )
  })

  it('shows naming or configurable properties only', async () => {
    const { body } = await get('mo/uni/tn-prod.json?rsp-prop-include=naming-only')
    expect(first(body)).toEqual({ dn: 'uni/tn-prod', name: 'prod' })
    const config = first((await get('mo/uni/tn-prod/BD-front.json?rsp-prop-include=config-only')).body)
    expect(config['arpFlood']).toBe('no')
    expect(config['modTs']).toBeUndefined()
    expect(config['pcTag']).toBeUndefined()
  })
})

describe('filter', () => {
  it.each([
    ['eq(fvTenant.name,"prod")', ['prod']],
    ['eq(fvTenant.name,prod)', ['prod']],
    ['ne(fvTenant.name,"prod")', ['common', 'infra', 'mgmt']],
    ['and(ne(fvTenant.name,"infra"),ne(fvTenant.name,"common"))', ['mgmt', 'prod']],
    ['and(eq(fvTenant.name,"prod"))', ['prod']],
    ['or(eq(fvTenant.name,"prod"),eq(fvTenant.name,"mgmt"))', ['mgmt', 'prod']],
    ['xor(wcard(fvTenant.name,"m"),eq(fvTenant.name,"mgmt"))', ['common']],
    ['not(wcard(fvTenant.dn,"tn-m"))', ['common', 'infra', 'prod']],
    ['bw(fvTenant.name,"common","infra")', ['common', 'infra']],
    ['gt(fvTenant.name,"infra")', ['mgmt', 'prod']],
    ['le(fvTenant.name,"infra")', ['common', 'infra']],
    ['true()', ['common', 'infra', 'mgmt', 'prod']],
    ['false()', []],
    ['wcard(fvTenant.name,"p*d")', ['prod']],
    ['eq(fvTenant.descr,%22a%20%5C%22quoted%5C%22%20one%22)', ['prod']],
    ['and(eq(fvTenant.name,"prod"),%20true())', ['prod']],
  ])('%s', async (expression, expected) => {
    expect(await filtered(expression)).toEqual(expected)
  })

  it.each([
    ['allbits(fvTenant.name,"a,b")', '301 no such filter type: allbits'],
    ['allbit(fvTenant.name,"a,b")', '301 no such filter type: allbit'],
    ['contains(fvTenant.name,"a")', '301 no such filter type: contains'],
    ['pholder(fvTenant.name,"a")', '301 no such filter type: pholder'],
    ['passive(fvTenant.name,"a")', '301 no such filter type: passive'],
    ['constructor(fvTenant.name,"a")', '301 no such filter type: constructor'],
    ['eq(constructor.name,"a")', '12 unknown managed object class constructor'],
    ['eq(fvTenant.constructor,"a")', "121 Prop 'constructor' not found in class 'fvTenant' property table"],
    ['and()', '107 Invalid filter expression'],
    ['not(true(),true())', '107 Invalid filter expression'],
    ['eq(name,"prod")', '107 Invalid filter expression'],
    ['eq(fvTenant.name,"prod"', '107 Invalid filter expression'],
    ['eq(fvTenant.name,"prod"))', '107 Invalid filter expression'],
    ['eq%20(fvTenant.name,"prod")', '107 Invalid filter expression'],
    ['eq(fvTenant.nme,"prod")', "121 Prop 'nme' not found in class 'fvTenant' property table"],
    ['eq(fvFoo.name,"prod")', '12 unknown managed object class fvFoo'],
    ['wcard(fvTenant.name,"*rod")', '107 Invalid wildcard'],
    ['wcard(fvTenant.descr,"a*b")', '107 Invalid wildcard'],
  ])('%s is refused', async (expression, error) => {
    const reply = await get(`class/fvTenant.json?query-target-filter=${expression}`)
    expect(reply.status).toBe(400)
    expect(reply.error.slice(0, error.length)).toBe(error)
  })

  it('compares severities by rank, numbers by value, flags by bit, times by instant', async () => {
    const faults = (expression: string) => names(`class/faultInst.json?query-target-filter=${expression}`, 'code')
    expect(await faults('ge(faultInst.severity,"major")')).toEqual(['F101', 'F103'])
    expect(await faults('lt(faultInst.severity,"minor")')).toEqual(['F102'])
    expect(await names('class/healthInst.json?query-target-filter=lt(healthInst.cur,"100")', 'cur')).toEqual([
      '98',
      '40',
    ])
    sim.emit('eventRecord', {
      affected: 'uni/x',
      id: '9',
      created: '2026-01-01T10:00:00.000+09:00',
      trig: 'config,oper',
    })
    const events = (expression: string) => names(`class/eventRecord.json?query-target-filter=${expression}`, 'id')
    expect(await events('anybit(eventRecord.trig,"oper,default")')).toEqual(['9'])
    expect(await events('anybit(eventRecord.trig,"default")')).toEqual([])
    expect(await events('eq(eventRecord.created,"2026-01-01T01:00:00.000%2B00:00")')).toEqual(['9'])
    expect(await events('bw(eventRecord.created,"2026-01-01T00:00","2026-01-01T02:00")')).toEqual(['9'])
    expect(await events('ge(eventRecord.created,"2026-01-01T10:00:00.000%2B09:00")')).toEqual(['9'])
    // A raw plus is a blank, the time is none, and nothing matches.
    expect(await events('ge(eventRecord.created,"2026-01-01T10:00:00.000+09:00")')).toEqual([])
    expect(await events('lt(eventRecord.created,"2026-01-01T10:00:00.001%2B09:00")')).toEqual(['9'])
  })
})

describe('order and pages', () => {
  it('sorts by several properties and directions', async () => {
    expect(await names('class/fvTenant.json?order-by=fvTenant.name|desc')).toEqual(['prod', 'mgmt', 'infra', 'common'])
    expect(await names('class/fvTenant.json?order-by=fvTenant.lcOwn,fvTenant.name%7Cdesc')).toEqual([
      'prod',
      'mgmt',
      'infra',
      'common',
    ])
    expect((await get('class/fvTenant.json?order-by=name')).error).toMatch(/^107 /)
  })

  it('cuts pages out of a total that stays whole', async () => {
    const page = await get('class/fvTenant.json?order-by=fvTenant.name&page=1&page-size=3')
    expect(column(page.body, 'name')).toEqual(['prod'])
    expect(page.body.totalCount).toBe('4')
    expect((await get('class/fvTenant.json?page=0&page-size=0')).status).toBe(400)
    expect((await get('class/fvTenant.json?page=-1')).status).toBe(400)
  })

  it('shifts unsorted pages where the knob says so', async () => {
    sim.knobs.unstableOrder = true
    const seen = new Set([
      (await names('class/fvTenant.json?page=0&page-size=1'))[0],
      (await names('class/fvTenant.json?page=0&page-size=1'))[0],
    ])
    sim.knobs.unstableOrder = false
    expect(seen.size).toBe(2)
  })

  it('refuses an answer above its limit, and serves it in pages', async () => {
    await sim.burst(60)
    const reply = await get('class/eventRecord.json')
    expect(reply.status).toBe(400)
    expect(reply.error).toBe('1 Unable to process the query, result dataset is too big')
    expect((await get('class/eventRecord.json?page=0&page-size=10')).body.imdata.length).toBe(10)
    expect(
      Number(await names('class/eventRecord.json?rsp-subtree-include=count', 'count').then(counts => counts[0])),
    ).toBeGreaterThan(59)
  })
})

describe('options', () => {
  it('that are unknown are ignored; known ones with bad values are not', async () => {
    expect((await get('class/fvTenant.json?qeury-target=self&foo')).body.totalCount).toBe('4')
    expect((await get('class/fvTenant.json?query-target=all')).status).toBe(400)
    expect(await filtered('eq(fvTenant.name,"prod")&query-target-filter=eq(fvTenant.name,"mgmt")')).toEqual(['mgmt'])
    expect((await get('class/fvTenant.json?page=0?page-size=1')).body.imdata.length).toBe(1)
    // target-subtree-class without query-target does nothing, silently.
    expect((await get('class/fvTenant.json?target-subtree-class=fvBD')).body.totalCount).toBe('4')
  })

  it('time-range looks at log classes only', async () => {
    expect(
      await names('class/eventRecord.json?time-range=24h&query-target-filter=eq(eventRecord.id,"9")', 'id'),
    ).toEqual([])
    expect(
      await names('class/eventRecord.json?time-range=3month&query-target-filter=eq(eventRecord.id,"9")', 'id'),
    ).toEqual(['9'])
    expect((await get('class/fvTenant.json?time-range=24h')).body.totalCount).toBe('4')
    expect((await get('class/eventRecord.json?time-range=yesterday')).status).toBe(400)
  })
})
