/**
 * The failure modes of reference/raas.md §3, rows 1 to 9: each is played on the stand-in, shown on a reader as they are
 * often written, and then opswire gets through it. docs/RAAS.md has the table.
 */
import { afterEach, describe, expect, it } from 'vitest'
import { until } from '../support/manual-clock.ts'
import { JID, makeBeside, minionsOf, pushTo } from './beside.ts'
import { ROOT, ret } from './bus.ts'
import { Naive } from './naive.ts'
import { makeRig, type Rig, type RigOptions, route } from './rig.ts'

let rig: Rig

afterEach(async () => {
  await rig.close()
})

async function beside(options: RigOptions = {}): Promise<Naive> {
  const made = await makeBeside(options)
  rig = made.rig
  return made.naive
}

const told = (): string[] => minionsOf(rig)
const push = (...minions: string[]): void => pushTo(rig, minions)
const disabled = (): string[] =>
  rig.keeper.reported('feed_state').flatMap(one => (one.state === 'disabled' ? [`${one.feed} ${one.code}`] : []))
const many = (count: number, name = 'm'): string[] => Array.from({ length: count }, (_, n) => `${name}${n}`)

/** The session is over; another attempt of the runner follows. */
async function ended(): Promise<unknown> {
  await until(() => rig.error !== undefined, 'the end of the session')
  const { error } = rig
  await rig.stop()
  return error
}

describe('r1–r3: tokens and rights', () => {
  it('r1: the token is over after half an hour', async () => {
    const naive = await beside({ config: { poll_interval: '10m' } })
    await rig.start()
    await rig.rounds(3)
    push('web01')
    await naive.poll()
    await rig.rounds(1)
    expect(naive.told).toEqual([])
    expect((await naive.rpc('test.echo')).status).toBe(401)
    expect(told()).toEqual(['web01'])
    expect(rig.sim.record.unauthorized).toBe(2)
  })

  it('r1: a fresh token is refused as well: no more logins than one an attempt, and the source says why', async () => {
    await beside()
    await rig.start()
    const before = rig.sim.record.logins
    rig.sim.knobs.fault = call => (call.path === '/rpc' ? { kind: 'status', status: 401 } : undefined)
    await rig.clock.advance(15_000)
    expect(await ended()).toMatchObject({ name: 'Fatal', code: 'auth_refused' })
    expect(rig.sim.record.logins - before).toBe(1)
  })

  it.each([true, false])('r2: the XSRF token went stale (a header says so: %s)', async says => {
    const naive = await beside({ simulator: { xsrfMissingHeader: says } })
    await rig.start()
    rig.sim.forgetXsrf()
    push('web01')
    await naive.poll()
    await rig.rounds(1)
    expect(naive.told).toEqual([])
    expect((await naive.rpc('test.echo')).status).toBe(403)
    expect(told()).toEqual(['web01'])
    expect(rig.sim.record.logins).toBe(2)
  })

  it('r3: 403 for one method alone: that feed is off with its reason, the others go on', async () => {
    const naive = await beside({ config: { audit: true } })
    rig.sim.knobs.fault = call => (call.method === 'audit.get_audit' ? { kind: 'status', status: 403 } : undefined)
    await naive.login()
    expect((await naive.rpc('audit.get_audit')).status).toBe(403)
    await rig.start('returns', 'jobs')
    expect(disabled()).toEqual(['audit permission'])
    const asked = rig.sim.record.requests.get('audit.get_audit') ?? 0
    push('web01')
    await rig.rounds(4)
    expect(told()).toEqual(['web01'])
    // Not asked again until the next session, an hour later.
    expect(rig.sim.record.requests.get('audit.get_audit')).toBe(asked)
    expect(rig.session?.retireBy).toBeDefined()
  })
})

