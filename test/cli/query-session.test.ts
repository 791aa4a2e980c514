/** The session of `opswire query` with an APIC: how it goes on and ends, and what goes wrong on the way. */
import { Writable } from 'node:stream'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/scheduler/clock.ts'
import { until } from '../support/manual-clock.ts'
import { linesOf, NAMES, QueryRig } from './query-rig.ts'

let rig: QueryRig
afterEach(() => rig.close())

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
    rig.tenants(500)
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

  it('of a login that was cut off ends as well', async () => {
    rig = await QueryRig.make({ apic: { knobs: { latencyOf: { login: 100 } } } })
    const stop = new AbortController()
    const asking = rig.askWith({ signal: stop.signal }, 'fabric-a', 'class', 'fvTenant')
    await until(() => rig.requests('login').length > 0, 'the login')
    stop.abort()
    expect(await asking).toMatchObject({ code: 69, out: '', err: 'opswire query: fabric-a: interrupted\n' })
    expect(rig.apic.record.sessions.map(({ endedBy }) => endedBy)).toEqual(['logout'])
    expect(rig.requests('query')).toEqual([])
  })

  it('ends, with exit code 0, when the reader has seen enough', async () => {
    rig = await QueryRig.make({ apic: {} })
    rig.tenants(500)
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
    expect(rig.requests('query').length).toBeLessThan(5)
    expect(rig.apic.record.sessions.map(({ endedBy }) => endedBy)).toEqual(['logout'])
  })

  it('is renewed when reading takes long, and made anew once when it ended all the same', async () => {
    rig = await QueryRig.make({ apic: {} })
    rig.tenants(200)
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
    expect(rig.requests('refresh')).toEqual(['/api/aaaRefresh.json'])
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
    expect(rig.requests('login', 'query')).toHaveLength(4)
  })

  it('is given up after some seconds: 69, and the session ends', async () => {
    rig = await QueryRig.make({ apic: {} })
    rig.configure({ apic: '    request_timeout: 10m\n' })
    // A hundred times as fast as ours.
    const clock = {
      ...systemClock,
      now: () => systemClock.now() * 100,
      after: (ms: number, fn: () => void) => systemClock.after(ms / 100, fn),
    }
    rig.apic.fail({ operation: 'query', failure: { kind: 'html' } })
    const { code, out, err } = await rig.askWith({ clock }, 'fabric-a', 'class', 'fvTenant')
    expect([code, out]).toEqual([69, ''])
    expect(err).toMatch(/^opswire query: fabric-a: HTTP 503 .*; it is overloaded, .*: try again in a minute\n$/)
    expect(rig.requests('query').length).toBeGreaterThan(2)
    expect(rig.apic.record.sessions.map(({ endedBy }) => endedBy)).toEqual(['logout'])
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
    if (wanted === 77) expect(rig.requests('login')).toHaveLength(1)
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
