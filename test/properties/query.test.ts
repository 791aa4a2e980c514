/** Whatever is asked: it is refused with the key that is wrong, or it arrives as it was meant. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type FilterExpression, filterSchema, type QuestionConfig, questionSchema } from '../../src/config/query.ts'
import { parseFilter as parseThere } from '../../src/simulators/apic/filter.ts'
import { Model } from '../../src/simulators/apic/model.ts'
import { readOptions } from '../../src/simulators/apic/query.ts'
import { routeOf } from '../../src/simulators/apic/route.ts'
import { filterMatches, filterText } from '../../src/subscribers/apic/filter.ts'
import { parseFilter } from '../../src/subscribers/apic/filter-text.ts'
import { buildQueries, type Query, queryUrl } from '../../src/subscribers/apic/query.ts'
import { Unaskable } from '../../src/subscribers/apic/unaskable.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 200)
/** Longest line that a part may make, without what is added to it later. */
const LIMIT = 4096 - 640

/** What `task` gives; undefined when it was refused as it should be. */
function askable<T>(task: () => T): T | undefined {
  try {
    return task()
  } catch (error) {
    expect(error).toBeInstanceOf(Unaskable)
    for (const { key, message } of (error as Unaskable).problems) {
      expect([key === '', /\bundefined\b|\[object/.test(message)]).toEqual([false, false])
    }
    return undefined
  }
}

const CLASSES = ['fvTenant', 'fvBD', 'fvAEPg', 'faultInst', 'faultInfo', 'eventRecord', 'aaaModLR']
const cls = fc.constantFrom(...CLASSES)
const property = fc.tuple(cls, fc.constantFrom('name', 'descr', 'created', 'x1')).map(pair => pair.join('.'))
const anything = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.string({
    unit: fc.constantFrom(
      '"',
      '\\',
      ',',
      '(',
      ')',
      '&',
      '?',
      '#',
      '%',
      '+',
      ' ',
      '=',
      '|',
      '[',
      ']',
      '/',
      '.',
      '2',
      'e',
      'é',
      '\u2028',
      '\ud800',
      '\n',
      'a',
    ),
  }),
)
const value = fc.oneof(anything, fc.integer(), fc.boolean(), fc.constant('2026-02-03T04:05:06.789+09:00'))

/** Filters that the config's schema takes, whatever their values. */
const filters = (leaf: fc.Arbitrary<unknown>, named: fc.Arbitrary<string>) =>
  fc.letrec<{ filter: FilterExpression }>(tie => ({
    filter: fc.oneof(
      { maxDepth: 4, depthSize: 'small' },
      fc
        .tuple(fc.constantFrom('eq', 'ne', 'lt', 'gt', 'le', 'ge', 'anybit', 'allbits', 'wcard'), named, leaf)
        .map(([operator, left, right]) => ({ [operator]: [left, right] }) as unknown as FilterExpression),
      fc.tuple(named, leaf, leaf).map(operands => ({ bw: operands }) as unknown as FilterExpression),
      fc.constantFrom<FilterExpression>({ true: [] }, { false: [] }),
      fc
        .tuple(fc.constantFrom('and', 'or', 'xor'), fc.array(tie('filter'), { minLength: 1, maxLength: 4 }))
        .map(([operator, inner]) => ({ [operator]: inner })),
      tie('filter').map(inner => ({ not: inner })),
    ),
  })).filter

/** As it comes back from its text: values are texts, `allbits` is what it is sent as, `not` has a list. */
function asRead(filter: FilterExpression): FilterExpression {
  const [[operator = '', operands = []] = []] = Object.entries(filter)
  const list = Array.isArray(operands) ? operands : [operands]
  if (['and', 'or', 'xor', 'not'].includes(operator)) return { [operator]: list.map(asRead) }
  if (operator !== 'allbits') return { [operator]: list.map(String) }
  const bits = String(list[1])
    .split(',')
    .filter(bit => bit !== '')
  const one = bits.map(bit => ({ anybit: [String(list[0]), bit] }))
  return one.length === 1 ? (one[0] ?? { true: [] }) : { and: one }
}

