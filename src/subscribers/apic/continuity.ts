/**
 * What a source knows across its sessions: which feed is live in any of them, and until when each was surely told of
 * everything. It decides whether a new subscription has a hole before it, and where that hole begins.
 */
import { FaultsHeard } from './faults-heard.ts'
import { HandOver } from './hand-over.ts'
import { LogsHeard } from './logs-heard.ts'

export class Continuity {
  readonly handOver = new HandOver()
  readonly faults = new FaultsHeard()
  readonly logs = new LogsHeard()
  readonly #ends = new Map<string, (() => void)[]>()
  readonly #onClaim = new Map<string, () => void>()
  readonly #claims = new Map<string, Promise<void>>()
  readonly #watched = new Map<string, number>()
  readonly #leftAt = new Map<string, number | undefined>()
  readonly #live = new Map<string, number>()
  readonly #proved = new Map<string, number>()
  readonly #refreshed = new Map<string, number>()
  readonly #suspected = new Set<string>()
  readonly #first = new Map<string, number>()
  readonly #announced = new Map<string, { readonly fromMs: number; readonly toMs: number }>()
  readonly #logs = new Map<string, number>()
  #socketMs = Number.NEGATIVE_INFINITY

  /**
   * A feed is live from now on, until the returned function is called. Two sessions of a hand-over may both have it.
   * `onClaim` is called when a successor has subscribed to the same.
   */
  begin(feed: string, onClaim: () => void = () => undefined): () => void {
    this.#live.set(feed, (this.#live.get(feed) ?? 0) + 1)
    this.#onClaim.set(feed, onClaim)
    let over = false
    return () => {
      if (over) return
      over = true
      const left = (this.#live.get(feed) ?? 1) - 1
      if (left > 0) {
        this.#live.set(feed, left)
        return
      }
      this.#live.delete(feed)
      for (const end of this.#ends.get(feed) ?? []) end()
      this.#ends.delete(feed)
    }
  }

  /** True while some session watches this feed: what happens meanwhile is no hole. */
  isLive(feed: string): boolean {
    return this.#live.has(feed)
  }

  /** Somebody hears what is pushed to this feed from now on, until the returned function is called. */
  watch(feed: string): () => void {
    this.#watched.set(feed, (this.#watched.get(feed) ?? 0) + 1)
    let over = false
    return () => {
      if (over) return
      over = true
      const left = (this.#watched.get(feed) ?? 1) - 1
      if (left > 0) {
        this.#watched.set(feed, left)
        return
      }
      this.#watched.delete(feed)
      this.#leftAt.set(feed, this.knownTo(feed))
    }
  }

  /** Unlike `isLive`, false as soon as the last session that watched has ended, though it may still have things to store. */
  isWatched(feed: string): boolean {
    return this.#watched.has(feed)
  }

  /** Until when everything was surely told when the last one stopped to watch; undefined when nobody knows. */
  leftAt(feed: string): number | undefined {
    return this.#leftAt.get(feed)
  }

  /** A successor has subscribed, and waits for the predecessor's end; until the returned function is called. */
  claim(feed: string): () => void {
    const claim = Promise.withResolvers<void>()
    this.#claims.set(feed, claim.promise)
    this.#onClaim.get(feed)?.()
    return () => {
      if (this.#claims.get(feed) === claim.promise) this.#claims.delete(feed)
      claim.resolve()
    }
  }

  /** Resolves when nobody claims this feed any more. */
  async unclaimed(feed: string): Promise<void> {
    await this.#claims.get(feed)
  }

  /** Resolves when no session watches this feed any more. */
  async ended(feed: string): Promise<void> {
    if (!this.#live.has(feed)) return
    await new Promise<void>(resolve => {
      const waiting = this.#ends.get(feed)
      if (waiting === undefined) this.#ends.set(feed, [resolve])
      else waiting.push(resolve)
    })
  }

  /** A push came, or a whole read was compared: nothing before `fabricMs` (the fabric's clock) is missing. */
  prove(feed: string, fabricMs: number): void {
    this.#proved.set(feed, Math.max(this.#proved.get(feed) ?? Number.NEGATIVE_INFINITY, fabricMs))
  }

  /** A gap told that something may be missing between these times. The last one counts. */
  announced(feed: string, fromMs: number, toMs: number): void {
    this.#announced.set(feed, { fromMs, toMs })
  }

  /** True when the last gap told of all that time. */
  isAnnounced(feed: string, fromMs: number, toMs: number): boolean {
    const last = this.#announced.get(feed)
    return last !== undefined && last.fromMs <= fromMs && toMs <= last.toMs
  }

  /** The feed is suspected to be deaf since then, whatever it seemed to prove. */
  suspect(feed: string, fabricMs: number): void {
    this.#suspected.add(feed)
    for (const known of [this.#proved, this.#refreshed]) {
      const ms = known.get(feed)
      if (ms !== undefined) known.set(feed, Math.min(ms, fabricMs))
    }
  }

  /** True, once, when the feed was suspected: whoever closes its hole asks. */
  wasSuspected(feed: string): boolean {
    return this.#suspected.delete(feed)
  }

  /** The controller said at `fabricMs` that the subscription lives: what it pushes is another matter. */
  refreshed(feed: string, fabricMs: number): void {
    this.#refreshed.set(feed, fabricMs)
  }

  /** A canary found that the newest record of this log had been pushed: the socket carried everything up to `fabricMs`. */
  proveLog(feed: string, fabricMs: number): void {
    this.#logs.set(feed, fabricMs)
    this.#socketMs = Math.max(this.#socketMs, fabricMs)
  }

  /** A record was pushed to this feed: its log can't have been empty since `fabricMs`. The first time counts. */
  sawRecord(feed: string, fabricMs: number): void {
    if (!Number.isNaN(fabricMs) && !this.#first.has(feed)) this.#first.set(feed, fabricMs)
  }

  /** When the first record of this feed was pushed: a log without anything so old was purged. */
  firstRecord(feed: string): number | undefined {
    return this.#first.get(feed)
  }

  /** Until when a log was surely pushed whole, by its canary: what is purged of it before that is no loss. */
  logKnownTo(feed: string): number | undefined {
    return this.#logs.get(feed)
  }

  /**
   * Until when a feed that was lost had surely been told of everything, by the fabric's clock: its own last proof, or,
   * since a quiet feed proves nothing by itself, its last refresh as far as the socket is known to have worked.
   */
  knownTo(feed: string): number | undefined {
    const own = this.#proved.get(feed) ?? Number.NEGATIVE_INFINITY
    const refreshed = this.#refreshed.get(feed) ?? Number.NEGATIVE_INFINITY
    const known = Math.max(own, Math.min(refreshed, this.#socketMs))
    return Number.isFinite(known) ? known : undefined
  }
}
