import { describe, expect, it } from 'vitest'
import { questionSchema, subscriptionSchema } from '../../src/config/query.ts'
import { buildQuery, type Query, queryUrl } from '../../src/subscribers/apic/query.ts'

function build(subscription: Record<string, unknown>): Query {
  return buildQuery(subscriptionSchema.parse(subscription))
}

const DN = 'topology/pod-1/node-1/sys/ch/bslot/board/sensor-3'

describe('every query that the guide prints, subscribed to', () => {
  it.each<[Record<string, unknown>, string]>([
    [{ class: 'fvTenant' }, '/api/class/fvTenant.json'],
    [{ mo: 'uni/tn-ExampleCorp' }, '/api/mo/uni/tn-ExampleCorp.json'],
    [{ mo: DN }, `/api/mo/${DN}.json`],
    [
      { class: 'firmwareIfcFwStatusCont', query_target: 'subtree', target_subtree_class: 'firmwareIfcRunning' },
      '/api/class/firmwareIfcFwStatusCont.json?query-target=subtree&target-subtree-class=firmwareIfcRunning',
    ],
    // A property filter on a class with a state is judged here, not there.
    [{ class: 'aaaUser', filter: { eq: ['aaaUser.lastName', 'Washington'] } }, '/api/class/aaaUser.json'],
    [
      {
        class: 'fvTenant',
        rsp_subtree_include: ['health', 'required'],
        rsp_subtree_filter: { lt: ['healthInst.cur', 50] },
      },
      '/api/class/fvTenant.json?rsp-subtree-include=health,required&rsp-subtree-filter=lt(healthInst.cur,%2250%22)',
    ],
    [
      {
        mo: 'uni/tn-ExampleCorp',
        query_target: 'subtree',
        target_subtree_class: 'fvAEPg',
        rsp_subtree_include: 'faults',
      },
      '/api/mo/uni/tn-ExampleCorp.json?query-target=subtree&target-subtree-class=fvAEPg&rsp-subtree-include=faults',
    ],
    [
      { class: 'fvTenant', query_target: 'subtree', rsp_subtree_include: ['fault', 'no-scoped'] },
      '/api/class/fvTenant.json?query-target=subtree&rsp-subtree-include=faults,no-scoped',
    ],
    [
      { class: 'aaaUser', order_by: ['aaaUser.lastName|asc', 'aaaUser.firstName|asc'] },
      '/api/class/aaaUser.json?order-by=aaaUser.lastName|asc,aaaUser.firstName|asc',
    ],
    [
      { class: 'faultInfo', order_by: 'faultInst.severity|desc', page: 0, page_size: 15 },
      '/api/class/faultInfo.json?order-by=faultInst.severity|desc&page=0&page-size=15',
    ],
    [{ tag: 'tenants' }, '/api/tag/tenants.json'],
    [{ raw: 'tag/mo/uni/tn-ExampleCorp.xml' }, '/api/tag/mo/uni/tn-ExampleCorp.json'],
    [
      { raw: 'class/fvTenant.json?rsp-subtree-include=health,required' },
      '/api/class/fvTenant.json?rsp-subtree-include=health,required',
    ],
    [
      {
        raw: 'https://192.0.20.123/api/class/fvTenant.json?\n    rsp-subtree-include=health,required\n        &\n        rsp-subtree-filter=lt(healthInst.cur,"50")',
      },
      '/api/class/fvTenant.json?rsp-subtree-include=health,required&rsp-subtree-filter=lt(healthInst.cur,%2250%22)',
    ],
    [{ raw: 'https://192.0.20.123/api/class/fvTenant.json?subscription=yes' }, '/api/class/fvTenant.json'],
    [
      {
        raw: 'https://192.0.20.123/api/class/aaaDomain.json?\n    query-target-filter=\n        and(ne(aaaDomain.name,"infra"),\n            ne(aaaDomain.name,"common"))',
      },
      '/api/class/aaaDomain.json',
    ],
  ])('%j', (subscription, url) => {
    expect(queryUrl(build(subscription), 'json')).toBe(url)
  })
})

