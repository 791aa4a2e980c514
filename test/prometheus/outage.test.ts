/**
 * A real Prometheus scrapes the real daemon with the shipped config and rules, and a real Alertmanager sends what comes of it to a
 * receiver here, while one thing after the other breaks and is mended. Only the patience is shorter (`hurried`).
 */
import { spawnSync } from 'node:child_process'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { systemClock } from '../../src/scheduler/clock.ts'
import { freePort, type RunningNats, startNatsServer } from '../../src/tools/nats-server.ts'
import { routeIn } from '../raas/bus.ts'
import { fault } from '../support/apic-source.ts'
import { untilAnswered } from '../support/asked.ts'
import { until } from '../support/manual-clock.ts'
import { NEWEST, natsBinary } from '../support/nats.ts'
import { OWN_TOKEN, ThreeSystems } from '../support/three-systems.ts'
import { toolBinary } from '../support/tools.ts'
import {
  ask,
  type Sampled,
  startAlertmanager,
  startPrometheus,
  startReceiver,
  type Told,
  type Watching,
} from '../support/watchers.ts'
import { hurried, readRules, shipped } from './rules.ts'

/** An hour of the rules is 10 s here, five minutes are 0.8 s. */
const FACTOR = 360
/** NATS is tried again after up to 30 s. */
const PATIENCE_MS = 90_000
/** Actions with a token that is not in the inventory. */
const UNKNOWN = 60
const PORT_DN = 'topology/pod-1/node-101/sys/phys-[eth1/7]/phys'

let world: ThreeSystems
let nats: RunningNats
let prometheus: Watching
const told: (Told & { readonly at: number })[] = []
/** When something was broken or mended last, for the log alone. */
let since = systemClock.now()
const journal: string[] = []
const closers: (() => Promise<unknown>)[] = []

function act(what: string): void {
  since = systemClock.now()
  journal.push(`-- ${what}`)
}

function take(alert: Told): void {
  const { alertname, severity, source, reason, lease } = alert.labels
  const about = [source, reason, lease].filter(label => label !== undefined).join(', ')
  const before = told.findLast(one => keyOf(one) === keyOf(alert))?.status
  told.push({ ...alert, at: systemClock.now() })
  if (before === alert.status) return
  const seconds = ((systemClock.now() - since) / 1000).toFixed(1).padStart(5)
  journal.push(
    `${seconds} s  ${alert.status.padEnd(8)}  ${alertname}${about === '' ? '' : ` (${about})`}  ${severity}, to ${alert.receiver}`,
  )
}

const keyOf = ({ labels }: Told): string => JSON.stringify(Object.entries(labels).sort())

/** `Name` or `Name source`, as the receiver knows them now. */
function firing(): Set<string> {
  const now = new Map<string, string>()
  for (const one of told) {
    const { alertname = '', source } = one.labels
    // It tells of the machine that the tests share.
    if (alertname === 'OpswireEventLoopLag') continue
    now.set(source === undefined ? alertname : `${alertname} ${source}`, one.status)
  }
  return new Set([...now].filter(([, status]) => status === 'firing').map(([name]) => name))
}

const untilFiring = (...names: string[]): Promise<unknown> =>
  Promise.all(names.map(name => until(() => firing().has(name), `${name} fires`, PATIENCE_MS)))

const untilResolved = (...names: string[]): Promise<unknown> =>
  Promise.all(names.map(name => until(() => !firing().has(name), `${name} is resolved`, PATIENCE_MS)))

const untilAsked = (query: string, probe: (samples: Sampled[]) => boolean): Promise<Sampled[]> =>
  untilAnswered(() => ask(prometheus, query), probe, query)

beforeEach(async ({ skip }) => {
  const [broker, watcher, sender] = await Promise.all([
    natsBinary(NEWEST, skip),
    toolBinary('prometheus', {}, skip),
    toolBinary('alertmanager', {}, skip),
  ])
  const port = await freePort()
  // First, since Prometheus does not scrape in its first 5 s.
  prometheus = await watch(watcher, sender, port)
  nats = await startNatsServer({ binary: broker })
  closers.push(() => nats.remove())
  world = await ThreeSystems.make()
  closers.push(() => world.close())
  const inventory = world.file('tokens.yaml', `- { id: ${OWN_TOKEN}, name: opswire }\n`)
  world.blocks.top = `state_dir: ${world.directory}/state
http: { listen: "127.0.0.1:${port}" }
store: { max_bytes: 1MiB }
nats: { servers: ["${nats.url}"], retain_acked: 1s }
`
  world.blocks.fabric += '    canary_interval: 1s\n    reconcile_interval: 1s\n    request_timeout: 1s\n'
  world.blocks.cloud += `    token_inventory_file: ${inventory}\n`
  world.write()
  await world.start()
})

/** Prometheus, which will scrape that port, its Alertmanager and where that sends to. */
async function watch(watcher: string, sender: string, port: number): Promise<Watching> {
  const receiver = await startReceiver(take)
  closers.push(() => receiver.close())
  const alertmanager = await startAlertmanager({
    binary: sender,
    files: {
      'alertmanager.yml': hurried(shipped('alertmanager.example.yml'), FACTOR).replaceAll(
        'https://alerts.example.net',
        receiver.url,
      ),
    },
  })
  closers.push(() => alertmanager.remove())
  const watching = await startPrometheus({
    binary: watcher,
    files: {
      'opswire.rules.yaml': hurried(shipped('opswire.rules.yaml'), FACTOR),
      'prometheus.yml': shipped('prometheus.yml')
        .replaceAll(/(interval|timeout): \d+s/g, '$1: 500ms')
        .replace('127.0.0.1:9469', `127.0.0.1:${port}`)
        .replace('127.0.0.1:9093', new URL(alertmanager.url).host),
    },
    args: ['--rules.alert.resend-delay=1s'],
  })
  closers.push(() => watching.remove())
  return watching
}

