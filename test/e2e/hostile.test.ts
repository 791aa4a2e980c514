/** Text that somebody hostile wrote into the systems, and in the words of their refusals: in every output it is text and nothing else. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import type { OpsEvent } from '../../src/event.ts'
import { eventSchema } from '../../src/event-schema.ts'
import { main } from '../../src/main.ts'
import { systemClock } from '../../src/scheduler/clock.ts'
import { startApicSimulator } from '../../src/simulators/apic/controller.ts'
import { startRaasSimulator } from '../../src/simulators/raas/server.ts'
import { startServer } from '../../src/simulators/server.ts'
import { startVcdSimulator } from '../../src/simulators/vcd/simulator.ts'
import { tap } from '../../src/sinks/nats-tap.ts'
import { startNatsServer } from '../../src/tools/nats-server.ts'
import { captured } from '../cli/captured-io.ts'
import { Daemon } from '../support/daemon.ts'
import { until } from '../support/manual-clock.ts'
import { NEWEST, natsBinary, natsConfig } from '../support/nats.ts'

/** Each does something somewhere: in a terminal, a log reader, a browser, a metrics page, a shell, a reader of JSON. */
const HOSTILE: Readonly<Record<string, string>> = {
  screen: '\u001b[2J\u001b[1;1H\u001b]0;owned\u0007',
  c1: '\u009b31m\u0085',
  lines: 'quiet\r\n{"level":"error","msg":"opswire stopped"}\nopswire_source_up{source="fake"} 0\n',
  label: '"} 1\nopswire_fake_total{a="',
  page: '<script>alert(1)</script><img src=x onerror=alert(1)>',
  bidi: 'user\u202Eecila\u202C \u2066x\u2069',
  invisible: 'ad\u200Bmin\uFEFF\u0000',
  surrogate: 'half \uD83D and \uDE00',
  prototype: '__proto__ constructor toString',
  shell: '$(touch /tmp/owned) `id` $\u007bjndi:ldap://x} %s%n',
  json: '"},{"specversion":"1.0"',
  long: 'A'.repeat(60_000),
}

const folder = mkdtempSync(join(tmpdir(), 'opswire-hostile-'))
const closers: (() => Promise<unknown>)[] = []

afterAll(async () => {
  for (const close of closers.splice(0).reverse()) await close()
  rmSync(folder, { recursive: true, force: true })
})

/** What no line for a person may hold: controls, bidirectional marks, the invisible, halves of characters. */
const TRICKS = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u

function expectPlain(where: string, text: string): void {
  const bad = text.split('\n').filter(line => TRICKS.test(line))
  expect(
    bad.map(line => JSON.stringify(line.slice(0, 300))),
    where,
  ).toEqual([])
}

async function say(words: readonly string[]): Promise<string> {
  const { io, out, err } = captured({ columns: 200 })
  const [word = '', ...rest] = words
  await main([word, ...rest], io)
  return out() + err()
}

/** Refuses everything, in hostile words, in the reason phrase as well. */
async function refuser(): Promise<string> {
  const text = Object.values(HOSTILE).join(' ')
  const server = await startServer((request, response) => {
    request.resume()
    if (request.method === 'GET' && request.url?.startsWith('/account/login')) {
      response.writeHead(200, { 'x-xsrftoken': 'x' }).end('{}')
      return
    }
    response.writeHead(400, '<b>no</b>', { 'content-type': 'application/json' })
    const attributes = { code: text, text }
    response.end(
      JSON.stringify({
        imdata: [{ error: { attributes } }],
        errors: [{ title: text, message: text }],
        error: text,
        minorErrorCode: text,
        message: text,
      }),
    )
  }, {})
  closers.push(() => server.close())
  return server.url
}