describe('url', () => {
  it('has the suffix of the format, and the extra options at the end', () => {
    const extra = [
      ['subscription', 'yes'],
      ['refresh-timeout', '600'],
    ] as const
    expect(queryUrl(build({ class: 'faultInst' }), 'xml', extra)).toBe(
      '/api/class/faultInst.xml?subscription=yes&refresh-timeout=600',
    )
  })

  it('an extra option replaces one of the same name', () => {
    const query = build({ class: 'faultInst', page_size: 15, order_by: 'faultInst.dn' })
    expect(
      queryUrl(query, 'json', [
        ['page', '2'],
        ['page-size', '1000'],
      ]),
    ).toBe('/api/class/faultInst.json?order-by=faultInst.dn&page-size=1000&page=2')
  })

  it("a further filter is joined to the query's own, once", () => {
    const query = build({ class: 'eventRecord', filter: { ne: ['eventRecord.user', 'internal'] } })
    const since = 'ge(eventRecord.created,"2026-02-03T04:05:06.789+09:00")'
    const joined =
      '/api/class/eventRecord.json?query-target-filter=and(ne(eventRecord.user,%22internal%22),ge(eventRecord.created,%222026-02-03T04:05:06.789%2B09:00%22))'
    expect(queryUrl(query, 'json', [['query-target-filter', since]])).toBe(joined)
    expect(queryUrl(query, 'json', [['query-target-filter', `and(ne(eventRecord.user,"internal"),${since})`]])).toBe(
      joined,
    )
  })

  it('escapes exactly what must be', () => {
    const query = build({
      mo: 'uni/tn-a b/ap-[x:y,z]/epg-#%/cep-+é',
      query_target: 'subtree',
      target_subtree_class: 'eventRecord',
      filter: { eq: ['eventRecord.descr', 'a&b=c?d+e f;g|h/日本'] },
    })
    expect(queryUrl(query, 'json')).toBe(
      '/api/mo/uni/tn-a%20b/ap-[x:y,z]/epg-%23%25/cep-%2B%C3%A9.json?query-target=subtree&target-subtree-class=eventRecord' +
        '&query-target-filter=eq(eventRecord.descr,%22a%26b=c%3Fd%2Be%20f;g|h/%E6%97%A5%E6%9C%AC%22)',
    )
  })

  it('raw that is escaped already is not escaped twice', () => {
    const query = build({
      raw: 'class/eventRecord.json?query-target-filter=gt(eventRecord.created,%222026-02-03T04:05:06%2B09:00%22)&order-by=eventRecord.created%7Casc',
    })
    expect(queryUrl(query, 'json')).toBe(
      '/api/class/eventRecord.json?query-target-filter=gt(eventRecord.created,%222026-02-03T04:05:06%2B09:00%22)&order-by=eventRecord.created|asc',
    )
  })
})

