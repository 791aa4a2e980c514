/** The objects of `config/kubernetes/`: valid for Kubernetes, and right for opswire. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Deployment } from 'kubernetes-models/apps/v1/Deployment'
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap'
import type { IContainer } from 'kubernetes-models/v1/Container'
import { PersistentVolumeClaim } from 'kubernetes-models/v1/PersistentVolumeClaim'
import { Pod } from 'kubernetes-models/v1/Pod'
import type { IPodSpec } from 'kubernetes-models/v1/PodSpec'
import { Secret } from 'kubernetes-models/v1/Secret'
import { Service } from 'kubernetes-models/v1/Service'
import { describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { judge } from '../../src/cli/load.ts'
import { packageVersion } from '../../src/cli/version.ts'
import { parseConfig } from '../../src/config/load.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const FOLDER = join(ROOT, 'config/kubernetes')
const MODELS = { ConfigMap, Deployment, PersistentVolumeClaim, Pod, Secret, Service }

interface Plain {
  readonly kind: keyof typeof MODELS
  readonly metadata: { readonly name: string }
  readonly data?: Record<string, string>
  readonly stringData?: Record<string, string>
  readonly spec?: unknown
}

/** As Kubernetes reads them: YAML 1.1. */
function objects(file: string): Plain[] {
  return parseAllDocuments(readFileSync(join(FOLDER, file), 'utf8'), { version: '1.1' }).map(document => {
    expect(document.errors).toEqual([])
    return document.toJS() as Plain
  })
}

const one = (file: string, kind: Plain['kind']): Plain => {
  const found = objects(file).filter(object => object.kind === kind)
  if (found[0] === undefined || found.length > 1) throw new Error(`${found.length} × ${kind} in ${file}`)
  return found[0]
}

function podOf(file: string): IPodSpec {
  const deployment = objects(file).find(object => object.kind === 'Deployment')
  if (deployment === undefined) return one(file, 'Pod').spec as IPodSpec
  return (deployment.spec as { template: { spec: IPodSpec } }).template.spec
}

function opswireOf(pod: IPodSpec): IContainer {
  const found = [...(pod.initContainers ?? []), ...pod.containers].find(container => container.name === 'opswire')
  if (found === undefined) throw new Error('no container called opswire')
  return found
}

/** Each kind's module in kubernetes-models. */
const PLACES: Record<Plain['kind'], string> = {
  ConfigMap: 'v1',
  Deployment: 'apps/v1',
  PersistentVolumeClaim: 'v1',
  Pod: 'v1',
  Secret: 'v1',
  Service: 'v1',
}

/** What the compiler says of the objects as literals of their types. The schemas let unknown keys pass; this finds a misspelt one. */
function typed(found: readonly Plain[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'opswire-k8s-'))
  try {
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
    const lines = found.map((object, index) => {
      const { kind } = object
      const name = `I${kind} as I${index}`
      return `import type { ${name} } from 'kubernetes-models/${PLACES[kind]}/${kind}'\nexport const o${index}: I${index} = ${JSON.stringify(object, null, 1)}`
    })
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    writeFileSync(join(folder, 'objects.ts'), lines.join('\n'))
    const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'esnext']
    const tsc = join(ROOT, 'node_modules/.bin/tsc')
    return spawnSync(tsc, [...options, 'objects.ts'], { cwd: folder, encoding: 'utf8' }).stdout
  } finally {
    rmSync(folder, { recursive: true })
  }
}

