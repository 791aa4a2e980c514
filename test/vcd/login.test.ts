import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { VERSIONS } from '../../src/simulators/vcd/world.ts'
import { vcdSubscriber } from '../../src/subscribers/vcd/subscriber.ts'
import { CI_TOKEN, type Rig, SYSTEM_TOKEN, startRig } from './rig.ts'

let rig: Rig
afterEach(() => rig.end())

const ROTATING = (rotation: 'always' | 'once') => ({
  tokens: [{ secret: 'secret-system', id: SYSTEM_TOKEN, name: 'opswire', user: 'root', org: 'System', rotation }],
})

describe('token exchange', () => {
  it.each([
    ['System', 'secret-system', '/oauth/provider/token'],
    ['system', 'secret-system', '/oauth/provider/token'],
    ['acme', 'secret-ci', '/oauth/tenant/acme/token'],
    ['Müller & Söhne', 'secret-ops', '/oauth/tenant/M%C3%BCller%20%26%20S%C3%B6hne/token'],
  ])('logs in to %s', async (org, api_token, path) => {
    rig = await startRig()
    const session = await rig.open(vcdSubscriber(rig.config({ org, api_token })))
    expect(rig.simulator.record.logins).toMatchObject([{ way: 'token', ok: true }])
    expect(rig.simulator.record.requests.map(request => request.path)).toContain(path)
    expect(
      rig.simulator.record.requests.every(request => /^opswire-\S+-\d+$/.test(request.clientRequestId ?? '')),
    ).toBe(true)
    // 30 days by expires_in, but 30 minutes by the idle time-out of sessions/current.
    expect(session.margins().session).toBe(1800)
    await session.close()
  })

  it('finds the endpoint of VCF Automation below /tm, and asks there at once the next time', async () => {
    rig = await startRig({ versions: VERSIONS['vcf-9.1'], tokenPrefix: '/tm', tokenLoginEvents: false })
    rig.read()
    await rig.turns(1)
    rig.simulator.endSessions()
    await rig.turns(2)
    const asked = rig.simulator.record.requests.filter(({ path }) => path.includes('/oauth/'))
    expect(asked.map(({ path, status }) => [path, status])).toEqual([
      ['/oauth/provider/token', 404],
      ['/tm/oauth/provider/token', 200],
      ['/tm/oauth/provider/token', 200],
    ])
    expect(rig.simulator.record.requests.at(-1)?.accept).toBe('application/json;version=9.1.0')
    // An upgrade that moves it.
    rig.simulator.knobs.tokenPrefix = ''
    rig.simulator.endSessions()
    await rig.turns(2)
    expect(rig.simulator.record.logins).toHaveLength(3)
    expect(rig.failures).toEqual([])
  })

  it.each([400, 401])('says why a token may be refused (HTTP %i), without the token', async refusedStatus => {
    rig = await startRig({ refusedStatus })
    const refused = rig.open(vcdSubscriber(rig.config({ org: 'acme', api_token: 'secret-system' })))
    await expect(refused).rejects.toMatchObject({ name: 'Fatal', code: 'auth_refused' })
    await expect(refused).rejects.toThrow(
      /org "acme" at https:\/\/\S+\/oauth\/tenant\/acme\/token .*invalid_grant.*another org.*revoked.*rotated away/,
    )
    await expect(refused).rejects.not.toThrow(/secret-system/)
    expect(rig.reported('feed_state').at(-1)).toMatchObject({ state: 'lost', code: 'auth_refused' })
    expect(rig.reported('lease_renewed')).toMatchObject([{ lease: 'session', result: 'refused' }])
  })

  it.each([
    [
      { kind: 'status', status: 503, retryAfterS: 7 },
      { code: 'throttled', afterMs: 7000 },
    ],
    [{ kind: 'html', status: 200 }, { code: 'protocol' }],
    [{ kind: 'html', status: 502 }, { code: 'throttled' }],
    [{ kind: 'reset' }, { code: 'unreachable' }],
  ] as const)('takes %j at the token endpoint for passing trouble', async (fault, expected) => {
    rig = await startRig({ fail: ({ path }) => (path.startsWith('/oauth') ? fault : undefined) })
    await expect(rig.open(vcdSubscriber(rig.config()))).rejects.toMatchObject({ name: 'Retryable', ...expected })
  })

  it('uses one access token for many sessions of ours', async () => {
    rig = await startRig()
    const subscriber = vcdSubscriber(rig.config())
    for (let session = 0; session < 3; session++) await (await rig.open(subscriber)).close()
    expect(rig.simulator.record.logins).toHaveLength(1)
  })
})

