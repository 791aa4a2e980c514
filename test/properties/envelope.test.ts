/** Whatever a normaliser says of a fact: envelope and body are the bytes that the plain way of writing them gives. */
import { hash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Draft, type Fact, makeFact, type SourceRef } from '../../src/event.ts'
import { flatText } from '../../src/flat-text.ts'
import type { Append, Appended } from '../../src/store/contract.ts'
import { Intake } from '../../src/subscribers/intake.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { MemoryStore } from '../support/memory-store.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 300)

/** Any text, half characters too; whole, joined of pieces or cut out of a longer one. */
const odd = fc.string({
  unit: fc.oneof(fc.constantFrom('"', '\\', '\n', 'ä', '→', '\ud83d'), fc.string({ maxLength: 9 })),
})
const text = fc.oneof(
  odd,
  fc.tuple(odd, odd).map(([one, other]) => `${one}/${other}`),
  fc.tuple(odd, fc.nat(40)).map(([one, from]) => `${one}, which is long`.slice(from)),
)
const printable = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 200 }).map(line => `x${line}x`)
const nullable = fc.option(text)

const data = fc.record(
  {
    kind: fc.constantFrom('fault', 'audit', 'job'),
    summary: printable,
    state: fc.constantFrom(null, 'firing'),
    outcome: fc.constant(null),
    alertKey: nullable,
    resource: fc.record({ kind: text, id: text, node: text }),
    description: text,
    changes: fc.array(fc.record({ property: text, old: nullable, new: nullable })),
    flags: fc.array(text),
    raw: fc.jsonValue(),
  },
  { requiredKeys: ['kind', 'summary', 'state', 'outcome', 'alertKey', 'resource'] },
) as fc.Arbitrary<Draft['data']>

const draft: fc.Arbitrary<Draft> = fc.record(
  {
    family: text,
    key: fc.array(fc.jsonValue(), { maxLength: 4 }),
    type: text,
    subject: text,
    time: text,
    partitionkey: text,
    severity: fc.constantFrom('major', 'info'),
    origin: fc.constantFrom('live', 'resync'),
    data,
  },
  { requiredKeys: ['family', 'key', 'type', 'subject', 'partitionkey', 'severity', 'origin', 'data'] },
)
const source: fc.Arbitrary<SourceRef> = fc.record({ system: fc.constantFrom('apic', 'vcd'), name: text })

/** The envelope as it is spelt in docs/EVENTS.md. */
function plain({ system, name }: SourceRef, draft: Draft): object {
  const { family, key, type, subject, time, partitionkey, severity, origin, data } = draft
  const text = JSON.stringify([name, family, ...(key as readonly unknown[])])
  return {
    specversion: '1.0',
    id: hash('sha256', text, 'hex').slice(0, 32),
    source: `/${system}/${name}`,
    type,
    subject,
    time,
    datacontenttype: 'application/json',
    partitionkey,
    severitytext: severity,
    severitynumber: severity === 'major' ? 17 : 9,
    origin,
    data,
  }
}

/** Keeps what it was given. */
class Taker extends MemoryStore {
  bodies: Uint8Array[] = []

  override append({ events }: Append): Promise<Appended> {
    this.bodies.push(...events.map(event => event.body))
    return Promise.resolve({ fresh: [], deadKeys: [] })
  }
}

describe('an envelope', () => {
  it('is written byte by byte as the plain one', () => {
    fc.assert(
      fc.property(source, draft, (source, draft) => {
        const expected = JSON.stringify(plain(source, draft))
        expect(JSON.stringify(makeFact(source, draft))).toBe(expected)
      }),
      { numRuns },
    )
  })

  it('is stored with the time of taking it down behind everything else, each of a batch in its place', async () => {
    const clock = new ManualClock()
    const recordedtime = new Date(clock.wall()).toISOString()
    const ref = { system: 'apic', name: 'fabric-a' } as const
    await fc.assert(
      fc.asyncProperty(fc.array(draft, { minLength: 1, maxLength: 9 }), async drafts => {
        const store = new Taker()
        const intake = new Intake({ ref, store, clock, report: () => undefined, overdraft: false })
        const facts: Fact[] = drafts.map(one => makeFact(ref, one))
        const expected = drafts.map(one => JSON.stringify({ ...plain(ref, one), recordedtime }))
        await intake.take({ feed: 'log', facts }, new AbortController().signal)
        expect(store.bodies.map(body => Buffer.from(body).toString('utf8'))).toEqual(expected)
      }),
      { numRuns: Math.ceil(numRuns / 3) },
    )
  })
})

describe('a text as one piece', () => {
  it('is the same text', () => {
    fc.assert(
      fc.property(text, text => {
        expect(flatText(text)).toBe(text)
      }),
      { numRuns },
    )
  })
})
