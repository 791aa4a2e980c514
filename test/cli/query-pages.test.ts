/** `opswire query` and large answers of an APIC, its sessions, and what goes wrong on the way. */
import { Writable } from 'node:stream'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/scheduler/clock.ts'
import type { Operation } from '../../src/simulators/apic/record.ts'
import { QueryRig } from './query-rig.ts'

let rig: QueryRig
afterEach(() => rig.close())

function tenants(count: number, from = 0): void {
  for (let n = from; n < from + count; n++) rig.apic.post('uni', { fvTenant: { attributes: { name: `t${n}` } } })
}

const requests = (...operations: Operation[]): string[] =>
  rig.apic.record.requests.filter(({ operation }) => operations.includes(operation)).map(({ path }) => path)

const linesOf = (text: string): string[] => text.split('\n').filter(line => line !== '')

const NAMES = ['--columns', 'name']

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
    expect(requests('query')).toHaveLength(25)
    expect(requests('login', 'logout')).toHaveLength(2)
    expect((await rig.ask('fabric-a', 'class', 'eventRecord', '--count')).out).toBe('25000\n')
    expect(requests('query').at(-1)).toBe('/api/class/eventRecord.json?page=0&page-size=1')
    const few = await rig.json('fabric-a', 'class', 'eventRecord', '--limit', '3')
    expect(few).toHaveLength(3)
  })

  it('are made smaller while the controller finds even a page too large', async () => {
    rig = await QueryRig.make({ apic: { maxResults: 300 } })
    tenants(700)
    const { out } = await rig.ask('fabric-a', 'class', 'fvTenant', ...NAMES)
    expect(new Set(linesOf(out)).size).toBe(1 + 703 + 1)
    expect(out).toMatch(/\n703 objects\n$/)
    const sizes = new Set(requests('query').map(path => /page-size=(\d+)/.exec(path)?.[1]))
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
    tenants(400)
    const { code, out, err } = await rig.ask('fabric-a', 'class', 'fvTenant')
    expect([code, out]).toEqual([69, ''])
    expect(err).toMatch(/^opswire query: fabric-a: .*too big.*; ask for less\n$/)
  })

  it('miss nothing and double nothing while objects come and go between two pages', async () => {
    rig = await QueryRig.make({ apic: { knobs: { latencyMs: 1 } } })
    tenants(900)
    const before = new Set(Array.from({ length: 900 }, (_, n) => `t${n}`))
    let asked = 0
    // Each time a page was printed, one that was shown already goes: all behind it move forward by one.
    const out: string[] = []
    const stdout = new Writable({
      write(chunk: Buffer, _encoding, done) {
        out.push(...linesOf(chunk.toString()))
        rig.apic.remove(`uni/tn-t${asked}`)
        before.delete(`t${asked}`)
        tenants(1, 1000 + asked++)
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
    tenants(600)
    const argv = ['fabric-a', 'mo', 'uni', '--query-target', 'subtree', '--page-size', '250', '--columns', 'dn']
    const { out } = await rig.ask(...argv)
    const lines = linesOf(out).slice(1, -1)
    expect(new Set(lines).size).toBe(lines.length)
    expect(linesOf(out).at(-1)).toBe(`${lines.length} objects`)
    expect(lines.filter(line => /tn-t\d+$/.test(line))).toHaveLength(600)
  })

  it('of several classes are asked for class by class, each sorted', async () => {
    rig = await QueryRig.make({ apic: { knobs: { unstableOrder: true } } })
    tenants(300)
    const subtree = ['--query-target', 'subtree', '--target-subtree-class', 'fvTenant,aaaUser', '--page-size', '100']
    const { out } = await rig.ask('fabric-a', 'mo', 'uni', ...subtree)
    expect(linesOf(out)).toHaveLength(1 + 303 + 1 + 1)
    expect(linesOf(out).at(-1)).toBe('304 objects')
    expect(requests('query').filter(path => path.includes('order-by=fvTenant.dn|asc'))).toHaveLength(4)
    expect(requests('query').filter(path => path.includes('order-by=aaaUser.dn|asc'))).toHaveLength(1)
  })

  it('to questions too long for one request are asked for in several, and come as one', async () => {
    rig = await QueryRig.make({ apic: {} })
    tenants(300)
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
    expect(requests('query')).toHaveLength(2)
    expect((await rig.ask(...argv, '--count')).out).toBe('200\n')
    // An order over all of them.
    expect((await names('--order-by', 'fvTenant.name|desc'))[0]).toBe('t99')
    const few = await rig.ask(...argv, '--order-by', 'fvTenant.name|desc', '--limit', '2', ...NAMES)
    expect(few.out).toBe('name\nt99\nt98\n2 of 200 objects\n')
  })

  it('show how far they are on a terminal, and nothing of that in a pipe', async () => {
    rig = await QueryRig.make({ apic: {} })
    tenants(250)
    const argv = ['fabric-a', 'class', 'fvTenant', '--page-size', '100', '--json']
    const tty = await rig.askWith({ stderrIsTty: true }, ...argv)
    expect(tty.err).toContain('\r\u001b[K100 of 253 objects …')
    expect(tty.err.endsWith('\r\u001b[K')).toBe(true)
    expect((await rig.ask(...argv)).err).toBe('')
  })
})

describe('the session', () => {
  it('is one, without a socket, and ends with a logout; also when the question is refused', async () => {
    rig = await QueryRig.make({ apic: {} })
    await rig.ask('fabric-a', 'class', 'fvTenant')
    expect((await rig.ask('fabric-a', 'class', 'noSuchClass')).code).toBe(64)
    const { sessions, sockets, subscriptions } = rig.apic.record
    expect(sessions.map(({ endedBy }) => endedBy)).toEqual(['logout', 'logout'])
    expect([sockets, subscriptions]).toEqual([[], []])
  })

  it('ends cleanly when it is interrupted in mid-answer, and says that this is not all', async () => {
    rig = await QueryRig.make({ apic: {} })
    tenants(500)
    const stop = new AbortController()
    const lines: string[] = []
    const stdout = new Writable({
      write(chunk: Buffer, _encoding, done) {
        lines.push(...linesOf(chunk.toString()))
        stop.abort()
        done()
      },
    })
    const argv = ['fabric-a', 'class', 'fvTenant', '--page-size', '50', ...NAMES]
    const { code, err } = await rig.askWith({ stdout, signal: stop.signal }, ...argv)
    expect([code, err]).toEqual([69, 'opswire query: fabric-a: interrupted; what was printed (50) is not all\n'])
    expect(lines).toHaveLength(51)
    expect(rig.apic.record.sessions.map(({ endedBy }) => endedBy)).toEqual(['logout'])
  })

  it('ends, with exit code 0, when the reader has seen enough', async () => {
    rig = await QueryRig.make({ apic: {} })
    tenants(500)
    let first = true
    const stdout = new Writable({
      write(_chunk, _encoding, done) {
        if (!first) return done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
        first = false
        done()
      },
    })
    const { code, err } = await rig.askWith({ stdout }, 'fabric-a', 'class', 'fvTenant', '--page-size', '50')
    expect([code, err]).toEqual([0, ''])
    expect(requests('query').length).toBeLessThan(5)
    expect(rig.apic.record.sessions.map(({ endedBy }) => endedBy)).toEqual(['logout'])
  })

  it('is renewed when reading takes long, and made anew once when it ended all the same', async () => {
    rig = await QueryRig.make({ apic: {} })
    tenants(200)
    let page = 0
    let later = 0
    const clock = { ...systemClock, now: () => systemClock.now() + later }
    const stdout = new Writable({
      highWaterMark: 1,
      write(_chunk, _encoding, done) {
        page++
        // More than half of its 600 s, while the reader takes its time.
        if (page === 2) later = 301_000
        if (page === 4) rig.apic.endSessions()
        done()
      },
    })
    const { code } = await rig.askWith(
      { stdout, clock },
      'fabric-a',
      'class',
      'fvTenant',
      '--page-size',
      '20',
      '--json',
    )
    expect([code, page]).toEqual([0, 11])
    expect(['drain', 'close', 'error'].map(event => stdout.listenerCount(event))).toEqual([0, 0, 0])
    expect(requests('refresh')).toEqual(['/api/aaaRefresh.json'])
    expect(rig.apic.record.sessions.map(({ endedBy }) => endedBy)).toEqual(['ended', 'logout'])
  })
})

describe('trouble', () => {
  it('an overloaded controller is asked again, and a login that nginx turns away', async () => {
    rig = await QueryRig.make({ apic: {} })
    rig.apic.fail({ operation: 'login', times: 1, failure: { kind: 'html' } })
    rig.apic.fail({ operation: 'query', times: 1, failure: { kind: 'html' } })
    const { code, out } = await rig.ask('fabric-a', 'class', 'fvTenant', '--count')
    expect([code, out]).toEqual([0, '3\n'])
    expect(requests('login', 'query')).toHaveLength(4)
  })

  it.each([
    [
      'a wrong password',
      77,
      /^opswire query: fabric-a: login as svc-opswire refused: .*; check the login in the config and its secret \(file:.*\/apic\)\n$/,
    ],
    ['no password file', 78, /^opswire query: fabric-a: can't read the secret file .*\/apic: ENOENT/],
    [
      'no controller',
      69,
      /^opswire query: fabric-a: .*connection failed \(login\): .*; is https:\/\/127\.0\.0\.1:\d+ right, and reachable from here\?\n$/,
    ],
    ['an unknown authority', 69, /^opswire query: fabric-a: .*certificate not trusted; set tls\.ca_file/],
  ])('%s: exit code %i and one line', async (what, wanted, line) => {
    rig = await QueryRig.make({ apic: {} })
    if (what === 'a wrong password') rig.file('apic', 'not-it')
    if (what === 'no password file') rig.forget('apic')
    if (what === 'no controller') await rig.apic.goDown()
    if (what === 'an unknown authority') rig.configure({ tls: '{}' })
    const { code, out, err } = await rig.ask('fabric-a', 'class', 'fvTenant')
    expect([code, out]).toEqual([wanted, ''])
    expect(err).toMatch(line)
    expect(linesOf(err)).toHaveLength(1)
    // A refused password is not tried at another controller: they share their accounts.
    if (wanted === 77) expect(requests('login')).toHaveLength(1)
  })

  it('a controller that is away gives way to the next one', async () => {
    rig = await QueryRig.make({ apic: {} })
    rig.configure({ controllers: `"https://127.0.0.1:1", "${rig.apic.url}"` })
    const { code, out, err } = await rig.ask('fabric-a', 'class', 'fvTenant', '--count')
    expect([code, out, err]).toEqual([0, '3\n', ''])
    expect((await rig.ask('fabric-a', 'domains', '--count')).out).toBe('2\n')
  })

  it('a right that is missing: exit code 77', async () => {
    rig = await QueryRig.make({ apic: {} })
    const failure = { kind: 'error', status: 403, code: '403', text: 'Access denied' } as const
    rig.apic.fail({ operation: 'query', failure })
    const { code, err } = await rig.ask('fabric-a', 'class', 'fvTenant')
    expect([code, err]).toEqual([
      77,
      'opswire query: fabric-a: Access denied (HTTP 403, code 403); give the account a role that may read it\n',
    ])
  })

  it('a certificate that nobody checks is said', async () => {
    rig = await QueryRig.make({ apic: {} })
    rig.configure({ tls: '{ verify: false }' })
    const { code, err } = await rig.ask('fabric-a', 'class', 'fvTenant', '--count')
    expect([code, err]).toEqual([0, expect.stringMatching(/^note: fabric-a: any certificate is accepted: .*\n$/)])
  })
})
