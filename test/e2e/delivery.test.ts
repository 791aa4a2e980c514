/**
 * The promise, counted by number: what the fabric showed is in JetStream, each exactly once. The real daemon in its own
 * process, a real nats-server, the APIC simulator over real TLS.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/scheduler/clock.ts'
import { type ApicSimulator, startApicSimulator } from '../../src/simulators/apic/controller.ts'
import { type RunningNats, startNatsServer } from '../../src/tools/nats-server.ts'
import { certificate } from '../support/apic-source.ts'
import { untilAnswered } from '../support/asked.ts'
import { Daemon } from '../support/daemon.ts'
import { writeFabricFile } from '../support/fabric-file.ts'
import { until } from '../support/manual-clock.ts'
import { contents, NEWEST, natsBinary, natsConfig } from '../support/nats.ts'

const BURST = 20_000

let directory: string
let simulator: ApicSimulator
let nats: RunningNats
let daemon: Daemon
let url: string

const say = (note: string): never => {
  throw new Error(note)
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'opswire-e2e-'))
  nats = await startNatsServer({ binary: await natsBinary(NEWEST, say) })
  simulator = await startApicSimulator({ time: systemClock, certificate })
  const file = writeFabricFile({ directory, controller: simulator.url, natsUrl: nats.url })
  daemon = new Daemon(file)
})

afterEach(async () => {
  await daemon.kill()
  await simulator.close()
  await nats.remove()
  rmSync(directory, { recursive: true, force: true })
})

/** Resolves when the feed is live: what is pushed from now on belongs to the daemon. */
async function live(): Promise<void> {
  url = await daemon.start()
  await untilStatus(
    status =>
      status.sources[0]?.feeds.some(feed => feed.name === 'class/eventRecord' && feed.state === 'live') === true,
    'the feed live',
  )
}

type Status = Awaited<ReturnType<Daemon['status']>>

async function untilStatus(probe: (status: Status) => boolean, what: string): Promise<void> {
  await untilAnswered(() => daemon.status(url), probe, what)
}

const delivered = (count: number) =>
  untilStatus(
    status => status.store !== null && status.store.events === 0 && eventsOf(status) >= count,
    `${count} delivered`,
  )

const eventsOf = (status: Status): number =>
  status.sources[0]?.feeds.find(feed => feed.name === 'class/eventRecord')?.events ?? 0

/** How often each number of the burst stands in the stream. */
async function counted(expected: number): Promise<{ missing: number[]; twice: number[]; total: number; dead: number }> {
  const messages = await contents(natsConfig(nats.url), expected)
  const seen = new Map<number, number>()
  for (const { event } of messages) {
    const number = /burst (\d+)/.exec(JSON.stringify(event))?.[1]
    if (number !== undefined) seen.set(Number(number), (seen.get(Number(number)) ?? 0) + 1)
  }
  return {
    missing: Array.from({ length: BURST }, (_, index) => index).filter(index => !seen.has(index)),
    twice: [...seen].filter(([, count]) => count !== 1).map(([index]) => index),
    total: [...seen.values()].reduce((sum, count) => sum + count, 0),
    dead: messages.filter(message => message.subject.includes('_dead')).length,
  }
}

const WHOLE = { missing: [], twice: [], total: BURST, dead: 0 }

describe('20,000 numbered notifications in a burst', () => {
  it('are in JetStream, each exactly once', async () => {
    await live()
    await simulator.burst(BURST)
    await delivered(BURST)
    expect(await counted(BURST)).toEqual(WHOLE)
    expect(await daemon.stop()).toBe(0)
  })

  it('survive SIGKILL in mid-burst and a restart', async () => {
    await live()
    const burst = simulator.burst(BURST)
    await untilStatus(status => eventsOf(status) > 2000, 'some stored')
    await daemon.kill()
    await burst
    await live()
    await untilStatus(status => status.store?.events === 0, 'all delivered')
    expect(await counted(BURST)).toEqual(WHOLE)
  })

  it('survive a nats-server that is away for a while', async () => {
    await live()
    await nats.stop()
    await simulator.burst(BURST)
    await untilStatus(status => eventsOf(status) >= BURST, 'all stored')
    await nats.restart()
    await delivered(BURST)
    expect(await counted(BURST)).toEqual(WHOLE)
  })

  it('survive a nats-server killed in mid-burst, and SIGKILL of the daemon while it is away', async () => {
    await live()
    const burst = simulator.burst(BURST)
    await untilStatus(status => eventsOf(status) > 2000, 'some stored')
    await nats.kill()
    await burst
    await untilStatus(status => eventsOf(status) >= BURST, 'all stored')
    await daemon.kill()
    await live()
    await nats.restart()
    await untilStatus(status => status.store?.events === 0, 'all delivered')
    expect(await counted(BURST)).toEqual(WHOLE)
  })
})

describe('the daemon', () => {
  it('starts without NATS, stores, and catches up', async () => {
    await nats.stop()
    await live()
    await simulator.burst(100)
    await untilStatus(status => status.store?.events !== undefined && status.store.events >= 100, 'stored')
    const ready = await fetch(`${url}/-/ready`)
    expect(ready.status).toBe(503)
    expect(await ready.text()).toContain('nats')
    await nats.restart()
    await untilStatus(status => status.store?.events === 0, 'delivered')
    expect((await fetch(`${url}/-/ready`)).status).toBe(200)
  })

  it('stops gracefully on TERM: logs out, exit 0, nothing left', async () => {
    await live()
    await simulator.burst(500)
    await untilStatus(status => eventsOf(status) >= 500, 'stored')
    expect(await daemon.stop()).toBe(0)
    expect(simulator.record.sessions.map(session => session.endedBy)).toEqual(['logout'])
    expect(simulator.openSockets).toBe(0)
  })

  it('a second one on the same state_dir exits 69 and names the holder', async () => {
    await live()
    const second = new Daemon(join(directory, 'opswire.yaml'))
    await expect(second.start()).rejects.toThrow(`process ${daemon.pid}`)
    expect(await second.ended()).toBe(69)
  })

  it('forced by a second signal it exits 75 at once', async () => {
    await live()
    simulator.goDark()
    await nats.stop()
    daemon.signal('SIGTERM')
    await until(() => daemon.log.some(line => line.includes('stopping')), 'stopping')
    daemon.signal('SIGTERM')
    expect(await daemon.ended()).toBe(75)
  })
})
