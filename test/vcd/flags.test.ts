/** What is remarkable in the use of API tokens, as it stands on the events; and what must never be called so. */
import { afterEach, describe, expect, it } from 'vitest'
import type { RowSeed } from '../../src/simulators/vcd/trail.ts'
import { CI_TOKEN, OPS_TOKEN, type Rig, startRig } from './rig.ts'

let rig: Rig
afterEach(() => rig.end())

const HOUR = 3_600_000
const ROW: RowSeed = {
  type: 'vm/modify',
  user: 'ci-bot',
  org: 'acme',
  tokenId: CI_TOKEN,
  clientAddress: '198.51.100.20',
}

/** Writes these rows, one after the other in time, reads them and gives the flags of each. */
async function flagsOf(...rows: RowSeed[]): Promise<(readonly string[] | undefined)[]> {
  const ids: string[] = []
  for (const row of rows) {
    await rig.clock.advance(50)
    ids.push(rig.simulator.write(row))
  }
  await rig.drive(() => ids.every(id => rig.rows().has(id)), 'all are read')
  return ids.map(id => rig.rows().get(id)?.data.flags)
}

describe('a token', () => {
  it('is flagged at its first use, at each new address and when a second user comes with it, once each', async () => {
    rig = await startRig()
    await rig.caughtUp()
    const elsewhere = { ...ROW, clientAddress: '203.0.113.9' }
    const other = { ...ROW, user: 'alice' }
    expect(await flagsOf(ROW, ROW, elsewhere, elsewhere, ROW, other, other, ROW)).toEqual([
      ['first-use'],
      undefined,
      ['new-address'],
      undefined,
      undefined,
      ['second-user'],
      undefined,
      undefined,
    ])
    expect(await flagsOf({ ...elsewhere, user: 'heidi', org: 'Müller & Söhne', clientAddress: '192.0.2.1' })).toEqual([
      ['new-address', 'second-user'],
    ])
    // Without an address, and without a token, there is nothing to say.
    expect(await flagsOf({ ...ROW, properties: { 'currentContext.user.clientIpAddress': null } })).toEqual([undefined])
    expect(await flagsOf({ ...ROW, tokenId: null, clientAddress: '192.0.2.77' })).toEqual([undefined])
  })

  it('is unknown or expired as the inventory says at that moment, which is read anew without a restart', async () => {
    rig = await startRig({ tokenLoginEvents: false })
    rig.file('tokens.yaml', `- { id: ${OPS_TOKEN}, name: ops }\n`)
    await rig.caughtUp({ token_inventory_file: `${rig.directory}/tokens.yaml` })
    expect(await flagsOf(ROW, ROW)).toEqual([['unknown-token', 'first-use'], ['unknown-token']])
    const expires = new Date(rig.clock.wall() + HOUR).toISOString()
    rig.file(
      'tokens.yaml',
      `- { id: 'urn:vcloud:token:${CI_TOKEN.toUpperCase()}', name: ci, owner: bob, expires: ${expires} }\n`,
    )
    await rig.turns(1)
    expect(await flagsOf(ROW)).toEqual([undefined])
    const named = [...rig.rows().values()].at(-1)?.data.actor
    expect(named).toMatchObject({ via: 'token', tokenId: CI_TOKEN, tokenName: 'ci', tokenOwner: 'bob' })
    await rig.clock.advance(HOUR)
    expect(await flagsOf(ROW)).toEqual([['expired-in-inventory']])
  })

  it('keeps its name when the inventory breaks and the session is lost after that', async () => {
    rig = await startRig({ tokenLoginEvents: false })
    const inventory = rig.file('tokens.yaml', `- { id: ${CI_TOKEN}, name: ci }\n`)
    await rig.caughtUp({ token_inventory_file: inventory })
    expect(await flagsOf(ROW)).toEqual([['first-use']])
    rig.file('tokens.yaml', '- {')
    await rig.turns(1)
    let cut = false
    rig.simulator.knobs.fail = () => {
      if (cut) return undefined
      cut = true
      return { kind: 'status', status: 503 }
    }
    await rig.drive(() => rig.failures.length > 0, 'the session is lost')
    expect(await flagsOf(ROW, { ...ROW, tokenId: OPS_TOKEN })).toEqual([undefined, ['unknown-token', 'first-use']])
    expect([...rig.rows().values()].at(-2)?.data.actor?.tokenName).toBe('ci')
    expect(rig.reported('advice').map(({ text }) => text)).toEqual([expect.stringMatching(/tokens.yaml is not used/)])
  })

  it('is not called unknown by an inventory that was never read', async () => {
    rig = await startRig({ tokenLoginEvents: false })
    await rig.caughtUp({ token_inventory_file: `${rig.directory}/nowhere.yaml` })
    expect(await flagsOf(ROW)).toEqual([['first-use']])
    rig.file('nowhere.yaml', '[]')
    await rig.turns(1)
    expect(await flagsOf(ROW)).toEqual([['unknown-token']])
  })

  it('of a user who was shut out is flagged while it goes on, until the user is let in again', async () => {
    rig = await startRig()
    await rig.caughtUp()
    await flagsOf(ROW)
    const { simulator } = rig
    const act = (type: string): RowSeed => ({
      type,
      user: 'alice',
      org: 'acme',
      entity: { name: 'ci-bot', id: `urn:vcloud:user:${simulator.userId('ci-bot', 'acme')}` },
    })
    for (const [off, on] of [
      ['user/disable', 'user/enable'],
      ['user/lockout', 'user/unlock'],
      ['user/lockout', 'user/lock_expired'],
      ['user/remove', 'user/import'],
    ] as const) {
      // What was refused has shut nobody out.
      const [, refused] = await flagsOf({ ...act(off), success: false }, ROW)
      const [, after, again] = await flagsOf(act(off), ROW, ROW)
      const [, free] = await flagsOf(act(on), ROW)
      expect([off, refused, after, again, free]).toEqual([off, undefined, ['stale-user'], ['stale-user'], undefined])
    }
    // By name alone, as a row of a deleted user may have it.
    const [, gone] = await flagsOf({ ...act('user/delete'), entity: { name: 'ci-bot', id: null } }, ROW)
    expect(gone).toEqual(['stale-user'])
    // And the other way round: deleted by id, and later rows of it have lost theirs.
    const [token, first] = ['6a0c0c52-0000-4000-8000-0000000000fa', '6a0c0c52-0000-4000-8000-0000000000c9']
    const mallory = { ...ROW, user: 'mallory', tokenId: token }
    const byId = { name: 'mallory', id: `urn:vcloud:user:${first}` }
    const [, , lostId] = await flagsOf(mallory, { ...act('user/delete'), entity: byId }, mallory)
    expect(lostId).toEqual(['stale-user'])
    // A new user of the same name, who came by a way that left no row, is another one.
    const namesake = 'urn:vcloud:user:6a0c0c52-0000-4000-8000-0000000000ca'
    const [other] = await flagsOf({ ...mallory, userId: '6a0c0c52-0000-4000-8000-0000000000ca' })
    expect(other).toBeUndefined()
    // Made anew under the same name: that the old one is let in is not said by it.
    const again = { ...act('user/create'), entity: { name: 'mallory', id: namesake } }
    const [, old] = await flagsOf(again, { ...mallory, userId: first })
    expect(old).toEqual(['second-user', 'stale-user'])
    // Others are not meant.
    expect(await flagsOf({ ...ROW, tokenId: OPS_TOKEN, user: 'heidi', org: 'Müller & Söhne' })).toEqual([['first-use']])
  })
})

