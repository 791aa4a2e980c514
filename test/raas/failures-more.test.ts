/** The failure modes of reference/raas.md §3, rows 10 to 17, and what users run into (§5): as failures.test.ts. */
import { afterEach, describe, expect, it } from 'vitest'
import { until } from '../support/manual-clock.ts'
import { JID, makeBeside, minionsOf, pushTo } from './beside.ts'
import { ret } from './bus.ts'
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
const advice = (): string =>
  rig.keeper
    .reported('advice')
    .map(one => one.text)
    .join('\n')
const push = (...minions: string[]): void => pushTo(rig, minions)

describe('r10–r12: times and tables', () => {
  it('r10: rows without alter_time: told, said, and no harm to the cursor', async () => {
    const naive = await beside({ config: { jobs: false } })
    await rig.start()
    push('web01', 'bare')
    for (const { row, minion } of rig.sim.tables.returns) if (minion === 'bare') delete row['alter_time']
    await naive.poll()
    await rig.rounds(1)
    push('web02')
    await naive.poll()
    await rig.rounds(1)
    // `undefined` is greater than any time, for ever.
    expect(naive.minions).not.toContain('web02')
    expect(told().sort()).toEqual(['bare', 'web01', 'web02'])
    expect(advice()).toContain('1 rows carry no time')
  })

  it.each([
    ['a zone', { zone: '+00:00' as const }],
    ['Z', { zone: 'Z' as const }],
    ['a space', { stampSeparator: ' ' as const }],
    ['hundreds of columns that nobody knows', { extraColumns: 300 }],
  ])('r10: rows written with %s are the same rows', async (_name, simulator) => {
    const naive = await beside({ config: { jobs: false } })
    await rig.start()
    push('web01')
    await naive.poll()
    await rig.rounds(1)
    // The server was upgraded: it writes its rows in another way now.
    Object.assign(rig.sim.knobs, simulator)
    rig.sim.tables.touch(JID, 'web01')
    push('web02')
    await naive.poll()
    await rig.rounds(2)
    expect(
      naive.minions.filter(name => name === 'web01').length + naive.minions.filter(name => name === 'web02').length,
    ).not.toBe(2)
    expect(told()).toEqual(['web01', 'web02'])
  })

  it('r11: a database restored: the cursor is in the future, and goes back', async () => {
    const naive = await beside({ config: { jobs: false, overlap: '30s' } })
    await rig.start()
    const restoreTo = rig.clock.wall() * 1000
    await rig.rounds(40)
    push('undone')
    await naive.poll()
    await rig.rounds(1)
    rig.sim.tables.restore(restoreTo)
    rig.clock.stepWall(-480_000)
    push('reborn')
    await naive.poll()
    await rig.rounds(1)
    push('after')
    await naive.poll()
    await rig.rounds(1)
    expect(naive.minions).toEqual(['undone'])
    expect(told()).toEqual(['undone', 'reborn', 'after'])
    expect(advice()).toContain('was a database restored?')
  })

  it('r12: the tables are trimmed, in the middle of a walk too: what is new arrives, what is gone is forgotten', async () => {
    const naive = await beside({ config: { sweep_interval: '1m' } })
    await rig.start()
    const jid = route(rig, ['web01', 'gone'])
    rig.sim.push('master1', [ret(jid, 'web01', true)])
    await rig.rounds(2)
    await rig.clock.advance(600_000)
    const listed = (await naive.rows('ret.get_returns')).length
    for (let n = 0; n < 450; n++) {
      push(`m${n}`)
      await rig.clock.advance(1)
    }
    let trimmed = false
    rig.sim.knobs.between = call => {
      if (call.kwarg['page'] !== 1 || trimmed) return
      trimmed = true
      rig.sim.tables.trim((rig.clock.wall() - 300_000) * 1000)
    }
    await rig.rounds(4)
    push('after')
    await rig.rounds(2)
    // Who goes on from the number of rows reads the wrong ones now.
    expect((await naive.rows('ret.get_returns', { limit: 1, page: listed })).map(row => row['minion_id'])).not.toEqual([
      'm0',
    ])
    expect(told().sort()).toEqual(['web01', 'after', ...Array.from({ length: 450 }, (_, n) => `m${n}`)].sort())
    expect(rig.keeper.mirror.has(jid)).toBe(false)
    expect(rig.keeper.of('opswire.gap')).toEqual([])
  })
})