describe('filters', () => {
  it('come back from their text as they were, or are refused', () => {
    fc.assert(
      fc.property(filters(value, property), filter => {
        expect(filterSchema.safeParse(filter).success).toBe(true)
        const text = askable(() => filterText(filter))
        if (text === undefined) return
        expect(parseFilter(text)).toEqual(asRead(filter))
        expect(/[\p{Cc}]/u.test(text)).toBe(false)
      }),
      { numRuns },
    )
  })

  it('mean here what they mean there', () => {
    const model = new Model()
    const word = fc.constantFrom('a', 'b', 'ab', 'ba', 'a,b', '')
    const named = fc.constantFrom('fvTenant.name', 'fvTenant.descr')
    const attributes = fc.record({ name: word, descr: word })
    fc.assert(
      fc.property(filters(word, named), attributes, (filter, object) => {
        const text = askable(() => filterText(filter))
        if (text === undefined) return
        expect(filterMatches(filter, 'fvTenant', object)).toBe(parseThere(text, model)('fvTenant', object))
      }),
      { numRuns },
    )
  })

  it('of any text are read or not, and nothing is thrown', () => {
    const text = fc.string({
      unit: fc.constantFrom('eq(', 'and(', 'not(', 'a.b', ',', '"', ')', '(', 'x', 'true()', 'pholder('),
    })
    fc.assert(
      fc.property(fc.oneof(text, anything), written => {
        const filter = parseFilter(written)
        if (filter === undefined) return
        const sent = askable(() => filterText(filter))
        if (sent !== undefined) expect(filterText(parseFilter(sent) ?? {})).toBe(sent)
      }),
      { numRuns },
    )
  })
})

const list = fc.oneof(cls, fc.array(cls, { minLength: 1, maxLength: 3 }))
const dn = fc.oneof(
  fc.constantFrom('uni', 'uni/tn-a', 'topology/pod-1/node-101/sys/phys-[eth1/1]', 'uni/../x', 'a//b', '.', 'x%2e'),
  anything,
)
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 })
const target = fc.oneof(
  fc.record({ class: fc.oneof(cls, fc.constant('topology/pod-1/node-101/ethpmPhysIf'), anything) }),
  fc.record({ mo: dn }),
  fc.record({ tag: anything }),
)
const options = fc.record({
  query_target: optional(fc.constantFrom('self', 'children', 'subtree')),
  target_subtree_class: optional(list),
  filter: optional(filters(value, property)),
  rsp_subtree: optional(fc.constantFrom('no', 'children', 'full')),
  rsp_subtree_class: optional(list),
  rsp_subtree_filter: optional(filters(value, property)),
  rsp_subtree_include: optional(
    fc.array(fc.constantFrom('faults', 'fault', 'health', 'stats', 'count', 'required', 'no-scoped', 'subtree'), {
      minLength: 1,
      maxLength: 3,
    }),
  ),
  order_by: optional(
    fc.oneof(
      property,
      property.map(key => `${key}|desc`),
      anything,
    ),
  ),
  page: optional(fc.nat(9)),
  page_size: optional(fc.integer({ min: 1, max: 999 })),
  time_range: optional(fc.oneof(fc.constantFrom('24h', '2026-02-03T04:05:06+09:00|2026-02-04'), anything)),
})

/** Questions that the schema takes. */
const questions = fc
  .tuple(target, options)
  .map(([aimed, more]) => questionSchema.safeParse({ ...aimed, ...more }))
  .filter(parsed => parsed.success)
  .map(parsed => parsed.data as QuestionConfig)

/** What the simulator makes of a URL. */
function arrived(url: string) {
  const route = routeOf('GET', url)
  return { path: `/api/${route?.path}`, options: [...readOptions(route?.query ?? '')] }
}

function isSound(query: Query): void {
  const url = queryUrl(query, 'json')
  expect(/^[!-~]+$/.test(url)).toBe(true)
  expect(arrived(url)).toEqual({ path: query.path, options: query.options })
  expect(`GET ${url} HTTP/1.1\r\n`.length).toBeLessThanOrEqual(LIMIT)
}

