/** The judge on what can't be known of things that changed, or began, while nothing was pushed, and were heard of again within the gap. */
import { expect, it } from 'vitest'
import type { Tapped } from '../../../src/sinks/nats-tap.ts'
import type { Owed } from './books.ts'
import { judgeWhole } from './judge.ts'

const LANE = 'topology/pod-1/node-101/sys/fault-F1394'
const FEED = 'class/faultInst'
const stamp = (ms: number): string | undefined => (Number.isNaN(ms) ? undefined : new Date(ms).toISOString())

function owed(at: number, verb: string, severity: string, phase: string): Owed {
  const [label, state] = [`${verb} ${severity} ${phase}`, `${phase} ${severity}`]
  return { feed: `fabric-a ${FEED}`, lane: LANE, label, state, at, said: { severity }, due: true }
}

function message(kind: string, severitytext: string, more: object): Tapped {
  const id = `${kind} ${JSON.stringify(more)}`
  const event = { id, source: '/apic/fabric-a', subject: LANE, severitytext, ...more }
  return { id, subject: `opswire.apic.fabric-a.${kind}.${severitytext}`, event } as unknown as Tapped
}

function told(at: number, verb: string, severity: string, state: string): Tapped {
  const data = { kind: 'fault', state, raw: { faultInst: { attributes: { severity } } } }
  return message('fault', severity, { type: `apic.fault.${verb}`, time: stamp(at), data })
}

function gap(fromMs: number, toMs: number): Tapped {
  const gap = { feed: FEED, classes: ['faultInst'], from: stamp(fromMs), to: stamp(toMs), recovered: 0 }
  return message('gap', 'major', { type: 'opswire.gap', data: { kind: 'gap', gap } })
}

const OWED = [
  owed(10_000, 'raised', 'minor', 'firing'),
  owed(20_000, 'changed', 'critical', 'firing'),
  owed(30_000, 'clearing', 'critical', 'clearing'),
]
const BEGINNING = told(10_000, 'raised', 'minor', 'firing')
const kindsOf = (owed: readonly Owed[], stream: readonly Tapped[]): string[] =>
  judgeWhole({ owed, stream, flawOf: () => undefined, mayBe: () => true }).wrongs.map(line => line.split(':')[0] ?? '')
const kinds = (...stream: Tapped[]): string[] => kindsOf(OWED, stream)

it('lets it be told with the severity from before the gap, within its window, and with no other', () => {
  expect(kinds(BEGINNING, told(30_000, 'clearing', 'minor', 'clearing'), gap(20_000, 30_000))).toEqual([])
  expect(kinds(BEGINNING, told(30_000, 'clearing', 'major', 'clearing'), gap(20_000, 30_000))).toContain('invented')
  expect(kinds(BEGINNING, told(30_000, 'clearing', 'minor', 'clearing'), gap(20_000, 21_000))).toContain('invented')
  expect(kinds(BEGINNING, told(30_000, 'clearing', 'minor', 'clearing'))).toContain('invented')
})

it('lets it be told with the life cycle from before the gap, where the step changed its severity alone, within its window', () => {
  const life = [
    owed(10_000, 'raised', 'minor', 'pending'),
    owed(20_000, 'changed', 'minor', 'firing'),
    owed(30_000, 'changed', 'major', 'firing'),
    owed(40_000, 'changed', 'critical', 'firing'),
    owed(50_000, 'clearing', 'critical', 'clearing'),
  ]
  const begun = told(10_000, 'raised', 'minor', 'pending')
  const raised = told(20_000, 'raised', 'minor', 'firing')
  const old = [told(30_000, 'changed', 'major', 'pending'), told(40_000, 'changed', 'critical', 'pending')] as const
  const end = told(50_000, 'clearing', 'critical', 'clearing')
  expect(kindsOf(life, [begun, ...old, end, gap(20_000, 40_000)])).toEqual([])
  // What the comparison then tells has no time of its own.
  const found = told(Number.NaN, 'raised', 'critical', 'firing')
  expect(kindsOf(life, [begun, ...old, found, end, gap(20_000, 40_000)])).toEqual([])
  expect(kindsOf(life, [begun, ...old, end, gap(20_000, 30_000)])).toContain('invented')
  expect(kindsOf(life, [begun, ...old, end])).toContain('invented')
  // Where the change of its life cycle was told, or is its own, it is not old.
  expect(kindsOf(life, [begun, raised, ...old, end, gap(20_000, 40_000)])).toContain('invented')
  const wrong = told(50_000, 'changed', 'critical', 'pending')
  expect(kindsOf(life, [begun, ...old, wrong, gap(20_000, 50_000)])).toContain('invented')
  const other = told(30_000, 'changed', 'warning', 'pending')
  expect(kindsOf(life, [begun, other, old[1], end, gap(20_000, 40_000)])).toContain('invented')
})