describe('r4–r6: answers that are none', () => {
  it('r4: the login page under HTTP 200: the session is over', async () => {
    const naive = await beside({ simulator: { expired: 'html' } })
    await rig.start()
    rig.sim.revokeTokens()
    push('web01')
    await naive.poll()
    await rig.rounds(1)
    expect(naive.errors).toEqual([expect.stringContaining('SyntaxError')])
    expect(told()).toEqual(['web01'])
  })

  it('r4: a web page for good: the URL is wrong, and that is what is said', async () => {
    const naive = await beside()
    rig.sim.knobs.fault = call => (call.path === '/rpc' ? { kind: 'status', status: 200, html: true } : undefined)
    await naive.poll()
    expect(naive.errors).toHaveLength(1)
    await expect(rig.open()).rejects.toMatchObject({ name: 'Fatal', code: 'config' })
    await expect(rig.open()).rejects.toThrow('the URL is not the RaaS API')
  })

  it.each(['', '/raas'])('r5: only /raas/rpc answers (url with "%s"): found out once', async path => {
    rig = await makeRig({ simulator: { path: '/raas' }, path })
    const naive = new Naive(rig)
    expect((await naive.login()).status).toBe(404)
    await naive.login('/raas')
    expect((await naive.rpc('test.echo')).status).toBe(404)
    const before = rig.sim.record.requests.get('nowhere') ?? 0
    await rig.start()
    const searching = (rig.sim.record.requests.get('nowhere') ?? 0) - before
    push('web01')
    await rig.rounds(5)
    rig.sim.revokeTokens()
    await rig.rounds(2)
    expect(told()).toEqual(['web01'])
    expect((rig.sim.record.requests.get('nowhere') ?? 0) - before).toBe(searching)
    expect(searching).toBe(path === '' ? 3 : 0)
  })

  it('r6: HTTP 200 with a validation error: another way is taken, the same question never asked again', async () => {
    const naive = await beside({ simulator: { sortByAlterTime: false } })
    await rig.start()
    const jid = route(rig, ['web01'])
    rig.sim.push('master1', [ret(jid, 'web01', true)])
    await naive.poll()
    // `ret` is null and HTTP says 200.
    expect(naive.errors).toEqual([expect.stringContaining('TypeError')])
    let sorted = 0
    rig.sim.knobs.between = call => {
      if (call.kwarg['sort_by'] === 'alter_time') sorted++
    }
    await rig.rounds(4)
    expect(told()).toEqual(['web01'])
    expect(sorted).toBe(0)
  })

  it('r6: HTTP 200 with a permission error is a missing right, with an error inside the server none', async () => {
    const naive = await beside({ simulator: { users: [{ ...ROOT, methods: ['ret.get_returns', 'test.echo'] }] } })
    expect(await naive.rpc('cmd.get_cmds')).toMatchObject({ status: 200 })
    await rig.start('returns')
    expect(disabled()).toEqual(['jobs permission'])
    rig.sim.knobs.fault = call =>
      call.method === 'ret.get_returns' ? { kind: 'rpc', code: 5000, message: 'RPC internal server error' } : undefined
    push('web01')
    await rig.clock.advance(15_000)
    expect(await ended()).toMatchObject({ name: 'RpcError', code: 'protocol', refusal: 'server' })
    rig.sim.knobs.fault = undefined
    await rig.start('returns')
    expect(told()).toEqual(['web01'])
  })

  it('r6: an account that is shown some minions only: their rows and no others, whatever the count says', async () => {
    const sees = (minion: string): boolean => minion.startsWith('web')
    const naive = await beside({
      simulator: { countsHidden: true, users: [{ ...ROOT, sees }] },
      config: { jobs: false },
    })
    await rig.start()
    const names = many(150, 'db').flatMap((db, n) => [db, `web${n}`])
    push(...names)
    await rig.clock.advance(10)
    push('web-last')
    const { count, results } = (
      JSON.parse((await naive.rpc('ret.get_returns', { limit: 500 })).text) as {
        ret: { count: number; results: unknown[] }
      }
    ).ret
    expect([count, results.length]).toEqual([301, 151])
    await rig.rounds(3)
    expect(told().sort()).toEqual(names.filter(sees).concat('web-last').sort())
  })
})

