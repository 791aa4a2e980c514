/**
 * A fabric ten times faster than NATS: the real daemon holds its socket back and lets it go again, keeps its leases, and
 * loses nothing. Counted are events, pauses and what waits; nothing depends on how fast the machine is.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
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
import { contents, NEWEST, natsBinary, natsConfig } from '../support/nats.ts'
import { Wire } from '../support/wire.ts'

const MAX_BYTES = 4 * 1024 ** 2
/** Each some 1,300 bytes in the store: more than it may hold, and what may wait before it. */
const FLOOD = 12_000
/** Until the socket is seen held back, and then: it is let go and held again. */
const WIRE_BYTES_PER_SECOND = [256 * 1024, 3 * 1024 ** 2] as const

let directory: string
let simulator: ApicSimulator
let nats: RunningNats
let wire: Wire
let daemon: Daemon

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'opswire-e2e-'))
  const say = (note: string): never => {
    throw new Error(note)
  }
  nats = await startNatsServer({ binary: await natsBinary(NEWEST, say) })
  wire = await Wire.to(nats.port)
  simulator = await startApicSimulator({ time: systemClock, certificate })
  daemon = new Daemon(
    writeFabricFile({
      directory,
      controller: simulator.url,
      natsUrl: `nats://127.0.0.1:${wire.port}`,
      top: 'store: { max_bytes: 4MiB }',
    }),
  )
})

afterEach(async () => {
  await daemon.kill()
  await simulator.close()
  await wire.close()
  await nats.remove()
  rmSync(directory, { recursive: true, force: true })
})

/** Of the daemon's process, in MiB. */
function residentMiB(): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${daemon.pid}/status`, 'utf8'))?.[1]
  return Math.round(Number(kib) / 1024)
}

it('a flood is held back at the socket and told whole, each event once, and no lease is lost', async () => {
  const url = await daemon.start()
  await untilAnswered(
    () => daemon.status(url),
    ({ sources }) => sources[0]?.feeds.some(({ state }) => state === 'live') === true,
    'the feed live',
  )
  wire.bytesPerSecond = WIRE_BYTES_PER_SECOND[0]
  const looks: { bytes: number; paused: boolean; ready: number; resident: number }[] = []
  const before = residentMiB()
  await simulator.burst(FLOOD)
  await untilAnswered(
    async () => {
      const { status } = await fetch(`${url}/-/ready`)
      return { ready: status, now: await daemon.status(url) }
    },
    ({ ready, now: { store, sources } }) => {
      const [source] = sources
      const paused = source !== undefined && source.pausedSince !== null
      if (paused) wire.bytesPerSecond = WIRE_BYTES_PER_SECOND[1]
      looks.push({ bytes: store?.bytes ?? 0, paused, ready, resident: residentMiB() })
      const told = source?.feeds.reduce((sum, feed) => sum + feed.events, 0) ?? 0
      return told >= FLOOD && store?.events === 0 && !paused
    },
    'all of it delivered',
    170_000,
  )
  const counts = new Map<string, number>()
  for (const { event } of await contents(natsConfig(nats.url), FLOOD)) {
    const one = /burst [\d-]+/.exec(JSON.stringify(event))?.[0]
    if (one !== undefined) counts.set(one, (counts.get(one) ?? 0) + 1)
  }
  expect(counts.size).toBe(FLOOD)
  expect([...counts.values()].filter(count => count !== 1)).toEqual([])
  const metrics = await (await fetch(`${url}/metrics`)).text()
  const value = (line: string): number => Number(new RegExp(`^${line} (\\S+)$`, 'm').exec(metrics)?.[1])
  expect(value('opswire_source_pauses_total\\{source="fabric-a"\\}')).toBeGreaterThan(0)
  expect(value('opswire_gaps_total\\{source="fabric-a",reason="backlog_limit"\\}')).toBe(0)
  for (const words of ['its socket is held back: ', 'the store is full: ']) {
    expect(
      daemon.log.some(line => line.includes(words)),
      words,
    ).toBe(true)
  }
  // It was seen held back, and said why it was not ready; the store never held more than it may.
  expect(looks.some(({ paused }) => paused)).toBe(true)
  expect(looks.some(({ ready }) => ready === 503)).toBe(true)
  expect(Math.max(...looks.map(({ bytes }) => bytes))).toBeGreaterThan(MAX_BYTES)
  expect(Math.max(...looks.map(({ bytes }) => bytes))).toBeLessThanOrEqual(1.1 * MAX_BYTES)
  const { sessions, sockets, lapses } = simulator.record
  expect([sessions.length, sockets.length, lapses]).toEqual([1, 1, []])
  const most = Math.max(...looks.map(({ resident }) => resident))
  // A figure, no bound: it depends on when the collector of garbage has its turn.
  process.stderr.write(`resident: ${before} MiB before the flood, ${most} MiB at most\n`)
}, 180_000)