it('events, log, metrics, status and tables', async () => {
  const apic = await startApicSimulator({
    time: systemClock,
    users: [{ name: 'svc', password: 'pw-of-svc', firstName: 'a', lastName: 'b' }],
  })
  const raas = await startRaasSimulator({ time: systemClock, users: [{ username: 'svc', password: 'pw-of-svc' }] })
  const vcd = await startVcdSimulator({
    time: systemClock,
    orgs: [{ name: 'System' }],
    users: [{ name: 'svc', password: 'pw-of-svc', org: 'System' }],
    tokens: [
      { secret: 'token-of-svc', id: '6a0c0c52-0000-4000-8000-0000000000f0', user: 'svc', org: 'System', name: 'o' },
    ],
  })
  for (const simulator of [apic, raas, vcd]) closers.push(() => simulator.close())
  const bad = await refuser()
  const nats = await startNatsServer({
    binary: await natsBinary(NEWEST, note => {
      throw new Error(note)
    }),
  })
  closers.push(() => nats.remove())
  const config = join(folder, 'opswire.yaml')
  writeFileSync(
    config,
    `state_dir: ${folder}/state
shutdown_timeout: 3s
http: { listen: "127.0.0.1:0" }
log: { level: trace }
nats: { servers: ["${nats.url}"] }
sources:
  - { name: fabric, kind: apic, controllers: ["${apic.url}"], username: svc, password: pw-of-svc, subscriptions: [{ class: faultInst, snapshot: publish }, { class: fvTenant, snapshot: publish }] }
  - { name: salt, kind: raas, url: "${raas.url}", username: svc, password: pw-of-svc, poll_interval: 1s, backfill: 1h, returns: { include_body_for: ["*"] } }
  - { name: cloud, kind: vcd, url: "${vcd.url}", org: System, api_token: token-of-svc, poll_interval: 1s, backfill: 1h }
  - { name: bad-fabric, kind: apic, controllers: ["${bad}"], username: svc, password: pw-of-svc, subscriptions: [{ class: faultInst }] }
  - { name: bad-salt, kind: raas, url: "${bad}", username: svc, password: pw-of-svc }
  - { name: bad-cloud, kind: vcd, url: "${bad}", org: System, api_token: token-of-svc }
`,
  )
  const daemon = new Daemon(config)
  closers.push(() => daemon.kill())
  const url = await daemon.start()
  for (const name of ['fabric', 'salt', 'cloud']) {
    await until(() => daemon.log.some(line => line.includes(`"${name}"`) && line.includes('is up')), `${name} up`)
  }
  const names = Object.keys(HOSTILE)
  names.forEach((name, index) => {
    const text = HOSTILE[name] ?? ''
    apic.post(`topology/pod-1/node-101/local/svc-x/${name}/fault-F0${index}`, {
      faultInst: {
        attributes: {
          code: `F0${index}`,
          severity: 'major',
          lc: 'raised',
          cause: text,
          descr: text,
          rule: text,
          subject: text,
        },
      },
    })
    vcd.write({
      type: 'vm/create',
      user: text.slice(0, 500),
      org: 'System',
      entity: { name: text, id: `urn:vcloud:vm:${index}` },
      description: text,
      clientAddress: text.slice(0, 40),
    })
    const jid = `2026031208150112${String(1000 + index)}`
    raas.push('master1', [
      {
        tag: `salt/job/${jid}/ret/web01`,
        data: {
          id: 'web01',
          jid,
          fun: `x.${text.slice(0, 200)}`,
          fun_args: [text],
          return: { [text.slice(0, 100)]: text },
          retcode: 1,
          success: false,
          user: text.slice(0, 100),
        },
      },
    ])
  })
  const events: OpsEvent[] = []
  const counts = new Map<string, number>()
  const wanted = ['apic.fault.raised', 'vcd.vm.create', 'raas.return']
  for await (const { subject, event } of tap(natsConfig(nats.url), {
    signal: AbortSignal.timeout(30_000),
    from: 'start',
  })) {
    expect(subject).toMatch(/^opswire(\.[a-z0-9_-]+)+$/)
    const one = eventSchema.parse(event)
    events.push(one)
    counts.set(one.type, (counts.get(one.type) ?? 0) + 1)
    if (wanted.every(type => (counts.get(type) ?? 0) >= names.length)) break
  }
  expect(wanted.map(type => counts.get(type))).toEqual(wanted.map(() => names.length))
  for (const name of ['bad-fabric', 'bad-salt', 'bad-cloud']) {
    await until(() => daemon.log.some(line => line.includes(`"${name}"`) && /is down/.test(line)), `${name} down`)
  }

  // An event carries what was written, whole: half characters apart, which no encoding has.
  const whole = events.map(event => JSON.stringify(event.data.raw ?? {})).join('\n')
  for (const name of names.filter(one => one !== 'surrogate'))
    expect(whole).toContain(JSON.stringify(HOSTILE[name]).slice(1, -1))
  // Its one line for a person is one line, and of a size that can be read.
  for (const event of events) {
    expect(event.data.summary).not.toMatch(TRICKS)
    expect(event.data.summary.length).toBeLessThan(1000)
  }
  // The stream's subjects hold nothing but tokens; types too.
  for (const event of events) expect(event.type).toMatch(/^[a-z]+\.[\w.]+$/)

  for (const line of daemon.log) {
    const parsed = JSON.parse(line) as Record<string, unknown>
    expectPlain('log', Object.values(parsed).join(' '))
    expect(line.length).toBeLessThan(8_000)
  }
  expect(daemon.log.filter(line => /"msg":"opswire stopped"/.test(line))).toEqual([])

  const metrics = await (await fetch(`${url}/metrics`)).text()
  expectPlain('metrics', metrics)
  expect(metrics).not.toMatch(/fake|<script|owned|__proto__/)
  for (const line of metrics.trim().split('\n')) expect(line).toMatch(/^(#.*||[a-z_]+(\{[^{}]*\})? \S+)$/)

  for (const path of ['/status', '/-/ready']) {
    const answer = await fetch(`${url}${path}`)
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/)
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    const text = await answer.text()
    JSON.parse(text, (_, value: unknown) => {
      if (typeof value === 'string') expectPlain(path, value)
      return value
    })
  }
  const page = await (await fetch(url)).text()
  expectPlain('page', page)
  expect(page).toContain('bad-salt is down')
  // The words are there, as words; the one script is ours.
  expect(page).toContain('&lt;img src=x onerror=alert(1)&gt;')
  expect(page.match(/<(script|img|iframe|object)\b/g)).toEqual(['<script'])
  expectPlain('status', await say(['status', '--url', url]))
  const followed = await say(['tap', '-c', config, '--since', 'start', '--limit', String(3 * names.length)])
  expect(followed.trim().split('\n').length).toBeGreaterThanOrEqual(3 * names.length)
  expectPlain('tap', followed)
  const connected = await say(['check', '-c', config, '--connect'])
  expect(connected).toContain('bad-fabric')
  expectPlain('check --connect', connected)
  for (const words of [
    ['fabric', 'class', 'faultInst'],
    ['cloud', 'events'],
    ['salt', 'ret.get_returns'],
  ]) {
    const table = await say(['query', '-c', config, ...words])
    expect(table, words.join(' ')).toMatch(/F0|vm|web01/)
    expectPlain(`query ${words.join(' ')}`, table)
  }
  expect(await daemon.stop()).toBe(0)
})
