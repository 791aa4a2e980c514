import { hash } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Filters, filterOf, PROBES, wordsOf } from '../../src/store/id-filters.ts'
import { IdTable } from '../../src/store/id-table.ts'
import { Ids, idsOf, REMEMBER_AT_LEAST_MS } from '../../src/store/ids.ts'
import { Pen } from '../../src/store/pen.ts'
import { migrate } from '../../src/store/schema.ts'

const HOUR = 3_600_000
const DAY = REMEMBER_AT_LEAST_MS
const RUN = 100

function idOf(number: number): Buffer {
  return Buffer.from(hash('sha256', `id ${number}`, 'hex').slice(0, 32), 'hex')
}

/** Ids on a database of their own, each call one transaction. */
function memory(runSize = RUN) {
  const database = new DatabaseSync(':memory:')
  migrate(database, 0)
  let ids = new Ids(new Pen(database), runSize)
  let seq = 0
  let ageMs = 0
  let floor = Number.MAX_SAFE_INTEGER
  return {
    get ids() {
      return ids
    },
    at(age: number) {
      ageMs = age
    },
    floorAt(value: number) {
      floor = value
    },
    /** Numbers of those that were new. */
    take(first: number, count: number, rememberMs = 0): number[] {
      const numbers = Array.from({ length: count }, (_, index) => first + index)
      const fresh = numbers.filter(number => ids.take(idOf(number), rememberMs, ageMs, ++seq))
      ids.write(ageMs, floor)
      ids.adopt()
      return fresh
    },
    discard(first: number, count: number): void {
      database.exec('BEGIN')
      for (let number = first; number < first + count; number++) ids.take(idOf(number), 0, ageMs, ++seq)
      ids.write(ageMs, floor)
      database.exec('ROLLBACK')
      ids.discard()
    },
    forget(): number {
      let runs = 0
      for (; ids.forget(ageMs, floor); runs++) ids.adopt()
      return runs
    },
    restart(): void {
      ids = new Ids(new Pen(database), runSize)
    },
    rows(table: string): number {
      return Number(database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n'])
    },
  }
}

describe('known ids', () => {
  it('are known while recent, once sealed, and after a restart of either', () => {
    const known = memory()
    for (let first = 0; first < 1000; first += 30) known.take(first, 30)
    expect(known.ids.runs).toBeGreaterThan(5)
    expect(known.ids.recent).toBeGreaterThan(0)
    expect(known.take(0, 1000)).toEqual([])
    known.restart()
    expect(known.take(0, 1000)).toEqual([])
    expect(known.take(1020, 5)).toEqual([1020, 1021, 1022, 1023, 1024])
  })

  it('of a transaction that did not happen are not known', () => {
    const known = memory()
    known.take(0, 50)
    known.discard(50, 200)
    expect(known.take(0, 60)).toEqual([50, 51, 52, 53, 54, 55, 56, 57, 58, 59])
    expect([known.ids.recent, known.ids.runs, known.rows('recent_ids')]).toEqual([60, 0, 2])
  })

  it('are kept for a day at least, for as long as was asked, and then forgotten whole', () => {
    const known = memory()
    known.take(0, RUN)
    known.take(1000, RUN, 10 * DAY)
    known.at(DAY - 1)
    expect(known.forget()).toBe(0)
    expect(known.ids.nextExpiryMs(Number.MAX_SAFE_INTEGER)).toBe(DAY)
    known.at(DAY)
    expect(known.forget()).toBe(1)
    expect(known.take(0, RUN)).toHaveLength(RUN)
    expect(known.take(1000, RUN)).toEqual([])
    known.at(10 * DAY)
    expect(known.forget()).toBe(2)
    expect([known.rows('id_runs'), known.rows('id_chunks'), known.rows('recent_ids')]).toEqual([0, 0, 0])
  })

  it('of long and of short memory are not sealed together', () => {
    const known = memory()
    known.take(0, RUN / 2, 60 * DAY)
    known.take(1000, RUN / 2)
    expect(known.ids.runs).toBe(2)
    known.at(DAY)
    expect(known.forget()).toBe(1)
    expect(known.take(0, RUN / 2)).toEqual([])
  })

  it('that are told again are remembered anew before they would be forgotten', () => {
    const known = memory()
    known.take(0, RUN)
    for (let age = 0; age <= 10 * DAY; age += 6 * HOUR) {
      known.at(age)
      known.forget()
      expect(known.take(0, 10)).toEqual([])
    }
    expect(known.take(10, RUN - 10)).toHaveLength(RUN - 10)
    expect(known.ids.recent).toBeLessThan(RUN)
  })

  it('of events that still wait to be delivered are never forgotten', () => {
    const known = memory()
    known.take(0, RUN)
    known.at(5 * DAY)
    known.floorAt(RUN - 1)
    expect(known.forget()).toBe(0)
    expect(known.ids.nextExpiryMs(RUN - 1)).toBeUndefined()
    known.floorAt(RUN)
    expect(known.forget()).toBe(1)
  })

  it('whatever happens to them: none within its time is new again, and none is known that never came', () => {
    const number = fc.nat({ max: 400 })
    const step = fc.oneof(
      { weight: 8, arbitrary: fc.record({ first: number, count: fc.integer({ min: 1, max: 30 }), days: fc.nat(3) }) },
      { weight: 2, arbitrary: fc.record({ first: number, discarded: fc.integer({ min: 1, max: 60 }) }) },
      { weight: 2, arbitrary: fc.record({ hours: fc.nat(9) }) },
      { weight: 1, arbitrary: fc.constant({ restart: true }) },
    )
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 200 }), steps => {
        const known = memory(8)
        const until = new Map<number, number>()
        let ageMs = 0
        for (const one of steps) {
          if ('restart' in one) known.restart()
          else if ('discarded' in one) known.discard(one.first, one.discarded)
          else if ('hours' in one) {
            ageMs += one.hours * HOUR
            known.at(ageMs)
            known.forget()
          } else {
            const fresh = new Set(known.take(one.first, one.count, one.days * DAY))
            for (let taken = one.first; taken < one.first + one.count; taken++) {
              const end = until.get(taken)
              if (end === undefined) expect(fresh).toContain(taken)
              else if (end > ageMs) expect(fresh).not.toContain(taken)
              // What is known and would soon be forgotten is remembered anew: after each telling for half the time at least.
              until.set(taken, Math.max(end ?? 0, ageMs + Math.max(DAY, one.days * DAY) / (fresh.has(taken) ? 1 : 2)))
            }
          }
        }
      }),
    )
  })
})