describe('renewal', () => {
  it('logs in again when the idle time-out passed, before the cell says 401', async () => {
    rig = await startRig({ idleTimeoutMs: 120_000 })
    const subscriber = vcdSubscriber(rig.config())
    await (await rig.open(subscriber)).close()
    await rig.clock.advance(115_000)
    await (await rig.open(subscriber)).close()
    expect(rig.simulator.record.logins).toHaveLength(2)
    expect(rig.simulator.record.requests.filter(request => request.status === 401)).toEqual([])
  })

  it('logs in again before the stated end of the access token', async () => {
    rig = await startRig({ expiresInS: 600 })
    const subscriber = vcdSubscriber(rig.config())
    await (await rig.open(subscriber)).close()
    await rig.clock.advance(550_000)
    await (await rig.open(subscriber)).close()
    expect(rig.simulator.record.logins).toHaveLength(2)
  })

  it('logs in once and asks again when a session ends in the middle of a walk', async () => {
    rig = await startRig()
    for (let row = 0; row < 600; row++) {
      rig.simulator.write({
        type: 'vm/modify',
        user: 'alice',
        org: 'acme',
        atMs: rig.clock.wall() - 600_000 + row * 900,
      })
    }
    let pages = 0
    rig.simulator.knobs.fail = ({ path }) => {
      if (path.includes('auditTrail') && ++pages === 3) rig.simulator.endSessions()
      return undefined
    }
    rig.read(vcdSubscriber(rig.config({ backfill: '1h' })))
    await rig.drive(() => rig.reported('feed_mode').at(-1)?.mode === 'polling', 'the walk ended')
    expect(rig.failures).toEqual([])
    expect(rig.simulator.record.logins).toHaveLength(2)
    expect(rig.simulator.record.requests.filter(request => request.status === 401)).toHaveLength(1)
    expect(rig.reported('lease_lost')).toMatchObject([{ lease: 'session', reason: 'HTTP 401' }])
    expect([...rig.rows().values()].filter(fact => fact.type === 'vcd.vm.modify')).toHaveLength(600)
  })

  it('is refused for good when a fresh access token is not taken either', async () => {
    rig = await startRig()
    rig.simulator.knobs.fail = ({ path }) => (path.includes('auditTrail') ? { kind: 'status', status: 401 } : undefined)
    rig.read()
    await rig.drive(() => rig.failures.length > 0, 'the source gave up')
    expect(rig.failures).toMatchObject([{ name: 'Fatal', code: 'auth_refused' }])
    expect(rig.simulator.record.logins).toHaveLength(2)
  })

  it('is refused for good when the API token was revoked meanwhile', async () => {
    rig = await startRig()
    rig.read()
    await rig.turns(1)
    rig.simulator.revoke(SYSTEM_TOKEN)
    rig.simulator.endSessions()
    await rig.drive(() => rig.failures.length > 0, 'the source gave up')
    expect(rig.failures).toMatchObject([{ name: 'Fatal', code: 'auth_refused' }])
  })
})

