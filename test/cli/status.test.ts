import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import { main } from '../../src/main.ts'
import { span } from '../../src/ops/amounts.ts'
import type { StatusDocument } from '../../src/ops/status.ts'
import { ManualClock, until } from '../support/manual-clock.ts'
import { captured } from './captured-io.ts'

const STATUS: StatusDocument = {
  now: '2026-02-03T05:02:05.000Z',
  version: '0.1.0',
  node: 'v26.0.0',
  state: 'ready',
  notReady: ['source salt'],
  started: '2026-02-03T04:00:00.000Z',
  uptimeSeconds: 3_725,
  config: { path: '/etc/opswire/opswire.yaml', hash: 'ab', since: '2026-02-03T04:00:00.000Z' },
  reload: null,
  sources: [
    {
      name: 'fabric-a',
      system: 'apic',
      state: 'up',
      since: '2026-02-03T04:00:02.000Z',
      nextTrySeconds: null,
      pausedSince: null,
      required: true,
      up: true,
      doubts: [],
      address: 'https://apic1.example.net',
      tlsVerified: true,
      session: { ageSeconds: 3_723, handOverSeconds: 78_357 },
      lastEvent: '2026-02-03T05:01:55.000Z',
      lastProof: '2026-02-03T05:02:02.000Z',
      lastError: null,
      leases: { session: 200, subscription: 41 },
      feeds: [
        {
          name: 'class/faultInst',
          state: 'live',
          since: '2026-02-03T04:52:03.000Z',
          mode: null,
          lastProof: '2026-02-03T05:02:02.000Z',
          boundSeconds: 120,
          deaf: false,
          leaseSeconds: 41.3,
          lastError: { at: '2026-02-03T04:52:02.000Z', code: 'subscription_lost', text: 'refused' },
          lost: 1,
          remade: 1,
          lastEvent: '2026-02-03T05:01:55.000Z',
          lateSeconds: 0.2,
          cursor: null,
          events: 231,
          recovered: 2,
        },
      ],
      eventsPerMinute: [231],
      reconnects: 1,
      gaps: 0,
      deadLetters: 0,
      deadLettersDropped: 0,
      certificateExpiry: null,
      credentialExpiry: null,
      credentialRenewed: null,
    },
    {
      name: 'salt',
      system: 'raas',
      state: 'down',
      since: '2026-02-03T05:00:05.000Z',
      nextTrySeconds: null,
      pausedSince: null,
      required: true,
      up: false,
      doubts: ['no session: \u001b[2Jpwned'],
      address: 'https://raas.example.net',
      tlsVerified: false,
      session: null,
      lastEvent: null,
      lastProof: null,
      lastError: { at: '2026-02-03T05:00:05.000Z', code: 'auth_refused', text: 'HTTP 401' },
      leases: {},
      feeds: [],
      eventsPerMinute: [0],
      reconnects: 0,
      gaps: 1,
      deadLetters: 3,
      deadLettersDropped: 1,
      certificateExpiry: null,
      credentialExpiry: null,
      credentialRenewed: null,
    },
  ],
  store: {
    state: 'ok',
    since: '2026-02-03T04:00:00.500Z',
    detail: '',
    events: 12,
    bytes: 1_572_864,
    maxBytes: 2_147_483_648,
    oldest: '2026-02-03T05:02:00.000Z',
    deadLetters: 3,
    durable: true,
  },
  sink: { name: 'nats', up: true, since: '2026-02-03T04:00:01.000Z', detail: '', server: null },
  counts: {
    appended: 231,
    duplicates: 5,
    published: 219,
    publishedDuplicates: 1,
    publishRetries: 0,
    tooLarge: 0,
  },
  perMinute: { secondsOfLast: 5, appended: [231], delivered: [219] },
  transitions: [],
  deadLetters: [],
  gaps: [
    {
      at: '2026-02-03T04:30:05.000Z',
      source: 'salt',
      feed: 'jobs',
      reason: 'retention',
      summary: 'Events are missing',
    },
  ],
}

let server: Server | undefined

afterEach(async () => {
  await server?.[Symbol.asyncDispose]()
  server = undefined
})

/** A daemon that gives this answer; also what was asked of it. */
async function daemon(body: string, code = 200): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = []
  const made = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    response.writeHead(code, { 'content-type': 'application/json' }).end(body)
  })
  server = made
  await new Promise<void>(resolve => {
    made.listen(0, '127.0.0.1', resolve)
  })
  return { url: `http://127.0.0.1:${(made.address() as AddressInfo).port}`, asked }
}

