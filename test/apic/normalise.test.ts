import { describe, expect, it } from 'vitest'
import { eventId } from '../../src/event.ts'
import type { ManagedObject } from '../../src/record.ts'
import type { Change } from '../../src/subscribers/apic/decode.ts'
import { normalise } from '../../src/subscribers/apic/normalise.ts'
import { faultOfRecord } from '../../src/subscribers/apic/normalise-fault.ts'
import { lastSeverity, severityOf, severityOfScore, sourceTime } from '../../src/subscribers/apic/severity.ts'

const context = { source: { system: 'apic', name: 'fabric-a' }, raw: true, origin: 'live' } as const

function change(cls: string, attributes: Record<string, string>, status: Change['status'] = 'created'): Change {
  return { cls, dn: attributes['dn'] ?? '', attributes, status }
}

describe('ids', () => {
  it('of records: what the record is, not where a replica keeps it', () => {
    const idOf = (cls: string, attributes: Record<string, string>) =>
      normalise(context, change(cls, attributes), undefined).fact?.id
    expect(idOf('eventRecord', { dn: 'subj-[x]/rec-1', created: 'never' })).toBe(
      eventId('fabric-a', 'eventRecord', ['subj-[x]/rec-1']),
    )
    expect(idOf('aaaModLR', { dn: 'd', txId: '7', affected: 'a', ind: 'creation', changeSet: 'n:1', user: 'u' })).toBe(
      eventId('fabric-a', 'aaaModLR', ['7', 'a', 'creation', 'n:1']),
    )
    const bare = { dn: 'd', txId: '0', affected: 'a', ind: 'creation', changeSet: 'n:1', user: 'u', created: 'c' }
    expect(idOf('aaaModLR', bare)).toBe(eventId('fabric-a', 'aaaModLR', ['c', 'a', 'creation', 'u', 'n:1']))
    expect(idOf('aaaSessionLR', { dn: 'd', created: 'c', user: 'u', descr: 'x' })).toBe(
      eventId('fabric-a', 'aaaSessionLR', ['c', 'u', 'x']),
    )
  })

  it('of objects: a chain over the whole object without housekeeping', () => {
    const dn = 'uni/tn-a'
    const first = normalise(context, change('fvTenant', { name: 'a', dn, modTs: 'never', rn: '', uid: '7' }), undefined)
    expect(first.fact?.id).toBe(eventId('fabric-a', 'fvTenant', [dn, null, { dn, name: 'a' }]))
    const known = first.mirror?.object ?? undefined
    expect(known).toEqual({
      key: dn,
      family: 'fvTenant',
      version: first.fact?.id,
      attributes: { dn, name: 'a', modTs: 'never', uid: '7' },
    })
    const second = normalise(context, change('fvTenant', { dn, descr: 'x' }, 'modified'), known)
    expect(second.fact?.id).toBe(eventId('fabric-a', 'fvTenant', [dn, first.fact?.id, { descr: 'x', dn, name: 'a' }]))
    const end = normalise(context, change('fvTenant', { dn }, 'deleted'), second.mirror?.object ?? undefined)
    expect(end.fact?.id).toBe(eventId('fabric-a', 'fvTenant', [dn, second.fact?.id, 'deleted']))
    expect(end.mirror).toEqual({ key: dn, object: null })
  })

  it('do not hang on the order of attributes, on the origin, or on whether raw is carried', () => {
    const one = normalise(context, change('fvTenant', { dn: 'uni/tn-a', name: 'a', descr: '' }), undefined)
    const other = normalise(
      { ...context, raw: false, origin: 'resync' },
      change('fvTenant', { descr: '', name: 'a', dn: 'uni/tn-a' }),
      undefined,
    )
    expect(other.fact?.id).toBe(one.fact?.id)
    expect(other.fact?.data.raw).toBeUndefined()
  })

  it('of an object made again just as it was differ by its own modTs', () => {
    const made = (modTs: string) =>
      normalise(context, change('fvTenant', { dn: 'uni/tn-a', modTs }), undefined).fact?.id
    expect(made('2026-02-03T04:05:06.789+09:00')).not.toBe(made('2026-02-03T05:05:06.789+09:00'))
    expect(made('never')).toBe(made('never'))
  })
})

describe('mirror', () => {
  const known: ManagedObject = {
    key: 'uni/tn-a',
    family: 'fvTenant',
    version: 'v',
    attributes: { dn: 'uni/tn-a', name: 'a', modTs: 'never' },
  }

  it('moves on with housekeeping, keeping its version, and not at all when nothing differs', () => {
    const touched = normalise(context, change('fvTenant', { dn: 'uni/tn-a', modTs: 'later' }, 'modified'), known)
    expect(touched.fact).toBeUndefined()
    expect(touched.mirror?.object).toEqual({ ...known, attributes: { ...known.attributes, modTs: 'later' } })
    expect(normalise(context, change('fvTenant', { ...known.attributes, status: '' }), known)).toEqual({
      fact: undefined,
      mirror: undefined,
      partial: false,
    })
  })

  it('is never written into', () => {
    const frozen = { ...known, attributes: Object.freeze({ ...known.attributes }) }
    const attributes = Object.freeze({ dn: 'uni/tn-a', name: 'b', pwd: 'x' })
    expect(normalise(context, change('fvTenant', attributes, 'modified'), frozen).fact).toBeDefined()
  })

  it('of another class under the same dn is not a version of this object', () => {
    const outcome = normalise(context, change('fvOther', { dn: 'uni/tn-a', x: '1' }, 'modified'), known)
    expect(outcome.partial).toBe(true)
    expect(normalise(context, change('fvOther', { dn: 'uni/tn-a' }, 'deleted'), known).fact).toBeUndefined()
  })

  it('a retaining fault is forgotten in silence', () => {
    const dn = 'uni/tn-a/fault-F1'
    const fault = {
      key: dn,
      family: 'faultInst',
      version: 'v',
      attributes: { dn, severity: 'cleared', lc: 'retaining' },
    }
    expect(normalise(context, change('faultInst', { dn }, 'deleted'), fault)).toEqual({
      fact: undefined,
      mirror: { key: dn, object: null },
      partial: false,
    })
  })
})

