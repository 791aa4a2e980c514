import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Fatal, Poison } from '../../src/errors.ts'
import type { Fact } from '../../src/event.ts'
import { eventSchema } from '../../src/event-schema.ts'
import { tokenEndpoint } from '../../src/subscribers/vcd/access.ts'
import { InventoryFile, NO_INVENTORY, parseInventory } from '../../src/subscribers/vcd/inventory.ts'
import { type NormaliseContext, normalise } from '../../src/subscribers/vcd/normalise.ts'
import { parseTimestamp, readRow } from '../../src/subscribers/vcd/row.ts'
import { chooseVersion, parseVersions } from '../../src/subscribers/vcd/versions.ts'

/** The sample of the reference, hand-made there too. */
const SAMPLE = {
  eventId: 'urn:vcloud:audit:6A0C0C52-0000-4000-8000-0000000000a1',
  description: "User 'ci-bot' logged in",
  operatingOrg: { name: 'acme', id: 'urn:vcloud:org:6a0c0c52-0000-4000-8000-0000000000b1' },
  user: { name: 'ci-bot', id: 'urn:vcloud:user:6a0c0c52-0000-4000-8000-0000000000c1' },
  actor: { name: null, id: null },
  eventEntity: { name: 'ci-bot', id: 'urn:vcloud:user:6a0c0c52-0000-4000-8000-0000000000c1' },
  taskId: null,
  taskCellId: null,
  cellId: '6a0c0c52-0000-4000-8000-0000000000d1',
  eventType: 'com/vmware/vcloud/event/session/login',
  serviceNamespace: 'com.vmware.vcloud',
  eventStatus: 'SUCCESS',
  timestamp: '2026-03-01T00:00:00.123+0000',
  external: false,
  additionalProperties: {
    'user.roles': 'vApp Author',
    'user.session.id': '6a0c0c52-0000-4000-8000-0000000000e1',
    'currentContext.user.proxyAddress': '10.0.0.7',
    'currentContext.user.clientIpAddress': '198.51.100.20',
    'currentContext.refreshTokenId': '6a0c0c52-0000-4000-8000-0000000000F1',
  },
}
const INVENTORY = parseInventory(
  '- {id: urn:vcloud:token:6A0C0C52-0000-4000-8000-0000000000f1, name: ci, owner: alice, org: acme, expires: 2026-12-31}',
)

function fact(change: Record<string, unknown> = {}, context: Partial<NormaliseContext> = {}): Fact {
  const result = normalise(readRow({ ...SAMPLE, ...change }), {
    source: { system: 'vcd', name: 'cloud' },
    origin: 'live',
    inventory: NO_INVENTORY,
    flags: [],
    orgName: () => undefined,
    sessionOrigin: () => undefined,
    raw: true,
    ...context,
  })
  eventSchema.parse({ ...result, recordedtime: '2026-03-01T00:00:01.000Z' })
  return result
}

const props = (change: Record<string, unknown>): Record<string, unknown> => ({
  additionalProperties: { ...SAMPLE.additionalProperties, ...change },
})
const NO_TOKEN = props({ 'currentContext.refreshTokenId': undefined })

describe('timestamp', () => {
  it.each([
    ['2026-03-01T00:00:00.123+0000', '2026-03-01T00:00:00.123Z'],
    ['2026-03-01T00:00:00.123Z', '2026-03-01T00:00:00.123Z'],
    ['2026-03-01T02:30:00.123+02:30', '2026-03-01T00:00:00.123Z'],
    ['2026-02-28T19:00:00.5-0500', '2026-03-01T00:00:00.500Z'],
    ['2026-03-01T00:00:00.123987+0000', '2026-03-01T00:00:00.123Z'],
  ])('%s', (text, expected) => {
    expect(new Date(parseTimestamp(text) ?? Number.NaN).toISOString()).toBe(expected)
  })

  it.each([
    '2026-03-01T00:00:00.123',
    '2026-02-30T00:00:00.123Z',
    '2026-03-01T25:00:00.123Z',
    '2026-03-01 00:00:00.123Z',
    'yesterday',
    '',
  ])('refuses "%s"', text => {
    expect(parseTimestamp(text)).toBeUndefined()
  })
})

describe('row', () => {
  it.each([
    [null],
    ['text'],
    [{}],
    [{ ...SAMPLE, eventId: null }],
    [{ ...SAMPLE, timestamp: '2026-03-01T00:00:00.123' }],
  ])('without id or time is poison (%#)', value => {
    expect(() => readRow(value)).toThrow(Poison)
  })

  it('lives with everything else missing', () => {
    const bare = fact({
      ...Object.fromEntries(Object.keys(SAMPLE).map(key => [key, null])),
      eventId: SAMPLE.eventId,
      timestamp: SAMPLE.timestamp,
    })
    expect(bare).toMatchObject({ type: 'vcd.external.unknown', severitytext: 'info', partitionkey: 'cloud/audit' })
    expect(bare.data).toMatchObject({ outcome: 'unknown', actor: { via: 'unknown' } })
  })
})

