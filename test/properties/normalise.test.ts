/** Whatever an object says of itself: it is told, well-formed, in one line, under an id that is its own, without secrets. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Fact } from '../../src/event.ts'
import { eventSchema } from '../../src/event-schema.ts'
import type { ManagedObject } from '../../src/record.ts'
import { parseChangeSet, spansOf } from '../../src/subscribers/apic/change-set.ts'
import type { Change } from '../../src/subscribers/apic/decode.ts'
import { faultCodeOf, ownerOf, placeOf, resourceOf } from '../../src/subscribers/apic/dn.ts'
import { normalise } from '../../src/subscribers/apic/normalise.ts'
import { maskChangeSet, redact } from '../../src/subscribers/apic/redact.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 300)
const LONGEST = 300

/** Text as the decoder lets it through: well-formed, whatever else it is. */
const odd = fc.string({ unit: 'binary' })
const time = fc.constantFrom(
  'never',
  '',
  '2026-02-03T04:05:06.789+09:00',
  '2026-02-03T04:05:06Z',
  '2026-02-03T04:05:06.789-0400',
  '2013-05-30T11:28:33.835',
  '9999-99-99T99:99:99+99:99',
)
const word = fc.constantFrom(
  ...['critical', 'major', 'cleared', 'squelched', 'raised', 'soaking', 'retaining', 'raised-clearing', 'yes', 'no'],
  ...['up', 'down', 'active', 'inactive', 'in-service', 'null', 'internal', 'apic:X\\alice', 'creation', '95', '12'],
)
const changeSet = fc
  .array(fc.tuple(fc.constantFrom('descr', 'operSt', 'pwd', 'key', 'x y'), fc.oneof(odd, word), fc.oneof(odd, word)))
  .map(entries => entries.map(([name, old, now]) => `${name} (Old: ${old}, New: ${now})`).join(', '))
const value = fc.oneof(odd, time, word, changeSet, fc.string({ unit: 'binary', minLength: 200, maxLength: 900 }))

const cls = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('faultInst', 'faultDelegate', 'faultRecord', 'eventRecord', 'aaaModLR') },
  { weight: 5, arbitrary: fc.constantFrom('aaaSessionLR', 'healthInst', 'healthRecord', 'fabricNode', 'topSystem') },
  { weight: 3, arbitrary: fc.constantFrom('ethpmPhysIf', 'l1PhysIf', 'fvCEp', 'fvTenant', 'aaaUser', 'tagInst') },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', minLength: 1 }) },
)

const segment = fc.oneof(
  fc.constantFrom('topology', 'uni', 'sys', 'phys', 'pod-1', 'node-101', 'tn-a', 'ap-b', 'epg-c', 'BD-d', 'ctx-e'),
  fc.constantFrom('phys-[eth1/7]', 'phys-eth1', '7', 'fault-F1394', 'health', 'subj-[', ']', 'fv-[uni/tn-a]', 'if-[x]'),
  fc.constantFrom('community-s3cret', 'local', 'svc-policyelem-id-0', 'protpaths-101-102', 'pathep-[eth1/7]', '-', '['),
  odd,
)
const dn = fc
  .array(segment, { minLength: 1, maxLength: 8 })
  .map(segments => segments.join('/'))
  .filter(text => text !== '')

const NAMES = [
  ...['severity', 'lc', 'ack', 'delegated', 'code', 'cause', 'descr', 'title', 'occur', 'created', 'lastTransition'],
  ...['changeSet', 'affected', 'user', 'ind', 'txId', 'trig', 'sessionId', 'cur', 'prev', 'updTs', 'modTs', 'name'],
  ...['fabricSt', 'state', 'operSt', 'adminSt', 'operStQual', 'lastLinkStChg', 'lastRebootTime', 'ip', 'tnFvBDName'],
  ...['constructor', 'toString', 'status', 'rn', 'dn', 'pwd', 'encPwd', 'prevSeverity', 'highestSeverity'],
]
const attributes = fc.dictionary(fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...NAMES) }, odd), value, {
  noNullPrototype: true,
  maxKeys: 14,
})
const status = fc.constantFrom('created' as const, 'modified' as const, 'deleted' as const)

