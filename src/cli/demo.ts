/** `opswire demo`: the whole thing on this machine, against the built-in simulators; nothing to configure. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { parseConfig } from '../config/load.ts'
import { parseDuration } from '../config/units.ts'
import { describe } from '../errors.ts'
import type { OpsEvent } from '../event.ts'
import { aborted, type Clock, sleep, systemClock } from '../scheduler/clock.ts'
import { every } from '../scheduler/interval.ts'
import { tap } from '../sinks/nats-tap.ts'
import { type RunningNats, startNatsServer } from '../tools/nats-server.ts'
import { resolveTool } from '../tools/resolve.ts'
import { readArguments } from './arguments.ts'
import { DemoTally } from './demo-print.ts'
import { makeWorld, QUESTIONS } from './demo-world.ts'
import { eventLine } from './event-line.ts'
import { type CliIo, EXIT, type Paint, painter, UsageError } from './io.ts'
import { stopSignals } from './signals.ts'

const SOURCES = ['fabric-a', 'salt', 'cloud']
/** Where a daemon listens unless told otherwise. */
const USUAL_PORT = 9469
const SUMMARY_MS = 5000
/** After the last change, so that what is under way is still shown. */
const SETTLE_MS = 1500

/** Resolves with 0; with 69 when a source delivered nothing or the daemon died. */
export async function run(args: string[], io: CliIo): Promise<number> {
  const given = readArguments('demo', args)
  const forText = given.text('for')
  const forMs = forText === undefined ? undefined : parseDuration(forText)
  if (forText !== undefined && forMs === undefined) {
    throw new UsageError(`--for: "${forText}" is not a duration, write 30s or 5m`, 'demo')
  }
  const signals = stopSignals()
  const demo = new Demo(io, systemClock, AbortSignal.any([signals.stop, signals.force]))
  try {
    return await demo.run({ forMs, natsUrl: given.text('nats'), listen: given.text('listen') })
  } finally {
    await demo.close()
    signals.forget()
  }
}

interface Wishes {
  readonly forMs: number | undefined
  /** Of a nats-server that runs already. */
  readonly natsUrl: string | undefined
  readonly listen: string | undefined
}

class Demo {
  readonly #io: CliIo
  readonly #clock: Clock
  readonly #stop: AbortSignal
  readonly #paint: Paint
  readonly #tally = new DemoTally()
  readonly #closers: { readonly name: string; close(): Promise<void> }[] = []

  constructor(io: CliIo, clock: Clock, stop: AbortSignal) {
    this.#io = io
    this.#clock = clock
    this.#stop = stop
    this.#paint = painter(io)
  }

