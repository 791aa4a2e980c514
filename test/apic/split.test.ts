/** Questions too long for one request: dealt out, so that the parts together ask the same. */
import { describe, expect, it } from 'vitest'
import { questionSchema, subscriptionSchema } from '../../src/config/query.ts'
import type { ApicObject } from '../../src/subscribers/apic/decode.ts'
import { joinAnswers } from '../../src/subscribers/apic/join.ts'
import { buildQueries, type Query, queryUrl } from '../../src/subscribers/apic/query.ts'

const classes = (count: number, name = 'fvClass') => Array.from({ length: count }, (_, index) => `${name}${index}`)
const users = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ eq: ['aaaModLR.user', `somebody-${index}`] }))

const subscribed = (question: Record<string, unknown>) => buildQueries(subscriptionSchema.parse(question))
const asked = (question: Record<string, unknown>) => buildQueries(questionSchema.parse(question), 'ask')
const option = (query: Query | undefined, name: string): string => new Map(query?.options).get(name) ?? ''
const longest = (queries: readonly Query[]): number =>
  Math.max(...queries.map(query => `GET ${queryUrl(query, 'json')} HTTP/1.1\r\n`.length))

describe('a list of classes', () => {
  const many = { mo: 'uni', query_target: 'subtree', target_subtree_class: classes(800) }

  it('is dealt out in its order; each part knows what it covers', () => {
    const parts = subscribed(many)
    expect(parts.length).toBeGreaterThan(1)
    expect(longest(parts)).toBeLessThan(4096 - 600)
    expect(parts.flatMap(part => option(part, 'target-subtree-class').split(','))).toEqual(classes(800))
    for (const cls of ['fvClass0', 'fvClass799']) {
      expect(parts.filter(part => part.covers(cls, 'uni/x')).length).toBe(1)
      expect(parts.filter(part => part.yields(cls, 'uni/x')).length).toBe(1)
    }
  })

  it('has names of its parts that stay while the list grows at its end', () => {
    const names = subscribed(many).map(part => part.name)
    expect(new Set(names).size).toBe(names.length)
    expect(subscribed(many).map(part => part.name)).toEqual(names)
    const grown = subscribed({ ...many, target_subtree_class: classes(801) }).map(part => part.name)
    expect(grown.slice(0, -1)).toEqual(names.slice(0, grown.length - 1))
  })

  it('keeps a filter that is judged here, in every part, for classes of any part', () => {
    const filter = { or: [{ eq: ['fvClass0.name', 'a'] }, { eq: ['fvClass799.name', 'b'] }] }
    const parts = subscribed({ ...many, filter })
    expect(parts.every(part => option(part, 'query-target-filter') === '')).toBe(true)
    expect(parts.every(part => part.accepts?.('fvClass799', { name: 'b' }))).toBe(true)
    expect(parts.some(part => part.accepts?.('fvClass799', { name: 'a' }))).toBe(false)
  })

  it('and a short list beside a long one stays whole', () => {
    const parts = subscribed({
      mo: 'uni',
      query_target: 'subtree',
      target_subtree_class: classes(800),
      rsp_subtree: 'full',
      rsp_subtree_class: ['fvBD', 'fvAEPg'],
    })
    expect(new Set(parts.map(part => option(part, 'rsp-subtree-class')))).toEqual(new Set(['fvBD,fvAEPg']))
  })
})