describe('r7–r9: size and load', () => {
  it.each([
    ['503', { kind: 'status', status: 503 } as const],
    ['a page of the proxy', { kind: 'status', status: 502, html: true } as const],
    ['a reset', { kind: 'reset' } as const],
  ])('r7: %s in the middle of a walk: the next walk has it all', async (_name, fault) => {
    const naive = await beside({ config: { jobs: false } })
    naive.pages = 100
    await rig.start()
    for (const minion of many(450)) {
      push(minion)
      await rig.clock.advance(1)
    }
    rig.sim.knobs.fault = call => (call.kwarg['page'] === 1 ? fault : undefined)
    await naive.poll()
    await rig.clock.advance(15_000)
    expect(await ended()).toMatchObject({ name: 'Retryable' })
    rig.sim.knobs.fault = undefined
    expect(naive.errors).toHaveLength(1)
    await rig.start()
    expect(told()).toEqual(many(450))
    expect(rig.keeper.duplicates).toBe(0)
  })

  it('r7: a database too slow for large pages: two timeouts halve them, calm walks restore them', async () => {
    await beside({ config: { jobs: false, request_timeout: '5s' } })
    await rig.start()
    push('web01')
    const limits: number[] = []
    rig.sim.knobs.fault = call => {
      if (call.method !== 'ret.get_returns') return undefined
      limits.push(Number(call.kwarg['limit']))
      return Number(call.kwarg['limit']) > 100 ? { kind: 'hang' } : undefined
    }
    await rig.clock.advance(15_000)
    for (let attempt = 0; attempt < 2; attempt++) {
      if (attempt > 0) await rig.open()
      await until(() => limits.at(-1) === 200, 'the large page')
      await until(() => rig.clock.next !== undefined && rig.clock.next <= 5000, 'the request')
      limits.push(0)
      await rig.clock.advance(5000)
      expect(await ended()).toMatchObject({ code: 'timeout' })
    }
    await rig.start()
    expect(told()).toEqual(['web01'])
    expect(limits.at(-1)).toBe(100)
    rig.sim.knobs.fault = undefined
    rig.sim.knobs.between = call => limits.push(Number(call.kwarg['limit']))
    await rig.rounds(12)
    expect(limits.at(-1)).toBe(200)
  })

  it('r8: a return of 30 MB among others: read in parts below the cap, none left out', async () => {
    const MB = 1024 * 1024
    const naive = await beside({ config: { jobs: false }, limits: { maxBytes: 40 * MB } })
    await rig.start()
    // The row carries its return twice, as RaaS does.
    for (const [minion, size] of [
      ['big30', 15],
      ['big20', 10],
    ] as const) {
      rig.sim.push('master1', [ret(JID, minion, 'x'.repeat(size * MB), { fun: 'cmd.run' })])
      await rig.clock.advance(1)
    }
    push('web01')
    // What a reader without a cap takes in at once, each time.
    expect((await naive.rpc('ret.get_returns', { limit: 200 })).text.length).toBeGreaterThan(50 * MB)
    await rig.rounds(1)
    expect(told()).toEqual(['big30', 'big20', 'web01'])
    expect(JSON.stringify(rig.keeper.facts).length).toBeLessThan(20_000)
  })

  it('r8: pages that were too large are not asked for again at once', async () => {
    await beside({ config: { jobs: false }, limits: { maxBytes: 60_000 } })
    await rig.start()
    const cutOff = (): number => rig.keeper.reported('request').filter(one => one.result === 'error').length
    // Newer ones on top: no row of its own is too large.
    for (const minion of many(20)) {
      rig.sim.push('master1', [ret(JID, minion, 'x'.repeat(2500), { fun: 'cmd.run' })])
      await rig.clock.advance(1)
    }
    for (const minion of many(30, 'light')) {
      push(minion)
      await rig.clock.advance(1)
    }
    await rig.rounds(1)
    const first = cutOff()
    expect(first).toBeGreaterThan(0)
    await rig.rounds(5)
    expect(cutOff() - first).toBe(0)
    expect(new Set(told()).size).toBe(50)
  })

  it('r9: more rows than a walk may read: a gap that says so, filled from the jobs', async () => {
    const naive = await beside({ limits: { maxRows: 400 } })
    naive.pages = 8
    await rig.start()
    push('first')
    await rig.rounds(1)
    await naive.poll()
    await rig.stop()
    const minions = many(300)
    const jid = route(rig, minions)
    for (const minion of minions) {
      rig.sim.push('master1', [ret(jid, minion, true)])
      await rig.clock.advance(1)
    }
    for (const minion of many(600, 'lone')) {
      push(minion)
      await rig.clock.advance(1)
    }
    await naive.poll()
    await rig.restart()
    await rig.rounds(1)
    // As many rows missing, and not a word about it.
    expect([naive.told.length, naive.errors.length]).toEqual([401, 0])
    expect(rig.keeper.of('opswire.gap').map(fact => fact.data.gap)).toMatchObject([
      { feed: 'returns', reason: 'row_limit', recovered: 300 },
    ])
    expect(told().filter(name => minions.includes(name))).toHaveLength(300)
  })
})
