import { afterEach, describe, expect, it } from 'vitest'
import { VERSIONS } from '../../src/simulators/vcd/world.ts'
import { ask, bearer, clock, ROOT, simulator, start, trail, xml } from './vcd-cell.ts'

afterEach(() => simulator.close())

describe('auditTrail', () => {
  const at = (ms: number): string => encodeURIComponent(`timestamp=ge=${new Date(ms).toISOString()}`)

  it('answers rows in the shape of the reference', async () => {
    await start({ publicUrl: 'https://public.example' })
    const headers = await bearer()
    await clock.advance(1000)
    const page = await trail(headers, 'page=1&pageSize=128')
    expect(page).toMatchObject({ resultTotal: 2, pageCount: 1, page: 1, pageSize: 128, associations: null })
    expect(page.values[0]).toEqual({
      eventId: expect.stringMatching(/^urn:vcloud:audit:[0-9a-f-]{36}$/),
      description: "User 'root' logged in",
      operatingOrg: { name: 'System', id: expect.stringMatching(/^urn:vcloud:org:/) },
      user: { name: 'root', id: expect.stringMatching(/^urn:vcloud:user:/) },
      actor: { name: null, id: null },
      eventEntity: { name: 'root', id: expect.stringMatching(/^urn:vcloud:user:/) },
      taskId: null,
      taskCellId: null,
      cellId: expect.any(String),
      eventType: 'com/vmware/vcloud/event/session/login',
      serviceNamespace: 'com.vmware.vcloud',
      eventStatus: 'SUCCESS',
      timestamp: '2026-02-03T04:05:06.789+0000',
      external: false,
      additionalProperties: {
        'user.roles': 'System Administrator',
        'user.session.id': expect.any(String),
        'currentContext.user.proxyAddress': '10.0.0.7',
        'currentContext.user.clientIpAddress': expect.any(String),
        'currentContext.refreshTokenId': ROOT,
      },
    })
    simulator.knobs.versions = VERSIONS['10.5']
    const old = await trail({ ...headers, Accept: 'application/json;version=36.1' }, '')
    expect(old.values[0]).not.toHaveProperty('actor')
  })

  it('pages from 1, with links to its public address', async () => {
    await start({ publicUrl: 'https://public.example', shuffleTies: false })
    const headers = await bearer()
    for (let row = 0; row < 8; row++) simulator.write({ type: 'vm/modify', user: 'alice', org: 'acme' })
    await clock.advance(1000)
    const answer = await ask('GET', '/cloudapi/1.0.0/auditTrail?page=1&pageSize=4&sortAsc=timestamp', headers)
    expect(JSON.parse(answer.text)).toMatchObject({ resultTotal: 10, pageCount: 3 })
    expect(answer.headers['link']).toMatch(
      /^<https:\/\/public\.example\/cloudapi\/1\.0\.0\/auditTrail\?\S*page=2\S*>;rel="nextPage";.*model="AuditTrailEvents", <.*page=3\S*>;rel="lastPage"/,
    )
    const second = await ask('GET', '/cloudapi/1.0.0/auditTrail?page=2&pageSize=4&sortAsc=timestamp', headers)
    expect(second.headers['link']).toContain('rel="lastPage nextPage"')
    expect((await trail(headers, 'page=3&pageSize=4&sortAsc=timestamp')).values).toHaveLength(2)
    const ends = await trail(headers, 'page=1&pageSize=1&sortDesc=timestamp')
    expect(ends.values[0]?.eventType).toBe('com/vmware/vcloud/event/session/authorize')
  })

  it.each([
    'pageSize=129',
    'page=0',
    'sortAsc=eventId',
    `filter=${encodeURIComponent('timestamp=ge=2026-02-03T04:05:06Z')}`,
    `filter=${encodeURIComponent('timestamp=ge=2026-02-03T04:05:06.789')}`,
    'filter=timestamp%3Dge%3D2026-02-03T04:05:06.789+00:00',
    'filter=eventId==x',
    'filter=additionalProperties.currentContext.refreshTokenId==x',
    'filter=eventStatus==FAILURE',
    'filter=user.name==a*',
    'filter=(user.name==a',
    'filter=user.name~a',
  ])('refuses %s', async query => {
    await start()
    const answer = await ask('GET', `/cloudapi/1.0.0/auditTrail?${query}`, await bearer())
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.text)).toMatchObject({ minorErrorCode: 'BAD_REQUEST' })
  })

  it('filters by time, type, user and entity, form-encoded or with encoded values', async () => {
    await start()
    const headers = await bearer()
    const entity = { name: 'web 1', id: 'urn:vcloud:vm:1' }
    simulator.write({ type: 'vm/modify', user: 'alice', org: 'acme', entity })
    simulator.write({ type: 'vm/delete', user: 'bot', org: 'acme', description: 'a, b; c*' })
    await clock.advance(1000)
    const count = async (filter: string, more = ''): Promise<number> =>
      (await trail(headers, `filter=${encodeURIComponent(filter)}${more}`)).resultTotal
    expect(await count('user.name==alice')).toBe(1)
    expect(await count('user.name!=alice')).toBe(3)
    expect(await count('(user.name==alice,user.name==bot);eventType==com/vmware/vcloud/event/vm/delete')).toBe(1)
    expect(await count('eventEntity.id==urn:vcloud:vm:1')).toBe(1)
    expect(await count(`description==${encodeURIComponent('a, b; c*')}`, '&filterEncoded=true')).toBe(1)
    const now = clock.wall()
    expect((await trail(headers, `filter=${at(now)}`)).resultTotal).toBe(0)
    expect(await count('timestamp=lt=2026-02-03T05:05:06.790+01:00')).toBe(3)
  })

  it('shows a tenant its own part, and a provider one org where asked to', async () => {
    await start({ tokenLoginEvents: false })
    simulator.write({ type: 'vm/modify', user: 'alice', org: 'acme' })
    simulator.write({ type: 'vm/modify', user: 'olga', org: 'other co' })
    simulator.write({ type: 'vm/modify', user: 'root', org: 'acme', userOrg: 'System' })
    const root = await bearer()
    expect((await trail(root, '')).resultTotal).toBe(3)
    expect((await trail(await bearer('/oauth/tenant/acme/token', 'bot-secret'), '')).resultTotal).toBe(2)
    const orgs = (await ask('GET', '/api/org', xml(root))).text
    const id = /api\/org\/([0-9a-f-]{36})"[^>]*name="other co"/.exec(orgs)?.[1] ?? ''
    expect((await trail({ ...root, 'X-VMWARE-VCLOUD-TENANT-CONTEXT': id }, '')).resultTotal).toBe(1)
  })

  it('shows rows late, purges old ones, and changes the order of ties', async () => {
    await start({ retentionMs: 86_400_000, tokenLoginEvents: false })
    for (let row = 0; row < 20; row++) simulator.write({ type: 'vm/modify', user: 'alice', org: 'acme' })
    const late = simulator.write({ type: 'vm/delete', user: 'alice', org: 'acme', lateMs: 60_000 })
    const headers = await bearer()
    const order = async (): Promise<string> =>
      (await trail(headers, 'sortAsc=timestamp&pageSize=128')).values.map(row => row.eventId).join()
    expect(await order()).not.toContain(late)
    expect(await order()).not.toBe(await order())
    await clock.advance(60_000)
    expect(await order()).toContain(late)
    await clock.advance(86_400_000)
    const fresh = await bearer()
    expect((await trail(fresh, '')).resultTotal).toBe(0)
    expect(simulator.record.rows).toHaveLength(21)
  })

  it('carries the time of the cell in Date', async () => {
    await start()
    expect((await ask('GET', '/api/versions')).headers['date']).toBe('Tue, 03 Feb 2026 04:05:06 GMT')
  })
})