describe('normalise', () => {
  it('tells who did it, through which token', () => {
    const { data, ...envelope } = fact({}, { inventory: INVENTORY })
    expect(envelope).toMatchObject({
      type: 'vcd.session.login',
      source: '/vcd/cloud',
      time: '2026-03-01T00:00:00.123Z',
      partitionkey: SAMPLE.eventEntity.id,
      severitytext: 'info',
    })
    expect(data).toMatchObject({
      kind: 'session',
      outcome: 'success',
      code: 'com/vmware/vcloud/event/session/login',
      action: 'login',
      summary: 'session/login ci-bot by ci-bot (token ci) in acme from 198.51.100.20',
      resource: { kind: 'user', id: SAMPLE.eventEntity.id, name: 'ci-bot', org: 'acme' },
      raw: SAMPLE,
    })
    expect(data.actor).toEqual({
      via: 'token',
      user: 'ci-bot',
      tokenId: '6a0c0c52-0000-4000-8000-0000000000f1',
      tokenName: 'ci',
      tokenOwner: 'alice',
      org: 'acme',
      address: '198.51.100.20',
      proxyAddress: '10.0.0.7',
      session: '6a0c0c52-0000-4000-8000-0000000000e1',
      roles: 'vApp Author',
    })
    expect(data.flags).toBeUndefined()
  })

  it('has one id for one event, in any case and whatever else is said of it', () => {
    expect(fact({ eventId: '6a0c0c52-0000-4000-8000-0000000000A1', description: 'x' }, { origin: 'resync' }).id).toBe(
      fact().id,
    )
    expect(fact({ eventId: 'urn:vcloud:audit:6a0c0c52-0000-4000-8000-0000000000a2' }).id).not.toBe(fact().id)
  })

  it('warns of failures', () => {
    const failed = fact({ eventStatus: 'FAILURE', eventType: 'com/vmware/vcloud/event/vm/delete' })
    expect(failed).toMatchObject({ type: 'vcd.vm.delete', severitytext: 'warning', severitynumber: 13 })
    expect(failed.data).toMatchObject({ kind: 'audit', outcome: 'failure' })
    expect(failed.data.summary).toContain('FAILED')
  })

  it('carries what is remarkable about the token', () => {
    expect(fact({}, { flags: ['unknown-token', 'first-use'] }).data.flags).toEqual(['unknown-token', 'first-use'])
    expect(fact({}).data.flags).toBeUndefined()
  })

  it('names the organisation where the row has only its id, or nothing', () => {
    const names = {
      orgName: (id: string | undefined) => (id === undefined ? 'only' : id === 'b1' ? 'acme' : undefined),
    }
    const of = (operatingOrg: unknown): unknown => fact({ operatingOrg }, names).data.actor?.org
    expect(of({ name: null, id: 'urn:vcloud:org:B1' })).toBe('acme')
    expect(of({ name: null, id: 'urn:vcloud:org:b2' })).toBe('urn:vcloud:org:b2')
    expect(of({ name: 'other', id: 'urn:vcloud:org:b1' })).toBe('other')
    expect(of(null)).toBe('only')
    expect(fact({ operatingOrg: null }, names).data.resource['org']).toBe('only')
  })

  it('calls interactive only what the session shows', () => {
    const act = { ...NO_TOKEN, eventType: 'com/vmware/vcloud/event/vm/create' }
    expect(fact(act).data.actor?.via).toBe('unknown')
    expect(fact(act, { sessionOrigin: () => 'token' }).data.actor?.via).toBe('unknown')
    expect(fact(act, { sessionOrigin: () => 'interactive' }).data.actor?.via).toBe('interactive')
    expect(fact(NO_TOKEN).data.actor?.via).toBe('interactive')
    expect(fact({ ...NO_TOKEN, eventStatus: 'FAILURE' }).data.actor?.via).toBe('unknown')
  })

  it('never takes what an extension posted for an event of the cloud', () => {
    const posted = fact({ eventType: 'com/acme/backup/session/login!', external: true })
    expect(posted).toMatchObject({ type: 'vcd.external.com.acme.backup.session.login_' })
    expect(posted.data).toMatchObject({ kind: 'audit', flags: ['external'] })
    const faked = fact({ ...NO_TOKEN, external: true })
    expect(faked.data).toMatchObject({ kind: 'audit', actor: { via: 'unknown' } })
  })

  it('masks secrets at any depth and keeps odd keys as they are', () => {
    const odd: unknown = JSON.parse(
      '{"__proto__":{"password":"p"},"vm.vcpuCount":2,"x":null,"entity":{"id":1,"a":[{"apiToken":"t"}]}}',
    )
    const raw = fact(props(odd as Record<string, unknown>)).data.raw
    expect(JSON.stringify(raw)).not.toMatch(/"p"|"t"/)
    expect(raw).toMatchObject({
      additionalProperties: {
        'vm.vcpuCount': 2,
        x: null,
        'currentContext.refreshTokenId': SAMPLE.additionalProperties['currentContext.refreshTokenId'],
      },
    })
    const text = '{"eventId":"a","timestamp":"2026-03-01T00:00:00.123Z","__proto__":{"polluted":"yes","api_token":"t"}}'
    const whole = normalise(readRow(JSON.parse(text)), {
      source: { system: 'vcd', name: 'cloud' },
      origin: 'live',
      inventory: NO_INVENTORY,
      flags: [],
      orgName: () => undefined,
      sessionOrigin: () => undefined,
      raw: true,
    })
    expect(JSON.stringify(whole.data.raw)).toContain('"__proto__":{"polluted":"yes","api_token":"********"}')
  })

  it('leaves the row out where the config says so', () => {
    expect(fact({}, { raw: false }).data).not.toHaveProperty('raw')
  })

  it('takes control characters out and bounds what is huge', () => {
    const huge = fact({
      description: `a\u0000b\u001b[31m${'x'.repeat(100_000)}`,
      eventEntity: { name: 'vm\n\u0007evil', id: null },
      ...props({ blob: 'y'.repeat(100_000) }),
    })
    expect(huge.data.summary).toBe(
      'session/login vm evil by ci-bot (token 6a0c0c52-0000-4000-8000-0000000000f1) in acme from 198.51.100.20',
    )
    expect(huge.data.description?.startsWith('a b [31mxxx')).toBe(true)
    expect(huge.data.flags).toEqual(['truncated'])
    expect(JSON.stringify(huge).length).toBeLessThan(64 * 1024)
  })
})

