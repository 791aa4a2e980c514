/**
 * How the daemon stops when what it depends on hangs: within its time, with nothing left alive, and with everything that it
 * had taken down in the store, delivered after the next start.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
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
import { ThreeSystems } from '../support/three-systems.ts'
import { Wire } from '../support/wire.ts'

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts')

const TIMEOUT_S = 3
/** A busy machine takes its time; what hangs would hang for `request_timeout`, 30 s, or for ever. */
const PATIENCE_S = 12

const fail = (note: string): never => {
  throw new Error(note)
}

/** Seconds from the first word of the stop to the last, by the daemon's own log. */
function stopTook(daemon: Daemon): number {
  const at = (state: string): number => {
    const line = daemon.log.findLast(one => one.includes(`"msg":"opswire ${state}"`)) ?? fail(`never ${state}`)
    return Date.parse((JSON.parse(line) as { time: string }).time)
  }
  return (at('stopped') - at('stopping')) / 1000
}

/** Processes whose command line or directory names the folder. */
function alive(folder: string): string[] {
  return readdirSync('/proc').filter(pid => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder)
    } catch {
      return false
    }
  })
}

describe('sources that hang', () => {
  let world: ThreeSystems

  beforeEach(async () => {
    world = await ThreeSystems.make()
    world.blocks.top += `shutdown_timeout: ${TIMEOUT_S}s\n`
    world.write()
    await world.start()
  })

  afterEach(async () => {
    await world.close()
  })

  it.each<[string, () => void, boolean]>([
    ['an APIC that does not answer the logout', () => world.apic.goDark(), true],
    [
      'polls that are stuck',
      () => {
        world.raas.knobs.fault = () => ({ kind: 'hang' })
        world.vcd.knobs.fail = () => ({ kind: 'hang' })
      },
      // Cut at once: there is no goodbye to wait for, and so hardly a moment to look.
      false,
    ],
    [
      'all of them',
      () => {
        world.apic.goDark()
        world.raas.knobs.fault = () => ({ kind: 'hang' })
        world.vcd.knobs.fail = () => ({ kind: 'hang' })
      },
      true,
    ],
  ])('%s: exit 0 within the time, green for liveness and red for readiness meanwhile', async (_, hang, isSlow) => {
    hang()
    // A poll must be on its way when the stop comes.
    const asked = world.vcd.record.requests.length
    await until(() => world.vcd.record.requests.length > asked, 'a poll under way')
    const seen: { healthy: number; ready: number }[] = []
    const look = async (): Promise<void> => {
      try {
        for (;;) {
          const [healthy, ready] = await Promise.all([world.get('/-/healthy'), world.get('/-/ready')])
          if (ready.body.includes('it is stopping')) seen.push({ healthy: healthy.status, ready: ready.status })
        }
      } catch {
        // It has stopped to listen.
      }
    }
    const looking = look()
    expect(await world.daemon.stop()).toBe(0)
    await looking
    expect(stopTook(world.daemon)).toBeLessThan(TIMEOUT_S + PATIENCE_S)
    if (isSlow) expect(seen.length).toBeGreaterThan(0)
    expect(seen.every(({ healthy, ready }) => healthy === 200 && ready === 503)).toBe(true)
    expect(alive(world.directory)).toEqual([])
    world.apic.comeBack()
    await until(() => world.apic.openSockets === 0, 'no socket left')
  })

  it('all of them, and a second signal: exit 75 at once', async () => {
    world.apic.goDark()
    world.raas.knobs.fault = () => ({ kind: 'hang' })
    world.vcd.knobs.fail = () => ({ kind: 'hang' })
    world.daemon.signal('SIGTERM')
    await until(() => world.daemon.log.some(line => line.includes('opswire stopping')), 'the stop has begun')
    world.daemon.signal('SIGINT')
    expect(await world.daemon.ended()).toBe(75)
    expect(world.daemon.log.some(line => line.includes('opswire forced'))).toBe(true)
    expect(world.daemon.log.some(line => line.includes('opswire stopped'))).toBe(false)
    expect(alive(world.directory)).toEqual([])
    world.apic.comeBack()
  })
})

/** Whether all threads of the process sleep: then what it does next is up to somebody else. */
function isAtRest(pid: number | undefined): boolean {
  return readdirSync(`/proc/${pid}/task`).every(thread =>
    readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8').includes(') S '),
  )
}

