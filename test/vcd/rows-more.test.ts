/** Table (b) of reference/vcd.md, rows 15 to 24, and mistakes of others that the page keeps as test cases: as rows.test.ts. */
import { afterEach, describe, expect, it } from 'vitest'
import { describe as tell } from '../../src/errors.ts'
import { makeCertificate } from '../../src/simulators/server.ts'
import { vcdSubscriber } from '../../src/subscribers/vcd/subscriber.ts'
import { Beside, HOUR, MINUTE, ROW } from './beside.ts'
import { CI_TOKEN } from './rig.ts'

let beside: Beside

async function start(...options: Parameters<typeof Beside.start>) {
  beside = await Beside.start(...options)
  const { rig, naive } = beside
  return { rig, naive, sim: rig.simulator }
}

afterEach(() => beside.close())

describe('b15–b17: what is not there any more', () => {
  it('b15: the role sees less: 200, with fewer rows, and no word of it', async () => {
    const { rig, naive, sim } = await start()
    await beside.caughtUp()
    sim.write(ROW)
    await rig.turns(8)
    sim.knobs.hide = row => row.user === 'alice'
    const hidden = sim.write(ROW)
    const shown = sim.write({ ...ROW, user: 'root', org: 'System' })
    const answer = await naive.trail('page=1&pageSize=1')
    expect(answer.status).toBe(200)
    await naive.poll()
    expect([naive.has(shown), naive.has(hidden)]).toEqual([true, false])
    await rig.turns(8)
    expect(beside.gaps()).toEqual(['anchor_missing'])
  })

  it('b16: a database is restored from an older copy: what was written meanwhile is gone, the clock goes on', async () => {
    const { rig, naive, sim } = await start()
    await beside.caughtUp()
    sim.write(ROW)
    await rig.turns(8)
    sim.write(ROW)
    await rig.turns(8)
    await naive.poll()
    const cursor = naive.cursor
    await rig.stop()
    const restoredTo = rig.clock.wall() - 100_000
    sim.lose(row => row.timestampMs > restoredTo)
    // What the copy had, and this one hadn't shown before: behind every cursor.
    const copied = sim.write({ ...ROW, atMs: restoredTo + 5000 })
    await naive.poll()
    expect([naive.has(copied), naive.cursor]).toEqual([false, cursor])
    const told = [...rig.facts.keys()]
    await beside.caughtUp()
    expect(beside.has(copied)).toBe(true)
    expect(beside.gaps()).toEqual(['anchor_missing'])
    // Read again from well before, with unchanged ids: nothing is told twice.
    expect([...rig.facts.keys()].slice(0, told.length)).toEqual(told)
  })

  it('b17: away for longer than rows are kept: what was purged is nowhere said to be missing', async () => {
    const { rig, naive, sim } = await start({ retentionMs: 10 * HOUR })
    await beside.caughtUp()
    sim.write(ROW)
    await rig.turns(8)
    await naive.poll()
    await rig.stop()
    const away = rig.clock.wall()
    const missed = sim.write({ ...ROW, atMs: away + 1000 })
    await rig.clock.advance(30 * HOUR)
    naive.bearer = (await naive.login()).bearer
    const fresh = sim.write(ROW)
    await naive.poll()
    expect([naive.has(fresh), naive.has(missed)]).toEqual([true, false])
    await beside.caughtUp()
    const [gap] = rig.gaps()
    expect(gap?.data.gap?.reason).toBe('retention')
    expect(Date.parse(gap?.data.gap?.from ?? '')).toBeLessThan(away)
    expect(Date.parse(gap?.data.gap?.to ?? '')).toBeGreaterThan(away + 1000)
    await beside.both(fresh)
  })
})

