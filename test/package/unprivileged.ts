/** Runs a shipped opswire in a root of its own, as an unprivileged user on a read-only root, against the simulators and a real NATS. */
import { execFileSync, spawnSync } from 'node:child_process'
import { chownSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { makeWorld } from '../../src/cli/demo-world.ts'
import { parseConfig } from '../../src/config/load.ts'
import type { OpsEvent } from '../../src/event.ts'
import { systemClock } from '../../src/scheduler/clock.ts'
import { tap } from '../../src/sinks/nats-tap.ts'
import { startNatsServer } from '../../src/tools/nats-server.ts'
import { Daemon } from '../support/daemon.ts'
import { until } from '../support/manual-clock.ts'
import { NEWEST, natsBinary } from '../support/nats.ts'
import { inOwnRoot, type Loan, type OwnRoot } from '../support/own-root.ts'

/** A user that owns nothing on any machine. */
export const UID = 64_998
const KINDS = ['fault', 'event', 'audit', 'state', 'job', 'return']

export interface Shipped {
  readonly root: string
  readonly loans: readonly Loan[]
  /** The command, as it is called inside. */
  readonly opswire: readonly string[]
  /** The working directory inside. */
  readonly directory?: string
  readonly uid?: number
}

export interface Seen {
  /** For a person. */
  readonly summary: string
}

const fail = (note: string): never => {
  throw new Error(note)
}

/**
 * Asks for the version, checks the config, runs the daemon until each kind of event of all three sources came, and stops
 * it with TERM. Expects that it has no right, that nothing but its state directory can be written to, and exit code 0.
 */
export async function runUnprivileged({ root, loans, opswire, directory, uid = UID }: Shipped): Promise<Seen> {
  const nats = await startNatsServer({ binary: await natsBinary(NEWEST, fail) })
  const world = await makeWorld(systemClock, nats.url)
  const state = join(world.directory, 'state')
  mkdirSync(state)
  for (const name of ['', ...readdirSync(world.directory)]) chownSync(join(world.directory, name), uid, uid)
  const own: OwnRoot = {
    root,
    uid,
    readOnly: true,
    // The config and the secrets can be read, nothing but the state directory can be written to.
    loans: [...loans, { from: world.directory }, { from: state, writable: true }],
    ...(directory === undefined ? {} : { directory }),
  }
  const launch = (words: readonly string[]) => inOwnRoot(own, [...opswire, ...words])
  const say = (...words: string[]): string => {
    const { command, args } = launch(words)
    return execFileSync(command, args, { encoding: 'utf8' })
  }
  const daemon = new Daemon(world.configFile, {}, launch)
  const stop = new AbortController()
  try {
    const version = say('version').trim()
    expect(version).toMatch(/^opswire \d+\.\d+\.\d+ \(Node v26/)
    expect(say('check', '-c', world.configFile)).toContain('is good')
    const written = (path: string): string => {
      const { command, args } = inOwnRoot(own, ['/usr/bin/sh', '-c', `echo x > ${path}/probe`])
      return spawnSync(command, args, { encoding: 'utf8' }).stderr
    }
    for (const path of ['', '/usr', world.directory]) expect(written(path), path).toMatch(/Read-only file system/)
    const start = performance.now()
    const url = await daemon.start()
    const readyMs = performance.now() - start
    const life = world.live(stop.signal)
    const { config } = await parseConfig(world.configText, world.configFile)
    if (config.nats === undefined) throw new Error('the world has no nats block')
    await until(() => daemon.log.some(line => line.includes('sink nats is up')), 'the stream')
    const seen = new Set<string>()
    let events = 0
    for await (const { event } of tap(config.nats, { signal: stop.signal, from: 'start' })) {
      events++
      seen.add((event as OpsEvent).data.kind)
      if (KINDS.every(kind => seen.has(kind)) && events >= 100) break
    }
    const firstMs = performance.now() - start
    stop.abort()
    await life
    expect((await fetch(`${url}/-/ready`)).status).toBe(200)
    const facts = rights(daemon.pid ?? 0)
    expect(facts).toMatchObject({ Uid: String(uid), Groups: '', CapEff: '0000000000000000', NoNewPrivs: '1' })
    expect(await daemon.stop()).toBe(0)
    const left = readdirSync(state)
    expect(left).toContain('opswire.db')
    for (const name of left) expect(statSync(join(state, name)).mode & 0o077, name).toBe(0)
    const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
    return {
      summary: `${version}; ready after ${seconds(readyMs)}, ${events} events of every kind after ${seconds(firstMs)}, at most ${facts['VmHWM']} resident; stopped with 0`,
    }
  } catch (error) {
    throw new Error(`${daemon.log.slice(-20).join('\n')}`, { cause: error })
  } finally {
    stop.abort()
    await daemon.kill()
    await world.close()
    await nats.remove()
  }
}

/** What the kernel says of a process: the first word of Uid, the whole of the rest. */
function rights(pid: number): Record<string, string> {
  const lines = readFileSync(`/proc/${pid}/status`, 'utf8').split('\n')
  return Object.fromEntries(
    lines.map(line => {
      const [name = '', value = ''] = line.split(/:\s*/, 2)
      return [name, name === 'Uid' ? (value.split('\t')[0] ?? '') : value.trim()]
    }),
  )
}
