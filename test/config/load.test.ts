import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { APIC, parse, problemsOf, RAAS, VCD, warned } from './samples.ts'

const SAMPLE = join(import.meta.dirname, 'design-sample.yaml')

describe('the sample of the design', () => {
  it('loads without a problem, every value as written', async () => {
    const { config, warnings, hash } = await loadConfig(SAMPLE, {})
    expect(warnings.map(warning => warning.code).every(code => code === 'missing_file')).toBe(true)
    expect(hash).toMatch(/^[0-9a-f]{64}$/)
    expect(config.sources.map(source => source.kind)).toEqual(['apic', 'raas', 'vcd'])
    expect(config.nats?.stream).toEqual({
      name: 'OPSWIRE',
      create: true,
      replicas: 1,
      max_age: 604_800_000,
      max_bytes: 1024 ** 3,
      duplicate_window: 300_000,
    })
    expect(config.sources[0]?.kind === 'apic' && config.sources[0].subscriptions).toHaveLength(6)
  })

  it('shows the defaults: leaving a key out is the same as writing what stands there', async () => {
    const { config: written } = await loadConfig(SAMPLE, {})
    const short = [
      'nats: { servers: ["nats://127.0.0.1:4222"] }',
      APIC.trimEnd(),
      RAAS.replace('sources:\n', '').trimEnd(),
      VCD.replace('sources:\n', ''),
    ].join('\n')
    const { config: left } = await parse(short)
    // What must be written, or is off unless written.
    const own = ['subscriptions', 'password', 'username', 'controllers', 'login_domain', 'tls', 'token_inventory_file']
    const rest = (source: object) => Object.fromEntries(Object.entries(source).filter(([key]) => !own.includes(key)))
    expect(left.sources.map(rest)).toEqual(written.sources.map(rest))
    expect({ ...left, sources: [] }).toEqual({ ...written, sources: [], state_dir: undefined })
  })
})

describe('a file that can not be read', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'opswire-config-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  const told = async (path: string): Promise<string> => {
    const [problem, ...others] = await problemsOf(loadConfig(path, {}))
    expect(others).toEqual([])
    expect(problem?.code).toBe('file')
    return problem?.message ?? ''
  }

  it('says why', async () => {
    expect(await told(join(folder, 'none.yaml'))).toMatch(/^no such file;/)
    expect(await told(folder)).toMatch(/^is a directory/)
    expect(await told('/dev/null')).toBe('is not a file')
    await writeFile(join(folder, 'latin.yaml'), Buffer.from([0x61, 0x3a, 0x20, 0xe9]))
    expect(await told(join(folder, 'latin.yaml'))).toBe('is not UTF-8 text')
    await writeFile(join(folder, 'large.yaml'), Buffer.alloc(4 * 1024 * 1024 + 1, '#'))
    expect(await told(join(folder, 'large.yaml'))).toMatch(/^is larger than 4 MiB/)
  })
})

describe('the file', () => {
  it('may be JSON, and may share blocks by alias', async () => {
    const json = JSON.stringify({
      sources: [{ name: 'a', kind: 'vcd', url: 'https://a.example.net', org: 'System', api_token_env: 'T' }],
    })
    expect((await parse(json)).config.sources[0]?.name).toBe('a')
    const shared = `${VCD}    tls: &tls { ca_file: /etc/ca.pem }\n${APIC.replace('sources:\n', '')}    tls: *tls\n`
    const { config } = await parse(shared)
    expect(config.sources.map(source => source.tls.ca_file)).toEqual(['/etc/ca.pem', '/etc/ca.pem'])
  })

  it('is never expanded', async () => {
    const text = `$HOME \${HOME} %HOME% ~`
    const { config } = await parse(
      VCD.replace('System', () => JSON.stringify(text)),
      { HOME: '/root' },
    )
    expect(config.sources[0]).toMatchObject({ org: text })
  })

  it('does not reach into objects of the program', async () => {
    const [problem] = await problemsOf(parse(`__proto__: { polluted: true }\n${VCD}`))
    expect(problem?.code).toBe('unknown_key')
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })

  it('makes the terminal do nothing', async () => {
    const error = await parse(VCD.replace('https://vcd.example.net', '"x\\e[2J"')).catch((thrown: unknown) => thrown)
    expect(String(error)).toContain('got "x\\u001b[2J"')
    expect(String(error)).not.toContain('\u001b')
  })
})

