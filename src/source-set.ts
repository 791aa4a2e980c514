/** The sources that run: made from their configs, started, swapped at a reload, stopped. */
import { filesOf, onSecretChange } from './config/secret-watch.ts'
import type { ApicConfig, SourceConfig } from './config/sources.ts'
import { Retryable } from './errors.ts'
import type { System } from './event.ts'
import type { Pull } from './ops/pull.ts'
import type { ReplaySource } from './replay/replayer.ts'
import type { Happening, LeaseKind, Report } from './report.ts'
import type { Clock } from './scheduler/clock.ts'
import type { Store } from './store/contract.ts'
import { Paces } from './subscribers/apic/pace.ts'
import { type ApicSubscriber, apicSubscriber } from './subscribers/apic/subscriber.ts'
import type { Replayable } from './subscribers/contract.ts'
import { raasSubscriber } from './subscribers/raas/subscriber.ts'
import { type Runner, startRunner, type Wake } from './subscribers/runner.ts'
import { vcdSubscriber } from './subscribers/vcd/subscriber.ts'

export interface SourceSetOptions {
  readonly clock: Clock
  readonly report: Report
  readonly store: Store
  readonly stateDir: string | undefined
}

/** A source, ready to be started. `apic`: the same as `subscriber`, where it is one. */
interface Made {
  readonly config: SourceConfig
  readonly subscriber: Replayable
  readonly apic: { readonly config: ApicConfig; readonly subscriber: ApicSubscriber } | undefined
}

interface Running extends Made {
  readonly runner: Runner
}

/** What a reload does to the sources; everything in it has been made already, so that nothing can fail half-way. */
export interface Swap {
  readonly start: readonly Made[]
  /** Stopped, and then started by its new config. */
  readonly restart: readonly Made[]
  /** Goes on with its session until the new config's stands. */
  readonly handOver: readonly Made[]
  /** Only what we say of it is another. */
  readonly declare: readonly Made[]
  readonly remove: readonly string[]
}

/** A change of these keys alone leaves the session as it is. */
const SAID_ONLY: ReadonlySet<string> = new Set(['required'])

export class SourceSet {
  readonly #options: SourceSetOptions
  readonly #paces = new Paces()
  readonly #running = new Map<string, Running>()
  /** What ends the waits of sources that could not be opened. */
  readonly #waits = new Set<() => void>()
  #closed = false

  constructor(options: SourceSetOptions) {
    this.#options = options
  }

