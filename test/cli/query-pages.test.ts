/** `opswire query` and large answers of an APIC. */
import { Writable } from 'node:stream'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/scheduler/clock.ts'
import { linesOf, NAMES, QueryRig } from './query-rig.ts'

let rig: QueryRig
afterEach(() => rig.close())

describe('large answers', () => {
  it('25,000 records over a ceiling of 10,000 come whole, once each, the newest first', async () => {
    rig = await QueryRig.make({ apic: { maxResults: 10_000 } })
    await rig.apic.burst(25_000)
    const { code, out, err } = await rig.ask('fabric-a', 'class', 'eventRecord', '--columns', 'descr')
    expect([code, err]).toEqual([0, ''])
    const [head, ...lines] = linesOf(out)
    expect([head, lines.pop()]).toEqual(['descr', '25000 objects'])
    expect(new Set(lines).size).toBe(25_000)
    expect(lines.filter(line => /^burst \d+$/.test(line))).toHaveLength(25_000)
    expect(rig.requests('query')).toHaveLength(25)
    expect(rig.requests('login', 'logout')).toHaveLength(2)
    expect((await rig.ask('fabric-a', 'class', 'eventRecord', '--count')).out).toBe('25000\n')
    expect(rig.requests('query').at(-1)).toBe('/api/class/eventRecord.json?page=0&page-size=1')
    const few = await rig.json('fabric-a', 'class', 'eventRecord', '--limit', '3')
    expect(few).toHaveLength(3)
  })

  it('are made smaller while the controller finds even a page too large', async () => {
    rig = await QueryRig.make({ apic: { maxResults: 300 } })
    rig.tenants(700)
    const { out } = await rig.ask('fabric-a', 'class', 'fvTenant', ...NAMES)
    expect(new Set(linesOf(out)).size).toBe(1 + 703 + 1)
    expect(out).toMatch(/\n703 objects\n$/)
    const sizes = new Set(rig.requests('query').map(path => /page-size=(\d+)/.exec(path)?.[1]))
    expect([...sizes]).toEqual(['1000', '500', '250'])
  })

  it('of a log are read in spans of time where the controller counts all that match, whatever the page', async () => {
    rig = await QueryRig.make({ apic: { maxResults: 400, knobs: { ceilingCounts: 'log-matches' } } })
    const now = systemClock.wall()
    // Most of it within the last hours, the rest over three days.
    await rig.apic.burst(1500, index => {
      const agoMs = index < 500 ? (500 - index) * 300_000 + 3 * 86_400_000 : (1500 - index) * 20_000
      return { descr: `r${index}`, created: new Date(now - agoMs).toISOString().replace('Z', '+00:00') }
    })
    const { code, out, err } = await rig.ask('fabric-a', 'class', 'eventRecord', '--columns', 'descr')
    expect([code, err]).toEqual([0, ''])
    const lines = linesOf(out)
    expect([lines[0], lines[1], lines.at(-2), lines.at(-1)]).toEqual(['descr', 'r1499', 'r0', '1500 objects'])
    expect(new Set(lines.slice(1, -1)).size).toBe(1500)
    expect((await rig.ask('fabric-a', 'class', 'eventRecord', '--count')).out).toBe('1500\n')
    const some = ['--filter', 'ne(eventRecord.descr,"r1499")', '--limit', '1', '--columns', 'descr']
    expect((await rig.ask('fabric-a', 'class', 'eventRecord', ...some)).out).toMatch(/^descr\nr1498\n/)
  })

  it('tell when no page is small enough', async () => {
    rig = await QueryRig.make({ apic: { maxResults: 300, knobs: { ceilingCounts: 'matches' } } })
    rig.tenants(400)
    const { code, out, err } = await rig.ask('fabric-a', 'class', 'fvTenant')
    expect([code, out]).toEqual([69, ''])
    expect(err).toMatch(/^opswire query: fabric-a: .*too big.*; ask for less\n$/)
  })

  it('miss nothing and double nothing while objects come and go between two pages', async () => {
    rig = await QueryRig.make({ apic: { knobs: { latencyMs: 1 } } })
    rig.tenants(900)
    const before = new Set(Array.from({ length: 900 }, (_, n) => `t${n}`))
    let asked = 0
    // Each time a page was printed, one that was shown already goes: all behind it move forward by one.
    const out: string[] = []
    const stdout = new Writable({
      write(chunk: Buffer, _encoding, done) {
        out.push(...linesOf(chunk.toString()))
        rig.apic.remove(`uni/tn-t${asked}`)
        before.delete(`t${asked}`)
        rig.tenants(1, 1000 + asked++)
        done()
      },
    })
    const argv = ['fabric-a', 'class', 'fvTenant', '--page-size', '100', ...NAMES]
    const { code } = await rig.askWith({ stdout }, ...argv)
    expect(code).toBe(0)
    expect(asked).toBeGreaterThan(8)
    const names = out.slice(1, -1)
    expect(new Set(names).size).toBe(names.length)
    expect([...before].filter(name => !names.includes(name))).toEqual([])
  })

  it('in which nothing can be sorted are read until everything showed', async () => {
    rig = await QueryRig.make({ apic: { knobs: { unstableOrder: true } } })
    rig.tenants(600)
    const argv = ['fabric-a', 'mo', 'uni', '--query-target', 'subtree', '--page-size', '250', '--columns', 'dn']
    const { out } = await rig.ask(...argv)
    const lines = linesOf(out).slice(1, -1)
    expect(new Set(lines).size).toBe(lines.length)
    expect(linesOf(out).at(-1)).toBe(`${lines.length} objects`)
    expect(lines.filter(line => /tn-t\d+$/.test(line))).toHaveLength(600)
  })

  it('of several classes are asked for class by class, each sorted', async () => {
    rig = await QueryRig.make({ apic: { knobs: { unstableOrder: true } } })
    rig.tenants(300)
    const subtree = ['--query-target', 'subtree', '--target-subtree-class', 'fvTenant,aaaUser', '--page-size', '100']
    const { out } = await rig.ask('fabric-a', 'mo', 'uni', ...subtree)
    expect(linesOf(out)).toHaveLength(1 + 303 + 1 + 1)
    expect(linesOf(out).at(-1)).toBe('304 objects')
    expect(rig.requests('query').filter(path => path.includes('order-by=fvTenant.dn|asc'))).toHaveLength(4)
    expect(rig.requests('query').filter(path => path.includes('order-by=aaaUser.dn|asc'))).toHaveLength(1)
  })

  it('to questions too long for one request are asked for in several, and come as one', async () => {
    rig = await QueryRig.make({ apic: {} })
    rig.tenants(300)
    const wanted = Array.from({ length: 200 }, (_, n) => `eq(fvTenant.name,"t${n}")`)
    const argv = ['fabric-a', 'class', 'fvTenant', '--filter', `or(${wanted.join(',')})`]
    const names = async (...more: string[]): Promise<string[]> => {
      const { code, out, err } = await rig.ask(...argv, ...NAMES, ...more)
      expect([code, err]).toEqual([
        0,
        expect.stringMatching(/^note: --query-target-filter: is too long for one request: it becomes \d+ requests\n$/),
      ])
      expect(linesOf(out).at(-1)).toBe('200 objects')
      return linesOf(out).slice(1, -1)
    }
    expect(new Set(await names()).size).toBe(200)
    expect(rig.requests('query')).toHaveLength(2)
    expect((await rig.ask(...argv, '--count')).out).toBe('200\n')
    // An order over all of them.
    expect((await names('--order-by', 'fvTenant.name|desc'))[0]).toBe('t99')
    const few = await rig.ask(...argv, '--order-by', 'fvTenant.name|desc', '--limit', '2', ...NAMES)
    expect(few.out).toBe('name\nt99\nt98\n2 of 200 objects\n')
  })

  it('show how far they are on a terminal, and nothing of that in a pipe', async () => {
    rig = await QueryRig.make({ apic: {} })
    rig.tenants(250)
    const argv = ['fabric-a', 'class', 'fvTenant', '--page-size', '100', '--json']
    const tty = await rig.askWith({ stderrIsTty: true }, ...argv)
    expect(tty.err).toContain('\r\u001b[K100 of 253 objects …')
    expect(tty.err.endsWith('\r\u001b[K')).toBe(true)
    expect((await rig.ask(...argv)).err).toBe('')
  })
})

it.each([
  ['the count of plain rows is believed', [], 69, 2],
  ['that of rows picked by what is sent along is not', ['--rsp-subtree-include', 'health,required'], 0, 1],
])('%s', async (_, more, wanted, asked) => {
  rig = await QueryRig.make({ apic: {} })
  const text = '{"totalCount":"9","imdata":[{"fvTenant":{"attributes":{"dn":"uni/tn-a","name":"a"}}}]}'
  rig.apic.fail({ operation: 'query', failure: { kind: 'garbage', text } })
  const { code, out, err } = await rig.ask('fabric-a', 'class', 'fvTenant', ...NAMES, ...more)
  expect([code, out]).toEqual([wanted, 'name\na\n1 of 9 objects\n'])
  const why = 'others came and went while they were read; ask again; what was printed (1) is not all'
  expect(err).toBe(wanted === 0 ? '' : `opswire query: fabric-a: 8 of 9 objects did not show: ${why}\n`)
  expect(rig.requests('query')).toHaveLength(asked)
})
