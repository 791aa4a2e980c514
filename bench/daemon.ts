/** The real daemon in a process of its own, from a config file, as an operator would start it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { StatusDocument } from '../src/ops/status.ts'
import { sleep, systemClock } from '../src/scheduler/clock.ts'
import type { Scratch } from './scratch.ts'

/** `node src/main.ts`. */
export const FROM_SOURCE = resolve(import.meta.dirname, '../src/main.ts')

const LIVE_WITHIN_MS = 60_000
const POLL_MS = 25
const LOG_LINES = 50

export interface DaemonOptions {
  readonly scratch: Scratch
  /** The program: `FROM_SOURCE`, or the emitted `main.js`. */
  readonly entry: string
  readonly fabric: string
  readonly certificateFile: string
  readonly nats: string
  readonly stream: string
  readonly classes: readonly string[]
  /** For Node, before the program. */
  readonly nodeOptions?: readonly string[]
  readonly logLevel?: 'info' | 'debug'
}

export class Daemon {
  readonly pid: number
  /** From spawn to `opswire ready`, and to the first subscription live (with `logLevel: 'debug'` only), ms. */
  readyMs = Number.NaN
  liveMs = Number.NaN
  readonly #child: ChildProcess
  readonly #log: string[] = []
  #url: string | undefined

  private constructor(child: ChildProcess) {
    const spawned = systemClock.now()
    this.#child = child
    this.pid = child.pid ?? 0
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', line => {
      this.#log.push(line)
      if (this.#log.length > LOG_LINES) this.#log.shift()
      const url = /opswire ready: (\S+?)"/.exec(line)?.[1]
      if (url !== undefined) {
        this.#url = url
        this.readyMs = systemClock.now() - spawned
      }
      if (Number.isNaN(this.liveMs) && /feed class\/\w+ is live/.test(line)) this.liveMs = systemClock.now() - spawned
    })
  }

  /** Resolves when the feeds of `classes` are live, the sink is up and nothing is on its way. */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const { scratch, entry, classes, nodeOptions = [] } = options
    const home = scratch.path('daemon')
    mkdirSync(home)
    const file = join(home, 'opswire.yaml')
    writeFileSync(join(home, 'password'), 'bench\n', { mode: 0o600 })
    writeFileSync(file, configOf(options, home))
    const child = spawn(process.execPath, [...nodeOptions, entry, 'run', '-c', file], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    scratch.keep(child)
    const daemon = new Daemon(child)
    await daemon.until(
      status =>
        status.sink?.up === true && status.store?.events === 0 && classes.every(cls => isLive(status, `class/${cls}`)),
      LIVE_WITHIN_MS,
    )
    return daemon
  }

  /** Resolves when `/status` says so. Throws with the last log lines when it ends, or says nothing of the kind for so long. */
  async until(probe: (status: StatusDocument) => boolean, withinMs = 600_000): Promise<void> {
    const end = systemClock.now() + withinMs
    for (;;) {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) throw this.#trouble('the daemon ended')
      if (this.#url !== undefined && probe(JSON.parse(await this.get('/status')) as StatusDocument)) return
      if (systemClock.now() > end) throw this.#trouble('the daemon is not where it should be')
      await sleep(systemClock, POLL_MS)
    }
  }

  async get(path: string): Promise<string> {
    const answer = await fetch(`${this.#url}${path}`)
    return answer.text()
  }

  /** In order, as systemd would. Throws unless it ends well. */
  async stop(): Promise<void> {
    const gone = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    await gone
    if (this.#child.exitCode !== 0) throw this.#trouble(`the daemon ended with ${this.#child.exitCode}`)
  }

  #trouble(text: string): Error {
    return new Error(`${text}\n${this.#log.join('\n')}`)
  }
}

function isLive(status: StatusDocument, feed: string): boolean {
  return status.sources.some(source => source.feeds.some(one => one.name === feed && one.state === 'live'))
}

function configOf(options: DaemonOptions, home: string): string {
  const { fabric, certificateFile, nats, stream, classes, logLevel = 'info' } = options
  return `
state_dir: ${home}/state
http: { listen: "127.0.0.1:0" }
log: { level: ${logLevel} }
nats: { servers: ["${nats}"], prefix: ${stream.toLowerCase()}, stream: { name: ${stream} } }
sources:
  - name: fabric-a
    kind: apic
    controllers: ["${fabric}"]
    username: bench
    password_file: ${home}/password
    tls: { ca_file: ${certificateFile} }
    subscriptions: [${classes.map(cls => `{ class: ${cls} }`).join(', ')}]
`
}
