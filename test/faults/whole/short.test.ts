/**
 * A few seeds of the long run (docs/FAULTS.md), shortened: the whole daemon with all that breaks; and the judge, who must
 * see each kind of wrong in what one of them left.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import type { OpsEvent } from '../../../src/event.ts'
import type { Tapped } from '../../../src/sinks/nats-tap.ts'
import { NEWEST, natsBinary, OLDEST } from '../../support/nats.ts'
import { entryOf } from './books.ts'
import { type Evidence, judgeWhole } from './judge.ts'
import { type Played, runSeed } from './run-seed.ts'
import { lineOf, type Strike, scheduleOf } from './schedule.ts'
import type { World } from './world.ts'

const SEEDS = [8, 7]
const SPAN_MS = 2000
const QUIET_MS = 1000
/** So late that all else is told, and the run could be over, when the row shows. */
const LATE_MS = 9000

let played: readonly Played[] = []
const lateRows: string[] = []

/** At the end of the faults each world writes a row that shows late. */
const lateRow: Strike = {
  ...{ index: 99, atMs: SPAN_MS, forMs: 0, detail: {} },
  kind: {
    ...{ name: 'vcd: one row late', group: 'vcd one row late' },
    strike: ({ systems }: World) => {
      lateRows.push(systems.vcd.write({ type: 'vm/modify', org: 'acme', user: 'alice', lateMs: LATE_MS }))
    },
  },
}

beforeAll(async () => {
  const say = (note: string): never => {
    throw new Error(note)
  }
  for (const version of [NEWEST, OLDEST]) await natsBinary(version, say)
  const play = (seed: number): Promise<Played> => {
    return runSeed({ seed, spanMs: SPAN_MS, quietMs: QUIET_MS, strikes: [...scheduleOf(seed, SPAN_MS), lateRow] })
  }
  played = await Promise.all(SEEDS.map(play))
}, 240_000)

describe.each(SEEDS.map((seed, index) => ({ seed, index })))('seed $seed', ({ index }) => {
  it('loses nothing, tells nothing twice, otherwise or out of order, and leaves nothing behind', () => {
    const result = played[index]?.result
    expect(result?.wrongs, JSON.stringify(result?.faults)).toEqual([])
    expect(result?.owed).toBeGreaterThan(100)
  })
})

it('does not end before rows have shown that were late, and were told', () => {
  const owed = played.flatMap(({ evidence }) => evidence?.owed.map(one => one.lane) ?? [])
  expect(lateRows).toHaveLength(SEEDS.length)
  // That they were told, the judge says above, once they are in its books.
  expect(lateRows.filter(id => !owed.includes(id))).toEqual([])
})

it('draws the same schedule from the same seed, and another from another', () => {
  const lines = (seed: number): string[] => scheduleOf(seed, 20_000).map(lineOf)
  expect(lines(7)).toEqual(lines(7))
  expect(lines(7)).not.toEqual(lines(8))
})

