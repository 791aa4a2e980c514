/** What our login sees: its own events, and organisations. A role that sees less answers 200 with fewer rows. */
import { afterEach, describe, expect, it } from 'vitest'
import type { RowSeed } from '../../src/simulators/vcd/trail.ts'
import { type Rig, startRig } from './rig.ts'

let rig: Rig
afterEach(() => rig.end())

const HOUR = 3_600_000
const ROW: RowSeed = { type: 'vm/modify', user: 'alice', org: 'acme' }
const told = (): string[] => rig.reported('advice').map(({ text }) => text)

describe('our own login', () => {
  it('that showed before and does not any more makes what is seen doubtful, until it shows again', async () => {
    rig = await startRig()
    await rig.caughtUp()
    await rig.turns(2)
    await rig.stop()
    // The role lost the right to see the provider's events; no row that was read is gone.
    const began = rig.clock.wall()
    rig.simulator.knobs.hide = row => row.user === 'root' && row.timestampMs > began
    await rig.clock.advance(HOUR)
    await rig.caughtUp()
    rig.simulator.write(ROW)
    await rig.turns(50)
    expect(rig.doubts.size).toBe(0)
    await rig.turns(40)
    expect([...rig.doubts]).toEqual([['visibility', expect.stringMatching(/own login is not in the audit trail/)]])
    expect(rig.gaps()).toEqual([])
    // A session later: the role is as it was.
    rig.simulator.knobs.hide = undefined
    await rig.stop()
    await rig.clock.advance(HOUR)
    await rig.caughtUp()
    await rig.turns(90)
    expect(rig.doubts.size).toBe(0)
  })

  it('is not taken for shown because an extension names its session', async () => {
    rig = await startRig({ hide: row => row.user === 'root' })
    await rig.caughtUp()
    const { sessionId } = rig.simulator.record.rows.find(row => row.user === 'root') ?? {}
    const named = rig.simulator.write({
      ...ROW,
      type: 'com/acme/backup/done',
      external: true,
      sessionId: sessionId ?? '',
    })
    await rig.drive(() => rig.rows().has(named), 'the row')
    expect(rig.rows().get(named)?.data.actor?.session).toBe(sessionId)
    await rig.stop()
    await rig.clock.advance(HOUR)
    await rig.caughtUp()
    await rig.turns(90)
    expect(rig.doubts.size).toBe(0)
  })

  it('is not missed where cells write none', async () => {
    rig = await startRig({ tokenLoginEvents: false })
    await rig.caughtUp()
    await rig.turns(90)
    expect(rig.doubts.size).toBe(0)
  })
})

describe('organisations', () => {
  it('give names to events that carry an id only, also to a new one', async () => {
    rig = await startRig()
    await rig.caughtUp()
    const { id } = rig.simulator.org('acme')
    const named = rig.simulator.write({ ...ROW, wire: { operatingOrg: { name: null, id: `urn:vcloud:org:${id}` } } })
    await rig.drive(() => rig.rows().has(named), 'the row')
    expect(rig.rows().get(named)?.data).toMatchObject({ actor: { org: 'acme' }, resource: { org: 'acme' } })
    const late = rig.simulator.addOrg('newcomer')
    const act = (): string =>
      rig.simulator.write({ ...ROW, wire: { operatingOrg: { name: null, id: `urn:vcloud:org:${late.id}` } } })
    await rig.clock.advance(300_000)
    const unknown = act()
    await rig.drive(() => rig.rows().has(unknown), 'the row of a new organisation')
    expect(rig.rows().get(unknown)?.data.actor?.org).toBe(`urn:vcloud:org:${late.id}`)
    await rig.turns(1)
    const known = act()
    await rig.drive(() => rig.rows().has(known), 'the next one')
    expect(rig.rows().get(known)?.data.actor?.org).toBe('newcomer')
    expect(rig.simulator.record.requests.filter(({ path }) => path === '/api/org')).toHaveLength(2)
  })

  it('are one for a tenant, whose events may leave it out', async () => {
    rig = await startRig()
    await rig.caughtUp({ org: 'acme', api_token: 'secret-ci' })
    const row = rig.simulator.write({ ...ROW, wire: { operatingOrg: null } })
    await rig.drive(() => rig.rows().has(row), 'the row')
    expect(rig.rows().get(row)?.data.actor?.org).toBe('acme')
  })

  it('that are not seen any more are told of', async () => {
    rig = await startRig()
    await rig.caughtUp()
    rig.simulator.removeOrg('Müller & Söhne')
    await rig.clock.advance(HOUR)
    await rig.drive(() => told().length > 0, 'it was noticed')
    expect(told()).toEqual([
      expect.stringMatching(/sees 2 of the 3 organisations that it saw before, without Müller & Söhne:/),
    ])
  })

  it('that can not be listed keep events from nobody', async () => {
    rig = await startRig({
      fail: ({ path }) => (path === '/api/org' ? { kind: 'status', status: 403 } : undefined),
    })
    await rig.caughtUp()
    const row = rig.simulator.write(ROW)
    await rig.drive(() => rig.rows().has(row), 'the row')
    await rig.turns(60)
    expect(told()).toEqual([expect.stringMatching(/keep their ids.*HTTP 403/)])
    expect(rig.failures).toEqual([])
  })
})

it('types of events that are not known are told of once, and published like any other', async () => {
  rig = await startRig({ tokenLoginEvents: false })
  await rig.caughtUp()
  const types = [
    'edgeCluster/rename',
    'vm/levitate',
    'user/teleport',
    'apiToken/create',
    'vm/deep/verb',
    'edgeCluster/rename',
  ]
  const ids = types.map(type =>
    rig.simulator.write({ ...ROW, type: `com/vmware/vcloud/event/${type}`, properties: { note: type } }),
  )
  rig.simulator.write({ ...ROW, type: 'com/acme/backup/done', external: true })
  await rig.drive(() => ids.every(id => rig.rows().has(id)), 'all of them')
  rig.simulator.knobs.fail = () => (rig.failures.length > 0 ? undefined : { kind: 'status', status: 503 })
  await rig.drive(() => rig.failures.length > 0, 'the session is lost')
  await rig.turns(2)
  expect(rig.rows().get(ids[0] ?? '')?.type).toBe('vcd.edgeCluster.rename')
  const strange = ['edgeCluster/rename', 'user/teleport', 'vm/deep/verb']
  expect(told().toSorted()).toEqual(
    strange.map(type => expect.stringContaining(`does not know, com/vmware/vcloud/event/${type}:`)),
  )
})
