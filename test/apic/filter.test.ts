import { describe, expect, it } from 'vitest'
import { type FilterExpression, filterSchema } from '../../src/config/query.ts'
import { comparisons, filterMatches, filterText } from '../../src/subscribers/apic/filter.ts'
import { parseFilter } from '../../src/subscribers/apic/filter-text.ts'

const event = {
  severity: 'minor',
  user: 'alice',
  created: '2026-02-03T04:05:06.789+09:00',
  code: '100',
  flags: 'a,b,c',
  id: '72057598349672454',
  descr: 'Port is up',
}

/** expression, text for the controller, does it match the event above */
const table: [FilterExpression, string, boolean][] = [
  [{ eq: ['eventRecord.user', 'alice'] }, 'eq(eventRecord.user,"alice")', true],
  [{ ne: ['eventRecord.user', 'internal'] }, 'ne(eventRecord.user,"internal")', true],
  [{ eq: ['eventRecord.code', 100] }, 'eq(eventRecord.code,"100")', true],
  // A tenant may be called 007, and another one 7.
  [{ eq: ['eventRecord.code', '0100'] }, 'eq(eventRecord.code,"0100")', false],
  [{ eq: ['eventRecord.code', '100.0'] }, 'eq(eventRecord.code,"100.0")', true],
  [{ eq: ['eventRecord.id', '72057598349672455'] }, 'eq(eventRecord.id,"72057598349672455")', false],
  [{ lt: ['eventRecord.id', '72057598349672455'] }, 'lt(eventRecord.id,"72057598349672455")', true],
  [{ lt: ['eventRecord.code', 20] }, 'lt(eventRecord.code,"20")', false],
  [{ gt: ['eventRecord.code', '20'] }, 'gt(eventRecord.code,"20")', true],
  [{ le: ['eventRecord.code', 100] }, 'le(eventRecord.code,"100")', true],
  [{ ge: ['eventRecord.severity', 'warning'] }, 'ge(eventRecord.severity,"warning")', true],
  [{ ge: ['eventRecord.severity', 'major'] }, 'ge(eventRecord.severity,"major")', false],
  [
    { gt: ['eventRecord.created', '2026-02-02T19:05:06.788Z'] },
    'gt(eventRecord.created,"2026-02-02T19:05:06.788Z")',
    true,
  ],
  [
    { lt: ['eventRecord.created', '2026-02-02T19:05:06.789+00:00'] },
    'lt(eventRecord.created,"2026-02-02T19:05:06.789+00:00")',
    false,
  ],
  [{ bw: ['eventRecord.code', 100, 200] }, 'bw(eventRecord.code,"100","200")', true],
  [{ bw: ['eventRecord.code', 101, 200] }, 'bw(eventRecord.code,"101","200")', false],
  [{ anybit: ['eventRecord.flags', 'c,x'] }, 'anybit(eventRecord.flags,"c,x")', true],
  [{ allbits: ['eventRecord.flags', 'a,c'] }, 'and(anybit(eventRecord.flags,"a"),anybit(eventRecord.flags,"c"))', true],
  [
    { allbits: ['eventRecord.flags', 'a,x'] },
    'and(anybit(eventRecord.flags,"a"),anybit(eventRecord.flags,"x"))',
    false,
  ],
  [{ allbits: ['eventRecord.flags', 'a'] }, 'anybit(eventRecord.flags,"a")', true],
  [{ wcard: ['eventRecord.descr', 'is'] }, 'wcard(eventRecord.descr,"is")', true],
  [{ wcard: ['eventRecord.descr', 'Port*up'] }, 'wcard(eventRecord.descr,"Port*up")', true],
  [{ wcard: ['eventRecord.descr', 'ort*up'] }, 'wcard(eventRecord.descr,"ort*up")', false],
  [{ wcard: ['eventRecord.descr', 'P*is*p'] }, 'wcard(eventRecord.descr,"P*is*p")', true],
  [{ wcard: ['eventRecord.user', 'alice*alice'] }, 'wcard(eventRecord.user,"alice*alice")', false],
  [{ not: { eq: ['eventRecord.user', 'bob'] } }, 'not(eq(eventRecord.user,"bob"))', true],
  [{ not: [{ eq: ['eventRecord.user', 'alice'] }] }, 'not(eq(eventRecord.user,"alice"))', false],
  [
    { and: [{ ge: ['eventRecord.severity', 'minor'] }, { ne: ['eventRecord.user', 'internal'] }] },
    'and(ge(eventRecord.severity,"minor"),ne(eventRecord.user,"internal"))',
    true,
  ],
  [{ or: [{ false: [] }, { eq: ['eventRecord.user', 'bob'] }] }, 'or(false(),eq(eventRecord.user,"bob"))', false],
  [{ xor: [{ true: [] }, { true: [] }, { true: [] }] }, 'xor(true(),true(),true())', true],
  [{ xor: [{ true: [] }, { true: [] }] }, 'xor(true(),true())', false],
  [{ eq: ['fvTenant.user', 'alice'] }, 'eq(fvTenant.user,"alice")', false],
  [{ eq: ['eventRecord.absent', ''] }, 'eq(eventRecord.absent,"")', false],
  [{ ne: ['eventRecord.absent', 'x'] }, 'ne(eventRecord.absent,"x")', true],
]