describe('API version', () => {
  const spoken = (): string[] => rig.reported('advice').map(({ text }) => text)

  it.each([
    ['10.3', '36.3'],
    ['10.5', '38.0'],
    ['10.6', '39.1'],
    ['vcf-9.0', '9.0.0'],
    ['vcf-9.1', '9.1.0'],
  ] as const)('works on %s', async (product, version) => {
    rig = await startRig({ versions: VERSIONS[product] })
    rig.read()
    await rig.drive(() => rig.rows().size >= 2, 'our own login is read')
    expect(spoken()).toEqual([])
    const asked = rig.simulator.record.requests.filter(({ path }) => path.includes('auditTrail'))
    expect(new Set(asked.map(({ accept }) => accept))).toEqual(new Set([`application/json;version=${version}`]))
    expect(rig.simulator.record.requests.filter(request => request.status === 406)).toEqual([])
  })

  it('works with 36.1, the version of the guide, where that is all there is', async () => {
    rig = await startRig({ versions: [{ version: '36.1', deprecated: true }] })
    rig.read()
    await rig.drive(() => rig.rows().size >= 2, 'our own login is read')
    expect(rig.failures).toEqual([])
  })

  it('negotiates once more after an upgrade', async () => {
    rig = await startRig({ versions: VERSIONS['10.3'] })
    rig.read()
    await rig.turns(7)
    rig.simulator.knobs.versions = [{ version: '39.1' }]
    rig.simulator.write({ type: 'vm/delete', user: 'alice', org: 'acme' })
    await rig.drive(
      () => [...rig.rows().values()].some(fact => fact.type === 'vcd.vm.delete'),
      'read after the upgrade',
    )
    expect(rig.failures).toEqual([])
    expect(rig.simulator.record.requests.filter(({ path }) => path === '/api/versions')).toHaveLength(2)
  })

  it('keeps its version while cells of two releases stand behind one balancer', async () => {
    rig = await startRig()
    rig.read()
    await rig.turns(3)
    const skew = { id: 'cell', skewMs: 0 }
    rig.simulator.knobs.cells = [
      { ...skew, versions: VERSIONS['10.3'] },
      { ...skew, versions: VERSIONS['10.6'] },
    ]
    await rig.turns(20)
    const { requests } = rig.simulator.record
    expect(requests.filter(({ status }) => status === 406).length).toBeGreaterThan(5)
    expect(requests.filter(({ path }) => path === '/api/versions')).toHaveLength(1)
    expect(rig.failures).toEqual([])
  })

  it('does not hammer a cell that offers what it does not take', async () => {
    rig = await startRig({
      fail: ({ path }) => (path.includes('auditTrail') ? { kind: 'status', status: 406 } : undefined),
    })
    const session = await rig.open(vcdSubscriber(rig.config()))
    const read = async (): Promise<void> => {
      for await (const batch of session) expect(batch.facts).toEqual([])
    }
    await expect(read()).rejects.toMatchObject({ name: 'Retryable', code: 'protocol', afterMs: 60_000 })
    await session.close()
  })

  it('is fatal where there are no API tokens', async () => {
    rig = await startRig({ versions: [{ version: '35.0' }] })
    await expect(rig.open(vcdSubscriber(rig.config()))).rejects.toMatchObject({ name: 'Fatal', code: 'config' })
  })
})

