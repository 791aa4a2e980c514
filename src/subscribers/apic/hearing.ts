/**
 * Proof of hearing for objects, which have no log to ask for the newest. When a reconcile finds what nobody was told, the
 * push may be on its way; if it does not come, the subscription is mute, whole or in part (a leaf that no longer feeds
 * it), though its refreshes are answered.
 */
import { sleep } from '../../scheduler/clock.ts'
import type { Core, Watched } from './core.ts'
import type { Spell } from './logs-heard.ts'
import type { Missed } from './pauses.ts'

/** Asked and pushed travel on two connections: a push may be so much behind the answer that knew of it, ms. */
const GRACE_MS = 5000
/** Pushes that were held back come in a rush after this, ms: a reconcile then finds what is late, not what is missing. */
const AFTER_PAUSE_MS = 60_000

interface Round {
  /** DNs of what the reconcile had to tell, and of what was pushed meanwhile. */
  readonly found: Set<string>
  readonly heard: Set<string>
  /** By the fabric's clock. */
  readonly askedMs: number
  /** Nothing was found, or all of it was pushed after all. */
  isHeard: boolean
}

/** Who acts on it: the feed's catching up. */
export interface Heed {
  /** A reconcile of that time found nothing that was not pushed. */
  heardAll(askedMs: number): void
  /** Between these times some changes were not pushed, and a reconcile found `recovered` of them. */
  unheard(fromMs: number, toMs: number, recovered: number): void
}

type Around = Pick<Core, 'clock' | 'signal' | 'report' | 'source' | 'pausedWithin' | 'fabricNow' | 'continuity'>

export class Hearing {
  readonly #core: Around
  readonly #feed: Pick<Watched, 'name' | 'remake'>
  readonly #heed: () => Heed
  /** When a reconcile last found nothing that was not pushed, or the subscription was made; by the fabric's clock. */
  #heardAllMs: number | undefined
  /** Under way, or not judged yet, in their order: with a short interval one begins before the last one is judged. */
  #rounds: Round[] = []
  /** The one that reads. */
  #reading: Round | undefined
  /** Reconciles in a row that found something unheard. */
  #unheardRounds = 0
  /** Found unheard by a subscription that was just made anew for that, and not announced yet. */
  #owed = 0
  /** Ends with the subscription. */
  #over = new AbortController()

  constructor(core: Around, feed: Pick<Watched, 'name' | 'remake'>, heed: () => Heed) {
    this.#core = core
    this.#feed = feed
    this.#heed = heed
  }

  /** Until then nothing is missing, as far as reconciles know; undefined before the first subscription. */
  get heardAllMs(): number | undefined {
    return this.#heardAllMs
  }

  /** A read had to tell of this object. */
  found(dn: string): void {
    this.#reading?.found.add(dn)
  }

  /** True when a reconcile has just told of this object: what is pushed of it may be older. */
  hasFound(dn: string): boolean {
    return this.#rounds.some(({ found }) => found.has(dn))
  }

