/** Sample, JSON Schema and event schema: fresh, valid, complete. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, it } from 'vitest'
import { parse as parseYaml } from 'yaml'
import { generated } from '../../scripts/generate.ts'
import { configJsonSchema, open, outline, type Place } from '../../src/config/outline.ts'
import { sampleConfig } from '../../src/config/sample.ts'
import { parse, VCD, warned } from './samples.ts'

const ROOT = join(import.meta.dirname, '..', '..')

describe('generated files', () => {
  it.each(generated())('$path is fresh (npm run generate)', ({ path, text }) => {
    expect(readFileSync(join(ROOT, path), 'utf8')).toBe(text)
  })
})

/** Takes the # from every line of config, as a person would; prose (`# Text`) stays. */
function uncommented(text: string): string {
  return text
    .split('\n')
    .map(line => {
      let before: string
      let now = line
      do {
        before = now
        now = before.replace(/^(\s*)#(?! \S)/, '$1')
      } while (now !== before)
      return now
    })
    .join('\n')
}

describe('the sample config', () => {
  it('loads as it is', async () => {
    const { config } = await parse(sampleConfig())
    expect(config.sources.map(source => source.kind)).toEqual(['apic'])
    expect(config.nats).toBeUndefined()
  })

  it('sets only what must be set', async () => {
    const top = parseYaml(sampleConfig()) as { sources: object[] }
    expect(Object.keys(top)).toEqual(['sources'])
    expect(Object.keys(top.sources[0] ?? {})).toEqual([
      'name',
      'kind',
      'controllers',
      'username',
      'password_file',
      'subscriptions',
    ])
  })

  it('loads with every key made active, and changes no default by that', async () => {
    const loaded = await parse(uncommented(sampleConfig()))
    expect(warned(loaded)).toEqual(['loss sources.1.csp_url'])
    const { config } = loaded
    expect(config.sources.map(source => source.kind)).toEqual(['apic', 'raas', 'vcd'])
    const bare = await parse(VCD)
    const { state_dir, sources, nats, ...rest } = config
    expect(state_dir).toBe('/var/lib/opswire')
    expect({ ...bare.config, sources: [] }).toEqual({ ...rest, sources: [] })
    const { token_inventory_file, ...vcd } = { token_inventory_file: undefined, ...sources[2] }
    expect(token_inventory_file).toBe('/etc/opswire/vcd-tokens.yaml')
    expect(bare.config.sources[0]).toEqual(vcd)
    const { config: short } = await parse(`nats: { servers: ["nats://127.0.0.1:4222"] }\n${VCD}`)
    expect({ ...nats, credentials_file: undefined }).toEqual({ ...short.nats, credentials_file: undefined })
  })

  it('explains every key, in lines that fit', () => {
    const sample = sampleConfig()
    const missing: string[] = []
    const look = (place: Place, path: string): void => {
      for (const [key, inner] of open(place).flatMap(one => Object.entries(one.properties ?? {}))) {
        if ((inner.description ?? '') === '') missing.push(`${path}.${key} has no description`)
        // Filters refer to themselves: one look is enough, and the sample shows one.
        if (!new RegExp(`\\b${key}\\b`).test(sample)) missing.push(`${path}.${key} is not in the sample`)
        if (key.includes('filter')) continue
        look(inner, `${path}.${key}`)
        if (inner.items !== undefined) look(inner.items, `${path}.${key}[]`)
      }
    }
    look(outline(), '')
    expect(missing).toEqual([])
    // 110, and one more for each # of a block that is commented out whole.
    expect(sample.split('\n').filter(line => line.length > 110 + line.split('#').length - 2)).toEqual([])
  })
})

describe('the JSON Schema', () => {
  const validate = new Ajv2020({ strict: true, allowUnionTypes: true, validateFormats: false }).compile(
    configJsonSchema() as object,
  )

  it('takes what the daemon takes', () => {
    const sample: unknown = parseYaml(readFileSync(join(import.meta.dirname, 'design-sample.yaml'), 'utf8'))
    expect(validate(sample), JSON.stringify(validate.errors)).toBe(true)
    expect(validate(parseYaml(sampleConfig()))).toBe(true)
  })

  it.each([
    'unknown-key',
    'unknown-nested-key',
    'not-a-duration',
    'not-one-of-the-words',
    'filter-with-unknown-operator',
    'missing-keys',
  ])('refuses %s', name => {
    expect(validate(parseYaml(readFileSync(join(import.meta.dirname, 'invalid', `${name}.yaml`), 'utf8')))).toBe(false)
  })

  it('holds no keyword of ours', () => {
    expect(JSON.stringify(configJsonSchema())).not.toContain('"x-')
  })
})