describe('filters', () => {
  it.each(table)('%j', (filter, text, matches) => {
    expect(filterSchema.safeParse(filter).success).toBe(true)
    expect(filterText(filter)).toBe(text)
    expect(filterMatches(filter, 'eventRecord', event)).toBe(matches)
  })

  it.each(table)('%j is read back from its text, with the same judgement', (_filter, text, matches) => {
    const read = parseFilter(text)
    expect(read).toBeDefined()
    if (read !== undefined) expect(filterMatches(read, 'eventRecord', event)).toBe(matches)
  })

  it("reads the guide's printed filters", () => {
    expect(parseFilter('eq(aaaUser.lastName,"Washington")')).toEqual({ eq: ['aaaUser.lastName', 'Washington'] })
    expect(parseFilter('and(ne(aaaDomain.name,"infra"),ne(aaaDomain.name,"common"))')).toEqual({
      and: [{ ne: ['aaaDomain.name', 'infra'] }, { ne: ['aaaDomain.name', 'common'] }],
    })
    expect(parseFilter('eq(fvAEPg.fabEncap,vxlan-12780288)')).toEqual({ eq: ['fvAEPg.fabEncap', 'vxlan-12780288'] })
  })

  it.each([
    '',
    'eq',
    'eq(',
    'eq(name,"x")',
    'eq(a.b,"x"',
    'eq(a.b,"x"))',
    'not(true(),true())',
    'pholder(a.b,"x")',
    'and()',
    `${'not('.repeat(100)}true()${')'.repeat(100)}`,
  ])('does not judge %j', text => {
    expect(parseFilter(text)).toBeUndefined()
  })

  it.each(['a"b', 'a\nb', 'a\u0000'])('refuses the value %j', value => {
    expect(() => filterText({ eq: ['a.b', value] })).toThrow(/filter: the value/)
  })

  it('a filter on an abstract class judges the concrete ones', () => {
    const filter = { eq: ['faultInfo.severity', 'major'] } as const
    expect(filterMatches(filter, 'faultInst', { severity: 'major' })).toBe(true)
    expect(filterMatches(filter, 'fvTenant', { severity: 'major' })).toBe(false)
    const all = comparisons({ and: [filter, { not: { eq: ['fvBD.name', 'x'] } }, { true: [] }] })
    expect([...all].map(({ cls, property }) => `${cls}.${property}`)).toEqual(['faultInfo.severity', 'fvBD.name'])
  })
})
