import { expect, test } from 'vitest'
import type { Happening } from '../../src/report.ts'
import { Lateness } from '../../src/subscribers/apic/lateness.ts'
import { ManualClock } from '../support/manual-clock.ts'

function rig(signal = new AbortController().signal) {
  const clock = new ManualClock()
  const happenings: Happening[] = []
  const late = new Lateness({ source: 'fabric-a', clock, report: happening => happenings.push(happening), signal })
  return { clock, late, happenings }
}

const told = (feed: string, seconds: number) => ({ type: 'feed_late', source: 'fabric-a', feed, seconds })

test('a burst of 20,000 pushed records is one report a feed, of the latest', async () => {
  const { clock, late, happenings } = rig()
  for (let number = 0; number < 20_000; number++) late.note('class/eventRecord', 100_000 - (number % 7000), 100_000)
  late.note('class/aaaModLR', 99_500, 100_000)
  expect(happenings).toEqual([])
  await clock.advance(1000)
  expect(happenings).toEqual([told('class/eventRecord', 6.999), told('class/aaaModLR', 0.5)])
  // A quiet fabric costs no timer.
  expect(clock.waiting).toBe(0)
  await clock.advance(60_000)
  late.note('class/aaaModLR', 99_900, 100_000)
  await clock.advance(1000)
  expect(happenings.slice(2)).toEqual([told('class/aaaModLR', 0.1)])
})

test('a record from a clock that is ahead is not late, one without a time says nothing', async () => {
  const { clock, late, happenings } = rig()
  late.note('a', 200_000, 100_000)
  late.note('b', Number.NaN, 100_000)
  await clock.advance(1000)
  expect(happenings).toEqual([told('a', 0)])
})

test('what waits is told when the session ends, and no timer is left', () => {
  const ending = new AbortController()
  const { clock, late, happenings } = rig(ending.signal)
  late.note('a', 99_000, 100_000)
  ending.abort()
  expect(happenings).toEqual([told('a', 1)])
  late.note('a', 98_000, 100_000)
  expect(clock.waiting).toBe(0)
})
