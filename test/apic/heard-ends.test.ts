/** Which row of its log an end of a fault is: it has no time of its own, and may be heard of late. */
import { describe, expect, it } from 'vitest'
import type { Transition } from '../../src/subscribers/apic/fault-news.ts'
import { FaultsHeard } from '../../src/subscribers/apic/faults-heard.ts'

const FEED = 'class/faultInst'
const DN = 'uni/fault-F1'
const stateOf = (severity: string, ms: number): Record<string, string> => {
  const lc = severity === 'cleared' ? 'retaining' : 'raised'
  return { dn: DN, severity, lc, occur: '1', lastTransition: new Date(ms).toISOString() }
}
const step = (severity: string, ms: number): Transition => ({
  atMs: ms,
  change: { cls: 'faultInst', dn: DN, attributes: stateOf(severity, ms), status: 'created' },
})
/** With the fault's own time in it. */
const whole = (severity: string, ms: number, createdMs = ms): Transition => ({
  ...step(severity, ms),
  ...{ isOwn: true, createdMs },
})
const gone = (atMs: number): Transition => ({
  atMs,
  change: { cls: 'faultInst', dn: DN, attributes: { dn: DN }, status: 'deleted' },
})
const note = (heard: FaultsHeard, severity: string, ms: number): void => heard.note(DN, stateOf(severity, ms), ms)
const noteEnd = (heard: FaultsHeard, heardMs: number): void => heard.note(DN, undefined, heardMs)
const begun = (): FaultsHeard => {
  const heard = new FaultsHeard()
  heard.begin(FEED, 0, [])
  return heard
}