describe('filters', () => {
  it('go to the controller on log classes only', () => {
    const log = build({ class: 'eventRecord', filter: { ge: ['eventRecord.severity', 'minor'] } })
    expect(log.options).toEqual([['query-target-filter', 'ge(eventRecord.severity,"minor")']])
    expect(log.accepts).toBeUndefined()
    const state = build({ class: 'faultInst', filter: { ge: ['faultInst.severity', 'minor'] } })
    expect(state.options).toEqual([])
    expect(state.accepts?.('faultInst', { severity: 'major' })).toBe(true)
    expect(state.accepts?.('faultInst', { severity: 'info' })).toBe(false)
  })

  it('of raw are taken apart and judged here, too; what nobody documents goes out as written', () => {
    const raw = build({ raw: 'class/fvAEPg.xml?query-target-filter=eq(fvAEPg.fabEncap,"vxlan-12780288")' })
    expect(raw.options).toEqual([])
    expect(raw.accepts?.('fvAEPg', { fabEncap: 'vxlan-12780288' })).toBe(true)
    const opaque = build({ raw: 'class/fvAEPg.json?query-target-filter=pholder(fvAEPg.name)' })
    expect(opaque.options).toEqual([['query-target-filter', 'pholder(fvAEPg.name)']])
    expect(opaque.accepts).toBeUndefined()
    expect(opaque.covers('fvAEPg', 'uni/tn-a/ap-b/epg-c')).toBe(false)
  })

  it('on an abstract class judge what comes back', () => {
    const query = build({ class: 'faultInfo', filter: { eq: ['faultInfo.severity', 'major'] } })
    expect(query.accepts?.('faultInst', { severity: 'major' })).toBe(true)
    expect(query.accepts?.('faultNewKind', { severity: 'major' })).toBe(true)
  })
})

