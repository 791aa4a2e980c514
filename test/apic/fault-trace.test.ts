/** What is kept with a fault of what was heard of it. */
import { describe, expect, it } from 'vitest'
import type { Transition } from '../../src/subscribers/apic/fault-news.ts'
import { leftOut, readTrace, traceOf } from '../../src/subscribers/apic/fault-trace.ts'
import { FaultsHeard } from '../../src/subscribers/apic/faults-heard.ts'
import { heardOf, heardOfRow } from '../../src/subscribers/apic/heard-steps.ts'

const DN = 'topology/pod-1/node-101/sys/fault-F1394'
const AT_MS = Date.parse('2026-11-29T10:00:00.123Z')
const state = (severity: string, atMs = AT_MS) => ({
  severity,
  lc: 'raised',
  occur: '3',
  lastTransition: new Date(atMs).toISOString(),
})
const object = { key: DN, family: 'faultInst', version: '', attributes: {} }

describe('the trace of a fault', () => {
  it('names steps and ends, in their order', () => {
    const heard = [
      heardOf(DN, state('minor'), 0),
      heardOf(DN, undefined, AT_MS + 5),
      heardOf(DN, { severity: 'major', lc: 'soaking' }, AT_MS + 7),
      heardOf(DN, undefined, AT_MS + 9, true),
    ]
    const text = heard.map(traceOf).join('')
    expect(readTrace(DN, text)).toEqual({ fromMs: Number.NEGATIVE_INFINITY, steps: heard })
    expect(text.length).toBeLessThan(120)
  })

  it('tells the times of the fault from those of a row, and of hearing', () => {
    const row = (status: 'created' | 'deleted') => ({
      atMs: AT_MS + 3,
      change: { cls: 'faultInst', dn: DN, attributes: status === 'created' ? state('major', AT_MS + 3) : {}, status },
    })
    const heard = [
      heardOfRow(row('created'), undefined),
      heardOfRow(row('deleted'), undefined),
      heardOf(DN, { severity: 'major', lc: 'soaking' }, AT_MS + 7),
    ]
    expect(heard.map(({ timeOf }) => timeOf)).toEqual(['row', 'row', 'hearing'])
    expect(readTrace(DN, heard.map(traceOf).join('')).steps).toEqual(heard)
  })

  it('says from when on it is whole', () => {
    expect(readTrace(DN, leftOut(AT_MS) + traceOf(heardOf(DN, state('minor'), 0)))).toMatchObject({
      fromMs: AT_MS,
      steps: [{ atMs: AT_MS }],
    })
  })

  it('that can’t be read says nothing of the time before', () => {
    expect(readTrace(DN, '')).toEqual({ fromMs: Number.NEGATIVE_INFINITY, steps: [] })
    expect(readTrace(DN, `${traceOf(heardOf(DN, state('minor'), 0))}?,x;`)).toEqual({
      fromMs: Number.POSITIVE_INFINITY,
      steps: [],
    })
  })

  it('that can’t be read hides nothing that comes after, in this process and in the next', () => {
    const FEED = 'class/faultInst'
    const rowOf = (severity: string, atMs: number): Transition => ({
      atMs,
      change: { cls: 'faultInst', dn: DN, attributes: state(severity, atMs), status: 'created' },
    })
    const judged = new Map([[FEED, AT_MS]])
    const first = new FaultsHeard()
    const trace = `?,x;${traceOf(heardOf(DN, state('minor'), 0))}`
    first.inherit([{ dn: DN, atMs: AT_MS, state: state('minor'), trace }], AT_MS + 1000, judged)
    first.note(DN, state('minor', AT_MS + 9000), 0)
    const [old, lost] = [rowOf('major', AT_MS + 500), rowOf('critical', AT_MS + 5000)]
    expect(first.unheard(FEED, DN, [old, lost])).toEqual([lost])
    const kept = first.traced({ key: DN, object }).object?.trace ?? ''
    expect(readTrace(DN, kept).fromMs).toBe(AT_MS + 1000)
  })

  it('of one that flaps names the last steps, and what it leaves out', () => {
    const heard = new FaultsHeard()
    for (let n = 0; n < 1000; n++) heard.note(DN, state(n % 2 === 0 ? 'major' : 'minor', AT_MS + n), 0)
    const { trace = '' } = heard.traced({ key: DN, object }).object ?? {}
    const { fromMs, steps } = readTrace(DN, trace)
    expect(steps.length).toBeLessThanOrEqual(24)
    expect(steps.map(({ atMs }) => atMs)).toEqual(steps.map((_, n) => AT_MS + 1000 - steps.length + n))
    expect(fromMs).toBe((steps[0]?.atMs ?? 0) - 1)
  })

  it('leaves out what no process will ask for, without a word', () => {
    const heard = new FaultsHeard()
    heard.begin('class/faultInst', AT_MS, [])
    heard.settle('class/faultInst', AT_MS + 999)
    for (let n = 0; n < 30; n++) heard.note(DN, state(n % 2 === 0 ? 'major' : 'minor', AT_MS + n), 0)
    heard.note(DN, state('warning', AT_MS + 2000), 0)
    const { trace = '' } = heard.traced({ key: DN, object }).object ?? {}
    const { fromMs, steps } = readTrace(DN, trace)
    expect(fromMs).toBe(Number.NEGATIVE_INFINITY)
    expect(steps.length).toBeLessThan(8)
    expect(steps.at(-1)?.atMs).toBe(AT_MS + 2000)
  })

  it('tells which step was told last: what was announced is no repeat of it', () => {
    const before = new FaultsHeard()
    before.note(DN, state('minor'), 0)
    before.note(DN, state('major', AT_MS + 3000), 0)
    before.begin('class/faultInst', AT_MS - 1, [])
    const row = (severity: string, atMs: number): Transition => ({
      atMs,
      change: { cls: 'faultInst', dn: DN, status: 'modified', attributes: state(severity, atMs) },
    })
    const lost = [row('critical', AT_MS + 2000)]
    expect(before.unheard('class/faultInst', DN, lost)).toEqual(lost)
    const { trace } = before.traced({ key: DN, object }).object ?? {}
    const after = new FaultsHeard()
    const judged = new Map([['class/faultInst', AT_MS - 1]])
    after.inherit([{ dn: DN, atMs: AT_MS + 3000, state: state('major', AT_MS + 3000), trace }], AT_MS + 9000, judged)
    // Something else of it changed.
    after.note(DN, state('major', AT_MS + 3000), 0)
    expect(readTrace(DN, after.traced({ key: DN, object }).object?.trace ?? '').steps.length).toBe(3)
  })

  it('is read of the newest faults only, where there are more than can be remembered', () => {
    let read = 0
    const known = Array.from({ length: 25_000 }, (_, n) => ({
      ...{ dn: `${n}/fault-F1`, atMs: AT_MS + n, state: state('major', AT_MS + n) },
      get trace(): string {
        read++
        return traceOf(heardOf(this.dn, this.state, 0))
      },
    }))
    const heard = new FaultsHeard()
    heard.inherit(known, AT_MS + 90_000, new Map([['class/faultInst', AT_MS - 1]]))
    expect(read).toBe(20_000)
    const lost = (dn: string, atMs: number): Transition => ({
      atMs,
      change: { cls: 'faultInst', dn, status: 'modified', attributes: state('minor', atMs) },
    })
    for (const [dn, atMs, isJudged] of [
      ['1/fault-F1', AT_MS, false],
      ['9000/fault-F1', AT_MS + 5200, true],
    ] as const) {
      expect(heard.unheard('class/faultInst', dn, [lost(dn, atMs)])).toHaveLength(isJudged ? 1 : 0)
    }
  })

  it('that can’t be read, of a fault without a time, is as none', () => {
    const heard = new FaultsHeard()
    const judged = new Map([['class/faultInst', AT_MS]])
    heard.inherit([{ dn: DN, atMs: Number.NaN, state: { severity: 'major' }, trace: '?' }], AT_MS + 9000, judged)
    expect(heard.traced({ key: DN, object })).toEqual({ key: DN, object })
  })

  it('is not kept of what is gone for good, or was never heard of', () => {
    const heard = new FaultsHeard()
    expect(heard.traced({ key: DN, object })).toEqual({ key: DN, object })
    heard.note(DN, state('minor'), 0)
    expect(heard.traced({ key: DN, object: null })).toEqual({ key: DN, object: null })
  })
})
