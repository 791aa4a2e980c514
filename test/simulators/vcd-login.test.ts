import { afterEach, describe, expect, it } from 'vitest'
import { VERSIONS } from '../../src/simulators/vcd/world.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { ask, BOT, bearer, clock, exchange, FORM, interactive, simulator, start } from './vcd-cell.ts'

afterEach(() => simulator.close())

describe('versions', () => {
  it('are listed without a login', async () => {
    await start({ versions: VERSIONS['10.5'] })
    const answer = await ask('GET', '/api/versions')
    expect(answer.status).toBe(200)
    expect(answer.text).toContain('<VersionInfo deprecated="true"><Version>36.1</Version>')
    expect(answer.text).toContain('<VersionInfo deprecated="false"><Version>38.0</Version>')
    expect(answer.text).toContain('/cloudapi/1.0.0/sessions/provider</ProviderLoginUrl>')
  })

  it('list pre-releases as AlphaVersion, and both schemes of VCF Automation', async () => {
    await start()
    expect((await ask('GET', '/api/versions')).text).toContain(
      '<AlphaVersion deprecated="false"><Version>40.0.0-alpha</Version></AlphaVersion>',
    )
    simulator.knobs.versions = VERSIONS['vcf-9.1']
    const { text } = await ask('GET', '/api/versions')
    expect(text).toContain('<VersionInfo deprecated="false"><Version>9.1.0</Version>')
    expect(text).toContain('<VersionInfo deprecated="true"><Version>40.0</Version>')
  })

  it.each(['application/json', 'application/json;version=99.0', 'text/html', 'application/*+xml;version=39.1'])(
    'that are not offered get 406 with the list (%s)',
    async accept => {
      await start({ versions: VERSIONS['10.5'] })
      const answer = await ask('GET', '/cloudapi/1.0.0/auditTrail', { Accept: accept })
      expect(answer.status).toBe(406)
      const error = JSON.parse(answer.text) as { minorErrorCode: string; message: string }
      expect(error.minorErrorCode).toBe('NOT_ACCEPTABLE')
      expect(error.message).toMatch(/^\[ \S+ \] .*38\.0, 37\.2, .*36\.1 \[D\]/)
    },
  )

  it('that are not offered get 406 in XML under /api', async () => {
    await start()
    const answer = await ask('GET', '/api/org', { Accept: 'application/json;version=1.0' })
    expect(answer.status).toBe(406)
    expect(answer.text).toMatch(/<Error .*minorErrorCode="NOT_ACCEPTABLE"/)
  })
})

describe('API token', () => {
  it('is exchanged as the guide shows', async () => {
    await start()
    const answer = await exchange('/oauth/provider/token', 'root-secret')
    expect(answer.status).toBe(200)
    expect(answer.headers['content-type']).toBe('application/json')
    expect(JSON.parse(answer.text)).toEqual({
      access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      token_type: 'Bearer',
      expires_in: 2592000,
      refresh_token: null,
    })
  })

  it.each([
    ['/oauth/tenant/acme/token', 'root-secret'],
    ['/oauth/provider/token', 'bot-secret'],
    ['/oauth/tenant/other%20co/token', 'bot-secret'],
    ['/oauth/tenant/System/token', 'root-secret'],
    ['/oauth/provider/token', 'nonsense'],
  ])('is refused at %s when it is not of that org', async (path, token) => {
    await start()
    const answer = await exchange(path, token)
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.text)).toMatchObject({ minorErrorCode: 'invalid_grant', stackTrace: null })
  })

  it('is wanted as a form with the right grant', async () => {
    await start()
    const body = 'grant_type=refresh_token&refresh_token=root-secret'
    expect((await ask('POST', '/oauth/provider/token', { 'Content-Type': 'application/json' }, body)).status).toBe(415)
    expect((await ask('POST', '/oauth/provider/token', FORM, body.replace('=refresh_token', '=password'))).status).toBe(
      400,
    )
    expect((await ask('GET', '/oauth/provider/token')).status).toBe(405)
  })

  it('that rotates answers with a new one and kills the old one', async () => {
    await start({ tokens: [{ secret: 'one', id: BOT, name: 'bot', user: 'bot', org: 'acme', rotation: 'always' }] })
    const first = JSON.parse((await exchange('/oauth/tenant/acme/token', 'one')).text) as { refresh_token: string }
    expect(first.refresh_token).toBe(simulator.secretOf(BOT))
    expect((await exchange('/oauth/tenant/acme/token', 'one')).status).toBe(400)
    expect((await exchange('/oauth/tenant/acme/token', first.refresh_token)).status).toBe(200)
  })

  it('that has expired or was revoked is refused; access tokens live on', async () => {
    const expiresAtMs = new ManualClock().wall() + 1000
    await start({ tokens: [{ secret: 'one', id: BOT, name: 'bot', user: 'bot', org: 'acme', expiresAtMs }] })
    const headers = await bearer('/oauth/tenant/acme/token', 'one')
    await clock.advance(2000)
    expect((await exchange('/oauth/tenant/acme/token', 'one')).status).toBe(400)
    simulator.revoke(BOT)
    expect((await ask('GET', '/cloudapi/1.0.0/sessions/current', headers)).status).toBe(200)
  })
})

describe('session', () => {
  it('ends after the idle time-out, with an empty 401', async () => {
    await start({ idleTimeoutMs: 30 * 60_000 })
    const headers = await bearer()
    for (let turn = 0; turn < 3; turn++) {
      await clock.advance(29 * 60_000)
      const answer = await ask('GET', '/cloudapi/1.0.0/sessions/current', headers)
      expect(JSON.parse(answer.text)).toMatchObject({ sessionIdleTimeoutMinutes: 30, org: { name: 'System' } })
    }
    await clock.advance(30 * 60_000)
    const answer = await ask('GET', '/cloudapi/1.0.0/sessions/current', headers)
    expect([answer.status, answer.text, answer.headers['content-length']]).toEqual([401, '', '0'])
  })

  it.each([{ absoluteTimeoutMs: 3_600_000 }, { expiresInS: 3600 }])('ends for good by %j however busy', async knobs => {
    await start(knobs)
    const headers = await bearer()
    await clock.advance(20 * 60_000)
    expect((await ask('GET', '/cloudapi/1.0.0/sessions/current', headers)).status).toBe(200)
    await clock.advance(20 * 60_000)
    expect((await ask('GET', '/cloudapi/1.0.0/sessions/current', headers)).status).toBe(200)
    await clock.advance(20 * 60_000)
    expect((await ask('GET', '/cloudapi/1.0.0/sessions/current', headers)).status).toBe(401)
  })

  it('by password writes two events without a token, 93 to 125 ms apart; a wrong one writes a failure', async () => {
    await start()
    await interactive('alice@acme')
    const refused = await ask('POST', '/cloudapi/1.0.0/sessions', {
      Accept: 'application/json;version=39.1',
      Authorization: `Basic ${Buffer.from('alice@acme:no').toString('base64')}`,
    })
    expect([refused.status, refused.text]).toEqual([401, ''])
    await clock.advance(1000)
    const rows = simulator.record.rows
    expect(rows.map(row => [row.type, row.success, row.tokenId])).toEqual([
      ['session/login', true, null],
      ['session/authorize', true, null],
      ['session/login', false, null],
    ])
    const apart = (rows[1]?.timestampMs ?? 0) - (rows[0]?.timestampMs ?? 0)
    expect(apart).toBeGreaterThanOrEqual(93)
    expect(apart).toBeLessThanOrEqual(125)
  })
})