describe('inventory', () => {
  it.each([
    ['{}', /must be a list/],
    ['- {id: a}', /entry 1 has no name/],
    ['- {name: a}', /entry 1 has no id/],
    ['- {id: a, name: b, secret: c}', /unknown key "secret"/],
    ['- {id: a, name: b, expires: soon}', /expires is not a date/],
    ['- {id: a, name: b}\n- {id: "urn:vcloud:token:A", name: c}', /entry 2 repeats/],
    ['- [', /./],
  ])('refuses %s', (text, message) => {
    expect(() => parseInventory(text)).toThrow(message)
  })

  it('follows its file, and keeps the old one when the new one is bad', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'opswire-inventory-'))
    const path = join(directory, 'tokens.yaml')
    const advice: string[] = []
    const file = new InventoryFile(path)
    const change = async (text: string, at: number): Promise<void> => {
      writeFileSync(path, text)
      utimesSync(path, at, at)
      await file.refresh(text => advice.push(text))
    }
    await file.refresh(text => advice.push(text))
    await file.refresh(text => advice.push(text))
    expect(advice).toEqual([expect.stringContaining('is not used')])
    await change('- {id: a, name: first}', 1000)
    await change('- {id: a, nam: second}', 2000)
    await file.refresh(text => advice.push(text))
    expect(file.current.get('a')?.name).toBe('first')
    expect(advice).toHaveLength(2)
    await change('- {id: a, name: third}', 3000)
    expect(file.current.get('a')?.name).toBe('third')
    rmSync(directory, { recursive: true })
  })
})

describe('API version', () => {
  const offer = (text: string) =>
    text.split(' ').map(one => ({ version: one.replace('*', ''), deprecated: one.endsWith('*') }))

  it.each([
    ['38.0 37.2 37.1 37.0 36.3* 36.1*', '38.0'],
    ['40.0* 9.1.0', '9.1.0'],
    ['40.0* 9.0.0 39.1*', '9.0.0'],
    ['40.0', '40.0'],
    ['36.1*', '36.1'],
    ['39.1* 38.1', '38.1'],
    ['42.0 43.0', '42.0'],
  ])('of %s is %s', (offered, expected) => {
    expect(chooseVersion(offer(offered)).version).toBe(expected)
  })

  it('is compared number by number', () => {
    expect(chooseVersion(offer('37.10* 37.2*')).version).toBe('37.2')
    expect(chooseVersion(offer('41.10 41.9')).version).toBe('41.9')
  })

  it('is refused below 36.1', () => {
    expect(() => chooseVersion(offer('35.2 34.0'))).toThrow(Fatal)
    expect(() => chooseVersion([])).toThrow(Fatal)
  })

  it('is read from XML without the pre-releases', () => {
    const xml =
      '<SupportedVersions xmlns="http://www.vmware.com/vcloud/versions"><VersionInfo deprecated="true"><Version>37.0</Version></VersionInfo>' +
      '<AlphaVersion deprecated="false"><Version>40.0.0-alpha</Version></AlphaVersion></SupportedVersions>'
    expect(parseVersions(xml)).toEqual([{ version: '37.0', deprecated: true }])
    expect(() => parseVersions('<html><body>busy</body></html>')).toThrow(/SupportedVersions/)
  })
})

it('the token endpoint depends on the org, whose name is encoded', () => {
  expect(tokenEndpoint('SYSTEM')).toBe('/oauth/provider/token')
  expect(tokenEndpoint('a/b c')).toBe('/oauth/tenant/a%2Fb%20c/token')
})