describe('questions', () => {
  it('arrive as they were meant, or are refused', () => {
    fc.assert(
      fc.property(questions, fc.constantFrom('ask' as const, 'subscribe' as const), dn, (question, purpose, place) => {
        const queries = askable(() => buildQueries(question, purpose)) ?? []
        for (const query of queries) {
          isSound(query)
          expect(query.name.length).toBeLessThan(100)
          for (const one of CLASSES) if (query.covers(one, place)) expect(query.yields(one, place)).toBe(true)
        }
      }),
      { numRuns: numRuns * 5 },
    )
  })

  it('written out are the same question', () => {
    fc.assert(
      fc.property(questions, question => {
        const [query] = askable(() => buildQueries(question, 'ask')) ?? []
        if (query === undefined) return
        const url = queryUrl(query, 'json')
        const raw = questionSchema.parse({ raw: `https://192.0.20.123${url}` })
        expect(buildQueries(raw, 'ask').map(one => queryUrl(one, 'json'))).toEqual([url])
      }),
      { numRuns: numRuns * 5 },
    )
  })

  it('of any text are refused, or arrive', () => {
    const text = fc
      .string({
        unit: fc.constantFrom(
          '?',
          '&',
          '=',
          'page',
          '0',
          'query-target',
          'subtree',
          '"',
          '%22',
          '%2e',
          '.',
          '/',
          ' ',
          '\n',
          '+',
          '%',
          'x',
          'page-size',
          '1',
        ),
      })
      .map(rest => `class/fvTenant${rest}`)
    fc.assert(
      fc.property(fc.oneof(text, anything), raw => {
        if (raw === '') return
        for (const query of askable(() => buildQueries({ raw }, 'ask')) ?? []) isSound(query)
      }),
      { numRuns: numRuns * 2 },
    )
  })
})

describe('long questions', () => {
  const option = (query: Query, name: string): string => new Map(query.options).get(name) ?? ''
  const names = (most: number) =>
    fc.uniqueArray(fc.stringMatching(/^[a-z][A-Za-z0-9]{0,30}$/), { minLength: 1, maxLength: most, size: 'max' })

  it('are dealt out without a rest and without doubles', () => {
    fc.assert(
      fc.property(names(600), names(300), (classes, below) => {
        const question = {
          mo: 'uni',
          query_target: 'subtree',
          target_subtree_class: classes,
          rsp_subtree: 'full',
          rsp_subtree_class: below,
        } as const
        const parts = askable(() => buildQueries(question, 'ask')) ?? []
        for (const part of parts) isSound(part)
        if (parts.length === 0) return
        const lists = (name: string) => [...new Set(parts.map(part => option(part, name)))]
        const [mains, nested] = [lists('target-subtree-class'), lists('rsp-subtree-class')]
        expect(mains.join(',')).toBe(classes.join(','))
        expect(nested.join(',')).toBe(below.join(','))
        expect(parts.length).toBe(mains.length * nested.length)
        expect(new Set(parts.map(part => part.name)).size).toBe(parts.length)
      }),
      { numRuns: Math.ceil(numRuns / 4), endOnFailure: true },
    )
  })

  it('ask in their parts for what the whole asks for', () => {
    const user = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '%'), minLength: 1, maxLength: 200, size: 'max' })
    const object = fc.record({ user, affected: user })
    const side = fc.constantFrom<FilterExpression[]>([], [{ wcard: ['aaaModLR.affected', 'a'] }])
    fc.assert(
      fc.property(
        fc.array(user, { minLength: 2, maxLength: 60, size: 'max' }),
        side,
        object,
        (users, more, attributes) => {
          const or = { or: users.map(name => ({ eq: ['aaaModLR.user', name] })) }
          const filter: FilterExpression = more.length === 0 ? or : { and: [...more, or] }
          const parts = askable(() => buildQueries({ class: 'aaaModLR', filter }, 'ask')) ?? []
          for (const part of parts) isSound(part)
          if (parts.length === 0) return
          const matches = (one: FilterExpression | undefined, name: string): boolean =>
            one !== undefined && filterMatches(one, 'aaaModLR', { ...attributes, user: name })
          const texts = parts.map(part => parseFilter(option(part, 'query-target-filter')))
          for (const name of [attributes.user, ...users]) {
            expect(texts.some(one => matches(one, name))).toBe(matches(filter, name))
          }
        },
      ),
      { numRuns: Math.ceil(numRuns / 4), endOnFailure: true },
    )
  })
})
