/** What is remembered of a fault is what is compared, and no more. */
import { describe, expect, it } from 'vitest'
import type { Transition } from '../../src/subscribers/apic/fault-news.ts'
import { FaultsHeard } from '../../src/subscribers/apic/faults-heard.ts'
import { msOf } from '../../src/subscribers/apic/times.ts'

const AT = '2026-02-03T04:05:06.789+09:00'
const row = (atMs: number, attributes: Record<string, string>): Transition => ({
  atMs,
  change: {
    cls: 'faultInst',
    dn: 'uni/fault-F1',
    attributes: { dn: 'uni/fault-F1', ...attributes },
    status: 'created',
  },
})

const FEED = 'class/faultInst'
const DN = 'uni/fault-F1'
const stateOf = (severity: string, ms: number): Record<string, string> => {
  const lc = severity === 'cleared' ? 'retaining' : 'raised'
  return { dn: DN, severity, lc, occur: '1', lastTransition: new Date(ms).toISOString() }
}
const step = (severity: string, ms: number): Transition => row(ms, stateOf(severity, ms))
const gone = (atMs: number): Transition => ({
  atMs,
  change: { cls: 'faultInst', dn: DN, attributes: { dn: DN }, status: 'deleted' },
})
const note = (heard: FaultsHeard, severity: string, ms: number): void => heard.note(DN, stateOf(severity, ms), ms)

