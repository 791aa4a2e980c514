/** One session with one controller: login, socket, subscriptions, renewals; gives what it reads to the runner. */
import type { ApicConfig } from '../../config/sources.ts'
import { codeOf, describe, Retryable } from '../../errors.ts'
import type { SourceRef } from '../../event.ts'
import type { LeaseKind } from '../../report.ts'
import { every } from '../../scheduler/interval.ts'
import { type Lease, LeaseKeeper } from '../../scheduler/leases.ts'
import type { Pace } from '../../scheduler/pace.ts'
import { BatchQueue } from '../batch-queue.ts'
import type { Batch, OpenContext, Past, Session } from '../contract.ts'
import { Allowance } from './allowance.ts'
import type { Authentication, Grant } from './auth.ts'
import { ApicClient, isSessionError } from './client.ts'
import type { Continuity } from './continuity.ts'
import { type ControllerRow, Unfit } from './controllers.ts'
import type { Core, Tuning } from './core.ts'
import { Delegates } from './delegates.ts'
import { forgetOrphans } from './departure.ts'
import { Dispatcher } from './dispatcher.ts'
import { FabricClock } from './fabric-clock.ts'
import { FaultLog } from './fault-history.ts'
import type { Feed } from './feed.ts'
import { type FeedPlan, makeFeeds } from './feeds.ts'
import { Lateness } from './lateness.ts'
import { Lookout, type LookoutMemory } from './lookout.ts'
import type { ApicMirror } from './mirror.ts'
import { NonPresent } from './non-present.ts'
import { Outbox } from './outbox.ts'
import { apicPast } from './past.ts'
import { type Missed, Pauses } from './pauses.ts'
import { ApicSocket } from './socket.ts'
import { Tags } from './tags.ts'

export interface SessionOptions {
  readonly source: SourceRef
  readonly config: ApicConfig
  readonly plans: readonly FeedPlan[]
  readonly controller: string
  readonly auth: Authentication
  readonly mirror: ApicMirror
  readonly continuity: Continuity
  readonly context: OpenContext
  readonly tuning: Tuning
  /** That of the controller: sessions that overlap share it. */
  readonly pace: Pace
  /** Told how this controller does. */
  readonly controllers: ControllerRow
  readonly lookout: LookoutMemory
}

/** Refresh the session at the latest after this, however long it lives. */
const SESSION_REFRESH_CAP_MS = 240_000
/** As `LookoutMemory.refused` and the log name it. */
const CLOCK = "the fabric's clock"
/**
 * How long before its hard end a session is handed over: a twentieth of its life, and in the shortest ones a quarter, since
 * a login may have to wait its turn and thousands of subscriptions take a minute to make.
 */
function handOverMs(maximumLifetimeMs: number): number {
  return Math.max(maximumLifetimeMs / 20, Math.min(maximumLifetimeMs / 4, 120_000))
}
export class ApicSession implements Session {
  readonly #options: SessionOptions
  readonly #queue = new BatchQueue()
  readonly #outbox: Outbox
  readonly #client: ApicClient
  readonly #over = new AbortController()
  readonly #subscriptionLeases: LeaseKeeper
  readonly #sessionLeases: LeaseKeeper
  readonly #core: Core
  readonly #dispatcher: Dispatcher
  readonly #feeds: Feed[] = []
  readonly #running: Promise<void>[] = []
  #socket: ApicSocket | undefined
  #tags: Tags | undefined
  #sessionLease: Lease | undefined
  #retireBy: number | undefined
  /** When the controller ends it, however often it was refreshed; monotonic ms. */
  #hardEnd: number | undefined
  readonly #pauses: Pauses
  readonly #lookout: Lookout
  /** Since when every feed was live, or failed by itself, once; monotonic ms. */
  #settledAt: number | undefined
  #closing: Promise<void> | undefined
  #allSettled: Promise<void> = Promise.resolve()
  readonly #fabricClock: FabricClock

