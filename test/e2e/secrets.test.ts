/** A marker in every secret there is, systems that say it back, and no marker in anything that leaves the process. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nkeys } from '@nats-io/transport-node'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { main } from '../../src/main.ts'
import { systemClock } from '../../src/scheduler/clock.ts'
import { startApicSimulator } from '../../src/simulators/apic/controller.ts'
import { startRaasSimulator } from '../../src/simulators/raas/server.ts'
import { startVcdSimulator } from '../../src/simulators/vcd/simulator.ts'
import { startNatsServer } from '../../src/tools/nats-server.ts'
import { captured } from '../cli/captured-io.ts'
import { Daemon } from '../support/daemon.ts'
import { until } from '../support/manual-clock.ts'
import { expectNoMarker, forms } from '../support/markers.ts'
import { contents, NEWEST, natsBinary, natsConfig } from '../support/nats.ts'
import { Wire } from '../support/wire.ts'
import { type Echo, startEcho } from './echo.ts'

/** Words as a person would choose them: nothing in their shape tells that they are secret. */
const SECRETS = {
  apicPassword: 'hush-apic-password',
  apicWrongPassword: 'hush-apic-wrong-password',
  apicEnvPassword: 'hush-apic-env-password',
  raasPassword: 'hush-raas-password',
  raasInlinePassword: 'hush-raas-inline-password',
  cspToken: 'hush-csp-token',
  cspEchoToken: 'hush-csp-echo-token',
  bearer: 'hush-bearer-token',
  vcdToken: 'hush-vcd-api-token',
  vcdEchoToken: 'hush-vcd-echo-token',
  natsPassword: 'hush-nats-password',
  natsToken: 'hush-nats-token',
  httpToken: 'hush-http-token',
  issuedApic: 'hush-issued-apic-token',
  issuedChallenge: 'hush-issued-challenge',
  issuedRaas: 'hush-issued-jwt',
  issuedXsrf: 'hush-issued-xsrf',
  issuedVcd: 'hush-issued-access-token',
} as const

const folder = mkdtempSync(join(tmpdir(), 'opswire-secrets-'))
const closers: (() => Promise<unknown>)[] = []
/** What was seen to pass between daemon and sources. */
const wired: string[] = []

const fail = (note: string): never => {
  throw new Error(note)
}

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text, { mode: 0o600 })
  return path
}

/** The simulator behind a wire that is listened to: the tokens that it gives are secrets as well. */
async function overheard(simulator: { readonly port: number; close(): Promise<void> }): Promise<string> {
  const wire = await Wire.to(simulator.port)
  wire.onBytes = chunk => wired.push(chunk.toString('latin1'))
  closers.push(() => simulator.close())
  closers.push(() => wire.close())
  return `http://127.0.0.1:${wire.port}`
}