describe('the transitions heard of a fault', () => {
  it('are known by their time and state, whatever else the fault was', () => {
    const heard = new FaultsHeard()
    heard.begin('class/faultInst', 0, [])
    heard.note('uni/fault-F1', { severity: 'major', lc: 'raised', occur: '2', descr: 'x', lastTransition: AT }, 1)
    const same = row(msOf(AT), { severity: 'major', lc: 'raised', occur: '2', descr: 'y' })
    // What a row leaves empty, it does not deny.
    const silent = row(msOf(AT), { severity: 'major', lc: 'raised', occur: '' })
    const other = row(msOf(AT), { severity: 'minor', lc: 'raised', occur: '2' })
    expect(heard.unheard('class/faultInst', 'uni/fault-F1', [same, other])).toEqual([other])
    expect(heard.unheard('class/faultInst', 'uni/fault-F1', [silent, other])).toEqual([])
  })

  it('stand for one row each, and the nearest, however often it flapped', () => {
    const heard = new FaultsHeard()
    heard.begin(FEED, 0, [])
    note(heard, 'minor', 1000)
    note(heard, 'major', 1300)
    const rows = [
      step('minor', 1005),
      step('major', 1305),
      step('minor', 1505),
      step('major', 1805),
      step('minor', 2005),
    ]
    note(heard, 'minor', 2000)
    expect(heard.unheard(FEED, DN, rows.slice(0, 4), rows)).toEqual([rows[2], rows[3]])
    expect(heard.unheard(FEED, DN, rows.slice(0, 4), rows)).toEqual([])
  })

  it('leave no row over because the clock of the log is off', () => {
    const heard = new FaultsHeard()
    heard.begin(FEED, 0, [])
    const times = [10_000, 10_900, 11_800, 12_700, 13_600]
    for (const [index, ms] of times.entries()) note(heard, index % 2 === 0 ? 'minor' : 'major', ms)
    const rows = times.map((ms, index) => step(index % 2 === 0 ? 'minor' : 'major', ms + 1900))
    expect(heard.unheard(FEED, DN, rows)).toEqual([])
  })

  it('are not taken from the row of their very time, though that could have one whose row is not there yet', () => {
    const heard = new FaultsHeard()
    heard.begin(FEED, 0, [])
    note(heard, 'minor', 1000)
    note(heard, 'critical', 2000)
    note(heard, 'minor', 2600)
    const [lost, then, told] = [step('minor', 500), step('major', 800), step('minor', 1000)]
    expect(heard.unheard(FEED, DN, [lost, then, told])).toEqual([lost, then])
  })

  it('are not more for what else changes of the fault, nor for what was told of the log', () => {
    const heard = new FaultsHeard()
    const first = step('minor', 1000)
    note(heard, 'minor', 1000)
    note(heard, 'minor', 1000)
    heard.begin(FEED, 0, [first])
    note(heard, 'minor', 990)
    const [second, third] = [step('major', 1200), step('minor', 1400)]
    expect(heard.unheard(FEED, DN, [first, second, third])).toEqual([second, third])
  })

  it.each([0, 10])('are one, when what was read at the beginning is then told (the log %i ms later)', lateMs => {
    const heard = new FaultsHeard()
    const rows = [
      step('minor', 1500 + lateMs),
      step('major', 1900 + lateMs),
      step('minor', 2200 + lateMs),
      step('critical', 2500 + lateMs),
    ]
    heard.begin(FEED, 0, rows.slice(0, 1), 1600)
    note(heard, 'minor', 1500)
    note(heard, 'major', 1900)
    note(heard, 'critical', 2500)
    expect(heard.unheard(FEED, DN, rows.slice(0, 3), rows)).toEqual([rows[2]])
  })

  it('begin with the last of an earlier process, whose row may be dated later and show only now', () => {
    const heard = new FaultsHeard()
    heard.inherit([{ dn: DN, atMs: 1000, state: stateOf('minor', 1000) }], 1000)
    heard.begin(FEED, 0, [], 1100)
    note(heard, 'minor', 1000)
    note(heard, 'critical', 2000)
    const rows = [step('minor', 1020), step('major', 1320), step('minor', 1620), step('critical', 2020)]
    expect(heard.unheard(FEED, DN, rows.slice(0, 3), rows)).toEqual(rows.slice(1, 3))
  })

  it('are not those that only another feed read when it began', () => {
    const heard = new FaultsHeard()
    heard.begin(FEED, 0, [])
    note(heard, 'minor', 1000)
    note(heard, 'critical', 1600)
    const rows = [step('minor', 1010), step('major', 1310), step('critical', 1610)]
    heard.begin('class/faultInfo', 0, rows, 1700)
    expect(heard.unheard(FEED, DN, rows.slice(0, 2), rows)).toEqual([rows[1]])
  })

  it('and none is counted twice, where another feed read what one had heard', () => {
    const heard = new FaultsHeard()
    heard.begin(FEED, 0, [])
    note(heard, 'minor', 1000)
    const first = step('minor', 1010)
    heard.begin('class/faultInfo', 0, [first], 1100)
    note(heard, 'major', 1300)
    note(heard, 'critical', 1900)
    const rows = [first, step('major', 1310), step('minor', 1610), step('critical', 1910)]
    expect(heard.unheard('class/faultInfo', DN, rows.slice(0, 3), rows)).toEqual([rows[2]])
  })

  it('are compared with the rows near them, of thousands', () => {
    const heard = new FaultsHeard()
    heard.begin(FEED, 0, [])
    const most = 4000
    let reads = 0
    const counted = (one: Transition): Transition => ({
      ...one,
      get atMs() {
        reads++
        return one.atMs
      },
    })
    const rows: Transition[] = []
    for (let index = 1; index <= most; index++) {
      const ms = index * 1000
      const isGone = index % 2 === 0
      if (isGone) heard.note(DN, undefined, ms)
      else note(heard, 'minor', ms)
      rows.push(counted(isGone ? gone(ms - 5) : step('minor', ms + 5)))
    }
    expect(heard.unheard(FEED, DN, rows)).toEqual([])
    expect(reads).toBeLessThan(most * 1000)
  })

  it('count the end of what was over for no end of what had come again', () => {
    const heard = new FaultsHeard()
    heard.begin(FEED, 0, [])
    heard.note(DN, stateOf('cleared', 1000), 1000)
    heard.note(DN, undefined, 1400, true)
    const [over, again, end] = [step('cleared', 1000), step('minor', 1200), gone(1395)]
    expect(heard.unheard(FEED, DN, [over, again, end])).toEqual([again, end])
    expect(heard.unheard(FEED, DN, [over, end])).toEqual([])
  })

  it('close what is over by its last step or by its end, but only one life', () => {
    const heard = new FaultsHeard()
    heard.begin(FEED, 0, [])
    note(heard, 'minor', 1000)
    heard.note(DN, undefined, 1401)
    const life = [step('minor', 1000), step('cleared', 1200), gone(1400)]
    expect(heard.unheard(FEED, DN, life)).toEqual([])
    const next = [step('minor', 1600), step('cleared', 1800), gone(1900)]
    expect(heard.unheard(FEED, DN, [...life, ...next])).toEqual(next.slice(0, 2))
  })

  it('are dated by the fabric where it says so, else by who heard of them', () => {
    const heard = new FaultsHeard()
    heard.begin('class/faultInst', 0, [])
    heard.note('uni/fault-F1', { severity: 'major', lc: 'raised', occur: '1', lastTransition: 'never' }, msOf(AT))
    const known = row(msOf(AT), { severity: 'major', lc: 'raised', occur: '1' })
    expect(heard.unheard('class/faultInst', 'uni/fault-F1', [known])).toEqual([])
  })
})

describe('msOf', () => {
  it('reads each time by itself, also by turns', () => {
    const times = [AT, '2026-02-03T04:05:06Z', 'never', '', undefined, 'no time', AT, '2026-02-03T04:05:06Z', AT]
    expect(times.map(msOf)).toEqual(times.map(text => Date.parse(text ?? '')))
  })
})