describe('what a query yields and covers', () => {
  const on = (subscription: Record<string, unknown>) => {
    const { yields, covers } = build(subscription)
    // y: can be part of the result; c: must be shown by a complete answer.
    return (cls: string, dn: string): string => `${yields(cls, dn) ? 'y' : '-'}${covers(cls, dn) ? 'c' : '-'}`
  }

  it('a class', () => {
    const of = on({ class: 'fvTenant' })
    expect(of('fvTenant', 'uni/tn-a')).toBe('yc')
    expect(of('fvBD', 'uni/tn-a/BD-b')).toBe('--')
    expect(on({ class: 'faultInfo' })('faultInst', 'x/fault-F1')).toBe('yc')
  })

  it('a class on one switch', () => {
    const of = on({ raw: 'node/class/topology/pod-1/node-101/l1PhysIf.json' })
    expect(of('l1PhysIf', 'topology/pod-1/node-101/sys/phys-[eth1/1]')).toBe('yc')
    expect(of('l1PhysIf', 'topology/pod-1/node-1011/sys/phys-[eth1/1]')).toBe('--')
    expect(build({ class: 'topology/pod-1/node-101/l1PhysIf' }).name).toBe('class/topology/pod-1/node-101/l1PhysIf')
    // A record stands below the name of what it is about.
    const log = on({ class: 'topology/pod-1/node-101/eventRecord' })
    expect(log('eventRecord', 'subj-[topology/pod-1/node-101/sys]/rec-1')).toBe('yc')
    expect(log('eventRecord', 'subj-[topology/pod-1/node-1011/sys]/rec-1')).toBe('--')
  })

  it('an object, its children, its subtree', () => {
    const self = on({ mo: 'uni/tn-a' })
    expect([self('fvTenant', 'uni/tn-a'), self('fvBD', 'uni/tn-a/BD-b'), self('fvTenant', 'uni/tn-ab')]).toEqual([
      'yc',
      '--',
      '--',
    ])
    const children = on({ mo: 'uni/tn-a', query_target: 'children' })
    expect([
      children('fvTenant', 'uni/tn-a'),
      children('fvBD', 'uni/tn-a/BD-b'),
      children('fvSubnet', 'uni/tn-a/BD-b/subnet-[10.0.0.1/24]'),
    ]).toEqual(['--', 'yc', '--'])
    const subtree = on({ mo: 'uni/tn-a', query_target: 'subtree', target_subtree_class: ['fvBD', 'fvAEPg'] })
    expect([
      subtree('fvTenant', 'uni/tn-a'),
      subtree('fvBD', 'uni/tn-a/BD-b'),
      subtree('fvAEPg', 'uni/tn-a/ap-x/epg-y'),
      subtree('fvBD', 'uni/tn-ab/BD-b'),
    ]).toEqual(['--', 'yc', 'yc', '--'])
    expect(on({ mo: 'uni/tn-a', query_target: 'subtree' })('fvTenant', 'uni/tn-a')).toBe('yc')
  })

  it('children shown inside the objects', () => {
    const full = on({ mo: 'uni/tn-a', rsp_subtree: 'full' })
    expect(full('fvSubnet', 'uni/tn-a/BD-b/subnet-[10.0.0.1/24]')).toBe('yc')
    const one = on({ mo: 'uni/tn-a', rsp_subtree: 'children' })
    expect(one('fvBD', 'uni/tn-a/BD-b')).toBe('yc')
    expect(one('fvSubnet', 'uni/tn-a/BD-b/subnet-[10.0.0.1/24]')).toBe('--')
    const narrowed = on({ mo: 'uni/tn-a', rsp_subtree: 'full', rsp_subtree_class: 'fvBD' })
    expect(narrowed('fvBD', 'uni/tn-a/BD-b')).toBe('y-')
    expect(on({ class: 'fvTenant', rsp_subtree: 'full' })('fvBD', 'uni/tn-a/BD-b')).toBe('y-')
    expect(on({ class: 'fvTenant', rsp_subtree: 'full' })('fvTenant', 'uni/tn-a')).toBe('yc')
    expect(on({ class: 'fvTenant', rsp_subtree_include: 'faults' })('faultInst', 'uni/tn-a/fault-F1')).toBe('y-')
  })

  it.each<Record<string, unknown>>([
    { tag: 'production' },
    { class: 'fvTenant', rsp_subtree_include: ['health', 'required'] },
    { class: 'fvTenant', page: 0, page_size: 15 },
    { class: 'fvTenant', query_target: 'subtree' },
  ])('absence proves nothing in the answer to %j', subscription => {
    expect(on(subscription)('fvTenant', 'uni/tn-a')).toBe('y-')
  })

  it('tags of an object', () => {
    const of = on({ raw: 'tag/mo/uni/tn-a' })
    expect(of('tagInst', 'uni/tn-a/tag-x')).toBe('yc')
    expect(of('fvTenant', 'uni/tn-a')).toBe('--')
  })

  it.each<[Record<string, unknown>, readonly string[] | undefined, string | undefined]>([
    [{ class: 'aaaModLR' }, ['aaaModLR'], 'aaaModLR'],
    [{ class: 'fvTenant' }, ['fvTenant'], undefined],
    [{ class: 'faultInfo' }, ['faultInfo', 'faultInst', 'faultDelegate'], undefined],
    [{ mo: 'uni/tn-a' }, undefined, undefined],
    [{ mo: 'uni/tn-a', query_target: 'subtree', target_subtree_class: 'aaaModLR' }, ['aaaModLR'], 'aaaModLR'],
    [{ class: 'fvTenant', rsp_subtree: 'full' }, undefined, undefined],
    [{ class: 'fvTenant', rsp_subtree: 'full', rsp_subtree_class: 'fvBD' }, ['fvTenant', 'fvBD'], undefined],
    [{ class: 'fvTenant', rsp_subtree_include: ['health', 'required'] }, ['fvTenant', 'healthInst'], undefined],
    [{ class: 'fvTenant', rsp_subtree_include: 'stats' }, undefined, undefined],
    [{ raw: 'tag/mo/uni/tn-a.json' }, ['tagInst'], undefined],
  ])('classes and log class of %j', (subscription, classes, logClass) => {
    const query = build(subscription)
    expect(query.classes).toEqual(classes)
    expect(query.logClass).toBe(logClass)
  })
})