it('takes a step back into the state that was told last for a step, where the one that led out of it is lost under a gap', () => {
  const flap = [
    owed(10_000, 'raised', 'major', 'firing'),
    owed(20_000, 'clearing', 'major', 'clearing'),
    owed(30_000, 'raised', 'major', 'firing'),
    owed(40_000, 'clearing', 'major', 'clearing'),
  ]
  const ends = [told(10_000, 'raised', 'major', 'firing'), told(40_000, 'clearing', 'major', 'clearing')] as const
  const back = told(30_000, 'changed', 'major', 'firing')
  expect(kindsOf(flap, [ends[0], back, ends[1], gap(20_000, 20_000)])).toEqual([])
  expect(kindsOf(flap, [...ends, gap(20_000, 20_000)])).toEqual(['lost'])
  // What is told once more of the first step does not stand for it.
  const again = told(10_000, 'changed', 'major', 'firing')
  expect(kindsOf(flap, [ends[0], again, ends[1], gap(20_000, 20_000)])).toEqual(['lost'])
  // Nor does what is told once more of it after a later one, or told after that.
  const third = owed(50_000, 'raised', 'major', 'firing')
  expect(kindsOf([...flap, third], [ends[0], back, again, gap(20_000, 20_000), gap(40_000, 40_000)])).toEqual(['lost'])
  expect(kindsOf(flap, [back, ends[0], ends[1], gap(20_000, 20_000)])).toEqual(['lost'])
})

const TENANT = 'uni/tn-new'
const WHOLE = { descr: 'made', name: 'new' }
const FRAGMENT = { descr: 'changed' }

function tenant(end: string, at: number, attributes: object): Tapped {
  const data = { kind: 'change', raw: { fvTenant: { attributes: { dn: TENANT, ...attributes } } } }
  const event = { id: `${end} ${at}`, source: '/apic/fabric-a', subject: TENANT, time: stamp(at), severitytext: 'info' }
  const subject = 'opswire.apic.fabric-a.change.info'
  return { id: event.id, subject, event: { ...event, type: `apic.fvTenant.${end}`, data } } as unknown as Tapped
}

/** Of a tenant made, changed and deleted, told so, with nothing known between these times. */
function kindsOfLife(stream: readonly Tapped[], from: number, to: number): string[] {
  const due = (at: number, label: string, said: Owed['said']): Owed => {
    return { feed: 'fabric-a class/fvTenant', lane: TENANT, label, at, said, due: true }
  }
  const window = { feed: 'class/fvTenant', classes: ['fvTenant'], from: stamp(from), to: stamp(to), recovered: 0 }
  const hole = message('gap', 'major', { type: 'opswire.gap', data: { kind: 'gap', gap: window } })
  const life = [
    due(10_000, 'made', WHOLE),
    due(20_000, 'changed', { ...WHOLE, ...FRAGMENT }),
    due(25_000, 'deleted', {}),
  ]
  return kindsOf(life, [...stream, hole])
}

/** The same, and its end is told. */
function kindsOfTenant(from: number, to: number, ...stream: Tapped[]): string[] {
  return kindsOfLife([...stream, tenant('deleted', 25_000, {})], from, to)
}

it('lets a change show no more than what changed where nothing of the object was told before, and it is gone', () => {
  expect(kindsOfTenant(10_000, 20_000, tenant('changed', 20_000, FRAGMENT))).toEqual([])
  expect(kindsOfTenant(10_000, 20_000, tenant('changed', 20_000, { ...FRAGMENT, name: 'old' }))).toEqual(['altered'])
  const made = tenant('created', 10_000, WHOLE)
  expect(kindsOfTenant(10_000, 20_000, made, tenant('changed', 20_000, FRAGMENT))).toEqual(['altered'])
  expect(kindsOfTenant(18_000, 20_000, tenant('changed', 20_000, FRAGMENT))).toContain('lost')
})

it('asks for no end of what nobody was told of, where all of its life lies in gaps', () => {
  expect(kindsOfLife([], 10_000, 20_000)).toEqual([])
  // Whoever was told of it owes its end, and so does whoever may not have missed all of its life.
  expect(kindsOfLife([tenant('created', 10_000, WHOLE)], 10_000, 20_000)).toEqual(['lost'])
  expect(kindsOfLife([tenant('changed', 20_000, { ...WHOLE, ...FRAGMENT })], 10_000, 20_000)).toEqual(['lost'])
  expect(kindsOfLife([], 18_000, 20_000)).toEqual(['lost', 'lost'])
  expect(kindsOfLife([], 10_000, 12_000)).toEqual(['lost', 'lost'])
})
