/** One session: capabilities probed, loops on the injected clock, batches one at a time to the runner. */
import type { RaasConfig } from '../../config/sources.ts'
import { describe, Retryable } from '../../errors.ts'
import type { SourceRef } from '../../event.ts'
import type { LeaseKind } from '../../report.ts'
import { every } from '../../scheduler/interval.ts'
import { BatchQueue } from '../batch-queue.ts'
import type { Batch, OpenContext, Past, Session } from '../contract.ts'
import type { Access } from './access.ts'
import { AuditFeed } from './audit.ts'
import { type Capabilities, probe, versionOf } from './capabilities.ts'
import { isRefused, RaasClient } from './client.ts'
import { DefinitionsFeed } from './definitions.ts'
import type { Failing } from './failing.ts'
import type { FeedMemory, TailMemory } from './memory.ts'
import { raasPast } from './past.ts'
import { ReturnsFeed } from './returns.ts'
import { JobsCursor, RunsFeed } from './runs.ts'

/** A server that lacks something is asked again after this, by a new session. */
const PROBE_AGAIN_MS = 3_600_000
/** How often the server is asked for its version. */
const VERSION_EVERY_MS = 900_000
const JITTER = 0.1
/** Definitions are listed whole each time: less often than runs. */
const DEFINITIONS_EVERY = 4
const LEAST_PROOF_MS = 60_000

export interface RaasSessionOptions {
  readonly config: RaasConfig
  readonly ref: SourceRef
  readonly access: Access
  readonly context: OpenContext
  readonly memory: {
    readonly returns: TailMemory
    readonly runs: FeedMemory
    readonly audit: TailMemory
    readonly failing: Failing
  }
  readonly maxRows: number
  readonly maxBytes: number
}

/** Logs in if it must, probes, and starts the loops. Throws what the first calls throw. */
export async function openRaasSession(options: RaasSessionOptions): Promise<Session> {
  const over = new AbortController()
  const signal = AbortSignal.any([options.context.signal, over.signal])
  const { config, access, context, maxBytes, memory } = options
  const { clock, report } = context
  const client = new RaasClient({ config, access, clock, report, signal, maxBytes, failing: memory.failing })
  try {
    const capabilities = await probe(client, config)
    return new RaasSession(options, client, capabilities, over, signal)
  } catch (error) {
    over.abort()
    await client.close()
    throw error
  }
}

class RaasSession implements Session {
  readonly retireBy?: number
  readonly #options: RaasSessionOptions
  readonly #client: RaasClient
  readonly #over: AbortController
  readonly #signal: AbortSignal
  readonly #queue = new BatchQueue()
  readonly #loops: Promise<unknown>
  /** Loops that still read. */
  #alive = 0
  readonly #live = new Set<string>()
  #closed: Promise<void> | undefined

