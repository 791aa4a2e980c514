/** The judge on a fault whose severity changed while nothing was pushed, and that was heard of again within the gap. */
import { expect, it } from 'vitest'
import type { Tapped } from '../../../src/sinks/nats-tap.ts'
import type { Owed } from './books.ts'
import { judgeWhole } from './judge.ts'

const LANE = 'topology/pod-1/node-101/sys/fault-F1394'
const FEED = 'class/faultInst'
const stamp = (ms: number): string => new Date(ms).toISOString()

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
const kinds = (...stream: Tapped[]): string[] =>
  judgeWhole({ owed: OWED, stream, flawOf: () => undefined, mayBe: () => true }).wrongs.map(
    line => line.split(':')[0] ?? '',
  )

it('lets it be told with the severity from before the gap, within its window, and with no other', () => {
  expect(kinds(BEGINNING, told(30_000, 'clearing', 'minor', 'clearing'), gap(20_000, 30_000))).toEqual([])
  expect(kinds(BEGINNING, told(30_000, 'clearing', 'major', 'clearing'), gap(20_000, 30_000))).toContain('invented')
  expect(kinds(BEGINNING, told(30_000, 'clearing', 'minor', 'clearing'), gap(20_000, 21_000))).toContain('invented')
  expect(kinds(BEGINNING, told(30_000, 'clearing', 'minor', 'clearing'))).toContain('invented')
})
