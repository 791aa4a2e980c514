/** nats-server loses what it had acknowledged while the daemon is dead: the real daemon finds out, and makes it good. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { systemClock } from '../../src/scheduler/clock.ts'
import { type ApicSimulator, startApicSimulator } from '../../src/simulators/apic/controller.ts'
import { type RunningNats, startNatsServer } from '../../src/tools/nats-server.ts'
import { certificate } from '../support/apic-source.ts'
import { untilAnswered } from '../support/asked.ts'
import { Daemon } from '../support/daemon.ts'
import { writeFabricFile } from '../support/fabric-file.ts'
import { contents, natsBinary, natsConfig, OLDEST } from '../support/nats.ts'

let directory: string
let simulator: ApicSimulator
let nats: RunningNats
let daemon: Daemon
let url: string

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'opswire-e2e-'))
  const say = (note: string): never => {
    throw new Error(note)
  }
  nats = await startNatsServer({ binary: await natsBinary(OLDEST, say) })
  simulator = await startApicSimulator({ time: systemClock, certificate })
  daemon = new Daemon(writeFabricFile({ directory, controller: simulator.url, natsUrl: nats.url }))
})

afterEach(async () => {
  await daemon.kill()
  await simulator.close()
  await nats.remove()
  rmSync(directory, { recursive: true, force: true })
})

async function live(): Promise<void> {
  url = await daemon.start()
  await untilAnswered(
    () => daemon.status(url),
    ({ sources }) => sources[0]?.feeds.some(({ state }) => state === 'live') === true,
    'the feed live',
  )
}

/** Resolves when so many events of these bursts are in the stream and nothing waits, with all of them in order. */
async function delivered(count: number): Promise<string[]> {
  await untilAnswered(
    async () => ({ there: await bursts(), waiting: (await daemon.status(url)).store?.events }),
    ({ there, waiting }) => there.length >= count && waiting === 0,
    `${count} delivered`,
  )
  return bursts()
}

async function bursts(): Promise<string[]> {
  const all = await contents(natsConfig(nats.url), 1)
  return all.flatMap(({ event }) => /(?:before|lost|after) \d+/.exec(JSON.stringify(event))?.[0] ?? [])
}

const named = (name: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${name} ${n}`)
const burst = (name: string, count: number): Promise<void> =>
  simulator.burst(count, n => ({ descr: `${name} ${n}`, affected: 'uni/tn-one' }))

it('an older copy of its store gets again what it lacks, each once and in order, and metric, log and status say so', async () => {
  await live()
  await burst('before', 60)
  expect((await delivered(60)).length).toBe(60)
  const backup = join(directory, 'backup')
  await nats.stop()
  cpSync(nats.storeDir, backup, { recursive: true })
  await nats.restart()
  await burst('lost', 100)
  expect((await delivered(160)).length).toBe(160)
  await daemon.kill()
  await nats.kill()
  rmSync(nats.storeDir, { recursive: true })
  cpSync(backup, nats.storeDir, { recursive: true })
  await nats.restart()
  await live()
  await burst('after', 20)
  expect(await delivered(180)).toEqual([...named('before', 60), ...named('lost', 100), ...named('after', 20)])
  expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/^opswire_sink_setbacks_total 1$/m)
  expect(daemon.log.filter(line => /went back in time.* gets \d+ events again/.test(line)).length).toBe(1)
  expect(JSON.stringify(await daemon.status(url))).toMatch(/and 1[67]\d/)
})