describe.each(readdirSync(FOLDER))('%s', file => {
  it('says first what was checked', () => {
    expect(readFileSync(join(FOLDER, file), 'utf8')).toMatch(
      /^# Never applied to a cluster: none was at hand\. Checked instead/,
    )
  })

  it('is what Kubernetes takes', () => {
    for (const object of objects(file)) {
      const Model = MODELS[object.kind]
      if (Model === undefined) throw new Error(`nothing checks a ${object.kind}`)
      new Model(object as never).validate()
    }
    expect(typed(objects(file))).toBe('')
  })

  it('has a config that opswire takes, and every file that it names is there', async () => {
    const { data = {} } = one(file, 'ConfigMap')
    const text = data['opswire.yaml'] ?? ''
    const { config, warnings } = await parseConfig(text, 'opswire.yaml', {}, judge)
    // The check looks for the files on this machine: so it names them all. TLS inside the cluster is the reader's choice.
    const missing = warnings.filter(({ code }) => code === 'missing_file')
    const others = warnings.filter(({ code }) => code !== 'missing_file').map(({ message }) => message)
    expect(others).toEqual(['without http.tls the bearer token travels in clear text'])
    const files = missing.map(({ message }) => /^the file (\S+) is not there/.exec(message)?.[1] ?? '')
    const pod = podOf(file)
    const mounts = new Map((opswireOf(pod).volumeMounts ?? []).map(mount => [mount.mountPath, mount.name]))
    const volumes = new Map(pod.volumes?.map(volume => [volume.name, volume]))
    expect(files.length).toBeGreaterThan(1)
    for (const path of files) {
      const slash = path.lastIndexOf('/')
      const volume = volumes.get(mounts.get(path.slice(0, slash)) ?? '')
      const name = path.slice(slash + 1)
      const keys = volume?.secret ? one(file, 'Secret').stringData : volume?.configMap ? data : undefined
      expect(Object.keys(keys ?? {}), path).toContain(name)
    }
    // Where it writes is a volume that can be written to.
    expect(mounts.get(config.state_dir ?? '')).toMatch(/state$/)
    expect(config.http.listen).toBe('0.0.0.0:9469')
    const grace = pod.terminationGracePeriodSeconds ?? 0
    expect(grace * 1000).toBeGreaterThan(config.shutdown_timeout)
  })

  it('runs without rights, is started and kept alive by its health alone', () => {
    const pod = podOf(file)
    const container = opswireOf(pod)
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } })
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
    for (const probe of [container.startupProbe, container.livenessProbe]) {
      expect(probe?.httpGet?.path).toBe('/-/healthy')
      expect(container.ports?.map(port => port.name)).toContain(probe?.httpGet?.port)
    }
    expect(container.readinessProbe).toBeUndefined()
    expect(container.image).toBe(`registry.example.net/opswire:${packageVersion()}`)
    // Nobody but the owner (and the group that Kubernetes adds) reads a secret.
    const secrets = pod.volumes?.flatMap(volume => volume.secret ?? []) ?? []
    expect(secrets.map(secret => secret.defaultMode)).toEqual([0o400])
    expect(container.resources).toEqual({ requests: { cpu: '50m', memory: '192Mi' }, limits: { memory: '512Mi' } })
  })
})

it('the deployment has one replica and never two at once', () => {
  expect(one('deployment.yaml', 'Deployment').spec).toMatchObject({ replicas: 1, strategy: { type: 'Recreate' } })
})

it('the sidecar is a native one', () => {
  expect(opswireOf(podOf('sidecar.yaml')).restartPolicy).toBe('Always')
  expect(podOf('sidecar.yaml').initContainers?.map(container => container.name)).toEqual(['opswire'])
})

it('the schemas do refuse what is wrong', () => {
  const pod = podOf('sidecar.yaml')
  const wrong =
    (spec: object): (() => void) =>
    () =>
      new Pod({ metadata: { name: 'x' }, spec: spec as never }).validate()
  expect(wrong(pod)).not.toThrow()
  expect(wrong({ ...pod, terminationGracePeriodSeconds: 'long' })).toThrow(/terminationGracePeriodSeconds/)
  expect(wrong({ ...pod, containers: [{ image: 'x' }] })).toThrow(/name/)
  const misspelt = { ...opswireOf(pod), livenessProb: {} }
  const object = { kind: 'Pod', metadata: { name: 'x' }, spec: { ...pod, initContainers: [misspelt] } } as const
  expect(typed([object])).toMatch(/livenessProb.* does not exist/)
})