describe('the alternatives of an or', () => {
  it('are dealt out where the filter is sent', () => {
    const parts = subscribed({ class: 'aaaModLR', filter: { or: users(200) } })
    expect(parts.length).toBeGreaterThan(1)
    expect(longest(parts)).toBeLessThan(4096 - 600)
    const written = parts.map(part => option(part, 'query-target-filter')).join()
    for (const { eq } of users(200)) expect(written.split(`eq(${eq[0]},"${eq[1]}")`).length).toBe(2)
    expect(parts.every(part => part.logClass === 'aaaModLR')).toBe(true)
  })

  it('keep what is asked of all of them', () => {
    const since = { ge: ['aaaModLR.created', '2026-02-03T04:05:06.789+09:00'] }
    const parts = asked({ class: 'aaaModLR', filter: { and: [since, { or: users(200) }] } })
    expect(parts.length).toBeGreaterThan(1)
    for (const part of parts) {
      expect(option(part, 'query-target-filter')).toMatch(/^and\(ge\(aaaModLR.created,"[^"]+"\),or\(eq\(/)
    }
  })

  it('are no matter where the filter is judged here', () => {
    const filter = { or: users(500).map(({ eq }) => ({ eq: ['fvTenant.name', eq[1]] })) }
    expect(subscribed({ class: 'fvTenant', filter }).length).toBe(1)
    expect(asked({ class: 'fvTenant', filter }).length).toBeGreaterThan(5)
  })

  it('and of classes at once: every pair is asked', () => {
    const parts = asked({
      mo: 'uni',
      query_target: 'subtree',
      target_subtree_class: classes(300),
      filter: { or: classes(100).map(cls => ({ eq: [`${cls}.name`, 'x'.repeat(20)] })) },
    })
    const lists = new Set(parts.map(part => option(part, 'target-subtree-class')))
    const filters = new Set(parts.map(part => option(part, 'query-target-filter')))
    expect(Math.min(lists.size, filters.size)).toBeGreaterThan(1)
    expect(parts.length).toBe(lists.size * filters.size)
    expect(longest(parts)).toBeLessThan(4096 - 600)
  })
})

describe('what can not be divided is refused with the reason', () => {
  const or = { or: users(200) }

  it.each<[Record<string, unknown>, RegExp]>([
    [{ mo: `uni/tn-${'x'.repeat(5000)}` }, /^mo: is too long for one request .*neither a DN/],
    [{ class: 'aaaModLR', filter: { xor: users(200) } }, /^filter: is too long .*only lists of classes/],
    [{ class: 'aaaModLR', filter: { not: or } }, /^filter: is too long/],
    [{ class: 'aaaModLR', filter: { eq: ['aaaModLR.user', 'x'.repeat(5000)] } }, /^filter: is too long/],
    [
      { class: 'aaaModLR', filter: { or: [...users(2), { eq: ['aaaModLR.user', 'x'.repeat(5000)] }] } },
      /^filter: .*xxx.* alone is too long/,
    ],
    [{ class: 'aaaModLR', filter: or, page: 0, page_size: 10 }, /^filter: .*a page of each part/],
    [{ class: 'aaaModLR', filter: or, rsp_subtree_include: 'count' }, /^filter: .*counts of parts/],
    [{ class: 'aaaModLR', filter: { or: users(20_000) } }, /^filter: would take more than 64 requests/],
  ])('%j', (question, message) => {
    expect(() => asked(question)).toThrow(message)
  })
})

describe('the answers together', () => {
  const object = (cls: string, attributes: Record<string, string>, children: ApicObject[] = []): ApicObject => ({
    cls,
    attributes,
    children,
  })
  const tenant = (name: string, children: ApicObject[] = []) =>
    object('fvTenant', { dn: `uni/tn-${name}`, name }, children)

  it('hold each object once, with the children of every part', () => {
    const parts = asked({ class: 'fvTenant' })
    const bd = object('fvBD', { rn: 'BD-front', name: 'front' })
    const ap = object('fvAp', { rn: 'ap-shop', name: 'shop' })
    const answers = [
      [tenant('a', [bd]), tenant('b')],
      [tenant('a', [bd, ap]), tenant('c')],
    ]
    expect(joinAnswers(parts, answers)).toEqual([tenant('a', [bd, ap]), tenant('b'), tenant('c')])
  })

  it('are in the order that was asked for', () => {
    const parts = asked({ class: 'faultInst', order_by: ['faultInst.severity|desc', 'faultInst.dn'] })
    const fault = (dn: string, severity: string) => object('faultInst', { dn, severity })
    const answers = [
      [fault('b', 'major'), fault('d', 'minor')],
      [fault('c', 'critical'), fault('a', 'minor')],
    ]
    const joined = joinAnswers(parts, answers)
    expect(joined.map(one => one.attributes['dn'])).toEqual(['c', 'b', 'a', 'd'])
  })
})
