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
const READY_POLL_MS = 5
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
  /** More lines of the source's block, e.g. `    max_concurrency: 8`, and its subscriptions besides `classes`, as flow YAML. */
  readonly source?: readonly string[]
  readonly subscriptions?: readonly string[]
  /** Blocks of other sources. */
  readonly sources?: string
  /** More lines of the top of the file, and of the stream's settings, e.g. `max_bytes: 8GiB`. */
  readonly top?: readonly string[]
  readonly streamSettings?: readonly string[]
  /** For Node, before the program. */
  readonly nodeOptions?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
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
    const daemon = Daemon.spawn(options)
    await daemon.until(
      status =>
        status.sink?.up === true &&
        status.store?.events === 0 &&
        options.classes.every(cls => isLive(status, `class/${cls}`)),
      LIVE_WITHIN_MS,
    )
    return daemon
  }

  /** Starts it and waits for nothing. */
  static spawn(options: DaemonOptions): Daemon {
    const { scratch, entry, nodeOptions = [] } = options
    const home = scratch.path('daemon')
    mkdirSync(home)
    const file = join(home, 'opswire.yaml')
    writeFileSync(join(home, 'password'), 'bench\n', { mode: 0o600 })
    writeFileSync(file, configOf(options, home))
    const child = spawn(process.execPath, [...nodeOptions, entry, 'run', '-c', file], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...options.env },
      // A group of its own: Ctrl-C in a terminal reaches whoever measures, who ends the daemon in order.
      detached: true,
    })
    scratch.keep(child)
    return new Daemon(child)
  }

  /** Has said that it is ready, and has not ended since. Throws with the last log lines when it ended. */
  get isReady(): boolean {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) throw this.#trouble('the daemon ended')
    return this.#url !== undefined
  }

  /** Resolves when `/status` says so. Throws with the last log lines when it ends, or says nothing of the kind for so long. */
  async until(probe: (status: StatusDocument) => boolean, withinMs = 600_000, everyMs = POLL_MS): Promise<void> {
    const end = systemClock.now() + withinMs
    for (;;) {
      if (this.isReady && probe(JSON.parse(await this.get('/status')) as StatusDocument)) return
      if (systemClock.now() > end) throw this.#trouble('the daemon is not where it should be')
      await sleep(systemClock, everyMs)
    }
  }

  /** Resolves when `/-/ready` says yes. */
  async untilReady(): Promise<void> {
    const end = systemClock.now() + LIVE_WITHIN_MS
    for (;;) {
      if (this.isReady && (await fetch(`${this.#url}/-/ready`)).ok) return
      if (systemClock.now() > end) throw this.#trouble(`not ready: ${await this.get('/-/ready')}`)
      await sleep(systemClock, READY_POLL_MS)
    }
  }

  /** The last lines that it wrote. */
  get log(): readonly string[] {
    return this.#log
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
  const { fabric, certificateFile, nats, stream, classes, logLevel = 'info', source = [], subscriptions = [] } = options
  const settings = [`name: ${stream}`, ...(options.streamSettings ?? [])].join(', ')
  const all = [...classes.map(cls => `{ class: ${cls} }`), ...subscriptions]
  return `
state_dir: ${home}/state
http: { listen: "127.0.0.1:0" }
log: { level: ${logLevel} }
nats: { servers: ["${nats}"], prefix: ${stream.toLowerCase()}, stream: { ${settings} } }
${(options.top ?? []).map(line => `${line}\n`).join('')}sources:
  - name: fabric-a
    kind: apic
    controllers: ["${fabric}"]
    username: bench
    password_file: ${home}/password
    tls: { ca_file: ${certificateFile} }
${source.map(line => `${line}\n`).join('')}    subscriptions:
${all.map(one => `      - ${one}\n`).join('')}${options.sources ?? ''}`
}