  constructor(
    options: RaasSessionOptions,
    client: RaasClient,
    capabilities: Capabilities,
    over: AbortController,
    signal: AbortSignal,
  ) {
    this.#options = options
    this.#client = client
    this.#over = over
    this.#signal = signal
    if (!capabilities.tail || capabilities.refusals.size > 0)
      this.retireBy = options.context.clock.now() + PROBE_AGAIN_MS
    const loops = this.#start(capabilities).map(loop =>
      loop.catch((error: unknown) => {
        this.#queue.fail(error)
        this.#over.abort()
      }),
    )
    this.#loops = Promise.all(loops).then(() => this.#queue.end())
  }

  [Symbol.asyncIterator](): AsyncIterator<Batch> {
    return this.#queue[Symbol.asyncIterator]()
  }

  get past(): Past {
    const { access, context } = this.#options
    return raasPast({ ...this.#options, clock: context.clock, client: this.#client, username: () => access.username })
  }

  margins(): Partial<Record<LeaseKind, number>> {
    const { access, context } = this.#options
    return access.endsAt === undefined ? {} : { session: (access.endsAt - context.clock.now()) / 1000 }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#over.abort()
    await this.#loops
    await this.#client.close()
  }

  /** Waits until the runner has taken and committed the batch: the next read waits with it. */
  readonly #push = (batch: Batch): Promise<void> => {
    const signal = this.#signal
    if (signal.aborted) return Promise.reject(signal.reason)
    return new Promise((resolve, reject) => {
      const stop = (): void => reject(signal.reason)
      signal.addEventListener('abort', stop, { once: true })
      this.#queue.push(batch).then(() => {
        signal.removeEventListener('abort', stop)
        resolve()
      }, reject)
    })
  }

  #start(can: Capabilities): Promise<void>[] {
    const { config, ref, context, memory, maxRows } = this.#options
    const client = this.#client
    const base = { config, ref, client, context, maxRows, push: this.#push }
    const returns = new ReturnsFeed({ ...base, memory: memory.returns, hasReturns: can.returns, hasRuns: can.runs })
    const cursor = new JobsCursor(context.cursor('jobs'))
    const runs = new RunsFeed({ ...base, memory: memory.runs, returns, cursor, hasTail: can.tail })
    const definitions = new DefinitionsFeed({ ...base, cursor })
    const loops: Promise<void>[] = []
    this.#declare('returns', can.tail ? (can.runs ? 'tail_and_jobs' : 'tail') : 'jobs')
    if (can.tail) loops.push(this.#loop(['returns'], () => returns.poll(config.sweep_interval)))
    if (config.jobs) this.#declare('jobs', can.definitions ? (can.runs ? 'jobs' : 'definitions') : 'runs')
    if (can.runs || can.definitions) {
      const feeds = [...(config.jobs ? ['jobs'] : []), ...(can.tail ? [] : ['returns'])]
      let round = 0
      const poll = async (): Promise<void> => {
        if (!can.tail) await returns.tail.markNow()
        if (can.runs) await runs.poll()
        if (can.definitions && round++ % DEFINITIONS_EVERY === 0) await definitions.poll()
      }
      loops.push(this.#loop(feeds, poll))
    } else if (config.jobs) this.#disable('jobs', can.refusals.get('cmd.get_cmds'))
    if (config.audit) this.#declare('audit', 'tail')
    if (can.audit) {
      const audit = new AuditFeed({ ...base, memory: memory.audit, username: this.#options.access.username })
      loops.push(this.#loop(['audit'], () => audit.tail.pollAndSweep(config.sweep_interval)))
    } else if (config.audit) this.#disable('audit', can.refusals.get('audit.get_audit'))
    if (can.version !== undefined) loops.push(this.#watchVersion(can.version))
    if (!can.tail) {
      const text = 'returns can not be walked on this server: returns of no job, and very late ones, will not be seen'
      context.report({ type: 'advice', source: config.name, text })
    }
    return loops
  }

  /** Another version may be able to do more, or less: the session ends, and the next asks. */
  async #watchVersion(version: string): Promise<void> {
    const { context, config } = this.#options
    await every(
      context.clock,
      VERSION_EVERY_MS,
      async () => {
        const now = await versionOf(this.#client)
        if (now === undefined || now === version) return
        const text = `the server's version is ${now} now, it was ${version}: what it can do is asked again`
        context.report({ type: 'advice', source: config.name, text })
        throw new Retryable('session_lost', text)
      },
      { signal: this.#signal, jitter: JITTER, immediately: false },
    )
  }

  #declare(feed: string, mode: string): void {
    const { config, context } = this.#options
    const proofBoundMs = Math.max(LEAST_PROOF_MS, config.poll_interval * 4)
    context.report({ type: 'feed_declared', source: config.name, feed, proofBoundMs })
    context.report({ type: 'feed_mode', source: config.name, feed, mode })
    const state = context.cursor(feed) === undefined ? 'starting' : 'resyncing'
    context.report({ type: 'feed_state', source: config.name, feed, state })
  }

  #disable(feed: string, reason: string | undefined): void {
    const { config, context } = this.#options
    const why = reason === undefined ? {} : { reason }
    context.report({ type: 'feed_state', source: config.name, feed, state: 'disabled', code: 'permission', ...why })
  }

  /** Repeats the task; proves its feeds with each round. A refusal switches the feeds off and leaves the others alone. */
  async #loop(feeds: readonly string[], task: () => Promise<void>): Promise<void> {
    const { config, context } = this.#options
    const { clock, report } = context
    let hasWorked = false
    const round = async (): Promise<void> => {
      await task()
      hasWorked = true
      for (const feed of feeds) {
        if (!this.#live.has(feed)) report({ type: 'feed_state', source: config.name, feed, state: 'live' })
        this.#live.add(feed)
        report({ type: 'feed_proof', source: config.name, feed })
      }
    }
    this.#alive++
    try {
      await every(clock, config.poll_interval, round, { signal: this.#signal, jitter: JITTER })
    } catch (error) {
      if (!isRefused(error)) throw error
      // What worked before and is refused now: rights or version changed. A new session asks what is left.
      if (hasWorked) throw new Retryable('session_lost', 'the server refuses what it allowed before', { cause: error })
      for (const feed of feeds) this.#disable(feed, describe(error))
      if (--this.#alive > 0) return
      throw error
    }
  }
}
