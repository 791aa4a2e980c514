import { hash } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { Ids, REMEMBER_AT_LEAST_MS } from '../../src/store/ids.ts'
import { Pen } from '../../src/store/pen.ts'
import { migrate } from '../../src/store/schema.ts'

const HOUR = 3_600_000
const DAY = REMEMBER_AT_LEAST_MS
const RUN = 100

function idOf(number: number): Buffer {
  return Buffer.from(hash('sha256', `id ${number}`, 'hex').slice(0, 32), 'hex')
}

/** Ids on a database of their own, each call one transaction. */
function memory() {
  const database = new DatabaseSync(':memory:')
  migrate(database, 0)
  let ids = new Ids(new Pen(database), RUN)
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
      ids.seal(ageMs, floor)
      ids.adopt()
      return fresh
    },
    discard(first: number, count: number): void {
      database.exec('BEGIN')
      for (let number = first; number < first + count; number++) ids.take(idOf(number), 0, ageMs, ++seq)
      ids.seal(ageMs, floor)
      database.exec('ROLLBACK')
      ids.discard()
    },
    forget(): number {
      let runs = 0
      for (; ids.forget(ageMs, floor); runs++) ids.adopt()
      return runs
    },
    restart(): void {
      ids = new Ids(new Pen(database), RUN)
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
    expect([known.ids.recent, known.ids.runs, known.rows('recent_ids')]).toEqual([60, 0, 60])
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
    expect(known.rows('recent_ids')).toBeLessThan(2 * RUN)
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
})