describe('r13–r17: around the table', () => {
  it('r13: the API token was revoked: one exchange an attempt, and the metric of its end stands before that', async () => {
    rig = await makeRig({
      simulator: { cspTokens: new Set(['api']) },
      config: { csp_api_token: 'api', api_token_expires_at: '2026-08-01T00:00:00Z' },
    })
    await rig.start()
    rig.sim.knobs.cspTokens.clear()
    rig.sim.revokeTokens()
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    const naive = new Naive(rig)
    expect(
      (await naive.send('POST', '/csp/gateway/am/api/auth/api-tokens/authorize', 'api_token=api', form)).status,
    ).toBe(400)
    const before = rig.sim.record.requests.get('csp') ?? 0
    await rig.clock.advance(15_000)
    await until(() => rig.error !== undefined, 'the end of the session')
    expect(rig.error).toMatchObject({ name: 'Fatal', code: 'auth_refused' })
    expect(`${rig.error}`).toMatch(/refuses the API token.*expired or revoked/)
    expect((rig.sim.record.requests.get('csp') ?? 0) - before).toBe(1)
    expect(rig.keeper.reported('credential_expiry')[0]?.atMs).toBe(Date.parse('2026-08-01T00:00:00Z'))
  })

  it('r14: two nodes, one clock 3 s ahead: nothing is hidden by the other, and it is said', async () => {
    const naive = await beside({ config: { jobs: false }, simulator: { nodes: [0, 3000] } })
    await rig.start()
    for (let round = 0; round < 6; round++) {
      rig.sim.knobs.writerSkewMs = () => 3000
      push(`ahead${round}`)
      await naive.poll()
      rig.sim.knobs.writerSkewMs = () => 0
      push(`behind${round}`)
      await naive.poll()
      await rig.rounds(1)
    }
    expect(naive.minions.filter(name => name.startsWith('behind'))).toEqual([])
    expect(told()).toHaveLength(12)
    expect(advice()).toContain('2 RaaS nodes answer')
  })

  it('r15: secrets in payloads, nested and in text: nothing by default, masked where asked for', async () => {
    const naive = await beside({
      config: { audit: true, returns: { include_body_for: ['pillar.*', 'state.*'], redact: ['ssn'] } },
    })
    await rig.start('returns', 'jobs', 'audit')
    const jid = route(rig, ['web01'], 'cmd.run')
    const state = {
      'cmd_|-mysql --password=s3cret-1_|-x_|-run': {
        result: false,
        changes: { stdout: 'token: s3cret-2' },
        comment: '',
      },
    }
    rig.sim.push('master1', [
      ret(jid, 'web01', 'root:s3cret-3', { fun: 'cmd.run', fun_args: ['echo s3cret-4'] }),
      ret(
        jid,
        'web02',
        { a: [{ db: { password: 's3cret-5', ssn: 's3cret-6', plain: 'yes' } }] },
        { fun: 'pillar.items' },
      ),
      ret(jid, 'web03', state, { fun: 'state.apply', retcode: 2, fun_args: ['--token', 's3cret-7'] }),
    ])
    rig.sim.tables.addAudit({
      ...{ username: 'alice', type: 'rpc', name: 'cmd.route_cmd', failed: false, startUs: rig.sim.tables.nowUs() },
      request: { headers: { Authorization: 'JWT s3cret-8' }, raw: 'Cookie: s3cret-9\nHost: raas' },
    })
    const seen = JSON.stringify([await naive.rows('ret.get_returns'), await naive.rows('audit.get_audit')])
    expect(new Set(seen.match(/s3cret-\d/g)).size).toBe(9)
    await rig.rounds(2, ['returns', 'jobs', 'audit'])
    const text = JSON.stringify(rig.keeper.facts)
    expect(told().sort()).toEqual(['web01', 'web02', 'web03'])
    expect(rig.keeper.of('raas.audit')).toHaveLength(1)
    expect(text).toContain('"plain":"yes"')
    expect(text.match(/s3cret-\d/g)).toBeNull()
    expect(JSON.stringify(rig.keeper.happenings)).not.toContain('s3cret')
  })

  it('r16: a self-signed certificate: no password to a stranger; ca_file, or verify: false, said in the config', async () => {
    rig = await makeRig({ config: { tls: {} } })
    await expect(rig.open()).rejects.toMatchObject({ name: 'Fatal', code: 'tls' })
    expect([...rig.sim.record.requests]).toEqual([])
    await rig.close()
    rig = await makeRig({ config: { tls: { verify: false } } })
    await rig.start()
    push('web01')
    await rig.rounds(1)
    expect(told()).toEqual(['web01'])
  })

  it('r17: nothing is taken on the way out: the cursor stays, and a death loses nothing', async () => {
    const naive = await beside({ config: { jobs: false } })
    await rig.start()
    const at = JSON.stringify(rig.keeper.cursors.get('returns'))
    let release = (): void => undefined
    rig.keeper.hold = new Promise((_, reject) => {
      release = () => reject(new Error('killed'))
    })
    rig.keeper.hold.catch(() => undefined)
    push('web01')
    await naive.poll()
    await rig.clock.advance(15_000)
    await rig.clock.advance(600_000)
    expect(JSON.stringify(rig.keeper.cursors.get('returns'))).toBe(at)
    // Its cursor moved on, whatever became of what it told.
    expect(naive.cursor).not.toBe('')
    release()
    await rig.stop()
    rig.keeper.hold = undefined
    await rig.restart()
    expect(told()).toEqual(['web01'])
  })
})

