import { describe, expect, it } from 'vitest'
import { APIC, parse, problemsOf, RAAS, VCD, warned } from './samples.ts'

const FABRIC = 'OPSWIRE_SOURCES__FABRIC_A__'

describe('values from the environment', () => {
  it('lie over the file and make blocks that are not there', async () => {
    const { config, origin } = await parse(APIC, {
      OPSWIRE_NATS__SERVERS: 'nats://a.example.net, nats://b.example.net',
      OPSWIRE_NATS__STREAM__NAME: 'OTHER',
      OPSWIRE_STATE_DIR: '/srv',
      [`${FABRIC}USERNAME`]: 'other',
      [`${FABRIC}TLS__VERIFY`]: 'false',
      [`${FABRIC}MAX_CONCURRENCY`]: '8',
      [`${FABRIC}RECONCILE_INTERVAL`]: '1h',
      [`${FABRIC}CHALLENGE_TOKEN`]: 'true',
      [`${FABRIC}HEALTH_SCOPES`]: '[topology, uni/tn-prod]',
    })
    expect(config.nats?.servers).toEqual(['nats://a.example.net', 'nats://b.example.net'])
    expect(config.nats?.stream.name).toBe('OTHER')
    expect(config.state_dir).toBe('/srv')
    expect(config.sources[0]).toMatchObject({
      username: 'other',
      tls: { verify: false },
      max_concurrency: 8,
      reconcile_interval: 3_600_000,
      challenge_token: true,
      health_scopes: ['topology', 'uni/tn-prod'],
    })
    expect(origin(['sources', 0, 'username'])).toEqual({ variable: `${FABRIC}USERNAME` })
    expect(origin(['sources', 0, 'kind'])).toEqual({ line: 3, column: 11 })
  })

  it('stay text where text is wanted, even when they look like something else', async () => {
    const { config } = await parse(VCD, { OPSWIRE_SOURCES__CLOUD__ORG: 'true', OPSWIRE_HTTP__TOKEN_FILE: 'null' })
    expect(config.sources[0]).toMatchObject({ org: 'true' })
    expect(config.http.token_file).toBeNull()
  })

  it('replace the other spellings of a secret', async () => {
    const loaded = await parse(VCD, { OPSWIRE_SOURCES__CLOUD__API_TOKEN: 'MARKER' })
    expect(warned(loaded)).toEqual(['secret sources.0.api_token'])
    expect(JSON.stringify(loaded.warnings)).not.toContain('MARKER')
    expect(loaded.warnings[0]?.variable).toBe('OPSWIRE_SOURCES__CLOUD__API_TOKEN')
  })

  it('leave variables alone that are not ours, or are no overrides', async () => {
    await parse(VCD, { OPSWIRE_REQUIRE_TOOLS: '1', OPSWIRE_TOOLS_DIR: '/tmp', OPSWIREX: '1', PATH: '/bin' })
  })
})

describe('a variable that is wrong', () => {
  const told = async (variable: string, value = 'x', file = APIC) => {
    const [problem, ...others] = await problemsOf(parse(file, { [variable]: value }))
    expect(others).toEqual([])
    return problem
  }

  it('is an error with the nearest right name when it names nothing', async () => {
    expect(await told('OPSWIRE_NATS__STREEM__NAME')).toMatchObject({
      code: 'override',
      variable: 'OPSWIRE_NATS__STREEM__NAME',
      message: 'names no config key; did you mean OPSWIRE_NATS__STREAM__NAME?',
    })
    expect(await told('OPSWIRE_NATS_STREAM_NAME')).toMatchObject({ code: 'override' })
    expect(await told('OPSWIRE_SOURCES__FABRIK_A__URL')).toMatchObject({
      message: 'no source of the file has this name; did you mean OPSWIRE_SOURCES__FABRIC_A__URL?',
    })
    expect(await told('OPSWIRE_SOURCES__SALT__CONTROLLERS', 'x', RAAS)).toMatchObject({ code: 'override' })
    expect(await told('OPSWIRE_log__level')).toMatchObject({ code: 'override' })
    expect(await told('OPSWIRE_')).toMatchObject({ code: 'override' })
  })

  it('is told as the place of a wrong value', async () => {
    expect(await told('OPSWIRE_LOG__LEVEL', 'loud')).toMatchObject({
      code: 'value',
      path: ['log', 'level'],
      variable: 'OPSWIRE_LOG__LEVEL',
      message: 'must be one of trace, debug, info, warn, error; got "loud"',
    })
    expect(await told(`${FABRIC}MAX_CONCURRENCY`, 'many')).toMatchObject({
      message: 'must be a whole number from 1 to 64; got "many"',
    })
  })

  it('can not set a whole block', async () => {
    expect(await told('OPSWIRE_LOG', 'debug')).toMatchObject({
      code: 'override',
      message: 'names a whole block; add two underscores and one of its keys: level',
    })
  })

  it('is told together with the problems of the file', async () => {
    const problems = await problemsOf(parse(`stat_dir: x\n${VCD}`, { OPSWIRE_FOO: 'MARKER' }))
    expect(problems.map(problem => problem.code)).toEqual(['unknown_key', 'override'])
    expect(JSON.stringify(problems)).not.toContain('MARKER')
  })
})