describe('feed names', () => {
  it('are the path, as long as nothing narrows the result', () => {
    expect(build({ class: 'faultInst' }).name).toBe('class/faultInst')
    expect(build({ mo: 'uni/tn-prod', query_target: 'self' }).name).toBe('mo/uni/tn-prod')
    expect(build({ tag: 'production' }).name).toBe('tag/production')
    expect(build({ class: 'faultInst', page_size: 100, order_by: 'faultInst.dn', snapshot: 'publish' }).name).toBe(
      'class/faultInst',
    )
    expect(build({ raw: 'class/faultInst.json' }).name).toBe('class/faultInst')
  })

  it('differ by what narrows it, and stay the same from run to run', () => {
    const minor = { class: 'faultInst', filter: { ge: ['faultInst.severity', 'minor'] } }
    const major = { class: 'faultInst', filter: { ge: ['faultInst.severity', 'major'] } }
    expect(build(minor).name).toMatch(/^class\/faultInst#[0-9a-f]{6}$/)
    expect(build(minor).name).toBe(build(minor).name)
    expect(build(minor).name).not.toBe(build(major).name)
    expect(build({ mo: 'uni/tn-a', query_target: 'subtree' }).name).not.toBe(
      build({ mo: 'uni/tn-a', query_target: 'children' }).name,
    )
  })

  it('are short', () => {
    const long = `uni/tn-a/${'x'.repeat(300)}`
    expect(build({ mo: long }).name.length).toBeLessThan(90)
    expect(build({ mo: long }).name).not.toBe(build({ mo: `${long}y` }).name)
  })
})

describe('asked once, without a subscription', () => {
  const asked = (question: Record<string, unknown>): string =>
    queryUrl(buildQuery(questionSchema.parse(question), 'ask'), 'json')

  it("a filter is the controller's to apply, on any class", () => {
    expect(asked({ class: 'aaaUser', filter: { eq: ['aaaUser.lastName', 'Washington'] } })).toBe(
      '/api/class/aaaUser.json?query-target-filter=eq(aaaUser.lastName,%22Washington%22)',
    )
  })

  it('what is never pushed can be asked for', () => {
    expect(asked({ class: 'l2IngrBytes5min' })).toBe('/api/class/l2IngrBytes5min.json')
    const about = { mo: 'uni/tn-prod', rsp_subtree_include: ['event-logs', 'no-scoped', 'subtree'], time_range: '24h' }
    expect(asked(about)).toBe(
      '/api/mo/uni/tn-prod.json?rsp-subtree-include=event-logs,no-scoped,subtree&time-range=24h',
    )
  })

  it('a class that may be abstract is asked for by properties of what may be below it, with a word of doubt', () => {
    const question = { class: 'fvATg', order_by: 'fvAEPg.name', filter: { eq: ['fvAEPg.prio', 'level1'] } }
    const query = buildQuery(questionSchema.parse(question), 'ask')
    expect(queryUrl(query, 'json')).toBe(
      '/api/class/fvATg.json?query-target-filter=eq(fvAEPg.prio,%22level1%22)&order-by=fvAEPg.name',
    )
    const message = 'whether fvATg is an abstract class with fvAEPg below it, only the controller knows'
    expect(query.notes.map(note => [note.key, note.message])).toEqual([
      ['order_by', message],
      ['filter', message],
    ])
    // Of what is known well, it is a mistake; and a filter that is judged here would match nothing.
    expect(() => asked({ class: 'fvTenant', order_by: 'fvAEPg.name' })).toThrow('there is no fvAEPg to sort')
    expect(() => build(question)).toThrow('a property of fvAEPg never matches fvATg')
  })

  it('only what has children of a kind, or those alone', () => {
    const below = { class: 'fvTenant', rsp_subtree: 'children', rsp_subtree_class: 'fvBD' }
    for (const [include, sorted] of [
      [['required'], 'fvTenant'],
      [['required', 'no-scoped'], 'fvBD'],
    ] as const) {
      expect(asked({ ...below, rsp_subtree_include: include, order_by: `${sorted}.name` })).toBe(
        `/api/class/fvTenant.json?rsp-subtree=children&rsp-subtree-class=fvBD&rsp-subtree-include=${include}&order-by=${sorted}.name`,
      )
    }
  })
})