describe('the judge', () => {
  const evidence = (): Evidence => {
    const first = played[0]?.evidence
    if (first === undefined) throw new Error('the first seed gave no evidence')
    return first
  }
  const at = (feed: string, label = ''): number => {
    const index = evidence().stream.findIndex(({ event }) => {
      const entry = entryOf(event as OpsEvent)
      const isDue = evidence().owed.some(one => one.due && one.lane === entry?.lane)
      return isDue && entry?.feed === feed && entry.label.startsWith(label)
    })
    if (index < 0) throw new Error(`nothing of ${feed} ${label}`)
    return index
  }
  const message = (index: number): Tapped => {
    const one = evidence().stream[index]
    if (one === undefined) throw new Error('no such message')
    return one
  }
  const eventOf = (index: number): OpsEvent => message(index).event as OpsEvent
  /** What it says of this stream in place of the real one, without what stands behind the colon. */
  const kinds = (stream: readonly Tapped[], more: Partial<Evidence> = {}): string[] =>
    judgeWhole({ ...evidence(), ...more, stream }).wrongs.map(line => line.split(':')[0] ?? '')
  const without = (index: number): Tapped[] => evidence().stream.toSpliced(index, 1)
  const again = (index: number, id: string): Tapped => ({ ...message(index), id, event: { ...eventOf(index), id } })

  const FEEDS = [
    ['fabric-a class/eventRecord', ''],
    ['fabric-a class/aaaModLR', ''],
    ['fabric-a class/faultInst', 'raised'],
    ['salt returns', ''],
    ['salt jobs', 'completed'],
    ['cloud audit', ''],
  ] as const

  it.each(FEEDS)('sees what is lost of %s %s', (feed, label) => {
    expect(kinds(without(at(feed, label)))).toContain('lost')
  })

  it.each(FEEDS)('sees what is told twice of %s %s', (feed, label) => {
    const index = at(feed, label)
    expect(kinds([...evidence().stream, again(index, 'f'.repeat(32))])).toContain('doubled')
    expect(kinds([...evidence().stream, message(index)])).toContain('doubled id')
  })

  it.each(FEEDS)('sees what is altered in %s %s', (feed, label) => {
    const owed = evidence().owed.map(one => ({
      ...one,
      said: one.feed === feed && one.label.startsWith(label) ? { ...one.said, user: 'mallory', code: 'F0' } : one.said,
    }))
    expect(kinds(evidence().stream, { owed })).toContain('altered')
  })

  it.each([
    ['fabric-a class/faultInst', 'raised'],
    ['salt jobs', 'started'],
  ])('sees another order of %s', (feed, label) => {
    const { stream } = evidence()
    const entries = stream.map(({ event }) => entryOf(event as OpsEvent))
    const first = entries.findIndex(
      (entry, index) =>
        entry?.feed === feed &&
        entry.label.startsWith(label) &&
        entries.slice(index + 1).some(other => other?.lane === entry.lane && other.label !== entry.label),
    )
    expect(first).toBeGreaterThanOrEqual(0)
    expect(kinds([...without(first), message(first)])).toContain('out of order')
  })

  it('sees audit rows of one entity in another order', () => {
    const { stream, late } = evidence()
    const rows = stream.flatMap(({ event }, index) => {
      const entry = entryOf(event as OpsEvent)
      const isPunctual = entry?.feed === 'cloud audit' && late?.has(entry.lane) === false
      return isPunctual ? [{ index, at: entry.at, key: (event as OpsEvent).partitionkey }] : []
    })
    const early = rows.find(one => rows.some(other => other.key === one.key && other.at > one.at))?.index ?? -1
    expect(kinds([...without(early), message(early)])).toContain('out of order')
  })

  it('sees what never happened, what breaks the schema, a wrong id, a wrong subject, a dead letter', () => {
    const index = at('fabric-a class/eventRecord')
    const { stream } = evidence()
    const raw = { eventRecord: { attributes: { dn: 'subj-[topology]/rec-0' } } }
    const never = { ...eventOf(index), id: 'e'.repeat(32), data: { ...eventOf(index).data, raw } }
    expect(kinds([...stream, { ...message(index), id: never.id, event: never }])).toEqual(['invented'])
    const broken = { ...message(index), event: { ...eventOf(index), severitytext: 'loud' } }
    expect(kinds(stream.with(index, broken))).toContain('not valid')
    expect(kinds(stream.with(index, { ...message(index), id: '0'.repeat(32) }))).toContain('not under its id')
    expect(kinds(stream.with(index, { ...message(index), subject: 'opswire.apic.fabric-a.event.loud' }))).toContain(
      'on a wrong subject',
    )
    expect(kinds([...stream, { ...message(index), subject: 'opswire._dead.fabric-a' }])).toEqual(['dead letter'])
  })

  it('takes a gap for an excuse only for its own feed and time, and only where one may be', () => {
    const index = at('cloud audit')
    const lost = entryOf(eventOf(index))
    const time = (ms: number): string => new Date((lost?.at ?? 0) + ms).toISOString()
    const gap = (feed: string, fromMs: number, toMs: number): Tapped => {
      const data = {
        ...{ kind: 'gap', summary: 'a gap', state: null, outcome: null, alertKey: null },
        resource: { kind: 'feed', id: 'cloud/audit' },
        gap: { feed, classes: [], from: time(fromMs), to: time(toMs), reason: 'retention', recovered: 0 },
      }
      const id = 'a'.repeat(32)
      const event = { ...eventOf(index), id, severitytext: 'major', severitynumber: 17, type: 'opswire.gap', data }
      return { ...message(index), id, subject: 'opswire.vcd.cloud.gap.major', event }
    }
    const told = (one: Tapped): string[] => kinds([...without(index), one], { mayBe: () => true })
    expect(told(gap('audit', -5000, 5000))).toEqual([])
    expect(told(gap('returns', -5000, 5000))).toEqual(['lost'])
    expect(told(gap('audit', 5000, 9000))).toEqual(['lost'])
    expect(kinds([...without(index), gap('audit', -5000, 5000)])).toEqual(['gap without a reason', 'lost'])
  })

  it('excuses no last state of an object that can still be asked for, unless the store was lost', () => {
    const { stream, owed } = evidence()
    const tenants = owed.filter(one => one.feed === 'fabric-a class/fvTenant')
    const last = tenants.findLast(
      one => one.label !== 'deleted' && tenants.filter(x => x.lane === one.lane).at(-1) === one,
    )
    const index = stream.findIndex(({ event }) => {
      const entry = entryOf(event as OpsEvent)
      return entry?.lane === last?.lane && entry?.label === last?.label
    })
    const from = new Date(last?.at ?? 0).toISOString()
    const told = (reason: string): string[] => {
      const gap = { feed: 'class/fvTenant', classes: ['fvTenant'], from, to: from, reason, recovered: 0 }
      const event = eventOf(index)
      const data = { ...event.data, kind: 'gap', state: null, resource: { kind: 'feed', id: 'fabric-a/fvTenant' }, gap }
      const id = 'b'.repeat(32)
      const told = { ...event, id, type: 'opswire.gap', severitytext: 'major', severitynumber: 17, data }
      const subject = 'opswire.apic.fabric-a.gap.major'
      return kinds([...without(index), { ...message(index), id, subject, event: told }], { mayBe: () => true })
    }
    expect(told('outage_no_history')).toEqual(['lost'])
    expect(told('state_lost')).toEqual([])
  })
})
