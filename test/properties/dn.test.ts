/** Names of objects, however they look. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { splitDn } from '../../src/simulators/apic/dn.ts'
import { dnOf, routeOf } from '../../src/simulators/apic/route.ts'
import {
  faultCodeOf,
  isBelow,
  ownerOf,
  parentOf,
  placeOf,
  resourceOf,
  resourceOfOwner,
  segmentsOf,
} from '../../src/subscribers/apic/dn.ts'
import { buildQuery, queryUrl } from '../../src/subscribers/apic/query.ts'
import { Unaskable } from '../../src/subscribers/apic/unaskable.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 300)

const PREFIXES = [
  'tn',
  'ap',
  'epg',
  'BD',
  'ctx',
  'node',
  'pod',
  'phys',
  'aggr',
  'cep',
  'subnet',
  'paths',
  'fault',
  'fd',
]
const word = fc.string({
  unit: fc.constantFrom('a', 'B', '1', '-', ':', '.', '_', ',', ' ', 'é'),
  minLength: 1,
  maxLength: 8,
})

/** Names with brackets that close, nested as deep as they like. */
const { dn: balanced } = fc.letrec<{ dn: string; rn: string }>(tie => ({
  dn: fc.array(tie('rn'), { minLength: 1, maxLength: 5 }).map(parts => parts.join('/')),
  rn: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    word,
    fc.tuple(fc.constantFrom(...PREFIXES), word).map(([prefix, name]) => `${prefix}-${name}`),
    fc.tuple(fc.constantFrom(...PREFIXES), tie('dn')).map(([prefix, inner]) => `${prefix}-[${inner}]`),
  ),
}))
const broken = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom('[', ']', '/', '-', 'tn-', 'phys-', 'fault-F1', 'eth1', 'a', '..') }),
)
const any = fc.oneof(balanced, broken)

it('segments join back, and the simulator cuts at the same places', () => {
  fc.assert(
    fc.property(any, dn => {
      expect(segmentsOf(dn).join('/')).toBe(dn)
      expect(splitDn(dn)).toEqual(segmentsOf(dn))
    }),
    { numRuns },
  )
})

it('the parent is all but the last segment, and the object is below it', () => {
  fc.assert(
    fc.property(balanced, dn => {
      const parent = parentOf(dn)
      expect(parent).toBe(segmentsOf(dn).slice(0, -1).join('/'))
      if (parent !== '')
        expect([isBelow(dn, parent), isBelow(parent, dn), isBelow(dn, dn)]).toEqual([true, false, false])
    }),
    { numRuns },
  )
})

it('nothing is thrown, and nothing is undefined', () => {
  fc.assert(
    fc.property(any, dn => {
      const resource = resourceOf(dn)
      expect(resource.id).toBe(dn)
      for (const [key, value] of Object.entries(resource)) {
        expect([key, typeof value]).toEqual([key, 'string'])
        if (key !== 'id') expect(value).not.toBe('')
      }
      expect(placeOf(resource) === '').toBe(dn === '')
      expect(dn.startsWith(ownerOf(dn))).toBe(true)
      expect(faultCodeOf(dn) ?? 'F1').toMatch(/^F\d+$/)
      const parent = parentOf(dn)
      expect(dn.startsWith(parent) && (parent === '' || parent.length < dn.length)).toBe(true)
    }),
    { numRuns },
  )
})

it('what is asked for is what arrives, or the name is refused', () => {
  fc.assert(
    fc.property(any, dn => {
      let url: string
      try {
        url = queryUrl(buildQuery({ mo: dn }, 'ask'), 'json')
      } catch (error) {
        expect(error).toBeInstanceOf(Unaskable)
        return
      }
      const there = dnOf(routeOf('GET', url)?.path ?? '')
      expect(there).toBe(dn.replace(/^node\/mo\//, '').replace(/^\/+|\/+$/g, ''))
      // Nothing on its way takes it for another.
      expect(new URL(url, 'https://192.0.2.1').pathname).toBe(url)
    }),
    { numRuns },
  )
})

it('what is remembered of a name is what is read of it', () => {
  const ends = fc.constantFrom('', '/fault-F1394', '/health', '/fd-[uni/tn-a]-fault-F0467', '/fault-', '/fault-F1/x')
  fc.assert(
    fc.property(any, ends, (name, end) => {
      const dn = `${name}${end}`
      for (let turn = 0; turn < 2; turn++) expect(resourceOfOwner(dn)).toEqual(resourceOf(ownerOf(dn)))
    }),
    { numRuns },
  )
})

it('what is remembered of names has an end, and what was forgotten is read anew', () => {
  const dnOfPort = (n: number): string => `topology/pod-1/node-${n}/sys/phys-[eth1/${n % 48}]/fault-F1394`
  const first = resourceOfOwner(dnOfPort(0))
  expect(resourceOfOwner(dnOfPort(0))).toBe(first)
  for (let n = 1; n < 20_000; n++) {
    const resource = resourceOfOwner(dnOfPort(n))
    expect(resource).toEqual({
      ...{ kind: 'interface', id: ownerOf(dnOfPort(n)), pod: '1', node: String(n), interface: `eth1/${n % 48}` },
    })
  }
  const again = resourceOfOwner(dnOfPort(0))
  expect(again).toEqual(first)
  expect(again).not.toBe(first)
})