describe('an end that was heard', () => {
  /** What the next process knows. */
  const inherited = (heard: FaultsHeard, atMs: number): FaultsHeard => {
    const object = { key: DN, family: 'faultInst', version: '', attributes: {} }
    const { trace } = heard.traced({ key: DN, object }).object ?? {}
    const next = new FaultsHeard()
    next.inherit([{ dn: DN, atMs, state: stateOf('minor', atMs), trace }], atMs + 1000, new Map([[FEED, 0]]))
    return next
  }
  /** Of the third life, which began at 1900, the end is lost. Those before it were held back, and heard together. */
  const heldBack = (): FaultsHeard => {
    const heard = begun()
    note(heard, 'minor', 1000)
    noteEnd(heard, 2600)
    note(heard, 'minor', 1500)
    noteEnd(heard, 2600)
    note(heard, 'minor', 1900)
    note(heard, 'minor', 2700)
    return heard
  }
  const ROWS = [
    ...[step('minor', 1000), gone(1300), step('minor', 1500), gone(1700)],
    ...[step('minor', 1900), gone(2550), step('minor', 2700)],
  ]

  it('is not that of a later life, though its own row is before what was read', () => {
    const heard = begun()
    note(heard, 'minor', 1000)
    noteEnd(heard, 1500)
    for (const ms of [1700, 2300, 2900]) note(heard, 'minor', ms)
    const lost = [gone(2000), gone(2600)]
    const rows = [whole('minor', 1700), gone(2000), whole('minor', 2300), gone(2600), whole('minor', 2900)]
    expect(heard.unheard(FEED, DN, rows)).toEqual(lost)
  })

  it('is not the first in the log, which was written after the next life had begun', () => {
    const heard = begun()
    note(heard, 'minor', 1000)
    noteEnd(heard, 1500)
    note(heard, 'minor', 1700)
    note(heard, 'minor', 2300)
    const rows = [gone(2000), whole('minor', 2300)]
    expect(heard.unheard(FEED, DN, rows)).toEqual([gone(2000)])
    // Unless the log is written late.
    const late = begun()
    note(late, 'minor', 1000)
    noteEnd(late, 1500)
    note(late, 'minor', 1700)
    expect(late.unheard(FEED, DN, [gone(1900), whole('minor', 1700, 2100)])).toEqual([])
  })

  it('late is that of the life in which it was heard, and not the nearest', () => {
    expect(heldBack().unheard(FEED, DN, ROWS.slice(0, -1), ROWS)).toEqual([ROWS[5]])
  })

  it('late is that of its life also for the next process, and after something was announced', () => {
    const heard = heldBack()
    expect(inherited(heard, 2700).unheard(FEED, DN, ROWS.slice(0, -1), ROWS)).toEqual([ROWS[5]])
    heard.unheard(FEED, DN, ROWS.slice(0, -1), ROWS)
    noteEnd(heard, 3400)
    note(heard, 'minor', 3100)
    const rows = [...ROWS, gone(2900), step('minor', 3100), gone(3300), step('minor', 3500)]
    note(heard, 'minor', 3500)
    const next = inherited(heard, 3500)
    for (const one of [heard, next]) expect(one.unheard(FEED, DN, rows.slice(0, -1), rows)).toEqual([rows.at(-2)])
  })

  it('late is not the last step of the next life', () => {
    const heard = begun()
    note(heard, 'minor', 1000)
    noteEnd(heard, 1900)
    note(heard, 'minor', 1500)
    note(heard, 'minor', 2100)
    const rows = [
      ...[step('minor', 1000), gone(1300), step('minor', 1500), step('cleared', 1800), gone(2000)],
      step('minor', 2100),
    ]
    expect(heard.unheard(FEED, DN, rows.slice(0, -1), rows)).toEqual([rows[3]])
  })

  it('is one of those between its steps, where a life was lost: the nearest', () => {
    const heard = begun()
    note(heard, 'minor', 1000)
    noteEnd(heard, 1905)
    note(heard, 'minor', 2100)
    const rows = [whole('minor', 1000), gone(1300), whole('minor', 1500), gone(1900), whole('minor', 2100)]
    expect(heard.unheard(FEED, DN, rows.slice(0, -1), rows)).toEqual([rows[1], rows[2]])
  })

  it('by a comparison, minutes later, is that of its life', () => {
    const heard = begun()
    note(heard, 'minor', 1000)
    noteEnd(heard, 200_000)
    note(heard, 'minor', 201_000)
    const rows = [whole('minor', 1000), gone(1300), whole('minor', 201_000)]
    expect(heard.unheard(FEED, DN, rows.slice(0, -1), rows)).toEqual([])
  })

  it.each([1900, -1900])('is found also where the clock of the log is off by %i ms', offMs => {
    const heard = begun()
    const rows: Transition[] = []
    for (let ms = 10_000; ms < 14_000; ms += 600) {
      note(heard, 'minor', ms)
      noteEnd(heard, ms + 310)
      rows.push(step('minor', ms + offMs), gone(ms + 300 + offMs))
    }
    expect(heard.unheard(FEED, DN, rows)).toEqual([])
  })

  it.each([0, 40, 700])('is found where records of ends are written %i ms late', lateMs => {
    const heard = begun()
    const rows: Transition[] = []
    for (let ms = 10_000; ms < 14_000; ms += 200) {
      note(heard, 'minor', ms)
      if (ms !== 12_000) noteEnd(heard, ms + 100)
      rows.push(whole('minor', ms, ms + lateMs), gone(ms + 100 + lateMs))
    }
    const lost = gone(12_100 + lateMs)
    expect(heard.unheard(FEED, DN, rows)).toEqual([lost])
  })

  it('is found where the clock of the fabric was set back', () => {
    const heard = begun()
    note(heard, 'minor', 100_000)
    noteEnd(heard, 100_500)
    note(heard, 'minor', 40_000)
    noteEnd(heard, 40_500)
    const rows = [whole('minor', 40_000), gone(40_400), whole('minor', 100_000), gone(100_400)]
    expect(heard.unheard(FEED, DN, rows)).toEqual([])
  })

  it('is looked for among those near it, of thousands', () => {
    const heard = begun()
    const most = 10_000
    let reads = 0
    const counted = (one: Transition): Transition => ({
      ...one,
      get atMs() {
        reads++
        return one.atMs
      },
    })
    const rows: Transition[] = []
    for (let index = 1; index <= most / 2; index++) {
      const ms = index * 100
      note(heard, 'minor', ms)
      if (index % 10 > 0) noteEnd(heard, ms + 1500)
      rows.push(counted(whole('minor', ms)), counted(gone(ms + 50)))
    }
    expect(heard.unheard(FEED, DN, rows).length).toBe(most / 20)
    expect(reads).toBeLessThan(most * 1000)
  })
})

describe('a state that was known before the log was read', () => {
  it.each([whole, step])('is not the row of one like it within two seconds', rowOf => {
    const heard = new FaultsHeard()
    heard.begin(FEED, 1100, [])
    note(heard, 'minor', 1000)
    noteEnd(heard, 1200)
    note(heard, 'major', 2000)
    const rows = [gone(1200), rowOf('minor', 1411), gone(1530), rowOf('major', 2000)]
    expect(heard.unheard(FEED, DN, rows.slice(0, -1), rows)).toEqual(rows.slice(1, 3))
  })
})

it('a step that was told with the count from before is not the one before, which was lost', () => {
  const heard = begun()
  note(heard, 'minor', 1000)
  // What is pushed is the severity, the life cycle and the time.
  note(heard, 'cleared', 1800)
  note(heard, 'major', 2000)
  const counted = (one: Transition): Transition => {
    const attributes = { ...one.change.attributes, occur: '2' }
    return { ...one, change: { ...one.change, attributes } }
  }
  const rows = [step('minor', 1000), step('cleared', 1750), counted(step('minor', 1770))]
  rows.push(counted(step('cleared', 1800)), step('major', 2000))
  expect(heard.unheard(FEED, DN, rows.slice(0, -1), rows)).toEqual(rows.slice(1, 4))
})