describe('secrets', () => {
  it('are read from where the config says, and printed as a mask or a place', async () => {
    const { config } = await parse(VCD.replace('api_token_file: /run/secrets/vcd', 'api_token: MARKER'))
    const source = config.sources[0]
    if (source?.kind !== 'vcd') throw new Error('not vcd')
    expect(await source.api_token.read()).toBe('MARKER')
    expect(`${source.api_token} ${JSON.stringify(config)}`).not.toContain('MARKER')
  })
})

describe('warnings', () => {
  it('name a secret in plain sight, without showing it', async () => {
    const loaded = await parse(VCD.replace('api_token_file: /run/secrets/vcd', 'api_token: MARKER'))
    expect(loaded.warnings).toEqual([
      {
        code: 'secret',
        path: ['sources', 0, 'api_token'],
        line: 6,
        column: 16,
        message: 'the secret itself is written here; better: api_token_file, api_token_credential or api_token_env',
      },
    ])
  })

  it('name a certificate that is not checked, unless it is pinned', async () => {
    expect(warned(await parse(`${VCD}    tls: { verify: false }\n`))).toEqual(['security sources.0.tls.verify'])
    const pinned = `${VCD}    tls: { verify: false, fingerprint_sha256: "${'ab'.repeat(32)}" }\n`
    expect(warned(await parse(pinned))).toEqual([])
  })

  it('name clear text, but not on this machine', async () => {
    expect(warned(await parse(VCD.replace('https', 'http')))).toEqual(['security sources.0.url'])
    expect(warned(await parse(VCD.replace('https://vcd.example.net', 'http://127.0.0.1:8080')))).toEqual([])
  })

  it('name an open HTTP port without token, and a token without TLS', async () => {
    const http = (block: string) => parse(`http: ${block}\n${VCD}`).then(warned)
    expect(await http('{ listen: "0.0.0.0:9469" }')).toEqual(['security http.listen'])
    expect(await http('{ listen: "0.0.0.0:9469", token_file: /t }')).toEqual(['security http.listen'])
    const tls = 'tls: { cert_file: /c, key_file: /k }'
    expect(await http(`{ listen: "0.0.0.0:9469", token_file: /t, ${tls} }`)).toEqual([])
    for (const listen of ['127.0.0.1:1', '127.1.2.3:1', 'localhost:1', '[::1]:1']) {
      expect(await http(`{ listen: "${listen}" }`)).toEqual([])
    }
  })

  it('name what is not there: files, variables, credentials', async () => {
    const codes = async (spelling: string, env: Record<string, string> = {}) =>
      (await parse(VCD.replace('api_token_file: /run/secrets/vcd', spelling), env)).warnings.map(one => one.message)
    expect(await codes('api_token_file: /no/such/file')).toEqual([
      'the file /no/such/file is not there, or may not be read',
    ])
    expect(await codes(`api_token_file: ${import.meta.filename}`)).toEqual([])
    expect(await codes('api_token_env: TOKEN')).toEqual(['the environment variable is not set here'])
    expect(await codes('api_token_env: TOKEN', { TOKEN: 'x' })).toEqual([])
    expect(await codes('api_token_credential: vcd')).toHaveLength(1)
  })

  it('name a question that is asked twice', async () => {
    const subscriptions = '[{ class: fvTenant }, { class: fvBD }, { class: fvTenant, snapshot: publish }]'
    const source = "  - { name: fabric-a, kind: apic, controllers: ['https://apic.example.net'], username: admin"
    const text = `sources:\n${source}, password_env: HOME, subscriptions: ${subscriptions} }\n`
    expect((await parse(text, { HOME: 'x' })).warnings).toMatchObject([
      {
        code: 'loss',
        path: ['sources', 0, 'subscriptions', 2],
        message: 'asks the same as subscriptions[0]: it does nothing, the first one counts',
      },
    ])
  })

  it('name a store in memory in front of NATS, and keys that do nothing', async () => {
    const nats = 'nats: { servers: ["nats://127.0.0.1"] }\n'
    expect(warned(await parse(nats + VCD))).toEqual(['loss '])
    expect(warned(await parse(`state_dir: /var/lib/opswire\n${nats}${VCD}`))).toEqual([])
    expect(warned(await parse(`${RAAS}    csp_url: https://csp.example.net\n`))).toEqual(['loss sources.0.csp_url'])
  })
})