  /** A push told of this object. */
  heard(dn: string): void {
    for (const round of this.#rounds) round.heard.add(dn)
    if (this.#owed > 0) this.#announce(this.#owed)
  }

  /** The subscription is made anew: what was suspected of the old one is no matter any more. */
  forget(): void {
    this.#rounds = []
    this.#owed = 0
    this.#over = new AbortController()
    this.#heardAllMs = this.#core.fabricNow()
  }

  /** What was pushed between these times was lost. */
  deaf({ fromMs, toMs }: Spell): void {
    if (!this.#core.continuity.isAnnounced(this.#feed.name, fromMs, toMs)) this.#heed().unheard(fromMs, toMs, 0)
  }

  /**
   * The subscription is over: a reconcile under way ends, as its successor's snapshot is newer. What is still unheard by then may
   * have company that no comparison shows.
   */
  end(): void {
    const isDoubtful = this.#owed > 0 || this.#rounds.some(({ found, heard }) => !found.isSubsetOf(heard))
    if (isDoubtful && this.#heardAllMs !== undefined) this.#core.continuity.suspect(this.#feed.name, this.#heardAllMs)
    // Said: whoever closes the hole tells it.
    this.#rounds = []
    this.#owed = 0
    this.#over.abort()
  }

  /** It was deaf, and hears again: what came and went meanwhile is lost. */
  #announce(recovered: number): void {
    const fromMs = this.#heardAllMs
    this.#owed = 0
    this.#unheardRounds = 0
    this.#heardAllMs = this.#core.fabricNow()
    if (fromMs === undefined) return
    this.#heed().unheard(fromMs, this.#heardAllMs, recovered)
    this.#heed().heardAll(this.#heardAllMs)
  }

  /**
   * Runs a reconcile, and judges by it afterwards, without keeping the caller. Rejects with what `reconcile` throws, but not
   * because the subscription is over: then its successor has to tell what may be `missed`.
   */
  async during(reconcile: (signal: AbortSignal) => Promise<void>, missed?: Missed): Promise<void> {
    const round: Round = { found: new Set(), heard: new Set(), askedMs: this.#core.fabricNow(), isHeard: false }
    this.#rounds.push(round)
    this.#reading = round
    const { signal, continuity } = this.#core
    const over = this.#over.signal
    const passOn = (): void => {
      if (missed?.fromMs !== undefined) continuity.suspect(this.#feed.name, missed.fromMs)
    }
    over.addEventListener('abort', passOn)
    try {
      await reconcile(AbortSignal.any([signal, over]))
    } catch (error) {
      this.#drop(round)
      if (over.aborted && !signal.aborted) return
      throw error
    } finally {
      over.removeEventListener('abort', passOn)
    }
    if (round.found.size === 0) this.#pass(round)
    else void this.#judge(round)
  }

  /** Runs a comparison that nothing is judged by, and gives how many objects it found that nobody had told. */
  async finding(compare: () => Promise<unknown>): Promise<number> {
    const found = new Set<string>()
    this.#reading = { found, heard: new Set(), askedMs: this.#core.fabricNow(), isHeard: false }
    await compare()
    return found.size
  }

  /** It proves something as soon as all before it do: what those found is no news to it, and may still be unheard. */
  #pass(round: Round): void {
    round.isHeard = true
    for (let first = this.#rounds[0]; first?.isHeard === true; first = this.#rounds[0]) {
      this.#rounds.shift()
      this.#unheardRounds = 0
      // Nothing more to find is no proof for one that was deaf: it has still to hear something.
      if (this.#owed > 0 || first.askedMs < (this.#heardAllMs ?? first.askedMs)) continue
      this.#heardAllMs = first.askedMs
      this.#heed().heardAll(first.askedMs)
    }
  }

  #drop(round: Round): void {
    this.#rounds = this.#rounds.filter(other => other !== round)
  }

  async #judge(round: Round): Promise<void> {
    const { clock, signal, pausedWithin, report, source } = this.#core
    try {
      await sleep(clock, GRACE_MS, signal)
    } catch {
      return
    }
    if (!this.#rounds.includes(round)) return
    if (pausedWithin(AFTER_PAUSE_MS)) {
      this.#drop(round)
      return
    }
    const unheard = round.found.difference(round.heard).size
    if (unheard === 0) {
      this.#pass(round)
      return
    }
    this.#rounds = []
    this.#unheardRounds++
    if (this.#unheardRounds === 1) {
      this.#feed.remake(`a reconcile found ${unheard} objects whose changes were never pushed`, this.#heardAllMs)
      return
    }
    this.#owed += unheard
    if (this.#unheardRounds !== 2) return
    // Some changes may never be pushed at all: a subscription made anew each time would not mend that.
    const text = `${this.#feed.name}: changes are found that are never pushed, though it was made anew; reconciles tell them`
    report({ type: 'advice', source: source.name, text })
  }
}
