import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/scheduler/clock.ts'
import { runVcdLife } from '../../src/simulators/vcd/life.ts'
import { VERSIONS } from '../../src/simulators/vcd/world.ts'
import { until } from '../support/manual-clock.ts'
import { ask, BOT, bearer, certificate, clock, interactive, ROOT, simulator, start, xml } from './vcd-cell.ts'

afterEach(() => simulator.close())

describe('orgs and tokens', () => {
  it('lists the orgs as the guide prints them', async () => {
    await start({
      versions: VERSIONS['10.3'],
      orgs: [{ name: 'System', id: 'a93c9db9-7471-3192-8d09-a8f7eeda85f9' }, { name: 'acme' }, { name: 'other co' }],
      publicUrl: 'https://host_name',
    })
    const headers = xml(await bearer('/oauth/provider/token', 'root-secret', '36.1'), '36.1')
    const answer = await ask('GET', '/api/org', headers)
    expect(answer.headers['content-type']).toBe('application/vnd.vmware.vcloud.orglist+xml;version=36.1')
    expect(answer.headers['x-vmware-vcloud-request-execution-time']).toBe('41')
    expect(answer.text).toContain(
      '    <Org href="https://host_name/api/org/a93c9db9-7471-3192-8d09-a8f7eeda85f9" type="application/vnd.vmware.vcloud.org+xml" name="System"/>',
    )
  })

  it('shows no tokens to a session that comes from one', async () => {
    await start()
    const path = `/cloudapi/1.0.0/tokens?filter=${encodeURIComponent('(type==REFRESH)')}&page=1&pageSize=128`
    expect((await ask('GET', path, await bearer())).status).toBe(403)
    const mine = await ask('GET', path, await interactive('bot@acme'))
    expect(JSON.parse(mine.text)).toMatchObject({
      resultTotal: 1,
      values: [
        { id: `urn:vcloud:token:${BOT}`, name: 'bot', owner: { name: 'bot' }, org: { name: 'acme' }, type: 'REFRESH' },
      ],
    })
    expect(mine.text).not.toContain('bot-secret')
    const all = await ask('GET', path, await interactive('root@System', true))
    expect(JSON.parse(all.text)).toMatchObject({ resultTotal: 2 })
    expect(JSON.parse((await ask('GET', path, await interactive('alice@acme'))).text)).toMatchObject({ resultTotal: 0 })
  })
})

describe('acts', () => {
  const rows = () => simulator.record.rows.map(row => [row.type, row.success, row.tokenId])

  it('leave rows stamped with the token that the session came from', async () => {
    await start({ tokenLoginEvents: false })
    const token = xml(await bearer('/oauth/tenant/acme/token', 'bot-secret'))
    const list = await ask('GET', '/api/query?type=vm&format=records', token)
    const path = /(\/api\/vApp\/vm-[0-9a-f-]{36})" name="web-1" status="POWERED_OFF"/.exec(list.text)?.[1] ?? ''
    expect((await ask('POST', `${path}/power/action/powerOn`, token)).status).toBe(202)
    expect((await ask('DELETE', path, token)).status).toBe(400)
    await clock.advance(100)
    expect(rows()).toEqual([
      ['task/create', true, BOT],
      ['task/start', true, BOT],
      ['vm/change_state', true, BOT],
      ['task/complete', true, BOT],
      ['task/create', true, BOT],
      ['task/start', true, BOT],
      ['vm/delete', false, BOT],
      ['task/fail', false, BOT],
    ])
    const person = await interactive('alice@acme')
    expect((await ask('POST', `${path}/power/action/powerOff`, xml(person))).status).toBe(202)
    expect((await ask('DELETE', path, xml(person))).status).toBe(202)
    await clock.advance(100)
    expect(simulator.record.rows.slice(8).every(row => row.tokenId === null)).toBe(true)
    const stranger = await interactive('olga@other co')
    expect((await ask('DELETE', path, xml(stranger))).status).toBe(403)
  })

  it('on users and roles are for interactive sessions only', async () => {
    await start({ tokenLoginEvents: false })
    const token = await bearer('/oauth/tenant/acme/token', 'bot-secret')
    const body = JSON.stringify({ username: 'new' })
    expect((await ask('POST', '/cloudapi/1.0.0/users', token, body)).status).toBe(403)
    const person = await interactive('alice@acme')
    expect((await ask('POST', '/cloudapi/1.0.0/users', person, body)).status).toBe(201)
    expect(rows().filter(([type]) => type === 'user/create')).toEqual([
      ['user/create', false, BOT],
      ['user/create', true, null],
    ])
  })
})

describe('edits', () => {
  it('of roles are refused to a token; of orgs they are the provider’s', async () => {
    await start({ tokenLoginEvents: false })
    const token = await bearer('/oauth/tenant/acme/token', 'bot-secret')
    const { values } = JSON.parse((await ask('GET', '/cloudapi/1.0.0/roles', token)).text) as {
      values: { id: string }[]
    }
    const role = `/cloudapi/1.0.0/roles/${values[0]?.id}`
    const body = JSON.stringify({ name: 'Operator' })
    expect((await ask('PUT', role, token, body)).status).toBe(403)
    const person = await interactive('alice@acme')
    expect((await ask('PUT', role, person, body)).status).toBe(200)
    const root = await bearer()
    const list = (await ask('GET', '/api/org', xml(root))).text
    const org = `/cloudapi/1.0.0/orgs/urn:vcloud:org:${/api\/org\/([0-9a-f-]{36})"[^>]*name="acme"/.exec(list)?.[1]}`
    expect((await ask('PUT', org, person, '{}')).status).toBe(403)
    expect((await ask('PUT', org, root, '{}')).status).toBe(200)
    await clock.advance(1000)
    const edits = simulator.record.rows.filter(row => row.type.endsWith('/modify'))
    expect(edits.map(row => [row.type, row.org, row.success, row.tokenId])).toEqual([
      ['role/modify', 'acme', false, BOT],
      ['role/modify', 'acme', true, null],
      ['org/modify', 'acme', true, ROOT],
    ])
  })
})

describe('life', () => {
  it('goes on through the API alone, with a token and without, well and badly', async () => {
    // Ten times as fast as life.
    const time = { ...systemClock, after: (ms: number, fn: () => void) => systemClock.after(ms / 10, fn) }
    const end = new AbortController()
    await start({
      time,
      tokens: [{ secret: 'bot-secret', id: BOT, name: 'bot', user: 'bot', org: 'acme', rotation: 'always' }],
    })
    const credentials = { org: 'acme', apiToken: 'bot-secret', user: 'alice', password: 'pw' }
    const life = runVcdLife(simulator.url, (await certificate).cert, credentials, time, end.signal)
    const has = (token: boolean, success: boolean): boolean =>
      simulator.record.rows.some(row => (row.tokenId !== null) === token && row.success === success)
    await until(() => has(true, true) && has(false, true) && has(true, false) && has(false, false), 'all four kinds')
    // The automation goes on after its token was rotated.
    simulator.endSessions()
    const before = simulator.record.rows.filter(row => row.tokenId !== null).length
    await until(() => simulator.record.rows.filter(row => row.tokenId !== null).length > before + 4, 'goes on')
    end.abort()
    await life
    const refused = simulator.record.logins.filter(login => !login.ok && login.way === 'token')
    expect(refused).toEqual([])
  })
})
