/** Facts as bytes: what they keep in memory while they wait, and that a batch of both kinds is one order. */
import { afterEach, expect, it } from 'vitest'
import { type Fact, gapFact, makeFact } from '../../src/event.ts'
import type { Happening } from '../../src/report.ts'
import { openStore } from '../../src/store/open.ts'
import type { SqliteStore } from '../../src/store/store.ts'
import { Intake } from '../../src/subscribers/intake.ts'
import { speller, takenDown } from '../../src/subscribers/spelt.ts'
import { ManualClock } from '../support/manual-clock.ts'

const ref = { system: 'apic', name: 'fabric-a' } as const
const TIME = '2026-02-03T04:05:06.789Z'

function fact(text: string, origin: Fact['origin'] = 'live'): Fact {
  const resource = { kind: 'node', id: text }
  const data = { kind: 'event', summary: text, state: null, outcome: null, alertKey: null, resource } as const
  const draft = { family: 'eventRecord', key: [text], type: 'apic.event.recorded', subject: text, partitionkey: text }
  return makeFact(ref, { ...draft, severity: 'info', origin, data })
}

let store: SqliteStore | undefined

afterEach(async () => {
  await store?.close()
  store = undefined
})

it('bodies that wait keep little more memory than their own, whatever else is read meanwhile', () => {
  const spell = speller(ref)
  const answer = Buffer.alloc(2000)
  const bodies = Array.from({ length: 200 }, (_, number) => {
    const body = takenDown(spell(fact(String(number))), 0, TIME).body
    // As the answers to polls are put together: 64 KiB of them between one event and the next.
    for (let read = 0; read < 33; read++) Buffer.concat([answer])
    return body
  })
  const bytes = bodies.reduce((sum, body) => sum + body.length, 0)
  const kept = [...new Set(bodies.map(({ buffer }) => buffer))].reduce((sum, { byteLength }) => sum + byteLength, 0)
  expect(kept).toBeLessThan(2 * bytes + 128 * 1024)
})

it('bodies of every length are whole, and no two of them share a byte', () => {
  const spell = speller(ref)
  const texts = [1, 7000, 70_000, 8000, 3, 20_000, 8100, 9, 7900].map(length => 'ü\ud834"'.repeat(length / 3 + 1))
  const facts = texts.map(text => fact(text))
  // All of them are spelt out before the first one is taken down, as in the outbox.
  const spelt = facts.map(spell)
  const told = spelt.map(one => takenDown(one, 0, TIME))
  expect(told.map(({ body }) => Buffer.from(body).toString('utf8'))).toEqual(
    facts.map(one => JSON.stringify({ ...one, recordedtime: TIME })),
  )
})

it('a batch of facts and of what is spelt out already is stored, and told, in that order', async () => {
  const clock = new ManualClock()
  const happenings: Happening[] = []
  const report = (happening: Happening): void => {
    happenings.push(happening)
  }
  const limits = { maxBytes: 1024 ** 3, retainAckedMs: 0, maxDeadLetters: 10 }
  store = await openStore({ stateDir: undefined, ...limits, clock, report })
  const intake = new Intake({ ref, store, clock, report, overdraft: true })
  const { signal } = new AbortController()
  const known = fact('known')
  const gap = gapFact(ref, { feed: 'x', classes: [], from: null, to: TIME, reason: 'paused', recovered: 0 })
  await intake.take({ feed: 'x', facts: [known] }, signal)
  happenings.length = 0
  const fresh: number[] = []
  await intake.take(
    {
      feed: 'x',
      facts: [fact('first', 'resync'), known],
      spelt: [known, gap, fact('last', 'resync')].map(intake.spell),
      countRecovered: true,
      appended: places => fresh.push(...places),
    },
    signal,
  )
  expect(fresh).toEqual([0, 3, 4])
  const stored = store.read(0, 10).map(({ body }) => JSON.parse(Buffer.from(body).toString('utf8')) as Fact)
  expect(stored.map(({ data }) => data.summary)).toEqual(['known', 'first', gap.data.summary, 'last'])
  expect(happenings).toMatchObject([
    { type: 'appended', duplicates: 2, facts: [{ subject: 'first' }, { subject: 'x' }, { subject: 'last' }] },
    { type: 'feed_recovered', count: 2 },
    { type: 'gap', reason: 'paused', summary: gap.data.summary },
  ])
})
