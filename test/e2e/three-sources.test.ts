/** All three systems at once, into a real JetStream, by the real daemon; and the demo as a user starts it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterEach, describe, expect, it } from 'vitest'
import { type DemoWorld, makeWorld } from '../../src/cli/demo-world.ts'
import { parseConfig } from '../../src/config/load.ts'
import type { OpsEvent } from '../../src/event.ts'
import { systemClock } from '../../src/scheduler/clock.ts'
import { tap } from '../../src/sinks/nats-tap.ts'
import { type RunningNats, startNatsServer } from '../../src/tools/nats-server.ts'
import { Daemon } from '../support/daemon.ts'
import { until } from '../support/manual-clock.ts'
import { contents, NEWEST, natsBinary, natsConfig } from '../support/nats.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const KINDS = ['fault', 'event', 'audit', 'state', 'job', 'return']

const closers: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const fail = (note: string): never => {
  throw new Error(note)
}

async function everything(): Promise<{ nats: RunningNats; world: DemoWorld; daemon: Daemon }> {
  const nats = await startNatsServer({ binary: await natsBinary(NEWEST, fail) })
  closers.push(() => nats.remove())
  const world = await makeWorld(systemClock, nats.url)
  closers.push(() => world.close())
  const daemon = new Daemon(world.configFile)
  closers.push(() => daemon.kill())
  return { nats, world, daemon }
}

describe('three sources into one stream', () => {
  it('every kind arrives, each event valid against the shipped JSON Schema, none dead-lettered', async () => {
    const { world, daemon } = await everything()
    const url = await daemon.start()
    const validate = new Ajv2020({ strict: false }).compile(
      JSON.parse(readFileSync(resolve(ROOT, 'config/event.schema.json'), 'utf8')),
    )
    const stop = new AbortController()
    const life = world.live(stop.signal)
    const { config } = await parseConfig(world.configText, world.configFile)
    if (config.nats === undefined) throw new Error('the world has no nats block')
    await until(() => daemon.log.some(line => line.includes('sink nats is up')), 'the stream')
    const seen = new Map<string, number>()
    const ids = new Set<string>()
    for await (const { event, id, subject } of tap(config.nats, { signal: stop.signal, from: 'start' })) {
      const one = event as OpsEvent
      expect(subject).not.toContain('_dead')
      expect(validate(one), JSON.stringify(validate.errors)).toBe(true)
      expect(one.id).toBe(id)
      expect(ids.has(id)).toBe(false)
      ids.add(id)
      seen.set(one.data.kind, (seen.get(one.data.kind) ?? 0) + 1)
      if (KINDS.every(kind => seen.has(kind)) && ids.size > 60) break
    }
    stop.abort()
    await life
    const page = await (await fetch(`${url}/metrics`)).text()
    for (const source of ['fabric-a', 'salt', 'cloud']) {
      expect(page).toMatch(new RegExp(`^opswire_source_up\\{source="${source}"\\} 1$`, 'm'))
      expect(page).toMatch(new RegExp(`^opswire_dead_letters_total\\{source="${source}"\\} 0$`, 'm'))
    }
    expect((await fetch(`${url}/-/ready`)).status).toBe(200)
    expect(page + JSON.stringify(await daemon.status(url)) + daemon.log.join('\n')).not.toMatch(
      /demo-only|demo-api-token/,
    )
    expect(await daemon.stop()).toBe(0)
  })
})

describe('opswire demo', () => {
  function demo(args: string[], env: Record<string, string> = {}): { child: ChildProcess; out: () => string } {
    const child = spawn(process.execPath, [resolve(ROOT, 'src/main.ts'), 'demo', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    })
    let text = ''
    child.stdout?.on('data', chunk => {
      text += chunk
    })
    child.stderr?.on('data', chunk => {
      text += chunk
    })
    closers.push(async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    })
    return { child, out: () => text }
  }

  async function exit(child: ChildProcess): Promise<number | null> {
    if (child.exitCode === null) await once(child, 'exit')
    return child.exitCode
  }

  it('ends by itself after --for, with 0 when every source delivered; into a nats-server that is there already', async () => {
    const nats = await startNatsServer({ binary: await natsBinary(NEWEST, fail) })
    closers.push(() => nats.remove())
    const { child, out } = demo(['--for', '6s', '--nats', nats.url, '--listen', '127.0.0.1:0'])
    expect(await exit(child), out()).toBe(0)
    expect(out()).toMatch(/status +http:\/\/127\.0\.0\.1:[1-9]\d*\/status/)
    expect(out()).toContain('listen: "127.0.0.1:0"')
    expect(out()).toMatch(/fabric-a .*apic\./)
    const held = await contents(natsConfig(nats.url), 1)
    expect(held.filter(({ subject }) => subject.startsWith('opswire.apic.fabric-a.')).length).toBeGreaterThan(0)
  })

  it('stops cleanly on Ctrl-C: exit 0, no process and no folder left', async () => {
    const { child, out } = demo([])
    await until(() => /cloud +audit/.test(out()), 'events')
    const folder = /config file (\S+)\/opswire\.yaml/.exec(out())?.[1] ?? fail('no folder shown')
    child.kill('SIGINT')
    expect(await exit(child), out()).toBe(0)
    const { existsSync, readdirSync, readlinkSync } = await import('node:fs')
    expect(existsSync(folder)).toBe(false)
    const left = readdirSync('/proc')
      .filter(name => /^\d+$/.test(name))
      .filter(pid => {
        try {
          return (
            readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder) ||
            readlinkSync(`/proc/${pid}/cwd`).includes(folder)
          )
        } catch {
          return false
        }
      })
    expect(left).toEqual([])
  })

  it('without any nats-server it says so and shows the embedded default', async () => {
    const { child, out } = demo(['--for', '5s'], {
      NATS_SERVER_BIN: '/nonexistent/nats-server',
      PATH: '/nonexistent',
      OPSWIRE_TOOLS_DIR: '/dev/null/tools',
    })
    expect(await exit(child), out()).toBe(0)
    expect(out()).toContain('No nats-server can be had')
    expect(out()).toMatch(/fabric-a .*apic\./)
  })
})