/** As the decoder gives them: the name stands among the properties. */
const change: fc.Arbitrary<Change> = fc
  .record({ cls, dn, attributes, status, whole: fc.boolean() })
  .map(({ whole, ...rest }) => named(whole ? { ...rest, whole: true as const } : rest))

function named(one: Change): Change {
  return { ...one, attributes: { ...one.attributes, dn: one.dn } }
}

const context = { source: { system: 'apic', name: 'fabric-a' }, raw: true, origin: 'live' } as const

/** The object's life: each of these laid over what came before. */
function live(changes: readonly Change[]): { facts: Fact[]; mirror: ManagedObject | undefined } {
  const facts: Fact[] = []
  let mirror: ManagedObject | undefined
  for (const one of changes) {
    const outcome = normalise(context, one, mirror)
    if (outcome.fact !== undefined) facts.push(outcome.fact)
    if (outcome.mirror !== undefined) mirror = outcome.mirror.object ?? undefined
  }
  return { facts, mirror }
}

const life = fc
  .tuple(change, fc.array(fc.record({ attributes, status }), { maxLength: 4 }))
  .map(([first, rest]) => [first, ...rest.map(later => ({ ...first, ...later }))])

describe('normalising anything', () => {
  it('never throws, and makes valid events in which nothing is undefined', () => {
    fc.assert(
      fc.property(life, changes => {
        for (const fact of live(changes).facts) {
          expect(JSON.parse(JSON.stringify(fact))).toEqual(fact)
          expect(eventSchema.safeParse({ ...fact, recordedtime: '2026-02-03T00:00:00.000Z' }).error).toBeUndefined()
          // As it stands in a subject.
          expect(fact.type).toMatch(/^apic\.[A-Za-z0-9_.-]+$/)
        }
      }),
      { numRuns },
    )
  })

  it('gives one line that can be shown anywhere', () => {
    fc.assert(
      fc.property(life, changes => {
        for (const { data } of live(changes).facts) {
          expect(data.summary.trim()).not.toBe('')
          expect(data.summary.length).toBeLessThanOrEqual(LONGEST)
          expect(data.summary).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u)
          expect(data.summary.isWellFormed()).toBe(true)
        }
      }),
      { numRuns },
    )
  })

  it('has one id for one fact, whenever it is read, and another for another state', () => {
    fc.assert(
      fc.property(life, fc.shuffledSubarray([0, 1, 2, 3]), (changes, order) => {
        const again = changes.map(one => {
          const names = Object.keys(one.attributes).sort((a, b) =>
            order.indexOf(a.length % 4) < order.indexOf(b.length % 4) ? -1 : 1,
          )
          return { ...one, attributes: Object.fromEntries(names.map(name => [name, one.attributes[name] ?? ''])) }
        })
        const ids = live(changes).facts.map(fact => fact.id)
        expect(live(again).facts.map(fact => fact.id)).toEqual(ids)
        // A chain never comes back to an id; records of a log are one fact each.
        const isLog = /Record$|LR$/.test(changes[0]?.cls ?? '')
        if (!isLog && !changes.some(one => one.status === 'deleted')) expect(new Set(ids).size).toBe(ids.length)
      }),
      { numRuns },
    )
  })

  it('tells nothing twice that is read twice', () => {
    fc.assert(
      fc.property(change, one => {
        const { mirror, facts } = live([one])
        fc.pre(facts.length === 1 && mirror !== undefined && one.status !== 'deleted')
        expect(normalise(context, one, mirror).fact).toBeUndefined()
      }),
      { numRuns },
    )
  })

  it('keeps every secret, whatever it looks like', () => {
    const secret = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).map(text => `${MARK}${text}`)
    const name = fc.constantFrom(
      'pwd',
      'encPwd',
      'PWD',
      'key',
      'privKey',
      'authKey',
      'password',
      'sharedSecret',
      'token',
    )
    fc.assert(
      fc.property(life, name, secret, (changes, property, hidden) => {
        const planted = changes.map(one => ({ ...one, attributes: { ...one.attributes, [property]: hidden } }))
        const notTag = planted.filter(one => !one.cls.startsWith('tag'))
        expect(JSON.stringify(live(notTag))).not.toContain(MARK)
      }),
      { numRuns },
    )
  })
})