  async run({ forMs, natsUrl, listen }: Wishes): Promise<number> {
    const nats = natsUrl === undefined ? await this.#startNats() : { url: natsUrl }
    const world = await makeWorld(this.#clock, nats?.url, listen ?? `127.0.0.1:${await usualPort()}`)
    this.#closers.push({ name: 'simulators', close: () => world.close() })
    this.#say(`\n${this.#paint('bold', 'The config file')} ${world.configFile}\n`)
    this.#say(this.#paint('dim', world.configText))

    const daemon = this.#startDaemon(world.configFile)
    const died = new Promise<number | null>(resolve => daemon.once('exit', resolve))
    const { config } = await parseConfig(world.configText, world.configFile)
    this.#say(`  NATS     ${nats === undefined ? 'none: events come from standard output' : nats.url}`)
    // From a checkout there is no such command on the path.
    const typed = process.argv[1]?.endsWith('.ts') === true ? 'npm run -s opswire -- query' : 'opswire query'
    for (const what of QUESTIONS) {
      this.#say(`  query    ${typed} -c ${world.configFile} ${what}`)
    }
    this.#say('')

    const over = new AbortController()
    const watching = nats === undefined ? this.#readLines(daemon) : this.#follow(config.nats, over.signal)
    const living = new AbortController()
    const life = world.live(living.signal)
    const summaries = every(this.#clock, SUMMARY_MS, async () => this.#summary(), {
      signal: over.signal,
      immediately: false,
    })
    const time = forMs === undefined ? new Promise<never>(() => undefined) : sleep(this.#clock, forMs, over.signal)
    try {
      const end = await Promise.race([
        aborted(this.#stop).then(() => 'stop' as const),
        time.then(() => 'time' as const),
        died.then(() => 'died' as const),
        life.then(() => 'time' as const),
        watching.then(() => 'died' as const),
      ])
      living.abort()
      await life.catch(() => undefined)
      if (end === 'time') await sleep(this.#clock, SETTLE_MS)
      await this.#stopDaemon(daemon, died)
      this.#summary()
      if (end === 'died') {
        this.#say(this.#paint('red', 'The daemon ended by itself; its log stands above.'))
        return EXIT.unavailable
      }
      return end === 'stop' ? EXIT.ok : this.#verdict()
    } finally {
      over.abort()
      time.catch(() => undefined)
      await Promise.allSettled([summaries, watching])
    }
  }

  /** Last opened, first closed; a failing one does not keep the rest open. */
  async close(): Promise<void> {
    for (const { name, close } of this.#closers.splice(0).reverse()) {
      try {
        await close()
      } catch (error) {
        this.#io.stderr.write(`opswire demo: closing ${name}: ${describe(error)}\n`)
      }
    }
  }

  #verdict(): number {
    const silent = this.#tally.silent(SOURCES)
    if (silent.length === 0) return EXIT.ok
    this.#say(this.#paint('red', `Nothing came from ${silent.join(', ')}.`))
    return EXIT.unavailable
  }

  async #startNats(): Promise<RunningNats | undefined> {
    const tool = await resolveTool('nats-server', {}, { say: line => this.#io.stderr.write(`${line}\n`) })
    if ('missing' in tool) {
      this.#say(this.#paint('yellow', `No nats-server can be had: ${tool.missing}`))
      this.#say('Running the embedded default instead: the daemon writes JSON lines to standard output.')
      return undefined
    }
    const nats = await startNatsServer({ binary: tool.path })
    this.#closers.push({ name: 'nats-server', close: () => nats.remove() })
    this.#say(`nats-server ${tool.version} with JetStream at ${nats.url}`)
    return nats
  }

  /** The same program, the same command line that an operator would type. */
  #startDaemon(configFile: string): ChildProcess {
    const entry = process.argv[1] ?? ''
    this.#say(`${this.#paint('bold', '$')} opswire run -c ${configFile}`)
    const daemon = spawn(process.execPath, [entry, 'run', '-c', configFile], {
      stdio: ['ignore', 'pipe', 'pipe'],
      // The file alone counts, whatever this shell sets for another daemon.
      env: Object.fromEntries(
        Object.entries(this.#io.env).filter(([name]) => !/^OPSWIRE_[A-Z]+__|^OPSWIRE_STATE_DIR/.test(name)),
      ),
      // Ctrl-C reaches the whole terminal group; the daemon is told by the demo, when the simulators have gone quiet.
      detached: true,
    })
    const kill = (): void => {
      daemon.kill('SIGKILL')
    }
    process.once('exit', kill)
    daemon.once('exit', () => process.off('exit', kill))
    createInterface({ input: daemon.stderr as NodeJS.ReadableStream }).on('line', line => this.#log(line))
    return daemon
  }

  async #stopDaemon(daemon: ChildProcess, died: Promise<number | null>): Promise<void> {
    if (daemon.exitCode === null && daemon.signalCode === null) daemon.kill('SIGTERM')
    const code = await died
    if (code !== 0) this.#say(this.#paint('red', `The daemon ended with exit code ${code}.`))
  }

  /** What JetStream has acknowledged: read back from the stream. */
  async #follow(nats: Parameters<typeof tap>[0] | undefined, signal: AbortSignal): Promise<void> {
    if (nats === undefined) return
    let next = 1
    while (!signal.aborted) {
      try {
        for await (const { event, seq } of tap(nats, { signal, from: { seq: next } })) {
          next = seq + 1
          this.#show(event as OpsEvent)
        }
      } catch {
        // The daemon creates the stream a moment after its start.
        await sleep(this.#clock, 200, signal).catch(() => undefined)
      }
    }
  }

  async #readLines(daemon: ChildProcess): Promise<void> {
    for await (const line of createInterface({ input: daemon.stdout as NodeJS.ReadableStream })) {
      this.#show(JSON.parse(line) as OpsEvent)
    }
  }

  #show(event: OpsEvent): void {
    if (event.data?.kind === undefined) return
    this.#tally.add(event)
    this.#say(eventLine(event, this.#io, this.#paint))
  }

  /** The daemon's own log, shorter than its JSON. */
  #log(line: string): void {
    let text = line
    try {
      const { msg, source } = JSON.parse(line) as { msg?: string; source?: string }
      if (msg !== undefined) text = source === undefined || msg.includes(source) ? msg : `${source}: ${msg}`
    } catch {
      // Not of the logger: shown as it is.
    }
    const url = /^opswire ready: (\S+)$/.exec(text)?.[1]
    if (url !== undefined) this.#sayWhere(url)
    this.#io.stderr.write(`${this.#paint('dim', `log       ${text}`)}\n`)
  }

  /** The daemon says itself where it listens: the port may be one that it found. */
  #sayWhere(url: string): void {
    this.#say(`  page     ${url}/`)
    this.#say(`  status   ${url}/status`)
    this.#say(`  metrics  ${url}/metrics`)
  }

  #summary(): void {
    this.#say(this.#paint('bold', `── ${this.#tally.total} events  ${this.#tally.line()}`))
  }

  #say(line: string): void {
    this.#io.stdout.write(`${line}\n`)
  }
}

/** The usual port, or 0 when it is taken: then the daemon finds one. */
async function usualPort(): Promise<number> {
  const probe = createServer().listen(USUAL_PORT, '127.0.0.1')
  try {
    await once(probe, 'listening')
    return USUAL_PORT
  } catch {
    return 0
  } finally {
    probe.close()
  }
}
