/** The spelling that goes into ids is remembered by the form of an object, and written all at once: it may never differ for that. */
import { setFlagsFromString } from 'node:v8'
import { runInThisContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ManagedObject } from '../../src/record.ts'
import { canonical } from '../../src/subscribers/apic/canonical.ts'
import { advance } from '../../src/subscribers/apic/chain.ts'
import { isHousekeeping, isMessageProperty, withoutMessage } from '../../src/subscribers/apic/classes.ts'
import type { Change } from '../../src/subscribers/apic/decode.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 300)

const cls = fc.constantFrom('faultInst', 'healthInst', 'topSystem', 'fvTenant')
const name = fc.oneof(
  fc.constantFrom('dn', 'severity', 'lc', 'descr', 'modTs', 'uid', 'updTs', 'childAction', 'rn', 'status'),
  fc.constantFrom('10', '9', '007', '-1', 'constructor', 'toJSON', 'toString', 'Z', 'a', 'ä'),
  fc.string({ unit: 'binary' }).filter(text => text !== '__proto__'),
)
const attributes = fc.dictionary(name, fc.string({ unit: 'binary' }), { noNullPrototype: true, maxKeys: 40 })

/** Value by value, each time anew. */
function plainly(of: string, from: Readonly<Record<string, string>>): string {
  const names = Object.keys(from)
    .filter(one => !isHousekeeping(of, one))
    .sort()
  return `{${names.map(one => `${JSON.stringify(one)}:${JSON.stringify(from[one])}`).join(',')}}`
}

describe('canonical', () => {
  it('spells every object as if it were the first of its kind', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(cls, attributes), { maxLength: 12 }), objects => {
        for (const [of, one] of [...objects, ...objects]) expect(canonical(of, one)).toBe(plainly(of, one))
      }),
      { numRuns },
    )
  })

  it('does so for a class whose objects never have the same properties, and for more classes than it remembers', () => {
    for (let n = 0; n < 3000; n++) {
      const one = { dn: 'uni', [`p${n % 7}`]: 'x', [`q${n}`]: '"' }
      expect(canonical('fvTenant', one)).toBe(plainly('fvTenant', one))
      expect(canonical(`class${n}`, one)).toBe(plainly(`class${n}`, one))
    }
  })
})

describe('versions of an object', () => {
  it('leave out what speaks of the message', () => {
    fc.assert(
      fc.property(attributes, one => {
        const own = Object.entries(one).filter(([property]) => !isMessageProperty(property))
        expect(Object.entries(withoutMessage(one))).toEqual(own)
      }),
      { numRuns },
    )
  })

  it('are no tables in memory, however they became known', () => {
    setFlagsFromString('--allow-natives-syntax')
    const isCompact = runInThisContext('object => %HasFastProperties(object)') as (object: object) => boolean
    const told = (from: number, to: number): Record<string, string> =>
      JSON.parse(
        `{"dn":"uni",${Array.from({ length: to - from }, (_, n) => `"property${from + n}":"value"`).join(',')},"status":""}`,
      )
    const push = (status: Change['status'], said: Record<string, string>): Change => ({
      ...{ cls: 'fvTenant', dn: 'uni', attributes: said, status },
    })
    const versionOf = (object: Readonly<Record<string, string>>): ManagedObject => ({
      ...{ key: 'uni', family: 'fvTenant', version: 'x', attributes: object },
    })
    const whole = advance(push('created', told(0, 60)), undefined).attributes
    const part = advance(push('modified', told(0, 5)), undefined).attributes
    const learned = advance(push('created', told(0, 60)), versionOf(part)).attributes
    const changed = advance(push('modified', { property3: 'other' }), versionOf(learned)).attributes
    expect([whole, part, learned, changed].map(isCompact)).toEqual([true, true, true, true])
    expect(Object.keys(changed)).toHaveLength(61)
  })
})
