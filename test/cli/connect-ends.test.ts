/** `check --connect` that is interrupted, and beside a daemon that serves HTTPS. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { main } from '../../src/main.ts'
import { certificate } from '../support/apic-source.ts'
import { ThreeSystems } from '../support/three-systems.ts'
import { captured } from './captured-io.ts'

let world: ThreeSystems

beforeEach(async () => {
  world = await ThreeSystems.make()
})

afterEach(async () => {
  await world.close()
})

it('one that an opswire has is fine under HTTPS too', async () => {
  const tls = `{ cert_file: ${world.file('cert.pem', certificate.cert)}, key_file: ${world.file('key.pem', certificate.key)} }`
  const listening = (port: string): void => {
    world.blocks.top = `state_dir: ${world.directory}/state\nhttp: { listen: "127.0.0.1:${port}", tls: ${tls} }\n`
    world.write()
  }
  listening('0')
  listening(new URL(await world.daemon.start()).port)
  const { io, out } = captured()
  expect(await main(['check', '-c', world.configFile, '--connect'], io)).toBe(0)
  expect(out()).toMatch(/http\.listen .* ok +taken by an opswire that runs already\n/)
})

it('Ctrl-C ends it at once, and says what was found', async () => {
  world.apic.goDark()
  const ending = new AbortController()
  const { io, out, err } = captured({ signal: ending.signal, stderrIsTty: true })
  const ended = main(['check', '-c', world.configFile, '--connect'], io)
  while (!err().includes('fabric-a: connect')) await new Promise(resolve => setImmediate(resolve))
  ending.abort()
  expect(await ended).toBe(69)
  expect(out()).toContain('interrupted')
  // That nobody waited for an answer says nothing of the other side.
  expect(out()).not.toMatch(/FAILED|→/)
  world.apic.comeBack()
})

it('Ctrl-C in the midst of a session ends that too, and is told to scripts', async () => {
  world.apic.fail({ operation: 'query', path: /fvTenant/, failure: { kind: 'hang' } })
  const ending = new AbortController()
  const { io, out, err } = captured({ signal: ending.signal, stderrIsTty: true })
  const ended = main(['check', '-c', world.configFile, '--connect', '--json'], io)
  while (!err().includes('read class/fvTenant')) await new Promise(resolve => setImmediate(resolve))
  ending.abort()
  expect(await ended).toBe(69)
  const { interrupted, steps } = JSON.parse(out()) as { interrupted: boolean; steps: { step: string }[] }
  expect(interrupted).toBe(true)
  expect(steps.find(step => step.step === 'read class/fvTenant')).toMatchObject({
    ...{ outcome: 'skipped', detail: 'interrupted', code: null, next: null },
  })
  expect(world.apic.record.sessions.every(session => session.loggedOutAt !== undefined)).toBe(true)
})
