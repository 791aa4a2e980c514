/** Credentials and certificates that are changed under a running daemon. */
import { describe, expect, it } from 'vitest'
import { sleep, systemClock } from '../../../src/scheduler/clock.ts'
import { makeCertificate } from '../../../src/simulators/server.ts'
import { OWN_TOKEN } from '../whole/systems.ts'
import { once, played } from './drive.ts'

const ANOTHER_TOKEN = '6a0c0c52-0000-4000-8000-0000000000f1'

/** The other side changes first, and the file a moment later: meanwhile the daemon is refused. */
const BEHIND_MS = 1500

describe.concurrent('rotated under a running daemon, nothing is lost:', () => {
  it('the password of NATS', async ({ expect: see }) => {
    const strike = once('nats password', 0, async world => {
      await world.broker.changePassword('another-1')
      await sleep(systemClock, BEHIND_MS)
      world.file('nats-password', 'another-1')
    })
    see((await played({ seed: 911, strikes: [strike] })).wrongs).toEqual([])
  })

  it('the password of the APIC', async ({ expect: see }) => {
    const strike = once('apic password', 0, async world => {
      const { keys, controllers } = world.systems
      keys.apic = 'an0ther!'
      for (const one of controllers) one.endSessions()
      await sleep(systemClock, BEHIND_MS)
      world.file('apic-password', 'an0ther!')
    })
    see((await played({ seed: 912, strikes: [strike] })).wrongs).toEqual([])
  })

  it('the password of RaaS', async ({ expect: see }) => {
    const strike = once('raas password', 0, async world => {
      const { keys, raas } = world.systems
      keys.raas = 'an0ther!'
      raas.revokeTokens()
      await sleep(systemClock, BEHIND_MS)
      world.file('raas-password', 'an0ther!')
    })
    see((await played({ seed: 913, strikes: [strike] })).wrongs).toEqual([])
  })

  it.for([
    ['in the file before it is used', 914, 0],
    ['in the file when the daemon has refused it', 916, BEHIND_MS],
  ] as const)('the certificate of the APIC, %s', async ([, seed, behindMs], { expect: see }) => {
    const strike = once('apic certificate', 500, async world => {
      const { keys, controllers } = world.systems
      keys.certificate = await makeCertificate()
      const write = (): void => void world.file('ca-apic.pem', keys.certificate.cert)
      if (behindMs === 0) write()
      for (const one of controllers) await one.goDown()
      return async () => {
        for (const one of controllers) await one.comeUp()
        await sleep(systemClock, behindMs)
        if (behindMs > 0) write()
      }
    })
    see((await played({ seed, strikes: [strike] })).wrongs).toEqual([])
  })

  it.for([
    ['RaaS', 'raas', 917],
    ['Cloud Director', 'vcd', 918],
  ] as const)('the certificate of %s', async ([, name, seed], { expect: see }) => {
    const strike = once(`${name} certificate`, 0, async world => {
      const another = await makeCertificate()
      world.systems[name].certify(another)
      await sleep(systemClock, BEHIND_MS)
      world.file(`ca-${name}.pem`, another.cert)
    })
    see((await played({ seed, strikes: [strike] })).wrongs).toEqual([])
  })

  it('the certificate of NATS', async ({ expect: see }) => {
    const strike = once('nats certificate', 0, async world => {
      const another = await makeCertificate()
      await world.broker.certify(another)
      await sleep(systemClock, BEHIND_MS)
      world.file('ca-nats.pem', another.cert)
    })
    const world = { natsCertificate: await makeCertificate() }
    const result = await played({ seed: 919, strikes: [strike], world })
    see(result.wrongs).toEqual([])
    // It was refused, and did not go on without looking at the certificate.
    see(result.log.some(line => line.includes('certificate'))).toBe(true)
  })

  it.for([
    ['one that stays as it is', 941, 'never'],
    ['one that dies with each use', 942, 'always'],
  ] as const)('the API token of Cloud Director, %s', async ([, seed, vcdRotation], { expect: see }) => {
    const strike = once('vcd token', 0, async world => {
      const { vcd } = world.systems
      vcd.revoke(OWN_TOKEN)
      const user = { user: 'svc-opswire', org: 'System' }
      vcd.issue({ ...user, secret: 'secret-another', id: ANOTHER_TOKEN, name: 'opswire-2', rotation: vcdRotation })
      vcd.endSessions()
      await sleep(systemClock, BEHIND_MS)
      world.file('vcd-token', 'secret-another')
    })
    see((await played({ seed, strikes: [strike], world: { setting: { vcdRotation } } })).wrongs).toEqual([])
  })

  it('the API token of Cloud Director, which dies with each use, over kills of the daemon', async ({ expect: see }) => {
    const strike = once('killed', 500, async world => {
      world.systems.vcd.endSessions()
      await sleep(systemClock, 700)
      await world.unit.kill()
      return () => world.unit.up()
    })
    const world = { setting: { vcdRotation: 'always' as const } }
    const result = await played({ seed: 915, strikes: [strike], world })
    see(result.wrongs).toEqual([])
    expect(result.starts).toBe(2)
  })
})