describe('b18–b20: what stands in a row', () => {
  it('b18: the id is a URN here, a bare UUID in notifications, in any case: by its text it is another event', async () => {
    const { rig, naive, sim } = await start()
    const id = '6a0c0c52-0000-4000-8000-00000000aaaa'
    await beside.caughtUp()
    sim.write({ ...ROW, wire: { eventId: `urn:vcloud:audit:${id}` } })
    sim.write({ ...ROW, wire: { eventId: id.toUpperCase() } })
    await naive.poll()
    expect(new Set(naive.rows).size).toBe(2)
    await rig.turns(2)
    expect([...rig.facts.values()].filter(fact => fact.data.kind === 'audit')).toHaveLength(1)
  })

  it('b19: keys with dots, any JSON for a value, a key called __proto__: by path nothing of it is found', async () => {
    const { rig, naive, sim } = await start()
    await beside.caughtUp()
    const properties = JSON.parse('{"__proto__":{"polluted":true},"vm.id":{"id":"urn:vcloud:vm:1"},"vm.vcpuCount":2}')
    const id = sim.write({ ...ROW, tokenId: CI_TOKEN.toUpperCase(), properties })
    const page = JSON.parse((await naive.trail('page=1&pageSize=128')).text) as {
      values: { eventId: string; additionalProperties: { currentContext?: { refreshTokenId?: string } } }[]
    }
    const row = page.values.find(({ eventId }) => eventId.endsWith(id))
    expect(row?.additionalProperties.currentContext?.refreshTokenId).toBeUndefined()
    await beside.both(id)
    const fact = rig.rows().get(id)
    expect(fact?.data.actor).toMatchObject({ via: 'token', tokenId: CI_TOKEN })
    expect(JSON.stringify(fact?.data.raw)).toContain('"vm.vcpuCount":2')
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
    const huge = sim.write({ ...ROW, tokenId: CI_TOKEN, properties: { blob: 'x'.repeat(200_000) } })
    await beside.both(huge)
    expect(rig.rows().get(huge)?.data.flags).toEqual(['truncated'])
    expect(JSON.stringify(rig.rows().get(huge)).length).toBeLessThan(64 * 1024)
  })

  it('b20: a description with line ends and escapes writes lines of its own into a log', async () => {
    const { rig, naive, sim } = await start()
    await beside.caughtUp()
    const evil = `done\n2026-01-01 root logged in\u001b[2J`
    const id = sim.write({ ...ROW, description: evil, entity: { name: evil, id: null } })
    const { values } = JSON.parse((await naive.trail('page=1&pageSize=128')).text) as {
      values: { description: string }[]
    }
    expect(`event: ${values.at(-1)?.description}`.split('\n')).toHaveLength(2)
    await beside.both(id)
    const { summary, description } = rig.rows().get(id)?.data ?? {}
    for (const text of [summary, description]) {
      expect(text).toContain('root logged in')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
      expect(text).not.toMatch(/[\u0000-\u001f]/)
    }
  })
})