const MARK = 'Pl4nted'

describe('changeSet of any spelling', () => {
  it('never throws, and what is read of it stands in it', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          odd,
          changeSet,
          fc.array(fc.constantFrom('a', ':', ', ', ' (Old: ', ', New: ', ')', ' ')).map(all => all.join('')),
        ),
        text => {
          for (const { property, old, new: now } of parseChangeSet(text)) {
            for (const part of [property, old, now]) expect(text).toContain(part ?? '')
          }
          let end = 0
          for (const { old, new: now } of spansOf(text)) {
            for (const [from, to] of [old, now]) {
              if (to === 0) continue
              expect(from).toBeGreaterThanOrEqual(end)
              expect(to).toBeGreaterThanOrEqual(from)
              end = to
            }
          }
          expect(end).toBeLessThanOrEqual(text.length)
        },
      ),
      { numRuns },
    )
  })

  it('is kept as it is when it has no secret, and masked where it has', () => {
    const plain = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '1', '.', '$', '/', '+', '=', '(', ')', '-') })
    fc.assert(
      fc.property(plain, plain, fc.constantFrom('pwd', 'encPwd', 'privKey'), (before, after, property) => {
        const [old, now] = [`${MARK}${before}`, `${MARK}${after}x`]
        for (const text of [
          `a:1, ${property}:${now}, b:2`,
          `${property} (Old: ${old}, New: ${now})`,
          `a (New: 1), ${property} (New: ${now}), b:2`,
        ]) {
          const masked = maskChangeSet(text)
          expect(masked).not.toContain(MARK)
          expect(maskChangeSet(masked)).toBe(masked)
          if (text.startsWith('a')) expect([masked[0], masked.endsWith(', b:2')]).toEqual(['a', true])
        }
        const harmless = `name:${before}, descr (Old: ${before}, New: ${after})`
        expect(redact('fvTenant', { dn: 'x', changeSet: harmless })['changeSet']).toBe(harmless)
      }),
      { numRuns },
    )
  })
})

describe('any name', () => {
  it('says where something is, as text, and is itself the id', () => {
    fc.assert(
      fc.property(dn, name => {
        const resource = resourceOf(name)
        expect(resource.id).toBe(name)
        for (const part of Object.values(resource)) expect(typeof part).toBe('string')
        for (const part of Object.values(resource)) expect(part === name || part !== '').toBe(true)
        expect(placeOf(resource)).not.toBe('')
        expect(name.startsWith(ownerOf(name))).toBe(true)
        const code = faultCodeOf(`${name}/fault-F0123`)
        expect(code).toBe('F0123')
        expect(ownerOf(`${name}/fault-F0123`)).toBe(name)
      }),
      { numRuns },
    )
  })

  it('built of known parts is read back, however deep it stands in brackets', () => {
    const part = fc.string({ unit: fc.constantFrom('a', 'b', '1', '-', '_', '.', ':'), minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(part, part, part, fc.integer({ min: 0, max: 6 }), (tenant, application, epg, depth) => {
        let name = `uni/tn-${tenant}/ap-${application}/epg-${epg}`
        for (let level = 0; level < depth; level++) name = `x/fv-[${name}]`
        expect(resourceOf(name)).toEqual({ kind: 'epg', id: name, tenant, application, epg })
      }),
      { numRuns },
    )
  })
})
