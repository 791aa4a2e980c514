/**
 * The failures of real life, row by row (reference/vcd.md, table b): what each does to a client as they are often
 * written, then that opswire survives it. The table: docs/VCD.md
 */
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { VERSIONS } from '../../src/simulators/vcd/world.ts'
import { vcdSubscriber } from '../../src/subscribers/vcd/subscriber.ts'
import { Beside, HOUR, MINUTE, ROW } from './beside.ts'
import { type Rig, SYSTEM_TOKEN } from './rig.ts'

let beside: Beside

async function start(...options: Parameters<typeof Beside.start>) {
  beside = await Beside.start(...options)
  const { rig, naive } = beside
  return { rig, naive, sim: rig.simulator }
}

const failures = (): string[] => beside.rig.failures.map(error => error.message)
const rotating = (rotation: 'always') => ({
  tokens: [{ secret: 'secret-system', id: SYSTEM_TOKEN, name: 'opswire', user: 'root', org: 'System', rotation }],
})

afterEach(() => beside.close())

describe('b1–b5: tokens', () => {
  it('b1: a session ends: 401 with an empty body, and nothing but a new login helps', async () => {
    const { naive, sim } = await start()
    await beside.caughtUp()
    sim.endSessions()
    const row = sim.write(ROW)
    const answer = await naive.trail('page=1&pageSize=1')
    expect([answer.status, answer.text]).toEqual([401, ''])
    await naive.poll()
    await naive.poll()
    expect(naive.has(row)).toBe(false)
    const before = beside.logins()
    await beside.both(row)
    expect(beside.logins() - before).toBe(1)
    expect(failures()).toEqual([])
  })

  it('b2: a token is revoked: whoever tries at each poll fills the log with refusals, and may lock the account', async () => {
    const { rig, naive, sim } = await start()
    await beside.run()
    await rig.drive(() => rig.reported('feed_mode').at(-1)?.mode === 'polling', 'reading')
    sim.revoke(SYSTEM_TOKEN)
    sim.endSessions()
    const refused = (): number => sim.record.logins.filter(({ ok }) => !ok).length
    for (let poll = 0; poll < 60; poll++) await naive.login()
    expect(refused()).toBe(60)
    await beside.pass(11 * MINUTE)
    // At once, and every five minutes.
    expect(refused() - 60).toBe(3)
    const said = rig.reported('feed_state').findLast(({ state }) => state === 'lost')
    expect(said).toMatchObject({ code: 'auth_refused' })
    for (const part of ['org "System"', '/oauth/provider/token', 'another org', 'revoked', 'rotated away']) {
      expect(said?.reason).toContain(part)
    }
  })

  it('b3: a token rotates, and the process dies before it has written the new one down: locked out', async () => {
    const { rig, naive, sim } = await start(rotating('always'))
    // The login of the naive client's start rotated it, and it kept nothing.
    expect((await naive.login()).status).toBe(400)
    const secret = sim.secretOf(SYSTEM_TOKEN)
    const subscriber = () => vcdSubscriber(rig.config({ api_token: secret }))
    for (let crash = 0; crash < 3; crash++) {
      const session = await rig.open(subscriber())
      const kept = readFileSync(join(rig.directory, 'cloud.token'), 'utf8')
      expect(kept).toContain(sim.secretOf(SYSTEM_TOKEN))
      // No goodbye: a dead process says none. (Its sockets are closed for it.)
      await session.close()
    }
    expect(sim.record.logins.slice(-3).map(({ ok }) => ok)).toEqual([true, true, true])
  })

  it('b4: two programs on one rotating token kick each other out; the one that was at work says so', async () => {
    const { rig, naive, sim } = await start(rotating('always'))
    const secret = sim.secretOf(SYSTEM_TOKEN)
    await beside.caughtUp({ api_token: secret })
    // Somebody copied the current one.
    expect((await naive.login(sim.secretOf(SYSTEM_TOKEN))).status).toBe(200)
    sim.endSessions()
    await rig.drive(() => rig.failures.length > 0, 'it was noticed')
    expect(failures()[0]).toMatch(
      /one token per instance.*Its last login here, \d+ s ago, rotated it: most likely another/,
    )
    // A second instance with its own state, configured with what the first one has used up, is told the likely causes.
    mkdirSync(join(rig.directory, 'other'))
    await expect(rig.open(vcdSubscriber(rig.config({ api_token: secret })), undefined, false)).rejects.toThrow(
      /one token per instance/,
    )
  })

  it('b5: thirty days, says the answer, and half an hour of silence ends it; a login per poll is two rows per poll', async () => {
    const { rig, naive, sim } = await start({ tokenLoginEvents: true })
    const answer = JSON.parse((await naive.login()).text) as { expires_in: number }
    expect(answer.expires_in).toBe(2_592_000)
    await beside.caughtUp()
    await rig.clock.advance(1000)
    const rows = sim.record.rows.length
    for (let poll = 0; poll < 10; poll++) await naive.login()
    await rig.clock.advance(1000)
    expect(sim.record.rows.length - rows).toBe(20)
    const logins = beside.logins()
    await rig.turns(60)
    expect(beside.logins()).toBe(logins)
    // Half an hour in which nobody could ask.
    await rig.stop()
    await rig.clock.advance(31 * MINUTE)
    expect((await naive.trail('page=1&pageSize=1')).status).toBe(401)
    const refused = (): number => sim.record.requests.filter(({ status }) => status === 401).length
    const before = refused()
    await beside.caughtUp()
    expect(refused()).toBe(before)
  })
})