it('filters of many runs tell of each id which runs may hold it, also when runs come and go', () => {
  const filters = new Filters<number>()
  const wordsIn = (run: number) => Array.from({ length: 50 }, (_, index) => wordsOf(idOf(run * 100 + index)))
  const held = new Set<number>()
  const add = (run: number): void => {
    held.add(run)
    filters.add(run, filterOf(wordsIn(run)), PROBES)
  }
  const look = (): void => {
    for (let run = 0; run < 100; run++) {
      for (const words of wordsIn(run)) {
        const found = filters.find(words)
        expect(found.includes(run)).toBe(held.has(run))
        expect(new Set(found).size).toBe(found.length)
        // What was never held, or no more, is hardly ever taken for a run's; a filter of zeros would say so for all.
        expect(found.filter(one => !held.has(one))).toEqual([])
      }
    }
  }
  for (let run = 0; run < 70; run++) add(run)
  look()
  for (let run = 0; run < 70; run += 3) {
    held.delete(run)
    filters.remove(run)
  }
  look()
  for (let run = 70; run < 100; run++) add(run)
  look()
  const unknown = Array.from({ length: 2000 }, (_, index) => filters.find(wordsOf(idOf(50_000 + index))).length)
  // 77 runs by 2000 ids, one in 1700: some 90.
  expect(unknown.reduce((sum, one) => sum + one, 0)).toBeLessThan(300)
})

it('a table of ids takes back what was set last, and nothing else, however often it grows', () => {
  const step = fc.record({ ids: fc.array(fc.nat(2000), { maxLength: 700 }), keep: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), steps => {
      const table = new IdTable()
      let kept = new Map<number, number>()
      let mark = 0
      for (const { ids, keep } of steps) {
        const next = new Map(kept)
        for (const id of ids) {
          table.set(wordsOf(idOf(id)), ++mark)
          next.set(id, mark)
        }
        expect(ids.map(id => table.get(wordsOf(idOf(id))))).toEqual(ids.map(id => next.get(id)))
        if (keep) table.keep()
        else table.takeBack()
        kept = keep ? next : kept
        expect(table.size).toBe(kept.size)
        for (const id of ids) expect(table.get(wordsOf(idOf(id)))).toBe(kept.get(id) ?? 0)
      }
      const held = [...table.entries()].map(([words, number]) => [String(words), number])
      expect(new Map(held as [string, number][])).toEqual(
        new Map([...kept].map(([id, number]) => [String(wordsOf(idOf(id))), number])),
      )
    }),
    { numRuns: 40 },
  )
})

it.each(['', 'ab', 'g'.repeat(32), `${'a'.repeat(30)}gg`, 'a'.repeat(31), 'a'.repeat(34), 'ä'.repeat(32)])(
  'an id is 32 hex digits, and not "%s"',
  id => {
    expect(() => idsOf([{ id: 'b'.repeat(32) }, { id }])).toThrow(`not an event id, which is 32 hex digits: ${id}`)
    expect(idsOf([{ id: '0123456789abcdefABCDEF0011223344' }])[0]?.toString('hex')).toMatch(/^0123456789abcdefabcdef/)
  },
)
