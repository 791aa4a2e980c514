/**
 * Proof of hearing for objects, which have no log to ask for the newest. When a reconcile finds what nobody was told, the
 * push may be on its way; if it does not come, the subscription is mute, whole or in part (a leaf that no longer feeds
 * it), though its refreshes are answered.
 */
import { sleep } from '../../scheduler/clock.ts'
import type { Core } from './core.ts'

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

export class Hearing {
  readonly #core: Pick<Core, 'clock' | 'signal' | 'report' | 'source' | 'pausedWithin' | 'fabricNow'>
  readonly #name: string
  readonly #remake: (reason: string, sinceMs: number | undefined) => void
  readonly #onHeardAll: (askedMs: number) => void
  /** When a reconcile last found nothing that was not pushed, or the subscription was made; by the fabric's clock. */
  #heardAllMs: number | undefined
  /** Under way, or not judged yet, in their order: with a short interval one begins before the last one is judged. */
  #rounds: Round[] = []
  /** The one that reads. */
  #reading: Round | undefined
  /** Reconciles in a row that found something unheard. */
  #unheardRounds = 0

  constructor(
    core: Pick<Core, 'clock' | 'signal' | 'report' | 'source' | 'pausedWithin' | 'fabricNow'>,
    name: string,
    remake: (reason: string, sinceMs: number | undefined) => void,
    onHeardAll: (askedMs: number) => void,
  ) {
    this.#core = core
    this.#name = name
    this.#remake = remake
    this.#onHeardAll = onHeardAll
  }

  /** A read had to tell of this object. */
  found(dn: string): void {
    this.#reading?.found.add(dn)
  }

  /** A push told of this object. */
  heard(dn: string): void {
    for (const round of this.#rounds) round.heard.add(dn)
  }

  /** The subscription is made anew: what was suspected of the old one is no matter any more. */
  forget(): void {
    this.#rounds = []
    this.#heardAllMs = this.#core.fabricNow()
  }

  /** Runs a reconcile, and judges by it afterwards, without keeping the caller. Rejects with what `reconcile` throws. */
  async during(reconcile: () => Promise<void>): Promise<void> {
    const round: Round = { found: new Set(), heard: new Set(), askedMs: this.#core.fabricNow(), isHeard: false }
    this.#rounds.push(round)
    this.#reading = round
    try {
      await reconcile()
    } catch (error) {
      this.#drop(round)
      throw error
    }
    if (round.found.size === 0) this.#pass(round)
    else void this.#judge(round)
  }

  /** It proves something as soon as all before it do: what those found is no news to it, and may still be unheard. */
  #pass(round: Round): void {
    round.isHeard = true
    for (let first = this.#rounds[0]; first?.isHeard === true; first = this.#rounds[0]) {
      this.#rounds.shift()
      this.#unheardRounds = 0
      this.#heardAllMs = first.askedMs
      this.#onHeardAll(first.askedMs)
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
      this.#remake(`a reconcile found ${unheard} objects whose changes were never pushed`, this.#heardAllMs)
    }
    if (this.#unheardRounds !== 2) return
    // Some changes may never be pushed at all: a subscription made anew each time would not mend that.
    const text = `${this.#name}: changes are found that are never pushed, though it was made anew; reconciles tell them`
    report({ type: 'advice', source: source.name, text })
  }
}