describe('rotation', () => {
  it('has the successor on disk before the access token is used', async () => {
    rig = await startRig(ROTATING('always'))
    const file = join(rig.directory, 'cloud.token')
    const atFirstUse: string[] = []
    rig.simulator.knobs.fail = ({ path }) => {
      if (path.startsWith('/cloudapi')) atFirstUse.push(JSON.parse(readFileSync(file, 'utf8')).token)
      return undefined
    }
    await (await rig.open(vcdSubscriber(rig.config()))).close()
    expect(atFirstUse.length).toBeGreaterThan(0)
    expect(new Set(atFirstUse)).toEqual(new Set([rig.simulator.secretOf(SYSTEM_TOKEN)]))
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  it('survives restarts, a crash at first use, and a half-written file beside it', async () => {
    rig = await startRig(ROTATING('always'))
    rig.simulator.knobs.fail = ({ path }) => (path.startsWith('/cloudapi') ? { kind: 'reset' } : undefined)
    rig.read()
    await rig.drive(() => rig.failures.length > 0, 'the process died at its first use of the access token')
    await rig.stop()
    rig.simulator.knobs.fail = undefined
    writeFileSync(join(rig.directory, 'cloud.token.new'), 'half-writ')
    for (let start = 0; start < 3; start++) await (await rig.open(vcdSubscriber(rig.config()))).close()
    expect(rig.simulator.record.logins.filter(login => !login.ok)).toEqual([])
    expect(rig.simulator.record.logins.length).toBeGreaterThanOrEqual(4)
  })

  it('goes on with the configured token when it rotates only once', async () => {
    rig = await startRig(ROTATING('once'))
    for (let start = 0; start < 3; start++) await (await rig.open(vcdSubscriber(rig.config()))).close()
    expect(rig.simulator.record.logins.map(login => login.ok)).toEqual([true, true, true])
  })

  it('lets a newly configured token win over the stored one', async () => {
    rig = await startRig({
      ...ROTATING('always'),
      tokens: [
        ...ROTATING('always').tokens,
        { secret: 'brand-new', id: CI_TOKEN, name: 'new', user: 'root', org: 'System' },
      ],
    })
    await (await rig.open(vcdSubscriber(rig.config()))).close()
    await (await rig.open(vcdSubscriber(rig.config({ api_token: 'brand-new' })))).close()
    expect(rig.simulator.record.logins.map(login => login.tokenId)).toEqual([SYSTEM_TOKEN, CI_TOKEN])
  })

  it('takes over the lock of a login that died', async () => {
    rig = await startRig(ROTATING('always'))
    // No process can have this id.
    writeFileSync(join(rig.directory, 'cloud.token.lock'), '99999999')
    let open = false
    const opening = rig.open(vcdSubscriber(rig.config())).then(session => {
      open = true
      return session
    })
    await rig.drive(() => open, 'the lock was taken over')
    await (await opening).close()
    expect(rig.simulator.record.logins).toMatchObject([{ ok: true }])
  })

  it('keeps the successor when it is stopped while the cell exchanges the token', async () => {
    rig = await startRig(ROTATING('always'))
    const over = new AbortController()
    rig.simulator.knobs.fail = ({ path }) => {
      if (path.startsWith('/oauth')) over.abort(new Error('the daemon stops'))
      return undefined
    }
    await expect(rig.open(vcdSubscriber(rig.config()), over.signal)).rejects.toThrow('the daemon stops')
    rig.simulator.knobs.fail = undefined
    await (await rig.open(vcdSubscriber(rig.config()))).close()
    expect(rig.simulator.record.logins.map(login => login.ok)).toEqual([true, true])
  })

  it('keeps the successor when it is closed while it renews', async () => {
    rig = await startRig(ROTATING('always'))
    const session = await rig.open(vcdSubscriber(rig.config()))
    rig.simulator.endSessions()
    let closing: Promise<void> | undefined
    rig.simulator.knobs.fail = ({ path }) => {
      if (path.startsWith('/oauth')) closing ??= session.close()
      return undefined
    }
    for await (const batch of session) batch.committed?.()
    await closing
    expect(closing).toBeDefined()
    const { token } = JSON.parse(readFileSync(join(rig.directory, 'cloud.token'), 'utf8')) as { token: string }
    expect(token).toBe(rig.simulator.secretOf(SYSTEM_TOKEN))
  })

  it('is stopped within the time-out of a request by a cell that never answers', async () => {
    rig = await startRig(ROTATING('always'))
    rig.simulator.knobs.fail = ({ path }) => (path.startsWith('/oauth') ? { kind: 'hang' } : undefined)
    const over = new AbortController()
    const refused = expect(rig.open(vcdSubscriber(rig.config()), over.signal)).rejects.toMatchObject({
      code: 'timeout',
    })
    await rig.drive(() => rig.simulator.record.requests.some(({ path }) => path.startsWith('/oauth')), 'asked')
    over.abort(new Error('the daemon stops'))
    await rig.clock.advance(30_000)
    await refused
    expect(rig.clock.waiting).toBe(0)
  })

  it('is refused without a state_dir, with the reason', async () => {
    rig = await startRig(ROTATING('always'))
    const signal = new AbortController().signal
    const refused = rig.open(vcdSubscriber(rig.config()), signal, false)
    await expect(refused).rejects.toMatchObject({ name: 'Fatal', code: 'config' })
    await expect(refused).rejects.toThrow(/rotates.*state_dir/)
  })

  it('is fatal when the stored token is damaged, without showing it', async () => {
    rig = await startRig()
    writeFileSync(join(rig.directory, 'cloud.token'), '{"token":"s3cr')
    const refused = rig.open(vcdSubscriber(rig.config()))
    await expect(refused).rejects.toMatchObject({ name: 'Fatal', code: 'config' })
    await expect(refused).rejects.not.toThrow(/s3cr/)
  })
})