/** Tokens, cookies and headers that the simulators gave out. */
function given(): string[] {
  const text = wired.join('')
  const shapes = [
    /"(?:token|urlToken|jwt|access_token|refresh_token)":"([^"]{16,})"/g,
    /_xsrf=([^;\s"]{16,})/g,
    /APIC-cookie=([^;\s"]{16,})/g,
  ]
  return [...new Set(shapes.flatMap(shape => [...text.matchAll(shape)].map(([, value]) => value ?? '')))]
}

function expectNone(where: string, text: string, secrets = [...Object.values<string>(SECRETS), ...given()]): void {
  expectNoMarker(where, text, secrets)
}

async function systems(): Promise<{ apic: string; raas: string; vcd: string; granting: Echo; refusing: Echo }> {
  const { issuedApic, issuedChallenge, issuedRaas, issuedXsrf, issuedVcd } = SECRETS
  const apic = await startApicSimulator({
    time: systemClock,
    users: [{ name: 'svc', password: SECRETS.apicPassword, firstName: 'Ops', lastName: 'Wire' }],
  })
  const raas = await startRaasSimulator({
    time: systemClock,
    users: [{ username: 'svc', password: SECRETS.raasPassword }],
    cspTokens: new Set([SECRETS.cspToken]),
  })
  const vcd = await startVcdSimulator({
    time: systemClock,
    orgs: [{ name: 'System' }],
    users: [{ name: 'svc', password: 'hush-not-used-here', org: 'System' }],
    tokens: [
      {
        secret: SECRETS.vcdToken,
        id: '6a0c0c52-0000-4000-8000-0000000000f0',
        user: 'svc',
        org: 'System',
        name: 'o',
        rotation: 'always',
      },
    ],
  })
  const granting = await startEcho({
    granting: { apic: issuedApic, challenge: issuedChallenge, raas: issuedRaas, xsrf: issuedXsrf, vcd: issuedVcd },
  })
  const refusing = await startEcho({})
  for (const echo of [granting, refusing]) closers.push(() => echo.close())
  return { apic: await overheard(apic), raas: await overheard(raas), vcd: await overheard(vcd), granting, refusing }
}

function configText(at: Awaited<ReturnType<typeof systems>>, nats: string): string {
  const { granting, refusing } = at
  const apic = (name: string, url: string, rest: string): string =>
    `  - { name: ${name}, kind: apic, controllers: ["${url}"], username: svc, ${rest}, subscriptions: [{ class: faultInst }, { class: aaaModLR }] }`
  const raas = (name: string, url: string, rest: string): string =>
    `  - { name: ${name}, kind: raas, url: "${url}", poll_interval: 1s, audit: true, ${rest} }`
  const vcd = (name: string, url: string, rest: string): string =>
    `  - { name: ${name}, kind: vcd, url: "${url}", org: System, poll_interval: 1s, ${rest} }`
  const good = file('apic-password', SECRETS.apicPassword)
  return `state_dir: ${join(folder, 'state')}
http: { listen: "127.0.0.1:0", token_file: ${file('http-token', SECRETS.httpToken)} }
log: { level: trace }
nats:
  servers: ["${nats}"]
  user: opswire
  password_file: ${file('nats-password', SECRETS.natsPassword)}
sources:
${[
  apic('apic-header', at.apic, `password_file: ${good}, challenge_token: header`),
  apic('apic-url', at.apic, `password_file: ${good}, challenge_token: url, format: xml`),
  apic('apic-wrong', at.apic, `password: ${SECRETS.apicWrongPassword}`),
  apic('apic-echo', granting.url, 'password_env: HUSH_APIC, challenge_token: url'),
  apic('apic-refused', refusing.url, 'password_env: HUSH_APIC'),
  raas('raas-password', at.raas, 'username: svc, password_credential: raas'),
  raas('raas-csp', at.raas, `csp_url: "${at.raas}", csp_api_token_file: ${file('csp', SECRETS.cspToken)}`),
  raas('raas-bearer', at.raas, `bearer_token_file: ${file('bearer', SECRETS.bearer)}`),
  raas('raas-echo', granting.url, `username: svc, password: ${SECRETS.raasInlinePassword}`),
  raas('raas-refused', refusing.url, `csp_url: "${refusing.url}", csp_api_token: ${SECRETS.cspEchoToken}`),
  vcd('vcd-token', at.vcd, `api_token_file: ${file('vcd', SECRETS.vcdToken)}`),
  vcd('vcd-echo', granting.url, `api_token: ${SECRETS.vcdEchoToken}`),
  vcd('vcd-refused', refusing.url, `api_token: ${SECRETS.vcdEchoToken}`),
].join('\n')}
`
}

const ENV = { HUSH_APIC: SECRETS.apicEnvPassword, CREDENTIALS_DIRECTORY: join(folder, 'credentials') }

/** Everything that a command prints, whatever its exit code. */
async function say(words: readonly string[]): Promise<string> {
  const { io, out, err } = captured()
  await main(words, io)
  return out() + err()
}

beforeAll(() => {
  // For the commands, which run in this process.
  Object.assign(process.env, ENV)
  mkdirSync(ENV.CREDENTIALS_DIRECTORY)
  writeFileSync(join(ENV.CREDENTIALS_DIRECTORY, 'raas'), SECRETS.raasPassword)
})

afterAll(async () => {
  for (const close of closers.splice(0).reverse()) await close()
  rmSync(folder, { recursive: true, force: true })
  for (const name of Object.keys(ENV)) delete process.env[name]
})

it('none leaves the running daemon: log at trace, metrics, status, events, notices, state, and the commands', async () => {
  const nats = await startNatsServer({
    binary: await natsBinary(NEWEST, fail),
    config: `authorization { user: opswire, password: "${SECRETS.natsPassword}" }`,
  })
  closers.push(() => nats.remove())
  const at = await systems()
  const config = file('opswire.yaml', configText(at, nats.url))
  const daemon = new Daemon(config, ENV)
  closers.push(() => daemon.kill())
  const url = await daemon.start()
  const up = ['apic-header', 'apic-url', 'raas-password', 'raas-csp', 'vcd-token']
  const down = [
    'apic-wrong',
    'apic-echo',
    'apic-refused',
    'raas-bearer',
    'raas-echo',
    'raas-refused',
    'vcd-echo',
    'vcd-refused',
  ]
  const told = (name: string, pattern: RegExp): boolean =>
    daemon.log.some(line => line.includes(`"${name}"`) && pattern.test(line))
  for (const name of up) await until(() => told(name, /is up/), `${name} up`)
  for (const name of down) await until(() => told(name, /is (down|degraded)/), `${name} down`)
  // The secrets were really used: the sources heard them.
  const heard = wired.join('')
  for (const secret of [
    SECRETS.apicPassword,
    SECRETS.apicWrongPassword,
    SECRETS.raasPassword,
    SECRETS.cspToken,
    SECRETS.bearer,
    SECRETS.vcdToken,
  ]) {
    expect(
      forms(secret).some(form => heard.includes(form)),
      secret,
    ).toBe(true)
  }
  expect(given().length).toBeGreaterThan(5)
  expect(at.granting.asked.length).toBeGreaterThan(10)

  const outside = { 'x-forwarded-for': '198.51.100.7' }
  const pages: string[] = []
  for (const path of ['/', '/metrics', '/status', '/-/ready', '/-/healthy', '/nowhere']) {
    for (const authorization of [SECRETS.httpToken, `${SECRETS.httpToken}-wrong`]) {
      const answer = await fetch(`${url}${path}`, { headers: { ...outside, authorization: `Bearer ${authorization}` } })
      pages.push(JSON.stringify([...answer.headers]), await answer.text())
    }
  }
  pages.push(await (await fetch(`${url}/-/reload`, { method: 'POST' })).text())
  for (const wish of ['{"list":true}', '{"deadLetters":true}', `{"since":"${SECRETS.httpToken}"}`]) {
    const answer = await fetch(`${url}/-/replay`, { method: 'POST', body: wish })
    pages.push(await answer.text())
  }
  expectNone('HTTP', pages.join('\n'))
  for (const words of [
    ['check', '-c', config],
    ['check', '-c', config, '--json'],
    ['config', 'show', '-c', config],
    ['config', 'show', '-c', config, '--json'],
    ['check', '-c', config, '--connect'],
    ['check', '-c', config, '--connect', '--json'],
    ['tap', '-c', config, '--since', 'start', '--limit', '10'],
    ['query', '-c', config, 'apic-echo', 'class', 'faultInst'],
    ['query', '-c', config, 'raas-echo', 'ret.get_returns'],
    ['query', '-c', config, 'vcd-refused', 'events'],
    ['replay', '-c', config, '--list'],
    ['replay', '-c', config, '--since', '1h'],
    ['status', '--url', url],
    ['status', '--url', url, '--json'],
  ]) {
    const text = await say(words)
    expect(text.length, words.join(' ')).toBeGreaterThan(100)
    expectNone(words.join(' '), text)
  }
  // By the daemon, whose port is known now, and by the command itself when the daemon is gone.
  const found = file('found.yaml', configText(at, nats.url).replace('127.0.0.1:0', new URL(url).host))
  const replays = [
    ['replay', '-c', found, '--since', '1h'],
    ['replay', '-c', found, '--since', '1h', '--json'],
    ['replay', '-c', found, '--dead-letters', '--json'],
  ]
  const replayed = async (): Promise<void> => {
    for (const words of replays) {
      const text = await say(words)
      expect(text, words.join(' ')).not.toBe('')
      if (words.includes('--since')) expect(text).toMatch(/raas-refused|vcd-refused|apic-refused/)
      expectNone(words.join(' '), text)
    }
  }
  await replayed()
  expect(await daemon.stop()).toBe(0)
  await replayed()
  expectNone('log', daemon.log.join('\n'))
  expectNone('standard output', daemon.stdout.join('\n'))
  const config2 = natsConfig(nats.url, { user: 'opswire', password: SECRETS.natsPassword })
  const stream = await contents(config2, 10)
  expectNone('stream', stream.map(message => `${message.subject} ${JSON.stringify(message.event)}`).join('\n'))
  // A rotated VCD token is kept in a file of its own, and nowhere else.
  const files = readdirSync(join(folder, 'state'))
  expect(files.filter(name => name.endsWith('.token'))).toEqual(['vcd-token.token'])
  for (const name of files.filter(one => !one.endsWith('.token'))) {
    expectNone(name, readFileSync(join(folder, 'state', name), 'latin1'))
  }
}, 180_000)

it('none leaves by a NATS that refuses', async () => {
  const seed = Buffer.from(nkeys.createUser().getSeed()).toString()
  const nats = await startNatsServer({
    binary: await natsBinary(NEWEST, fail),
    config: 'authorization { user: other, password: other }',
  })
  closers.push(() => nats.remove())
  const creds = file(
    'nats.creds',
    `-----BEGIN NATS USER JWT-----\neyJ0eXAiOiJKV1QifQ.hush-nats-jwt.sig\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`,
  )
  const ways = [
    `token: ${SECRETS.natsToken}`,
    `nkey_seed: ${seed}`,
    `credentials_file: ${creds}`,
    `nkey_seed: ${SECRETS.natsToken}`,
    `user: opswire, password: ${SECRETS.natsPassword}`,
  ]
  for (const way of ways) {
    const config = file(
      'refused.yaml',
      `shutdown_timeout: 1s\nhttp: { listen: "127.0.0.1:0" }\nlog: { level: trace }\nnats: { servers: ["${nats.url}"], ${way} }\nsources: [{ name: cloud, kind: vcd, url: "http://127.0.0.1:1", org: System, api_token: ${SECRETS.vcdToken} }]\n`,
    )
    const daemon = new Daemon(config, ENV)
    closers.push(() => daemon.kill())
    const url = await daemon.start()
    await until(() => daemon.log.some(line => /sink nats is down/.test(line)), `${way.slice(0, 9)}: refused`)
    const text = [await (await fetch(`${url}/status`)).text(), await (await fetch(`${url}/-/ready`)).text()]
    expect(await daemon.stop()).toBe(0)
    expectNone(way.slice(0, 9), [...text, ...daemon.log, await say(['config', 'show', '-c', config])].join('\n'), [
      SECRETS.natsToken,
      SECRETS.natsPassword,
      seed,
      'hush-nats-jwt',
      SECRETS.vcdToken,
    ])
  }
}, 180_000)