describe('old news raises no flag', () => {
  const everyFlag = (): (readonly string[] | undefined)[] => [...rig.rows().values()].map(fact => fact.data.flags)

  it('what was there at first contact, and a backfill, are what is usual from then on', async () => {
    rig = await startRig({ tokenLoginEvents: false })
    const inventory = rig.file('tokens.yaml', '[]')
    const now = rig.clock.wall()
    // Before what is published, in the overlap; and of the backfill.
    rig.simulator.write({ ...ROW, atMs: now - 9 * 60_000, clientAddress: '192.0.2.1' })
    rig.simulator.write({ ...ROW, atMs: now - 4 * 60_000, clientAddress: '192.0.2.2' })
    await rig.caughtUp({ backfill: '5m', token_inventory_file: inventory })
    expect(everyFlag()).toEqual([undefined])
    const later = await flagsOf({ ...ROW, clientAddress: '192.0.2.1' }, { ...ROW, clientAddress: '192.0.2.2' })
    expect(later).toEqual([['unknown-token'], ['unknown-token']])
  })

  it('rows of an outage of hours are not flagged, and what was strange in them is when it happens again', async () => {
    rig = await startRig({ tokenLoginEvents: false })
    await rig.caughtUp()
    await flagsOf(ROW)
    await rig.stop()
    const stranger = { ...ROW, clientAddress: '203.0.113.66' }
    const missed = rig.simulator.write(stranger)
    await rig.clock.advance(3 * HOUR)
    await rig.caughtUp()
    expect(rig.rows().get(missed)).toMatchObject({ origin: 'resync' })
    expect(rig.rows().get(missed)?.data.flags).toBeUndefined()
    expect(await flagsOf(stranger, stranger)).toEqual([['new-address'], undefined])
  })

  it('a restart knows what it knew, and reads its overlap again without a word', async () => {
    rig = await startRig({ tokenLoginEvents: false })
    await rig.caughtUp()
    const disable = { ...ROW, type: 'user/disable', user: 'alice', tokenId: null, entity: { name: 'ci-bot', id: null } }
    await flagsOf(ROW, { ...ROW, clientAddress: '192.0.2.5' }, disable)
    for (let restart = 0; restart < 2; restart++) {
      await rig.stop()
      await rig.clock.advance(20_000)
      const known = (): string[] =>
        [...rig.mirror.values()].filter(({ family }) => family !== 'vcd.hour').map(object => JSON.stringify(object))
      const before = known()
      await rig.caughtUp()
      expect(rig.repeats).toBeGreaterThan(0)
      expect(known()).toEqual(before)
      expect(await flagsOf(ROW, { ...ROW, clientAddress: '192.0.2.5' })).toEqual([['stale-user'], ['stale-user']])
    }
  })

  it('rows that come late and out of order are judged by their own time', async () => {
    rig = await startRig({ tokenLoginEvents: false })
    await rig.caughtUp()
    await flagsOf(ROW)
    const late = rig.simulator.write({ ...ROW, lateMs: 120_000 })
    await rig.clock.advance(1000)
    await flagsOf({ ...ROW, type: 'user/delete', user: 'alice', tokenId: null, entity: { name: 'ci-bot', id: null } })
    await rig.drive(() => rig.rows().has(late), 'the late row')
    expect(rig.rows().get(late)?.data.flags).toBeUndefined()
    expect(await flagsOf(ROW)).toEqual([['stale-user']])
  })

  it('what an extension posted in the name of a token is no word on it', async () => {
    rig = await startRig()
    await rig.caughtUp()
    expect(await flagsOf({ ...ROW, external: true, type: 'com/acme/backup/done' }, ROW)).toEqual([
      ['external'],
      ['first-use'],
    ])
  })
})