it('a start that hangs is ended by a second signal: exit 75', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'opswire-stuck-'))
  const file = join(directory, 'opswire.yaml')
  execFileSync('mkfifo', [file])
  const daemon = spawn(process.execPath, [MAIN, 'run', '-c', file], { stdio: 'ignore' })
  const ended = once(daemon, 'exit')
  // Opened when it opens the other end; it never hears the end.
  const silent = await open(file, 'w')
  try {
    // A thread of Node's pool waits in a read, and for that one `process.exit` would wait.
    let looks = 0
    const isStuck = (): boolean => {
      looks = isAtRest(daemon.pid) ? looks + 1 : 0
      return looks > 20
    }
    await until(isStuck, 'the daemon waits for its config')
    daemon.kill('SIGTERM')
    daemon.kill('SIGINT')
    expect(await ended).toEqual([75, null])
  } finally {
    daemon.kill('SIGKILL')
    await silent.close()
    rmSync(directory, { recursive: true, force: true })
  }
})

describe('NATS that hangs', () => {
  let directory: string
  let simulator: ApicSimulator
  let nats: RunningNats
  let wire: Wire
  let daemon: Daemon

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'opswire-stop-'))
    nats = await startNatsServer({ binary: await natsBinary(NEWEST, fail) })
    wire = await Wire.to(nats.port)
    simulator = await startApicSimulator({ time: systemClock, certificate })
    const file = writeFabricFile({
      directory,
      controller: simulator.url,
      natsUrl: `nats://127.0.0.1:${wire.port}`,
      top: `shutdown_timeout: ${TIMEOUT_S}s`,
    })
    daemon = new Daemon(file)
  })

  afterEach(async () => {
    await daemon.kill()
    await simulator.close()
    await wire.close()
    await nats.remove()
    rmSync(directory, { recursive: true, force: true })
  })

  /** Starts it and waits until it hears the fabric and has its stream. */
  async function start(): Promise<string> {
    const url = await daemon.start()
    await untilAnswered(
      () => fetch(`${url}/-/ready`),
      answer => answer.ok,
      'ready',
    )
    return url
  }

  type Status = Awaited<ReturnType<Daemon['status']>>

  async function untilStatus(url: string, probe: (status: Status) => boolean, what: string): Promise<void> {
    await untilAnswered(() => daemon.status(url), probe, what, 50_000)
  }

  const eventsOf = (status: Status): number =>
    status.sources[0]?.feeds.find(feed => feed.name === 'class/eventRecord')?.events ?? 0

  /** How often each number of the burst stands in the stream, once nothing waits any more. */
  async function delivered(url: string, count: number): Promise<number[]> {
    await untilStatus(url, ({ store }) => store?.events === 0, 'nothing waits')
    const times = new Map<number, number>()
    for (const { event } of await contents(natsConfig(nats.url), count)) {
      const number = Number(/burst (\d+)/.exec(JSON.stringify(event))?.[1] ?? Number.NaN)
      if (!Number.isNaN(number)) times.set(number, (times.get(number) ?? 0) + 1)
    }
    return Array.from({ length: count }, (_, number) => times.get(number) ?? 0)
  }

  it.each([100, 3000])(
    'with %d events that wait: exit 0 within the time, all of them delivered after the next start',
    async count => {
      const url = await start()
      wire.deaf = true
      await simulator.burst(count)
      await untilStatus(url, status => eventsOf(status) >= count, 'all of them in the store')
      expect(await daemon.stop()).toBe(0)
      expect(stopTook(daemon)).toBeLessThan(TIMEOUT_S + PATIENCE_S)
      expect(alive(directory)).toEqual([])
      await until(() => simulator.openSockets === 0, 'the fabric was left')
      expect(simulator.record.sessions.every(session => session.loggedOutAt !== undefined)).toBe(true)
      wire.deaf = false
      const again = await start()
      expect((await delivered(again, count)).filter(times => times !== 1)).toEqual([])
      expect(await daemon.stop()).toBe(0)
    },
  )

  it('a second signal: exit 75, and what was taken down is there after the next start', async () => {
    await start()
    wire.deaf = true
    await simulator.burst(500)
    await until(() => simulator.record.sockets.some(socket => socket.frames >= 500), 'all of them sent')
    daemon.signal('SIGTERM')
    await until(() => daemon.log.some(line => line.includes('opswire stopping')), 'the stop has begun')
    daemon.signal('SIGTERM')
    expect(await daemon.ended()).toBe(75)
    expect(alive(directory)).toEqual([])
    wire.deaf = false
    const again = await start()
    // What was not stored yet is asked for again: the fabric's log has it.
    await untilStatus(again, status => (status.store?.events ?? 1) === 0 && status.counts.published >= 500, 'all there')
    expect((await delivered(again, 500)).filter(times => times !== 1)).toEqual([])
    expect(await daemon.stop()).toBe(0)
  })
})
