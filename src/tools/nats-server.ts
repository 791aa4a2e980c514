/** A real nats-server with JetStream on a free port, for the demo and the tests. */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, sleep, systemClock } from '../scheduler/clock.ts'
import { resolveTool } from './resolve.ts'

export interface NatsServerOptions {
  /** The program; resolved when not given. */
  readonly binary?: string
  /** Where JetStream keeps its streams; a temporary folder when not given (`remove` deletes it). */
  readonly storeDir?: string
  readonly port?: number
  /** More lines for the server's configuration file, e.g. `max_payload: 64KB`. */
  readonly config?: string
  readonly clock?: Clock
}

export interface RunningNats {
  readonly url: string
  readonly port: number
  readonly storeDir: string
  /** Undefined while stopped. */
  readonly pid: number | undefined
  /** The last lines that the server wrote. */
  readonly log: readonly string[]
  /** Ends it in order (SIGTERM unless told otherwise), harder after 10 s; the store and the port stay its own. */
  stop(signal?: NodeJS.Signals): Promise<void>
  /** SIGKILL: as a crash would. */
  kill(): Promise<void>
  /** Starts it again on the same port and store, after stopping it if need be; with other config lines if given. */
  restart(config?: string): Promise<void>
  /** Takes up other config lines while it runs (SIGHUP). Rejects when the server does not say that it did. */
  reload(config: string): Promise<void>
  /** Stops it and deletes what it made. Idempotent. */
  remove(): Promise<void>
}

const START_MS = 30_000
const STOP_MS = 10_000
const LOG_LINES = 200
const RELOAD_LOOK_MS = 20

/** Resolves when the server accepts connections. Rejects with its last log lines, or why there is no server. */
export async function startNatsServer(options: NatsServerOptions = {}): Promise<RunningNats> {
  let binary = options.binary
  if (binary === undefined) {
    const found = await resolveTool('nats-server')
    if ('missing' in found) throw new Error(found.missing)
    binary = found.path
  }
  const home = await mkdtemp(join(tmpdir(), 'opswire-nats-'))
  const server = new NatsServer(binary, home, options.port ?? (await freePort()), options)
  try {
    await server.start()
    return server
  } catch (error) {
    await server.remove()
    throw error
  }
}

/** A port below the range that systems give to outgoing connections, so that it is still free at a restart. */
async function freePort(): Promise<number> {
  for (let turn = 0; turn < 50; turn++) {
    const port = randomInt(20_000, 32_000)
    const free = await new Promise<boolean>(resolve => {
      const probe = createServer()
      probe.once('error', () => resolve(false))
      probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
    })
    if (free) return port
  }
  throw new Error('no free port found')
}

class NatsServer implements RunningNats {
  readonly port: number
  readonly storeDir: string
  readonly log: string[] = []
  readonly #binary: string
  readonly #home: string
  readonly #clock: Clock
  #config: string
  #child: ChildProcess | undefined
  #gone: Promise<void> = Promise.resolve()

  constructor(binary: string, home: string, port: number, options: NatsServerOptions) {
    this.#binary = binary
    this.#home = home
    this.port = port
    this.storeDir = options.storeDir ?? join(home, 'store')
    this.#config = options.config ?? ''
    this.#clock = options.clock ?? systemClock
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  async start(): Promise<void> {
    const file = await this.#configured()
    this.log.length = 0
    // A group of its own: Ctrl-C in a terminal must reach the daemon first, not the broker it still has to deliver to.
    const child = spawn(this.#binary, ['-c', file], { stdio: ['ignore', 'ignore', 'pipe'], detached: true })
    this.#child = child
    const orphan = (): void => {
      child.kill('SIGKILL')
    }
    process.once('exit', orphan)
    this.#gone = new Promise(resolve => {
      child.once('close', () => {
        process.off('exit', orphan)
        if (this.#child === child) this.#child = undefined
        resolve()
      })
    })
    await this.#ready(child)
  }

  async #configured(): Promise<string> {
    const file = join(this.#home, 'nats-server.conf')
    const lines = [
      'host: "127.0.0.1"',
      `port: ${this.port}`,
      `jetstream { store_dir: ${JSON.stringify(this.storeDir)} }`,
      this.#config,
    ]
    await writeFile(file, `${lines.join('\n')}\n`, { mode: 0o600 })
    return file
  }

  #ready(child: ChildProcess): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: Error): void => {
        cancel()
        if (error === undefined) resolve()
        else reject(error)
      }
      const cancel = this.#clock.after(START_MS, () => {
        child.kill('SIGKILL')
        settle(new Error(`nats-server was not ready within ${START_MS} ms`))
      })
      let rest = ''
      child.stderr?.setEncoding('utf8')
      child.stderr?.on('data', (text: string) => {
        const parts = (rest + text).split('\n')
        rest = parts.pop() ?? ''
        for (const line of parts) {
          this.log.push(line)
          if (this.log.length > LOG_LINES) this.log.shift()
          if (line.includes('Server is ready')) settle()
        }
      })
      child.once('error', settle)
      child.once('close', code => {
        settle(new Error(`nats-server ended with code ${code}: ${[...this.log, rest].slice(-5).join(' | ')}`))
      })
    })
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    child.kill(signal)
    const cancel = this.#clock.after(STOP_MS, () => {
      child.kill('SIGKILL')
    })
    await this.#gone
    cancel()
  }

  kill(): Promise<void> {
    return this.stop('SIGKILL')
  }

  async restart(config?: string): Promise<void> {
    await this.stop()
    if (config !== undefined) this.#config = config
    await this.start()
  }

  async reload(config: string): Promise<void> {
    this.#config = config
    await this.#configured()
    this.log.length = 0
    const end = this.#clock.now() + START_MS
    this.#child?.kill('SIGHUP')
    while (!this.log.some(line => line.includes('Reloaded server configuration'))) {
      if (this.#child === undefined || this.#clock.now() > end) {
        throw new Error(`nats-server did not take up its config: ${this.log.slice(-5).join(' | ')}`)
      }
      await sleep(this.#clock, RELOAD_LOOK_MS)
    }
  }

  async remove(): Promise<void> {
    await this.stop('SIGKILL')
    await rm(this.#home, { recursive: true, force: true })
  }
}