  get subscribers(): Replayable[] {
    return [...this.#running.values()].map(({ subscriber }) => subscriber)
  }

  /** Sources whose past is asked through the sessions that they have. */
  replaySources(): ReplaySource[] {
    return [...this.#running.values()].map(({ subscriber, runner }) => ({
      subscriber,
      async visit() {
        const { past } = runner
        if (past === undefined) throw new Retryable('session_lost', 'the source has no session now')
        return { past, close: () => Promise.resolve() }
      },
    }))
  }

  /** Throws `Fatal('config')` when a source can't be made; then none was started. */
  start(configs: readonly SourceConfig[]): void {
    const made = configs.map(config => this.#make(config))
    for (const one of made) this.#declare(one)
    for (const one of made) this.#run(one)
  }

  /** Makes what a reload needs, and starts nothing. Throws `Fatal('config')` when a source can't be made. */
  plan(changes: {
    readonly added: readonly SourceConfig[]
    readonly removed: readonly SourceConfig[]
    readonly changed: readonly { readonly after: SourceConfig; readonly keys: readonly string[] }[]
  }): Swap {
    const swap = {
      start: changes.added.map(config => this.#make(config)),
      remove: changes.removed.map(one => one.name),
    }
    const restart: Made[] = []
    const handOver: Made[] = []
    const declare: Made[] = []
    for (const { after, keys } of changes.changed) {
      const before = this.#running.get(after.name)
      if (before !== undefined && keys.every(key => SAID_ONLY.has(key))) declare.push({ ...before, config: after })
      else if (before?.apic !== undefined && after.kind === 'apic' && isSameFabric(before.apic.config, after)) {
        handOver.push(madeOf(after, before.apic.subscriber.successor(after)))
      } else restart.push(this.#make(after))
    }
    return { ...swap, restart, handOver, declare }
  }

  /**
   * Carries it out. Resolves when what had to stop has stopped and the rest is under way; a source that does not stop
   * by the deadline's abort is cut. After `stop` nothing is started any more.
   *
   * Sources that wait for their next try are tried now, also those that nothing is said of: who reloads may have unlocked
   * the account, or given the right that was missing.
   */
  async swap(swap: Swap, deadline: AbortSignal): Promise<void> {
    if (this.#closed) return
    this.#paces.refusals.clear()
    for (const endWait of [...this.#waits]) endWait()
    for (const made of [...swap.declare, ...swap.handOver]) {
      const before = this.#running.get(made.config.name)
      if (before === undefined) continue
      this.#running.set(made.config.name, { ...before, ...made })
      this.#declare(made)
    }
    for (const made of swap.handOver)
      this.#running.get(made.config.name)?.runner.replace(made.subscriber, this.#wakeOf(made))
    for (const made of swap.start) this.#begin(made)
    const gone = swap.remove.map(async name => {
      await this.#end(name, deadline)
      this.#options.report({ type: 'source_gone', source: name })
    })
    const again = swap.restart.map(async made => {
      const { name, kind } = made.config
      const before = this.#running.get(name)?.config.kind
      await this.#end(name, deadline)
      // Nothing that was counted of one system is true of another.
      if (before !== kind) this.#options.report({ type: 'source_gone', source: name })
      this.#begin(made)
    })
    await Promise.all([...gone, ...again])
  }

  /** Stops all at once. Idempotent; past the deadline's abort they are cut. */
  async stop(deadline: AbortSignal): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#running.values()].map(({ runner }) => runner.stop(deadline)))
  }

  /** As `Pull`. */
  leases(): ReturnType<Pull['leases']> {
    return [...this.#running.values()].flatMap(({ runner }) =>
      Object.entries(runner.margins()).map(([lease, seconds]) => ({
        source: runner.ref.name,
        lease: lease as LeaseKind,
        seconds,
      })),
    )
  }

  /** As `Pull`. */
  sessions(): ReturnType<Pull['sessions']> {
    return [...this.#running.values()].flatMap(({ runner }) => {
      const session = runner.session()
      return session === undefined ? [] : [{ source: runner.ref.name, ...session, feedSeconds: runner.feedMargins() }]
    })
  }

  /** As `Pull`. */
  gauges(): ReturnType<Pull['gauges']> {
    const all = [...this.#running.values()].flatMap(({ apic }) => {
      if (apic === undefined) return []
      const { config, subscriber } = apic
      return [{ source: config.name, gauges: subscriber.gauges() }]
    })
    return {
      faults: all.flatMap(({ source, gauges }) => gauges.faults.map(row => ({ source, ...row }))),
      health: all.flatMap(({ source, gauges }) => gauges.health.map(row => ({ source, ...row }))),
      nodes: all.flatMap(({ source, gauges }) => gauges.nodes.map(row => ({ source, ...row }))),
    }
  }

  #make(config: SourceConfig): Made {
    return make(config, this.#paces)
  }

  #begin(made: Made): void {
    if (this.#closed) return
    this.#declare(made)
    this.#run(made)
  }

  #declare({ config, subscriber }: Made): void {
    this.#options.report(declarationOf(config, subscriber.ref.system))
  }

  #run(made: Made): void {
    const { store, clock, report, stateDir } = this.#options
    const { subscriber } = made
    const runner = startRunner({ subscriber, store, clock, report, stateDir, wake: this.#wakeOf(made) })
    this.#running.set(made.config.name, { ...made, runner })
  }

  /** A waiting source tries again at once at a reload, and when the file of one of its secrets, or its tls.ca_file, changes. */
  #wakeOf({ config }: Made): Wake {
    const files = filesOf(config)
    return callback => {
      this.#waits.add(callback)
      const forget = onSecretChange(files, this.#options.clock, callback)
      return () => {
        this.#waits.delete(callback)
        forget()
      }
    }
  }

  /** It is among the running ones until it has stopped: a stop of the daemon meanwhile must not miss it. */
  async #end(name: string, deadline: AbortSignal): Promise<void> {
    await this.#running.get(name)?.runner.stop(deadline)
    this.#running.delete(name)
  }
}

function make(config: SourceConfig, paces: Paces): Made {
  switch (config.kind) {
    case 'apic':
      return madeOf(config, apicSubscriber(config, {}, paces))
    case 'raas':
      return { config, subscriber: raasSubscriber(config), apic: undefined }
    case 'vcd':
      return { config, subscriber: vcdSubscriber(config), apic: undefined }
  }
}

/** Sources that nobody runs: each logs in when its past is asked for. Throws `Fatal('config')` when one can't be made. */
export function restingSources(
  configs: readonly SourceConfig[],
  { clock, report, store, stateDir }: SourceSetOptions,
): ReplaySource[] {
  const paces = new Paces()
  return configs.map(config => {
    const { subscriber } = make(config, paces)
    const context = { clock, report, mirror: store.mirror(config.name), stateDir, backlogged: () => store.full }
    return { subscriber, visit: signal => subscriber.visit({ ...context, signal }) }
  })
}

function madeOf(config: ApicConfig, subscriber: ApicSubscriber): Made {
  return { config, subscriber, apic: { config, subscriber } }
}

/** One controller in common: then what is known of the fabric goes on to hold. */
function isSameFabric(before: ApicConfig, after: ApicConfig): boolean {
  return after.controllers.some(address => before.controllers.includes(address))
}

/** What is said of a source before anything is asked of it. One address in clear text makes the whole source unverified. */
export function declarationOf(source: SourceConfig, system: System): Happening {
  const addresses = source.kind === 'apic' ? source.controllers : [source.url]
  const clear = addresses.find(address => new URL(address).protocol === 'http:')
  return {
    type: 'source_declared',
    source: source.name,
    system,
    required: source.required,
    address: clear ?? addresses[0] ?? '',
    tlsVerified: clear === undefined && (source.tls.verify || source.tls.fingerprint_sha256 !== null),
  }
}