describe('b21–b24: on the way', () => {
  it('b21: whoever trusts any certificate gives the API token to anybody', async () => {
    const { rig, naive, sim } = await start()
    rig.trust((await makeCertificate()).cert)
    await expect(naive.login()).rejects.toThrow(/self-signed|unable to verify/)
    expect((await naive.login('secret-system', false)).status).toBe(200)
    const before = sim.record.requests.length
    await expect(rig.open(vcdSubscriber(rig.config()))).rejects.toMatchObject({ name: 'Fatal', code: 'tls' })
    expect(sim.record.requests.length).toBe(before)
  })

  it.each([
    ['200 with a page of a balancer', { kind: 'html', status: 200 }],
    ['502', { kind: 'html', status: 502 }],
  ] as const)('b22: %s is not "no events", and no reason to go on to the next page', async (_, fault) => {
    const { rig, naive, sim } = await start()
    await beside.caughtUp()
    const rows = Array.from({ length: 300 }, () => sim.write({ ...ROW, atMs: rig.clock.wall() }))
    let pages = 0
    sim.knobs.fail = ({ path }) => (path.includes('gt') && ++pages === 1 ? fault : undefined)
    await naive.poll()
    expect(naive.rows).toEqual([])
    // Its next poll reads on. One that reads only the first page of 128 and sets its cursor to now has lost the rest.
    await naive.poll()
    naive.cursor = new Date(rig.clock.wall()).toISOString()
    let asked = 0
    sim.knobs.fail = ({ path }) => (path.includes('ge') && asked++ < 3 ? fault : undefined)
    await rig.drive(() => rows.every(id => beside.has(id)), 'all rows')
    expect(rig.failures.length).toBeGreaterThan(0)
    expect(rig.failures.every(({ code }) => code === 'throttled')).toBe(true)
  })

  it('b23: a restart begins at now: what happened in between is gone', async () => {
    const { rig, naive, sim } = await start()
    await beside.caughtUp()
    await rig.stop()
    const row = sim.write(ROW)
    await rig.clock.advance(MINUTE)
    naive.cursor = new Date(rig.clock.wall()).toISOString()
    await naive.poll()
    expect(naive.has(row)).toBe(false)
    await beside.caughtUp()
    expect(rig.rows().get(row)?.origin).toBe('resync')
  })

  it('b24: an error that quotes its request tells the API token to the log', async () => {
    const { rig, naive, sim } = await start()
    sim.knobs.fail = ({ method }) => (method === 'POST' ? { kind: 'html', status: 502 } : undefined)
    const answer = await naive.login()
    expect(`login failed: grant_type=refresh_token&refresh_token=secret-system: ${answer.status}`).toContain(
      'secret-system',
    )
    const said: string[] = []
    for (const fault of [
      { kind: 'html', status: 502 },
      { kind: 'status', status: 400 },
      { kind: 'reset' },
      { kind: 'status', status: 401 },
    ] as const) {
      sim.knobs.fail = ({ method, path }) => (method === 'POST' || path.includes('auditTrail') ? fault : undefined)
      said.push(await rig.open(vcdSubscriber(rig.config())).then(() => '', tell))
      sim.knobs.fail = ({ path }) => (path.includes('auditTrail') ? fault : undefined)
      const failed = rig.failures.length
      rig.read()
      await rig.drive(() => rig.failures.length > failed, 'it failed')
      await rig.stop()
      said.push(...rig.failures.map(tell))
    }
    const all = [...said, ...rig.happenings.map(one => JSON.stringify(one))].join('\n')
    expect(said.filter(text => text !== '').length).toBeGreaterThan(6)
    // Neither the API token nor an access token (they begin so).
    expect(all).not.toMatch(/secret-system|eyJ/)
  })
})

describe('mistakes of others', () => {
  it('local time with a Z behind it: hours are skipped, or read again, wherever it is not UTC', async () => {
    const { rig, naive, sim } = await start()
    await beside.caughtUp()
    const row = sim.write(ROW)
    // Two hours east of Greenwich.
    const at = new Date(rig.clock.wall() - MINUTE + 2 * HOUR).toISOString()
    naive.cursor = at
    await naive.poll()
    expect(naive.has(row)).toBe(false)
    await beside.both(row)
    const literals = sim.record.requests.flatMap(({ path }) => /ge%3D([^)&;]+?)(?:%3B|\)|%29)/.exec(path)?.[1] ?? [])
    expect(literals.length).toBeGreaterThan(0)
    for (const literal of literals) {
      const ms = Date.parse(decodeURIComponent(literal))
      expect(Math.abs(ms - rig.clock.wall())).toBeLessThan(HOUR)
    }
  })

  it('links lead to the address that the cell believes to have: whoever follows them leaves', async () => {
    const { rig, naive, sim } = await start({ publicUrl: 'https://elsewhere.example.net' })
    await beside.caughtUp()
    const rows = Array.from({ length: 300 }, () => sim.write(ROW))
    const page = await naive.trail('page=1&pageSize=128')
    expect(page.status).toBe(200)
    await rig.turns(2)
    expect(rows.filter(id => !beside.has(id))).toEqual([])
  })
})
