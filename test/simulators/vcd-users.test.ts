/** The simulated cell's users and tokens: who may see and change what, and what that leaves in the trail. */
import { afterEach, describe, expect, it } from 'vitest'
import { ask, BOT, clock, ROOT, simulator, start } from './vcd-cell.ts'

afterEach(() => simulator.close())

const JSON_38 = 'application/json;version=38.0'

async function password(user: string, org: string, word = 'pw'): Promise<{ status: number; bearer: string }> {
  const basic = Buffer.from(`${user}@${org}:${word}`).toString('base64')
  const path = `/cloudapi/1.0.0/sessions${org === 'System' ? '/provider' : ''}`
  const { status, headers } = await ask('POST', path, { Accept: JSON_38, Authorization: `Basic ${basic}` })
  return { status, bearer: String(headers['x-vmware-vcloud-access-token']) }
}

async function exchange(
  secret: string,
  endpoint = '/oauth/tenant/acme/token',
): Promise<{ status: number; bearer: string }> {
  const headers = { Accept: 'application/json', 'Content-Type': 'application/x-www-form-urlencoded' }
  const answer = await ask('POST', endpoint, headers, `grant_type=refresh_token&refresh_token=${secret}`)
  const { access_token = '' } = JSON.parse(answer.text) as { access_token?: string }
  return { status: answer.status, bearer: access_token }
}

function call(method: string, path: string, bearer: string, body?: string): ReturnType<typeof ask> {
  return ask(
    method,
    path,
    { Accept: JSON_38, Authorization: `Bearer ${bearer}`, 'Content-Type': 'application/json' },
    body,
  )
}

const rows = (): string[] => simulator.record.rows.map(({ type, success }) => `${type}${success ? '' : ' refused'}`)
const userRows = (): string[] => rows().filter(type => type.startsWith('user/'))
const bot = (): string => `/cloudapi/1.0.0/users/urn:vcloud:user:${simulator.userId('bot', 'acme')}`

describe('users', () => {
  it('who are disabled get in no more, by password or token; what they have open lives on', async () => {
    await start()
    const { bearer } = await password('alice', 'acme')
    const open = await exchange('bot-secret')
    expect((await call('PUT', bot(), bearer, '{"enabled":false}')).status).toBe(200)
    expect([(await password('bot', 'acme')).status, (await exchange('bot-secret')).status]).toEqual([401, 400])
    expect((await call('GET', '/cloudapi/1.0.0/sessions/current', open.bearer)).status).toBe(200)
    await call('PUT', bot(), bearer, '{"enabled":true}')
    expect((await exchange('bot-secret')).status).toBe(200)
    expect((await call('DELETE', bot(), bearer)).status).toBe(204)
    expect((await exchange('bot-secret')).status).toBe(400)
    expect(userRows()).toEqual(['user/disable', 'user/enable', 'user/delete'])
  })

  it('are locked out after wrong passwords, until somebody unlocks them', async () => {
    await start({ lockoutAfter: 3 })
    const path = `/api/admin/user/${simulator.userId('bot', 'acme')}/action/unlock`
    for (let time = 0; time < 3; time++) expect((await password('bot', 'acme', 'wrong')).status).toBe(401)
    expect((await password('bot', 'acme')).status).toBe(401)
    const { bearer } = await password('alice', 'acme')
    const Accept = 'application/*+xml;version=38.0'
    expect((await ask('POST', path, { Accept, Authorization: `Bearer ${bearer}` }, '')).status).toBe(204)
    expect((await password('bot', 'acme')).status).toBe(200)
    expect(userRows()).toEqual(['user/lockout', 'user/unlock'])
  })

  it('are view-only for a session from an API token, and nobody of another organisation is there', async () => {
    await start()
    const token = await exchange('bot-secret')
    expect((await call('PUT', bot(), token.bearer, '{"enabled":false}')).status).toBe(403)
    const stranger = await password('olga', 'other co')
    expect((await call('PUT', bot(), stranger.bearer, '{"enabled":false}')).status).toBe(403)
    const { bearer } = await password('root', 'System')
    expect((await call('PUT', bot(), bearer, '{"enabled":"no"}')).status).toBe(400)
    expect((await call('PUT', bot(), bearer, '{"enabled":false}')).status).toBe(200)
    await clock.advance(1000)
    expect(userRows()).toEqual(['user/disable refused', 'user/disable'])
  })
})

describe('tokens', () => {
  const list = '/cloudapi/1.0.0/tokens?filter=(type==REFRESH)&page=1&pageSize=64'

  it('are listed for a person, never for a session from an API token, and never as secrets', async () => {
    await start()
    const token = await exchange('root-secret', '/oauth/provider/token')
    expect((await call('GET', list, token.bearer)).status).toBe(403)
    const { bearer } = await password('root', 'System')
    const { text } = await call('GET', list, bearer)
    expect(text).toContain(BOT)
    expect(text).toContain(ROOT)
    expect(text).not.toContain('secret')
    const own = await password('bot', 'acme')
    expect((await call('GET', list, own.bearer)).text).not.toContain(ROOT)
  })

  it('have a largest page of their own', async () => {
    await start({ maxTokensPageSize: 32 })
    const { bearer } = await password('root', 'System')
    const { status, text } = await call('GET', list, bearer)
    expect([status, text]).toEqual([400, expect.stringContaining('must be less than or equal to 32')])
  })
})

it('cells of two releases take turns: each speaks its own versions, and lists them when it refuses', async () => {
  const cell = { id: 'cell', skewMs: 0 }
  await start({
    cells: [
      { ...cell, versions: [{ version: '38.0' }] },
      { ...cell, versions: [{ version: '39.0' }] },
    ],
  })
  const listed = [await ask('GET', '/api/versions'), await ask('GET', '/api/versions')].map(({ text }) => text)
  expect(listed.map(text => /<Version>(.*?)</.exec(text)?.[1])).toEqual(['38.0', '39.0'])
  const asked = [await call('GET', '/cloudapi/1.0.0/x', ''), await call('GET', '/cloudapi/1.0.0/x', '')]
  expect(asked.map(({ status }) => status)).toEqual([401, 406])
  expect(asked[1]?.text).toContain('Supported API versions are: [ 39.0 ]')
})