describe('fault states', () => {
  const dn = 'uni/tn-a/fault-F1'
  const at = (lc: string, severity = 'major') => ({
    key: dn,
    family: 'faultInst',
    version: 'v',
    attributes: { dn, lc, severity },
  })

  it.each([
    ['soaking', 'raised', 'raised', 'firing'],
    ['soaking', 'soaking-clearing', 'clearing', 'clearing'],
    ['soaking-clearing', 'soaking', 'raised', 'pending'],
    ['raised', 'raised-clearing', 'clearing', 'clearing'],
    ['raised-clearing', 'raised', 'raised', 'firing'],
    ['raised-clearing', 'retaining', 'cleared', 'resolved'],
    ['retaining', 'soaking', 'raised', 'pending'],
    ['raised', 'soaking', 'changed', 'pending'],
    ['soaking-clearing', 'raised-clearing', 'changed', 'clearing'],
  ])('%s → %s is %s, %s', (before, lc, verb, state) => {
    const { fact } = normalise(context, change('faultInst', { dn, lc }, 'modified'), at(before))
    expect([fact?.type, fact?.data.state]).toEqual([`apic.fault.${verb}`, state])
  })

  it('severity cleared is the end, whatever the life cycle says, and keeps the last severity', () => {
    const { fact } = normalise(
      context,
      change('faultInst', { dn, severity: 'cleared', prevSeverity: 'warning' }, 'modified'),
      at('raised', 'critical'),
    )
    expect([fact?.type, fact?.data.state, fact?.severitytext]).toEqual(['apic.fault.cleared', 'resolved', 'critical'])
  })
})

describe('faultRecord as a change of its fault', () => {
  const dn = 'topology/pod-1/node-101/sys/phys-[eth1/7]/phys/fault-F1394'
  const row = { code: 'F1394', created: '2026-02-03T04:05:06.789+09:00', ind: 'modification', lc: 'raised', id: '1' }

  it.each([
    ['affected is the object', { affected: dn.replace('/fault-F1394', ''), dn: 'x' }],
    ['affected is the fault', { affected: dn, dn: 'x' }],
    ['only the name of the record says it', { affected: '', dn: `subj-[${dn}]/fr-1` }],
  ])('%s', (_name, attributes) => {
    const told = faultOfRecord({ cls: 'faultRecord', attributes: { ...row, ...attributes }, children: [] })
    expect(told).toEqual({
      cls: 'faultInst',
      dn,
      attributes: { dn, code: 'F1394', lc: 'raised', lastTransition: row.created },
      status: 'created',
    })
  })

  it('deletion, and a row that says nothing', () => {
    const told = (attributes: Record<string, string>) => faultOfRecord({ cls: 'faultRecord', attributes, children: [] })
    expect(told({ ...row, affected: dn, ind: 'deletion' })?.status).toBe('deleted')
    expect(told({ dn: 'subj-[uni]/fr-1' })).toBeUndefined()
  })
})

describe('times and severities', () => {
  it.each([
    ['2026-02-03T04:05:06.789+09:00', '2026-02-03T04:05:06.789+09:00'],
    ['2026-02-03T04:05:06Z', '2026-02-03T04:05:06Z'],
    ['2026-02-03T04:05:06.789-0400', '2026-02-03T04:05:06.789-04:00'],
    ['2026-02-03T04:05:06.789+09', '2026-02-03T04:05:06.789+09:00'],
    ['2013-05-30T11:28:33.835', undefined],
    ['2026-13-03T04:05:06.789+09:00', undefined],
    ['never', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('time %j', (text, expected) => {
    expect(sourceTime(text)).toBe(expected)
  })

  it('severities', () => {
    expect(['critical', 'squelched', 'cleared', undefined].map(severityOf)).toEqual([
      'critical',
      'info',
      'info',
      'info',
    ])
    expect(lastSeverity('cleared', undefined, 'warning', 'major')).toBe('warning')
    expect([100, 90, 89, 75, 74, 50, 49, 25, 24, 0].map(severityOfScore)).toEqual([
      'info',
      'info',
      'warning',
      'warning',
      'minor',
      'minor',
      'major',
      'major',
      'critical',
      'critical',
    ])
  })
})

describe('summary', () => {
  const summaryOf = (descr: string) =>
    normalise(context, change('eventRecord', { dn: 'd', affected: 'topology/pod-1/node-101', descr }), undefined).fact
      ?.data.summary

  it.each([
    ['Port is up.', 'Port is up: node-101'],
    ['Two\n  lines\tfolded. ', 'Two lines folded: node-101'],
    ['...', 'Event: node-101'],
  ])('%j', (descr, expected) => {
    expect(summaryOf(descr)).toBe(expected)
  })

  it('is one line that still says where, however long the text is', () => {
    for (const descr of ['x'.repeat(100_000), `x${' '.repeat(100_000)}y`, `${' \n'.repeat(50_000)}y`]) {
      const summary = summaryOf(descr) ?? ''
      expect(summary.length).toBeLessThanOrEqual(300)
      expect(summary).not.toMatch(/\n| {2}/)
      expect(summary).toMatch(/: node-101$/)
    }
  })
})