describe('b6–b9: versions, limits, trouble', () => {
  it('b6: a version written into the code is refused for ever after an upgrade', async () => {
    const { rig, naive, sim } = await start({ versions: VERSIONS['10.5'] }, '38.0')
    await beside.caughtUp()
    await rig.turns(8)
    sim.knobs.versions = VERSIONS['vcf-9.1']
    const row = sim.write(ROW)
    const answer = await naive.trail('page=1&pageSize=1')
    expect([answer.status, answer.text]).toEqual([406, expect.stringContaining('9.1.0, 9.0.0, 40.0 [D]')])
    await naive.poll()
    expect(naive.has(row)).toBe(false)
    await beside.both(row)
    expect(beside.asked('/api/versions')).toBe(2)
    expect(sim.record.requests.at(-1)?.accept).toContain('version=9.1.0')
  })

  it('b7: cells of two releases behind one balancer: half of all polls fail', async () => {
    const { rig, naive, sim } = await start({ versions: VERSIONS['10.6'] }, '39.1')
    await beside.caughtUp()
    const cell = { id: 'cell', skewMs: 0 }
    sim.knobs.cells = [
      { ...cell, versions: VERSIONS['10.5'] },
      { ...cell, versions: VERSIONS['10.6'] },
    ]
    const answers: number[] = []
    for (let poll = 0; poll < 10; poll++) answers.push((await naive.trail('page=1&pageSize=1')).status)
    expect(answers.filter(status => status === 406)).toHaveLength(5)
    for (let turn = 0; turn < 10; turn++) {
      const row = sim.write(ROW)
      await rig.turns(2)
      expect(beside.has(row)).toBe(true)
    }
    expect(beside.asked('/api/versions')).toBe(1)
    expect(failures()).toEqual([])
  })

  it('b8: 128 rows a page are too many for this cell: 400, at each poll', async () => {
    const { rig, naive, sim } = await start({ maxPageSize: 64 })
    const row = sim.write(ROW)
    await naive.poll()
    expect(naive.has(row)).toBe(false)
    expect((await naive.trail('page=1&pageSize=128')).text).toContain('must be less than or equal to 64')
    await beside.caughtUp({ backfill: '1m' })
    expect(beside.has(row)).toBe(true)
    const refused = (): number => sim.record.requests.filter(({ status }) => status === 400).length
    const before = refused()
    await rig.turns(5)
    expect(refused()).toBe(before)
  })

  it.each([
    ['503 with Retry-After', { kind: 'status', status: 503, retryAfterS: 120 }],
    ['429', { kind: 'status', status: 429, retryAfterS: 120 }],
    ['a cut connection', { kind: 'reset' }],
  ] as const)('b9: %s: whoever comes back at once is one more load on a cell that has too much', async (_, fault) => {
    const { rig, naive, sim } = await start()
    await beside.run()
    await rig.drive(() => rig.reported('feed_mode').at(-1)?.mode === 'polling', 'reading')
    sim.knobs.fail = () => fault
    for (let poll = 0; poll < 50; poll++) await naive.poll().catch(() => undefined)
    expect(sim.record.requests.length).toBeGreaterThanOrEqual(50)
    const before = sim.record.requests.length
    const row = sim.write(ROW)
    await beside.pass(6 * MINUTE)
    // 3 tries in a call whose connection was cut; waits of up to a minute, or as the cell says.
    const most = fault.kind === 'reset' ? 60 : 6
    expect(sim.record.requests.length - before).toBeLessThanOrEqual(most)
    sim.knobs.fail = undefined
    await beside.pass(3 * MINUTE)
    expect(beside.stored(row)).toBe(true)
  })
})