describe('what users run into', () => {
  it('a page of 50 is not everything', async () => {
    const naive = await beside({ config: { jobs: false } })
    await rig.start()
    for (let n = 0; n < 120; n++) {
      push(`m${n}`)
      await rig.clock.advance(1)
    }
    await naive.poll()
    await rig.rounds(1)
    expect(naive.told).toHaveLength(50)
    expect(told()).toHaveLength(120)
  })

  it('a page edge in a group of one time, which comes in another order each time', async () => {
    const naive = await beside({ config: { jobs: false } })
    await rig.start()
    naive.pages = 100
    await naive.poll()
    push(...Array.from({ length: 150 }, (_, n) => `tie${n}`))
    await naive.poll()
    await rig.rounds(1)
    expect(new Set(naive.told).size).toBeLessThan(150)
    expect(new Set(told()).size).toBe(150)
  })

  it('a commit 40 s late lies below the newest row', async () => {
    const naive = await beside({ config: { jobs: false } })
    await rig.start()
    rig.sim.knobs.commitDelayMs = () => 40_000
    push('slow')
    rig.sim.knobs.commitDelayMs = () => 0
    await rig.clock.advance(10)
    push('quick')
    await naive.poll()
    await rig.rounds(4)
    await naive.poll()
    expect(naive.minions).toEqual(['quick'])
    expect(told()).toEqual(['quick', 'slow'])
  })

  it('who goes on by jid misses the return that comes hours after its job', async () => {
    const naive = await beside({ config: { poll_interval: '5m' } })
    naive.by = 'jid'
    await rig.start()
    const jid = route(rig, ['web01', 'web02'])
    rig.sim.push('master1', [ret(jid, 'web01', true)])
    await naive.poll()
    const [first] = await naive.rows('cmd.get_cmds', { jid })
    await rig.rounds(36)
    await naive.login()
    rig.sim.push('master1', [ret(jid, 'web02', false, { retcode: 1 })])
    await naive.poll()
    await rig.rounds(1)
    expect(naive.minions).toEqual(['web01'])
    expect(told()).toEqual(['web01', 'web02'])
    // "The first row of the result" said that the job had not failed.
    expect(first).toMatchObject({ returned_failed: 0 })
    const missing = rig.keeper.of('raas.run.missing').map(fact => fact.data.job?.missingMinions)
    expect(missing).toEqual([['web02']])
    expect(rig.keeper.facts.filter(fact => fact.type.startsWith('raas.run')).at(-1)?.data).toMatchObject({
      outcome: 'failure',
    })
  })

  it('who waits for one of two end states waits for ever; a run that lacks a minion ends, and names it', async () => {
    const naive = await beside()
    await rig.start()
    const jid = route(rig, ['web01', 'switched-off'])
    rig.sim.push('master1', [ret(jid, 'web01', true)])
    await rig.rounds(6)
    const [row] = await naive.rows('cmd.get_cmds', { jid })
    expect(['completed_all_successful', 'completed_failures']).not.toContain(row?.['state'])
    expect(rig.keeper.of('raas.run.completed').map(fact => fact.data.outcome)).toEqual(['unknown'])
    expect(rig.keeper.of('raas.run.missing')[0]?.data.job?.missingMinions).toEqual(['switched-off'])
  })
})