describe('what was learned', () => {
  it('belongs to the page that taught it: a daemon that dies in its middle has neither told nor learned', async () => {
    rig = await startRig({ tokenLoginEvents: false })
    await rig.caughtUp()
    await rig.turns(1)
    const first = rig.simulator.write(ROW)
    const second = rig.simulator.write({ ...ROW, clientAddress: '192.0.2.5', atMs: rig.clock.wall() + 100 })
    let killed = false
    rig.dies = batch => {
      killed ||= batch.facts.length > 0
      return batch.facts.length > 0
    }
    await rig.drive(() => killed, 'the page that is lost')
    await rig.stop()
    expect([rig.mirror.has(`vcd.token/${CI_TOKEN}`), rig.rows().size]).toEqual([false, 0])
    rig.dies = undefined
    await rig.caughtUp()
    expect([first, second].map(id => rig.rows().get(id)?.data.flags)).toEqual([['first-use'], ['new-address']])
    expect(rig.mirror.get(`vcd.token/${CI_TOKEN}`)?.family).toBe('vcd.token')
  })

  it('tells how a session began after a restart too', async () => {
    rig = await startRig()
    await rig.caughtUp()
    const sessionId = '6a0c0c52-0000-4000-8000-0000000000e1'
    const login: RowSeed = { type: 'session/login', user: 'alice', org: 'acme', sessionId }
    await flagsOf(login)
    await rig.stop()
    // Past the overlap: the login is not read again.
    await rig.clock.advance(2 * HOUR)
    await rig.caughtUp()
    const act = rig.simulator.write({ ...login, type: 'vm/create' })
    const stranger = rig.simulator.write({
      ...login,
      type: 'vm/create',
      sessionId: '6a0c0c52-0000-4000-8000-0000000000e2',
    })
    await rig.drive(() => rig.rows().has(act) && rig.rows().has(stranger), 'both')
    expect([act, stranger].map(id => rig.rows().get(id)?.data.actor?.via)).toEqual(['interactive', 'unknown'])
  })
})