describe('status', () => {
  it('prints what the daemon knows, ages by the daemon’s own clock', async () => {
    const { url, asked } = await daemon(JSON.stringify(STATUS))
    const { io, out, err } = captured({ columns: 120 })
    expect(await main(['status', '--url', url], io)).toBe(0)
    expect(err()).toBe('')
    expect(asked).toEqual(['GET /status'])
    expect(`\n${out()}`).toBe(`
opswire 0.1.0, running, up 1h 2m, config /etc/opswire/opswire.yaml

NOT ready: source salt

source    system  state  last event  last proof  leases                            reconnects  gaps  dead letters
fabric-a  apic    up     10s ago     3s ago      session 3m 20s, subscription 41s  1           0     0
salt      raas    down   never       never       -                                 0           1     3 (1 dropped)

fabric-a  https://apic1.example.net  session 1h 2m old, handed over in 21h 45m
  class/faultInst  live  proof 3s ago (bound 2m)  lease 41s  231 events, last 10s ago  2 recovered  lost 1×, remade 1×  last error 10m 3s ago: subscription_lost, refused

salt  https://raas.example.net  no session
  the certificate is NOT verified (tls.verify: false), anyone on the way can read the password: set tls.ca_file or tls.fingerprint_sha256
  no session:  [2Jpwned
  last error 2m ago: auth_refused, HTTP 401

store  ok: 12 events wait, the oldest from 5s ago; 1.5MiB of 2GiB; 3 dead letters
sink   nats up since 1h 2m ago
events 231 taken down, 219 delivered, 1 known there already

latest gaps
  32m ago  salt  Events are missing
`)
  })

  it('cuts lines to the terminal, and colours what is down', async () => {
    const { url } = await daemon(JSON.stringify(STATUS))
    const { io, out } = captured({ columns: 40, isTty: true })
    await main(['status', '--url', `${url}/`], io)
    expect(out()).toContain('\u001b[31m')
    expect(out()).not.toContain('\u001b[2J')
    const widths = out()
      .split('\n')
      .map(line => stripVTControlCharacters(line).length)
    expect(Math.max(...widths)).toBeLessThanOrEqual(40)
  })

  /** A source with many feeds: some deaf, lost, switched off or on their way, in the middle of the list. */
  function crowded(): StatusDocument {
    const [source] = STATUS.sources
    const [feed] = source?.feeds ?? []
    if (source === undefined || feed === undefined) throw new Error('no feed')
    const well = { ...feed, lastError: null, lost: 0, remade: 0, recovered: 0 }
    const feeds = Array.from({ length: 5_000 }, (_, number) => {
      const one = { ...well, name: `mo/uni/tn-${number}` }
      if (number === 2_000) return { ...one, deaf: true }
      if (number === 2_001) return { ...one, state: 'lost' as const, leaseSeconds: null, lost: 3, remade: 2 }
      if (number === 2_002)
        return { ...one, state: 'disabled' as const, lastProof: null, deaf: true, leaseSeconds: null }
      return number >= 2_010 && number < 2_020 ? { ...one, state: 'resyncing' as const } : one
    })
    return {
      ...STATUS,
      notReady: [],
      sources: [{ ...source, feeds, up: false, doubts: ['feed mo/uni/tn-2000 is deaf'] }],
    }
  }

  it('shows the unwell ones of 5,000 feeds first, as many as fit, and counts the rest', async () => {
    const { url } = await daemon(JSON.stringify(crowded()))
    const { io, out } = captured({ columns: 120, rows: 30, isTty: true })
    await main(['status', '--url', url], io)
    const lines = stripVTControlCharacters(out()).split('\n')
    expect(lines.length).toBeLessThanOrEqual(30)
    const first = lines.findIndex(line => line.includes('mo/uni/tn-'))
    const names = lines.slice(first).flatMap(line => /^ {2}(mo\S+) {2}/.exec(line)?.[1] ?? [])
    expect(names.slice(0, 4)).toEqual(['mo/uni/tn-2000', 'mo/uni/tn-2001', 'mo/uni/tn-2002', 'mo/uni/tn-2010'])
    expect(names.length).toBeGreaterThan(5)
    expect(lines).toContainEqual(expect.stringMatching(/^ {2}and \d+ more feeds: (\d+ resyncing, )?4986 live$/))
    expect(out()).toContain('\u001b[31m  mo/uni/tn-2000  live, deaf')
    const counted = Number(/and (\d+) more feeds/.exec(out())?.[1])
    expect(counted + names.length).toBe(5_000)
  })

  it('shows the first 40 to a pipe, and at least the worst five on a terminal that is too small', async () => {
    const { url } = await daemon(JSON.stringify(crowded()))
    const pipe = captured({ columns: 200 })
    await main(['status', '--url', url], pipe.io)
    expect(pipe.out().match(/^ {2}mo\/uni/gm)).toHaveLength(40)
    const small = captured({ columns: 200, rows: 5, isTty: true })
    await main(['status', '--url', url], small.io)
    expect(stripVTControlCharacters(small.out()).match(/^ {2}mo\/uni/gm)).toHaveLength(5)
  })

  it('prints the document with --json', async () => {
    const { url } = await daemon(JSON.stringify(STATUS))
    const { io, out } = captured()
    expect(await main(['status', '--json', '--url', url], io)).toBe(0)
    expect(JSON.parse(out())).toEqual(STATUS)
  })

  it('ends with 69 when nothing listens, or something else does', async () => {
    const { url } = await daemon('<html>')
    const html = captured()
    expect(await main(['status', '--url', url], html.io)).toBe(69)
    expect(html.err()).toContain('answers, but not as an opswire daemon does')
    await server?.[Symbol.asyncDispose]()
    const gone = captured()
    expect(await main(['status', '--url', url], gone.io)).toBe(69)
    expect([gone.out(), gone.err()]).toEqual(['', expect.stringContaining(`nothing listens at ${url}`)])
    const { url: other } = await daemon('{}', 404)
    const missing = captured()
    expect(await main(['status', '--url', other], missing.io)).toBe(69)
    expect(missing.err()).toContain('answers HTTP 404')
  })

  it('shows a token where one is wanted, and says so where it has none', async () => {
    const guarded = createServer((request, response) => {
      response.statusCode = request.headers.authorization === 'Bearer the-token' ? 200 : 401
      response.end(JSON.stringify(STATUS))
    })
    server = guarded
    await new Promise<void>(resolve => guarded.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(guarded.address() as AddressInfo).port}`
    const file = join(mkdtempSync(join(tmpdir(), 'opswire-status-')), 'token')
    const ask = async (...args: string[]): Promise<[number, string]> => {
      const { io, err } = captured()
      return [await main(['status', '--url', url, ...args], io), err()]
    }
    try {
      expect(await ask()).toEqual([69, expect.stringContaining('wants a token: --token-file FILE')])
      expect(await ask('--token-file', file)).toEqual([64, expect.stringContaining(`can't read ${file} (ENOENT)`)])
      writeFileSync(file, 'another\n')
      expect(await ask('--token-file', file)).toEqual([
        69,
        expect.stringContaining('takes another token than this one'),
      ])
      writeFileSync(file, 'the-token\n')
      expect(await ask('--token-file', file)).toEqual([0, ''])
    } finally {
      rmSync(dirname(file), { recursive: true })
    }
  })

  it('asks again every 2 s with --watch, through an outage, until it is stopped', async () => {
    const { url, asked } = await daemon(JSON.stringify(STATUS))
    const clock = new ManualClock()
    const stop = new AbortController()
    const { io, out } = captured({ clock, signal: stop.signal })
    const code = main(['status', '--watch', '--url', url], io)
    await until(() => clock.waiting === 1, 'first page')
    await clock.advance(1_999)
    expect(asked).toHaveLength(1)
    await clock.advance(1)
    await until(() => asked.length === 2 && clock.waiting === 1, 'second page')
    stop.abort()
    expect(await code).toBe(0)
    expect(out().match(/^opswire 0\.1\.0, running/gm)).toHaveLength(2)
    expect(clock.waiting).toBe(0)
  })
})

describe('a span of time', () => {
  it('is told in its two largest units', () => {
    expect([0, 0.4, 7, 60, 65, 3_600, 3_725, 90_061, -5, Number.NaN].map(span)).toEqual([
      '0s',
      '0s',
      '7s',
      '1m',
      '1m 5s',
      '1h',
      '1h 2m',
      '1d 1h',
      '-5s',
      'unknown',
    ])
  })
})
