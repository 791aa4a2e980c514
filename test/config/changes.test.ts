/** What a reload finds changed, key by key, and which keys it must refuse. */
import { describe, expect, it } from 'vitest'
import { changedKeys, changesOf, needsRestart } from '../../src/config/changes.ts'
import { parseConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/schema.ts'

const SOURCES = `
sources:
  - { name: cloud, kind: vcd, url: "https://vcd", org: System, api_token_file: /a }
  - { name: salt, kind: raas, url: "https://raas", username: u, password_file: /b }
`

const parse = async (text: string, env: Record<string, string> = {}): Promise<Config> =>
  (await parseConfig(text, 'test', env)).config

const changes = async (before: string, after: string) => changesOf(await parse(before), await parse(after))

const NATS = 'nats: { servers: ["nats://a"], user: u, password_file: /p }\n'

describe('changes of a config', () => {
  it('are none for the same in other words', async () => {
    const other = `# a comment\nlog:\n  level: info\nshutdown_timeout: 10000ms\n${SOURCES}`.replace('10000ms', '10s')
    const found = await changes(SOURCES, other)
    expect(found).toEqual({ needRestart: [], settings: [], added: [], removed: [], changed: [] })
  })

  it.each([
    ['state_dir: /a\n', '', ['state_dir']],
    ['state_dir: /a\n', 'state_dir: /b\n', ['state_dir']],
    ['', 'http: { listen: "127.0.0.1:1" }\n', ['http.listen']],
    ['', 'http: { tls: { cert_file: /c, key_file: /k } }\n', ['http.tls']],
    ['', 'store: { max_bytes: 1GiB }\ndead_letters: { max: 5 }\n', ['store.max_bytes', 'dead_letters.max']],
    ['', NATS, ['nats']],
    [NATS, '', ['nats']],
    [NATS, NATS.replace('nats://a', 'nats://b'), ['nats.servers']],
    [NATS, NATS.replace('/p', '/q'), ['nats.password_file']],
    [
      NATS,
      NATS.replace('user: u', 'prefix: p, stream: { max_age: 1d }, user: u'),
      ['nats.prefix', 'nats.stream.max_age'],
    ],
  ])('%j to %j can not be taken up: %j', async (before, after, keys) => {
    const found = await changes(before + SOURCES, after + SOURCES)
    expect(found).toMatchObject({ needRestart: keys, settings: [] })
  })

  it.each([
    ['', 'log: { level: warn }\n', ['log.level']],
    ['', 'shutdown_timeout: 20s\n', ['shutdown_timeout']],
    ['', 'http: { token_file: /t }\n', ['http.token_file']],
    [
      'http: { tls: { cert_file: /c, key_file: /k } }\n',
      'http: { tls: { cert_file: /d, key_file: /k } }\n',
      ['http.tls.cert_file'],
    ],
  ])('%j to %j can: %j', async (before, after, keys) => {
    const found = await changes(before + SOURCES, after + SOURCES)
    expect(found).toMatchObject({ needRestart: [], settings: keys })
  })

  it('of sources go by name, whatever their order', async () => {
    const [, , cloud = '', salt = ''] = SOURCES.split('\n')
    const swapped = await changes(SOURCES, `sources:\n${salt}\n${cloud}\n`)
    expect(swapped).toMatchObject({ added: [], removed: [], changed: [] })
    const renamed = await changes(SOURCES, SOURCES.replace('name: cloud', 'name: sky'))
    expect(renamed.added.map(source => source.name)).toEqual(['sky'])
    expect(renamed.removed.map(source => source.name)).toEqual(['cloud'])
  })

  it.each([
    ['password_file: /b', 'password_file: /c', ['password_file']],
    ['password_file: /b', 'password_env: B', ['password_file', 'password_env']],
    ['password_file: /b', 'password_file: /b, tls: { verify: false }', ['tls.verify']],
    ['password_file: /b', 'password_file: /b, returns: { redact: [x] }', ['returns.redact']],
  ])('of a source: %j to %j', async (before, after, keys) => {
    const { changed } = await changes(SOURCES, SOURCES.replace(before, after))
    expect(changed.map(one => [one.after.name, changedKeys(one.before, one.after)])).toEqual([['salt', keys]])
  })

  it('see an inline secret that changed, and tell only its key', async () => {
    const text = SOURCES.replace('password_file: /b', 'password: first-secret')
    const { changed } = await changes(text, text.replace('first-secret', 'second-secret'))
    const keys = changed.flatMap(one => changedKeys(one.before, one.after))
    expect(keys).toEqual(['password'])
  })

  it('come from the environment, too', async () => {
    const before = await parse(SOURCES, { OPSWIRE_SOURCES__SALT__POLL_INTERVAL: '20s' })
    const { changed } = changesOf(before, await parse(SOURCES))
    expect(changed.flatMap(one => changedKeys(one.before, one.after))).toEqual(['poll_interval'])
  })
})

it('no key of a source needs a restart', () => {
  expect(needsRestart(['sources', 0, 'kind'])).toBe(false)
  expect(needsRestart(['nats', 'stream', 'name'])).toBe(true)
  expect(needsRestart(['http', 'tls', 'key_file'])).toBe(false)
})
