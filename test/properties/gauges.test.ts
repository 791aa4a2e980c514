/** The gauges are kept by what happens to the mirror; after whatever happens they are what a recount would give. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { ManagedObject } from '../../src/record.ts'
import { GaugeTally } from '../../src/subscribers/apic/gauges.ts'
import { ApicMirror } from '../../src/subscribers/apic/mirror.ts'
import { buildQuery } from '../../src/subscribers/apic/query.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 200)
const CLASSES = ['faultInst', 'faultDelegate', 'fabricNode', 'fvTenant']

const word = (...words: string[]) => fc.option(fc.constantFrom(...words, 'constructor', ''), { nil: undefined })
const object = fc
  .record({
    key: fc.constantFrom('a', 'b', 'c', 'd'),
    family: fc.constantFrom(...CLASSES),
    severity: word('critical', 'minor', 'cleared', 'dreadful'),
    prevSeverity: word('major'),
    lc: word('soaking', 'raised', 'retaining', 'raised-clearing'),
    role: word('leaf', 'spine', 'toaster'),
    fabricSt: word('active', 'inactive'),
  })
  .map(({ key, family, ...words }): ManagedObject => {
    const attributes = Object.fromEntries(
      Object.entries(words).flatMap(([name, one]) => (one === undefined ? [] : [[name, one]])),
    )
    return { key, family, version: 'v', attributes }
  })
const step = fc.oneof(
  object.map(one => ({ key: one.key, object: one })),
  fc.constantFrom('a', 'b', 'c', 'd').map(key => ({ key, object: null })),
)
const showers = CLASSES.map(cls => ({ query: buildQuery({ class: cls }), isLive: true }))
const sorted = (gauges: ReturnType<GaugeTally['read']>) => ({
  faults: gauges.faults.map(row => JSON.stringify(row)).sort(),
  nodes: gauges.nodes.map(row => JSON.stringify(row)).sort(),
})

it('whatever comes, changes, goes and is read again after a restart', () => {
  fc.assert(
    fc.property(fc.array(object, { maxLength: 4 }), fc.array(step, { maxLength: 40 }), (stored, steps) => {
      const view = new Map(stored.map(one => [one.key, one]))
      const mirror = new ApicMirror({ get: key => view.get(key), values: () => view.values() })
      for (const one of steps) mirror.apply(one, 0, { fabricMs: 0, event: 'e', told: true })
      const recount = new GaugeTally()
      for (const one of mirror.values()) recount.replace(undefined, one)
      const get = (dn: string) => mirror.get(dn)
      expect(sorted(mirror.tally.read(showers, [], get))).toEqual(sorted(recount.read(showers, [], get)))
      const counted = [...mirror.values()].filter(({ family }) => family !== 'fvTenant').length
      const { faults, nodes } = mirror.tally.read(showers, [], get)
      expect([...faults, ...nodes].reduce((sum, { count }) => sum + count, 0)).toBe(counted)
      expect([...faults, ...nodes].every(({ count }) => count > 0)).toBe(true)
    }),
    { numRuns },
  )
})
