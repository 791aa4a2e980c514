import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { effective, showSettings } from '../../src/config/effective.ts'
import { loadConfig } from '../../src/config/load.ts'
import { spell } from '../../src/config/outline.ts'
import { parse, VCD } from './samples.ts'

describe('effective values', () => {
  it('tell each key with its origin', async () => {
    const text = `log: { level: debug }\n${VCD}    poll_interval: 5s\n`
    const loaded = await parse(text, { OPSWIRE_SOURCES__CLOUD__OVERLAP: '20m' })
    const all = new Map(effective(loaded).map(({ path, value, origin }) => [spell(path), { value, origin }]))
    expect(all.get('log.level')).toEqual({ value: 'debug', origin: { line: 1, column: 15 } })
    expect(all.get('sources[0].poll_interval')).toEqual({ value: '5s', origin: { line: 8, column: 20 } })
    expect(all.get('sources[0].overlap')).toEqual({
      value: '20m',
      origin: { variable: 'OPSWIRE_SOURCES__CLOUD__OVERLAP' },
    })
    expect(all.get('sources[0].sweep_interval')).toEqual({ value: '60s', origin: 'default' })
    expect(all.get('sources[0].tls.verify')).toEqual({ value: true, origin: 'default' })
    expect(all.get('state_dir')).toEqual({ value: undefined, origin: 'not set' })
    expect(all.has('sources[0].controllers')).toBe(false)
  })

  it('mask every inline secret', async () => {
    const text = `nats: { servers: ["nats://127.0.0.1"], user: svc, password: MARKER }
sources:
  - { name: a, kind: vcd, url: "https://a.example.net", org: System, api_token: MARKER }
  - { name: b, kind: raas, url: "https://b.example.net", csp_api_token: MARKER }
  - name: c
    kind: apic
    controllers: [https://c.example.net]
    username: svc
    password: MARKER
    subscriptions: [{ class: faultInst }]
`
    const loaded = await parse(text)
    const settings = effective(loaded)
    expect(settings.filter(({ value }) => value === '********')).toHaveLength(4)
    expect(JSON.stringify(settings) + showSettings(settings, 'f')).not.toContain('MARKER')
  })

  it('print as a config that amounts to the same', async () => {
    const loaded = await loadConfig(join(import.meta.dirname, 'design-sample.yaml'), {})
    const again = await parse(showSettings(effective(loaded), 'x.yaml'))
    expect(again.config).toEqual(loaded.config)
  })
})