afterEach(async () => {
  process.stdout.write(`${journal.join('\n')}\n`)
  for (const close of closers.splice(0).reverse()) await close()
})

/** What is audited in Cloud Director, by the token named or by nobody's. */
function audited(count: number, tokenId: string | null = null): void {
  for (let index = 0; index < count; index++) {
    world.vcd.write({ type: 'vm/modify', user: 'svc-opswire', org: 'System', tokenId, clientAddress: '198.51.100.20' })
  }
}

it('the right alerts fire, and clear', { timeout: 180_000 }, async ({ skip }) => {
  await untilAsked('sum(opswire_source_up) + sum(opswire_sink_up)', ([one]) => one?.value === 4)
  const promtool = await toolBinary('promtool', {}, skip)
  const lint = async (): Promise<void> => {
    const { body } = await world.get('/metrics')
    const { status, stdout, stderr } = spawnSync(promtool, ['check', 'metrics'], { input: body, encoding: 'utf8' })
    expect({ status, said: `${stdout}${stderr}` }).toEqual({ status: 0, said: '' })
  }
  await lint()
  // A counter of a rule that is not there yet would show no increase when it comes.
  for (const { alert, expr } of readRules()) {
    for (const [, selector = ''] of expr.matchAll(/increase\((\w+(?:\{[^}]*\})?)\[/g)) {
      expect((await ask(prometheus, selector)).length, `${alert}: ${selector}`).toBeGreaterThan(0)
    }
  }
  // Before its first scrape Prometheus missed its target for longer than its rule waits; that it is there now is told below.
  expect(firing()).toEqual(firing().has('OpswireAbsent') ? new Set(['OpswireAbsent']) : new Set())

  act(
    'NATS is killed; the APIC answers nothing and closes nothing; RaaS refuses the login, and a minion does not answer; a reload is refused; an unknown token',
  )
  await nats.kill()
  world.apic.goDark()
  world.raas.revokeTokens()
  world.raas.knobs.fault = () => ({ kind: 'status', status: 401 })
  world.raas.knobs.missingAfterMs = 100
  routeIn(world.raas, ['web01'])
  const good = world.blocks.top
  world.blocks.top += 'no_such_key: 1\n'
  world.write()
  expect((await world.reload()).status).toBe(422)
  audited(UNKNOWN, '6a0c0c52-0000-4000-8000-00000000aaaa')
  await untilFiring(
    'OpswireSinkDown',
    'OpswireSourceDeaf fabric-a',
    'OpswireSourceDeaf salt',
    'OpswireReloadFailed',
    'OpswireUnknownToken cloud',
    'OpswireStoreGrowing',
  )

  act('more comes than the store may hold')
  const [waiting] = await ask(prometheus, 'opswire_store_bytes / opswire_store_max_bytes')
  audited(Math.round((0.88 / (waiting?.value ?? 1) - 1) * UNKNOWN))
  await untilFiring('OpswireStoreNearLimit')
  audited(600)
  await untilFiring('OpswireStoreRefuses')
  await untilResolved('OpswireAbsent')
  expect(firing()).not.toContain('OpswireSourceDeaf cloud')

  act('all of it is mended')
  await nats.restart()
  world.apic.comeBack()
  world.raas.knobs.fault = undefined
  world.file('raas-password', 'secret')
  world.blocks.top = good
  world.write()
  expect((await world.reload()).status).toBe(200)
  // The outage of the APIC left a hole in what has no history.
  const gap = untilFiring('OpswireGap fabric-a', 'OpswireMissingReturns salt')
  await untilResolved('OpswireSourceDeaf fabric-a', 'OpswireSourceDeaf salt', 'OpswireReloadFailed')

  act('a message that nobody can read')
  const more = untilFiring('OpswireDeadLetters fabric-a')
  world.apic.inject('<html>')
  await untilResolved('OpswireSinkDown', 'OpswireStoreRefuses', 'OpswireStoreNearLimit')

  act('320 faults at once')
  for (let code = 0; code < 320; code++) world.apic.post(PORT_DN, fault(`F${1000 + code}`))
  await Promise.all([gap, more, untilFiring('OpswireFaultStorm fabric-a')])
  await untilResolved('OpswireFaultStorm fabric-a', 'OpswireUnknownToken cloud', 'OpswireStoreGrowing')
  await lint()

  act('the daemon is killed')
  await world.daemon.kill()
  await untilFiring('OpswireDown')
  await until(() => firing().size === 1, 'nothing else is left', PATIENCE_MS)

  act('it is started again; its count of gaps stands where it stood before')
  await world.start()
  await untilResolved('OpswireDown')
  await untilFiring('OpswireGap fabric-a')

  // Never true.
  const names = new Set(told.map(({ labels }) => labels['alertname']))
  for (const name of ['OpswireTlsUnverified', 'OpswireCertificateExpiry', 'OpswireSubscriptionsDisabled']) {
    expect(names).not.toContain(name)
  }
  for (const { labels, receiver } of told)
    expect(receiver).toBe(labels['severity'] === 'critical' ? 'on-call' : 'office')
})
