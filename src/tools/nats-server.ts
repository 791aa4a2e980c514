/** A real nats-server with JetStream on a free port, for the demo and the tests. */
import { randomInt } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, systemClock } from '../scheduler/clock.ts'
import { Program } from './program.ts'
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

const RELOAD_MS = 30_000

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
export async function freePort(): Promise<number> {
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
  readonly #home: string
  readonly #clock: Clock
  readonly #program: Program
  readonly #file: string
  #config: string

  constructor(binary: string, home: string, port: number, options: NatsServerOptions) {
    this.#home = home
    this.port = port
    this.storeDir = options.storeDir ?? join(home, 'store')
    this.#config = options.config ?? ''
    this.#file = join(home, 'nats-server.conf')
    this.#clock = options.clock ?? systemClock
    this.#program = new Program({
      ...{ name: 'nats-server', binary, clock: this.#clock },
      args: ['-c', this.#file],
      ready: /Server is ready/,
    })
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`
  }

  get pid(): number | undefined {
    return this.#program.pid
  }

  get log(): readonly string[] {
    return this.#program.log
  }

  async start(): Promise<void> {
    await this.#configure()
    await this.#program.start()
  }

  #configure(): Promise<void> {
    const lines = [
      'host: "127.0.0.1"',
      `port: ${this.port}`,
      `jetstream { store_dir: ${JSON.stringify(this.storeDir)} }`,
      this.#config,
    ]
    return writeFile(this.#file, `${lines.join('\n')}\n`, { mode: 0o600 })
  }

  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    return this.#program.stop(signal)
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
    await this.#configure()
    const taken = this.#program.says(
      /Reloaded server configuration/,
      RELOAD_MS,
      'nats-server did not take up its config',
    )
    this.#program.signal('SIGHUP')
    await taken
  }

  async remove(): Promise<void> {
    await this.stop('SIGKILL')
    await rm(this.#home, { recursive: true, force: true })
  }
}
