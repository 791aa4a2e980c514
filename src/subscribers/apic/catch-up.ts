/**
 * How one subscription comes to know what it does not: at first contact, after a hole, and now and then to be sure. A
 * log class asks its log; anything else compares a whole read with the mirror.
 */
import { describe } from '../../errors.ts'
import { Refused } from './client.ts'
import type { Asked, Core, Watched } from './core.ts'
import type { ApicAnswer } from './decode.ts'
import { tellMissedFaults } from './fault-history.ts'
import { readHistory } from './history.ts'
import { showsFaults, tellHole, tellUnknown } from './hole.ts'
import type { Missed } from './pauses.ts'
import { compare, isWhole, readPages, readWhole, type Whole } from './snapshot.ts'

/** While pushes come, one may be so much behind a later one. */
const LATE_MS = 1000

export class CatchUp {
  readonly #core: Core
  readonly #feed: Watched
  #contacted: boolean
  /** Said once: the log of faults may not be read with this account. */
  #faultsUnread = false

  constructor(core: Core, feed: Watched, contacted: boolean) {
    this.#core = core
    this.#feed = feed
    this.#contacted = contacted
  }

  /** True once a first whole read is in the mirror, or a log was first looked at. */
  get contacted(): boolean {
    return this.#contacted
  }

  /**
   * What a subscription made now would find before it: undefined when there is no hole, as at first contact, or while a
   * predecessor is still watching.
   */
  hole(): Missed | undefined {
    const { continuity, cursor } = this.#core
    const { name } = this.#feed
    if (!this.#contacted || continuity.isLive(name)) return undefined
    // After a restart: as the earlier process left it.
    const provedMs = cursor(name)?.['provedMs']
    const fromMs = continuity.knownTo(name) ?? (typeof provedMs === 'number' ? provedMs : undefined)
    return { fromMs, reason: 'outage_no_history' }
  }

  /** Closes the hole between what is known and what is, after a subscription was made: `answer` is its own. */
  async afterSubscribing(answer: ApicAnswer, asked: Asked, hole: Missed | undefined, signal: AbortSignal) {
    const { position, query, name } = this.#feed
    const core = this.#core
    if (query.logClass !== undefined) {
      if (!this.#contacted && answer.objects.length > 0) position.see()
      await readHistory(core, this.#feed, query.logClass, signal)
      this.#contacted = true
      return
    }
    const whole = isWhole(answer) ? { objects: answer.objects, paged: false } : await readPages(core, query, signal)
    // A predecessor was there until now. What is found all the same it was never pushed: it was deaf.
    const isHandOver = this.#contacted && hole === undefined
    await this.#close(whole, asked, hole, signal, isHandOver ? 'handed over' : 'held back')
    if (!core.cutOff()) core.continuity.prove(name, asked.fabricMs)
    core.continuity.refreshed(name, asked.fabricMs)
  }

  /**
   * Compares with a whole read (or re-reads the log's overlap), without a new subscription. `signal`: of the subscription.
   * `missed`: since when pushes may have been lost while the socket was held back.
   */
  async reconcile(signal: AbortSignal, missed?: Missed): Promise<void> {
    const core = this.#core
    const { query, hidden } = this.#feed
    if (!this.#contacted) return
    if (query.logClass !== undefined) {
      if (!hidden) await readHistory(core, this.#feed, query.logClass, signal, LATE_MS)
      return
    }
    const [at, fabricMs] = [core.clock.now(), core.fabricNow()]
    const whole = await readWhole(core, query, signal)
    const asked = { at, fabricMs, answeredMs: core.fabricNow() }
    await this.#close(whole, asked, missed, signal, 'live')
    if (!core.cutOff()) this.#feed.prove()
  }

  /**
   * A reconcile of that time found nothing that was not pushed: nothing before it is missing. One that found something
   * closes no hole: what came and went meanwhile it can't show.
   */
  heardAll(fabricMs: number): void {
    const { continuity, outbox, cutOff } = this.#core
    if (cutOff()) return
    continuity.prove(this.#feed.name, fabricMs)
    outbox.add(this.#feed.name, undefined, { ...this.#feed.position.cursor(), provedMs: fabricMs })
  }

  /** The subscription was deaf between these times, and hears again: what reconciles could not show is announced. */
  unheard(fromMs: number, toMs: number, recovered: number): void {
    const hole = { fromMs, toMs, recovered, reason: 'outage_no_history', faultsRead: !this.#faultsUnread } as const
    tellHole(this.#core, this.#feed, hole)
  }

  /**
   * Tells what a whole read shows that nobody has told, and announces what it can't show of a hole. `pushes`: what is done with
   * them meanwhile.
   */
  async #close(
    whole: Whole,
    asked: Asked,
    hole: Missed | undefined,
    signal: AbortSignal,
    pushes: 'live' | 'held back' | 'handed over',
  ): Promise<void> {
    const core = this.#core
    const feed = this.#feed
    const settle = pushes === 'live' ? { settle: () => core.allowance.wait(LATE_MS, signal) } : {}
    const origin = this.#contacted ? 'resync' : 'snapshot'
    const publish = this.#contacted || feed.subscription.snapshot === 'publish'
    const faults = showsFaults(feed) ? await this.#readFaults(whole, asked, hole, signal) : undefined
    // A subscription that was lost meanwhile has a successor with a newer snapshot: this one is old news.
    signal.throwIfAborted()
    const knownToMs = core.continuity.knownTo(feed.name)
    // What the predecessor found unheard just before its end is no news to the comparison, and had perhaps company.
    const isSuspected = pushes !== 'live' && core.continuity.wasSuspected(feed.name)
    let compared = 0
    const comparing = async (): Promise<void> => {
      compared = await compare(core, feed, whole, { origin, publish, askedAt: asked.at, signal, ...settle })
    }
    let gap = hole
    if (pushes !== 'handed over') await comparing()
    else if ((await feed.hearing.finding(comparing)) > 0 || isSuspected)
      gap = { fromMs: knownToMs, reason: 'outage_no_history' }
    core.delegates.resume(core, feed)
    const recovered = (faults ?? 0) + compared
    if (gap !== undefined) {
      tellHole(core, feed, { ...gap, toMs: asked.answeredMs, recovered, faultsRead: faults !== undefined })
    }
    if (!this.#contacted) tellUnknown(core, feed)
    // Not as far as pushes prove: what the comparison found may be older, and have company that it can't show.
    const knownMs = feed.hearing.heardAllMs ?? knownToMs
    const isClosed = gap !== undefined || !this.#contacted || knownMs === undefined
    this.#contacted = true
    core.outbox.add(feed.name, undefined, {
      ...feed.position.cursor(),
      provedMs: isClosed ? asked.fabricMs : Math.min(knownMs, asked.fabricMs),
    })
  }

  /** How many events that made; undefined when the log of faults can't be read, or was not until now. */
  async #readFaults(shown: Whole, asked: Asked, hole: Missed | undefined, signal: AbortSignal) {
    const { report, source } = this.#core
    try {
      const told = await tellMissedFaults(this.#core, this.#feed, { snapshot: shown.objects, asked, hole, signal })
      this.#faultsUnread = false
      return told
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      const text = `${this.#feed.name}: faultRecord can't be read; what faults do in a hole stays unknown: ${describe(error)}`
      if (!this.#faultsUnread) report({ type: 'advice', source: source.name, text })
      this.#faultsUnread = true
      return undefined
    }
  }
}