describe('b10–b14: time', () => {
  /** Lets the naive client poll along with the source. */
  async function together(rig: Rig, turns: number): Promise<void> {
    for (let turn = 0; turn < turns; turn++) {
      await rig.turns(1)
      await beside.naive.poll()
    }
  }

  it('b10: a long transaction shows its row when later ones were read: it is behind the cursor', async () => {
    const { rig, naive, sim } = await start()
    await beside.caughtUp()
    const late = sim.write({ ...ROW, lateMs: 5 * MINUTE })
    await rig.clock.advance(100)
    const early = sim.write(ROW)
    await together(rig, 45)
    expect([naive.has(early), naive.has(late)]).toEqual([true, false])
    expect([beside.has(early), beside.has(late)]).toEqual([true, true])
    expect(Math.max(...rig.reported('feed_late').map(one => one.seconds))).toBeGreaterThan(290)
  })

  it('b11: one cell is ahead, and what the others write meanwhile is in the past', async () => {
    const { rig, naive, sim } = await start()
    await beside.caughtUp()
    const now = rig.clock.wall()
    const ahead = sim.write({ ...ROW, atMs: now + 25_000 })
    await together(rig, 1)
    const usual = sim.write(ROW)
    await together(rig, 8)
    expect([naive.has(ahead), naive.has(usual)]).toEqual([true, false])
    expect([beside.has(ahead), beside.has(usual)]).toEqual([true, true])
    // And no cursor went ahead of the cell's own time.
    expect(Number(rig.cursor?.['fast'])).toBeLessThanOrEqual(rig.clock.wall())
  })

  it('b12: rows come in, or are purged, while pages are turned: numbers shift', async () => {
    const { rig, naive, sim } = await start({ retentionMs: 24 * HOUR })
    await beside.caughtUp()
    await rig.stop()
    const began = rig.clock.wall()
    const rows: string[] = []
    for (let n = 0; n < 600; n++) rows.push(sim.write({ ...ROW, atMs: began + 1000 + n * 1000 }))
    await rig.clock.advance(12 * MINUTE)
    // After the first page the oldest 200 rows go: what was row 129 is row 1 now.
    let pages = 0
    naive.afterPage = () => {
      if (++pages === 1) sim.knobs.retentionMs = rig.clock.wall() - (began + 1000 + 100 * 1000)
    }
    await naive.poll()
    const lost = rows.filter(id => !naive.has(id))
    expect(lost.length).toBe(100)
    sim.knobs.retentionMs = 24 * HOUR
    let asked = 0
    sim.knobs.fail = ({ path }) => {
      if (path.includes('auditTrail') && ++asked === 4) {
        sim.knobs.retentionMs = rig.clock.wall() - (began + 1000 + 150 * 1000)
      }
      return undefined
    }
    const left = sim.record.rows.length
    await beside.caughtUp()
    expect(left).toBe(600)
    // The naive client's purge is over: of what was there, nothing is missing.
    expect(rows.slice(100).filter(id => !beside.has(id))).toEqual([])
  })

  it('b13: more rows in one millisecond than a page holds: the rest is never later than the last one', async () => {
    const { rig, naive, sim } = await start()
    await beside.caughtUp()
    const rows: string[] = []
    for (let n = 0; n < 400; n++) rows.push(sim.write(ROW))
    // It breaks off after a page, and goes on after the last stamp.
    let pages = 0
    sim.knobs.fail = ({ path }) => (path.includes('gt') && ++pages === 2 ? { kind: 'status', status: 503 } : undefined)
    await naive.poll()
    await naive.poll()
    expect(rows.filter(id => naive.has(id)).length).toBe(128)
    await rig.turns(1)
    expect(rows.filter(id => !beside.has(id))).toEqual([])
    expect(rig.repeats).toBe(0)
  })

  it('b14: the database keeps microseconds that nobody shows: no row is equal to its own stamp', async () => {
    const { rig, naive, sim } = await start({ subMillisecond: true })
    await beside.caughtUp()
    const rows = Array.from({ length: 20 }, () => sim.write(ROW))
    const stamp = encodeURIComponent(`(timestamp==${new Date(rig.clock.wall()).toISOString()})`)
    const { values } = JSON.parse((await naive.trail(`filter=${stamp}&page=1&pageSize=128`)).text) as {
      values: unknown[]
    }
    expect(values.length).toBeLessThan(5)
    // Its anchor is looked for by `ge` and `lt`: found.
    await rig.turns(8)
    await rig.stop()
    await rig.clock.advance(MINUTE)
    await beside.caughtUp()
    expect(rows.filter(id => !beside.has(id))).toEqual([])
    expect(beside.gaps()).toEqual([])
  })
})
