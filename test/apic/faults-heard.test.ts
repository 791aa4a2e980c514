/** What is remembered of a fault is what is compared, and no more. */
import { describe, expect, it } from 'vitest'
import type { Transition } from '../../src/subscribers/apic/fault-news.ts'
import { FaultsHeard } from '../../src/subscribers/apic/faults-heard.ts'
import { msOf } from '../../src/subscribers/apic/times.ts'

const AT = '2026-02-03T04:05:06.789+09:00'
const row = (atMs: number, attributes: Record<string, string>): Transition => ({
  atMs,
  change: { cls: 'faultInst', dn: 'uni/fault-F1', attributes, status: 'created' },
})

describe('the transitions heard of a fault', () => {
  it('are known by their time and state, whatever else the fault was', () => {
    const heard = new FaultsHeard()
    heard.begin('class/faultInst', 0, [])
    heard.note('uni/fault-F1', { severity: 'major', lc: 'raised', occur: '2', descr: 'x', lastTransition: AT }, 1)
    const same = row(msOf(AT), { severity: 'major', lc: 'raised', occur: '2', descr: 'y' })
    // What a row leaves empty, it does not deny.
    const silent = row(msOf(AT), { severity: 'major', lc: 'raised', occur: '' })
    const other = row(msOf(AT), { severity: 'minor', lc: 'raised', occur: '2' })
    expect(heard.unheard('class/faultInst', 'uni/fault-F1', [same, silent, other])).toEqual([other])
    expect(heard.unheard('class/faultInst', 'uni/fault-F1', [other])).toEqual([])
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
