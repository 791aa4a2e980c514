/** What the ops room makes of doubts, of silence without a first proof, of advice that still holds, and of clear text. */
import { expect, test } from 'vitest'
import { parseConfig } from '../../src/config/load.ts'
import { declarationOf } from '../../src/source-set.ts'
import { declare, FABRIC, makeReady, SALT, START, testOps } from './happenings.ts'

test('a doubt about a whole session is named by readiness and status, though every feed is well', async () => {
  const { ops, report } = testOps()
  makeReady(report, [FABRIC])
  expect(ops.ready().ready).toBe(true)
  const degraded = { type: 'source_state', source: 'fabric-a', state: 'degraded', reason: 'cut off' } as const
  report({ ...degraded, doubts: ['cut off'] })
  expect(ops.ready().ready).toBe(false)
  expect(ops.ready().checks.find(check => check.name === 'source fabric-a')?.why).toBe('cut off')
  // Up is what the metric of that name says: a session, and every feed proved within its bound.
  expect(ops.status().sources[0]).toMatchObject({ state: 'degraded', doubts: ['cut off'], up: true })
  const shown = async () =>
    [...(await ops.metrics()).matchAll(/^opswire_source_(up|ready)\{source="fabric-a"\} \d$/gm)].map(([line]) => line)
  expect(await shown()).toEqual(['opswire_source_up{source="fabric-a"} 1', 'opswire_source_ready{source="fabric-a"} 0'])
  report(degraded)
  expect(ops.ready().ready).toBe(true)
  expect(await shown()).toEqual(['opswire_source_up{source="fabric-a"} 1', 'opswire_source_ready{source="fabric-a"} 1'])
  ops.close()
})

test('an alert on the age of the last proof fires for a feed that never had one', async () => {
  const { ops, report, clock } = testOps()
  makeReady(report, [FABRIC])
  report({ type: 'feed_declared', source: 'fabric-a', feed: 'fvTenant', proofBoundMs: 60_000 })
  report({ type: 'feed_state', source: 'fabric-a', feed: 'fvTenant', state: 'disabled', reason: 'no right' })
  await clock.advance(600_000)
  report({ type: 'feed_proof', source: 'fabric-a', feed: 'audit' })
  const proof = async () =>
    /^opswire_source_last_proof_timestamp_seconds\{source="fabric-a"\} (.*)$/m.exec(await ops.metrics())?.[1]
  expect(await proof()).toBe(String(START / 1000))
  // The page for people names no proof where there was none.
  expect(ops.status().sources[0]?.lastProof).toBeNull()
  report({ type: 'feed_proof', source: 'fabric-a', feed: 'fvTenant' })
  expect(await proof()).toBe(String((START + 600_000) / 1000))
  ops.close()
})

test('of the certificates of several hosts the one that ends first counts, of controllers the one in use', async () => {
  const { ops, report } = testOps()
  const shown = async (source: string) =>
    Number(
      new RegExp(`^opswire_certificate_expiry_timestamp_seconds\\{source="${source}"\\} (.*)$`, 'm').exec(
        await ops.metrics(),
      )?.[1],
    )
  const seen = (source: string, host: string, seconds: number) =>
    report({ type: 'certificate_expiry', source, host, atMs: START + seconds * 1000 })
  makeReady(report, [FABRIC, SALT])
  // The host that gives the bearer token is seen again and again, the other one has a line that stays open.
  seen('salt', 'raas.example.net', 1000)
  seen('salt', 'console.example.net', 9000)
  expect(await shown('salt')).toBe(START / 1000 + 1000)
  seen('salt', 'raas.example.net', 9900)
  expect(await shown('salt')).toBe(START / 1000 + 9000)
  seen('fabric-a', 'apic1.example.net', 1000)
  seen('fabric-a', 'apic2.example.net:8443', 9000)
  report({ type: 'controller', source: 'fabric-a', address: 'https://apic2.example.net:8443' })
  expect(await shown('fabric-a')).toBe(START / 1000 + 9000)
  const moved = declare(FABRIC)
  if (moved.type === 'source_declared') report({ ...moved, address: 'https://apic9.example.net' })
  expect(await shown('fabric-a')).toBeNaN()
  ops.close()
})

test('what a source counts, it counts from when it was taken up: at the start, or by the reload that brought it', async () => {
  const { ops, report, clock } = testOps()
  const shown = async () =>
    /^opswire_source_start_timestamp_seconds\{source="fabric-a"\} (.*)$/m.exec(await ops.metrics())?.[1]
  report(declare(FABRIC))
  await clock.advance(60_000)
  report(declare(FABRIC))
  expect(await shown()).toBe(String(START / 1000))
  report({ type: 'source_gone', source: 'fabric-a' })
  expect(await shown()).toBeUndefined()
  report(declare(FABRIC))
  expect(await shown()).toBe(String(START / 1000 + 60))
  ops.close()
})

test('advice that still holds is told again after an hour, not before', async () => {
  const { ops, report, lines, clock } = testOps()
  const advise = () => report({ type: 'advice', source: 'fabric-a', text: 'raise max_concurrency' })
  report(declare(FABRIC))
  advise()
  await clock.advance(3_599_000)
  advise()
  expect(lines).toHaveLength(1)
  await clock.advance(1000)
  advise()
  advise()
  expect(lines).toHaveLength(2)
  ops.close()
})

test('a source in clear text is not verified, whatever its tls block says, and has words of its own', async () => {
  const text = (scheme: string) => `sources:
  - { name: f, kind: apic, controllers: ['https://a.example.net', '${scheme}://b.example.net'], username: u, password_env: P, subscriptions: [{ class: fvBD }] }
  - { name: s, kind: raas, url: '${scheme}://raas.example.net', username: u, password_env: P }
  - { name: v, kind: vcd, url: '${scheme}://vcd.example.net', org: System, api_token_env: P }
`
  const declared = async (scheme: string) =>
    (await parseConfig(text(scheme), 'test')).config.sources.map(source => declarationOf(source, source.kind))
  expect(await declared('https')).toMatchObject([{ tlsVerified: true }, { tlsVerified: true }, { tlsVerified: true }])
  const clear = await declared('http')
  expect(clear).toMatchObject([
    { system: 'apic', address: 'http://b.example.net', tlsVerified: false },
    { system: 'raas', tlsVerified: false },
    { system: 'vcd', tlsVerified: false },
  ])
  const { ops, report, lines } = testOps()
  for (const one of clear) report(one)
  expect(lines).toHaveLength(3)
  for (const { msg } of lines) {
    expect(msg).toMatch(/NOT encrypted/)
    expect(msg).not.toMatch(/certificate/)
  }
  ops.close()
})
