import { afterEach, expect, it } from 'vitest'
import type { Fact } from '../../src/event.ts'
import { systemClock } from '../../src/scheduler/clock.ts'
import { makeCertificate } from '../../src/simulators/server.ts'
import { runVcdLife } from '../../src/simulators/vcd/life.ts'
import { until } from '../support/manual-clock.ts'
import { CI_TOKEN, type Rig, SYSTEM_TOKEN, startRig } from './rig.ts'

let rig: Rig
afterEach(() => rig.end())

it('tells for every event of a busy cloud whether an API token did it, and which', async () => {
  // Ten times as fast as life: pauses are short, stamps are real.
  const time = { ...systemClock, after: (ms: number, fn: () => void) => systemClock.after(ms / 10, fn) }
  const pems = await makeCertificate()
  rig = await startRig({ time, certificate: pems }, time)
  rig.trust(pems.cert)
  const inventory = rig.file('tokens.yaml', `- { id: ${CI_TOKEN}, name: ci, owner: bob, org: acme }\n`)
  rig.read(undefined, { poll_interval: '1s', sweep_interval: '5s', token_inventory_file: inventory })
  await until(() => rig.reported('feed_mode').at(-1)?.mode === 'polling', 'reading')
  const end = new AbortController()
  const credentials = { org: 'acme', apiToken: 'secret-ci', user: 'alice', password: 'pw-alice' }
  const life = runVcdLife(rig.simulator.url, pems.cert, credentials, time, end.signal)
  await until(() => rig.simulator.record.rows.length > 100, 'a hundred rows')
  end.abort()
  await life
  // The source's own login may bear a stamp just before its first contact; without `backfill` that is nobody's news.
  const asked = Number(rig.cursor?.['asked'])
  const { record } = rig.simulator
  const before = record.rows.filter(row => row.timestampMs < asked)
  expect(before.map(row => row.type).filter(type => type !== 'session/login')).toEqual([])
  const wanted = (): typeof record.rows => record.rows.filter(row => row.timestampMs >= asked)
  const read = (id: string): Fact | undefined => rig.rows().get(id)
  // `rows` are what is visible by now: the last authorize events come out a moment later.
  await until(() => wanted().every(row => read(row.id) !== undefined), 'every row is read')
  const used = new Set<string | null>()
  for (const row of wanted().toSorted((a, b) => a.timestampMs - b.timestampMs)) {
    const { type, data } = read(row.id) ?? {}
    expect(type).toBe(`vcd.${row.type.replace('/', '.')}`)
    const via = row.tokenId !== null ? 'token' : row.sessionId !== null ? 'interactive' : 'unknown'
    expect(data?.actor).toMatchObject({ via, user: row.user, org: row.org })
    expect(data?.actor?.tokenId).toBe(row.tokenId ?? undefined)
    expect(data?.actor?.tokenName).toBe(row.tokenId === CI_TOKEN ? 'ci' : undefined)
    const flags = [...(row.tokenId === SYSTEM_TOKEN ? ['unknown-token'] : [])]
    if (row.tokenId !== null && !used.has(row.tokenId) && !before.some(({ tokenId }) => tokenId === row.tokenId)) {
      flags.push('first-use')
    }
    used.add(row.tokenId)
    expect(data?.flags).toEqual(flags.length === 0 ? undefined : flags)
    expect(data?.outcome).toBe(row.success ? 'success' : 'failure')
  }
  expect(new Set(wanted().map(row => read(row.id)?.data.actor?.via))).toEqual(
    new Set(['token', 'interactive', 'unknown']),
  )
})

it('learns its own API token and tells when it expires', async () => {
  rig = await startRig()
  const inventory = rig.file('tokens.yaml', `- { id: ${SYSTEM_TOKEN}, name: opswire, expires: 2026-12-31T00:00:00Z }\n`)
  rig.read(undefined, { token_inventory_file: inventory })
  await rig.turns(3)
  expect(rig.reported('credential_expiry')).toEqual([
    { type: 'credential_expiry', source: 'cloud', atMs: Date.UTC(2026, 11, 31) },
  ])
})