  private constructor(options: SessionOptions) {
    this.#options = options
    const { config, controller, auth, context, source, mirror, tuning, pace } = options
    const { clock, report } = context
    const signal = AbortSignal.any([this.#over.signal, context.signal])
    this.#fabricClock = new FabricClock(clock, reason => {
      const { refused } = options.lookout
      if (refused.has(CLOCK)) return
      refused.add(CLOCK)
      const text = `${CLOCK} can't be read with this account, our own is used: ${reason}`
      report({ type: 'advice', source: config.name, text })
    })
    const pauses = new Pauses({
      core: () => this.#core,
      clock,
      socket: () => this.#socket,
      isBehind: () => this.#outbox.full,
      isFull: () => context.backlogged(),
      onLong: missed => this.#running.push(this.#reconcileAll(missed)),
    })
    this.#pauses = pauses
    const [onFull, onRoom] = [(): void => pauses.pause(), (): void => pauses.resume()]
    this.#outbox = new Outbox(this.#queue, onFull, onRoom, context.spell)
    this.#dispatcher = new Dispatcher({ outbox: this.#outbox, onFull, onRoom })
    this.#client = new ApicClient({ controller, config, auth, clock, report, signal: context.signal, pace })
    this.#sessionLeases = new LeaseKeeper({ clock, pace })
    this.#subscriptionLeases = new LeaseKeeper({ clock, pace })
    this.#core = {
      source,
      config,
      tuning,
      client: this.#client,
      clock,
      report,
      signal,
      mirror,
      late: new Lateness({ source: config.name, clock, report, signal }),
      continuity: options.continuity,
      faultLog: new FaultLog(),
      allowance: new Allowance(clock),
      delegates: new Delegates(),
      nonPresent: new NonPresent(),
      outbox: this.#outbox,
      keeper: this.#subscriptionLeases,
      cursor: feed => context.cursor(feed),
      lostAtMs: () => context.lostAtMs(),
      fabricNow: () => this.#fabricClock.now(),
      watchers: () => this.#feeds,
      pausedWithin: ms => pauses.within(ms),
      pause: onFull,
      resume: onRoom,
      cutOff: () => this.#lookout.cutOff,
      doubt: (about, text) => context.doubt(about, text),
      fail: error => this.#fail(error),
    }
    const { controllers, lookout } = options
    this.#lookout = new Lookout(this.#core, lookout, {
      hasBetter: () => controllers.hasBetterThan(controller, clock.now()),
      isSettled: () => this.#settledAt !== undefined,
    })
  }

  /** Logs in, opens the socket and starts to subscribe, in that order (reference a6). Throws `Fatal` or `Retryable`. */
  static async open(options: SessionOptions): Promise<ApicSession> {
    const session = new ApicSession(options)
    try {
      await session.#open()
      return session
    } catch (error) {
      session.#fail(error)
      // Nobody will ever read it: what was said before the failure is no loss, all of it is asked for again.
      session.#queue.discard()
      await session.close()
      throw error
    }
  }

  /** Resolves when every subscription was made once, or has failed once; not when the session ends first. Never rejects. */
  get ready(): Promise<void> {
    return this.#allSettled
  }

  get retireBy(): number | undefined {
    return this.#retireBy
  }

  get endsBy(): number | undefined {
    return this.#hardEnd
  }

  [Symbol.asyncIterator](): AsyncIterator<Batch> {
    return this.#queue[Symbol.asyncIterator]()
  }

  get past(): Past {
    return apicPast(this.#core, this.#options)
  }

  margins(): Partial<Record<LeaseKind, number>> {
    const { clock } = this.#core
    if (this.#over.signal.aborted) return {}
    const subscription = this.#subscriptionLeases.smallestMarginMs()
    return {
      ...(this.#sessionLease === undefined ? {} : { session: this.#sessionLease.marginMs() / 1000 }),
      ...(subscription === undefined ? {} : { subscription: subscription / 1000 }),
      ...(this.#hardEnd === undefined ? {} : { lifetime: (this.#hardEnd - clock.now()) / 1000 }),
    }
  }

  *feedMargins(): Generator<readonly [feed: string, seconds: number]> {
    for (const [feed, ms] of this.#subscriptionLeases.margins()) yield [feed, ms / 1000]
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #open(): Promise<void> {
    const { config, context, controller } = this.#options
    const { clock, report } = context
    report({ type: 'controller', source: config.name, address: controller })
    const grant = await this.#client.login()
    this.#hardEnd = grant.askedAt + grant.maximumLifetimeMs
    this.#retireBy = this.#hardEnd - handOverMs(grant.maximumLifetimeMs)
    this.#keepSession(grant)
    this.#socket = await ApicSocket.open({
      url: this.#client.socketUrl,
      headers: this.#client.socketHeaders,
      tls: config.tls,
      clock,
      timeoutMs: config.request_timeout,
      pingMs: this.#core.tuning.pingMs,
      signal: this.#core.signal,
      onFrame: text => this.#dispatcher.take(text),
      onLost: error => this.#fail(error),
    })
    await Promise.all([this.#fabricClock.read(this.#client, this.#core.signal), this.#lookout.prime()])
    this.#feeds.push(...makeFeeds(this.#core, this.#dispatcher, this.#options.plans))
    for (const feed of this.#feeds) this.#running.push(feed.run())
    const tags = new Tags(this.#core, this.#dispatcher, this.#options.plans, this.#feeds)
    this.#tags = tags
    this.#allSettled = Promise.all([...this.#feeds, ...tags.feeds].map(feed => feed.settled)).then(() => {
      // Feeds that end with their session settle as well: such a session watches nothing, and never will.
      if (this.#over.signal.aborted) return new Promise(() => undefined)
      this.#settledAt = clock.now()
      if (tags.isFound) this.#running.push(forgetOrphans(this.#core))
    })
    const keptClock = this.#fabricClock.keep(this.#core, error => this.#fail(error))
    this.#running.push(tags.run(), this.#reconcileLoop(), keptClock, this.#lookout.run())
  }

  #keepSession(grant: Grant): void {
    const { config } = this.#options
    const { report } = this.#core
    const terms = (from: Grant) => ({
      lifeMs: from.refreshTimeoutMs,
      renewMs: Math.min(from.refreshTimeoutMs / 3, SESSION_REFRESH_CAP_MS),
    })
    this.#sessionLease = this.#sessionLeases.add(
      {
        name: 'session',
        rank: 'session',
        ...terms(grant),
        renew: async signal => terms(await this.#client.refresh(signal)),
        isFinal: isSessionError,
        onRenewed: result => report({ type: 'lease_renewed', source: config.name, lease: 'session', result }),
        onLost: error => {
          report({
            type: 'lease_lost',
            source: config.name,
            lease: 'session',
            name: 'session',
            reason: describe(error),
          })
          // A lapse because nobody came to renew it (a machine that stood still) is a session that is over, too.
          this.#fail(codeOf(error) === 'bug' ? new Retryable('session_lost', describe(error)) : error)
        },
      },
      grant.askedAt,
    )
  }

  async #reconcileLoop(): Promise<void> {
    const { clock, config, signal } = this.#core
    const options = { signal, immediately: false, jitter: 0.1 }
    await every(clock, config.reconcile_interval, () => this.#reconcileAll(), options)
  }

  async #reconcileAll(missed?: Missed): Promise<void> {
    for (const feed of [this.#tags, ...this.#feeds]) {
      try {
        await feed?.reconcile(missed)
      } catch (error) {
        if (this.#core.signal.aborted) return
        if (isSessionError(error)) return this.#fail(error)
        this.#core.report({
          type: 'advice',
          source: this.#options.config.name,
          text: `reconcile of ${feed?.name}: ${describe(error)}`,
        })
      }
    }
  }

  /** The one door out: the first reason counts. */
  #fail(error: unknown): void {
    if (this.#over.signal.aborted) return
    const { controllers, controller } = this.#options
    const now = this.#core.clock.now()
    if (this.#settledAt === undefined || error instanceof Unfit) controllers.unfit(controller, now)
    else controllers.lost(controller, now - this.#settledAt, now)
    this.#end(error)
  }

  #end(error: unknown): void {
    this.#over.abort(error)
    this.#socket?.close()
    this.#pauses.over()
    this.#core.faultLog.close()
    this.#core.delegates.close()
    this.#sessionLeases.close()
    this.#subscriptionLeases.close()
    void this.#outbox.end().then(() => (error === undefined ? this.#queue.end() : this.#queue.fail(error)))
  }

  async #close(): Promise<void> {
    if (!this.#over.signal.aborted) this.#end(undefined)
    // It may have opened after the end.
    this.#socket?.close()
    await Promise.allSettled(this.#running)
    // The controller need not wait until a backlog is stored: its session ends now.
    await Promise.all([this.#outbox.end(), this.#client.logout()])
    await this.#client.close()
  }
}
